// What came into provided buffers, as the consumer's own.

import type { Received } from './groups.ts'

/** A copy, which nobody has to give back. */
class Copied implements Received {
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get views(): readonly Buffer[] {
    return [this.bytes]
  }

  release(): void {}

  [Symbol.dispose](): void {}
}

/** Whether a result lies in provided buffers. */
export function isReceived(value: unknown): value is Received {
  return typeof value === 'object' && value !== null && 'release' in value && 'views' in value
}

/** The same result with bytes of its own; the buffers go back. */
export function copied<R extends Received>(received: R): R {
  const { bytes } = received
  // Where there was more than one buffer, the bytes are a copy already.
  const own = received.views.length === 1 ? Buffer.from(bytes) : bytes
  const others = Object.fromEntries(
    Object.entries(received).filter(([key]) => key !== 'bytes' && key !== 'views'),
  )
  received.release()
  return Object.assign(new Copied(own), others) as unknown as R
}
