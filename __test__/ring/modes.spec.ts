// Rings of every kind: both flows on each, and what is special about them.

import { readdirSync, readFileSync, writeSync } from 'node:fs'
import test from 'ava'
import { Nop, Read, Ring, type RingOptions, SetupFlags, Timeout, UringCmd80 } from 'uring'
import { pipe } from '../helpers/pipes.ts'

const MODES: Record<string, RingOptions> = {
  'the default': {},
  plain: { submitAll: false },
  cooperative: { coopTaskrun: true, taskrunFlag: true },
  deferred: { singleIssuer: true, deferTaskrun: true },
  'with a polling thread': { sqPoll: { idle: 1 } },
  'with entries of 128 bytes': { sqe128: true },
  'with completions of 32 bytes': { cqe32: true },
  'with completions of both sizes': { cqeMixed: true },
  'with wide entries and completions': { sqe128: true, cqe32: true },
  'without an array of indices': { submitAll: true, noSqArray: true },
}

for (const [name, options] of Object.entries(MODES)) {
  test(`what is awaited completes on a ring: ${name}`, async (t) => {
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

/** Threads of this process with a name that begins so. */
function threads(name: string): number {
  return readdirSync('/proc/self/task').filter((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').startsWith(name)
    } catch {
      return false // it ended meanwhile
    }
  }).length
}

test('a polling thread that fell asleep is woken by what is submitted, and not by what is published', async (t) => {
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

test.serial('attached rings share the polling thread', (t) => {
  const before = threads('iou-sqp-')
  using first = new Ring({ entries: 4, sqPoll: true })
  using shared = new Ring({ entries: 4, sqPoll: true, attach: first })
  const use = (ring: Ring): void => {
    ring.push(new Nop({ result: 6 }))
    t.is(ring.wait()?.result, 6) // by now its thread runs, and has its name
  }
  use(first)
  use(shared)
  t.is(threads('iou-sqp-'), before + 1)
  using other = new Ring({ entries: 4, sqPoll: true })
  use(other)
  t.is(threads('iou-sqp-'), before + 2)
})

test('the other ring of a pair outlives the one that it was attached to', async (t) => {
  const first = new Ring({ entries: 4, sqPoll: true })
  await using shared = new Ring({ entries: 4, sqPoll: true, attach: first })
  await first.close()
  t.is(await shared.run(new Nop({ result: 6 })), 6)
})

for (const ioPoll of [true, 'hybrid'] as const) {
  const options = { entries: 8, ioPoll }

  test(`polled, ${ioPoll}: what is not of a device completes in both flows`, async (t) => {
    await using ring = new Ring(options)
    t.truthy(ring.setupFlags & SetupFlags.IOPOLL)
    t.is((ring.setupFlags & SetupFlags.HYBRID_IOPOLL) !== 0, ioPoll === 'hybrid')
    ring.push(new Nop({ result: 1 }))
    t.is(ring.wait()?.result, 1)
    const results = Array.from({ length: 50 }, (_, index) => ring.run(new Nop({ result: index }).async()))
    t.is((await Promise.all(results)).length, 50)
  })

  test(`polled, ${ioPoll}: operations that cannot be polled are refused`, async (t) => {
    await using ring = new Ring(options)
    await t.throwsAsync(ring.run(new Timeout(1)), { code: 'EINVAL' })
    ring.push(new Timeout(1))
    t.is(ring.wait()?.error?.code, 'EINVAL')
  })

  test(`polled, ${ioPoll}: what is of no device that can be polled is refused`, async (t) => {
    await using ring = new Ring(options)
    const { read, write } = pipe(t)
    writeSync(write, 'there')
    const bytes = Buffer.alloc(8)
    await t.throwsAsync(ring.run(new Read(read, bytes)), { code: 'ENOTSUP', message: /read/ })
    ring.push(new Read(read, bytes))
    t.is(ring.wait()?.error?.code, 'ENOTSUP')
  })
}

test('a wide entry needs a wide ring, in both flows', async (t) => {
  await using narrow = new Ring({ entries: 4 })
  await using wide = new Ring({ entries: 4, sqe128: true, cqe32: true })
  const operation = new UringCmd80(0, 0)
  t.throws(() => narrow.push(operation), { message: /sqe128/ })
  await t.throwsAsync(narrow.run(operation), { message: /sqe128/ })
  await t.throwsAsync(wide.run(operation), { code: 'ENOTSUP' })
  wide.push(new Nop({ extra: [1, 2n ** 63n] }))
  t.deepEqual(wide.wait()?.extra, [1n, 2n ** 63n])
  t.is(await wide.run(new Nop({ result: 4 })), 4)
})
