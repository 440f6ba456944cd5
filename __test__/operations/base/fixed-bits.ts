// Bits that rows of the operation table always set, whatever the arguments are.

import { IOSQE } from './native-rows.ts'

/** Bits of an entry: where they begin, in bytes, in how many bytes they are, and their value. */
export type FixedBits = readonly [at: number, size: number, value: bigint]

export const NO_FILE: FixedBits = [4, 4, 0xffff_ffffn]
export const ONE: FixedBits = [24, 4, 1n]
export const SELECT: FixedBits = [1, 1, BigInt(IOSQE.BUFFER_SELECT)]
export const MULTISHOT: FixedBits = [2, 2, 2n]
export const BUNDLE: FixedBits = [2, 2, 16n]
export const FIXED_FILE: FixedBits = [1, 1, BigInt(IOSQE.FIXED_FILE)]
