// Messages that arrive in provided buffers, and the space that such a buffer has for what comes with a message.

import type { ControlMessage } from '../../structs/cmsghdr.ts'
import { ADDRESS_BYTES, type SocketAddress } from '../../structs/sockaddr.ts'
import type { Received } from '../../buffers/received.ts'
import { isEmpty, type MessageDetails, type HeaderSpace } from '../../structs/msghdr.ts'
import { integer, invalidType, MAX_I32 } from '../../arguments/validate.ts'

/** A message that came into a provided buffer. */
export interface ReceivedMessage extends Received, MessageDetails {
  /** Address of the sender; absent if the kernel gave none, or was not asked for it. */
  readonly address: MessageDetails['address']
  /** Control messages, as many as there was space for. */
  readonly control: MessageDetails['control']
  /** `MessageFlags`: `TRUNC` if bytes were cut off, `CTRUNC` if control messages were. */
  readonly flags: MessageDetails['flags']
}

/** A message whose bytes are views of provided buffers. */
export class ProvidedMessage implements ReceivedMessage {
  readonly views: readonly Buffer[]
  readonly address: SocketAddress | undefined
  readonly control: readonly ControlMessage[]
  readonly flags: number
  readonly #received: Received

  constructor(received: Received, views: readonly Buffer[], details: MessageDetails) {
    this.#received = received
    this.views = views
    this.address = details.address
    this.control = details.control
    this.flags = details.flags
  }

  get bytes(): Buffer {
    const [first, ...others] = this.views
    return first !== undefined && others.length === 0 ? first : Buffer.concat(this.views)
  }

  release(): void {
    this.#received.release()
  }

  [Symbol.dispose](): void {
    this.release()
  }
}

/** Returns the space for an address and for control messages in each buffer, in bytes. */
export function resolveHeaderSpace(address: boolean | number, control: number): HeaderSpace {
  if (typeof address !== 'boolean' && typeof address !== 'number')
    throw invalidType('options.address', 'of type boolean or number', address)
  return {
    name:
      typeof address === 'number'
        ? integer(address, 'options.address', 0, MAX_I32)
        : address
          ? ADDRESS_BYTES
          : 0,
    control: integer(control, 'options.control', 0, MAX_I32),
  }
}

/** True if a completion brought neither bytes nor a sender, as at the end of a stream. */
export function isNothing(result: number, received: Received | undefined, space: HeaderSpace): boolean {
  if (received === undefined) return false
  return received.views.length === 0 ? result === 0 : isEmpty(received.bytes, space)
}
