// Iterators over multishot operations: what they bring, how they end, and what they leave behind.

import { AsyncLocalStorage } from 'node:async_hooks'
import { createSocket } from 'node:dgram'
import { getEventListeners, once } from 'node:events'
import { closeSync, statSync, writeSync } from 'node:fs'
import type { Socket as NetSocket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import {
  AcceptMulti,
  type AcceptMultiOptions,
  Close,
  Connect,
  type EachOptions,
  Entry,
  MessageFlags,
  Nop,
  type Operation,
  Pipe,
  PollAdd,
  PollEvents,
  Read,
  ReadMulti,
  Recv,
  type Received,
  RecvMsgMulti,
  RecvMulti,
  RecvMultiBundle,
  type Ring,
  SendBundle,
  SocketDomain,
  SocketType,
  Timeout,
} from 'uring'
import { socketpair } from 'uring/sys'
import { client, listening, socket, value } from './helpers/connections.ts'
import { all, codes, descriptors, failure, give, ringFor, turns, until } from './helpers/multishot.ts'
import { pipe } from './helpers/pipes.ts'
import { counter, countUp, reset } from './helpers/polls.ts'
import { script } from './helpers/process.ts'
import { closing, pair } from './helpers/sockets.ts'
import { bound } from './helpers/streams.ts'

const GROUP = 5
const LONG = 3_600_000
const text = ({ bytes }: Received): string => bytes.toString('latin1')
const DONE = { done: true, value: undefined }

/** A ring whose completion queue is full with two: completions arrive while the thread does other things. */
const SMALL = { entries: 1, cqEntries: 2, submitAll: false }

/** Enters the kernel, where completions arrive, until there was no room for one. */
function overflow(ring: Ring): void {
  while (!ring.cqNeedsFlush) statSync('/')
}

function forever(): Timeout {
  return new Timeout(LONG, { multi: true })
}

// ---- timeouts and polls

test('a timeout brings as many results as it was to expire, and ends', async (t) => {
  const ring = ringFor(t)
  t.deepEqual(await all(ring.each(new Timeout(1, { multi: true, count: 3 }))), [
    'expired',
    'expired',
    'expired',
  ])
  t.is(ring.inFlight, 0)
})

test('a timeout expires as often as it was to, although the completion queue was full in between', async (t) => {
  const ring = ringFor(t, SMALL)
  const results = ring.each(new Timeout(1, { multi: true, count: 7 }))
  await turns(1)
  overflow(ring)
  t.is((await all(results)).length, 7)
  t.true(ring.stats().overflowed > 0)
  t.true(ring.stats().rearmed > 0)
})

test('a timeout that was stopped for a slow consumer expires as often as it was to', async (t) => {
  const ring = ringFor(t)
  let count = 0
  for await (const result of ring.each(new Timeout(1, { multi: true, count: 3 }), { highWaterMark: 1 })) {
    t.is(result, 'expired')
    count += 1
    if (count > 3) break
    await until(() => ring.inFlight === 0)
  }
  t.is(count, 3)
  t.true(ring.stats().rearmed > 0)
})

test('a timeout without a count goes on until the loop is left', async (t) => {
  const ring = ringFor(t)
  let count = 0
  for await (const _ of ring.each(new Timeout(1, { multi: true }))) {
    count += 1
    if (count === 5) break
  }
  t.is(count, 5)
  t.is(ring.inFlight, 0)
})

test('a poll brings each event, and goes on after its completion queue was full', async (t) => {
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

test('what is no multishot operation is refused at once, and nothing is submitted', (t) => {
  const ring = ringFor(t)
  const refused = (operation: unknown, expected: object): void => {
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
    refused(operation, { code: 'ERR_INVALID_ARG_VALUE', instanceOf: TypeError, message: /operation/ })
  for (const operation of [forever().build(), Entry.from(new Uint8Array(64)), undefined, null, {}, Timeout])
    refused(operation, { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError, message: /operation/ })
  t.is(ring.inFlight, 0)
  t.is(ring.pending, 0)
  t.is(ring.stats().submitted, 0)
})

test('options that cannot be are refused at once, and nothing is submitted', (t) => {
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

// ---- connections

/** Clients that are connected to a listener, and all accepted by the kernel. */
async function clients(
  t: ExecutionContext,
  address: Parameters<typeof client>[1],
  count: number,
): Promise<NetSocket[]> {
  const sockets: NetSocket[] = []
  for (let left = count; left > 0; left -= 1) sockets.push(await client(t, address))
  return sockets
}

const LEAVING: Record<
  string,
  (connections: AsyncIterableIterator<number, undefined> & AsyncDisposable) => Promise<void>
> = {
  break: async (connections) => {
    for await (const fd of connections) {
      closeSync(fd)
      break
    }
  },
  throw: async (connections) => {
    try {
      for await (const fd of connections) {
        closeSync(fd)
        throw new Error('thrown in the loop')
      }
    } catch (error) {
      if (codes(error)[0] !== 'thrown in the loop') throw error
    }
  },
  return: async (connections) => {
    const first = async (): Promise<number> => {
      for await (const fd of connections) return fd
      throw new Error('there is none')
    }
    closeSync(await first())
  },
  'await using': async (connections) => {
    await using own = connections
    const { value } = await own.next()
    if (value !== undefined) closeSync(value)
  },
  'throw()': async (connections) => {
    const { value } = await connections.next()
    if (value !== undefined) closeSync(value)
    const reason = new Error('given')
    const failed = await failure(Promise.resolve(connections.throw?.(reason)))
    if (failed !== reason) throw failed
  },
}

for (const [name, leave] of Object.entries(LEAVING)) {
  test.serial(`leaving by ${name} cancels, and closes what was accepted for nobody`, async (t) => {
    const ring = ringFor(t)
    const server = listening(t, ring)
    await ring.run(new Nop()) // makes what the ring needs for the event loop
    const before = descriptors()
    const connections = ring.each(new AcceptMulti(server.fd))
    const { completed } = ring.stats()
    const sockets = await clients(t, server.address, 4)
    await until(() => ring.stats().completed >= completed + 4)
    await leave(connections)
    t.is(ring.inFlight, 0)
    t.deepEqual(await connections.next(), DONE)
    await Promise.all(sockets.map((socket) => once(socket.resume(), 'end')))
    for (const socket of sockets) await once(socket.destroy(), 'close')
    t.is(descriptors(), before)
    // Nobody accepts any more.
    await client(t, server.address)
    await turns()
    t.is(ring.inFlight, 0)
  })
}

test('a worker hears no warning of the connections that are closed for nobody', async (t) => {
  const { code, signal, stdout, stderr } = await script(`
    import { Worker } from 'node:worker_threads'
    new Worker(\`
      import { createConnection } from 'node:net'
      import { once } from 'node:events'
      import { setImmediate } from 'node:timers/promises'
      import { AcceptMulti, Bind, Close, Listen, Ring, Socket, SocketDomain, SocketType } from 'uring'
      import { getsockname } from 'uring/sys'
      const ring = new Ring({ entries: 8 })
      const file = await ring.run(new Socket(SocketDomain.INET, SocketType.STREAM))
      await ring.run(new Bind(file, { address: '127.0.0.1', port: 0 }))
      await ring.run(new Listen(file))
      const connections = ring.each(new AcceptMulti(file))
      const { completed } = ring.stats()
      const clients = Array.from({ length: 4 }, () => createConnection(getsockname(file).port, '127.0.0.1'))
      while (ring.stats().completed < completed + clients.length) await setImmediate()
      await ring.run(new Close((await connections.next()).value))
      await connections.return()
      await Promise.all(clients.map((client) => once(client.resume(), 'close')))
      await ring.run(new Close(file))
      await ring.close()
      console.log('all were closed')
    \`, { eval: true })
  `)
  t.deepEqual(
    { code, signal, stdout, stderr },
    { code: 0, signal: null, stdout: 'all were closed\n', stderr: '' },
  )
})

test.serial('the registered files that were accepted for nobody are closed', async (t) => {
  const ring = ringFor(t)
  ring.registerFiles(4)
  const server = listening(t, ring)
  const options: AcceptMultiOptions<'auto'> = { direct: 'auto' }
  const sockets: NetSocket[] = []
  for (let round = 0; round < 3; round += 1) {
    const connections = ring.each(new AcceptMulti(server.fd, options))
    sockets.push(...(await clients(t, server.address, 4)))
    const { value } = await connections.next()
    if (value === undefined) throw new Error('there is none')
    await ring.run(new Close(value))
    await connections.return?.()
    await Promise.all(sockets.splice(0).map((socket) => once(socket.resume(), 'end')))
  }
  t.pass()
})

test.serial(
  'what came before the ring was closed can still be taken, and what is left is closed',
  async (t) => {
    for (const close of [(ring: Ring) => ring.close(), async (ring: Ring) => ring[Symbol.dispose]()]) {
      const before = descriptors()
      const ring = ringFor(t, { entries: 4 })
      const server = listening(t, ring)
      const connections = ring.each(new AcceptMulti(server.fd))
      const { completed } = ring.stats()
      const sockets = await clients(t, server.address, 9)
      await until(() => ring.stats().completed >= completed + 9)
      await close(ring)
      const first = await connections.next()
      if (first.value === undefined) throw new Error('there is none')
      closeSync(first.value)
      await connections.return?.()
      t.deepEqual(await connections.next(), DONE)
      await Promise.all(sockets.map((socket) => once(socket.resume(), 'end')))
      for (const socket of sockets) await once(socket.destroy(), 'close')
      t.is(descriptors(), before + 1) // the one that listens
    }
  },
)

// ---- steps

test('next() several times before anything came: each step gets its result, in order', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  await give(ring, GROUP, 1, 16)
  const received = ring.each(new RecvMulti(right, GROUP))
  const steps = [received.next(), received.next(), received.next(), received.next(), received.next()]
  await until(() => ring.inFlight === 1)
  writeSync(left, 'abc')
  const results = await Promise.all(steps.slice(0, 3))
  t.is(results.map(({ value }) => (value === undefined ? '?' : text(value))).join(''), 'abc')
  t.deepEqual(await received.return?.(), DONE)
  t.deepEqual(await Promise.all(steps.slice(3)), [DONE, DONE])
})

test('steps between the stop for a slow consumer and its cancellation: it goes on', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  await give(ring, GROUP, 1, 16)
  const received = ring.each(new RecvMulti(right, GROUP), { highWaterMark: 1 })
  await until(() => ring.inFlight === 1)
  writeSync(left, 'a')
  // Told of in the call that brings the byte too, and before the next call.
  const steps = await ring.run(new Nop()).then(() => [received.next(), received.next()])
  t.deepEqual(await steps[0]?.then(({ value }) => value && text(value)), 'a')
  await until(() => ring.stats().rearmed > 0)
  writeSync(left, 'b')
  t.deepEqual(await steps[1]?.then(({ value }) => value && text(value)), 'b')
  await received.return?.()
})

test('next() after the end, and return() twice', async (t) => {
  const ring = ringFor(t)
  const results = ring.each(new Timeout(1, { multi: true, count: 1 }))
  t.deepEqual(await results.next(), { done: false, value: 'expired' })
  for (let round = 0; round < 2; round += 1) {
    t.deepEqual(await results.next(), DONE)
    t.deepEqual(await results.return?.(), DONE)
  }
  const others = ring.each(forever())
  t.is(others[Symbol.asyncIterator](), others)
  t.deepEqual(await Promise.all([others.return?.(), others.return?.(), others.next()]), [DONE, DONE, DONE])
  t.is(ring.inFlight, 0)
})

test('return() before the operation was submitted', async (t) => {
  const ring = ringFor(t)
  t.deepEqual(await ring.each(forever()).return?.(), DONE)
  t.is(ring.inFlight, 0)
})

test('leaving in the moment in which the operation completes and goes on: it is cancelled all the same', async (t) => {
  const ring = ringFor(t)
  const clock = ringFor(t, { entries: 1 })
  const controller = new AbortController()
  const left = ring.each(new Timeout(1, { multi: true }))
  const other = ring.each(new Timeout(1, { multi: true }), { signal: controller.signal })
  await Promise.all([left.next(), other.next()])
  // Both expire while this thread waits for something else.
  clock.push(new Timeout(5))
  clock.wait()
  controller.abort()
  t.deepEqual(await left.return?.(), DONE)
  const error = await failure(all(other))
  t.is(error.name, 'AbortError')
  t.is(ring.inFlight, 0)
})

test.serial(
  'connections that were accepted and not heard of when the loop was left are closed',
  async (t) => {
    const ring = ringFor(t, { entries: 4, submitAll: false }) // accepts while the thread does other things
    const others = ringFor(t)
    const server = listening(t, others)
    const connections = ring.each(new AcceptMulti(server.fd))
    await until(() => ring.inFlight === 1)
    const sockets = [1, 2, 3].map(() => socket(t, others))
    for (const fd of sockets) t.is(value(others, new Connect(fd, server.address)), 0)
    t.is(ring.cqReady, 3)
    t.deepEqual(await connections.return?.(), DONE)
    for (const fd of sockets) t.is(value(others, new Recv(fd, Buffer.alloc(1))), 0)
  },
)

test('return() after a failure that nobody has seen: it stays unseen', async (t) => {
  const ring = ringFor(t)
  const results = ring.each(new AcceptMulti(987_654))
  await until(() => ring.stats().completed > 0)
  t.deepEqual(await results.return?.(), DONE)
  t.deepEqual(await results.next(), DONE)
})

test('leaving while the operation waits for room', async (t) => {
  const ring = ringFor(t, { entries: 1, cqEntries: 2 })
  const { read, write } = pipe(t, true)
  const reads = [ring.run(new Read(read, Buffer.alloc(1))), ring.run(new Read(read, Buffer.alloc(1)))]
  await until(() => ring.inFlight === 2)
  const results = ring.each(forever())
  const step = results.next()
  t.is(ring.pending, 1)
  t.deepEqual(await results.return?.(), DONE)
  t.deepEqual(await step, DONE)
  t.is(ring.pending, 0)
  t.is(ring.inFlight, 2)
  writeSync(write, 'xy')
  t.deepEqual(await Promise.all(reads), [1, 1])
})

test('leaving while there are no buffers, and while it is stopped for the consumer', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  const starved = ring.each(new RecvMulti(right, GROUP))
  const step = starved.next()
  writeSync(left, 'abcdef')
  await until(() => ring.stats().completed === 1)
  t.is(ring.inFlight, 0)
  t.deepEqual(await starved.return?.(), DONE)
  t.deepEqual(await step, DONE)

  await give(ring, GROUP, 1, 16)
  const stopped = ring.each(new RecvMulti(right, GROUP), { highWaterMark: 1 })
  await until(() => ring.stats().completed > 2 && ring.inFlight === 0)
  t.deepEqual(await stopped.return?.(), DONE)
  t.deepEqual(await stopped.next(), DONE)

  // Neither comes back when there are buffers.
  await give(ring, GROUP, 1, 16)
  writeSync(left, 'ghi')
  await turns()
  t.is(ring.inFlight, 0)
  t.is(ring.stats().rearmed, 0)
})

// ---- signals

const aborted = (reason: unknown): AbortSignal => AbortSignal.abort(reason)

test('a signal that is aborted already: each throws, and nothing is submitted', (t) => {
  const ring = ringFor(t)
  const reason = new Error('before')
  const error = t.throws(() => ring.each(forever(), { signal: aborted(reason) }), {
    name: 'AbortError',
    code: 'ABORT_ERR',
  })
  t.is(error?.cause, reason)
  t.is(ring.stats().submitted, 0)
  t.is(ring.pending + ring.inFlight, 0)
})

test('a signal that aborts while a step waits: the step rejects, and the iteration is over', async (t) => {
  const ring = ringFor(t)
  const controller = new AbortController()
  const { signal } = controller
  const results = ring.each(forever(), { signal })
  const steps = [results.next(), results.next()]
  await until(() => ring.inFlight === 1)
  controller.abort(new Error('during'))
  const [first, second] = await Promise.allSettled(steps)
  t.is(first?.status, 'rejected')
  const { reason } = first as PromiseRejectedResult
  t.is((reason as Error).name, 'AbortError')
  t.deepEqual(codes(reason), ['ABORT_ERR', 'ECANCELED', 'during'])
  t.deepEqual(second, { status: 'fulfilled', value: DONE })
  t.deepEqual(await results.next(), DONE)
  t.is(ring.inFlight, 0)
  t.is(getEventListeners(signal, 'abort').length, 0)
})

test('what came before the signal is delivered, and then the step rejects', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  await give(ring, GROUP, 1, 16)
  const controller = new AbortController()
  const received = ring.each(new RecvMulti(right, GROUP), { signal: controller.signal })
  await until(() => ring.inFlight === 1)
  writeSync(left, 'abc')
  await until(() => ring.stats().completed >= 1 + 3)
  controller.abort()
  await until(() => ring.inFlight === 0)
  for (const letter of 'abc') {
    const { value } = await received.next()
    t.is(value && text(value), letter)
  }
  t.is((await failure(received.next())).name, 'AbortError')
  t.deepEqual(await received.next(), DONE)
})

test('a signal that aborts when the operation has to be armed again: it is not', async (t) => {
  const ring = ringFor(t, SMALL)
  const controller = new AbortController()
  const results = ring.each(new Timeout(1, { multi: true }), { signal: controller.signal })
  await turns(1)
  overflow(ring)
  controller.abort()
  for (let count = 0; count < 3; count += 1) t.is((await results.next()).value, 'expired')
  t.is((await failure(results.next())).name, 'AbortError')
  t.is(ring.stats().rearmed, 0)
  t.is(ring.inFlight, 0)
})

test.serial('connections that came before the signal are delivered, or closed by return()', async (t) => {
  const ring = ringFor(t)
  const server = listening(t, ring)
  const controller = new AbortController()
  const connections = ring.each(new AcceptMulti(server.fd), { signal: controller.signal })
  const { completed } = ring.stats()
  const sockets = await clients(t, server.address, 3)
  await until(() => ring.stats().completed >= completed + 3)
  controller.abort()
  const { value } = await connections.next()
  if (value === undefined) throw new Error('there is none')
  await connections.return?.()
  t.deepEqual(await connections.next(), DONE)
  const ends = sockets.map((socket) => once(socket.resume(), 'end'))
  await Promise.all(ends.slice(1))
  t.false(sockets[0]?.readableEnded)
  closeSync(value)
  await ends[0]
})

test('a signal that aborts while nothing is with the kernel: starved, stopped, or without room', async (t) => {
  const small = ringFor(t, { entries: 1, cqEntries: 2 })
  const ring = ringFor(t)
  const [left, right] = pair(t)
  const controller = new AbortController()
  const { signal } = controller
  const reason = new Error('idle')

  writeSync(left, 'ab')
  const starved = ring.each(new RecvMulti(right, GROUP), { signal })
  await until(() => ring.stats().completed === 1)
  await give(ring, GROUP + 1, 1, 2)
  const stopped = ring.each(new RecvMulti(right, GROUP + 1), { signal, highWaterMark: 1 })
  await until(() => ring.stats().completed > 3 && ring.inFlight === 0)
  const room = [small.run(forever(), {}).catch(codes), small.each(forever()), small.each(forever())]
  t.deepEqual(await room[0], ['ERR_INVALID_ARG_VALUE'])
  await until(() => small.inFlight === 2)
  const pending = small.each(forever(), { signal })
  t.is(small.pending, 1)

  const steps = [failure(starved.next()), failure(pending.next())]
  controller.abort(reason)
  for (const error of await Promise.all(steps)) {
    t.is(error.name, 'AbortError')
    t.is(codes(error).at(-1), 'idle')
  }
  const found: string[] = []
  const error = await failure(
    (async () => {
      for await (const received of stopped) found.push(text(received))
    })(),
  )
  t.is(found.join(''), 'ab'.slice(0, found.length))
  t.true(found.length > 0)
  t.deepEqual(codes(error), ['ABORT_ERR', 'idle'])
  t.is(small.pending, 0)
  t.is(ring.inFlight, 0)
  t.is(getEventListeners(signal, 'abort').length, 0)
})

test('listeners are taken away when the iteration ends, fails, or is left', async (t) => {
  const ring = ringFor(t)
  const { signal } = new AbortController()
  const listeners = (): number => getEventListeners(signal, 'abort').length
  const results = ring.each(new Timeout(1, { multi: true, count: 1 }), { signal })
  t.is(listeners(), 1)
  await all(results)
  t.is(listeners(), 0)
  await failure(ring.each(new AcceptMulti(987_654), { signal }).next())
  t.is(listeners(), 0)
  for await (const _ of ring.each(new Timeout(1, { multi: true }), { signal })) break
  t.is(listeners(), 0)
})

test('a signal that aborts after the end changes nothing', async (t) => {
  const ring = ringFor(t)
  const controller = new AbortController()
  const results = ring.each(new Timeout(1, { multi: true, count: 1 }), { signal: controller.signal })
  await all(results)
  controller.abort()
  t.deepEqual(await results.next(), DONE)
})

// ---- failures

test('a failure rejects the next step, and the iteration is over', async (t) => {
  const ring = ringFor(t)
  const [, right] = pair(t)
  await give(ring, GROUP, 8, 8)
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

test('what came before a failure is delivered first', async (t) => {
  const ring = ringFor(t)
  ring.registerFiles(2)
  const server = listening(t, ring)
  const connections = ring.each(new AcceptMulti(server.fd, { direct: 'auto' }))
  await clients(t, server.address, 3) // one more than there are slots
  await until(() => ring.inFlight === 0)
  t.is((await connections.next()).done, false)
  t.is((await connections.next()).done, false)
  t.like(await failure(connections.next()), { code: 'ENFILE' })
  t.deepEqual(await connections.next(), DONE)
})

test('memory of a group that was given away: the step rejects, and nothing goes on in the kernel', async (t) => {
  // In a process of its own: the kernel writes to what it was given.
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

// ---- closing the ring

test('closing the ring ends what is armed, starved, stopped, or without room with an error', async (t) => {
  for (const close of [(ring: Ring) => ring.close(), async (ring: Ring) => ring[Symbol.dispose]()]) {
    const ring = ringFor(t, { entries: 1, cqEntries: 2 })
    const [left, right] = pair(t)
    writeSync(left, 'ab')
    const starved = ring.each(new RecvMulti(right, GROUP))
    await until(() => ring.stats().completed === 1)
    await give(ring, GROUP + 1, 1, 2)
    const stopped = ring.each(new RecvMulti(right, GROUP + 1), { highWaterMark: 1 })
    await until(() => ring.stats().completed > 3 && ring.inFlight === 0)
    const armed = ring.each(forever())
    const other = ring.each(forever())
    await until(() => ring.inFlight === 2)
    const pending = ring.each(forever())
    t.is(ring.pending, 1)
    const steps = [starved, armed, other, pending].map((results) =>
      failure((results as AsyncIterator<unknown>).next()),
    )
    await close(ring)
    t.deepEqual(
      (await Promise.all(steps)).map((error) => codes(error)[0]),
      ['ERR_URING_CLOSED', 'ECANCELED', 'ECANCELED', 'ERR_URING_CLOSED'],
    )
    const last = await failure(all(stopped))
    t.is(codes(last)[0], 'ERR_URING_CLOSED')
    t.throws(() => ring.each(forever()), { code: 'ERR_URING_CLOSED' })
    t.deepEqual(await Promise.all([starved.return?.(), armed.return?.(), stopped.next()]), [DONE, DONE, DONE])
  }
})

test('a lack of buffers that is heard of when the ring is gone', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  await give(ring, GROUP, 1, 1)
  const received = ring.each(new RecvMulti(right, GROUP))
  const steps = [received.next(), received.next()] as const
  await until(() => ring.inFlight === 1)
  writeSync(left, 'xy')
  t.is(ring.tryWait(), undefined) // finds what is the iteration's
  t.is(ring.inFlight, 0)
  ring[Symbol.dispose]()
  const { value } = await steps[0]
  t.is(value && text(value), 'x')
  t.is(codes(await failure(steps[1]))[0], 'ERR_URING_CLOSED')
})

test('leaving more iterations than there are entries in the moment in which the ring is gone', async (t) => {
  const ring = ringFor(t, { entries: 2, cqEntries: 64 })
  const controller = new AbortController()
  const iterations = Array.from({ length: 20 }, (_, index) =>
    ring.each(forever(), index < 10 ? { signal: controller.signal } : {}),
  )
  await until(() => ring.inFlight === 20)
  ring[Symbol.dispose]()
  controller.abort()
  const ends = await Promise.all(iterations.map((results) => results.return?.()))
  t.deepEqual(
    ends,
    iterations.map(() => DONE),
  )
})

// ---- the event loop

test('a program ends by itself when its loops were left, and does not wait for what is not to be waited for', async (t) => {
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

test('a loop keeps its program open', async (t) => {
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

test("the loop's body has the store of who wrote it", async (t) => {
  const ring = ringFor(t)
  const storage = new AsyncLocalStorage<string>()
  const stores: (string | undefined)[] = []
  const [left, right] = pair(t)
  await give(ring, GROUP, 1, 8)
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

// ---- one of each

test('an iteration over ReadMulti: what is written to a pipe, to its end', async (t) => {
  const ring = ringFor(t)
  await give(ring, GROUP, 4, 8)
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

test('an iteration over RecvMultiBundle: bytes of several buffers at once, to the end', async (t) => {
  const ring = ringFor(t)
  await give(ring, GROUP, 4, 16)
  const [left, right] = socketEnds(t)
  writeSync(left, 'sixteen bytes ..and some more')
  closeSync(left)
  const pieces = (await all(ring.each(new RecvMultiBundle(right, GROUP)))).map(text)
  t.is(pieces.join(''), 'sixteen bytes ..and some more')
  t.true(pieces.some((piece) => piece.length > 4))
  t.is(ring.inFlight, 0)
})

test('an iteration over RecvMsgMulti: messages with their senders, as copies', async (t) => {
  const ring = ringFor(t)
  const { fd, port } = bound(t, SocketType.DGRAM)
  const memory = await give(ring, GROUP, 256, 8)
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

test('several iterations at once on one ring', async (t) => {
  const ring = ringFor(t, { entries: 4 })
  const found = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      const [left, right] = socketEnds(t)
      await give(ring, index, 2, 8)
      const received = ring.each(new RecvMulti(right, index))
      writeSync(left, `iteration ${index}`)
      closeSync(left)
      return (await all(received)).map(text).join('')
    }),
  )
  t.deepEqual(
    found,
    found.map((_, index) => `iteration ${index}`),
  )
})

/** A pair of sockets, the first of which the test closes. */
function socketEnds(t: ExecutionContext): [number, number] {
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  return [left, closing(t, right)]
}
