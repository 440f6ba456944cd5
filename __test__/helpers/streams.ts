// TCP connections and buffer groups for operations that send and receive.

import { readSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import {
  type Completion,
  Entry,
  MessageFlags,
  ProvideBuffers,
  type Received,
  Ring,
  Send,
  SocketDomain,
  SocketType,
} from 'uring'
import * as native from 'uring/native'
import { getsockname } from 'uring/sys'
import { complete } from './completions.ts'
import { closing } from './sockets.ts'

const nativeAddressOf = native.createAddressOf()

/** The buffer group of the tests. */
export const GROUP = 7

/** Runs one built entry; returns the result of its completion. */
function runNative(ring: Ring, bytes: Uint8Array, keep: readonly unknown[] = []): number {
  ring.push(Entry.from(bytes, { keep }))
  const completion = ring.wait()
  if (completion === undefined || !completion.ok)
    throw completion?.error ?? new Error('no operation completed')
  return completion.result
}

/** Returns the `struct sockaddr_in` of the loopback address. */
function loopback(port: number): Uint8Array {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt16LE(SocketDomain.INET)
  bytes.writeUInt16BE(port, 2)
  bytes.set([127, 0, 0, 1], 4)
  return bytes
}

/** Creates a socket of this type that is bound to a free port of the loopback address. */
export function bound(t: ExecutionContext, type: number): { fd: number; port: number } {
  using ring = new Ring({ entries: 2 })
  const fd = closing(t, runNative(ring, new native.Socket(SocketDomain.INET, type, 0).build()))
  const address = loopback(0)
  runNative(ring, new native.Bind(fd, nativeAddressOf(address), address.length).build(), [address])
  const name = getsockname(fd)
  if (name === undefined || !('port' in name)) throw new Error('the socket has no port')
  return { fd, port: name.port }
}

/** Creates two sockets that are connected over TCP. */
export function tcpPair(t: ExecutionContext): [number, number] {
  using ring = new Ring({ entries: 2 })
  const server = bound(t, SocketType.STREAM)
  runNative(ring, new native.Listen(server.fd, 1).build())
  const client = closing(
    t,
    runNative(ring, new native.Socket(SocketDomain.INET, SocketType.STREAM, 0).build()),
  )
  const address = loopback(server.port)
  runNative(ring, new native.Connect(client, nativeAddressOf(address), address.length).build(), [address])
  return [client, closing(t, runNative(ring, new native.Accept(server.fd).build()))]
}

/**
 * Provides buffers of `size` bytes to a buffer group: `content` cut into pieces, or a number of buffers filled with dots.
 * Returns their memory.
 */
export function provide(
  ring: Ring,
  group: number,
  size: number,
  content: string | number,
  firstId = 0,
): Buffer {
  const memory = typeof content === 'string' ? Buffer.from(content) : Buffer.alloc(size * content, '.')
  ring.push(new ProvideBuffers(memory, size, memory.length / size, group, firstId))
  const completion = ring.wait()
  if (completion?.ok !== true) throw completion?.error ?? new Error('no operation completed')
  return memory
}

function received(completion: Completion | undefined): Received {
  if (completion === undefined) throw new Error('no operation completed')
  return completion.value as Received
}

/** Returns the bytes that a completion received into a buffer group, as text. */
export function text(completion: Completion | undefined): string {
  return received(completion).bytes.toString('latin1')
}

/** Returns the views of the buffers that a completion filled. */
export function views(completion: Completion | undefined): readonly Buffer[] {
  return received(completion).views
}

/** Returns completions up to the first one without `more`, which is the last of its operation. */
export function completionsToLast(ring: Ring): Completion[] {
  const all: Completion[] = []
  for (;;) {
    const completion = ring.wait()
    if (completion === undefined) throw new Error('no operation completed')
    all.push(completion)
    if (!completion.more) return all
  }
}

/** Reads at most 64 KiB from a descriptor as text. */
export function readAll(fd: number): string {
  const bytes = Buffer.alloc(1 << 16)
  return bytes.toString('latin1', 0, readSync(fd, bytes))
}

/** Sends until the send buffer of a socket is full; returns the number of bytes sent. */
export function fillSendBuffer(ring: Ring, fd: number): number {
  const junk = Buffer.alloc(1 << 16, '#')
  for (let total = 0; ;) {
    const { result } = complete(ring, new Send(fd, junk, { flags: MessageFlags.DONTWAIT }))
    if (result < 0) return total
    total += result
  }
}
