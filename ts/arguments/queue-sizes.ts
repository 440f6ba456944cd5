// Sizes of queues: the kernel's limits, and its rounding.

/** The most entries of a submission queue, a buffer ring or a refill ring. */
export const MAX_ENTRIES = 32_768

/** The most entries of a completion queue. */
export const MAX_CQ_ENTRIES = 65_536

/** Rounds a count up to a power of two, as the kernel does. */
export function roundUpToPowerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(count))
}
