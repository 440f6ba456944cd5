// Registered buffers, wherever memory is expected that the kernel has pinned.

import { addressOf, type Bytes, checkBytes } from '../memory.ts'
import { integer, invalidType, MAX_U16 } from '../validate.ts'

/** A slot of a ring's registered buffers, and the part of its memory that is meant. */
export class FixedBuffer {
  /** The slot. */
  readonly index: number
  /** The memory: what was registered there, or a part of it. */
  readonly view: Buffer

  constructor(index: number, view: Bytes) {
    this.index = integer(index, 'index', 0, MAX_U16)
    checkBytes(view, 'view')
    this.view = ArrayBuffer.isView(view)
      ? Buffer.from(view.buffer, view.byteOffset, view.byteLength)
      : Buffer.from(view)
  }

  /** A part of it, from byte `from` up to byte `to`. */
  subarray(from?: number, to?: number): FixedBuffer {
    return new FixedBuffer(this.index, this.view.subarray(from, to))
  }
}

/** `buffer` if it is a registered one. */
export function checkFixed(buffer: unknown, name: string): FixedBuffer {
  if (buffer instanceof FixedBuffer) return buffer
  throw invalidType(name, 'an instance of FixedBuffer', buffer)
}

/** Where the bytes lie; 0 where there are none. */
export function fixedAddress({ view }: FixedBuffer): number {
  return view.byteLength === 0 ? 0 : addressOf(view)
}
