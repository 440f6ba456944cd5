// Tests when run() and chain() submit operations: order, batches, and the capacity of the ring.

import { readFileSync, readSync, writeSync } from 'node:fs'
import test from 'ava'
import { Nop, Read, Ring, Write } from 'uring'
import { fifo, file } from '../helpers/files.ts'
import { nextTurn } from '../helpers/promises.ts'

test('run: thousands of operations complete in order on a small ring, with at most cqEntries in flight', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const COUNT = 5000
  const order: number[] = []
  let most = 0
  const look = (): void => {
    most = Math.max(most, ring.inFlight)
  }
  const all = Array.from({ length: COUNT }, async (_, index) => {
    order.push(await ring.run(new Nop({ result: index })))
    look()
  })
  look()
  t.true(ring.pending >= COUNT - ring.cqEntries && ring.pending <= COUNT)
  await Promise.all(all)
  t.deepEqual(
    order,
    Array.from({ length: COUNT }, (_, index) => index),
  )
  t.is(ring.pending, 0)
  t.is(ring.inFlight, 0)
  t.true(most <= ring.cqEntries)
  t.is(ring.stats().overflowed, 0)
  t.is(ring.stats().completed, COUNT)
})

test('run: keeps operations beyond the capacity pending until others complete', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const fd = fifo(t)
  const COUNT = 2000
  let most = 0
  const bytes = Array.from({ length: COUNT }, () => Buffer.alloc(1))
  const order: number[] = []
  const reads = bytes.map(async (buffer, index) => {
    const count = await ring.run(new Read(fd, buffer))
    most = Math.max(most, ring.inFlight)
    order.push(index)
    return count
  })
  await nextTurn()
  t.is(ring.inFlight, 8)
  t.is(ring.pending, COUNT - 8)
  const sent = Buffer.from(Array.from({ length: COUNT }, (_, index) => index % 251))
  writeSync(fd, sent)
  t.deepEqual(await Promise.all(reads), Array(COUNT).fill(1))
  t.true(most <= 8)
  t.is(ring.pending, 0)
  t.deepEqual(
    Buffer.concat(bytes).toSorted((a, b) => a - b),
    sent.toSorted((a, b) => a - b),
    'each byte once',
  )
})

test('run: submits pending writes in the order of the calls', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const fd = fifo(t)
  const numbers = Array.from({ length: 3000 }, (_, index) => index)
  await Promise.all(
    numbers.map((number) => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32LE(number)
      return ring.run(new Write(fd, bytes))
    }),
  )
  const got = Buffer.alloc(12_001)
  t.is(readSync(fd, got), 12_000)
  t.deepEqual(
    numbers.map((number) => got.readUInt32LE(number * 4)),
    numbers,
  )
})

test('run: submits the operations of one turn together', async (t) => {
  using ring = new Ring({ entries: 64 })
  await ring.run(new Nop())
  for (let round = 0; round < 5; round += 1) {
    const before = ring.stats()
    await Promise.all(Array.from({ length: 64 }, () => ring.run(new Nop())))
    const { submitted, completed, systemCalls } = ring.stats()
    t.is(submitted - before.submitted, 64)
    t.is(completed - before.completed, 64)
    const calls = systemCalls - before.systemCalls
    t.true(calls === 1 || calls === 2, `${calls} calls`)
  }
})

test('run: submits one round of all awaiting loops together', async (t) => {
  using ring = new Ring({ entries: 64 })
  const before = ring.stats().systemCalls
  const loop = async (): Promise<void> => {
    for (let round = 0; round < 100; round += 1) await ring.run(new Nop())
  }
  await Promise.all(Array.from({ length: 64 }, loop))
  t.true(ring.stats().systemCalls - before <= 300, `${ring.stats().systemCalls - before} calls`)
})

test('run: encodes a pending operation at the call, so later changes have no effect', async (t) => {
  using ring = new Ring({ entries: 1, cqEntries: 2 })
  const { fd, path } = file(t, '..........')
  const gate = fifo(t)
  const operation = new Write(fd, Buffer.from('A'), { offset: 0 })
  const direct = ring.run(operation)
  operation.offset = 1
  operation.bytes = Buffer.from('B')
  await direct
  const gates = [ring.run(new Read(gate, Buffer.alloc(1))), ring.run(new Read(gate, Buffer.alloc(1)))]
  const first = ring.run(operation)
  operation.offset = 2
  operation.bytes = Buffer.from('C')
  const second = ring.run(operation)
  operation.file = 12_345
  await nextTurn()
  t.is(ring.pending, 2)
  writeSync(gate, 'xx')
  t.deepEqual(await Promise.all([...gates, first, second]), [1, 1, 1, 1])
  t.is(readFileSync(path, 'utf8'), 'ABC.......')
})

test('chain: waits for capacity without blocking the event loop', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const fd = fifo(t)
  const reads = Array.from({ length: 6 }, () => ring.run(new Read(fd, Buffer.alloc(1))))
  const chained = ring.chain([new Nop(), new Nop(), new Nop({ result: 3 })])
  const behind = ring.run(new Nop({ result: 4 }))
  await new Promise((resolve) => setTimeout(resolve, 1))
  for (let turn = 0; turn < 10; turn += 1) await nextTurn()
  t.is(ring.inFlight, 6)
  t.is(ring.pending, 2)
  writeSync(fd, 'xxxxxx')
  t.deepEqual(await Promise.all([...reads, chained, behind]), [1, 1, 1, 1, 1, 1, [0, 0, 3], 4])
})
