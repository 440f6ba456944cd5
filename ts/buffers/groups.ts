// Groups of provided buffers: memory that the kernel chooses from, and what it put there.

import type { SocketAddress } from '../structs/sockaddr.ts'
import type { ControlMessage } from '../structs/cmsghdr.ts'
import { closedGroupError, detachedError, UringError } from '../errors.ts'
import { CqeFlags } from '../flags/index.ts'
import type { Bytes } from '../memory/address-of.ts'
import { integer, MAX_U16, MAX_U32 } from '../arguments/validate.ts'

/** A group of provided buffers: its number, or what has one. */
export type GroupTarget = number | { readonly group: number }

/** The kernel picks a buffer from a group of provided buffers. */
export interface GroupBuffer {
  /** The group, or its number. */
  readonly group: GroupTarget
  /** Bytes at most; absent or 0, as many as the buffer has. */
  readonly length?: number
}

/** The number of a group. */
export function resolveGroup(group: unknown, name: string): number {
  const id = typeof group === 'object' && group !== null ? (group as { group?: unknown }).group : group
  return integer(id, name, 0, MAX_U16)
}

/** `group` if it can be one. */
export function checkGroup(group: GroupTarget, name = 'group'): GroupTarget {
  resolveGroup(group, name)
  return group
}

/** Whether a target is a group, and not memory. */
export function isGroup(target: unknown): target is GroupBuffer {
  return typeof target === 'object' && target !== null && !ArrayBuffer.isView(target) && 'group' in target
}

/** The number of a group, and how much goes into its buffer. */
export function resolveGroupBuffer(target: GroupBuffer, name: string): { id: number; length: number } {
  const { group, length = 0 } = target
  return {
    id: resolveGroup(group, `${name}.group`),
    length: integer(length, `${name}.length`, 0, MAX_U32),
  }
}

/** What came into provided buffers. */
export interface Received {
  /** The bytes: a view of the buffer where one was filled, a copy where there were more. */
  readonly bytes: Buffer
  /** The filled parts of the buffers, in order. */
  readonly views: readonly Buffer[]
  /** The sender of a message; absent where it is not known. */
  readonly address?: SocketAddress | undefined
  /** The control messages of a message. */
  readonly control?: readonly ControlMessage[]
  /** The `MessageFlags` of a message. */
  readonly flags?: number
  /** Gives the buffers back to their group, if it takes them back. */
  release(): void
  /** The same as `release()`. */
  [Symbol.dispose](): void
}

/** What a completion says of the buffers that the kernel took. */
export interface Taking {
  /** The buffer that it names: of a bundle the first. */
  readonly id: number
  readonly result: number
  readonly flags: number
  /** Of a bundle, how many bytes its first buffer has at most. */
  readonly first: number | undefined
  /** Whether the bytes were sent: then the buffers are the program's again, however it went. */
  readonly sent: boolean
  /** Whether it is the last completion of the only operation on the group that was in flight. */
  readonly alone: boolean
}

/** Where the buffers of a group lie. */
export interface GroupMemory {
  /** Whether the kernel does not have the group any more: what operations still have of it is all that there is. */
  readonly closed: boolean
  /** Whether the kernel or an operation may have buffers of it. */
  readonly isUsed: boolean
  /** A completion has taken a buffer; absent where it is not known. */
  taken(taking: Taking): Received | undefined
  /** An operation has completed that does not say what it took: it skipped its success. */
  silent?(): void
  /** Somebody waits for buffers. */
  awaited?(): void
  /** No operation on the group is in flight. */
  idle?(): void
}

const BUFFER_SHIFT = 16

/** Is told that the kernel has got buffers. */
export type Waiter = () => void

/** What an operation that takes a buffer from a group remembers of its submission. */
export interface GroupState {
  readonly group: number
}

/** The filled parts of buffers. */
export class Filled implements Received {
  readonly views: readonly Buffer[]

  constructor(views: readonly Buffer[]) {
    this.views = views
  }

  get bytes(): Buffer {
    const [first] = this.views
    return first !== undefined && this.views.length === 1 ? first : Buffer.concat(this.views)
  }

  release(): void {}

  [Symbol.dispose](): void {
    this.release()
  }
}

/** Nothing came: the end of a stream, or an error. */
export const NOTHING: Received = new Filled([])

const NO_BYTES = Buffer.alloc(0)

/** What came is gone: the memory was given to somebody else meanwhile. */
export const DETACHED: Received = new Filled([])

/** What there is to know about a group. */
interface Group {
  /** What the kernel has of it; operations may have buffers of closed ones besides. */
  memories: GroupMemory[]
  /** Operations on it that are staged or in flight. */
  uses: number
  /** Whether it was a mapped one, which the kernel does not have any more. */
  closed: boolean
  /** Who waits for its buffers, the longest first. */
  readonly waiting: Set<Waiter>
}

const MAX_GROUPS = 0x1_0000

/** Buffers that one operation puts into a group: what to take back where it fails. */
export interface Provision {
  readonly provided: object
  readonly pieces: readonly object[]
}

/** The groups of a ring. */
export class Groups {
  readonly #groups = new Map<number, Group>()

  /**
   * Calls back once, when the kernel has got buffers for a group, unless what it gives is called before.
   *
   * @throws {UringError} `ERR_URING_RESOURCE_CLOSED` where it will get none
   */
  whenProvided(group: number, tell: Waiter): () => void {
    const { memories, waiting, closed } = this.#of(group)
    if (closed) throw closedGroupError(group)
    waiting.add(tell)
    for (const memory of memories) memory.awaited?.()
    return () => void waiting.delete(tell)
  }

  /** Whether somebody waits for buffers of a group. */
  isAwaited(group: number): boolean {
    return this.#of(group).waiting.size > 0
  }

  /** The kernel has got so many buffers, for one group or for all. */
  provided(group?: number, count: number = Number.POSITIVE_INFINITY): void {
    if (group !== undefined) wake(this.#of(group), count)
    else for (const each of this.#groups.values()) wake(each, count)
  }

  /** An operation that takes buffers of a group is staged. */
  use(group: number): void {
    this.#of(group).uses += 1
  }

  /** The first group, from a number on, that nobody uses. */
  free(from: number): number | undefined {
    for (let group = from; group < MAX_GROUPS; group += 1) {
      const found = this.#groups.get(group)
      if (found === undefined || (found.memories.length === 0 && found.uses === 0)) return group
    }
    return undefined
  }

  /** What the kernel or an operation may have of a group. */
  usedOf(group: number): GroupMemory | undefined {
    return this.#groups.get(group)?.memories.find(({ isUsed }) => isUsed)
  }

  /** The kernel has a group of this memory now. */
  open(group: number, memory: GroupMemory): void {
    const found = this.#of(group)
    found.memories = [memory]
    found.closed = false
    wake(found, Number.POSITIVE_INFINITY)
  }

  /** The kernel does not have the group any more; operations may still have buffers of it. */
  closed(group: number): void {
    const found = this.#of(group)
    found.closed = true
    wake(found, Number.POSITIVE_INFINITY)
    settle(found)
  }

  /** Buffers that an operation puts into a group one by one. To be told before the kernel can use them. */
  provide(group: number, memory: Bytes, size: number, count: number, firstId: number): Provision {
    const found = this.#of(group)
    let provided = found.memories.find((known) => known instanceof Provided)
    if (provided === undefined) {
      provided = new Provided()
      // The kernel may refuse: it puts none into a mapped group. Where it does not, it says so.
      if (found.memories.length === 0) adopt(found, provided)
    }
    const pieces = provided.add(memory, size, count, firstId)
    return { provided, pieces }
  }

  /** The operation has succeeded, and the kernel has them. */
  accepted(group: number, { provided }: Provision): void {
    const found = this.#of(group)
    if (provided instanceof Provided && !found.memories.includes(provided)) adopt(found, provided)
    wake(found, Number.POSITIVE_INFINITY)
  }

  /** The operation has failed, and the kernel does not have them. */
  withdraw({ provided, pieces }: Provision): void {
    if (provided instanceof Provided) provided.withdraw(pieces as readonly Piece[])
  }

  /** The kernel has taken so many buffers out of a group. */
  removed(group: number, count: number): void {
    for (const memory of this.#of(group).memories) if (memory instanceof Provided) memory.removed(count)
  }

  /** The kernel has taken buffers out of a group, so many at most, and did not say how many. */
  lost(group: number, most: number): void {
    for (const memory of this.#of(group).memories) if (memory instanceof Provided) memory.lost(most)
  }

  /**
   * What a completion brought. To be asked once for each, in their order, whether anyone looks at it or not; absent
   * where the memory of the group is unknown. For a bundle, `first` is how many bytes its first buffer gets at most.
   */
  received(group: number, result: number, flags: number, first?: number): Received | undefined {
    return this.#taken(group, result, flags, first, false)
  }

  /** The same of buffers that were sent. */
  sent(group: number, result: number, flags: number, first?: number): Received | undefined {
    return this.#taken(group, result, flags, first, true)
  }

  #taken(
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
      const taking = { id: flags >>> BUFFER_SHIFT, result, flags, first, sent, alone }
      received = undefined
      for (const memory of found.memories) received ??= memory.taken(taking)
    } else if (isLast && flags === 0 && result === 0) {
      for (const memory of found.memories) memory.silent?.()
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

/** What is to be done when no operation has buffers of a group any more. */
function settle(group: Group): void {
  if (group.uses > 0) return
  if (group.memories.some(({ closed }) => closed))
    group.memories = group.memories.filter(({ closed }) => !closed)
  for (const memory of group.memories) memory.idle?.()
}

/** The kernel has buffers of this memory too. */
function adopt(group: Group, memory: GroupMemory): void {
  group.memories.push(memory)
  group.closed = false
}

/** Tells so many of those who wait for a group. Who waits again meanwhile waits for the next buffers. */
function wake({ waiting }: Group, count: number): void {
  let left = Math.min(count, waiting.size)
  for (const tell of waiting) {
    if (left === 0) return
    left -= 1
    waiting.delete(tell)
    tell()
  }
}

/** Tells the group that an operation on it is staged. */
export function useGroup(groups: Groups, state: unknown): void {
  groups.use((state as GroupState).group)
}

/** What came into a group, or the error that its memory is nobody's. */
export function receivedFrom(group: number, received: Received | undefined): Received {
  if (received === DETACHED) throw detachedError('ProvideBuffers')
  if (received !== undefined) return received
  throw new UringError(
    'ERR_URING_RESOURCE_CLOSED',
    `The buffers of group ${group} are not known to this ring: they were not provided by one of its operations`,
  )
}

interface Piece {
  readonly id: number
  /** The memory that it is cut from. */
  readonly memory: Buffer
  readonly from: number
  readonly to: number
}

/**
 * Buffers that `ProvideBuffers` put into a group. The kernel takes each out of the group when it fills it, so a filled
 * one is the program's own, and goes back by being provided again.
 *
 * The kernel says the numbers of buffers, and numbers are the program's: it may give one twice. It takes the oldest
 * first then. What cannot be told apart any more is held until all is gone, so that a mistake costs no more than memory.
 */
class Provided implements GroupMemory {
  /** The kernel never forgets a group that buffers are provided to. */
  readonly closed = false
  /** What the kernel has, the oldest first: in the group, or in use by an operation. */
  readonly #pieces = new Set<Piece>()
  /** The same by number: a number may be given more than once. */
  readonly #byId = new Map<number, Piece[]>()
  /** What was taken for removed, by number: an operation may have had it, and then an other one was removed. */
  readonly #removed = new Map<number, Piece>()
  /** All memory that the kernel may have, and how many pieces of each are known to be with it. */
  readonly #held = new Map<ArrayBufferLike, number>()
  /** Whether each number stands for one piece. Else memory is held until there are no more pieces. */
  #exact = true
  /** Whether it is unknown how many pieces there are. Then memory is held as long as the ring lives. */
  #uncounted = false

  add(memory: Bytes, size: number, count: number, firstId: number): readonly Piece[] {
    const bytes = ArrayBuffer.isView(memory)
      ? Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength)
      : Buffer.from(memory)
    this.#held.set(bytes.buffer, (this.#held.get(bytes.buffer) ?? 0) + count)
    const pieces: Piece[] = []
    for (let index = 0; index < count; index += 1) {
      const piece = { id: firstId + index, memory: bytes, from: index * size, to: (index + 1) * size }
      pieces.push(piece)
      this.#pieces.add(piece)
      this.#removed.delete(piece.id)
      const others = this.#byId.get(piece.id)
      if (others === undefined) {
        this.#byId.set(piece.id, [piece])
      } else {
        others.push(piece)
        this.#exact = false
      }
    }
    return pieces
  }

  /** Whether the kernel, or an operation, has any of them. */
  get isUsed(): boolean {
    return this.#pieces.size > 0
  }

  withdraw(pieces: readonly Piece[]): void {
    for (const piece of pieces) this.#drop(piece)
  }

  taken({ id, result, first }: Taking): Received | undefined {
    const piece = this.#byId.get(id)?.[0] ?? this.#stillThere(id)
    if (piece === undefined) return undefined
    const length = Math.max(result, 0)
    const view = this.#take(piece, Math.min(length, first ?? length))
    const views =
      first === undefined
        ? [view]
        : [view, ...this.#next(length - Math.min(length, first, piece.to - piece.from))]
    return length > 0 && views.some(({ byteLength }) => byteLength === 0) ? DETACHED : new Filled(views)
  }

  /** What a bundle put into the buffers after its first: the kernel names none of them, and takes them in order. */
  #next(length: number): readonly Buffer[] {
    const views: Buffer[] = []
    let left = length
    for (const piece of this.#pieces) {
      if (left <= 0) break
      views.push(this.#take(piece, left))
      left -= piece.to - piece.from
    }
    return views
  }

  /** Takes a piece out, and gives the start of it that was filled: nothing where the memory was detached. */
  #take(piece: Piece, length: number): Buffer {
    const { memory, from, to } = piece
    this.#drop(piece)
    return memory.byteLength < to ? NO_BYTES : memory.subarray(from, Math.min(from + length, to))
  }

  /** The kernel takes them out in the order in which they came in, but for those that an operation has. */
  removed(count: number): void {
    let left = count
    if (left < this.#pieces.size) this.#exact = false
    for (const piece of this.#pieces) {
      if (left === 0) return
      left -= 1
      this.#removed.set(piece.id, piece)
      this.#drop(piece)
    }
  }

  lost(most: number): void {
    this.#uncounted = true
    this.removed(most)
  }

  /** An operation had a piece when others were removed: then it was the next one that was removed. */
  #stillThere(id: number): Piece | undefined {
    const piece = this.#removed.get(id)
    if (piece === undefined) return undefined
    this.#removed.delete(id)
    const [next] = this.#pieces
    if (next !== undefined) {
      this.#removed.set(next.id, next)
      this.#drop(next)
    }
    return piece
  }

  #drop(piece: Piece): void {
    if (!this.#pieces.delete(piece)) return
    const others = this.#byId.get(piece.id) ?? []
    others.splice(others.indexOf(piece), 1)
    if (others.length === 0) this.#byId.delete(piece.id)
    const { buffer } = piece.memory
    const left = (this.#held.get(buffer) ?? 1) - 1
    this.#held.set(buffer, left)
    if (this.#uncounted) return
    if (this.#exact && left === 0) this.#held.delete(buffer)
    if (this.#pieces.size > 0) return
    this.#held.clear()
    this.#removed.clear()
    this.#exact = true
  }
}
