// Messages: datagrams with addresses, and what goes along with them.

import { closeSync, fstatSync, readFileSync, writeSync } from 'node:fs'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { join } from 'node:path'
import test from 'ava'
import {
  type Completion,
  ControlType,
  FixedFile,
  MessageFlags,
  Nop,
  RecvMsg,
  Ring,
  SendMsg,
  SendMsgZc,
  SocketDomain,
  SocketLevel,
  SocketOption,
  SocketType,
} from 'uring'
import { socketpair } from 'uring/sys'
import { errorCode } from '../../helpers/completions.ts'
import { directory, file } from '../../helpers/files.ts'
import {
  bind,
  bound,
  closesOnExec,
  connect,
  FAMILIES,
  loopback,
  next,
  nextDatagram,
  peer,
  receivedDescriptors,
  receiveText,
  rights,
  send,
  setOption,
  SO_TIMESTAMP,
  socket,
  unix,
} from '../../helpers/messages.ts'
import { script } from '../../helpers/process.ts'
import { closing, pair } from '../../helpers/sockets.ts'

const { DGRAM, SEQPACKET, STREAM } = SocketType
const IP_TOS = 1
const IP_PKTINFO = 8
const IP_RECVTOS = 13
const IPV6_RECVPKTINFO = 49
const IPV6_PKTINFO = 50

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
    t.deepEqual(await nextDatagram(dgram), { bytes: Buffer.from('one two three'), family, address, port })
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
    t.is(receiveText(ring, right), 'to right')
    t.is(receiveText(ring, left), 'to left')
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
    t.like(await nextDatagram(dgram), { bytes: Buffer.alloc(0), port })
  }
  // Room for nothing takes a message all the same, and says that it was cut off.
  t.is(next(ring, new SendMsg(left, { buffers: [Buffer.from('lost')] })).value, 4)
  t.like(next(ring, new RecvMsg(right, { buffers: [] })).value, { bytes: 0, flags: MessageFlags.TRUNC })
  t.is(errorCode(ring, new RecvMsg(right, { buffers: [] }, { flags: MessageFlags.DONTWAIT })), 'EAGAIN')
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
  t.deepEqual((await nextDatagram(dgram)).bytes, bytes)
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
  t.is(errorCode(ring, new SendMsg(local, { buffers, address: { path } })), 'ENOENT')
  t.is(
    errorCode(ring, new SendMsg(local, { buffers, address: { path: '\0nobody-is-here' } })),
    'ECONNREFUSED',
  )
  t.is(errorCode(ring, new SendMsg(local, { buffers })), 'ENOTCONN')
  const { fd } = bound(t, SocketDomain.INET)
  t.is(errorCode(ring, new SendMsg(fd, { buffers })), 'EDESTADDRREQ')
  t.is(errorCode(ring, new SendMsg(fd, { buffers, address: { address: '::1', port: 1 } })), 'EAFNOSUPPORT')
  t.is(errorCode(ring, new SendMsg(local, { buffers, control: Buffer.alloc(16, 1) })), 'EINVAL')
  t.is(errorCode(ring, new SendMsg(file(t).fd, { buffers })), 'ENOTSOCK')
  t.is(errorCode(ring, new SendMsg(987_654, { buffers })), 'EBADF')
  t.is(errorCode(ring, new SendMsg(new FixedFile(3), { buffers })), 'EBADF')

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
  t.is(errorCode(ring, new RecvMsg(sender, { buffers: [Buffer.alloc(1)] })), 'ECONNREFUSED')
})

test('SendMsg: a registered file is as good as a descriptor', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  ring.registerFiles([-1, left])
  t.is(next(ring, new SendMsg(new FixedFile(1), { buffers: [Buffer.from('fixed')] })).value, 5)
  t.is(receiveText(ring, right), 'fixed')
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
  t.like(await nextDatagram(dgram), { bytes: Buffer.from('one two'), port })
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
  t.is(errorCode(ring, new SendMsg(left, message, { flags, pollFirst: true })), 'EAGAIN')
  const target = { buffers: [Buffer.alloc(10)] }
  t.is(next(ring, new RecvMsg(right, target, { pollFirst: true })).value.bytes, 5)
  t.is(errorCode(ring, new RecvMsg(right, target, { flags, pollFirst: true })), 'EAGAIN')
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
  const [copy = -1] = receivedDescriptors(t, value.control)
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
    const copies = receivedDescriptors(t, value.control)
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
  const [copy = -1] = receivedDescriptors(t, value.control)
  writeSync(copy, 'ONE', 0)
  t.is(readFileSync(one.path, 'utf8'), 'ONE')
})

test('SendMsg: control messages that the kernel does not take', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  const buffers = [Buffer.from('!')]
  t.is(errorCode(ring, new SendMsg(left, { buffers, control: [rights(987_654)] })), 'EBADF')
  t.is(errorCode(ring, new SendMsg(left, { buffers, control: [{ ...rights(left), type: 77 }] })), 'EINVAL')
  const many = { level: SocketLevel.SOCKET, type: ControlType.RIGHTS, data: Buffer.alloc(254 * 4) }
  t.is(errorCode(ring, new SendMsg(left, { buffers, control: [many] })), 'EINVAL')
  const nothing: Buffer[] = []
  t.is(errorCode(ring, new RecvMsg(right, { buffers: nothing }, { flags: MessageFlags.DONTWAIT })), 'EAGAIN')
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
  t.deepEqual(receivedDescriptors(t, value.control).map(closesOnExec), [true, true])
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
    const copies = receivedDescriptors(t, value.control)
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
