// What the specs of cancellation share: what is left in a FIFO, and rings that are full.

import { readSync, writeSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { Read, type Ring } from 'uring'
import { fifo } from './files.ts'
import { codeOf, nextTurn } from './promises.ts'

/** What is in a FIFO, as text. */
export function left(fd: number): string {
  const bytes = Buffer.alloc(1000)
  try {
    return bytes.toString('latin1', 0, readSync(fd, bytes))
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return ''
    throw error
  }
}

/** Fills a ring with reads that wait; the function that is returned lets them go. */
export async function fill(t: ExecutionContext, ring: Ring): Promise<() => Promise<void>> {
  const gate = fifo(t)
  const reads = Array.from({ length: ring.cqEntries }, () => ring.run(new Read(gate, Buffer.alloc(1))))
  await nextTurn()
  t.is(ring.inFlight, ring.cqEntries)
  return async () => {
    writeSync(gate, 'x'.repeat(reads.length))
    await Promise.all(reads)
  }
}
