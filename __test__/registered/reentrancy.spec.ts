// Code of the program that runs inside a call: getters of arguments, and callbacks.

import { readSync, writeSync } from 'node:fs'
import test from 'ava'
import { Nop, Read, Ring, Timeout, Write } from 'uring'
import { pipe } from '../helpers/pipes.ts'
import { script } from '../helpers/process.ts'

const OK = { code: 0, signal: null, stdout: 'ok\n', stderr: '' }

/** Creates a target that runs `act` once, when an operation reads its descriptor. */
function trap(fd: number): { readonly fd: number; act: (() => void) | undefined } {
  return {
    act: undefined,
    get fd() {
      const { act } = this
      this.act = undefined
      act?.()
      return fd
    },
  }
}

for (const [name, ask] of [
  ['run', (ring: Ring, operation: Write) => ring.run(operation)],
  ['run with a timeout', (ring: Ring, operation: Write) => ring.run(operation, { timeout: 60_000 })],
  [
    'run with a signal',
    (ring: Ring, operation: Write) => ring.run(operation, { signal: new AbortController().signal }),
  ],
  ['chain', (ring: Ring, operation: Write) => ring.chain([operation, new Nop()])],
] as const) {
  test(`${name}: fails if one of its arguments closes the ring`, async (t) => {
    const target = trap(1)
    const operation = new Write(target, Buffer.alloc(1))
    const ring = new Ring({ entries: 8 })
    await ring.run(new Nop())
    target.act = () => ring[Symbol.dispose]()
    await t.throwsAsync(Promise.resolve(ask(ring, operation)), { code: 'ERR_URING_CLOSED' })
  })
}

test('run: an operation that waits for capacity ends if its argument closes the ring', async (t) => {
  const outcome = await script(`
    import { Nop, Ring, Timeout, Write } from 'uring'
    let act
    const operation = new Write({ get fd() { act?.(); return 1 } }, Buffer.alloc(1))
    const ring = new Ring({ entries: 1, cqEntries: 1 })
    await ring.run(new Nop())
    const waiting = [0, 1, 2].map(() => ring.run(new Timeout(60_000)))
    act = () => ring[Symbol.dispose]()
    waiting.push(ring.run(operation))
    // If microtasks never end, only another thread can end the process.
    new (await import('node:worker_threads')).Worker('setTimeout(() => process.kill(process.pid, "SIGKILL"), 20_000)', {
      eval: true,
    }).unref()
    const ends = await Promise.allSettled(waiting)
    console.log(ends.map(({ reason }) => reason?.code).join())
  `)
  t.deepEqual(outcome, {
    ...OK,
    stdout: 'ECANCELED,ERR_URING_CLOSED,ERR_URING_CLOSED,ERR_URING_CLOSED\n',
  })
})

test('wait: ends at once if its options close the ring', async (t) => {
  const outcome = await script(`
    import { Nop, Ring } from 'uring'
    import { Worker } from 'node:worker_threads'
    new Worker('setTimeout(() => process.kill(process.pid, "SIGKILL"), 20_000)', { eval: true }).unref()
    const codes = new Set()
    for (const key of ['timeout', 'minWait']) {
      for (const wait of ['wait', 'submitAndWait', 'waitMany']) {
        for (const flows of [false, true]) {
          const ring = new Ring({ entries: 4 })
          if (flows) await ring.run(new Nop())
          ring.push(new Nop())
          const options = { get [key]() { ring[Symbol.dispose]() } }
          try {
            if (wait === 'wait') ring.wait(options)
            else ring[wait](1, options)
          } catch ({ code }) {
            codes.add(code)
          }
        }
      }
    }
    console.log([...codes].join())
  `)
  t.deepEqual(outcome, { ...OK, stdout: 'ERR_URING_CLOSED\n' })
})

test('pushAll: a getter that submits and throws does not submit released entries', (t) => {
  using ring = new Ring({ entries: 8 })
  const { read, write } = pipe(t)
  const target = trap(write)
  const operation = new Write(target, Buffer.alloc(1))
  target.act = () => {
    ring.submit()
    throw new Error('mine')
  }
  const memory = Buffer.alloc(8)
  t.throws(() => ring.pushAll([new Read(read, memory), operation]), { message: 'mine' })
  t.deepEqual([ring.sqReady, ring.submit(), ring.inFlight], [0, 0, 0])
  writeSync(write, 'text')
  t.is(readSync(read, Buffer.alloc(8)), 4) // no other operation has read it
})

test('pushAll: entries that a getter pushes come first, and stay if it throws', (t) => {
  using ring = new Ring({ entries: 8 })
  const target = trap(1)
  const operation = new Write(target, Buffer.alloc(0))
  target.act = () => void ring.push(new Nop(), 'inner')
  ring.pushAll([new Nop(), operation], ['first', 'second'])
  target.act = () => {
    ring.push(new Nop(), 'another')
    throw new Error('mine')
  }
  t.throws(() => ring.pushAll([new Nop(), operation]), { message: 'mine' })
  t.is(ring.submit(), 4)
  t.deepEqual(
    ring.waitMany(4).map(({ userData }) => userData),
    ['inner', 'first', 'second', 'another'],
  )
  t.is(ring.inFlight, 0)
})

test('pushAll: enqueues nothing if a getter fills the queue or closes the ring', (t) => {
  const ring = new Ring({ entries: 2 })
  const target = trap(1)
  const operation = new Write(target, Buffer.alloc(0))
  target.act = () => void ring.push(new Nop(), 'inner')
  t.throws(() => ring.pushAll([new Nop(), operation]), { code: 'ERR_URING_SQ_FULL' })
  t.is(ring.submit(), 1)
  t.is(ring.wait()?.userData, 'inner')
  target.act = () => ring[Symbol.dispose]()
  t.throws(() => ring.pushAll([new Nop(), operation]), { code: 'ERR_URING_CLOSED' })
})

test('cancel: keeps operations that getters of the target start while others wait for capacity', async (t) => {
  await using ring = new Ring({ entries: 1, cqEntries: 2 })
  const { read } = pipe(t)
  const waiting = Array.from({ length: 4 }, () => ring.run(new Timeout(20)))
  const late: Promise<number>[] = []
  const target = {
    get file() {
      late.push(ring.run(new Nop({ result: 7 })))
      return read
    },
  }
  t.is(await ring.cancel(target, { all: true }), 0)
  await Promise.all(waiting)
  t.true(late.length > 0)
  for (const result of await Promise.all(late)) t.is(result, 7)
})

test('cancelSync: in a callback, cancels operations in flight and waiting for capacity', async (t) => {
  await using ring = new Ring({ entries: 2, cqEntries: 2 })
  const { read } = pipe(t)
  const reads: Promise<unknown>[] = []
  const found = await new Promise<number>((resolve, reject) => {
    ring.start(new Nop(), () => {
      try {
        resolve(ring.cancelSync('any'))
      } catch (error) {
        reject(error)
      }
    })
    for (let index = 0; index < 4; index += 1) reads.push(ring.run(new Read(read, Buffer.alloc(1))))
  })
  t.is(found, 4)
  for (const { status } of await Promise.allSettled(reads)) t.is(status, 'rejected')
  t.is(await ring.run(new Nop({ result: 3 })), 3)
})
