// Messages of sockets: bytes with an address and with what goes along.

import type { ControlMessage } from '../structs/cmsghdr.ts'
import type { EntryWriter } from '../entry/entry-writer.ts'
import { RecvSendFlags } from '../flags/index.ts'
import { checkGroup, type GroupTarget, resolveGroup } from '../arguments/buffer-group.ts'
import { type Groups, type GroupState, useGroup } from '../buffers/groups.ts'
import { type Received, receivedFrom } from '../buffers/received.ts'
import { ADDRESS_BYTES, type SocketAddress } from '../structs/sockaddr.ts'
import { type Bytes, checkBytes, viewOf } from '../memory/address-of.ts'
import {
  checkIn,
  checkOut,
  detailsOf,
  type InBlock,
  inBlock,
  type GroupMessage,
  type InMessage,
  type MemoryMessage,
  isEmpty,
  type MessageDetails,
  type MultiRooms,
  type OutBlock,
  outBlock,
  type OutMessage,
  type ParsedMessage,
  parseMessage,
  roomsBlock,
} from '../structs/msghdr.ts'
import type { Armed } from './base/operation-class.ts'
import { Operation } from './base/operation.ts'
import { checkFile, type FileTarget } from '../arguments/file.ts'
import {
  flag,
  integer,
  invalidType,
  mask,
  MAX_I32,
  MAX_U16,
  MAX_U32,
  checkOptions,
} from '../arguments/validate.ts'
import { sizeOf } from '../structs/iovec.ts'
import {
  decodeZeroCopy,
  intactZeroCopy,
  lockedByZeroCopy,
  observeZeroCopy,
  type ZeroCopyState,
  type ZeroCopyUsage,
} from './base/zero-copy.ts'

export type {
  ControlMessage,
  GroupMessage,
  InMessage,
  MemoryMessage,
  MessageDetails,
  OutMessage,
  ParsedMessage,
  ZeroCopyUsage,
}

/** Options of {@link SendMsg}. */
export interface SendMsgOptions {
  /** `MessageFlags`. */
  flags?: number
  /** Waits until the socket can send before the first try (5.19). */
  pollFirst?: boolean
}

/** Options of {@link SendMsgZc}. */
export interface SendMsgZcOptions<R extends boolean = boolean> extends SendMsgOptions {
  /** The registered buffer that all buffers of the message lie in, or its number (6.15). */
  fixedBuffer?: number | { readonly index: number }
  /** Resolves to {@link ZeroCopyUsage} (6.2). */
  reportUsage?: R
}

/** Options of {@link RecvMsg}. */
export interface RecvMsgOptions {
  /** `MessageFlags`. */
  flags?: number
  /** Waits until there is something to receive before the first try (5.19). */
  pollFirst?: boolean
}

/** Options of {@link RecvMsgMulti}. */
export interface RecvMsgMultiOptions extends RecvMsgOptions {
  /** Room for the sender's address in each buffer: bytes, or `true` for any address (128); none. */
  address?: boolean | number
  /** Room for control messages in each buffer, in bytes; none. */
  control?: number
}

/** Options of {@link RecvZc}. */
export interface RecvZcOptions {
  /** The receive queue that was registered; 0. */
  ifq?: number
  /** Bytes at most; 0, the default, is without end. */
  length?: number
  /** Waits until there is something to receive before the first try. */
  pollFirst?: boolean
}

/** What {@link RecvMsg} resolves to. */
export interface RecvMsgResult extends MessageDetails {
  /** Bytes that were received; with `MessageFlags.TRUNC` among the flags, those that were cut off too. */
  readonly bytes: number
}

/** A message that came into a provided buffer. */
export interface ReceivedMessage extends Received, MessageDetails {
  /** The sender; absent where the kernel gave none, or was not asked. */
  readonly address: MessageDetails['address']
  /** Control messages, as many as there was room for. */
  readonly control: MessageDetails['control']
  /** `MessageFlags`: `TRUNC` where bytes were cut off, `CTRUNC` where control messages were. */
  readonly flags: MessageDetails['flags']
}

/** What sends and receives of messages share. */
abstract class MessageOperation<T> extends Operation<T> {
  /** The socket. */
  file: FileTarget
  /** `MessageFlags`. */
  flags: number
  /** Waits until the socket is ready before the first try. */
  pollFirst: boolean

  constructor(file: FileTarget, options: SendMsgOptions | undefined) {
    super()
    const { flags = 0, pollFirst = false } = checkOptions(options)
    this.file = checkFile(file)
    this.flags = mask(flags, 'options.flags')
    this.pollFirst = flag(pollFirst, 'options.pollFirst')
  }

  /** Writes all but what is the operation's own. @internal */
  protected begin(entry: EntryWriter, opcode: number, message: number): void {
    const flags = mask(this.flags, 'options.flags')
    const pollFirst = flag(this.pollFirst, 'options.pollFirst')
    entry.beginFile(opcode, this, this.file)
    entry.addr(message)
    entry.len(1)
    entry.opFlags(flags)
    if (pollFirst) entry.ioprio(RecvSendFlags.POLL_FIRST)
  }
}

/**
 * Sends a message. Resolves to the number of bytes, which on a stream may be fewer than there are.
 *
 * Fails with `EMSGSIZE` (too long for the protocol), `ECONNREFUSED` (nobody is there), `EPIPE` (the peer does not read
 * any more), `EINVAL` (control messages that the socket does not know), `EAGAIN` (with `MessageFlags.DONTWAIT`), ...
 * Since Linux 5.3. See sendmsg(2).
 */
export class SendMsg extends MessageOperation<number> {
  static override readonly opcode = 9
  static override readonly since = '5.3'
  static override readonly syscall = 'sendmsg'

  /** @internal */
  static override intact(result: number, state: unknown): boolean {
    return result <= sizeOf((state as OutBlock).buffers)
  }

  /** @internal */
  static override requested(state: unknown): number {
    return sizeOf((state as OutBlock).buffers)
  }

  /** What to send. */
  message: OutMessage

  constructor(file: FileTarget, message: OutMessage, options?: SendMsgOptions) {
    super(file, options)
    this.message = checkOut(message, 'message')
  }

  /** @internal */
  override encode(entry: EntryWriter): OutBlock {
    const block = outBlock(this.message, 'message')
    this.begin(entry, SendMsg.opcode, block.address)
    return block
  }
}

/**
 * Sends a message without copying it, and completes twice: with what was sent, and when the memory is free again.
 * Resolves to the number of bytes at the second; with `reportUsage`, to {@link ZeroCopyUsage}.
 *
 * Fails as {@link SendMsg} does, and with `ENOTSUP` (a socket without zero-copy, as one of the machine's own),
 * `ENOMEM` (the limit of locked memory), `EFAULT` (bytes outside the registered buffer). Since Linux 6.1. See
 * io_uring_prep_sendmsg_zc(3).
 */
export class SendMsgZc<R extends boolean = false> extends MessageOperation<
  R extends true ? ZeroCopyUsage : number
> {
  static override readonly opcode = 48
  static override readonly since = '6.1'
  static override readonly syscall = 'sendmsg'

  /** @internal */
  static lockedBytes(state: unknown): number | undefined {
    return lockedByZeroCopy(state as ZeroCopyState)
  }

  /** @internal */
  static override intact(_result: number, state: unknown): boolean {
    return intactZeroCopy(state as ZeroCopyState)
  }

  /** @internal */
  static override requested(state: unknown): number {
    return sizeOf((state as ZeroCopyState).buffers)
  }

  /** @internal */
  static override observe(
    _groups: Groups,
    result: number,
    flags: number,
    state: unknown,
    last: unknown,
  ): ZeroCopyState {
    return observeZeroCopy(result, flags, state as ZeroCopyState, last)
  }

  /** @internal */
  static override decode(_result: number, _flags: number, state: unknown): number | ZeroCopyUsage {
    return decodeZeroCopy(state as ZeroCopyState)
  }

  /** What to send. */
  message: OutMessage
  /** The registered buffer that all buffers of the message lie in. */
  fixedBuffer: number | { readonly index: number } | undefined
  /** Whether it resolves to {@link ZeroCopyUsage}. */
  reportUsage: boolean

  constructor(file: FileTarget, message: OutMessage, options?: SendMsgZcOptions<R>) {
    super(file, options)
    const { fixedBuffer, reportUsage = false } = checkOptions(options)
    this.message = checkOut(message, 'message')
    checkFixedIndex(fixedBuffer)
    this.fixedBuffer = fixedBuffer
    this.reportUsage = flag(reportUsage, 'options.reportUsage')
  }

  /** @internal */
  override encode(entry: EntryWriter): ZeroCopyState {
    const index = checkFixedIndex(this.fixedBuffer)
    const reportUsage = flag(this.reportUsage, 'options.reportUsage')
    const { address, buffers, keep } = outBlock(this.message, 'message')
    this.begin(entry, SendMsgZc.opcode, address)
    if (reportUsage) entry.ioprio(RecvSendFlags.ZC_REPORT_USAGE)
    if (index !== undefined) {
      entry.ioprio(RecvSendFlags.FIXED_BUF)
      entry.bufferIndex(index)
    }
    entry.singleResult = true
    entry.observed = true
    return { buffers, reportUsage, fixed: index !== undefined, keep }
  }
}

function checkFixedIndex(buffer: number | { readonly index: number } | undefined): number | undefined {
  if (buffer === undefined) return undefined
  const index = typeof buffer === 'object' && buffer !== null ? buffer.index : buffer
  return integer(index, 'options.fixedBuffer', 0, MAX_U16)
}

/** What a receive into a group is decoded from. */
interface GroupReceive extends GroupState {
  readonly received?: Received | undefined
}

/** A message in a provided buffer. */
class Message implements ReceivedMessage {
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

interface RecvMsgState extends InBlock {
  readonly received?: Received | undefined
}

/**
 * Receives a message. Resolves to {@link RecvMsgResult}; from a group, to a {@link ReceivedMessage}. Descriptors that
 * came along are numbers in the data of a control message, and the program's own from then on: with
 * `MessageFlags.CMSG_CLOEXEC` among the flags they are closed in programs that are started.
 *
 * Fails with `ECONNREFUSED` (what was sent before met nobody), `ENOTCONN`, `EAGAIN` (with `MessageFlags.DONTWAIT`),
 * `ENOBUFS` (an empty group), ... Since Linux 5.3. See recvmsg(2).
 */
export class RecvMsg<M extends InMessage = MemoryMessage> extends MessageOperation<
  M extends GroupMessage ? ReceivedMessage : RecvMsgResult
> {
  static override readonly opcode = 10
  static override readonly since = '5.3'
  static override readonly syscall = 'recvmsg'

  /** @internal */
  static override intact(result: number, state: unknown): boolean {
    // With MSG_TRUNC the result counts what was cut off, too. A group has no memory here.
    const { buffers, size } = state as RecvMsgState
    return Math.min(result, size) <= sizeOf(buffers)
  }

  /** @internal */
  static override requested(state: unknown): number | undefined {
    const { group, size } = state as RecvMsgState
    return group === undefined ? size : undefined
  }

  /** @internal */
  static onEnqueue(groups: Groups, state: unknown): void {
    const { group } = state as RecvMsgState
    if (group !== undefined) groups.use(group)
  }

  /** @internal */
  static override observe(groups: Groups, result: number, flags: number, state: unknown): RecvMsgState {
    const block = state as RecvMsgState
    return block.group === undefined
      ? block
      : { ...block, received: groups.received(block.group, result, flags) }
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): RecvMsgResult | ReceivedMessage {
    const block = state as RecvMsgState
    const details = detailsOf(block)
    if (block.group === undefined) return { bytes: result, ...details }
    const received = receivedFrom(block.group, block.received)
    return new Message(received, received.views, details)
  }

  /** Where it goes. */
  message: InMessage

  constructor(file: FileTarget, message: M, options?: RecvMsgOptions) {
    super(file, options)
    this.message = checkIn(message, 'message')
  }

  /** @internal */
  override encode(entry: EntryWriter): RecvMsgState {
    const block = inBlock(this.message, 'message')
    this.begin(entry, RecvMsg.opcode, block.address)
    if (block.group !== undefined) {
      entry.group(block.group)
      entry.observed = true
    }
    return block
  }
}

interface RecvMsgMultiState extends GroupReceive {
  readonly rooms: MultiRooms
  /** What the last completion brought, if it may be the end of a stream: written at each. */
  readonly end: { received: Received | undefined }
  /** Holds the header. */
  readonly header: Buffer
}

function roomsOf(address: boolean | number, control: number): MultiRooms {
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

/** Neither bytes nor a sender: the end of a stream looks so. */
function isNothing(result: number, received: Received | undefined, rooms: MultiRooms): boolean {
  if (received === undefined) return false
  return received.views.length === 0 ? result === 0 : isEmpty(received.bytes, rooms)
}

/**
 * Receives messages, again and again, each into a buffer of a group: 16 bytes about it, the room for the address, the
 * room for control messages, and then its bytes. Each completion resolves to a {@link ReceivedMessage}, whose bytes are
 * those of the message alone. One without bytes is the last: the end of a stream, or an empty message. `ring.each` goes
 * on after an empty message that has a sender, so make room for the address where one may come.
 *
 * Fails with `ENOBUFS` (no buffer left), `EFAULT` (the buffers are smaller than the rooms), `EINVAL` (with
 * `MessageFlags.WAITALL`), ... Since Linux 6.0. See io_uring_prep_recvmsg_multishot(3).
 */
export class RecvMsgMulti extends MessageOperation<ReceivedMessage> {
  static override readonly opcode = 10
  static override readonly since = '6.0'
  /** @internal */
  static override readonly variantSince = '6.0'
  static override readonly syscall = 'recvmsg'
  /** @internal */
  static onEnqueue = useGroup

  /** @internal */
  static override observe(groups: Groups, result: number, flags: number, state: unknown): RecvMsgMultiState {
    const multi = state as RecvMsgMultiState
    const received = groups.received(multi.group, result, flags)
    multi.end.received = isNothing(result, received, multi.rooms) ? received : undefined
    return { ...multi, received }
  }

  /** @internal */
  static override rearm({ state }: Armed): boolean {
    const { received } = (state as RecvMsgMultiState).end
    received?.release()
    return received === undefined
  }

  /** @internal */
  static override isEnd(): boolean {
    return true // asked only where it is not armed again
  }

  /** @internal */
  static override decode(_result: number, _flags: number, state: unknown): ReceivedMessage {
    const { group, rooms, received: maybe } = state as RecvMsgMultiState
    const received = receivedFrom(group, maybe)
    if (received.views.length === 0) {
      return new Message(received, [], { address: undefined, control: [], flags: 0 })
    }
    const parsed = parseMessage(received.bytes, rooms, 'view')
    return new Message(received, [parsed.bytes], parsed)
  }

  /** The group that the kernel takes buffers from. */
  group: GroupTarget
  /** Room for the sender's address. */
  address: boolean | number
  /** Bytes of room for control messages. */
  control: number

  constructor(file: FileTarget, group: GroupTarget, options?: RecvMsgMultiOptions) {
    super(file, options)
    const { address = false, control = 0 } = checkOptions(options)
    roomsOf(address, control)
    this.group = checkGroup(group)
    this.address = address
    this.control = control
  }

  /** @internal */
  override encode(entry: EntryWriter): RecvMsgMultiState {
    const group = resolveGroup(this.group, 'group')
    const rooms = roomsOf(this.address, this.control)
    const header = roomsBlock(rooms)
    this.begin(entry, RecvMsgMulti.opcode, header.address)
    entry.ioprio(RecvSendFlags.MULTISHOT)
    entry.group(group)
    entry.multishot = true
    entry.observed = true
    return { group, rooms, end: { received: undefined }, header: header.bytes }
  }

  /**
   * Takes a provided buffer apart that this operation has filled: for those who read the buffers of a group themselves.
   * The rooms are those that the operation has now.
   *
   * @param view the buffer, as far as it was filled: the result says how far
   * @throws {RangeError} `ERR_OUT_OF_RANGE` where it is shorter than the rooms
   */
  parse(view: Bytes): ParsedMessage {
    const { buffer, byteOffset, byteLength } = viewOf(checkBytes(view, 'view'))
    const bytes = Buffer.from(buffer, byteOffset, byteLength)
    return parseMessage(bytes, roomsOf(this.address, this.control), 'view')
  }
}

/**
 * Receives into the area of a receive queue of the network card, again and again, without copying. Each completion
 * resolves to the number of bytes; where in the area they lie is `completion.extra[0]`, whose upper 16 bits are the
 * area's number. What was read goes back through the queue's refill ring. The last completion, without bytes, is the end
 * of the stream or of `length`.
 *
 * Needs a card that can do it, a receive queue that was registered, and a ring with 32-byte completions. Fails with
 * `EINVAL` (no such queue), ... Since Linux 6.15. See io_uring_enter(2).
 */
export class RecvZc extends Operation<number> {
  static override readonly opcode = 58
  static override readonly since = '6.15'
  static override readonly syscall = 'recvmsg'

  /** The socket. */
  file: FileTarget
  /** The receive queue. */
  ifq: number
  /** Bytes at most. */
  length: number
  /** Waits until the socket is ready before the first try. */
  pollFirst: boolean

  constructor(file: FileTarget, options?: RecvZcOptions) {
    super()
    const { ifq = 0, length = 0, pollFirst = false } = checkOptions(options)
    this.file = checkFile(file)
    this.ifq = integer(ifq, 'options.ifq', 0, MAX_U32)
    this.length = integer(length, 'options.length', 0, MAX_U32)
    this.pollFirst = flag(pollFirst, 'options.pollFirst')
  }

  /** @internal */
  override encode(entry: EntryWriter): undefined {
    const ifq = integer(this.ifq, 'options.ifq', 0, MAX_U32)
    const length = integer(this.length, 'options.length', 0, MAX_U32)
    const pollFirst = flag(this.pollFirst, 'options.pollFirst')
    entry.beginFile(RecvZc.opcode, this, this.file)
    entry.len(length)
    entry.word(ifq)
    entry.ioprio(RecvSendFlags.MULTISHOT | (pollFirst ? RecvSendFlags.POLL_FIRST : 0))
    entry.multishot = true
  }
}
