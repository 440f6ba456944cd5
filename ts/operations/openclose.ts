// Opening and closing files.

import type { EntryWriter } from '../entry/entry-writer.ts'
import type { UringErrorDetails } from '../errors.ts'
import { type Directory, resolveDirectory } from '../arguments/directory.ts'
import { OpenFlags } from '../flags/index.ts'
import { allocateBlock, type Block } from '../memory/address-of.ts'
import { openFlags } from '../arguments/open-flags.ts'
import { checkDirect, type NewFile, withCloexec } from './base/new-descriptor.ts'
import { Operation } from './base/operation.ts'
import { checkPath, type Path, pathBlock, type PathBlock } from '../arguments/path.ts'
import {
  checkFile,
  type Direct,
  type FileTarget,
  type FixedFile,
  placed,
  resolveFile,
} from '../arguments/file.ts'
import { integer, mask, MAX_U16, checkOptions } from '../arguments/validate.ts'

/** Options of {@link OpenAt}. */
export interface OpenAtOptions<D extends Direct | undefined = Direct | undefined> {
  /** `'r'`, `'w+'`, … as for `fs.open()`, or `OpenFlags`; `'r'` by default. */
  flags?: string | number
  /** Permissions of a new file, before the umask is applied; 0o666 by default. */
  mode?: number
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd?: Directory
  /** Opens the file as a fixed file instead of a descriptor: in this slot (5.15), or in any with `'auto'` (5.19). */
  direct?: D
  /** Sets `O_CLOEXEC`, so that programs which this process executes do not inherit the descriptor; true by default. */
  cloexec?: boolean
}

interface OpenState extends PathBlock {
  /** The fixed-file slot that was named, -1 for any; absent for a descriptor. */
  readonly slot: number | undefined
}

/** Opens a file by its path: the arguments and results that both system calls have. */
abstract class Open<D extends Direct | undefined> extends Operation<NewFile<D>> {
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

  /** The path. */
  path: Path
  /** `'r'`, `'w+'`, … as for `fs.open()`, or `OpenFlags`. */
  flags: string | number
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd: Directory | undefined
  /** The fixed-file slot to open into, or `'auto'` for any; absent, the file becomes a descriptor. */
  direct: Direct | undefined
  /** If set, programs which this process executes do not inherit the descriptor. */
  cloexec: boolean

  constructor(path: Path, options: OpenAtOptions<D> | undefined) {
    super()
    const { flags = 'r', dirfd, direct, cloexec = true } = checkOptions(options)
    this.path = path
    this.flags = flags
    this.dirfd = dirfd
    this.direct = direct
    this.cloexec = cloexec
  }
}

interface CheckedOpen {
  readonly dirfd: number
  readonly flags: number
  readonly mode: number
  readonly slot: number | undefined
}

function checkOpen(
  { path, flags, dirfd, direct, cloexec }: Open<Direct | undefined>,
  mode: number,
): CheckedOpen {
  checkPath(path)
  const slot = checkDirect(direct)
  return {
    dirfd: resolveDirectory(dirfd, 'options.dirfd'),
    flags: withCloexec(openFlags(flags, 'options.flags'), cloexec, slot),
    mode: integer(mode, 'options.mode', 0, MAX_U16),
    slot,
  }
}

/**
 * Opens a file, and creates it if the flags say so. Resolves to the descriptor; with `direct`, to a {@link FixedFile}.
 *
 * Fails with `ENOENT` (no such file, without `CREAT`), `EEXIST` (it exists, with `EXCL`), `EACCES` (no permission),
 * `EISDIR` (a directory, opened for writing), `ENFILE` (no free fixed-file slot), `ENXIO` (no file table is
 * registered), ... Since Linux 5.6. See openat(2).
 */
export class OpenAt<D extends Direct | undefined = undefined> extends Open<D> {
  static override readonly opcode = 18
  static override readonly since = '5.6'
  static override readonly syscall = 'open'

  /** Permissions of a new file, before the umask is applied. */
  mode: number

  constructor(path: Path, options?: OpenAtOptions<D>) {
    super(path, options)
    const { mode = 0o666 } = checkOptions(options)
    this.mode = mode
    checkOpen(this, mode)
  }

  /** @internal */
  override encode(entry: EntryWriter): OpenState {
    const { dirfd, flags, mode, slot } = checkOpen(this, this.mode)
    const path = pathBlock(this.path)
    entry.begin(OpenAt.opcode, this)
    entry.fd(dirfd)
    entry.addr(path.address)
    entry.opFlags(flags)
    entry.len(mode)
    if (slot !== undefined) entry.slot(slot)
    return { ...path, slot }
  }
}

/** Options of {@link OpenAt2}. */
export interface OpenAt2Options<D extends Direct | undefined = Direct | undefined> extends OpenAtOptions<D> {
  /** Permissions of a new file, before the umask is applied; absent, 0o666 if the flags can create a file, or else 0. */
  mode?: number
  /** `ResolveFlags`: restricts how the path is resolved; 0 by default. */
  resolve?: number
}

/** Bytes of `struct open_how`. */
const HOW_BYTES = 24
/** `O_TMPFILE` includes the bit of `O_DIRECTORY`, which alone creates nothing. */
const CREATES = OpenFlags.CREAT | (OpenFlags.TMPFILE & ~OpenFlags.DIRECTORY)

/**
 * Opens a file as {@link OpenAt} does, restricts how its path is resolved, and refuses flags that the kernel does not
 * know. Resolves to the descriptor; with `direct`, to a {@link FixedFile}.
 *
 * Fails with `EINVAL` (unknown flags, or a mode where the flags create nothing), `EXDEV` (the path leaves what `BENEATH`
 * or `NO_XDEV` allows), `ELOOP` (a link that `NO_SYMLINKS` or `NO_MAGICLINKS` forbids), `EAGAIN` (not in the cache, with
 * `CACHED`), and as {@link OpenAt} does. Since Linux 5.6. See openat2(2).
 */
export class OpenAt2<D extends Direct | undefined = undefined> extends Open<D> {
  static override readonly opcode = 28
  static override readonly since = '5.6'
  static override readonly syscall = 'open'

  /** Permissions of a new file, before the umask is applied. */
  mode: number | undefined
  /** `ResolveFlags`. */
  resolve: number

  constructor(path: Path, options?: OpenAt2Options<D>) {
    super(path, options)
    const { mode, resolve = 0 } = checkOptions(options)
    this.mode = mode
    this.resolve = resolve
    this.resolve = checkOpenAt2(this).resolve
  }

  /** @internal */
  override encode(entry: EntryWriter): OpenState & { readonly how: Block } {
    const { open, resolve } = checkOpenAt2(this)
    const { dirfd, flags, mode, slot } = open
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

function checkOpenAt2(operation: OpenAt2<Direct | undefined>): {
  readonly open: CheckedOpen
  readonly resolve: number
} {
  const { flags, mode, resolve } = operation
  const absent = (openFlags(flags, 'options.flags') & CREATES) === 0 ? 0 : 0o666
  return {
    open: checkOpen(operation, mode === undefined ? absent : mode),
    resolve: mask(resolve, 'options.resolve'),
  }
}

/**
 * Closes a file descriptor, or empties a fixed-file slot. Resolves to 0.
 *
 * Operations in flight on the file continue. Fails with `EBADF` (not an open descriptor, or an empty slot). Since Linux
 * 5.6, fixed files since 5.15. See close(2).
 */
export class Close extends Operation<number> {
  static override readonly opcode = 19
  static override readonly since = '5.6'
  static override readonly syscall = 'close'

  /** The file. */
  file: FileTarget

  constructor(file: FileTarget) {
    super()
    this.file = checkFile(file)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const file = resolveFile(this.file, 'file')
    entry.begin(Close.opcode, this)
    // A slot has a field of its own here, without the flag that marks fixed files elsewhere.
    if (file < 0) entry.slot(-1 - file)
    else entry.fd(file)
    return undefined
  }
}
