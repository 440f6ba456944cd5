// Registered buffers as arguments of operations (`buf_index`).

import { types } from 'node:util'
import { detachedArgumentError } from '../errors.ts'
import { addressOf, type Bytes, bytesLeft, checkBytes } from '../memory/address-of.ts'
import { integer, invalidType, invalidValue, MAX_U16 } from './validate.ts'

/** A slot of a ring's registered buffers, and a view of the memory that an operation uses. */
export class FixedBuffer {
  /** The slot number, 0 to 65535. */
  readonly index: number
  /** The memory registered in the slot, or a part of it. */
  readonly view: Buffer

  constructor(index: number, view: Bytes) {
    this.index = integer(index, 'index', 0, MAX_U16)
    this.view = memoryOf(view, 'view')
  }

  /** Returns a part of the buffer, from byte `from` up to byte `to`; see `Buffer.subarray`. */
  subarray(from?: number, to?: number): FixedBuffer {
    return new FixedBuffer(this.index, this.view.subarray(from, to))
  }
}

/**
 * Returns `buffer`.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not a `FixedBuffer`
 * @throws {UringError} `ERR_URING_BUFFER_DETACHED`: its memory is detached
 */
export function checkFixed(buffer: unknown, name: string): FixedBuffer {
  if (!(buffer instanceof FixedBuffer)) throw invalidType(name, 'an instance of FixedBuffer', buffer)
  if (buffer.view.length === 0) checkAttached(buffer.view, name)
  return buffer
}

/** Checks that memory is not detached. @throws {UringError} `ERR_URING_BUFFER_DETACHED`: it is */
export function checkAttached({ buffer, length }: Buffer, name: string): void {
  if (length === 0 && isDetached(buffer)) throw detachedArgumentError(name)
}

/** Tells if memory is detached. Node.js 20 has no `ArrayBuffer.prototype.detached`. */
function isDetached(buffer: ArrayBufferLike): boolean {
  try {
    void new Uint8Array(buffer, 0, 0)
    return false
  } catch {
    return true
  }
}

/**
 * Returns a `Buffer` over all bytes of any kind of memory.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not memory
 * @throws {UringError} `ERR_URING_BUFFER_DETACHED`: the memory is detached
 */
function memoryOf(bytes: unknown, name: string): Buffer {
  const memory = checkBytes(bytes, name)
  const isView = ArrayBuffer.isView(memory)
  const buffer = isView ? memory.buffer : memory
  if (!types.isAnyArrayBuffer(buffer))
    throw invalidType(name, 'an ArrayBuffer, a SharedArrayBuffer or a view of one', bytes)
  if (bytesLeft(memory) === 0 && isDetached(buffer)) throw detachedArgumentError(name)
  return isView ? Buffer.from(buffer, memory.byteOffset, memory.byteLength) : Buffer.from(buffer)
}

/**
 * Returns a `Buffer` over memory that can be registered: the kernel pins its pages.
 *
 * @throws {TypeError} as {@link memoryOf}; `ERR_INVALID_ARG_VALUE`: a resizable `ArrayBuffer`, whose pages are replaced
 * when it shrinks and grows again
 */
export function lastingMemoryOf(bytes: unknown, name: string): Buffer {
  const memory = memoryOf(bytes, name)
  const { buffer } = memory
  if (buffer instanceof ArrayBuffer && buffer.resizable) {
    throw invalidValue(
      name,
      bytes,
      'must not be resizable, as the pages that the kernel has pinned are replaced when it shrinks and grows again',
    )
  }
  return memory
}

/** Returns the address of the memory; 0 if it is empty. */
export function fixedAddress({ view }: FixedBuffer): number {
  return view.byteLength === 0 ? 0 : addressOf(view)
}
