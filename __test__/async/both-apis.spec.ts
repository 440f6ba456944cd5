// Tests the queue API and the promise API on one ring: each gets the completions of its own operations.

import { readSync, writeSync } from 'node:fs'
import test from 'ava'
import { Entry, Nop, Read, Ring, Timeout } from 'uring'
import { fifo } from '../helpers/files.ts'
import { turns } from '../helpers/multishot.ts'
import { awaited, endOfTurn, nextTurn, pushed, range } from '../helpers/promises.ts'

test('queue and promise API: each gets its own completions, whichever method reaps them', async (t) => {
  for (const consume of [
    (ring: Ring) => ring.waitMany(8).map(({ userData, result }) => [userData, result]),
    (ring: Ring) =>
      range(8).map(() => {
        const completion = ring.wait()
        return [completion?.userData, completion?.result]
      }),
    (ring: Ring) => {
      const consumed: unknown[] = []
      ring.submitAndWait(8)
      t.is(
        ring.drain((userData, result) => consumed.push([userData, result])),
        8,
      )
      return consumed
    },
    (ring: Ring) => {
      ring.submit()
      return range(8).map(() => {
        const seen = ring.peek()
        t.is(ring.peek(), seen)
        t.is(ring.tryWait(), seen)
        return [seen?.userData, seen?.result]
      })
    },
  ]) {
    const ring = new Ring({ entries: 32 })
    const promises: Promise<number>[] = []
    const started: number[] = []
    for (const index of range(8)) {
      promises.push(ring.run(awaited(index)))
      ring.push(pushed(index), `pushed ${index}`)
      ring.start(awaited(100 + index), (result) => started.push(result))
    }
    t.is(ring.sqReady, 8, 'run() and start() do not use the queue of push()')
    t.deepEqual(
      consume(ring),
      range(8).map((index) => [`pushed ${index}`, 1000 + index]),
    )
    t.is(ring.tryWait(), undefined)
    t.deepEqual(started, [])
    t.deepEqual(
      await Promise.all(promises),
      range(8).map((index) => 2000 + index),
    )
    t.deepEqual(
      started,
      range(8).map((index) => 2100 + index),
    )
    t.is(ring.tryWait(), undefined)
    t.is(
      ring.drain(() => t.fail()),
      0,
    )
    t.is(ring.inFlight, 0)
    t.like(ring.stats(), { submitted: 24, completed: 24, stray: 0 })
    await ring.close()
  }
})

test('run: does not submit pushed operations, nor does submit() submit those of run()', async (t) => {
  const ring = new Ring({ entries: 8 })
  ring.push(pushed(1).link(), 'first')
  t.is(await ring.run(awaited(1)), 2001)
  t.is(ring.sqReady, 1, 'an await between two linked pushes does not break the link')
  ring.push(new Nop({ result: 7 }), 'second')
  const later = ring.run(awaited(2))
  t.is(ring.submit(), 2)
  t.is(ring.inFlight, 0)
  t.deepEqual(
    ring.waitMany(2).map(({ userData }) => userData),
    ['first', 'second'],
  )
  t.is(await later, 2002)
  await ring.close()
})

test('run: its first call keeps completions of operations pushed before', async (t) => {
  const ring = new Ring({ entries: 8 })
  for (const index of range(4)) ring.push(pushed(index), index)
  ring.submit()
  t.is(ring.peek()?.userData, 0)
  t.is(await ring.run(awaited(1)), 2001)
  t.is(ring.cqReady, 4)
  t.is(ring.wait()?.userData, 0)
  const seen: unknown[] = []
  t.is(
    ring.drain((userData) => {
      seen.push(userData)
    }),
    3,
  )
  t.deepEqual(seen, [1, 2, 3])
  await ring.close()
})

test('drain and start: each gets its own completions if one is called inside the other', async (t) => {
  const ring = new Ring({ entries: 16 })
  for (const index of range(4)) ring.push(pushed(index), index)
  ring.submit()
  const inner: Promise<number>[] = []
  const seen: unknown[] = []
  const count = ring.drain((userData, result) => {
    seen.push(userData, result)
    inner.push(ring.run(awaited(seen.length)))
  })
  t.is(count, 4)
  t.deepEqual(
    seen,
    range(4).flatMap((index) => [index, 1000 + index]),
  )
  t.deepEqual(await Promise.all(inner), [2002, 2004, 2006, 2008])

  const order: unknown[] = []
  await new Promise<void>((resolve) => {
    ring.start(awaited(1), (result) => {
      order.push(result)
      ring.push(pushed(1), 'inside')
      order.push(ring.wait()?.userData)
      ring.push(pushed(2), 'drained')
      ring.submit()
      ring.drain((userData) => order.push(userData))
      order.push('end of the first')
    })
    ring.start(awaited(2), (result) => order.push(result))
    ring.start(awaited(3), (result) => {
      order.push(result)
      resolve()
    })
  })
  t.deepEqual(order, [2001, 'inside', 'drained', 'end of the first', 2002, 2003])
  await ring.close()
})

test('drain: an exception of its callback loses no completion of either API', async (t) => {
  const ring = new Ring({ entries: 16 })
  const promises = range(4).map((index) => ring.run(awaited(index)))
  for (const index of range(4)) ring.push(pushed(index), index)
  ring.submit()
  t.throws(
    () =>
      ring.drain((userData) => {
        if (userData === 1) throw new Error('mine')
      }),
    { message: 'mine' },
  )
  t.is(ring.cqReady, 2)
  t.deepEqual(
    await Promise.all(promises),
    range(4).map((index) => 2000 + index),
  )
  t.deepEqual(
    ring.waitMany(2).map(({ userData }) => userData),
    [2, 3],
  )
  await ring.close()
})

test('cancel: cancels one pending operation and no other', async (t) => {
  const ring = new Ring({ entries: 4, cqEntries: 4 })
  const fd = fifo(t)
  const results: string[] = []
  for (const index of range(3))
    ring.start(new Read(fd, Buffer.alloc(1)), (result) => results.push(`${index}: ${result}`))
  await endOfTurn()
  const chain = ring.chain([new Nop(), new Read(fd, Buffer.alloc(1))])
  const token = ring.start(new Read(fd, Buffer.alloc(1)), (result) => results.push(`waiting: ${result}`))
  const other = ring.run(new Read(fd, Buffer.alloc(1)))
  t.is(ring.pending, 3)
  t.is(await ring.cancel(token), 1)
  t.deepEqual(results, ['waiting: -125'])
  t.is(ring.pending, 2)
  writeSync(fd, 'abcde')
  t.deepEqual(await chain, [0, 1])
  t.is(await other, 1)
  t.deepEqual(results.slice(1).toSorted(), ['0: 1', '1: 1', '2: 1'])
  await ring.close()
})

test('wait: returns an unsolicited message, which does not affect a pending run()', async (t) => {
  const from = new Ring({ entries: 4 })
  const ring = new Ring({ entries: 4 })
  const fd = fifo(t)
  const read = ring.run(new Read(fd, Buffer.alloc(8)))
  await turns(5)
  const bytes = Buffer.alloc(64)
  bytes.writeUInt8(40, 0) // IORING_OP_MSG_RING
  bytes.writeInt32LE(ring.fd, 4)
  bytes.writeBigUInt64LE((1n << 63n) | 5n, 8)
  bytes.writeInt32LE(-7, 24)
  from.push(Entry.from(bytes))
  t.is(from.wait()?.result, 0)
  t.like(ring.wait({ timeout: Infinity }), { source: 'message', userData: 5n, result: -7 })
  writeSync(fd, 'read')
  t.is(await read, 4)
  t.is(ring.tryWait(), undefined)
  await ring.close()
  await from.close()
})

test('queue and promise API: thousands of random operations complete exactly once, each in its own API', async (t) => {
  const ring = new Ring({ entries: 32, cqEntries: 64 })
  const fd = fifo(t)
  let seed = 12_345
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % below
  }
  const byPush = new Map<number, number>()
  const byRun = new Map<number, number>()
  const count = (map: Map<number, number>, id: number): void => void map.set(id, (map.get(id) ?? 0) + 1)
  const running = new Set<Promise<void>>()
  let pushes = 0
  let runs = 0
  let outstanding = 0
  const record = (userData: unknown, result: number): void => {
    count(byPush, Number(userData))
    outstanding -= 1
    if (result !== -62 && result !== Number(userData) % 1000) t.fail(`${String(userData)} has ${result}`)
  }
  for (let round = 0; round < 1500; round += 1) {
    for (let left = random(6); left > 0 && ring.sqSpaceLeft > 0; left -= 1) {
      if (random(10) === 0) ring.push(new Timeout(random(2)), pushes)
      else ring.push(new Nop({ result: pushes % 1000 }), pushes)
      pushes += 1
      outstanding += 1
    }
    for (let left = random(6); left > 0; left -= 1) {
      const id = runs
      runs += 1
      if (random(10) === 0) {
        writeSync(fd, 'x')
        running.add(
          ring.run(new Read(fd, Buffer.alloc(1))).then((length) => (t.is(length, 1), count(byRun, id))),
        )
      } else if (random(3) === 0) {
        ring.start(new Nop({ result: id % 1000 }), (result) => {
          if (result === id % 1000) count(byRun, id)
        })
      } else {
        running.add(
          ring.run(new Nop({ result: id % 1000 })).then((result) => {
            if (result === id % 1000) count(byRun, id)
          }),
        )
      }
    }
    switch (random(8)) {
      case 0: {
        if (outstanding > 0) {
          const completion = ring.wait()
          record(completion?.userData, completion?.result ?? 0)
        }
        break
      }
      case 1: {
        for (const { userData, result } of ring.waitMany(Math.min(outstanding, 3))) record(userData, result)
        break
      }
      case 2: {
        ring.drain((userData, result) => record(userData, result))
        break
      }
      case 3: {
        const seen = ring.peek()
        const completion = ring.tryWait()
        if (seen !== undefined && seen !== completion) t.fail('peek() and tryWait() differ')
        if (completion !== undefined) record(completion.userData, completion.result)
        break
      }
      case 4: {
        ring.submit()
        break
      }
      case 5: {
        await nextTurn()
        break
      }
      default: {
        await endOfTurn()
      }
    }
  }
  for (const { userData, result } of ring.waitMany(outstanding)) record(userData, result)
  await Promise.all(running)
  await turns(5)
  t.is(outstanding, 0)
  for (const [map, total] of [
    [byPush, pushes],
    [byRun, runs],
  ] as const) {
    t.is(map.size, total)
    t.true([...map.values()].every((times) => times === 1))
  }
  t.is(ring.tryWait(), undefined)
  t.is(ring.inFlight, 0)
  t.is(ring.stats().stray, 0)
  t.throws(() => readSync(fd, Buffer.alloc(1)), { code: 'EAGAIN' })
  await ring.close()
})
