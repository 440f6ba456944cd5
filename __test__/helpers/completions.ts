// One operation, and what comes of it.

import { writeSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { type Completion, type Entry, type Operation, Read, type Ring } from 'uring'
import { fifo } from './files.ts'

function present<T>(completion: Completion<T> | undefined): Completion<T> {
  if (completion === undefined) throw new Error('nothing completed')
  return completion
}

/** Pushes an operation and waits for it. */
export function done<T>(ring: Ring, operation: Operation<T> | Entry<T>): Completion<T> {
  ring.push(operation)
  return present(ring.wait()) as Completion<T>
}

/** The code of its error, or `'none'`. */
export function code(ring: Ring, operation: Operation<unknown>): string {
  return done(ring, operation).error?.code ?? 'none'
}

/** Submits an operation that the kernel does not start before the function is called that this returns. */
export function heldBack<T>(
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
    return present(second) as Completion<T>
  }
}
