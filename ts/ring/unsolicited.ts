// Completions that answer no submission of this ring: messages from other rings, and resources that were let go. Bit 63
// of their user data says so, and bit 62 which; 62 bits are left for a number.

import { Completion } from './completion.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'

const FOREIGN = 0x8000_0000 // in the high word of the user data
const TAG = 0x4000_0000

/** Whether user data, by its high word, comes from elsewhere. */
export function isUnsolicited(high: number): boolean {
  return high >= FOREIGN
}

/** The number that was sent. */
export function unsolicitedData(low: number, high: number): bigint {
  return (BigInt(high & (TAG - 1)) << 32n) | BigInt(low)
}

/** What such a completion is decoded with: the number as it came. */
const FOREIGN_KIND: OperationClass<number> = {
  name: 'Message',
  opcode: -1,
  since: '',
  variantSince: undefined,
  sqe128: false,
  syscall: 'io_uring',
  failed: () => false, // the sender chose the number
  intact: () => true,
  decode: (result) => result,
  observe: (_groups, _result, _flags, state) => state,
  rearm: () => true,
  isEnd: () => false,
  leftover: () => [],
  requested: () => undefined,
  describe: () => ({}),
}

export function unsolicitedCompletion(
  low: number,
  high: number,
  result: number,
  flags: number,
  extra?: readonly [bigint, bigint],
): Completion {
  const source = (high & TAG) === 0 ? 'message' : 'tag'
  return new Completion(source, 0, unsolicitedData(low, high), result, flags, extra, FOREIGN_KIND, undefined)
}
