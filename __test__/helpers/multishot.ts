// Rings, buffers and clients for iterators over multishot operations, and what the iterators yield.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import type { Socket as NetSocket } from 'node:net'
import type { ExecutionContext } from 'ava'
import { ProvideBuffers, type Received, Ring, type RingOptions, Timeout } from 'uring'
import { client, nameOf } from './connections.ts'

/** The options of a ring whose completion queue holds two completions, which the kernel posts at any system call. */
export const SMALL = { entries: 1, cqEntries: 2, submitAll: false }

/** Creates a ring that is closed after the test. */
export function ringFor(t: ExecutionContext, options: RingOptions = { entries: 16 }): Ring {
  const ring = new Ring(options)
  t.teardown(() => ring.close())
  return ring
}

/** Makes system calls, at which the kernel posts completions, until the completion queue overflows. */
export function overflow(ring: Ring): void {
  while (!ring.cqNeedsFlush) statSync('/')
}

/** Lets the event loop turn until a condition is true. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise(setImmediate)
}

/** Lets the event loop turn `count` times, to show that nothing happens. */
export async function turns(count = 50): Promise<void> {
  for (let left = count; left > 0; left -= 1) await new Promise(setImmediate)
}

/** Provides buffers to a buffer group; returns their memory. */
export async function provideBuffers(
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

/** Creates a multishot operation that yields no result and does not end. */
export function forever(): Timeout {
  return new Timeout(3_600_000, { multi: true })
}

/** Connects `count` clients to a listening socket; the kernel has completed all the connections. */
export async function clients(
  t: ExecutionContext,
  address: Parameters<typeof client>[1],
  count: number,
): Promise<NetSocket[]> {
  const sockets: NetSocket[] = []
  for (let left = count; left > 0; left -= 1) sockets.push(await client(t, address))
  return sockets
}

/** The result of next() after the end of an iteration. */
export const DONE = { done: true, value: undefined }

/** Collects the results of an iterator until its end. */
export async function collect<T>(results: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const result of results) found.push(result)
  return found
}

/** Returns received bytes as text. */
export const text = ({ bytes }: Received): string => bytes.toString('latin1')

/** Returns the number of descriptors of this process. */
export function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

/** Returns the codes of an error and of its causes; an error without a code gives its message. */
export function codes(error: unknown): unknown[] {
  if (!(error instanceof Error)) return error === undefined ? [] : [error]
  return [(error as { code?: unknown }).code ?? error.message, ...codes(error.cause)]
}

/** Resolves to the error with which a promise rejects; rejects if the promise resolves. */
export async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Error) return error
    throw new Error('it rejected with a value that is no Error', { cause: error })
  }
  throw new Error('it resolved')
}

/** Returns the number of connections in the accept queue of a TCP socket of IPv4. */
export function acceptQueueLength(fd: number): number {
  const { port } = nameOf(fd) as { port: number }
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`
  const line = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .find((line) => line.includes(local))
  const queue = line === undefined ? undefined : /0A [\dA-F]{8}:([\dA-F]{8})/.exec(line)?.[1]
  if (queue === undefined) throw new Error('it does not listen')
  return Number.parseInt(queue, 16)
}
