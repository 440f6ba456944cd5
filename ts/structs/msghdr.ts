// Messages of sockets: `struct msghdr` and what it points at; and what stands before a message that came into a
// provided buffer by itself, `struct io_uring_recvmsg_out`.

import {
  type Address,
  ADDRESS_BYTES,
  addressBlock,
  checkAddress,
  decodeAddress,
  type SocketAddress,
} from './sockaddr.ts'
import { checkControl, controlBlock, type ControlMessage, decodeControl } from './cmsghdr.ts'
import { type GroupBuffer, isGroup, resolveGroupBuffer } from '../buffers/groups.ts'
import { allocateBlock, type Block, type Bytes } from '../memory/address-of.ts'
import { checkVector, lengthVector, sizeOf, vector } from './iovec.ts'
import { flag, integer, invalidType, MAX_I32, outOfRange } from '../arguments/validate.ts'

/** A message to send. */
export interface OutMessage {
  /** The bytes, in order; 1024 buffers at most. */
  readonly buffers: readonly Bytes[]
  /** Where to; absent, to the peer of the socket. */
  readonly address?: Address
  /** What goes along: control messages, or their bytes as the kernel reads them. They are copied. */
  readonly control?: readonly ControlMessage[] | Bytes
}

/** Room for a message. */
export interface InMessage {
  /** Where the bytes go, in order, 1024 buffers at most; or a group that the kernel takes a buffer from. */
  readonly buffers: readonly Bytes[] | GroupBuffer
  /** Whether the sender's address is wanted. */
  readonly address?: boolean
  /** Bytes of room for control messages: each takes 16, and its data rounded up to 8. */
  readonly control?: number
}

/** A message that comes into memory. */
export interface MemoryMessage extends InMessage {
  readonly buffers: readonly Bytes[]
}

/** A message that comes into a buffer of a group. */
export interface GroupMessage extends InMessage {
  readonly buffers: GroupBuffer
}

/** What came along with a message. */
export interface MessageDetails {
  /** The sender; absent where the kernel gave none, or was not asked. */
  readonly address: SocketAddress | undefined
  /** Control messages, as many as there was room for. */
  readonly control: readonly ControlMessage[]
  /** `MessageFlags`: `TRUNC` where bytes were cut off, `CTRUNC` where control messages were. */
  readonly flags: number
}

const HEADER_BYTES = 56

interface Header {
  readonly name?: Block | undefined
  readonly iovecs?: { readonly address: number; readonly count: number } | undefined
  readonly control?: Block | undefined
}

/** `struct msghdr`. */
function headerBlock({ name, iovecs, control }: Header): Block {
  const block = allocateBlock(HEADER_BYTES)
  const { bytes } = block
  if (name !== undefined) {
    bytes.writeBigUInt64LE(BigInt(name.address), 0)
    bytes.writeUInt32LE(name.bytes.length, 8)
  }
  if (iovecs !== undefined && iovecs.count > 0) {
    bytes.writeBigUInt64LE(BigInt(iovecs.address), 16)
    bytes.writeBigUInt64LE(BigInt(iovecs.count), 24)
  }
  if (control !== undefined) {
    bytes.writeBigUInt64LE(BigInt(control.address), 32)
    bytes.writeBigUInt64LE(BigInt(control.bytes.length), 40)
  }
  return block
}

function checkObject(message: unknown, name: string): void {
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    throw invalidType(name, 'of type object', message)
}

/** A message in memory, and all that has to live until it is sent: the kernel reads control messages as it sends. */
export interface OutBlock {
  readonly address: number
  readonly buffers: readonly Bytes[]
  readonly keep: readonly (Buffer | undefined)[]
}

/** `message` if it can be sent. */
export function checkOut(message: OutMessage, name: string): OutMessage {
  checkObject(message, name)
  const { buffers, address, control } = message
  checkVector(buffers, `${name}.buffers`)
  if (address !== undefined) checkAddress(address, `${name}.address`)
  if (control !== undefined) checkControl(control, `${name}.control`)
  return message
}

/** Puts a message where the kernel can read it. */
export function outBlock(message: OutMessage, name: string): OutBlock {
  checkObject(message, name)
  const { buffers, address: to, control: along } = message
  const iovecs = vector(buffers, `${name}.buffers`)
  const address = to === undefined ? undefined : addressBlock(to, `${name}.address`)
  const control = along === undefined ? undefined : controlBlock(along, `${name}.control`)
  const header = headerBlock({
    name: address,
    iovecs: { address: iovecs.address, count: iovecs.buffers.length },
    control,
  })
  return {
    address: header.address,
    buffers: iovecs.buffers,
    keep: [header.bytes, iovecs.memory, address?.bytes, control?.bytes],
  }
}

/** Room for a message in memory. The kernel writes to the header, the name and the control messages. */
export interface InBlock {
  readonly address: number
  readonly header: Buffer
  readonly name: Buffer | undefined
  readonly control: Buffer | undefined
  /** The memory that the bytes go to, and how many bytes it had; a group brings its own. */
  readonly buffers: readonly Bytes[]
  readonly size: number
  readonly iovecs: Buffer | undefined
  readonly group: number | undefined
}

interface Rooms {
  readonly buffers: readonly Bytes[] | GroupBuffer
  readonly address: boolean
  readonly control: number
}

function wanted(message: InMessage, name: string): Rooms {
  checkObject(message, name)
  const { buffers, address = false, control = 0 } = message
  if (!isGroup(buffers) && !Array.isArray(buffers))
    throw invalidType(`${name}.buffers`, 'an instance of Array, or an object with a group', buffers)
  return {
    buffers,
    address: flag(address, `${name}.address`),
    control: integer(control, `${name}.control`, 0, MAX_I32),
  }
}

/** `message` if there is room for one in it. */
export function checkIn(message: InMessage, name: string): InMessage {
  const { buffers } = wanted(message, name)
  if (isGroup(buffers)) resolveGroupBuffer(buffers, `${name}.buffers`)
  else checkVector(buffers, `${name}.buffers`)
  return message
}

/** Makes room that the kernel can write to. */
export function inBlock(message: InMessage, name: string): InBlock {
  const { buffers, address, control } = wanted(message, name)
  const target = isGroup(buffers)
    ? groupVector(buffers, `${name}.buffers`)
    : memoryVector(buffers, `${name}.buffers`)
  const nameRoom = address ? allocateBlock(ADDRESS_BYTES) : undefined
  const controlRoom = control > 0 ? allocateBlock(control) : undefined
  const header = headerBlock({ name: nameRoom, iovecs: target.vector, control: controlRoom })
  return {
    address: header.address,
    header: header.bytes,
    name: nameRoom?.bytes,
    control: controlRoom?.bytes,
    buffers: target.buffers,
    size: sizeOf(target.buffers),
    iovecs: target.iovecs,
    group: target.group,
  }
}

interface Target {
  readonly vector: { readonly address: number; readonly count: number } | undefined
  readonly buffers: readonly Bytes[]
  readonly iovecs: Buffer | undefined
  readonly group: number | undefined
}

function memoryVector(given: readonly Bytes[], name: string): Target {
  const { address, buffers, memory } = vector(given, name)
  return { vector: { address, count: buffers.length }, buffers, iovecs: memory, group: undefined }
}

/** With a group, the only `struct iovec` says how much goes into the buffer. */
function groupVector(given: GroupBuffer, name: string): Target {
  const { id, length } = resolveGroupBuffer(given, name)
  if (length === 0) return { vector: undefined, buffers: [], iovecs: undefined, group: id }
  const { address, bytes } = lengthVector(length)
  return { vector: { address, count: 1 }, buffers: [], iovecs: bytes, group: id }
}

/** What the kernel wrote beside the bytes. */
export function detailsOf({ header, name, control }: InBlock): MessageDetails {
  const nameLength = header.readUInt32LE(8)
  const controlLength = Number(header.readBigUInt64LE(40))
  return {
    address: name === undefined ? undefined : decodeAddress(name.subarray(0, nameLength)),
    control: control === undefined ? [] : decodeControl(control.subarray(0, controlLength)),
    flags: header.readUInt32LE(48),
  }
}

/** How much room each provided buffer has for an address and for control messages. */
export interface MultiRooms {
  readonly name: number
  readonly control: number
}

/** A header that only says how much room there is. */
export function roomsBlock({ name, control }: MultiRooms): Block {
  const block = allocateBlock(HEADER_BYTES)
  block.bytes.writeUInt32LE(name, 8)
  block.bytes.writeBigUInt64LE(BigInt(control), 40)
  return block
}

/** A message as it stands in a provided buffer. */
export interface ParsedMessage extends MessageDetails {
  /** The bytes: a view of what was given. */
  readonly bytes: Buffer
  /** The sender's address as the kernel has it, as far as there was room: a view of what was given. */
  readonly name: Buffer
  /** How long the address is: more than the room for it where it was cut off. */
  readonly nameLength: number
  /** How many bytes the message has: with `MessageFlags.TRUNC` among the receive's flags, those cut off too. */
  readonly payloadLength: number
}

const OUT_BYTES = 16

/** Takes a message apart that stands behind a `struct io_uring_recvmsg_out`. */
export function parseMessage(view: Buffer, rooms: MultiRooms, name: string): ParsedMessage {
  const controlAt = OUT_BYTES + rooms.name
  const payloadAt = controlAt + rooms.control
  if (view.length < payloadAt) throw outOfRange(`${name}.byteLength`, `>= ${payloadAt}`, view.length)
  const nameLength = view.readUInt32LE(0)
  const controlLength = view.readUInt32LE(4)
  const payloadLength = view.readUInt32LE(8)
  const sender = view.subarray(OUT_BYTES, OUT_BYTES + Math.min(nameLength, rooms.name))
  return {
    bytes: view.subarray(payloadAt, payloadAt + payloadLength),
    address: decodeAddress(sender),
    control: decodeControl(view.subarray(controlAt, controlAt + Math.min(controlLength, rooms.control))),
    flags: view.readUInt32LE(12),
    name: sender,
    nameLength,
    payloadLength,
  }
}

/** Whether a message that stands there has neither bytes nor a sender. */
export function isEmpty(view: Buffer, rooms: MultiRooms): boolean {
  return view.length === OUT_BYTES + rooms.name + rooms.control && view.readUInt32LE() === 0
}
