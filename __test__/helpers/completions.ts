// Pushes operations and waits for their completions.

import { writeSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { type Completion, type Entry, Nop, type Operation, Read, type Ring } from 'uring'
import { fifo } from './files.ts'

/** Limits a wait. Only a failing test reaches it, also on a busy machine. */
export const TIMEOUT = { timeout: 30_000 } as const

function present<T>(completion: Completion | undefined): Completion<T> {
  if (completion === undefined) throw new Error('no operation completed')
  return completion as Completion<T>
}

/** Pushes an operation and returns the next completion of the ring. */
export function complete<T>(ring: Ring, operation: Operation<T> | Entry<T>): Completion<T> {
  ring.push(operation)
  return present(ring.wait(TIMEOUT))
}

/** Pushes an operation and returns its value; throws if it fails. */
export function value<T>(ring: Ring, operation: Operation<T> | Entry<T>): T {
  return complete(ring, operation).value
}

/** Pushes an operation and returns the code of its error, or `undefined` if it succeeds. */
export function errorCode(ring: Ring, operation: Operation<unknown> | Entry<unknown>): string | undefined {
  return complete(ring, operation).error?.code
}

/** Pushes an operation and returns the code of its error, or `'none'` if it succeeds. */
export function codeOrNone(ring: Ring, operation: Operation<unknown> | Entry<unknown>): string {
  return errorCode(ring, operation) ?? 'none'
}

/** Returns the value of a completion, or the code of its error. */
export function outcomeOf(completion: Completion<unknown>): unknown {
  return completion.error === undefined ? completion.value : completion.error.code
}

/** Pushes an operation and returns its value, or the code of its error. */
export function outcome(ring: Ring, operation: Operation<unknown> | Entry<unknown>): unknown {
  return outcomeOf(complete(ring, operation))
}

/** Waits for `count` completions; returns the userData and the outcome of each, in order. */
export function outcomes(ring: Ring, count: number): [userData: unknown, outcome: unknown][] {
  return ring
    .waitMany(count, { timeout: 60_000 })
    .map((completion) => [completion.userData, outcomeOf(completion)])
}

/** Waits for `count` completions; returns the outcome of each by its userData. */
export function outcomesByUserData(ring: Ring, count: number): Record<string, unknown> {
  return Object.fromEntries(outcomes(ring, count))
}

/** Returns true if no operation completes before a nop that is submitted now. */
export function nothingCompletes(ring: Ring): boolean {
  const token = ring.push(new Nop())
  const completions = ring.waitMany(1, { max: 8 })
  return completions.length === 1 && completions[0]?.token === token
}

/**
 * Submits an operation behind a read of an empty FIFO, so that the kernel does not start it. The returned function lets
 * the kernel start it, and returns its completion.
 */
export function submitHeldBack<T>(
  t: ExecutionContext,
  ring: Ring,
  operation: Operation<T> | Entry<T>,
): () => Completion<T> {
  const gate = fifo(t)
  ring.push(new Read(gate, Buffer.alloc(1)).link(), 'gate')
  ring.push(operation, 'held back')
  ring.submit()
  t.is(ring.tryWait(), undefined)
  return () => {
    writeSync(gate, 'x')
    const [first, second] = ring.waitMany(2)
    t.is(first?.userData, 'gate')
    return present(second)
  }
}
