// Cancelling operations by token, file and opcode.

import test from 'ava'
import { AsyncCancel, Read, Ring, Timeout, Write } from 'uring'
import { fifo } from '../../helpers/files.ts'

test('AsyncCancel: cancels an operation by its token', (t) => {
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

test('AsyncCancel: cancels operations by file, by opcode, by both, or all of them', (t) => {
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
