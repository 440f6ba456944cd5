// Cancellations that meet the completion of what they cancel, and what a worker of the kernel is at.

import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readdirSync, readlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { AbortError, Nop, OpenAt, Read, Ring, Timeout, TimeoutError } from 'uring'
import { left } from '../helpers/cancellation.ts'
import { directory, fifo } from '../helpers/files.ts'
import { nextTurn, rejection } from '../helpers/promises.ts'

test('a cancellation that meets its completion, 10,000 times: every byte is read by somebody, once', async (t) => {
  using ring = new Ring({ entries: 64 })
  const seen = { resolved: 0, aborted: 0 }
  const loop = async (offset: number): Promise<void> => {
    const fd = fifo(t)
    for (let round = 0; round < 1250; round += 1) {
      const controller = new AbortController()
      const { signal } = controller
      const room = Buffer.of(0)
      const byte = (round % 255) + 1
      const read = ring
        .run(new Read(fd, room), round % 7 === 0 ? { signal, timeout: 60_000 } : { signal })
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
        if (room[0] !== byte) throw new Error(`${room[0]} instead of ${byte}`)
        if (left(fd) !== '') throw new Error('a byte came twice')
      } else {
        seen.aborted += 1
        if (!(outcome instanceof AbortError)) throw outcome
        if (room[0] !== 0) throw new Error('written after all')
        if (left(fd) !== String.fromCodePoint(byte)) throw new Error('a byte was lost')
      }
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, index) => loop(index)))
  t.is(seen.resolved + seen.aborted, 10_000)
  t.true(seen.resolved > 100 && seen.aborted > 100, JSON.stringify(seen))
  t.is(ring.inFlight, 0)
  t.is(ring.stats().stray, 0)
})

test('a timeout that meets its completion: every byte is read by somebody, once', async (t) => {
  using ring = new Ring({ entries: 64 })
  const loop = async (): Promise<void> => {
    const fd = fifo(t)
    for (let round = 0; round < 100; round += 1) {
      const room = Buffer.of(0)
      const write = ring.run(new Timeout((round % 10) / 5)).then(() => writeSync(fd, 'x'))
      const outcome = await ring.run(new Read(fd, room), { timeout: 1 }).catch((error: unknown) => error)
      await write
      if (outcome !== 1 && !(outcome instanceof TimeoutError)) throw outcome
      const expected = outcome === 1 ? ['x', ''] : ['\0', 'x']
      t.deepEqual([room.toString(), left(fd)], expected)
    }
  }
  await Promise.all(Array.from({ length: 8 }, loop))
  t.is(ring.inFlight, 0)
})

test('a cancellation by token that meets its completion finds it or does not, and loses nothing', async (t) => {
  using ring = new Ring({ entries: 64 })
  const fd = fifo(t)
  for (let round = 0; round < 1000; round += 1) {
    const results: number[] = []
    const token = ring.start(new Read(fd, Buffer.alloc(1)), (result) => results.push(result))
    if (round % 2 === 0) await nextTurn()
    writeSync(fd, 'x')
    const found = await ring.cancel(token)
    while (results.length === 0) await nextTurn()
    t.deepEqual([...results, left(fd)], results[0] === 1 ? [1, ''] : [-125, 'x'])
    if (results[0] !== 1) t.is(found, 1)
  }
})

test('what a worker of the kernel is at is interrupted', async (t) => {
  using ring = new Ring({ entries: 8 })
  const path = join(directory(t), 'fifo')
  execFileSync('mkfifo', [path])
  for (const options of [{ timeout: 20 }, {}]) {
    const controller = new AbortController()
    const { signal } = controller
    const opening = rejection(ring.run(new OpenAt(path).async(), { signal, ...options }))
    const chain = rejection(ring.chain([new OpenAt(path).async(), new Nop()], { signal, ...options }))
    await new Promise((resolve) => setTimeout(resolve, 10)) // long enough for a worker to take it, mostly
    if (options.timeout === undefined) controller.abort()
    const expected = options.timeout === undefined ? AbortError : TimeoutError
    t.true((await opening) instanceof expected)
    t.true((await chain) instanceof expected)
    t.is(ring.inFlight, 0)
  }
})

test('an open that is aborted while somebody opens the other end leaks no descriptor', async (t) => {
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
      // Nobody reads yet.
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
