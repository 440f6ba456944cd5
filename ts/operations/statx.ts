// The status of files.

import type { EntryWriter } from '../entry/entry-writer.ts'
import type { UringErrorDetails } from '../errors.ts'
import { type Directory, resolveDirectory } from '../arguments/directory.ts'
import { AtFlags, StatxMask } from '../flags/index.ts'
import { allocateBlock, type Block } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { checkPath, type Path, pathBlock, type PathBlock } from '../arguments/path.ts'
import { FixedFile } from '../arguments/file.ts'
import { type BigIntStats, decodeStatx, type Stats, STATX_BYTES } from '../structs/statx.ts'
import { flag, integer, mask, MAX_U32, checkOptions } from '../arguments/validate.ts'

/** Options of {@link Statx}. */
export interface StatxOptions<B extends boolean = boolean> {
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd?: Directory
  /** `AtFlags`: `SYMLINK_NOFOLLOW` for the status of a link itself. */
  flags?: number
  /** The fields to read, `StatxMask`; the basic ones and the time of birth by default. */
  mask?: number
  /** Resolves to bigints instead of numbers; false by default. */
  bigint?: B
}

interface StatxState {
  readonly path: PathBlock
  readonly result: Block
  readonly syscall: string
  readonly shown: string | undefined
  readonly bigint: boolean
}

type StatxTarget = Path | number | { readonly fd: number }

/**
 * Reads the status of a file by its path, or of an open file. Resolves to {@link Stats}, or to {@link BigIntStats}.
 *
 * Fails with `ENOENT` (no such file), `EACCES` (no permission to search the path), `ENOTDIR` (a part of the path is not
 * a directory), `EBADF` (not an open descriptor), ... Since Linux 5.6. See statx(2).
 */
export class Statx<B extends boolean = false> extends Operation<B extends true ? BigIntStats : Stats> {
  static override readonly opcode = 21
  static override readonly since = '5.6'
  static override readonly syscall = 'stat'

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

  /** The path, or the open file. */
  target: StatxTarget
  /** Directory that a relative path starts from; absent, the working directory. */
  dirfd: Directory | undefined
  /** `AtFlags`: `SYMLINK_NOFOLLOW` for the status of a link itself. */
  flags: number
  /** The fields to read, `StatxMask`. */
  mask: number
  /** If set, it resolves to bigints. */
  bigint: boolean

  constructor(target: StatxTarget, options?: StatxOptions<B>) {
    super()
    const {
      dirfd,
      flags = 0,
      mask: fields = StatxMask.BASIC_STATS | StatxMask.BTIME,
      bigint = false,
    } = checkOptions(options)
    this.target = target
    this.dirfd = dirfd
    this.flags = flags
    this.mask = fields
    this.bigint = bigint
    checkStatx(this)
    this.flags >>>= 0
  }

  /** @internal */
  override encode(entry: EntryWriter): StatxState {
    const { target, dirfd, flags, fields, bigint, syscall } = checkStatx(this)
    const path = pathBlock(target ?? '', 'target')
    const result = allocateBlock(STATX_BYTES)
    entry.begin(Statx.opcode, this)
    entry.fd(dirfd)
    entry.addr(path.address)
    entry.off(result.address)
    entry.len(fields)
    entry.opFlags(flags)
    return { path, result, syscall, shown: target === undefined ? undefined : path.path, bigint }
  }
}

interface CheckedStatx {
  /** The path; absent, the descriptor is the file itself. */
  readonly target: Path | undefined
  readonly dirfd: number
  readonly flags: number
  readonly fields: number
  readonly bigint: boolean
  readonly syscall: string
}

function checkStatx({ target, dirfd, flags, mask: fields, bigint }: Statx<boolean>): CheckedStatx {
  const open = isFile(target)
  const directory = resolveDirectory(dirfd, 'options.dirfd')
  const bits = mask(flags, 'options.flags')
  const ofPath = (bits & AtFlags.SYMLINK_NOFOLLOW) === 0 ? 'stat' : 'lstat'
  return {
    target: open ? undefined : checkPath(target, 'target'),
    dirfd: open ? resolveDirectory(target, 'target') : directory,
    flags: open ? bits | AtFlags.EMPTY_PATH : bits,
    fields: integer(fields, 'options.mask', 0, MAX_U32),
    bigint: flag(bigint, 'options.bigint'),
    syscall: open ? 'fstat' : ofPath,
  }
}

function isFile(target: unknown): target is number | { readonly fd: number } {
  if (typeof target === 'string' || target instanceof Uint8Array || target instanceof URL) return false
  return (
    typeof target === 'number' ||
    (typeof target === 'object' && target !== null && ('fd' in target || target instanceof FixedFile))
  )
}
