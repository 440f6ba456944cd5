// Settings of a ring: its clock, busy polling and zero-copy receive queue; and older kernels.

import { readFileSync } from 'node:fs'
import test from 'ava'
import { EnterFlags, Nop, Ring, UringError, type WaitClock } from 'uring'
import { TIMEOUT } from '../helpers/completions.ts'
import { script } from '../helpers/process.ts'
import { enable, pages, refusals, refused } from '../helpers/registrations.ts'

const { GETEVENTS, ABS_TIMER } = EnterFlags
const TYPE = 'ERR_INVALID_ARG_TYPE'
const VALUE = 'ERR_INVALID_ARG_VALUE'
const RANGE = 'ERR_OUT_OF_RANGE'
const none = 'x' as unknown as number

// ---- clock

function bootTime(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ', 1)[0]) * 1000
}

for (const [name, now] of [
  ['monotonic', () => Number(process.hrtime.bigint()) / 1e6],
  ['boottime', bootTime],
] as const) {
  test(`registerClock: a wait ends at a time of the clock: ${name}`, (t) => {
    using ring = new Ring({ entries: 4, disabled: true })
    const region = ring.registerRegion(1, { waits: true })
    enable(ring)
    ring.registerClock(name)
    const moment = Math.ceil(now()) + 20
    const wait = region.setWait(0, { timeout: moment })
    t.throws(() => ring.enter(0, 1, GETEVENTS | ABS_TIMER, wait), { code: 'ETIME' })
    t.true(now() >= moment - 10, 'to the hundredths of a second of /proc/uptime')
  })
}

test('registerClock: passes the kernel’s number of the clock', async (t) => {
  // Both clocks agree on a machine that has never slept, so the argument is checked.
  const outcome = await script(`
    import { createRequire } from 'node:module'
    import { Ring } from 'uring'
    const { prototype } = createRequire(import.meta.url)('uring/native').Ring
    const { register } = prototype
    prototype.register = function (opcode, argument, count) {
      console.log(opcode, argument.join(''), count)
      return register.call(this, opcode, argument, count)
    }
    const ring = new Ring({ entries: 1 })
    ring.registerClock('monotonic')
    ring.registerClock('boottime')
  `)
  const zeros = '0'.repeat(15) // CLOCK_MONOTONIC is 1, CLOCK_BOOTTIME 7
  t.deepEqual(outcome, { code: 0, signal: null, stdout: `29 1${zeros} 0\n29 7${zeros} 0\n`, stderr: '' })
})

test('registerClock: refuses other clocks', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const name of ['realtime', 'constructor', '', 1, undefined, null]) {
    const error = t.throws(() => ring.registerClock(name as WaitClock), { code: VALUE })
    t.regex(error.message, /'name' must be one of: 'monotonic', 'boottime'/)
  }
})

// ---- busy polling

test('registerNapi: returns the settings before', (t) => {
  using ring = new Ring({ entries: 4 })
  const inactive = { busyPollTimeout: 0, preferBusyPoll: false, tracking: 'inactive' } as const
  t.like(ring.registerNapi({ busyPollTimeout: 50, preferBusyPoll: true }), {
    preferBusyPoll: false,
    tracking: 'inactive',
  })
  t.deepEqual(ring.registerNapi({ busyPollTimeout: 70_000, tracking: 'static' }), {
    busyPollTimeout: 50,
    preferBusyPoll: true,
    tracking: 'dynamic',
  })
  t.deepEqual(ring.registerNapi(), { busyPollTimeout: 10_000, preferBusyPoll: false, tracking: 'static' })
  t.deepEqual(ring.registerNapi({}), { busyPollTimeout: 0, preferBusyPoll: false, tracking: 'dynamic' })
  ring.unregisterNapi()
  t.deepEqual(ring.registerNapi({ busyPollTimeout: 1 }), inactive)
  ring.push(new Nop())
  t.true(ring.wait(TIMEOUT)?.ok)
})

test('registerNapiId: adds and removes device queues', (t) => {
  using ring = new Ring({ entries: 4 })
  const ID = 5000
  const errors = { instanceOf: UringError } as const
  t.throws(() => ring.registerNapiId(ID), { ...errors, code: 'EINVAL' }, 'nothing is registered')
  ring.registerNapi({ tracking: 'dynamic' })
  t.throws(() => ring.registerNapiId(ID), { ...errors, code: 'EINVAL' }, 'the kernel chooses')
  ring.registerNapi({ tracking: 'static' })
  ring.registerNapiId(ID)
  t.throws(() => ring.registerNapiId(ID), { ...errors, code: 'EEXIST' })
  ring.registerNapiId(ID + 1)
  t.throws(() => ring.registerNapiId(0), { ...errors, code: 'EINVAL' })
  ring.unregisterNapiId(ID)
  t.throws(() => ring.unregisterNapiId(ID), { ...errors, code: 'ENOENT' })
  ring.unregisterNapiId(ID + 1)
})

test('registerNapi: refuses ioPoll, and names invalid arguments', (t) => {
  using polled = new Ring({ entries: 4, ioPoll: true })
  t.throws(() => polled.registerNapi(), { instanceOf: UringError, code: 'EINVAL' })
  using ring = new Ring({ entries: 4 })
  refusals(t, [
    ['options', TYPE, () => ring.registerNapi(1 as unknown as object)],
    ['options.busyPollTimeout', TYPE, () => ring.registerNapi({ busyPollTimeout: none })],
    ['options.busyPollTimeout', RANGE, () => ring.registerNapi({ busyPollTimeout: -1 })],
    ['options.busyPollTimeout', RANGE, () => ring.registerNapi({ busyPollTimeout: 2 ** 32 })],
    ['options.preferBusyPoll', TYPE, () => ring.registerNapi({ preferBusyPoll: 1 as unknown as boolean })],
    ['options.tracking', VALUE, () => ring.registerNapi({ tracking: 'inactive' as 'static' })],
    ['options.tracking', VALUE, () => ring.registerNapi({ tracking: 'toString' as 'static' })],
    ['id', TYPE, () => ring.registerNapiId(none)],
    ['id', RANGE, () => ring.registerNapiId(-1)],
    ['id', TYPE, () => ring.unregisterNapiId(none)],
    ['id', RANGE, () => ring.unregisterNapiId(2 ** 32)],
  ])
  t.is(ring.registerNapi().tracking, 'inactive', 'nothing was registered')
})

// ---- zero-copy receive

const QUEUE = { ifIndex: 1, queue: 0, entries: 64, area: 8192 }

test('registerZcrx: names the cause of a refusal', async (t) => {
  using ring = new Ring({ entries: 4, cqe32: true })
  const privileged = process.geteuid?.() === 0
  using plain = new Ring({ entries: 4 })
  if (privileged) {
    refused(t, () => plain.registerZcrx(QUEUE), 'EINVAL', /.*cqe32 or cqeMixed/)
    refused(t, () => ring.registerZcrx(QUEUE), 'ENOTSUP', /queue 0 of network interface 1 does not support/)
    refused(t, () => ring.registerZcrx({ ...QUEUE, ifIndex: 987_654 }), 'ENODEV', /.*interface 987654/)
    refused(t, () => ring.registerZcrx({ ...QUEUE, area: pages(1) }), 'ENOTSUP', /.*/)
  }
  const outcome = await script(`
    import { Ring } from 'uring'
    const ring = new Ring({ entries: 4, cqe32: true })
    if (process.geteuid() === 0) process.seteuid(65534)
    try { ring.registerZcrx(${JSON.stringify(QUEUE)}) } catch ({ code, message }) { console.log(code, message) }
  `)
  t.is(outcome.code, 0)
  t.regex(
    outcome.stdout,
    /^EPERM EPERM: operation not permitted, io_uring_register: it needs CAP_NET_ADMIN\n$/,
  )
  ring.push(new Nop())
  t.true(ring.wait(TIMEOUT)?.ok)
})

test('registerZcrx: names invalid arguments', (t) => {
  using ring = new Ring({ entries: 4, cqe32: true })
  const register = (options: object) => () => ring.registerZcrx({ ...QUEUE, ...options })
  refusals(t, [
    ['options', TYPE, () => ring.registerZcrx(1 as unknown as typeof QUEUE)],
    ['options.ifIndex', TYPE, () => ring.registerZcrx(undefined as unknown as typeof QUEUE)],
    ['options.ifIndex', TYPE, register({ ifIndex: 'lo' })],
    ['options.ifIndex', RANGE, register({ ifIndex: 0 })],
    ['options.queue', RANGE, register({ queue: -1 })],
    ['options.entries', TYPE, register({ entries: undefined })],
    ['options.entries', RANGE, register({ entries: 0 })],
    ['options.entries', RANGE, register({ entries: 32_769 })],
    ['options.area', TYPE, register({ area: undefined })],
    ['options.area', RANGE, register({ area: 0 })],
    ['options.area', VALUE, register({ area: Buffer.alloc(100) })],
  ])
})

// ---- older kernels, and closed rings

test('registrations: the error on an older kernel names the version needed', async (t) => {
  const outcome = await script(`
    import { createRequire, syncBuiltinESMExports } from 'node:module'
    import os from 'node:os'
    import { Ring } from 'uring'
    const native = createRequire(import.meta.url)('uring/native')
    const ring = new Ring({ entries: 4, disabled: true, cqe32: true })
    os.release = () => '5.4.0'
    syncBuiltinESMExports()
    const refuse = () => -22
    const { prototype } = native.Ring
    Object.assign(prototype, { register: refuse, registerRingFd: refuse, unregisterRingFd: refuse })
    native.rawRegister = refuse
    for (const call of [
      () => ring.registerIowqAffinity([0]), () => ring.unregisterIowqAffinity(),
      () => ring.registerIowqMaxWorkers(1, 1), () => ring.registerRingFd(), () => ring.unregisterRingFd(),
      () => ring.registerClock('boottime'), () => ring.registerNapi(), () => ring.registerNapi({ tracking: 'static' }),
      () => ring.unregisterNapi(), () => ring.registerNapiId(5000), () => ring.unregisterNapiId(5000),
      () => ring.registerRegion(1, { waits: true }), () => ring.registerZcrx(${JSON.stringify(QUEUE)}),
      () => ring.probe(), () => ring.query(), () => Ring.sendMessage(ring, 1, 1),
    ]) {
      try {
        call()
        console.log('taken')
      } catch ({ code, message, errno, syscall }) {
        console.log(code, errno, syscall, message)
      }
    }
  `)
  const since = [
    ['registerIowqAffinity', '5.14'],
    ['unregisterIowqAffinity', '5.14'],
    ['registerIowqMaxWorkers', '5.15'],
    ['registerRingFd', '5.18'],
    ['unregisterRingFd', '5.18'],
    ['registerClock', '6.12'],
    ['registerNapi', '6.9'],
    ['registerNapi', '6.13'],
    ['unregisterNapi', '6.9'],
    ['registerNapiId', '6.13'],
    ['unregisterNapiId', '6.13'],
    ['registerRegion', '6.13'],
    ['registerZcrx', '6.15'],
    ['probe', '5.6'],
    ['query', '6.18'],
    ['sendMessage', '6.13'],
  ]
  const lines = since.map(
    ([name, version]) =>
      `ERR_URING_UNSUPPORTED -22 io_uring_register Ring.${name}() needs Linux ${version} or later, built with support for it. This kernel is 5.4.0\n`,
  )
  t.deepEqual(outcome, { code: 0, signal: null, stdout: lines.join(''), stderr: '' })
})

test('registrations: throw if a getter of an argument closes the ring', (t) => {
  const closing = <T extends object>(ring: Ring, given: T, name: string, value: unknown): T =>
    Object.defineProperty(given, name, {
      get: () => {
        ring[Symbol.dispose]()
        return value
      },
    })
  for (const call of [
    (ring: Ring) => ring.registerIowqAffinity(closing(ring, [0], '0', 0)),
    (ring: Ring) => ring.registerNapi(closing(ring, {}, 'preferBusyPoll', true)),
    (ring: Ring) => ring.registerRegion(1, closing(ring, {}, 'waits', false)),
    (ring: Ring) => ring.registerZcrx(closing(ring, { ...QUEUE }, 'queue', 0)),
  ]) {
    const ring = new Ring({ entries: 4 })
    t.throws(() => call(ring), { code: 'ERR_URING_CLOSED' }, `${call}`)
    t.true(ring.closed)
  }
})

test('registrations: a closed ring refuses all of them', (t) => {
  const ring = new Ring({ entries: 4 })
  ring.registerRingFd()
  ring[Symbol.dispose]()
  for (const call of [
    () => ring.registerRingFd(),
    () => ring.unregisterRingFd(),
    () => ring.registerClock('monotonic'),
    () => ring.registerNapi(),
    () => ring.unregisterNapi(),
    () => ring.registerNapiId(1),
    () => ring.unregisterNapiId(1),
    () => ring.registerRegion(1),
    () => ring.registerZcrx(QUEUE),
    () => ring.probe(),
    () => ring.query(),
    () => ring.reference(),
  ]) {
    t.throws(call, { code: 'ERR_URING_CLOSED' }, `${call}`)
  }
})
