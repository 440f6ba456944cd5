// Tests stats() and the diagnostics channels.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import test from 'ava'
import { Fsync, Nop, OpenAt, type Operation, type OperationMessage, Read, Ring, Timeout } from 'uring'
import { fifo, file } from '../helpers/files.ts'
import { codeOf } from '../helpers/promises.ts'

const multishot = (): Operation<unknown> => new Timeout(1, { multi: true, count: 1 })

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
