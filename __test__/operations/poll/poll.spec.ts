// Polls; and timeouts that are changed, or linked to an operation.

import { closeSync, writeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import {
  AsyncCancel,
  FixedFile,
  LinkTimeout,
  Nop,
  PollAdd,
  PollEvents,
  PollRemove,
  PollUpdate,
  Read,
  Ring,
  SetupFlags,
  SocketDomain,
  SocketType,
  Timeout,
  TimeoutRemove,
  TimeoutUpdate,
  type Token,
} from 'uring'
import { socketpair } from 'uring/sys'
import { MULTISHOT } from '../../../ts/entry/traits.ts'
import { LinkTimeout as LinkTimeoutClass } from '../../../ts/operations/timeout.ts'
import { SubmissionTable } from '../../../ts/ring/submissions.ts'
import { tokenOf } from '../../../ts/entry/token.ts'
import { nothingCompletes, outcome, outcomes, outcomesByUserData } from '../../helpers/completions.ts'
import { fifo } from '../../helpers/files.ts'
import { counter, countUp, reset } from '../../helpers/polls.ts'
import { closing, pair } from '../../helpers/sockets.ts'

const { IN, OUT, PRI, HUP, RDHUP } = PollEvents
const HOUR = 3_600_000

/** Starts a poll, and says which submission it is. */
function poll(ring: Ring, fd: number, events: number, userData: unknown, multi = false): Token {
  const token = ring.push(new PollAdd(fd, events, { multi }), userData)
  ring.submit()
  return token
}

/** Now, on the clock that timeouts follow unless they are told otherwise. */
function monotonic(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}

test('PollAdd: what is so already is said at once', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  t.is(outcome(ring, new PollAdd(fd, IN | OUT | PRI)), OUT)
  countUp(fd)
  t.is(outcome(ring, new PollAdd(fd, IN | OUT | PRI)), IN | OUT)
  t.is(outcome(ring, new PollAdd({ fd }, IN)), IN)
  t.is(outcome(ring, new PollAdd(fd, OUT)), OUT)
})

test('PollAdd: it waits for what it was asked for, and completes once', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t)
  const token = poll(ring, left, IN, 'poll')
  t.true(nothingCompletes(ring))
  writeSync(right, 'x')
  const completion = ring.wait({ timeout: 60_000 })
  t.like(completion, { userData: 'poll', token, value: IN, more: false })
  t.is(ring.inFlight, 0)
  writeSync(right, 'x')
  t.true(nothingCompletes(ring))
})

test('PollAdd: the end is said unasked', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  closing(t, left)
  poll(ring, left, 0, 'nothing')
  poll(ring, left, IN, 'something')
  t.true(nothingCompletes(ring))
  closeSync(right)
  t.deepEqual(outcomesByUserData(ring, 2), { nothing: HUP | RDHUP, something: IN | HUP | RDHUP })
})

test('PollAdd: again and again, each time that something new happens', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, IN, 'poll', true)
  t.true(nothingCompletes(ring))
  for (let round = 0; round < 3; round += 1) {
    countUp(fd)
    const completion = ring.wait({ timeout: 60_000 })
    t.like(completion, { userData: 'poll', token, value: IN, more: true, ok: true })
    t.true(nothingCompletes(ring), 'it is still readable, but that is nothing new')
  }
  reset(fd)
  t.true(nothingCompletes(ring))
  countUp(fd)
  t.is(ring.wait({ timeout: 60_000 })?.value, IN)
  t.is(ring.inFlight, 1)
  ring.push(new PollRemove(token), 'remove')
  t.deepEqual(outcomesByUserData(ring, 2), { remove: 0, poll: 'ECANCELED' })
  t.is(ring.inFlight, 0)
})

test('PollAdd: again and again goes on after the end', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  closing(t, left)
  const token = poll(ring, left, IN | RDHUP, 'poll', true)
  writeSync(right, 'x')
  t.like(ring.wait({ timeout: 60_000 }), { value: IN, more: true })
  closeSync(right)
  t.like(ring.wait({ timeout: 60_000 }), { value: IN | RDHUP | HUP, more: true })
  ring.push(new PollRemove(token))
  const last = ring.waitMany(2).find((completion) => completion.token === token)
  t.like(last, { more: false, ok: false })
})

test('PollAdd: again and again counts as any number of completions', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const worker = new Worker(
    `
      const { writeSync } = require('node:fs')
      const { workerData } = require('node:worker_threads')
      setInterval(() => writeSync(workerData, new BigUint64Array([1n])), 1)
    `,
    { eval: true, workerData: fd, execArgv: [] },
  )
  t.teardown(() => worker.terminate())
  ring.push(new PollAdd(fd, IN, { multi: true }), 'poll')
  // Three of one: without a timeout, which the ring refuses where it could never end.
  const completions = ring.waitMany(3)
  t.deepEqual(
    completions.map(({ userData, value, more }) => [userData, value, more]),
    Array.from({ length: 3 }, () => ['poll', IN, true]),
  )
  await worker.terminate()
})

test('PollAdd: a registered file, and what is none', (t) => {
  using ring = new Ring({ entries: 8 })
  t.is(outcome(ring, new PollAdd(new FixedFile(0), OUT)), 'EBADF')
  ring.registerFiles([counter(t), counter(t, 1)])
  t.is(outcome(ring, new PollAdd(new FixedFile(0), IN | OUT)), OUT)
  t.is(outcome(ring, new PollAdd(new FixedFile(1), IN | OUT)), IN | OUT)
  const [left] = pair(t)
  ring.push(new PollAdd(left + 100_000, IN))
  t.like(ring.wait()?.error, {
    code: 'EBADF',
    syscall: 'poll_add',
    message: 'EBADF: bad file descriptor, poll_add',
  })
})

test('PollRemove: the poll that it names is cancelled, and no other', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const first = poll(ring, fd, IN, 'first')
  const second = poll(ring, fd, IN, 'second')
  ring.push(new PollRemove(second), 'remove')
  t.deepEqual(outcomesByUserData(ring, 2), { remove: 0, second: 'ECANCELED' })
  t.is(ring.inFlight, 1)
  ring.push(new PollRemove(second))
  t.like(ring.wait()?.error, {
    code: 'ENOENT',
    syscall: 'poll_remove',
    message: 'ENOENT: no such file or directory, poll_remove',
  })
  countUp(fd)
  t.deepEqual(outcomes(ring, 1), [['first', IN]])
  t.is(outcome(ring, new PollRemove(first)), 'ENOENT')
  t.is(outcome(ring, new PollRemove(0)), 'ENOENT')
})

test('PollRemove: only polls are found', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left] = pair(t)
  const [timeout, read] = ring.pushAll(
    [new Timeout(HOUR), new Read(left, Buffer.alloc(1))],
    ['timeout', 'read'],
  )
  ring.submit()
  for (const token of [timeout, read]) {
    t.is(outcome(ring, new PollRemove(token ?? 0)), 'ENOENT')
    t.is(outcome(ring, new PollUpdate(token ?? 0, { events: IN, userData: 'mine' })), 'ENOENT')
  }
  ring.push(new AsyncCancel('any'))
  t.deepEqual(outcomesByUserData(ring, 3), { undefined: 2, timeout: 'ECANCELED', read: 'ECANCELED' })
})

test('PollUpdate: other events', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, PRI, 'poll')
  const other = poll(ring, fd, PRI, 'other')
  countUp(fd)
  t.true(nothingCompletes(ring))
  t.is(outcome(ring, new PollUpdate(other, { events: HUP })), 0)
  t.true(nothingCompletes(ring))
  // What is so already is said at once, after the answer to the update.
  ring.push(new PollUpdate(token, { events: IN }), 'update')
  const [update, completion] = ring.waitMany(2)
  t.like(update, { userData: 'update', value: 0 })
  t.like(completion, { userData: 'poll', token, value: IN, more: false })
  t.is(ring.inFlight, 1)
  // What is not yet so is waited for.
  const [left, right] = pair(t)
  const waiting = poll(ring, left, PRI, 'waiting')
  t.is(outcome(ring, new PollUpdate(waiting, { events: IN })), 0)
  t.true(nothingCompletes(ring))
  writeSync(right, 'x')
  t.deepEqual(outcomes(ring, 1), [['waiting', IN]])
})

test('PollUpdate: other user data, and nothing else', (t) => {
  using ring = new Ring({ entries: 8 })
  const [fd, another] = [counter(t), counter(t)]
  const first = poll(ring, fd, IN, 'first')
  const second = poll(ring, fd, IN, 'second')
  t.is(outcome(ring, new PollUpdate(second, { userData: 'renamed' })), 0)
  t.true(nothingCompletes(ring), 'the events stay: it is writable, and nobody asked for that')
  countUp(fd)
  const completions = ring.waitMany(2)
  t.deepEqual(
    completions.map(({ userData, token, value }) => [userData, token, value]).toSorted(),
    [
      ['first', first, IN],
      ['renamed', second, IN],
    ].toSorted(),
  )
  // Any value but undefined, as often as one likes.
  const object = { name: 'mine' }
  const token = poll(ring, another, IN, 'old')
  for (const userData of [0, '', null, false, Number.NaN, 8n, object]) {
    t.is(outcome(ring, new PollUpdate(token, { userData })), 0)
  }
  t.is(outcome(ring, new PollUpdate(token, { events: PRI })), 0)
  t.is(outcome(ring, new PollUpdate(token, { events: IN, userData: undefined })), 0)
  countUp(another)
  t.is(ring.wait({ timeout: 60_000 })?.userData, object)
})

test('PollUpdate: the token stays, whatever the user data is', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, IN, 'old')
  t.is(outcome(ring, new PollUpdate(token, { userData: 'new' })), 0)
  ring.push(new PollRemove(token), 'remove')
  t.deepEqual(outcomesByUserData(ring, 2), { remove: 0, new: 'ECANCELED' })
})

test('PollUpdate: events and user data together', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, PRI, 'old')
  ring.push(new PollUpdate(token, { events: OUT, userData: 'new' }), 'update')
  t.deepEqual(outcomes(ring, 2), [
    ['update', 0],
    ['new', OUT],
  ])
})

test('PollUpdate: a poll that goes on changes its user data in the middle', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, IN, 'one', true)
  countUp(fd)
  t.like(ring.wait({ timeout: 60_000 }), { userData: 'one', value: IN, more: true })
  reset(fd)
  t.is(outcome(ring, new PollUpdate(token, { userData: 'two', multi: true })), 0)
  for (let round = 0; round < 2; round += 1) {
    countUp(fd)
    t.like(ring.wait({ timeout: 60_000 }), { userData: 'two', token, value: IN, more: true })
  }
  t.is(outcome(ring, new PollUpdate(token, { events: PRI, multi: true })), 0)
  countUp(fd)
  t.true(nothingCompletes(ring))
  ring.push(new PollRemove(token), 'remove')
  t.deepEqual(outcomesByUserData(ring, 2), { remove: 0, two: 'ECANCELED' })
})

test('PollUpdate: drain gives the new user data too', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, PRI, 'old')
  ring.push(new PollUpdate(token, { events: OUT, userData: 'new' }), 'update')
  ring.submitAndWait(2)
  const seen: unknown[] = []
  ring.drain((userData, result) => seen.push([userData, result]))
  t.deepEqual(seen, [
    ['update', 0],
    ['new', OUT],
  ])
})

test('PollUpdate: an entry does it as often as it is pushed', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, IN, 'old')
  const entry = new PollUpdate(token, { userData: 'built' }).build()
  for (const between of ['first', 'second']) {
    t.is(outcome(ring, new PollUpdate(token, { userData: between })), 0)
    ring.push(entry)
    t.is(ring.wait()?.value, 0)
  }
  countUp(fd)
  t.deepEqual(outcomes(ring, 1), [['built', IN]])
  ring.push(entry)
  t.is(ring.wait()?.error?.code, 'ENOENT')
})

test('PollUpdate: silent in a chain, it is done when the chain is', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, IN, 'old')
  ring.push(new PollUpdate(token, { userData: 'new' }).link().skipSuccess(), 'update')
  ring.push(new Nop(), 'end')
  t.deepEqual(outcomes(ring, 1), [['end', 0]])
  countUp(fd)
  t.deepEqual(outcomes(ring, 1), [['new', IN]])
})

test('PollUpdate: a stale token finds nothing', (t) => {
  using ring = new Ring({ entries: 8 })
  const [fd, another] = [counter(t, 1), counter(t)]
  const stale = poll(ring, fd, IN, 'gone')
  t.deepEqual(outcomes(ring, 1), [['gone', IN]])
  t.like(ring.push(new PollUpdate(stale, { userData: 'stolen' })) && ring.wait()?.error, {
    code: 'ENOENT',
    syscall: 'poll_update',
    message: 'ENOENT: no such file or directory, poll_update',
  })
  // Another poll in the same slot.
  const slot = (token: Token): number => token % 2 ** 22
  let token = poll(ring, another, IN, 'mine')
  while (slot(token) !== slot(stale)) {
    ring.push(new PollRemove(token), 'remove')
    t.deepEqual(outcomesByUserData(ring, 2), { remove: 0, mine: 'ECANCELED' })
    token = poll(ring, another, IN, 'mine')
  }
  t.not(token, stale)
  for (const options of [{ userData: 'stolen' }, { events: OUT, userData: 'stolen' }, { events: OUT }]) {
    t.is(outcome(ring, new PollUpdate(stale, options)), 'ENOENT')
  }
  t.is(outcome(ring, new PollRemove(stale)), 'ENOENT')
  t.true(nothingCompletes(ring))
  countUp(another)
  t.deepEqual(outcomes(ring, 1), [['mine', IN]])
})

test('PollUpdate: the slot table gives new user data to what a token names, and to nothing else', (t) => {
  const slots = new SubmissionTable()
  const subject = PollAdd as never
  const slot = slots.acquire(subject, undefined, 'old', MULTISHOT)
  const other = slots.acquire(subject, undefined, 'other', 0)
  const token = tokenOf(slot)
  slots.rename(token, 'new')
  t.is(slot.userData, 'new')
  t.is(other.userData, 'other')
  slots.release(slot)
  slots.rename(token, 'late')
  t.is(slot.userData, undefined)
  slots.rename(2 ** 50, 'nobody')
  slots.rename(token + 2 ** 22, 'in a free slot')
  t.is(slot.userData, undefined)
  t.is(other.userData, 'other')
})

test('PollUpdate: a poll that was not pushed has no user data to change', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const seen: number[] = []
  const token = ring.start(new PollAdd(fd, IN), (result) => seen.push(result))
  await ring.run(new Nop())
  t.is(await ring.run(new PollUpdate(token, { userData: 'mine' })), 0)
  t.is(outcome(ring, new PollUpdate(token, { events: IN, userData: 'mine' })), 0)
  countUp(fd)
  while (seen.length === 0) await setImmediate()
  t.deepEqual(seen, [IN])
})

test('PollUpdate: a promise of it changes the user data of a pushed poll', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, IN, 'old')
  t.is(await ring.run(new PollUpdate(token, { userData: 'new' })), 0)
  countUp(fd)
  t.deepEqual(outcomes(ring, 1), [['new', IN]])
})

test('PollUpdate: too late for a poll that is just completing, and right after that', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, IN, 'old', true)
  countUp(fd) // a ring that defers its work learns of this when it looks for completions
  ring.push(new PollUpdate(token, { userData: 'new' }), 'update')
  ring.submit()
  const first = outcomesByUserData(ring, 2)
  if ((ring.setupFlags & SetupFlags.DEFER_TASKRUN) === 0)
    t.true([0, 'EALREADY'].includes(first['update'] as never))
  else t.deepEqual(first, { update: 'EALREADY', old: IN })
  t.is(outcome(ring, new PollUpdate(token, { userData: 'newer' })), 0)
  countUp(fd)
  t.deepEqual(outcomes(ring, 1), [['newer', IN]])
})

test('PollUpdate: an update of nothing, which would be a removal, is refused', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const options of [{}, { multi: true }, { userData: undefined }, { events: undefined as never }]) {
    t.throws(() => new PollUpdate(1, options), {
      code: 'ERR_INVALID_ARG_VALUE',
      message:
        "The property 'options.userData' must be given where 'options.events' is not. Received undefined",
    })
  }
  const update = new PollUpdate(1, { events: IN })
  update.events = undefined
  t.throws(() => ring.push(update), { code: 'ERR_INVALID_ARG_VALUE' })
  t.is(ring.sqReady, 0)
})

test('LinkTimeout: it cancels the operation when its time has come', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  for (const time of [1, 0.5, 0, { seconds: 0, nanoseconds: 1_000_000 }, { seconds: 0n, nanoseconds: 1 }]) {
    ring.pushAll([new Read(fd, Buffer.alloc(1)).link(), new LinkTimeout(time)], ['read', 'timeout'])
    t.deepEqual(outcomesByUserData(ring, 2), { read: 'ECANCELED', timeout: 'expired' })
  }
})

test('LinkTimeout: it is not needed when the operation was done first', (t) => {
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

test('LinkTimeout: with no operation before it, it is a mistake', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new LinkTimeout(HOUR))
  t.like(ring.wait()?.error, {
    code: 'EINVAL',
    syscall: 'link_timeout',
    message: 'EINVAL: invalid argument, link_timeout',
  })
})

test('LinkTimeout: a moment of a clock', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  const timed = (timeout: LinkTimeout): Record<string, unknown> => {
    ring.pushAll([new Read(fd, Buffer.alloc(1)).link(), timeout], ['read', 'timeout'])
    ring.submit()
    return outcomesByUserData(ring, 2)
  }
  const expired = { read: 'ECANCELED', timeout: 'expired' }
  // Moments that are over, and would be far away from now, or on another clock.
  t.deepEqual(timed(new LinkTimeout(monotonic(), { absolute: true })), expired)
  t.deepEqual(timed(new LinkTimeout(monotonic(), { absolute: true, clock: 'boottime' })), expired)
  t.deepEqual(timed(new LinkTimeout(Date.now(), { absolute: true, clock: 'realtime' })), expired)
  // The other way round: what is to come on this clock is long over on the other.
  ring.pushAll(
    [new Read(fd, Buffer.alloc(1)).link(), new LinkTimeout(monotonic() + HOUR, { absolute: true })],
    ['read', 'timeout'],
  )
  ring.submit()
  t.true(nothingCompletes(ring))
  ring.push(new AsyncCancel({ opcode: Read.opcode }), 'cancel')
  t.deepEqual(outcomesByUserData(ring, 3), { cancel: 1, read: 'ECANCELED', timeout: 'cancelled' })
})

test('LinkTimeout: coming too late to cancel is no failure', (t) => {
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

test('TimeoutUpdate: earlier', (t) => {
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

test('TimeoutUpdate: later', (t) => {
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

test('TimeoutUpdate: a moment of the clock that the timeout has', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const [clock, now] of [
    ['monotonic', monotonic],
    ['boottime', monotonic],
    ['realtime', Date.now],
  ] as const) {
    const token = ring.push(new Timeout(HOUR, { clock }), 'timeout')
    // Counted from now, this would be in the far future.
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

test('TimeoutUpdate: another clock is refused by the kernel, and changes nothing', (t) => {
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

test('TimeoutUpdate: a link timeout, and only when it is said to be one', (t) => {
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
  // A moment of the clock.
  const [, another = 0] = ring.pushAll(
    [new Read(fd, Buffer.alloc(1)).link(), new LinkTimeout(HOUR, { clock: 'realtime' })],
    ['read', 'timeout'],
  )
  ring.submit()
  ring.push(new TimeoutUpdate(another, Date.now(), { linked: true, absolute: true }), 'update')
  t.deepEqual(outcomesByUserData(ring, 3), { update: 0, read: 'ECANCELED', timeout: 'expired' })
})

test('TimeoutUpdate: a timeout that is gone is not found', (t) => {
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
