// BufferPool with a simulated kernel, including older kernels that report less than this one.

import test from 'ava'
import { CqeFlags } from 'uring'
import { Groups } from '../../ts/buffers/groups.ts'
import type { Consumption } from '../../ts/buffers/group-memory.ts'
import { Borrowed, BufferPool, type PoolSettings } from '../../ts/buffers/buffer-pool.ts'

const GROUP = 3

interface Kernel {
  readonly pool: BufferPool
  readonly groups: Groups
  /** The number of buffers that the kernel has consumed; absent if it does not report it. */
  head: number | undefined
  /** Delivers a completion to the pool. */
  complete(
    consumption: Partial<Consumption>,
  ): { ids: readonly number[]; texts: string[]; returnable: number } | undefined
}

/** Creates a pool whose kernel has consumed no buffer. */
function kernel(settings: Partial<PoolSettings> = {}): Kernel {
  const groups = new Groups()
  const { count = 4, size = 4 } = settings
  const memory = Buffer.from(Array.from({ length: count * size }, (_, index) => 97 + (index % 26)))
  const made: Kernel = {
    groups,
    head: 0,
    pool: new BufferPool(groups, () => made.head, {
      entries: 4,
      count,
      size,
      incremental: false,
      memory,
      ...settings,
    }),
    complete(consumption) {
      const all = { id: 0, result: 1, flags: 0, first: undefined, sent: false, alone: true, ...consumption }
      const received = made.pool.consume(all)
      if (!(received instanceof Borrowed)) return undefined
      return { ids: received.ids, texts: received.views.map(String), returnable: received.returnable }
    },
  }
  made.pool.group = GROUP
  groups.open(GROUP, made.pool)
  return made
}

test('BufferPool: an incremental buffer with space left stays with the kernel while the head has not passed it', (t) => {
  const { pool, complete } = kernel({ incremental: true })
  t.deepEqual(complete({ result: 3, alone: false }), { ids: [0], texts: ['abc'], returnable: 0 })
  t.false(pool.isBorrowed(0))
  t.deepEqual(complete({ result: 1, alone: false }), { ids: [0], texts: ['d'], returnable: 1 })
  t.true(pool.isBorrowed(0))
})

test('BufferPool: an incremental buffer with space left is borrowed when the head has passed it', (t) => {
  const made = kernel({ incremental: true })
  made.head = 1
  t.deepEqual(made.complete({ result: 3 }), { ids: [0], texts: ['abc'], returnable: 1 })
  t.true(made.pool.isBorrowed(0))
})

test('BufferPool: an incremental buffer stays with the kernel at the end of a file', (t) => {
  const made = kernel({ incremental: true })
  t.is(made.complete({ result: 2, flags: CqeFlags.BUF_MORE, alone: false })?.texts[0], 'ab')
  // The kernel has filled the rest for another completion, which must not be lost.
  made.head = 1
  t.is(made.complete({ result: 0, alone: false }), undefined)
  t.deepEqual(made.complete({ result: 2, alone: false }), { ids: [0], texts: ['cd'], returnable: 1 })
  t.is(made.pool.availableAt(made.head), 3)
})

test('BufferPool: returns an empty incremental buffer when no operation can have it', (t) => {
  const made = kernel({ incremental: true })
  made.groups.use(GROUP)
  made.groups.use(GROUP)
  made.head = 1
  made.groups.received(GROUP, 0, CqeFlags.BUFFER)
  t.is(made.pool.availableAt(made.head), 3)
  made.groups.received(GROUP, -125, 0)
  t.is(made.pool.availableAt(made.head), 4)
})

test('BufferPool: trusts completions if the kernel does not report the head', (t) => {
  const made = kernel()
  made.head = undefined
  t.is(made.complete({ result: 0 }), undefined)
  t.is(made.pool.availableAt(1), 4)
  t.is(made.pool.available, undefined)
  t.deepEqual(made.complete({ id: 1, result: 2, first: Infinity, sent: true })?.ids, [1])
  made.pool.successSkipped()
  made.pool.idle()
  t.false(made.pool.isBorrowed(2))
})

test('BufferPool: a partial send borrows all buffers that the kernel consumed', (t) => {
  const made = kernel()
  made.head = 3
  const taken = made.complete({ result: 5, first: Infinity, sent: true })
  t.deepEqual(taken, { ids: [0, 1, 2], texts: ['abcd', 'e'], returnable: 3 })
  t.false(made.pool.isBorrowed(3))
})

test('BufferPool: respects a first buffer of a bundle that the kernel has shortened', (t) => {
  const { pool, complete } = kernel()
  pool.words[2] = 3
  t.deepEqual(complete({ result: 5, first: Infinity })?.texts, ['abc', 'ef'])
  // Another buffer may have its ring entry by then.
  const other = kernel({ entries: 2, count: 2 })
  other.head = 2
  other.complete({ id: 1, result: 4 })
  other.pool.put([1])
  other.complete({ id: 1, result: 4 })
  other.pool.put([1])
  other.pool.words[2] = 1
  t.deepEqual(other.complete({ result: 4, first: Infinity })?.texts, ['abcd'])
})

test('BufferPool: notifies all waiters if the number of buffers is unknown', async (t) => {
  const made = kernel()
  made.head = 4
  let notified = 0
  for (let index = 0; index < 3; index += 1) {
    made.groups.whenProvided(GROUP, () => {
      notified += 1
    })
  }
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  t.is(notified, 0)
  made.complete({ id: 0, result: 4 })
  made.head = undefined
  made.pool.put([0])
  t.is(notified, 1)
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  t.is(notified, 3)

  // But none if the program has borrowed all buffers: they would wait again at once, in a loop.
  for (const id of [0, 1, 2, 3]) made.complete({ id, result: 4 })
  made.groups.whenProvided(GROUP, () => {
    notified += 1
  })
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  t.is(notified, 3)
})

test('BufferPool: does not accept unknown numbers and borrowed buffers', (t) => {
  const { complete, pool } = kernel()
  t.is(pool.consume({ id: 4, result: 1, flags: 0, first: undefined, sent: false, alone: true }), undefined)
  t.is(complete({ id: 1, result: 4 })?.texts[0], 'efgh')
  t.is(pool.consume({ id: 1, result: 1, flags: 0, first: undefined, sent: false, alone: true }), undefined)
})
