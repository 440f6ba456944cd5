// The termination of many workers.

import test from 'ava'
import { OK, PRELUDE, runWithWaker, WAKERS } from '../helpers/waker.ts'
import { BUSY, IDLE, WORKERS, workerSource } from '../helpers/workers.ts'

for (const [name, waker] of WAKERS) {
  test(`process: survives the termination of 200 workers with reads in flight, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}${WORKERS}
      // A ring of the main thread loses nothing meanwhile.
      const ring = new Ring({ entries: 8 })
      const [channel] = fifos(1)
      let counted = 0
      async function counting() { for (;;) counted += await ring.run(new Read(channel, Buffer.alloc(64))) }
      const counter = counting().catch(({ code }) => code)
      let written = 0, killed = 0, before
      async function kill() {
        const { worker, exit, reading } = start(${workerSource(`${IDLE}\n${BUSY}`, '')})
        await reading
        written += writeSync(channel, 'message')
        await worker.terminate()
        const { code, errors } = await exit
        assert.deepEqual({ code, errors }, { code: 1, errors: [] })
        killed += 1
      }
      for (let batch = 0; killed < 200; batch += 1) {
        refill()
        await Promise.all(Array.from({ length: 8 }, kill))
        const now = [rings(), descriptors(), threads('uring-waker')]
        assert.deepEqual(now, (before ??= now))
      }
      assert.equal(before[0], 1)
      unread(idle)
      while (counted < written) await turn()
      await ring.close()
      assert.equal(await counter, 'ECANCELED')
      assert.equal(counted, written)
      console.log('ok')
    `,
    )
    t.deepEqual(outcome, OK)
  })
}
