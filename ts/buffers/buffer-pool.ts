// The buffers of a buffer ring: which of them the kernel has, in which order, and where it has put data.
//
// The kernel consumes buffers in the order of the ring. A completion names one buffer, of a bundle the first. The others
// of a bundle are those that were put into the ring after it, wherever the ring's head is by now. So each buffer remembers
// the one that was put behind it, which stays valid until the buffer itself is returned.

import { CqeFlags } from '../flags/index.ts'
import { addressOf } from '../memory/address-of.ts'
import { allocate } from '../memory/allocate.ts'
import type { Consumption, GroupMemory } from './group-memory.ts'
import type { Groups } from './groups.ts'
import { DETACHED, Filled, NOTHING, type Received } from './received.ts'

/** `struct io_uring_buf` in words and half words. The ring's tail overlays the unused half word of the first entry. */
const ENTRY_BYTES = 16
const WORD = { ADDRESS: 0, LENGTH: 2 } as const
const WORDS = ENTRY_BYTES / 4
const HALF = { ID: 6, TAIL: 7 } as const
const HALVES = ENTRY_BYTES / 2
/** The kernel needs a ring that starts with a page. This is the largest page size. */
const MAX_PAGE_BYTES = 65_536
const TWO_32 = 2 ** 32
/** Head and tail count modulo 2^16. */
const MODULUS = 0x1_0000
const NONE = -1

/** The settings of a pool. */
export interface PoolSettings {
  /** Entries of the ring, a power of two. */
  readonly entries: number
  readonly count: number
  readonly size: number
  readonly incremental: boolean
  readonly memory: Buffer
}

/** Returns the number of buffers that the kernel has consumed, modulo 2^16; nothing if the kernel does not report it. */
export type AskHead = (group: number) => number | undefined

/** The data of a completion, in buffers that the program has borrowed. */
export class Borrowed extends Filled {
  readonly #pool: BufferPool
  readonly #ids: readonly number[]
  readonly #generations: readonly number[]
  readonly #returnable: number
  #released = false

  constructor(
    pool: BufferPool,
    ids: readonly number[],
    returnable: number,
    generations: readonly number[],
    views: readonly Buffer[],
  ) {
    super(views)
    this.#pool = pool
    this.#ids = ids
    this.#returnable = returnable
    this.#generations = generations
  }

  /** The number of buffers that can be returned: all, or all but the last one, which the kernel may still have. */
  get returnable(): number {
    return this.#returnable
  }

  /** The buffers, in order. */
  get ids(): readonly number[] {
    return this.#ids
  }

  /** The generation of each buffer: the number of times that it had been put into the ring. */
  get generations(): readonly number[] {
    return this.#generations
  }

  /** Tells if the buffers belong to a pool. */
  isOf(pool: BufferPool): boolean {
    return this.#pool === pool
  }

  override release(): void {
    if (this.#released) return
    this.#released = true
    this.#pool.release(this)
  }
}

/** The memory of a buffer ring. */
export class BufferPool implements GroupMemory {
  readonly memory: Buffer
  readonly count: number
  readonly size: number
  readonly entries: number
  readonly incremental: boolean
  readonly isUsed: boolean = true
  /** The address of the ring. */
  readonly address: number
  closed = false
  group: number = NONE
  readonly #groups: Groups
  readonly #askHead: AskHead
  readonly #base: number
  /** The ring. The kernel writes to it too. */
  readonly words: Uint32Array
  readonly #halves: Uint16Array
  /** The number of buffers that were put into the ring so far. */
  #tail = 0
  /** The buffer that was put last. */
  #last = NONE
  /** For each buffer, 1 if the program has borrowed it, and may return it. */
  readonly #borrowed: Uint8Array
  /** For each buffer, the number of buffers that were put before it. */
  readonly #positions: Float64Array
  /** For each buffer, the buffer that was put behind it. */
  readonly #nexts: Int32Array
  /** For each incremental buffer, its filled bytes. */
  readonly #offsets: Uint32Array
  /** For each buffer, the number of times that it was put into the ring. */
  readonly #generations: Uint32Array
  /** For each buffer, the number of results that have views of it and are not released. */
  readonly #loans: Uint32Array
  /** True if the kernel may have consumed buffers that no completion reported. They belong to the program, to be sent. */
  #unsure = false
  /** True if the kernel may have consumed a buffer without putting data into it. */
  #wasted = false
  #checkScheduled = false

  constructor(groups: Groups, askHead: AskHead, { entries, count, size, incremental, memory }: PoolSettings) {
    this.#groups = groups
    this.#askHead = askHead
    this.entries = entries
    this.count = count
    this.size = size
    this.incremental = incremental
    this.memory = memory
    this.#base = addressOf(memory)

    const ring = allocate(entries * ENTRY_BYTES, { alignment: MAX_PAGE_BYTES })
    this.address = addressOf(ring)
    this.words = new Uint32Array(ring.buffer, ring.byteOffset, entries * WORDS)
    this.#halves = new Uint16Array(ring.buffer, ring.byteOffset, entries * HALVES)

    this.#borrowed = new Uint8Array(count)
    this.#positions = new Float64Array(count)
    this.#nexts = new Int32Array(count).fill(NONE)
    this.#offsets = new Uint32Array(count)
    this.#generations = new Uint32Array(count)
    this.#loans = new Uint32Array(count)
    for (let id = 0; id < count; id += 1) this.#append(id)
    this.#publish()
  }

  /** Tells if the program has borrowed a buffer. */
  isBorrowed(id: number): boolean {
    return this.#borrowed[id] === 1
  }

  /** Tells if the memory is detached, or has shrunk. */
  get isDetached(): boolean {
    return this.memory.length === 0
  }

  /** The number of buffers that the kernel can consume; nothing if the kernel does not report it. */
  get available(): number | undefined {
    const head = this.#askHead(this.group)
    return head === undefined ? undefined : this.availableAt(head)
  }

  /** Returns the number of buffers in the ring after the kernel has consumed `head` of them, modulo 2^16. */
  availableAt(head: number): number {
    return (((this.#tail - head) % MODULUS) + MODULUS) % MODULUS
  }

  consume(consumption: Consumption): Received | undefined {
    const { id, result, flags, sent, alone } = consumption
    if (id >= this.count || this.isBorrowed(id)) return undefined
    const more = (flags & CqeFlags.BUF_MORE) !== 0
    if (result <= 0) return this.#consumeEmpty(consumption, more)
    if (this.isDetached) return DETACHED

    const isBundle = consumption.first !== undefined
    const ids: number[] = []
    const views: Buffer[] = []
    let at = id
    let left = result
    for (;;) {
      const from = this.#offsets[at] ?? 0
      const capacity = (isBundle ? this.#lengthOf(at) : this.size) - from
      const length = Math.min(left, capacity)
      if (isBundle || at === id) views.push(this.#view(at, from, length))
      ids.push(at)
      left -= length
      this.#offsets[at] = this.incremental ? from + length : 0
      const next = this.#nexts[at] ?? NONE
      // The kernel keeps an incremental buffer that is not full: not every version sets BUF_MORE at the end of a file.
      const stays = this.incremental && left === 0 && (more || (length < capacity && !this.#isConsumed(at)))
      if (!stays) this.#borrowed[at] = 1
      // Bytes that do not fit in one buffer were cut off, unless the next buffers are consumed too.
      if (left === 0 || !(isBundle || this.incremental) || next === NONE || this.isBorrowed(next)) break
      at = next
    }
    if (alone && this.incremental && !this.isBorrowed(at)) this.#offsets[at] = this.#offsetOf(at)
    if (sent && isBundle) this.#borrowUnsent(at, ids, alone)
    return this.#borrow(ids, views)
  }

  /** Releases a result, and returns the buffers that no other result has views of. */
  release({ ids, generations }: Borrowed): void {
    if (this.closed) return
    let count = 0
    for (const [index, id] of ids.entries()) {
      if (this.#generations[id] !== generations[index]) continue
      const loans = (this.#loans[id] ?? 1) - 1
      this.#loans[id] = loans
      if (loans > 0 || !this.isBorrowed(id)) continue
      this.#append(id)
      count += 1
    }
    this.#returned(count)
  }

  /** Tells if a buffer of a result is still borrowed, and was not returned since. */
  isHeld(borrowed: Borrowed, index: number): boolean {
    const id = borrowed.ids[index] ?? 0
    return this.isBorrowed(id) && this.#generations[id] === borrowed.generations[index]
  }

  /** Returns borrowed buffers to the kernel, even if results have views of them. */
  put(ids: readonly number[]): void {
    for (const id of ids) this.#append(id)
    this.#returned(ids.length)
  }

  successSkipped(): void {
    this.#unsure = true
  }

  awaited(): void {
    if (this.#checkScheduled || this.closed) return
    this.#checkScheduled = true
    setImmediate(() => this.#check())
  }

  idle(): void {
    if (!this.#unsure && !this.#wasted) return
    const head = this.#head() ?? 0
    const lost: number[] = []
    for (let id = 0; id < this.count; id += 1) {
      if (!this.isBorrowed(id) && (this.#positions[id] ?? 0) < head) lost.push(id)
    }
    if (this.#unsure) for (const id of lost) this.#borrowed[id] = 1
    else this.put(lost)
    this.#unsure = false
    this.#wasted = false
  }

  /** Handles a completion that consumed a buffer, or only part of it, and put no data into it. */
  #consumeEmpty({ id, result, first, sent, alone }: Consumption, more: boolean): Received {
    // Older kernels do not set BUF_MORE here: they may still have the buffer, and a completion with bytes of it may follow.
    const isUnclear = this.incremental && result === 0 && !more && !alone
    if (isUnclear) this.#wasted = true
    if (isUnclear || more || !this.#isConsumed(id)) {
      if (alone && this.incremental) this.#offsets[id] = this.#offsetOf(id)
      return NOTHING
    }
    if (!sent) {
      this.put([id])
      return NOTHING
    }
    this.#borrowed[id] = 1
    const ids = [id]
    if (first !== undefined) this.#borrowUnsent(id, ids, alone)
    return this.#borrow(ids, [])
  }

  /** Borrows the buffers after `after` that a bundled send consumed and did not send. Only one operation can tell. */
  #borrowUnsent(after: number, ids: number[], alone: boolean): void {
    if (!alone) {
      this.#unsure = true
      return
    }
    const head = this.#head() ?? 0
    let id = this.#nexts[after] ?? NONE
    while (id !== NONE && !this.isBorrowed(id) && (this.#positions[id] ?? 0) < head) {
      this.#borrowed[id] = 1
      ids.push(id)
      id = this.#nexts[id] ?? NONE
    }
  }

  #borrow(ids: readonly number[], views: readonly Buffer[]): Borrowed {
    const generations = ids.map((id) => {
      this.#loans[id] = (this.#loans[id] ?? 0) + 1
      return this.#generations[id] ?? 0
    })
    const kept = this.isBorrowed(ids.at(-1) ?? 0) ? 0 : 1
    return new Borrowed(this, ids, ids.length - kept, generations, views)
  }

  #view(id: number, from: number, length: number): Buffer {
    const start = id * this.size + from
    return this.memory.subarray(start, start + length)
  }

  /** Returns the ring entry of a buffer. */
  #entryOf(id: number): number {
    return (this.#positions[id] ?? 0) % this.entries
  }

  /** Returns the length of a buffer in its entry: the kernel may shorten the first buffer of a bundle. */
  #lengthOf(id: number): number {
    const entry = this.#entryOf(id)
    const isThere = this.#halves[entry * HALVES + HALF.ID] === id
    return isThere && !this.incremental ? (this.words[entry * WORDS + WORD.LENGTH] ?? this.size) : this.size
  }

  /** Returns the bytes that the kernel has used of an incremental buffer: it advances the address in the entry. */
  #offsetOf(id: number): number {
    const word = this.#entryOf(id) * WORDS + WORD.ADDRESS
    const address = (this.words[word] ?? 0) + (this.words[word + 1] ?? 0) * TWO_32
    return address - this.#base - id * this.size
  }

  /** Tells if the kernel has removed a buffer from the ring. If the kernel does not report it, trusts the completion. */
  #isConsumed(id: number): boolean {
    const head = this.#head()
    return head === undefined || (this.#positions[id] ?? 0) < head
  }

  /** Returns the number of buffers that the kernel has consumed so far; nothing if the kernel does not report it. */
  #head(): number | undefined {
    const { available } = this
    return available === undefined ? undefined : this.#tail - available
  }

  /** Writes a buffer behind the last one. The kernel sees it after `#publish()`. */
  #append(id: number): void {
    const entry = this.#tail % this.entries
    const address = this.#base + id * this.size
    this.words[entry * WORDS + WORD.ADDRESS] = address % TWO_32
    this.words[entry * WORDS + WORD.ADDRESS + 1] = Math.floor(address / TWO_32)
    this.words[entry * WORDS + WORD.LENGTH] = this.size
    this.#halves[entry * HALVES + HALF.ID] = id
    this.#positions[id] = this.#tail
    this.#nexts[id] = NONE
    if (this.#last !== NONE) this.#nexts[this.#last] = id
    this.#last = id
    this.#borrowed[id] = 0
    this.#offsets[id] = 0
    this.#loans[id] = 0
    this.#generations[id] = (this.#generations[id] ?? 0) + 1
    this.#tail += 1
  }

  /** Stores the tail, after all entries before it: the kernel reads entries only up to the tail. */
  #publish(): void {
    Atomics.store(this.#halves, HALF.TAIL, this.#tail) // modulo 2^16
  }

  /** Publishes returned buffers, and notifies operations that wait for one. */
  #returned(count: number): void {
    if (count === 0) return
    this.#publish()
    this.#notify(count)
  }

  /** Notifies `count` waiters. Checks again later for the others: a waiter that was notified may consume no buffer. */
  #notify(count: number): void {
    if (!this.#groups.isAwaited(this.group)) return
    this.#groups.provided(this.group, count)
    if (this.#groups.isAwaited(this.group)) this.awaited()
  }

  /** Notifies as many waiters as the kernel has buffers. */
  #check(): void {
    this.#checkScheduled = false
    if (this.closed || !this.#groups.isAwaited(this.group)) return
    // If the kernel does not report it, assume that it has all buffers that are not borrowed.
    const available = this.available ?? this.count - this.#borrowed.reduce((sum, flag) => sum + flag, 0)
    if (available > 0) this.#notify(available)
  }
}
