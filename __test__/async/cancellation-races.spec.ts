// Tests cancellations that race with the completion of their target, and cancellation of operations in kernel workers.

import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readdirSync, readlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { AbortError, Nop, OpenAt, Read, Ring, Timeout, TimeoutError } from 'uring'
import { directory, fifo } from '../helpers/files.ts'
import { nextTurn, readAvailable, rejection } from '../helpers/promises.ts'

test('run: reads each byte exactly once in 10,000 races between abort and completion', async (t) => {
  using ring = new Ring({ entries: 64 })
  const seen = { resolved: 0, aborted: 0 }
  const loop = async (offset: number): Promise<void> => {
    const fd = fifo(t)
    for (let round = 0; round < 1250; round += 1) {
      const controller = new AbortController()
      const { signal } = controller
      const buffer = Buffer.of(0)
      const byte = (round % 255) + 1
      const read = ring
        .run(new Read(fd, buffer), round % 7 === 0 ? { signal, timeout: 60_000 } : { signal })
        .then(
          (count) => count,
          (error: unknown) => error,
        )
      const way = (round + offset) % 8
      if (way % 2 === 1) await nextTurn()
      if (way >= 6) await Promise.resolve()
      if (way < 4) writeSync(fd, Buffer.of(byte))
      controller.abort()
      if (way >= 4) writeSync(fd, Buffer.of(byte))
      const outcome = await read
      if (outcome === 1) {
        seen.resolved += 1
        if (buffer[0] !== byte) throw new Error(`${buffer[0]} instead of ${byte}`)
        if (readAvailable(fd) !== '') throw new Error('a byte came twice')
      } else {
        seen.aborted += 1
        if (!(outcome instanceof AbortError)) throw outcome
        if (buffer[0] !== 0) throw new Error('the kernel wrote to the buffer of an aborted read')
        if (readAvailable(fd) !== String.fromCodePoint(byte)) throw new Error('a byte was lost')
      }
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, index) => loop(index)))
  t.is(seen.resolved + seen.aborted, 10_000)
  t.true(seen.resolved > 100 && seen.aborted > 100, JSON.stringify(seen))
  t.is(ring.inFlight, 0)
  t.is(ring.stats().stray, 0)
})

test('run: reads each byte exactly once in races between timeout and completion', async (t) => {
  using ring = new Ring({ entries: 64 })
  const loop = async (): Promise<void> => {
    const fd = fifo(t)
    for (let round = 0; round < 100; round += 1) {
      const buffer = Buffer.of(0)
      const write = ring.run(new Timeout((round % 10) / 5)).then(() => writeSync(fd, 'x'))
      const outcome = await ring.run(new Read(fd, buffer), { timeout: 1 }).catch((error: unknown) => error)
      await write
      if (outcome !== 1 && !(outcome instanceof TimeoutError)) throw outcome
      const expected = outcome === 1 ? ['x', ''] : ['\0', 'x']
      t.deepEqual([buffer.toString(), readAvailable(fd)], expected)
    }
  }
  await Promise.all(Array.from({ length: 8 }, loop))
  t.is(ring.inFlight, 0)
})

test('cancel: loses no byte in races between cancellation by token and completion', async (t) => {
  using ring = new Ring({ entries: 64 })
  const fd = fifo(t)
  for (let round = 0; round < 1000; round += 1) {
    const results: number[] = []
    const token = ring.start(new Read(fd, Buffer.alloc(1)), (result) => results.push(result))
    if (round % 2 === 0) await nextTurn()
    writeSync(fd, 'x')
    const found = await ring.cancel(token)
    while (results.length === 0) await nextTurn()
    t.deepEqual([...results, readAvailable(fd)], results[0] === 1 ? [1, ''] : [-125, 'x'])
    if (results[0] !== 1) t.is(found, 1)
  }
})

test('run, chain: signal and timeout interrupt an operation in a kernel worker', async (t) => {
  using ring = new Ring({ entries: 8 })
  const path = join(directory(t), 'fifo')
  execFileSync('mkfifo', [path])
  for (const options of [{ timeout: 20 }, {}]) {
    const controller = new AbortController()
    const { signal } = controller
    const opening = rejection(ring.run(new OpenAt(path).async(), { signal, ...options }))
    const chain = rejection(ring.chain([new OpenAt(path).async(), new Nop()], { signal, ...options }))
    await new Promise((resolve) => setTimeout(resolve, 10)) // usually enough for a kernel worker to start it
    if (options.timeout === undefined) controller.abort()
    const expected = options.timeout === undefined ? AbortError : TimeoutError
    t.true((await opening) instanceof expected)
    t.true((await chain) instanceof expected)
    t.is(ring.inFlight, 0)
  }
})

test('run: leaks no descriptor if OpenAt is aborted while it completes', async (t) => {
  using ring = new Ring({ entries: 64 })
  const path = join(directory(t), 'fifo')
  execFileSync('mkfifo', [path])
  const open = (): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === path
      } catch {
        return false
      }
    }).length
  const seen = { resolved: 0, aborted: 0 }
  for (let round = 0; round < 200; round += 1) {
    const controller = new AbortController()
    const opening = ring
      .run(new OpenAt(path).async(), { signal: controller.signal })
      .catch((error: unknown) => error)
    let writer: number | undefined
    if (round % 4 !== 0) await nextTurn()
    if (round % 4 > 1) await new Promise((resolve) => setTimeout(resolve, 1))
    try {
      writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch {
      // The reader has not opened it yet.
    }
    controller.abort()
    const outcome = await opening
    if (typeof outcome === 'number') {
      seen.resolved += 1
      closeSync(outcome)
    } else {
      seen.aborted += 1
      if (!(outcome instanceof AbortError)) throw outcome
    }
    if (writer !== undefined) closeSync(writer)
  }
  while (ring.inFlight > 0) await nextTurn()
  t.is(open(), 0)
  t.true(seen.resolved > 0 && seen.aborted > 0, JSON.stringify(seen))
})
