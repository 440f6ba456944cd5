// Futexes: waiting for words in memory.

import { types } from 'node:util'
import type { EntryWriter } from '../entry/entry-writer.ts'
import { FutexFlags } from '../flags/index.ts'
import { addressOf, allocateBlock } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import {
  integer,
  invalidType,
  invalidValue,
  mask,
  MAX_I32,
  MAX_U32,
  checkOptions,
  outOfRange,
} from '../arguments/validate.ts'

/** A word in memory, shared or not: the first element of the array. */
export type FutexWord = Int32Array | Uint32Array

/** Options of {@link FutexWait} and {@link FutexWake}. */
export interface FutexOptions {
  /** Bits of which a waiter and its waker have to share one; all. */
  mask?: number
  /** `FutexFlags`, joined with `SIZE_U32`. With `PRIVATE` on one side, it has to be on the other too. */
  flags?: number
}

/** A word that {@link FutexWaitV} waits for. */
export interface FutexWaiter {
  /** The word. */
  readonly word: FutexWord
  /** The value that it is expected to have. */
  readonly expected: number
  /** `FutexFlags`, joined with `SIZE_U32`. */
  readonly flags?: number
}

const MIN_I32 = -0x8000_0000
const SIZE_MASK = 0x3
const WAITER_BYTES = 24
/** What the kernel takes in one call (`FUTEX_WAITV_MAX`). */
const MAX_WAITERS = 128

function checkWord(word: unknown, flags: number, name: string): FutexWord {
  if (!types.isInt32Array(word) && !types.isUint32Array(word))
    throw invalidType(name, 'an instance of Int32Array or Uint32Array', word)
  // The number of the node follows the word, and the kernel may write it.
  const least = (flags & FutexFlags.NUMA) === 0 ? 1 : 2
  if (word.length < least) throw outOfRange(`${name}.length`, `>= ${least}`, word.length)
  return word
}

/** The value of a word: what is negative in an `Int32Array` is the same word. */
function checkExpected(value: unknown, name: string): number {
  return integer(value, name, MIN_I32, MAX_U32) >>> 0
}

function checkFlags(flags: unknown, name: string): number {
  const bits = mask(flags, name)
  const size = bits & SIZE_MASK
  if (size !== 0 && size !== FutexFlags.SIZE_U32)
    throw invalidValue(name, flags, 'must be for words of 32 bits')
  return (bits | FutexFlags.SIZE_U32) >>> 0
}

/**
 * Waits until a word in memory is woken, if it has the value that is expected. Resolves to 0.
 *
 * `Atomics.notify` does not wake it, only {@link FutexWake} and futex(2) do, in any thread or process that shares the
 * memory.
 *
 * Fails with `EAGAIN` (the word has another value), `EINVAL` (no bit in the mask), `ECANCELED`. Since Linux 6.7. See
 * io_uring_prep_futex_wait(3).
 */
export class FutexWait extends Operation<number> {
  static override readonly opcode = 51
  static override readonly since = '6.7'
  static override readonly syscall = 'futex_wait'

  /** The word: the first element. */
  word: FutexWord
  /** The value that it is expected to have. */
  expected: number
  /** Bits that a waker has to share one of. */
  mask: number
  /** `FutexFlags`. */
  flags: number

  constructor(word: FutexWord, expected: number, options?: FutexOptions) {
    super()
    const { mask: bits = MAX_U32, flags = 0 } = checkOptions(options)
    this.flags = mask(flags, 'options.flags')
    this.word = checkWord(word, checkFlags(flags, 'options.flags'), 'word')
    checkExpected(expected, 'expected')
    this.expected = expected
    this.mask = mask(bits, 'options.mask')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const flags = checkFlags(this.flags, 'options.flags')
    const expected = checkExpected(this.expected, 'expected')
    const bits = mask(this.mask, 'options.mask')
    const word = checkWord(this.word, flags, 'word')
    const address = addressOf(word)
    entry.begin(FutexWait.opcode, this)
    entry.fd(flags)
    entry.off(expected)
    entry.addr(address)
    entry.addr3(bits)
    return word
  }
}

/**
 * Wakes those who wait for a word in memory, the first who came first. Resolves to how many were woken.
 *
 * `Atomics.wait` does not hear it: only {@link FutexWait}, {@link FutexWaitV} and futex(2) do.
 *
 * Fails with `EINVAL` (no bit in the mask). Since Linux 6.7. See io_uring_prep_futex_wake(3).
 */
export class FutexWake extends Operation<number> {
  static override readonly opcode = 52
  static override readonly since = '6.7'
  static override readonly syscall = 'futex_wake'

  /** The word: the first element. */
  word: FutexWord
  /** How many to wake at most. */
  count: number
  /** Bits that a waiter has to share one of. */
  mask: number
  /** `FutexFlags`. */
  flags: number

  constructor(word: FutexWord, count: number, options?: FutexOptions) {
    super()
    const { mask: bits = MAX_U32, flags = 0 } = checkOptions(options)
    this.flags = mask(flags, 'options.flags')
    this.word = checkWord(word, checkFlags(flags, 'options.flags'), 'word')
    this.count = integer(count, 'count', 0, MAX_I32)
    this.mask = mask(bits, 'options.mask')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const flags = checkFlags(this.flags, 'options.flags')
    const count = integer(this.count, 'count', 0, MAX_I32)
    const bits = mask(this.mask, 'options.mask')
    const word = checkWord(this.word, flags, 'word')
    const address = addressOf(word)
    entry.begin(FutexWake.opcode, this)
    entry.fd(flags)
    entry.off(count)
    entry.addr(address)
    entry.addr3(bits)
    return word
  }
}

interface CheckedWaiter {
  readonly word: FutexWord
  readonly expected: number
  readonly flags: number
}

function checkWaiter(waiter: FutexWaiter, name: string): CheckedWaiter {
  if (typeof waiter !== 'object' || waiter === null) throw invalidType(name, 'of type object', waiter)
  const { word, expected, flags = 0 } = waiter
  const bits = checkFlags(flags, `${name}.flags`)
  return {
    word: checkWord(word, bits, `${name}.word`),
    expected: checkExpected(expected, `${name}.expected`),
    flags: bits,
  }
}

function checkWaiters(waiters: unknown): CheckedWaiter[] {
  if (!Array.isArray(waiters)) throw invalidType('waiters', 'an instance of Array', waiters)
  const { length } = waiters
  if (length < 1 || length > MAX_WAITERS)
    throw outOfRange('waiters.length', `>= 1 && <= ${MAX_WAITERS}`, length)
  return Array.from({ length }, (_, index) => checkWaiter(waiters[index], `waiters[${index}]`))
}

/**
 * Waits until one of several words in memory is woken, if all have the values that are expected. Resolves to the index
 * of one that was woken.
 *
 * Fails with `EAGAIN` (a word has another value), `EINVAL`, `ECANCELED`. Since Linux 6.7. See
 * io_uring_prep_futex_waitv(3).
 */
export class FutexWaitV extends Operation<number> {
  static override readonly opcode = 53
  static override readonly since = '6.7'
  static override readonly syscall = 'futex_waitv'

  /** The words, 1 to 128. */
  waiters: readonly FutexWaiter[]

  constructor(waiters: readonly FutexWaiter[]) {
    super()
    checkWaiters(waiters)
    this.waiters = waiters
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const waiters = checkWaiters(this.waiters)
    const { address, bytes } = allocateBlock(waiters.length * WAITER_BYTES)
    const words: FutexWord[] = []
    for (const [index, { word, expected, flags }] of waiters.entries()) {
      const at = index * WAITER_BYTES
      checkWord(word, flags, `waiters[${index}].word`) // a getter of a later one may have detached it
      bytes.writeBigUInt64LE(BigInt(expected), at)
      bytes.writeBigUInt64LE(BigInt(addressOf(word)), at + 8)
      bytes.writeUInt32LE(flags, at + 16)
      words.push(word)
    }
    entry.begin(FutexWaitV.opcode, this)
    entry.addr(address)
    entry.len(waiters.length)
    return { bytes, words }
  }
}
