// What the tests of iterators over multishot operations share.

import { readdirSync, readFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { ProvideBuffers, Ring, type RingOptions } from 'uring'
import { nameOf } from './connections.ts'

/** A ring that is gone after the test. */
export function ringFor(t: ExecutionContext, options: RingOptions = { entries: 16 }): Ring {
  const ring = new Ring(options)
  t.teardown(() => ring.close())
  return ring
}

/** Lets the event loop turn until something is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate)
}

/** Lets the event loop turn, for what should not happen. */
export async function turns(count = 50): Promise<void> {
  for (let left = count; left > 0; left -= 1) await new Promise(setImmediate)
}

/** Puts buffers into a group, and gives their memory. */
export async function give(
  ring: Ring,
  group: number,
  size: number,
  count: number,
  memory: Buffer = Buffer.alloc(size * count),
  firstId = 0,
): Promise<Buffer> {
  await ring.run(new ProvideBuffers(memory, size, count, group, firstId))
  return memory
}

/** What an iterator brings, to its end. */
export async function all<T>(results: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const result of results) found.push(result)
  return found
}

/** Descriptors of this process. */
export function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

/** An error's code, with those of its causes. */
export function codes(error: unknown): unknown[] {
  if (!(error instanceof Error)) return error === undefined ? [] : [error]
  return [(error as { code?: unknown }).code ?? error.message, ...codes(error.cause)]
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Error) return error
    throw new Error('it rejects with no error', { cause: error })
  }
  throw new Error('it does not reject')
}

/** How many connections wait for a TCP socket of IPv4 to accept them. */
export function waiting(fd: number): number {
  const { port } = nameOf(fd) as { port: number }
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`
  const line = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .find((line) => line.includes(local))
  const queue = line === undefined ? undefined : /0A [\dA-F]{8}:([\dA-F]{8})/.exec(line)?.[1]
  if (queue === undefined) throw new Error('it does not listen')
  return Number.parseInt(queue, 16)
}
