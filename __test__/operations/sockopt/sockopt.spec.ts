// Options of sockets, and commands to them.

import { once } from 'node:events'
import { closeSync, openSync, writeSync } from 'node:fs'
import { connect } from 'node:net'
import test from 'ava'
import {
  Accept,
  AcceptMulti,
  AsyncCancel,
  Bind,
  Close,
  Connect,
  FixedFile,
  GetSockOpt,
  type Operation,
  type OperationClass,
  Read,
  Ring,
  RwFlags,
  SetSockOpt,
  Socket,
  type SocketAddress,
  SocketCommand,
  SocketCommands,
  SocketDomain,
  SocketLevel,
  SocketOption,
  SocketType,
  TcpOption,
  Write,
} from 'uring'
import { getpeername, getsockname } from 'uring/sys'
import { complete, errorCode, value } from '../../helpers/completions.ts'
import { bound, HAS_IPV6, listening, nameOf, socket } from '../../helpers/connections.ts'
import { file } from '../../helpers/files.ts'
import { script } from '../../helpers/process.ts'
import { closing, pair } from '../../helpers/sockets.ts'

/** What a class makes of a result. */
interface Decoder {
  decode(result: number, flags: number, state: unknown): unknown
}

/** An option of the level IPV6. */
const IPV6_V6ONLY = 26

const { SOCKET, TCP, IPV6 } = SocketLevel
const { UNIX, INET, INET6 } = SocketDomain
const { STREAM, DGRAM } = SocketType

test('SetSockOpt: numbers', (t) => {
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
  // All four bytes, and the sign.
  t.is(set(SocketOption.INCOMING_CPU, 0x0102_0304), 0x0102_0304)
  t.is(set(SocketOption.INCOMING_CPU, -2), -2)
  t.is(set(SocketOption.INCOMING_CPU, 0xffff_ffff), -1)
  t.is(set(SocketOption.INCOMING_CPU, -(2 ** 31)), -(2 ** 31))
})

test('SetSockOpt: bytes, of every kind of memory', async (t) => {
  using ring = new Ring({ entries: 8 })
  // struct linger: closing resets the connection.
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

test('SetSockOpt: every level', (t) => {
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
    // Without the option the socket has the port of IPv4 too.
    t.is(errorCode(ring, new Bind(socket(t, ring), { address: '127.0.0.1', port })), expected)
  }
})

test('SetSockOpt: a port for two, one of which asks too late', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = socket(t, ring)
  value(ring, new SetSockOpt(fd, SOCKET, SocketOption.REUSEPORT, 1))
  value(ring, new Bind(fd, { address: '127.0.0.1', port: 0 }))
  const other = socket(t, ring)
  t.is(errorCode(ring, new Bind(other, nameOf(fd))), 'EADDRINUSE')
  value(ring, new SetSockOpt(other, SOCKET, SocketOption.REUSEPORT, 1))
  t.is(errorCode(ring, new Bind(other, nameOf(fd))), undefined)
})

test('SetSockOpt: failures', (t) => {
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

test('SetSockOpt: the value is the one that was pushed', (t) => {
  using ring = new Ring({ entries: 8 })
  const [from, to] = pair(t)
  const bytes = Int32Array.of(0x1111)
  const operation = new SetSockOpt(from, SOCKET, SocketOption.RCVLOWAT, bytes)
  const entry = operation.build()
  // The kernel reads it when the operation starts: after the read that it waits for.
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

test('SetSockOpt, GetSockOpt: memory lives as long as the kernel has it', async (t) => {
  const outcome = await script(
    `
    import { GetSockOpt, Read, Ring, SetSockOpt } from 'uring'
    import { socketpair } from 'uring/sys'
    import { writeSync } from 'node:fs'

    const SOL_SOCKET = 1
    const SO_RCVLOWAT = 18
    // So large that each has memory of its own.
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
    // Memory that is free would be handed out now.
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

test('GetSockOpt: numbers', (t) => {
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

test('GetSockOpt: sizes', (t) => {
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
  // Fewer bytes than a number has.
  const tcp = socket(t, ring)
  t.is(value(ring, new GetSockOpt(tcp, SOCKET, SocketOption.BINDTODEVICE)), 0)
  t.deepEqual(
    value(ring, new GetSockOpt(tcp, SOCKET, SocketOption.BINDTODEVICE, { size: 16 })),
    Buffer.alloc(0),
  )
  const { decode } = GetSockOpt as unknown as Decoder
  t.is(decode(2, 0, { address: 0, bytes: Buffer.of(0x34, 0x12, 0xff, 0xff) }), 0x1234)
})

test('GetSockOpt: the result has the type that the size says', (t) => {
  const plain: Operation<number> = new GetSockOpt(0, 1, 2)
  const four: Operation<number> = new GetSockOpt(0, 1, 2, { size: 4 })
  const more: Operation<Buffer> = new GetSockOpt(0, 1, 2, { size: 8 })
  const any: Operation<number | Buffer> = new GetSockOpt(0, 1, 2, { size: Number('4') })
  // @ts-expect-error it may be a number
  const wrong: Operation<Buffer> = new GetSockOpt(0, 1, 2, { size: Number('4') })
  for (const operation of [plain, four, more, any, wrong]) t.notThrows(() => operation.build())
})

test('GetSockOpt: the value of an entry is a copy', (t) => {
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

test('GetSockOpt: failures', (t) => {
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

test('SocketCommand: bytes that wait to be read', (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring)
  const client = socket(t, ring)
  value(ring, new Connect(client, server.address))
  const fd = closing(t, value(ring, new Accept(server.fd)))
  t.is(value(ring, new SocketCommand(fd, 'SIOCINQ')), 0)
  value(ring, new Write(client, Buffer.alloc(1000)))
  t.is(arrived(ring, fd), 1000)
  value(ring, new Read(fd, Buffer.alloc(300)))
  t.is(value(ring, new SocketCommand(fd, 'SIOCINQ')), 700)
  t.is(value(ring, new SocketCommand(fd, SocketCommands.SIOCINQ)), 700, 'by its number')
  // Datagrams: the next one.
  const datagrams = bound(t, ring, undefined, DGRAM)
  const sender = socket(t, ring, INET, DGRAM)
  value(ring, new Connect(sender, datagrams.address))
  for (const length of [5, 7]) value(ring, new Write(sender, Buffer.alloc(length)))
  t.is(arrived(ring, datagrams.fd), 5)
})

/** What has arrived, as soon as anything has: a packet comes whole. */
function arrived(ring: Ring, fd: number): number {
  for (;;) {
    const count = value(ring, new SocketCommand(fd, 'SIOCINQ'))
    if (count > 0) return count
  }
}

test('SocketCommand: bytes that wait to be sent', (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring)
  const client = closing(t, value(ring, new Socket(INET, STREAM)))
  value(ring, new Connect(client, server.address))
  const fd = closing(t, value(ring, new Accept(server.fd)))
  t.is(value(ring, new SocketCommand(client, 'SIOCOUTQ')), 0)
  // More than the peer takes without reading.
  const chunk = Buffer.alloc(1 << 20)
  let written = 0
  for (;;) {
    const completion = complete(ring, new Write(client, chunk, { flags: RwFlags.NOWAIT }))
    if (completion.error?.code === 'EAGAIN') break
    written += completion.value
  }
  // In this order: what is on its way from one to the other is counted twice, and not left out.
  const unsent = value(ring, new SocketCommand(client, 'SIOCOUTQ'))
  const received = value(ring, new SocketCommand(fd, 'SIOCINQ'))
  t.true(unsent > 0 && unsent <= written, `${unsent} of ${written}`)
  t.true(received + unsent >= written, 'what is in neither queue is nowhere')
  t.true(value(ring, new SocketCommand(client, SocketCommands.SIOCOUTQ)) > 0, 'by its number')
})

test('SocketCommand: when something was sent', (t) => {
  using ring = new Ring({ entries: 8, cqe32: true })
  const TX_SOFTWARE = 1 << 1
  const SOFTWARE = 1 << 4
  const OPT_ID = 1 << 7
  const OPT_TSONLY = 1 << 11
  const { address } = bound(t, ring, undefined, DGRAM)
  const fd = socket(t, ring, INET, DGRAM)
  value(ring, new Connect(fd, address))
  value(
    ring,
    new SetSockOpt(fd, SOCKET, SocketOption.TIMESTAMPING, TX_SOFTWARE | SOFTWARE | OPT_ID | OPT_TSONLY),
  )
  const before = Date.now()
  const token = ring.push(new SocketCommand(fd, 'TX_TIMESTAMP'), 'stamps')
  ring.submit()
  const COUNT = 3
  for (let count = 0; count < COUNT; count += 1) ring.push(new Write(fd, Buffer.from('x')))
  const stamps = ring.waitMany(2 * COUNT).filter(({ userData }) => userData === 'stamps')
  t.deepEqual(
    stamps.map(({ value, more }) => [value, more]),
    [
      [0, true],
      [1, true],
      [2, true],
    ],
  )
  for (const { extra } of stamps) {
    const [seconds = 0n, nanoseconds = 0n] = extra ?? []
    const time = Number(seconds) * 1000 + Number(nanoseconds) / 1e6
    t.true(time > before - 1000 && time < Date.now() + 1000, `${time}`)
  }
  ring.push(new AsyncCancel(token))
  const last = ring.waitMany(2).find(({ userData }) => userData === 'stamps')
  t.is(last?.error?.code, 'ECANCELED')
  t.false(last?.more)
})

test('SocketCommand: the address of a socket, where the kernel tells it', (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring)
  const fd = socket(t, ring)
  value(ring, new Connect(fd, server.address))
  for (const [options, expected] of [
    [undefined, getsockname(fd)],
    [{ peer: false }, getsockname(fd)],
    [{ peer: true }, getpeername(fd)],
  ] as const) {
    const completion = complete(ring, new SocketCommand(fd, 'GETSOCKNAME', options))
    if (completion.ok) t.deepEqual(completion.value, expected)
    else t.is(completion.error?.code, 'ENOTSUP') // it came with 6.19
  }
})

test('SocketCommand: an address is decoded from where the kernel puts it', (t) => {
  const memory = openSync('/proc/self/mem', 'r+')
  t.teardown(() => closeSync(memory))
  const { decode } = SocketCommand as unknown as Decoder
  for (const [bytes, expected] of [
    [
      [2, 0, 0x12, 0x34, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
      { family: 'IPv4', address: '127.0.0.1', port: 0x1234 },
    ],
    [[1, 0], { family: 'Unix', path: '' }],
    [[1, 0, 0x2f, 0x78, 0], { family: 'Unix', path: '/x' }],
    [[], { family: 0, bytes: Buffer.alloc(0) }],
  ] as const) {
    for (const command of ['GETSOCKNAME', 5] as const) {
      // In the kernel's place.
      const entry = new SocketCommand(0, command).build()
      const words = new DataView(entry.bytes.buffer)
      const put = (content: Uint8Array, at: number): number =>
        writeSync(memory, content, 0, content.length, Number(words.getBigUint64(at, true)))
      if (bytes.length > 0) put(Uint8Array.from(bytes), 16)
      put(new Uint8Array(Uint32Array.of(bytes.length).buffer), 48)
      t.deepEqual(decode(0, 0, (entry as unknown as { state: unknown }).state), expected)
    }
  }
})

test('SocketCommand: the result has the type that the command says', (t) => {
  const bytes: Operation<number> = new SocketCommand(0, 'SIOCINQ')
  const stamps: Operation<number> = new SocketCommand(0, SocketCommands.TX_TIMESTAMP)
  const name: Operation<SocketAddress> = new SocketCommand(0, 'GETSOCKNAME', { peer: true })
  const number: Operation<SocketAddress> = new SocketCommand(0, SocketCommands.GETSOCKNAME)
  const any: Operation<number | SocketAddress> = new SocketCommand(0, Number('1'))
  // @ts-expect-error it may be an address
  const wrong: Operation<number> = new SocketCommand(0, Number('1'))
  // @ts-expect-error it has a class of its own
  t.throws(() => new SocketCommand(0, 'GETSOCKOPT'), { message: /GetSockOpt, SetSockOpt/ })
  for (const operation of [bytes, stamps, name, number, any, wrong]) t.notThrows(() => operation.build())
})

test('SocketCommand: failures', (t) => {
  using ring = new Ring({ entries: 8 })
  const [unix] = pair(t)
  const fd = socket(t, ring)
  const { error } = complete(ring, new SocketCommand(unix, 'SIOCINQ'))
  t.is(error?.message, 'ENOTSUP: operation not supported on socket, socket_command')
  t.like(error, { syscall: 'socket_command', operation: 'SocketCommand' })
  t.is(errorCode(ring, new SocketCommand(fd, 9999)), 'ENOTSUP')
  t.is(errorCode(ring, new SocketCommand(fd, 'TX_TIMESTAMP')), 'EINVAL', 'completions have 16 bytes')
  t.is(errorCode(ring, new SocketCommand(file(t).fd, 'SIOCINQ')), 'ENOTSUP')
  t.is(errorCode(ring, new SocketCommand(987_654, 'SIOCINQ')), 'EBADF')
  t.is(errorCode(ring, new SocketCommand(listening(t, ring).fd, 'SIOCINQ')), 'EINVAL', 'it listens')
})

test('SetSockOpt, GetSockOpt, SocketCommand: a registered file', (t) => {
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

test('AcceptMulti, SetSockOpt, GetSockOpt, SocketCommand: later than their opcodes', (t) => {
  for (const Class of [AcceptMulti, SetSockOpt, GetSockOpt, SocketCommand]) {
    const { since, variantSince } = Class as unknown as OperationClass & { variantSince?: string }
    t.is(variantSince, since)
  }
})
