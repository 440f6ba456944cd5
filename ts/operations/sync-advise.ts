// Ranges of files and of memory: their space, their way to the device, and what is going to happen to them.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { addressOf, type Bytes, checkBytes, lengthOf } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { checkFile, type FileTarget } from '../arguments/file.ts'
import {
  integer,
  length as checkLength,
  mask,
  MAX_I32,
  MAX_U32,
  checkOptions,
} from '../arguments/validate.ts'

/** Options of {@link SyncFileRange}. */
export interface SyncFileRangeOptions {
  /** First byte of the range; 0. A bigint beyond 2^53. */
  offset?: number | bigint
  /** Bytes of the range, 4 GiB - 1 at most; 0, up to the end of the file. */
  length?: number
  /** `SyncFileRangeFlags`: what to wait for, and what to write; 0, nothing. */
  flags?: number
}

/**
 * Brings a range of a file's data to the storage device, without its metadata: no promise that it can be found there
 * after a crash. Resolves to 0.
 *
 * Fails with `EBADF`, `EINVAL` (flags or a range that cannot be), `ESPIPE` (a pipe), `EIO`, `ENOSPC`, ... Since Linux
 * 5.2. See sync_file_range(2).
 */
export class SyncFileRange extends Operation<number> {
  static override readonly opcode = 8
  static override readonly since = '5.2'
  static override readonly syscall = 'sync_file_range'

  /** The file. */
  file: FileTarget
  /** First byte of the range. */
  offset: number | bigint
  /** Bytes of the range. */
  length: number
  /** `SyncFileRangeFlags`. */
  flags: number

  constructor(file: FileTarget, options?: SyncFileRangeOptions) {
    super()
    const { offset: from = 0, length: bytes = 0, flags = 0 } = checkOptions(options)
    this.file = checkFile(file)
    this.offset = checkLength(from, 'options.offset')
    this.length = integer(bytes, 'options.length', 0, MAX_U32)
    this.flags = mask(flags, 'options.flags')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const from = checkLength(this.offset, 'options.offset')
    const bytes = integer(this.length, 'options.length', 0, MAX_U32)
    const flags = mask(this.flags, 'options.flags')
    entry.beginFile(SyncFileRange.opcode, this, this.file)
    entry.off(from)
    entry.len(bytes)
    entry.opFlags(flags)
    return undefined
  }
}

/** Options of {@link Fallocate}. */
export interface FallocateOptions {
  /** First byte of the range; 0. A bigint beyond 2^53. */
  offset?: number | bigint
  /** `FallocateMode`; 0 allocates the range, and makes the file longer where it has to. */
  mode?: number
}

/**
 * Allocates space of a file, or frees, zeroes, inserts or takes out a range of it. Resolves to 0.
 *
 * Fails with `EBADF` (not open for writing), `EINVAL` (no length, not whole blocks), `ENOTSUP` (the file system has
 * no such mode), `ENOSPC`, `EFBIG`, `ESPIPE` (a pipe), `ENODEV` (not a regular file), ... Since Linux 5.6. See
 * fallocate(2).
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
    const { offset: from = 0, mode = 0 } = checkOptions(options)
    this.file = checkFile(file)
    this.length = checkLength(length, 'length')
    this.offset = checkLength(from, 'options.offset')
    this.mode = mask(mode, 'options.mode')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const bytes = checkLength(this.length, 'length')
    const from = checkLength(this.offset, 'options.offset')
    const mode = mask(this.mode, 'options.mode')
    entry.beginFile(Fallocate.opcode, this, this.file)
    entry.off(from)
    entry.addr(bytes)
    entry.len(mode)
    return undefined
  }
}

/**
 * Sets the length of a file: cuts its end off, or adds zeros. Resolves to 0.
 *
 * Fails with `EBADF`, `EINVAL` (not open for writing, or not a regular file), `EFBIG`, `EPERM`, ... Since Linux 6.9.
 * See ftruncate(2).
 */
export class Ftruncate extends Operation<number> {
  static override readonly opcode = 55
  static override readonly since = '6.9'
  static override readonly syscall = 'ftruncate'

  /** The file. */
  file: FileTarget
  /** Its new length in bytes; a bigint beyond 2^53. */
  length: number | bigint

  constructor(file: FileTarget, length: number | bigint) {
    super()
    this.file = checkFile(file)
    this.length = checkLength(length, 'length')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const bytes = checkLength(this.length, 'length')
    entry.beginFile(Ftruncate.opcode, this, this.file)
    entry.off(bytes)
    return undefined
  }
}

/** Options of {@link Fadvise}. */
export interface FadviseOptions {
  /** First byte of the range; 0. A bigint beyond 2^53. */
  offset?: number | bigint
  /** Bytes of the range; 0, up to the end of the file. 4 GiB and more since 6.11. */
  length?: number | bigint
}

/**
 * Says how a range of a file is going to be used. Resolves to 0.
 *
 * Fails with `EBADF`, `EINVAL` (unknown advice; 4 GiB or more before 6.11), `ESPIPE` (a pipe). Since Linux 5.6. See
 * posix_fadvise(2).
 */
export class Fadvise extends Operation<number> {
  static override readonly opcode = 24
  static override readonly since = '5.6'
  static override readonly syscall = 'fadvise64'

  /** The file. */
  file: FileTarget
  /** `FileAdvice`. */
  advice: number
  /** First byte of the range. */
  offset: number | bigint
  /** Bytes of the range. */
  length: number | bigint

  constructor(file: FileTarget, advice: number, options?: FadviseOptions) {
    super()
    const { offset: from = 0, length: bytes = 0 } = checkOptions(options)
    this.file = checkFile(file)
    this.advice = integer(advice, 'advice', 0, MAX_I32)
    this.offset = checkLength(from, 'options.offset')
    this.length = checkLength(bytes, 'options.length')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const advice = integer(this.advice, 'advice', 0, MAX_I32)
    const from = checkLength(this.offset, 'options.offset')
    const bytes = checkLength(this.length, 'options.length')
    entry.beginFile(Fadvise.opcode, this, this.file)
    entry.off(from)
    // The longer field is newer: a kernel that does not know it refuses what is in it.
    if (bytes <= MAX_U32) entry.len(Number(bytes))
    else entry.addr(bytes)
    entry.opFlags(advice)
    return undefined
  }
}

interface MadviseState {
  readonly bytes: Bytes
  /** How many there were. */
  readonly size: number
}

/**
 * Says how memory is going to be used. Resolves to 0.
 *
 * The memory has to start with a page, and the kernel goes on to the end of the page in which it ends: what
 * `MemoryAdvice.DONTNEED` and its kin take away should end with a page too, or they take what is behind it.
 *
 * Fails with `EINVAL` (unknown advice, not the start of a page; 4 GiB or more before 6.11), `ENOMEM`, `EAGAIN`, ...
 * Since Linux 5.6. See madvise(2).
 */
export class Madvise extends Operation<number> {
  static override readonly opcode = 25
  static override readonly since = '5.6'
  static override readonly syscall = 'madvise'

  /** @internal */
  static override intact(result: number, state: unknown): boolean {
    const { bytes, size } = state as MadviseState
    return result < 0 || size <= bytes.byteLength
  }

  /** The memory. */
  bytes: Bytes
  /** `MemoryAdvice`. */
  advice: number

  constructor(bytes: Bytes, advice: number) {
    super()
    this.bytes = checkBytes(bytes, 'bytes')
    this.advice = integer(advice, 'advice', 0, MAX_I32)
  }

  /** @internal */
  override encode(entry: EntryWriter): MadviseState {
    const bytes = checkBytes(this.bytes, 'bytes')
    const advice = integer(this.advice, 'advice', 0, MAX_I32)
    const size = lengthOf(bytes)
    const address = size === 0 ? 0 : addressOf(bytes)
    entry.begin(Madvise.opcode, this)
    entry.fd(-1)
    entry.addr(address)
    // The longer field is newer: a kernel that does not know it refuses what is in it.
    if (size <= MAX_U32) entry.len(size)
    else entry.off(size)
    entry.opFlags(advice)
    return { bytes, size }
  }
}
