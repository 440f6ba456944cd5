// Files by name.

import type { EntryWriter } from '../entry/entry-writer.ts'
import type { UringErrorDetails } from '../errors.ts'
import { type Directory, resolveDirectory } from '../arguments/directory.ts'
import { AtFlags, OpenFlags, StatxMask } from '../flags/index.ts'
import { allocateBlock, type Block } from '../memory/address-of.ts'
import { openFlags } from '../arguments/open-flags.ts'
import { Operation } from './base/operation.ts'
import { checkPath, type Path, pathBlock, type PathBlock } from '../arguments/path.ts'
import { type Direct, type FileTarget, FixedFile, placed, resolveDirect } from '../arguments/file.ts'
import { type BigIntStats, decodeStatx, type Stats, STATX_BYTES } from '../structs/statx.ts'
import { flag, integer, mask, MAX_U16, MAX_U32, checkOptions } from '../arguments/validate.ts'

/** Options of {@link OpenAt}. */
export interface OpenAtOptions<D extends Direct | undefined = Direct | undefined> {
  /** `'r'`, `'w+'`, … or `OpenFlags`; `'r'`. */
  flags?: string | number
  /** Permissions of a new file, less the umask; 0o666. */
  mode?: number
  /** Directory that a relative path starts from. */
  dirfd?: Directory
  /** Opens into the registered files: a slot, or `'auto'` (5.15, 5.19). */
  direct?: D
  /** Closes the descriptor in programs that are started; true. */
  cloexec?: boolean
}

interface OpenState extends PathBlock {
  /** The slot that was named, -1 for any; absent for a descriptor. */
  readonly slot: number | undefined
}

/**
 * Opens a file, and creates it if asked to. Resolves to the descriptor, or to a {@link FixedFile}.
 *
 * Fails with `ENOENT`, `EACCES`, `EEXIST`, `EISDIR`, `ENFILE` (no free slot), `ENXIO` (no table), ... Since Linux 5.6.
 * See openat(2).
 */
export class OpenAt<D extends Direct | undefined = undefined> extends Operation<
  D extends undefined ? number : FixedFile
> {
  static override readonly opcode = 18
  static override readonly since = '5.6'
  static override readonly syscall = 'open'

  /** The path. */
  path: Path
  /** `'r'`, `'w+'`, … or `OpenFlags`. */
  flags: string | number
  /** Permissions of a new file, less the umask. */
  mode: number
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd: Directory | undefined
  /** Where it goes among the registered files; absent, it becomes a descriptor. */
  direct: Direct | undefined
  /** Closes the descriptor in programs that are started. */
  cloexec: boolean

  constructor(path: Path, options?: OpenAtOptions<D>) {
    super()
    const { flags = 'r', mode = 0o666, dirfd, direct, cloexec = true } = checkOptions(options)
    openFlags(flags, 'options.flags')
    resolveDirectory(dirfd, 'options.dirfd')
    if (direct !== undefined) resolveDirect(direct, 'options.direct')
    this.path = checkPath(path)
    this.flags = flags
    this.mode = integer(mode, 'options.mode', 0, MAX_U16)
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
    const mode = integer(this.mode, 'options.mode', 0, MAX_U16)
    let flags = openFlags(this.flags, 'options.flags')
    // Registered files have no such flag, and the kernel refuses it.
    if (flag(this.cloexec, 'options.cloexec') && slot === undefined) flags |= OpenFlags.CLOEXEC
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

/** Options of {@link Statx}. */
export interface StatxOptions<B extends boolean = boolean> {
  /** Directory that a relative path starts from. */
  dirfd?: Directory
  /** `AtFlags`: `SYMLINK_NOFOLLOW` for the link itself. */
  flags?: number
  /** What is wanted, `StatxMask`; the basic status and the time of birth. */
  mask?: number
  /** Numbers as bigints. */
  bigint?: B
}

interface StatxState {
  readonly path: PathBlock
  readonly result: Block
  readonly syscall: string
  readonly shown: string | undefined
  readonly bigint: boolean
}

/**
 * Reads the status of a file by its path, or of an open file. Resolves to {@link Stats}, or to {@link BigIntStats}.
 *
 * Fails with `ENOENT`, `EACCES`, `ENOTDIR`, `EBADF`, ... Since Linux 5.6. See statx(2).
 */
export class Statx<B extends boolean = false> extends Operation<B extends true ? BigIntStats : Stats> {
  static override readonly opcode = 21
  static override readonly since = '5.6'
  static override readonly syscall = 'stat'

  /** The path, or the open file. */
  target: Path | number | { readonly fd: number }
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd: Directory | undefined
  /** `AtFlags`: `SYMLINK_NOFOLLOW` for the link itself. */
  flags: number
  /** Which fields are wanted, `StatxMask`. */
  mask: number
  /** Whether numbers are bigints. */
  bigint: boolean

  constructor(target: Path | number | { readonly fd: number }, options?: StatxOptions<B>) {
    super()
    const {
      dirfd,
      flags = 0,
      mask: wanted = StatxMask.BASIC_STATS | StatxMask.BTIME,
      bigint = false,
    } = checkOptions(options)
    resolveDirectory(dirfd, 'options.dirfd')
    if (isFile(target)) resolveDirectory(target, 'target')
    else checkPath(target, 'target')
    this.target = target
    this.dirfd = dirfd
    this.flags = mask(flags, 'options.flags')
    this.mask = integer(wanted, 'options.mask', 0, MAX_U32)
    this.bigint = flag(bigint, 'options.bigint')
  }

  /** @internal */
  static override describe(state: unknown): UringErrorDetails {
    const { syscall, shown } = state as StatxState
    return { syscall, path: shown }
  }

  /** @internal */
  static override decode(_result: number, _flags: number, state: unknown): Stats | BigIntStats {
    const { result, bigint } = state as StatxState
    return decodeStatx(result.bytes, bigint)
  }

  /** @internal */
  override encode(entry: EntryWriter): StatxState {
    const { target } = this
    const wanted = integer(this.mask, 'options.mask', 0, MAX_U32)
    const bigint = flag(this.bigint, 'options.bigint')
    let flags = mask(this.flags, 'options.flags')
    let dirfd: number
    let path: PathBlock
    let syscall: string
    if (isFile(target)) {
      dirfd = resolveDirectory(target, 'target')
      path = pathBlock('')
      flags |= AtFlags.EMPTY_PATH
      syscall = 'fstat'
    } else {
      dirfd = resolveDirectory(this.dirfd, 'options.dirfd')
      path = pathBlock(target, 'target')
      syscall = (flags & AtFlags.SYMLINK_NOFOLLOW) === 0 ? 'stat' : 'lstat'
    }
    const result = allocateBlock(STATX_BYTES)
    entry.begin(Statx.opcode, this)
    entry.fd(dirfd)
    entry.addr(path.address)
    entry.off(result.address)
    entry.len(wanted)
    entry.opFlags(flags)
    return { path, result, syscall, shown: isFile(target) ? undefined : path.path, bigint }
  }
}

function isFile(target: unknown): target is number | { readonly fd: number } {
  if (typeof target === 'string' || target instanceof Uint8Array || target instanceof URL) return false
  return (
    typeof target === 'number' ||
    (typeof target === 'object' && target !== null && ('fd' in target || target instanceof FixedFile))
  )
}
