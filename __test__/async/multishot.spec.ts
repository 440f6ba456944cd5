// Tests each() under load: overflows of the completion queue, lack of buffers, and slow consumers.

import { closeSync, writeSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import {
  AcceptMulti,
  Close,
  Nop,
  Read,
  type Received,
  RecvMulti,
  type Ring,
  Send,
  Shutdown,
  SocketDomain,
  SocketType,
} from 'uring'
import { socketpair } from 'uring/sys'
import { listening } from '../helpers/connections.ts'
import {
  acceptQueueLength,
  collect,
  descriptors,
  provideBuffers,
  ringFor,
  turns,
  until,
} from '../helpers/multishot.ts'
import { script } from '../helpers/process.ts'
import { closing, pair } from '../helpers/sockets.ts'

const GROUP = 3
const text = ({ bytes }: Received): string => bytes.toString('latin1')

/** Returns source text of clients that each connect, send their number, and wait until the server closes. */
const clientsSource = (port: number, from: number, count: number): string => `
  import { connect } from 'node:net'
  import { once } from 'node:events'
  const ends = []
  for (let number = ${from}; number < ${from + count}; number += 1) {
    const socket = connect(${port}, '127.0.0.1')
    socket.write(Uint8Array.of(number & 255, number >> 8))
    ends.push(once(socket.resume(), 'close'))
  }
  await Promise.all(ends)
`

/** Creates a listening socket; returns its descriptor and port. */
function listener(t: ExecutionContext, ring: Ring): { fd: number; port: number } {
  const { fd, address } = listening(t, ring, undefined, 1024)
  if (!('port' in address)) throw new Error('the address has no port')
  return { fd, port: address.port }
}

/** Accepts `count` clients; returns the numbers that they send. */
async function numbersOf(
  ring: Ring,
  listener: number,
  count: number,
  highWaterMark: number,
): Promise<number[]> {
  const numbers: number[] = []
  for await (const fd of ring.each(new AcceptMulti(listener), { highWaterMark })) {
    const bytes = Buffer.alloc(2)
    for (let at = 0; at < 2;) at += await ring.run(new Read(fd, bytes.subarray(at)))
    await ring.run(new Close(fd))
    numbers.push(bytes.readUInt16LE())
    if (numbers.length === count) break
  }
  return numbers
}

for (const [name, highWaterMark] of [
  ['fast consumer', 100_000],
  ['slow consumer', 4],
] as const) {
  test.serial(
    `each: accepts each of 1,000 clients once with a completion queue of eight, ${name}`,
    async (t) => {
      const ring = ringFor(t, { entries: 4, cqEntries: 8 })
      const server = listener(t, ring)
      await ring.run(new Nop())
      const before = descriptors()
      // Half of the clients connect before the accept, so that their completions overflow the queue.
      const early = script(clientsSource(server.port, 0, 500))
      await until(() => acceptQueueLength(server.fd) === 500)
      const late = script(clientsSource(server.port, 500, 500))
      const numbers = await numbersOf(ring, server.fd, 1000, highWaterMark)
      t.deepEqual(
        numbers.toSorted((a, b) => a - b),
        Array.from({ length: 1000 }, (_, index) => index),
      )
      for (const { code, stderr } of await Promise.all([early, late])) t.deepEqual([code, stderr], [0, ''])
      t.true(ring.stats().overflowed > 0)
      t.true(ring.stats().rearmed > 0)
      t.is(ring.inFlight, 0)
      t.is(descriptors(), before)
    },
  )
}

/** Returns bytes in which every word depends on its position. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at)
  return bytes
}

/** Sends all bytes and shuts the sending side down. */
async function sendAll(ring: Ring, fd: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await ring.run(new Send(fd, bytes.subarray(at)))
  await ring.run(new Shutdown(fd, 'write'))
}

for (const buffers of ['copy', 'borrow'] as const) {
  test(`each: receives a whole stream through four small buffers that are returned after each read: ${buffers}`, async (t) => {
    const ring = ringFor(t, { entries: 8 })
    const [left, right] = pair(t)
    const content = pattern(40_000)
    const size = 64
    const memory = await provideBuffers(ring, GROUP, size, 4)
    const sent = sendAll(ring, left, content)
    const pieces: Buffer[] = []
    for await (const received of ring.each(new RecvMulti(right, GROUP), { buffers })) {
      const id = pieces.length % 4 // buffers are used in the order in which they were provided
      pieces.push(Buffer.from(received.bytes))
      t.is(received.bytes.buffer === memory.buffer, buffers === 'borrow')
      if (buffers === 'borrow') t.is(received.bytes.byteOffset, memory.byteOffset + id * size)
      await provideBuffers(ring, GROUP, size, 1, memory.subarray(id * size, (id + 1) * size), id)
    }
    await sent
    t.true(Buffer.concat(pieces).equals(content))
    t.true(ring.stats().rearmed > 0) // it ran out of buffers repeatedly
    t.is(ring.inFlight, 0)
  })
}

test('each: makes no system call without a buffer, and re-arms when one is provided', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  await provideBuffers(ring, GROUP, 2, 1)
  const received = ring.each(new RecvMulti(right, GROUP))
  writeSync(left, 'abcdef')
  const first = await received.next()
  t.is(first.value && text(first.value), 'ab')
  const step = received.next()
  await until(() => ring.inFlight === 0)
  const { systemCalls, rearmed } = ring.stats()
  await turns(200)
  t.is(ring.stats().systemCalls, systemCalls)
  t.is(ring.stats().rearmed, rearmed)
  // A buffer of another group causes at most one attempt.
  await provideBuffers(ring, GROUP + 1, 2, 1)
  await until(() => ring.inFlight === 0)
  t.true(ring.stats().rearmed <= rearmed + 1)
  await provideBuffers(ring, GROUP, 2, 1)
  const { value } = await step
  t.is(value && text(value), 'cd')
  await received.return?.()
})

test('each: two iterations without buffers both continue when buffers are provided', async (t) => {
  const ring = ringFor(t)
  const sockets = [pair(t), pair(t)]
  const steps = sockets.map(([left, right], index) => {
    writeSync(left, `to ${index}`)
    return ring.each(new RecvMulti(right, GROUP)).next()
  })
  await until(() => ring.stats().completed === 2)
  t.is(ring.inFlight, 0)
  await provideBuffers(ring, GROUP, 4, 2)
  t.deepEqual(
    (await Promise.all(steps)).map(({ value }) => value && text(value)),
    ['to 0', 'to 1'],
  )
  await ring.close()
})

test('each: stops for a slow consumer and continues where it stopped', async (t) => {
  const ring = ringFor(t, { entries: 4, cqEntries: 8 })
  const [left, right] = halfOwnedPair(t)
  const content = pattern(6000)
  await provideBuffers(ring, GROUP, 1, content.length + 1) // the end of the stream needs a buffer, too
  const highWaterMark = 10
  const received = ring.each(new RecvMulti(right, GROUP), { highWaterMark })
  writeSync(left, content)
  closeSync(left)
  let bytes = 0
  const found: number[] = []
  let stops = 0
  for await (const { bytes: piece } of received) {
    found.push(...piece)
    bytes += piece.length
    if (bytes % 1000 !== 1) continue
    await until(() => ring.inFlight === 0)
    stops += 1
    await turns()
    const { completed, systemCalls, rearmed } = ring.stats()
    // Buffered results, plus the capacity of the queues, plus what completed before the cancellation took effect.
    t.true(completed - bytes < highWaterMark + 3 * 16 + 2 * rearmed + 1)
    await turns()
    t.is(ring.stats().systemCalls, systemCalls)
    t.is(ring.stats().completed, completed)
  }
  t.true(Buffer.from(found).equals(content))
  t.is(stops, 6)
})

test('each: a slow consumer does not delay other iterations', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  await provideBuffers(ring, GROUP, 1, 64)
  await provideBuffers(ring, GROUP + 1, 1, 64)
  const slow = ring.each(new RecvMulti(right, GROUP), { highWaterMark: 2 })
  writeSync(left, 'slowly')
  await until(() => ring.inFlight === 0)
  const [from, to] = halfOwnedPair(t)
  writeSync(from, 'fast')
  closeSync(from)
  t.is((await collect(ring.each(new RecvMulti(to, GROUP + 1)))).map(text).join(''), 'fast')
  let found = ''
  for await (const received of slow) {
    found += text(received)
    if (found.length === 6) break
  }
  t.is(found, 'slowly')
})

test('each: later traffic does not change copied results', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  const memory = await provideBuffers(ring, GROUP, 3, 1)
  const received = ring.each(new RecvMulti(right, GROUP))
  const kept: Received[] = []
  for (const word of ['one', 'two', 'six']) {
    const step = received.next()
    writeSync(left, word)
    const { value } = await step
    if (value === undefined) throw new Error('the iteration ended')
    kept.push(value)
    await provideBuffers(ring, GROUP, 3, 1, memory)
  }
  memory.fill(0)
  t.deepEqual(kept.map(text), ['one', 'two', 'six'])
  t.true(kept.every(({ bytes, views }) => views.length === 1 && views[0] === bytes))
  for (const one of kept) one.release()
  t.deepEqual(kept.map(text), ['one', 'two', 'six'])
  await received.return?.()
})

test('each: ends at the end of the stream without a further result', async (t) => {
  const ring = ringFor(t)
  await provideBuffers(ring, GROUP, 8, 8)
  const [left, right] = halfOwnedPair(t)
  const received = ring.each(new RecvMulti(right, GROUP))
  writeSync(left, 'all')
  const first = await received.next()
  t.is(first.value && text(first.value), 'all')
  const step = received.next()
  closeSync(left)
  t.deepEqual(await step, { done: true, value: undefined })
  t.deepEqual(await received.next(), { done: true, value: undefined })
  t.deepEqual(await collect(ring.each(new RecvMulti(right, GROUP))), [])
  t.is(ring.inFlight, 0)
})

test('each: applies a limit to the whole iteration across stops, overflows and lack of buffers', async (t) => {
  for (const [options, highWaterMark, buffers] of [
    [{ entries: 16 }, 1000, 200],
    [{ entries: 16 }, 2, 200],
    [{ entries: 4, cqEntries: 8 }, 1000, 200],
    [{ entries: 16 }, 1000, 7],
  ] as const) {
    const ring = ringFor(t, options)
    const [left, right] = pair(t)
    const memory = await provideBuffers(ring, GROUP, 1, buffers)
    const content = Buffer.from(Array.from({ length: 200 }, (_, index) => index))
    writeSync(left, content)
    const found: number[] = []
    for await (const { bytes } of ring.each(new RecvMulti(right, GROUP, { limit: 100 }), { highWaterMark })) {
      found.push(...bytes)
      if (highWaterMark === 2) await until(() => ring.inFlight === 0)
      if (found.length % buffers === 0) await provideBuffers(ring, GROUP, 1, buffers, memory)
    }
    t.deepEqual(found, [...content.subarray(0, 100)])
    t.is(ring.inFlight, 0)
    if (found.length < buffers && options.entries === 16 && highWaterMark === 1000) continue
    t.true(ring.stats().rearmed > 0)
  }
})

test.serial('each: accepts on several listeners at once, each with its own clients', async (t) => {
  const ring = ringFor(t, { entries: 4, cqEntries: 16 })
  const servers = [listener(t, ring), listener(t, ring), listener(t, ring)]
  const children = servers.map(({ port }, index) => script(clientsSource(port, index * 100, 30)))
  const numbers = await Promise.all(servers.map(({ fd }) => numbersOf(ring, fd, 30, 8)))
  for (const [index, own] of numbers.entries()) {
    t.deepEqual(
      own.toSorted((a, b) => a - b),
      Array.from({ length: 30 }, (_, number) => index * 100 + number),
    )
  }
  for (const { code, stderr } of await Promise.all(children)) t.deepEqual([code, stderr], [0, ''])
  t.is(ring.inFlight, 0)
})

/** Creates a pair of sockets. The test closes the first one, the teardown the second. */
function halfOwnedPair(t: ExecutionContext): [number, number] {
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  return [left, closing(t, right)]
}
