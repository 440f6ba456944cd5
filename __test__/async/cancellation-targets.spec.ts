// Tests which operations cancel() matches for each kind of target.

import { writeSync } from 'node:fs'
import test from 'ava'
import { ChainError, FixedFile, Nop, Read, Ring, Timeout, Write } from 'uring'
import { fifo } from '../helpers/files.ts'
import { codeOf, fillRing, nextTurn, rejection } from '../helpers/promises.ts'

test('cancel: matches a token once, before and after submission', async (t) => {
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

test('cancel: matches by file, by opcode, by both, and any', async (t) => {
  using ring = new Ring({ entries: 16 })
  const [a, b, c] = [fifo(t), fifo(t), fifo(t)]
  ring.registerFiles([c])
  const cancelled: string[] = []
  const expectCancelled = async (name: string, promise: Promise<unknown>): Promise<void> => {
    t.is(codeOf(await rejection(promise)), 'ECANCELED')
    cancelled.push(name)
  }
  const read = (fd: number | FixedFile): Promise<number> => ring.run(new Read(fd, Buffer.alloc(1)))
  const all = [
    expectCancelled('a', read(a)),
    expectCancelled('a', read(a)),
    expectCancelled('a', read(a)),
    expectCancelled('b', read(b)),
    expectCancelled('b', read(b)),
    expectCancelled('fixed', read(new FixedFile(0))),
    expectCancelled('timeout', ring.run(new Timeout(60_000))),
  ]
  const takeCancelled = (): string[] => cancelled.splice(0).toSorted()
  t.is(await ring.cancel({ file: a }), 1)
  t.deepEqual(takeCancelled(), ['a'])
  t.is(await ring.cancel({ file: a }, { all: true }), 2)
  t.deepEqual(takeCancelled(), ['a', 'a'])
  t.is(await ring.cancel({ file: a }, { all: true }), 0)
  t.is(await ring.cancel({ file: a }), 0)
  t.is(await ring.cancel({ file: 0 }), 0, 'a descriptor does not match a fixed-file slot')
  t.is(await ring.cancel({ file: new FixedFile(0) }), 1)
  t.deepEqual(takeCancelled(), ['fixed'])
  t.is(await ring.cancel({ file: b, opcode: Write.opcode }, { all: true }), 0)
  t.is(await ring.cancel({ file: b, opcode: Read.opcode }), 1)
  t.deepEqual(takeCancelled(), ['b'])
  t.is(await ring.cancel({ opcode: Timeout.opcode }), 1)
  t.deepEqual(takeCancelled(), ['timeout'])
  const more = [expectCancelled('a', read(a)), expectCancelled('timeout', ring.run(new Timeout(60_000)))]
  t.is(await ring.cancel('any'), 3)
  t.deepEqual(takeCancelled(), ['a', 'b', 'timeout'])
  t.is(await ring.cancel('any'), 0)
  await Promise.all([...all, ...more])
})

test('cancel: matches pushed operations by token and by userData', async (t) => {
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
  t.is(await ring.cancel('any'), 3, 'operations of both APIs')
  t.is(codeOf(await run), 'ECANCELED')
  t.is(ring.waitMany(2).length, 2)
})

test('cancel: works while the capacity of the ring is used up', async (t) => {
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

test('cancel: matches pending operations by file and by opcode, one or all', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 4 })
  const release = await fillRing(t, ring)
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

test('cancel: any matches operations pending and in flight', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 4 })
  const fd = fifo(t)
  const reads = Array.from({ length: 10 }, () => rejection(ring.run(new Read(fd, Buffer.alloc(1)))))
  await nextTurn()
  t.is(ring.pending, 6)
  t.is(await ring.cancel('any'), 10)
  t.deepEqual((await Promise.all(reads)).map(codeOf), Array(10).fill('ECANCELED'))
  t.is(ring.inFlight + ring.pending, 0)
})

test('cancel: rejects a bad target and cancels nothing', async (t) => {
  using ring = new Ring({ entries: 2, cqEntries: 4 })
  const release = await fillRing(t, ring)
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

test('cancel: does not match operations of another ring', async (t) => {
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
