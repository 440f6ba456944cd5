// Tests run() and the default ring: values, rejections, and run() beside the queue API.

import { AsyncLocalStorage } from 'node:async_hooks'
import { readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  AsyncCancel,
  Close,
  Entry,
  Fsync,
  MkDirAt,
  Nop,
  OpenAt,
  type Operation,
  Pipe,
  Read,
  Readv,
  Ring,
  Splice,
  Statx,
  Timeout,
  Write,
  Writev,
} from 'uring'
import * as uring from 'uring'
import { directory, fifo, file } from '../helpers/files.ts'
import { type Outcome, run as runProgram, script } from '../helpers/process.ts'
import { codeOf, nextTurn } from '../helpers/promises.ts'

const OK: Outcome = { code: 0, signal: null, stdout: 'ok\n', stderr: '' }

/** Calls a function; if it throws instead of returning a rejected promise, the test fails. */
const invoke = (call: () => Promise<unknown>): Promise<unknown> => call()

// ---- values

test('run: resolves to the decoded result of each operation class', async (t) => {
  using ring = new Ring({ entries: 8 })
  const path = join(directory(t), 'file')
  t.is(await ring.run(new Nop()), 0)
  t.is(await ring.run(new Nop({ result: 7 })), 7)
  t.is(await ring.run(new MkDirAt(`${path}s`)), 0)
  const fd: number = await ring.run(new OpenAt(path, { flags: 'w+' }))
  t.is(await ring.run(new Write(fd, Buffer.from('hello '), { offset: 0 })), 6)
  t.is(await ring.run(new Writev(fd, [Buffer.from('wo'), Buffer.from('rld')], { offset: 6 })), 5)
  t.is(await ring.run(new Fsync(fd)), 0)
  t.is(readFileSync(path, 'utf8'), 'hello world')
  const bytes = Buffer.alloc(5)
  t.is(await ring.run(new Read(fd, bytes, { offset: 6 })), 5)
  t.is(bytes.toString(), 'world')
  const parts = [Buffer.alloc(1), Buffer.alloc(100)]
  t.is(await ring.run(new Readv(fd, parts, { offset: 4 })), 7)
  t.is(Buffer.concat(parts).toString('utf8', 0, 7), 'o world')
  const stats = await ring.run(new Statx(path))
  t.true(stats.isFile())
  t.is(stats.size, 11)
  t.is((await ring.run(new Statx(fd, { bigint: true }))).size, 11n)
  t.is(await ring.run(new Timeout(1)), 'expired')
  const both = [ring.run(new Timeout(60_000, { count: 1 })), ring.run(new Nop())] as const
  t.deepEqual(await Promise.all(both), ['count', 0])
  if (ring.supports(Pipe)) {
    const [from, to] = await ring.run(new Pipe())
    t.is(await ring.run(new Splice(fd, to, 5, { offsetIn: 0 })), 5)
    t.is(await ring.run(new Read(from, bytes)), 5)
    t.is(bytes.toString(), 'hello')
    for (const end of [from, to]) t.is(await ring.run(new Close(end)), 0)
  }
  t.is(await ring.run(new Close(fd)), 0)
  await t.throwsAsync(ring.run(new Read(fd, bytes)), { code: 'EBADF' })
})

test('run: runs a built entry repeatedly, also several times at once', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const { fd } = file(t, 'hello')
  const bytes = Buffer.alloc(5)
  const entry = new Read(fd, bytes, { offset: 0 }).build()
  for (let round = 0; round < 3; round += 1) {
    bytes.fill(0)
    const count: number = await ring.run(entry)
    t.is(count, 5)
    t.is(bytes.toString(), 'hello')
  }
  t.deepEqual(await Promise.all(Array.from({ length: 20 }, () => ring.run(entry))), Array(20).fill(5))
  t.is((await ring.run(new Statx(fd).build())).size, 5)
  t.is(await ring.run(Entry.from(new Nop({ result: 3 }).build().bytes)), 3)
})

test('run: resolves when a completion arrives later', async (t) => {
  using ring = new Ring({ entries: 256 })
  const fd = fifo(t)
  const reads = Array.from({ length: 200 }, () => ring.run(new Read(fd, Buffer.alloc(1))))
  await nextTurn()
  t.is(ring.inFlight, 200)
  setImmediate(() => writeSync(fd, 'x'.repeat(200)))
  t.deepEqual(await Promise.all(reads), Array(200).fill(1))
  t.is(ring.inFlight, 0)
})

test('run: completions arrive through the waiter thread with URING_WAKER=thread', async (t) => {
  const source = `
    import { readdirSync, readFileSync } from 'node:fs'
    import { Ring, Timeout } from 'uring'
    const ring = new Ring({ entries: 4 })
    for (let round = 0; round < 20; round += 1) {
      const [first, second] = await Promise.all([ring.run(new Timeout(1)), ring.run(new Timeout(2))])
      if (first !== 'expired' || second !== 'expired') throw new Error(first + second)
    }
    const names = readdirSync('/proc/self/task').map((id) => readFileSync('/proc/self/task/' + id + '/comm', 'utf8').trim())
    console.log(names.includes('uring-waker') ? 'ok' : names)`
  const args = ['--input-type=module', '--eval', source]
  t.deepEqual(await runProgram(process.execPath, args, { URING_WAKER: 'thread' }), OK)
})

// ---- rejections

const multishot = (): Operation<unknown> => new Timeout(1, { multi: true, count: 1 })

for (const [name, options, error] of [
  ['null', null, { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError, message: /"options"/ }],
  ['a string', 'x', { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError, message: /"options"/ }],
  [
    'an object as signal',
    { signal: {} },
    { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError, message: /"options.signal"/ },
  ],
  [
    'a string as timeout',
    { timeout: '1' },
    { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError, message: /"options.timeout"/ },
  ],
  [
    'a negative timeout',
    { timeout: -1 },
    { code: 'ERR_OUT_OF_RANGE', instanceOf: RangeError, message: /"options.timeout"/ },
  ],
  [
    'NaN as timeout',
    { timeout: Number.NaN },
    { code: 'ERR_OUT_OF_RANGE', instanceOf: RangeError, message: /"options.timeout"/ },
  ],
  [
    'a number as ref',
    { ref: 1 },
    { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError, message: /"options.ref"/ },
  ],
] as const) {
  test(`run, chain: reject bad options instead of throwing: ${name}`, async (t) => {
    using ring = new Ring({ entries: 4 })
    for (const call of [
      () => ring.run(new Nop(), options as never),
      () => ring.chain([new Nop()], options as never),
      () => uring.run(new Nop(), options as never),
      () => uring.chain([new Nop()], options as never),
    ]) {
      await t.throwsAsync(invoke(call), error)
    }
    t.is(ring.stats().submitted, 0)
  })
}

test('run, chain: reject operations that they cannot await instead of throwing', async (t) => {
  using ring = new Ring({ entries: 2, cqEntries: 4 })
  const fd = fifo(t)
  const value = { code: 'ERR_INVALID_ARG_VALUE', instanceOf: TypeError }
  const type = { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError }
  const refused = async (): Promise<void> => {
    for (const options of [undefined, {}, { timeout: 1000 }, { signal: new AbortController().signal }]) {
      const run = (operation: unknown) => () => ring.run(operation as Nop, options)
      const about = (expected: object, message: RegExp): object => ({ ...expected, message })
      await t.throwsAsync(invoke(run(multishot())), about(value, /'operation' .*each\(\)/))
      await t.throwsAsync(invoke(run(multishot().build())), about(value, /'operation' .*each\(\)/))
      await t.throwsAsync(invoke(run(new Nop().skipSuccess())), about(value, /'operation' .*skipSuccess/))
      await t.throwsAsync(invoke(run(new Nop().skipSuccess().build())), value)
      await t.throwsAsync(invoke(run(new Nop().link())), about(value, /'operation' .*linked/))
      await t.throwsAsync(invoke(run(new Nop().hardLink().build())), value)
      for (const invalid of [undefined, null, {}, 'Nop', Nop])
        await t.throwsAsync(invoke(run(invalid)), about(type, /"operation"/))
      const broken = new Read(fd, Buffer.alloc(1))
      broken.file = -1
      await t.throwsAsync(invoke(run(broken)), { code: 'ERR_OUT_OF_RANGE' })

      const chain =
        (...operations: unknown[]) =>
        () =>
          ring.chain(operations as Nop[], options)
      await t.throwsAsync(invoke(chain(new Nop(), multishot())), about(value, /'operations\[1\]'/))
      await t.throwsAsync(invoke(chain(new Nop(), new Nop().skipSuccess())), about(value, /\[1\]/))
      await t.throwsAsync(invoke(chain(new Nop(), new Nop().link())), about(value, /\[1\].*linked/))
      await t.throwsAsync(invoke(chain(new Nop(), undefined)), about(type, /"operations\[1\]"/))
      await t.throwsAsync(invoke(chain(new Nop(), new Nop(), new Nop())), { code: 'ERR_URING_SQ_FULL' })
      await t.throwsAsync(
        invoke(() => ring.chain('no' as never, options)),
        about(type, /"operations"/),
      )
      await t.throwsAsync(invoke(chain(new Nop(), broken)), { code: 'ERR_OUT_OF_RANGE' })
    }
    t.throws(() => ring.start(multishot().skipSuccess(), () => {}), value)
    t.throws(() => ring.start(new Nop().link(), () => {}), value)
    t.throws(() => ring.start(undefined as never, () => {}), type)
    t.throws(() => ring.start(new Nop(), undefined as never), { ...type, message: /"onCompletion"/ })
    t.throws(() => ring.start(new Nop(), () => {}, { ref: 'yes' as never }), type)
    t.throws(() => ring.each(new Nop()), { ...value, message: /run\(\)/ })
    t.throws(() => ring.each(new Timeout(1).build() as never), type)
    t.throws(() => ring.each(multishot(), { highWaterMark: 0 }), { code: 'ERR_OUT_OF_RANGE' })
    t.throws(() => ring.each(multishot(), { buffers: 'lend' as never }), value)
  }
  await refused()
  t.is(ring.stats().submitted, 0, 'no rejected operation was submitted')
  t.is(await ring.run(new Nop({ result: 5 })), 5, 'the ring still works')
  // Repeats the calls while the capacity is used up.
  const reads = Array.from({ length: 5 }, () => ring.run(new Read(fd, Buffer.alloc(1))))
  await nextTurn()
  t.is(ring.pending, 1)
  await refused()
  t.is(ring.pending, 1)
  writeSync(fd, 'xxxxx')
  await Promise.all(reads)
  t.is(await ring.run(new Nop({ result: 6 })), 6)
  t.is(ring.stats().submitted, 7)
})

test('run, chain, cancel, start, each: fail with ERR_URING_CLOSED on a closed ring', async (t) => {
  const closed = { code: 'ERR_URING_CLOSED' }
  for (const used of [false, true]) {
    const ring = new Ring({ entries: 4 })
    if (used) await ring.run(new Nop())
    await ring.close()
    await t.throwsAsync(
      invoke(() => ring.run(new Nop())),
      closed,
    )
    await t.throwsAsync(
      invoke(() => ring.run(new Nop(), { timeout: 5 })),
      closed,
    )
    await t.throwsAsync(
      invoke(() => ring.chain([new Nop()])),
      closed,
    )
    await t.throwsAsync(
      invoke(() => ring.cancel('any')),
      closed,
    )
    t.throws(() => ring.start(new Nop(), () => {}), closed)
    t.throws(() => ring.each(multishot()), closed)
    t.is(ring.pending, 0)
  }
})

// ---- with the queue API

test('run: does not break a link between two pushed operations', async (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Nop({ result: -1 }).link(), 'fails')
  t.is(await ring.run(new Nop({ result: 1 })), 1)
  t.is(ring.sqReady, 1)
  t.deepEqual(await ring.chain([new Nop(), new Nop({ result: 2 })]), [0, 2])
  ring.push(new Nop(), 'cancelled')
  t.is(ring.submit(), 2)
  t.deepEqual(
    ring.waitMany(2).map(({ userData, result }) => [userData, result]),
    [
      ['fails', -1],
      ['cancelled', -125],
    ],
  )
})

test('run: its completions settle promises and pushed ones are left for wait(), whichever call reaps them', async (t) => {
  using ring = new Ring({ entries: 16 })
  const fd = fifo(t)
  let settled = 0
  const reads = Array.from({ length: 4 }, async () => {
    const count = await ring.run(new Read(fd, Buffer.alloc(1)))
    settled += 1
    return count
  })
  await nextTurn()
  ring.push(new Read(fd, Buffer.alloc(1)), 'pushed')
  ring.submit()
  writeSync(fd, 'xxxxx')
  t.is(ring.wait()?.userData, 'pushed')
  t.is(settled, 0)
  t.is(ring.tryWait(), undefined)
  t.deepEqual(await Promise.all(reads), [1, 1, 1, 1])
  // The event loop reaps completions of pushed operations and keeps them for wait().
  ring.push(new Nop({ result: 1 }), 'a')
  ring.push(new Timeout(1), 'b')
  ring.submit()
  await ring.run(new Timeout(10))
  t.deepEqual(
    ring.waitMany(2).map(({ userData }) => userData),
    ['a', 'b'],
  )
})

test('wait: throws ERR_URING_NOTHING_IN_FLIGHT if only operations of the promise API are in flight', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  const read = ring.run(new Read(fd, Buffer.alloc(1)))
  let ticks = 0
  const token = ring.start(new Timeout(60_000, { multi: true }), () => (ticks += 1))
  await nextTurn()
  t.throws(() => ring.wait(), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  t.throws(() => ring.submitAndWait(1), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  ring.push(new Nop(), 'pushed')
  t.throws(() => ring.waitMany(2), { code: 'ERR_URING_NOTHING_IN_FLIGHT' })
  t.is(ring.wait()?.userData, 'pushed')
  t.is(ring.wait({ timeout: 1 }), undefined)
  ring.push(new Timeout(1, { multi: true, count: 2 }), 'tick')
  t.deepEqual(
    ring.waitMany(2).map(({ userData }) => userData),
    ['tick', 'tick'],
  )
  writeSync(fd, 'x')
  t.is(await read, 1)
  t.is(await ring.cancel(token), 1)
})

// ---- context, default ring

test('run, chain, each, cancel: keep the AsyncLocalStorage store of the caller across an await', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const fd = fifo(t)
  const storage = new AsyncLocalStorage<number>()
  const expect = (index: number): void => {
    if (storage.getStore() !== index) t.fail(`${storage.getStore()} instead of ${index}`)
  }
  const signal = new AbortController().signal
  const reads = Array.from({ length: 20 }, (_, index) =>
    storage.run(index, async () => {
      await ring.run(new Read(fd, Buffer.alloc(1)))
      expect(index)
      await ring.run(new Nop())
      expect(index)
      await ring.run(new Nop({ result: -2 })).catch(() => {})
      expect(index)
      await ring.run(new Timeout(1), { timeout: 60_000, signal })
      expect(index)
      await ring.chain([new Nop(), new Timeout(1, { etimeSuccess: true }), new Nop()])
      expect(index)
      let ticks = 0
      for await (const tick of ring.each(new Timeout(1, { multi: true, count: 3 }))) {
        t.is(tick, 'expired')
        expect(index)
        ticks += 1
        if (ticks === 3) break
      }
      expect(index)
      return ring.cancel({ userData: {} }).then(() => storage.getStore())
    }),
  )
  await nextTurn()
  storage.run(-1, () => writeSync(fd, 'x'.repeat(20)))
  t.deepEqual(
    await Promise.all(reads),
    Array.from({ length: 20 }, (_, index) => index),
  )
})

test('default ring: is created once for each thread, at its first use', async (t) => {
  const source = `
    import { readdirSync, readlinkSync } from 'node:fs'
    import { isMainThread, Worker } from 'node:worker_threads'
    import { chain, each, Nop, run, start, Timeout } from 'uring'
    const rings = () => readdirSync('/proc/self/fd').filter((name) => {
      try { return readlinkSync('/proc/self/fd/' + name) === 'anon_inode:[io_uring]' } catch { return false }
    }).length
    const before = rings()
    const results = [await run(new Nop({ result: 1 })), await chain([new Nop(), new Nop({ result: 2 })])]
    results.push(await new Promise((resolve) => start(new Nop({ result: 3 }), resolve)))
    for await (const tick of each(new Timeout(1, { multi: true }))) { results.push(tick); break }
    results.push(await run(new Nop({ result: -2 })).catch(({ code }) => code))
    const text = rings() - before + ' ' + JSON.stringify(results)
    if (isMainThread) {
      const worker = new Worker(process.argv[1] ?? source(), { eval: true })
      await new Promise((resolve) => worker.on('exit', resolve))
    }
    console.log(text)
    function source() { return 'import("uring").then(({ run, Nop }) => run(new Nop({ result: 8 }))).then(console.log)' }`
  t.deepEqual(await script(source), { ...OK, stdout: '8\n1 [1,[0,2],3,"expired","ENOENT"]\n' })
})

test('run: runs AsyncCancel like any other operation', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  const reads = Array.from({ length: 3 }, () => ring.run(new Read(fd, Buffer.alloc(1))).catch(codeOf))
  t.is(await ring.run(new AsyncCancel({ file: fd }, { all: true })), 3)
  t.deepEqual(await Promise.all(reads), Array(3).fill('ECANCELED'))
  await t.throwsAsync(ring.run(new AsyncCancel({ file: fd })), { code: 'ENOENT' })
})
