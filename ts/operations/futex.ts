// Futexes: waiting for words in memory to be woken, and waking them.

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

/** A word in shared or ordinary memory: the first element of the array. */
export type FutexWord = Int32Array | Uint32Array

/** Options of {@link FutexWait} and {@link FutexWake}. */
export interface FutexOptions {
  /** A wake reaches a waiter only if their masks have a bit in common; all bits by default. */
  mask?: number
  /** `FutexFlags`; `SIZE_U32` is added. Waiter and waker have to agree on `PRIVATE`. */
  flags?: number
}

/** A word that {@link FutexWaitV} waits on. */
export interface FutexWaiter {
  /** The word. */
  readonly word: FutexWord
  /** The expected value of the word. */
  readonly expected: number
  /** `FutexFlags`; `SIZE_U32` is added. */
  readonly flags?: number
}

const MIN_I32 = -0x8000_0000
const SIZE_MASK = 0x3
const WAITER_BYTES = 24
/** The maximum number of words in one call (`FUTEX_WAITV_MAX`). */
const MAX_WAITERS = 128

function checkWord(word: unknown, flags: number, name: string): FutexWord {
  if (!types.isInt32Array(word) && !types.isUint32Array(word))
    throw invalidType(name, 'an instance of Int32Array or Uint32Array', word)
  // With NUMA, the number of the node follows the word, and the kernel may write to it.
  const least = (flags & FutexFlags.NUMA) === 0 ? 1 : 2
  if (word.length < least) throw outOfRange(`${name}.length`, `>= ${least}`, word.length)
  return word
}

/** Returns a word as an unsigned number: an `Int32Array` has negative ones. */
function checkExpected(value: unknown, name: string): number {
  return integer(value, name, MIN_I32, MAX_U32) >>> 0
}

function checkFlags(flags: unknown, name: string): number {
  const bits = mask(flags, name)
  const size = bits & SIZE_MASK
  if (size !== 0 && size !== FutexFlags.SIZE_U32)
    throw invalidValue(
      name,
      flags,
      'must have SIZE_U32 or no size, because only words of 32 bits are supported',
    )
  return (bits | FutexFlags.SIZE_U32) >>> 0
}

/** An operation on one word. */
abstract class WordOperation extends Operation<number> {
  /** The word: the first element. */
  word: FutexWord
  /** A wake reaches a waiter only if their masks have a bit in common. */
  mask: number
  /** `FutexFlags`. */
  flags: number

  constructor(word: FutexWord, options: FutexOptions | undefined) {
    super()
    const { mask: bits = MAX_U32, flags = 0 } = checkOptions(options)
    this.word = word
    this.mask = bits
    this.flags = flags
  }

  /** Makes the masks unsigned, once they are checked. */
  protected normalize(): void {
    this.mask >>>= 0
    this.flags >>>= 0
  }

  /** Writes the entry. `value` is the expected value, or the number of waiters to wake. */
  protected encodeWord(entry: EntryWriter, { word, bits, flags }: CheckedWord, value: number): FutexWord {
    const address = addressOf(word)
    entry.begin(this.operationClass.opcode, this)
    entry.fd(flags)
    entry.off(value)
    entry.addr(address)
    entry.addr3(bits)
    return word
  }
}

interface CheckedWord {
  readonly word: FutexWord
  readonly bits: number
  readonly flags: number
}

function checkWordOperation(operation: WordOperation): CheckedWord {
  const flags = checkFlags(operation.flags, 'options.flags')
  const bits = mask(operation.mask, 'options.mask')
  return { word: checkWord(operation.word, flags, 'word'), bits, flags }
}

/**
 * Waits until a word in memory is woken, if the word has the expected value. Resolves to 0.
 *
 * Only {@link FutexWake} and futex(2) wake it, in any thread or process that shares the memory; `Atomics.notify` does
 * not.
 *
 * Fails with `EAGAIN` (the word has another value), `EINVAL` (a mask of 0), `ECANCELED` (it was cancelled). Since Linux
 * 6.7. See io_uring_prep_futex_wait(3).
 */
export class FutexWait extends WordOperation {
  static override readonly opcode = 51
  static override readonly since = '6.7'
  static override readonly syscall = 'futex_wait'

  /** The expected value of the word. */
  expected: number

  constructor(word: FutexWord, expected: number, options?: FutexOptions) {
    super(word, options)
    this.expected = expected
    checkFutexWait(this)
    this.normalize()
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { word, expected } = checkFutexWait(this)
    return this.encodeWord(entry, word, expected)
  }
}

function checkFutexWait(wait: FutexWait): { readonly word: CheckedWord; readonly expected: number } {
  const expected = checkExpected(wait.expected, 'expected')
  return { expected, word: checkWordOperation(wait) }
}

/**
 * Wakes the waiters of a word in memory, in the order in which they came. Resolves to the number of waiters that were
 * woken.
 *
 * It wakes {@link FutexWait}, {@link FutexWaitV} and futex(2); `Atomics.wait` does not notice it.
 *
 * Fails with `EINVAL` (a mask of 0). Since Linux 6.7. See io_uring_prep_futex_wake(3).
 */
export class FutexWake extends WordOperation {
  static override readonly opcode = 52
  static override readonly since = '6.7'
  static override readonly syscall = 'futex_wake'

  /** The maximum number of waiters to wake. */
  count: number

  constructor(word: FutexWord, count: number, options?: FutexOptions) {
    super(word, options)
    this.count = count
    checkFutexWake(this)
    this.normalize()
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { word, count } = checkFutexWake(this)
    return this.encodeWord(entry, word, count)
  }
}

function checkFutexWake(wake: FutexWake): { readonly word: CheckedWord; readonly count: number } {
  const count = integer(wake.count, 'count', 0, MAX_I32)
  return { count, word: checkWordOperation(wake) }
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
 * Waits until one of several words in memory is woken, if all words have the expected values. Resolves to the index of a
 * word that was woken.
 *
 * Fails with `EAGAIN` (a word has another value), `EINVAL` (flags that the kernel refuses), `ECANCELED` (it was
 * cancelled). Since Linux 6.7. See io_uring_prep_futex_waitv(3).
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
      checkWord(word, flags, `waiters[${index}].word`) // a getter of a later waiter may have detached it
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
