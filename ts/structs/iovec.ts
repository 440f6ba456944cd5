// Several buffers for one call: arrays of `struct iovec`.

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
/** What the kernel takes in one call (`UIO_MAXIOV`). */
const MAX_IOVECS = 1024

/** `buffers` if it is an array of memory. */
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
  /** Holds the array's memory. */
  readonly memory: Buffer
}

/** Checks buffers and puts their places where the kernel can read them. */
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

/** One `struct iovec` that has a length and no place: the kernel chooses that from a group. */
export function lengthVector(length: number): Block {
  const block = allocateBlock(IOVEC_BYTES)
  block.bytes.writeUInt32LE(length, 8)
  return block
}

/** How many bytes the buffers have now. */
export function sizeOf(buffers: readonly Bytes[]): number {
  return buffers.reduce((sum, bytes) => sum + bytesLeft(bytes), 0)
}
