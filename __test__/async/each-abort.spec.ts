// Tests each() with a signal.

import { getEventListeners, once } from 'node:events'
import { closeSync, writeSync } from 'node:fs'
import test from 'ava'
import { AcceptMulti, RecvMulti, Timeout } from 'uring'
import { listening } from '../helpers/connections.ts'
import {
  clients,
  codes,
  collect,
  DONE,
  failure,
  forever,
  overflow,
  provideBuffers,
  ringFor,
  SMALL,
  text,
  until,
} from '../helpers/multishot.ts'
import { endOfTurn } from '../helpers/promises.ts'
import { pair } from '../helpers/sockets.ts'

const GROUP = 5

const aborted = (reason: unknown): AbortSignal => AbortSignal.abort(reason)

test('each: throws and submits nothing if its signal is aborted already', (t) => {
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

test('each: an abort rejects a waiting next() and ends the iteration', async (t) => {
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

test('each: yields the results before an abort, then rejects', async (t) => {
  const ring = ringFor(t)
  const [left, right] = pair(t)
  await provideBuffers(ring, GROUP, 1, 16)
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

test('each: does not re-arm after an abort', async (t) => {
  const ring = ringFor(t, SMALL)
  const controller = new AbortController()
  const results = ring.each(new Timeout(1, { multi: true }), { signal: controller.signal })
  await endOfTurn() // without a turn of the event loop, which could already deliver completions
  t.is(ring.inFlight, 1)
  overflow(ring)
  controller.abort()
  for (let count = 0; count < 3; count += 1) t.is((await results.next()).value, 'expired')
  t.is((await failure(results.next())).name, 'AbortError')
  t.is(ring.stats().rearmed, 0)
  t.is(ring.inFlight, 0)
})

test.serial('each: yields connections accepted before an abort, and return() closes the rest', async (t) => {
  const ring = ringFor(t)
  const server = listening(t, ring)
  const controller = new AbortController()
  const connections = ring.each(new AcceptMulti(server.fd), { signal: controller.signal })
  const { completed } = ring.stats()
  const sockets = await clients(t, server.address, 3)
  await until(() => ring.stats().completed >= completed + 3)
  controller.abort()
  const { value } = await connections.next()
  if (value === undefined) throw new Error('the iteration ended')
  await connections.return?.()
  t.deepEqual(await connections.next(), DONE)
  const ends = sockets.map((socket) => once(socket.resume(), 'end'))
  await Promise.all(ends.slice(1))
  t.false(sockets[0]?.readableEnded)
  closeSync(value)
  await ends[0]
})

test('each: an abort ends iterations that lack buffers, are stopped, or are pending', async (t) => {
  const small = ringFor(t, { entries: 1, cqEntries: 2 })
  const ring = ringFor(t)
  const [left, right] = pair(t)
  const controller = new AbortController()
  const { signal } = controller
  const reason = new Error('idle')

  writeSync(left, 'ab')
  const starved = ring.each(new RecvMulti(right, GROUP), { signal })
  await until(() => ring.stats().completed === 1)
  await provideBuffers(ring, GROUP + 1, 1, 2)
  const stopped = ring.each(new RecvMulti(right, GROUP + 1), { signal, highWaterMark: 1 })
  await until(() => ring.stats().completed > 3 && ring.inFlight === 0)
  t.deepEqual(await small.run(forever(), {}).catch(codes), ['ERR_INVALID_ARG_VALUE'])
  small.each(forever())
  small.each(forever())
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

test('each: removes its listener when the iteration ends, fails, or is left', async (t) => {
  const ring = ringFor(t)
  const { signal } = new AbortController()
  const listeners = (): number => getEventListeners(signal, 'abort').length
  const results = ring.each(new Timeout(1, { multi: true, count: 1 }), { signal })
  t.is(listeners(), 1)
  await collect(results)
  t.is(listeners(), 0)
  await failure(ring.each(new AcceptMulti(987_654), { signal }).next())
  t.is(listeners(), 0)
  for await (const _ of ring.each(new Timeout(1, { multi: true }), { signal })) break
  t.is(listeners(), 0)
})

test('each: ignores an abort after the end', async (t) => {
  const ring = ringFor(t)
  const controller = new AbortController()
  const results = ring.each(new Timeout(1, { multi: true, count: 1 }), { signal: controller.signal })
  await collect(results)
  controller.abort()
  t.deepEqual(await results.next(), DONE)
})
