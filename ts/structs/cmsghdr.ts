// Control messages (ancillary data) of a socket message: `struct cmsghdr`, followed by its data.

import { allocateBlock, type Block, type Bytes, isBytes, viewOf } from '../memory/address-of.ts'
import { integer, invalidType, MAX_I32 } from '../arguments/validate.ts'

/**
 * A control message, sent or received beside the bytes of a message: descriptors or a timestamp, for example. See
 * cmsg(3).
 */
export interface ControlMessage {
  /** The protocol of the message, `SocketLevel`. */
  readonly level: number
  /** The type of the message: `ControlType` for the level `SocketLevel.SOCKET`. */
  readonly type: number
  /** The data, in the kernel's format. */
  readonly data: Uint8Array
}

const HEADER_BYTES = 16
const ALIGNMENT = 8
const MIN_I32 = -0x8000_0000

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT
}

/** Checks control messages. Reads every property once, so that a getter cannot change its value after the check. */
function checked(control: unknown, name: string): ControlMessage[] {
  if (!Array.isArray(control)) {
    throw invalidType(name, 'an instance of Array, Buffer, TypedArray, DataView, or ArrayBuffer', control)
  }
  // By index, to check the holes of a sparse array too.
  return Array.from({ length: control.length }, (_, index) => {
    const one = `${name}[${index}]`
    const message = control[index] as ControlMessage | null | undefined
    if (typeof message !== 'object' || message === null) throw invalidType(one, 'of type object', message)
    const { level, type, data } = message
    integer(level, `${one}.level`, MIN_I32, MAX_I32)
    integer(type, `${one}.type`, MIN_I32, MAX_I32)
    if (!(data instanceof Uint8Array))
      throw invalidType(`${one}.data`, 'an instance of Buffer or Uint8Array', data)
    return { level, type, data }
  })
}

/**
 * Returns `control`: control messages, or their bytes.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: it, or a property of a message, has the wrong type
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: a level or type does not fit into 32 bits
 */
export function checkControl(
  control: readonly ControlMessage[] | Bytes,
  name: string,
): readonly ControlMessage[] | Bytes {
  if (!isBytes(control)) checked(control, name)
  return control
}

/**
 * Copies control messages to memory that the kernel can read; returns `undefined` if there are none. Throws like {@link
 * checkControl}.
 */
export function controlBlock(control: readonly ControlMessage[] | Bytes, name: string): Block | undefined {
  if (isBytes(control)) {
    const { byteLength } = control
    if (byteLength === 0) return undefined
    const block = allocateBlock(byteLength)
    block.bytes.set(viewOf(control))
    return block
  }
  const messages = checked(control, name)
  const size = messages.reduce((sum, { data }) => sum + HEADER_BYTES + aligned(data.length), 0)
  if (size === 0) return undefined
  const block = allocateBlock(size)
  let at = 0
  for (const { level, type, data } of messages) {
    block.bytes.writeBigUInt64LE(BigInt(HEADER_BYTES + data.length), at)
    block.bytes.writeInt32LE(level, at + 8)
    block.bytes.writeInt32LE(type, at + 12)
    block.bytes.set(data, at + HEADER_BYTES)
    at += HEADER_BYTES + aligned(data.length)
  }
  return block
}

/**
 * Decodes the control messages that the kernel wrote; their data are copies. A truncated message has the data that is
 * there. A message with a length below that of its header ends the list.
 */
export function decodeControl(bytes: Buffer): ControlMessage[] {
  const messages: ControlMessage[] = []
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at))
    if (length < HEADER_BYTES) break
    messages.push({
      level: bytes.readInt32LE(at + 8),
      type: bytes.readInt32LE(at + 12),
      data: Buffer.from(bytes.subarray(at + HEADER_BYTES, Math.min(at + length, bytes.length))),
    })
    at += aligned(length)
  }
  return messages
}
