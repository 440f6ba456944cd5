// Socket options.

import { once } from 'node:events'
import { connect } from 'node:net'
import test from 'ava'
import {
  Accept,
  AcceptMulti,
  Bind,
  Close,
  FixedFile,
  GetSockOpt,
  type Operation,
  type OperationClass,
  Read,
  Ring,
  SetSockOpt,
  SocketCommand,
  SocketDomain,
  SocketLevel,
  SocketOption,
  SocketType,
  TcpOption,
  Write,
} from 'uring'
import { complete, errorCode, value } from '../../helpers/completions.ts'
import { bound, HAS_IPV6, listening, nameOf, socket } from '../../helpers/connections.ts'
import { file } from '../../helpers/files.ts'
import { script } from '../../helpers/process.ts'
import { pair } from '../../helpers/sockets.ts'

/** Decodes a result. */
interface Decoder {
  decode(result: number, flags: number, state: unknown): unknown
}

/** An option of the level IPV6. */
const IPV6_V6ONLY = 26

const { SOCKET, TCP, IPV6 } = SocketLevel
const { UNIX, INET, INET6 } = SocketDomain
const { STREAM, DGRAM } = SocketType

test('SetSockOpt: sets an option to a number', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = socket(t, ring)
  const set = (name: number, number: number): number => {
    t.is(value(ring, new SetSockOpt(fd, SOCKET, name, number)), 0)
    return value(ring, new GetSockOpt(fd, SOCKET, name))
  }
  t.is(value(ring, new GetSockOpt(fd, SOCKET, SocketOption.KEEPALIVE)), 0)
  t.is(set(SocketOption.KEEPALIVE, 1), 1)
  t.is(set(SocketOption.KEEPALIVE, 0), 0)
  t.is(set(SocketOption.RCVLOWAT, 0x1234), 0x1234)
  t.is(set(SocketOption.SNDBUF, 65_536), 131_072, 'the kernel doubles it')
  // The number has four bytes and a sign.
  t.is(set(SocketOption.INCOMING_CPU, 0x0102_0304), 0x0102_0304)
  t.is(set(SocketOption.INCOMING_CPU, -2), -2)
  t.is(set(SocketOption.INCOMING_CPU, 0xffff_ffff), -1)
  t.is(set(SocketOption.INCOMING_CPU, -(2 ** 31)), -(2 ** 31))
})

test('SetSockOpt: sets an option to bytes, of every kind of memory', async (t) => {
  using ring = new Ring({ entries: 8 })
  // struct linger: close() resets the connection.
  const linger = Int32Array.of(1, 0)
  const shared = new Int32Array(new SharedArrayBuffer(8))
  shared.set(linger)
  const padded = Buffer.alloc(24, 0xee)
  padded.set(Buffer.from(linger.buffer), 9)
  const server = listening(t, ring)
  for (const bytes of [
    linger,
    linger.buffer,
    shared,
    shared.buffer,
    padded.subarray(9, 17),
    new DataView(padded.buffer, padded.byteOffset + 9, 8),
  ]) {
    const peer = connect({ port: 'port' in server.address ? server.address.port : 0, host: '127.0.0.1' })
    t.teardown(() => peer.destroy())
    await once(peer, 'connect')
    const fd = value(ring, new Accept(server.fd))
    t.is(value(ring, new SetSockOpt(fd, SOCKET, SocketOption.LINGER, bytes)), 0)
    const read = value(ring, new GetSockOpt(fd, SOCKET, SocketOption.LINGER, { size: 8 }))
    t.deepEqual([...read], [1, 0, 0, 0, 0, 0, 0, 0])
    const failed = once(peer, 'error')
    value(ring, new Close(fd))
    t.like((await failed)[0], { code: 'ECONNRESET' })
  }
})

test('SetSockOpt: sets options of every level', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = socket(t, ring)
  t.is(value(ring, new SetSockOpt(fd, TCP, TcpOption.NODELAY, 1)), 0)
  t.is(errorCode(ring, new SetSockOpt(fd, TCP, TcpOption.MAXSEG, 1)), 'EINVAL', 'too small')
  t.is(errorCode(ring, new SetSockOpt(fd, TCP, TcpOption.KEEPIDLE, 0)), 'EINVAL')
  t.is(errorCode(ring, new SetSockOpt(fd, IPV6, IPV6_V6ONLY, 1)), 'ENOPROTOOPT', 'it is no socket of IPv6')
  if (!HAS_IPV6) return
  for (const [only, expected] of [
    [1, undefined],
    [0, 'EADDRINUSE'],
  ] as const) {
    const six = socket(t, ring, INET6)
    value(ring, new SetSockOpt(six, IPV6, IPV6_V6ONLY, only))
    value(ring, new Bind(six, { address: '::', port: 0 }))
    const name = nameOf(six)
    const port = 'port' in name ? name.port : 0
    // Without the option, the socket has the IPv4 port too.
    t.is(errorCode(ring, new Bind(socket(t, ring), { address: '127.0.0.1', port })), expected)
  }
})

test('SetSockOpt: shares a port only if both sockets set REUSEPORT before bind()', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = socket(t, ring)
  value(ring, new SetSockOpt(fd, SOCKET, SocketOption.REUSEPORT, 1))
  value(ring, new Bind(fd, { address: '127.0.0.1', port: 0 }))
  const other = socket(t, ring)
  t.is(errorCode(ring, new Bind(other, nameOf(fd))), 'EADDRINUSE')
  value(ring, new SetSockOpt(other, SOCKET, SocketOption.REUSEPORT, 1))
  t.is(errorCode(ring, new Bind(other, nameOf(fd))), undefined)
})

test('SetSockOpt: fails with error codes of the kernel', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = socket(t, ring)
  const { error } = complete(ring, new SetSockOpt(fd, SOCKET, 9999, 1))
  t.is(error?.message, 'ENOPROTOOPT: protocol not available, setsockopt')
  t.like(error, { syscall: 'setsockopt', operation: 'SetSockOpt' })
  t.is(errorCode(ring, new SetSockOpt(fd, SOCKET, SocketOption.KEEPALIVE, Buffer.alloc(3))), 'EINVAL')
  t.is(errorCode(ring, new SetSockOpt(fd, SOCKET, SocketOption.KEEPALIVE, new Uint8Array(0))), 'EINVAL')
  t.is(errorCode(ring, new SetSockOpt(file(t).fd, SOCKET, SocketOption.KEEPALIVE, 1)), 'ENOTSUP')
  t.is(errorCode(ring, new SetSockOpt(987_654, SOCKET, SocketOption.KEEPALIVE, 1)), 'EBADF')
})

test('SetSockOpt: ignores changes of the value after the push', (t) => {
  using ring = new Ring({ entries: 8 })
  const [from, to] = pair(t)
  const bytes = Int32Array.of(0x1111)
  const operation = new SetSockOpt(from, SOCKET, SocketOption.RCVLOWAT, bytes)
  const entry = operation.build()
  // The kernel reads the value when the operation starts: after the read that it is linked behind.
  ring.pushAll([new Read(to, Buffer.alloc(1)).link(), entry])
  ring.submit()
  bytes[0] = 0x2222
  operation.value = 0x3333
  value(ring, new Write(from, Buffer.from('x')))
  t.deepEqual(
    ring.waitMany(2).map(({ ok }) => ok),
    [true, true],
  )
  t.is(value(ring, new GetSockOpt(from, SOCKET, SocketOption.RCVLOWAT)), 0x1111)
})

test('SetSockOpt, GetSockOpt: hold their memory as long as the kernel uses it', async (t) => {
  const outcome = await script(
    `
    import { GetSockOpt, Read, Ring, SetSockOpt } from 'uring'
    import { socketpair } from 'uring/sys'
    import { writeSync } from 'node:fs'

    const SOL_SOCKET = 1
    const SO_RCVLOWAT = 18
    // So large that each value has an allocation of its own.
    const SIZE = 100_000
    const COUNT = 50
    const ring = new Ring({ entries: 256 })
    const pairs = []
    for (let index = 0; index < COUNT; index += 1) {
      const [from, to] = socketpair(1, 1)
      pairs.push([from, to])
      const value = new Uint8Array(SIZE)
      new DataView(value.buffer).setInt32(0, 1000 + index, true)
      ring.pushAll([
        new Read(to, Buffer.alloc(1)).link(),
        new SetSockOpt(from, SOL_SOCKET, SO_RCVLOWAT, value).link(),
        new GetSockOpt(from, SOL_SOCKET, SO_RCVLOWAT, { size: SIZE }),
      ], ['read', 'set', index])
    }
    ring.submit()
    for (let round = 0; round < 5; round += 1) {
      globalThis.gc()
      await new Promise(setImmediate)
    }
    // Memory that was freed would be allocated again now.
    globalThis.noise = Array.from({ length: 4 * COUNT }, () => new Uint8Array(SIZE).fill(0x11))
    for (const [from] of pairs) writeSync(from, 'x')
    let right = 0
    for (const { userData, value } of ring.waitMany(3 * COUNT)) {
      if (typeof userData !== 'number') continue
      if (value.length === 4 && value.readInt32LE() === 1000 + userData) right += 1
    }
    if (globalThis.noise.some((bytes) => bytes.some((byte) => byte !== 0x11))) throw new Error('overwritten')
    console.log(right)
    `,
    ['--expose-gc'],
  )
  t.deepEqual(outcome, { code: 0, signal: null, stdout: '50\n', stderr: '' })
})

test('GetSockOpt: resolves to a number', (t) => {
  using ring = new Ring({ entries: 8 })
  const read = (fd: number, name: number): number => value(ring, new GetSockOpt(fd, SOCKET, name))
  const server = listening(t, ring)
  const datagrams = bound(t, ring, { path: '' }, DGRAM)
  t.deepEqual(
    [server.fd, datagrams.fd].map((fd) => read(fd, SocketOption.DOMAIN)),
    [INET, UNIX],
  )
  t.deepEqual(
    [server.fd, datagrams.fd].map((fd) => read(fd, SocketOption.TYPE)),
    [STREAM, DGRAM],
  )
  t.deepEqual(
    [server.fd, datagrams.fd].map((fd) => read(fd, SocketOption.ACCEPTCONN)),
    [1, 0],
  )
  t.is(read(datagrams.fd, SocketOption.INCOMING_CPU), -1, 'with its sign')
})

test('GetSockOpt: resolves to a Buffer with other sizes', (t) => {
  using ring = new Ring({ entries: 8 })
  const [fd] = pair(t)
  const read = (name: number, size: number): number | Buffer =>
    value(ring, new GetSockOpt(fd, SOCKET, name, { size }))
  t.deepEqual(read(SocketOption.TYPE, 100), Buffer.of(STREAM, 0, 0, 0), 'cut to what there is')
  t.deepEqual(read(SocketOption.TYPE, 3), Buffer.of(STREAM, 0, 0), 'or to what there is room for')
  t.deepEqual(read(SocketOption.TYPE, 0), Buffer.alloc(0))
  t.is(read(SocketOption.TYPE, 4), STREAM)
  // struct ucred
  const credentials = read(SocketOption.PEERCRED, 12)
  t.true(Buffer.isBuffer(credentials) && credentials.length === 12)
  t.deepEqual(
    [0, 4, 8].map((at) => (credentials as Buffer).readUInt32LE(at)),
    [process.pid, process.getuid?.(), process.getgid?.()],
  )
  t.is(read(SocketOption.PEERCRED, 4), process.pid)
  const cookie = read(SocketOption.COOKIE, 8)
  t.true(Buffer.isBuffer(cookie) && cookie.length === 8 && cookie.some((byte) => byte !== 0))
  t.deepEqual(read(SocketOption.COOKIE, 20_000), cookie)
  // A value of fewer bytes than a number.
  const tcp = socket(t, ring)
  t.is(value(ring, new GetSockOpt(tcp, SOCKET, SocketOption.BINDTODEVICE)), 0)
  t.deepEqual(
    value(ring, new GetSockOpt(tcp, SOCKET, SocketOption.BINDTODEVICE, { size: 16 })),
    Buffer.alloc(0),
  )
  const { decode } = GetSockOpt as unknown as Decoder
  t.is(decode(2, 0, { address: 0, bytes: Buffer.of(0x34, 0x12, 0xff, 0xff) }), 0x1234)
})

test('GetSockOpt: has a result type that follows from the size', (t) => {
  const plain: Operation<number> = new GetSockOpt(0, 1, 2)
  const four: Operation<number> = new GetSockOpt(0, 1, 2, { size: 4 })
  const more: Operation<Buffer> = new GetSockOpt(0, 1, 2, { size: 8 })
  const any: Operation<number | Buffer> = new GetSockOpt(0, 1, 2, { size: Number('4') })
  // @ts-expect-error it may be a number
  const wrong: Operation<Buffer> = new GetSockOpt(0, 1, 2, { size: Number('4') })
  for (const operation of [plain, four, more, any, wrong]) t.notThrows(() => operation.build())
})

test('GetSockOpt: returns a copy for each submission of an entry', (t) => {
  using ring = new Ring({ entries: 8 })
  const [fd] = pair(t)
  const entry = new GetSockOpt(fd, SOCKET, SocketOption.RCVLOWAT, { size: 8 }).build()
  const values = [1, 2, 3].map((number) => {
    value(ring, new SetSockOpt(fd, SOCKET, SocketOption.RCVLOWAT, number))
    return value(ring, entry)
  })
  t.deepEqual(
    values,
    [1, 2, 3].map((number) => Buffer.of(number, 0, 0, 0)),
  )
})

test('GetSockOpt: fails with error codes of the kernel', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = socket(t, ring)
  const { error } = complete(ring, new GetSockOpt(fd, SOCKET, 9999))
  t.is(error?.message, 'ENOPROTOOPT: protocol not available, getsockopt')
  t.like(error, { syscall: 'getsockopt', operation: 'GetSockOpt' })
  t.is(errorCode(ring, new GetSockOpt(fd, SOCKET, SocketOption.COOKIE)), 'EINVAL', 'too little room')
  t.is(errorCode(ring, new GetSockOpt(fd, TCP, TcpOption.NODELAY)), 'ENOTSUP', 'another level')
  t.is(errorCode(ring, new GetSockOpt(file(t).fd, SOCKET, SocketOption.TYPE)), 'ENOTSUP')
  t.is(errorCode(ring, new GetSockOpt(987_654, SOCKET, SocketOption.TYPE)), 'EBADF')
})

test('SetSockOpt, GetSockOpt, SocketCommand: take a fixed file', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = socket(t, ring)
  ring.registerFiles([-1, fd])
  const fixed = new FixedFile(1)
  t.is(value(ring, new SetSockOpt(fixed, SOCKET, SocketOption.RCVLOWAT, 77)), 0)
  t.is(value(ring, new GetSockOpt(fd, SOCKET, SocketOption.RCVLOWAT)), 77)
  t.is(value(ring, new GetSockOpt(fixed, SOCKET, SocketOption.RCVLOWAT)), 77)
  t.is(value(ring, new SocketCommand(fixed, 'SIOCOUTQ')), 0)
  t.is(errorCode(ring, new SocketCommand(new FixedFile(0), 'SIOCOUTQ')), 'EBADF')
})

test('AcceptMulti, SetSockOpt, GetSockOpt, SocketCommand: name the kernel of the variant, not of the opcode', (t) => {
  for (const Class of [AcceptMulti, SetSockOpt, GetSockOpt, SocketCommand]) {
    const { since, variantSince } = Class as unknown as OperationClass & { variantSince?: string }
    t.is(variantSince, since)
  }
})
