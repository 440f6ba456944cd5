// Creating, binding, connecting and shutting down sockets.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { closeSync, fstatSync, readFileSync, statSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  Accept,
  type Address,
  Bind,
  Connect,
  FixedFile,
  GetSockOpt,
  Listen,
  Read,
  Ring,
  SetSockOpt,
  Shutdown,
  Socket,
  SocketDomain,
  SocketLevel,
  SocketOption,
  SocketProtocol,
  SocketType,
  Write,
} from 'uring'
import { getpeername, getsockname } from 'uring/sys'
import { complete, errorCode, value } from '../../helpers/completions.ts'
import {
  abstractName,
  bound,
  client,
  connection,
  exchangeData,
  fdOf,
  HAS_IPV6,
  listening,
  LOOPBACKS,
  nameOf,
  next,
  serve,
  socket,
} from '../../helpers/connections.ts'
import { directory, file } from '../../helpers/files.ts'
import { flagsOf } from '../../helpers/pipes.ts'
import { closing, pair } from '../../helpers/sockets.ts'

const { UNIX, INET, INET6 } = SocketDomain
const { STREAM, DGRAM, SEQPACKET, NONBLOCK, CLOEXEC } = SocketType

test('Socket: creates a socket of a domain, type and protocol', (t) => {
  using ring = new Ring({ entries: 8 })
  const { SOCKET } = SocketLevel
  for (const [domain, type, protocol, expected] of [
    [UNIX, STREAM, undefined, 0],
    [UNIX, SEQPACKET, 0, 0],
    [INET, STREAM, undefined, SocketProtocol.TCP],
    [INET, DGRAM, SocketProtocol.UDP, SocketProtocol.UDP],
    [INET, DGRAM, SocketProtocol.UDPLITE, SocketProtocol.UDPLITE],
    ...(HAS_IPV6 ? ([[INET6, DGRAM, undefined, SocketProtocol.UDP]] as const) : []),
  ] as const) {
    const operation = new Socket(domain, type, protocol === undefined ? {} : { protocol })
    const completion = complete(ring, operation)
    // Not every kernel is built with every protocol.
    if (protocol === SocketProtocol.UDPLITE && completion.error?.code === 'EPROTONOSUPPORT') continue
    const fd = closing(t, completion.value)
    t.true(fstatSync(fd).isSocket())
    t.is(value(ring, new GetSockOpt(fd, SOCKET, SocketOption.DOMAIN)), domain)
    t.is(value(ring, new GetSockOpt(fd, SOCKET, SocketOption.TYPE)), type)
    t.is(value(ring, new GetSockOpt(fd, SOCKET, SocketOption.PROTOCOL)), expected)
  }
})

test('Socket: sets close-on-exec unless cloexec is false, and the flags of the type', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const [type, options, expected] of [
    [STREAM, undefined, CLOEXEC],
    [STREAM, { cloexec: true }, CLOEXEC],
    [STREAM, { cloexec: false }, 0],
    [STREAM | CLOEXEC, { cloexec: false }, CLOEXEC],
    [STREAM | NONBLOCK, undefined, CLOEXEC | NONBLOCK],
    [STREAM | NONBLOCK, { cloexec: false }, NONBLOCK],
  ] as const) {
    const fd = closing(t, value(ring, new Socket(UNIX, type, options)))
    t.is(flagsOf(fd) & (CLOEXEC | NONBLOCK), expected)
  }
})

test('Socket: fails with error codes of the kernel', (t) => {
  using ring = new Ring({ entries: 8 })
  const { error } = complete(ring, new Socket(1234, STREAM))
  t.is(error?.message, 'EAFNOSUPPORT: address family not supported, socket')
  t.like(error, { syscall: 'socket', operation: 'Socket' })
  t.is(errorCode(ring, new Socket(INET, STREAM, { protocol: SocketProtocol.UDP })), 'EPROTONOSUPPORT')
  t.is(errorCode(ring, new Socket(INET, SEQPACKET)), 'ESOCKTNOSUPPORT')
  t.is(errorCode(ring, new Socket(INET, 0xf)), 'EINVAL')
})

test('Socket: creates fixed files', (t) => {
  using ring = new Ring({ entries: 8 })
  // Without a file table: one code for a slot that is named, another for a slot that the kernel chooses.
  t.is(errorCode(ring, new Socket(INET, STREAM, { direct: 0 })), 'ENXIO')
  t.is(errorCode(ring, new Socket(INET, STREAM, { direct: 'auto' })), 'ENFILE')
  ring.registerFiles(3)
  const type = (file: FixedFile): number =>
    value(ring, new GetSockOpt(file, SocketLevel.SOCKET, SocketOption.TYPE))
  const named: FixedFile = value(ring, new Socket(INET, STREAM, { direct: 1 }))
  t.deepEqual(named, new FixedFile(1))
  t.is(type(named), STREAM)
  t.is(errorCode(ring, new GetSockOpt(new FixedFile(0), 1, 3)), 'EBADF')
  const object = value(ring, new Socket(INET, DGRAM, { direct: new FixedFile(0) }))
  t.deepEqual(object, new FixedFile(0))
  t.is(type(object), DGRAM)
  // The result is the slot that the kernel chose.
  const chosen = value(ring, new Socket(UNIX, SEQPACKET, { direct: 'auto', cloexec: true }))
  t.deepEqual(chosen, new FixedFile(2))
  t.is(type(chosen), SEQPACKET)
  t.is(errorCode(ring, new Socket(INET, STREAM, { direct: 'auto' })), 'ENFILE', 'the table is full')
  t.is(errorCode(ring, new Socket(INET, STREAM, { direct: 3 })), 'EINVAL', 'there is no such slot')
  t.is(errorCode(ring, new Socket(INET, STREAM | CLOEXEC, { direct: 0 })), 'EINVAL', 'they have no such flag')
  // A slot that is in use is replaced.
  t.deepEqual(value(ring, new Socket(UNIX, DGRAM, { direct: 1 })), new FixedFile(1))
  t.is(type(named), DGRAM)
})

test('Bind: gives the socket the address', (t) => {
  using ring = new Ring({ entries: 8 })
  const path = join(directory(t), 'socket')
  const name = abstractName(t)
  for (const [address, expected] of [
    [{ path }, { family: 'Unix', path }],
    [{ path: name }, { family: 'Unix', path: name }],
    [
      { address: '127.0.0.1', port: 0 },
      { family: 'IPv4', address: '127.0.0.1' },
    ],
    [Uint8Array.of(INET, 0, 0, 0, 127, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0), { address: '127.0.0.2' }],
  ] as const) {
    t.like(bound(t, ring, address).address, expected)
  }
  t.true(statSync(path).isSocket())
  if (HAS_IPV6) t.like(bound(t, ring, { address: '0:0:0::0001', port: 0 }).address, { address: '::1' })
  // The number of a free port.
  const { fd, address } = bound(t, ring)
  const port = 'port' in address ? address.port : 0
  t.true(port > 0)
  t.is(errorCode(ring, new Bind(socket(t, ring), { address: '127.0.0.1', port })), 'EADDRINUSE')
  t.like(bound(t, ring, { address: '127.0.0.3', port }).address, { address: '127.0.0.3', port })
  t.is(errorCode(ring, new Bind(fd, { address: '127.0.0.1', port: 0 })), 'EINVAL', 'it has an address')
})

test('Bind: gives a Unix socket without a path an abstract name', (t) => {
  using ring = new Ring({ entries: 8 })
  const { address } = bound(t, ring, { path: '' })
  t.regex('path' in address ? address.path : '', /^\0[\da-f]{5}$/)
})

test('Bind: takes the longest names', async (t) => {
  using ring = new Ring({ entries: 8 })
  const folder = directory(t)
  const path = `${folder}/${'x'.repeat(106 - folder.length)}`
  const name = `${abstractName(t)}${'y'.repeat(200)}`.slice(0, 108)
  t.deepEqual(listening(t, ring, { path }).address, { family: 'Unix', path })
  t.deepEqual(listening(t, ring, { path: name }).address, { family: 'Unix', path: name })
  t.true(statSync(path).isSocket())
  await client(t, { path })
  t.is(value(ring, new Connect(socket(t, ring, UNIX), { path: name })), 0)
})

test('Bind: names the path that was pushed in errors', (t) => {
  using ring = new Ring({ entries: 8 })
  const path = join(directory(t), 'socket')
  bound(t, ring, { path })
  const operation = new Bind(socket(t, ring, UNIX), { path })
  ring.push(operation)
  operation.address = { path: '/another' }
  const error = ring.wait()?.error
  t.is(error?.message, `EADDRINUSE: address already in use, bind '${path}'`)
  t.like(error, { path, syscall: 'bind', operation: 'Bind' })
  t.is(errorCode(ring, new Bind(socket(t, ring, UNIX), { path: '/nowhere/at/all' })), 'ENOENT')
  const other = complete(ring, new Bind(socket(t, ring), { address: '192.0.2.1', port: 0 })).error
  t.is(other?.message, 'EADDRNOTAVAIL: address not available, bind')
  t.is(other?.path, undefined)
  t.is(errorCode(ring, new Bind(file(t).fd, { path })), 'ENOTSOCK')
  t.is(errorCode(ring, new Bind(987_654, { path })), 'EBADF')
})

test('Bind: uses the scope of a link-local address', (t) => {
  if (!HAS_IPV6) return void t.pass('there is no IPv6 here')
  using ring = new Ring({ entries: 8 })
  const address = 'fe80::dead:beef'
  // Without a scope, the kernel does not look the address up.
  t.is(errorCode(ring, new Bind(socket(t, ring, INET6), { address, port: 0 })), 'EINVAL')
  const lo = Number(readFileSync('/sys/class/net/lo/ifindex', 'utf8'))
  t.is(errorCode(ring, new Bind(socket(t, ring, INET6), { address, port: 0, scopeId: lo })), 'EADDRNOTAVAIL')
})

test('Connect: connects to a server of node:net, by every kind of address', async (t) => {
  using ring = new Ring({ entries: 8 })
  for (const host of LOOPBACKS) {
    const server = await serve(t, { host, port: 0 })
    const { port } = server.address() as AddressInfo
    const fd = socket(t, ring, host === '::1' ? INET6 : INET)
    const incoming = connection(t, server)
    t.is(value(ring, new Connect(fd, { address: host, port })), 0)
    const peer = await incoming
    t.like(getsockname(fd), { address: peer.remoteAddress ?? '', port: peer.remotePort ?? 0 })
    t.like(getpeername(fd), { address: host, port })
    await exchangeData(t, ring, fd, peer)
  }
  const folder = directory(t)
  for (const [path, address] of [
    [join(folder, 'a'), { path: join(folder, 'a') }],
    [join(folder, 'b'), Buffer.from(`\x01\0${join(folder, 'b')}`)],
  ] as const) {
    const server = await serve(t, { path })
    const incoming = connection(t, server)
    const fd = socket(t, ring, UNIX)
    t.is(value(ring, new Connect(fd, address)), 0)
    await exchangeData(t, ring, fd, await incoming)
  }
})

test('Connect: connects to an abstract name', async (t) => {
  using ring = new Ring({ entries: 8 })
  const server = await serve(t, { path: abstractName(t) })
  const incoming = connection(t, server)
  const fd = socket(t, ring, UNIX)
  // Node.js may pad the name with NULs, which makes another name: ask the kernel.
  value(ring, new Connect(fd, nameOf(fdOf(server))))
  await exchangeData(t, ring, fd, await incoming)
})

test('Connect: connects a datagram socket to one peer, to another and to none', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = socket(t, ring, INET, DGRAM)
  for (const text of ['one', 'two']) {
    const peer = createSocket('udp4')
    t.teardown(() => peer.close())
    peer.bind(0, '127.0.0.1')
    await once(peer, 'listening')
    const { port } = peer.address()
    t.is(value(ring, new Connect(fd, { address: '127.0.0.1', port })), 0)
    const message = once(peer, 'message')
    value(ring, new Write(fd, Buffer.from(text)))
    t.is(String((await message)[0]), text)
  }
  t.is(value(ring, new Connect(fd, new Uint8Array(16))), 0, 'AF_UNSPEC')
  t.throws(() => getpeername(fd), { code: 'ENOTCONN' })
})

test('Connect: uses the flow of an IPv6 address', (t) => {
  if (!HAS_IPV6) return void t.pass('there is no IPv6 here')
  using ring = new Ring({ entries: 8 })
  const IPV6_FLOWINFO_SEND = 33
  const fd = socket(t, ring, INET6, DGRAM)
  value(ring, new SetSockOpt(fd, SocketLevel.IPV6, IPV6_FLOWINFO_SEND, 1))
  const peer = { address: '::1', port: 9, flowInfo: 0x0120_0000 } // a traffic class, and no flow label
  value(ring, new Connect(fd, peer))
  t.deepEqual(getpeername(fd), { family: 'IPv6', scopeId: 0, ...peer })
})

test('Connect: names the path that was pushed in errors', (t) => {
  using ring = new Ring({ entries: 8 })
  const path = join(directory(t), 'socket')
  const missing = complete(ring, new Connect(socket(t, ring, UNIX), { path })).error
  t.is(missing?.message, `ENOENT: no such file or directory, connect '${path}'`)
  t.like(missing, { path, syscall: 'connect', operation: 'Connect' })
  const { fd: quiet, address } = bound(t, ring, { path })
  t.is(errorCode(ring, new Connect(socket(t, ring, UNIX), address)), 'ECONNREFUSED', 'it does not listen')
  t.is(errorCode(ring, new Connect(quiet, { address: '127.0.0.1', port: 80 })), 'EINVAL', 'another family')
  const refused = complete(ring, new Connect(socket(t, ring), bound(t, ring).address)).error
  t.is(refused?.message, 'ECONNREFUSED: connection refused, connect')
  const server = listening(t, ring)
  const fd = socket(t, ring)
  value(ring, new Connect(fd, server.address))
  t.is(errorCode(ring, new Connect(fd, server.address)), 'EISCONN')
  t.is(errorCode(ring, new Connect(file(t).fd, server.address)), 'ENOTSOCK')
  t.is(complete(ring, new Connect(socket(t, ring, UNIX), { path: abstractName(t) })).error?.path, undefined)
})

test('Connect: ignores changes of the address after the push', (t) => {
  using ring = new Ring({ entries: 8 })
  const [first, second] = [listening(t, ring), listening(t, ring)]
  const bytes = Buffer.alloc(16)
  bytes[0] = INET
  const set = (address: Address): void => {
    bytes.writeUInt16BE('port' in address ? address.port : 0, 2)
    bytes.set([127, 0, 0, 1], 4)
  }
  const [from, to] = pair(t)
  const fd = socket(t, ring)
  set(first.address)
  const operation = new Connect(fd, bytes)
  // It waits in the kernel, linked behind a read.
  ring.pushAll([new Read(from, Buffer.alloc(1)).link(), operation])
  set(second.address)
  ring.submit()
  operation.address = second.address
  value(ring, new Write(to, Buffer.from('x')))
  t.deepEqual(
    ring.waitMany(2).map(({ ok }) => ok),
    [true, true],
  )
  t.deepEqual(getpeername(fd), first.address)
})

test('Connect: waits while the backlog of the server is full', (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring, { path: '' }, 0)
  value(ring, new Connect(socket(t, ring, UNIX), server.address))
  ring.push(new Connect(socket(t, ring, UNIX), server.address), 'second')
  t.is(ring.submit(), 1)
  t.is(ring.tryWait(), undefined)
  for (const _ of [1, 2]) ring.push(new Accept(server.fd), 'accept')
  const all = ring.waitMany(3)
  t.deepEqual(all.map(({ userData }) => userData).toSorted(), ['accept', 'accept', 'second'])
  for (const { userData, value } of all) if (userData === 'accept') closeSync(value as number)
})

/** Returns the number of non-blocking connections that fit into the backlog of a server. */
function capacity(t: ExecutionContext, ring: Ring, address: Address): number {
  for (let count = 0; ; count += 1) {
    const fd = value(ring, new Socket(UNIX, STREAM | NONBLOCK))
    const failed = errorCode(ring, new Connect(fd, address))
    closeSync(fd) // the connection still waits to be accepted
    if (failed === undefined) continue
    t.is(failed, 'EAGAIN')
    return count
  }
}

test('Listen: limits the number of connections that wait by backlog', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const backlog of [0, 1, 5]) {
    const { fd, address } = bound(t, ring, { path: '' })
    t.is(value(ring, new Listen(fd, backlog)), 0)
    t.is(capacity(t, ring, address), backlog + 1)
    // A second listen raises the limit.
    t.is(value(ring, new Listen(fd, backlog + 3)), 0)
    t.is(capacity(t, ring, address), 3)
  }
  const { fd, address } = bound(t, ring, { path: '' })
  value(ring, new Listen(fd))
  const most = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'))
  t.is(capacity(t, ring, address), Math.min(511, most) + 1)
  value(ring, new Listen(fd, 0x7fff_ffff)) // the kernel limits it to net.core.somaxconn
})

test('Listen: fails with error codes of the kernel', (t) => {
  using ring = new Ring({ entries: 8 })
  const { error } = complete(ring, new Listen(socket(t, ring, INET, DGRAM)))
  t.like(error, { code: 'ENOTSUP', syscall: 'listen', operation: 'Listen' })
  t.is(errorCode(ring, new Listen(socket(t, ring, UNIX))), 'EINVAL', 'it has no address')
  t.is(errorCode(ring, new Listen(file(t).fd)), 'ENOTSOCK')
  const server = listening(t, ring)
  const fd = socket(t, ring)
  value(ring, new Connect(fd, server.address))
  t.is(errorCode(ring, new Listen(fd)), 'EINVAL', 'it is connected')
})

test('Shutdown: shuts down each direction', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const [how, reads, writes] of [
    ['read', false, true],
    ['write', true, false],
    ['both', false, false],
    [undefined, false, false],
    [0, false, true],
    [1, true, false],
    [2, false, false],
  ] as const) {
    const [left, right] = pair(t)
    t.is(value(ring, how === undefined ? new Shutdown(left) : new Shutdown(left, how)), 0)
    const bytes = Buffer.alloc(4)
    // Reading: if it is shut down, the peer cannot write any more.
    const sent = errorCode(ring, new Write(right, Buffer.from('in')))
    t.is(sent, reads ? undefined : 'EPIPE', `${how}`)
    t.is(value(ring, new Read(left, bytes)), reads ? 2 : 0, `${how}`)
    // Writing.
    t.is(errorCode(ring, new Write(left, Buffer.from('out'))), writes ? undefined : 'EPIPE', `${how}`)
    t.is(value(ring, new Read(right, bytes)), writes ? 3 : 0, `${how}`)
  }
})

test('Shutdown: ends the stream for a peer of node:net, which can go on writing', async (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring)
  const peer = await client(t, server.address)
  const fd = closing(t, value(ring, new Accept(server.fd)))
  peer.resume()
  const end = once(peer, 'end')
  t.is(value(ring, new Shutdown(fd, 'write')), 0)
  await end
  peer.end('goodbye')
  const bytes = Buffer.alloc(16)
  ring.push(new Read(fd, bytes))
  t.is((await next(ring)).value, 7)
  t.is(bytes.toString('latin1', 0, 7), 'goodbye')
})

test('Shutdown: fails with error codes of the kernel', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left] = pair(t)
  const { error } = complete(ring, new Shutdown(socket(t, ring)))
  t.like(error, { code: 'ENOTCONN', syscall: 'shutdown', operation: 'Shutdown' })
  t.is(errorCode(ring, new Shutdown(left, 3)), 'EINVAL')
  t.is(errorCode(ring, new Shutdown(file(t).fd)), 'ENOTSOCK')
  t.is(errorCode(ring, new Shutdown(987_654)), 'EBADF')
})

test('Socket, Bind, Listen, Connect, Accept, Shutdown: work with fixed files alone', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.registerFiles(4)
  const path = abstractName(t)
  const server = value(ring, new Socket(UNIX, STREAM, { direct: 0 }))
  const client = value(ring, new Socket(UNIX, STREAM, { direct: 3 }))
  // In one chain: each fixed file is registered before the next operation starts.
  ring.pushAll([
    new Bind(server, { path }).link(),
    new Listen(server).link(),
    new Connect(client, { path }).link(),
    new Accept(server, { direct: 1 }),
  ])
  t.deepEqual(
    ring.waitMany(4).map((completion) => completion.error?.code),
    [undefined, undefined, undefined, undefined],
  )
  const bytes = Buffer.alloc(8)
  value(ring, new Write(client, Buffer.from('registered').subarray(0, 8)))
  t.is(value(ring, new Read(new FixedFile(1), bytes)), 8)
  t.is(bytes.toString(), 'register')
  value(ring, new Shutdown(client, 'write'))
  t.is(value(ring, new Read(new FixedFile(1), bytes)), 0)
})
