// Counters that can be polled.

import { readSync, writeSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { eventfd } from 'uring/sys'
import { closing } from './sockets.ts'

/** Creates an eventfd. It is always writable, and readable while its counter is not zero. */
export function counter(t: ExecutionContext, count = 0): number {
  return closing(t, eventfd(count))
}

/** Adds one to an eventfd. */
export function countUp(fd: number): void {
  writeSync(fd, new BigUint64Array([1n]))
}

/** Sets an eventfd to zero. */
export function reset(fd: number): void {
  readSync(fd, new BigUint64Array(1))
}
