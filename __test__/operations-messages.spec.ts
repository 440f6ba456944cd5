// Messages: datagrams with addresses, and what goes along with them.

import { closeSync, fstatSync, readFileSync, writeSync } from 'node:fs'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  AsyncCancel,
  type Completion,
  type ControlMessage,
  ControlType,
  Entry,
  FixedBuffer,
  FixedFile,
  MessageFlags,
  Nop,
  type Operation,
  ProvideBuffers,
  RecvMsg,
  RecvMsgMulti,
  type ReceivedMessage,
  RecvZc,
  RemoveBuffers,
  Ring,
  SendMsg,
  SendMsgZc,
  SocketDomain,
  SocketLevel,
  SocketOption,
  SocketType,
  type ZeroCopyUsage,
} from 'uring'
import { socketpair } from 'uring/sys'
import { directory, file } from './helpers/files.ts'
import {
  bind,
  bound,
  connect,
  loopback,
  next,
  peer,
  provide,
  received,
  send,
  setOption,
  socket,
  unix,
} from './helpers/messages.ts'
import { script } from './helpers/process.ts'
import { registerBuffers } from './helpers/register.ts'
import { closing, pair } from './helpers/sockets.ts'

const { DGRAM, SEQPACKET, STREAM } = SocketType
const IP_TOS = 1
const IP_PKTINFO = 8
const IP_RECVTOS = 13
const IPV6_RECVPKTINFO = 49
const IPV6_PKTINFO = 50
const SO_TIMESTAMP = 29

const FAMILIES = [
  ['udp4', SocketDomain.INET, '127.0.0.1', 'IPv4'],
  ['udp6', SocketDomain.INET6, '::1', 'IPv6'],
] as const

function code(ring: Ring, operation: Operation<unknown>): string | undefined {
  return next(ring, operation).error?.code
}

/** Room for one datagram, and what came into it. */
function take(ring: Ring, fd: number, flags = 0): string {
  const bytes = Buffer.alloc(100)
  const { value } = next(ring, new RecvMsg(fd, { buffers: [bytes] }, { flags }))
  return bytes.toString('latin1', 0, value.bytes)
}

/** A control message that passes descriptors. */
function rights(...descriptors: number[]): ControlMessage {
  return {
    level: SocketLevel.SOCKET,
    type: ControlType.RIGHTS,
    data: Buffer.from(Int32Array.from(descriptors).buffer),
  }
}

/** The descriptors that came along, which are closed after the test. */
function descriptors(t: ExecutionContext, control: readonly ControlMessage[]): number[] {
  return control
    .filter(({ level, type }) => level === SocketLevel.SOCKET && type === ControlType.RIGHTS)
    .flatMap(({ data }) => Array.from(new Int32Array(data.buffer, data.byteOffset, data.length / 4)))
    .map((fd) => closing(t, fd))
}

function closesOnExec(fd: number): boolean {
  const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] as string
  return (Number.parseInt(flags, 8) & 0o2000000) !== 0
}

// ---- SendMsg

for (const [type, domain, address, family] of FAMILIES) {
  test(`SendMsg: sends buffers as one datagram to an address: ${type}`, async (t) => {
    using ring = new Ring({ entries: 4 })
    const dgram = await peer(t, type)
    const { fd, port } = bound(t, domain)
    const buffers = [
      Buffer.from('one '),
      new Uint8Array(0),
      new Uint16Array([0x7774, 0x206f]),
      Buffer.from('three'),
    ]
    const { value } = next(
      ring,
      new SendMsg(fd, { buffers, address: { address, port: dgram.address().port } }),
    )
    t.is(value, 13)
    t.deepEqual(await received(dgram), { bytes: Buffer.from('one two three'), family, address, port })
  })

  test(`RecvMsg: receives a datagram into several buffers, with the sender: ${type}`, async (t) => {
    using ring = new Ring({ entries: 4 })
    const dgram = await peer(t, type)
    const { fd, port } = bound(t, domain)
    await send(dgram, Buffer.from('one two three'), port)
    const buffers = [Buffer.alloc(4), new Uint8Array(0), Buffer.alloc(3), Buffer.alloc(100, '.')]
    const { value } = next(ring, new RecvMsg(fd, { buffers, address: true }))
    t.like(value, { bytes: 13, flags: 0, control: [] })
    t.like(value.address, { family, address, port: dgram.address().port })
    t.deepEqual(
      buffers.map((bytes) => Buffer.from(bytes).toString('latin1').replace(/\.+$/, '.')),
      ['one ', '', 'two', ' three.'],
    )
    // Nobody asked for the address.
    for (const message of [{ buffers }, { buffers, address: false }]) {
      await send(dgram, Buffer.from('again'), port)
      t.deepEqual(next(ring, new RecvMsg(fd, message)).value, {
        bytes: 5,
        address: undefined,
        control: [],
        flags: 0,
      })
    }
  })
}

for (const [name, type] of Object.entries({ DGRAM, SEQPACKET, STREAM })) {
  test(`SendMsg: without an address it goes to the peer: ${name}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = pair(t, type)
    t.is(next(ring, new SendMsg(left, { buffers: [Buffer.from('to '), Buffer.from('right')] })).value, 8)
    t.is(next(ring, new SendMsg({ fd: right }, { buffers: [Buffer.from('to left')] })).value, 7)
    t.is(take(ring, right), 'to right')
    t.is(take(ring, left), 'to left')
  })
}

test('SendMsg: sends to the address of a path, of an abstract name, and of bytes', (t) => {
  using ring = new Ring({ entries: 4 })
  const path = join(directory(t), 'socket')
  const name = `\0uring-test-${process.pid}-${Math.random()}`
  for (const [address, bytes] of [
    [{ path }, unix(path)],
    [{ path: name }, unix(name)],
    [unix(path), undefined],
  ] as const) {
    const to = socket(t, SocketDomain.UNIX)
    if (bytes !== undefined) bind(to, bytes)
    const from = socket(t, SocketDomain.UNIX)
    const sender = `\0uring-from-${process.pid}-${Math.random()}`
    bind(from, unix(sender))
    const sent = next(ring, new SendMsg(from, { buffers: [Buffer.from('hello')], address }))
    t.is(sent.value, 5)
    if (bytes === undefined) continue
    const { value } = next(ring, new RecvMsg(to, { buffers: [Buffer.alloc(10)], address: true }))
    t.deepEqual(value.address, { family: 'Unix', path: sender })
  }
})

test('SendMsg: an empty message is a message', async (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  const dgram = await peer(t, 'udp4')
  const { fd, port } = bound(t, SocketDomain.INET)
  const address = { address: '127.0.0.1', port: dgram.address().port }
  for (const buffers of [[], [Buffer.alloc(0)], [new ArrayBuffer(0), Buffer.alloc(0)]]) {
    t.is(next(ring, new SendMsg(left, { buffers })).value, 0)
    const message = { buffers: [Buffer.alloc(1)], address: true }
    t.like(next(ring, new RecvMsg(right, message)).value, { bytes: 0, flags: 0 })
    t.is(next(ring, new SendMsg(fd, { buffers, address })).value, 0)
    t.like(await received(dgram), { bytes: Buffer.alloc(0), port })
  }
  // Room for nothing takes a message all the same, and says that it was cut off.
  t.is(next(ring, new SendMsg(left, { buffers: [Buffer.from('lost')] })).value, 4)
  t.like(next(ring, new RecvMsg(right, { buffers: [] })).value, { bytes: 0, flags: MessageFlags.TRUNC })
  t.is(code(ring, new RecvMsg(right, { buffers: [] }, { flags: MessageFlags.DONTWAIT })), 'EAGAIN')
})

test('SendMsg: the longest datagram, and one that is longer', async (t) => {
  using ring = new Ring({ entries: 4 })
  const dgram = await peer(t, 'udp4')
  const { fd } = bound(t, SocketDomain.INET)
  const address = { address: '127.0.0.1', port: dgram.address().port }
  const bytes = Buffer.from(Array.from({ length: 65_507 }, (_, index) => index % 251))
  // As many buffers as there can be.
  const buffers = Array.from({ length: 1024 }, (_, index) =>
    index < 1023 ? bytes.subarray(index * 64, index * 64 + 64) : bytes.subarray(index * 64),
  )
  t.is(next(ring, new SendMsg(fd, { buffers, address })).value, 65_507)
  t.deepEqual((await received(dgram)).bytes, bytes)
  const { error } = next(ring, new SendMsg(fd, { buffers: [bytes, Buffer.alloc(1)], address }))
  t.is(error?.message, 'EMSGSIZE: message too long, sendmsg')
  t.is(error?.operation, 'SendMsg')
  t.is(error?.syscall, 'sendmsg')
})

test('SendMsg: failures have their codes', async (t) => {
  using ring = new Ring({ entries: 4 })
  const buffers = [Buffer.from('message')]
  const path = join(directory(t), 'socket')
  const local = socket(t, SocketDomain.UNIX)
  t.is(code(ring, new SendMsg(local, { buffers, address: { path } })), 'ENOENT')
  t.is(code(ring, new SendMsg(local, { buffers, address: { path: '\0nobody-is-here' } })), 'ECONNREFUSED')
  t.is(code(ring, new SendMsg(local, { buffers })), 'ENOTCONN')
  const { fd } = bound(t, SocketDomain.INET)
  t.is(code(ring, new SendMsg(fd, { buffers })), 'EDESTADDRREQ')
  t.is(code(ring, new SendMsg(fd, { buffers, address: { address: '::1', port: 1 } })), 'EAFNOSUPPORT')
  t.is(code(ring, new SendMsg(local, { buffers, control: Buffer.alloc(16, 1) })), 'EINVAL')
  t.is(code(ring, new SendMsg(file(t).fd, { buffers })), 'ENOTSOCK')
  t.is(code(ring, new SendMsg(987_654, { buffers })), 'EBADF')
  t.is(code(ring, new SendMsg(new FixedFile(3), { buffers })), 'EBADF')

  // A peer that is gone.
  const [left, right] = socketpair(SocketDomain.UNIX, STREAM)
  closing(t, left)
  closeSync(right)
  t.is(next(ring, new SendMsg(left, { buffers })).error?.message, 'EPIPE: broken pipe, sendmsg')

  // A port that nobody has any more: the answer comes with a later call.
  const gone = createSocket('udp4').bind(0, '127.0.0.1')
  await once(gone, 'listening')
  const sender = socket(t, SocketDomain.INET)
  connect(sender, loopback(SocketDomain.INET, gone.address().port))
  gone.close()
  let last: Completion<number>
  do last = next(ring, new SendMsg(sender, { buffers }))
  while (last.ok)
  t.is(last.error?.message, 'ECONNREFUSED: connection refused, sendmsg')
  next(ring, new SendMsg(sender, { buffers }))
  t.is(code(ring, new RecvMsg(sender, { buffers: [Buffer.alloc(1)] })), 'ECONNREFUSED')
})

test('SendMsg: a registered file is as good as a descriptor', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  ring.registerFiles([-1, left])
  t.is(next(ring, new SendMsg(new FixedFile(1), { buffers: [Buffer.from('fixed')] })).value, 5)
  t.is(take(ring, right), 'fixed')
})

test('SendMsg: flags reach the kernel', async (t) => {
  using ring = new Ring({ entries: 4 })
  const dgram = await peer(t, 'udp4')
  const { fd, port } = bound(t, SocketDomain.INET)
  const address = { address: '127.0.0.1', port: dgram.address().port }
  // Two sends make one datagram.
  const flags = MessageFlags.MORE
  t.is(next(ring, new SendMsg(fd, { buffers: [Buffer.from('one ')], address }, { flags })).value, 4)
  t.is(next(ring, new SendMsg(fd, { buffers: [Buffer.from('two')], address })).value, 3)
  t.like(await received(dgram), { bytes: Buffer.from('one two'), port })
  // A socket that is full.
  const [left] = pair(t, STREAM)
  const message = { buffers: [Buffer.alloc(1 << 20)] }
  const options = { flags: MessageFlags.DONTWAIT }
  t.true(next(ring, new SendMsg(left, message, options)).value < 1 << 20)
  let last: Completion<number>
  do last = next(ring, new SendMsg(left, message, options))
  while (last.ok)
  t.is(last.error?.message, 'EAGAIN: resource temporarily unavailable, sendmsg')
})

test('SendMsg: pollFirst waits before the first try', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  const message = { buffers: [Buffer.from('ready')] }
  const flags = MessageFlags.DONTWAIT
  t.is(next(ring, new SendMsg(left, message, { pollFirst: true })).value, 5)
  t.is(next(ring, new SendMsg(left, message, { flags })).value, 5)
  // What must not wait, and must wait first, cannot be.
  t.is(code(ring, new SendMsg(left, message, { flags, pollFirst: true })), 'EAGAIN')
  const target = { buffers: [Buffer.alloc(10)] }
  t.is(next(ring, new RecvMsg(right, target, { pollFirst: true })).value.bytes, 5)
  t.is(code(ring, new RecvMsg(right, target, { flags, pollFirst: true })), 'EAGAIN')
  t.is(next(ring, new RecvMsg(right, target, { flags })).value.bytes, 5)
})

test('SendMsg: what changes after the push changes nothing', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  const { fd } = file(t, 'right')
  const control = [rights(fd)]
  const buffers = [Buffer.from('right')]
  const message = { buffers, control }
  const operation = new SendMsg(left, message)
  ring.push(operation)
  control[0]?.data.fill(0xff)
  control.length = 0
  buffers[0] = Buffer.from('wrong')
  operation.message = { buffers: [] }
  operation.flags = MessageFlags.OOB
  operation.file = 987_654
  t.is(next(ring).value, 5)
  const bytes = Buffer.alloc(10)
  const { value } = next(ring, new RecvMsg(right, { buffers: [bytes], control: 24 }))
  t.is(bytes.toString('latin1', 0, value.bytes), 'right')
  const [copy = -1] = descriptors(t, value.control)
  t.is(fstatSync(copy).ino, fstatSync(fd).ino)
})

test('SendMsg: a buffer that was taken away meanwhile is an error', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  const bytes = new Uint8Array(8)
  ring.push(new SendMsg(left, { buffers: [Buffer.alloc(2), bytes] }))
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  t.is(next(ring).error?.code, 'ERR_URING_BUFFER_DETACHED')
  const target = new Uint8Array(8)
  ring.push(new RecvMsg(right, { buffers: [Buffer.alloc(2), target] }))
  structuredClone(target.buffer, { transfer: [target.buffer] })
  t.is(next(ring).error?.code, 'ERR_URING_BUFFER_DETACHED')
})

test('SendMsg: what was pushed lives until it is done', async (t) => {
  // Before it is submitted, and while the chain waits at the gate, all that can be freed is freed and written over.
  const { code, stdout, stderr } = await script(
    `
    import { fstatSync, openSync, writeSync } from 'node:fs'
    import { setImmediate as turn } from 'node:timers/promises'
    import { ProvideBuffers, Read, RecvMsg, RecvMsgMulti, Ring, SendMsg } from 'uring'
    import { socketpair } from 'uring/sys'
    const ring = new Ring({ entries: 64 })
    const [left, right] = socketpair(1, 2)
    const [one, two] = socketpair(1, 2)
    const [three, four] = socketpair(1, 2)
    const [gate, opener] = socketpair(1, 1)
    const fd = openSync('/proc/self/exe')
    const spare = new SendMsg(left, { buffers: [], address: { path: 'x' } })
    const fresh = () => { for (let index = 0; index < 2000; index += 1) spare.build() }
    const rights = { level: 1, type: 1, data: new Uint8Array(Int32Array.of(fd).buffer) }
    const descriptor = (control) => new Int32Array(control[0].data.buffer, control[0].data.byteOffset, 1)[0]
    const same = (copy) => copy !== fd && fstatSync(copy).ino === fstatSync(fd).ino
    const memory = Buffer.alloc(40_000)
    const push = () => {
      ring.push(new ProvideBuffers(Buffer.alloc(1000), 1000, 1, 1))
      ring.wait()
      fresh() // what follows is in memory of its own
      ring.push(new RecvMsgMulti(four, 1, { address: 24, control: 24 }), 'multi')
      fresh()
      ring.push(new RecvMsg(two, { buffers: [memory], address: true, control: 20_000 }), 'receive')
      fresh()
      ring.push(new Read(gate, Buffer.alloc(1)).link(), 'gate')
      ring.push(new SendMsg(left, {
        buffers: [Buffer.alloc(20_000, 'a'), Buffer.alloc(20_000, 'b')],
        control: [{ level: 99, type: 1, data: new Uint8Array(20_000) }, rights], // the first is nobody's: passed over
      }), 'send')
      fresh()
    }
    const junk = []
    const overwrite = async () => {
      for (let round = 0; round < 3; round += 1) {
        await turn()
        gc()
        for (let index = 0; index < 50; index += 1) {
          for (const size of [20_000, 20_040, 65_536]) junk.push(new Uint8Array(size).fill(0xff))
        }
      }
    }
    push()
    await overwrite()
    ring.submit()
    await overwrite()
    writeSync(opener, 'x')
    const done = ring.waitMany(2)
    console.log(done.map(({ userData, value }) => [userData, value].join(' ')).join())
    const all = [Buffer.alloc(20_000, 'a'), Buffer.alloc(20_000, 'b')]
    const bytes = Buffer.alloc(40_000)
    ring.push(new RecvMsg(right, { buffers: [bytes], control: 24 }))
    console.log(same(descriptor(ring.wait().value.control)), bytes.equals(Buffer.concat(all)))
    ring.push(new SendMsg(one, { buffers: all, control: [rights] }), 'sent')
    const received = ring.waitMany(2).find(({ userData }) => userData === 'receive').value
    console.log(received.bytes, same(descriptor(received.control)), memory.equals(Buffer.concat(all)))
    ring.push(new SendMsg(three, { buffers: [Buffer.from('multi')], control: [rights] }), 'sent')
    const multi = ring.waitMany(2).find(({ userData }) => userData === 'multi')
    console.log(multi.result, same(descriptor(multi.value.control)), multi.value.bytes.toString())
    `,
    ['--expose-gc'],
  )
  t.deepEqual([code, stderr], [0, ''])
  t.deepEqual(stdout.trim().split('\n'), [
    'gate 1,send 40000',
    'true true',
    '40000 true true',
    '69 true multi',
  ])
})

// ---- control messages

test('SendMsg: passes descriptors', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, STREAM)
  const one = file(t, 'one')
  const two = file(t, 'two')
  const bytes = Buffer.alloc(40)
  bytes.writeBigUInt64LE(24n)
  bytes.writeInt32LE(SocketLevel.SOCKET, 8)
  bytes.writeInt32LE(ControlType.RIGHTS, 12)
  bytes.writeInt32LE(one.fd, 16)
  bytes.writeInt32LE(two.fd, 20)
  for (const control of [
    [rights(one.fd, two.fd)],
    [rights(one.fd), rights(two.fd)],
    bytes.subarray(0, 24),
    new Uint8Array(bytes.subarray(0, 24)).buffer,
  ]) {
    t.is(next(ring, new SendMsg(left, { buffers: [Buffer.from('!')], control })).value, 1)
    const { value } = next(ring, new RecvMsg(right, { buffers: [Buffer.alloc(1)], control: 24 }))
    t.is(value.flags, 0)
    const copies = descriptors(t, value.control)
    t.deepEqual(
      copies.map((fd) => fstatSync(fd).ino),
      [one, two].map(({ fd }) => fstatSync(fd).ino),
    )
    t.false(copies.some((fd) => fd === one.fd || fd === two.fd))
    t.deepEqual(copies.map(closesOnExec), [false, false])
  }
  // What comes through the new descriptor is in the file.
  next(ring, new SendMsg(left, { buffers: [Buffer.from('!')], control: [rights(one.fd)] }))
  const { value } = next(ring, new RecvMsg(right, { buffers: [Buffer.alloc(1)], control: 24 }))
  const [copy = -1] = descriptors(t, value.control)
  writeSync(copy, 'ONE', 0)
  t.is(readFileSync(one.path, 'utf8'), 'ONE')
})

test('SendMsg: control messages that the kernel does not take', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  const buffers = [Buffer.from('!')]
  t.is(code(ring, new SendMsg(left, { buffers, control: [rights(987_654)] })), 'EBADF')
  t.is(code(ring, new SendMsg(left, { buffers, control: [{ ...rights(left), type: 77 }] })), 'EINVAL')
  const many = { level: SocketLevel.SOCKET, type: ControlType.RIGHTS, data: Buffer.alloc(254 * 4) }
  t.is(code(ring, new SendMsg(left, { buffers, control: [many] })), 'EINVAL')
  const nothing: Buffer[] = []
  t.is(code(ring, new RecvMsg(right, { buffers: nothing }, { flags: MessageFlags.DONTWAIT })), 'EAGAIN')
})

test('SendMsg: control messages of the Internet', async (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd: to, port } = bound(t, SocketDomain.INET)
  setOption(to, SocketLevel.IP, IP_RECVTOS, 1)
  const { fd } = bound(t, SocketDomain.INET)
  const address = { address: '127.0.0.1', port }
  const control = [{ level: SocketLevel.IP, type: IP_TOS, data: Buffer.from(Int32Array.of(0x48).buffer) }]
  for (const Send of [SendMsg, SendMsgZc]) {
    t.is(next<unknown>(ring, new Send(fd, { buffers: [Buffer.from('tos')], address, control })).result, 3)
    if (Send === SendMsgZc) t.true(next(ring).notification)
    const { value } = next(ring, new RecvMsg(to, { buffers: [Buffer.alloc(9)], control: 64 }))
    t.deepEqual(value.control, [{ level: SocketLevel.IP, type: IP_TOS, data: Buffer.of(0x48) }])
  }
})

test('RecvMsg: CMSG_CLOEXEC closes what came along in programs that are started', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  next(ring, new SendMsg(left, { buffers: [Buffer.from('!')], control: [rights(left, right)] }))
  const message = { buffers: [Buffer.alloc(1)], control: 24 }
  const { value } = next(ring, new RecvMsg(right, message, { flags: MessageFlags.CMSG_CLOEXEC }))
  t.is(value.flags & ~MessageFlags.CMSG_CLOEXEC, 0)
  t.deepEqual(descriptors(t, value.control).map(closesOnExec), [true, true])
})

test('RecvMsg: control messages that there is no room for are cut off', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  const { fd } = file(t)
  for (const [control, count] of [
    [undefined, 0],
    [0, 0],
    [1, 0],
    [15, 0],
    [16, 0],
    [20, 1],
    [24, 2],
    [32, 3],
  ] as const) {
    next(ring, new SendMsg(left, { buffers: [Buffer.from('!')], control: [rights(fd, fd, fd)] }))
    const message = { buffers: [Buffer.alloc(1)], ...(control === undefined ? {} : { control }) }
    const { value } = next(ring, new RecvMsg(right, message))
    t.is(value.flags, count < 3 ? MessageFlags.CTRUNC : 0, `room for ${control}`)
    const copies = descriptors(t, value.control)
    t.is(copies.length, count, `room for ${control}`)
    for (const copy of copies) t.is(fstatSync(copy).ino, fstatSync(fd).ino)
  }
})

for (const [type, domain, address, family] of FAMILIES) {
  test(`RecvMsg: receives several control messages: ${type}`, async (t) => {
    using ring = new Ring({ entries: 4 })
    const dgram = await peer(t, type)
    const { fd, port } = bound(t, domain)
    const [level, option, wanted, length] =
      domain === SocketDomain.INET
        ? [SocketLevel.IP, IP_PKTINFO, IP_PKTINFO, 12]
        : [SocketLevel.IPV6, IPV6_RECVPKTINFO, IPV6_PKTINFO, 20]
    setOption(fd, SocketLevel.SOCKET, SocketOption.TIMESTAMP, 1)
    setOption(fd, level, option, 1)
    const before = BigInt(Date.now()) - 1n
    await send(dgram, Buffer.from('stamped'), port)
    const message = { buffers: [Buffer.alloc(10)], address: true, control: 200 }
    const { value } = next(ring, new RecvMsg(fd, message))
    const after = BigInt(Date.now()) + 1n
    t.like(value, { bytes: 7, flags: 0 })
    t.like(value.address, { family, address, port: dgram.address().port })
    const [stamp, info, ...others] = value.control
    t.is(others.length, 0)
    t.like(stamp, { level: SocketLevel.SOCKET, type: SO_TIMESTAMP })
    const timeval = Buffer.from(stamp?.data ?? [])
    t.is(timeval.length, 16)
    const milliseconds = timeval.readBigInt64LE() * 1000n + timeval.readBigInt64LE(8) / 1000n
    t.true(milliseconds >= before && milliseconds <= after)
    t.like(info, { level, type: wanted })
    t.is(info?.data.length, length)
    // Room for the first only.
    await send(dgram, Buffer.from('stamped'), port)
    const { value: cut } = next(ring, new RecvMsg(fd, { ...message, control: 32 }))
    t.is(cut.flags, MessageFlags.CTRUNC)
    t.deepEqual(
      cut.control.map(({ type }) => type),
      [SO_TIMESTAMP],
    )
  })
}

// ---- RecvMsg

test('RecvMsg: says what was cut off', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  const send = (): unknown => next(ring, new SendMsg(left, { buffers: [Buffer.from('a long one')] })).value
  send()
  const buffers = [Buffer.alloc(2), Buffer.alloc(2)]
  t.like(next(ring, new RecvMsg(right, { buffers })).value, { bytes: 4, flags: MessageFlags.TRUNC })
  t.is(Buffer.concat(buffers).toString(), 'a lo')
  // How long it was.
  send()
  const flags = MessageFlags.TRUNC
  t.like(next(ring, new RecvMsg(right, { buffers }, { flags })).value, { bytes: 10, flags })
  // A buffer that was taken away is found out all the same.
  send()
  ring.push(new RecvMsg(right, { buffers }, { flags }))
  structuredClone(buffers[1]?.buffer, { transfer: [buffers[1]?.buffer as ArrayBuffer] })
  t.is(next(ring).error?.code, 'ERR_URING_BUFFER_DETACHED')
})

test('RecvMsg: flags reach the kernel', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  next(ring, new SendMsg(left, { buffers: [Buffer.from('peek')] }))
  t.is(take(ring, right, MessageFlags.PEEK), 'peek')
  t.is(take(ring, right, MessageFlags.PEEK), 'peek')
  t.is(take(ring, right), 'peek')
  const { error } = next(ring, new RecvMsg(right, { buffers: [] }, { flags: MessageFlags.DONTWAIT }))
  t.is(error?.message, 'EAGAIN: resource temporarily unavailable, recvmsg')
  t.is(error?.operation, 'RecvMsg')
})

test('RecvMsg: waits for a message', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, SEQPACKET)
  const bytes = Buffer.alloc(10)
  ring.push(new RecvMsg(right, { buffers: [bytes], address: true }), 'receive')
  ring.submit()
  t.is(ring.tryWait(), undefined)
  t.is(next(ring, new SendMsg(left, { buffers: [Buffer.from('late')] })).error, undefined)
  const { userData, value } = next(ring) as Completion<{ bytes: number; flags: number }>
  t.is(userData, 'receive')
  t.is(value.bytes, 4)
  t.is(bytes.toString('latin1', 0, 4), 'late')
})

test('RecvMsg: the end of a stream has no bytes', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = socketpair(SocketDomain.UNIX, STREAM)
  closing(t, right)
  writeSync(left, 'end')
  closeSync(left)
  t.is(take(ring, right), 'end')
  t.deepEqual(next(ring, new RecvMsg(right, { buffers: [Buffer.alloc(1)], address: true })).value, {
    bytes: 0,
    address: undefined,
    control: [],
    flags: 0,
  })
})

test('RecvMsg: failures have their codes', (t) => {
  using ring = new Ring({ entries: 4 })
  const message = { buffers: [Buffer.alloc(8)] }
  t.is(code(ring, new RecvMsg(file(t).fd, message)), 'ENOTSOCK')
  t.is(code(ring, new RecvMsg(987_654, message)), 'EBADF')
  t.is(code(ring, new RecvMsg(socket(t, SocketDomain.INET, STREAM), message)), 'ENOTCONN')
  t.is(code(ring, new RecvMsg(socket(t, SocketDomain.UNIX, SEQPACKET), message)), 'ENOTCONN')
  const [left] = pair(t, DGRAM)
  t.is(code(ring, new RecvMsg(left, { buffers: { group: 9 } }, { flags: MessageFlags.DONTWAIT })), 'ENOBUFS')
})

test('RecvMsg: what an entry received stays when it is pushed again', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  bind(left, unix(`\0uring-entry-${process.pid}-${Math.random()}`))
  const entry = new RecvMsg(right, { buffers: [Buffer.alloc(8)], address: true, control: 24 }).build()
  next(ring, new SendMsg(left, { buffers: [Buffer.from('first')], control: [rights(left)] }))
  const first = next(ring, entry)
  next(ring, new SendMsg(left, { buffers: [Buffer.from('2nd')] }))
  const second = next(ring, entry)
  t.is(first.value.bytes, 5)
  t.is(first.value.control.length, 1)
  descriptors(t, first.value.control)
  t.is(second.value.bytes, 3)
  t.is(second.value.control.length, 0)
  t.deepEqual(second.value.address, first.value.address)
})

test('RecvMsg: takes a buffer from a group', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t, DGRAM)
  const path = `\0uring-group-${process.pid}-${Math.random()}`
  bind(left, unix(path))
  const memory = provide(ring, 5, 16, 3, 40)
  const buffers = { group: 5 }
  const send = (text: string): unknown =>
    next(ring, new SendMsg(left, { buffers: [Buffer.from(text)], control: [rights(right)] })).value
  send('grouped')
  const one = next(ring, new RecvMsg(right, { buffers, address: true, control: 24 }))
  t.is(one.result, 7)
  t.is(one.bufferId, 40)
  t.is(one.value.bytes.toString(), 'grouped')
  t.is(one.value.bytes.buffer, memory.buffer)
  t.deepEqual(one.value.views, [one.value.bytes])
  t.deepEqual(one.value.address, { family: 'Unix', path })
  t.is(one.value.flags, 0)
  t.is(descriptors(t, one.value.control).length, 1)
  t.is(memory.toString('latin1'), `grouped${'.'.repeat(41)}`)
  one.value.release()
  // No more than this.
  send('limited')
  const two = next(ring, new RecvMsg(right, { buffers: { group: { group: 5 }, length: 4 } }))
  t.is(two.value.bytes.toString(), 'limi')
  t.is(two.value.address, undefined)
  t.is(two.value.flags, MessageFlags.TRUNC | MessageFlags.CTRUNC)
  // More than there is, and how long it was.
  send('longer than sixteen')
  const three = next(
    ring,
    new RecvMsg(right, { buffers: { group: 5, length: 100 } }, { flags: MessageFlags.TRUNC }),
  )
  t.is(three.result, 19)
  {
    using value = three.value
    t.is(value.bytes.toString(), 'longer than sixt')
    t.is(value.flags, MessageFlags.TRUNC | MessageFlags.CTRUNC)
  }
  // All are out.
  send('nowhere')
  const none = next(ring, new RecvMsg(right, { buffers }))
  t.is(none.error?.code, 'ENOBUFS')
  t.is(none.bufferId, undefined)
  provide(ring, 5, 16, 1)
  t.is(next(ring, new RecvMsg(right, { buffers })).value.bytes.toString(), 'nowhere')
})

test('RecvMsg: a group that this ring does not know is an error', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  const memory = Buffer.alloc(16)
  const entry = Entry.from(new ProvideBuffers(memory, 16, 1, 6).build().bytes, { keep: [memory] })
  t.is(next(ring, entry).value, 0)
  next(ring, new SendMsg(left, { buffers: [Buffer.from('lost')] }))
  const completion = next(ring, new RecvMsg(right, { buffers: { group: 6 } }))
  t.is(completion.result, 4)
  t.throws(() => completion.value, { code: 'ERR_URING_RESOURCE_CLOSED' })
})

// ---- RecvMsgMulti

test('RecvMsgMulti: receives one message after the other, with all that comes along', async (t) => {
  using ring = new Ring({ entries: 8 })
  for (const [index, [type, domain, address, family]] of FAMILIES.entries()) {
    const dgram = await peer(t, type)
    const { fd, port } = bound(t, domain)
    const from = dgram.address().port
    setOption(fd, SocketLevel.SOCKET, SocketOption.TIMESTAMP, 1)
    const group = 10 + index
    const memory = provide(ring, group, 256, 4)
    const operation = new RecvMsgMulti(fd, { group }, { address: true, control: 32 })
    const token = ring.push(operation, 'multi')
    ring.submit()
    // What it was pushed with counts.
    operation.address = 1
    operation.control = 5
    operation.group = 77
    for (const [index, text] of ['one', 'two and more', '3'].entries()) {
      await send(dgram, Buffer.from(text), port)
      const completion = next(ring) as Completion<ReceivedMessage>
      t.is(completion.token, token)
      t.is(completion.userData, 'multi')
      t.true(completion.more)
      t.is(completion.result, 16 + 128 + 32 + text.length)
      t.is(completion.bufferId, index)
      const { value } = completion
      t.is(value.bytes.toString(), text)
      t.deepEqual(value.views, [value.bytes])
      t.is(value.bytes.buffer, memory.buffer)
      t.is(value.bytes.byteOffset, memory.byteOffset + index * 256 + 16 + 128 + 32)
      t.like(value.address, { family, address, port: from })
      t.is(value.flags, 0)
      t.like(value.control[0], { level: SocketLevel.SOCKET, type: SO_TIMESTAMP })
      t.is(value.control.length, 1)
      value.release()
      // The buffer by itself.
      const view = memory.subarray(index * 256, index * 256 + completion.result)
      const parsed = new RecvMsgMulti(fd, group, { address: true, control: 32 }).parse(view)
      t.is(parsed.bytes.toString(), text)
      t.is(parsed.payloadLength, text.length)
      t.is(parsed.nameLength, domain === SocketDomain.INET ? 16 : 28)
      t.is(parsed.name.readUInt16BE(2), from)
      t.deepEqual(parsed.address, value.address)
      t.deepEqual(parsed.control, value.control)
      t.is(parsed.flags, 0)
    }
    ring.push(new AsyncCancel(token), 'cancel')
    const both = ring.waitMany(2)
    const end = both.find(({ userData }) => userData === 'multi')
    t.is(end?.error?.code, 'ECANCELED')
    t.false(end?.more)
    t.is(both.find(({ userData }) => userData === 'cancel')?.value, 1)
  }
})

test('RecvMsgMulti: without rooms there are bytes alone', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t, DGRAM)
  bind(left, unix(`\0uring-bare-${process.pid}-${Math.random()}`))
  const memory = provide(ring, 1, 32, 2)
  ring.push(new RecvMsgMulti(right, 1))
  ring.submit()
  const send = (text: string): void =>
    void ring.push(new SendMsg(left, { buffers: [Buffer.from(text)], control: [rights(left)] }))
  send('bare')
  const [first] = ring.waitMany(2).filter(({ more }) => more) as Completion<ReceivedMessage>[]
  t.is(first?.value.bytes.toString(), 'bare')
  t.is(first?.value.address, undefined)
  t.deepEqual(first?.value.control, [])
  t.is(first?.value.flags, MessageFlags.CTRUNC)
  t.is(memory.toString('latin1', 16, 20), 'bare')
  // The last buffer, and then there is none.
  send('x'.repeat(20))
  const [second] = ring.waitMany(2).filter(({ more }) => more) as Completion<ReceivedMessage>[]
  t.is(second?.value.bytes.toString(), 'x'.repeat(16))
  t.is(second?.value.flags, MessageFlags.CTRUNC | MessageFlags.TRUNC)
  send('nowhere')
  const end = ring.waitMany(2).find(({ ok }) => !ok)
  t.is(end?.error?.message, 'ENOBUFS: no buffer space available, recvmsg')
  t.is(end?.error?.operation, 'RecvMsgMulti')
  t.false(end?.more)
})

test('RecvMsgMulti: what has no room is cut off', async (t) => {
  using ring = new Ring({ entries: 8 })
  const dgram = await peer(t, 'udp4')
  const { fd, port } = bound(t, SocketDomain.INET)
  setOption(fd, SocketLevel.SOCKET, SocketOption.TIMESTAMP, 1)
  for (const [options, flags] of [
    [{ address: 4, control: 8 }, MessageFlags.TRUNC | MessageFlags.CTRUNC],
    [{ address: 4, control: 8, flags: MessageFlags.TRUNC }, MessageFlags.TRUNC | MessageFlags.CTRUNC],
    [{ address: 16, control: 32 }, MessageFlags.TRUNC],
    [{ address: 200, control: 100 }, MessageFlags.TRUNC],
  ] as const) {
    const { address: room, control } = options
    const memory = provide(ring, 3, 16 + room + control + 5, 1)
    const operation = new RecvMsgMulti(fd, 3, options)
    ring.push(operation)
    ring.submit()
    await send(dgram, Buffer.from('a long one'), port)
    const { value, result } = next(ring) as Completion<ReceivedMessage>
    t.is(result, memory.length)
    t.is(value.bytes.toString(), 'a lon')
    t.is(value.flags, flags)
    t.is(value.control.length, control < 32 ? 0 : 1)
    const parsed = operation.parse(memory)
    t.is(parsed.nameLength, 16)
    t.is(parsed.name.length, Math.min(room, 16))
    t.is(parsed.payloadLength, 'flags' in options ? 10 : 5)
    if (room >= 16) t.like(value.address, { port: dgram.address().port })
    else t.deepEqual(value.address, { family: 2, bytes: parsed.name })
    // It goes on, and finds no buffer.
    await send(dgram, Buffer.from('next'), port)
    t.is(next(ring).error?.code, 'ENOBUFS')
    t.is(take(ring, fd), 'next')
  }
})

test('RecvMsgMulti: descriptors come along', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t, DGRAM)
  const { fd } = file(t)
  for (const flags of [0, MessageFlags.CMSG_CLOEXEC]) {
    provide(ring, 1, 128, 1)
    ring.push(new RecvMsgMulti(right, 1, { control: 24, flags }), 'multi')
    ring.push(new SendMsg(left, { buffers: [Buffer.from('!')], control: [rights(fd)] }))
    const multi = ring.waitMany(2).find(({ userData }) => userData === 'multi') as Completion<ReceivedMessage>
    const [copy = -1] = descriptors(t, multi.value.control)
    t.is(fstatSync(copy).ino, fstatSync(fd).ino)
    t.is(closesOnExec(copy), flags !== 0)
    ring.push(new SendMsg(left, { buffers: [Buffer.from('end')] }))
    t.is(ring.waitMany(2).find(({ userData }) => userData === 'multi')?.error?.code, 'ENOBUFS')
    t.is(take(ring, right), 'end')
  }
})

test('RecvMsgMulti: a message without bytes ends it, as the end of a stream does', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const type of [DGRAM, SEQPACKET, STREAM]) {
    const [left, right] = socketpair(SocketDomain.UNIX, type)
    closing(t, right)
    provide(ring, 2, 200, 2)
    ring.push(new RecvMsgMulti(right, 2, { address: true, control: 24 }), 'multi')
    ring.push(new SendMsg(left, { buffers: [Buffer.from('bytes')] }))
    const first = ring.waitMany(2).find(({ userData }) => userData === 'multi') as Completion<ReceivedMessage>
    t.true(first.more)
    t.is(first.value.bytes.toString(), 'bytes')
    if (type === DGRAM) ring.push(new SendMsg(left, { buffers: [] }))
    else ring.push(new Nop())
    if (type !== DGRAM) closeSync(left)
    else closing(t, left)
    const last = ring.waitMany(2).find(({ userData }) => userData === 'multi') as Completion<ReceivedMessage>
    t.false(last.more)
    t.is(last.value.bytes.length, 0)
    t.deepEqual(last.value.control, [])
    t.is(last.value.address, undefined)
    t.is(ring.inFlight, 0)
    last.value.release()
    ring.push(new RemoveBuffers(10, 2))
    ring.wait()
  }
})

test('RecvMsgMulti: each ends with the stream', async (t) => {
  for (const type of [STREAM, SEQPACKET]) {
    for (const options of [{}, { address: true, control: 24 }]) {
      const ring = new Ring({ entries: 8 })
      const [left, right] = socketpair(SocketDomain.UNIX, type)
      closing(t, right)
      provide(ring, 2, 200, 4)
      writeSync(left, 'all')
      closeSync(left)
      const texts = []
      for await (const { bytes } of ring.each(new RecvMsgMulti(right, 2, options)))
        texts.push(bytes.toString())
      t.deepEqual(texts, ['all'])
      t.is(ring.inFlight, 0)
      await ring.close()
    }
  }
})

test('RecvMsgMulti: each goes on after an empty datagram that has a sender', async (t) => {
  const ring = new Ring({ entries: 8 })
  const dgram = await peer(t, 'udp4')
  const { fd, port } = bound(t, SocketDomain.INET)
  provide(ring, 2, 200, 8)
  const texts = []
  for (const text of ['one', '', '', 'four']) await send(dgram, Buffer.from(text), port)
  for await (const { bytes, address, control, flags } of ring.each(
    new RecvMsgMulti(fd, 2, { address: true }),
  )) {
    texts.push(bytes.toString())
    t.like(address, { port: dgram.address().port })
    t.deepEqual([control, flags], [[], 0])
    if (texts.length === 4) break
  }
  t.deepEqual(texts, ['one', '', '', 'four'])
  await ring.close()
})

test('SendMsg: a short send that breaks a chain is the step that failed', async (t) => {
  const ring = new Ring({ entries: 8 })
  const [left, right] = pair(t, STREAM)
  const long = new SendMsg(left, { buffers: [Buffer.alloc(10)] })
  t.deepEqual(await ring.chain([long, new Nop()]), [10, 0])
  const message = { buffers: [Buffer.alloc(4), Buffer.alloc(20)] }
  const short = new RecvMsg(right, message, { flags: MessageFlags.WAITALL | MessageFlags.DONTWAIT })
  const error = await t.throwsAsync<Error & { step: number; code: string }>(ring.chain([short, new Nop()]))
  t.is(error?.step, 0)
  t.is(error?.code, 'ERR_URING_SHORT')
  await ring.close()
})

test('RecvMsgMulti: failures have their codes', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t, DGRAM)
  provide(ring, 4, 64, 1)
  next(ring, new SendMsg(left, { buffers: [Buffer.from('waits')] }))
  t.is(code(ring, new RecvMsgMulti(right, 4, { flags: MessageFlags.WAITALL })), 'EINVAL')
  // The buffers are smaller than the rooms: each try costs one.
  t.is(code(ring, new RecvMsgMulti(right, 4, { control: 49 })), 'EFAULT')
  t.is(code(ring, new RecvMsgMulti(right, 5)), 'ENOBUFS')
  t.is(code(ring, new RecvMsgMulti(file(t).fd, 4)), 'ENOTSOCK')
  t.is(code(ring, new RecvMsgMulti(987_654, 4)), 'EBADF')
  const huge = 2 ** 31 - 1
  t.is(code(ring, new RecvMsgMulti(right, 4, { address: huge, control: huge })), 'EOVERFLOW')
})

test('RecvMsgMulti: pollFirst waits before the first try', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t, DGRAM)
  provide(ring, 4, 64, 2)
  const flags = MessageFlags.DONTWAIT
  next(ring, new SendMsg(left, { buffers: [Buffer.from('ready')] }))
  t.is(code(ring, new RecvMsgMulti(right, 4, { flags, pollFirst: true })), 'EAGAIN')
  const { value } = next(ring, new RecvMsgMulti(right, 4, { pollFirst: true }))
  t.is(value.bytes.toString(), 'ready')
})

test('RecvMsgMulti: an entry gives each message its own value', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t, DGRAM)
  provide(ring, 4, 64, 2)
  const entry = new RecvMsgMulti(right, 4, { control: 24 }).build()
  for (const text of ['first', 'second']) {
    ring.push(new SendMsg(left, { buffers: [Buffer.from(text)], control: [rights(left)] }))
  }
  ring.waitMany(2)
  ring.push(entry)
  const [first, second] = ring.waitMany(2) as Completion<ReceivedMessage>[]
  t.is(first?.value.bytes.toString(), 'first')
  t.is(second?.value.bytes.toString(), 'second')
  for (const { value } of [first, second] as Completion<ReceivedMessage>[]) {
    t.is(descriptors(t, value.control).length, 1)
  }
})

// ---- SendMsgZc

/** What came of a send, once its memory is free. */
function finish(ring: Ring, operation: SendMsgZc): number | string {
  let completion = next(ring, operation)
  const outcome = completion.error?.code ?? completion.result
  while (completion.more) completion = next(ring) as Completion<number>
  return outcome
}

for (const [type, domain, address] of FAMILIES) {
  test(`SendMsgZc: completes with what was sent, and when the memory is free: ${type}`, async (t) => {
    using ring = new Ring({ entries: 4 })
    const dgram = await peer(t, type)
    const { fd, port } = bound(t, domain)
    const message = {
      buffers: [Buffer.from('zero '), Buffer.from('copy')],
      address: { address, port: dgram.address().port },
    }
    const token = ring.push(new SendMsgZc(fd, message), 'zc')
    const [first, second] = ring.waitMany(2) as Completion<number>[]
    t.like(first, { token, userData: 'zc', result: 9, more: true, notification: false, ok: true, value: 9 })
    t.like(second, { token, userData: 'zc', result: 0, more: false, notification: true, ok: true, value: 9 })
    t.like(await received(dgram), { bytes: Buffer.from('zero copy'), port })
    t.is(ring.inFlight, 0)

    // How it was sent; on this machine itself, always as a copy.
    ring.push(new SendMsgZc(fd, message, { reportUsage: true }))
    const [sent, free] = ring.waitMany(2) as Completion<ZeroCopyUsage>[]
    t.deepEqual(sent?.value, { bytes: 9, copied: false })
    t.true(free?.ok)
    t.deepEqual(free?.value, { bytes: 9, copied: true })
    t.like(await received(dgram), { bytes: Buffer.from('zero copy'), port })
  })
}

test('SendMsgZc: sends from a registered buffer', async (t) => {
  using ring = new Ring({ entries: 8 })
  const dgram = await peer(t, 'udp4')
  const { fd, port } = bound(t, SocketDomain.INET)
  const address = { address: '127.0.0.1', port: dgram.address().port }
  const memory = Buffer.from(new SharedArrayBuffer(8192))
  memory.write('registered', 100)
  memory.write(' memory', 5000)
  const other = Buffer.from(new SharedArrayBuffer(4096))
  registerBuffers(ring, [other, memory])
  const buffers = [memory.subarray(100, 110), memory.subarray(5000, 5007)]
  for (const fixedBuffer of [1, { index: 1 }, new FixedBuffer(1, memory)]) {
    ring.push(new SendMsgZc(fd, { buffers, address }, { fixedBuffer }))
    const [sent, free] = ring.waitMany(2)
    t.is(sent?.value, 17)
    t.true(free?.notification)
    t.like(await received(dgram), { bytes: Buffer.from('registered memory'), port })
  }
  // Memory of another one, memory of none, and no such one.
  for (const [outside, fixedBuffer] of [
    [buffers, 0],
    [[buffers[0] as Buffer, Buffer.alloc(10)], 1],
    [buffers, 2],
  ] as const) {
    t.is(finish(ring, new SendMsgZc(fd, { buffers: outside, address }, { fixedBuffer })), 'EFAULT')
  }
  t.is(ring.inFlight, 0)
})

test('SendMsgZc: a failure may complete twice too', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left] = pair(t, STREAM)
  for (const reportUsage of [false, true]) {
    ring.push(new SendMsgZc(left, { buffers: [Buffer.from('x')] }, { reportUsage }))
    const first = next(ring)
    t.is(first.error?.code, 'ENOTSUP')
    t.is(first.error?.syscall, 'sendmsg')
    t.is(first.error?.operation, 'SendMsgZc')
    t.true(first.more)
    const second = next(ring)
    t.true(second.notification)
    t.true(second.ok)
    // What was not sent was not sent without a copy either: that is how the kernel counts.
    t.deepEqual(second.value, reportUsage ? { bytes: 0, copied: true } : 0)
    t.is(ring.inFlight, 0)
  }
  t.is(finish(ring, new SendMsgZc(987_654, { buffers: [] })), 'EBADF')
  const { fd } = bound(t, SocketDomain.INET)
  const long = { buffers: [Buffer.alloc(65_508)], address: { address: '127.0.0.1', port: 9 } }
  t.is(finish(ring, new SendMsgZc(fd, long)), 'EMSGSIZE')
})

test('SendMsgZc: flags and pollFirst reach the kernel', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd: to, port } = bound(t, SocketDomain.INET)
  const { fd } = bound(t, SocketDomain.INET)
  const message = { buffers: [Buffer.from('ready')], address: { address: '127.0.0.1', port } }
  const flags = MessageFlags.DONTWAIT
  t.is(finish(ring, new SendMsgZc(fd, message, { flags })), 5)
  t.is(finish(ring, new SendMsgZc(fd, message, { pollFirst: true })), 5)
  t.is(finish(ring, new SendMsgZc(fd, message, { flags, pollFirst: true })), 'EAGAIN')
  t.is(finish(ring, new SendMsgZc(fd, message, { flags: MessageFlags.OOB })), 'ENOTSUP')
  t.is(take(ring, to), 'ready')
  t.is(take(ring, to), 'ready')
})

test('SendMsgZc: the memory lives until the notification', async (t) => {
  const { code, stdout, stderr } = await script(
    `
    import { once } from 'node:events'
    import { connect, createServer } from 'node:net'
    import { setImmediate as turn } from 'node:timers/promises'
    import { Ring, SendMsgZc } from 'uring'
    const ring = new Ring({ entries: 8 })
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect(server.address().port, '127.0.0.1')
    const [[peer]] = await Promise.all([once(server, 'connection'), once(client, 'connect')])
    const message = { buffers: [], address: { path: 'x' } }
    const fresh = () => { for (let index = 0; index < 2000; index += 1) new SendMsgZc(0, message).build() }
    const push = () => {
      const bytes = Buffer.alloc(1 << 20, 'z')
      fresh() // what follows is in memory of its own
      ring.push(new SendMsgZc(client._handle.fd, { buffers: [bytes] }))
      fresh()
      return new WeakRef(bytes.buffer)
    }
    const memory = push()
    const junk = []
    for (let round = 0; round < 3; round += 1) {
      await turn()
      gc()
      for (let index = 0; index < 50; index += 1) junk.push(new Uint8Array(65_536).fill(0xff))
    }
    const first = ring.wait()
    for (let round = 0; round < 3; round += 1) {
      await turn()
      gc()
    }
    const early = ring.tryWait()
    console.log(first.more, first.value > 0, early === undefined, memory.deref() !== undefined)
    let count = 0
    peer.on('data', (bytes) => { count += bytes.every((byte) => byte === 122) ? bytes.length : 0 })
    peer.resume()
    let free
    while ((free = ring.tryWait()) === undefined || count < first.value) {
      if (free !== undefined) break
      await turn()
    }
    while (count < first.value) await turn()
    console.log(free.notification, free.value === first.value, count === first.value)
    client.destroy()
    peer.destroy()
    server.close()
    `,
    ['--expose-gc'],
  )
  t.deepEqual(
    { code, stdout, stderr },
    { code: 0, stdout: 'true true true true\ntrue true true\n', stderr: '' },
  )
})

// ---- RecvZc

test('RecvZc: without a registered queue there is nothing to receive into', (t) => {
  const { fd } = bound(t, SocketDomain.INET)
  for (const options of [{}, { singleIssuer: true, deferTaskrun: true, cqe32: true }]) {
    using ring = new Ring({ entries: 4, ...options })
    for (const operation of [
      new RecvZc(fd),
      new RecvZc(fd, { ifq: 3, length: 4096 }),
      new RecvZc(socket(t, SocketDomain.INET, STREAM), { pollFirst: true }),
    ]) {
      const completion = next(ring, operation)
      t.is(completion.error?.message, 'EINVAL: invalid argument, recvmsg')
      t.is(completion.error?.operation, 'RecvZc')
      t.false(completion.more)
      t.is(ring.inFlight, 0)
    }
  }
})
