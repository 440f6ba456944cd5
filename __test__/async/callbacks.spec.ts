// Tests start(), and callbacks and promise handlers that use the ring.

import { readSync, writeSync } from 'node:fs'
import test from 'ava'
import { CqeFlags, Nop, Read, Ring, Timeout } from 'uring'
import { fifo } from '../helpers/files.ts'
import { type Outcome, script } from '../helpers/process.ts'
import { nextTurn } from '../helpers/promises.ts'

const OK: Outcome = { code: 0, signal: null, stdout: 'ok\n', stderr: '' }

// ---- start

test('start: calls back with each completion', async (t) => {
  using ring = new Ring({ entries: 4 })
  const calls: [number, boolean][] = []
  await new Promise<void>((resolve) => {
    ring.start(new Timeout(1, { multi: true, count: 3 }), (result, flags) => {
      calls.push([result, (flags & CqeFlags.MORE) !== 0])
      if ((flags & CqeFlags.MORE) === 0) resolve()
    })
  })
  t.deepEqual(calls, [
    [-62, true],
    [-62, true],
    [-62, false],
  ])
  t.is(await new Promise((resolve) => ring.start(new Nop({ result: 9 }), resolve)), 9)
  t.is(
    await new Promise((resolve) => ring.start(new Nop({ result: -2 }), resolve)),
    -2,
    'an error is a result',
  )
})

test('start: returns a token that cancels the operation', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 4 })
  const fd = fifo(t)
  const results: number[] = []
  const read = (): number => ring.start(new Read(fd, Buffer.alloc(1)), (result) => results.push(result))
  const tokens = Array.from({ length: 6 }, read)
  t.is(new Set(tokens).size, 6)
  await nextTurn()
  t.is(ring.pending, 2)
  t.is(await ring.cancel(tokens[0] ?? 0), 1)
  t.deepEqual(results, [-125])
  t.is(await ring.cancel(tokens[0] ?? 0), 0, 'a stale token matches nothing')
  t.is(await ring.cancel(tokens[5] ?? 0), 1, 'a pending operation')
  await nextTurn()
  t.deepEqual(results, [-125, -125])
  writeSync(fd, 'xxxx')
  while (results.length < 6) await nextTurn()
  t.deepEqual(results.slice(2), [1, 1, 1, 1])
})

// ---- callbacks and promise handlers that use the ring

test('start: delivers what a callback starts after that callback has returned', async (t) => {
  using ring = new Ring({ entries: 8 })
  const order: string[] = []
  await new Promise<void>((resolve) => {
    ring.start(new Nop(), () => {
      order.push('one')
      ring.start(new Nop(), () => {
        order.push('three')
        resolve()
      })
      order.push('one ends')
    })
    ring.start(new Nop(), () => order.push('two'))
  })
  t.deepEqual(order, ['one', 'one ends', 'two', 'three'])
})

test('start: a callback may start more operations than the ring has capacity for', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const results: number[] = []
  await new Promise<void>((resolve) => {
    ring.start(new Nop(), () => {
      for (let index = 0; index < 100; index += 1) {
        ring.start(new Nop({ result: index }), (result) => {
          if (results.push(result) === 100) resolve()
        })
      }
    })
  })
  t.deepEqual(
    results,
    Array.from({ length: 100 }, (_, index) => index),
  )
})

test('start: a callback may cancel another operation', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  let found: Promise<number> | undefined
  const result = await new Promise<number>((resolve) => {
    const token = ring.start(new Read(fd, Buffer.alloc(1)), resolve)
    ring.start(new Nop(), () => (found = ring.cancel(token)))
  })
  t.is(result, -125)
  t.is(await found, 1)
})

test('start: an exception in a callback is uncaught, and the rest of the batch is delivered', async (t) => {
  const source = `
    import { Nop, Ring } from 'uring'
    const ring = new Ring({ entries: 8 })
    const order = []
    process.on('uncaughtException', (error, origin) => order.push(error.message + ' ' + origin))
    for (let index = 0; index < 5; index += 1) {
      ring.start(new Nop(), () => {
        order.push(index)
        if (index === 1 || index === 3) throw new Error('mine' + index)
      })
    }
    ring.run(new Nop()).then(() => order.push('run'))
    setTimeout(() => ring.run(new Nop()).then(() => {
      console.log(order.slice(0, 5).join() + ' ' + order.slice(5).toSorted().join())
    }), 1)`
  t.deepEqual(await script(source), {
    ...OK,
    stdout: '0,1,2,3,4 mine1 uncaughtException,mine3 uncaughtException,run\n',
  })
  const uncaught = await script(`
    import { Nop, Ring } from 'uring'
    new Ring({ entries: 8 }).start(new Nop(), () => { throw new Error('mine') })
    setTimeout(() => console.log('too late'), 1000)`)
  t.is(uncaught.code, 1)
  t.is(uncaught.stdout, '')
  t.regex(uncaught.stderr, /Error: mine/)
})

test('start: delivers the rest of the batch after a callback closes the ring', async (t) => {
  const ring = new Ring({ entries: 8, cqEntries: 8 })
  const fd = fifo(t)
  const results: number[] = []
  let closing: Promise<void> | undefined
  const waiting = ring.run(new Read(fd, Buffer.alloc(1)))
  for (let index = 0; index < 5; index += 1) {
    ring.start(new Nop({ result: index }), (result) => {
      results.push(result)
      closing ??= ring.close()
    })
  }
  await t.throwsAsync(waiting, { code: 'ECANCELED' })
  await closing
  t.deepEqual(results, [0, 1, 2, 3, 4])
  t.is(ring.fd, -1)
})

test('start: delivers the rest of the batch after a callback disposes of the ring, and cancels what is in flight', async (t) => {
  const ring = new Ring({ entries: 8, cqEntries: 8 })
  const fd = fifo(t)
  const results: number[] = []
  const waiting = ring.run(new Read(fd, Buffer.alloc(1)))
  for (let index = 0; index < 5; index += 1) {
    ring.start(new Nop({ result: index }), (result) => {
      results.push(result)
      ring[Symbol.dispose]()
    })
  }
  await t.throwsAsync(waiting, { code: 'ECANCELED' })
  await nextTurn()
  t.deepEqual(results, [0, 1, 2, 3, 4])
  t.is(ring.fd, -1)
  writeSync(fd, 'x')
  t.is(readSync(fd, Buffer.alloc(2)), 1, 'the read was cancelled')
})

test('start: delivers nothing while a callback blocks in wait()', async (t) => {
  using ring = new Ring({ entries: 8 })
  const order: string[] = []
  ring.start(new Nop(), () => {
    order.push('first')
    ring.start(new Nop(), () => order.push('fourth'))
    ring.push(new Timeout(5), 'pushed')
    const completion = ring.wait()
    order.push(`waited for ${String(completion?.userData)}`)
  })
  ring.start(new Nop(), () => order.push('second'))
  void (async () => {
    await ring.run(new Nop())
    order.push('third')
  })()
  while (order.length < 5) await nextTurn()
  t.deepEqual(order.slice(0, 3), ['first', 'waited for pushed', 'second'])
  t.deepEqual(order.slice(3).toSorted(), ['fourth', 'third'])
})

test('run: a promise handler may start, cancel, wait, throw and close', async (t) => {
  const ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  await ring.run(new Nop())
  t.is(await ring.run(new Nop({ result: 2 })), 2)
  const read = ring.run(new Read(fd, Buffer.alloc(1)))
  await ring.run(new Nop())
  t.is(await ring.cancel({ file: fd }), 1)
  await t.throwsAsync(read, { code: 'ECANCELED' })

  const others = Array.from({ length: 3 }, (_, index) => ring.run(new Nop({ result: index })))
  const order: string[] = []
  const started = new Promise<void>((resolve) => {
    ring.start(new Nop(), () => {
      order.push('started')
      resolve()
    })
  })
  await others[0]
  ring.push(new Timeout(5), 'pushed')
  t.is(ring.wait()?.userData, 'pushed')
  order.push('waited')
  await started
  t.deepEqual(order.toSorted(), ['started', 'waited'])
  t.deepEqual(await Promise.all(others), [0, 1, 2])

  await t.throwsAsync(
    (async () => {
      await ring.run(new Nop())
      throw new Error('mine')
    })(),
    { message: 'mine' },
  )
  const last = Array.from({ length: 4 }, (_, index) => ring.run(new Nop({ result: index })))
  await last[0]
  const closing = ring.close()
  t.deepEqual(await Promise.all(last), [0, 1, 2, 3])
  await closing
  t.is(ring.fd, -1)
})
