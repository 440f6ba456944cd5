// Tests run(), start() and the default ring: values, order of submission, and when completions are delivered.

import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync, readSync, writeSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import {
  AsyncCancel,
  Close,
  CqeFlags,
  Entry,
  Fsync,
  MkDirAt,
  Nop,
  OpenAt,
  type Operation,
  type OperationMessage,
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
import * as ownRing from 'uring'
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

// ---- order, capacity, batches

test('run: thousands of operations complete in order on a small ring, with at most cqEntries in flight', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const COUNT = 5000
  const order: number[] = []
  let most = 0
  const look = (): void => {
    most = Math.max(most, ring.inFlight)
  }
  const all = Array.from({ length: COUNT }, async (_, index) => {
    order.push(await ring.run(new Nop({ result: index })))
    look()
  })
  look()
  t.true(ring.pending >= COUNT - ring.cqEntries && ring.pending <= COUNT)
  await Promise.all(all)
  t.deepEqual(
    order,
    Array.from({ length: COUNT }, (_, index) => index),
  )
  t.is(ring.pending, 0)
  t.is(ring.inFlight, 0)
  t.true(most <= ring.cqEntries)
  t.is(ring.stats().overflowed, 0)
  t.is(ring.stats().completed, COUNT)
})

test('run: keeps operations beyond the capacity pending until others complete', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const fd = fifo(t)
  const COUNT = 2000
  let most = 0
  const bytes = Array.from({ length: COUNT }, () => Buffer.alloc(1))
  const order: number[] = []
  const reads = bytes.map(async (buffer, index) => {
    const count = await ring.run(new Read(fd, buffer))
    most = Math.max(most, ring.inFlight)
    order.push(index)
    return count
  })
  await nextTurn()
  t.is(ring.inFlight, 8)
  t.is(ring.pending, COUNT - 8)
  const sent = Buffer.from(Array.from({ length: COUNT }, (_, index) => index % 251))
  writeSync(fd, sent)
  t.deepEqual(await Promise.all(reads), Array(COUNT).fill(1))
  t.true(most <= 8)
  t.is(ring.pending, 0)
  t.deepEqual(
    Buffer.concat(bytes).toSorted((a, b) => a - b),
    sent.toSorted((a, b) => a - b),
    'each byte once',
  )
})

test('run: submits pending writes in the order of the calls', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const fd = fifo(t)
  const numbers = Array.from({ length: 3000 }, (_, index) => index)
  await Promise.all(
    numbers.map((number) => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32LE(number)
      return ring.run(new Write(fd, bytes))
    }),
  )
  const got = Buffer.alloc(12_001)
  t.is(readSync(fd, got), 12_000)
  t.deepEqual(
    numbers.map((number) => got.readUInt32LE(number * 4)),
    numbers,
  )
})

test('run: submits the operations of one turn together', async (t) => {
  using ring = new Ring({ entries: 64 })
  await ring.run(new Nop())
  for (let round = 0; round < 5; round += 1) {
    const before = ring.stats()
    await Promise.all(Array.from({ length: 64 }, () => ring.run(new Nop())))
    const { submitted, completed, systemCalls } = ring.stats()
    t.is(submitted - before.submitted, 64)
    t.is(completed - before.completed, 64)
    const calls = systemCalls - before.systemCalls
    t.true(calls === 1 || calls === 2, `${calls} calls`)
  }
})

test('run: submits one round of all awaiting loops together', async (t) => {
  using ring = new Ring({ entries: 64 })
  const before = ring.stats().systemCalls
  const loop = async (): Promise<void> => {
    for (let round = 0; round < 100; round += 1) await ring.run(new Nop())
  }
  await Promise.all(Array.from({ length: 64 }, loop))
  t.true(ring.stats().systemCalls - before <= 300, `${ring.stats().systemCalls - before} calls`)
})

test('run: encodes a pending operation at the call, so later changes have no effect', async (t) => {
  using ring = new Ring({ entries: 1, cqEntries: 2 })
  const { fd, path } = file(t, '..........')
  const gate = fifo(t)
  const operation = new Write(fd, Buffer.from('A'), { offset: 0 })
  const direct = ring.run(operation)
  operation.offset = 1
  operation.bytes = Buffer.from('B')
  await direct
  const gates = [ring.run(new Read(gate, Buffer.alloc(1))), ring.run(new Read(gate, Buffer.alloc(1)))]
  const first = ring.run(operation)
  operation.offset = 2
  operation.bytes = Buffer.from('C')
  const second = ring.run(operation)
  operation.file = 12_345
  await nextTurn()
  t.is(ring.pending, 2)
  writeSync(gate, 'xx')
  t.deepEqual(await Promise.all([...gates, first, second]), [1, 1, 1, 1])
  t.is(readFileSync(path, 'utf8'), 'ABC.......')
})

test('chain: waits for capacity without blocking the event loop', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const fd = fifo(t)
  const reads = Array.from({ length: 6 }, () => ring.run(new Read(fd, Buffer.alloc(1))))
  const chained = ring.chain([new Nop(), new Nop(), new Nop({ result: 3 })])
  const behind = ring.run(new Nop({ result: 4 }))
  await new Promise((resolve) => setTimeout(resolve, 1))
  for (let turn = 0; turn < 10; turn += 1) await nextTurn()
  t.is(ring.inFlight, 6)
  t.is(ring.pending, 2)
  writeSync(fd, 'xxxxxx')
  t.deepEqual(await Promise.all([...reads, chained, behind]), [1, 1, 1, 1, 1, 1, [0, 0, 3], 4])
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
      () => ownRing.run(new Nop(), options as never),
      () => ownRing.chain([new Nop()], options as never),
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

// ---- the event loop

test('run, start, chain: keep the event loop alive unless ref is false or the ring is unref()ed', async (t) => {
  const prelude = `
    import { execFileSync } from 'node:child_process'
    import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
    import { Nop, Read, Ring, Timeout } from 'uring'
    const directory = mkdtempSync('/tmp/uring-test-')
    execFileSync('mkfifo', [directory + '/fifo'])
    const fd = openSync(directory + '/fifo', constants.O_RDWR | constants.O_NONBLOCK)
    rmSync(directory, { recursive: true })
    const read = () => new Read(fd, Buffer.alloc(1))
    const ring = new Ring({ entries: 4, cqEntries: 8 })
    const never = () => console.log('never')
  `
  const all = await Promise.all(
    [
      "ring.run(new Timeout(20)).then(() => console.log('ok'))",
      "ring.run(new Timeout(20), { timeout: 60_000 }).then(() => console.log('ok'))",
      "ring.start(new Timeout(20), () => console.log('ok'))",
      "ring.chain([new Nop(), new Timeout(20)]).then(() => console.log('ok'))",
      `ring.unref()
       ring.run(new Timeout(20)).then(() => console.log('ok'))
       ring.ref()`,
      // None of these keeps the process alive.
      `for (let count = 0; count < 20; count += 1) ring.run(read(), { ref: false }).then(never, never)
       ring.start(read(), never, { ref: false })
       ring.run(read(), { ref: false, timeout: 60_000 }).then(never, never)
       ring.chain([read(), new Nop()], { ref: false, timeout: 60_000 }).then(never, never)
       setTimeout(() => console.log('ok'), 20)`,
      `const other = new Ring({ entries: 4 })
       other.each(new Timeout(60_000, { multi: true }), { ref: false }).next().then(never, never)
       other.chain([read(), new Nop()], { ref: false }).then(never, never)
       other.run(read(), { ref: false, timeout: 60_000, signal: new AbortController().signal }).then(never, never)
       setTimeout(() => console.log('ok'), 20)`,
      `ring.run(read()).then(never, never)
       ring.start(read(), never)
       await new Promise(setImmediate)
       ring.unref()
       console.log('ok')`,
      // A pending operation keeps the process alive; a cancelled one does not.
      `for (let count = 0; count < 8; count += 1) ring.run(read(), { ref: false }).then(never, never)
       ring.run(new Nop()).then(() => console.log('ok'))
       setTimeout(() => ring.cancel(ring.start(read(), () => {}, { ref: false })).then(() => ring.cancel({ file: fd })), 20).unref()
       process.on('exit', (code) => { if (code !== 0) console.log(code) })`.replaceAll(
        'never, never',
        '() => {}, () => {}',
      ),
    ].map((source) => script(prelude + source)),
  )
  for (const outcome of all) t.deepEqual(outcome, OK)
})

test('run: 64 awaiting loops do not starve immediates, timers or sockets', async (t) => {
  using ring = new Ring({ entries: 64 })
  const seen = { immediates: 0, timers: 0, echoes: 0 }
  let total = 0
  let sinceLast = 0
  let most = 0
  const isEnough = (): boolean => seen.immediates >= 100 && seen.timers >= 5 && seen.echoes >= 20
  const server = createServer((socket) => void socket.pipe(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.on('data', () => {
    seen.echoes += 1
    client.write('x')
  })
  await new Promise((resolve) => client.once('connect', resolve))
  client.write('x')
  const timer = setInterval(() => (seen.timers += 1), 1)
  let immediate = setImmediate(function again() {
    seen.immediates += 1
    most = Math.max(most, sinceLast)
    sinceLast = 0
    immediate = setImmediate(again)
  })
  const loop = async (): Promise<void> => {
    while (total < 1_000_000 && !isEnough()) {
      await ring.run(new Nop())
      total += 1
      sinceLast += 1
    }
  }
  await Promise.all(Array.from({ length: 64 }, loop))
  clearInterval(timer)
  clearImmediate(immediate)
  client.removeAllListeners('data').resume().end()
  await new Promise((resolve) => server.close(resolve))
  t.true(isEnough(), `${JSON.stringify(seen)} in ${total} operations`)
  t.true(most <= 512, `${most} completions in one turn`)
})

test('start: delivers a large batch of completions over several turns', async (t) => {
  using ring = new Ring({ entries: 4096, cqEntries: 8192 })
  const delivered: number[] = []
  for (let index = 0; index < 4096; index += 1) {
    ring.start(new Nop({ result: index }), (result) => delivered.push(result))
  }
  const counts: number[] = []
  while (delivered.length < 4096) {
    await nextTurn()
    counts.push(delivered.length)
  }
  t.true(counts.length >= 4096 / 256 / 2, `${counts}`)
  t.true(counts.every((count, index) => count - (counts[index - 1] ?? 0) <= 512))
  t.true(delivered.every((result, index) => result === index))
})

// ---- start

test('start: calls back with each completion', async (t) => {
  using ring = new Ring({ entries: 4 })
  const calls: [number, boolean][] = []
  await new Promise<void>((resolve) => {
    ring.start(new Timeout(1, { multi: true, count: 3 }), (result, flags) => {
      calls.push([result, (flags & CqeFlags.MORE) !== 0])
      if ((flags & CqeFlags.MORE) === 0) resolve()
    })
  })
  t.deepEqual(calls, [
    [-62, true],
    [-62, true],
    [-62, false],
  ])
  t.is(await new Promise((resolve) => ring.start(new Nop({ result: 9 }), resolve)), 9)
  t.is(
    await new Promise((resolve) => ring.start(new Nop({ result: -2 }), resolve)),
    -2,
    'an error is a result',
  )
})

test('start: returns a token that cancels the operation', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 4 })
  const fd = fifo(t)
  const results: number[] = []
  const read = (): number => ring.start(new Read(fd, Buffer.alloc(1)), (result) => results.push(result))
  const tokens = Array.from({ length: 6 }, read)
  t.is(new Set(tokens).size, 6)
  await nextTurn()
  t.is(ring.pending, 2)
  t.is(await ring.cancel(tokens[0] ?? 0), 1)
  t.deepEqual(results, [-125])
  t.is(await ring.cancel(tokens[0] ?? 0), 0, 'a stale token matches nothing')
  t.is(await ring.cancel(tokens[5] ?? 0), 1, 'a pending operation')
  await nextTurn()
  t.deepEqual(results, [-125, -125])
  writeSync(fd, 'xxxx')
  while (results.length < 6) await nextTurn()
  t.deepEqual(results.slice(2), [1, 1, 1, 1])
})

// ---- callbacks and promise handlers that use the ring

test('start: delivers what a callback starts after that callback has returned', async (t) => {
  using ring = new Ring({ entries: 8 })
  const order: string[] = []
  await new Promise<void>((resolve) => {
    ring.start(new Nop(), () => {
      order.push('one')
      ring.start(new Nop(), () => {
        order.push('three')
        resolve()
      })
      order.push('one ends')
    })
    ring.start(new Nop(), () => order.push('two'))
  })
  t.deepEqual(order, ['one', 'one ends', 'two', 'three'])
})

test('start: a callback may start more operations than the ring has capacity for', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const results: number[] = []
  await new Promise<void>((resolve) => {
    ring.start(new Nop(), () => {
      for (let index = 0; index < 100; index += 1) {
        ring.start(new Nop({ result: index }), (result) => {
          if (results.push(result) === 100) resolve()
        })
      }
    })
  })
  t.deepEqual(
    results,
    Array.from({ length: 100 }, (_, index) => index),
  )
})

test('start: a callback may cancel another operation', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  let found: Promise<number> | undefined
  const result = await new Promise<number>((resolve) => {
    const token = ring.start(new Read(fd, Buffer.alloc(1)), resolve)
    ring.start(new Nop(), () => (found = ring.cancel(token)))
  })
  t.is(result, -125)
  t.is(await found, 1)
})

test('start: an exception in a callback is uncaught, and the rest of the batch is delivered', async (t) => {
  const source = `
    import { Nop, Ring } from 'uring'
    const ring = new Ring({ entries: 8 })
    const order = []
    process.on('uncaughtException', (error, origin) => order.push(error.message + ' ' + origin))
    for (let index = 0; index < 5; index += 1) {
      ring.start(new Nop(), () => {
        order.push(index)
        if (index === 1 || index === 3) throw new Error('mine' + index)
      })
    }
    ring.run(new Nop()).then(() => order.push('run'))
    setTimeout(() => ring.run(new Nop()).then(() => {
      console.log(order.slice(0, 5).join() + ' ' + order.slice(5).toSorted().join())
    }), 1)`
  t.deepEqual(await script(source), {
    ...OK,
    stdout: '0,1,2,3,4 mine1 uncaughtException,mine3 uncaughtException,run\n',
  })
  const uncaught = await script(`
    import { Nop, Ring } from 'uring'
    new Ring({ entries: 8 }).start(new Nop(), () => { throw new Error('mine') })
    setTimeout(() => console.log('too late'), 1000)`)
  t.is(uncaught.code, 1)
  t.is(uncaught.stdout, '')
  t.regex(uncaught.stderr, /Error: mine/)
})

test('start: delivers the rest of the batch after a callback closes the ring', async (t) => {
  const ring = new Ring({ entries: 8, cqEntries: 8 })
  const fd = fifo(t)
  const results: number[] = []
  let closing: Promise<void> | undefined
  const waiting = ring.run(new Read(fd, Buffer.alloc(1)))
  for (let index = 0; index < 5; index += 1) {
    ring.start(new Nop({ result: index }), (result) => {
      results.push(result)
      closing ??= ring.close()
    })
  }
  await t.throwsAsync(waiting, { code: 'ECANCELED' })
  await closing
  t.deepEqual(results, [0, 1, 2, 3, 4])
  t.is(ring.fd, -1)
})

test('start: delivers the rest of the batch after a callback disposes of the ring, and cancels what is in flight', async (t) => {
  const ring = new Ring({ entries: 8, cqEntries: 8 })
  const fd = fifo(t)
  const results: number[] = []
  const waiting = ring.run(new Read(fd, Buffer.alloc(1)))
  for (let index = 0; index < 5; index += 1) {
    ring.start(new Nop({ result: index }), (result) => {
      results.push(result)
      ring[Symbol.dispose]()
    })
  }
  await t.throwsAsync(waiting, { code: 'ECANCELED' })
  await nextTurn()
  t.deepEqual(results, [0, 1, 2, 3, 4])
  t.is(ring.fd, -1)
  writeSync(fd, 'x')
  t.is(readSync(fd, Buffer.alloc(2)), 1, 'the read was cancelled')
})

test('start: delivers nothing while a callback blocks in wait()', async (t) => {
  using ring = new Ring({ entries: 8 })
  const order: string[] = []
  ring.start(new Nop(), () => {
    order.push('first')
    ring.start(new Nop(), () => order.push('fourth'))
    ring.push(new Timeout(5), 'pushed')
    const completion = ring.wait()
    order.push(`waited for ${String(completion?.userData)}`)
  })
  ring.start(new Nop(), () => order.push('second'))
  void (async () => {
    await ring.run(new Nop())
    order.push('third')
  })()
  while (order.length < 5) await nextTurn()
  t.deepEqual(order.slice(0, 3), ['first', 'waited for pushed', 'second'])
  t.deepEqual(order.slice(3).toSorted(), ['fourth', 'third'])
})

test('run: a promise handler may start, cancel, wait, throw and close', async (t) => {
  const ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  await ring.run(new Nop())
  t.is(await ring.run(new Nop({ result: 2 })), 2)
  const read = ring.run(new Read(fd, Buffer.alloc(1)))
  await ring.run(new Nop())
  t.is(await ring.cancel({ file: fd }), 1)
  await t.throwsAsync(read, { code: 'ECANCELED' })

  const others = Array.from({ length: 3 }, (_, index) => ring.run(new Nop({ result: index })))
  const order: string[] = []
  const started = new Promise<void>((resolve) => {
    ring.start(new Nop(), () => {
      order.push('started')
      resolve()
    })
  })
  await others[0]
  ring.push(new Timeout(5), 'pushed')
  t.is(ring.wait()?.userData, 'pushed')
  order.push('waited')
  await started
  t.deepEqual(order.toSorted(), ['started', 'waited'])
  t.deepEqual(await Promise.all(others), [0, 1, 2])

  await t.throwsAsync(
    (async () => {
      await ring.run(new Nop())
      throw new Error('mine')
    })(),
    { message: 'mine' },
  )
  const last = Array.from({ length: 4 }, (_, index) => ring.run(new Nop({ result: index })))
  await last[0]
  const closing = ring.close()
  t.deepEqual(await Promise.all(last), [0, 1, 2, 3])
  await closing
  t.is(ring.fd, -1)
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

// ---- statistics, context, diagnostics, default ring

test('stats: counts submissions, completions and cancellations', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  t.deepEqual(ring.stats(), {
    submitted: 0,
    completed: 0,
    cancelled: 0,
    overflowed: 0,
    rearmed: 0,
    stray: 0,
    systemCalls: 0,
  })
  await Promise.all([ring.run(new Nop()), ring.run(new Nop())])
  t.like(ring.stats(), { submitted: 2, completed: 2, cancelled: 0 })
  const read = ring.run(new Read(fd, Buffer.alloc(1)))
  t.is(await ring.cancel({ file: fd }), 1)
  await t.throwsAsync(read, { code: 'ECANCELED' })
  t.like(ring.stats(), { submitted: 4, completed: 4, cancelled: 1, stray: 0 })
})

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

test.serial(
  'diagnostics channels: publish start, error and end of each operation while subscribed',
  async (t) => {
    using ring = new Ring({ entries: 4 })
    const fd = fifo(t)
    const events: [string, string, number | undefined, string | undefined][] = []
    const objects: unknown[] = []
    const listeners = ['start', 'end', 'error'].map((event) => {
      const listener = (message: unknown): void => {
        const { operation, result, error } = message as OperationMessage
        objects.push(message)
        events.push([event, operation, result, error?.code])
      }
      return [`uring:operation:${event}`, listener] as const
    })
    const takeEvents = (): typeof events => events.splice(0)
    await ring.run(new Nop())
    for (const [name, listener] of listeners) subscribe(name, listener)
    t.teardown(() => {
      for (const [name, listener] of listeners) unsubscribe(name, listener)
    })

    const nop = ring.run(new Nop({ result: 3 }))
    t.deepEqual(takeEvents(), [['start', 'Nop', undefined, undefined]])
    await nop
    t.deepEqual(takeEvents(), [['end', 'Nop', 3, undefined]])
    t.is(new Set(objects).size, 1, 'start and end share one message object')
    await t.throwsAsync(ring.run(new OpenAt('/nowhere/at/all').build()), { code: 'ENOENT' })
    t.deepEqual(takeEvents(), [
      ['start', 'OpenAt', undefined, undefined],
      ['error', 'OpenAt', -2, 'ENOENT'],
      ['end', 'OpenAt', -2, 'ENOENT'],
    ])
    await ring.run(new Nop(), { timeout: 60_000, signal: new AbortController().signal })
    await new Promise((resolve) => ring.start(new Nop({ result: 4 }), resolve))
    await ring.chain([new Nop({ result: 5 }), new Fsync(file(t).fd)])
    t.deepEqual(takeEvents(), [
      ['start', 'Nop', undefined, undefined],
      ['end', 'Nop', 0, undefined],
      ['start', 'Nop', undefined, undefined],
      ['end', 'Nop', 4, undefined],
      ['start', 'Nop', undefined, undefined],
      ['start', 'Fsync', undefined, undefined],
      ['end', 'Nop', 5, undefined],
      ['end', 'Fsync', 0, undefined],
    ])
    for await (const tick of ring.each(new Timeout(1, { multi: true, count: 1 }))) {
      t.is(tick, 'expired')
      break
    }
    t.deepEqual(takeEvents().slice(0, 2), [
      ['start', 'Timeout', undefined, undefined],
      ['end', 'Timeout', -62, undefined],
    ])
    const read = ring.run(new Read(fd, Buffer.alloc(1)))
    await ring.cancel({ file: fd })
    await t.throwsAsync(read, { code: 'ECANCELED' })
    t.deepEqual(
      takeEvents().filter(([, operation]) => operation === 'Read'),
      [
        ['start', 'Read', undefined, undefined],
        ['error', 'Read', -125, 'ECANCELED'],
        ['end', 'Read', -125, 'ECANCELED'],
      ],
    )
    const refused = await ring.run(multishot(), { timeout: 5 }).catch(codeOf)
    t.is(refused, 'ERR_INVALID_ARG_VALUE')
    await t.throwsAsync(ring.run(undefined as never), { code: 'ERR_INVALID_ARG_TYPE' })
    t.deepEqual(takeEvents(), [
      ['start', 'Timeout', undefined, undefined],
      ['error', 'Timeout', undefined, 'ERR_INVALID_ARG_VALUE'],
      ['end', 'Timeout', undefined, 'ERR_INVALID_ARG_VALUE'],
      ['start', 'unknown', undefined, undefined],
      ['error', 'unknown', undefined, 'ERR_INVALID_ARG_TYPE'],
      ['end', 'unknown', undefined, 'ERR_INVALID_ARG_TYPE'],
    ])
    const late = ring.run(new Timeout(1))
    for (const [name, listener] of listeners) unsubscribe(name, listener)
    takeEvents()
    await late
    await ring.run(new Nop())
    t.deepEqual(takeEvents(), [])
  },
)

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
