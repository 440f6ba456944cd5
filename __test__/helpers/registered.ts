// Registered files and buffers.

import type { ExecutionContext } from 'ava'
import {
  type BufferTable,
  type Bytes,
  type FixedBuffer,
  FixedFile,
  Read,
  ReadFixed,
  Ring,
  type RingOptions,
  type UringError,
} from 'uring'
import { createAddressOf } from 'uring/native'
import { ioUringRegister } from 'uring/sys'
import { complete, outcome } from './completions.ts'
import { file } from './files.ts'

// ---- files

/** Creates a file for each text; returns the descriptors. */
export function files(t: ExecutionContext, ...texts: readonly string[]): number[] {
  return texts.map((text) => file(t, text).fd)
}

/** Reads through a fixed-file slot; returns the content of the file, or the code of the error. */
export function contentOf(ring: Ring, slot: FixedFile | number): string {
  const bytes = Buffer.alloc(100)
  const fixed = typeof slot === 'number' ? new FixedFile(slot) : slot
  const { error, result } = complete(ring, new Read(fixed, bytes, { offset: 0 }))
  return error === undefined ? bytes.toString('latin1', 0, result) : error.code
}

/** Reads through the first `count` slots; returns the contents, with `-` for an empty slot. */
export function contents(ring: Ring, count: number): string {
  const all = Array.from({ length: count }, (_, index) => contentOf(ring, index))
  return all.map((content) => (content === 'EBADF' ? '-' : content)).join(' ')
}

// ---- buffers

export const TEXT = '0123456789abcdefghijklmnopqrstuvwxyz'

/** Creates a ring that is disposed of after the test. */
export function newRing(t: ExecutionContext, options?: RingOptions): Ring {
  const ring = new Ring({ entries: 16, ...options })
  t.teardown(() => ring[Symbol.dispose]())
  return ring
}

/** Creates a ring and registers the given buffers. */
export function tableOf(
  t: ExecutionContext,
  ...views: Parameters<Ring['registerBuffers']>[0] & object
): { ring: Ring; table: BufferTable } {
  const ring = newRing(t)
  return { ring, table: ring.registerBuffers(views) }
}

/** Creates a ring and registers one buffer, whose `size` bytes count up from zero. */
export function fixedRing(
  t: ExecutionContext,
  size: number,
  options?: RingOptions,
): { ring: Ring; buffer: FixedBuffer } {
  const ring = newRing(t, options)
  const memory = ownMemory(size).map((_, index) => index) as Buffer
  return { ring, buffer: ring.registerBuffers([memory]).at(0) }
}

/** Allocates a buffer that shares its ArrayBuffer with no other. */
export function ownMemory(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(size))
}

/** Detaches the ArrayBuffer of a view. */
export function detach({ buffer }: Buffer): void {
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
}

/** Reads a whole file into a registered buffer; returns the text, or the code of the error. */
export function readThrough(ring: Ring, fd: number, buffer: FixedBuffer): string {
  const result = outcome(ring, new ReadFixed(fd, buffer, { offset: 0 }))
  return typeof result === 'number' ? buffer.view.toString('latin1', 0, result) : String(result)
}

/** Returns the tag of the next completion, or `undefined` if none is ready. */
export function nextTag(ring: Ring): bigint | undefined {
  const completion = ring.tryWait()
  if (completion === undefined) return undefined
  if (completion.source !== 'tag') throw new Error(`not a tag: ${completion.source}`)
  return completion.userData as bigint
}

/** Returns the error that a function throws. */
export function thrownBy(call: () => unknown): UringError {
  try {
    call()
  } catch (error) {
    return error as UringError
  }
  throw new Error('it did not throw')
}

const nativeAddressOf = createAddressOf()

const REGISTER_BUFFERS = 0

/** Registers buffers with io_uring_register(2) itself. The caller keeps them alive as long as the ring. */
export function registerBuffers(ring: Ring, buffers: readonly Bytes[]): void {
  const iovecs = new BigUint64Array(buffers.length * 2)
  for (const [index, bytes] of buffers.entries()) {
    const view = ArrayBuffer.isView(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes)
    iovecs[index * 2] = BigInt(nativeAddressOf(view))
    iovecs[index * 2 + 1] = BigInt(bytes.byteLength)
  }
  const result = ioUringRegister(ring.fd, REGISTER_BUFFERS, iovecs, buffers.length)
  if (result < 0) throw new Error(`registering failed: ${result}`)
}

/** Returns the tags that have arrived, sorted. */
export function tags(ring: Ring): bigint[] {
  const found: bigint[] = []
  for (let tag = ring.tryWait(); tag !== undefined; tag = ring.tryWait()) {
    if (tag.source !== 'tag') throw new Error(`a ${tag.source} came`)
    found.push(tag.userData as bigint)
  }
  return found.toSorted((left, right) => Number(left - right))
}
