// Tests messages(): the iterator over messages from other rings.

import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { FixedFile, Message, MsgRingData, MsgRingSendFd, Nop, Read, Ring } from 'uring'
import { pipe } from '../helpers/pipes.ts'
import { script } from '../helpers/process.ts'

const ENTRIES = 8
const MESSAGES = 2000

function send(from: Ring, to: Ring, ...data: readonly (number | bigint)[]): void {
  for (const number of data) {
    from.push(new MsgRingData(to, Number(number), number))
    from.submitAndWait(1)
    from.tryWait()
  }
}

async function takeData(messages: AsyncIterator<Message, undefined>, count: number): Promise<bigint[]> {
  const data: bigint[] = []
  for (let left = count; left > 0; left -= 1) {
    const { value } = await messages.next()
    if (value === undefined) break
    data.push(value.data)
  }
  return data
}

test('messages: yields messages with their data, in order', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  using other = new Ring({ entries: ENTRIES })
  const messages = ring.messages()
  const largest = (1n << 62n) - 1n
  await other.run(new MsgRingData(ring, -7, largest))
  await other.run(new MsgRingData(ring, 8, 9, { userFlags: 0x10000 }))
  const { value: first } = await messages.next()
  const { value: second } = await messages.next()
  t.true(first instanceof Message)
  t.like(first, { source: 'message', result: -7, data: largest, flags: 0, file: undefined })
  t.like(second, { source: 'message', result: 8, data: 9n, flags: 0x10000 })
})

// IORING_CQE_F_32 (0x8000) and IORING_CQE_F_SKIP (0x20), which the kernel sets only on rings with mixed CQEs.
for (const userFlags of [0x8000, 0x20, 0xffff_ffff]) {
  test(`wait: returns a message with the flags 0x${userFlags.toString(16)} and the completion after it`, (t) => {
    using ring = new Ring({ entries: ENTRIES })
    using other = new Ring({ entries: ENTRIES })
    other.push(new MsgRingData(ring, 8, 9, { userFlags }))
    other.submitAndWait(1)
    t.is(ring.wait()?.flags, userFlags)
    Ring.sendMessage(ring, 8, 9, { userFlags })
    ring.push(new Nop(), 'after')
    ring.submitAndWait(2)
    const both = [ring.wait()?.userData, ring.wait()?.userData]
    t.deepEqual(both.map(String).sort(), ['9', 'after'])
  })
}

test('messages: the event loop resolves waiting calls of next()', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  await using other = new Ring({ entries: ENTRIES })
  const messages = ring.messages()
  const steps = [messages.next(), messages.next()]
  await other.run(new MsgRingData(ring, 0, 1))
  await other.run(new MsgRingData(ring, 0, 2))
  const results = await Promise.all(steps)
  t.deepEqual(
    results.map(({ value }) => value?.data),
    [1n, 2n],
  )
})

test('messages: yields messages sent from a worker', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  const source = `
    const { workerData } = require('node:worker_threads')
    import(${JSON.stringify(import.meta.resolve('uring'))}).then(async ({ MsgRingData, Ring }) => {
      const ring = new Ring({ entries: 8 })
      const numbers = Array.from({ length: workerData.count }, (_, index) => index)
      await Promise.all(numbers.map((index) => ring.run(new MsgRingData({ fd: workerData.fd }, index, index))))
      await ring.close()
    })
  `
  const worker = new Worker(source, { eval: true, workerData: { fd: ring.fd, count: MESSAGES } })
  const exit = once(worker, 'exit') // rejects if the worker fails
  const data: bigint[] = []
  for await (const message of ring.messages()) {
    if (data.push(message.data) === MESSAGES) break
  }
  t.deepEqual(
    data,
    Array.from({ length: MESSAGES }, (_, index) => BigInt(index)),
  )
  t.deepEqual(await exit, [0])
})

test('messages: names the fixed-file slot of a file that was sent', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  using other = new Ring({ entries: ENTRIES })
  const { read, write } = pipe(t)
  ring.registerFiles(4)
  other.registerFiles([read])
  const messages = ring.messages()
  const slot = await other.run(new MsgRingSendFd(ring, new FixedFile(0), { data: 3 }))
  const { value: message } = await messages.next()
  t.is(message?.data, 3n)
  const file = message?.file
  t.deepEqual(file, new FixedFile(slot))
  writeSync(write, 'sent')
  const buffer = Buffer.alloc(8)
  t.is(await ring.run(new Read(file ?? new FixedFile(0), buffer)), 4)
  t.is(buffer.toString('latin1', 0, 4), 'sent')
})

test('messages: yields tags of registered resources, with source tag', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  const { read } = pipe(t)
  const table = ring.registerFiles([read], { tags: [99n] })
  const messages = ring.messages()
  const step = messages.next()
  table.unregister()
  const { value: tag } = await step
  t.like(tag, { source: 'tag', result: 0, data: 99n, file: undefined })
})

test('messages: yields earlier messages first and hides all messages from the queue API', async (t) => {
  using ring = new Ring({ entries: ENTRIES })
  using other = new Ring({ entries: ENTRIES })
  send(other, ring, 1, 2)
  t.is(ring.peek()?.userData, 1n)
  const messages = ring.messages()
  t.is(ring.tryWait(), undefined)
  send(other, ring, 3)
  ring.push(new Nop(), 'mine')
  t.is(ring.wait()?.userData, 'mine')
  t.is(ring.tryWait(), undefined)
  t.deepEqual(await takeData(messages, 3), [1n, 2n, 3n])
})

test('messages: return() leaves unread messages to the queue API', async (t) => {
  using ring = new Ring({ entries: ENTRIES })
  using other = new Ring({ entries: ENTRIES })
  const messages = ring.messages()
  send(other, ring, 1, 2, 3)
  t.deepEqual(await takeData(messages, 1), [1n])
  const waiting = messages.return?.()
  t.deepEqual(await waiting, { done: true, value: undefined })
  send(other, ring, 4)
  const rest = ring.waitMany(3, { timeout: Infinity })
  t.deepEqual(
    rest.map(({ source, userData }) => [source, userData]),
    [
      ['message', 2n],
      ['message', 3n],
      ['message', 4n],
    ],
  )
  t.deepEqual(await messages.next(), { done: true, value: undefined })
})

test('messages: dispose ends waiting calls of next()', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  const messages = ring.messages()
  const steps = [messages.next(), messages.next()]
  await messages[Symbol.asyncDispose]()
  for (const step of steps) t.deepEqual(await step, { done: true, value: undefined })
})

test('messages: throws ERR_INVALID_STATE while another iterator is open', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  await using other = new Ring({ entries: ENTRIES })
  const first = ring.messages()
  t.throws(() => ring.messages(), { code: 'ERR_INVALID_STATE', message: /is open already/ })
  await first.return?.()
  const second = ring.messages()
  await other.run(new MsgRingData(ring, 0, 5))
  t.deepEqual(await takeData(second, 1), [5n])
})

test('messages: throw() rejects with the reason and closes the iterator', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  const first = ring.messages()
  const reason = new Error('mine')
  t.is(await t.throwsAsync(async () => first.throw?.(reason)), reason)
  t.notThrows(() => ring.messages())
})

test('messages: an abort ends the iteration after the messages that arrived before', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  using other = new Ring({ entries: ENTRIES })
  const controller = new AbortController()
  const messages = ring.messages({ signal: controller.signal })
  send(other, ring, 1)
  ring.tryWait() // enters the kernel, where the message arrives
  controller.abort('enough')
  t.deepEqual(await takeData(messages, 1), [1n])
  await t.throwsAsync(messages.next(), { name: 'AbortError', code: 'ABORT_ERR' })
  t.deepEqual(await messages.next(), { done: true, value: undefined })
})

test('messages: an abort rejects the waiting call of next()', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  const controller = new AbortController()
  const messages = ring.messages({ signal: controller.signal })
  const [first, second] = [messages.next(), messages.next()]
  controller.abort()
  await t.throwsAsync(first, { name: 'AbortError' })
  t.deepEqual(await second, { done: true, value: undefined })
  t.notThrows(() => ring.messages())
})

test('messages: rejects with ERR_URING_CLOSED when the ring is closed', async (t) => {
  const ring = new Ring({ entries: ENTRIES })
  const step = ring.messages().next()
  const closing = ring.close()
  await t.throwsAsync(step, { code: 'ERR_URING_CLOSED' })
  await closing
  t.throws(() => ring.messages(), { code: 'ERR_URING_CLOSED' })
})

test('messages: rejects with ERR_URING_CLOSED when the ring is disposed of', async (t) => {
  const ring = new Ring({ entries: ENTRIES })
  const step = ring.messages().next()
  ring[Symbol.dispose]()
  await t.throwsAsync(step, { code: 'ERR_URING_CLOSED' })
})

test('messages: throws for bad arguments and opens no iterator', (t) => {
  using ring = new Ring({ entries: ENTRIES })
  const wrong = (options: unknown) => () => ring.messages(options as Parameters<Ring['messages']>[0])
  t.throws(wrong(1), { code: 'ERR_INVALID_ARG_TYPE', message: /"options"/ })
  t.throws(wrong({ signal: {} }), { code: 'ERR_INVALID_ARG_TYPE', message: /"options.signal"/ })
  t.throws(wrong({ ref: 1 }), { code: 'ERR_INVALID_ARG_TYPE', message: /"options.ref"/ })
  t.throws(wrong({ signal: AbortSignal.abort() }), { name: 'AbortError' })
  t.notThrows(() => ring.messages())
})

test('messages: keeps the process alive until the loop is left', async (t) => {
  const outcome = await script(
    `
    import { MsgRingData, Ring } from 'uring'
    const ring = new Ring({ entries: 8 })
    const { fd } = ring
    setImmediate(async () => {
      gc()
      const other = new Ring({ entries: 8 })
      await other.run(new MsgRingData({ fd }, 0, 6))
    })
    for await (const { data } of ring.messages()) {
      console.log(String(data))
      break
    }
  `,
    ['--expose-gc'],
  )
  t.deepEqual(outcome, { code: 0, signal: null, stdout: '6\n', stderr: '' })
})

test('messages: a waiting call of next() keeps its ring alive', async (t) => {
  const outcome = await script(
    `
    import { MsgRingData, Ring } from 'uring'
    function open() {
      const ring = new Ring({ entries: 8 })
      const { fd } = ring
      ring.messages().next().then(({ value }) => {
        console.log(String(value.data))
        process.exit()
      })
      return fd
    }
    const fd = open()
    await new Promise(setImmediate)
    gc()
    await new Promise(setImmediate)
    gc()
    const other = new Ring({ entries: 8 })
    await other.run(new MsgRingData({ fd }, 0, 6))
  `,
    ['--expose-gc'],
  )
  t.deepEqual(outcome, { code: 0, signal: null, stdout: '6\n', stderr: '' })
})

test('messages: does not keep the process alive with ref false', async (t) => {
  const outcome = await script(`
    import { Ring } from 'uring'
    const ring = new Ring({ entries: 8 })
    process.on('exit', () => console.log('left'))
    void ring.messages({ ref: false }).next()
  `)
  t.deepEqual(outcome, { code: 0, signal: null, stdout: 'left\n', stderr: '' })
})
