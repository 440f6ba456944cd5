// Lengths and offsets in the cases of operations on a range of a file.

import * as fc from 'fast-check'
import { MAX_U32, offset, u32 } from './arbitraries.ts'
import type { Value } from './native-rows.ts'

/** A length on either side of 32 bits. */
export const size = fc.oneof(u32, offset, fc.constantFrom(MAX_U32, BigInt(MAX_U32), 2 ** 32, 2n ** 32n))

/** Variants of offsets. */
export const OFFSETS: Record<
  string,
  (given: readonly [...unknown[], { offset?: Value } | undefined]) => boolean
> = {
  'no options': (given) => given.at(-1) === undefined,
  'no offset': (given) => given.at(-1) !== undefined && optionsOf(given).offset === undefined,
  'an offset that is a number': (given) => typeof optionsOf(given).offset === 'number',
  'an offset beyond 2^53': (given) => (optionsOf(given).offset ?? 0) > 2n ** 53n,
}

function optionsOf(given: readonly unknown[]): { offset?: Value } {
  return (given.at(-1) ?? {}) as { offset?: Value }
}
