// Tests the options `signal` and `timeout` of run().

import { readFileSync, writeSync } from 'node:fs'
import test from 'ava'
import { AbortError, Nop, OpenAt, Read, Ring, Timeout, TimeoutError, UringError, Write } from 'uring'
import { fifo, file } from '../helpers/files.ts'
import { fillRing, listenersOf, nextTurn, readAvailable, rejection } from '../helpers/promises.ts'

// ---- signals

test('run: submits nothing if its signal is aborted already, and rejects with the reason as cause', async (t) => {
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
  ['before submission', () => {}],
  ['in flight', nextTurn],
] as const) {
  for (const timeout of [undefined, 60_000]) {
    test(`run: rejects only when the kernel is done, aborted ${name}${timeout === undefined ? '' : ' with a timeout'}`, async (t) => {
      using ring = new Ring({ entries: 4 })
      const fd = fifo(t)
      const buffer = Buffer.from('....')
      const controller = new AbortController()
      const reason = new Error('mine')
      const { signal } = controller
      const read = rejection(
        ring.run(new Read(fd, buffer), timeout === undefined ? { signal } : { signal, timeout }),
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
      t.is(buffer.toString(), '....')
      t.is(readAvailable(fd), 'abcd')
    })
  }
}

test('run: ignores an abort after the operation has completed', async (t) => {
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
  t.is(ring.inFlight, 0, 'it has completed, but the promise is not settled')
  controller.abort()
  t.is(await read, 1)
  const { submitted } = ring.stats()
  await nextTurn()
  t.is(ring.stats().submitted, submitted)
})

test('run: rejects with the reason of AbortSignal.timeout() in the chain of causes', async (t) => {
  using ring = new Ring({ entries: 4 })
  const error = await rejection(
    ring.run(new Read(fifo(t), Buffer.alloc(1)), { signal: AbortSignal.timeout(5) }),
  )
  t.true(error instanceof AbortError)
  t.is(((error as AbortError).cause as Error & { cause: DOMException }).cause.name, 'TimeoutError')
})

test('run, chain, each: share one listener per signal and remove it at the end', async (t) => {
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

test('run: an abort removes a pending operation without submitting it', async (t) => {
  using ring = new Ring({ entries: 2, cqEntries: 4 })
  const release = await fillRing(t, ring)
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

test('run: rejects with TimeoutError after a timeout, also of fractions of milliseconds', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  for (const timeout of [0, 0.25, 1, 12.5]) {
    const buffer = Buffer.from('....')
    const start = performance.now()
    const error = await rejection(ring.run(new Read(fd, buffer), { timeout }))
    t.true(performance.now() - start >= timeout)
    t.true(error instanceof TimeoutError)
    t.is((error as Error).message, `The operation took longer than ${timeout} ms`)
    t.true((error as Error).cause instanceof UringError)
    t.is(ring.inFlight, 0)
    writeSync(fd, 'abcd')
    t.is(readAvailable(fd), 'abcd', 'the kernel does not read any more')
    t.is(buffer.toString(), '....')
  }
})

test('run: resolves before its timeout and leaves no timeout in flight', async (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'hello')
  for (const timeout of [0, 0.5, 60_000, Infinity, Number.MAX_VALUE, 2 ** 53 - 1]) {
    t.is(await ring.run(new Nop({ result: 7 }), { timeout }), 7)
    t.is(await ring.run(new Read(fd, Buffer.alloc(9), { offset: 0 }).build(), { timeout }), 5)
    // The lookup of a name may read the disk in a kernel worker, and a short timeout could expire first.
    const longer = Math.max(timeout, 10_000)
    await t.throwsAsync(ring.run(new OpenAt('/nowhere'), { timeout: longer }), { code: 'ENOENT' })
    await t.throwsAsync(ring.run(new OpenAt(''), { timeout: longer }), { code: 'ENOENT' })
    t.is(await ring.run(new Timeout(1), { timeout: Math.max(timeout, 1000) }), 'expired')
    t.is(ring.inFlight, 0)
  }
})

test('run: submits no timeout to the kernel for Infinity', async (t) => {
  using ring = new Ring({ entries: 8 })
  await ring.run(new Nop(), { timeout: Infinity })
  t.is(ring.stats().submitted, 1)
  await ring.run(new Nop(), { timeout: 1000 })
  t.is(ring.stats().submitted, 3)
})

test('run: rejects for the signal or the timeout, whichever comes first', async (t) => {
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

test('run: the timeout also runs while the operation is pending', async (t) => {
  using ring = new Ring({ entries: 2, cqEntries: 4 })
  const release = await fillRing(t, ring)
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

test('run: rejects with ECANCELED, not AbortError or TimeoutError, after cancel()', async (t) => {
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
