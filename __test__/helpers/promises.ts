// Turns of the event loop, outcomes of promises and chains, and rings at their capacity, for the specs of the promise API.

import { getEventListeners } from 'node:events'
import { readdirSync, readlinkSync, readSync, writeSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { type ChainError, Nop, Read, type Ring } from 'uring'
import { fifo } from './files.ts'

/** Lets the event loop turn once. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Waits until the operations started in this turn are submitted; the event loop does not turn. */
export const endOfTurn = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve))

/** Resolves to the reason with which a promise rejects, or to an error if it resolves. */
export const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => new Error('it resolved'),
    (error: unknown) => error,
  )

/** Returns the code of an error. */
export const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code

/** Returns the number of listeners for the abort of a signal. */
export const listenersOf = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

/** Returns the result of each step of a chain that failed, or the code of its error. */
export function outcomesOf(error: unknown): unknown[] {
  return (error as ChainError).outcomes.map(({ result, error }) => error?.code ?? result)
}

/** Returns true if a descriptor of this process refers to `path`. */
export function isOpen(path: string): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false // the descriptor that read the directory
    }
  })
}

// ---- operations whose results tell the queue API and the promise API apart

/** Creates an operation for push(); its result is 1000 + `index`. */
export const pushed = (index: number): Nop => new Nop({ result: 1000 + index })

/** Creates an operation for run() and start(); its result is 2000 + `index`. */
export const awaited = (index: number): Nop => new Nop({ result: 2000 + index })

/** Returns the integers from 0 to `count` - 1. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

// ---- cancellation

/** Reads what is available in a FIFO; returns it as text. */
export function readAvailable(fd: number): string {
  const bytes = Buffer.alloc(1000)
  try {
    return bytes.toString('latin1', 0, readSync(fd, bytes))
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return ''
    throw error
  }
}

/** Uses up the capacity of a ring with pending reads. The returned function completes them. */
export async function fillRing(t: ExecutionContext, ring: Ring): Promise<() => Promise<void>> {
  const gate = fifo(t)
  const reads = Array.from({ length: ring.cqEntries }, () => ring.run(new Read(gate, Buffer.alloc(1))))
  await nextTurn()
  t.is(ring.inFlight, ring.cqEntries)
  return async () => {
    writeSync(gate, 'x'.repeat(reads.length))
    await Promise.all(reads)
  }
}
