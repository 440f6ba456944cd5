// Tests the constructor of Ring, its properties, and close().

import { readlinkSync, readdirSync, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import test from 'ava'
import { Features, Nop, Read, Ring, SetupFlags, UringError, Write } from 'uring'
import { fifo, file } from '../helpers/files.ts'

function ringDescriptors(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[io_uring]'
    } catch {
      return false // the descriptor that read the directory
    }
  }).length
}

test('Ring: rounds sizes up to powers of two; cqEntries defaults to four times entries', (t) => {
  using small = new Ring({ entries: 12 })
  t.is(small.entries, 16)
  t.is(small.cqEntries, 64)
  using chosen = new Ring({ entries: 8, cqEntries: 100 })
  t.is(chosen.cqEntries, 128)
  using whole = new Ring()
  t.is(whole.entries, 256)
  t.is(whole.cqEntries, 1024)
})

test('Ring: clamp reduces sizes to the limits of the kernel', (t) => {
  using ring = new Ring({ entries: 1 << 20, clamp: true })
  t.is(ring.entries, 32_768)
})

test('Ring: sets the best setup flags by default', (t) => {
  using ring = new Ring()
  const { SINGLE_ISSUER, DEFER_TASKRUN, TASKRUN_FLAG, SUBMIT_ALL, NO_SQARRAY } = SetupFlags
  const best = SINGLE_ISSUER | DEFER_TASKRUN | TASKRUN_FLAG | SUBMIT_ALL | NO_SQARRAY
  t.is(ring.setupFlags & best, best)
  t.truthy(ring.features & Features.NODROP)
})

test('Ring: sets exactly the given setup flags, even if all are false', (t) => {
  const mode =
    SetupFlags.SINGLE_ISSUER |
    SetupFlags.DEFER_TASKRUN |
    SetupFlags.COOP_TASKRUN |
    SetupFlags.TASKRUN_FLAG |
    SetupFlags.SUBMIT_ALL
  using plain = new Ring({ submitAll: false })
  t.is(plain.setupFlags & mode, 0)
  using cooperative = new Ring({ coopTaskrun: true, taskrunFlag: true })
  t.is(cooperative.setupFlags & mode, SetupFlags.COOP_TASKRUN | SetupFlags.TASKRUN_FLAG)
})

test('Ring: throws EINVAL for options that the kernel does not combine', (t) => {
  const error = t.throws(() => new Ring({ deferTaskrun: true }), { instanceOf: UringError })
  t.is(error.code, 'EINVAL')
  t.is(error.errno, -22)
  t.is(error.syscall, 'io_uring_setup')
  t.throws(() => new Ring({ cqe32: true, cqeMixed: true }), { code: 'EINVAL' })
})

for (const [name, options] of Object.entries({
  plain: { submitAll: false },
  cooperative: { coopTaskrun: true },
  deferred: { singleIssuer: true, deferTaskrun: true },
  sqPoll: { sqPoll: true },
  'sqPoll, idle after 1 ms': { sqPoll: { idle: 1, cpu: 0 } },
  sqe128: { sqe128: true },
  cqe32: { cqe32: true },
  cqeMixed: { cqeMixed: true },
  'sqe128 and cqe32': { sqe128: true, cqe32: true },
  noSqArray: { submitAll: true, noSqArray: true },
})) {
  test(`Ring: completes operations in mode: ${name}`, (t) => {
    using ring = new Ring({ entries: 8, ...options })
    for (let round = 0; round < 20; round += 1) {
      const tokens = [0, 1, 2, 3, 4].map((index) => ring.push(new Nop({ result: index }), index))
      t.is(ring.submit(), 5)
      const done = ring.waitMany(5)
      t.deepEqual(
        done.map((completion) => completion.result),
        [0, 1, 2, 3, 4],
      )
      t.deepEqual(
        done.map((completion) => completion.token),
        tokens,
      )
    }
    t.is(ring.inFlight, 0)
  })
}

test('Ring: attach shares kernel workers', (t) => {
  using first = new Ring({ entries: 4 })
  using second = new Ring({ entries: 4, attach: first })
  t.truthy(second.setupFlags & SetupFlags.ATTACH_WQ)
  second.push(new Nop())
  t.true(second.wait()?.ok)
})

test('submit: throws EBADFD on a disabled ring and keeps its entries', (t) => {
  using ring = new Ring({ entries: 4, disabled: true })
  ring.push(new Nop())
  t.throws(() => ring.submit(), { code: 'EBADFD' })
  t.is(ring.sqReady, 1)
})

test('Completion.extra: has both halves of a CQE32', (t) => {
  for (const mode of [{ cqe32: true }, { cqeMixed: true }]) {
    using ring = new Ring({ entries: 4, ...mode })
    // In a mixed queue CQE32s reach the end of the queue again and again.
    for (let round = 0; round < 20; round += 1) {
      ring.push(new Nop({ extra: [1n << 63n, round] }))
      ring.push(new Nop())
      const [extended, plain] = ring.waitMany(2)
      t.deepEqual(extended?.extra, [1n << 63n, BigInt(round)])
      t.deepEqual(plain?.extra, 'cqe32' in mode ? [0n, 0n] : undefined)
    }
  }
  using ring = new Ring({ entries: 4 })
  ring.push(new Nop({ extra: [1, 2] }))
  t.is(ring.wait()?.error?.code, 'EINVAL')
})

test('supports: returns true for a known opcode and false for an unknown one', (t) => {
  using ring = new Ring({ entries: 4 })
  t.true(ring.supports(Read))
  t.false(ring.supports({ opcode: 255 }))
})

test('close: every later call throws ERR_URING_CLOSED, but closing again is allowed', async (t) => {
  for (const close of [
    (ring: Ring) => ring.close(),
    (ring: Ring) => ring[Symbol.dispose](),
    (ring: Ring) => ring[Symbol.asyncDispose](),
  ]) {
    const ring = new Ring({ entries: 4 })
    t.false(ring.closed)
    await close(ring)
    t.true(ring.closed)
    t.is(ring.fd, -1)
    for (const use of [
      () => ring.push(new Nop()),
      () => ring.pushAll([new Nop()]),
      () => ring.submit(),
      () => ring.submitAndWait(1),
      () => ring.wait(),
      () => ring.waitMany(1),
      () => ring.tryWait(),
      () => ring.peek(),
      () => ring.drain(() => {}),
      () => ring.flush(),
      () => ring.enter(0, 0, 0),
      () => ring.supports(Nop),
      () => ring.sqNeedsEnter,
      () => ring.cqNeedsFlush,
      () => ring.cqOverflowed,
      () => new Ring({ attach: ring }),
    ]) {
      t.throws(use, { instanceOf: UringError, code: 'ERR_URING_CLOSED' })
    }
    t.deepEqual([ring.sqReady, ring.cqReady, ring.inFlight], [0, 0, 0])
    await ring.close()
    ring[Symbol.dispose]()
    await ring[Symbol.asyncDispose]()
  }
})

test.serial('close: resolves when the operations in flight are cancelled', async (t) => {
  const fd = fifo(t)
  const before = ringDescriptors()
  const ring = new Ring({ entries: 4 })
  ring.push(new Read(fd, Buffer.alloc(8)))
  ring.submit()
  t.is(ring.inFlight, 1)
  const closing = ring.close()
  t.throws(() => ring.submit(), { code: 'ERR_URING_CLOSED' })
  await closing
  t.is(ringDescriptors(), before)
})

for (const [name, close] of [
  ['close()', (ring: Ring) => ring.close()],
  ['dispose', (ring: Ring) => ring[Symbol.dispose]()],
] as const) {
  test.serial(`${name}: waits for a write that cannot be cancelled`, async (t) => {
    const bytes = Buffer.alloc(64 * 1024 * 1024, 'x')
    for (;;) {
      const { path, fd } = file(t)
      const ring = new Ring({ entries: 4 })
      ring.push(new Write(fd, bytes, { offset: 0 }).async())
      ring.submit()
      // Waits until a kernel worker has begun to write. The test continues in the poll phase of the event loop, so that
      // the immediate runs before the loop can poll for the end of the write.
      while ((await stat(path)).size === 0);
      let turned = false
      setImmediate(() => void (turned = true))
      const closing = close(ring)
      const isWriting = statSync(path).size < bytes.length
      await closing
      // The kernel does not read the buffer any more.
      const { size } = statSync(path)
      t.is(size, bytes.length)
      if (name === 'close()' && !isWriting) continue // the write was done before close(): try again
      t.is(isWriting, name === 'close()', 'dispose blocks')
      t.is(turned, name === 'close()', 'close() lets the event loop turn, dispose blocks')
      break
    }
  })
}

test.serial('close: leaks no descriptor over a thousand rings', async (t) => {
  const before = ringDescriptors()
  for (let index = 0; index < 1000; index += 1) {
    const ring = new Ring({ entries: 4 })
    ring.push(new Nop())
    ring.submit()
    if (index % 2 === 0) ring[Symbol.dispose]()
    else await ring.close()
  }
  t.is(ringDescriptors(), before)
})
