// What stands in the memory of this process, read through /proc/self/mem, and where the bytes of a test are.

import { closeSync, openSync, readSync } from 'node:fs'
import test from 'ava'
import type { Bytes } from 'uring'
import * as native from 'uring/native'

const memory = openSync('/proc/self/mem', 'r')
test.after.always(() => closeSync(memory))

/** What stands at an address of this process. */
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

/** Where the bytes are: 0 where there are none. */
export function addressOf(bytes: Bytes): bigint {
  return bytes.byteLength === 0 ? 0n : BigInt(nativeAddressOf(contentOf(bytes)))
}

/** An address, and what has to stand there. */
export type Expected = readonly [address: bigint, content: Uint8Array]
