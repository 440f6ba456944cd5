// What the specs of `each` share: what is iterated over, and what it brings.

import { statSync } from 'node:fs'
import type { Socket as NetSocket } from 'node:net'
import type { ExecutionContext } from 'ava'
import { type Received, type Ring, Timeout } from 'uring'
import { client } from './connections.ts'

const LONG = 3_600_000

/** What a step of an iteration gives that is over. */
export const DONE = { done: true, value: undefined }

/** Bytes that were received, as text. */
export const text = ({ bytes }: Received): string => bytes.toString('latin1')

/** A ring whose completion queue is full with two: completions arrive while the thread does other things. */
export const SMALL = { entries: 1, cqEntries: 2, submitAll: false }

/** Enters the kernel, where completions arrive, until there was no room for one. */
export function overflow(ring: Ring): void {
  while (!ring.cqNeedsFlush) statSync('/')
}

/** A multishot operation that brings nothing, and does not end. */
export function forever(): Timeout {
  return new Timeout(LONG, { multi: true })
}

/** Clients that are connected to a listener, and all accepted by the kernel. */
export async function clients(
  t: ExecutionContext,
  address: Parameters<typeof client>[1],
  count: number,
): Promise<NetSocket[]> {
  const sockets: NetSocket[] = []
  for (let left = count; left > 0; left -= 1) sockets.push(await client(t, address))
  return sockets
}
