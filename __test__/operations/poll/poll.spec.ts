// Polls: adding, updating and removing them.

import { closeSync, writeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import {
  AsyncCancel,
  FixedFile,
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
  type Token,
} from 'uring'
import { socketpair } from 'uring/sys'
import { MULTISHOT } from '../../../ts/entry/traits.ts'
import { SubmissionTable } from '../../../ts/ring/submissions.ts'
import { tokenOf } from '../../../ts/entry/token.ts'
import { nothingCompletes, outcome, outcomes, outcomesByUserData } from '../../helpers/completions.ts'
import { counter, countUp, reset } from '../../helpers/polls.ts'
import { closing, pair } from '../../helpers/sockets.ts'

const { IN, OUT, PRI, HUP, RDHUP } = PollEvents
const HOUR = 3_600_000

/** Submits a poll, and returns its token. */
function poll(ring: Ring, fd: number, events: number, userData: unknown, multi = false): Token {
  const token = ring.push(new PollAdd(fd, events, { multi }), userData)
  ring.submit()
  return token
}

test('PollAdd: completes at once if the file is ready', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  t.is(outcome(ring, new PollAdd(fd, IN | OUT | PRI)), OUT)
  countUp(fd)
  t.is(outcome(ring, new PollAdd(fd, IN | OUT | PRI)), IN | OUT)
  t.is(outcome(ring, new PollAdd({ fd }, IN)), IN)
  t.is(outcome(ring, new PollAdd(fd, OUT)), OUT)
})

test('PollAdd: waits for its events, and completes once', (t) => {
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

test('PollAdd: reports HUP even if it is not asked for', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  closing(t, left)
  poll(ring, left, 0, 'nothing')
  poll(ring, left, IN, 'something')
  t.true(nothingCompletes(ring))
  closeSync(right)
  t.deepEqual(outcomesByUserData(ring, 2), { nothing: HUP | RDHUP, something: IN | HUP | RDHUP })
})

test('PollAdd: multishot completes at each new event', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, IN, 'poll', true)
  t.true(nothingCompletes(ring))
  for (let round = 0; round < 3; round += 1) {
    countUp(fd)
    const completion = ring.wait({ timeout: 60_000 })
    t.like(completion, { userData: 'poll', token, value: IN, more: true, ok: true })
    t.true(nothingCompletes(ring), 'still readable, but no new event')
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

test('PollAdd: multishot continues after HUP', (t) => {
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

test('PollAdd: multishot counts as any number of completions for wait()', async (t) => {
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
  // Waiting for three completions of one poll: without a timeout, wait() refuses counts that can never be reached.
  const completions = ring.waitMany(3)
  t.deepEqual(
    completions.map(({ userData, value, more }) => [userData, value, more]),
    Array.from({ length: 3 }, () => ['poll', IN, true]),
  )
  await worker.terminate()
})

test('PollAdd: accepts a fixed file, and fails for an empty slot', (t) => {
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

test('PollRemove: cancels only the poll that its token names', (t) => {
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

test('PollRemove: finds only polls', (t) => {
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

test('PollUpdate: changes the events', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, PRI, 'poll')
  const other = poll(ring, fd, PRI, 'other')
  countUp(fd)
  t.true(nothingCompletes(ring))
  t.is(outcome(ring, new PollUpdate(other, { events: HUP })), 0)
  t.true(nothingCompletes(ring))
  // If the file is ready, the poll completes right after the update.
  ring.push(new PollUpdate(token, { events: IN }), 'update')
  const [update, completion] = ring.waitMany(2)
  t.like(update, { userData: 'update', value: 0 })
  t.like(completion, { userData: 'poll', token, value: IN, more: false })
  t.is(ring.inFlight, 1)
  // If it is not, the poll waits.
  const [left, right] = pair(t)
  const waiting = poll(ring, left, PRI, 'waiting')
  t.is(outcome(ring, new PollUpdate(waiting, { events: IN })), 0)
  t.true(nothingCompletes(ring))
  writeSync(right, 'x')
  t.deepEqual(outcomes(ring, 1), [['waiting', IN]])
})

test('PollUpdate: changes the user data only', (t) => {
  using ring = new Ring({ entries: 8 })
  const [fd, another] = [counter(t), counter(t)]
  const first = poll(ring, fd, IN, 'first')
  const second = poll(ring, fd, IN, 'second')
  t.is(outcome(ring, new PollUpdate(second, { userData: 'renamed' })), 0)
  t.true(nothingCompletes(ring), 'the events stay the same: writability was not asked for')
  countUp(fd)
  const completions = ring.waitMany(2)
  t.deepEqual(
    completions.map(({ userData, token, value }) => [userData, token, value]).toSorted(),
    [
      ['first', first, IN],
      ['renamed', second, IN],
    ].toSorted(),
  )
  // Any value but undefined, any number of times.
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

test('PollUpdate: keeps the token when the user data changes', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, IN, 'old')
  t.is(outcome(ring, new PollUpdate(token, { userData: 'new' })), 0)
  ring.push(new PollRemove(token), 'remove')
  t.deepEqual(outcomesByUserData(ring, 2), { remove: 0, new: 'ECANCELED' })
})

test('PollUpdate: changes events and user data together', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, PRI, 'old')
  ring.push(new PollUpdate(token, { events: OUT, userData: 'new' }), 'update')
  t.deepEqual(outcomes(ring, 2), [
    ['update', 0],
    ['new', OUT],
  ])
})

test('PollUpdate: changes the user data of a multishot poll between completions', (t) => {
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

test('PollUpdate: drain() reports the new user data', (t) => {
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

test('PollUpdate: an entry updates the poll at each push', (t) => {
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

test('PollUpdate: takes effect at the end of a chain with skipSuccess', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, IN, 'old')
  ring.push(new PollUpdate(token, { userData: 'new' }).link().skipSuccess(), 'update')
  ring.push(new Nop(), 'end')
  t.deepEqual(outcomes(ring, 1), [['end', 0]])
  countUp(fd)
  t.deepEqual(outcomes(ring, 1), [['new', IN]])
})

test('PollUpdate: a stale token matches nothing', (t) => {
  using ring = new Ring({ entries: 8 })
  const [fd, another] = [counter(t, 1), counter(t)]
  const stale = poll(ring, fd, IN, 'gone')
  t.deepEqual(outcomes(ring, 1), [['gone', IN]])
  t.like(ring.push(new PollUpdate(stale, { userData: 'stolen' })) && ring.wait()?.error, {
    code: 'ENOENT',
    syscall: 'poll_update',
    message: 'ENOENT: no such file or directory, poll_update',
  })
  // Another poll in the same place of the submission table.
  const indexOf = (token: Token): number => token % 2 ** 22
  let token = poll(ring, another, IN, 'mine')
  while (indexOf(token) !== indexOf(stale)) {
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

test('PollUpdate: SubmissionTable.rename() changes only the submission that the token names', (t) => {
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
  slots.rename(2 ** 50, 'unused')
  slots.rename(token + 2 ** 22, 'free')
  t.is(slot.userData, undefined)
  t.is(other.userData, 'other')
})

test('PollUpdate: leaves a poll of the promise API without user data', async (t) => {
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

test('PollUpdate: run() changes the user data of a pushed poll', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, IN, 'old')
  t.is(await ring.run(new PollUpdate(token, { userData: 'new' })), 0)
  countUp(fd)
  t.deepEqual(outcomes(ring, 1), [['new', IN]])
})

test('PollUpdate: fails with EALREADY while the poll is completing, and succeeds afterwards', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const token = poll(ring, fd, IN, 'old', true)
  countUp(fd) // with DEFER_TASKRUN the ring processes this when it looks for completions
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

test('PollUpdate: refuses an update without events and user data', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const options of [{}, { multi: true }, { userData: undefined }, { events: undefined as never }]) {
    t.throws(() => new PollUpdate(1, options), {
      code: 'ERR_INVALID_ARG_VALUE',
      message:
        "The property 'options.userData' is required if 'options.events' is absent. Received undefined",
    })
  }
  const update = new PollUpdate(1, { events: IN })
  update.events = undefined
  t.throws(() => ring.push(update), { code: 'ERR_INVALID_ARG_VALUE' })
  t.is(ring.sqReady, 0)
})
