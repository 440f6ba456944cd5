// What the tests of tables of registered buffers share.

import type { ExecutionContext } from 'ava'
import { type BufferTable, type FixedBuffer, ReadFixed, Ring, type RingOptions, type UringError } from 'uring'
import { outcome } from './buffers.ts'

export const TEXT = '0123456789abcdefghijklmnopqrstuvwxyz'

export function newRing(t: ExecutionContext, options?: RingOptions): Ring {
  const ring = new Ring({ entries: 16, ...options })
  t.teardown(() => ring[Symbol.dispose]())
  return ring
}

/** A ring, and a table of these buffers. */
export function tableOf(
  t: ExecutionContext,
  ...views: Parameters<Ring['registerBuffers']>[0] & object
): { ring: Ring; table: BufferTable } {
  const ring = newRing(t)
  return { ring, table: ring.registerBuffers(views) }
}

/** A view that has its memory for itself. */
export function own(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(size))
}

export function detach({ buffer }: Buffer): void {
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
}

/** What comes of reading the whole of a file through a slot: the text, or the code of the error. */
export function readThrough(ring: Ring, fd: number, buffer: FixedBuffer): string {
  const result = outcome(ring, new ReadFixed(fd, buffer, { offset: 0 }))
  return typeof result === 'number' ? buffer.view.toString('latin1', 0, result) : String(result)
}

/** The tag that has arrived, if one has. */
export function tag(ring: Ring): bigint | undefined {
  const completion = ring.tryWait()
  if (completion === undefined) return undefined
  if (completion.source !== 'tag') throw new Error(`not a tag: ${completion.source}`)
  return completion.userData as bigint
}

export function caught(call: () => unknown): UringError {
  try {
    call()
  } catch (error) {
    return error as UringError
  }
  throw new Error('nothing was thrown')
}
