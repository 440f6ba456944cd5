// Tests drain(): its callback gets the fields of each completion, and may use the ring.

import test from 'ava'
import { Nop, Ring, Timeout } from 'uring'

test('drain: delivers every completion that is ready', (t) => {
  using ring = new Ring({ entries: 8 })
  const tokens = ring.pushAll([new Nop({ result: 1 }), new Nop({ result: -2 })], ['a', 'b'])
  const seen: unknown[] = []
  t.is(
    ring.drain(() => {}),
    0,
    'does not submit',
  )
  ring.submit()
  t.is(
    ring.drain((...args) => seen.push(args)),
    2,
  )
  t.deepEqual(seen, [
    ['a', 1, 0, tokens[0]],
    ['b', -2, 0, tokens[1]],
  ])
  t.is(
    ring.drain(() => {}),
    0,
  )
})

test('drain: enters the kernel once if nothing is ready', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Timeout(0))
  ring.submit()
  let delivered = 0
  while (delivered === 0) delivered = ring.drain(() => {})
  t.is(delivered, 1)
})

test('drain: leaves completions that its callback submits for the next call', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Nop(), 0)
  ring.submit()
  const seen: unknown[] = []
  for (let round = 0; round < 1000; round += 1) {
    // The nop that the callback submits completes at once.
    const delivered = ring.drain((userData) => {
      seen.push(userData)
      ring.push(new Nop(), (userData as number) + 1)
      ring.submit()
    })
    t.is(delivered, 1)
  }
  t.deepEqual(
    seen,
    Array.from({ length: 1000 }, (_, index) => index),
  )
})

test('drain: propagates an exception of its callback and keeps the remaining completions', (t) => {
  using ring = new Ring({ entries: 8 })
  for (let index = 0; index < 6; index += 1) ring.push(new Nop(), index)
  ring.submit()
  const seen: unknown[] = []
  const failure = new Error('mine')
  for (let round = 0; round < 6; round += 1) {
    const thrown = t.throws(() =>
      ring.drain((userData) => {
        seen.push(userData)
        throw failure
      }),
    )
    t.is(thrown, failure)
  }
  t.deepEqual(seen, [0, 1, 2, 3, 4, 5])
  t.is(ring.cqReady, 0)
})

test('drain: its callback may consume completions with wait() and drain()', (t) => {
  using ring = new Ring({ entries: 8 })
  for (let index = 0; index < 6; index += 1) ring.push(new Nop(), index)
  ring.submit()
  const seen: unknown[] = []
  ring.drain((userData) => {
    seen.push(userData)
    if (userData === 0) seen.push(ring.wait()?.userData)
    if (userData === 2) ring.drain((inner) => seen.push(inner))
    if (userData === 2) ring.push(new Nop(), 'more')
  })
  t.deepEqual(seen, [0, 1, 2, 3, 4, 5])
  t.is(ring.wait()?.userData, 'more')
})

test('drain: its callback may peek()', (t) => {
  using ring = new Ring({ entries: 8 })
  for (let index = 0; index < 4; index += 1) ring.push(new Nop(), index)
  ring.submit()
  const seen: unknown[] = []
  ring.drain((userData) => {
    seen.push(userData)
    if (userData === 1) seen.push(ring.peek()?.userData)
  })
  t.deepEqual(seen, [0, 1, 2, 2, 3])
})

for (const [name, close] of [
  ['dispose', (ring: Ring): void => ring[Symbol.dispose]()],
  ['close', (ring: Ring): void => void ring.close()],
] as const) {
  test(`drain: stops after the callback closes the ring with ${name}`, (t) => {
    const ring = new Ring({ entries: 8 })
    for (let index = 0; index < 6; index += 1) ring.push(new Nop(), index)
    ring.submit()
    const seen: unknown[] = []
    t.is(
      ring.drain((userData) => {
        seen.push(userData)
        if (userData === 2) close(ring)
      }),
      3,
    )
    t.deepEqual(seen, [0, 1, 2])
    t.throws(() => ring.drain(() => {}), { code: 'ERR_URING_CLOSED' })
  })
}
