// The slot table: what is in flight, and what it keeps alive.
//
// A token names one submission: generation * 2^22 + slot. The slot is the low word of the kernel's user data and the
// generation the high one, so a completion finds its slot without a search, and a token that has had its day finds
// nothing. The native half holds this table for as long as the kernel may use what is in it.

import { MANY, WATCHED } from './entry.ts'
import { UringError } from '../errors.ts'
import { Groups } from '../buffers/groups.ts'
import type { OperationClass, Submissions } from '../operations/base/operation-class.ts'
import { integer } from '../arguments/validate.ts'

/** Names one submission; 0 is none. */
export type Token = number

const SLOT_BITS = 22
const MAX_SLOTS = 2 ** SLOT_BITS
/** 31 bits: bit 63 of the user data marks what did not come from here. */
const MAX_GENERATION = 0x7fff_ffff

/** A trait of slots of the asynchronous flow: their user data is a task. The greatest trait. */
export const RUN = 16

const SPECIAL = MANY | WATCHED

/** A place for one submission. */
export class Slot {
  readonly index: number
  /** Goes up when the slot is given back, so that nothing finds its next submission by an old token. */
  generation = 1
  /** What was submitted; absent in a free slot. */
  kind: OperationClass | undefined = undefined
  /** What has to live, and what the result is decoded from. */
  state: unknown = undefined
  userData: unknown = undefined
  /** What is special about the entry: `MANY`, `WATCHED`. */
  traits = 0
  /** What the class of a watched one made of its last completion. */
  last: unknown = undefined
  /** The free slot after this one. */
  next: Slot | undefined = undefined

  constructor(index: number) {
    this.index = index
  }
}

/** Few to start with: slots are used in turn, and all of them should stay in the processor's cache. */
const FEW = 64

export class Slots implements Submissions {
  /** Slots in use by entries that were pushed and may complete any number of times. */
  many = 0
  /** The memory that the kernel may choose from. */
  readonly groups: Groups = new Groups()
  /** What the kernel keeps between operations. */
  readonly registered: Set<object> = new Set()
  private readonly all: Slot[] = []
  /** Free slots are a queue: a slot rests as long as it can, so its generations last. One always stays in it. */
  private first: Slot
  private last: Slot

  constructor() {
    this.first = new Slot(0)
    this.last = this.first
    this.all.push(this.first)
    this.grow(FEW)
  }

  /** Takes a slot. */
  acquire(kind: OperationClass, state: unknown, userData: unknown, traits: number): Slot {
    const slot = this.first
    this.first = slot.next ?? this.more()
    slot.kind = kind
    slot.state = state
    slot.userData = userData
    slot.traits = traits
    if ((traits & SPECIAL) !== 0) this.begin(slot)
    return slot
  }

  /** What is special about few submissions. */
  private begin(slot: Slot): void {
    if ((slot.traits & (MANY | RUN)) === MANY) this.many += 1
    if ((slot.traits & WATCHED) !== 0) slot.last = this.watch(slot)
  }

  private watch({ kind, state }: Slot): unknown {
    return kind?.stage?.(this.groups, state)
  }

  /** Lets the class of a watched submission look at a completion, and gives the state to decode it with. */
  reap(slot: Slot, result: number, flags: number): unknown {
    slot.last = slot.kind?.reap(this.groups, result, flags, slot.state, slot.last, this)
    return slot.last
  }

  /** Gives a slot back, with all that it kept alive. */
  release(slot: Slot): void {
    slot.kind = undefined
    slot.state = undefined
    slot.userData = undefined
    if ((slot.traits & SPECIAL) !== 0) this.end(slot)
    slot.traits = 0
    slot.generation += 1
    if (slot.generation > MAX_GENERATION) return // nothing matches it any more: the slot is retired
    slot.next = undefined
    this.last.next = slot
    this.last = slot
  }

  private end(slot: Slot): void {
    if ((slot.traits & (MANY | RUN)) === MANY) this.many -= 1
    slot.last = undefined
  }

  /** The slot in use that user data names. */
  find(index: number, generation: number): Slot | undefined {
    if (index >= this.all.length) return undefined
    const slot = this.all[index]!
    return slot.generation === generation && slot.kind !== undefined ? slot : undefined
  }

  /** Gives a pushed submission another user data, if the token still names one. */
  rename(token: Token, userData: unknown): void {
    const slot = this.find(slotOf(token), generationOf(token))
    if (slot !== undefined && (slot.traits & RUN) === 0) slot.userData = userData
  }

  /** The slots in use. */
  used(): Slot[] {
    return this.all.filter(({ kind }) => kind !== undefined)
  }

  /** The free slot after the last one. */
  private more(): Slot {
    const { last } = this
    this.grow(this.all.length * 2)
    return last.next!
  }

  private grow(capacity: number): void {
    if (capacity > MAX_SLOTS) {
      throw new UringError(
        'ERR_URING_SQ_FULL',
        `${MAX_SLOTS} submissions are in flight, which is the most that a ring can tell apart`,
      )
    }
    while (this.all.length < capacity) {
      const slot = new Slot(this.all.length)
      this.all.push(slot)
      this.last.next = slot
      this.last = slot
    }
  }
}

/** The token of what is in a slot now. */
export function tokenOf(slot: Slot): Token {
  return slot.generation * MAX_SLOTS + slot.index
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
