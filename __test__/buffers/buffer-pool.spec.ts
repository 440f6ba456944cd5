// The buffers of a ring, alone: what is known of them for what a kernel says, also one that says less than this one.

import test from 'ava'
import { CqeFlags } from 'uring'
import { Groups } from '../../ts/buffers/groups.ts'
import type { Consumption } from '../../ts/buffers/group-memory.ts'
import { Borrowed, BufferPool, type PoolSettings } from '../../ts/buffers/buffer-pool.ts'

const GROUP = 3

interface Kernel {
  readonly pool: BufferPool
  readonly groups: Groups
  /** How many buffers it has taken; absent where it does not say. */
  head: number | undefined
  /** What a completion says. */
  take(
    taking: Partial<Consumption>,
  ): { ids: readonly number[]; texts: string[]; returnable: number } | undefined
}

/** A kernel that has taken nothing so far. */
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
    take(taking) {
      const all = { id: 0, result: 1, flags: 0, first: undefined, sent: false, alone: true, ...taking }
      const received = made.pool.consume(all)
      if (!(received instanceof Borrowed)) return undefined
      return { ids: received.ids, texts: received.views.map(String), returnable: received.returnable }
    },
  }
  made.pool.group = GROUP
  groups.open(GROUP, made.pool)
  return made
}

test('an incremental buffer with room left stays, where the kernel has not gone past it', (t) => {
  const { pool, take } = kernel({ incremental: true })
  t.deepEqual(take({ result: 3, alone: false }), { ids: [0], texts: ['abc'], returnable: 0 })
  t.false(pool.isBorrowed(0))
  t.deepEqual(take({ result: 1, alone: false }), { ids: [0], texts: ['d'], returnable: 1 })
  t.true(pool.isBorrowed(0))
})

test('an incremental buffer with room left is out, where the kernel has gone past it', (t) => {
  const made = kernel({ incremental: true })
  made.head = 1
  t.deepEqual(made.take({ result: 3 }), { ids: [0], texts: ['abc'], returnable: 1 })
  t.true(made.pool.isBorrowed(0))
})

test('an end of file is no end of an incremental buffer', (t) => {
  const made = kernel({ incremental: true })
  t.is(made.take({ result: 2, flags: CqeFlags.BUF_MORE, alone: false })?.texts[0], 'ab')
  // Another one that is under way has filled the rest of it: it is not to be lost.
  made.head = 1
  t.is(made.take({ result: 0, alone: false }), undefined)
  t.deepEqual(made.take({ result: 2, alone: false }), { ids: [0], texts: ['cd'], returnable: 1 })
  t.is(made.pool.availableAt(made.head), 3)
})

test('an incremental buffer that nothing came into goes back when nobody can have it', (t) => {
  const made = kernel({ incremental: true })
  made.groups.use(GROUP)
  made.groups.use(GROUP)
  made.head = 1
  made.groups.received(GROUP, 0, CqeFlags.BUFFER)
  t.is(made.pool.availableAt(made.head), 3)
  made.groups.received(GROUP, -125, 0)
  t.is(made.pool.availableAt(made.head), 4)
})

test('where the kernel does not say how far it is, it is believed', (t) => {
  const made = kernel()
  made.head = undefined
  t.is(made.take({ result: 0 }), undefined)
  t.is(made.pool.availableAt(1), 4)
  t.is(made.pool.available, undefined)
  t.deepEqual(made.take({ id: 1, result: 2, first: Infinity, sent: true })?.ids, [1])
  made.pool.successSkipped()
  made.pool.idle()
  t.false(made.pool.isBorrowed(2))
})

test('a send that stopped half-way has taken all that the kernel took', (t) => {
  const made = kernel()
  made.head = 3
  const taken = made.take({ result: 5, first: Infinity, sent: true })
  t.deepEqual(taken, { ids: [0, 1, 2], texts: ['abcd', 'e'], returnable: 3 })
  t.false(made.pool.isBorrowed(3))
})

test('the kernel may shorten the first buffer of a bundle', (t) => {
  const { pool, take } = kernel()
  pool.words[2] = 3
  t.deepEqual(take({ result: 5, first: Infinity })?.texts, ['abc', 'ef'])
  // Its place may be another’s by then.
  const other = kernel({ entries: 2, count: 2 })
  other.head = 2
  other.take({ id: 1, result: 4 })
  other.pool.put([1])
  other.take({ id: 1, result: 4 })
  other.pool.put([1])
  other.pool.words[2] = 1
  t.deepEqual(other.take({ result: 4, first: Infinity })?.texts, ['abcd'])
})

test('all who wait are woken where it is unknown how many buffers there are', async (t) => {
  const made = kernel()
  made.head = 4
  let told = 0
  for (let index = 0; index < 3; index += 1) {
    made.groups.whenProvided(GROUP, () => {
      told += 1
    })
  }
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  t.is(told, 0)
  made.take({ id: 0, result: 4 })
  made.head = undefined
  made.pool.put([0])
  t.is(told, 1)
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  t.is(told, 3)

  // But none where the program has them all: who is woken for nothing waits again, and so on.
  for (const id of [0, 1, 2, 3]) made.take({ id, result: 4 })
  made.groups.whenProvided(GROUP, () => {
    told += 1
  })
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  t.is(told, 3)
})

test('numbers that are not of the ring, and buffers that are out, are not known', (t) => {
  const { take, pool } = kernel()
  t.is(pool.consume({ id: 4, result: 1, flags: 0, first: undefined, sent: false, alone: true }), undefined)
  t.is(take({ id: 1, result: 4 })?.texts[0], 'efgh')
  t.is(pool.consume({ id: 1, result: 1, flags: 0, first: undefined, sent: false, alone: true }), undefined)
})
