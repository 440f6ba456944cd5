// How long rings keep a process running, and what rings leave behind.

import test from 'ava'
import { OK, PRELUDE, runWithWaker, WAKERS } from '../helpers/waker.ts'

/** Milliseconds, longer than any test: a process that ends earlier was not kept running. */
const LONG = 600_000

const DONE = { code: 0, signal: null, stdout: 'done\n', stderr: '' }

for (const [name, waker] of WAKERS) {
  for (const [kind, use] of [
    ['run', `ring.run(new Timeout(50)).then(done)`],
    ['run with a timeout', `ring.run(new Read(pipe(), Buffer.alloc(1)), { timeout: 50 }).catch(done)`],
    ['run with a signal', `ring.run(new Timeout(50), { signal: new AbortController().signal }).then(done)`],
    ['start', `ring.start(new Timeout(50), done)`],
    ['chain', `ring.chain([new Nop(), new Timeout(50)]).catch(() => {}).finally(done)`],
    [
      'each',
      `let left = 3; for await (const _ of ring.each(new Timeout(20, { multi: true }))) if (--left === 0) break; done()`,
    ],
    [
      'an operation that waits for capacity',
      `const small = new Ring({ entries: 1, cqEntries: 1 }); for (let left = 3; left > 0; left -= 1) small.run(new Timeout(20)).then(left === 1 ? done : undefined)`,
    ],
  ] as const) {
    test(`process: runs until an operation has completed, and no longer, woken by ${name}: ${kind}`, async (t) => {
      const outcome = await runWithWaker(
        waker,
        `${PRELUDE}
        const pipe = () => fifos(1)[0]
        const done = () => console.log('done')
        const ring = new Ring({ entries: 8 })
        ${use}
      `,
      )
      t.deepEqual(outcome, DONE)
    })
  }

  for (const [kind, use] of [
    ['run', `ring.run(long(), { ref: false })`],
    ['run with a signal', `ring.run(long(), { ref: false, signal: new AbortController().signal })`],
    ['run with a timeout', `ring.run(long(), { ref: false, timeout: ${LONG} })`],
    ['start', `ring.start(long(), () => {}, { ref: false })`],
    ['chain', `ring.chain([long(), new Nop()], { ref: false, timeout: ${LONG} })`],
    ['each', `ring.each(new Timeout(${LONG}, { multi: true, count: 2 }), { ref: false })`],
    ['all operations, by unref() before', `ring.unref(); ring.run(long()); ring.start(long(), () => {})`],
    ['all operations, by unref() in the same turn', `ring.run(long()); ring.unref()`],
    [
      'all operations, by unref() in a callback',
      `ring.run(long()); ring.run(new Timeout(10)).then(() => ring.unref())`,
    ],
    [
      'an operation that outlives a referenced one',
      `ring.run(long(), { ref: false }); ring.run(new Timeout(10))`,
    ],
  ] as const) {
    test(`process: ends in spite of unreferenced operations, woken by ${name}: ${kind}`, async (t) => {
      const outcome = await runWithWaker(
        waker,
        `${PRELUDE}
        const long = () => new Timeout(${LONG})
        const ring = new Ring({ entries: 8 })
        ${use}
        process.on('exit', () => {
          assert.ok(ring.inFlight > 0)
          console.log('done')
        })
      `,
      )
      t.deepEqual(outcome, DONE)
    })
  }

  test(`ref: undoes unref(), but not the option ref: false of an operation, woken by ${name}`, async (t) => {
    const before = await runWithWaker(
      waker,
      `${PRELUDE}
      const ring = new Ring({ entries: 8 }).unref().ref()
      ring.run(new Timeout(30)).then(() => console.log('done'))
    `,
    )
    t.deepEqual(before, DONE)
    const during = await runWithWaker(
      waker,
      `${PRELUDE}
      const ring = new Ring({ entries: 8 })
      ring.run(new Timeout(60)).then(() => console.log('done'))
      await turn()
      assert.equal(ring.unref(), ring)
      await turn()
      assert.equal(ring.ref(), ring)
    `,
    )
    t.deepEqual(during, DONE)
    const one = await runWithWaker(
      waker,
      `${PRELUDE}
      const ring = new Ring({ entries: 8 })
      ring.run(new Timeout(${LONG}), { ref: false })
      ring.ref()
      console.log('done')
    `,
    )
    t.deepEqual(one, DONE)
  })

  test(`process: ends in spite of open rings without referenced operations, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      const open = new Ring({ entries: 4 })
      const used = new Ring({ entries: 4 })
      await used.run(new Timeout(1))
      for (let round = 0; round < 3; round += 1) await used.run(new Nop())
      const pushed = new Ring({ entries: 4 })
      pushed.push(new Timeout(${LONG}))
      pushed.submit()
      const closed = new Ring({ entries: 4 })
      await closed.close()
      const closedAfterUse = new Ring({ entries: 4 })
      await closedAfterUse.run(new Timeout(1))
      closedAfterUse.run(new Timeout(${LONG})).catch(({ code }) => console.log(code))
      await closedAfterUse.close()
      const disposed = new Ring({ entries: 4 })
      disposed.run(new Timeout(${LONG})).catch(({ code }) => console.log(code))
      await turn()
      disposed[Symbol.dispose]()
      process.on('exit', () => console.log([open, used, pushed, closed, disposed].map(({ closed }) => closed).join()))
    `,
    )
    t.deepEqual(outcome, {
      code: 0,
      signal: null,
      stdout: 'ECANCELED\nECANCELED\nfalse,false,false,true,true\n',
      stderr: '',
    })
  })

  test(`default ring: is created once, at its first use and not at import, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `
      import assert from 'node:assert/strict'
      import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
      import { readFile } from 'node:fs/promises'
      const targets = () => readdirSync('/proc/self/fd').map((name) => {
        try { return readlinkSync('/proc/self/fd/' + name) } catch { return 'gone' }
      })
      const rings = () => targets().filter((target) => target === 'anon_inode:[io_uring]').length
      const alarms = () => targets().filter((target) => target.startsWith('anon_inode:[eventfd')).length
      const names = () => readdirSync('/proc/self/task').map((id) => readFileSync('/proc/self/task/' + id + '/comm', 'utf8').trim())
      const wakers = () => names().filter((name) => name === 'uring-waker').length
      await Promise.all(Array.from({ length: 16 }, () => readFile('/proc/self/status'))) // starts the threads of libuv
      const before = [rings(), alarms(), names().length]
      const { run, start, chain, each, Nop, Ring, Timeout } = await import('uring')
      assert.deepEqual([rings(), alarms(), names().length], before)

      const ring = new Ring({ entries: 4 })
      ring.push(new Nop())
      ring.wait()
      assert.deepEqual([rings(), alarms(), names().length], [before[0] + 1, before[1], before[2]], 'the queue API needs no eventfd and no thread')
      ring[Symbol.dispose]()

      await Promise.all([run(new Nop()), run(new Timeout(1)), chain([new Nop(), new Nop()])])
      await new Promise((resolve) => start(new Nop(), resolve))
      for await (const _ of each(new Timeout(1, { multi: true }))) break
      assert.equal(rings(), before[0] + 1)
      assert.equal(wakers(), process.env.URING_WAKER === 'thread' ? 1 : 0)
      console.log('ok')
    `,
    )
    t.deepEqual(outcome, OK)
  })

  const LEFT = `
    const left = () => ({ rings: rings(), descriptors: descriptors(), wakers: threads('uring-waker'), threads: threads(), mappings: mappings() })
    async function memory() {
      for (let round = 0; round < 8; round += 1) {
        globalThis.gc()
        await turn()
      }
      return process.memoryUsage()
    }
    // A ring of this size has about 1 KB of array buffers: 450 that are left would be well above this.
    function same(half, whole) {
      assert.ok(whole.arrayBuffers - half.arrayBuffers < 100_000, 'array buffers: ' + half.arrayBuffers + ', ' + whole.arrayBuffers)
      assert.ok(whole.rss - half.rss < 16_000_000, 'memory: ' + half.rss + ', ' + whole.rss)
      assert.ok(whole.heapUsed - half.heapUsed < 2_000_000, 'heap: ' + half.heapUsed + ', ' + whole.heapUsed)
    }
    /** Creates a thousand rings, the first hundred to warm up. */
    async function leavesNothing(many) {
      await many(100)
      const before = left()
      await many(450)
      const half = await memory()
      await many(450)
      same(half, await memory())
      assert.deepEqual(left(), before)
      console.log('ok')
    }
  `

  test(`Ring: 1,000 rings that were closed leave nothing behind, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}${LEFT}
      const pipes = fifos(10)
      async function one(fd, index) {
        const ring = new Ring({ entries: 4 })
        if (index % 2 === 0) {
          assert.equal(await ring.run(new Timeout(1)), 'expired')
        } else {
          const bytes = Buffer.alloc(4)
          const read = ring.run(new Read(fd, bytes))
          await turn()
          writeSync(fd, 'abc')
          assert.equal(await read, 3)
          assert.equal(bytes.toString('latin1', 0, 3), 'abc')
        }
        await ring.close()
      }
      async function many(count) {
        for (let index = 0; index < count; index += 10) await Promise.all(pipes.map(one))
        await collected(() => rings() === 0) // the last handles of libuv are closed in a later turn
      }
      await leavesNothing(many)
    `,
      ['--expose-gc'],
    )
    t.deepEqual(outcome, OK)
  })

  test(`Ring: 1,000 rings that were collected leave nothing behind, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}${LEFT}
      const pipes = fifos(50)
      async function many(count) {
        for (let index = 0; index < count; index += 50) {
          await Promise.all(pipes.map(async (fd, index) => {
            const ring = new Ring({ entries: 4 })
            if (index % 5 === 0) return
            if (index % 2 === 0) return ring.run(new Timeout(1))
            const read = ring.run(new Read(fd, Buffer.alloc(4)))
            await turn()
            writeSync(fd, 'abc')
            return read
          }))
          await collected(() => rings() === 0)
        }
      }
      await leavesNothing(many)
    `,
      ['--expose-gc'],
    )
    t.deepEqual(outcome, OK)
  })

  test(`Ring: operations in flight keep an unreachable ring alive, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      const pipes = fifos(20)
      // Half of them do not keep the event loop running, but their rings are kept alive too.
      const read = (fd, index) => new Ring({ entries: 4 }).run(new Read(fd, Buffer.alloc(8)), { ref: index % 2 === 0 })
      const open = setInterval(() => {}, 1000)
      const results = pipes.map(read)
      const waiting = pipes.map((fd) => {
        const ring = new Ring({ entries: 1, cqEntries: 1 })
        void ring.run(new Timeout(1)).then(() => {})
        return ring.run(new Timeout(1))
      })
      assert.equal((await Promise.all(waiting)).length, 20)
      await collected(() => rings() === 20)
      for (let round = 0; round < 20; round += 1) {
        globalThis.gc()
        await turn()
        // Reuses freed memory, which a read would overwrite.
        for (let index = 0; index < 50; index += 1) Buffer.alloc(8)
      }
      assert.equal(rings(), 20)
      for (const [index, fd] of pipes.entries()) writeSync(fd, 'x'.repeat(index % 8 + 1))
      assert.deepEqual(await Promise.all(results), pipes.map((_, index) => index % 8 + 1))
      await collected(() => rings() === 0)
      assert.equal(threads('uring-waker'), 0)
      clearInterval(open)
      console.log('ok')
    `,
      ['--expose-gc'],
    )
    t.deepEqual(outcome, OK)
  })
}
