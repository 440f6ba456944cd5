// Registered buffers, by the system call itself.

import type { Bytes, Ring } from 'uring'
import { createAddressOf } from 'uring/native'
import { ioUringRegister } from 'uring/sys'

const nativeAddressOf = createAddressOf()

const REGISTER_BUFFERS = 0

function checked(result: number): void {
  if (result < 0) throw new Error(`registering failed: ${result}`)
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
