// Restricted rings in the event loop: late completions, closing, collection, and workers that end.

import test from 'ava'
import { OK, PRELUDE, runWithWaker, WAKERS } from '../helpers/waker.ts'

for (const [name, waker] of WAKERS) {
  test(`Ring: with restrictions, delivers late completions, and refuses the rest, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      import { Fsync } from 'uring'
      const [gate] = fifos(1)
      const ring = new Ring({ entries: 8, disabled: true })
      ring.registerRestrictions([{ operation: Read }, { operation: Nop }])
      ring.enable()
      for (let round = 0; round < 5; round += 1) {
        const bytes = Buffer.alloc(8)
        const read = ring.run(new Read(gate, bytes))
        await turn()
        setTimeout(() => writeSync(gate, 'late' + round), 2)
        assert.equal(await read, 5)
        assert.equal(bytes.toString('latin1', 0, 5), 'late' + round)
        await assert.rejects(ring.run(new Fsync(gate)), { code: 'EACCES', syscall: 'fsync' })
        assert.throws(() => ring.registerPersonality(), { code: 'EACCES' })
        ring.push(new Fsync(gate))
        assert.equal(ring.wait().error.code, 'EACCES')
      }
      await assert.rejects(ring.run(new Read(gate, Buffer.alloc(1)), { timeout: 5 }), { name: 'TimeoutError' })
      const pending = Array.from({ length: 40 }, () => ring.run(new Read(gate, Buffer.alloc(8))).catch(({ code }) => code))
      await turn()
      await ring.close()
      assert.deepEqual([...new Set(await Promise.all(pending))].toSorted(), ['ECANCELED', 'ERR_URING_CLOSED'])
      assert.equal(rings(), 0)
      assert.equal(threads('uring-waker'), 0)
      unread(gate)
      console.log('ok')
    `,
    )
    t.deepEqual(outcome, OK)
  })

  test(`Ring: with restrictions, is closed, collected, and ended with its worker, woken by ${name}`, async (t) => {
    const make = `
      const FIXED = 1, DRAIN = 2
      function reading(gate, { options, required }, run) {
        const ring = new Ring({ entries: 8, disabled: true, ...options })
        assert.equal(ioUringRegister(ring.fd, 2, Int32Array.of(gate), 1), 0)
        ring.registerRestrictions([{ operation: Read }, { flagsAllowed: FIXED }, { flagsRequired: required }])
        ring.enable()
        for (let index = 0; index < 4; index += 1) {
          const read = new Read(new FixedFile(0), Buffer.alloc(64))
          if (required & DRAIN) read.drain()
          if (run) ring.run(read).catch(() => {})
          else ring.push(read)
        }
        if (!run) ring.submit()
        return ring
      }
    `
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      import { FixedFile } from 'uring'
      import { ioUringRegister } from 'uring/sys'
      ${make}
      const [gate] = fifos(1)
      const source = \`
        import assert from 'node:assert/strict'
        import { parentPort, workerData } from 'node:worker_threads'
        import { FixedFile, Read, Ring } from 'uring'
        import { ioUringRegister } from 'uring/sys'
        ${make}
        const { gate, way, stay } = workerData
        reading(gate, way, false)
        reading(gate, way, true).unref()
        setImmediate(() => parentPort.postMessage('reading'))
        if (stay) setInterval(() => {}, 1000)
      \`
      let stay = false
      for (const way of [
        { options: {}, required: 0 },
        { options: {}, required: FIXED },
        { options: { submitAll: false }, required: FIXED | DRAIN },
        { options: { sqPoll: { idle: 20 } }, required: FIXED },
      ]) {
        for (const run of [false, true]) {
          const ring = reading(gate, way, run)
          await turn()
          await ring.close()
          assert.equal(rings(), 0)
          reading(gate, way, run)[Symbol.dispose]()
          assert.equal(rings(), 0)
          unread(gate)
        }
        reading(gate, way, false)
        await collected(() => rings() === 0)
        unread(gate)
        stay = !stay
        const worker = new Worker(source, { eval: true, workerData: { gate, way, stay } })
        const exit = new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject))
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
        if (stay) worker.terminate()
        assert.equal(await exit, stay ? 1 : 0)
        assert.equal(rings(), 0)
        unread(gate)
      }
      reading(gate, { options: {}, required: FIXED }, false)
      reading(gate, { options: {}, required: FIXED }, true).unref()
      process.on('exit', () => console.log('ok'))
    `,
      ['--expose-gc'],
    )
    t.deepEqual(outcome, OK)
  })
}
