// Counters that can be polled, and completions by the names that they were pushed with.

import { readSync, writeSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { type Completion, Nop, type Operation, type Ring } from 'uring'
import { eventfd } from 'uring/sys'
import { closing } from './sockets.ts'

/** An eventfd: always writable, and readable once it was counted up. */
export function counter(t: ExecutionContext, count = 0): number {
  return closing(t, eventfd(count))
}

export function countUp(fd: number): void {
  writeSync(fd, new BigUint64Array([1n]))
}

export function reset(fd: number): void {
  readSync(fd, new BigUint64Array(1))
}

/** What a completion says: its value, or the code of its error. */
export function outcome(completion: Completion): unknown {
  return completion.error === undefined ? completion.value : completion.error.code
}

/** Waits for so many completions, and says in their order what each was pushed with and what came of it. */
export function outcomes(ring: Ring, count: number): [userData: unknown, outcome: unknown][] {
  return ring
    .waitMany(count, { timeout: 60_000 })
    .map((completion) => [completion.userData, outcome(completion)])
}

/** The same, whatever their order. */
export function unordered(ring: Ring, count: number): Record<string, unknown> {
  return Object.fromEntries(outcomes(ring, count))
}

/** Does one operation, and says what came of it. */
export function result(ring: Ring, operation: Operation<unknown>): unknown {
  ring.push(operation)
  const [found] = outcomes(ring, 1)
  return found?.[1]
}

/** Whether nothing completes: an operation that does at once is the only one. */
export function quiet(ring: Ring): boolean {
  const token = ring.push(new Nop())
  const completions = ring.waitMany(1, { max: 8 })
  return completions.length === 1 && completions[0]?.token === token
}
