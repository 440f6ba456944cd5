// Tests each(): its results, its steps, its failures, and that it keeps the process alive.

import { AsyncLocalStorage } from 'node:async_hooks'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { closeSync, statSync, writeSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import {
  AcceptMulti,
  type EachOptions,
  Entry,
  MessageFlags,
  Nop,
  type Operation,
  Pipe,
  PollAdd,
  PollEvents,
  ReadMulti,
  RecvMsgMulti,
  RecvMulti,
  RecvMultiBundle,
  SendBundle,
  SocketDomain,
  SocketType,
  Timeout,
} from 'uring'
import { socketpair } from 'uring/sys'
import { listening } from '../helpers/connections.ts'
import {
  clients,
  collect,
  DONE,
  failure,
  forever,
  overflow,
  provideBuffers,
  ringFor,
  SMALL,
  text,
  turns,
  until,
} from '../helpers/multishot.ts'
import { counter, countUp, reset } from '../helpers/polls.ts'
import { script } from '../helpers/process.ts'
import { endOfTurn } from '../helpers/promises.ts'
import { closing, pair } from '../helpers/sockets.ts'
import { bound } from '../helpers/streams.ts'

const GROUP = 5

// ---- timeouts and polls

test('each: a timeout with a count yields that many results and ends', async (t) => {
  const ring = ringFor(t)
  t.deepEqual(await collect(ring.each(new Timeout(1, { multi: true, count: 3 }))), [
    'expired',
    'expired',
    'expired',
  ])
  t.is(ring.inFlight, 0)
})

test('each: a timeout with a count keeps it across a completion-queue overflow', async (t) => {
  const ring = ringFor(t, SMALL)
  const results = ring.each(new Timeout(1, { multi: true, count: 7 }))
  await endOfTurn() // without a turn of the event loop, which could already deliver completions
  t.is(ring.inFlight, 1)
  overflow(ring)
  t.is((await collect(results)).length, 7)
  t.true(ring.stats().overflowed > 0)
  t.true(ring.stats().rearmed > 0)
})

test('each: a timeout with a count keeps it across stops for a slow consumer', async (t) => {
  const ring = ringFor(t)
  let count = 0
  for await (const result of ring.each(new Timeout(1, { multi: true, count: 50 }), { highWaterMark: 1 })) {
    t.is(result, 'expired')
    count += 1
    if (count > 50) break
    await until(() => ring.inFlight === 0)
  }
  t.is(count, 50)
  t.true(ring.stats().rearmed > 0)
})

test('each: a timeout without a count continues until the loop is left', async (t) => {
  const ring = ringFor(t)
  let count = 0
  for await (const _ of ring.each(new Timeout(1, { multi: true }))) {
    count += 1
    if (count === 5) break
  }
  t.is(count, 5)
  t.is(ring.inFlight, 0)
})

test('each: a poll yields each event and re-arms after a completion-queue overflow', async (t) => {
  const ring = ringFor(t, SMALL)
  const fd = counter(t)
  const events = ring.each(new PollAdd(fd, PollEvents.IN, { multi: true }))
  for (let round = 0; round < 3; round += 1) {
    const event = events.next()
    countUp(fd)
    t.deepEqual(await event, { done: false, value: PollEvents.IN })
    reset(fd)
  }
  t.is(ring.stats().rearmed, 0)
  while (!ring.cqNeedsFlush) {
    countUp(fd)
    statSync('/')
  }
  while (ring.stats().rearmed === 0) t.is((await events.next()).value, PollEvents.IN)
  for (let round = 0; round < 3; round += 1) {
    await turns()
    const { completed } = ring.stats()
    reset(fd)
    countUp(fd)
    await until(() => ring.stats().completed > completed)
  }
  await events.return?.()
  t.is(ring.inFlight, 0)
})

// ---- arguments

test('each: throws for operations that are not multishot and submits nothing', (t) => {
  const ring = ringFor(t)
  const expectThrow = (operation: unknown, expected: object): void => {
    t.throws(() => ring.each(operation as Operation<unknown>), expected)
  }
  for (const operation of [
    new Timeout(1),
    new PollAdd(0, PollEvents.IN),
    new Nop(),
    new SendBundle(0, GROUP),
    forever().link(),
    forever().skipSuccess(),
  ])
    expectThrow(operation, { code: 'ERR_INVALID_ARG_VALUE', instanceOf: TypeError, message: /operation/ })
  for (const operation of [forever().build(), Entry.from(new Uint8Array(64)), undefined, null, {}, Timeout])
    expectThrow(operation, { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError, message: /operation/ })
  t.is(ring.inFlight, 0)
  t.is(ring.pending, 0)
  t.is(ring.stats().submitted, 0)
})

test('each: throws for bad options and submits nothing', (t) => {
  const ring = ringFor(t)
  for (const [options, code, name] of [
    [{ highWaterMark: 0 }, 'ERR_OUT_OF_RANGE', 'highWaterMark'],
    [{ highWaterMark: 1.5 }, 'ERR_OUT_OF_RANGE', 'highWaterMark'],
    [{ highWaterMark: '8' }, 'ERR_INVALID_ARG_TYPE', 'highWaterMark'],
    [{ buffers: 'lend' }, 'ERR_INVALID_ARG_VALUE', 'buffers'],
    [{ ref: 1 }, 'ERR_INVALID_ARG_TYPE', 'ref'],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE', 'signal'],
    [7, 'ERR_INVALID_ARG_TYPE', 'options'],
  ] as [EachOptions, string, string][])
    t.throws(() => ring.each(forever(), options), { code, message: new RegExp(name) })
  t.is(ring.inFlight, 0)
  t.is(ring.stats().submitted, 0)
})

// ---- steps

test('each: resolves several waiting calls of next() in order', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  await provideBuffers(ring, GROUP, 1, 16)
  const received = ring.each(new RecvMulti(right, GROUP))
  const steps = [received.next(), received.next(), received.next(), received.next(), received.next()]
  await until(() => ring.inFlight === 1)
  writeSync(left, 'abc')
  const results = await Promise.all(steps.slice(0, 3))
  t.is(results.map(({ value }) => (value === undefined ? '?' : text(value))).join(''), 'abc')
  t.deepEqual(await received.return?.(), DONE)
  t.deepEqual(await Promise.all(steps.slice(3)), [DONE, DONE])
})

test('each: continues if next() is called while a stop for a slow consumer is being cancelled', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  await provideBuffers(ring, GROUP, 1, 16)
  const received = ring.each(new RecvMulti(right, GROUP), { highWaterMark: 1 })
  await until(() => ring.inFlight === 1)
  writeSync(left, 'a')
  // run() resolves in the same batch as the byte, before the next call into the kernel.
  const steps = await ring.run(new Nop()).then(() => [received.next(), received.next()])
  t.deepEqual(await steps[0]?.then(({ value }) => value && text(value)), 'a')
  await until(() => ring.stats().rearmed > 0)
  writeSync(left, 'b')
  t.deepEqual(await steps[1]?.then(({ value }) => value && text(value)), 'b')
  await received.return?.()
})

// ---- failures

test('each: a failure rejects the next step and ends the iteration', async (t) => {
  const ring = ringFor(t)
  const [, right] = pair(t)
  await provideBuffers(ring, GROUP, 8, 8)
  const { fd } = bound(t, SocketType.STREAM)
  for (const [operation, code] of [
    [new AcceptMulti(987_654), 'EBADF'],
    [new RecvMulti(fd, GROUP), 'ENOTCONN'],
    [new RecvMulti(right, GROUP, { flags: MessageFlags.WAITALL }), 'EINVAL'],
    [new AcceptMulti(right), 'EINVAL'],
    [new RecvMultiBundle(right, 4321), 'ENOENT'],
  ] as const) {
    const results = ring.each(operation as Operation<unknown>)
    const error = await failure(results.next())
    t.like(error, { name: 'UringError', code, operation: operation.constructor.name })
    t.deepEqual(await results.next(), DONE)
    t.is(ring.inFlight, 0)
  }
})

test('each: yields the results before a failure first', async (t) => {
  const ring = ringFor(t)
  ring.registerFiles(2)
  const server = listening(t, ring)
  const connections = ring.each(new AcceptMulti(server.fd, { direct: 'auto' }))
  await clients(t, server.address, 3) // one more than there are fixed-file slots
  await until(() => ring.inFlight === 0)
  t.is((await connections.next()).done, false)
  t.is((await connections.next()).done, false)
  t.like(await failure(connections.next()), { code: 'ENFILE' })
  t.deepEqual(await connections.next(), DONE)
})

test('each: rejects with ERR_URING_BUFFER_DETACHED and cancels if the memory of the buffer group is transferred', async (t) => {
  // Runs in a process of its own, because the kernel writes to memory that another owner has.
  const { code, stdout, stderr } = await script(`
    import { writeSync } from 'node:fs'
    import { ProvideBuffers, Recv, RecvMulti, Ring, SocketDomain, SocketType } from 'uring'
    import { socketpair } from 'uring/sys'
    const ring = new Ring({ entries: 8 })
    const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
    const memory = new ArrayBuffer(8)
    await ring.run(new ProvideBuffers(memory, 1, 8, 1))
    const step = ring.each(new RecvMulti(right, 1))
    const steps = [step.next(), step.next()].map((next) => next.catch(({ code }) => code))
    await new Promise(setImmediate)
    const kept = structuredClone(memory, { transfer: [memory] })
    writeSync(left, 'a')
    console.log(await steps[0], (await steps[1]).done, (await step.next()).done, ring.inFlight)
    writeSync(left, 'b')
    const run = ring.run(new Recv(right, { group: 1 }))
    console.log(await run.catch(({ code }) => code))
    writeSync(left, 'c')
    const chain = ring.chain([new Recv(right, { group: 1 })])
    console.log(await chain.catch(({ code }) => code), kept.byteLength)
    await ring.close()
  `)
  t.is(stderr, '')
  t.is(
    stdout,
    'ERR_URING_BUFFER_DETACHED true true 0\nERR_URING_BUFFER_DETACHED\nERR_URING_BUFFER_DETACHED 8\n',
  )
  t.is(code, 0)
})

// ---- the event loop

test('each: does not keep the process alive after the loop is left, or with ref false', async (t) => {
  const { code, stdout, stderr } = await script(`
    import { Ring, Timeout } from 'uring'
    const ring = new Ring({ entries: 4 })
    const forever = () => new Timeout(3_600_000, { multi: true })
    for await (const _ of ring.each(new Timeout(1, { multi: true }))) break
    void ring.each(forever(), { ref: false }).next()
    const other = ring.each(forever())
    void other.next()
    await other.return()
    console.log('left')
    setTimeout(() => console.log('kept open'), 30_000).unref()
  `)
  t.is(stderr, '')
  t.is(stdout, 'left\n')
  t.is(code, 0)
})

test('each: keeps the process alive while an iteration is open', async (t) => {
  const { code, stdout, stderr } = await script(`
    import { Ring, Timeout } from 'uring'
    const ring = new Ring({ entries: 4 })
    const results = ring.each(new Timeout(3_600_000, { multi: true }))
    void results.next()
    setTimeout(() => {
      console.log('kept open')
      void results.return()
    }, 20).unref()
  `)
  t.is(stderr, '')
  t.is(stdout, 'kept open\n')
  t.is(code, 0)
})

test('each: the body of a loop has the AsyncLocalStorage store of the loop', async (t) => {
  const ring = ringFor(t)
  const storage = new AsyncLocalStorage<string>()
  const stores: (string | undefined)[] = []
  const [left, right] = pair(t)
  await provideBuffers(ring, GROUP, 1, 8)
  const received = storage.run('armed', () => ring.each(new RecvMulti(right, GROUP)))
  const loop = storage.run('loop', async () => {
    for await (const _ of received) {
      stores.push(storage.getStore())
      if (stores.length === 3) break
    }
    stores.push(storage.getStore())
  })
  for (let count = 1; count <= 3; count += 1) {
    storage.run('sent', () => writeSync(left, 'x'))
    await until(() => stores.length >= count)
  }
  await loop
  t.deepEqual(stores, ['loop', 'loop', 'loop', 'loop'])
})

// ---- multishot operation classes

test('each with ReadMulti: yields what is written to a pipe until its end', async (t) => {
  const ring = ringFor(t)
  await provideBuffers(ring, GROUP, 4, 8)
  const [read, write] = await ring.run(new Pipe())
  closing(t, read)
  const received = ring.each(new ReadMulti(read, GROUP))
  for (const piece of ['one', 'two', 'six']) {
    const step = received.next()
    writeSync(write, piece)
    const { value } = await step
    t.is(value && text(value), piece)
  }
  const step = received.next()
  closeSync(write)
  t.deepEqual(await step, DONE)
  t.is(ring.inFlight, 0)
})

test('each with RecvMultiBundle: yields bytes of several buffers at once until the end', async (t) => {
  const ring = ringFor(t)
  await provideBuffers(ring, GROUP, 4, 16)
  const [left, right] = halfOwnedPair(t)
  writeSync(left, 'sixteen bytes ..and some more')
  closeSync(left)
  const pieces = (await collect(ring.each(new RecvMultiBundle(right, GROUP)))).map(text)
  t.is(pieces.join(''), 'sixteen bytes ..and some more')
  t.true(pieces.some((piece) => piece.length > 4))
  t.is(ring.inFlight, 0)
})

test('each with RecvMsgMulti: yields messages with their senders, as copies', async (t) => {
  const ring = ringFor(t)
  const { fd, port } = bound(t, SocketType.DGRAM)
  const memory = await provideBuffers(ring, GROUP, 256, 8)
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  await once(socket.bind(0, '127.0.0.1'), 'listening')
  const messages = ring.each(new RecvMsgMulti(fd, GROUP, { address: true }))
  for (const word of ['one', 'two', 'three']) {
    const step = messages.next()
    socket.send(word, port, '127.0.0.1')
    const { value } = await step
    memory.fill(0)
    t.is(value && text(value), word)
    t.like(value?.address, { address: '127.0.0.1', port: socket.address().port })
    t.is(value?.flags, 0)
    t.deepEqual(value?.control, [])
    t.is(value?.views.length, 1)
    value?.release()
  }
  await messages.return?.()
})

test('each: runs several iterations at once on one ring', async (t) => {
  const ring = ringFor(t, { entries: 4 })
  const found = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      const [left, right] = halfOwnedPair(t)
      await provideBuffers(ring, index, 2, 8)
      const received = ring.each(new RecvMulti(right, index))
      writeSync(left, `iteration ${index}`)
      closeSync(left)
      return (await collect(received)).map(text).join('')
    }),
  )
  t.deepEqual(
    found,
    found.map((_, index) => `iteration ${index}`),
  )
})

/** Creates a pair of sockets. The test closes the first one, the teardown the second. */
function halfOwnedPair(t: ExecutionContext): [number, number] {
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  return [left, closing(t, right)]
}
