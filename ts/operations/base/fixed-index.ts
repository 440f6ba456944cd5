// Registered buffers that an operation names by their index alone.

import { integer, MAX_U16 } from '../../arguments/validate.ts'

/** Returns the index of `options.fixedBuffer`: the index itself, or what has one. */
export function resolveFixedIndex(buffer: number | { readonly index: number }): number {
  const index = typeof buffer === 'object' && buffer !== null ? buffer.index : buffer
  return integer(index, 'options.fixedBuffer', 0, MAX_U16)
}
