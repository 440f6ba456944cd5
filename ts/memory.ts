// Addresses. Everything the kernel is told to touch is JavaScript's own memory, and what is in flight is held by the
// slot table; here is only where it lies.

import { binding } from './binding.ts'
import { UringError } from './errors.ts'
import { invalidType } from './validate.ts'

/** Memory that an operation reads from or writes to. */
export type Bytes = ArrayBuffer | SharedArrayBuffer | ArrayBufferView

let nativeAddressOf: ((view: Uint8Array) => number) | undefined

/** An array buffer never moves, so one question per buffer is enough. Views are many, and come and go. */
const addresses = new WeakMap<ArrayBufferLike, number>()

function baseOf(buffer: ArrayBufferLike): number {
  const known = addresses.get(buffer)
  if (known !== undefined) return known
  nativeAddressOf ??= binding().createAddressOf() as (view: Uint8Array) => number
  const address = nativeAddressOf(new Uint8Array(buffer))
  if (address < 0) {
    throw new UringError('ERR_URING_UNSUPPORTED', 'The buffer lies above 2^53, where JavaScript cannot count')
  }
  if (address !== 0) addresses.set(buffer, address) // an empty or a detached buffer has no address yet, or any more
  return address
}

/** Where the bytes lie. Going through `buffer` moves the data of a small array out of V8's heap for good. */
export function addressOf(bytes: Bytes): number {
  return ArrayBuffer.isView(bytes) ? baseOf(bytes.buffer) + bytes.byteOffset : baseOf(bytes)
}

export function checkBytes(value: unknown, name: string): Bytes {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer)
    return value
  throw invalidType(
    name,
    'an instance of Buffer, TypedArray, DataView, ArrayBuffer or SharedArrayBuffer',
    value,
  )
}

/** A piece of memory for something that the kernel reads or fills in: a path, a struct. */
export interface Block {
  readonly address: number
  readonly bytes: Buffer
}

const CHUNK = 64 * 1024
const ALIGNMENT = 16

let chunk: ArrayBuffer | undefined
let chunkAddress = 0
let used = 0

/**
 * Zeroed memory that nobody else has. Blocks are cut from larger chunks, and a chunk goes when the last operation,
 * entry or completion that holds one of its blocks has gone: nothing is ever reused, so nothing can be reused early.
 */
export function allocateBlock(size: number): Block {
  if (size > CHUNK / 4) {
    const bytes = Buffer.from(new ArrayBuffer(size))
    return { address: addressOf(bytes), bytes }
  }
  if (chunk === undefined || used + size > CHUNK) {
    chunk = new ArrayBuffer(CHUNK)
    chunkAddress = baseOf(chunk)
    used = 0
  }
  const block = { address: chunkAddress + used, bytes: Buffer.from(chunk, used, size) }
  used += Math.ceil(size / ALIGNMENT) * ALIGNMENT
  return block
}
