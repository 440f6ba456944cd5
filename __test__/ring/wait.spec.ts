// The waiting calls.

import test from 'ava'
import { Completion, Entry, Nop, Read, Ring, Timeout, TimeoutRemove, Write } from 'uring'
import { fifo } from '../helpers/files.ts'

test('peek leaves, tryWait takes', (t) => {
  using ring = new Ring({ entries: 4 })
  t.is(ring.peek(), undefined)
  t.is(ring.tryWait(), undefined)
  ring.push(new Nop(), 'a')
  ring.push(new Nop(), 'b')
  t.is(ring.peek(), undefined, 'neither submits')
  t.is(ring.tryWait(), undefined)
  ring.submit()
  t.is(ring.cqReady, 2)
  const first = ring.peek()
  t.is(first?.userData, 'a')
  t.is(ring.peek(), first)
  t.is(ring.cqReady, 2)
  t.is(ring.tryWait(), first)
  t.is(ring.wait()?.userData, 'b')
  t.is(ring.tryWait(), undefined)
})

test('what was looked at is the first to be taken, by whichever call', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const take of [
    () => ring.wait()?.userData,
    () => ring.waitMany(1)[0]?.userData,
    () => {
      let found: unknown
      ring.drain((userData) => (found ??= userData))
      return found
    },
  ]) {
    ring.push(new Nop(), 'first')
    ring.push(new Nop(), 'second')
    ring.submit()
    t.is(ring.peek()?.userData, 'first')
    t.is(take(), 'first')
    ring.drain(() => {})
  }
})

test('wait returns undefined at the timeout, not before', (t) => {
  using ring = new Ring({ entries: 4 })
  const start = performance.now()
  t.is(ring.wait({ timeout: 120.5 }), undefined)
  t.true(performance.now() - start >= 120.5)
  t.is(ring.wait({ timeout: 0 }), undefined)
})

test('wait submits first', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.push(new Nop(), 'pushed')
  t.is(ring.wait({ timeout: 0 })?.userData, 'pushed')
  ring.push(new Nop(), 'ready')
  ring.submit()
  ring.push(new Nop(), 'pushed')
  t.is(ring.wait()?.userData, 'ready')
  t.is(ring.inFlight + ring.cqReady, 1, 'what was pushed went in with it')
})

test('submitAndWait counts what the kernel took, and takes nothing', (t) => {
  using ring = new Ring({ entries: 8 })
  for (let index = 0; index < 3; index += 1) ring.push(new Nop(), index)
  t.is(ring.submitAndWait(3), 3)
  t.is(ring.cqReady, 3)
  t.is(ring.submitAndWait(3), 0, 'they are there already')
  t.is(ring.waitMany(3).length, 3)
  t.is(ring.submitAndWait(0), 0)
})

test('submitAndWait goes on when the kernel ends a wait early', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  ring.push(new Timeout(5), 'timeout')
  ring.push(new Read(fd, Buffer.alloc(1)), 'read')
  ring.push(new Timeout(60).link())
  ring.push(new Write(fd, Buffer.from('x')))
  // The first expiry wakes the waiter; the last one breaks its link, so the write is cancelled.
  t.is(ring.submitAndWait(3), 4)
  t.is(ring.cqReady, 3)
  ring.push(new Write(fd, Buffer.from('x')))
  ring.submitAndWait(5)
  t.is(ring.waitMany(5).length, 5)
})

test('waitMany waits for count, and takes max', (t) => {
  using ring = new Ring({ entries: 8 })
  for (let index = 0; index < 5; index += 1) ring.push(new Nop(), index)
  t.is(ring.waitMany(2).length, 2)
  t.is(ring.waitMany(1, { max: 8 }).length, 3)
  t.deepEqual(ring.waitMany(1, { timeout: 1 }), [])
  ring.push(new Nop())
  t.is(ring.waitMany(5, { timeout: 1 }).length, 1, 'fewer at the timeout')
  t.deepEqual(ring.waitMany(0), [])
})

test('more than the completion area holds can be waited for', (t) => {
  using ring = new Ring({ entries: 4096, cqEntries: 16_384 })
  for (let round = 0; round < 3; round += 1) {
    for (let index = 0; index < 4096; index += 1) ring.push(new Nop({ result: index }))
    ring.submit()
  }
  ring.submitAndWait(3 * 4096)
  t.is(ring.cqReady, 3 * 4096)
  const results = ring.waitMany(3 * 4096).map((completion) => completion.result)
  t.is(results.length, 3 * 4096)
  t.true(results.every((result, index) => result === index % 4096))
})

test('a wait that could never end is refused', (t) => {
  using ring = new Ring({ entries: 8 })
  t.throws(() => ring.wait(), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  ring.push(new Nop())
  t.throws(() => ring.submitAndWait(2), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  t.is(ring.sqReady, 1, 'and submits nothing')
  t.is(ring.waitMany(1).length, 1)
  t.throws(() => ring.waitMany(1), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  t.is(ring.wait({ timeout: 1 }), undefined)
  // Skipped successes do not count as something that will come.
  ring.push(new Nop().skipSuccess())
  t.throws(() => ring.wait(), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
})

test('an operation that completes many times counts as any number', (t) => {
  using ring = new Ring({ entries: 8 })
  const token = ring.push(new Timeout(2, { multi: true, count: 3 }), 'tick')
  const done = ring.waitMany(3)
  t.deepEqual(
    done.map((completion) => [completion.value, completion.more, completion.token]),
    [
      ['expired', true, token],
      ['expired', true, token],
      ['expired', false, token],
    ],
  )
  t.is(ring.inFlight, 0)
  t.throws(() => ring.wait(), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
})

test('minWait: all that is wanted, or one once it is over', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  for (let index = 0; index < 2; index += 1) ring.push(new Nop())
  ring.push(new Read(fd, Buffer.alloc(1)))
  t.is(ring.waitMany(3, { minWait: 20, timeout: 60_000 }).length, 2)
  // Nothing is there after minWait: then the first one ends the wait.
  ring.push(new Timeout(60))
  ring.push(new Timeout(60_000), 'long')
  t.is(ring.waitMany(2, { minWait: 1, timeout: 60_000 }).length, 1)
  // Something is ready at the start: minWait is the timeout.
  ring.push(new Nop())
  ring.submit()
  t.is(ring.waitMany(2, { minWait: 1 }).length, 1)
})

test('a completion is a snapshot that explains itself', (t) => {
  using ring = new Ring({ entries: 8 })
  const token = ring.push(new Nop({ result: -2 }), 'data')
  const completion = ring.wait()
  t.true(completion instanceof Completion)
  t.like(completion, {
    userData: 'data',
    token,
    source: 'operation',
    result: -2,
    flags: 0,
    ok: false,
    more: false,
    notification: false,
    bufferId: undefined,
    bufferMore: false,
    socketNonEmpty: false,
    extra: undefined,
  })
  t.like(completion?.error, {
    name: 'UringError',
    code: 'ENOENT',
    errno: -2,
    syscall: 'nop',
    operation: 'Nop',
    message: 'ENOENT: no such file or directory, nop',
  })
  t.throws(() => completion?.value, { code: 'ENOENT' })
})

test('a message from another ring has the number that was sent, and no token', (t) => {
  using from = new Ring({ entries: 4 })
  using to = new Ring({ entries: 4 })
  const bytes = Buffer.alloc(64)
  const send = (data: bigint, result: number): void => {
    bytes.writeUInt8(40, 0) // IORING_OP_MSG_RING
    bytes.writeInt32LE(to.fd, 4)
    bytes.writeBigUInt64LE(data, 8)
    bytes.writeInt32LE(result, 24)
    from.push(Entry.from(bytes))
    t.is(from.wait()?.result, 0)
  }
  send((1n << 63n) | 5n, -7)
  t.is(to.cqReady, 0, 'it is there when this ring comes for it')
  t.like(to.wait({ timeout: Infinity }), {
    token: 0,
    source: 'message',
    userData: 5n,
    result: -7,
    ok: true,
    value: -7,
  })
  send((3n << 62n) | ((1n << 62n) - 1n), 0)
  t.like(to.wait({ timeout: Infinity }), { token: 0, source: 'tag', userData: (1n << 62n) - 1n })
  // What names no live token is nobody's.
  send(12_345n, 0)
  send((1n << 63n) | 6n, 1)
  t.is(to.wait({ timeout: Infinity })?.userData, 6n)
  send(12_345n, 0)
  t.is(to.wait({ timeout: 5 }), undefined)
  t.is(to.inFlight, 0)
})

test('tokens name one submission: a stale one finds nothing', (t) => {
  using ring = new Ring({ entries: 8 })
  const old = ring.push(new Nop())
  ring.wait()
  const live = ring.push(new Timeout(60_000), 'live')
  t.not(old, live)
  ring.push(new TimeoutRemove(old), 'stale')
  t.is(ring.wait()?.error?.code, 'ENOENT')
  ring.push(new TimeoutRemove(live), 'remove')
  t.deepEqual(
    ring
      .waitMany(2)
      .map((completion) => completion.error?.code ?? 'ok')
      .toSorted(),
    ['ECANCELED', 'ok'],
  )
})

test('a stale token does not find what is in its slot now', (t) => {
  using ring = new Ring({ entries: 8 })
  const old = ring.push(new Nop())
  ring.wait()
  // SubmissionTable are used in turn: a long timeout goes into each until one stands where the old token points.
  let live = ring.push(new Timeout(60_000))
  for (let round = 0; round < 1000 && live % 2 ** 22 !== old % 2 ** 22; round += 1) {
    ring.push(new TimeoutRemove(live))
    ring.waitMany(2)
    live = ring.push(new Timeout(60_000))
  }
  t.is(live % 2 ** 22, old % 2 ** 22)
  t.not(live, old)
  ring.push(new TimeoutRemove(old))
  t.is(ring.wait()?.error?.code, 'ENOENT')
  t.is(ring.inFlight, 1)
})
