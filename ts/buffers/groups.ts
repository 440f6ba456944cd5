// The buffer groups of a ring: the memory that the kernel chooses buffers from, and the operations that wait for one.

import { closedGroupError } from '../errors.ts'
import { CqeFlags } from '../flags/index.ts'
import type { Bytes } from '../memory/address-of.ts'
import type { GroupMemory } from './group-memory.ts'
import { type Piece, Provided } from './provided.ts'
import { NOTHING, type Received } from './received.ts'

const BUFFER_SHIFT = 16
const MAX_GROUPS = 0x1_0000

/** Called once when the kernel gets buffers. */
export type Waiter = () => void

/** The state of a submission that consumes buffers of a group. */
export interface GroupState {
  readonly group: number
}

interface Group {
  /** The memory that the kernel has now, and closed memory that operations in flight may still use. */
  memories: GroupMemory[]
  /** The number of operations on the group that are enqueued or in flight. */
  uses: number
  /** True if the group was a buffer ring that is unregistered. */
  closed: boolean
  /** The waiters for its buffers, oldest first. */
  readonly waiting: Set<Waiter>
}

/** The buffers that one operation provides, to be withdrawn if it fails. */
export interface Provision {
  readonly provided: object
  readonly pieces: readonly object[]
}

/** The buffer groups of a ring, by number. */
export class Groups {
  readonly #groups = new Map<number, Group>()

  /**
   * Calls `notify` once, when the kernel gets buffers for a group. Returns a function that cancels this.
   *
   * @throws {UringError} `ERR_URING_RESOURCE_CLOSED`: the group is closed, and gets no more buffers
   */
  whenProvided(group: number, notify: Waiter): () => void {
    const { memories, waiting, closed } = this.#of(group)
    if (closed) throw closedGroupError(group)
    waiting.add(notify)
    for (const memory of memories) memory.awaited?.()
    return () => void waiting.delete(notify)
  }

  /** Tells if an operation waits for buffers of a group. */
  isAwaited(group: number): boolean {
    return this.#of(group).waiting.size > 0
  }

  /** Notifies up to `count` waiters that the kernel got buffers, for one group or for all groups. */
  provided(group?: number, count: number = Number.POSITIVE_INFINITY): void {
    if (group !== undefined) wake(this.#of(group), count)
    else for (const each of this.#groups.values()) wake(each, count)
  }

  /** Notes that an operation on a group is enqueued. */
  use(group: number): void {
    this.#of(group).uses += 1
  }

  /** Returns the first unused group, from a number on. */
  free(from: number): number | undefined {
    for (let group = from; group < MAX_GROUPS; group += 1) {
      const found = this.#groups.get(group)
      if (found === undefined || (found.memories.length === 0 && found.uses === 0)) return group
    }
    return undefined
  }

  /** Returns memory of a group that the kernel or an operation may use. */
  usedOf(group: number): GroupMemory | undefined {
    return this.#groups.get(group)?.memories.find(({ isUsed }) => isUsed)
  }

  /** Notes that a buffer ring with this memory is registered. */
  open(group: number, memory: GroupMemory): void {
    const found = this.#of(group)
    found.memories = [memory]
    found.closed = false
    wake(found, Number.POSITIVE_INFINITY)
  }

  /** Notes that a buffer ring is unregistered. Operations in flight may still have buffers of it. */
  closed(group: number): void {
    const found = this.#of(group)
    found.closed = true
    wake(found, Number.POSITIVE_INFINITY)
    settle(found)
  }

  /** Adds buffers that an operation provides. To be called before the kernel can use them. */
  provide(group: number, memory: Bytes, size: number, count: number, firstId: number): Provision {
    const found = this.#of(group)
    let provided = found.memories.find((known) => known instanceof Provided)
    if (provided === undefined) {
      provided = new Provided()
      // The kernel refuses to add buffers to a buffer ring. accepted() tells if it did not.
      if (found.memories.length === 0) adopt(found, provided)
    }
    const pieces = provided.add(memory, size, count, firstId)
    return { provided, pieces }
  }

  /** Notes that the operation succeeded, and the kernel has the buffers. */
  accepted(group: number, { provided }: Provision): void {
    const found = this.#of(group)
    if (provided instanceof Provided && !found.memories.includes(provided)) adopt(found, provided)
    wake(found, Number.POSITIVE_INFINITY)
  }

  /** Notes that the operation failed, and the kernel does not have the buffers. */
  withdraw({ provided, pieces }: Provision): void {
    if (provided instanceof Provided) provided.withdraw(pieces as readonly Piece[])
  }

  /** Notes that the kernel removed `count` buffers from a group. */
  removed(group: number, count: number): void {
    for (const memory of this.#of(group).memories) if (memory instanceof Provided) memory.removed(count)
  }

  /** Notes that the kernel removed an unknown number of buffers from a group, `most` at most. */
  lost(group: number, most: number): void {
    for (const memory of this.#of(group).memories) if (memory instanceof Provided) memory.lost(most)
  }

  /**
   * Returns the data that a completion brought, or nothing if the memory of the group is unknown. To be called once for
   * each completion, in their order, even if the program ignores the result. For a bundle, `first` is the most bytes that
   * its first buffer can hold.
   */
  received(group: number, result: number, flags: number, first?: number): Received | undefined {
    return this.#consumed(group, result, flags, first, false)
  }

  /** Returns the buffers that a completion sent, as `received()` does. */
  sent(group: number, result: number, flags: number, first?: number): Received | undefined {
    return this.#consumed(group, result, flags, first, true)
  }

  #consumed(
    group: number,
    result: number,
    flags: number,
    first: number | undefined,
    sent: boolean,
  ): Received | undefined {
    const found = this.#of(group)
    const isLast = (flags & CqeFlags.MORE) === 0
    let received: Received | undefined = NOTHING
    if ((flags & CqeFlags.BUFFER) !== 0) {
      const alone = isLast && found.uses === 1
      const consumption = { id: flags >>> BUFFER_SHIFT, result, flags, first, sent, alone }
      received = undefined
      for (const memory of found.memories) received ??= memory.consume(consumption)
    } else if (isLast && flags === 0 && result === 0) {
      for (const memory of found.memories) memory.successSkipped?.()
    }
    if (isLast && found.uses > 0) {
      found.uses -= 1
      settle(found)
    }
    return received
  }

  #of(group: number): Group {
    let found = this.#groups.get(group)
    if (found === undefined) {
      found = { memories: [], uses: 0, closed: false, waiting: new Set() }
      this.#groups.set(group, found)
    }
    return found
  }
}

/** Drops closed memory once no operation on the group is in flight. */
function settle(group: Group): void {
  if (group.uses > 0) return
  if (group.memories.some(({ closed }) => closed))
    group.memories = group.memories.filter(({ closed }) => !closed)
  for (const memory of group.memories) memory.idle?.()
}

/** Adds memory to a group. */
function adopt(group: Group, memory: GroupMemory): void {
  group.memories.push(memory)
  group.closed = false
}

/** Notifies up to `count` waiters. A waiter that waits again during this waits for the next buffers. */
function wake({ waiting }: Group, count: number): void {
  let left = Math.min(count, waiting.size)
  for (const notify of waiting) {
    if (left === 0) return
    left -= 1
    waiting.delete(notify)
    notify()
  }
}

/** Notes that a submission on its group is enqueued. */
export function useGroup(groups: Groups, state: unknown): void {
  groups.use((state as GroupState).group)
}
