// Unsolicited completions: messages from other rings, and tags of registered resources that the kernel released. Bit 63
// of the user data marks them, bit 62 tells a tag from a message, and the other 62 bits carry a number.

import { Completion } from './completion.ts'
import { DEFAULT_BEHAVIOR, type OperationClass } from '../operations/base/operation-class.ts'

const UNSOLICITED = 0x8000_0000 // in the high word of the user data
const TAG = 0x4000_0000

/** Tells from the high word of the user data whether a completion is unsolicited. */
export function isUnsolicited(high: number): boolean {
  return high >= UNSOLICITED
}

/** Returns the number that the user data carries. */
export function unsolicitedData(low: number, high: number): bigint {
  return (BigInt(high & (TAG - 1)) << 32n) | BigInt(low)
}

/** The operation class of a message: its result is the number that the sender chose, and never an error. */
const MESSAGE: OperationClass<number> = {
  ...DEFAULT_BEHAVIOR,
  name: 'Message',
  opcode: -1,
  since: '',
  failed: () => false,
}

/** Makes the completion of a message or a tag from the four words of its record. */
export function unsolicitedCompletion(
  low: number,
  high: number,
  result: number,
  flags: number,
  extra?: readonly [bigint, bigint],
): Completion {
  const source = (high & TAG) === 0 ? 'message' : 'tag'
  return new Completion(source, 0, unsolicitedData(low, high), result, flags, extra, MESSAGE, undefined)
}
