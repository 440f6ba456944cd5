// Data that arrived in provided buffers, as the program sees it.

import { detachedError, UringError } from '../errors.ts'
import type { ControlMessage } from '../structs/cmsghdr.ts'
import type { SocketAddress } from '../structs/sockaddr.ts'

/** Data that the kernel put into provided buffers. */
export interface Received {
  /** The bytes: a view if one buffer was filled, a copy if there were several. */
  readonly bytes: Buffer
  /** Views of the filled parts of the buffers, in order. */
  readonly views: readonly Buffer[]
  /** The sender of a message; absent if the kernel did not report one. */
  readonly address?: SocketAddress | undefined
  /** The control messages of a message. */
  readonly control?: readonly ControlMessage[]
  /** The `MessageFlags` of a message. */
  readonly flags?: number
  /** Returns the buffers to their `BufferRing`. Does nothing for buffers of `ProvideBuffers`, and when called again. */
  release(): void
  /** Calls `release()`. */
  [Symbol.dispose](): void
}

/** The key of the data that a completion brought. Only completions have it. */
export const RECEIVED: unique symbol = Symbol('received')

/** The filled parts of buffers that need not be returned. */
export class Filled implements Received {
  readonly views: readonly Buffer[]

  constructor(views: readonly Buffer[]) {
    this.views = views
  }

  get bytes(): Buffer {
    const [first] = this.views
    return first !== undefined && this.views.length === 1 ? first : Buffer.concat(this.views)
  }

  release(): void {}

  [Symbol.dispose](): void {
    this.release()
  }
}

/** No data: the end of a stream, or an error. */
export const NOTHING: Received = new Filled([])

/** The data is lost: the memory of its buffer was transferred before the completion was consumed. */
export const DETACHED: Received = new Filled([])

/** A copy of the data, with no buffer to return. */
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

/** Tells if a result lies in provided buffers. */
export function isReceived(value: unknown): value is Received {
  return typeof value === 'object' && value !== null && 'release' in value && 'views' in value
}

/** Copies the bytes of a result, and returns its buffers. */
export function copied<R extends Received>(received: R): R {
  const { bytes } = received
  // The bytes of several buffers are a copy already.
  const own = received.views.length === 1 ? Buffer.from(bytes) : bytes
  const others = Object.fromEntries(
    Object.entries(received).filter(([key]) => key !== 'bytes' && key !== 'views'),
  )
  received.release()
  return Object.assign(new Copied(own), others) as unknown as R
}

/** Returns the data of a completion. @throws {UringError} if its memory is detached, or unknown to the ring */
export function receivedFrom(group: number, received: Received | undefined): Received {
  if (received === DETACHED) throw detachedError('ProvideBuffers')
  if (received !== undefined) return received
  throw new UringError(
    'ERR_URING_RESOURCE_CLOSED',
    `The buffers of group ${group} are unknown to this ring: provide them with ProvideBuffers or a BufferRing of this ring`,
  )
}
