// Sockets without a reader of Node.js's, sockets of node:dgram to talk to, and what comes of a message.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { ExecutionContext } from 'ava'
import {
  type Completion,
  Entry,
  type Operation,
  ProvideBuffers,
  RecvMsg,
  Ring,
  SocketDomain,
  SocketType,
} from 'uring'
import * as native from 'uring/native'
import { getsockname } from 'uring/sys'
import { closing } from './sockets.ts'

const addressOf = native.createAddressOf()

export const SO_TIMESTAMP = 29

/** The families of the Internet: to node:dgram, to the kernel, this machine in them, and in an address. */
export const FAMILIES = [
  ['udp4', SocketDomain.INET, '127.0.0.1', 'IPv4'],
  ['udp6', SocketDomain.INET6, '::1', 'IPv6'],
] as const

/** Runs an entry of a native class. */
function issue(operation: { build(): Uint8Array }, ...keep: readonly unknown[]): number {
  using ring = new Ring({ entries: 2 })
  ring.push(Entry.from(operation.build(), { keep }))
  const completion = ring.wait() as Completion<number>
  return completion.value
}

/** A socket that nobody reads. */
export function socket(t: ExecutionContext, domain: number, type: number = SocketType.DGRAM): number {
  return closing(t, issue(new native.Socket(domain, type | SocketType.CLOEXEC, 0)))
}

/** A `struct sockaddr` of this machine's own address. */
export function loopback(domain: number, port: number): Buffer {
  const bytes = Buffer.alloc(domain === SocketDomain.INET ? 16 : 28)
  bytes.writeUInt16LE(domain)
  bytes.writeUInt16BE(port, 2)
  if (domain === SocketDomain.INET) bytes.set([127, 0, 0, 1], 4)
  else bytes[23] = 1
  return bytes
}

/** A `struct sockaddr` of a path, or of an abstract name. */
export function unix(path: string): Buffer {
  const end = path.startsWith('\0') ? [] : [0]
  return Buffer.from([SocketDomain.UNIX, 0, ...Buffer.from(path), ...end])
}

export function bind(fd: number, address: Buffer): void {
  issue(new native.Bind(fd, addressOf(address), address.length), address)
}

export function connect(fd: number, address: Buffer): void {
  issue(new native.Connect(fd, addressOf(address), address.length), address)
}

export function setOption(fd: number, level: number, name: number, value: number): void {
  const bytes = Buffer.from(Int32Array.of(value).buffer)
  issue(new native.SetSockOpt(fd, level, name, addressOf(bytes), bytes.length), bytes)
}

/** A socket for datagrams at a free port of this machine's own address. */
export function bound(t: ExecutionContext, domain: number): { fd: number; port: number } {
  const fd = socket(t, domain)
  bind(fd, loopback(domain, 0))
  return { fd, port: portOf(fd) }
}

export function portOf(fd: number): number {
  const address = getsockname(fd)
  if (address === undefined || !('port' in address)) throw new Error('the socket has no port')
  return address.port
}

/** A socket of node:dgram at a free port of this machine's own address. */
export async function peer(t: ExecutionContext, type: 'udp4' | 'udp6'): Promise<Socket> {
  const dgram = createSocket(type)
  dgram.bind(0, type === 'udp4' ? '127.0.0.1' : '::1')
  await once(dgram, 'listening')
  t.teardown(() => dgram.close())
  return dgram
}

/** The next datagram that a socket of node:dgram gets. */
export async function received(
  dgram: Socket,
): Promise<{ bytes: Buffer; family: string; address: string; port: number }> {
  const [bytes, { family, address, port }] = (await once(dgram, 'message')) as [
    Buffer,
    { family: string; address: string; port: number },
  ]
  return { bytes, family, address, port }
}

/** Sends a datagram from a socket of node:dgram. */
export function send(dgram: Socket, bytes: Uint8Array, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    dgram.send(bytes, port, dgram.address().address, (error) => (error === null ? resolve() : reject(error)))
  })
}

/** The next completion of a ring that has one, or gets one from what is pushed now. */
export function next<T>(ring: Ring, operation?: Operation<T> | Entry<T>): Completion<T> {
  if (operation !== undefined) ring.push(operation)
  const completion = ring.wait()
  if (completion === undefined) throw new Error('nothing completed')
  return completion as Completion<T>
}

/** Puts buffers into a group. */
export function provide(ring: Ring, group: number, size: number, count: number, firstId = 0): Buffer {
  const memory = Buffer.alloc(size * count, '.')
  const { value } = next(ring, new ProvideBuffers(memory, size, count, group, firstId))
  if (value !== 0) throw new Error(`providing buffers gave ${value}`)
  return memory
}

/** The code of a failure, if it is one. */
export function code(ring: Ring, operation: Operation<unknown>): string | undefined {
  return next(ring, operation).error?.code
}

/** Room for one datagram, and what came into it. */
export function take(ring: Ring, fd: number, flags = 0): string {
  const bytes = Buffer.alloc(100)
  const { value } = next(ring, new RecvMsg(fd, { buffers: [bytes] }, { flags }))
  return bytes.toString('latin1', 0, value.bytes)
}
