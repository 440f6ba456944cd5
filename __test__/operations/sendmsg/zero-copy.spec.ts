// Zero-copy messages: sends whose memory may be changed later, and receives into a registered queue.

import test from 'ava'
import {
  type Completion,
  FixedBuffer,
  MessageFlags,
  RecvZc,
  Ring,
  SendMsgZc,
  SocketDomain,
  SocketType,
  type ZeroCopyUsage,
} from 'uring'
import { bound, FAMILIES, next, nextDatagram, peer, receiveText, socket } from '../../helpers/messages.ts'
import { script } from '../../helpers/process.ts'
import { registerBuffers } from '../../helpers/registered.ts'
import { pair } from '../../helpers/sockets.ts'

const { STREAM } = SocketType

// ---- SendMsgZc

/** Returns the outcome of a send, once its memory may be changed. */
function finish(ring: Ring, operation: SendMsgZc): number | string {
  let completion = next(ring, operation)
  const outcome = completion.error?.code ?? completion.result
  while (completion.more) completion = next(ring) as Completion<number>
  return outcome
}

for (const [type, domain, address] of FAMILIES) {
  test(`SendMsgZc: completes with the bytes, and again when the memory may be changed: ${type}`, async (t) => {
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
    t.like(await nextDatagram(dgram), { bytes: Buffer.from('zero copy'), port })
    t.is(ring.inFlight, 0)

    // The usage: on the loopback device, the kernel always copies.
    ring.push(new SendMsgZc(fd, message, { reportUsage: true }))
    const [sent, free] = ring.waitMany(2) as Completion<ZeroCopyUsage>[]
    t.deepEqual(sent?.value, { bytes: 9, copied: false })
    t.true(free?.ok)
    t.deepEqual(free?.value, { bytes: 9, copied: true })
    t.like(await nextDatagram(dgram), { bytes: Buffer.from('zero copy'), port })
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
    t.like(await nextDatagram(dgram), { bytes: Buffer.from('registered memory'), port })
  }
  // Memory of another buffer, memory of no buffer, and no such buffer.
  for (const [outside, fixedBuffer] of [
    [buffers, 0],
    [[buffers[0] as Buffer, Buffer.alloc(10)], 1],
    [buffers, 2],
  ] as const) {
    t.is(finish(ring, new SendMsgZc(fd, { buffers: outside, address }, { fixedBuffer })), 'EFAULT')
  }
  t.is(ring.inFlight, 0)
})

test('SendMsgZc: may complete twice after a failure', (t) => {
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
    // The kernel reports bytes that were not sent as copied.
    t.deepEqual(second.value, reportUsage ? { bytes: 0, copied: true } : 0)
    t.is(ring.inFlight, 0)
  }
  t.is(finish(ring, new SendMsgZc(987_654, { buffers: [] })), 'EBADF')
  const { fd } = bound(t, SocketDomain.INET)
  const long = { buffers: [Buffer.alloc(65_508)], address: { address: '127.0.0.1', port: 9 } }
  t.is(finish(ring, new SendMsgZc(fd, long)), 'EMSGSIZE')
})

test('SendMsgZc: passes flags and pollFirst to the kernel', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd: to, port } = bound(t, SocketDomain.INET)
  const { fd } = bound(t, SocketDomain.INET)
  const message = { buffers: [Buffer.from('ready')], address: { address: '127.0.0.1', port } }
  const flags = MessageFlags.DONTWAIT
  t.is(finish(ring, new SendMsgZc(fd, message, { flags })), 5)
  t.is(finish(ring, new SendMsgZc(fd, message, { pollFirst: true })), 5)
  t.is(finish(ring, new SendMsgZc(fd, message, { flags, pollFirst: true })), 'EAGAIN')
  t.is(finish(ring, new SendMsgZc(fd, message, { flags: MessageFlags.OOB })), 'ENOTSUP')
  t.is(receiveText(ring, to), 'ready')
  t.is(receiveText(ring, to), 'ready')
})

test('SendMsgZc: holds the memory until the notification', async (t) => {
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
      fresh() // starts a new chunk of memory for the next blocks
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

test('RecvZc: fails without a registered queue', (t) => {
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
