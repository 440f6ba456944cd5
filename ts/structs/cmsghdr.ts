// Control messages, what goes along with the bytes of a message: `struct cmsghdr`, and data behind it.

import { allocateBlock, type Block, type Bytes, isBytes, viewOf } from '../memory/address-of.ts'
import { integer, invalidType, MAX_I32 } from '../arguments/validate.ts'

/** What goes along with a message: descriptors, a time stamp, an interface. See cmsg(3). */
export interface ControlMessage {
  /** Whose it is, `SocketLevel`. */
  readonly level: number
  /** What it is: `ControlType` at the level `SocketLevel.SOCKET`. */
  readonly type: number
  /** The data, as the kernel has it. */
  readonly data: Uint8Array
}

const HEADER_BYTES = 16
const ALIGNMENT = 8
const MIN_I32 = -0x8000_0000

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT
}

/** Checks control messages, and reads every property once. */
function checked(control: unknown, name: string): ControlMessage[] {
  if (!Array.isArray(control)) {
    throw invalidType(name, 'an instance of Array, Buffer, TypedArray, DataView, or ArrayBuffer', control)
  }
  // By index, so that holes are refused too.
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

/** `control` if it can be control messages, or the bytes of some. */
export function checkControl(
  control: readonly ControlMessage[] | Bytes,
  name: string,
): readonly ControlMessage[] | Bytes {
  if (!isBytes(control)) checked(control, name)
  return control
}

/** Puts control messages where the kernel can read them; absent where there are none. */
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
 * The control messages in what the kernel wrote, as copies. One that is cut off has the data that is there, and what
 * says that it is shorter than its own header ends them.
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
