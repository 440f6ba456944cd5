// Messages as an iterator: what comes, in which order, and who gets it.

import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { FixedFile, Message, MsgRingData, MsgRingSendFd, Nop, Read, Ring } from 'uring'
import { pipe } from '../helpers/pipes.ts'
import { script } from '../helpers/process.ts'

const ENTRIES = 8
const MULTISHOT = 2000

function send(from: Ring, to: Ring, ...data: readonly (number | bigint)[]): void {
  for (const number of data) {
    from.push(new MsgRingData(to, Number(number), number))
    from.submitAndWait(1)
    from.tryWait()
  }
}

async function take(messages: AsyncIterator<Message, undefined>, count: number): Promise<bigint[]> {
  const taken: bigint[] = []
  for (let left = count; left > 0; left -= 1) {
    const { value } = await messages.next()
    if (value === undefined) break
    taken.push(value.data)
  }
  return taken
}

test('messages come with their numbers, in order', async (t) => {
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

// The kernel's own flags of wide completions (0x8000) and of fillers (0x20), which this ring has none of.
for (const userFlags of [0x8000, 0x20, 0xffff_ffff]) {
  test(`a message with the flags 0x${userFlags.toString(16)} arrives, and takes no completion away`, (t) => {
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

test('a step that waits is resolved by the event loop', async (t) => {
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

test('a worker is a sender like any other', async (t) => {
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
  const worker = new Worker(source, { eval: true, workerData: { fd: ring.fd, count: MULTISHOT } })
  const exit = once(worker, 'exit') // rejects with an error of the worker's
  const data: bigint[] = []
  for await (const message of ring.messages()) {
    if (data.push(message.data) === MULTISHOT) break
  }
  t.deepEqual(
    data,
    Array.from({ length: MULTISHOT }, (_, index) => BigInt(index)),
  )
  t.deepEqual(await exit, [0])
})

test('a file that was sent is in the slot that the message names', async (t) => {
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

test('tags come too, and say that they are', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  const { read } = pipe(t)
  const table = ring.registerFiles([read], { tags: [99n] })
  const messages = ring.messages()
  const step = messages.next()
  table.unregister()
  const { value: tag } = await step
  t.like(tag, { source: 'tag', result: 0, data: 99n, file: undefined })
})

test('what came before comes first, and the waiting calls see none of it meanwhile', async (t) => {
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
  t.deepEqual(await take(messages, 3), [1n, 2n, 3n])
})

test('what nobody took is the waiting calls’ again', async (t) => {
  using ring = new Ring({ entries: ENTRIES })
  using other = new Ring({ entries: ENTRIES })
  const messages = ring.messages()
  send(other, ring, 1, 2, 3)
  t.deepEqual(await take(messages, 1), [1n])
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

test('leaving ends the steps that wait', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  const messages = ring.messages()
  const steps = [messages.next(), messages.next()]
  await messages[Symbol.asyncDispose]()
  for (const step of steps) t.deepEqual(await step, { done: true, value: undefined })
})

test('one reader at a time', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  await using other = new Ring({ entries: ENTRIES })
  const first = ring.messages()
  t.throws(() => ring.messages(), { code: 'ERR_INVALID_STATE', message: /is open already/ })
  await first.return?.()
  const second = ring.messages()
  await other.run(new MsgRingData(ring, 0, 5))
  t.deepEqual(await take(second, 1), [5n])
})

test('throwing into it leaves it', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  const first = ring.messages()
  const reason = new Error('mine')
  t.is(await t.throwsAsync(async () => first.throw?.(reason)), reason)
  t.notThrows(() => ring.messages())
})

test('a signal ends it after what came before', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  using other = new Ring({ entries: ENTRIES })
  const controller = new AbortController()
  const messages = ring.messages({ signal: controller.signal })
  send(other, ring, 1)
  ring.tryWait() // enters the kernel, where the message arrives
  controller.abort('enough')
  t.deepEqual(await take(messages, 1), [1n])
  await t.throwsAsync(messages.next(), { name: 'AbortError', code: 'ABORT_ERR' })
  t.deepEqual(await messages.next(), { done: true, value: undefined })
})

test('a signal ends the step that waits', async (t) => {
  await using ring = new Ring({ entries: ENTRIES })
  const controller = new AbortController()
  const messages = ring.messages({ signal: controller.signal })
  const [first, second] = [messages.next(), messages.next()]
  controller.abort()
  await t.throwsAsync(first, { name: 'AbortError' })
  t.deepEqual(await second, { done: true, value: undefined })
  t.notThrows(() => ring.messages())
})

test('closing the ring ends it with an error', async (t) => {
  const ring = new Ring({ entries: ENTRIES })
  const step = ring.messages().next()
  const closing = ring.close()
  await t.throwsAsync(step, { code: 'ERR_URING_CLOSED' })
  await closing
  t.throws(() => ring.messages(), { code: 'ERR_URING_CLOSED' })
})

test('disposing of the ring ends it with an error', async (t) => {
  const ring = new Ring({ entries: ENTRIES })
  const step = ring.messages().next()
  ring[Symbol.dispose]()
  await t.throwsAsync(step, { code: 'ERR_URING_CLOSED' })
})

test('arguments that cannot be open nothing', (t) => {
  using ring = new Ring({ entries: ENTRIES })
  const wrong = (options: unknown) => () => ring.messages(options as Parameters<Ring['messages']>[0])
  t.throws(wrong(1), { code: 'ERR_INVALID_ARG_TYPE', message: /"options"/ })
  t.throws(wrong({ signal: {} }), { code: 'ERR_INVALID_ARG_TYPE', message: /"options.signal"/ })
  t.throws(wrong({ ref: 1 }), { code: 'ERR_INVALID_ARG_TYPE', message: /"options.ref"/ })
  t.throws(wrong({ signal: AbortSignal.abort() }), { name: 'AbortError' })
  t.notThrows(() => ring.messages())
})

test('waiting for messages keeps the process alive, until it is left', async (t) => {
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

test('a reader holds its ring', async (t) => {
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

test('with ref false it does not keep the process alive', async (t) => {
  const outcome = await script(`
    import { Ring } from 'uring'
    const ring = new Ring({ entries: 8 })
    process.on('exit', () => console.log('left'))
    void ring.messages({ ref: false }).next()
  `)
  t.deepEqual(outcome, { code: 0, signal: null, stdout: 'left\n', stderr: '' })
})
