// The memory of a buffer group that `ProvideBuffers` fills.

import type { Bytes } from '../memory/address-of.ts'
import type { Consumption, GroupMemory } from './group-memory.ts'
import { DETACHED, Filled, type Received } from './received.ts'

const NO_BYTES = Buffer.alloc(0)

/** One provided buffer. */
export interface Piece {
  readonly id: number
  /** The memory that it is a part of. */
  readonly memory: Buffer
  readonly from: number
  readonly to: number
}

/**
 * The buffers of a group that `ProvideBuffers` added. The kernel removes a buffer from the group when it fills it: from
 * then on the buffer belongs to the program, which returns it by providing it again.
 *
 * A completion names a buffer by its number. The program chooses the numbers, and may use one twice: then the kernel
 * consumes the oldest buffer of that number first. When buffers can no longer be told apart, their memory is held until
 * the group is empty, so that a mistake costs memory and nothing else.
 */
export class Provided implements GroupMemory {
  /** Always false: a group of provided buffers is never unregistered. */
  readonly closed = false
  /** The buffers that the kernel has, oldest first: in the group, or in use by an operation. */
  readonly #pieces = new Set<Piece>()
  /** These buffers by number: several may have the same number. */
  readonly #byId = new Map<number, Piece[]>()
  /** Buffers that are assumed to be removed, by number. If an operation had one of them, another one was removed. */
  readonly #removed = new Map<number, Piece>()
  /** All memory that the kernel may have, with the number of its buffers that the kernel is known to have. */
  readonly #held = new Map<ArrayBufferLike, number>()
  /** True if each number stands for one buffer. Otherwise memory is held until no buffers are left. */
  #exact = true
  /** True if the number of buffers is unknown. Then memory is held until the ring is closed. */
  #uncounted = false

  /** Adds `count` buffers of `size` bytes, numbered from `firstId` on. */
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

  get isUsed(): boolean {
    return this.#pieces.size > 0
  }

  /** Drops buffers that the kernel did not accept. */
  withdraw(pieces: readonly Piece[]): void {
    for (const piece of pieces) this.#drop(piece)
  }

  consume({ id, result, first }: Consumption): Received | undefined {
    const piece = this.#byId.get(id)?.[0] ?? this.#stillThere(id)
    if (piece === undefined) return undefined
    const length = Math.max(result, 0)
    const view = this.#consumePiece(piece, Math.min(length, first ?? length))
    const views =
      first === undefined
        ? [view]
        : [view, ...this.#consumeNext(length - Math.min(length, first, piece.to - piece.from))]
    return length > 0 && views.some(({ byteLength }) => byteLength === 0) ? DETACHED : new Filled(views)
  }

  /** Consumes the buffers of a bundle after its first: the kernel does not name them, and fills them in order. */
  #consumeNext(length: number): readonly Buffer[] {
    const views: Buffer[] = []
    let left = length
    for (const piece of this.#pieces) {
      if (left <= 0) break
      views.push(this.#consumePiece(piece, left))
      left -= piece.to - piece.from
    }
    return views
  }

  /** Drops a buffer, and returns its filled part: empty if the memory is detached. */
  #consumePiece(piece: Piece, length: number): Buffer {
    const { memory, from, to } = piece
    this.#drop(piece)
    return memory.byteLength < to ? NO_BYTES : memory.subarray(from, Math.min(from + length, to))
  }

  /** Drops the oldest buffers: the kernel removes them in this order, except those that an operation has. */
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

  /** Drops up to `most` buffers: the kernel removed an unknown number. */
  lost(most: number): void {
    this.#uncounted = true
    this.removed(most)
  }

  /** Finds a buffer that an operation had when it was assumed to be removed: the kernel removed the next one instead. */
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
