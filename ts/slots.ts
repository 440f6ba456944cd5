// The slot table: what is in flight, and what it keeps alive.
//
// A token names one submission: generation * 2^22 + slot. The slot is the low word of the kernel's user data and the
// generation the high one, so a completion finds its slot without a search, and a token that has had its day finds
// nothing. The native half holds this table for as long as the kernel may use what is in it.

import type { Entry } from './entry.ts'
import { UringError } from './errors.ts'
import type { OperationClass } from './operation.ts'
import { integer } from './validate.ts'

/** Names one submission; 0 is none. */
export type Token = number

const SLOT_BITS = 22
const MAX_SLOTS = 2 ** SLOT_BITS
/** 31 bits: bit 63 of the user data marks what did not come from here. */
const MAX_GENERATION = 0x7fff_ffff

export class Slots {
  /** Slots in use. */
  live = 0
  /** Of these, entries that may complete any number of times. */
  many = 0
  /** What is submitted: the class for an operation, the entry itself for a built one. */
  readonly subjects: (OperationClass | Entry<unknown> | undefined)[] = []
  /** What has to live, and what the result is decoded from. */
  readonly states: unknown[] = []
  readonly userData: unknown[] = []
  #generations: Uint32Array
  #many: Uint8Array
  /** Free slots, oldest first: a slot rests as long as it can, so its generations last. */
  #free: Uint32Array
  #freeHead = 0
  #freeCount = 0

  constructor(capacity: number) {
    this.#generations = new Uint32Array(0)
    this.#many = new Uint8Array(0)
    this.#free = new Uint32Array(0)
    this.#grow(capacity)
  }

  /** Takes a slot. */
  acquire(
    subject: OperationClass | Entry<unknown>,
    state: unknown,
    userData: unknown,
    many: boolean,
  ): number {
    if (this.#freeCount === 0) this.#grow(this.subjects.length * 2)
    const slot = this.#free[this.#freeHead]!
    this.#freeHead = (this.#freeHead + 1) & (this.#free.length - 1)
    this.#freeCount -= 1
    this.live += 1
    this.subjects[slot] = subject
    this.states[slot] = state
    this.userData[slot] = userData
    if (many) {
      this.#many[slot] = 1
      this.many += 1
    }
    return slot
  }

  /** Gives a slot back, with all that it kept alive. */
  release(slot: number): void {
    this.live -= 1
    this.subjects[slot] = undefined
    this.states[slot] = undefined
    this.userData[slot] = undefined
    if (this.#many[slot] === 1) {
      this.#many[slot] = 0
      this.many -= 1
    }
    const generation = this.#generations[slot]! + 1
    this.#generations[slot] = generation // past the last one nothing matches, and the slot is retired
    if (generation <= MAX_GENERATION) {
      this.#free[(this.#freeHead + this.#freeCount) & (this.#free.length - 1)] = slot
      this.#freeCount += 1
    }
  }

  /** The generation of a slot, for the high word of the user data. */
  generation(slot: number): number {
    return this.#generations[slot]!
  }

  /** Whether user data names a slot that is in use. */
  has(slot: number, generation: number): boolean {
    return this.#generations[slot] === generation && this.subjects[slot] !== undefined
  }

  #grow(wanted: number): void {
    const old = this.subjects.length
    const capacity = Math.min(2 ** Math.ceil(Math.log2(wanted)), MAX_SLOTS)
    if (capacity <= old) {
      throw new UringError(
        'ERR_URING_SQ_FULL',
        `${MAX_SLOTS} submissions are in flight, which is the most that a ring can tell apart`,
      )
    }
    const generations = new Uint32Array(capacity).fill(1)
    generations.set(this.#generations)
    this.#generations = generations
    const many = new Uint8Array(capacity)
    many.set(this.#many)
    this.#many = many
    const free = new Uint32Array(capacity)
    for (let index = 0; index < this.#freeCount; index += 1) {
      free[index] = this.#free[(this.#freeHead + index) & (this.#free.length - 1)]!
    }
    for (let slot = old; slot < capacity; slot += 1) {
      free[this.#freeCount] = slot
      this.#freeCount += 1
      this.subjects.push(undefined)
      this.states.push(undefined)
      this.userData.push(undefined)
    }
    this.#free = free
    this.#freeHead = 0
  }
}

export function tokenOf(slot: number, generation: number): Token {
  return generation * MAX_SLOTS + slot
}

/** The slot of a token: the low word of the user data. */
export function slotOf(token: Token): number {
  return token % MAX_SLOTS
}

/** The generation of a token: the high word of the user data. */
export function generationOf(token: Token): number {
  return Math.floor(token / MAX_SLOTS)
}

/** A token: what `push` returned. */
export function checkToken(token: Token, name = 'token'): Token {
  return integer(token, name, 0, Number.MAX_SAFE_INTEGER)
}
