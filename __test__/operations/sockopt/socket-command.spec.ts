// Commands to sockets.

import { closeSync, openSync, writeSync } from 'node:fs'
import test from 'ava'
import {
  Accept,
  AsyncCancel,
  Connect,
  type Operation,
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
  Write,
} from 'uring'
import { getpeername, getsockname } from 'uring/sys'
import { complete, errorCode, value } from '../../helpers/completions.ts'
import { bound, listening, socket } from '../../helpers/connections.ts'
import { file } from '../../helpers/files.ts'
import { closing, pair } from '../../helpers/sockets.ts'

/** Decodes a result. */
interface Decoder {
  decode(result: number, flags: number, state: unknown): unknown
}

const { SOCKET } = SocketLevel
const { INET } = SocketDomain
const { STREAM, DGRAM } = SocketType

test('SocketCommand: SIOCINQ resolves to the bytes that wait to be read', (t) => {
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
  // Of datagrams, the length of the next one.
  const datagrams = bound(t, ring, undefined, DGRAM)
  const sender = socket(t, ring, INET, DGRAM)
  value(ring, new Connect(sender, datagrams.address))
  for (const length of [5, 7]) value(ring, new Write(sender, Buffer.alloc(length)))
  t.is(arrived(ring, datagrams.fd), 5)
})

/** Waits for bytes and returns their number: a packet arrives whole. */
function arrived(ring: Ring, fd: number): number {
  for (;;) {
    const count = value(ring, new SocketCommand(fd, 'SIOCINQ'))
    if (count > 0) return count
  }
}

test('SocketCommand: SIOCOUTQ resolves to the bytes that wait to be sent', (t) => {
  using ring = new Ring({ entries: 8 })
  const server = listening(t, ring)
  const client = closing(t, value(ring, new Socket(INET, STREAM)))
  value(ring, new Connect(client, server.address))
  const fd = closing(t, value(ring, new Accept(server.fd)))
  t.is(value(ring, new SocketCommand(client, 'SIOCOUTQ')), 0)
  // More bytes than fit into the peer's queue.
  const chunk = Buffer.alloc(1 << 20)
  let written = 0
  for (;;) {
    const completion = complete(ring, new Write(client, chunk, { flags: RwFlags.NOWAIT }))
    if (completion.error?.code === 'EAGAIN') break
    written += completion.value
  }
  // In this order, bytes in transit are counted twice and not left out.
  const unsent = value(ring, new SocketCommand(client, 'SIOCOUTQ'))
  const received = value(ring, new SocketCommand(fd, 'SIOCINQ'))
  t.true(unsent > 0 && unsent <= written, `${unsent} of ${written}`)
  t.true(received + unsent >= written, 'what is in neither queue is nowhere')
  t.true(value(ring, new SocketCommand(client, SocketCommands.SIOCOUTQ)) > 0, 'by its number')
})

test('SocketCommand: TX_TIMESTAMP resolves to the time of each packet', (t) => {
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

test('SocketCommand: GETSOCKNAME resolves to an address, on kernels that have it', (t) => {
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
    else t.is(completion.error?.code, 'ENOTSUP') // since Linux 6.19
  }
})

test('SocketCommand: decodes the address where the kernel puts it', (t) => {
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
      // As the kernel would write it.
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

test('SocketCommand: has a result type that follows from the command', (t) => {
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

test('SocketCommand: fails with error codes of the kernel', (t) => {
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
