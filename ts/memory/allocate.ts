// Memory for the kernel: aligned, and always where it is.

import { constants } from 'node:buffer'
import { binding } from '../binding.ts'
import { MemoryAdvice } from '../flags/index.ts'
import { addressOf } from './address-of.ts'
import { loadError } from '../system/support.ts'
import { flag, integer, checkOptions, outOfRange } from '../arguments/validate.ts'

/** Options of {@link allocate}. */
export interface AllocateOptions {
  /** What the address is a multiple of: a power of two up to 1 GiB; 4096, which is enough for `O_DIRECT`. */
  alignment?: number
  /**
   * Asks for huge pages, see `MADV_HUGEPAGE` in madvise(2), and aligns to 2 MiB at least. It is advice: where the kernel
   * has none to give, the pages are of the usual size.
   */
  hugePages?: boolean
}

const PAGE_BYTES = 4096
const HUGE_PAGE_BYTES = 2 ** 21
const MAX_ALIGNMENT = 2 ** 30

/**
 * Zeroed memory that starts at an aligned address, never moves and cannot be detached: it is a part of a
 * `SharedArrayBuffer`. It is freed when neither the program nor an operation nor a registration refers to it.
 *
 * @param size bytes
 * @throws {RangeError} for a size that cannot be had
 * @throws {UringError} `ERR_URING_UNAVAILABLE` where the package has no binary
 */
export function allocate(size: number, options?: AllocateOptions): Buffer {
  const { alignment = PAGE_BYTES, hugePages = false } = checkOptions(options)
  integer(size, 'size', 0, constants.MAX_LENGTH)
  checkAlignment(alignment)
  if (!flag(hugePages, 'options.hugePages')) return aligned(size, size, alignment)

  const whole = Math.ceil(size / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
  const memory = aligned(size, whole, Math.max(alignment, HUGE_PAGE_BYTES))
  // All of it is ours up to the end of the last huge page. A refusal is none: it was advice.
  if (whole > 0) {
    const pages = new Uint8Array(memory.buffer, memory.byteOffset, whole)
    binding().rawMadvise(pages, MemoryAdvice.HUGEPAGE)
  }
  return memory
}

function checkAlignment(alignment: unknown): void {
  const name = 'options.alignment'
  const value = integer(alignment, name, 1, MAX_ALIGNMENT)
  if ((value & (value - 1)) !== 0)
    throw outOfRange(name, `a power of two, >= 1 && <= ${MAX_ALIGNMENT}`, value)
}

/** `size` bytes at an aligned address, where `room` are ours. */
function aligned(size: number, room: number, alignment: number): Buffer {
  const memory = share(room + alignment, size)
  const start = firstAddress(memory)
  return Buffer.from(memory, Math.ceil(start / alignment) * alignment - start, size)
}

function share(bytes: number, size: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes)
  } catch {
    throw outOfRange('size', 'what can be allocated', size)
  }
}

function firstAddress(memory: SharedArrayBuffer): number {
  try {
    binding()
  } catch (error) {
    throw loadError(error)
  }
  return addressOf(memory)
}
