// Tests when completions are delivered if the other API reaps them.

import { writeSync } from 'node:fs'
import test from 'ava'
import { Nop, Read, Ring, Timeout } from 'uring'
import { fifo } from '../helpers/files.ts'
import { turns } from '../helpers/multishot.ts'
import { endOfTurn, nextTurn, range } from '../helpers/promises.ts'

test('wait, waitMany, submitAndWait: deliver completions of the promise API later, not inside the call', async (t) => {
  const fd = fifo(t)
  for (const find of [
    (ring: Ring) => {
      ring.push(new Timeout(60))
      return ring.wait()?.value
    },
    (ring: Ring) => {
      ring.push(new Timeout(60))
      return ring.waitMany(1)[0]?.value
    },
    (ring: Ring) => {
      ring.push(new Timeout(60))
      ring.submitAndWait(1)
      let value: unknown
      ring.drain((_, result) => (value = result))
      return value === -62 ? 'expired' : value
    },
  ]) {
    const ring = new Ring({ entries: 8 })
    const results: unknown[] = []
    const bytes = Buffer.alloc(8)
    const read = ring.run(new Read(fd, bytes))
    void read.then((length) => results.push(length))
    await turns(5)
    ring.start(new Timeout(5), (result) => results.push(result))
    await endOfTurn()
    t.is(ring.inFlight, 2)
    writeSync(fd, 'here')
    t.is(find(ring), 'expired')
    t.is(bytes.toString('latin1', 0, 4), 'here', 'the read completed during the wait')
    t.deepEqual(results, [])
    t.is(await read, 4)
    await turns(5)
    t.deepEqual(
      results.toSorted((a, b) => Number(a) - Number(b)),
      [-62, 4],
    )
    await ring.close()
  }
})

test('tryWait, peek, drain, submit: deliver completions of the promise API later, not inside the call', async (t) => {
  const fd = fifo(t)
  for (const find of [
    (ring: Ring) => ring.tryWait(),
    (ring: Ring) => ring.peek(),
    (ring: Ring) => (ring.drain(() => t.fail()) === 0 ? undefined : t.fail()),
    (ring: Ring) => (ring.submit() === 0 ? undefined : t.fail()),
    (ring: Ring) => ring.wait({ timeout: 0 }),
    (ring: Ring) => ring.waitMany(3, { timeout: 1 })[0],
  ]) {
    const ring = new Ring({ entries: 8 })
    const bytes = Buffer.alloc(8)
    let length = 0
    ring.start(new Read(fd, bytes), (result) => (length = result))
    await turns(5)
    writeSync(fd, 'here')
    t.is(find(ring), undefined)
    t.is(length, 0)
    t.is(bytes.toString('latin1', 0, 4), 'here')
    t.is(ring.inFlight, 0, 'the completion was reaped')
    await endOfTurn()
    t.is(length, 4, 'delivered at the end of the turn')
    await ring.close()
  }
})

test('event loop: keeps completions of pushed operations for the queue API', async (t) => {
  const ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  const bytes = Buffer.alloc(8)
  ring.push(new Read(fd, bytes), 'pushed')
  ring.submit()
  const read = ring.run(new Read(fd, Buffer.alloc(1)))
  await turns(5)
  writeSync(fd, 'ab')
  // Both reads complete, however the bytes are split between them.
  writeSync(fd, 'cd')
  await read
  for (let left = 1000; left > 0 && ring.cqReady === 0; left -= 1) await nextTurn()
  t.is(ring.cqReady, 1)
  t.is(ring.inFlight, 0)
  const calls = ring.stats().systemCalls
  t.is(ring.peek()?.userData, 'pushed')
  t.is(ring.wait()?.userData, 'pushed')
  t.true(ring.stats().systemCalls <= calls + 1)
  t.is(ring.tryWait(), undefined)
  t.throws(() => ring.wait(), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  await ring.close()
})

test('peek: returns the oldest of several new completions and keeps their order', async (t) => {
  const ring = new Ring({ entries: 8 })
  const fds = range(4).map(() => fifo(t))
  const read = ring.run(new Read(fds[3] ?? -1, Buffer.alloc(1)))
  for (const [index, fd] of fds.slice(0, 3).entries()) ring.push(new Read(fd, Buffer.alloc(1)), index)
  ring.submit()
  await turns(5)
  for (const fd of fds) writeSync(fd, 'x')
  t.is(ring.peek()?.userData, 0)
  t.is(ring.cqReady, 3)
  t.deepEqual(
    range(3).map(() => ring.wait()?.userData),
    [0, 1, 2],
  )
  t.is(await read, 1)
  await ring.close()
})

test('wait: throws ERR_URING_NOTHING_IN_FLIGHT if only completions of the promise API could end it', async (t) => {
  const ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  const read = ring.run(new Read(fd, Buffer.alloc(8)))
  t.throws(() => ring.wait(), { code: 'ERR_URING_NOTHING_IN_FLIGHT' }, 'the read is enqueued, not submitted')
  await turns(5)
  const ticks = ring.each(new Timeout(600_000, { multi: true }))
  await turns(5)
  t.is(ring.inFlight, 2)
  t.throws(() => ring.wait(), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  t.throws(() => ring.submitAndWait(1), { code: 'ERR_URING_NOTHING_IN_FLIGHT', message: /0 can come/ })
  t.is(ring.wait({ timeout: 1 }), undefined)
  ring.push(new Timeout(1), 'pushed')
  t.throws(() => ring.waitMany(2), { code: 'ERR_URING_NOTHING_IN_FLIGHT', message: /1 can come/ })
  t.is(ring.wait()?.userData, 'pushed')
  writeSync(fd, 'done')
  t.is(ring.wait({ timeout: 1 }), undefined)
  // A completion that is reaped but not yet delivered does not count either.
  t.throws(() => ring.wait(), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  t.is(await read, 4)
  // A pushed multishot operation may end the wait.
  ring.push(new Timeout(2, { multi: true, count: 2 }), 'tick')
  t.deepEqual(
    ring.waitMany(2).map(({ userData }) => userData),
    ['tick', 'tick'],
  )
  t.throws(() => ring.wait(), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  await ticks.return?.()
  await ring.close()
})

test('wait: returns a pushed completion while deliveries to callbacks are outstanding', async (t) => {
  const ring = new Ring({ entries: 512 })
  await ring.run(new Nop())
  ring.push(new Timeout(1), 'pushed')
  ring.submit()
  let delivered = 0
  const all = new Promise<void>((resolve) => ring.start(new Timeout(20), () => resolve()))
  const seen = new Promise<unknown[]>((resolve, reject) => {
    for (const _ of range(400)) {
      ring.start(new Nop(), () => {
        delivered += 1
        // Deliveries pause after 256; the rest of the batch stays queued.
        if (delivered !== 256) return
        queueMicrotask(() => {
          try {
            resolve([ring.cqReady, ring.wait()?.userData])
          } catch (error) {
            reject(error)
          }
        })
      })
    }
  })
  const end = performance.now() + 5
  while (performance.now() < end);
  t.deepEqual(await seen, [1, 'pushed'])
  await all
  t.is(delivered, 400)
  await ring.close()
})

test('start: delivers a thousand completions over several turns of the event loop', async (t) => {
  const ring = new Ring({ entries: 1024 })
  let delivered = 0
  const all = new Promise<void>((resolve) => {
    for (const _ of range(1000)) {
      ring.start(new Nop(), () => {
        delivered += 1
        if (delivered === 1000) resolve()
      })
    }
  })
  await endOfTurn()
  const deliveredPerTurn = [delivered]
  while ((deliveredPerTurn.at(-1) ?? 0) < 1000) {
    await nextTurn()
    deliveredPerTurn.push(delivered)
    if (deliveredPerTurn.length > 100) break
  }
  await all
  t.true(deliveredPerTurn.length > 2)
  t.true(deliveredPerTurn.length < 100)
  await ring.close()
})
