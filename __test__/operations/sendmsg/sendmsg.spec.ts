// Sends of messages to peers and addresses.

import { closeSync, fstatSync } from 'node:fs'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { join } from 'node:path'
import test from 'ava'
import {
  type Completion,
  FixedFile,
  MessageFlags,
  Nop,
  RecvMsg,
  Ring,
  SendMsg,
  SocketDomain,
  SocketType,
} from 'uring'
import { socketpair } from 'uring/sys'
import { errorCode } from '../../helpers/completions.ts'
import { directory, file } from '../../helpers/files.ts'
import {
  bind,
  bound,
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
  socket,
  unix,
} from '../../helpers/messages.ts'
import { script } from '../../helpers/process.ts'
import { closing, pair } from '../../helpers/sockets.ts'

const { DGRAM, SEQPACKET, STREAM } = SocketType

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
    // The address was not asked for.
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
  test(`SendMsg: sends to the peer without an address: ${name}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = pair(t, type)
    t.is(next(ring, new SendMsg(left, { buffers: [Buffer.from('to '), Buffer.from('right')] })).value, 8)
    t.is(next(ring, new SendMsg({ fd: right }, { buffers: [Buffer.from('to left')] })).value, 7)
    t.is(receiveText(ring, right), 'to right')
    t.is(receiveText(ring, left), 'to left')
  })
}

test('SendMsg: sends to a path, to an abstract name, and to the bytes of an address', (t) => {
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

test('SendMsg: sends an empty message', async (t) => {
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
  // A receive without room takes the message too, and sets TRUNC.
  t.is(next(ring, new SendMsg(left, { buffers: [Buffer.from('lost')] })).value, 4)
  t.like(next(ring, new RecvMsg(right, { buffers: [] })).value, { bytes: 0, flags: MessageFlags.TRUNC })
  t.is(errorCode(ring, new RecvMsg(right, { buffers: [] }, { flags: MessageFlags.DONTWAIT })), 'EAGAIN')
})

test('SendMsg: sends the longest datagram, and fails with EMSGSIZE for a longer one', async (t) => {
  using ring = new Ring({ entries: 4 })
  const dgram = await peer(t, 'udp4')
  const { fd } = bound(t, SocketDomain.INET)
  const address = { address: '127.0.0.1', port: dgram.address().port }
  const bytes = Buffer.from(Array.from({ length: 65_507 }, (_, index) => index % 251))
  // The most buffers that a message can have.
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

test('SendMsg: fails with error codes of the kernel', async (t) => {
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

  // A peer that is closed.
  const [left, right] = socketpair(SocketDomain.UNIX, STREAM)
  closing(t, left)
  closeSync(right)
  t.is(next(ring, new SendMsg(left, { buffers })).error?.message, 'EPIPE: broken pipe, sendmsg')

  // A port that no socket is bound to any more: the error comes with a later call.
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

test('SendMsg: takes a fixed file', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  ring.registerFiles([-1, left])
  t.is(next(ring, new SendMsg(new FixedFile(1), { buffers: [Buffer.from('fixed')] })).value, 5)
  t.is(receiveText(ring, right), 'fixed')
})

test('SendMsg: passes flags to the kernel', async (t) => {
  using ring = new Ring({ entries: 4 })
  const dgram = await peer(t, 'udp4')
  const { fd, port } = bound(t, SocketDomain.INET)
  const address = { address: '127.0.0.1', port: dgram.address().port }
  // Two sends make one datagram.
  const flags = MessageFlags.MORE
  t.is(next(ring, new SendMsg(fd, { buffers: [Buffer.from('one ')], address }, { flags })).value, 4)
  t.is(next(ring, new SendMsg(fd, { buffers: [Buffer.from('two')], address })).value, 3)
  t.like(await nextDatagram(dgram), { bytes: Buffer.from('one two'), port })
  // A socket whose queue is full.
  const [left] = pair(t, STREAM)
  const message = { buffers: [Buffer.alloc(1 << 20)] }
  const options = { flags: MessageFlags.DONTWAIT }
  t.true(next(ring, new SendMsg(left, message, options)).value < 1 << 20)
  let last: Completion<number>
  do last = next(ring, new SendMsg(left, message, options))
  while (last.ok)
  t.is(last.error?.message, 'EAGAIN: resource temporarily unavailable, sendmsg')
})

test('SendMsg: waits before the first attempt with pollFirst', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, DGRAM)
  const message = { buffers: [Buffer.from('ready')] }
  const flags = MessageFlags.DONTWAIT
  t.is(next(ring, new SendMsg(left, message, { pollFirst: true })).value, 5)
  t.is(next(ring, new SendMsg(left, message, { flags })).value, 5)
  // pollFirst waits, which DONTWAIT forbids.
  t.is(errorCode(ring, new SendMsg(left, message, { flags, pollFirst: true })), 'EAGAIN')
  const target = { buffers: [Buffer.alloc(10)] }
  t.is(next(ring, new RecvMsg(right, target, { pollFirst: true })).value.bytes, 5)
  t.is(errorCode(ring, new RecvMsg(right, target, { flags, pollFirst: true })), 'EAGAIN')
  t.is(next(ring, new RecvMsg(right, target, { flags })).value.bytes, 5)
})

test('SendMsg: ignores changes after the push', (t) => {
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

test('SendMsg: fails if a buffer is detached in flight', (t) => {
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

test('SendMsg: holds its memory until its completion', async (t) => {
  // Before it is submitted, and while the chain waits at the gate, all free memory is collected and overwritten.
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
      fresh() // starts a new chunk of memory for the next blocks
      ring.push(new RecvMsgMulti(four, 1, { address: 24, control: 24 }), 'multi')
      fresh()
      ring.push(new RecvMsg(two, { buffers: [memory], address: true, control: 20_000 }), 'receive')
      fresh()
      ring.push(new Read(gate, Buffer.alloc(1)).link(), 'gate')
      ring.push(new SendMsg(left, {
        buffers: [Buffer.alloc(20_000, 'a'), Buffer.alloc(20_000, 'b')],
        control: [{ level: 99, type: 1, data: new Uint8Array(20_000) }, rights], // the socket ignores the unknown level of the first
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

test('SendMsg: is the failed step when a short send breaks a chain', async (t) => {
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
