// Registered files and buffers, by the system call itself.

import type { Bytes, Ring } from 'uring'
import { createAddressOf } from 'uring/native'
import { ioUringRegister } from 'uring/sys'

const nativeAddressOf = createAddressOf()

const REGISTER_BUFFERS = 0
const REGISTER_FILES = 2
const REGISTER_FILES2 = 13
const SPARSE = 1

function checked(result: number): void {
  if (result < 0) throw new Error(`registering failed: ${result}`)
}

/** Registers descriptors from slot 0 on; -1 leaves a slot empty. */
export function registerFiles(ring: Ring, descriptors: readonly number[]): void {
  checked(ioUringRegister(ring.fd, REGISTER_FILES, Int32Array.from(descriptors), descriptors.length))
}

/** Registers a table of so many empty slots. */
export function registerEmpty(ring: Ring, count: number): void {
  const argument = new Uint32Array([count, SPARSE, 0, 0, 0, 0, 0, 0]) // struct io_uring_rsrc_register
  checked(ioUringRegister(ring.fd, REGISTER_FILES2, argument, argument.byteLength))
}

/** Registers memory from slot 0 on. The caller keeps it as long as the ring lives. */
export function registerBuffers(ring: Ring, buffers: readonly Bytes[]): void {
  const iovecs = new BigUint64Array(buffers.length * 2)
  for (const [index, bytes] of buffers.entries()) {
    const view = ArrayBuffer.isView(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes)
    iovecs[index * 2] = BigInt(nativeAddressOf(view))
    iovecs[index * 2 + 1] = BigInt(bytes.byteLength)
  }
  checked(ioUringRegister(ring.fd, REGISTER_BUFFERS, iovecs, buffers.length))
}
