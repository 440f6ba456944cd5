// Registered files: registering, updating and unregistering, tags, and operations in flight.

import { once } from 'node:events'
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
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
import { run, script } from '../helpers/process.ts'
import { contentOf, contents, files } from '../helpers/registered.ts'

const NOBODY = 987_654
/** A completion that has not arrived by then will never arrive. */
const PATIENCE = { timeout: 30_000 }
const MAX_TAG = 2n ** 62n - 1n

/** Returns the tags that have arrived, sorted. */
function tags(ring: Ring): bigint[] {
  const found: bigint[] = []
  for (let tag = ring.tryWait(); tag !== undefined; tag = ring.tryWait()) {
    if (tag.source !== 'tag') throw new Error(`a ${tag.source} came`)
    found.push(tag.userData as bigint)
  }
  return found.toSorted((left, right) => Number(left - right))
}

// ---- registering

test('registerFiles: operations use files by their slots', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0] = files(t, 'a', 'b')
  const table = ring.registerFiles([-1, a, { fd: b }, a])
  t.is(table.size, 4)
  t.is(contents(ring, 5), '- a b a -')
  t.deepEqual(table.at(2), new FixedFile(2))
  t.is(contentOf(ring, table.at(2)), 'b')
})

test('registerFiles: registers a number of empty slots', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const table = ring.registerFiles(3)
  t.is(table.size, 3)
  t.is(contents(ring, 3), '- - -')
  t.is(codeOrNone(ring, new OpenAt('/dev/null', { direct: 2 })), 'none')
  t.is(codeOrNone(ring, new OpenAt('/dev/null', { direct: 3 })), 'EINVAL', 'there is no such slot')
  t.is(table.update(1, [a]), 1)
  t.is(contents(ring, 3), '- a ')
})

test('registerFiles: descriptors and FileHandles can be closed afterwards', async (t) => {
  await using ring = new Ring({ entries: 4 })
  const { path } = file(t, 'still here')
  const fd = openSync(path, 'r')
  const handle = await open(path)
  const table = ring.registerFiles([fd, handle, -1])
  const other = await open(path)
  table.update(2, [other])
  closeSync(fd)
  await handle.close()
  await other.close()
  t.is(contents(ring, 3), 'still here still here still here')
  t.throws(() => table.update(0, [handle]), { code: 'ERR_OUT_OF_RANGE', message: /"files\[0\]\.fd"/ })
  t.is(contentOf(ring, 0), 'still here')
})

test('registerFiles: registers large tables with their tags', (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8192 })
  const COUNT = 5000
  const [a = 0, b = 0] = files(t, 'a', 'b')
  const all = (fd: number): number[] => Array.from({ length: COUNT }, () => fd)
  const numbers = (from: number): bigint[] =>
    Array.from({ length: COUNT }, (_, index) => BigInt(from + index))
  const table = ring.registerFiles(all(a), { tags: numbers(1) })
  for (const slot of [0, 1, COUNT / 2, COUNT - 1]) t.is(contentOf(ring, slot), 'a')
  t.is(table.update(0, all(b), { tags: numbers(100_000) }), COUNT)
  for (const slot of [0, 1, COUNT / 2, COUNT - 1]) {
    const bytes = Buffer.alloc(1)
    ring.push(new Read(table.at(slot), bytes, { offset: 0 }), 'read')
    ring.submitAndWait(0)
  }
  const came = ring.waitMany(COUNT + 4)
  t.is(came.filter(({ userData }) => userData === 'read').length, 4)
  t.deepEqual(
    came.filter(({ source }) => source === 'tag').map(({ userData }) => userData),
    numbers(1),
  )
  table.unregister()
  t.deepEqual(tags(ring), numbers(100_000))
})

test('registerFiles: a ring has one table at a time', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0] = files(t, 'a', 'b')
  const first = ring.registerFiles([a])
  t.throws(() => ring.registerFiles(4), {
    code: 'EBUSY',
    message: 'EBUSY: resource busy or locked, io_uring_register',
  })
  t.is(contents(ring, 2), 'a -')
  first.unregister()
  const second = ring.registerFiles([b, b])
  t.is(contents(ring, 2), 'b b')
  // The old table object does not refer to the new table.
  t.throws(() => first.update(0, [a]), { code: 'ERR_URING_RESOURCE_CLOSED' })
  first[Symbol.dispose]()
  t.is(contents(ring, 2), 'b b')
  second.unregister()
})

test('registerFiles: registers no file if one is refused', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const message = 'EBADF: bad file descriptor, io_uring_register: '
  for (const [list, reason] of [
    [[a, -1, NOBODY, NOBODY], 'files[2] is not open'],
    [[a, ring], 'a ring cannot be registered'],
  ] as const) {
    const error = t.throws<UringError>(() =>
      ring.registerFiles(list, { tags: list.map((_, at) => (at === 0 ? 1n : 0n)) }),
    )
    t.is(error?.message, message + reason)
    t.like(error, { code: 'EBADF', errno: -9, syscall: 'io_uring_register' })
    t.is(code(ring, new OpenAt('/dev/null', { direct: 0 })), 'ENXIO', 'there is no table')
    t.is(ring.tryWait(), undefined, 'no tag arrives')
  }
  t.is(ring.registerFiles([a]).size, 1)
})

test('registerFiles: fails with EMFILE for more slots than the limit of descriptors', async (t) => {
  const source = `
    import { Ring } from 'uring'
    const ring = new Ring({ entries: 4 })
    for (const files of [201, Array(201).fill(-1), Array(201).fill(0)]) {
      try {
        ring.registerFiles(files)
      } catch ({ code, errno, message }) {
        console.log(code, errno, message)
      }
    }
    console.log(ring.registerFiles(200).size)
  `
  // Node.js opens many modules at once: the limit has to leave room for that.
  const command = 'ulimit -n 200 && exec "$0" --input-type=module --eval "$1"'
  const { stdout, stderr } = await run('sh', ['-c', command, process.execPath, source])
  t.is(stderr, '')
  const refused =
    'EMFILE -24 EMFILE: too many open files, io_uring_register: a table cannot have more slots than the process may have descriptors (ulimit -n): use fewer than 201 slots, or raise the limit\n'
  t.is(stdout, `${refused.repeat(3)}200\n`)
})

test('registerFiles: names invalid arguments, and registers nothing', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const holes: unknown[] = []
  holes.length = 2
  const register = (list: unknown, options?: unknown) => () =>
    ring.registerFiles(list as number[], options as undefined)
  const TYPE = 'ERR_INVALID_ARG_TYPE'
  const VALUE = 'ERR_INVALID_ARG_VALUE'
  const RANGE = 'ERR_OUT_OF_RANGE'
  for (const [wrong, expected, name] of [
    [register(undefined), TYPE, '"files"'],
    [register('12'), TYPE, '"files"'],
    [register(new Set([a])), TYPE, '"files"'],
    [register([]), VALUE, "'files'"],
    [register(0), RANGE, '"files"'],
    [register(-1), RANGE, '"files"'],
    [register(1.5), RANGE, '"files"'],
    [register(2 ** 31), RANGE, '"files"'],
    [register([a, -2]), RANGE, '"files[1]"'],
    [register([a, 0.5]), RANGE, '"files[1]"'],
    [register([a, '1']), TYPE, '"files[1]"'],
    [register([a, new FixedFile(0)]), TYPE, '"files[1]"'],
    [register(holes), TYPE, '"files[0]"'],
    [register([a, { fd: -1 }]), RANGE, '"files[1].fd"'],
    [register([a, null]), TYPE, '"files[1]"'],
    [register([a], 7), TYPE, '"options"'],
    [register([a], { tags: 7n }), TYPE, '"options.tags"'],
    [register([a], { tags: [] }), VALUE, "'options.tags'"],
    [register([a], { tags: [1n, 2n] }), VALUE, "'options.tags'"],
    [register([a], { tags: [1] }), TYPE, '"options.tags[0]"'],
    [register([a, a], { tags: holes }), TYPE, '"options.tags[0]"'],
    [register([a], { tags: [-1n] }), RANGE, '"options.tags[0]"'],
    [register([a], { tags: [MAX_TAG + 1n] }), RANGE, '"options.tags[0]"'],
    [register([a, -1], { tags: [1n, 1n] }), VALUE, "'options.tags[1]'"],
    [register(2, { tags: [0n, 1n] }), VALUE, "'options.tags[1]'"],
  ] as const) {
    const error = t.throws<UringError>(wrong)
    t.is(error?.code, expected, name)
    t.true(error?.message.includes(name), error?.message)
    t.true(error instanceof (expected === RANGE ? RangeError : TypeError))
  }
  t.is(codeOrNone(ring, new OpenAt('/dev/null', { direct: 0 })), 'ENXIO')
  t.is(ring.registerFiles(2, { tags: [0n, 0n] }).size, 2)
})

test('registerFiles: is atomic, whatever getters of its arguments do', (t) => {
  const [a = 0] = files(t, 'a')
  const ring = new Ring({ entries: 4 })
  const closing = {
    get fd() {
      return (ring[Symbol.dispose](), a)
    },
  }
  t.throws(() => ring.registerFiles([closing]), { code: 'ERR_URING_CLOSED' })

  using other = new Ring({ entries: 4 })
  const table = other.registerFiles([a, -1])
  class Short extends Array<bigint> {
    override *[Symbol.iterator](): ArrayIterator<bigint> {
      yield 1n
    }
  }
  t.is(table.update(0, [a, a], { tags: Short.of(5n, 6n) }), 2)
  t.is(table.update(0, [a, -1]), 2)
  t.deepEqual(tags(other), [5n, 6n])
  const failing = {
    get fd(): number {
      throw new Error('mine')
    },
  }
  t.throws(() => table.update(0, [-1, failing]), { message: 'mine' })
  t.is(contents(other, 2), 'a -')
  t.throws(
    () =>
      table.update(0, [-1], {
        get tags() {
          return (table.unregister(), [0n])
        },
      }),
    { code: 'ERR_URING_RESOURCE_CLOSED' },
  )
  t.is(codeOrNone(other, new OpenAt('/dev/null', { direct: 0 })), 'ENXIO')
})

// ---- update

test('FileTable: update() fills, empties and skips slots', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0, c = 0] = files(t, 'a', 'b', 'c')
  const table = ring.registerFiles(5)
  t.is(table.update(0, [a, { fd: b }]), 2)
  t.is(contents(ring, 5), 'a b - - -')
  t.is(table.update(3, [c, c]), 2)
  t.is(contents(ring, 5), 'a b - c c')
  t.is(table.update(0, [-1, SKIP_FILE, a, SKIP_FILE, -1]), 5)
  t.is(contents(ring, 5), '- b a c -')
  t.is(table.update(4, [-1]), 1, 'it is empty')
  t.is(table.update(1, [c, a]), 2, 'the old files are replaced')
  t.is(contents(ring, 5), '- c a c -')
  t.is(table.update(2, []), 0)
  t.is(contents(ring, 5), '- c a c -')
})

test('FileTable: update() stops at the first refused file, and returns the number of slots', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0, c = 0] = files(t, 'a', 'b', 'c')
  const table = ring.registerFiles([c, c, c, c], { tags: [1n, 2n, 3n, 4n] })
  t.is(table.update(0, [a, NOBODY, b], { tags: [5n, 6n, 7n] }), 1)
  t.deepEqual(tags(ring), [1n, 2n], 'the tags of removed files')
  t.is(contents(ring, 4), 'a - c c', 'the slot where it stopped is empty, and those after it are unchanged')
  t.is(table.update(0, [SKIP_FILE, b, ring]), 2)
  t.deepEqual(tags(ring), [3n])
  t.is(contents(ring, 4), 'a b - c')
  const message = 'EBADF: bad file descriptor, io_uring_register: '
  for (const [list, reason] of [
    [[NOBODY, b], 'files[0] is not open'],
    [[ring, NOBODY], 'a ring cannot be registered'],
  ] as const) {
    const error = t.throws<UringError>(() => table.update(3, list.slice(0, 1)))
    t.is(error?.message, message + reason)
    t.like(error, { code: 'EBADF', errno: -9, syscall: 'io_uring_register' })
  }
  t.deepEqual(tags(ring), [4n])
  t.is(contents(ring, 4), 'a b - -')
  table.unregister()
  t.deepEqual(tags(ring), [5n])
})

test('FileTable: update() names invalid arguments, and changes nothing', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const table = ring.registerFiles([a, a, a])
  const update = (offset: unknown, list: unknown, options?: unknown) => () =>
    table.update(offset as number, list as number[], options as undefined)
  const TYPE = 'ERR_INVALID_ARG_TYPE'
  const VALUE = 'ERR_INVALID_ARG_VALUE'
  const RANGE = 'ERR_OUT_OF_RANGE'
  for (const [wrong, expected, name] of [
    [update('0', [-1]), TYPE, '"offset"'],
    [update(-1, [-1]), RANGE, '"offset"'],
    [update(3, [-1]), RANGE, '"offset"'],
    [update(0.5, [-1]), RANGE, '"offset"'],
    [update(0, -1), TYPE, '"files"'],
    [update(0, [-1, -1, -1, -1]), RANGE, '"files.length"'],
    [update(2, [-1, -1]), RANGE, '"files.length"'],
    [update(0, [-1, -3]), RANGE, '"files[1]"'],
    [update(0, [-1, 2 ** 31]), RANGE, '"files[1]"'],
    [update(0, [-1, table.at(0)]), TYPE, '"files[1]"'],
    [update(0, [-1, {}]), TYPE, '"files[1]"'],
    [update(0, [-1], 'tags'), TYPE, '"options"'],
    [update(0, [a], { tags: 1n }), TYPE, '"options.tags"'],
    [update(0, [a, a], { tags: [1n] }), VALUE, "'options.tags'"],
    [update(0, [a], { tags: [1.5] }), TYPE, '"options.tags[0]"'],
    [update(0, [a], { tags: [2n ** 62n] }), RANGE, '"options.tags[0]"'],
    [update(0, [a, -1], { tags: [1n, 1n] }), VALUE, "'options.tags[1]'"],
    [update(0, [a, SKIP_FILE], { tags: [1n, 1n] }), VALUE, "'options.tags[1]'"],
    [() => table.at(3), RANGE, '"slot"'],
    [() => table.at(-1), RANGE, '"slot"'],
    [() => table.at('1' as unknown as number), TYPE, '"slot"'],
  ] as const) {
    const error = t.throws<UringError>(wrong)
    t.is(error?.code, expected, name)
    t.true(error?.message.includes(name), error?.message)
  }
  t.is(contents(ring, 3), 'a a a')
})

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
  t.throws(() => ring.waitMany(2), { code: 'ERR_URING_NOTHING_IN_FLIGHT', message: /: 1 can come/ })
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
