// Settings of a ring: its registered descriptor, clock, busy polling, region, and zero-copy receive queue.

import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import {
  EnterFlags,
  Nop,
  Read,
  Region,
  type RegionWait,
  Ring,
  type RingOptions,
  Timeout,
  UringError,
  type WaitClock,
} from 'uring'
import { createAddressOf } from 'uring/native'
import { ioUringEnter, ioUringRegister } from 'uring/sys'
import { TIMEOUT } from '../helpers/completions.ts'
import { fifo } from '../helpers/files.ts'
import { script } from '../helpers/process.ts'

const addressOf = createAddressOf()
const ENABLE_RINGS = 12
const INDICES = 16
const EBADF = -9
const EINVAL = -22
const ETIME = -62
const { GETEVENTS, EXT_ARG, EXT_ARG_REG, REGISTERED_RING, ABS_TIMER } = EnterFlags
const TYPE = 'ERR_INVALID_ARG_TYPE'
const VALUE = 'ERR_INVALID_ARG_VALUE'
const RANGE = 'ERR_OUT_OF_RANGE'
const none = 'x' as unknown as number

type Refusal = readonly [name: string, code: string, call: () => unknown]

function refusals(t: ExecutionContext, cases: readonly Refusal[]): void {
  for (const [name, code, call] of cases) t.true(t.throws(call, { code }, name).message.includes(name), name)
}

function enable(ring: Ring): void {
  if (ioUringRegister(ring.fd, ENABLE_RINGS, null, 0) !== 0) throw new Error('the ring is not disabled')
}

/** Expects an error of the kernel, with its cause in the message. */
function refused(t: ExecutionContext, call: () => unknown, code: string, reason: RegExp): void {
  const error = t.throws(call, { instanceOf: UringError, code })
  t.is(error.syscall, 'io_uring_register')
  t.true(Number(error.errno) < 0)
  t.regex(error.message, new RegExp(`^${code}: .*, io_uring_register: ${reason.source}`))
}

// ---- registered descriptor

for (const [name, options] of [
  ['the best mode', {}],
  ['a plain ring', { submitAll: false }],
  ['wide entries and completions', { sqe128: true, cqe32: true }],
  ['a polling thread', { sqPoll: { idle: 10 } }],
] as const satisfies (readonly [string, RingOptions])[]) {
  test.serial(`registerRingFd: both APIs use the index: ${name}`, async (t) => {
    const ring = new Ring({ entries: 8, ...options })
    const index = ring.registerRingFd()
    t.true(Number.isInteger(index) && index >= 0 && index < INDICES, `${index}`)
    t.is(ring.push(new Nop({ result: 5 })) > 0, true)
    t.is(ring.wait(TIMEOUT)?.value, 5)
    t.is(ring.wait({ timeout: 1 }), undefined)
    t.is(await ring.run(new Nop({ result: 6 })), 6)
    t.is(await ring.run(new Timeout(1)), 'expired')
    ring.unregisterRingFd()
    t.is(await ring.run(new Nop({ result: 7 })), 7)
    t.is(ring.registerRingFd(), index, 'it is free again')
    const read = t.throwsAsync(ring.run(new Read(fifo(t), Buffer.alloc(1))), { code: 'ECANCELED' })
    await ring.close()
    await read
  })
}

test.serial('registerRingFd: calls do not use the descriptor any more', async (t) => {
  const outcome = await script(`
    import { closeSync } from 'node:fs'
    import { Nop, Ring, Timeout } from 'uring'
    const ring = new Ring({ entries: 8 })
    ring.registerRingFd()
    closeSync(ring.fd)
    ring.push(new Nop({ result: 1 }))
    console.log(ring.wait().value)
    ring.push(new Timeout(1))
    console.log(ring.wait({ timeout: 60_000 }).value, ring.enter(0, 0, 0))
    process.exit() // the descriptor of the ring is closed
  `)
  t.deepEqual(outcome, { code: 0, signal: null, stdout: '1\nexpired 0\n', stderr: '' })
})

test.serial('registerRingFd: raw calls of this thread can use the index', async (t) => {
  using ring = new Ring({ entries: 8 })
  const index = ring.registerRingFd()
  ring.push(new Nop())
  ring.flush()
  t.is(ioUringEnter(index, 1, 0, REGISTERED_RING), 1)
  const worker = new Worker(
    `import(${JSON.stringify(import.meta.resolve('uring/sys'))}).then(({ ioUringEnter }) =>
      require('node:worker_threads').parentPort.postMessage(ioUringEnter(${index}, 0, 0, ${REGISTERED_RING})))`,
    { eval: true },
  )
  const [[answer]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [
    [number],
    unknown,
  ]
  t.true(answer === EINVAL || answer === EBADF, `${answer}`) // that thread has no registered ring
  ring.unregisterRingFd()
  t.is(ioUringEnter(index, 0, 0, REGISTERED_RING), EBADF)
})

test.serial('registerRingFd: EEXIST if registered, ENXIO if not', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.registerRingFd()
  refused(t, () => ring.registerRingFd(), 'EEXIST', /.*registered already/)
  ring.unregisterRingFd()
  refused(t, () => ring.unregisterRingFd(), 'ENXIO', /.*not registered/)
})

/** Returns the number of rings that can be registered at once. */
function registerAll(t: ExecutionContext): Ring[] {
  const registered: Ring[] = []
  for (;;) {
    const ring = new Ring({ entries: 1 })
    t.teardown(() => ring[Symbol.dispose]())
    try {
      ring.registerRingFd()
      registered.push(ring)
    } catch (error) {
      refused(t, () => ring.registerRingFd(), 'EBUSY', /the 16 registered rings/)
      t.like(error, { code: 'EBUSY' })
      ring.push(new Nop({ result: 1 }))
      t.is(ring.wait(TIMEOUT)?.value, 1, 'the ring works by its descriptor')
      return registered
    }
  }
}

test.serial('registerRingFd: a thread has sixteen indexes, and close() releases one', (t) => {
  const rings = registerAll(t)
  t.is(rings.length, INDICES)
  for (const ring of rings) ring[Symbol.dispose]()
  t.is(registerAll(t).length, INDICES)
})

test.serial(
  'registerRingFd: a worker can end, and a ring with blocked operations can be closed',
  async (t) => {
    const outcome = await script(`
    import { execFileSync } from 'node:child_process'
    import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    import { Read, Ring } from 'uring'
    const directory = mkdtempSync('/tmp/uring-test-')
    process.on('exit', () => rmSync(directory, { recursive: true }))
    execFileSync('mkfifo', [directory + '/fifo'])
    const fd = openSync(directory + '/fifo', constants.O_RDWR | constants.O_NONBLOCK)
    const silent = (Read, Ring, fd) => {
      const ring = new Ring({ entries: 4 })
      ring.registerRingFd()
      ring.push(new Read(fd, Buffer.alloc(8)).skipSuccess())
      ring.submit()
      return ring
    }
    silent(Read, Ring, fd)[Symbol.dispose]()
    await silent(Read, Ring, fd).close()
    const worker = new Worker(
      "import('uring').then(({ Read, Ring }) => { globalThis.ring = (" + silent + ")(Read, Ring, " + fd + ") })",
      { eval: true },
    )
    console.log(await once(worker, 'exit'))
  `)
    t.deepEqual(outcome, { code: 0, signal: null, stdout: '[ 0 ]\n', stderr: '' })
  },
)

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

// ---- region

/** Creates a ring with a region of waits. */
function waiting(
  t: ExecutionContext,
  memory: number | Uint8Array = 1,
  options?: RingOptions,
): { ring: Ring; region: Region } {
  const ring = new Ring({ entries: 8, ...options, disabled: true })
  t.teardown(() => ring[Symbol.dispose]())
  const region = ring.registerRegion(memory, { waits: true })
  enable(ring)
  return { ring, region }
}

/** Returns memory in whole pages. */
function pages(count: number, page = 65_536): Buffer {
  const memory = new SharedArrayBuffer((count + 1) * page)
  const past = addressOf(new Uint8Array(memory)) % page
  return Buffer.from(memory, page - past, count * page)
}

test('registerRegion: a wait can be used any number of times', (t) => {
  const { ring, region } = waiting(t)
  t.true(region instanceof Region)
  t.true(region.memory.length > 0 && region.memory.length % 4096 === 0)
  t.is(region.waits, region.memory.length / 64)
  const last = region.waits - 1
  const [short, long] = [
    region.setWait(0, { timeout: 1 }),
    region.setWait(last, { timeout: { seconds: 3600, nanoseconds: 1 } }),
  ]
  t.deepEqual([short, long], [0, last * 64])
  for (let round = 0; round < 3; round += 1) {
    const error = t.throws(() => ring.enter(0, 1, GETEVENTS, short), { instanceOf: UringError })
    t.like(error, { code: 'ETIME', errno: ETIME, syscall: 'io_uring_enter' })
    // A completion ends the wait before its timeout.
    ring.push(new Nop({ result: round }))
    ring.flush()
    t.is(ring.enter(1, 1, GETEVENTS, long), 1)
    t.is(ring.tryWait()?.value, round)
  }
  // The wait is rewritten.
  region.setWait(last, { timeout: 1 })
  t.throws(() => ring.enter(0, 1, GETEVENTS, long), { code: 'ETIME' })
  t.is(ring.inFlight, 0)
})

test('registerRegion: after minWait, one completion ends the wait', (t) => {
  const { ring, region } = waiting(t)
  ring.push(new Nop())
  ring.flush()
  const wait = region.setWait(1, { timeout: 3_600_000, minWait: 2 })
  t.is(ring.enter(1, 2, GETEVENTS, wait), 1)
  t.true(ring.tryWait()?.ok)
  // The kernel takes microseconds.
  t.is(region.memory.readUInt32LE(wait + 16), 2000)
  region.setWait(1, { minWait: 0.25 })
  t.is(region.memory.readUInt32LE(wait + 16), 250)
})

test('registerRegion: a wait without a timeout lasts until something completes', (t) => {
  const { ring, region } = waiting(t)
  region.setWait(0, { timeout: 1 })
  const wait = region.setWait(0)
  ring.push(new Timeout(20))
  ring.flush()
  t.is(ring.enter(1, 1, GETEVENTS, wait), 1)
  t.is(ring.tryWait()?.value, 'expired')
})

test('registerRegion: raw calls use a wait by index and by descriptor', (t) => {
  const { ring, region } = waiting(t)
  const wait = region.setWait(2, { timeout: 1 })
  t.is(ioUringEnter(ring.fd, 0, 1, GETEVENTS | EXT_ARG | EXT_ARG_REG, wait), ETIME)
  t.is(ioUringEnter(ring.fd, 0, 0, GETEVENTS | EXT_ARG | EXT_ARG_REG, wait), 0)
  const index = ring.registerRingFd()
  t.is(ioUringEnter(index, 0, 1, GETEVENTS | EXT_ARG | EXT_ARG_REG | REGISTERED_RING, wait), ETIME)
  t.throws(() => ring.enter(0, 1, GETEVENTS, wait), { code: 'ETIME' })
  // A number is an offset, never an address.
  for (const flags of [GETEVENTS, GETEVENTS | EXT_ARG]) t.is(ioUringEnter(ring.fd, 0, 1, flags, wait), EINVAL)
  refusals(t, [
    ['argument', RANGE, () => ioUringEnter(ring.fd, 0, 0, 0, -1)],
    ['argument', RANGE, () => ioUringEnter(ring.fd, 0, 0, 0, 0.5)],
    ['fd', TYPE, () => ioUringEnter(none, 0, 0, 0, 0)],
    ['toSubmit', RANGE, () => ioUringEnter(ring.fd, -1, 0, 0, 0)],
    ['minComplete', TYPE, () => ioUringEnter(ring.fd, 0, none, 0, 0)],
    ['flags', TYPE, () => ioUringEnter(ring.fd, 0, 0, none, 0)],
  ])
})

test('registerRegion: shares memory of the caller without a copy', (t) => {
  const memory = pages(2)
  const { ring, region } = waiting(t, memory)
  t.is(region.memory.buffer, memory.buffer)
  t.is(region.memory.byteOffset, memory.byteOffset)
  t.is(region.waits, memory.length / 64)
  // struct io_uring_reg_wait: one millisecond, and IORING_REG_WAIT_TS.
  memory.writeBigInt64LE(1_000_000n, 65_536 + 8)
  memory.writeUInt32LE(1, 65_536 + 20)
  t.throws(() => ring.enter(0, 1, GETEVENTS, 65_536), { code: 'ETIME' })
  memory.writeUInt32LE(2 ** 31, 65_536 + 20)
  t.throws(() => ring.enter(0, 1, GETEVENTS, 65_536), { code: 'EINVAL' }, 'no such flag')
})

test('registerRegion: EBUSY for a second region, EINVAL for waits on an enabled ring', (t) => {
  const { ring } = waiting(t)
  refused(t, () => ring.registerRegion(1), 'EBUSY', /the ring has a region already/)
  using running = new Ring({ entries: 4 })
  refused(t, () => running.registerRegion(1, { waits: true }), 'EINVAL', /.*disabled: true/)
  // A region without waits is only memory.
  const region = running.registerRegion(5000)
  t.is(region.waits, 0)
  t.is(region.memory.length, 8192)
  t.throws(() => region.setWait(0), { code: RANGE, message: /waits: true/ })
  t.throws(() => running.enter(0, 1, GETEVENTS, 0), { code: 'EFAULT' })
  t.throws(() => running.registerRegion(1), { code: 'EBUSY' })
})

test('registerRegion: refuses waits outside of the region', (t) => {
  const { ring, region } = waiting(t)
  t.throws(() => ring.enter(0, 1, GETEVENTS, region.memory.length), { code: 'EFAULT' })
  t.throws(() => ring.enter(0, 1, GETEVENTS, region.memory.length - 32), { code: 'EFAULT' })
  t.throws(() => ring.enter(0, 1, GETEVENTS, 2 ** 32 - 64), { code: 'EFAULT' })
  const before = Buffer.from(region.memory)
  const set = (wait: unknown) => () => region.setWait(0, wait as RegionWait)
  refusals(t, [
    ['wait', RANGE, () => ring.enter(0, 1, GETEVENTS, -1)],
    ['wait', TYPE, () => ring.enter(0, 1, GETEVENTS, none)],
    ['index', RANGE, () => region.setWait(region.waits)],
    ['index', RANGE, () => region.setWait(-1)],
    ['index', TYPE, () => region.setWait(none)],
    ['wait', TYPE, set(5)],
    ['wait.timeout', RANGE, set({ timeout: -1 })],
    ['wait.timeout', TYPE, set({ timeout: none })],
    ['wait.timeout.nanoseconds', RANGE, set({ timeout: { seconds: 1, nanoseconds: 1e9 } })],
    ['wait.minWait', TYPE, set({ timeout: 1, minWait: none })],
    ['wait.minWait', RANGE, set({ timeout: 1, minWait: -1 })],
    ['wait.minWait', RANGE, set({ timeout: 1, minWait: 2 ** 32 })],
    ['wait.minWait', RANGE, set({ timeout: 1, minWait: Infinity })],
  ])
  t.deepEqual(Buffer.from(region.memory), before, 'and nothing was written')
})

test('registerRegion: names invalid memory', (t) => {
  using ring = new Ring({ entries: 4, disabled: true })
  const memory = pages(1)
  const register = (given: unknown, options?: unknown) => () =>
    ring.registerRegion(given as number, options as object)
  refusals(t, [
    ['memory', TYPE, register('4096')],
    ['memory', TYPE, register(undefined)],
    ['memory', RANGE, register(0)],
    ['memory', RANGE, register(-1)],
    ['memory', RANGE, register(2 ** 32)],
    ['memory', VALUE, register(Buffer.alloc(0))],
    ['memory', VALUE, register(memory.subarray(8))],
    ['memory', VALUE, register(pages(2).subarray(2048, 2048 + 65_536))],
    ['memory', VALUE, register(memory.subarray(0, 100))],
    ['options', TYPE, register(1, 'waits')],
    ['options.waits', TYPE, register(1, { waits: 1 })],
  ])
  t.true(ring.registerRegion(memory, { waits: true }).waits > 0)
})

test('registerRegion: holds its memory until the ring is closed', async (t) => {
  const outcome = await script(
    `
    import { setImmediate as turn } from 'node:timers/promises'
    import { Ring } from 'uring'
    const ring = new Ring({ entries: 4 })
    const memory = new WeakRef(ring.registerRegion(4096).memory.buffer)
    const other = new WeakRef(new SharedArrayBuffer(4096))
    while (other.deref() !== undefined) {
      await turn()
      globalThis.gc()
    }
    console.log(memory.deref()?.byteLength > 4096, ring.closed)
    `,
    ['--expose-gc'],
  )
  t.deepEqual(outcome, { code: 0, signal: null, stdout: 'true false\n', stderr: '' })
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
      `ERR_URING_UNSUPPORTED -22 io_uring_register Ring.${name}() needs Linux ${version} or later, built with support for it, and this is 5.4.0\n`,
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
