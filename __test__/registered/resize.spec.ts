// resize: the contents of the queues stay, and the new capacity is usable.

import { readdirSync, readlinkSync, writeSync } from 'node:fs'
import test from 'ava'
import { Nop, Read, type ResizeOptions, Ring, Timeout, UringError } from 'uring'
import { pipe } from '../helpers/pipes.ts'

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

function numbers(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index)
}

test('resize: rounds sizes up to powers of two', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = ring
  ring.resize({ entries: 33 })
  t.deepEqual([ring.entries, ring.cqEntries, ring.fd], [64, 64, fd])
  ring.resize({ cqEntries: 500 })
  t.deepEqual([ring.entries, ring.cqEntries], [64, 512])
  ring.resize({ entries: 2, cqEntries: 3 })
  t.deepEqual([ring.entries, ring.cqEntries], [2, 4])
  ring.resize({})
  t.deepEqual([ring.entries, ring.cqEntries], [2, 4])
})

test('resize: the new capacity can be pushed', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const entries of [64, 2, 1024, 16]) {
    ring.resize({ entries })
    t.is(ring.sqSpaceLeft, entries)
    for (const index of numbers(entries)) ring.push(new Nop({ result: index }), index)
    t.throws(() => ring.push(new Nop()), { code: 'ERR_URING_SQ_FULL' })
    t.is(ring.submit(), entries)
    t.deepEqual(
      ring.waitMany(entries).map(({ userData, result }) => [userData, result]),
      numbers(entries).map((index) => [index, index]),
    )
  }
})

test('resize: pushed entries are submitted afterwards', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const index of numbers(3)) ring.push(new Nop({ result: index }), index)
  ring.resize({ entries: 8 })
  for (const index of numbers(5, 3)) ring.push(new Nop({ result: index }), index)
  t.is(ring.sqSpaceLeft, 0)
  ring.resize({ entries: 16 })
  t.is(ring.submit(), 8)
  t.deepEqual(
    ring.waitMany(8).map(({ userData, result }) => [userData, result]),
    numbers(8).map((index) => [index, index]),
  )
})

test('resize: published entries are consumed from the new queue', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const index of numbers(3)) ring.push(new Nop({ result: index }), index)
  t.is(ring.flush(), 3)
  ring.resize({ entries: 32 })
  t.is(ring.sqReady, 3)
  t.deepEqual(
    ring.waitMany(3).map(({ userData, result }) => [userData, result]),
    numbers(3).map((index) => [index, index]),
  )
})

test('resize: completions stay in order', (t) => {
  using ring = new Ring({ entries: 64, cqEntries: 64 })
  for (const index of numbers(64)) ring.push(new Nop({ result: index }), index)
  t.is(ring.enter(ring.flush(), 64, 1), 64)
  t.is(ring.cqReady, 64)
  t.throws(() => ring.resize({ entries: 8, cqEntries: 32 }), { code: 'EOVERFLOW' })
  t.deepEqual([ring.entries, ring.cqEntries], [64, 64])
  ring.resize({ cqEntries: 4096 })
  t.deepEqual(
    ring.waitMany(64).map(({ userData, result }) => [userData, result]),
    numbers(64).map((index) => [index, index]),
  )
})

test('resize: operations in flight complete into the new queue', (t) => {
  using ring = new Ring({ entries: 8 })
  const { read, write } = pipe(t)
  const bytes = Buffer.alloc(8)
  ring.push(new Read(read, bytes), 'read')
  ring.submit()
  for (const entries of [64, 4, 256]) ring.resize({ entries })
  t.is(ring.inFlight, 1)
  writeSync(write, 'later')
  t.is(ring.wait()?.value, 5)
  t.is(bytes.toString('latin1', 0, 5), 'later')
})

test('resize: EOVERFLOW keeps pushed entries', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const index of numbers(5)) ring.push(new Nop({ result: index }), index)
  const error = t.throws(() => ring.resize({ entries: 4 }), { instanceOf: UringError, code: 'EOVERFLOW' })
  t.is(error.syscall, 'io_uring_register')
  ring.resize({ entries: 5 })
  t.is(ring.entries, 8)
  t.is(ring.submit(), 5)
  t.is(ring.waitMany(5).length, 5)
})

test('resize: promises resolve before, across and after', async (t) => {
  await using ring = new Ring({ entries: 4, cqEntries: 4 })
  const { read, write } = pipe(t)
  const bytes = Buffer.alloc(8)
  const reading = ring.run(new Read(read, bytes))
  const staged = numbers(50).map((index) => ring.run(new Nop({ result: index })))
  t.true(ring.pending > 0)
  ring.resize({ entries: 64, cqEntries: 128 })
  const later = numbers(50, 50).map((index) => ring.run(new Nop({ result: index })))
  t.deepEqual(await Promise.all([...staged, ...later]), numbers(100))
  writeSync(write, 'more')
  t.is(await reading, 4)
  ring.resize({ entries: 2, cqEntries: 2 })
  t.deepEqual(
    await Promise.all(numbers(20).map((index) => ring.run(new Nop({ result: index })))),
    numbers(20),
  )
  t.is(await ring.run(new Timeout(1)), 'expired') // the event loop still wakes up
})

test('resize: operations that wait for capacity are submitted at once', async (t) => {
  await using ring = new Ring({ entries: 2, cqEntries: 2 })
  const { read, write } = pipe(t)
  const blocked = numbers(2).map(() => ring.run(new Read(read, Buffer.alloc(1))))
  const free = ring.run(new Nop({ result: 7 }))
  await new Promise(setImmediate)
  t.deepEqual([ring.inFlight, ring.pending], [2, 1])
  ring.resize({ cqEntries: 8 })
  t.is(await free, 7)
  writeSync(write, 'ab')
  t.deepEqual(await Promise.all(blocked), [1, 1])
})

test('resize: EOVERFLOW keeps operations of run()', async (t) => {
  await using ring = new Ring({ entries: 4 })
  const staged = numbers(3).map((index) => ring.run(new Nop({ result: index })))
  t.throws(() => ring.resize({ entries: 2 }), { code: 'EOVERFLOW' })
  t.is(ring.entries, 4)
  t.deepEqual(await Promise.all(staged), numbers(3))
})

test('resize: EOVERFLOW if a waiting chain would not fit', async (t) => {
  await using ring = new Ring({ entries: 4, cqEntries: 4 })
  const { read, write } = pipe(t)
  const blocked = ring.run(new Read(read, Buffer.alloc(1)))
  const chain = ring.chain(numbers(4).map((index) => new Nop({ result: index })))
  t.throws(() => ring.resize({ entries: 2, cqEntries: 8 }), { code: 'EOVERFLOW' })
  ring.resize({ entries: 4, cqEntries: 8 })
  t.deepEqual(await chain, numbers(4))
  writeSync(write, 'a')
  t.is(await blocked, 1)
})

test('resize: a hundred times leaks nothing', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.resize({ entries: 8 })
  const before = descriptors()
  for (const round of numbers(100)) {
    ring.resize({ entries: 4 << (round % 5) })
    ring.push(new Nop({ result: round }))
    t.is(ring.wait()?.result, round)
  }
  t.is(descriptors(), before)
  t.regex(readlinkSync(`/proc/self/fd/${ring.fd}`), /io_uring/)
})

test('resize: mixed completions arrive whole in the new queue', (t) => {
  using ring = new Ring({ entries: 4, cqeMixed: true })
  ring.resize({ entries: 16, cqEntries: 64 })
  for (const round of numbers(50)) {
    ring.push(new Nop({ extra: [round, 1n << 63n] }))
    t.deepEqual(ring.wait()?.extra, [BigInt(round), 1n << 63n])
  }
})

test('resize: EINVAL names what the ring lacks', (t) => {
  for (const options of [{ submitAll: true }, { sqPoll: true }, { sqe128: true }, { cqe32: true }]) {
    using ring = new Ring({ entries: 4, ...options })
    t.throws(() => ring.resize({ entries: 8 }), { code: 'EINVAL', message: /deferTaskrun and noSqArray/ })
    t.is(ring.entries, 4)
    ring.push(new Nop({ result: 3 }))
    t.is(ring.wait()?.result, 3)
  }
})

test('resize: refuses invalid sizes, and changes nothing', (t) => {
  using ring = new Ring({ entries: 4 })
  const wrong = (options: unknown) => () => ring.resize(options as ResizeOptions)
  for (const name of ['entries', 'cqEntries']) {
    const message = new RegExp(`"options.${name}"`)
    for (const size of ['8', 8n, null, {}])
      t.throws(wrong({ [name]: size }), { code: 'ERR_INVALID_ARG_TYPE', message })
    for (const size of [0, -1, 1.5, 2 ** 17])
      t.throws(wrong({ [name]: size }), { code: 'ERR_OUT_OF_RANGE', message })
  }
  t.throws(wrong(null), { code: 'ERR_INVALID_ARG_TYPE', message: /"options"/ })
  t.throws(wrong({ entries: 16, cqEntries: 8 }), { code: 'EINVAL' })
  t.deepEqual([ring.entries, ring.cqEntries], [4, 16])
  ring.push(new Nop({ result: 3 }))
  t.is(ring.wait()?.result, 3)
})

test('resize: refuses a closed ring', async (t) => {
  const ring = new Ring({ entries: 4 })
  await ring.close()
  t.throws(() => ring.resize({ entries: 8 }), { code: 'ERR_URING_CLOSED' })
})
