// reference() and sendMessage(): messages to rings of other threads.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import {
  type Completion,
  CqeFlags,
  FixedFile,
  MsgRingData,
  Nop,
  Read,
  Ring,
  type RingOptions,
  type RingReference,
  UringError,
} from 'uring'
import { IORING_REGISTER_FILES, ioUringRegister } from 'uring/sys'
import { outcome, TIMEOUT } from '../helpers/completions.ts'
import { file } from '../helpers/files.ts'

const MAX_DATA = 2n ** 62n - 1n

/** Returns the next completion. */
function message(ring: Ring): Completion | undefined {
  return ring.wait(TIMEOUT)
}

const SHAPES = [
  [0, 0],
  [7, 1],
  [-5, 2 ** 40 + 3],
  [0x7fff_ffff, 2n ** 33n],
  [-0x8000_0000, MAX_DATA],
] as const

for (const [name, options] of [
  ['the best mode', {}],
  ['a plain ring', { submitAll: false }],
  ['wide completions', { cqe32: true }],
  ['a polling thread', { sqPoll: { idle: 10 } }],
] as const satisfies (readonly [string, RingOptions])[]) {
  test(`sendMessage: sends without a ring: ${name}`, (t) => {
    using ring = new Ring({ entries: 8, ...options })
    for (const [result, data] of SHAPES) {
      t.is(Ring.sendMessage(ring, result, data), undefined)
      const completion = message(ring)
      t.like(completion, { source: 'message', token: 0, result, userData: BigInt(data), flags: 0, ok: true })
      t.is(completion?.value, result)
    }
    t.is(ring.tryWait(), undefined)
    t.is(ring.inFlight, 0)
    t.is(ring.stats().stray, 0)
  })
}

test('sendMessage: userFlags are the flags of the completion, and other flags are refused', (t) => {
  using ring = new Ring({ entries: 8 })
  Ring.sendMessage(ring.reference(), 1, 2, { userFlags: CqeFlags.SOCK_NONEMPTY | 0x1234_0000 })
  t.is(message(ring)?.flags, 0x1234_0004)
  const error = t.throws(() => Ring.sendMessage(ring, 1, 2, { flags: 2 ** 30 }), { instanceOf: UringError })
  t.like(error, { code: 'EINVAL', errno: -22, syscall: 'io_uring_register' })
  t.is(ring.tryWait(), undefined)
})

test('sendMessage: arrives among the completions of the ring’s own operations', (t) => {
  using ring = new Ring({ entries: 8 })
  for (let index = 0; index < 20; index += 1) Ring.sendMessage(ring, index, index)
  ring.push(new Nop({ result: 99 }), 'own')
  const all = ring.waitMany(21, TIMEOUT)
  const results = all.filter(({ source }) => source === 'message').map(({ result }) => result)
  t.deepEqual(
    results.toSorted((a, b) => a - b),
    Array.from({ length: 20 }, (_, index) => index),
  )
  t.is(all.find(({ source }) => source === 'operation')?.userData, 'own')
})

test('sendMessage: needs an open and enabled ring', (t) => {
  using disabled = new Ring({ entries: 8, disabled: true })
  const { fd } = file(t)
  for (const [target, code] of [
    [{ fd }, 'EBADFD'],
    [disabled, 'EBADFD'],
    [disabled.reference(), 'EBADFD'],
    [{ fd: 987_654 }, 'EBADF'],
  ] as const) {
    const error = t.throws(() => Ring.sendMessage(target, 1, 1), { instanceOf: UringError, code })
    t.is(error.syscall, 'io_uring_register')
  }
  const closed = new Ring({ entries: 8 })
  closed[Symbol.dispose]()
  t.throws(() => Ring.sendMessage(closed, 1, 1), { code: 'ERR_OUT_OF_RANGE', message: /target\.fd/ })
})

test('sendMessage: names invalid arguments', (t) => {
  using ring = new Ring({ entries: 8 })
  const none = 'x' as unknown as number
  for (const [name, code, call] of [
    ['target', 'ERR_INVALID_ARG_TYPE', () => Ring.sendMessage(5 as unknown as Ring, 1, 1)],
    ['target', 'ERR_INVALID_ARG_TYPE', () => Ring.sendMessage(undefined as unknown as Ring, 1, 1)],
    ['result', 'ERR_INVALID_ARG_TYPE', () => Ring.sendMessage(ring, none, 1)],
    ['result', 'ERR_OUT_OF_RANGE', () => Ring.sendMessage(ring, 2 ** 31, 1)],
    ['data', 'ERR_INVALID_ARG_TYPE', () => Ring.sendMessage(ring, 1, none)],
    ['data', 'ERR_OUT_OF_RANGE', () => Ring.sendMessage(ring, 1, -1)],
    ['data', 'ERR_OUT_OF_RANGE', () => Ring.sendMessage(ring, 1, 2n ** 62n)],
    ['options', 'ERR_INVALID_ARG_TYPE', () => Ring.sendMessage(ring, 1, 1, 3 as unknown as object)],
  ] as const) {
    t.true(t.throws(call, { code }, name).message.includes(`"${name}"`), name)
  }
  t.is(ring.tryWait(), undefined)
})

test('reference: returns a plain object that can be cloned', (t) => {
  using ring = new Ring({ entries: 8 })
  const reference = ring.reference()
  t.deepEqual(reference, { fd: ring.fd })
  t.is(Object.getPrototypeOf(reference), Object.prototype)
  const clone: RingReference = structuredClone(reference)
  Ring.sendMessage(clone, 3, 4n)
  t.like(message(ring), { source: 'message', result: 3, userData: 4n })
  using other = new Ring({ entries: 8 })
  t.is(outcome(other, new MsgRingData(clone, 5, 6)), 0)
  t.like(message(ring), { source: 'message', result: 5, userData: 6n })
})

/** Runs `source` in a worker that gets a reference. */
function worker(t: ExecutionContext, source: string): Worker {
  const thread = new Worker(
    `
    const { once } = require('node:events')
    const { parentPort } = require('node:worker_threads')
    const { openSync } = require('node:fs')
    import(${JSON.stringify(import.meta.resolve('uring'))}).then(async (uring) => {
      const { FixedFile, MsgRingData, MsgRingSendFd, OpenAt, Ring } = uring
      parentPort.once('message', async (reference) => { ${source} })
      parentPort.postMessage('ready')
    })
    `,
    { eval: true },
  )
  t.teardown(() => thread.terminate())
  return thread
}

test('reference: another thread sends messages and files with it', async (t) => {
  const { path } = file(t, 'from afar')
  const thread = worker(
    t,
    `
    Ring.sendMessage(reference, 1, 11n)
    const ring = new Ring({ entries: 8 })
    ring.push(new MsgRingData(reference, 2, 2n ** 61n))
    ring.wait().value
    await ring.run(new MsgRingData(reference, 3, 33))
    const { ioUringRegister } = await import(${JSON.stringify(import.meta.resolve('uring/sys'))})
    ioUringRegister(ring.fd, ${IORING_REGISTER_FILES}, Int32Array.of(openSync(${JSON.stringify(path)})), 1)
    ring.push(new MsgRingSendFd(reference, new FixedFile(0), { direct: 2, data: 44 }))
    const slot = ring.wait().value
    await ring.close()
    parentPort.postMessage(slot)
    parentPort.close()
    `,
  )
  await once(thread, 'message')
  using ring = new Ring({ entries: 8 })
  t.is(ioUringRegister(ring.fd, IORING_REGISTER_FILES, Int32Array.of(-1, -1, -1, -1), 4), 0)
  thread.postMessage(ring.reference())
  // Each message wakes the blocked thread.
  const messages = Array.from({ length: 4 }, () => message(ring))
  t.true(messages.every((completion) => completion?.source === 'message' && completion.ok))
  // In any order: the kernel delivers them in several ways.
  t.deepEqual(
    messages.map((completion) => `${String(completion?.userData)} ${completion?.result}`).toSorted(),
    ['11 1', '2305843009213693952 2', '33 3', '44 0'],
  )
  t.deepEqual(await once(thread, 'message'), [2])
  const bytes = Buffer.alloc(9)
  t.is(outcome(ring, new Read(new FixedFile(2), bytes, { offset: 0 })), 9)
  t.is(bytes.toString(), 'from afar')
})

test('reference: no message of many threads is lost', async (t) => {
  const EACH = 300
  using ring = new Ring({ entries: 8, cqEntries: 8 })
  const threads = Array.from({ length: 3 }, (_, number) =>
    worker(
      t,
      `
      for (let index = 0; index < ${EACH}; index += 1) {
        for (;;) {
          try { Ring.sendMessage(reference, ${number}, index); break }
          catch (error) { if (error.code !== 'EOVERFLOW') throw error }
        }
      }
      parentPort.close()
      `,
    ),
  )
  await Promise.all(threads.map((thread) => once(thread, 'message')))
  for (const thread of threads) thread.postMessage(ring.reference())
  const seen: number[][] = threads.map(() => [])
  for (let index = 0; index < EACH * threads.length; index += 1) {
    const completion = message(ring)
    seen[Number(completion?.result)]?.push(Number(completion?.userData))
  }
  const all = Array.from({ length: EACH }, (_, index) => index)
  t.deepEqual(
    seen.map((numbers) => numbers.toSorted((a, b) => a - b)),
    threads.map(() => all),
  )
  t.is(ring.tryWait(), undefined)
})
