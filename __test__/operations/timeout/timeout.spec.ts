// Timeouts, and cancelling.

import test from 'ava'
import { AsyncCancel, Nop, Read, Ring, Timeout, TimeoutRemove, Write } from 'uring'
import { fifo } from '../../helpers/files.ts'

test('Timeout: expiry is a success', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const time of [0, 1, 0.5, { seconds: 0, nanoseconds: 1 }, { seconds: 0n, nanoseconds: 1000 }]) {
    ring.push(new Timeout(time))
    const completion = ring.wait()
    t.true(completion?.ok)
    t.is(completion?.result, -62)
    t.is(completion?.error, undefined)
    t.is(completion?.value, 'expired')
  }
})

test('Timeout: is not early', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const time of [30.25, { seconds: 0, nanoseconds: 30_250_000 }]) {
    const start = performance.now()
    ring.push(new Timeout(time))
    ring.wait()
    t.true(performance.now() - start >= 30.25)
  }
})

test('Timeout: an absolute one follows its clock', (t) => {
  using ring = new Ring({ entries: 4 })
  const start = Date.now()
  ring.push(new Timeout(start + 30, { absolute: true, clock: 'realtime' }))
  t.is(ring.wait()?.value, 'expired')
  t.true(Date.now() >= start + 30)
  const now = process.hrtime.bigint()
  const then = now + 30_000_000n
  const moment = { seconds: then / 1_000_000_000n, nanoseconds: Number(then % 1_000_000_000n) }
  ring.push(new Timeout(moment, { absolute: true }))
  t.is(ring.wait()?.value, 'expired')
  t.true(process.hrtime.bigint() >= then)
  ring.push(new Timeout(0, { absolute: true, clock: 'boottime' }))
  t.is(ring.wait()?.value, 'expired')
})

test('Timeout: can count completions instead', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Timeout(60_000, { count: 2 }), 'timeout')
  ring.push(new Nop())
  ring.push(new Nop())
  const timeout = ring.waitMany(3).find((completion) => completion.userData === 'timeout')
  t.is(timeout?.value, 'count')
  t.is(timeout?.result, 0)
})

test('Timeout: expiry breaks a link, unless it is a success to the kernel too', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Timeout(1).link())
  ring.push(new Nop())
  t.deepEqual(
    ring.waitMany(2).map((completion) => completion.error?.code),
    [undefined, 'ECANCELED'],
  )
  ring.push(new Timeout(1, { etimeSuccess: true }).link())
  ring.push(new Nop())
  t.deepEqual(
    ring.waitMany(2).map((completion) => completion.error?.code),
    [undefined, undefined],
  )
})

test('TimeoutRemove: what is removed is cancelled', (t) => {
  using ring = new Ring({ entries: 8 })
  const token = ring.push(new Timeout(60_000), 'timeout')
  ring.push(new TimeoutRemove(token), 'remove')
  const done = new Map(ring.waitMany(2).map((completion) => [completion.userData, completion]))
  t.is(done.get('remove')?.value, 0)
  t.like(done.get('timeout')?.error, { code: 'ECANCELED', message: 'ECANCELED: operation canceled, timeout' })
  ring.push(new TimeoutRemove(token))
  t.is(ring.wait()?.error?.code, 'ENOENT')
})

test('AsyncCancel: an operation is cancelled by its token', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  const first = ring.push(new Read(fd, Buffer.alloc(1)), 'first')
  const second = ring.push(new Read(fd, Buffer.alloc(1)), 'second')
  ring.push(new AsyncCancel(second), 'cancel')
  const done = new Map(ring.waitMany(2).map((completion) => [completion.userData, completion]))
  t.is(done.get('cancel')?.value, 1)
  t.is(done.get('cancel')?.result, 0)
  t.is(done.get('second')?.error?.code, 'ECANCELED')
  ring.push(new AsyncCancel(second))
  t.is(ring.wait()?.error?.code, 'ENOENT')
  ring.push(new AsyncCancel({ token: first }))
  t.deepEqual(
    ring
      .waitMany(2)
      .map((completion) => completion.result)
      .toSorted(),
    [-125, 0],
  )
})

test('AsyncCancel: operations are cancelled by file, opcode, both, or all at once', (t) => {
  using ring = new Ring({ entries: 16 })
  const [one, other] = [fifo(t), fifo(t)]
  const start = (): void => {
    ring.pushAll(
      [
        new Read(one, Buffer.alloc(1)),
        new Read(one, Buffer.alloc(1)),
        new Read(other, Buffer.alloc(1)),
        new Timeout(60_000),
      ],
      ['one', 'one', 'other', 'timeout'],
    )
    ring.submit()
  }
  const cancel = (...args: ConstructorParameters<typeof AsyncCancel>): [number, string[]] => {
    ring.push(new AsyncCancel(...args), 'cancel')
    ring.submit()
    const done = ring.waitMany(1, { max: 16 })
    const found = done.find((completion) => completion.userData === 'cancel')?.value as number
    const names = done
      .filter(({ userData }) => userData !== 'cancel')
      .map(({ userData }) => userData as string)
    while (names.length < found) names.push(ring.wait()?.userData as string)
    return [found, names.toSorted()]
  }
  start()
  t.deepEqual(cancel({ file: one }), [1, ['one']])
  t.deepEqual(cancel({ file: one }, { all: true }), [1, ['one']])
  t.deepEqual(cancel({ file: one }, { all: true }), [0, []])
  t.deepEqual(cancel('any'), [2, ['other', 'timeout']])
  start()
  t.deepEqual(cancel({ opcode: Timeout.opcode }), [1, ['timeout']])
  t.deepEqual(cancel({ opcode: Read.opcode, file: other }), [1, ['other']])
  t.deepEqual(cancel({ opcode: Read.opcode }, { all: true }), [2, ['one', 'one']])
  start()
  t.deepEqual(cancel('any', { all: true }), [4, ['one', 'one', 'other', 'timeout']])
  const token = ring.push(new Read(one, Buffer.alloc(1)), 'mine')
  ring.push(new Read(one, Buffer.alloc(1)), 'not mine')
  ring.submit()
  t.deepEqual(cancel({ token, file: other }, { all: true }), [0, []])
  t.deepEqual(cancel({ token, file: one, opcode: Read.opcode }), [1, ['mine']])
  t.is(ring.inFlight, 1)
  ring.push(new Write(one, Buffer.from('x')))
  t.is(ring.waitMany(2).find(({ userData }) => userData === 'not mine')?.value, 1)
})
