// Registered files: unregistering, tags, and operations in flight.

import { once } from 'node:events'
import { createReadStream, writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import {
  Close,
  type Completion,
  type FileTable,
  FixedFdInstall,
  FixedFile,
  Nop,
  OpenAt,
  Pipe,
  Read,
  Ring,
  SKIP_FILE,
  type UringError,
} from 'uring'
import { codeOrNone, complete } from '../helpers/completions.ts'
import { fifo, file } from '../helpers/files.ts'
import { until } from '../helpers/multishot.ts'
import { script } from '../helpers/process.ts'
import { contentOf, contents, files, tags } from '../helpers/registered.ts'

/** A completion that has not arrived by then will never arrive. */
const PATIENCE = { timeout: 30_000 }
const MAX_TAG = 2n ** 62n - 1n

// ---- unregistering

/** Returns the error code of each method. */
function refusals(table: FileTable, slot: FixedFile): (string | undefined)[] {
  const codeOf = (call: () => unknown): string | undefined => {
    try {
      call()
    } catch (error) {
      return (error as UringError).code
    }
    return undefined
  }
  return [
    codeOf(() => table.at(0)),
    codeOf(() => table.acquire()),
    codeOf(() => table.release(slot)),
    codeOf(() => table.update(0, [-1])),
    codeOf(() => table.update(0, [])),
    codeOf(() => table.allocRange(0, 1)),
    codeOf(() => table.unregister()),
  ]
}

test('FileTable: all methods of an unregistered table throw, and its slots are gone', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const table = ring.registerFiles([a, -1])
  const slot = table.acquire()
  t.is(table.unregister(), undefined)
  t.is(contents(ring, 2), '- -')
  t.deepEqual(new Set(refusals(table, slot)), new Set(['ERR_URING_RESOURCE_CLOSED']))
  t.throws(() => table.unregister(), { message: 'The table of registered files is unregistered' })
  t.notThrows(() => table[Symbol.dispose]())
  {
    using scoped = ring.registerFiles([a])
    t.is(contentOf(ring, scoped.at(0)), 'a')
  }
  t.is(contentOf(ring, 0), 'EBADF')
  t.is(codeOrNone(ring, new OpenAt('/dev/null', { direct: 0 })), 'ENXIO')
})

test('FileTable: all methods throw after the ring is closed', async (t) => {
  for (const close of [(ring: Ring) => ring.close(), async (ring: Ring) => ring[Symbol.dispose]()]) {
    const ring = new Ring({ entries: 4 })
    const [a = 0] = files(t, 'a')
    const table = ring.registerFiles([a, -1])
    const slot = table.acquire()
    const closed = close(ring)
    for (let round = 0; round < 2; round += 1) {
      t.deepEqual(new Set(refusals(table, slot)), new Set(['ERR_URING_CLOSED']))
      t.throws(() => ring.registerFiles([a]), { code: 'ERR_URING_CLOSED' })
      t.notThrows(() => table[Symbol.dispose]())
      await closed
    }
  }
})

/** Puts both ends of a pipe into slots. Returns a descriptor of its read end. */
function piped(ring: Ring): number {
  const [read] = complete(ring, new Pipe({ direct: 0 })).value
  return complete(ring, new FixedFdInstall(read)).value
}

test('close: closes the registered files', async (t) => {
  for (const close of [(ring: Ring) => ring.close(), async (ring: Ring) => ring[Symbol.dispose]()]) {
    const ring = new Ring({ entries: 4 })
    ring.registerFiles(2)
    const stream = createReadStream('', { fd: piped(ring) })
    const end = once(stream.resume(), 'end')
    await close(ring)
    await end
  }
  t.pass()
})

test('Ring: is collected with its table, and the files are closed', async (t) => {
  const { stdout, stderr } = await script(
    `
    import { createReadStream } from 'node:fs'
    import { FixedFdInstall, Pipe, Ring } from 'uring'
    function piped() {
      const ring = new Ring({ entries: 4 })
      const table = ring.registerFiles(3)
      table.acquire()
      ring.push(new Pipe({ direct: 0 }))
      ring.push(new FixedFdInstall(ring.wait().value[0]))
      return ring.wait().value
    }
    const collecting = setInterval(() => gc(), 5)
    const stream = createReadStream('', { fd: piped() }).resume()
    stream.on('end', () => {
      clearInterval(collecting)
      console.log('closed')
    })
    `,
    ['--expose-gc'],
  )
  t.is(stderr, '')
  t.is(stdout, 'closed\n')
})

test('Ring: a terminated worker releases its table', async (t) => {
  const source = `
    const { parentPort } = require('node:worker_threads')
    import(${JSON.stringify(import.meta.resolve('uring'))}).then(async ({ FixedFdInstall, Pipe, Read, Ring }) => {
      const ring = new Ring({ entries: 8 })
      const table = ring.registerFiles(4, { tags: [0n, 0n, 0n, 0n] })
      table.allocRange(2, 2)
      const busy = await ring.run(new Pipe({ direct: 'auto' }))
      ring.run(new Read(busy[0], Buffer.alloc(64)))
      const [read] = await ring.run(new Pipe({ direct: 0 }))
      parentPort.postMessage(await ring.run(new FixedFdInstall(read)))
    })
  `
  const worker = new Worker(source, { eval: true })
  const [fd] = (await once(worker, 'message')) as [number]
  const stream = createReadStream('', { fd })
  const end = once(stream.resume(), 'end')
  t.is(await worker.terminate(), 1)
  await end
})

// ---- tags

test('FileTable: a tag arrives when its file has left the table, for any reason', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0] = files(t, 'a', 'b')
  const table = ring.registerFiles([a, a, a, a, a], { tags: [1n, 2n, MAX_TAG, 0n, 5n] })
  t.is(ring.tryWait(), undefined)
  const leave: [() => unknown, bigint[]][] = [
    [() => table.update(0, [SKIP_FILE]), []],
    [() => table.update(0, [-1]), [1n]],
    [() => table.update(0, [-1]), []],
    [() => table.update(0, [b, b], { tags: [11n, 12n] }), [2n]],
    [() => table.update(0, [a]), [11n]],
    [() => table.update(0, [a]), []],
    [() => table.update(3, [b], { tags: [14n] }), []],
    [() => table.unregister(), [5n, 12n, 14n, MAX_TAG]],
  ]
  for (const [change, expected] of leave) {
    change()
    t.deepEqual(tags(ring), expected, String(change))
  }
  const closed = ring.registerFiles([a, a], { tags: [1n, 2n] })
  ring.push(new Close(closed.at(0)), 'close')
  ring.push(new OpenAt('/dev/null', { direct: closed.at(1) }), 'open')
  const came = ring.waitMany(2).concat(ring.waitMany(2, PATIENCE))
  t.deepEqual(came.map(({ userData }) => String(userData)).toSorted(), ['1', '2', 'close', 'open'])
})

test('FileTable: a tag is a completion without a token, in every call', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const takes: Record<string, () => Pick<Completion, 'userData' | 'result' | 'flags' | 'token'> | undefined> =
    {
      wait: () => ring.wait(),
      'wait with a timeout': () => ring.wait(PATIENCE),
      waitMany: () => ring.waitMany(1)[0],
      submitAndWait: () => {
        ring.submitAndWait(1)
        t.is(ring.cqReady, 1)
        return ring.tryWait()
      },
      tryWait: () => ring.tryWait(),
      peek: () => {
        const peeked = ring.peek()
        t.is(ring.tryWait(), peeked)
        return peeked
      },
      drain: () => {
        const found: Pick<Completion, 'userData' | 'result' | 'flags' | 'token'>[] = []
        ring.drain((userData, result, flags, token) => found.push({ userData, result, flags, token }))
        t.is(found.length, 1)
        return found[0]
      },
    }
  for (const [name, take] of Object.entries(takes)) {
    ring.registerFiles([a], { tags: [77n] }).unregister()
    const { userData, result, flags, token } = take() ?? {}
    t.deepEqual({ userData, result, flags, token }, { userData: 77n, result: 0, flags: 0, token: 0 }, name)
  }
  ring.registerFiles([a], { tags: [1n] }).unregister()
  const tag = ring.wait()
  t.like(tag, { source: 'tag', ok: true, error: undefined, value: 0, more: false })
  t.is(ring.inFlight, 0)
  t.is(ring.stats().stray, 0)
  t.throws(() => ring.wait(), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
})

test('FileTable: waits count tags and operations', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  ring.registerFiles([a], { tags: [1n] }).unregister()
  ring.push(new Nop(), 'nop')
  const came = ring.waitMany(2)
  t.deepEqual(
    came.map(({ userData }) => userData),
    [1n, 'nop'],
  )
  ring.registerFiles([a], { tags: [2n] }).unregister()
  t.throws(() => ring.waitMany(2), { code: 'ERR_URING_NOTHING_IN_FLIGHT', message: /only 1 can come/ })
  t.is(ring.wait()?.userData, 2n)
})

// ---- in flight

/** Starts a read of the FIFO in slot 0. */
function reading(t: ExecutionContext, options: { tags?: bigint[] } = {}) {
  const ring = new Ring({ entries: 8 })
  t.teardown(() => ring[Symbol.dispose]())
  const gate = fifo(t)
  const table = ring.registerFiles([gate, -1], options)
  const bytes = Buffer.alloc(8)
  ring.push(new Read(table.at(0), bytes), 'read')
  ring.submit()
  t.is(ring.tryWait(), undefined)
  return { ring, table, gate, text: (length: number) => bytes.toString('latin1', 0, length) }
}

test('FileTable: unregister() lets a read in flight end, and the tag follows it', (t) => {
  const { ring, table, gate, text } = reading(t, { tags: [9n, 0n] })
  table.unregister()
  t.is(contentOf(ring, 0), 'EBADF', 'the table is gone')
  t.is(ring.tryWait(), undefined, 'and the file is not')
  writeSync(gate, 'late')
  const [read, tag] = ring.waitMany(2, PATIENCE)
  t.like(read, { userData: 'read', result: 4 })
  t.is(text(4), 'late')
  t.like(tag, { source: 'tag', userData: 9n })
})

test('FileTable: update() lets an operation in flight keep the old file, and its tag follows', (t) => {
  const { ring, table, gate, text } = reading(t, { tags: [9n, 0n] })
  t.is(table.update(0, [file(t, 'new').fd], { tags: [10n] }), 1)
  t.is(contentOf(ring, 0), 'new')
  t.is(ring.tryWait(), undefined)
  writeSync(gate, 'old')
  const [read, tag] = ring.waitMany(2, PATIENCE)
  t.like(read, { userData: 'read', result: 3 })
  t.is(text(3), 'old')
  t.like(tag, { source: 'tag', userData: 9n })
  t.is(contentOf(ring, 0), 'new')
  t.is(ring.tryWait(), undefined)
  table.unregister()
  t.deepEqual(tags(ring), [10n])
})

test('FileTable: a new table does not hold files of operations on the old one', (t) => {
  const { ring, table, gate } = reading(t, { tags: [1n, 0n] })
  table.unregister()
  const next = ring.registerFiles([file(t, 'next').fd], { tags: [2n] })
  t.is(contentOf(ring, next.at(0)), 'next')
  next.unregister()
  t.deepEqual(tags(ring), [2n])
  writeSync(gate, 'x')
  t.deepEqual(
    ring.waitMany(2, PATIENCE).map(({ userData }) => userData),
    ['read', 1n],
  )
})

test('close: cancels operations on registered files', async (t) => {
  const first = reading(t, { tags: [1n, 0n] })
  await first.ring.close()
  t.true(first.ring.closed)
  const second = reading(t, { tags: [1n, 0n] })
  second.ring[Symbol.dispose]()
  t.is(second.ring.fd, -1)
  // No operation reads there any more.
  writeSync(first.gate, 'for nobody')
  t.is(first.text(8), '\0'.repeat(8))
})

test('FileTable: tags arrive at the queue API while the promise API is in use', async (t) => {
  await using ring = new Ring({ entries: 8 })
  const gate = fifo(t)
  const [a = 0] = files(t, 'a')
  const table = ring.registerFiles([gate, a], { tags: [1n, 2n] })
  const bytes = Buffer.alloc(8)
  const read = ring.run(new Read(table.at(0), bytes))
  await ring.run(new Nop())
  table.update(0, [-1, -1])
  const first = ring.tryWait()
  t.like(first, { source: 'tag', userData: 2n, token: 0 }, 'no operation used this file')
  t.is(ring.tryWait(), undefined)
  writeSync(gate, 'text')
  t.is(await read, 4)
  await until(() => ring.cqReady > 0 || ring.peek() !== undefined)
  t.like(ring.wait(), { source: 'tag', userData: 1n, result: 0 })
  // Also with no operation in flight.
  table.update(0, [a], { tags: [3n] })
  table.unregister()
  t.is(ring.wait()?.userData, 3n)
  // No tag is lost between operations of run().
  const next = ring.registerFiles(1)
  const expected: bigint[] = []
  for (let tag = 1n; tag <= 100n; tag += 1n) {
    next.update(0, [a], { tags: [tag] })
    expected.push(tag)
    if (tag % 10n === 0n) t.is(await ring.run(new Read(next.at(0), bytes, { offset: 0 })), 1)
  }
  next.unregister()
  await ring.run(new Nop())
  t.deepEqual(tags(ring), expected)
})

test('registerFiles: works in every mode of a ring', (t) => {
  const [a = 0, b = 0] = files(t, 'a', 'b')
  for (const mode of [
    { submitAll: false },
    { singleIssuer: true },
    { coopTaskrun: true },
    { sqPoll: true },
  ]) {
    using ring = new Ring({ entries: 4, ...mode })
    const table = ring.registerFiles([a, -1, -1], { tags: [1n, 0n, 0n] })
    const slot = table.acquire()
    t.is(table.update(slot.index, [b]), 1)
    t.is(contentOf(ring, 0) + contentOf(ring, slot), 'ab', JSON.stringify(mode))
    table.release(slot)
    t.is(contentOf(ring, slot), 'EBADF')
    table.unregister()
    t.is(ring.wait(PATIENCE)?.userData, 1n)
  }
})
