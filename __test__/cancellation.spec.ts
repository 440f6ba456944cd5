// What was run and is not wanted any more: signals, timeouts, ring.cancel.

import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  AbortError,
  ChainError,
  FixedFile,
  Nop,
  OpenAt,
  Read,
  Ring,
  Timeout,
  TimeoutError,
  UringError,
  Write,
} from 'uring'
import { directory, fifo, file } from './helpers/files.ts'
import { codeOf, listenersOf, nextTurn, rejection } from './helpers/promises.ts'

/** What is in a FIFO, as text. */
function left(fd: number): string {
  const bytes = Buffer.alloc(1000)
  try {
    return bytes.toString('latin1', 0, readSync(fd, bytes))
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return ''
    throw error
  }
}

/** Fills a ring with reads that wait; the function that is returned lets them go. */
async function fill(t: ExecutionContext, ring: Ring): Promise<() => Promise<void>> {
  const gate = fifo(t)
  const reads = Array.from({ length: ring.cqEntries }, () => ring.run(new Read(gate, Buffer.alloc(1))))
  await nextTurn()
  t.is(ring.inFlight, ring.cqEntries)
  return async () => {
    writeSync(gate, 'x'.repeat(reads.length))
    await Promise.all(reads)
  }
}

// ---- signals

test('a signal that is aborted already: nothing is submitted, and the reason is the cause', async (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd, path } = file(t)
  const reason = { mine: true }
  const signal = AbortSignal.abort(reason)
  for (const options of [{ signal }, { signal, timeout: 5 }]) {
    const error = await rejection(ring.run(new Write(fd, Buffer.from('x')), options))
    t.true(error instanceof AbortError)
    t.like(error, { name: 'AbortError', code: 'ABORT_ERR' })
    t.is((error as AbortError).cause, reason)
  }
  t.is(ring.stats().submitted, 0)
  t.is(listenersOf(signal), 0)
  await nextTurn()
  t.is(readFileSync(path, 'utf8'), '')
})

for (const [name, prepare] of [
  ['before it was submitted', () => {}],
  ['while it is in flight', nextTurn],
] as const) {
  for (const timeout of [undefined, 60_000]) {
    test(`a signal ${name}${timeout === undefined ? '' : ', beside a timeout'}: the kernel is done when the promise settles`, async (t) => {
      using ring = new Ring({ entries: 4 })
      const fd = fifo(t)
      const room = Buffer.from('....')
      const controller = new AbortController()
      const reason = new Error('mine')
      const { signal } = controller
      const read = rejection(
        ring.run(new Read(fd, room), timeout === undefined ? { signal } : { signal, timeout }),
      )
      await prepare()
      controller.abort(reason)
      const error = (await read) as AbortError
      t.true(error instanceof AbortError)
      t.like(error.cause, { name: 'UringError', code: 'ECANCELED', operation: 'Read', cause: reason })
      t.is((error.cause as Error).cause, reason)
      t.is(ring.inFlight, 0)
      t.is(listenersOf(signal), 0)
      writeSync(fd, 'abcd')
      await nextTurn()
      t.is(room.toString(), '....')
      t.is(left(fd), 'abcd')
    })
  }
}

test('a signal after the end does nothing; an operation that finished first resolves', async (t) => {
  using ring = new Ring({ entries: 4 })
  const fd = fifo(t)
  const controller = new AbortController()
  const { signal } = controller
  t.is(await ring.run(new Nop({ result: 3 }), { signal }), 3)
  t.is(listenersOf(signal), 0)
  await t.throwsAsync(ring.run(new Read(1_000_000, Buffer.alloc(1)), { signal }), { code: 'EBADF' })
  t.is(listenersOf(signal), 0)
  const read = ring.run(new Read(fd, Buffer.alloc(1)), { signal })
  await nextTurn()
  writeSync(fd, 'x')
  t.is(ring.tryWait(), undefined)
  t.is(ring.inFlight, 0, 'it has completed, and nobody was told yet')
  controller.abort()
  t.is(await read, 1)
  const { submitted } = ring.stats()
  await nextTurn()
  t.is(ring.stats().submitted, submitted)
})

test('the reason of AbortSignal.timeout can be found', async (t) => {
  using ring = new Ring({ entries: 4 })
  const error = await rejection(
    ring.run(new Read(fifo(t), Buffer.alloc(1)), { signal: AbortSignal.timeout(5) }),
  )
  t.true(error instanceof AbortError)
  t.is(((error as AbortError).cause as Error & { cause: DOMException }).cause.name, 'TimeoutError')
})

test('one listener a signal, however many operations wait for it, and none afterwards', async (t) => {
  using ring = new Ring({ entries: 64 })
  const fd = fifo(t)
  const warnings: Error[] = []
  const listener = (warning: Error): number => warnings.push(warning)
  process.on('warning', listener)
  const controller = new AbortController()
  const { signal } = controller
  const run = (timeout?: number): Promise<number> =>
    ring.run(new Read(fd, Buffer.alloc(1)), timeout === undefined ? { signal } : { signal, timeout })

  const first = Array.from({ length: 50 }, () => run())
  t.is(listenersOf(signal), 1)
  await nextTurn()
  writeSync(fd, 'x'.repeat(49))
  await Promise.any(first)
  t.is(listenersOf(signal), 1)
  writeSync(fd, 'x')
  await Promise.all(first)
  t.is(listenersOf(signal), 0)

  const second = [
    ...Array.from({ length: 50 }, () => run()),
    ...Array.from({ length: 50 }, () => run(60_000)),
    ring.chain([new Read(fd, Buffer.alloc(1)), new Nop()], { signal }),
    ring.each(new Timeout(60_000, { multi: true }), { signal }).next(),
  ].map(rejection)
  t.is(listenersOf(signal), 1)
  await nextTurn()
  controller.abort()
  for (const error of await Promise.all(second)) t.true(error instanceof AbortError)
  t.is(listenersOf(signal), 0)
  await nextTurn()
  process.off('warning', listener)
  t.deepEqual(
    warnings.filter(({ name }) => name === 'MaxListenersExceededWarning'),
    [],
  )
  t.is(ring.inFlight, 0)
})

test('a signal while the operation waits for room: it goes at once, and never to the kernel', async (t) => {
  using ring = new Ring({ entries: 2, cqEntries: 4 })
  const release = await fill(t, ring)
  const { fd, path } = file(t)
  const controller = new AbortController()
  const { signal } = controller
  const write = (): Promise<number> => ring.run(new Write(fd, Buffer.from('x')), { signal })
  const aborted = [write(), write(), ring.run(new Nop(), { signal, timeout: 60_000 })].map(rejection)
  const behind = ring.run(new Nop({ result: 5 }))
  t.is(ring.pending, 4)
  controller.abort(new Error('mine'))
  for (const error of await Promise.all(aborted)) {
    t.true(error instanceof AbortError)
    t.like((error as AbortError).cause, { code: 'ECANCELED', cause: { message: 'mine' } })
  }
  t.is(ring.pending, 1)
  t.is(ring.inFlight, 4)
  t.is(listenersOf(signal), 0)
  await release()
  t.is(await behind, 5)
  t.is(readFileSync(path, 'utf8'), '')
  t.is(ring.stats().submitted, 5)
})

test('a signal is aborted in a callback, and by a handler of its own abort', async (t) => {
  using ring = new Ring({ entries: 4 })
  const fd = fifo(t)
  const controller = new AbortController()
  const { signal } = controller
  const reads = [0, 1].map(() => rejection(ring.run(new Read(fd, Buffer.alloc(1)), { signal })))
  let inside: Promise<unknown> | undefined
  signal.addEventListener('abort', () => (inside = rejection(ring.run(new Nop(), { signal }))))
  ring.start(new Nop(), () => controller.abort())
  for (const error of await Promise.all(reads)) t.true(error instanceof AbortError)
  t.true((await inside) instanceof AbortError)
})

// ---- timeouts

test('a timeout cancels what takes longer, in fractions of milliseconds too', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  for (const timeout of [0, 0.25, 1, 12.5]) {
    const room = Buffer.from('....')
    const start = performance.now()
    const error = await rejection(ring.run(new Read(fd, room), { timeout }))
    t.true(performance.now() - start >= timeout)
    t.true(error instanceof TimeoutError)
    t.is((error as Error).message, `The operation took longer than ${timeout} ms`)
    t.true((error as Error).cause instanceof UringError)
    t.is(ring.inFlight, 0)
    writeSync(fd, 'abcd')
    t.is(left(fd), 'abcd', 'the kernel was done')
    t.is(room.toString(), '....')
  }
})

test('an operation that is faster than its timeout resolves, and leaves no timeout behind', async (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'hello')
  for (const timeout of [0, 0.5, 60_000, Infinity, Number.MAX_VALUE, 2 ** 53 - 1]) {
    t.is(await ring.run(new Nop({ result: 7 }), { timeout }), 7)
    t.is(await ring.run(new Read(fd, Buffer.alloc(9), { offset: 0 }).build(), { timeout }), 5)
    await t.throwsAsync(ring.run(new OpenAt('/nowhere'), { timeout }), { code: 'ENOENT' })
    await t.throwsAsync(ring.run(new OpenAt(''), { timeout }), { code: 'ENOENT' })
    t.is(await ring.run(new Timeout(1), { timeout: Math.max(timeout, 1000) }), 'expired')
    t.is(ring.inFlight, 0)
  }
})

test('without an end there is no timeout in the kernel', async (t) => {
  using ring = new Ring({ entries: 8 })
  await ring.run(new Nop(), { timeout: Infinity })
  t.is(ring.stats().submitted, 1)
  await ring.run(new Nop(), { timeout: 1000 })
  t.is(ring.stats().submitted, 3)
})

test('signal and timeout together: whichever comes first', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  const controller = new AbortController()
  const { signal } = controller
  t.true(
    (await rejection(ring.run(new Read(fd, Buffer.alloc(1)), { signal, timeout: 2 }))) instanceof
      TimeoutError,
  )
  t.is(listenersOf(signal), 0)
  const read = rejection(ring.run(new Read(fd, Buffer.alloc(1)), { signal, timeout: 60_000 }))
  await nextTurn()
  controller.abort()
  t.true((await read) instanceof AbortError)
  t.is(ring.inFlight, 0)
})

test('the time runs while an operation waits for room', async (t) => {
  using ring = new Ring({ entries: 2, cqEntries: 4 })
  const release = await fill(t, ring)
  const { fd, path } = file(t)
  const start = performance.now()
  const error = await rejection(ring.run(new Write(fd, Buffer.from('x')), { timeout: 15 }))
  t.true(error instanceof TimeoutError)
  t.true(performance.now() - start >= 14)
  t.is(ring.pending, 0)
  t.is(ring.inFlight, 4)
  const later = ring.run(new Write(fd, Buffer.from('y')), { timeout: 60_000 })
  t.is(ring.pending, 1)
  await release()
  t.is(await later, 1)
  t.is(readFileSync(path, 'utf8'), 'y')
})

test('an operation that somebody else cancels is neither aborted nor late', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  const { signal } = new AbortController()
  const reads = [{ signal }, { timeout: 60_000 }, { signal, timeout: 60_000 }, undefined].map((options) =>
    rejection(ring.run(new Read(fd, Buffer.alloc(1)), options)),
  )
  await nextTurn()
  t.is(await ring.cancel({ file: fd }, { all: true }), 4)
  for (const error of await Promise.all(reads)) {
    t.true(error instanceof UringError)
    t.like(error, { code: 'ECANCELED', cause: undefined })
  }
})

// ---- ring.cancel

test('cancel finds one by its token, before and after it is submitted, and only once', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  for (const prepare of [() => {}, nextTurn]) {
    for (const target of [(token: number) => token, (token: number) => ({ token })]) {
      const other = ring.start(new Read(fd, Buffer.alloc(1)), () => {})
      let result = 0
      const token = ring.start(new Read(fd, Buffer.alloc(1)), (value) => (result = value))
      await prepare()
      t.is(await ring.cancel(target(token)), 1)
      t.is(await ring.cancel(target(token)), 0)
      t.is(await ring.cancel(target(token), { all: true }), 0)
      t.is(result, -125)
      t.is(await ring.cancel(other), 1)
    }
  }
  t.is(ring.inFlight, 0)
})

test('cancel by file, by opcode, by both, and everything', async (t) => {
  using ring = new Ring({ entries: 16 })
  const [a, b, c] = [fifo(t), fifo(t), fifo(t)]
  ring.registerFiles([c])
  const ended: string[] = []
  const note = async (name: string, promise: Promise<unknown>): Promise<void> => {
    t.is(codeOf(await rejection(promise)), 'ECANCELED')
    ended.push(name)
  }
  const read = (fd: number | FixedFile): Promise<number> => ring.run(new Read(fd, Buffer.alloc(1)))
  const all = [
    note('a', read(a)),
    note('a', read(a)),
    note('a', read(a)),
    note('b', read(b)),
    note('b', read(b)),
    note('fixed', read(new FixedFile(0))),
    note('timeout', ring.run(new Timeout(60_000))),
  ]
  const take = (): string[] => ended.splice(0).toSorted()
  t.is(await ring.cancel({ file: a }), 1)
  t.deepEqual(take(), ['a'])
  t.is(await ring.cancel({ file: a }, { all: true }), 2)
  t.deepEqual(take(), ['a', 'a'])
  t.is(await ring.cancel({ file: a }, { all: true }), 0)
  t.is(await ring.cancel({ file: a }), 0)
  t.is(await ring.cancel({ file: 0 }), 0, 'a descriptor is no slot')
  t.is(await ring.cancel({ file: new FixedFile(0) }), 1)
  t.deepEqual(take(), ['fixed'])
  t.is(await ring.cancel({ file: b, opcode: Write.opcode }, { all: true }), 0)
  t.is(await ring.cancel({ file: b, opcode: Read.opcode }), 1)
  t.deepEqual(take(), ['b'])
  t.is(await ring.cancel({ opcode: Timeout.opcode }), 1)
  t.deepEqual(take(), ['timeout'])
  const more = [note('a', read(a)), note('timeout', ring.run(new Timeout(60_000)))]
  t.is(await ring.cancel('any'), 3)
  t.deepEqual(take(), ['a', 'b', 'timeout'])
  t.is(await ring.cancel('any'), 0)
  await Promise.all([...all, ...more])
})

test('cancel reaches what was pushed, by token and by the value that was pushed with it', async (t) => {
  using ring = new Ring({ entries: 16 })
  const fd = fifo(t)
  const mine = { mine: true }
  const read = (): Read => new Read(fd, Buffer.alloc(1))
  for (const userData of [mine, 'other', mine, mine, { mine: true }]) ring.push(read(), userData)
  const token = ring.push(read(), 'token')
  ring.submit()
  const run = rejection(ring.run(read()))
  t.is(await ring.cancel({ userData: mine }), 3)
  t.deepEqual(
    ring.waitMany(3).map(({ userData, error }) => [userData, error?.code]),
    Array.from({ length: 3 }, () => [mine, 'ECANCELED']),
  )
  t.is(await ring.cancel({ userData: mine }), 0)
  t.is(await ring.cancel({ userData: 'none' }), 0)
  t.is(await ring.cancel(token), 1)
  t.is(ring.wait()?.userData, 'token')
  t.is(await ring.cancel('any'), 3, 'both flows')
  t.is(codeOf(await run), 'ECANCELED')
  t.is(ring.waitMany(2).length, 2)
})

test('a full ring can be cancelled', async (t) => {
  using ring = new Ring({ entries: 2, cqEntries: 4 })
  const fd = fifo(t)
  const tokens: number[] = []
  const results: number[] = []
  for (let index = 0; index < 4; index += 1) {
    tokens.push(ring.start(new Read(fd, Buffer.alloc(1)), (result) => results.push(result)))
  }
  const waiting = ring.run(new Nop({ result: 8 }))
  await nextTurn()
  t.is(ring.pending, 1)
  t.is(await ring.cancel(tokens[2] ?? 0), 1)
  t.is(await waiting, 8)
  t.is(await ring.cancel({ file: fd }, { all: true }), 3)
  t.deepEqual(results, [-125, -125, -125, -125])
})

test('cancel finds what waits for room: one, all of a kind, and everything', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 4 })
  const release = await fill(t, ring)
  const [a, b] = [fifo(t), fifo(t)]
  const { submitted } = ring.stats()
  const read = (fd: number): Promise<unknown> => rejection(ring.run(new Read(fd, Buffer.alloc(1))))
  const reads = [read(a), read(a), read(b), read(a)]
  const nop = rejection(ring.run(new Nop()))
  const timeout = ring.run(new Timeout(1))
  const chain = rejection(ring.chain([new Nop(), new Read(b, Buffer.alloc(1))]))
  t.is(ring.pending, 7)
  t.is(await ring.cancel({ file: a }), 1)
  t.is(codeOf(await reads[0]), 'ECANCELED')
  t.is(ring.pending, 6)
  t.is(ring.stats().submitted, submitted)
  t.is(await ring.cancel({ file: a }, { all: true }), 2)
  t.is(ring.pending, 4)
  t.is(await ring.cancel({ file: b, opcode: Read.opcode }, { all: true }), 2)
  t.true((await chain) instanceof ChainError)
  t.is(await ring.cancel({ opcode: Nop.opcode }), 1)
  t.deepEqual((await Promise.all([...reads, nop])).map(codeOf), Array(5).fill('ECANCELED'))
  t.is(ring.pending, 1)
  await release()
  t.is(await timeout, 'expired')
})

test('cancelling everything takes what waits and what is in flight', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 4 })
  const fd = fifo(t)
  const reads = Array.from({ length: 10 }, () => rejection(ring.run(new Read(fd, Buffer.alloc(1)))))
  await nextTurn()
  t.is(ring.pending, 6)
  t.is(await ring.cancel('any'), 10)
  t.deepEqual((await Promise.all(reads)).map(codeOf), Array(10).fill('ECANCELED'))
  t.is(ring.inFlight + ring.pending, 0)
})

test('a bad target is refused, and cancels nothing', async (t) => {
  using ring = new Ring({ entries: 2, cqEntries: 4 })
  const release = await fill(t, ring)
  const waiting = ring.run(new Nop())
  for (const [target, code] of [
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    ['all', 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_VALUE'],
    [-1, 'ERR_OUT_OF_RANGE'],
    [{ file: 'x' }, 'ERR_INVALID_ARG_TYPE'],
    [{ opcode: 256 }, 'ERR_OUT_OF_RANGE'],
    [{ token: 1.5 }, 'ERR_OUT_OF_RANGE'],
  ] as const) {
    const refused = ring.cancel(target as never)
    await t.throwsAsync(refused, { code }, String(code))
  }
  await t.throwsAsync(ring.cancel('any', { all: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(ring.cancel('any', null as never), { code: 'ERR_INVALID_ARG_TYPE' })
  t.is(ring.pending, 1)
  t.is(ring.inFlight, 4)
  await release()
  t.is(await waiting, 0)
})

test('one ring cancels nothing of another', async (t) => {
  using ring = new Ring({ entries: 4 })
  using other = new Ring({ entries: 4 })
  const fd = fifo(t)
  const read = other.run(new Read(fd, Buffer.alloc(1)))
  await nextTurn()
  t.is(await ring.cancel('any'), 0)
  t.is(await ring.cancel({ file: fd }, { all: true }), 0)
  writeSync(fd, 'x')
  t.is(await read, 1)
})

// ---- races

test('a cancellation that meets its completion, 10,000 times: every byte is read by somebody, once', async (t) => {
  using ring = new Ring({ entries: 64 })
  const seen = { resolved: 0, aborted: 0 }
  const loop = async (offset: number): Promise<void> => {
    const fd = fifo(t)
    for (let round = 0; round < 1250; round += 1) {
      const controller = new AbortController()
      const { signal } = controller
      const room = Buffer.of(0)
      const byte = (round % 255) + 1
      const read = ring
        .run(new Read(fd, room), round % 7 === 0 ? { signal, timeout: 60_000 } : { signal })
        .then(
          (count) => count,
          (error: unknown) => error,
        )
      const way = (round + offset) % 8
      if (way % 2 === 1) await nextTurn()
      if (way >= 6) await Promise.resolve()
      if (way < 4) writeSync(fd, Buffer.of(byte))
      controller.abort()
      if (way >= 4) writeSync(fd, Buffer.of(byte))
      const outcome = await read
      if (outcome === 1) {
        seen.resolved += 1
        if (room[0] !== byte) throw new Error(`${room[0]} instead of ${byte}`)
        if (left(fd) !== '') throw new Error('a byte came twice')
      } else {
        seen.aborted += 1
        if (!(outcome instanceof AbortError)) throw outcome
        if (room[0] !== 0) throw new Error('written after all')
        if (left(fd) !== String.fromCodePoint(byte)) throw new Error('a byte was lost')
      }
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, index) => loop(index)))
  t.is(seen.resolved + seen.aborted, 10_000)
  t.true(seen.resolved > 100 && seen.aborted > 100, JSON.stringify(seen))
  t.is(ring.inFlight, 0)
  t.is(ring.stats().stray, 0)
})

test('a timeout that meets its completion: every byte is read by somebody, once', async (t) => {
  using ring = new Ring({ entries: 64 })
  const loop = async (): Promise<void> => {
    const fd = fifo(t)
    for (let round = 0; round < 100; round += 1) {
      const room = Buffer.of(0)
      const write = ring.run(new Timeout((round % 10) / 5)).then(() => writeSync(fd, 'x'))
      const outcome = await ring.run(new Read(fd, room), { timeout: 1 }).catch((error: unknown) => error)
      await write
      if (outcome !== 1 && !(outcome instanceof TimeoutError)) throw outcome
      const expected = outcome === 1 ? ['x', ''] : ['\0', 'x']
      t.deepEqual([room.toString(), left(fd)], expected)
    }
  }
  await Promise.all(Array.from({ length: 8 }, loop))
  t.is(ring.inFlight, 0)
})

test('a cancellation by token that meets its completion finds it or does not, and loses nothing', async (t) => {
  using ring = new Ring({ entries: 64 })
  const fd = fifo(t)
  for (let round = 0; round < 1000; round += 1) {
    const results: number[] = []
    const token = ring.start(new Read(fd, Buffer.alloc(1)), (result) => results.push(result))
    if (round % 2 === 0) await nextTurn()
    writeSync(fd, 'x')
    const found = await ring.cancel(token)
    while (results.length === 0) await nextTurn()
    t.deepEqual([...results, left(fd)], results[0] === 1 ? [1, ''] : [-125, 'x'])
    if (results[0] !== 1) t.is(found, 1)
  }
})

test('what a worker of the kernel is at is interrupted', async (t) => {
  using ring = new Ring({ entries: 8 })
  const path = join(directory(t), 'fifo')
  execFileSync('mkfifo', [path])
  for (const options of [{ timeout: 20 }, {}]) {
    const controller = new AbortController()
    const { signal } = controller
    const opening = rejection(ring.run(new OpenAt(path).async(), { signal, ...options }))
    const chain = rejection(ring.chain([new OpenAt(path).async(), new Nop()], { signal, ...options }))
    await new Promise((resolve) => setTimeout(resolve, 10)) // long enough for a worker to take it, mostly
    if (options.timeout === undefined) controller.abort()
    const expected = options.timeout === undefined ? AbortError : TimeoutError
    t.true((await opening) instanceof expected)
    t.true((await chain) instanceof expected)
    t.is(ring.inFlight, 0)
  }
})

test('an open that is aborted while somebody opens the other end leaks no descriptor', async (t) => {
  using ring = new Ring({ entries: 64 })
  const path = join(directory(t), 'fifo')
  execFileSync('mkfifo', [path])
  const open = (): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === path
      } catch {
        return false
      }
    }).length
  const seen = { resolved: 0, aborted: 0 }
  for (let round = 0; round < 200; round += 1) {
    const controller = new AbortController()
    const opening = ring
      .run(new OpenAt(path).async(), { signal: controller.signal })
      .catch((error: unknown) => error)
    let writer: number | undefined
    if (round % 4 !== 0) await nextTurn()
    if (round % 4 > 1) await new Promise((resolve) => setTimeout(resolve, 1))
    try {
      writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch {
      // Nobody reads yet.
    }
    controller.abort()
    const outcome = await opening
    if (typeof outcome === 'number') {
      seen.resolved += 1
      closeSync(outcome)
    } else {
      seen.aborted += 1
      if (!(outcome instanceof AbortError)) throw outcome
    }
    if (writer !== undefined) closeSync(writer)
  }
  while (ring.inFlight > 0) await nextTurn()
  t.is(open(), 0)
  t.true(seen.resolved > 0 && seen.aborted > 0, JSON.stringify(seen))
})
