// A buffer ring and connected sockets, for the specs of buffer rings.

import type { ExecutionContext } from 'ava'
import { BufferRing, type BufferRingOptions, type Completion, type Received, type Ring } from 'uring'
import { TIMEOUT } from './completions.ts'
import { ringFor } from './multishot.ts'
import { pair } from './sockets.ts'

export const LETTERS = 'abcdefghijklmnopqrstuvwxyz'

export interface Setup {
  readonly ring: Ring
  readonly group: BufferRing
  /** The two ends of a socket pair. */
  readonly near: number
  readonly far: number
}

/** Creates a ring, a buffer ring, and a pair of connected sockets. */
export function setup(t: ExecutionContext, options: BufferRingOptions): Setup {
  const ring = ringFor(t, { entries: 64 })
  const [near, far] = pair(t)
  return { ring, group: new BufferRing(ring, options), near, far }
}

/** Returns the text of each view. */
export function texts(views: readonly Buffer[]): string[] {
  return views.map((view) => view.toString('latin1'))
}

/** Returns the next completion of a receive operation that is in flight. */
export function nextReceived(ring: Ring): Completion<Received> {
  const completion = ring.wait(TIMEOUT)
  if (completion === undefined) throw new Error('no operation completed')
  return completion as Completion<Received>
}
