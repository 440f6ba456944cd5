// Names of files: renaming, linking, removing, creating directories.

import type { EntryWriter } from '../entry/entry-writer.ts'
import type { UringErrorDetails } from '../errors.ts'
import { type Directory, resolveDirectory } from '../arguments/directory.ts'
import { AtFlags } from '../flags/index.ts'
import { Operation } from './base/operation.ts'
import { checkPath, type Path, pathBlock, type PathBlock } from '../arguments/path.ts'
import { flag, integer, mask, MAX_U16, checkOptions } from '../arguments/validate.ts'

/** Options of {@link RenameAt}. */
export interface RenameAtOptions {
  /** Directory that a relative old path starts from; absent, the working directory. */
  oldDirfd?: Directory
  /** Directory that a relative new path starts from; absent, the working directory. */
  newDirfd?: Directory
  /** `RenameFlags`: `NOREPLACE`, `EXCHANGE`, `WHITEOUT`. */
  flags?: number
}

/** Options of {@link LinkAt}. */
export interface LinkAtOptions {
  /** Directory that a relative old path starts from; with an empty path and `AtFlags.EMPTY_PATH`, the file to link. */
  oldDirfd?: Directory
  /** Directory that a relative new path starts from; absent, the working directory. */
  newDirfd?: Directory
  /** `AtFlags`: `SYMLINK_FOLLOW` links the target of a symbolic link, `EMPTY_PATH`. */
  flags?: number
}

/** The two paths of an operation. */
interface PairState {
  readonly from: PathBlock
  readonly to: PathBlock
}

function describePair(state: unknown): UringErrorDetails {
  const { from, to } = state as PairState
  return { path: from.path, dest: to.path }
}

/** An operation on an old and a new path. */
abstract class Pair extends Operation<number> {
  /** @internal */
  static override readonly describe = describePair

  /** The existing path. */
  from: Path
  /** The new path. */
  to: Path
  /** Directory that a relative `from` starts from; absent, the working directory. */
  oldDirfd: Directory | undefined
  /** Directory that a relative `to` starts from; absent, the working directory. */
  newDirfd: Directory | undefined
  /** `RenameFlags` or `AtFlags`, depending on the operation. */
  flags: number

  constructor(from: Path, to: Path, options?: RenameAtOptions | LinkAtOptions) {
    super()
    const { oldDirfd, newDirfd, flags = 0 } = checkOptions(options)
    this.from = from
    this.to = to
    this.oldDirfd = oldDirfd
    this.newDirfd = newDirfd
    this.flags = flags
    this.flags = checkPair(this).flags
  }

  /** @internal */
  override encode(entry: EntryWriter): PairState {
    const { oldDirfd, newDirfd, flags } = checkPair(this)
    const from = pathBlock(this.from, 'from')
    const to = pathBlock(this.to, 'to')
    entry.begin(this.operationClass.opcode, this)
    entry.fd(oldDirfd)
    entry.addr(from.address)
    entry.len(newDirfd)
    entry.off(to.address)
    entry.opFlags(flags)
    return { from, to }
  }
}

interface CheckedPair {
  readonly oldDirfd: number
  readonly newDirfd: number
  readonly flags: number
}

function checkPair({ from, to, oldDirfd, newDirfd, flags }: Pair): CheckedPair {
  checkPath(from, 'from')
  checkPath(to, 'to')
  return {
    oldDirfd: resolveDirectory(oldDirfd, 'options.oldDirfd'),
    newDirfd: resolveDirectory(newDirfd, 'options.newDirfd'),
    flags: mask(flags, 'options.flags'),
  }
}

/**
 * Renames a file; an existing file of the new name is replaced. Resolves to 0.
 *
 * Fails with `ENOENT` (no such file), `EEXIST` (the new name exists, with `NOREPLACE`), `ENOTEMPTY` (the new name is a
 * directory with entries), `EISDIR` (the new name is a directory, the old one is not), `EXDEV` (another file system),
 * ... Most failures do not cancel the operations linked after it. Since Linux 5.11. See renameat2(2).
 */
export class RenameAt extends Pair {
  static override readonly opcode = 35
  static override readonly since = '5.11'
  static override readonly syscall = 'rename'
}

/**
 * Creates another name of a file, a hard link. Resolves to 0.
 *
 * Fails with `ENOENT` (no such file), `EEXIST` (the new name exists), `EPERM` (a directory), `EXDEV` (another file
 * system), ... Most failures do not cancel the operations linked after it. Since Linux 5.15. See linkat(2).
 */
export class LinkAt extends Pair {
  static override readonly opcode = 39
  static override readonly since = '5.15'
  static override readonly syscall = 'link'
}

/** Options of {@link SymlinkAt}. */
export interface SymlinkAtOptions {
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd?: Directory
}

/**
 * Creates a symbolic link. Resolves to 0.
 *
 * Fails with `EEXIST` (the path exists), `ENOENT` (a directory of the path does not exist), `EACCES` (no permission),
 * `ENOTDIR` (a part of the path is not a directory), ... Most failures do not cancel the operations linked after it.
 * Since Linux 5.15. See symlinkat(2).
 */
export class SymlinkAt extends Operation<number> {
  static override readonly opcode = 38
  static override readonly since = '5.15'
  static override readonly syscall = 'symlink'

  /** @internal */
  static override readonly describe = describePair

  /** The contents of the link: the path that it leads to, which need not exist. */
  target: Path
  /** The path of the link. */
  path: Path
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd: Directory | undefined

  constructor(target: Path, path: Path, options?: SymlinkAtOptions) {
    super()
    const { dirfd } = checkOptions(options)
    this.target = target
    this.path = path
    this.dirfd = dirfd
    checkSymlinkAt(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): PairState {
    const { dirfd } = checkSymlinkAt(this)
    const target = pathBlock(this.target, 'target')
    const path = pathBlock(this.path)
    entry.begin(SymlinkAt.opcode, this)
    entry.fd(dirfd)
    entry.addr(target.address)
    entry.off(path.address)
    return { from: target, to: path }
  }
}

function checkSymlinkAt({ target, path, dirfd }: SymlinkAt): { readonly dirfd: number } {
  checkPath(target, 'target')
  return { dirfd: checkPlace(path, dirfd) }
}

/** Checks a path and the directory that it starts from, and returns the descriptor of the directory. */
function checkPlace(path: Path, dirfd: Directory | undefined): number {
  checkPath(path)
  return resolveDirectory(dirfd, 'options.dirfd')
}

/** Options of {@link UnlinkAt}. */
export interface UnlinkAtOptions {
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd?: Directory
  /** Removes a directory, which has to be empty, instead of a file; false by default. */
  directory?: boolean
  /** `AtFlags`: `directory` sets `REMOVEDIR`. */
  flags?: number
}

interface UnlinkState {
  readonly path: PathBlock
  readonly syscall: string
}

/**
 * Removes a name of a file, or an empty directory. Resolves to 0.
 *
 * Fails with `ENOENT` (no such file), `EISDIR` (a directory, without `directory`), `ENOTDIR` (not a directory, with it),
 * `ENOTEMPTY` (the directory has entries), `EACCES` (no permission), ... Most failures do not cancel the operations
 * linked after it. Since Linux 5.11. See unlinkat(2).
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
  /** If set, it removes a directory, which has to be empty. */
  directory: boolean
  /** `AtFlags`: `directory` sets `REMOVEDIR`. */
  flags: number

  constructor(path: Path, options?: UnlinkAtOptions) {
    super()
    const { dirfd, directory = false, flags = 0 } = checkOptions(options)
    this.path = path
    this.dirfd = dirfd
    this.directory = directory
    this.flags = flags
    checkUnlinkAt(this)
    this.flags >>>= 0
  }

  /** @internal */
  override encode(entry: EntryWriter): UnlinkState {
    const { dirfd, flags } = checkUnlinkAt(this)
    const path = pathBlock(this.path)
    entry.begin(UnlinkAt.opcode, this)
    entry.fd(dirfd)
    entry.addr(path.address)
    entry.opFlags(flags)
    return { path, syscall: (flags & AtFlags.REMOVEDIR) === 0 ? 'unlink' : 'rmdir' }
  }
}

interface CheckedUnlink {
  readonly dirfd: number
  readonly flags: number
}

function checkUnlinkAt({ path, dirfd, directory, flags }: UnlinkAt): CheckedUnlink {
  const bits = mask(flags, 'options.flags')
  return {
    dirfd: checkPlace(path, dirfd),
    flags: flag(directory, 'options.directory') ? bits | AtFlags.REMOVEDIR : bits,
  }
}

/** Options of {@link MkDirAt}. */
export interface MkDirAtOptions {
  /** Permissions, before the umask is applied; 0o777 by default. */
  mode?: number
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd?: Directory
}

/**
 * Creates a directory. Resolves to 0.
 *
 * Fails with `EEXIST` (the path exists), `ENOENT` (a directory of the path does not exist), `EACCES` (no permission),
 * `ENOTDIR` (a part of the path is not a directory), ... Most failures do not cancel the operations linked after it.
 * Since Linux 5.15. See mkdirat(2).
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
  /** Permissions, before the umask is applied. */
  mode: number
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd: Directory | undefined

  constructor(path: Path, options?: MkDirAtOptions) {
    super()
    const { mode = 0o777, dirfd } = checkOptions(options)
    this.path = path
    this.mode = mode
    this.dirfd = dirfd
    checkMkDirAt(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): PathBlock {
    const { dirfd, mode } = checkMkDirAt(this)
    const path = pathBlock(this.path)
    entry.begin(MkDirAt.opcode, this)
    entry.fd(dirfd)
    entry.addr(path.address)
    entry.len(mode)
    return path
  }
}

interface CheckedMkDir {
  readonly dirfd: number
  readonly mode: number
}

function checkMkDirAt({ path, mode, dirfd }: MkDirAt): CheckedMkDir {
  return { dirfd: checkPlace(path, dirfd), mode: integer(mode, 'options.mode', 0, MAX_U16) }
}
