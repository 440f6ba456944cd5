// cancelSync: the operations that it finds and waits for, and their completions.

import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  FixedFile,
  OpenAt,
  type Operation,
  Read,
  Ring,
  type RingOptions,
  Timeout,
  UringError,
  Write,
} from 'uring'
import { directory, fifo } from '../helpers/files.ts'
import { OK, PRELUDE, runWithWaker, WAKERS } from '../helpers/waker.ts'

const MODES: readonly [string, RingOptions][] = [
  ['in the best mode', {}],
  ['in the plain mode', { submitAll: false }],
  ['with a polling thread', { sqPoll: { idle: 50 } }],
]
const ECANCELED = -125

const read = (fd: number | FixedFile): Read => new Read(fd, Buffer.alloc(8))

/** Returns the next completions: their user data and results. */
function completed(ring: Ring, count: number): [unknown, number][] {
  return ring
    .waitMany(count, { timeout: 20_000 })
    .map(({ userData, result }): [unknown, number] => [userData, result])
    .toSorted(([a], [b]) => String(a).localeCompare(String(b)))
}

for (const [name, mode] of MODES) {
  test(`cancelSync: each target finds its operations, and their completions arrive, ${name}`, (t) => {
    using ring = new Ring({ entries: 16, ...mode })
    const [one, two] = [fifo(t), fifo(t)]
    ring.registerFiles([two])
    const tokens = new Map<string, number>()
    const start = (label: string, operation: Operation<unknown>): void => {
      tokens.set(label, ring.push(operation, label))
      ring.submit()
    }
    const found = (count: number, ...labels: string[]): void => {
      t.deepEqual(
        completed(ring, count),
        labels.map((label) => [label, ECANCELED]),
      )
      t.is(ring.tryWait(), undefined)
    }
    start('a', read(one))
    start('b', read(one))
    start('c', read(two))
    start('d', read(new FixedFile(0)))
    start('e', new Timeout(600_000))
    t.is(ring.cancelSync(tokens.get('b') ?? 0), 1)
    found(1, 'b')
    t.is(ring.cancelSync(tokens.get('b') ?? 0), 0, 'it is gone')
    t.is(ring.cancelSync({ file: one }), 1)
    found(1, 'a')
    t.is(ring.cancelSync({ file: new FixedFile(0) }), 1, 'the first of those on it')
    t.is(completed(ring, 1).length, 1)
    t.is(ring.cancelSync({ file: two }), 1)
    t.is(completed(ring, 1).length, 1)
    t.is(ring.cancelSync({ opcode: Read.opcode }), 0)
    t.is(
      ring.cancelSync({ opcode: Timeout.opcode, token: tokens.get('a') ?? 0 }),
      0,
      'all keys have to match',
    )
    t.is(ring.cancelSync({ opcode: Read.opcode, token: tokens.get('e') ?? 0 }), 0)
    t.is(ring.cancelSync({ opcode: Timeout.opcode, token: tokens.get('e') ?? 0 }), 1)
    found(1, 'e')
    for (const label of ['f', 'g', 'h']) start(label, read(one))
    start('i', read(two))
    t.is(ring.cancelSync({ opcode: Read.opcode, file: one }, { all: true }), 3)
    found(3, 'f', 'g', 'h')
    start('j', new Timeout(600_000))
    t.is(ring.cancelSync('any'), 2)
    found(2, 'i', 'j')
    t.is(ring.cancelSync('any'), 0)
    t.is(ring.cancelSync('any', { all: true }), 0)
    t.is(ring.inFlight, 0)
  })
}

test('cancelSync: does not find entries that are not submitted', (t) => {
  using ring = new Ring({ entries: 8 })
  const gate = fifo(t)
  const token = ring.push(read(gate), 'pushed')
  t.is(ring.cancelSync(token), 0)
  t.is(ring.cancelSync('any'), 0)
  t.is(ring.sqReady, 1)
  ring.submit()
  t.is(ring.cancelSync(token), 1)
  t.deepEqual(completed(ring, 1), [['pushed', ECANCELED]])
})

test('cancelSync: finds operations of run() in flight, enqueued, or waiting for capacity', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 4 })
  const gate = fifo(t)
  const codes: unknown[] = []
  const run = (): Promise<void> =>
    ring.run(read(gate)).then(
      () => t.fail(),
      ({ code }) => void codes.push(code),
    )
  const pushed = ring.push(read(gate), 'pushed')
  ring.submit()
  const early = [run(), run()]
  await new Promise((resolve) => setImmediate(resolve))
  t.is(ring.inFlight, 3)
  const late = Array.from({ length: 4 }, run)
  t.is(ring.pending, 2)
  t.is(ring.cancelSync({ opcode: Read.opcode }, { all: true }), 7)
  t.deepEqual([codes, ring.pending], [[], 0], 'no callback runs inside the call')
  await Promise.all([...early, ...late])
  t.deepEqual(codes, Array(6).fill('ECANCELED'))
  t.deepEqual(completed(ring, 1), [['pushed', ECANCELED]])
  t.is(ring.cancelSync(pushed), 0)

  // An operation that waits for capacity counts as one.
  const busy = Array.from({ length: 5 }, run)
  t.is(ring.pending, 1)
  t.is(ring.cancelSync({ opcode: Timeout.opcode }), 0)
  t.throws(() => ring.cancelSync({ file: new FixedFile(gate) }), { code: 'EBADF' }, 'another file')
  t.is(ring.pending, 1)
  t.is(ring.cancelSync({ file: gate }), 1)
  t.is(ring.pending, 0)
  t.is(ring.cancelSync('any'), 4)
  await Promise.all(busy)
  t.is(codes.length, 11)
})

test('cancelSync: waits for a worker that can be interrupted', (t) => {
  using ring = new Ring({ entries: 8 })
  const path = join(directory(t), 'fifo')
  execFileSync('mkfifo', [path])
  for (let round = 0; round < 10; round += 1) {
    const token = ring.push(new OpenAt(path, { flags: 'r' }).async(), 'open')
    ring.submit()
    let found = 0
    // For a moment the operation is neither in the queue nor in the worker.
    while (found === 0 && ring.tryWait() === undefined && ring.inFlight > 0) found = ring.cancelSync(token)
    t.is(found, 1)
    const [completion] = ring.waitMany(1, { timeout: 20_000 })
    t.is(completion?.userData, 'open')
    t.true((completion?.result ?? 0) < 0)
  }
})

const BYTES = 64 * 1024 * 1024
const zeros = Buffer.alloc(BYTES)

/** Starts a write that a worker runs and that nothing interrupts. Returns its token, and a function for its progress. */
function writing(t: ExecutionContext, ring: Ring): { token: number; size: () => number } {
  // In memory, so that no disk delays it.
  const path = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'uring-test-'))
  const fd = openSync(join(path, 'file'), 'w+')
  rmSync(path, { recursive: true })
  t.teardown(() => closeSync(fd))
  const token = ring.push(new Write(fd, zeros, { offset: 0 }).async(), 'write')
  ring.submit()
  const size = (): number => fstatSync(fd).size
  while (size() === 0);
  return { token, size }
}

test.serial(
  'cancelSync: waits for an operation that cannot be interrupted until the timeout or its end',
  (t) => {
    for (let round = 0; round < 30; round += 1) {
      using ring = new Ring({ entries: 8 })
      const { token, size } = writing(t, ring)
      try {
        ring.cancelSync(token, { timeout: 0 })
        continue // it ended before the call
      } catch (error) {
        t.true(error instanceof UringError)
        t.like(error, { code: 'ETIME', errno: -62, syscall: 'io_uring_register' })
      }
      if (size() === BYTES) continue
      t.is(ring.cancelSync(token), 1)
      t.is(size(), BYTES, 'it has ended')
      t.deepEqual(completed(ring, 1), [['write', BYTES]])
      return
    }
    t.fail('every write was over at once')
  },
)

test.serial('cancelSync: with all, neither waits for nor counts operations in workers', (t) => {
  for (const [target, options] of [
    ['any', {}],
    ['any', { all: true }],
    [{ opcode: Write.opcode }, { all: true, timeout: Infinity }],
  ] as const) {
    using ring = new Ring({ entries: 8 })
    const gate = fifo(t)
    ring.push(read(gate), 'read')
    ring.submit()
    const { size } = writing(t, ring)
    t.is(ring.cancelSync(target, options), target === 'any' ? 1 : 0)
    if (target === 'any') t.deepEqual(completed(ring, 1), [['read', ECANCELED]])
    t.deepEqual(completed(ring, 1), [['write', BYTES]], 'nothing is lost')
    t.is(size(), BYTES)
  }
})

for (const [name, waker] of WAKERS) {
  test(`cancelSync: a cancelled promise rejects, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      const [gate] = fifos(1)
      const ring = new Ring({ entries: 8 })
      for (let round = 0; round < 20; round += 1) {
        const codes = []
        const reads = [1, 2, 3].map(() => ring.run(new Read(gate, Buffer.alloc(8))).catch(({ code }) => codes.push(code)))
        ring.start(new Read(gate, Buffer.alloc(8)), (result) => codes.push(result))
        if (round % 2) await turn()
        assert.equal(ring.cancelSync({ file: gate }, { all: true }), 4)
        assert.deepEqual(codes, [])
        await Promise.all(reads)
        await turn()
        assert.deepEqual(codes.toSorted(), [-125, 'ECANCELED', 'ECANCELED', 'ECANCELED'])
      }
      // Also inside a callback.
      const told = []
      const waiting = ring.run(new Read(gate, Buffer.alloc(8))).catch(({ code }) => told.push(code))
      await new Promise((resolve) => ring.start(new Nop(), () => { told.push(ring.cancelSync('any')); resolve() }))
      await waiting
      assert.deepEqual(told, [1, 'ECANCELED'])
      unread(gate)
      await ring.close()
      console.log('ok')
    `,
    )
    t.deepEqual(outcome, OK)
  })
}

test('cancelSync: finds nothing on a disabled ring', (t) => {
  using ring = new Ring({ entries: 8, disabled: true })
  ring.push(new Timeout(600_000), 'timeout')
  t.throws(() => ring.submit(), { code: 'EBADFD' })
  t.is(ring.cancelSync('any'), 0)
  ring.enable()
  ring.submit()
  t.is(ring.cancelSync('any'), 1)
  t.deepEqual(completed(ring, 1), [['timeout', ECANCELED]])
})

test('cancelSync: names invalid arguments, and cancels nothing', (t) => {
  const ring = new Ring({ entries: 8 })
  const gate = fifo(t)
  const token = ring.push(read(gate), 'read')
  ring.submit()
  const bad = (use: () => unknown, code: string, name: string): void => {
    const error = t.throws(use)
    t.is((error as NodeJS.ErrnoException).code, code, name)
    t.true(error?.message.includes(name), error?.message)
  }
  const TYPE = 'ERR_INVALID_ARG_TYPE'
  const RANGE = 'ERR_OUT_OF_RANGE'
  for (const value of [undefined, null, 'all', 1n, true])
    bad(() => ring.cancelSync(value as never), TYPE, '"target"')
  for (const value of [-1, 1.5, 2 ** 53]) bad(() => ring.cancelSync(value), RANGE, '"target"')
  bad(() => ring.cancelSync({}), 'ERR_INVALID_ARG_VALUE', "'target'")
  bad(() => ring.cancelSync({ token: -1 }), RANGE, '"target.token"')
  bad(() => ring.cancelSync({ opcode: 256 }), RANGE, '"target.opcode"')
  bad(() => ring.cancelSync({ file: 'x' as never }), TYPE, '"target.file"')
  for (const value of [null, 1, []]) bad(() => ring.cancelSync('any', value as never), TYPE, '"options"')
  bad(() => ring.cancelSync('any', { all: 1 as never }), TYPE, '"options.all"')
  bad(() => ring.cancelSync('any', { timeout: '1' as never }), TYPE, '"options.timeout"')
  for (const value of [-1, Number.NaN])
    bad(() => ring.cancelSync('any', { timeout: value }), RANGE, '"options.timeout"')
  t.throws(() => ring.cancelSync({ file: 1_000_000 }), { instanceOf: UringError, code: 'EBADF' })
  t.throws(() => ring.cancelSync({ file: new FixedFile(3) }), { instanceOf: UringError, code: 'EBADF' })
  t.is(ring.tryWait(), undefined)
  t.is(ring.cancelSync({ token, file: { fd: gate } }, { all: false, timeout: Infinity }), 1)
  t.deepEqual(completed(ring, 1), [['read', ECANCELED]])

  const closing = {
    get opcode(): number {
      ring[Symbol.dispose]()
      return 1
    },
  }
  t.throws(() => ring.cancelSync(closing), { code: 'ERR_URING_CLOSED' })
  t.throws(() => ring.cancelSync('any'), { code: 'ERR_URING_CLOSED' })
})
