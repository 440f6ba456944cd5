// Reads the memory of this process through /proc/self/mem, and tells where the bytes of a test are.

import { openSync, readSync } from 'node:fs'
import type { Bytes } from 'uring'
import * as native from 'uring/native'
import { struct } from './arbitraries.ts'

/** Open until the process ends: a hook would have to be declared before the families of operations are loaded. */
const memory = openSync('/proc/self/mem', 'r')

/** Returns the bytes at an address of this process. */
export function memoryAt(address: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let done = 0; done < length;) {
    const count = readSync(memory, bytes, done, length - done, address + BigInt(done))
    if (count === 0) throw new Error(`nothing can be read at 0x${address.toString(16)}`)
    done += count
  }
  return bytes
}

export function contentOf(bytes: Bytes): Uint8Array {
  return ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes)
}

const nativeAddressOf = native.createAddressOf()

/** Returns the address of bytes: 0 if there are none. */
export function addressOf(bytes: Bytes): bigint {
  return bytes.byteLength === 0 ? 0n : BigInt(nativeAddressOf(contentOf(bytes)))
}

/** An address, and the bytes that must be there. */
export type Expected = readonly [address: bigint, content: Uint8Array]

/** The content of a buffer, at its own address. */
export function dataAt(buffer: Bytes): Expected {
  return [addressOf(buffer), contentOf(buffer)]
}

/** `struct iovec[]` of buffers. */
export function iovecsOf(buffers: readonly Bytes[]): Uint8Array {
  return struct(buffers.flatMap((buffer) => [addressOf(buffer), BigInt(buffer.byteLength)]))
}

/** `struct iovec[]` at an address, and the content of the buffers. */
export function vectorAt(address: bigint, buffers: readonly Bytes[]): Expected[] {
  return [[address, iovecsOf(buffers)], ...[...new Set(buffers)].map(dataAt)]
}
