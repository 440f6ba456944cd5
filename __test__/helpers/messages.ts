// Sockets without a reader in Node.js, sockets of node:dgram as their peers, and messages with control messages.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import {
  type Completion,
  type ControlMessage,
  ControlType,
  Entry,
  type Operation,
  ProvideBuffers,
  RecvMsg,
  Ring,
  SocketDomain,
  SocketLevel,
  SocketType,
} from 'uring'
import * as native from 'uring/native'
import { getsockname } from 'uring/sys'
import { closing } from './sockets.ts'

const addressOf = native.createAddressOf()

export const SO_TIMESTAMP = 29

/** The address families: the type of node:dgram, the domain, the loopback address, and the name of the family. */
export const FAMILIES = [
  ['udp4', SocketDomain.INET, '127.0.0.1', 'IPv4'],
  ['udp6', SocketDomain.INET6, '::1', 'IPv6'],
] as const

/** Runs an operation of a native class on a ring of its own; returns the result. */
function runNative(operation: { build(): Uint8Array }, ...keep: readonly unknown[]): number {
  using ring = new Ring({ entries: 2 })
  ring.push(Entry.from(operation.build(), { keep }))
  const completion = ring.wait() as Completion<number>
  return completion.value
}

/** Creates a socket that has no reader. */
export function socket(t: ExecutionContext, domain: number, type: number = SocketType.DGRAM): number {
  return closing(t, runNative(new native.Socket(domain, type | SocketType.CLOEXEC, 0)))
}

/** Returns the `struct sockaddr` of the loopback address. */
export function loopback(domain: number, port: number): Buffer {
  const bytes = Buffer.alloc(domain === SocketDomain.INET ? 16 : 28)
  bytes.writeUInt16LE(domain)
  bytes.writeUInt16BE(port, 2)
  if (domain === SocketDomain.INET) bytes.set([127, 0, 0, 1], 4)
  else bytes[23] = 1
  return bytes
}

/** Returns the `struct sockaddr` of a path or of an abstract name. */
export function unix(path: string): Buffer {
  const end = path.startsWith('\0') ? [] : [0]
  return Buffer.from([SocketDomain.UNIX, 0, ...Buffer.from(path), ...end])
}

export function bind(fd: number, address: Buffer): void {
  runNative(new native.Bind(fd, addressOf(address), address.length), address)
}

export function connect(fd: number, address: Buffer): void {
  runNative(new native.Connect(fd, addressOf(address), address.length), address)
}

export function setOption(fd: number, level: number, name: number, value: number): void {
  const bytes = Buffer.from(Int32Array.of(value).buffer)
  runNative(new native.SetSockOpt(fd, level, name, addressOf(bytes), bytes.length), bytes)
}

/** Creates a datagram socket that is bound to a free port of the loopback address. */
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

/** Creates a socket of node:dgram that is bound to a free port of the loopback address. */
export async function peer(t: ExecutionContext, type: 'udp4' | 'udp6'): Promise<Socket> {
  const dgram = createSocket(type)
  dgram.bind(0, type === 'udp4' ? '127.0.0.1' : '::1')
  await once(dgram, 'listening')
  t.teardown(() => dgram.close())
  return dgram
}

/** Resolves to the next datagram that a socket of node:dgram receives. */
export async function nextDatagram(
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

/** Pushes the operation, if there is one, and returns the next completion of the ring. */
export function next<T>(ring: Ring, operation?: Operation<T> | Entry<T>): Completion<T> {
  if (operation !== undefined) ring.push(operation)
  const completion = ring.wait()
  if (completion === undefined) throw new Error('no operation completed')
  return completion as Completion<T>
}

/** Provides buffers to a buffer group; returns their memory. */
export function provide(ring: Ring, group: number, size: number, count: number, firstId = 0): Buffer {
  const memory = Buffer.alloc(size * count, '.')
  const { value } = next(ring, new ProvideBuffers(memory, size, count, group, firstId))
  if (value !== 0) throw new Error(`ProvideBuffers returned ${value}`)
  return memory
}

/** Receives one datagram of at most 100 bytes; returns it as text. */
export function receiveText(ring: Ring, fd: number, flags = 0): string {
  const bytes = Buffer.alloc(100)
  const { value } = next(ring, new RecvMsg(fd, { buffers: [bytes] }, { flags }))
  return bytes.toString('latin1', 0, value.bytes)
}

// ---- control messages

/** Returns a control message that passes descriptors. */
export function rights(...descriptors: number[]): ControlMessage {
  return {
    level: SocketLevel.SOCKET,
    type: ControlType.RIGHTS,
    data: Buffer.from(Int32Array.from(descriptors).buffer),
  }
}

/** Returns the descriptors passed by control messages; they are closed after the test. */
export function receivedDescriptors(t: ExecutionContext, control: readonly ControlMessage[]): number[] {
  return control
    .filter(({ level, type }) => level === SocketLevel.SOCKET && type === ControlType.RIGHTS)
    .flatMap(({ data }) => Array.from(new Int32Array(data.buffer, data.byteOffset, data.length / 4)))
    .map((fd) => closing(t, fd))
}

/** Returns true if a descriptor has the close-on-exec flag. */
export function closesOnExec(fd: number): boolean {
  const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] as string
  return (Number.parseInt(flags, 8) & 0o2000000) !== 0
}
