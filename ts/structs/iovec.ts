// Arrays of `struct iovec`: several buffers for one operation.

import {
  addressOf,
  allocateBlock,
  type Block,
  type Bytes,
  bytesLeft,
  checkBytes,
} from '../memory/address-of.ts'
import { invalidType, outOfRange } from '../arguments/validate.ts'

const IOVEC_BYTES = 16
/** The kernel's limit of buffers per call (`UIO_MAXIOV`). */
const MAX_IOVECS = 1024

/**
 * Returns `buffers`.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not an array, or an element is not memory
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: more than 1024 buffers
 */
export function checkVector(buffers: unknown, name: string): readonly Bytes[] {
  if (!Array.isArray(buffers)) throw invalidType(name, 'an instance of Array', buffers)
  if (buffers.length > MAX_IOVECS) throw outOfRange(`${name}.length`, `<= ${MAX_IOVECS}`, buffers.length)
  for (let index = 0; index < buffers.length; index += 1) checkBytes(buffers[index], `${name}[${index}]`)
  return buffers as Bytes[]
}

/** An array of `struct iovec`, and the buffers that it points at. */
export interface Vector {
  readonly address: number
  readonly buffers: readonly Bytes[]
  /** The memory of the array. */
  readonly memory: Buffer
}

/** Writes the addresses and lengths of buffers to memory that the kernel can read. Throws like {@link checkVector}. */
export function vector(buffers: readonly Bytes[], name: string): Vector {
  const copy = [...checkVector(buffers, name)]
  const { address, bytes } = allocateBlock(copy.length * IOVEC_BYTES)
  for (const [index, buffer] of copy.entries()) {
    const at = index * IOVEC_BYTES
    bytes.writeBigUInt64LE(BigInt(buffer.byteLength === 0 ? 0 : addressOf(buffer)), at)
    bytes.writeBigUInt64LE(BigInt(buffer.byteLength), at + 8)
  }
  return { address, buffers: copy, memory: bytes }
}

/**
 * Allocates one `struct iovec` with a length and no address, for a buffer that the kernel chooses from a buffer group.
 */
export function lengthVector(length: number): Block {
  const block = allocateBlock(IOVEC_BYTES)
  block.bytes.writeUInt32LE(length, 8)
  return block
}

/** Returns the number of bytes that the buffers have now, all together. Detached buffers have none. */
export function sizeOf(buffers: readonly Bytes[]): number {
  return buffers.reduce((sum, bytes) => sum + bytesLeft(bytes), 0)
}
