// Futexes: within one thread, between threads, and several at a time.

import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import {
  AsyncCancel,
  FutexFlags,
  FutexWait,
  FutexWaitV,
  FutexWake,
  type FutexWord,
  type Operation,
  Ring,
} from 'uring'
import { nothingCompletes, outcome, outcomesByUserData } from '../../helpers/completions.ts'
import { script } from '../../helpers/process.ts'

const { PRIVATE, NUMA, SIZE_U8, SIZE_U32 } = FutexFlags
const EVERYBODY = 0x7fff_ffff

const WORDS: readonly (() => FutexWord)[] = [
  () => new Int32Array(1),
  () => new Uint32Array(4).subarray(2),
  () => new Int32Array(new SharedArrayBuffer(8), 4),
  () => new Uint32Array(new SharedArrayBuffer(4)),
]

/** Submits a wait. */
function waiting(ring: Ring, operation: Operation<unknown>, userData: unknown): number {
  const token = ring.push(operation, userData)
  ring.submit()
  return token
}

/** A thread that waits on a word, and posts the result. */
function waiter(word: FutexWord): { outcome: Promise<unknown>; end(): Promise<unknown> } {
  const worker = new Worker(
    `
      const { parentPort, workerData } = require('node:worker_threads')
      import('uring').then(({ Ring, FutexWait }) => {
        const ring = new Ring({ entries: 4 })
        ring.push(new FutexWait(workerData, 5))
        const completion = ring.wait()
        ring[Symbol.dispose]()
        parentPort.postMessage(completion.error?.code ?? completion.value)
      })
    `,
    { eval: true, workerData: word, execArgv: [] },
  )
  const outcome = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  return { outcome, end: () => worker.terminate() }
}

test('FutexWait: waits until the word is woken', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const make of WORDS) {
    const word = make()
    word[0] = 5
    waiting(ring, new FutexWait(word, 5), 'wait')
    t.true(nothingCompletes(ring))
    word[0] = 6 // a new value alone wakes no waiter
    t.true(nothingCompletes(ring))
    ring.push(new FutexWake(word, 1), 'wake')
    t.deepEqual(outcomesByUserData(ring, 2), { wait: 0, wake: 1 })
    t.is(ring.inFlight, 0)
  }
})

test('FutexWait: fails with EAGAIN if the word has another value', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const [word, value, others] of [
    [new Int32Array(2), 0, [1, -1, 0xffff_ffff]],
    [new Int32Array(2), -5, [5, -6, 0]],
    [new Int32Array(2), 2 ** 32 - 5, [5, -6, 0]],
    [new Uint32Array(2), 2 ** 32 - 1, [0, 1, 2 ** 31]],
    [new Uint32Array(2), -1, [0, 1, 2 ** 31]],
    [new Uint32Array(2), 2 ** 31, [0, 1]],
  ] as const) {
    word[0] = value
    word[1] = 77
    for (const other of [...others, 77]) t.is(outcome(ring, new FutexWait(word, other)), 'EAGAIN')
    waiting(ring, new FutexWait(word, value), 'wait')
    t.true(nothingCompletes(ring))
    ring.push(new FutexWake(word, 1), 'wake')
    t.deepEqual(outcomesByUserData(ring, 2), { wait: 0, wake: 1 })
  }
  ring.push(new FutexWait(new Int32Array(1), 1))
  t.like(ring.wait()?.error, {
    syscall: 'futex_wait',
    message: 'EAGAIN: resource temporarily unavailable, futex_wait',
    operation: 'FutexWait',
  })
})

test('FutexWait: is woken by another thread', async (t) => {
  using ring = new Ring({ entries: 8 })
  const word = new Int32Array(new SharedArrayBuffer(4))
  word[0] = 5
  const { outcome: woken, end } = waiter(word)
  // Atomics.notify() does not know waiters in the kernel.
  t.is(Atomics.notify(word, 0), 0)
  // Repeat until the other thread has started to wait.
  while (outcome(ring, new FutexWake(word, EVERYBODY)) === 0) await setImmediate()
  t.is(await woken, 0)
  await end()
})

test('FutexWait: does not wait if another thread changed the word before', async (t) => {
  const word = new Int32Array(new SharedArrayBuffer(4))
  word[0] = 6
  const { outcome, end } = waiter(word)
  t.is(await outcome, 'EAGAIN')
  await end()
})

test('FutexWait: can be cancelled', (t) => {
  using ring = new Ring({ entries: 8 })
  const word = new Int32Array(1)
  const token = waiting(ring, new FutexWait(word, 0), 'first')
  waiting(ring, new FutexWait(word, 0), 'second')
  ring.push(new AsyncCancel(token), 'cancel')
  t.deepEqual(outcomesByUserData(ring, 2), { cancel: 1, first: 'ECANCELED' })
  ring.push(new FutexWake(word, EVERYBODY), 'wake')
  t.deepEqual(outcomesByUserData(ring, 2), { wake: 1, second: 0 })
})

test('FutexWake: wakes at most count waiters, the oldest first', (t) => {
  using ring = new Ring({ entries: 16 })
  const [word, other] = [new Int32Array(1), new Int32Array(1)]
  for (let index = 0; index < 5; index += 1) waiting(ring, new FutexWait(word, 0), index)
  waiting(ring, new FutexWait(other, 0), 'other')
  const wake = (count: number): unknown[] => {
    ring.push(new FutexWake(word, count), 'wake')
    ring.submit()
    const completions = ring.waitMany(1, { max: 16 })
    const woken = completions.find(({ userData }) => userData === 'wake')?.value as number
    while (completions.length < woken + 1) completions.push(...ring.waitMany(1))
    const names = completions.map(({ userData }) => userData).filter((name) => name !== 'wake')
    t.is(names.length, woken)
    return names
  }
  t.deepEqual(wake(0), [])
  t.deepEqual(wake(1), [0])
  t.deepEqual(wake(2), [1, 2])
  t.deepEqual(wake(EVERYBODY), [3, 4])
  t.deepEqual(wake(1), [])
  t.is(ring.inFlight, 1)
  ring.push(new FutexWake(other, 1), 'wake')
  t.deepEqual(outcomesByUserData(ring, 2), { wake: 1, other: 0 })
})

test('FutexWake: wakes only waiters whose mask has a bit in common', (t) => {
  using ring = new Ring({ entries: 8 })
  const word = new Int32Array(1)
  const high = 1 << 31 // negative
  waiting(ring, new FutexWait(word, 0, { mask: 0b01 }), 'low')
  waiting(ring, new FutexWait(word, 0, { mask: 0b10 | high }), 'high')
  waiting(ring, new FutexWait(word, 0), 'all')
  for (const [mask, name] of [
    [0b100, 'all'],
    [high, 'high'],
    [0b11, 'low'],
  ] as const) {
    ring.push(new FutexWake(word, EVERYBODY, { mask }), 'wake')
    t.deepEqual(outcomesByUserData(ring, 2), { wake: 1, [name]: 0 })
  }
})

test('FutexWake: fails for an empty mask and for unknown flags', (t) => {
  using ring = new Ring({ entries: 8 })
  const word = new Int32Array(1)
  t.is(outcome(ring, new FutexWake(word, 1, { mask: 0 })), 'EINVAL')
  t.is(outcome(ring, new FutexWait(word, 0, { mask: 0 })), 'EINVAL')
  ring.push(new FutexWake(word, 1, { mask: 0 }))
  t.like(ring.wait()?.error, {
    syscall: 'futex_wake',
    message: 'EINVAL: invalid argument, futex_wake',
    operation: 'FutexWake',
  })
  t.is(outcome(ring, new FutexWake(word, 1, { flags: 1 << 30 })), 'EINVAL')
  t.is(outcome(ring, new FutexWait(word, 0, { flags: 1 << 30 })), 'EINVAL')
  t.is(outcome(ring, new FutexWake(word, 1, { flags: SIZE_U8 })), 0)
  t.is(outcome(ring, new FutexWake(word, 1, { flags: SIZE_U32 })), 0)
})

test('FutexWake: wakes private waiters only with PRIVATE', (t) => {
  using ring = new Ring({ entries: 8 })
  const word = new Int32Array(1)
  waiting(ring, new FutexWait(word, 0, { flags: PRIVATE }), 'private')
  t.is(outcome(ring, new FutexWake(word, EVERYBODY)), 0)
  waiting(ring, new FutexWait(word, 0), 'shared')
  ring.push(new FutexWake(word, EVERYBODY, { flags: PRIVATE }), 'wake')
  t.deepEqual(outcomesByUserData(ring, 2), { private: 0, wake: 1 })
  ring.push(new FutexWake(word, EVERYBODY), 'wake')
  t.deepEqual(outcomesByUserData(ring, 2), { shared: 0, wake: 1 })
})

test('FutexWait: requires a second element for the node number with NUMA', (t) => {
  for (const make of [
    (word: FutexWord) => new FutexWait(word, 0, { flags: NUMA }),
    (word: FutexWord) => new FutexWake(word, 0, { flags: NUMA }),
    (word: FutexWord) => new FutexWaitV([{ word, expected: 0, flags: NUMA }]),
  ]) {
    t.throws(() => make(new Int32Array(1)), { code: 'ERR_OUT_OF_RANGE', message: /word\.length/ })
    t.notThrows(() => make(new Int32Array(2)).build())
    t.notThrows(() => make(new Int32Array(new ArrayBuffer(12), 4)).build())
  }
  using ring = new Ring({ entries: 8 })
  const wait = new FutexWait(new Int32Array(1), 0)
  wait.flags = NUMA
  t.throws(() => ring.push(wait), { code: 'ERR_OUT_OF_RANGE' })
})

test('FutexWaitV: resolves to the index of the word that was woken', (t) => {
  using ring = new Ring({ entries: 8 })
  const words = WORDS.map((make) => make())
  for (const [index, word] of words.entries()) word[0] = index - 2
  const waiters = words.map((word, index) => ({ word, expected: index - 2 }))
  for (const [index, word] of words.entries()) {
    waiting(ring, new FutexWaitV(waiters), 'wait')
    t.true(nothingCompletes(ring))
    ring.push(new FutexWake(word, EVERYBODY), 'wake')
    t.deepEqual(outcomesByUserData(ring, 2), { wait: index, wake: 1 })
  }
  for (const word of words) t.is(outcome(ring, new FutexWake(word, 1)), 0, 'no waiter is left')
})

test('FutexWaitV: fails with EAGAIN if a word has another value', (t) => {
  using ring = new Ring({ entries: 8 })
  const waiters = [0, 1, 2].map((expected) => ({ word: new Int32Array(1).fill(expected), expected }))
  for (const { word } of waiters) {
    word[0] = (word[0] ?? 0) + 1
    ring.push(new FutexWaitV(waiters))
    t.like(ring.wait()?.error, {
      code: 'EAGAIN',
      syscall: 'futex_waitv',
      message: 'EAGAIN: resource temporarily unavailable, futex_waitv',
    })
    word[0] -= 1
  }
  waiting(ring, new FutexWaitV(waiters), 'wait')
  t.true(nothingCompletes(ring))
  ring.push(new AsyncCancel('any'))
  t.deepEqual(outcomesByUserData(ring, 2), { undefined: 1, wait: 'ECANCELED' })
})

test('FutexWaitV: accepts 128 words with flags for each', (t) => {
  using ring = new Ring({ entries: 8 })
  const waiters = Array.from({ length: 128 }, (_, index) => ({
    word: new Uint32Array(1),
    expected: 0,
    flags: index % 2 === 0 ? PRIVATE : 0,
  }))
  for (const index of [0, 1, 64, 127]) {
    const { word, flags } = waiters[index] as (typeof waiters)[number]
    waiting(ring, new FutexWaitV(waiters), 'wait')
    t.is(outcome(ring, new FutexWake(word, 1, { flags: flags ^ PRIVATE })), 0)
    ring.push(new FutexWake(word, 1, { flags }), 'wake')
    t.deepEqual(outcomesByUserData(ring, 2), { wait: index, wake: 1 })
  }
  const [first] = waiters
  t.is(
    outcome(
      ring,
      new FutexWaitV([{ word: new Int32Array(1), expected: 0, flags: 1 << 30 }, ...(first ? [first] : [])]),
    ),
    'EINVAL',
  )
})

test('FutexWaitV: refuses a word that a getter detaches during push()', (t) => {
  using ring = new Ring({ entries: 8 })
  for (const detach of [true, false]) {
    const word = new Int32Array(1)
    t.is(outcome(ring, new FutexWake(word, 1)), 0) // its address is cached now
    let armed = false
    const waiters = [
      { word, expected: 0 },
      {
        word: new Int32Array(1),
        get expected() {
          if (detach && armed) structuredClone(word.buffer, { transfer: [word.buffer] })
          return 0
        },
      },
    ]
    const operation = new FutexWaitV(waiters)
    armed = true
    if (detach) {
      t.throws(() => ring.push(operation), {
        code: 'ERR_OUT_OF_RANGE',
        message: /waiters\[0\]\.word\.length/,
      })
      t.is(ring.sqReady, 0)
    } else t.notThrows(() => ring.push(operation))
  }
})

test('FutexWait: keeps the words alive while it waits', async (t) => {
  const { stdout, stderr } = await script(
    `
      import { setImmediate } from 'node:timers/promises'
      import { AsyncCancel, FutexWait, FutexWaitV, Ring } from 'uring'
      const gone = []
      const registry = new FinalizationRegistry((name) => gone.push(name))
      const ring = new Ring({ entries: 8 })
      const word = (name) => {
        const array = new Int32Array(1)
        registry.register(array.buffer, name)
        return array
      }
      const start = () => {
        ring.push(new FutexWait(word('one'), 0))
        ring.push(new FutexWaitV([{ word: word('several'), expected: 0 }, { word: word('several'), expected: 0 }]))
        ring.submit()
        word('unused')
      }
      const collect = async () => {
        for (let round = 0; round < 10; round += 1) {
          globalThis.gc()
          await setImmediate()
        }
      }
      start()
      await collect()
      console.log(gone.join())
      ring.push(new AsyncCancel('any'))
      ring.waitMany(3)
      await collect()
      console.log(gone.toSorted().join())
    `,
    ['--expose-gc'],
  )
  t.is(stderr, '')
  t.is(stdout, 'unused\none,several,several,unused\n')
})
