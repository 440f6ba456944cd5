// One view of any kind of memory.

import type { Bytes } from './address-of.ts'

/** All bytes of a piece of memory. */
export function viewOf(bytes: Bytes): Uint8Array {
  return ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes)
}
