// Tests peek(), tryWait(), wait(), waitMany() and submitAndWait(), and the completions that they return.

import test from 'ava'
import { Completion, Entry, Nop, Read, Ring, Timeout, TimeoutRemove, Write } from 'uring'
import { fifo } from '../helpers/files.ts'

test('peek: leaves the completion in the queue; tryWait() consumes it', (t) => {
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

test('peek: its completion is the next one for wait(), waitMany() and drain()', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const consume of [
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
    t.is(consume(), 'first')
    ring.drain(() => {})
  }
})

test('wait: returns undefined at the timeout, not before', (t) => {
  using ring = new Ring({ entries: 4 })
  const start = performance.now()
  t.is(ring.wait({ timeout: 120.5 }), undefined)
  t.true(performance.now() - start >= 120.5)
  t.is(ring.wait({ timeout: 0 }), undefined)
})

test('wait: submits pushed operations first', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.push(new Nop(), 'pushed')
  t.is(ring.wait({ timeout: 0 })?.userData, 'pushed')
  ring.push(new Nop(), 'ready')
  ring.submit()
  ring.push(new Nop(), 'pushed')
  t.is(ring.wait()?.userData, 'ready')
  t.is(ring.inFlight + ring.cqReady, 1, 'the pushed operation was submitted')
})

test('submitAndWait: returns the number of submitted entries and consumes no completion', (t) => {
  using ring = new Ring({ entries: 8 })
  for (let index = 0; index < 3; index += 1) ring.push(new Nop(), index)
  t.is(ring.submitAndWait(3), 3)
  t.is(ring.cqReady, 3)
  t.is(ring.submitAndWait(3), 0, 'nothing is left to submit')
  t.is(ring.waitMany(3).length, 3)
  t.is(ring.submitAndWait(0), 0)
})

test('submitAndWait: continues if the kernel ends a wait early', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  ring.push(new Timeout(5), 'timeout')
  ring.push(new Read(fd, Buffer.alloc(1)), 'read')
  ring.push(new Timeout(60).link())
  ring.push(new Write(fd, Buffer.from('x')))
  // The first expiry wakes the waiter; the second breaks its link, so the write is cancelled.
  t.is(ring.submitAndWait(3), 4)
  t.is(ring.cqReady, 3)
  ring.push(new Write(fd, Buffer.from('x')))
  ring.submitAndWait(5)
  t.is(ring.waitMany(5).length, 5)
})

test('waitMany: waits for count and returns up to max', (t) => {
  using ring = new Ring({ entries: 8 })
  for (let index = 0; index < 5; index += 1) ring.push(new Nop(), index)
  t.is(ring.waitMany(2).length, 2)
  t.is(ring.waitMany(1, { max: 8 }).length, 3)
  t.deepEqual(ring.waitMany(1, { timeout: 1 }), [])
  ring.push(new Nop())
  t.is(ring.waitMany(5, { timeout: 1 }).length, 1, 'fewer at the timeout')
  t.deepEqual(ring.waitMany(0), [])
})

test('waitMany: returns more completions than the completion area holds', (t) => {
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

test('wait: throws ERR_URING_NOTHING_IN_FLIGHT if it could never end', (t) => {
  using ring = new Ring({ entries: 8 })
  t.throws(() => ring.wait(), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  ring.push(new Nop())
  t.throws(() => ring.submitAndWait(2), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  t.is(ring.sqReady, 1, 'does not submit')
  t.is(ring.waitMany(1).length, 1)
  t.throws(() => ring.waitMany(1), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  t.is(ring.wait({ timeout: 1 }), undefined)
  // An operation with skipSuccess() may never complete, so it does not count.
  ring.push(new Nop().skipSuccess())
  t.throws(() => ring.wait(), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
})

test('waitMany: counts a multishot operation as any number of completions', (t) => {
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

test('waitMany: ends at count, or at the first completion after minWait', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  for (let index = 0; index < 2; index += 1) ring.push(new Nop())
  ring.push(new Read(fd, Buffer.alloc(1)))
  t.is(ring.waitMany(3, { minWait: 20, timeout: 60_000 }).length, 2)
  // No completion within minWait: the first one afterwards ends the wait.
  ring.push(new Timeout(60))
  ring.push(new Timeout(60_000), 'long')
  t.is(ring.waitMany(2, { minWait: 1, timeout: 60_000 }).length, 1)
  // A completion is ready at the start: minWait acts as the timeout.
  ring.push(new Nop())
  ring.submit()
  t.is(ring.waitMany(2, { minWait: 1 }).length, 1)
})

test('Completion: has the fields of the CQE and a UringError for a failure', (t) => {
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

test('wait: returns an unsolicited message with its data and no token', (t) => {
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
  t.is(to.cqReady, 0, 'it arrives when this ring enters the kernel')
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
  // Data that looks like the token of a dead submission is stray.
  send(12_345n, 0)
  send((1n << 63n) | 6n, 1)
  t.is(to.wait({ timeout: Infinity })?.userData, 6n)
  send(12_345n, 0)
  t.is(to.wait({ timeout: 5 }), undefined)
  t.is(to.inFlight, 0)
})

test('token: a stale token cancels nothing', (t) => {
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

test('token: a stale token does not match a later submission with the same index', (t) => {
  using ring = new Ring({ entries: 8 })
  const old = ring.push(new Nop())
  ring.wait()
  // Submissions are used in turn: push and remove timeouts until one has the index of the old token.
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
