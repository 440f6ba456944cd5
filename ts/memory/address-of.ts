// Memory that the kernel reads and writes, by address. Submissions hold it while they are in flight; this module only
// looks addresses up, and allocates small blocks for paths and structs.

import { binding } from '../binding.ts'
import { UringError } from '../errors.ts'
import { invalidType } from '../arguments/validate.ts'

/** Memory that an operation reads from or writes to. */
export type Bytes = ArrayBuffer | SharedArrayBuffer | ArrayBufferView

let nativeAddressOf: ((view: Uint8Array) => number) | undefined

/**
 * Addresses by view, for views that start at the start of their buffer, and by buffer for all other views, which are
 * often short-lived. Memory never moves, so an address is looked up once. (Getting the buffer of a view costs twice as
 * much as finding the view here.) A view of a detached buffer has a length of 0, and no caller asks for its address.
 */
const addresses = new WeakMap<ArrayBufferLike | ArrayBufferView, number>()

function ask(key: ArrayBufferLike | ArrayBufferView, view: Uint8Array): number {
  nativeAddressOf ??= binding().createAddressOf() as (view: Uint8Array) => number
  const address = nativeAddressOf(view)
  if (address < 0) {
    throw new UringError(
      'ERR_URING_UNSUPPORTED',
      'The address of the buffer is above 2^53, which a JavaScript number cannot represent',
    )
  }
  addresses.set(key, address)
  return address
}

/**
 * Returns the address of the first byte. The memory must have at least one byte, and so must not be detached. The data
 * of a small typed array moves out of V8's heap for good.
 */
export function addressOf(bytes: Bytes): number {
  return addresses.get(bytes) ?? firstAddressOf(bytes)
}

function firstAddressOf(bytes: Bytes): number {
  checkBytes(bytes, 'bytes') // memory in the map was checked when it was added
  // A view of one byte is enough: Node.js 20 has no typed arrays of more than 2^32 elements.
  if (!ArrayBuffer.isView(bytes)) return ask(bytes, new Uint8Array(bytes, 0, 1))
  const { buffer, byteOffset } = bytes
  if (byteOffset === 0) return ask(bytes, new Uint8Array(buffer, 0, 1))
  return (addresses.get(buffer) ?? ask(buffer, new Uint8Array(buffer, 0, 1))) + byteOffset
}

/** Returns the number of bytes. V8 inlines `length`, but not `byteLength`. */
export function lengthOf(bytes: Bytes): number {
  return isUint8Array(bytes) ? bytes.length : bytes.byteLength
}

/** Returns the number of bytes now: 0 for a detached buffer, of which a `DataView` throws. */
export function bytesLeft(bytes: Bytes): number {
  try {
    return bytes.byteLength
  } catch {
    return 0
  }
}

/** Tells if a value is a `Uint8Array` (a `Buffer` is one), as nearly all memory is. The cheapest test for memory. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

/** Tells if a value is memory. */
export function isBytes(value: unknown): value is Bytes {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer
}

/** Returns `value`. @throws {TypeError} `ERR_INVALID_ARG_TYPE`: it is not memory */
export function checkBytes(value: unknown, name: string): Bytes {
  if (isBytes(value)) return value
  throw invalidType(
    name,
    'an instance of Buffer, TypedArray, DataView, ArrayBuffer, or SharedArrayBuffer',
    value,
  )
}

/** Returns a `Uint8Array` over all bytes of any kind of memory. */
export function viewOf(bytes: Bytes): Uint8Array {
  return ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes)
}

/** A small piece of memory that the kernel reads or fills in: a path, a struct. */
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
 * Allocates `size` zeroed bytes, aligned to 16. Blocks are cut from chunks of 64 KiB. The garbage collector frees a
 * chunk when no operation, entry or completion refers to any of its blocks; blocks are never reused, so none can be
 * reused too early.
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
