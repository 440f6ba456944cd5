// Tests both APIs on rings with each combination of setup flags.

import { readdirSync, readFileSync, writeSync } from 'node:fs'
import test from 'ava'
import { Nop, Read, Ring, type RingOptions, SetupFlags, Timeout, UringCmd80 } from 'uring'
import { pipe } from '../helpers/pipes.ts'

const MODES: Record<string, RingOptions> = {
  'the default': {},
  plain: { submitAll: false },
  cooperative: { coopTaskrun: true, taskrunFlag: true },
  deferred: { singleIssuer: true, deferTaskrun: true },
  sqPoll: { sqPoll: { idle: 1 } },
  sqe128: { sqe128: true },
  cqe32: { cqe32: true },
  cqeMixed: { cqeMixed: true },
  'sqe128 and cqe32': { sqe128: true, cqe32: true },
  noSqArray: { submitAll: true, noSqArray: true },
}

for (const [name, options] of Object.entries(MODES)) {
  test(`run, chain, each: complete in mode: ${name}`, async (t) => {
    await using ring = new Ring({ entries: 8, ...options })
    const { read, write } = pipe(t)
    for (let round = 0; round < 20; round += 1) {
      const bytes = Buffer.alloc(8)
      const reading = ring.run(new Read(read, bytes))
      const results = Array.from({ length: 20 }, (_, index) => ring.run(new Nop({ result: index })))
      t.deepEqual(
        await Promise.all(results),
        results.map((_, index) => index),
      )
      writeSync(write, `round${round}`)
      const count = await reading
      t.is(bytes.toString('latin1', 0, count), `round${round}`)
      t.deepEqual(await ring.chain([new Nop({ result: 1 }), new Timeout(1).hardLink(), new Nop()]), [
        1,
        'expired',
        0,
      ])
    }
    const ticks: string[] = []
    for await (const tick of ring.each(new Timeout(1, { multi: true, count: 3 }))) ticks.push(tick)
    t.is(ticks.length, 3)
  })
}

/** Returns the number of threads of this process whose name starts with `name`. */
function threads(name: string): number {
  return readdirSync('/proc/self/task').filter((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').startsWith(name)
    } catch {
      return false // it ended meanwhile
    }
  }).length
}

test('sqPoll: submit() wakes an idle polling thread, flush() does not', async (t) => {
  using ring = new Ring({ entries: 4, sqPoll: { idle: 1 } })
  const asleep = async (): Promise<void> => {
    while (!ring.sqNeedsEnter) await new Promise(setImmediate)
  }
  await asleep()
  ring.push(new Nop({ result: 1 }), 'mine')
  t.is(ring.flush(), 1)
  t.true(ring.sqNeedsEnter)
  t.is(ring.tryWait(), undefined)
  t.is(ring.sqReady, 1)
  ring.submit()
  t.is(ring.wait()?.userData, 'mine')
  await asleep()
  t.is(await ring.run(new Nop({ result: 2 })), 2)
  await asleep()
  ring.push(new Nop({ result: 3 }))
  t.is(ring.wait()?.result, 3)
})

test.serial('attach: rings share the polling thread', (t) => {
  const before = threads('iou-sqp-')
  using first = new Ring({ entries: 4, sqPoll: true })
  using shared = new Ring({ entries: 4, sqPoll: true, attach: first })
  const use = (ring: Ring): void => {
    ring.push(new Nop({ result: 6 }))
    t.is(ring.wait()?.result, 6) // by now its thread runs and is named
  }
  use(first)
  use(shared)
  t.is(threads('iou-sqp-'), before + 1)
  using other = new Ring({ entries: 4, sqPoll: true })
  use(other)
  t.is(threads('iou-sqp-'), before + 2)
})

test('attach: a ring keeps working after the ring that it was attached to is closed', async (t) => {
  const first = new Ring({ entries: 4, sqPoll: true })
  await using shared = new Ring({ entries: 4, sqPoll: true, attach: first })
  await first.close()
  t.is(await shared.run(new Nop({ result: 6 })), 6)
})

for (const ioPoll of [true, 'hybrid'] as const) {
  const options = { entries: 8, ioPoll }

  test(`ioPoll ${ioPoll}: nops complete in both APIs`, async (t) => {
    await using ring = new Ring(options)
    t.truthy(ring.setupFlags & SetupFlags.IOPOLL)
    t.is((ring.setupFlags & SetupFlags.HYBRID_IOPOLL) !== 0, ioPoll === 'hybrid')
    ring.push(new Nop({ result: 1 }))
    t.is(ring.wait()?.result, 1)
    const results = Array.from({ length: 50 }, (_, index) => ring.run(new Nop({ result: index }).async()))
    t.is((await Promise.all(results)).length, 50)
  })

  test(`ioPoll ${ioPoll}: a timeout fails with EINVAL`, async (t) => {
    await using ring = new Ring(options)
    await t.throwsAsync(ring.run(new Timeout(1)), { code: 'EINVAL' })
    ring.push(new Timeout(1))
    t.is(ring.wait()?.error?.code, 'EINVAL')
  })

  test(`ioPoll ${ioPoll}: a read of a pipe fails with ENOTSUP`, async (t) => {
    await using ring = new Ring(options)
    const { read, write } = pipe(t)
    writeSync(write, 'there')
    const bytes = Buffer.alloc(8)
    await t.throwsAsync(ring.run(new Read(read, bytes)), { code: 'ENOTSUP', message: /read/ })
    ring.push(new Read(read, bytes))
    t.is(ring.wait()?.error?.code, 'ENOTSUP')
  })
}

test('sqe128: UringCmd80 throws on a ring without it, in both APIs', async (t) => {
  await using ring64 = new Ring({ entries: 4 })
  await using ring128 = new Ring({ entries: 4, sqe128: true, cqe32: true })
  const operation = new UringCmd80(0, 0)
  t.throws(() => ring64.push(operation), { message: /sqe128/ })
  await t.throwsAsync(ring64.run(operation), { message: /sqe128/ })
  await t.throwsAsync(ring128.run(operation), { code: 'ENOTSUP' })
  ring128.push(new Nop({ extra: [1, 2n ** 63n] }))
  t.deepEqual(ring128.wait()?.extra, [1n, 2n ** 63n])
  t.is(await ring128.run(new Nop({ result: 4 })), 4)
})
