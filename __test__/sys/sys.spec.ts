// The system calls and helpers of uring/sys.

import { once } from 'node:events'
import { fstatSync, readlinkSync, readSync, writeSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { EnterFlags, FixedFile, Nop, Ring, SetupFlags, SocketDomain, SocketType, UringError } from 'uring'
import { createAddressOf } from 'uring/native'
import {
  addressOf,
  epollCreate,
  eventfd,
  getpeername,
  getsockname,
  ioUringEnter,
  ioUringRegister,
  ioUringSetup,
  socketpair,
} from 'uring/sys'
import { fdOf } from '../helpers/connections.ts'
import { directory } from '../helpers/files.ts'
import { flagsOf } from '../helpers/pipes.ts'
import { closing } from '../helpers/sockets.ts'

const EBADF = -9
const EINVAL = -22
const ENXIO = -6
const EOPNOTSUPP = -95
const ETIME = -62
const PARAMS_BYTES = 120
const REGISTER_PROBE = 8
const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000

/** Returns the kind of file that a descriptor refers to. */
function kindOf(fd: number): string {
  return readlinkSync(`/proc/self/fd/${fd}`)
}

function refusals(
  t: ExecutionContext,
  cases: readonly (readonly [what: string, code: string, call: () => unknown])[],
): void {
  for (const [what, code, call] of cases) {
    t.true(t.throws(call, { code }, what).message.includes(`"${what}"`), what)
  }
}

const TYPE = 'ERR_INVALID_ARG_TYPE'
const RANGE = 'ERR_OUT_OF_RANGE'

/** A value of a wrong type, for number arguments. */
const none = 'x' as unknown as number

test('socketpair: returns two connected sockets', (t) => {
  for (const type of [SocketType.STREAM, SocketType.DGRAM, SocketType.SEQPACKET]) {
    const [left, right] = socketpair(SocketDomain.UNIX, type).map((fd) => closing(t, fd)) as [number, number]
    t.true(fstatSync(left).isSocket())
    t.not(left, right)
    for (const [from, to] of [
      [left, right],
      [right, left],
    ] as const) {
      writeSync(from, `to ${to}`)
      const bytes = Buffer.alloc(16)
      t.is(bytes.toString('latin1', 0, readSync(to, bytes)), `to ${to}`)
      t.is(flagsOf(from) & (O_CLOEXEC | O_NONBLOCK), O_CLOEXEC)
    }
  }
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM | SocketType.NONBLOCK)
  closing(t, left)
  t.is(flagsOf(closing(t, right)) & O_NONBLOCK, O_NONBLOCK)
  t.throws(() => readSync(left, Buffer.alloc(1)), { code: 'EAGAIN' })
})

test('socketpair: throws for errors and wrong arguments', (t) => {
  const error = t.throws(() => socketpair(SocketDomain.INET, SocketType.STREAM), { instanceOf: UringError })
  t.like(error, { code: 'ENOTSUP', errno: EOPNOTSUPP, syscall: 'socketpair' })
  t.throws(() => socketpair(12_345, SocketType.STREAM), { instanceOf: UringError, code: 'EAFNOSUPPORT' })
  refusals(t, [
    ['domain', TYPE, () => socketpair(none, 1)],
    ['domain', RANGE, () => socketpair(-1, 1)],
    ['type', TYPE, () => socketpair(1, none)],
    ['type', RANGE, () => socketpair(1, 1.5)],
    ['type', RANGE, () => socketpair(1, 2 ** 31)],
  ])
})

test('eventfd: returns a counter', (t) => {
  const fd = closing(t, eventfd(5))
  t.is(flagsOf(fd) & (O_CLOEXEC | O_NONBLOCK), O_CLOEXEC | O_NONBLOCK)
  const read = (fd: number): bigint => {
    const bytes = Buffer.alloc(8)
    readSync(fd, bytes)
    return bytes.readBigUInt64LE()
  }
  t.is(kindOf(fd), 'anon_inode:[eventfd]')
  t.is(read(fd), 5n, 'all at once')
  t.throws(() => read(fd), { code: 'EAGAIN' })
  writeSync(fd, Buffer.from(BigUint64Array.of(2n).buffer))
  writeSync(fd, Buffer.from(BigUint64Array.of(3n).buffer))
  t.is(read(fd), 5n)

  const semaphore = closing(t, eventfd(2, { semaphore: true }))
  t.deepEqual([read(semaphore), read(semaphore)], [1n, 1n], 'one by one')
  t.throws(() => read(semaphore), { code: 'EAGAIN' })
  t.is(read(closing(t, eventfd(2, { semaphore: false }))), 2n)
  t.is(read(closing(t, eventfd(0xffff_ffff, {}))), 0xffff_ffffn)
  t.throws(() => read(closing(t, eventfd())), { code: 'EAGAIN' }, 'zero')
})

test('eventfd: throws for wrong arguments', (t) => {
  refusals(t, [
    ['count', TYPE, () => eventfd(none)],
    ['count', RANGE, () => eventfd(-1)],
    ['count', RANGE, () => eventfd(2 ** 32)],
    ['count', RANGE, () => eventfd(Number.NaN)],
    ['options', TYPE, () => eventfd(0, null as unknown as object)],
    ['options', TYPE, () => eventfd(0, true as unknown as object)],
    ['options.semaphore', TYPE, () => eventfd(0, { semaphore: 1 as unknown as boolean })],
  ])
})

test('epollCreate: returns an epoll instance', (t) => {
  const fd = closing(t, epollCreate())
  t.is(flagsOf(fd) & O_CLOEXEC, O_CLOEXEC)
  t.is(kindOf(fd), 'anon_inode:[eventpoll]')
  t.not(closing(t, epollCreate()), fd)
})

test('getsockname, getpeername: return addresses of every family', async (t) => {
  const path = join(directory(t), 'socket')
  for (const [listen, family, name] of [
    [{ host: '127.0.0.1', port: 0 }, 'IPv4', '127.0.0.1'],
    [{ path }, 'Unix', path],
    [{ path: '\0'.concat(path) }, 'Unix', undefined],
  ] as const) {
    const server = createServer()
    server.listen(listen)
    await once(server, 'listening')
    const client = connect('path' in listen ? listen : { port: (server.address() as AddressInfo).port })
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
      [Socket],
      unknown,
    ]
    t.teardown(() => {
      client.destroy()
      peer.destroy()
      server.close()
    })
    const fd = fdOf(client)
    const [own, other, listening] = [getsockname(fd), getpeername({ fd }), getsockname(fdOf(server))]
    t.is(own?.family, family)
    t.is(other?.family, family)
    t.deepEqual(getpeername(fdOf(peer)), own)
    t.deepEqual(getsockname({ fd: fdOf(peer) }), other)
    t.deepEqual(listening, other)
    t.throws(() => getpeername(fdOf(server)), { instanceOf: UringError, code: 'ENOTCONN' })
    if (family === 'IPv4') {
      t.deepEqual(own, { family, address: client.localAddress ?? '', port: client.localPort ?? 0 })
      t.like(other, { address: name, port: client.remotePort })
    } else {
      t.deepEqual(own, { family, path: '' })
      if (name !== undefined) t.deepEqual(other, { family, path: name })
    }
  }
})

test('getsockname, getpeername: throw for errors and wrong arguments', (t) => {
  const [left] = socketpair(SocketDomain.UNIX, SocketType.STREAM).map((fd) => closing(t, fd))
  t.deepEqual(getsockname(left as number), { family: 'Unix', path: '' })
  const fd = closing(t, eventfd())
  for (const [call, syscall] of [
    [getsockname, 'getsockname'],
    [getpeername, 'getpeername'],
  ] as const) {
    const error = t.throws(() => call(fd), { instanceOf: UringError, code: 'ENOTSOCK' })
    t.like(error, { errno: -88, syscall, message: `ENOTSOCK: socket operation on non-socket, ${syscall}` })
    t.throws(() => call(987_654), { instanceOf: UringError, code: 'EBADF' })
    refusals(t, [
      ['fd', TYPE, () => call('0' as unknown as number)],
      ['fd', TYPE, () => call(null as unknown as number)],
      ['fd', RANGE, () => call(-1)],
      ['fd.fd', RANGE, () => call({ fd: -1 })],
      ['fd', TYPE, () => call(new FixedFile(0) as unknown as number)],
    ])
  }
})

/** Returns a `struct io_uring_params` with these setup flags. */
function params(flags = 0): Uint32Array {
  const words = new Uint32Array(PARAMS_BYTES / 4)
  words[2] = flags
  return words
}

function ringOf(t: ExecutionContext, flags = 0): number {
  const fd = ioUringSetup(4, params(flags))
  t.true(fd >= 0, `${fd}`)
  return closing(t, fd)
}

test('ioUringSetup: creates a ring', (t) => {
  const words = params()
  const fd = closing(t, ioUringSetup(5, words))
  t.is(kindOf(fd), 'anon_inode:[io_uring]')
  t.deepEqual([...words.subarray(0, 2)], [8, 16], 'entries and completions')
  using ring = new Ring({ entries: 8 })
  t.is(words[5], ring.features)
  // All kinds of memory, also with an offset.
  const pool = Buffer.alloc(256, 0xee)
  pool.fill(0, 100, 220)
  for (const bytes of [
    new ArrayBuffer(PARAMS_BYTES),
    new SharedArrayBuffer(PARAMS_BYTES),
    new DataView(new ArrayBuffer(PARAMS_BYTES)),
    new BigUint64Array(PARAMS_BYTES / 8),
    pool.subarray(100, 220),
  ]) {
    closing(t, ioUringSetup(8, bytes))
    const view = ArrayBuffer.isView(bytes)
      ? new DataView(bytes.buffer, bytes.byteOffset)
      : new DataView(bytes)
    t.is(view.getUint32(0, true), 8)
  }
  t.true(pool.subarray(0, 100).every((byte) => byte === 0xee))
  t.true(pool.subarray(220).every((byte) => byte === 0xee))
  const clamped = params(SetupFlags.CLAMP)
  closing(t, ioUringSetup(0xffff_ffff, clamped))
  t.is(clamped[0], 32_768)
})

test('ioUringSetup: returns errors, and throws for wrong arguments', (t) => {
  t.is(ioUringSetup(0, params()), EINVAL)
  t.is(ioUringSetup(32_769, params()), EINVAL)
  t.is(ioUringSetup(8, params(2 ** 31)), EINVAL)
  refusals(t, [
    ['entries', TYPE, () => ioUringSetup(none, params())],
    ['entries', RANGE, () => ioUringSetup(-1, params())],
    ['entries', RANGE, () => ioUringSetup(2 ** 32, params())],
    ['params', TYPE, () => ioUringSetup(8, null as unknown as Uint8Array)],
    ['params', TYPE, () => ioUringSetup(8, {} as unknown as Uint8Array)],
    ['params.byteLength', RANGE, () => ioUringSetup(8, new Uint8Array(PARAMS_BYTES - 1))],
    ['params.byteLength', RANGE, () => ioUringSetup(8, new Uint8Array(PARAMS_BYTES + 1))],
  ])
})

/** Returns a `struct io_uring_getevents_arg` with this timeout. */
function getevents(timespec: BigInt64Array, size = 24): Uint8Array {
  const bytes = Buffer.alloc(24)
  bytes.writeBigUInt64LE(BigInt(createAddressOf()(new Uint8Array(timespec.buffer))), 16)
  return bytes.subarray(0, size)
}

test('ioUringEnter: enters a ring', (t) => {
  const fd = ringOf(t)
  t.is(ioUringEnter(fd, 0, 0, 0), 0)
  t.is(ioUringEnter(fd, 0, 0, 0, null), 0)
  t.is(ioUringEnter(fd, 1, 0, 0), 0, 'nothing to submit')
  t.is(ioUringEnter(fd, 0, 0, EnterFlags.GETEVENTS), 0)
  // The kernel gets the argument and its size.
  const soon = BigInt64Array.of(0n, 1000n)
  const wait = EnterFlags.GETEVENTS | EnterFlags.EXT_ARG
  t.is(ioUringEnter(fd, 0, 1, wait, getevents(soon)), ETIME)
  t.is(ioUringEnter(fd, 0, 1, wait, getevents(soon, 23)), EINVAL)
})

test('ioUringEnter: submits the published entries of a ring', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.push(new Nop())
  ring.push(new Nop())
  t.is(ring.flush(), 2)
  t.is(ioUringEnter(ring.fd, 1, 0, 0), 1)
  t.is(ioUringEnter(ring.fd, 5, 2, EnterFlags.GETEVENTS), 1)
})

test('ioUringEnter: returns errors, and throws for wrong arguments', (t) => {
  const fd = ringOf(t)
  t.is(ioUringEnter(-1, 0, 0, 0), EBADF)
  t.is(ioUringEnter(987_654, 0, 0, 0), EBADF)
  t.is(ioUringEnter(closing(t, eventfd()), 0, 0, 0), EOPNOTSUPP)
  t.is(ioUringEnter(fd, 0, 0, 2 ** 31), EINVAL)
  t.is(ioUringEnter(fd, 0, 0, -(2 ** 31)), EINVAL)
  refusals(t, [
    ['fd', TYPE, () => ioUringEnter(none, 0, 0, 0)],
    ['fd', RANGE, () => ioUringEnter(2 ** 31, 0, 0, 0)],
    ['toSubmit', TYPE, () => ioUringEnter(fd, none, 0, 0)],
    ['toSubmit', RANGE, () => ioUringEnter(fd, -1, 0, 0)],
    ['minComplete', TYPE, () => ioUringEnter(fd, 0, none, 0)],
    ['minComplete', RANGE, () => ioUringEnter(fd, 0, 0.5, 0)],
    ['flags', TYPE, () => ioUringEnter(fd, 0, 0, none)],
    ['flags', RANGE, () => ioUringEnter(fd, 0, 0, 2 ** 32)],
    ['argument', TYPE, () => ioUringEnter(fd, 0, 0, 0, {} as unknown as Uint8Array)],
  ])
})

test('ioUringRegister: probes the kernel', (t) => {
  const fd = ringOf(t)
  const pool = Buffer.alloc(16 + 256 * 8 + 200, 0xee)
  const probe = pool.subarray(100, 100 + 16 + 256 * 8).fill(0)
  t.is(ioUringRegister(fd, REGISTER_PROBE, probe, 256), 0)
  const [last = 0, count = 0] = probe
  t.true(last >= Nop.opcode && count === last + 1)
  using ring = new Ring({ entries: 4 })
  for (let opcode = 0; opcode < 256; opcode += 1) {
    const there = opcode <= last && (probe.readUInt16LE(16 + 8 * opcode + 2) & 1) !== 0
    t.is(there, ring.supports({ opcode }), `opcode ${opcode}`)
  }
  t.true(pool.subarray(0, 100).every((byte) => byte === 0xee))
  t.true(pool.subarray(-100).every((byte) => byte === 0xee))
})

test('ioUringRegister: passes the argument and its count', (t) => {
  const fd = ringOf(t)
  const REGISTER_FILES = 2
  const UNREGISTER_FILES = 3
  t.is(ioUringRegister(fd, UNREGISTER_FILES, null, 0), ENXIO, 'no files are registered')
  t.is(ioUringRegister(fd, REGISTER_FILES, Int32Array.of(987_654), 1), EBADF)
  t.is(ioUringRegister(fd, REGISTER_FILES, Int32Array.of(-1, 987_654).subarray(0, 1), 1), 0)
  t.is(ioUringRegister(fd, UNREGISTER_FILES, null, 0), 0)
})

test('ioUringRegister: returns errors, and throws for wrong arguments', (t) => {
  const fd = ringOf(t)
  t.is(ioUringRegister(-2, REGISTER_PROBE, new Uint8Array(16), 0), EBADF)
  t.is(ioUringRegister(closing(t, eventfd()), REGISTER_PROBE, new Uint8Array(16), 0), EOPNOTSUPP)
  t.is(ioUringRegister(fd, 9999, null, 0), EINVAL)
  t.is(ioUringRegister(fd, REGISTER_PROBE, null, 256), EINVAL)
  refusals(t, [
    ['fd', TYPE, () => ioUringRegister(none, 0, null, 0)],
    ['fd', RANGE, () => ioUringRegister(2 ** 31, 0, null, 0)],
    ['opcode', TYPE, () => ioUringRegister(fd, none, null, 0)],
    ['opcode', RANGE, () => ioUringRegister(fd, 1.5, null, 0)],
    ['argument', TYPE, () => ioUringRegister(fd, 0, undefined as unknown as null, 0)],
    ['argument', TYPE, () => ioUringRegister(fd, 0, 'x' as unknown as null, 0)],
    ['count', TYPE, () => ioUringRegister(fd, 0, null, none)],
    ['count', RANGE, () => ioUringRegister(fd, 0, null, -1)],
  ])
})

test('addressOf: returns the address of all kinds of memory', (t) => {
  const native = createAddressOf()
  const buffer = new ArrayBuffer(4096)
  const start = native(new Uint8Array(buffer))
  t.is(addressOf(buffer), start)
  t.is(addressOf(new DataView(buffer, 100)), start + 100)
  t.is(addressOf(new Float64Array(buffer, 8, 1)), start + 8)
  const shared = new SharedArrayBuffer(8)
  t.is(addressOf(shared), native(new Uint8Array(shared)))
  const gone = new Uint8Array(8)
  t.true(addressOf(gone) > 0)
  structuredClone(gone.buffer, { transfer: [gone.buffer] })
  refusals(t, [
    ['bytes', TYPE, () => addressOf(null as unknown as Uint8Array)],
    ['bytes', TYPE, () => addressOf('x' as unknown as Uint8Array)],
    ['bytes.byteLength', RANGE, () => addressOf(new ArrayBuffer(0))],
    ['bytes.byteLength', RANGE, () => addressOf(new Uint8Array(buffer, 4096))],
    ['bytes.byteLength', RANGE, () => addressOf(gone)],
    ['bytes.byteLength', RANGE, () => addressOf(gone.buffer)],
  ])
})
