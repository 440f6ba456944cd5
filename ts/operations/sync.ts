// Bringing files to the storage device, and allocating their space.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { FsyncFlags } from '../flags/index.ts'
import { Operation } from './base/operation.ts'
import { checkFile, type FileTarget } from '../arguments/file.ts'
import { flag, integer, length as checkLength, mask, MAX_U32, checkOptions } from '../arguments/validate.ts'

interface Range {
  readonly from: number | bigint
  readonly bytes: number
}

/** Checks a file and a range of it that is shorter than 4 GiB. */
function checkRange({ file, offset, length }: Fsync | SyncFileRange): Range {
  checkFile(file)
  return {
    from: checkLength(offset, 'options.offset'),
    bytes: integer(length, 'options.length', 0, MAX_U32),
  }
}

/** Options of {@link Fsync}. */
export interface FsyncOptions {
  /** Writes only the data, and the metadata that is needed to read it; false by default. */
  datasync?: boolean
  /** First byte of the range; 0 by default. A bigint beyond 2^53. */
  offset?: number | bigint
  /** Bytes of the range, 4 GiB - 1 at most; absent or 0, up to the end of the file. */
  length?: number
}

/**
 * Writes a file's data and metadata to the storage device, and waits for it. Resolves to 0.
 *
 * Fails with `EBADF` (not an open file), `EINVAL` (a file that cannot be synchronized, such as a pipe), `EIO` (the
 * device failed), `ENOSPC` (no space left), ... Since Linux 5.1. See fsync(2).
 */
export class Fsync extends Operation<number> {
  static override readonly opcode = 3
  static override readonly since = '5.1'
  static override readonly syscall = 'fsync'

  /** The file. */
  file: FileTarget
  /** If set, it writes only the data, and the metadata that is needed to read it. */
  datasync: boolean
  /** First byte of the range. */
  offset: number | bigint
  /** Bytes of the range; 0, up to the end of the file. */
  length: number

  constructor(file: FileTarget, options?: FsyncOptions) {
    super()
    const { datasync = false, offset = 0, length = 0 } = checkOptions(options)
    this.file = file
    this.datasync = datasync
    this.offset = offset
    this.length = length
    checkFsync(this)
  }

  /** @internal */
  static override describe(state: unknown): { syscall: string } {
    return { syscall: state === FsyncFlags.DATASYNC ? 'fdatasync' : 'fsync' }
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { from, bytes, flags } = checkFsync(this)
    entry.beginFile(Fsync.opcode, this, this.file)
    entry.off(from)
    entry.len(bytes)
    entry.opFlags(flags)
    return flags
  }
}

function checkFsync(fsync: Fsync): Range & { readonly flags: number } {
  const { from, bytes } = checkRange(fsync)
  return { from, bytes, flags: flag(fsync.datasync, 'options.datasync') ? FsyncFlags.DATASYNC : 0 }
}

/** Options of {@link SyncFileRange}. */
export interface SyncFileRangeOptions {
  /** First byte of the range; 0 by default. A bigint beyond 2^53. */
  offset?: number | bigint
  /** Bytes of the range, 4 GiB - 1 at most; absent or 0, up to the end of the file. */
  length?: number
  /** `SyncFileRangeFlags`: which steps to do, of waiting, writing and waiting again; 0, none, by default. */
  flags?: number
}

/**
 * Writes a range of a file's data to the storage device, but not the metadata: after a crash the data may not be
 * reachable. Resolves to 0.
 *
 * Fails with `EBADF` (not an open file), `EINVAL` (unknown flags, or a range out of bounds), `ESPIPE` (a pipe), `EIO`
 * (the device failed), `ENOSPC` (no space left), ... Since Linux 5.2. See sync_file_range(2).
 */
export class SyncFileRange extends Operation<number> {
  static override readonly opcode = 8
  static override readonly since = '5.2'
  static override readonly syscall = 'sync_file_range'

  /** The file. */
  file: FileTarget
  /** First byte of the range. */
  offset: number | bigint
  /** Bytes of the range; 0, up to the end of the file. */
  length: number
  /** `SyncFileRangeFlags`. */
  flags: number

  constructor(file: FileTarget, options?: SyncFileRangeOptions) {
    super()
    const { offset = 0, length = 0, flags = 0 } = checkOptions(options)
    this.file = file
    this.offset = offset
    this.length = length
    this.flags = flags
    this.flags = checkSyncFileRange(this).flags
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { from, bytes, flags } = checkSyncFileRange(this)
    entry.beginFile(SyncFileRange.opcode, this, this.file)
    entry.off(from)
    entry.len(bytes)
    entry.opFlags(flags)
    return undefined
  }
}

function checkSyncFileRange(sync: SyncFileRange): Range & { readonly flags: number } {
  const { from, bytes } = checkRange(sync)
  return { from, bytes, flags: mask(sync.flags, 'options.flags') }
}

/** Options of {@link Fallocate}. */
export interface FallocateOptions {
  /** First byte of the range; 0 by default. A bigint beyond 2^53. */
  offset?: number | bigint
  /** `FallocateMode`; 0, the default, allocates the range, and extends the file if the range ends behind it. */
  mode?: number
}

/**
 * Allocates space of a file, or frees, zeroes, inserts or removes a range of it. Resolves to 0.
 *
 * Fails with `EBADF` (not open for writing), `EINVAL` (a length of 0, or not whole blocks), `ENOTSUP` (the file system
 * does not support the mode), `ENOSPC` (no space left), `EFBIG` (beyond the maximum file size), `ESPIPE` (a pipe),
 * `ENODEV` (not a regular file), ... Since Linux 5.6. See fallocate(2).
 */
export class Fallocate extends Operation<number> {
  static override readonly opcode = 17
  static override readonly since = '5.6'
  static override readonly syscall = 'fallocate'

  /** The file. */
  file: FileTarget
  /** Bytes of the range. */
  length: number | bigint
  /** First byte of the range. */
  offset: number | bigint
  /** `FallocateMode`. */
  mode: number

  constructor(file: FileTarget, length: number | bigint, options?: FallocateOptions) {
    super()
    const { offset = 0, mode = 0 } = checkOptions(options)
    this.file = file
    this.length = length
    this.offset = offset
    this.mode = mode
    this.mode = checkFallocate(this).mode
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { from, bytes, mode } = checkFallocate(this)
    entry.beginFile(Fallocate.opcode, this, this.file)
    entry.off(from)
    entry.addr(bytes)
    entry.len(mode)
    return undefined
  }
}

interface CheckedFallocate {
  readonly from: number | bigint
  readonly bytes: number | bigint
  readonly mode: number
}

function checkFallocate({ file, length, offset, mode }: Fallocate): CheckedFallocate {
  checkFile(file)
  return {
    from: checkLength(offset, 'options.offset'),
    bytes: checkLength(length, 'length'),
    mode: mask(mode, 'options.mode'),
  }
}
