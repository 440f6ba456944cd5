// Epoll instances: EpollCtl and EpollWait.

import { writeSync } from 'node:fs'
import test from 'ava'
import { AsyncCancel, EpollCtl, EpollWait, type EpollEvent, FixedFile, PollEvents, Ring } from 'uring'
import { epollCreate } from 'uring/sys'
import { decodeEvents, encodeEvent, eventBytes } from '../../../ts/structs/epoll-event.ts'
import { nothingCompletes, outcome, outcomes, outcomesByUserData } from '../../helpers/completions.ts'
import { file } from '../../helpers/files.ts'
import { counter, countUp, reset } from '../../helpers/polls.ts'
import { closing, pair } from '../../helpers/sockets.ts'

const { IN, OUT, HUP, ET, ONESHOT } = PollEvents
const MAX_U64 = 2n ** 64n - 1n

/** The events that an epoll instance has now, sorted by their data. */
function events(ring: Ring, epoll: number, maxEvents = 8): EpollEvent[] {
  const found = outcome(ring, new EpollWait(epoll, maxEvents)) as EpollEvent[]
  return found.toSorted((one, other) => Number(one.data - other.data))
}

test('EpollCtl: adds a file whose events have the given data', (t) => {
  using ring = new Ring({ entries: 8 })
  const epoll = closing(t, epollCreate())
  const [first, second] = [counter(t), counter(t, 1)]
  t.is(outcome(ring, new EpollCtl(epoll, 'add', first, { events: OUT, data: 1 })), 0)
  t.is(
    outcome(ring, new EpollCtl({ fd: epoll }, 'add', { fd: second }, { events: IN | OUT, data: MAX_U64 })),
    0,
  )
  t.deepEqual(events(ring, epoll), [
    { events: OUT, data: 1n },
    { events: IN | OUT, data: MAX_U64 },
  ])
})

test('EpollCtl: accepts any data of 64 bits', (t) => {
  using ring = new Ring({ entries: 8 })
  const epoll = closing(t, epollCreate())
  const fd = counter(t, 1)
  t.is(outcome(ring, new EpollCtl(epoll, 'add', fd, { events: IN })), 0)
  t.deepEqual(events(ring, epoll), [{ events: IN, data: 0n }])
  for (const data of [5, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER, 2n ** 53n + 1n, 2n ** 63n, MAX_U64, 0n]) {
    t.is(outcome(ring, new EpollCtl(epoll, 'mod', fd, { events: IN, data })), 0)
    t.deepEqual(events(ring, epoll), [{ events: IN, data: BigInt(data) }])
  }
})

test('EpollCtl: modifies the events of a file', (t) => {
  using ring = new Ring({ entries: 8 })
  const epoll = closing(t, epollCreate())
  const fd = counter(t, 1)
  t.is(outcome(ring, new EpollCtl(epoll, 'add', fd, { data: 1 })), 0)
  ring.push(new EpollWait(epoll, 8), 'wait')
  ring.submit()
  t.true(nothingCompletes(ring), 'no events were asked for')
  ring.push(new EpollCtl(epoll, 'mod', fd, { events: IN, data: 2 }), 'change')
  t.deepEqual(outcomesByUserData(ring, 2), { change: 0, wait: [{ events: IN, data: 2n }] })
  // Bit 31 as JavaScript's bit operators leave it, negative: edge-triggered, so only new events are reported.
  t.is(outcome(ring, new EpollCtl(epoll, 'mod', fd, { events: IN | (ET | 0), data: 3 })), 0)
  t.deepEqual(events(ring, epoll), [{ events: IN, data: 3n }])
  ring.push(new EpollWait(epoll, 8), 'wait')
  ring.submit()
  t.true(nothingCompletes(ring))
  countUp(fd)
  t.deepEqual(outcomes(ring, 1), [['wait', [{ events: IN, data: 3n }]]])
  t.is(outcome(ring, new EpollCtl(epoll, 'mod', fd, { events: IN | ONESHOT, data: 4 })), 0)
  t.deepEqual(events(ring, epoll), [{ events: IN, data: 4n }])
  ring.push(new EpollWait(epoll, 8), 'wait')
  ring.submit()
  countUp(fd)
  t.true(nothingCompletes(ring))
})

test('EpollCtl: removes only the file that it names', (t) => {
  using ring = new Ring({ entries: 8 })
  const epoll = closing(t, epollCreate())
  const [first, second] = [counter(t, 1), counter(t, 1)]
  t.is(outcome(ring, new EpollCtl(epoll, 'add', first, { events: IN, data: 1 })), 0)
  t.is(outcome(ring, new EpollCtl(epoll, 'add', second, { events: IN, data: 2 })), 0)
  t.is(outcome(ring, new EpollCtl(epoll, 'del', first)), 0)
  t.deepEqual(events(ring, epoll), [{ events: IN, data: 2n }])
  t.is(outcome(ring, new EpollCtl(epoll, 'del', first)), 'ENOENT')
  t.is(outcome(ring, new EpollCtl(epoll, 'add', first, { events: IN, data: 3 })), 0)
  t.is(events(ring, epoll).length, 2)
})

test('EpollCtl: fails for files that cannot be added, modified or removed', (t) => {
  using ring = new Ring({ entries: 8 })
  const [epoll, other] = [closing(t, epollCreate()), closing(t, epollCreate())]
  const fd = counter(t)
  const code = (...args: ConstructorParameters<typeof EpollCtl>): unknown =>
    outcome(ring, new EpollCtl(...args))
  t.is(code(epoll, 'add', fd), 0)
  t.is(code(epoll, 'add', fd), 'EEXIST')
  t.is(code(epoll, 'mod', other), 'ENOENT')
  t.is(code(epoll, 'del', other), 'ENOENT')
  t.is(code(epoll, 'add', file(t).fd), 'EPERM')
  t.is(code(epoll, 'add', epoll), 'EINVAL')
  t.is(code(fd, 'add', epoll), 'EINVAL')
  t.is(code(epoll, 'add', 100_000), 'EBADF')
  t.is(code(100_000, 'add', fd), 'EBADF')
  t.is(code(epoll, 'add', other), 0)
  t.is(code(other, 'add', epoll), 'ELOOP')
  ring.push(new EpollCtl(epoll, 'add', fd))
  t.like(ring.wait()?.error, {
    syscall: 'epoll_ctl',
    message: 'EEXIST: file already exists, epoll_ctl',
    operation: 'EpollCtl',
  })
})

test('EpollCtl: keeps a copy of the event until the kernel has read it', (t) => {
  using ring = new Ring({ entries: 8 })
  const epoll = closing(t, epollCreate())
  const fds = Array.from({ length: 6 }, () => counter(t, 1))
  const operation = new EpollCtl(epoll, 'add', 0, { events: IN })
  for (const [index, fd] of fds.entries()) {
    operation.file = fd
    operation.data = index
    ring.push(operation, index)
  }
  operation.data = 99
  t.deepEqual(
    ring.waitMany(fds.length).map(({ value }) => value),
    [0, 0, 0, 0, 0, 0],
  )
  t.deepEqual(
    events(ring, epoll).map(({ data }) => data),
    [0n, 1n, 2n, 3n, 4n, 5n],
  )
})

test('EpollWait: waits for events', (t) => {
  using ring = new Ring({ entries: 8 })
  const epoll = closing(t, epollCreate())
  const [left, right] = pair(t)
  t.is(outcome(ring, new EpollCtl(epoll, 'add', left, { events: IN, data: 7n })), 0)
  ring.push(new EpollWait(epoll, 4), 'wait')
  ring.submit()
  t.true(nothingCompletes(ring))
  writeSync(right, 'x')
  t.deepEqual(outcomes(ring, 1), [['wait', [{ events: IN, data: 7n }]]])
  t.is(ring.inFlight, 0)
})

test('EpollWait: returns at most maxEvents events, and the others next time', (t) => {
  using ring = new Ring({ entries: 8 })
  const epoll = closing(t, epollCreate())
  const fds = Array.from({ length: 5 }, () => counter(t, 1))
  for (const [index, fd] of fds.entries()) {
    t.is(outcome(ring, new EpollCtl(epoll, 'add', fd, { events: IN | ET, data: index })), 0)
  }
  const seen = [3, 1, 8].map((most) => events(ring, epoll, most))
  t.deepEqual(
    seen.map(({ length }) => length),
    [3, 1, 1],
  )
  t.deepEqual(
    seen
      .flat()
      .map(({ data }) => data)
      .toSorted(),
    [0n, 1n, 2n, 3n, 4n],
  )
  t.true(seen.flat().every((event) => event.events === IN))
})

test('EpollWait: gives two submissions separate memory', (t) => {
  using ring = new Ring({ entries: 8 })
  const epolls = [closing(t, epollCreate()), closing(t, epollCreate())]
  const [first, second] = [counter(t), counter(t)]
  const operation = new EpollWait(0, 1)
  for (const [index, fd] of [first, second].entries()) {
    const epoll = epolls[index] ?? -1
    t.is(outcome(ring, new EpollCtl(epoll, 'add', fd, { events: IN, data: index })), 0)
    operation.epollFd = epoll
    ring.push(operation, index)
  }
  ring.submit()
  t.true(nothingCompletes(ring))
  countUp(second)
  countUp(first)
  const completions = ring.waitMany(2)
  reset(first)
  reset(second)
  // Decoded late: the memory must still be unchanged.
  t.deepEqual(
    completions.map(({ userData, value }) => [userData, value]).toSorted(),
    [0, 1].map((index) => [index, [{ events: IN, data: BigInt(index) }]]),
  )
})

test('EpollWait: decodes the result of an entry when its completion is consumed', (t) => {
  using ring = new Ring({ entries: 8 })
  const epoll = closing(t, epollCreate())
  const fd = counter(t, 1)
  t.is(outcome(ring, new EpollCtl(epoll, 'add', fd, { events: IN | OUT, data: 1 })), 0)
  const entry = new EpollWait(epoll, 1).build()
  ring.push(entry)
  const first = ring.wait()
  reset(fd)
  ring.push(entry)
  t.deepEqual(ring.wait()?.value, [{ events: OUT, data: 1n }])
  t.deepEqual(first?.value, [{ events: IN | OUT, data: 1n }])
})

test('EpollWait: accepts a fixed file, refuses other files, and can be cancelled', (t) => {
  using ring = new Ring({ entries: 8 })
  const epoll = closing(t, epollCreate())
  const fd = counter(t, 1)
  t.is(outcome(ring, new EpollCtl(epoll, 'add', fd, { events: IN, data: 5 })), 0)
  ring.registerFiles([fd, epoll])
  t.deepEqual(outcome(ring, new EpollWait(new FixedFile(1), 1)), [{ events: IN, data: 5n }])
  t.is(outcome(ring, new EpollWait(new FixedFile(0), 1)), 'EINVAL')
  t.is(outcome(ring, new EpollWait(100_000, 1)), 'EBADF')
  ring.push(new EpollWait(fd, 1))
  t.like(ring.wait()?.error, {
    syscall: 'epoll_wait',
    message: 'EINVAL: invalid argument, epoll_wait',
    operation: 'EpollWait',
  })
  reset(fd)
  const token = ring.push(new EpollWait(epoll, 1), 'wait')
  ring.submit()
  ring.push(new AsyncCancel(token), 'cancel')
  t.deepEqual(outcomesByUserData(ring, 2), { cancel: 1, wait: 'ECANCELED' })
})

test('EpollWait: decodes the layout of an event on x86_64 and elsewhere', (t) => {
  t.is(eventBytes(true), 12)
  t.is(eventBytes(false), 16)
  t.is(eventBytes(), process.arch === 'x64' ? 12 : 16)
  const data = 0x1122_3344_5566_7788n
  for (const [packed, hex] of [
    [true, '1000008088776655443322110400000001000000000000000000000000'],
    [false, '10000080000000008877665544332211040000000000000001000000000000000000000000000000'],
  ] as const) {
    const bytes = Buffer.alloc(hex.length / 2)
    const size = eventBytes(packed)
    encodeEvent(bytes, (ET | HUP) >>> 0, data, packed)
    encodeEvent(bytes.subarray(size), OUT, 1, packed)
    t.is(bytes.toString('hex'), hex)
    t.deepEqual(decodeEvents(bytes, 2, packed), [
      { events: (ET | HUP) >>> 0, data },
      { events: OUT, data: 1n },
    ])
    t.deepEqual(decodeEvents(bytes, 0, packed), [])
  }
  t.deepEqual(decodeEvents(Buffer.alloc(12, 0xff), 1, true), [{ events: 0xffff_ffff, data: MAX_U64 }])
})
