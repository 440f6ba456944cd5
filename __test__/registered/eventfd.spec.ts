// registerEventfd: its signals, eventfdEnabled, and its conflict with the promise API.

import { readSync, writeSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { FixedFile, Nop, Read, Ring, type RingOptions, UringError, Write } from 'uring'
import { eventfd } from 'uring/sys'
import { fifo, file } from '../helpers/files.ts'
import { closing } from '../helpers/sockets.ts'
import { OK, PRELUDE, runWithWaker, WAKERS } from '../helpers/waker.ts'

const MODES: readonly [string, RingOptions][] = [
  ['in the best mode', {}],
  ['in the plain mode', { submitAll: false }],
  ['with cooperative task work', { coopTaskrun: true, taskrunFlag: true }],
  ['with a polling thread', { sqPoll: { idle: 50 } }],
]

function counter(t: ExecutionContext): number {
  return closing(t, eventfd())
}

/** Returns the number of signals since the last call. */
function signals(fd: number): number {
  const bytes = Buffer.alloc(8)
  try {
    readSync(fd, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw error
  }
  return Number(bytes.readBigUInt64LE())
}

for (const [name, mode] of MODES) {
  test(`registerEventfd: signals immediate and later completions, ${name}`, (t) => {
    using ring = new Ring({ entries: 8, ...mode })
    const fd = counter(t)
    const gate = fifo(t)
    t.is(ring.registerEventfd(fd), undefined)
    t.is(signals(fd), 0)
    for (let round = 0; round < 3; round += 1) {
      ring.push(new Nop())
      ring.submitAndWait(1)
      t.true(signals(fd) > 0, 'calls of this thread do not suppress signals')
      t.is(ring.wait()?.result, 0)
      ring.push(new Read(gate, Buffer.alloc(1)))
      ring.submit()
      t.is(ring.tryWait(), undefined)
      signals(fd)
      writeSync(gate, 'x')
      t.is(ring.wait()?.result, 1)
      t.true(signals(fd) > 0)
    }
    t.is(ring.unregisterEventfd(), undefined)
    ring.push(new Nop())
    t.is(ring.wait()?.result, 0)
    t.is(signals(fd), 0)
  })
}

test('registerEventfd: with async, signals only completions of kernel workers', (t) => {
  for (const mode of [{}, { submitAll: false }]) {
    using ring = new Ring({ entries: 8, ...mode })
    const fd = counter(t)
    ring.registerEventfd({ fd }, { async: true })
    ring.push(new Nop())
    t.is(ring.wait()?.result, 0)
    t.is(signals(fd), 0)
    ring.push(new Write(file(t).fd, Buffer.from('x')).async())
    t.is(ring.wait()?.result, 1)
    t.is(signals(fd), 1)
    const gate = fifo(t)
    ring.push(new Read(gate, Buffer.alloc(1)))
    ring.submit()
    writeSync(gate, 'x')
    t.is(ring.wait()?.result, 1)
    t.is(signals(fd), 0, 'later, by this thread')
    ring.unregisterEventfd()
    ring.registerEventfd(fd, { async: false })
    ring.push(new Nop())
    t.is(ring.wait()?.result, 0)
    t.is(signals(fd), 1)
  }
})

test('registerEventfd: wakes a reader of the eventfd', async (t) => {
  using ring = new Ring({ entries: 8 })
  using other = new Ring({ entries: 8 })
  const fd = counter(t)
  const gate = fifo(t)
  ring.registerEventfd(fd)
  const bytes = Buffer.alloc(2)
  ring.push(new Read(gate, bytes), 'late')
  ring.submit()
  const count = Buffer.alloc(8)
  const signal = other.run(new Read(fd, count))
  writeSync(gate, 'hi')
  t.is(await signal, 8)
  t.true(count.readBigUInt64LE() > 0n)
  const seen: unknown[] = []
  ring.drain((userData, result) => seen.push(userData, result))
  t.deepEqual(seen, ['late', 2])
  t.is(bytes.toString(), 'hi')
})

test('eventfdEnabled: disables and enables signals', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  t.is(ring.eventfdEnabled, true)
  ring.registerEventfd(fd)
  for (const enabled of [false, true, true, false, true]) {
    ring.eventfdEnabled = enabled
    t.is(ring.eventfdEnabled, enabled)
    ring.push(new Nop())
    ring.submit()
    t.is(ring.eventfdEnabled, enabled, 'a call changes nothing')
    t.is(signals(fd), enabled ? 1 : 0)
    ring.wait()
  }
  // The setting belongs to the ring, not to the eventfd.
  ring.eventfdEnabled = false
  ring.unregisterEventfd()
  t.is(ring.eventfdEnabled, false)
  ring.registerEventfd(fd)
  ring.push(new Nop())
  ring.wait()
  t.is(signals(fd), 0)
})

test('registerEventfd: a ring has one eventfd, and refuses other descriptors', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const failure = { instanceOf: UringError, message: /io_uring_register/ }
  t.throws(() => ring.unregisterEventfd(), { ...failure, code: 'ENXIO' })
  t.throws(() => ring.registerEventfd(file(t).fd), { ...failure, code: 'EINVAL' })
  t.throws(() => ring.registerEventfd(1_000_000), { ...failure, code: 'EBADF' })
  ring.registerEventfd(fd)
  t.throws(() => ring.registerEventfd(fd), { ...failure, code: 'EBUSY' })
  t.throws(() => ring.registerEventfd(counter(t), { async: true }), { ...failure, code: 'EBUSY' })
  ring.unregisterEventfd()
  t.throws(() => ring.unregisterEventfd(), { ...failure, code: 'ENXIO' })
})

test('close: releases the eventfd', (t) => {
  const ring = new Ring({ entries: 8 })
  const fd = counter(t)
  ring.registerEventfd(fd)
  ring[Symbol.dispose]()
  using next = new Ring({ entries: 8 })
  next.registerEventfd(fd)
  next.push(new Nop())
  next.submit()
  t.is(signals(fd), 1)
})

test('registerEventfd: names invalid arguments, and registers nothing', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = counter(t)
  const bad = (use: () => unknown, code: string, name: string): void => {
    const error = t.throws(use)
    t.is((error as NodeJS.ErrnoException).code, code, name)
    t.true(error?.message.includes(`"${name}"`), error?.message)
  }
  const TYPE = 'ERR_INVALID_ARG_TYPE'
  const RANGE = 'ERR_OUT_OF_RANGE'
  for (const value of [undefined, null, '1', {}, 1n])
    bad(() => ring.registerEventfd(value as never), TYPE, 'fd')
  const error = t.throws(() => ring.registerEventfd(new FixedFile(0) as never))
  t.regex(error?.message ?? '', /the kernel takes no registered file here/)
  t.notRegex(t.throws(() => ring.registerEventfd('1' as never))?.message ?? '', /FixedFile/)
  for (const value of [-1, 1.5, Number.NaN, 2 ** 31]) bad(() => ring.registerEventfd(value), RANGE, 'fd')
  bad(() => ring.registerEventfd({ fd: -1 }), RANGE, 'fd.fd')
  for (const value of [null, 1, [], 'async'])
    bad(() => ring.registerEventfd(fd, value as never), TYPE, 'options')
  bad(() => ring.registerEventfd(fd, { async: 1 as never }), TYPE, 'options.async')
  for (const value of [undefined, 0, 1, 'false', null]) {
    bad(() => (ring.eventfdEnabled = value as never), TYPE, 'eventfdEnabled')
  }
  t.is(ring.eventfdEnabled, true)
  t.throws(() => ring.unregisterEventfd(), { code: 'ENXIO' })

  const closes = new Ring({ entries: 8 })
  const getter = {
    get async(): boolean {
      closes[Symbol.dispose]()
      return false
    },
  }
  t.throws(() => closes.registerEventfd(fd, getter), { code: 'ERR_URING_CLOSED' })
  for (const use of [
    () => closes.registerEventfd(fd),
    () => closes.unregisterEventfd(),
    () => closes.eventfdEnabled,
    () => (closes.eventfdEnabled = true),
  ]) {
    t.throws(use, { code: 'ERR_URING_CLOSED' })
  }
})

for (const [name, waker] of WAKERS) {
  test(`registerEventfd: excludes the promise API, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      import { eventfd } from 'uring/sys'
      const [gate] = fifos(1)
      const fd = eventfd()
      const before = [descriptors(), threads()]
      const ring = new Ring({ entries: 8 })
      ring.registerEventfd(fd)
      const refusal = { name: 'UringError', code: 'ERR_URING_EVENTFD', message: /unregisterEventfd\\(\\)/ }
      for (let round = 0; round < 3; round += 1) {
        await assert.rejects(ring.run(new Nop()), refusal)
        await assert.rejects(ring.run(new Nop(), { timeout: 5 }), refusal)
        await assert.rejects(ring.chain([new Nop(), new Nop()]), refusal)
        await assert.rejects(ring.cancel('any'), refusal)
        assert.throws(() => ring.start(new Nop(), assert.fail), refusal)
        assert.throws(() => ring.each(new Timeout(1, { multi: true })), refusal)
      }
      // The queue API continues, and nothing is left over.
      ring.push(new Nop(), 'pushed')
      assert.equal(ring.wait().userData, 'pushed')
      assert.equal(ring.inFlight, 0)
      await turn()
      assert.equal(descriptors(), before[0] + 1)
      assert.equal(threads('uring-waker'), 0)

      ring.eventfdEnabled = false
      ring.unregisterEventfd()
      const read = ring.run(new Read(gate, Buffer.alloc(8)))
      await turn()
      setTimeout(() => writeSync(gate, 'late'), 5)
      assert.equal(await read, 4) // it was woken, although eventfdEnabled was false before
      assert.equal(ring.eventfdEnabled, true)
      assert.throws(() => { ring.eventfdEnabled = false }, { code: 'ERR_URING_EVENTFD', message: /cannot be disabled/ })
      ring.eventfdEnabled = true
      assert.throws(() => ring.registerEventfd(fd), { code: 'EBUSY' })
      assert.throws(() => ring.unregisterEventfd(), { code: 'ENXIO' })
      const again = ring.run(new Read(gate, Buffer.alloc(8)))
      await turn()
      setTimeout(() => writeSync(gate, 'again'), 5)
      assert.equal(await again, 5)
      await ring.close()
      assert.equal(rings(), 0)
      console.log('ok')
    `,
    )
    t.deepEqual(outcome, OK)
  })

  test(`registerEventfd: the ring is closed, collected, and ended with its worker, woken by ${name}`, async (t) => {
    const outcome = await runWithWaker(
      waker,
      `${PRELUDE}
      import { eventfd } from 'uring/sys'
      const [gate] = fifos(1)
      const fd = eventfd()
      const reading = () => {
        const ring = new Ring({ entries: 8 })
        ring.registerEventfd(fd)
        for (let index = 0; index < 4; index += 1) ring.push(new Read(gate, Buffer.alloc(64)))
        ring.submit()
        return ring
      }
      const closed = reading()
      await closed.close()
      assert.equal(rings(), 0)
      unread(gate)
      const silent = reading()
      silent.eventfdEnabled = false
      silent[Symbol.dispose]()
      assert.equal(rings(), 0)
      assert.equal(mappings() >= 0, true)
      unread(gate)
      reading()
      await collected(() => rings() === 0)
      unread(gate)
      const source = \`
        import { parentPort, workerData } from 'node:worker_threads'
        import { Read, Ring } from 'uring'
        const ring = new Ring({ entries: 8 })
        ring.registerEventfd(workerData.fd)
        for (let index = 0; index < 4; index += 1) ring.push(new Read(workerData.gate, Buffer.alloc(64)))
        ring.submit()
        parentPort.postMessage('reading')
        workerData.stay && setInterval(() => {}, 1000)
      \`
      for (const stay of [false, true]) {
        const worker = new Worker(source, { eval: true, workerData: { gate, fd, stay } })
        const exit = new Promise((resolve) => worker.once('exit', resolve))
        await new Promise((resolve) => worker.once('message', resolve))
        if (stay) worker.terminate()
        assert.equal(await exit, stay ? 1 : 0)
        assert.equal(rings(), 0)
        unread(gate)
      }
      reading()
      process.on('exit', () => console.log('ok'))
    `,
      ['--expose-gc'],
    )
    t.deepEqual(outcome, OK)
  })
}
