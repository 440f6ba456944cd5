// Zero-copy sends of bytes, whose memory may be changed after a second completion.

import test from 'ava'
import { type Completion, FixedBuffer, FixedFile, Recv, Ring, SendZc } from 'uring'
import { script } from '../../helpers/process.ts'
import { registerBuffers } from '../../helpers/registered.ts'
import { pair } from '../../helpers/sockets.ts'
import { completionsToLast, fillSendBuffer, readAll, tcpPair } from '../../helpers/streams.ts'

test('SendZc: completes with the bytes, and again when the memory may be changed', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = tcpPair(t)
  for (const operation of [
    new SendZc(left, Buffer.from('hello')),
    new SendZc(left, Buffer.from('hello')).async(),
  ]) {
    const token = ring.push(operation, 'data')
    const [first, second] = completionsToLast(ring)
    t.is(ring.inFlight, 0)
    t.like(first, { result: 5, value: 5, more: true, notification: false, ok: true, userData: 'data', token })
    t.like(second, {
      result: 0,
      value: 5,
      more: false,
      notification: true,
      ok: true,
      userData: 'data',
      token,
    })
    t.is(readAll(right), 'hello')
  }
})

test('SendZc: reports with reportUsage if the bytes were copied', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left] = tcpPair(t)
  ring.push(new SendZc(left, Buffer.from('hello'), { reportUsage: true }))
  const [first, second] = completionsToLast(ring)
  t.deepEqual(first?.value, { bytes: 5, copied: false })
  t.is(second?.result, -(2 ** 31))
  t.true(second?.ok)
  t.is(second?.error, undefined)
  t.deepEqual(second?.value, { bytes: 5, copied: true })
})

test('SendZc: sends several buffers, and none', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = tcpPair(t)
  const values = (operation: SendZc): unknown[] => {
    ring.push(operation)
    return completionsToLast(ring).map(({ value }) => value)
  }
  t.deepEqual(values(new SendZc(left, [Buffer.from('hel'), Buffer.alloc(0), Buffer.from('lo!')])), [6, 6])
  t.is(readAll(right), 'hello!')
  t.deepEqual(values(new SendZc(left, [])), [0, 0])
  t.deepEqual(values(new SendZc(left, Buffer.alloc(0))), [0, 0])
})

test('SendZc: sends from a registered buffer', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = tcpPair(t)
  const memory = Buffer.from('nothing of this, but that: registered'.padEnd(4096, '.'))
  registerBuffers(ring, [Buffer.alloc(4096), memory])
  ring.registerFiles([right, left])
  const buffer = new FixedBuffer(1, memory)
  for (const file of [left, new FixedFile(1)]) {
    ring.push(new SendZc(file, buffer.subarray(27, 37)))
    t.deepEqual(
      completionsToLast(ring).map(({ value }) => value),
      [10, 10],
    )
    t.is(readAll(right), 'registered')
  }
  for (const wrong of [new FixedBuffer(0, memory), new FixedBuffer(2, memory)]) {
    ring.push(new SendZc(left, wrong))
    t.deepEqual(
      completionsToLast(ring).map(({ error }) => error?.code),
      ['EFAULT', undefined],
    )
  }
})

test('SendZc: notifies after a failure, unless the kernel refused it before the start', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left] = pair(t)
  for (const reportUsage of [false, true]) {
    ring.push(new SendZc(left, Buffer.from('x'), { reportUsage }))
    const [first, second] = completionsToLast(ring)
    t.is(first?.result, -95)
    t.like(first?.error, { code: 'ENOTSUP', syscall: 'send', operation: 'SendZc' })
    t.true(first?.more)
    t.true(second?.ok)
    t.true(second?.notification)
    t.deepEqual(second?.value as unknown, reportUsage ? { bytes: 0, copied: true } : 0)
  }
  ring.push(new SendZc(left, Buffer.from('x')).skipSuccess())
  const refused = completionsToLast(ring)
  t.deepEqual(
    refused.map(({ error }) => error?.code),
    ['EINVAL'],
  )
  t.is(ring.inFlight, 0)
})

test('SendZc: keeps the usage of each submission of an entry apart', (t) => {
  using ring = new Ring({ entries: 8 })
  const entry = new SendZc(tcpPair(t)[0], Buffer.from('hello'), { reportUsage: true }).build()
  ring.pushAll([entry, entry])
  const all = ring.waitMany(4)
  t.is(all.length, 4)
  for (const { notification, value } of all) t.deepEqual(value, { bytes: 5, copied: notification })
})

test('SendZc: fails with an error of its own if its memory is detached before the notification', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = tcpPair(t)
  const bytes = new ArrayBuffer(1 << 20)
  fillSendBuffer(ring, left)
  ring.push(new SendZc(left, bytes))
  ring.submit()
  const moved = structuredClone(bytes, { transfer: [bytes] })
  ring.push(new Recv(right, Buffer.alloc(1 << 20)), 'recv')
  const found: Completion[] = []
  do {
    const completion = ring.wait()
    if (completion?.userData === 'recv') ring.push(new Recv(right, Buffer.alloc(1 << 20)), 'recv')
    else if (completion !== undefined) found.push(completion)
  } while (found.length < 2)
  t.deepEqual(
    found.map(({ error, notification }) => [error?.code, notification]),
    [
      ['ERR_URING_BUFFER_DETACHED', false],
      ['ERR_URING_BUFFER_DETACHED', true],
    ],
  )
  t.is(moved.byteLength, 1 << 20)
})

test('SendZc: holds the memory until the notification', async (t) => {
  const { code, stdout, stderr } = await script(
    `
    import { createServer, connect } from 'node:net'
    import { once } from 'node:events'
    import { Ring, SendZc } from 'uring'
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect(server.address().port, '127.0.0.1').pause()
    const [[peer]] = await Promise.all([once(server, 'connection'), once(client, 'connect')])
    const ring = new Ring({ entries: 4 })
    const make = () => {
      const bytes = new ArrayBuffer(1 << 20)
      ring.push(new SendZc(client._handle.fd, bytes))
      return new WeakRef(bytes)
    }
    const reference = make()
    const collect = async () => {
      for (let round = 0; round < 4; round += 1) {
        await new Promise((resolve) => setImmediate(resolve))
        globalThis.gc()
      }
      return reference.deref() === undefined ? 'gone' : 'held'
    }
    const { more, value } = ring.wait()
    console.log(more, value > 0, await collect())
    let got = 0
    peer.on('data', (data) => { got += data.length }).resume()
    while (got < value) await once(peer, 'data')
    const notification = ring.wait()
    console.log(notification.notification, notification.value === value, await collect())
    process.exit()
    `,
    ['--expose-gc'],
  )
  t.is(stderr, '')
  t.is(stdout, 'true true held\ntrue true gone\n')
  t.is(code, 0)
})
