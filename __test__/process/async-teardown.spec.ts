// The end of rings, workers and processes in the middle of what they run.

import test from 'ava'
import { OK, PRELUDE, runWithWaker, WAKERS } from '../helpers/waker.ts'
import { BUSY, IDLE, READING, UNREFERENCED, WORKERS, workerSource } from '../helpers/workers.ts'

for (const [name, waker] of WAKERS) {
  for (const [kind, end, code, stderr] of [
    ['process.exit()', 'setTimeout(() => process.exit(7), 20)', 7, /^$/],
    ['process.exit() where a read is delivered', 'go().then(() => process.exit(7))', 7, /^$/],
    ['process.exit() in a callback', 'ring.start(new Timeout(10), () => process.exit(7))', 7, /^$/],
    ['an uncaught exception', 'setTimeout(() => { throw new Error("mine") }, 20)', 1, /Error: mine/],
    [
      'what a callback throws',
      'ring.start(new Timeout(10), () => { throw new Error("mine") })',
      1,
      /Error: mine/,
    ],
    ['an unhandled rejection', 'go().then(() => { throw new Error("mine") })', 1, /Error: mine/],
    [
      'a run that rejects and that nobody catches',
      'ring.run(new Read(1_000_000, Buffer.alloc(1)))',
      1,
      /UringError: EBADF: bad file descriptor, read/,
    ],
    [
      'closing where the process exits',
      'process.on("exit", () => { ring[Symbol.dispose](); other.close() }); setTimeout(() => process.exit(7), 20)',
      7,
      /^$/,
    ],
  ] as const) {
    test(`woken by ${name}, the process ends in the middle of reads by ${kind}`, async (t) => {
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

  test(`woken by ${name}, the rest of a batch is delivered when a callback throws`, async (t) => {
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
      // Late ones too, which come by the waker.
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
    ['is terminated while it waits for reads', workerSource(IDLE, ''), 'worker.terminate()', 1, []],
    ['is terminated while it is busy with reads', workerSource(BUSY, ''), 'worker.terminate()', 1, []],
    [
      'is terminated in a loop, with reads to be delivered',
      workerSource(BUSY, 'for (;;) {}'),
      'worker.terminate()',
      1,
      [],
    ],
    [
      'is terminated in a blocking wait',
      workerSource(BUSY, 'ring.push(new Timeout(600_000)); ring.wait()'),
      'worker.terminate()',
      1,
      [],
    ],
    [
      'is terminated while it closes',
      workerSource(UNREFERENCED, 'ring.close()'),
      'worker.terminate()',
      undefined,
      [],
    ],
    ['ends by itself', workerSource(UNREFERENCED, ''), '', 0, []],
    ['exits', workerSource(`${IDLE}\n${BUSY}`, 'process.exit(3)'), '', 3, []],
    [
      'throws',
      workerSource(`${IDLE}\n${BUSY}`, 'setTimeout(() => { throw new Error("mine") })'),
      '',
      1,
      ['mine'],
    ],
    [
      'rejects',
      workerSource(BUSY, 'ring.run(new Read(1_000_000, Buffer.alloc(1)))'),
      '',
      1,
      ['EBADF: bad file descriptor, read'],
    ],
  ] as const) {
    test(`woken by ${name}, a worker leaves nothing behind that ${kind}`, async (t) => {
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
          // What Node.js itself makes for the first worker stays.
          const now = [descriptors(), mappings()]
          assert.deepEqual(now, (before ??= now))
        }
        console.log('ok')
      `,
      )
      t.deepEqual(outcome, OK)
    })
  }

  test(`woken by ${name}, close() cancels what is in flight, and what waits for room hears that the ring is closed`, async (t) => {
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
      assert.deepEqual(codes, [], 'nobody is told inside the call')
      assert.equal(await closing, undefined)
      await turn() // whoever waited has been told
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

  test(`woken by ${name}, close() delivers what was done before it, and waits for what was pushed too`, async (t) => {
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
      assert.equal(ring.peek(), undefined) // it has come, and will be delivered
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

      // What could be done at the same moment is done, or left alone.
      const sudden = new Ring({ entries: 8 })
      const either = sudden.run(new Read(second, bytes.fill(0))).catch(({ code }) => code)
      await turn()
      writeSync(second, 'either')
      await sudden.close()
      const text = (await either) === 6 ? bytes : Buffer.alloc(64)
      if ((await either) === 'ECANCELED') assert.equal(readSync(second, text), 6)
      assert.equal(text.toString('latin1', 0, 6), 'either')
      unread(second)

      // What was staged in this turn and has not gone in: it goes in, and is cancelled or done. Nobody waits for ever.
      const another = new Ring({ entries: 8 })
      const staged = Promise.allSettled([another.run(new Nop()), another.run(new Read(second, Buffer.alloc(64)))])
      await another.close()
      const [nop, pending] = await staged
      assert.equal(nop.status === 'fulfilled' || nop.reason.code === 'ECANCELED', true)
      assert.equal(pending.reason?.code, 'ECANCELED')
      unread(second)
      console.log('ok')
    `,
    )
    t.deepEqual(outcome, OK)
  })

  test(`woken by ${name}, a closed ring refuses, and closing again is fine`, async (t) => {
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

  test(`woken by ${name}, Symbol.dispose tells nobody inside the call, and all afterwards`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      const [first, second] = fifos(2)
      const ring = new Ring({ entries: 4, cqEntries: 8 })
      const told = []
      const note = (name) => (result) => told.push(name + ' ' + (result?.code ?? result))
      const bytes = Buffer.alloc(64)
      ring.run(new Read(first, bytes)).then(note('done'), note('done'))
      for (let index = 0; index < 3; index += 1) ring.run(new Read(second, Buffer.alloc(64))).catch(note('run'))
      ring.start(new Read(second, Buffer.alloc(64)), note('start'))
      ring.run(new Read(second, Buffer.alloc(64)), { timeout: 600_000 }).catch(note('timed'))
      ring.push(new Read(second, Buffer.alloc(64)))
      ring.submit()
      await turn()
      ring.run(new Read(second, Buffer.alloc(64))).catch(note('staged'))
      for (let index = 0; index < 2; index += 1) ring.run(new Read(second, Buffer.alloc(64))).catch(note('waiting'))
      writeSync(first, 'in time')
      ring.peek() // brings what is done
      ring[Symbol.dispose]()
      assert.deepEqual(told, [])
      assert.deepEqual([ring.fd, rings(), ring.inFlight], [-1, 0, 0])
      await turn()
      assert.deepEqual(told.toSorted(), [
        'done 7', ...Array(3).fill('run ECANCELED'), 'staged ECANCELED', 'start -125', 'timed ECANCELED',
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
    test(`woken by ${name}, ${kind} in a callback: the rest of the batch is delivered`, async (t) => {
      const outcome = await runWithWaker(
        waker,
        `${PRELUDE}
        const [fd] = fifos(1)
        for (const late of [false, true]) {
          const ring = new Ring({ entries: 8 })
          const told = []
          let closing
          const operation = () => (late ? new Timeout(5) : new Nop())
          const result = late ? -62 : 0
          const gone = new Promise((resolve) => {
            ring.start(operation(), (result) => {
              told.push('first ' + result)
              ${end}
              told.push('closed')
              assert.throws(() => ring.start(new Nop(), () => {}), { code: 'ERR_URING_CLOSED' })
            })
            ring.start(operation(), (result) => told.push('second ' + result))
            ring.start(operation(), (result) => told.push('third ' + result))
            ring.start(new Read(fd, Buffer.alloc(64)), (result) => { told.push('read ' + result); resolve() })
          })
          if (late) { // all are there in one batch
            await turn()
            const end = performance.now() + 8
            while (performance.now() < end);
          }
          await gone
          await closing
          assert.deepEqual(told, ['first ' + result, 'closed', 'second ' + result, 'third ' + result, 'read -125'])
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
