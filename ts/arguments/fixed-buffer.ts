// Registered buffers, wherever memory is expected that the kernel has pinned.

import { types } from 'node:util'
import { detachedArgumentError } from '../errors.ts'
import { addressOf, type Bytes, bytesLeft, checkBytes } from '../memory/address-of.ts'
import { integer, invalidType, invalidValue, MAX_U16 } from './validate.ts'

/** A slot of a ring's registered buffers, and the part of its memory that is meant. */
export class FixedBuffer {
  /** The slot. */
  readonly index: number
  /** The memory: what was registered there, or a part of it. */
  readonly view: Buffer

  constructor(index: number, view: Bytes) {
    this.index = integer(index, 'index', 0, MAX_U16)
    this.view = memoryOf(view, 'view')
  }

  /** A part of it, from byte `from` up to byte `to`. */
  subarray(from?: number, to?: number): FixedBuffer {
    return new FixedBuffer(this.index, this.view.subarray(from, to))
  }
}

/** `buffer` if it is a registered one. */
export function checkFixed(buffer: unknown, name: string): FixedBuffer {
  if (!(buffer instanceof FixedBuffer)) throw invalidType(name, 'an instance of FixedBuffer', buffer)
  if (buffer.view.length === 0) checkAttached(buffer.view, name)
  return buffer
}

/** Refuses memory that was transferred. */
export function checkAttached({ buffer, length }: Buffer, name: string): void {
  if (length === 0 && isDetached(buffer)) throw detachedArgumentError(name)
}

/** `ArrayBuffer.prototype.detached`, for Node.js 20 too. */
function isDetached(buffer: ArrayBufferLike): boolean {
  try {
    void new Uint8Array(buffer, 0, 0)
    return false
  } catch {
    return true
  }
}

/** All bytes of a piece of memory. */
export function memoryOf(bytes: unknown, name: string): Buffer {
  const memory = checkBytes(bytes, name)
  const isView = ArrayBuffer.isView(memory)
  const buffer = isView ? memory.buffer : memory
  if (!types.isAnyArrayBuffer(buffer)) throw invalidType(name, 'memory, and not what looks like it', bytes)
  if (bytesLeft(memory) === 0 && isDetached(buffer)) throw detachedArgumentError(name)
  return isView ? Buffer.from(buffer, memory.byteOffset, memory.byteLength) : Buffer.from(buffer)
}

/** The same of memory whose pages the kernel takes hold of. */
export function lastingMemoryOf(bytes: unknown, name: string): Buffer {
  const memory = memoryOf(bytes, name)
  const { buffer } = memory
  if (buffer instanceof ArrayBuffer && buffer.resizable) {
    throw invalidValue(
      name,
      bytes,
      'must not be resizable: what it gave up it would get back in another place',
    )
  }
  return memory
}

/** Where the bytes lie; 0 where there are none. */
export function fixedAddress({ view }: FixedBuffer): number {
  return view.byteLength === 0 ? 0 : addressOf(view)
}
