// Names: opening by openat2, renaming, linking, removing, making directories.

import type { EntryWriter } from '../entry/entry-writer.ts'
import type { UringErrorDetails } from '../errors.ts'
import { type Directory, resolveDirectory } from '../arguments/directory.ts'
import { AtFlags, OpenFlags } from '../flags/index.ts'
import { allocateBlock, type Block } from '../memory/address-of.ts'
import { openFlags } from '../arguments/open-flags.ts'
import { Operation } from './base/operation.ts'
import { checkPath, type Path, pathBlock, type PathBlock } from '../arguments/path.ts'
import { type Direct, type FileTarget, type FixedFile, placed, resolveDirect } from '../arguments/file.ts'
import { flag, integer, mask, MAX_U16, checkOptions } from '../arguments/validate.ts'
import type { OpenAtOptions } from './open-statx.ts'

/** Options of {@link OpenAt2}. */
export interface OpenAt2Options<D extends Direct | undefined = Direct | undefined> extends OpenAtOptions<D> {
  /** Permissions of a new file, less the umask; absent, 0o666 where the flags may create one. */
  mode?: number
  /** How the path is followed: `ResolveFlags`; 0. */
  resolve?: number
}

interface OpenState extends PathBlock {
  readonly how: Block
  /** The slot that was named, -1 for any; absent for a descriptor. */
  readonly slot: number | undefined
}

/** Bytes of `struct open_how`. */
const HOW_BYTES = 24
/** `O_TMPFILE` has the bit of `O_DIRECTORY` too, which creates nothing alone. */
const CREATES = OpenFlags.CREAT | (OpenFlags.TMPFILE & ~OpenFlags.DIRECTORY)

/**
 * Opens a file as {@link OpenAt} does, and has a say in how its path is followed; the kernel refuses flags that it does
 * not know. Resolves to the descriptor, or to a {@link FixedFile}.
 *
 * Fails with `EINVAL` (unknown flags, a mode where nothing is created), `EXDEV` (the path leaves what `BENEATH` or
 * `NO_XDEV` allow), `ELOOP` (a link that `NO_SYMLINKS` or `NO_MAGICLINKS` forbid), `EAGAIN` (not in the cache, with
 * `CACHED`), and as {@link OpenAt} does. Since Linux 5.6. See openat2(2).
 */
export class OpenAt2<D extends Direct | undefined = undefined> extends Operation<
  D extends undefined ? number : FixedFile
> {
  static override readonly opcode = 28
  static override readonly since = '5.6'
  static override readonly syscall = 'open'

  /** The path. */
  path: Path
  /** `'r'`, `'w+'`, … or `OpenFlags`. */
  flags: string | number
  /** Permissions of a new file, less the umask. */
  mode: number | undefined
  /** `ResolveFlags`. */
  resolve: number
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd: Directory | undefined
  /** Where it goes among the registered files; absent, it becomes a descriptor. */
  direct: Direct | undefined
  /** Closes the descriptor in programs that are started. */
  cloexec: boolean

  constructor(path: Path, options?: OpenAt2Options<D>) {
    super()
    const { flags = 'r', mode, resolve = 0, dirfd, direct, cloexec = true } = checkOptions(options)
    openFlags(flags, 'options.flags')
    checkMode(mode)
    resolveDirectory(dirfd, 'options.dirfd')
    if (direct !== undefined) resolveDirect(direct, 'options.direct')
    this.path = checkPath(path)
    this.flags = flags
    this.mode = mode
    this.resolve = mask(resolve, 'options.resolve')
    this.dirfd = dirfd
    this.direct = direct
    this.cloexec = flag(cloexec, 'options.cloexec')
  }

  /** @internal */
  static override describe(state: unknown): UringErrorDetails {
    return { path: (state as OpenState).path }
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number | FixedFile {
    return placed(result, (state as OpenState).slot)
  }

  /** @internal */
  static override leftover(result: number, state: unknown): readonly FileTarget[] {
    return [placed(result, (state as OpenState).slot)]
  }

  /** @internal */
  override encode(entry: EntryWriter): OpenState {
    const dirfd = resolveDirectory(this.dirfd, 'options.dirfd')
    const slot = this.direct === undefined ? undefined : resolveDirect(this.direct, 'options.direct')
    const resolve = mask(this.resolve, 'options.resolve')
    let flags = openFlags(this.flags, 'options.flags')
    const mode = checkMode(this.mode) ?? ((flags & CREATES) === 0 ? 0 : 0o666)
    // Registered files have no such flag, and the kernel refuses it.
    if (flag(this.cloexec, 'options.cloexec') && slot === undefined) flags |= OpenFlags.CLOEXEC
    const path = pathBlock(this.path)
    const how = allocateBlock(HOW_BYTES)
    how.bytes.writeUInt32LE(flags, 0)
    how.bytes.writeUInt32LE(mode, 8)
    how.bytes.writeUInt32LE(resolve, 16)
    entry.begin(OpenAt2.opcode, this)
    entry.fd(dirfd)
    entry.addr(path.address)
    entry.off(how.address)
    entry.len(HOW_BYTES)
    if (slot !== undefined) entry.slot(slot)
    return { ...path, how, slot }
  }
}

function checkMode(mode: number | undefined): number | undefined {
  return mode === undefined ? undefined : integer(mode, 'options.mode', 0, MAX_U16)
}

/** Options of {@link RenameAt}. */
export interface RenameAtOptions {
  /** Directory that a relative old path starts from. */
  oldDirfd?: Directory
  /** Directory that a relative new path starts from. */
  newDirfd?: Directory
  /** `RenameFlags`: `NOREPLACE`, `EXCHANGE`, `WHITEOUT`. */
  flags?: number
}

/** Options of {@link LinkAt}. */
export interface LinkAtOptions {
  /** Directory that a relative old path starts from; with an empty one and `AtFlags.EMPTY_PATH`, the file itself. */
  oldDirfd?: Directory
  /** Directory that a relative new path starts from. */
  newDirfd?: Directory
  /** `AtFlags`: `SYMLINK_FOLLOW` for what a symbolic link leads to, `EMPTY_PATH`. */
  flags?: number
}

/** The two paths of an operation. */
interface PairState {
  readonly from: PathBlock
  readonly to: PathBlock
}

/** What operations on an old and a new path share. */
abstract class Pair extends Operation<number> {
  /** @internal */
  static override describe(state: unknown): UringErrorDetails {
    const { from, to } = state as PairState
    return { path: from.path, dest: to.path }
  }

  /** The path that there is. */
  from: Path
  /** The new path. */
  to: Path
  /** The directory that a relative `from` starts from; absent, the working directory. */
  oldDirfd: Directory | undefined
  /** The directory that a relative `to` starts from; absent, the working directory. */
  newDirfd: Directory | undefined
  /** `RenameFlags` or `AtFlags`, as the operation has them. */
  flags: number

  constructor(from: Path, to: Path, options?: RenameAtOptions | LinkAtOptions) {
    super()
    this.from = checkPath(from, 'from')
    this.to = checkPath(to, 'to')
    const { oldDirfd, newDirfd, flags = 0 } = checkOptions(options)
    resolveDirectory(oldDirfd, 'options.oldDirfd')
    resolveDirectory(newDirfd, 'options.newDirfd')
    this.oldDirfd = oldDirfd
    this.newDirfd = newDirfd
    this.flags = mask(flags, 'options.flags')
  }

  protected encodePair(entry: EntryWriter, opcode: number): PairState {
    const oldDirfd = resolveDirectory(this.oldDirfd, 'options.oldDirfd')
    const newDirfd = resolveDirectory(this.newDirfd, 'options.newDirfd')
    const flags = mask(this.flags, 'options.flags')
    const from = pathBlock(this.from, 'from')
    const to = pathBlock(this.to, 'to')
    entry.begin(opcode, this)
    entry.fd(oldDirfd)
    entry.addr(from.address)
    entry.len(newDirfd)
    entry.off(to.address)
    entry.opFlags(flags)
    return { from, to }
  }
}

/**
 * Renames a file, which may replace another one. Resolves to 0.
 *
 * Fails with `ENOENT`, `EEXIST` (with `NOREPLACE`), `ENOTEMPTY`, `EISDIR`, `EXDEV` (another file system), ... Most
 * failures do not cancel what is linked behind it. Since Linux 5.11. See renameat2(2).
 */
export class RenameAt extends Pair {
  static override readonly opcode = 35
  static override readonly since = '5.11'
  static override readonly syscall = 'rename'

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodePair(entry, RenameAt.opcode)
  }
}

/**
 * Gives a file another name. Resolves to 0.
 *
 * Fails with `ENOENT`, `EEXIST`, `EPERM` (a directory), `EXDEV` (another file system), ... Most failures do not cancel
 * what is linked behind it. Since Linux 5.15. See linkat(2).
 */
export class LinkAt extends Pair {
  static override readonly opcode = 39
  static override readonly since = '5.15'
  static override readonly syscall = 'link'

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodePair(entry, LinkAt.opcode)
  }
}

/** Options of {@link SymlinkAt}. */
export interface SymlinkAtOptions {
  /** Directory that a relative path starts from. */
  dirfd?: Directory
}

/**
 * Makes a symbolic link. Resolves to 0.
 *
 * Fails with `EEXIST`, `ENOENT`, `EACCES`, `ENOTDIR`, ... Most failures do not cancel what is linked behind it. Since
 * Linux 5.15. See symlinkat(2).
 */
export class SymlinkAt extends Operation<number> {
  static override readonly opcode = 38
  static override readonly since = '5.15'
  static override readonly syscall = 'symlink'

  /** @internal */
  static override describe(state: unknown): UringErrorDetails {
    const { from, to } = state as PairState
    return { path: from.path, dest: to.path }
  }

  /** What the link says. */
  target: Path
  /** The path of the link. */
  path: Path
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd: Directory | undefined

  constructor(target: Path, path: Path, options?: SymlinkAtOptions) {
    super()
    this.target = checkPath(target, 'target')
    this.path = checkPath(path)
    const { dirfd } = checkOptions(options)
    resolveDirectory(dirfd, 'options.dirfd')
    this.dirfd = dirfd
  }

  /** @internal */
  override encode(entry: EntryWriter): PairState {
    const dirfd = resolveDirectory(this.dirfd, 'options.dirfd')
    const target = pathBlock(this.target, 'target')
    const path = pathBlock(this.path)
    entry.begin(SymlinkAt.opcode, this)
    entry.fd(dirfd)
    entry.addr(target.address)
    entry.off(path.address)
    return { from: target, to: path }
  }
}

/** Options of {@link UnlinkAt}. */
export interface UnlinkAtOptions {
  /** Directory that a relative path starts from. */
  dirfd?: Directory
  /** It is a directory, and has to be empty; false. */
  directory?: boolean
  /** `AtFlags`: `REMOVEDIR` is what `directory` sets. */
  flags?: number
}

interface UnlinkState {
  readonly path: PathBlock
  readonly syscall: string
}

/**
 * Removes a name of a file, or an empty directory. Resolves to 0.
 *
 * Fails with `ENOENT`, `EISDIR` (a directory, without `directory`), `ENOTDIR` (no directory, with it), `ENOTEMPTY`,
 * `EACCES`, ... Most failures do not cancel what is linked behind it. Since Linux 5.11. See unlinkat(2).
 */
export class UnlinkAt extends Operation<number> {
  static override readonly opcode = 36
  static override readonly since = '5.11'
  static override readonly syscall = 'unlink'

  /** @internal */
  static override describe(state: unknown): UringErrorDetails {
    const { path, syscall } = state as UnlinkState
    return { path: path.path, syscall }
  }

  /** The path. */
  path: Path
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd: Directory | undefined
  /** Whether it is a directory, which has to be empty. */
  directory: boolean
  /** `AtFlags`: `REMOVEDIR` is what `directory` sets. */
  flags: number

  constructor(path: Path, options?: UnlinkAtOptions) {
    super()
    this.path = checkPath(path)
    const { dirfd, directory = false, flags = 0 } = checkOptions(options)
    resolveDirectory(dirfd, 'options.dirfd')
    this.dirfd = dirfd
    this.directory = flag(directory, 'options.directory')
    this.flags = mask(flags, 'options.flags')
  }

  /** @internal */
  override encode(entry: EntryWriter): UnlinkState {
    const dirfd = resolveDirectory(this.dirfd, 'options.dirfd')
    let flags = mask(this.flags, 'options.flags')
    if (flag(this.directory, 'options.directory')) flags |= AtFlags.REMOVEDIR
    const path = pathBlock(this.path)
    entry.begin(UnlinkAt.opcode, this)
    entry.fd(dirfd)
    entry.addr(path.address)
    entry.opFlags(flags)
    return { path, syscall: (flags & AtFlags.REMOVEDIR) === 0 ? 'unlink' : 'rmdir' }
  }
}

/** Options of {@link MkDirAt}. */
export interface MkDirAtOptions {
  /** Permissions, less the umask; 0o777. */
  mode?: number
  /** Directory that a relative path starts from. */
  dirfd?: Directory
}

/**
 * Makes a directory. Resolves to 0.
 *
 * Fails with `EEXIST`, `ENOENT`, `EACCES`, `ENOTDIR`, ... Most failures do not cancel what is linked behind it. Since
 * Linux 5.15. See mkdirat(2).
 */
export class MkDirAt extends Operation<number> {
  static override readonly opcode = 37
  static override readonly since = '5.15'
  static override readonly syscall = 'mkdir'

  /** @internal */
  static override describe(state: unknown): UringErrorDetails {
    return { path: (state as PathBlock).path }
  }

  /** The path. */
  path: Path
  /** Permissions, less the umask. */
  mode: number
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd: Directory | undefined

  constructor(path: Path, options?: MkDirAtOptions) {
    super()
    this.path = checkPath(path)
    const { mode = 0o777, dirfd } = checkOptions(options)
    resolveDirectory(dirfd, 'options.dirfd')
    this.mode = integer(mode, 'options.mode', 0, MAX_U16)
    this.dirfd = dirfd
  }

  /** @internal */
  override encode(entry: EntryWriter): PathBlock {
    const dirfd = resolveDirectory(this.dirfd, 'options.dirfd')
    const mode = integer(this.mode, 'options.mode', 0, MAX_U16)
    const path = pathBlock(this.path)
    entry.begin(MkDirAt.opcode, this)
    entry.fd(dirfd)
    entry.addr(path.address)
    entry.len(mode)
    return path
  }
}
