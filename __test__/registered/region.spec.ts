// registerRegion: waits in memory that the ring shares with the kernel.

import test, { type ExecutionContext } from 'ava'
import { EnterFlags, Nop, Region, type RegionWait, Ring, type RingOptions, Timeout, UringError } from 'uring'
import { ioUringEnter } from 'uring/sys'
import { script } from '../helpers/process.ts'
import { enable, pages, refusals, refused } from '../helpers/registrations.ts'

const EINVAL = -22
const ETIME = -62
const { GETEVENTS, EXT_ARG, EXT_ARG_REG, REGISTERED_RING } = EnterFlags
const TYPE = 'ERR_INVALID_ARG_TYPE'
const VALUE = 'ERR_INVALID_ARG_VALUE'
const RANGE = 'ERR_OUT_OF_RANGE'
const none = 'x' as unknown as number

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
