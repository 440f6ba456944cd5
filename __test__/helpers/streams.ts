// Connections over TCP, buffers in groups, and what completes, for operations that send and receive.

import { readSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import {
  type Completion,
  Entry,
  MessageFlags,
  type Operation,
  ProvideBuffers,
  type Received,
  Ring,
  Send,
  SocketDomain,
  SocketType,
} from 'uring'
import * as native from 'uring/native'
import { getsockname } from 'uring/sys'
import { closing } from './sockets.ts'

const nativeAddressOf = native.createAddressOf()

/** The group that the tests put their buffers into. */
export const GROUP = 7

/** Submits one operation and gives the kernel's number. */
function result(ring: Ring, bytes: Uint8Array, keep: readonly unknown[] = []): number {
  ring.push(Entry.from(bytes, { keep }))
  const completion = ring.wait()
  if (completion === undefined || !completion.ok) throw completion?.error ?? new Error('nothing came')
  return completion.result
}

/** A `struct sockaddr_in` of this machine. */
function loopback(port: number): Uint8Array {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt16LE(SocketDomain.INET)
  bytes.writeUInt16BE(port, 2)
  bytes.set([127, 0, 0, 1], 4)
  return bytes
}

/** A socket of this kind with a port of its own. */
export function bound(t: ExecutionContext, type: number): { fd: number; port: number } {
  using ring = new Ring({ entries: 2 })
  const fd = closing(t, result(ring, new native.Socket(SocketDomain.INET, type, 0).build()))
  const address = loopback(0)
  result(ring, new native.Bind(fd, nativeAddressOf(address), address.length).build(), [address])
  const name = getsockname(fd)
  if (name === undefined || !('port' in name)) throw new Error('the socket has no port')
  return { fd, port: name.port }
}

/** Two sockets that are connected to each other over TCP. */
export function tcp(t: ExecutionContext): [number, number] {
  using ring = new Ring({ entries: 2 })
  const server = bound(t, SocketType.STREAM)
  result(ring, new native.Listen(server.fd, 1).build())
  const client = closing(t, result(ring, new native.Socket(SocketDomain.INET, SocketType.STREAM, 0).build()))
  const address = loopback(server.port)
  result(ring, new native.Connect(client, nativeAddressOf(address), address.length).build(), [address])
  return [client, closing(t, result(ring, new native.Accept(server.fd).build()))]
}

/** Puts buffers of `size` bytes into a group: `content`, or so many that are filled with dots. Gives their memory. */
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
  if (completion?.ok !== true) throw completion?.error ?? new Error('nothing came')
  return memory
}

function received(completion: Completion | undefined): Received {
  if (completion === undefined) throw new Error('nothing came')
  return completion.value as Received
}

/** The bytes that a completion brought into a group. */
export function text(completion: Completion | undefined): string {
  return received(completion).bytes.toString('latin1')
}

/** The parts of buffers that a completion filled. */
export function views(completion: Completion | undefined): readonly Buffer[] {
  return received(completion).views
}

/** What completes, up to a completion that says that it is the last of its operation. */
export function completions(ring: Ring): Completion[] {
  const all: Completion[] = []
  for (;;) {
    const completion = ring.wait()
    if (completion === undefined) throw new Error('nothing came')
    all.push(completion)
    if (!completion.more) return all
  }
}

/** What an operation completes with first. */
export function done(ring: Ring, operation: Operation<unknown>): Completion {
  ring.push(operation)
  const completion = ring.wait()
  if (completion === undefined) throw new Error('nothing came')
  return completion
}

/** The code of a failure, if it is one. */
export function code(ring: Ring, operation: Operation<unknown>): string | undefined {
  return done(ring, operation).error?.code
}

/** What is there to be read. */
export function read(fd: number): string {
  const bytes = Buffer.alloc(1 << 16)
  return bytes.toString('latin1', 0, readSync(fd, bytes))
}

/** Fills what the kernel keeps for a socket, and tells how much that is. */
export function fill(ring: Ring, fd: number): number {
  const junk = Buffer.alloc(1 << 16, '#')
  for (let total = 0; ;) {
    const { result } = done(ring, new Send(fd, junk, { flags: MessageFlags.DONTWAIT }))
    if (result < 0) return total
    total += result
  }
}
