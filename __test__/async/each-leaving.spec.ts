// Tests iterations that end before their operation: loops that are left, return(), and rings that are closed.

import { once } from 'node:events'
import { closeSync, writeSync } from 'node:fs'
import type { Socket as NetSocket } from 'node:net'
import test from 'ava'
import {
  AcceptMulti,
  type AcceptMultiOptions,
  Close,
  Connect,
  Nop,
  Read,
  Recv,
  RecvMulti,
  type Ring,
  Timeout,
} from 'uring'
import { value } from '../helpers/completions.ts'
import { client, listening, socket } from '../helpers/connections.ts'
import {
  clients,
  codes,
  collect,
  descriptors,
  DONE,
  failure,
  forever,
  provideBuffers,
  ringFor,
  text,
  turns,
  until,
} from '../helpers/multishot.ts'
import { pipe } from '../helpers/pipes.ts'
import { script } from '../helpers/process.ts'
import { pair } from '../helpers/sockets.ts'

const GROUP = 5

// ---- connections

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
      throw new Error('the iteration ended')
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
    const reason = new Error('mine')
    const failed = await failure(Promise.resolve(connections.throw?.(reason)))
    if (failed !== reason) throw failed
  },
}

for (const [name, leave] of Object.entries(LEAVING)) {
  test.serial(
    `each: leaving the loop by ${name} cancels the operation and closes connections that were not consumed`,
    async (t) => {
      const ring = ringFor(t)
      const server = listening(t, ring)
      await ring.run(new Nop()) // creates the descriptors that the ring needs
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
      // The ring does not accept any more.
      await client(t, server.address)
      await turns()
      t.is(ring.inFlight, 0)
    },
  )
}

test('each: closes connections that were not consumed without a warning in a worker', async (t) => {
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

test.serial('each: closes fixed files that were accepted and not consumed', async (t) => {
  const ring = ringFor(t)
  ring.registerFiles(4)
  const server = listening(t, ring)
  const options: AcceptMultiOptions<'auto'> = { direct: 'auto' }
  const sockets: NetSocket[] = []
  for (let round = 0; round < 3; round += 1) {
    const connections = ring.each(new AcceptMulti(server.fd, options))
    sockets.push(...(await clients(t, server.address, 4)))
    const { value } = await connections.next()
    if (value === undefined) throw new Error('the iteration ended')
    await ring.run(new Close(value))
    await connections.return?.()
    await Promise.all(sockets.splice(0).map((socket) => once(socket.resume(), 'end')))
  }
  t.pass()
})

test.serial(
  'each: yields connections accepted before the ring was closed, and return() closes the rest',
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
      if (first.value === undefined) throw new Error('the iteration ended')
      closeSync(first.value)
      await connections.return?.()
      t.deepEqual(await connections.next(), DONE)
      await Promise.all(sockets.map((socket) => once(socket.resume(), 'end')))
      for (const socket of sockets) await once(socket.destroy(), 'close')
      t.is(descriptors(), before + 1) // the listening socket
    }
  },
)

// ---- return()

test('each: next() and return() resolve to done after the end', async (t) => {
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

test('each: return() works before the operation is submitted', async (t) => {
  const ring = ringFor(t)
  t.deepEqual(await ring.each(forever()).return?.(), DONE)
  t.is(ring.inFlight, 0)
})

test('each: return() and abort cancel an operation that has just completed with more to come', async (t) => {
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
  const error = await failure(collect(other))
  t.is(error.name, 'AbortError')
  t.is(ring.inFlight, 0)
})

test.serial('each: return() closes connections whose completions are not reaped yet', async (t) => {
  const ring = ringFor(t, { entries: 4, submitAll: false }) // posts completions on any entry to the kernel
  const others = ringFor(t)
  const server = listening(t, others)
  const connections = ring.each(new AcceptMulti(server.fd))
  await until(() => ring.inFlight === 1)
  const sockets = [1, 2, 3].map(() => socket(t, others))
  for (const fd of sockets) t.is(value(others, new Connect(fd, server.address)), 0)
  t.is(ring.cqReady, 3)
  t.deepEqual(await connections.return?.(), DONE)
  for (const fd of sockets) t.is(value(others, new Recv(fd, Buffer.alloc(1))), 0)
})

test('each: return() discards a failure that was not delivered', async (t) => {
  const ring = ringFor(t)
  const results = ring.each(new AcceptMulti(987_654))
  await until(() => ring.stats().completed > 0)
  t.deepEqual(await results.return?.(), DONE)
  t.deepEqual(await results.next(), DONE)
})

test('each: return() removes a pending operation', async (t) => {
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

test('each: return() ends an iteration that lacks buffers, and one that is stopped for a slow consumer', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  const starved = ring.each(new RecvMulti(right, GROUP))
  const step = starved.next()
  writeSync(left, 'abcdef')
  await until(() => ring.stats().completed === 1)
  t.is(ring.inFlight, 0)
  t.deepEqual(await starved.return?.(), DONE)
  t.deepEqual(await step, DONE)

  await provideBuffers(ring, GROUP, 1, 16)
  const stopped = ring.each(new RecvMulti(right, GROUP), { highWaterMark: 1 })
  await until(() => ring.stats().completed > 2 && ring.inFlight === 0)
  t.deepEqual(await stopped.return?.(), DONE)
  t.deepEqual(await stopped.next(), DONE)

  // New buffers re-arm neither of them.
  await provideBuffers(ring, GROUP, 1, 16)
  writeSync(left, 'ghi')
  await turns()
  t.is(ring.inFlight, 0)
  t.is(ring.stats().rearmed, 0)
})

// ---- closing the ring

test('each: closing the ring fails iterations that are armed, lack buffers, are stopped, or are pending', async (t) => {
  for (const close of [(ring: Ring) => ring.close(), async (ring: Ring) => ring[Symbol.dispose]()]) {
    const ring = ringFor(t, { entries: 1, cqEntries: 2 })
    const [left, right] = pair(t)
    writeSync(left, 'ab')
    const starved = ring.each(new RecvMulti(right, GROUP))
    await until(() => ring.stats().completed === 1)
    await provideBuffers(ring, GROUP + 1, 1, 2)
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
    const last = await failure(collect(stopped))
    t.is(codes(last)[0], 'ERR_URING_CLOSED')
    t.throws(() => ring.each(forever()), { code: 'ERR_URING_CLOSED' })
    t.deepEqual(await Promise.all([starved.return?.(), armed.return?.(), stopped.next()]), [DONE, DONE, DONE])
  }
})

test('each: rejects with ERR_URING_CLOSED if the ring is disposed of before a lack of buffers is handled', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  await provideBuffers(ring, GROUP, 1, 1)
  const received = ring.each(new RecvMulti(right, GROUP))
  const steps = [received.next(), received.next()] as const
  await until(() => ring.inFlight === 1)
  writeSync(left, 'xy')
  t.is(ring.tryWait(), undefined) // reaps the completions of the iteration
  t.is(ring.inFlight, 0)
  ring[Symbol.dispose]()
  const { value } = await steps[0]
  t.is(value && text(value), 'x')
  t.is(codes(await failure(steps[1]))[0], 'ERR_URING_CLOSED')
})

test('each: return() works for more iterations than entries just after the ring is disposed of', async (t) => {
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
