// registerRingFd: the index of a ring in the table of its thread.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { EnterFlags, Nop, Read, Ring, type RingOptions, Timeout } from 'uring'
import { ioUringEnter } from 'uring/sys'
import { TIMEOUT } from '../helpers/completions.ts'
import { fifo } from '../helpers/files.ts'
import { script } from '../helpers/process.ts'
import { refused } from '../helpers/registrations.ts'

const INDICES = 16
const EBADF = -9
const EINVAL = -22
const { REGISTERED_RING } = EnterFlags

for (const [name, options] of [
  ['the best mode', {}],
  ['a plain ring', { submitAll: false }],
  ['wide entries and completions', { sqe128: true, cqe32: true }],
  ['a polling thread', { sqPoll: { idle: 10 } }],
] as const satisfies (readonly [string, RingOptions])[]) {
  test.serial(`registerRingFd: both APIs use the index: ${name}`, async (t) => {
    const ring = new Ring({ entries: 8, ...options })
    const index = ring.registerRingFd()
    t.true(Number.isInteger(index) && index >= 0 && index < INDICES, `${index}`)
    t.is(ring.push(new Nop({ result: 5 })) > 0, true)
    t.is(ring.wait(TIMEOUT)?.value, 5)
    t.is(ring.wait({ timeout: 1 }), undefined)
    t.is(await ring.run(new Nop({ result: 6 })), 6)
    t.is(await ring.run(new Timeout(1)), 'expired')
    ring.unregisterRingFd()
    t.is(await ring.run(new Nop({ result: 7 })), 7)
    t.is(ring.registerRingFd(), index, 'it is free again')
    const read = t.throwsAsync(ring.run(new Read(fifo(t), Buffer.alloc(1))), { code: 'ECANCELED' })
    await ring.close()
    await read
  })
}

test.serial('registerRingFd: calls do not use the descriptor any more', async (t) => {
  const outcome = await script(`
    import { closeSync } from 'node:fs'
    import { Nop, Ring, Timeout } from 'uring'
    const ring = new Ring({ entries: 8 })
    ring.registerRingFd()
    closeSync(ring.fd)
    ring.push(new Nop({ result: 1 }))
    console.log(ring.wait().value)
    ring.push(new Timeout(1))
    console.log(ring.wait({ timeout: 60_000 }).value, ring.enter(0, 0, 0))
    process.exit() // the descriptor of the ring is closed
  `)
  t.deepEqual(outcome, { code: 0, signal: null, stdout: '1\nexpired 0\n', stderr: '' })
})

test.serial('registerRingFd: raw calls of this thread can use the index', async (t) => {
  using ring = new Ring({ entries: 8 })
  const index = ring.registerRingFd()
  ring.push(new Nop())
  ring.flush()
  t.is(ioUringEnter(index, 1, 0, REGISTERED_RING), 1)
  const worker = new Worker(
    `import(${JSON.stringify(import.meta.resolve('uring/sys'))}).then(({ ioUringEnter }) =>
      require('node:worker_threads').parentPort.postMessage(ioUringEnter(${index}, 0, 0, ${REGISTERED_RING})))`,
    { eval: true },
  )
  const [[answer]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [
    [number],
    unknown,
  ]
  t.true(answer === EINVAL || answer === EBADF, `${answer}`) // that thread has no registered ring
  ring.unregisterRingFd()
  t.is(ioUringEnter(index, 0, 0, REGISTERED_RING), EBADF)
})

test.serial('registerRingFd: EEXIST if registered, ENXIO if not', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.registerRingFd()
  refused(t, () => ring.registerRingFd(), 'EEXIST', /.*registered already/)
  ring.unregisterRingFd()
  refused(t, () => ring.unregisterRingFd(), 'ENXIO', /.*not registered/)
})

/** Returns the number of rings that can be registered at once. */
function registerAll(t: ExecutionContext): Ring[] {
  const registered: Ring[] = []
  for (;;) {
    const ring = new Ring({ entries: 1 })
    t.teardown(() => ring[Symbol.dispose]())
    try {
      ring.registerRingFd()
      registered.push(ring)
    } catch (error) {
      refused(t, () => ring.registerRingFd(), 'EBUSY', /the 16 registered rings/)
      t.like(error, { code: 'EBUSY' })
      ring.push(new Nop({ result: 1 }))
      t.is(ring.wait(TIMEOUT)?.value, 1, 'the ring works by its descriptor')
      return registered
    }
  }
}

test.serial('registerRingFd: a thread has sixteen indexes, and close() releases one', (t) => {
  const rings = registerAll(t)
  t.is(rings.length, INDICES)
  for (const ring of rings) ring[Symbol.dispose]()
  t.is(registerAll(t).length, INDICES)
})

test.serial(
  'registerRingFd: a worker can end, and a ring with blocked operations can be closed',
  async (t) => {
    const outcome = await script(`
    import { execFileSync } from 'node:child_process'
    import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    import { Read, Ring } from 'uring'
    const directory = mkdtempSync('/tmp/uring-test-')
    process.on('exit', () => rmSync(directory, { recursive: true }))
    execFileSync('mkfifo', [directory + '/fifo'])
    const fd = openSync(directory + '/fifo', constants.O_RDWR | constants.O_NONBLOCK)
    const silent = (Read, Ring, fd) => {
      const ring = new Ring({ entries: 4 })
      ring.registerRingFd()
      ring.push(new Read(fd, Buffer.alloc(8)).skipSuccess())
      ring.submit()
      return ring
    }
    silent(Read, Ring, fd)[Symbol.dispose]()
    await silent(Read, Ring, fd).close()
    const worker = new Worker(
      "import('uring').then(({ Read, Ring }) => { globalThis.ring = (" + silent + ")(Read, Ring, " + fd + ") })",
      { eval: true },
    )
    console.log(await once(worker, 'exit'))
  `)
    t.deepEqual(outcome, { code: 0, signal: null, stdout: '[ 0 ]\n', stderr: '' })
  },
)
