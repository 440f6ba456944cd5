// What the tests of buffer rings share.

import type { ExecutionContext } from 'ava'
import {
  BufferRing,
  type BufferRingOptions,
  type Completion,
  MessageFlags,
  type Received,
  type Ring,
  Send,
} from 'uring'
import { complete, SOON } from './buffers.ts'
import { ringFor } from './multishot.ts'
import { pair } from './sockets.ts'

export const LETTERS = 'abcdefghijklmnopqrstuvwxyz'

export interface Setup {
  readonly ring: Ring
  readonly group: BufferRing
  /** What is written to one comes out of the other. */
  readonly near: number
  readonly far: number
}

/** A ring with a group of buffers, and two sockets that are connected. */
export function setup(t: ExecutionContext, options: BufferRingOptions): Setup {
  const ring = ringFor(t, { entries: 64 })
  const [near, far] = pair(t)
  return { ring, group: new BufferRing(ring, options), near, far }
}

export function texts(views: readonly Buffer[]): string[] {
  return views.map((view) => view.toString('latin1'))
}

/** The next completion of something that goes on. */
export function next(ring: Ring): Completion<Received> {
  const completion = ring.wait(SOON)
  if (completion === undefined) throw new Error('nothing has completed')
  return completion as Completion<Received>
}

/** Fills what the kernel keeps for a socket, and tells how much that is. */
export function fill(ring: Ring, fd: number): number {
  const junk = Buffer.alloc(1 << 16, '#')
  for (let total = 0; ;) {
    const { result } = complete(ring, new Send(fd, junk, { flags: MessageFlags.DONTWAIT }))
    if (result < 0) return total
    total += result
  }
}
