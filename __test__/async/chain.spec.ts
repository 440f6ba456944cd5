// Tests chain(): values, failing steps, and order.

import { openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  ChainError,
  Close,
  Fsync,
  LinkTimeout,
  MkDirAt,
  Nop,
  OpenAt,
  Read,
  Readv,
  Ring,
  Splice,
  Statx,
  Tee,
  Timeout,
  UringError,
  Write,
} from 'uring'
import { directory, fifo, file } from '../helpers/files.ts'
import { pipe } from '../helpers/pipes.ts'
import { isOpen, nextTurn, outcomesOf, rejection } from '../helpers/promises.ts'

test('chain: resolves to the values of its steps, in order and typed', async (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd, path } = file(t)
  const buffer = Buffer.alloc(5)
  const [written, synced, read, stats, nothing] = await ring.chain([
    new Write(fd, Buffer.from('hello'), { offset: 0 }),
    new Fsync(fd, { datasync: true }),
    new Read(fd, buffer, { offset: 0 }),
    new Statx(path),
    new Nop({ result: 9 }).build(),
  ])
  const numbers: number[] = [written, synced, read, stats.size, nothing]
  t.deepEqual(numbers, [5, 0, 5, 5, 9])
  t.is(buffer.toString(), 'hello')
  t.true(stats.isFile())
  t.deepEqual(await ring.chain([]), [])
  t.deepEqual(await ring.chain([new Timeout(1)]), ['expired'])
  const [[one], [other]] = await Promise.all([ring.chain([new Nop()]), ring.chain([new Nop({ result: 1 })])])
  t.deepEqual([one, other], [0, 1])
})

test('chain: starts a step after the previous one is done', async (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd, path } = file(t)
  const gate = fifo(t)
  const chain = ring.chain([new Read(gate, Buffer.alloc(1)), new Write(fd, Buffer.from('after'))])
  await nextTurn()
  t.is(ring.inFlight, 2)
  t.is(await ring.run(new Nop()), 0, 'other operations do not wait for the chain')
  t.is(readFileSync(path, 'utf8'), '')
  writeSync(gate, 'x')
  t.deepEqual(await chain, [1, 5])
  t.is(readFileSync(path, 'utf8'), 'after')
})

test('chain: encodes its operations at the call, so later changes have no effect', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 4 })
  const gate = fifo(t)
  const { fd, path } = file(t)
  const reads = [0, 1].map(() => ring.run(new Read(gate, Buffer.alloc(1))))
  const write = new Write(fd, Buffer.from('A'), { offset: 0 })
  const operations = [write, write, new Nop()]
  const chain = ring.chain(operations)
  write.bytes = Buffer.from('BBBB')
  operations.length = 1
  await nextTurn()
  t.is(ring.pending, 1)
  writeSync(gate, 'xx')
  t.deepEqual(await chain, [1, 1, 0])
  await Promise.all(reads)
  t.is(readFileSync(path, 'utf8'), 'A')
  t.is(write.build().bytes[1], 0, 'the link flag is not set on the operation itself')
})

for (const step of [0, 1, 2, 3]) {
  test(`chain: a failing step cancels the following steps: step ${step} of 4`, async (t) => {
    using ring = new Ring({ entries: 8 })
    const operations = [0, 1, 2, 3].map((index) =>
      index === step ? new OpenAt('/nowhere') : new Nop({ result: index }),
    )
    const error = (await rejection(ring.chain(operations))) as ChainError
    t.true(error instanceof ChainError)
    t.like(error, { step, code: 'ENOENT', path: '/nowhere', operation: 'OpenAt', syscall: 'open' })
    t.deepEqual(
      outcomesOf(error),
      [0, 1, 2, 3].map((index) => (index < step ? index : index === step ? 'ENOENT' : 'ECANCELED')),
    )
    for (const [index, outcome] of error.outcomes.entries()) {
      t.is(outcome.value, index < step ? index : undefined)
      t.is(outcome.error instanceof UringError, index >= step)
    }
    t.is(error.cause, error.outcomes[step]?.error)
    t.is(ring.inFlight, 0)

    const hard = (await rejection(ring.chain(operations, { hard: true }))) as ChainError
    t.true(hard instanceof ChainError, 'a hard chain continues and still rejects')
    t.like(hard, { step, code: 'ENOENT' })
    t.deepEqual(
      outcomesOf(hard),
      [0, 1, 2, 3].map((index) => (index === step ? 'ENOENT' : index)),
    )
  })
}

test('chain: rejects with the first of several failures, also if it cancels no step', async (t) => {
  using ring = new Ring({ entries: 8 })
  const path = directory(t)
  const hard = await rejection(
    ring.chain([new Nop(), new Read(1_000_000, Buffer.alloc(1)), new OpenAt('/nowhere')], { hard: true }),
  )
  t.like(hard, { step: 1, code: 'EBADF', operation: 'Read' })
  t.deepEqual(outcomesOf(hard), [0, 'EBADF', 'ENOENT'])
  // It depends on the kernel if the rest is cancelled here; only the named step matters.
  const soft = await rejection(ring.chain([new MkDirAt(path), new Nop({ result: 1 })]))
  t.like(soft, { step: 0, code: 'EEXIST', path })
  t.is((soft as ChainError).outcomes.length, 2)
})

test('chain: names a step that fails at submission, not a step that was cancelled because of it', async (t) => {
  using ring = new Ring({ entries: 8 })
  for (const hard of [false, true]) {
    const error = await rejection(
      ring.chain([new Nop(), new LinkTimeout(60_000), new Nop(), new OpenAt(''), new Nop()], { hard }),
    )
    t.like(error, { step: 3, code: 'ENOENT', operation: 'OpenAt' })
    t.is(ring.inFlight, 0)
  }
})

test('chain: rejects with ERR_URING_SHORT after a short transfer', async (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'hello')
  const { read: from, write: to } = pipe(t)
  const copy = pipe(t)
  writeSync(to, 'abc')
  for (const operation of [
    new Read(fd, Buffer.alloc(10), { offset: 0 }),
    new Readv(fd, [Buffer.alloc(3), Buffer.alloc(3)], { offset: 0 }),
    new Tee(from, copy.write, 10),
    new Splice(from, copy.write, 10),
  ]) {
    const result = operation instanceof Read || operation instanceof Readv ? 5 : 3
    const error = (await rejection(ring.chain([new Nop(), operation, new Nop(), new Nop()]))) as ChainError
    const { name } = operation.constructor
    t.true(error instanceof ChainError, name)
    t.like(error, { step: 1, code: 'ERR_URING_SHORT', operation: name, errno: undefined })
    t.deepEqual(outcomesOf(error), [0, 'ERR_URING_SHORT', 'ECANCELED', 'ECANCELED'])
    t.like(error.outcomes[1], { result, value: result })
    t.regex(error.message, new RegExp(`${name} moved ${result} bytes`))
  }
})

test('chain: rejects with ERR_URING_SHORT after a short transfer with a LinkTimeout', async (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'hello')
  const error = await rejection(
    ring.chain([new Read(fd, Buffer.alloc(10), { offset: 0 }), new LinkTimeout(60_000), new Nop()]),
  )
  t.like(error, { step: 0, code: 'ERR_URING_SHORT', operation: 'Read' })
  t.is((error as ChainError).outcomes[1]?.value, 'cancelled')
})

test('chain: accepts a short transfer in a hard chain and as the last step', async (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'hello')
  const short = new Read(fd, Buffer.alloc(10), { offset: 0 })
  t.deepEqual(await ring.chain([short, new Nop({ result: 1 })], { hard: true }), [5, 1])
  t.deepEqual(await ring.chain([new Nop(), short]), [0, 5])
  const full = new Read(fd, Buffer.alloc(5), { offset: 0 })
  t.deepEqual(await ring.chain([full, new Nop({ result: 1 })]), [5, 1])
  const failed = await rejection(ring.chain([full, new OpenAt('/nowhere')]))
  t.like(failed, { step: 1, code: 'ENOENT' })
})

test('chain: rejects with ECANCELED, not ERR_URING_SHORT, if cancel() cancels a step', async (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'hello')
  const gate = fifo(t)
  const chain = rejection(
    ring.chain([new Read(fd, Buffer.alloc(5), { offset: 0 }), new Read(gate, Buffer.alloc(1)), new Nop()]),
  )
  await nextTurn()
  t.is(await ring.cancel({ file: gate }), 1)
  const error = await chain
  t.true(error instanceof ChainError)
  t.like(error, { step: 1, code: 'ECANCELED' })
  t.deepEqual(outcomesOf(error), [5, 'ECANCELED', 'ECANCELED'])
})

test('chain: a LinkTimeout limits the step before it', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  t.deepEqual(await ring.chain([new Nop({ result: 1 }), new LinkTimeout(60_000), new Nop({ result: 2 })]), [
    1,
    'cancelled',
    2,
  ])
  const error = await rejection(
    ring.chain([new Nop(), new Read(fd, Buffer.alloc(1)), new LinkTimeout(1), new Nop()]),
  )
  t.like(error, { name: 'ChainError', step: 1, code: 'ECANCELED', operation: 'Read' })
  t.deepEqual(outcomesOf(error), [0, 'ECANCELED', -62, 'ECANCELED'])
  t.is((error as ChainError).outcomes[2]?.value, 'expired')
})

test('chain: rejects with ERR_URING_SQ_FULL only if it is longer than the queue', async (t) => {
  using ring = new Ring({ entries: 4 })
  const long = Array.from({ length: 5 }, () => new Nop())
  await t.throwsAsync(ring.chain(long), { instanceOf: UringError, code: 'ERR_URING_SQ_FULL' })
  t.deepEqual(await ring.chain(long.slice(1)), [0, 0, 0, 0])
  t.is(ring.stats().submitted, 4)
})

test('chain: hundreds of chains at once are neither split nor mixed', async (t) => {
  using ring = new Ring({ entries: 8, cqEntries: 16 })
  const { fd, path } = file(t)
  const COUNT = 200
  let most = 0
  const chains = Array.from({ length: COUNT }, async (_, index) => {
    // Each chain writes its own range twice; in a split chain the read could run before the second write.
    const buffer = Buffer.alloc(4)
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(index)
    const offset = index * 4
    const values = await ring.chain([
      new Nop({ result: index }),
      new Write(fd, Buffer.from('....'), { offset }).async(),
      new Write(fd, bytes, { offset }),
      new Fsync(fd),
      new Read(fd, buffer, { offset }),
    ])
    most = Math.max(most, ring.inFlight)
    return [...values, buffer.readUInt32LE()]
  })
  const failing = Array.from({ length: COUNT }, (_, index) =>
    rejection(
      ring.chain([new Nop({ result: index }), new Nop(), new Nop({ result: -1 }), new Nop(), new Nop()]),
    ),
  )
  const alone = Array.from({ length: COUNT }, (_, index) => ring.run(new Nop({ result: index })))
  const done = await Promise.all(chains)
  t.deepEqual(
    done,
    Array.from({ length: COUNT }, (_, index) => [index, 4, 4, 0, 4, index]),
  )
  for (const [index, error] of (await Promise.all(failing)).entries()) {
    t.deepEqual(outcomesOf(error), [index, 0, 'EPERM', 'ECANCELED', 'ECANCELED'])
  }
  t.deepEqual(
    await Promise.all(alone),
    Array.from({ length: COUNT }, (_, index) => index),
  )
  t.true(most <= 16)
  t.is(ring.pending, 0)
  t.is(readFileSync(path).length, COUNT * 4)
})

test('chain, run: submit in the order of the calls', async (t) => {
  using ring = new Ring({ entries: 8, cqEntries: 8 })
  const fd = fifo(t)
  const numbers = Array.from({ length: 60 }, (_, index) => index)
  await Promise.all(
    numbers.map((number): Promise<unknown> => {
      const write = new Write(fd, Buffer.of(number))
      return number % 3 === 0 ? ring.run(write) : ring.chain([write, new Nop(), new Nop()])
    }),
  )
  const got = Buffer.alloc(61)
  t.deepEqual([...got.subarray(0, readSync(fd, got))], numbers)
})

test('chain: closes a descriptor after its other steps', async (t) => {
  using ring = new Ring({ entries: 8 })
  const path = join(directory(t), 'file')
  writeFileSync(path, 'hello')
  const fd = openSync(path, 'r')
  const buffer = Buffer.alloc(5)
  t.deepEqual(await ring.chain([new Read(fd, buffer), new Close(fd)]), [5, 0])
  t.is(buffer.toString(), 'hello')
  t.false(isOpen(path))
})
