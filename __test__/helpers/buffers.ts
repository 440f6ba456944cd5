// What the tests of groups and registered buffers share.

import type { ExecutionContext } from 'ava'
import { type Completion, type Entry, type FixedBuffer, type Operation, Ring, type RingOptions } from 'uring'

/** Long enough for a machine with much to do; reached only by a test that fails. */
export const SOON = { timeout: 20_000 } as const

/** Pushes one operation, and waits for what comes of it. */
export function complete<T>(ring: Ring, operation: Operation<T> | Entry<T>): Completion<T> {
  ring.push(operation)
  const completion = ring.wait(SOON)
  if (completion === undefined) throw new Error('nothing has completed')
  return completion as Completion<T>
}

/** What came of an operation: its value, or the code of its error. */
export function outcome(ring: Ring, operation: Operation<unknown> | Entry<unknown>): unknown {
  const completion = complete(ring, operation)
  return completion.error?.code ?? completion.value
}

/** A ring with one registered buffer, of `size` bytes that count up. */
export function fixedRing(
  t: ExecutionContext,
  size: number,
  options?: RingOptions,
): { ring: Ring; buffer: FixedBuffer } {
  const ring = new Ring({ entries: 16, ...options })
  const memory = Buffer.from(new ArrayBuffer(size)).map((_, index) => index) as Buffer
  t.teardown(() => ring[Symbol.dispose]())
  return { ring, buffer: ring.registerBuffers([memory]).at(0) }
}
