// Timeouts: waiting for them, changing and removing them, and linking them to operations.

import { writeSync } from 'node:fs'
import test from 'ava'
import { AsyncCancel, LinkTimeout, Nop, Read, Ring, Timeout, TimeoutRemove, TimeoutUpdate } from 'uring'
import { nothingCompletes, outcome, outcomes, outcomesByUserData } from '../../helpers/completions.ts'
import { fifo } from '../../helpers/files.ts'
import { LinkTimeout as LinkTimeoutClass } from '../../../ts/operations/timeout.ts'

const HOUR = 3_600_000

/** Milliseconds on the default clock of timeouts. */
function monotonic(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}

test('Timeout: resolves to expired', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const time of [0, 1, 0.5, { seconds: 0, nanoseconds: 1 }, { seconds: 0n, nanoseconds: 1000 }]) {
    ring.push(new Timeout(time))
    const completion = ring.wait()
    t.true(completion?.ok)
    t.is(completion?.result, -62)
    t.is(completion?.error, undefined)
    t.is(completion?.value, 'expired')
  }
})

test('Timeout: does not expire early', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const time of [30.25, { seconds: 0, nanoseconds: 30_250_000 }]) {
    const start = performance.now()
    ring.push(new Timeout(time))
    ring.wait()
    t.true(performance.now() - start >= 30.25)
  }
})

test('Timeout: expires at an absolute time of its clock', (t) => {
  using ring = new Ring({ entries: 4 })
  const start = Date.now()
  ring.push(new Timeout(start + 30, { absolute: true, clock: 'realtime' }))
  t.is(ring.wait()?.value, 'expired')
  t.true(Date.now() >= start + 30)
  const now = process.hrtime.bigint()
  const then = now + 30_000_000n
  const moment = { seconds: then / 1_000_000_000n, nanoseconds: Number(then % 1_000_000_000n) }
  ring.push(new Timeout(moment, { absolute: true }))
  t.is(ring.wait()?.value, 'expired')
  t.true(process.hrtime.bigint() >= then)
  ring.push(new Timeout(0, { absolute: true, clock: 'boottime' }))
  t.is(ring.wait()?.value, 'expired')
})

test('Timeout: completes early after count completions', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Timeout(60_000, { count: 2 }), 'timeout')
  ring.push(new Nop())
  ring.push(new Nop())
  const timeout = ring.waitMany(3).find((completion) => completion.userData === 'timeout')
  t.is(timeout?.value, 'count')
  t.is(timeout?.result, 0)
})

test('Timeout: cancels linked operations at expiry, unless etimeSuccess is set', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Timeout(1).link())
  ring.push(new Nop())
  t.deepEqual(
    ring.waitMany(2).map((completion) => completion.error?.code),
    [undefined, 'ECANCELED'],
  )
  ring.push(new Timeout(1, { etimeSuccess: true }).link())
  ring.push(new Nop())
  t.deepEqual(
    ring.waitMany(2).map((completion) => completion.error?.code),
    [undefined, undefined],
  )
})

test('TimeoutRemove: cancels the timeout', (t) => {
  using ring = new Ring({ entries: 8 })
  const token = ring.push(new Timeout(60_000), 'timeout')
  ring.push(new TimeoutRemove(token), 'remove')
  const done = new Map(ring.waitMany(2).map((completion) => [completion.userData, completion]))
  t.is(done.get('remove')?.value, 0)
  t.like(done.get('timeout')?.error, { code: 'ECANCELED', message: 'ECANCELED: operation canceled, timeout' })
  ring.push(new TimeoutRemove(token))
  t.is(ring.wait()?.error?.code, 'ENOENT')
})

test('TimeoutUpdate: makes a timeout expire earlier', (t) => {
  using ring = new Ring({ entries: 8 })
  const first = ring.push(new Timeout(HOUR), 'first')
  const second = ring.push(new Timeout(HOUR), 'second')
  ring.push(new TimeoutUpdate(second, 1), 'update')
  t.deepEqual(outcomes(ring, 2), [
    ['update', 0],
    ['second', 'expired'],
  ])
  t.true(nothingCompletes(ring))
  ring.push(new TimeoutUpdate(first, { seconds: 0n, nanoseconds: 1000 }), 'update')
  const [, completion] = ring.waitMany(2, { timeout: 60_000 })
  t.like(completion, { userData: 'first', token: first, value: 'expired' })
})

test('TimeoutUpdate: makes a timeout expire later', (t) => {
  using ring = new Ring({ entries: 8 })
  const token = ring.push(new Timeout(300), 'first')
  ring.push(new TimeoutUpdate(token, HOUR), 'update')
  ring.push(new Timeout(350), 'second')
  t.deepEqual(outcomes(ring, 2), [
    ['update', 0],
    ['second', 'expired'],
  ])
  ring.push(new TimeoutRemove(token), 'remove')
  t.deepEqual(outcomesByUserData(ring, 2), { first: 'ECANCELED', remove: 0 })
})

test('TimeoutUpdate: accepts an absolute time of the clock of the timeout', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const [clock, now] of [
    ['monotonic', monotonic],
    ['boottime', monotonic],
    ['realtime', Date.now],
  ] as const) {
    const token = ring.push(new Timeout(HOUR, { clock }), 'timeout')
    // As a duration, this would be in the far future.
    ring.push(new TimeoutUpdate(token, now(), { absolute: true }), 'update')
    t.deepEqual(outcomes(ring, 2), [
      ['update', 0],
      ['timeout', 'expired'],
    ])
  }
  const token = ring.push(new Timeout(HOUR), 'timeout')
  ring.push(new TimeoutUpdate(token, monotonic() + HOUR, { absolute: true }), 'update')
  t.deepEqual(outcomes(ring, 1), [['update', 0]])
  t.true(nothingCompletes(ring))
})

test('TimeoutUpdate: fails for another clock, and changes nothing', (t) => {
  using ring = new Ring({ entries: 8 })
  const token = ring.push(new Timeout(HOUR, { clock: 'realtime' }), 'timeout')
  t.like(ring.push(new TimeoutUpdate(token, 1, { clock: 'realtime' })) && ring.wait()?.error, {
    code: 'EINVAL',
    syscall: 'timeout_update',
  })
  t.is(outcome(ring, new TimeoutUpdate(token, 1, { clock: 'boottime' })), 'EINVAL')
  t.true(nothingCompletes(ring))
  t.is(ring.inFlight, 1)
  t.is(outcome(ring, new TimeoutUpdate(token, HOUR, { clock: 'monotonic' })), 0)
})

test('TimeoutUpdate: changes a link timeout only with linked', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  const [read = 0, linked = 0] = ring.pushAll(
    [new Read(fd, Buffer.alloc(1)).link(), new LinkTimeout(HOUR)],
    ['read', 'timeout'],
  )
  const plain = ring.push(new Timeout(HOUR), 'plain')
  ring.submit()
  t.is(outcome(ring, new TimeoutUpdate(linked, 1)), 'ENOENT')
  t.is(outcome(ring, new TimeoutUpdate(plain, 1, { linked: true })), 'ENOENT')
  t.is(outcome(ring, new TimeoutUpdate(read, 1, { linked: true })), 'ENOENT')
  t.true(nothingCompletes(ring))
  ring.push(new TimeoutUpdate(linked, 1, { linked: true }), 'update')
  t.deepEqual(outcomesByUserData(ring, 3), { update: 0, read: 'ECANCELED', timeout: 'expired' })
  t.is(ring.inFlight, 1)
  // An absolute time.
  const [, another = 0] = ring.pushAll(
    [new Read(fd, Buffer.alloc(1)).link(), new LinkTimeout(HOUR, { clock: 'realtime' })],
    ['read', 'timeout'],
  )
  ring.submit()
  ring.push(new TimeoutUpdate(another, Date.now(), { linked: true, absolute: true }), 'update')
  t.deepEqual(outcomesByUserData(ring, 3), { update: 0, read: 'ECANCELED', timeout: 'expired' })
})

test('TimeoutUpdate: fails with ENOENT for a timeout that has expired', (t) => {
  using ring = new Ring({ entries: 8 })
  const token = ring.push(new Timeout(1), 'timeout')
  t.deepEqual(outcomes(ring, 1), [['timeout', 'expired']])
  ring.push(new TimeoutUpdate(token, 1))
  t.like(ring.wait()?.error, {
    code: 'ENOENT',
    syscall: 'timeout_update',
    message: 'ENOENT: no such file or directory, timeout_update',
  })
  t.is(outcome(ring, new TimeoutUpdate(0, 1)), 'ENOENT')
})

test('LinkTimeout: cancels the operation when the time has passed', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  for (const time of [1, 0.5, 0, { seconds: 0, nanoseconds: 1_000_000 }, { seconds: 0n, nanoseconds: 1 }]) {
    ring.pushAll([new Read(fd, Buffer.alloc(1)).link(), new LinkTimeout(time)], ['read', 'timeout'])
    t.deepEqual(outcomesByUserData(ring, 2), { read: 'ECANCELED', timeout: 'expired' })
  }
})

test('LinkTimeout: resolves to cancelled if the operation completes first', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const [operation, outcome] of [
    [new Nop({ result: 7 }), 7],
    [new Nop({ result: -5 }), 'EIO'],
  ] as const) {
    ring.pushAll([operation.link(), new LinkTimeout(HOUR)], ['operation', 'timeout'])
    const [first, second] = ring.waitMany(2)
    const timeout = [first, second].find((completion) => completion?.userData === 'timeout')
    const other = [first, second].find((completion) => completion?.userData === 'operation')
    t.like(timeout, { value: 'cancelled', ok: true, error: undefined, more: false })
    t.is(other?.error?.code ?? other?.value, outcome)
  }
  const fd = fifo(t)
  const buffer = Buffer.alloc(1)
  ring.pushAll([new Read(fd, buffer).link(), new LinkTimeout(HOUR)], ['read', 'timeout'])
  ring.submit()
  t.true(nothingCompletes(ring))
  writeSync(fd, 'x')
  t.deepEqual(outcomesByUserData(ring, 2), { read: 1, timeout: 'cancelled' })
  t.is(buffer.toString(), 'x')
})

test('LinkTimeout: fails with EINVAL without a linked operation', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new LinkTimeout(HOUR))
  t.like(ring.wait()?.error, {
    code: 'EINVAL',
    syscall: 'link_timeout',
    message: 'EINVAL: invalid argument, link_timeout',
  })
})

test('LinkTimeout: accepts an absolute time of a clock', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  const timed = (timeout: LinkTimeout): Record<string, unknown> => {
    ring.pushAll([new Read(fd, Buffer.alloc(1)).link(), timeout], ['read', 'timeout'])
    ring.submit()
    return outcomesByUserData(ring, 2)
  }
  const expired = { read: 'ECANCELED', timeout: 'expired' }
  // Times in the past, which would be in the far future as durations or on another clock.
  t.deepEqual(timed(new LinkTimeout(monotonic(), { absolute: true })), expired)
  t.deepEqual(timed(new LinkTimeout(monotonic(), { absolute: true, clock: 'boottime' })), expired)
  t.deepEqual(timed(new LinkTimeout(Date.now(), { absolute: true, clock: 'realtime' })), expired)
  // The reverse: a time in the future on this clock is long past on the other.
  ring.pushAll(
    [new Read(fd, Buffer.alloc(1)).link(), new LinkTimeout(monotonic() + HOUR, { absolute: true })],
    ['read', 'timeout'],
  )
  ring.submit()
  t.true(nothingCompletes(ring))
  ring.push(new AsyncCancel({ opcode: Read.opcode }), 'cancel')
  t.deepEqual(outcomesByUserData(ring, 3), { cancel: 1, read: 'ECANCELED', timeout: 'cancelled' })
})

test('LinkTimeout: does not fail if it is too late to cancel', (t) => {
  const { failed, decode } = LinkTimeoutClass
  for (const [errno, is] of [
    [-62, 'expired'], // ETIME
    [-114, 'expired'], // EALREADY: the operation is running
    [-2, 'expired'], // ENOENT: it is just completing
    [-125, 'cancelled'], // ECANCELED
  ] as const) {
    t.false(failed(errno))
    t.is(decode(errno), is)
  }
  t.true(failed(-22))
})
