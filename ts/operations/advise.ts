// Advice about the use of files and of memory.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { addressOf, type Bytes, bytesLeft, checkBytes, lengthOf } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { checkFile, type FileTarget } from '../arguments/file.ts'
import { integer, length as checkLength, MAX_I32, MAX_U32, checkOptions } from '../arguments/validate.ts'

/** Options of {@link Fadvise}. */
export interface FadviseOptions {
  /** First byte of the range; 0 by default. A bigint beyond 2^53. */
  offset?: number | bigint
  /** Bytes of the range; absent or 0, up to the end of the file. 4 GiB and more since 6.11. */
  length?: number | bigint
}

/**
 * Advises the kernel how a range of a file is going to be used. Resolves to 0.
 *
 * Fails with `EBADF` (not an open file), `EINVAL` (unknown advice; 4 GiB or more before 6.11), `ESPIPE` (a pipe). Since
 * Linux 5.6. See posix_fadvise(2).
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
  /** Bytes of the range; 0, up to the end of the file. */
  length: number | bigint

  constructor(file: FileTarget, advice: number, options?: FadviseOptions) {
    super()
    const { offset = 0, length = 0 } = checkOptions(options)
    this.file = file
    this.advice = advice
    this.offset = offset
    this.length = length
    checkFadvise(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { advice, from, bytes } = checkFadvise(this)
    entry.beginFile(Fadvise.opcode, this, this.file)
    entry.off(from)
    // The 64-bit length is newer: kernels without it refuse an entry that sets the field.
    if (bytes <= MAX_U32) entry.len(Number(bytes))
    else entry.addr(bytes)
    entry.opFlags(advice)
    return undefined
  }
}

interface CheckedFadvise {
  readonly advice: number
  readonly from: number | bigint
  readonly bytes: number | bigint
}

function checkFadvise({ file, advice, offset, length }: Fadvise): CheckedFadvise {
  checkFile(file)
  return {
    advice: integer(advice, 'advice', 0, MAX_I32),
    from: checkLength(offset, 'options.offset'),
    bytes: checkLength(length, 'options.length'),
  }
}

interface MadviseState {
  readonly bytes: Bytes
  /** How many there were at the submission. */
  readonly size: number
}

/**
 * Advises the kernel how memory is going to be used. Resolves to 0.
 *
 * The memory has to start at a page boundary, and the kernel applies the advice up to the end of the last page that it
 * touches. So memory for `MemoryAdvice.DONTNEED`, `FREE` or `REMOVE` should also end at one: otherwise the bytes that
 * follow it in the last page are lost too.
 *
 * Fails with `EINVAL` (unknown advice, not at a page boundary; 4 GiB or more before 6.11), `ENOMEM` (memory that is
 * not mapped), `EAGAIN` (a kernel resource is short), ... Since Linux 5.6. See madvise(2).
 */
export class Madvise extends Operation<number> {
  static override readonly opcode = 25
  static override readonly since = '5.6'
  static override readonly syscall = 'madvise'

  /** @internal */
  static override intact(result: number, state: unknown): boolean {
    const { bytes, size } = state as MadviseState
    return result < 0 || size <= bytesLeft(bytes)
  }

  /** The memory. */
  bytes: Bytes
  /** `MemoryAdvice`. */
  advice: number

  constructor(bytes: Bytes, advice: number) {
    super()
    this.bytes = bytes
    this.advice = advice
    checkMadvise(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): MadviseState {
    const { bytes, advice } = checkMadvise(this)
    const size = lengthOf(bytes)
    const address = size === 0 ? 0 : addressOf(bytes)
    entry.begin(Madvise.opcode, this)
    entry.fd(-1)
    entry.addr(address)
    // The 64-bit length is newer: kernels without it refuse an entry that sets the field.
    if (size <= MAX_U32) entry.len(size)
    else entry.off(size)
    entry.opFlags(advice)
    return { bytes, size }
  }
}

function checkMadvise({ bytes, advice }: Madvise): { readonly bytes: Bytes; readonly advice: number } {
  return { bytes: checkBytes(bytes, 'bytes'), advice: integer(advice, 'advice', 0, MAX_I32) }
}
