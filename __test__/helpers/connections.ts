// Sockets created through a ring, and servers and clients of node:net as their peers.

import { once } from 'node:events'
import { connect, createServer, type Server, type Socket as NetSocket } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { ExecutionContext } from 'ava'
import {
  type Address,
  Bind,
  type Completion,
  type FixedFile,
  Listen,
  Read,
  type Ring,
  Socket,
  type SocketAddress,
  SocketDomain,
  SocketType,
  Write,
} from 'uring'
import { getsockname } from 'uring/sys'
import { value } from './completions.ts'
import { directory } from './files.ts'
import { closing } from './sockets.ts'

/** Resolves to the next completion; the event loop turns meanwhile. */
export async function next(ring: Ring): Promise<Completion> {
  ring.submit()
  for (;;) {
    const completion = ring.tryWait()
    if (completion !== undefined) return completion
    await new Promise(setImmediate)
  }
}

/** Creates a socket. */
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

/** Creates a socket that is bound to an address; returns the address that getsockname(2) reports. */
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

/** Returns the address of a socket. */
export function nameOf(fd: number): Address & SocketAddress {
  const name = getsockname(fd)
  if (name === undefined || 'bytes' in name) throw new Error('the socket has no address')
  return name
}

/** Creates a listening socket; returns its address. */
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

/** Returns the descriptor of a socket or server of node:net. */
export function fdOf(socket: object): number {
  return (socket as { _handle: { fd: number } })._handle.fd
}

/** True if this machine has the loopback address of IPv6. */
export const HAS_IPV6: boolean = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
)

/** The loopback addresses of this machine. */
export const LOOPBACKS: readonly string[] = HAS_IPV6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']

/** Returns a unique abstract name. */
export function abstractName(t: ExecutionContext): string {
  return `\0${directory(t)}`
}

/** Creates a listening server of node:net. */
export async function serve(
  t: ExecutionContext,
  where: { host: string; port: 0 } | { path: string },
): Promise<Server> {
  const server = createServer({ allowHalfOpen: true })
  t.teardown(() => server.close())
  await once(server.listen(where), 'listening')
  return server
}

/** Resolves to the next connection of a server. */
export async function connection(t: ExecutionContext, server: Server): Promise<NetSocket> {
  const [peer] = (await once(server, 'connection')) as [NetSocket]
  t.teardown(() => peer.destroy())
  return peer
}

/** Creates a connected client of node:net. */
export async function client(t: ExecutionContext, address: Address): Promise<NetSocket> {
  const options =
    'path' in address
      ? address
      : 'address' in address
        ? { host: address.address, port: address.port }
        : undefined
  if (options === undefined) throw new Error('an address as bytes is not supported')
  const socket = connect({ ...options, allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** Sends bytes in both directions between a ring and a peer of node:net, and compares what arrives. */
export async function exchangeData(
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
