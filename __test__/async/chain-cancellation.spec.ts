// Tests chains that are cancelled by a signal, by a timeout, or by closing the ring.

import { closeSync, constants, openSync, readdirSync, readlinkSync, readSync, writeSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'ava'
import { AbortError, ChainError, Fsync, Nop, OpenAt, Pipe, Read, Ring, Timeout, TimeoutError } from 'uring'
import { directory, fifo, file } from '../helpers/files.ts'
import { pipe } from '../helpers/pipes.ts'
import { codeOf, isOpen, nextTurn, outcomesOf, rejection } from '../helpers/promises.ts'

/** Opens the writing end of a FIFO as soon as a reader has opened or is opening it. */
async function openWriter(path: string): Promise<number> {
  for (;;) {
    await nextTurn()
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch (error) {
      if (codeOf(error) !== 'ENXIO') throw error // there is no reader yet
    }
  }
}

test('chain: submits nothing if its signal is aborted already', async (t) => {
  using ring = new Ring({ entries: 8 })
  const reason = new Error('mine')
  const error = await rejection(ring.chain([new Nop()], { signal: AbortSignal.abort(reason) }))
  t.true(error instanceof AbortError)
  t.is((error as AbortError).cause, reason)
  t.is(ring.stats().submitted, 0)
})

for (const [name, hard] of [
  ['a chain', false],
  ['a hard chain', true],
] as const) {
  for (const way of ['signal', 'timeout'] as const) {
    test(`chain: ${name} that its ${way} cancels rejects after all its steps have completed`, async (t) => {
      using ring = new Ring({ entries: 8 })
      const gates = [fifo(t), fifo(t), fifo(t)]
      const reason = new Error('mine')
      const controller = new AbortController()
      const chain = rejection(
        ring.chain(
          [
            new Nop({ result: 1 }),
            ...gates.map((gate) => new Read(gate, Buffer.alloc(1))),
            new Nop({ result: 2 }),
          ],
          way === 'signal' ? { hard, signal: controller.signal } : { hard, timeout: 20.5 },
        ),
      )
      await nextTurn()
      controller.abort(reason)
      const error = (await chain) as AbortError | TimeoutError
      t.is(ring.inFlight, 0)
      const broken = error.cause as ChainError
      if (way === 'signal') {
        t.true(error instanceof AbortError)
        t.is(broken.cause, reason)
      } else {
        t.true(error instanceof TimeoutError)
        t.regex(error.message, /20\.5 ms/)
      }
      t.true(broken instanceof ChainError)
      t.like(broken, { step: 1, code: 'ECANCELED', operation: 'Read' })
      const reads = ['ECANCELED', 'ECANCELED', 'ECANCELED']
      t.deepEqual(outcomesOf(broken), [1, ...reads, hard ? 2 : 'ECANCELED'])
      for (const gate of gates) {
        writeSync(gate, 'x')
        t.is(readSync(gate, Buffer.alloc(2)), 1, 'the read was cancelled')
      }
    })
  }
}

test('chain: cancels a step that starts just after the abort', async (t) => {
  // A kernel worker posts the completion of a step before it starts the next one.
  using ring = new Ring({ entries: 8, submitAll: false })
  const { fd } = file(t, 'x')
  const { read: gate } = pipe(t)
  for (let round = 0; round < 300; round += 1) {
    const controller = new AbortController()
    const chain = rejection(
      ring.chain(
        [
          new Read(fd, Buffer.alloc(1), { offset: 0 }).async(),
          new Fsync(fd),
          new Read(gate, Buffer.alloc(1)),
        ],
        { signal: controller.signal, hard: true },
      ),
    )
    if (round % 3 > 0) await nextTurn()
    if (round % 3 > 1) await nextTurn()
    controller.abort()
    const error = await chain
    if (!(error instanceof AbortError)) t.fail(`${error}`)
  }
  t.is(ring.inFlight, 0)
})

test('chain: ignores an abort after its end and keeps its own failure', async (t) => {
  using ring = new Ring({ entries: 8 })
  const controller = new AbortController()
  const { signal } = controller
  t.deepEqual(await ring.chain([new Nop(), new Nop()], { signal, timeout: 60_000 }), [0, 0])
  const failing = rejection(ring.chain([new Nop(), new OpenAt('/nowhere')], { signal, timeout: 60_000 }))
  await nextTurn()
  controller.abort()
  t.like(await failing, { name: 'ChainError', code: 'ENOENT', step: 1 })
  t.is(ring.inFlight, 0)
  t.deepEqual(await ring.chain([new Nop()], { timeout: Infinity }), [0])
  t.deepEqual(await ring.chain([new Timeout(20)], { timeout: 2 ** 40 }), ['expired'])
})

test('chain: is cancelled as a whole while it is pending', async (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8 })
  const gate = fifo(t)
  const reads = Array.from({ length: 6 }, () => ring.run(new Read(gate, Buffer.alloc(1))))
  const controller = new AbortController()
  const operations = [new Nop(), new Nop(), new Nop()]
  const aborted = rejection(ring.chain(operations, { signal: controller.signal }))
  await nextTurn()
  const { submitted } = ring.stats()
  const late = rejection(ring.chain(operations, { timeout: 1 }))
  t.is(ring.pending, 2)
  controller.abort()
  const error = await aborted
  t.true(error instanceof AbortError)
  t.deepEqual(outcomesOf((error as AbortError).cause), Array(3).fill('ECANCELED'))
  t.true((await late) instanceof TimeoutError)
  t.is(ring.pending, 0)
  t.is(ring.inFlight, 6)
  t.is(submitted, 6)
  writeSync(gate, 'xxxxxx')
  await Promise.all(reads)
})

test('chain: closes descriptors opened after the abort and reports those opened before', async (t) => {
  using ring = new Ring({ entries: 8 })
  const gate = fifo(t)
  const { path } = file(t)
  const named = join(directory(t), 'fifo')
  execFileSync('mkfifo', [named])
  const controller = new AbortController()
  const chain = rejection(
    ring.chain(
      [
        new OpenAt(path, { flags: 'w' }),
        new OpenAt(named).async(), // blocks in a kernel worker until a writer opens the FIFO
        new Read(gate, Buffer.alloc(1)),
      ],
      { signal: controller.signal },
    ),
  )
  const writer = await openWriter(named)
  controller.abort() // the file is open, but the completion has not been delivered
  const error = await chain
  closeSync(writer)
  t.true(error instanceof AbortError)
  const { outcomes, step } = (error as AbortError).cause as ChainError
  t.is(step, 2)
  const [first, second, third] = outcomes
  t.is(readlinkSync(`/proc/self/fd/${Number(first?.value)}`), path)
  closeSync(Number(first?.value))
  t.true((second?.result ?? -1) >= 0)
  t.is(second?.value, undefined)
  t.is(third?.error?.code, 'ECANCELED')
  while (ring.inFlight > 0) await nextTurn()
  t.false(isOpen(named))
})

test.serial('chain: closes both ends of a pipe created after the abort', async (t) => {
  using ring = new Ring({ entries: 8 })
  const gate = fifo(t)
  await ring.run(new Nop()) // creates the descriptors that the ring needs
  const before = readdirSync('/proc/self/fd').length
  const controller = new AbortController()
  const steps = [new Read(gate, Buffer.alloc(1)), new Pipe()]
  const chain = rejection(ring.chain(steps, { hard: true, signal: controller.signal }))
  await nextTurn()
  controller.abort()
  const error = await chain
  t.true(error instanceof AbortError)
  const { outcomes } = (error as AbortError).cause as ChainError
  t.deepEqual(
    outcomes.map(({ result, value }) => [result, value]),
    [
      [-125, undefined],
      [0, undefined],
    ],
  )
  while (ring.inFlight > 0) await nextTurn()
  t.is(readdirSync('/proc/self/fd').length, before)
})

test('chain: resolves to the opened descriptor if the abort is too late', async (t) => {
  using ring = new Ring({ entries: 8 })
  const named = join(directory(t), 'fifo')
  execFileSync('mkfifo', [named])
  const controller = new AbortController()
  const chain = ring.chain([new Nop(), new OpenAt(named).async()], { signal: controller.signal })
  const writer = await openWriter(named)
  controller.abort()
  const [, fd] = await chain
  while (ring.inFlight > 0) await nextTurn()
  t.is(readlinkSync(`/proc/self/fd/${fd}`), named)
  closeSync(fd)
  closeSync(writer)
})

test('chain: rejects with the outcome of each step when the ring is closed', async (t) => {
  const ring = new Ring({ entries: 8 })
  const gates = [fifo(t), fifo(t)]
  const chain = rejection(
    ring.chain([new Nop(), ...gates.map((gate) => new Read(gate, Buffer.alloc(1)))], { hard: true }),
  )
  await nextTurn()
  await ring.close()
  const error = await chain
  t.like(error, { name: 'ChainError', step: 1, code: 'ECANCELED' })
  t.deepEqual(outcomesOf(error), [0, 'ECANCELED', 'ECANCELED'])
})
