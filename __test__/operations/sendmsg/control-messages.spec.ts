// Control messages: descriptors and options that come with a message.

import { fstatSync, readFileSync, writeSync } from 'node:fs'
import test from 'ava'
import {
  ControlType,
  MessageFlags,
  RecvMsg,
  Ring,
  SendMsg,
  SendMsgZc,
  SocketDomain,
  SocketLevel,
  SocketOption,
  SocketType,
} from 'uring'
import { errorCode } from '../../helpers/completions.ts'
import { file } from '../../helpers/files.ts'
import {
  bound,
  closesOnExec,
  FAMILIES,
  next,
  peer,
  receivedDescriptors,
  rights,
  send,
  setOption,
  SO_TIMESTAMP,
} from '../../helpers/messages.ts'
import { pair } from '../../helpers/sockets.ts'

const { DGRAM, STREAM } = SocketType
const IP_TOS = 1
const IP_PKTINFO = 8
const IP_RECVTOS = 13
const IPV6_RECVPKTINFO = 49
const IPV6_PKTINFO = 50

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
  // Bytes that are written to the new descriptor are in the file.
  next(ring, new SendMsg(left, { buffers: [Buffer.from('!')], control: [rights(one.fd)] }))
  const { value } = next(ring, new RecvMsg(right, { buffers: [Buffer.alloc(1)], control: 24 }))
  const [copy = -1] = receivedDescriptors(t, value.control)
  writeSync(copy, 'ONE', 0)
  t.is(readFileSync(one.path, 'utf8'), 'ONE')
})

test('SendMsg: fails for control messages that the kernel refuses', (t) => {
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

test('SendMsg: sends control messages of IP', async (t) => {
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

test('RecvMsg: sets close-on-exec of received descriptors with CMSG_CLOEXEC', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  next(ring, new SendMsg(left, { buffers: [Buffer.from('!')], control: [rights(left, right)] }))
  const message = { buffers: [Buffer.alloc(1)], control: 24 }
  const { value } = next(ring, new RecvMsg(right, message, { flags: MessageFlags.CMSG_CLOEXEC }))
  t.is(value.flags & ~MessageFlags.CMSG_CLOEXEC, 0)
  t.deepEqual(receivedDescriptors(t, value.control).map(closesOnExec), [true, true])
})

test('RecvMsg: cuts off control messages that have no room', (t) => {
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
    // There is room for the first only.
    await send(dgram, Buffer.from('stamped'), port)
    const { value: cut } = next(ring, new RecvMsg(fd, { ...message, control: 32 }))
    t.is(cut.flags, MessageFlags.CTRUNC)
    t.deepEqual(
      cut.control.map(({ type }) => type),
      [SO_TIMESTAMP],
    )
  })
}
