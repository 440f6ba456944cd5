// Socket messages: `struct msghdr` and the structs that it points at, and `struct io_uring_recvmsg_out`, the header in
// front of a message that a multishot receive put into a provided buffer.

import {
  type Address,
  ADDRESS_BYTES,
  addressBlock,
  checkAddress,
  decodeAddress,
  type SocketAddress,
} from './sockaddr.ts'
import { checkControl, controlBlock, type ControlMessage, decodeControl } from './cmsghdr.ts'
import { type GroupBuffer, isGroup, resolveGroupBuffer } from '../arguments/buffer-group.ts'
import { allocateBlock, type Block, type Bytes } from '../memory/address-of.ts'
import { checkVector, lengthVector, sizeOf, vector } from './iovec.ts'
import { flag, integer, invalidType, MAX_I32, outOfRange } from '../arguments/validate.ts'

/** A message to send. */
export interface OutMessage {
  /** The bytes to send, in order: at most 1024 buffers. */
  readonly buffers: readonly Bytes[]
  /** The destination. Default: the peer of the socket. */
  readonly address?: Address
  /** Control messages, or their bytes in the kernel's format. They are copied. Default: none. */
  readonly control?: readonly ControlMessage[] | Bytes
}

/** Memory for a message to receive. */
export interface InMessage {
  /** The buffers to receive into, in order: at most 1024; or a buffer group that the kernel takes a buffer from. */
  readonly buffers: readonly Bytes[] | GroupBuffer
  /** If true, the address of the sender is received too. Default: false. */
  readonly address?: boolean
  /**
   * Bytes for control messages, 0 to 2^31 - 1: each message takes 16, and the size of its data rounded up to a multiple
   * of 8. Default: 0.
   */
  readonly control?: number
}

/** A message to receive into memory. */
export interface MemoryMessage extends InMessage {
  /** The buffers to receive into, in order; 1024 at most. */
  readonly buffers: readonly Bytes[]
}

/** A message to receive into a buffer of a buffer group. */
export interface GroupMessage extends InMessage {
  /** The buffer group that the kernel takes a buffer from. */
  readonly buffers: GroupBuffer
}

/** A received message, without its bytes. */
export interface MessageDetails {
  /** The address of the sender; `undefined` if the kernel returned none, or if it was not requested. */
  readonly address: SocketAddress | undefined
  /** The control messages that fit into the memory for them. */
  readonly control: readonly ControlMessage[]
  /** `MessageFlags`: `TRUNC` if bytes were cut off, `CTRUNC` if control messages were. */
  readonly flags: number
}

const HEADER_BYTES = 56

interface Header {
  readonly name?: Block | undefined
  readonly iovecs?: { readonly address: number; readonly count: number } | undefined
  readonly control?: Block | undefined
}

/** Allocates a `struct msghdr`. */
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

/**
 * A message in memory, and the memory that must live until it is sent: the kernel reads control messages while it
 * sends.
 */
export interface OutBlock {
  readonly address: number
  readonly buffers: readonly Bytes[]
  readonly keep: readonly (Buffer | undefined)[]
}

/** Returns `message`; throws like {@link outBlock}. */
export function checkOut(message: OutMessage, name: string): OutMessage {
  checkObject(message, name)
  const { buffers, address, control } = message
  checkVector(buffers, `${name}.buffers`)
  if (address !== undefined) checkAddress(address, `${name}.address`)
  if (control !== undefined) checkControl(control, `${name}.control`)
  return message
}

/**
 * Writes a message to memory that the kernel can read.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`: a wrong buffer, address or control message
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: more than 1024 buffers, or a number that is out of range
 */
export function outBlock(message: OutMessage, name: string): OutBlock {
  checkObject(message, name)
  const { buffers, address: destination, control: messages } = message
  const iovecs = vector(buffers, `${name}.buffers`)
  const address = destination === undefined ? undefined : addressBlock(destination, `${name}.address`)
  const control = messages === undefined ? undefined : controlBlock(messages, `${name}.control`)
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

/** Memory for a message to receive. The kernel writes to the header, the name and the control messages. */
export interface InBlock {
  readonly address: number
  readonly header: Buffer
  readonly name: Buffer | undefined
  readonly control: Buffer | undefined
  /** The buffers to receive into, and their size in bytes; none and 0 with a buffer group. */
  readonly buffers: readonly Bytes[]
  readonly size: number
  readonly iovecs: Buffer | undefined
  readonly group: number | undefined
}

interface InSettings {
  readonly buffers: readonly Bytes[] | GroupBuffer
  readonly address: boolean
  readonly control: number
}

function inSettings(message: InMessage, name: string): InSettings {
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

/** Returns `message`; throws like {@link inBlock}. */
export function checkIn(message: InMessage, name: string): InMessage {
  const { buffers } = inSettings(message, name)
  if (isGroup(buffers)) resolveGroupBuffer(buffers, `${name}.buffers`)
  else checkVector(buffers, `${name}.buffers`)
  return message
}

/**
 * Allocates the structs for a message to receive.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: wrong buffers, or an option of the wrong type
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: more than 1024 buffers, or a number that is out of range
 */
export function inBlock(message: InMessage, name: string): InBlock {
  const { buffers, address, control } = inSettings(message, name)
  const target = isGroup(buffers)
    ? groupVector(buffers, `${name}.buffers`)
    : memoryVector(buffers, `${name}.buffers`)
  const nameBlock = address ? allocateBlock(ADDRESS_BYTES) : undefined
  const controlBytes = control > 0 ? allocateBlock(control) : undefined
  const header = headerBlock({ name: nameBlock, iovecs: target.vector, control: controlBytes })
  return {
    address: header.address,
    header: header.bytes,
    name: nameBlock?.bytes,
    control: controlBytes?.bytes,
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

function memoryVector(memories: readonly Bytes[], name: string): Target {
  const { address, buffers, memory } = vector(memories, name)
  return { vector: { address, count: buffers.length }, buffers, iovecs: memory, group: undefined }
}

/** With a buffer group, a single `struct iovec` limits the number of bytes that are received into the buffer. */
function groupVector(group: GroupBuffer, name: string): Target {
  const { id, length } = resolveGroupBuffer(group, name)
  if (length === 0) return { vector: undefined, buffers: [], iovecs: undefined, group: id }
  const { address, bytes } = lengthVector(length)
  return { vector: { address, count: 1 }, buffers: [], iovecs: bytes, group: id }
}

/** Decodes what the kernel wrote beside the bytes of the message. */
export function detailsOf({ header, name, control }: InBlock): MessageDetails {
  const nameLength = header.readUInt32LE(8)
  const controlLength = Number(header.readBigUInt64LE(40))
  return {
    address: name === undefined ? undefined : decodeAddress(name.subarray(0, nameLength)),
    control: control === undefined ? [] : decodeControl(control.subarray(0, controlLength)),
    flags: header.readUInt32LE(48),
  }
}

/** Bytes that each provided buffer reserves for an address and for control messages. */
export interface HeaderSpace {
  readonly name: number
  readonly control: number
}

/** Allocates a `struct msghdr` for a multishot receive, of which the kernel reads only the sizes. */
export function spaceBlock({ name, control }: HeaderSpace): Block {
  const block = allocateBlock(HEADER_BYTES)
  block.bytes.writeUInt32LE(name, 8)
  block.bytes.writeBigUInt64LE(BigInt(control), 40)
  return block
}

/** A message in a provided buffer, decoded. */
export interface ParsedMessage extends MessageDetails {
  /** The bytes of the message: a view of the buffer. */
  readonly bytes: Buffer
  /** The address of the sender in the kernel's format, possibly truncated: a view of the buffer. */
  readonly name: Buffer
  /** The length of the address in bytes: more than that of `name` if it was truncated. */
  readonly nameLength: number
  /**
   * The length of the message in bytes. If the receive has the flag `MessageFlags.TRUNC`, it includes bytes that were
   * cut off.
   */
  readonly payloadLength: number
}

const OUT_BYTES = 16

/**
 * Decodes a message with a `struct io_uring_recvmsg_out` in front of it.
 *
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: the buffer is too short for the header, the address and the control messages
 */
export function parseMessage(view: Buffer, space: HeaderSpace, name: string): ParsedMessage {
  const controlAt = OUT_BYTES + space.name
  const payloadAt = controlAt + space.control
  if (view.length < payloadAt) throw outOfRange(`${name}.byteLength`, `>= ${payloadAt}`, view.length)
  const nameLength = view.readUInt32LE(0)
  const controlLength = view.readUInt32LE(4)
  const payloadLength = view.readUInt32LE(8)
  const sender = view.subarray(OUT_BYTES, OUT_BYTES + Math.min(nameLength, space.name))
  return {
    bytes: view.subarray(payloadAt, payloadAt + payloadLength),
    address: decodeAddress(sender),
    control: decodeControl(view.subarray(controlAt, controlAt + Math.min(controlLength, space.control))),
    flags: view.readUInt32LE(12),
    name: sender,
    nameLength,
    payloadLength,
  }
}

/** Tells if a message in a provided buffer has neither bytes nor a sender. */
export function isEmpty(view: Buffer, space: HeaderSpace): boolean {
  return view.length === OUT_BYTES + space.name + space.control && view.readUInt32LE() === 0
}
