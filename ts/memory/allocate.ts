// Aligned memory that never moves and cannot be detached.

import { constants } from 'node:buffer'
import { binding } from '../binding.ts'
import { MemoryAdvice } from '../flags/index.ts'
import { addressOf } from './address-of.ts'
import { loadError } from '../system/support.ts'
import { flag, integer, checkOptions, outOfRange } from '../arguments/validate.ts'

/** Options of {@link allocate}. */
export interface AllocateOptions {
  /** Alignment of the address in bytes: a power of two up to 1 GiB. Default: 4096, which is enough for `O_DIRECT`. */
  alignment?: number
  /**
   * Requests transparent huge pages, see `MADV_HUGEPAGE` in madvise(2), and aligns to at least 2 MiB. This is advice:
   * where the kernel has no huge pages to give, the pages have the usual size. Default: false.
   */
  hugePages?: boolean
}

const PAGE_BYTES = 4096
const HUGE_PAGE_BYTES = 2 ** 21
const MAX_ALIGNMENT = 2 ** 30

/**
 * Allocates zeroed memory that starts at an aligned address, never moves and cannot be detached: it is part of a
 * `SharedArrayBuffer`. It is freed when the program, operations and registrations no longer refer to it.
 *
 * @param size bytes: 0 to `buffer.constants.MAX_LENGTH`
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: `size` or an option has the wrong type
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: `size` is negative, fractional or more than can be allocated, or `alignment`
 * is no power of two up to 1 GiB
 * @throws {UringError} `ERR_URING_UNAVAILABLE`: the package has no binary for this platform
 */
export function allocate(size: number, options?: AllocateOptions): Buffer {
  const { alignment = PAGE_BYTES, hugePages = false } = checkOptions(options)
  integer(size, 'size', 0, constants.MAX_LENGTH)
  checkAlignment(alignment)
  if (!flag(hugePages, 'options.hugePages')) return aligned(size, size, alignment)

  const whole = Math.ceil(size / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
  const memory = aligned(size, whole, Math.max(alignment, HUGE_PAGE_BYTES))
  // The allocation reaches to the end of the last huge page. An error is ignored: huge pages are only advice.
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

/** Returns `size` bytes at an aligned address, with at least `capacity` allocated bytes from there on. */
function aligned(size: number, capacity: number, alignment: number): Buffer {
  const memory = share(capacity + alignment, size)
  const start = firstAddress(memory)
  return Buffer.from(memory, Math.ceil(start / alignment) * alignment - start, size)
}

function share(bytes: number, size: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes)
  } catch {
    throw outOfRange('size', 'a size that can be allocated', size)
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
