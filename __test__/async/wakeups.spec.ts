// Completions that nothing would come back for.

import test from 'ava'
import { run } from '../helpers/process.ts'
import { OK, PRELUDE, WAKERS, woken } from '../helpers/waker.ts'

for (const [name, waker] of WAKERS) {
  // On a ring that defers its work one call brings twenty completions.
  test(`woken by ${name}, 200 reads that are ready at once are all delivered`, async (t) => {
    const outcome = await woken(
      waker,
      `${PRELUDE}
      const pipes = fifos(200)
      for (const mode of [{}, { submitAll: false }, { coopTaskrun: true, taskrunFlag: true }, { singleIssuer: true, deferTaskrun: true }]) {
        for (const cqEntries of [256, 1024]) {
          const ring = new Ring({ entries: 64, cqEntries, ...mode })
          for (let round = 0; round < 3; round += 1) {
            const reads = pipes.map((fd) => ring.run(new Read(fd, Buffer.alloc(4))))
            await ring.run(new Timeout(1)) // they are with the kernel
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

  // Seventeen reads are woken by one byte, and sixteen have to wait again: so twenty at a time fill up exactly the 64
  // completions that there is room for, and those behind them have to be asked for.
  test(`woken by ${name}, what is behind a full completion area is delivered`, async (t) => {
    const outcome = await woken(
      waker,
      `${PRELUDE}
      const [crowded, ...pipes] = fifos(1 + 63 + 40)
      const ring = new Ring({ entries: 64, cqEntries: 64 })
      for (let index = 0; index < 17; index += 1) ring.push(new Read(crowded, Buffer.alloc(1)))
      ring.submit()
      for (const fd of pipes.slice(0, 63)) ring.push(new Read(fd, Buffer.alloc(1)))
      ring.submit()
      const reads = pipes.slice(63).map((fd) => ring.run(new Read(fd, Buffer.alloc(1))))
      await new Promise((resolve) => setTimeout(resolve, 20)) // the event loop comes round with nothing to do
      for (const fd of [crowded, ...pipes]) writeSync(fd, 'x')
      assert.deepEqual(await Promise.all(reads), Array(40).fill(1))
      assert.equal(ring.waitMany(64).length, 64)
      process.exit(console.log('ok'))
    `,
    )
    t.deepEqual(outcome, OK)
  })

  test(`woken by ${name}, no message is lost and none comes twice: to 200 pipes, at random moments and all at once`, async (t) => {
    const outcome = await run(process.execPath, ['scripts/soak.js', '1.5'], { URING_WAKER: waker })
    t.is(outcome.stderr, '')
    t.regex(outcome.stdout, /^\d+ messages, each counted once\n$/)
    t.is(outcome.code, 0)
  })
}
