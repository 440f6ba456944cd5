// Chains: operations that run one after the other, as one submission.

import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'ava'
import {
  AbortError,
  ChainError,
  Close,
  Fsync,
  LinkTimeout,
  MkDirAt,
  Nop,
  OpenAt,
  Pipe,
  Read,
  Readv,
  Ring,
  Splice,
  Statx,
  Tee,
  Timeout,
  TimeoutError,
  UringError,
  Write,
} from 'uring'
import { directory, fifo, file } from '../helpers/files.ts'
import { pipe } from '../helpers/pipes.ts'
import { nextTurn, rejection } from '../helpers/promises.ts'

/** Results of the steps, and codes of their errors. */
function outcomesOf(error: unknown): unknown[] {
  return (error as ChainError).outcomes.map(({ result, error }) => error?.code ?? result)
}

/** Whether a descriptor of this process leads there. */
function isOpen(path: string): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false
    }
  })
}

test('the values come in order, each of its type', async (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd, path } = file(t)
  const room = Buffer.alloc(5)
  const [written, synced, read, stats, nothing] = await ring.chain([
    new Write(fd, Buffer.from('hello'), { offset: 0 }),
    new Fsync(fd, { datasync: true }),
    new Read(fd, room, { offset: 0 }),
    new Statx(path),
    new Nop({ result: 9 }).build(),
  ])
  const numbers: number[] = [written, synced, read, stats.size, nothing]
  t.deepEqual(numbers, [5, 0, 5, 5, 9])
  t.is(room.toString(), 'hello')
  t.true(stats.isFile())
  t.deepEqual(await ring.chain([]), [])
  t.deepEqual(await ring.chain([new Timeout(1)]), ['expired'])
  const [[one], [other]] = await Promise.all([ring.chain([new Nop()]), ring.chain([new Nop({ result: 1 })])])
  t.deepEqual([one, other], [0, 1])
})

test('a step begins when the one before it is done', async (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd, path } = file(t)
  const gate = fifo(t)
  const chain = ring.chain([new Read(gate, Buffer.alloc(1)), new Write(fd, Buffer.from('after'))])
  await nextTurn()
  t.is(ring.inFlight, 2)
  t.is(await ring.run(new Nop()), 0, 'others do not wait for it')
  t.is(readFileSync(path, 'utf8'), '')
  writeSync(gate, 'x')
  t.deepEqual(await chain, [1, 5])
  t.is(readFileSync(path, 'utf8'), 'after')
})

test('a chain is what it was when it was asked for', async (t) => {
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
  t.is(write.build().bytes[1], 0, 'the operations are not marked')
})

for (const step of [0, 1, 2, 3]) {
  test(`a failing step cancels what is behind it: step ${step} of 4`, async (t) => {
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
    t.true(hard instanceof ChainError, 'a hard chain goes on, and rejects')
    t.like(hard, { step, code: 'ENOENT' })
    t.deepEqual(
      outcomesOf(hard),
      [0, 1, 2, 3].map((index) => (index === step ? 'ENOENT' : index)),
    )
  })
}

test('the first of several failures is named; a failure that cancels nothing rejects too', async (t) => {
  using ring = new Ring({ entries: 8 })
  const path = directory(t)
  const hard = await rejection(
    ring.chain([new Nop(), new Read(1_000_000, Buffer.alloc(1)), new OpenAt('/nowhere')], { hard: true }),
  )
  t.like(hard, { step: 1, code: 'EBADF', operation: 'Read' })
  t.deepEqual(outcomesOf(hard), [0, 'EBADF', 'ENOENT'])
  // Whether the kernel cancels the rest here differs; what counts is that the step is named.
  const soft = await rejection(ring.chain([new MkDirAt(path), new Nop({ result: 1 })]))
  t.like(soft, { step: 0, code: 'EEXIST', path })
  t.is((soft as ChainError).outcomes.length, 2)
})

test('a step that the kernel does not even take is named, not one that was cancelled for it', async (t) => {
  using ring = new Ring({ entries: 8 })
  for (const hard of [false, true]) {
    const error = await rejection(
      ring.chain([new Nop(), new LinkTimeout(60_000), new Nop(), new OpenAt(''), new Nop()], { hard }),
    )
    t.like(error, { step: 3, code: 'ENOENT', operation: 'OpenAt' })
    t.is(ring.inFlight, 0)
  }
})

test('a short transfer breaks a chain, and is named', async (t) => {
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

test('a short transfer with a timeout of its own breaks a chain, and is named', async (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'hello')
  const error = await rejection(
    ring.chain([new Read(fd, Buffer.alloc(10), { offset: 0 }), new LinkTimeout(60_000), new Nop()]),
  )
  t.like(error, { step: 0, code: 'ERR_URING_SHORT', operation: 'Read' })
  t.is((error as ChainError).outcomes[1]?.value, 'cancelled')
})

test('a short transfer does not break a hard chain, nor one that ends with it', async (t) => {
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

test('a step that was cancelled by somebody is not called short', async (t) => {
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

test('a LinkTimeout watches the step before it', async (t) => {
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

test('a chain that is longer than the queue is refused, one that fits is not', async (t) => {
  using ring = new Ring({ entries: 4 })
  const long = Array.from({ length: 5 }, () => new Nop())
  await t.throwsAsync(ring.chain(long), { instanceOf: UringError, code: 'ERR_URING_SQ_FULL' })
  t.deepEqual(await ring.chain(long.slice(1)), [0, 0, 0, 0])
  t.is(ring.stats().submitted, 4)
})

test('many chains at once are neither split nor mixed', async (t) => {
  using ring = new Ring({ entries: 8, cqEntries: 16 })
  const { fd, path } = file(t)
  const COUNT = 200
  let most = 0
  const chains = Array.from({ length: COUNT }, async (_, index) => {
    // Each writes its own place twice; a chain that was cut would read before it has written.
    const room = Buffer.alloc(4)
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(index)
    const offset = index * 4
    const values = await ring.chain([
      new Nop({ result: index }),
      new Write(fd, Buffer.from('....'), { offset }).async(),
      new Write(fd, bytes, { offset }),
      new Fsync(fd),
      new Read(fd, room, { offset }),
    ])
    most = Math.max(most, ring.inFlight)
    return [...values, room.readUInt32LE()]
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

test('chains and single operations are submitted in the order in which they were asked for', async (t) => {
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

// ---- signal and timeout

test('a signal that is aborted already: nothing is submitted', async (t) => {
  using ring = new Ring({ entries: 8 })
  const reason = new Error('mine')
  const error = await rejection(ring.chain([new Nop()], { signal: AbortSignal.abort(reason) }))
  t.true(error instanceof AbortError)
  t.is((error as AbortError).cause, reason)
  t.is(ring.stats().submitted, 0)
})

for (const [name, hard] of [
  ['a chain', false],
  ['a hard chain', true],
] as const) {
  for (const way of ['signal', 'timeout'] as const) {
    test(`${name} that is cancelled by its ${way}: every step is in before it rejects`, async (t) => {
      using ring = new Ring({ entries: 8 })
      const gates = [fifo(t), fifo(t), fifo(t)]
      const reason = new Error('mine')
      const controller = new AbortController()
      const chain = rejection(
        ring.chain(
          [
            new Nop({ result: 1 }),
            ...gates.map((gate) => new Read(gate, Buffer.alloc(1))),
            new Nop({ result: 2 }),
          ],
          way === 'signal' ? { hard, signal: controller.signal } : { hard, timeout: 20.5 },
        ),
      )
      await nextTurn()
      controller.abort(reason)
      const error = (await chain) as AbortError | TimeoutError
      t.is(ring.inFlight, 0)
      const broken = error.cause as ChainError
      if (way === 'signal') {
        t.true(error instanceof AbortError)
        t.is(broken.cause, reason)
      } else {
        t.true(error instanceof TimeoutError)
        t.regex(error.message, /20\.5 ms/)
      }
      t.true(broken instanceof ChainError)
      t.like(broken, { step: 1, code: 'ECANCELED', operation: 'Read' })
      const reads = ['ECANCELED', 'ECANCELED', 'ECANCELED']
      t.deepEqual(outcomesOf(broken), [1, ...reads, hard ? 2 : 'ECANCELED'])
      for (const gate of gates) {
        writeSync(gate, 'x')
        t.is(readSync(gate, Buffer.alloc(2)), 1, 'nobody reads any more')
      }
    })
  }
}

test('a step that begins a moment after the signal is cancelled as well', async (t) => {
  // A worker of the kernel says that a step is done before it starts the next one.
  using ring = new Ring({ entries: 8, submitAll: false })
  const { fd } = file(t, 'x')
  const { read: gate } = pipe(t)
  for (let round = 0; round < 300; round += 1) {
    const controller = new AbortController()
    const chain = rejection(
      ring.chain(
        [
          new Read(fd, Buffer.alloc(1), { offset: 0 }).async(),
          new Fsync(fd),
          new Read(gate, Buffer.alloc(1)),
        ],
        { signal: controller.signal, hard: true },
      ),
    )
    if (round % 3 > 0) await nextTurn()
    if (round % 3 > 1) await nextTurn()
    controller.abort()
    const error = await chain
    if (!(error instanceof AbortError)) t.fail(`${error}`)
  }
  t.is(ring.inFlight, 0)
})

test('a signal after the end does nothing, and a failure of its own is no abort', async (t) => {
  using ring = new Ring({ entries: 8 })
  const controller = new AbortController()
  const { signal } = controller
  t.deepEqual(await ring.chain([new Nop(), new Nop()], { signal, timeout: 60_000 }), [0, 0])
  const failing = rejection(ring.chain([new Nop(), new OpenAt('/nowhere')], { signal, timeout: 60_000 }))
  await nextTurn()
  controller.abort()
  t.like(await failing, { name: 'ChainError', code: 'ENOENT', step: 1 })
  t.is(ring.inFlight, 0)
  t.deepEqual(await ring.chain([new Nop()], { timeout: Infinity }), [0])
  t.deepEqual(await ring.chain([new Timeout(20)], { timeout: 2 ** 40 }), ['expired'])
})

test('a chain that waits for room is taken back whole', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const gate = fifo(t)
  const reads = Array.from({ length: 6 }, () => ring.run(new Read(gate, Buffer.alloc(1))))
  const controller = new AbortController()
  const operations = [new Nop(), new Nop(), new Nop()]
  const aborted = rejection(ring.chain(operations, { signal: controller.signal }))
  await nextTurn()
  const { submitted } = ring.stats()
  const late = rejection(ring.chain(operations, { timeout: 1 }))
  t.is(ring.pending, 2)
  controller.abort()
  const error = await aborted
  t.true(error instanceof AbortError)
  t.deepEqual(outcomesOf((error as AbortError).cause), Array(3).fill('ECANCELED'))
  t.true((await late) instanceof TimeoutError)
  t.is(ring.pending, 0)
  t.is(ring.inFlight, 6)
  t.is(submitted, 6)
  writeSync(gate, 'xxxxxx')
  await Promise.all(reads)
})

test('what a chain opens after it was aborted is closed; what it opened before is told', async (t) => {
  using ring = new Ring({ entries: 8 })
  const gate = fifo(t)
  const { path } = file(t)
  const named = join(directory(t), 'fifo')
  execFileSync('mkfifo', [named])
  const controller = new AbortController()
  const chain = rejection(
    ring.chain(
      [
        new OpenAt(path, { flags: 'w' }),
        new OpenAt(named).async(), // waits in a worker for somebody who writes
        new Read(gate, Buffer.alloc(1)),
      ],
      { signal: controller.signal },
    ),
  )
  let writer: number | undefined
  while (writer === undefined) {
    await nextTurn()
    try {
      writer = openSync(named, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch {
      // It is not there yet.
    }
  }
  controller.abort() // it has been opened, and nobody was told yet
  const error = await chain
  closeSync(writer)
  t.true(error instanceof AbortError)
  const { outcomes, step } = (error as AbortError).cause as ChainError
  t.is(step, 2)
  const [first, second, third] = outcomes
  t.is(readlinkSync(`/proc/self/fd/${Number(first?.value)}`), path)
  closeSync(Number(first?.value))
  t.true((second?.result ?? -1) >= 0)
  t.is(second?.value, undefined)
  t.is(third?.error?.code, 'ECANCELED')
  while (ring.inFlight > 0) await nextTurn()
  t.false(isOpen(named))
})

test.serial('both ends of a pipe that a chain makes after it was aborted are closed', async (t) => {
  using ring = new Ring({ entries: 8 })
  const gate = fifo(t)
  await ring.run(new Nop()) // from here on the ring has all the descriptors that it needs
  const before = readdirSync('/proc/self/fd').length
  const controller = new AbortController()
  const steps = [new Read(gate, Buffer.alloc(1)), new Pipe()]
  const chain = rejection(ring.chain(steps, { hard: true, signal: controller.signal }))
  await nextTurn()
  controller.abort()
  const error = await chain
  t.true(error instanceof AbortError)
  const { outcomes } = (error as AbortError).cause as ChainError
  t.deepEqual(
    outcomes.map(({ result, value }) => [result, value]),
    [
      [-125, undefined],
      [0, undefined],
    ],
  )
  while (ring.inFlight > 0) await nextTurn()
  t.is(readdirSync('/proc/self/fd').length, before)
})

test('what a chain opens is its own when it was aborted too late', async (t) => {
  using ring = new Ring({ entries: 8 })
  const named = join(directory(t), 'fifo')
  execFileSync('mkfifo', [named])
  const controller = new AbortController()
  const chain = ring.chain([new Nop(), new OpenAt(named).async()], { signal: controller.signal })
  let writer: number | undefined
  while (writer === undefined) {
    await nextTurn()
    try {
      writer = openSync(named, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch {
      // It is not there yet.
    }
  }
  controller.abort()
  const [, fd] = await chain
  while (ring.inFlight > 0) await nextTurn()
  t.is(readlinkSync(`/proc/self/fd/${fd}`), named)
  closeSync(fd)
  closeSync(writer)
})

test('a chain opens, and closes what is known before', async (t) => {
  using ring = new Ring({ entries: 8 })
  const path = join(directory(t), 'file')
  writeFileSync(path, 'hello')
  const fd = openSync(path, 'r')
  const room = Buffer.alloc(5)
  t.deepEqual(await ring.chain([new Read(fd, room), new Close(fd)]), [5, 0])
  t.is(room.toString(), 'hello')
  t.false(isOpen(path))
})

test('closing the ring ends a chain step by step, and tells all of it', async (t) => {
  const ring = new Ring({ entries: 8 })
  const gates = [fifo(t), fifo(t)]
  const chain = rejection(
    ring.chain([new Nop(), ...gates.map((gate) => new Read(gate, Buffer.alloc(1)))], { hard: true }),
  )
  await nextTurn()
  await ring.close()
  const error = await chain
  t.like(error, { name: 'ChainError', step: 1, code: 'ECANCELED' })
  t.deepEqual(outcomesOf(error), [0, 'ECANCELED', 'ECANCELED'])
})
