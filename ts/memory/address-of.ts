// Addresses. Everything the kernel is told to touch is JavaScript's own memory, and what is in flight is held by the
// slot table; here is only where it lies.

import { binding } from '../binding.ts'
import { UringError } from '../errors.ts'
import { invalidType } from '../arguments/validate.ts'

/** Memory that an operation reads from or writes to. */
export type Bytes = ArrayBuffer | SharedArrayBuffer | ArrayBufferView

let nativeAddressOf: ((view: Uint8Array) => number) | undefined

/**
 * Memory never moves, so one question is enough: per view where a view starts its buffer, as most do that have one of
 * their own, and per buffer for its slices, which come and go. (Asking a view for its buffer costs twice what looking
 * the view up does.) A view whose buffer is detached has no bytes left, and is not looked up any more.
 */
const addresses = new WeakMap<ArrayBufferLike | ArrayBufferView, number>()

function ask(key: ArrayBufferLike | ArrayBufferView, view: Uint8Array): number {
  nativeAddressOf ??= binding().createAddressOf() as (view: Uint8Array) => number
  const address = nativeAddressOf(view)
  if (address < 0) {
    throw new UringError('ERR_URING_UNSUPPORTED', 'The buffer lies above 2^53, where JavaScript cannot count')
  }
  addresses.set(key, address)
  return address
}

/** Where the bytes lie: some, so not in a detached buffer. The data of a small array moves out of V8's heap for good. */
export function addressOf(bytes: Bytes): number {
  return addresses.get(bytes) ?? firstAddressOf(bytes)
}

function firstAddressOf(bytes: Bytes): number {
  checkBytes(bytes, 'bytes') // what has an address already was checked when it got it
  // One byte is enough to ask with; Node.js 20 has no typed array of more than 2^32.
  if (!ArrayBuffer.isView(bytes)) return ask(bytes, new Uint8Array(bytes, 0, 1))
  const { buffer, byteOffset } = bytes
  if (byteOffset === 0) return ask(bytes, new Uint8Array(buffer, 0, 1))
  return (addresses.get(buffer) ?? ask(buffer, new Uint8Array(buffer, 0, 1))) + byteOffset
}

/** How many bytes there are. V8 inlines `length`, and not `byteLength`. */
export function lengthOf(bytes: Bytes): number {
  return isUint8Array(bytes) ? bytes.length : bytes.byteLength
}

/** How many bytes there are now: none in a detached buffer, where a `DataView` throws. */
export function bytesLeft(bytes: Bytes): number {
  try {
    return bytes.byteLength
  } catch {
    return 0
  }
}

/** Whether a value is what memory nearly always is. This costs least of all that tells it apart. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

export function checkBytes(value: unknown, name: string): Bytes {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer)
    return value
  throw invalidType(
    name,
    'an instance of Buffer, TypedArray, DataView, ArrayBuffer, or SharedArrayBuffer',
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
    chunkAddress = addressOf(chunk)
    used = 0
  }
  const block = { address: chunkAddress + used, bytes: Buffer.from(chunk, used, size) }
  used += Math.ceil(size / ALIGNMENT) * ALIGNMENT
  return block
}
