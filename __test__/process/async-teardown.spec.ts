// The end of rings, workers and processes with operations of the promise API in flight.

import test from 'ava'
import { OK, PRELUDE, runWithWaker, WAKERS } from '../helpers/waker.ts'
import { BUSY, IDLE, READING, UNREFERENCED, WORKERS, workerSource } from '../helpers/workers.ts'

for (const [name, waker] of WAKERS) {
  for (const [kind, end, code, stderr] of [
    ['process.exit()', 'setTimeout(() => process.exit(7), 20)', 7, /^$/],
    ['process.exit() in a promise callback', 'go().then(() => process.exit(7))', 7, /^$/],
    ['process.exit() in a callback', 'ring.start(new Timeout(10), () => process.exit(7))', 7, /^$/],
    ['an uncaught exception', 'setTimeout(() => { throw new Error("mine") }, 20)', 1, /Error: mine/],
    [
      'an error thrown by a callback',
      'ring.start(new Timeout(10), () => { throw new Error("mine") })',
      1,
      /Error: mine/,
    ],
    ['an unhandled rejection', 'go().then(() => { throw new Error("mine") })', 1, /Error: mine/],
    [
      'a run() that rejects without a handler',
      'ring.run(new Read(1_000_000, Buffer.alloc(1)))',
      1,
      /UringError: EBADF: bad file descriptor, read/,
    ],
    [
      'closing in an exit handler',
      'process.on("exit", () => { ring[Symbol.dispose](); other.close() }); setTimeout(() => process.exit(7), 20)',
      7,
      /^$/,
    ],
  ] as const) {
    test(`process: ends with reads in flight by ${kind}, woken by ${name}`, async (t) => {
      const outcome = await runWithWaker(
        waker,
        `${PRELUDE}${READING}
        const [idle, ...busy] = fifos(9)
        for (const fd of busy) writeSync(fd, 'x')
        const ring = new Ring({ entries: 8 }), other = new Ring({ entries: 8 })
        for (const fd of busy) { reading(ring, fd); reading(other, fd) }
        ring.run(new Read(idle, Buffer.alloc(64)))
        async function go() { while (reads < 50) await ring.run(new Timeout(1)) }
        process.on('exit', () => console.log('ok'))
        ${end}
      `,
      )
      t.is(outcome.code, code)
      t.is(outcome.signal, null)
      t.is(outcome.stdout, 'ok\n')
      t.regex(outcome.stderr, stderr)
    })
  }

  test(`start: delivers the rest of a batch after a callback throws, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      const [fd] = fifos(1)
      const events = []
      process.on('uncaughtException', ({ message }) => events.push(message))
      const ring = new Ring({ entries: 8 })
      for (const name of ['a', 'b', 'c']) ring.start(new Nop(), () => { events.push(name); throw new Error('thrown by ' + name) })
      await ring.run(new Nop())
      assert.deepEqual(events, ['a', 'b', 'c', 'thrown by a', 'thrown by b', 'thrown by c'])
      // Also in a batch that the waker delivers.
      for (const name of ['d', 'e']) ring.start(new Read(fd, Buffer.alloc(1)), () => { events.push(name); throw new Error('thrown by ' + name) })
      const last = ring.run(new Read(fd, Buffer.alloc(1)))
      await turn()
      writeSync(fd, 'xyz')
      await last
      await turn()
      assert.deepEqual(events.slice(6).toSorted(), ['d', 'e', 'thrown by d', 'thrown by e'])
      console.log('ok')
    `,
    )
    t.deepEqual(outcome, OK)
  })

  for (const [kind, source, end, code, errors] of [
    ['that is terminated with idle reads', workerSource(IDLE, ''), 'worker.terminate()', 1, []],
    ['that is terminated with busy reads', workerSource(BUSY, ''), 'worker.terminate()', 1, []],
    [
      'that is terminated in a loop with completed reads',
      workerSource(BUSY, 'for (;;) {}'),
      'worker.terminate()',
      1,
      [],
    ],
    [
      'that is terminated in a blocking wait',
      workerSource(BUSY, 'ring.push(new Timeout(600_000)); ring.wait()'),
      'worker.terminate()',
      1,
      [],
    ],
    [
      'that is terminated during close()',
      workerSource(UNREFERENCED, 'ring.close()'),
      'worker.terminate()',
      undefined,
      [],
    ],
    ['that ends', workerSource(UNREFERENCED, ''), '', 0, []],
    ['that exits', workerSource(`${IDLE}\n${BUSY}`, 'process.exit(3)'), '', 3, []],
    [
      'that throws',
      workerSource(`${IDLE}\n${BUSY}`, 'setTimeout(() => { throw new Error("mine") })'),
      '',
      1,
      ['mine'],
    ],
    [
      'that rejects',
      workerSource(BUSY, 'ring.run(new Read(1_000_000, Buffer.alloc(1)))'),
      '',
      1,
      ['EBADF: bad file descriptor, read'],
    ],
  ] as const) {
    test(`process: a worker ${kind} leaves nothing behind, woken by ${name}`, async (t) => {
      const outcome = await runWithWaker(
        waker,
        `${PRELUDE}${WORKERS}
        let before
        for (let round = 0; round < 3; round += 1) {
          refill()
          const { worker, exit, reading } = start(${source})
          await Promise.race([reading, exit])
          ${end}
          const { code, errors } = await exit
          ${code === undefined ? '' : `assert.equal(code, ${code})`}
          assert.deepEqual(errors, ${JSON.stringify(errors)})
          assert.equal(rings(), 0)
          assert.equal(threads('uring-waker'), 0)
          unread(idle)
          // Node.js creates descriptors and mappings for the first worker, which stay.
          const now = [descriptors(), mappings()]
          assert.deepEqual(now, (before ??= now))
        }
        console.log('ok')
      `,
      )
      t.deepEqual(outcome, OK)
    })
  }

  test(`close: cancels operations in flight, and rejects those that wait for capacity, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      const [fd] = fifos(1)
      const ring = new Ring({ entries: 2, cqEntries: 4 })
      const codes = []
      const note = (name) => (error) => codes.push(name + ' ' + error.name + ' ' + error.code)
      for (let index = 0; index < 4; index += 1) ring.run(new Read(fd, Buffer.alloc(64))).then(assert.fail, note('run'))
      await turn()
      assert.deepEqual([ring.inFlight, ring.pending], [4, 0])
      ring.run(new Read(fd, Buffer.alloc(64))).then(assert.fail, note('late run'))
      ring.run(new Read(fd, Buffer.alloc(64)), { timeout: 600_000 }).then(assert.fail, note('timed'))
      ring.run(new Read(fd, Buffer.alloc(64)), { signal: new AbortController().signal }).then(assert.fail, note('signalled'))
      ring.chain([new Read(fd, Buffer.alloc(64)), new Nop()]).then(assert.fail, note('chain'))
      ring.each(new Timeout(1, { multi: true })).next().then(assert.fail, note('each'))
      ring.start(new Read(fd, Buffer.alloc(64)), (result, flags) => codes.push('start ' + result + ' ' + flags))
      assert.equal(ring.pending, 6)
      const closing = ring.close()
      assert.equal(ring.closed, true)
      assert.deepEqual(codes, [], 'nothing is delivered inside the call')
      assert.equal(await closing, undefined)
      await turn() // delivers all results
      assert.deepEqual(codes.toSorted(), [
        'chain ChainError ERR_URING_CLOSED',
        'each UringError ERR_URING_CLOSED',
        'late run UringError ERR_URING_CLOSED',
        ...Array(4).fill('run UringError ECANCELED'),
        'signalled UringError ERR_URING_CLOSED',
        'start -125 0',
        'timed UringError ERR_URING_CLOSED',
      ])
      assert.deepEqual([ring.fd, ring.inFlight, ring.pending, rings()], [-1, 0, 0, 0])
      unread(fd)
      console.log('ok')
    `,
    )
    t.deepEqual(outcome, OK)
  })

  test(`close: delivers results from before the call, and waits for pushed operations, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      const [first, second, third] = fifos(3)
      const ring = new Ring({ entries: 8 })
      const bytes = Buffer.alloc(64)
      const read = ring.run(new Read(first, bytes))
      const cancelled = ring.run(new Read(second, Buffer.alloc(64))).catch(({ code }) => code)
      ring.push(new Read(third, Buffer.alloc(64)))
      ring.submit()
      await turn()
      writeSync(first, 'in time')
      assert.equal(ring.peek(), undefined) // the completion has arrived, and is delivered later
      const closing = ring.close()
      for (const use of [() => ring.wait(), () => ring.waitMany(1), () => ring.drain(() => {}), () => ring.peek(), () => ring.push(new Nop())]) {
        assert.throws(use, { code: 'ERR_URING_CLOSED' })
      }
      assert.equal(await read, 7)
      assert.equal(bytes.toString('latin1', 0, 7), 'in time')
      assert.equal(await cancelled, 'ECANCELED')
      await closing
      assert.equal(rings(), 0)
      unread(second)
      unread(third)

      // A read that could complete at the same moment completes, or is cancelled and consumes nothing.
      const sudden = new Ring({ entries: 8 })
      const either = sudden.run(new Read(second, bytes.fill(0))).catch(({ code }) => code)
      await turn()
      writeSync(second, 'either')
      await sudden.close()
      const text = (await either) === 6 ? bytes : Buffer.alloc(64)
      if ((await either) === 'ECANCELED') assert.equal(readSync(second, text), 6)
      assert.equal(text.toString('latin1', 0, 6), 'either')
      unread(second)

      // Operations that were enqueued in this turn are submitted, and complete or are cancelled.
      const another = new Ring({ entries: 8 })
      const enqueued = Promise.allSettled([another.run(new Nop()), another.run(new Read(second, Buffer.alloc(64)))])
      await another.close()
      const [nop, pending] = await enqueued
      assert.equal(nop.status === 'fulfilled' || nop.reason.code === 'ECANCELED', true)
      assert.equal(pending.reason?.code, 'ECANCELED')
      unread(second)
      console.log('ok')
    `,
    )
    t.deepEqual(outcome, OK)
  })

  test(`close: a closed ring throws ERR_URING_CLOSED, and can be closed again, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      const [fd] = fifos(1)
      async function refuses(ring) {
        assert.equal(ring.closed, true)
        const code = 'ERR_URING_CLOSED'
        await assert.rejects(ring.run(new Nop()), { code })
        await assert.rejects(ring.run(new Nop(), { timeout: 5, signal: new AbortController().signal }), { code })
        await assert.rejects(ring.chain([new Nop(), new Nop()]), { code })
        await assert.rejects(ring.cancel('any'), { code })
        assert.throws(() => ring.start(new Nop(), () => {}), { code })
        assert.throws(() => ring.each(new Timeout(1, { multi: true })), { code })
        assert.equal(ring.unref().ref(), ring)
        assert.equal(ring.inFlight, 0)
      }
      for (const used of [false, true]) {
        for (const end of [
          async (ring) => { await ring.close() },
          async (ring) => { assert.deepEqual(await Promise.all([ring.close(), ring.close()]), [undefined, undefined]) },
          async (ring) => { ring[Symbol.dispose]() },
          async (ring) => { await ring[Symbol.asyncDispose]() },
          async (ring) => { const closing = ring.close(); ring[Symbol.dispose](); await closing },
          async (ring) => { ring[Symbol.dispose](); await ring.close() },
        ]) {
          const ring = new Ring({ entries: 4, cqEntries: 4 })
          const settled = []
          if (used) {
            for (let index = 0; index < 6; index += 1) settled.push(ring.run(new Read(fd, Buffer.alloc(8))).catch(({ code }) => code))
            await ring.run(new Nop(), { signal: AbortSignal.abort() }).catch(() => {})
          }
          await end(ring)
          await refuses(ring)
          ring[Symbol.dispose]()
          await ring.close()
          await ring[Symbol.asyncDispose]()
          assert.deepEqual(await Promise.all(settled), used ? [...Array(4).fill('ECANCELED'), 'ERR_URING_CLOSED', 'ERR_URING_CLOSED'] : [])
          await refuses(ring)
        }
      }
      assert.equal(rings(), 0)
      unread(fd)
      console.log('ok')
    `,
    )
    t.deepEqual(outcome, OK)
  })

  test(`Symbol.dispose: delivers all results after the call, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      const [first, second] = fifos(2)
      const ring = new Ring({ entries: 4, cqEntries: 8 })
      const delivered = []
      const note = (name) => (result) => delivered.push(name + ' ' + (result?.code ?? result))
      const bytes = Buffer.alloc(64)
      ring.run(new Read(first, bytes)).then(note('done'), note('done'))
      for (let index = 0; index < 3; index += 1) ring.run(new Read(second, Buffer.alloc(64))).catch(note('run'))
      ring.start(new Read(second, Buffer.alloc(64)), note('start'))
      ring.run(new Read(second, Buffer.alloc(64)), { timeout: 600_000 }).catch(note('timed'))
      ring.push(new Read(second, Buffer.alloc(64)))
      ring.submit()
      await turn()
      ring.run(new Read(second, Buffer.alloc(64))).catch(note('enqueued'))
      for (let index = 0; index < 2; index += 1) ring.run(new Read(second, Buffer.alloc(64))).catch(note('waiting'))
      writeSync(first, 'in time')
      ring.peek() // takes the completion from the kernel
      ring[Symbol.dispose]()
      assert.deepEqual(delivered, [])
      assert.deepEqual([ring.fd, rings(), ring.inFlight], [-1, 0, 0])
      await turn()
      assert.deepEqual(delivered.toSorted(), [
        'done 7', 'enqueued ECANCELED', ...Array(3).fill('run ECANCELED'), 'start -125', 'timed ECANCELED',
        ...Array(2).fill('waiting ERR_URING_CLOSED'),
      ])
      assert.equal(bytes.toString('latin1', 0, 7), 'in time')
      unread(second)
      console.log('ok')
    `,
    )
    t.deepEqual(outcome, OK)
  })

  for (const [kind, end] of [
    ['Symbol.dispose', 'ring[Symbol.dispose]()'],
    ['close()', 'closing = ring.close()'],
  ] as const) {
    test(`${kind}: in a callback, delivers the rest of the batch, woken by ${name}`, async (t) => {
      const outcome = await runWithWaker(
        waker,
        `${PRELUDE}
        const [fd] = fifos(1)
        for (const late of [false, true]) {
          const ring = new Ring({ entries: 8 })
          const delivered = []
          let closing
          const operation = () => (late ? new Timeout(5) : new Nop())
          const result = late ? -62 : 0
          const gone = new Promise((resolve) => {
            ring.start(operation(), (result) => {
              delivered.push('first ' + result)
              ${end}
              delivered.push('closed')
              assert.throws(() => ring.start(new Nop(), () => {}), { code: 'ERR_URING_CLOSED' })
            })
            ring.start(operation(), (result) => delivered.push('second ' + result))
            ring.start(operation(), (result) => delivered.push('third ' + result))
            ring.start(new Read(fd, Buffer.alloc(64)), (result) => { delivered.push('read ' + result); resolve() })
          })
          if (late) { // all completions arrive in one batch
            await turn()
            const end = performance.now() + 8
            while (performance.now() < end);
          }
          await gone
          await closing
          assert.deepEqual(delivered, ['first ' + result, 'closed', 'second ' + result, 'third ' + result, 'read -125'])
          assert.equal(rings(), 0)
          unread(fd)
        }
        console.log('ok')
      `,
      )
      t.deepEqual(outcome, OK)
    })
  }
}
