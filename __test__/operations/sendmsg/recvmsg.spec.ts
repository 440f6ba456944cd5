// Receives of messages: into memory, into buffer groups, and multishot.

import { closeSync, fstatSync, writeSync } from 'node:fs'
import test from 'ava'
import {
  AsyncCancel,
  type Completion,
  Entry,
  MessageFlags,
  Nop,
  ProvideBuffers,
  RecvMsg,
  RecvMsgMulti,
  type ReceivedMessage,
  RemoveBuffers,
  Ring,
  SendMsg,
  SocketDomain,
  SocketLevel,
  SocketOption,
  SocketType,
} from 'uring'
import { socketpair } from 'uring/sys'
import { errorCode } from '../../helpers/completions.ts'
import { file } from '../../helpers/files.ts'
import {
  bind,
  bound,
  closesOnExec,
  FAMILIES,
  next,
  peer,
  provide,
  receivedDescriptors,
  receiveText,
  rights,
  send,
  setOption,
  SO_TIMESTAMP,
  socket,
  unix,
} from '../../helpers/messages.ts'
import { closing, pair } from '../../helpers/sockets.ts'

const { DGRAM, SEQPACKET, STREAM } = SocketType

// ---- RecvMsg

test('RecvMsg: sets TRUNC when bytes were cut off', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  const send = (): unknown => next(ring, new SendMsg(left, { buffers: [Buffer.from('a long one')] })).value
  send()
  const buffers = [Buffer.alloc(2), Buffer.alloc(2)]
  t.like(next(ring, new RecvMsg(right, { buffers })).value, { bytes: 4, flags: MessageFlags.TRUNC })
  t.is(Buffer.concat(buffers).toString(), 'a lo')
  // With TRUNC, the result is the length of the whole message.
  send()
  const flags = MessageFlags.TRUNC
  t.like(next(ring, new RecvMsg(right, { buffers }, { flags })).value, { bytes: 10, flags })
  // A detached buffer is an error with TRUNC too.
  send()
  ring.push(new RecvMsg(right, { buffers }, { flags }))
  structuredClone(buffers[1]?.buffer, { transfer: [buffers[1]?.buffer as ArrayBuffer] })
  t.is(next(ring).error?.code, 'ERR_URING_BUFFER_DETACHED')
})

test('RecvMsg: passes flags to the kernel', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  next(ring, new SendMsg(left, { buffers: [Buffer.from('peek')] }))
  t.is(receiveText(ring, right, MessageFlags.PEEK), 'peek')
  t.is(receiveText(ring, right, MessageFlags.PEEK), 'peek')
  t.is(receiveText(ring, right), 'peek')
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

test('RecvMsg: receives 0 bytes at the end of a stream', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = socketpair(SocketDomain.UNIX, STREAM)
  closing(t, right)
  writeSync(left, 'end')
  closeSync(left)
  t.is(receiveText(ring, right), 'end')
  t.deepEqual(next(ring, new RecvMsg(right, { buffers: [Buffer.alloc(1)], address: true })).value, {
    bytes: 0,
    address: undefined,
    control: [],
    flags: 0,
  })
})

test('RecvMsg: fails with error codes of the kernel', (t) => {
  using ring = new Ring({ entries: 4 })
  const message = { buffers: [Buffer.alloc(8)] }
  t.is(errorCode(ring, new RecvMsg(file(t).fd, message)), 'ENOTSOCK')
  t.is(errorCode(ring, new RecvMsg(987_654, message)), 'EBADF')
  t.is(errorCode(ring, new RecvMsg(socket(t, SocketDomain.INET, STREAM), message)), 'ENOTCONN')
  t.is(errorCode(ring, new RecvMsg(socket(t, SocketDomain.UNIX, SEQPACKET), message)), 'ENOTCONN')
  const [left] = pair(t, DGRAM)
  t.is(
    errorCode(ring, new RecvMsg(left, { buffers: { group: 9 } }, { flags: MessageFlags.DONTWAIT })),
    'ENOBUFS',
  )
})

test('RecvMsg: keeps the message of an entry when the entry is pushed again', (t) => {
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
  receivedDescriptors(t, first.value.control)
  t.is(second.value.bytes, 3)
  t.is(second.value.control.length, 0)
  t.deepEqual(second.value.address, first.value.address)
})

test('RecvMsg: receives into a buffer of a group', (t) => {
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
  t.is(receivedDescriptors(t, one.value.control).length, 1)
  t.is(memory.toString('latin1'), `grouped${'.'.repeat(41)}`)
  one.value.release()
  // At most so many bytes.
  send('limited')
  const two = next(ring, new RecvMsg(right, { buffers: { group: { group: 5 }, length: 4 } }))
  t.is(two.value.bytes.toString(), 'limi')
  t.is(two.value.address, undefined)
  t.is(two.value.flags, MessageFlags.TRUNC | MessageFlags.CTRUNC)
  // More bytes than fit, and the length of the whole message.
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
  // All buffers are out of the group.
  send('nowhere')
  const none = next(ring, new RecvMsg(right, { buffers }))
  t.is(none.error?.code, 'ENOBUFS')
  t.is(none.bufferId, undefined)
  provide(ring, 5, 16, 1)
  t.is(next(ring, new RecvMsg(right, { buffers })).value.bytes.toString(), 'nowhere')
})

test('RecvMsg: fails for a buffer group that the ring does not know', (t) => {
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

test('RecvMsgMulti: receives messages with their addresses and control messages', async (t) => {
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
    // Changes after the push have no effect.
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
      // parse() of the buffer itself.
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

test('RecvMsgMulti: receives bytes alone without space', (t) => {
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
  // The last buffer; then the group is empty.
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

test('RecvMsgMulti: cuts off addresses and control messages that have no room', async (t) => {
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
    // It goes on and finds no buffer.
    await send(dgram, Buffer.from('next'), port)
    t.is(next(ring).error?.code, 'ENOBUFS')
    t.is(receiveText(ring, fd), 'next')
  }
})

test('RecvMsgMulti: receives descriptors', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t, DGRAM)
  const { fd } = file(t)
  for (const flags of [0, MessageFlags.CMSG_CLOEXEC]) {
    provide(ring, 1, 128, 1)
    ring.push(new RecvMsgMulti(right, 1, { control: 24, flags }), 'multi')
    ring.push(new SendMsg(left, { buffers: [Buffer.from('!')], control: [rights(fd)] }))
    const multi = ring.waitMany(2).find(({ userData }) => userData === 'multi') as Completion<ReceivedMessage>
    const [copy = -1] = receivedDescriptors(t, multi.value.control)
    t.is(fstatSync(copy).ino, fstatSync(fd).ino)
    t.is(closesOnExec(copy), flags !== 0)
    ring.push(new SendMsg(left, { buffers: [Buffer.from('end')] }))
    t.is(ring.waitMany(2).find(({ userData }) => userData === 'multi')?.error?.code, 'ENOBUFS')
    t.is(receiveText(ring, right), 'end')
  }
})

test('RecvMsgMulti: ends with a message without bytes, as at the end of a stream', (t) => {
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

test('RecvMsgMulti: ends each() at the end of the stream', async (t) => {
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

test('RecvMsgMulti: continues each() after an empty datagram that has a sender', async (t) => {
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

test('RecvMsgMulti: fails with error codes of the kernel', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t, DGRAM)
  provide(ring, 4, 64, 1)
  next(ring, new SendMsg(left, { buffers: [Buffer.from('waits')] }))
  t.is(errorCode(ring, new RecvMsgMulti(right, 4, { flags: MessageFlags.WAITALL })), 'EINVAL')
  // The buffers are smaller than that space: each attempt costs one.
  t.is(errorCode(ring, new RecvMsgMulti(right, 4, { control: 49 })), 'EFAULT')
  t.is(errorCode(ring, new RecvMsgMulti(right, 5)), 'ENOBUFS')
  t.is(errorCode(ring, new RecvMsgMulti(file(t).fd, 4)), 'ENOTSOCK')
  t.is(errorCode(ring, new RecvMsgMulti(987_654, 4)), 'EBADF')
  const huge = 2 ** 31 - 1
  t.is(errorCode(ring, new RecvMsgMulti(right, 4, { address: huge, control: huge })), 'EOVERFLOW')
})

test('RecvMsgMulti: waits before the first attempt with pollFirst', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t, DGRAM)
  provide(ring, 4, 64, 2)
  const flags = MessageFlags.DONTWAIT
  next(ring, new SendMsg(left, { buffers: [Buffer.from('ready')] }))
  t.is(errorCode(ring, new RecvMsgMulti(right, 4, { flags, pollFirst: true })), 'EAGAIN')
  const { value } = next(ring, new RecvMsgMulti(right, 4, { pollFirst: true }))
  t.is(value.bytes.toString(), 'ready')
})

test('RecvMsgMulti: returns a value of its own for each message of an entry', (t) => {
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
    t.is(receivedDescriptors(t, value.control).length, 1)
  }
})
