// Sockets made through a ring, and what node:net and node:dgram have at the other end.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket as NetSocket } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { ExecutionContext } from 'ava'
import {
  type Address,
  Bind,
  type Completion,
  type Entry,
  type FixedFile,
  Listen,
  type Operation,
  Read,
  type Ring,
  Socket,
  type SocketAddress,
  SocketDomain,
  SocketType,
  Write,
} from 'uring'
import { getsockname } from 'uring/sys'
import { directory } from './files.ts'
import { closing } from './sockets.ts'

/** What does not complete by then never will. */
const PATIENCE = 30_000

/** What came of one operation, alone on its ring. */
export function one<T>(ring: Ring, operation: Operation<T> | Entry<T>): Completion<T> {
  ring.push(operation)
  const completion = ring.wait({ timeout: PATIENCE })
  if (completion === undefined) throw new Error('nothing completed')
  return completion as Completion<T>
}

/** What an operation resolves to. */
export function value<T>(ring: Ring, operation: Operation<T> | Entry<T>): T {
  return one(ring, operation).value
}

/** The code of an operation's failure; absent if it did not fail. */
export function code(ring: Ring, operation: Operation<unknown> | Entry<unknown>): string | undefined {
  return one(ring, operation).error?.code
}

/** The next completion, while the events of this thread go on. */
export async function next(ring: Ring): Promise<Completion> {
  ring.submit()
  for (;;) {
    const completion = ring.tryWait()
    if (completion !== undefined) return completion
    await new Promise(setImmediate)
  }
}

/** A new socket. */
export function socket(
  t: ExecutionContext,
  ring: Ring,
  domain: number = SocketDomain.INET,
  type: number = SocketType.STREAM,
): number {
  return closing(t, value(ring, new Socket(domain, type)))
}

export function domainOf(address: Address): number {
  if (address instanceof Uint8Array) return address[0] ?? 0
  if ('path' in address) return SocketDomain.UNIX
  return address.address.includes(':') ? SocketDomain.INET6 : SocketDomain.INET
}

/** A socket with this address, and the address that it really has. */
export function bound(
  t: ExecutionContext,
  ring: Ring,
  address: Address = { address: '127.0.0.1', port: 0 },
  type: number = SocketType.STREAM,
): { fd: number; address: Address & SocketAddress } {
  const fd = socket(t, ring, domainOf(address), type)
  value(ring, new Bind(fd, address))
  return { fd, address: nameOf(fd) }
}

/** The address of a socket, which has one that can be given to the ring again. */
export function nameOf(fd: number): Address & SocketAddress {
  const name = getsockname(fd)
  if (name === undefined || 'bytes' in name) throw new Error('it has no name')
  return name
}

/** A socket that listens. */
export function listening(
  t: ExecutionContext,
  ring: Ring,
  address?: Address,
  backlog = 16,
): { fd: number; address: Address & SocketAddress } {
  const server = bound(t, ring, address)
  value(ring, new Listen(server.fd, backlog))
  return server
}

/** The descriptor of a socket or server of `node:net`. */
export function fdOf(socket: object): number {
  return (socket as { _handle: { fd: number } })._handle.fd
}

/** The status flags of a descriptor, as open(2) has them. */
export function statusFlags(fd: number): number {
  const digits = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
  return Number.parseInt(digits ?? '', 8)
}

/** Whether this machine has the IPv6 loopback. */
export const HAS_IPV6: boolean = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
)

/** The addresses of the loopback that there are. */
export const LOOPBACKS: readonly string[] = HAS_IPV6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']

/** An abstract name that nobody else has. */
export function abstract(t: ExecutionContext): string {
  return `\0${directory(t)}`
}

/** A server of `node:net` that is listening. */
export async function serve(
  t: ExecutionContext,
  where: { host: string; port: 0 } | { path: string },
): Promise<Server> {
  const server = createServer({ allowHalfOpen: true })
  t.teardown(() => server.close())
  await once(server.listen(where), 'listening')
  return server
}

/** The connection that a server gets next. */
export async function connection(t: ExecutionContext, server: Server): Promise<NetSocket> {
  const [peer] = (await once(server, 'connection')) as [NetSocket]
  t.teardown(() => peer.destroy())
  return peer
}

/** A client of `node:net` that is connected. */
export async function client(t: ExecutionContext, address: Address): Promise<NetSocket> {
  const options =
    'path' in address
      ? address
      : 'address' in address
        ? { host: address.address, port: address.port }
        : undefined
  if (options === undefined) throw new Error('it is for no address')
  const socket = connect({ ...options, allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** Sends both ways through a connection between a ring and `node:net`. */
export async function talk(
  t: ExecutionContext,
  ring: Ring,
  fd: number | FixedFile,
  peer: NetSocket,
): Promise<void> {
  t.is(value(ring, new Write(fd, Buffer.from('from the ring'))), 13)
  const [data] = (await once(peer, 'data')) as [Buffer]
  t.is(data.toString(), 'from the ring')
  peer.write('from node:net')
  const bytes = Buffer.alloc(20)
  ring.push(new Read(fd, bytes))
  t.is((await next(ring)).value, 13)
  t.is(bytes.toString('latin1', 0, 13), 'from node:net')
}
