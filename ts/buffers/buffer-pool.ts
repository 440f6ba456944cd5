// The buffers of a mapped group: which of them the kernel has, in which order, and what it has put where.
//
// The kernel takes buffers in the order of the ring. A completion names one, of a bundle the first; those after it are
// the ones that were put into the ring after it, wherever the ring's head is by now. So each buffer remembers the one
// that was put behind it: that stays true until it is put back itself.

import { CqeFlags } from '../flags/index.ts'
import { DETACHED, Filled, NOTHING, type Received } from './received.ts'
import type { GroupMemory, Consumption } from './group-memory.ts'
import type { Groups } from './groups.ts'
import { addressOf } from '../memory/address-of.ts'
import { allocate } from '../memory/allocate.ts'

/** `struct io_uring_buf`, as words and as halves of words; the tail lies in what the first entry does not use. */
const SQE_BYTES = 16
const WORD = { ADDRESS: 0, LENGTH: 2 } as const
const WORDS = SQE_BYTES / 4
const HALF = { ID: 6, TAIL: 7 } as const
const HALVES = SQE_BYTES / 2
/** The kernel wants whole pages, which have up to so many bytes. */
const PAGE = 65_536
const TWO_32 = 2 ** 32
const TURN = 0x1_0000
const NONE = -1

/** What the pool is made of. */
export interface PoolSettings {
  /** Places in the ring: a power of two. */
  readonly entries: number
  readonly count: number
  readonly size: number
  readonly incremental: boolean
  readonly memory: Buffer
}

/** What the pool is a part of. */
export interface PoolHost {
  readonly groups: Groups
  /** How many buffers the kernel has taken so far, modulo 2^16; absent where it cannot be asked. */
  head(group: number): number | undefined
}

/** What a completion took, and what it brought. */
export class Taken extends Filled {
  readonly #pool: BufferPool
  readonly #ids: readonly number[]
  readonly #turns: readonly number[]
  readonly #whole: number
  #released = false

  constructor(
    pool: BufferPool,
    ids: readonly number[],
    whole: number,
    turns: readonly number[],
    views: readonly Buffer[],
  ) {
    super(views)
    this.#pool = pool
    this.#ids = ids
    this.#whole = whole
    this.#turns = turns
  }

  /** How many of them can go back: the kernel may have the last one still. */
  get whole(): number {
    return this.#whole
  }

  /** The buffers, in order. */
  get ids(): readonly number[] {
    return this.#ids
  }

  /** How often each had been put into the ring. */
  get turns(): readonly number[] {
    return this.#turns
  }

  /** Whether they lie in a group. */
  isOf(pool: BufferPool): boolean {
    return this.#pool === pool
  }

  override release(): void {
    if (this.#released) return
    this.#released = true
    this.#pool.release(this)
  }
}

export class BufferPool implements GroupMemory {
  readonly memory: Buffer
  readonly count: number
  readonly size: number
  readonly entries: number
  readonly incremental: boolean
  readonly isUsed: boolean = true
  /** Where the ring lies. */
  readonly address: number
  closed = false
  group: number = NONE
  readonly #host: PoolHost
  readonly #base: number
  /** The ring. The kernel writes to it too. */
  readonly words: Uint32Array
  readonly #halves: Uint16Array
  /** Buffers that were put into the ring so far. */
  #tail = 0
  /** The one that was put last. */
  #last = NONE
  /** Whether the program has each, and may give it back. */
  readonly #out: Uint8Array
  /** How many were put before each. */
  readonly #positions: Float64Array
  /** The one that was put behind each. */
  readonly #nexts: Int32Array
  /** Of incremental ones, how much of each was filled. */
  readonly #offsets: Uint32Array
  /** How often each was put into the ring. */
  readonly #turns: Uint32Array
  /** How many results have views of each, and were not released. */
  readonly #lent: Uint32Array
  /** Whether the kernel may have taken buffers that no completion tells of: the program's, as they were to be sent. */
  #unsure = false
  /** Whether it may have taken one that nothing came into. */
  #wasted = false
  #looking = false

  constructor(host: PoolHost, { entries, count, size, incremental, memory }: PoolSettings) {
    this.#host = host
    this.entries = entries
    this.count = count
    this.size = size
    this.incremental = incremental
    this.memory = memory
    this.#base = addressOf(memory)

    const ring = allocate(entries * SQE_BYTES, { alignment: PAGE })
    this.address = addressOf(ring)
    this.words = new Uint32Array(ring.buffer, ring.byteOffset, entries * WORDS)
    this.#halves = new Uint16Array(ring.buffer, ring.byteOffset, entries * HALVES)

    this.#out = new Uint8Array(count)
    this.#positions = new Float64Array(count)
    this.#nexts = new Int32Array(count).fill(NONE)
    this.#offsets = new Uint32Array(count)
    this.#turns = new Uint32Array(count)
    this.#lent = new Uint32Array(count)
    for (let id = 0; id < count; id += 1) this.#append(id)
    this.#publish()
  }

  /** Whether the program has a buffer. */
  isOut(id: number): boolean {
    return this.#out[id] === 1
  }

  /** Whether the memory is not there any more: detached, or smaller. */
  get isGone(): boolean {
    return this.memory.length === 0
  }

  /** How many buffers the kernel has in the ring; absent where it cannot be asked. */
  get available(): number | undefined {
    const head = this.#host.head(this.group)
    return head === undefined ? undefined : this.leftAt(head)
  }

  /** How many buffers are in the ring when the kernel has taken so many, modulo 2^16. */
  leftAt(head: number): number {
    return (((this.#tail - head) % TURN) + TURN) % TURN
  }

  consume(consumption: Consumption): Received | undefined {
    const { id, result, flags, sent, alone } = consumption
    if (id >= this.count || this.isOut(id)) return undefined
    const kept = (flags & CqeFlags.BUF_MORE) !== 0
    if (result <= 0) return this.#empty(consumption, kept)
    if (this.isGone) return DETACHED

    const isBundle = consumption.first !== undefined
    const ids: number[] = []
    const views: Buffer[] = []
    let at = id
    let left = result
    for (;;) {
      const from = this.#offsets[at] ?? 0
      const room = (isBundle ? this.#lengthOf(at) : this.size) - from
      const length = Math.min(left, room)
      if (isBundle || at === id) views.push(this.#view(at, from, length))
      ids.push(at)
      left -= length
      this.#offsets[at] = this.incremental ? from + length : 0
      const next = this.#nexts[at] ?? NONE
      // An incremental buffer that has room left stays with the kernel: not every version says so at the end of a file.
      const stays = this.incremental && left === 0 && (kept || (length < room && !this.#isPast(at)))
      if (!stays) this.#out[at] = 1
      // What does not fit in one buffer was cut off, unless the next ones are taken too.
      if (left === 0 || !(isBundle || this.incremental) || next === NONE || this.isOut(next)) break
      at = next
    }
    if (alone && this.incremental && !this.isOut(at)) this.#offsets[at] = this.#offsetOf(at)
    if (sent && isBundle) this.#unsent(at, ids, alone)
    return this.#lend(ids, views)
  }

  /** A result is not looked at any more: buffers that nobody looks at go back. */
  release({ ids, turns }: Taken): void {
    if (this.closed) return
    let count = 0
    for (const [index, id] of ids.entries()) {
      if (this.#turns[id] !== turns[index]) continue
      const lent = (this.#lent[id] ?? 1) - 1
      this.#lent[id] = lent
      if (lent > 0 || !this.isOut(id)) continue
      this.#append(id)
      count += 1
    }
    this.#give(count)
  }

  /** Whether a buffer is still the program's since it was taken. */
  isHeld(taken: Taken, index: number): boolean {
    const id = taken.ids[index] ?? 0
    return this.isOut(id) && this.#turns[id] === taken.turns[index]
  }

  /** Buffers that the program has go back, whoever looks at them. */
  put(ids: readonly number[]): void {
    for (const id of ids) this.#append(id)
    this.#give(ids.length)
  }

  successSkipped(): void {
    this.#unsure = true
  }

  awaited(): void {
    if (this.#looking || this.closed) return
    this.#looking = true
    setImmediate(() => this.#look())
  }

  idle(): void {
    if (!this.#unsure && !this.#wasted) return
    const head = this.#head() ?? 0
    const lost: number[] = []
    for (let id = 0; id < this.count; id += 1) {
      if (!this.isOut(id) && (this.#positions[id] ?? 0) < head) lost.push(id)
    }
    if (this.#unsure) for (const id of lost) this.#out[id] = 1
    else this.put(lost)
    this.#unsure = false
    this.#wasted = false
  }

  /** The kernel has taken buffers, or one, and put nothing into it. */
  #empty({ id, result, first, sent, alone }: Consumption, kept: boolean): Received {
    // Before it said so, the kernel could have a buffer still, and another completion with bytes of it under way.
    const isUnclear = this.incremental && result === 0 && !kept && !alone
    if (isUnclear) this.#wasted = true
    if (isUnclear || kept || !this.#isPast(id)) {
      if (alone && this.incremental) this.#offsets[id] = this.#offsetOf(id)
      return NOTHING
    }
    if (!sent) {
      this.put([id])
      return NOTHING
    }
    this.#out[id] = 1
    const ids = [id]
    if (first !== undefined) this.#unsent(id, ids, alone)
    return this.#lend(ids, [])
  }

  /** A send that stopped has taken more than it has sent: all that the kernel has taken, where nobody else was. */
  #unsent(after: number, ids: number[], alone: boolean): void {
    if (!alone) {
      this.#unsure = true
      return
    }
    const head = this.#head() ?? 0
    let id = this.#nexts[after] ?? NONE
    while (id !== NONE && !this.isOut(id) && (this.#positions[id] ?? 0) < head) {
      this.#out[id] = 1
      ids.push(id)
      id = this.#nexts[id] ?? NONE
    }
  }

  #lend(ids: readonly number[], views: readonly Buffer[]): Taken {
    const turns = ids.map((id) => {
      this.#lent[id] = (this.#lent[id] ?? 0) + 1
      return this.#turns[id] ?? 0
    })
    const kept = this.isOut(ids.at(-1) ?? 0) ? 0 : 1
    return new Taken(this, ids, ids.length - kept, turns, views)
  }

  #view(id: number, from: number, length: number): Buffer {
    const start = id * this.size + from
    return this.memory.subarray(start, start + length)
  }

  #placeOf(id: number): number {
    return (this.#positions[id] ?? 0) % this.entries
  }

  /** How long a buffer is for the kernel, which may shorten the first of a bundle. */
  #lengthOf(id: number): number {
    const place = this.#placeOf(id)
    const isThere = this.#halves[place * HALVES + HALF.ID] === id
    return isThere && !this.incremental ? (this.words[place * WORDS + WORD.LENGTH] ?? this.size) : this.size
  }

  /** How much of an incremental buffer the kernel has used: it moves the address on. */
  #offsetOf(id: number): number {
    const place = this.#placeOf(id) * WORDS + WORD.ADDRESS
    const address = (this.words[place] ?? 0) + (this.words[place + 1] ?? 0) * TWO_32
    return address - this.#base - id * this.size
  }

  /** Whether the kernel has taken a buffer out of the ring; where it cannot be asked, it is believed. */
  #isPast(id: number): boolean {
    const head = this.#head()
    return head === undefined || (this.#positions[id] ?? 0) < head
  }

  /** How many buffers the kernel has taken so far; absent where it cannot be asked. */
  #head(): number | undefined {
    const { available } = this
    return available === undefined ? undefined : this.#tail - available
  }

  #append(id: number): void {
    const place = this.#tail % this.entries
    const address = this.#base + id * this.size
    this.words[place * WORDS + WORD.ADDRESS] = address % TWO_32
    this.words[place * WORDS + WORD.ADDRESS + 1] = Math.floor(address / TWO_32)
    this.words[place * WORDS + WORD.LENGTH] = this.size
    this.#halves[place * HALVES + HALF.ID] = id
    this.#positions[id] = this.#tail
    this.#nexts[id] = NONE
    if (this.#last !== NONE) this.#nexts[this.#last] = id
    this.#last = id
    this.#out[id] = 0
    this.#offsets[id] = 0
    this.#lent[id] = 0
    this.#turns[id] = (this.#turns[id] ?? 0) + 1
    this.#tail += 1
  }

  /** Lets the kernel see what was written: a store that nothing before it comes after. */
  #publish(): void {
    Atomics.store(this.#halves, HALF.TAIL, this.#tail) // modulo 2^16
  }

  #give(count: number): void {
    if (count === 0) return
    this.#publish()
    this.#tell(count)
  }

  /** Tells so many who wait, and looks later whether they were enough: one may have taken no buffer. */
  #tell(count: number): void {
    const { groups } = this.#host
    if (!groups.isAwaited(this.group)) return
    groups.provided(this.group, count)
    if (groups.isAwaited(this.group)) this.awaited()
  }

  #look(): void {
    this.#looking = false
    if (this.closed || !this.#host.groups.isAwaited(this.group)) return
    // Where the kernel does not say, there are no more than the program does not have.
    const free = this.available ?? this.count - this.#out.reduce((sum, out) => sum + out, 0)
    if (free > 0) this.#tell(free)
  }
}
