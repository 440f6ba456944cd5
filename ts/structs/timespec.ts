// `struct __kernel_timespec`.

import { allocateBlock, type Block } from '../memory/address-of.ts'
import { integer, invalidType, outOfRange, integer64 } from '../arguments/validate.ts'

/** Milliseconds, or seconds and nanoseconds. */
export type Time = number | { readonly seconds: number | bigint; readonly nanoseconds: number }

const BYTES = 16
const MAX_SECONDS = (1n << 63n) - 1n

/** Checks a time and writes it where the kernel reads it. */
export function timespec(time: Time, name: string): Block {
  const { seconds, nanoseconds } = parts(time, name)
  const block = allocateBlock(BYTES)
  block.bytes.writeBigInt64LE(BigInt(seconds), 0)
  block.bytes.writeBigInt64LE(BigInt(nanoseconds), 8)
  return block
}

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
