// `struct __kernel_timespec`: durations and points in time.

import { allocateBlock, type Block } from '../memory/address-of.ts'
import { integer, invalidType, outOfRange, integer64 } from '../arguments/validate.ts'

/**
 * A number of milliseconds, 0 to 2^53 - 1 and possibly fractional; or seconds, and nanoseconds from 0 to 999,999,999.
 */
export type Time = number | { readonly seconds: number | bigint; readonly nanoseconds: number }

const BYTES = 16
const MAX_SECONDS = (1n << 63n) - 1n

/**
 * Writes a time to memory that the kernel can read.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: neither a number nor an object with seconds and nanoseconds
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: a number is out of range
 */
export function timespec(time: Time, name: string): Block {
  const { seconds, nanoseconds } = parts(time, name)
  const block = allocateBlock(BYTES)
  block.bytes.writeBigInt64LE(BigInt(seconds), 0)
  block.bytes.writeBigInt64LE(BigInt(nanoseconds), 8)
  return block
}

/** Returns `time`; throws like {@link timespec}. */
export function checkTime(time: Time, name: string): Time {
  parts(time, name)
  return time
}

function parts(time: Time, name: string): { seconds: number | bigint; nanoseconds: number } {
  if (typeof time === 'number') {
    if (!(time >= 0 && time <= Number.MAX_SAFE_INTEGER))
      throw outOfRange(name, '>= 0 && <= 2 ** 53 - 1', time)
    const seconds = Math.floor(time / 1000)
    const nanoseconds = Math.round((time - seconds * 1000) * 1e6)
    return nanoseconds === 1e9 ? { seconds: seconds + 1, nanoseconds: 0 } : { seconds, nanoseconds }
  }
  if (typeof time !== 'object' || time === null) {
    throw invalidType(name, 'of type number or an object with seconds and nanoseconds', time)
  }
  return {
    seconds: integer64(time.seconds, `${name}.seconds`, 0n, MAX_SECONDS),
    nanoseconds: integer(time.nanoseconds, `${name}.nanoseconds`, 0, 999_999_999),
  }
}
