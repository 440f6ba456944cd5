// Tests that no completion stays behind when the event loop is woken once for many.

import test from 'ava'
import { run } from '../helpers/process.ts'
import { OK, PRELUDE, runWithWaker, WAKERS } from '../helpers/waker.ts'

for (const [name, waker] of WAKERS) {
  // With DEFER_TASKRUN one call into the kernel posts at most twenty completions.
  test(`${name}: delivers 200 reads that become ready at once`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      const pipes = fifos(200)
      for (const mode of [{}, { submitAll: false }, { coopTaskrun: true, taskrunFlag: true }, { singleIssuer: true, deferTaskrun: true }]) {
        for (const cqEntries of [256, 1024]) {
          const ring = new Ring({ entries: 64, cqEntries, ...mode })
          for (let round = 0; round < 3; round += 1) {
            const reads = pipes.map((fd) => ring.run(new Read(fd, Buffer.alloc(4))))
            await ring.run(new Timeout(1)) // by now the reads are submitted
            for (const [index, fd] of pipes.entries()) writeSync(fd, 'x'.repeat(index % 4 + 1))
            assert.deepEqual(await Promise.all(reads), pipes.map((_, index) => index % 4 + 1))
          }
          await ring.close()
        }
      }
      console.log('ok')
    `,
    )
    t.deepEqual(outcome, OK)
  })

  // One byte wakes seventeen reads, and sixteen of them have to wait again. So batches of twenty fill exactly the 64
  // entries of the completion queue, and the ring has to ask the kernel for the rest.
  test(`${name}: delivers completions that did not fit into a full completion queue`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      const [crowded, ...pipes] = fifos(1 + 63 + 40)
      const ring = new Ring({ entries: 64, cqEntries: 64 })
      for (let index = 0; index < 17; index += 1) ring.push(new Read(crowded, Buffer.alloc(1)))
      ring.submit()
      for (const fd of pipes.slice(0, 63)) ring.push(new Read(fd, Buffer.alloc(1)))
      ring.submit()
      const reads = pipes.slice(63).map((fd) => ring.run(new Read(fd, Buffer.alloc(1))))
      await new Promise((resolve) => setTimeout(resolve, 20)) // the event loop turns and finds no completion
      for (const fd of [crowded, ...pipes]) writeSync(fd, 'x')
      assert.deepEqual(await Promise.all(reads), Array(40).fill(1))
      assert.equal(ring.waitMany(64).length, 64)
      process.exit(console.log('ok'))
    `,
    )
    t.deepEqual(outcome, OK)
  })

  test(`${name}: delivers each message to 200 pipes exactly once, at random times and all at once`, async (t) => {
    const outcome = await run(process.execPath, ['scripts/soak.js', '1.5'], { URING_WAKER: waker })
    t.is(outcome.stderr, '')
    t.regex(outcome.stdout, /^\d+ messages, each read once\n$/)
    t.is(outcome.code, 0)
  })
}
