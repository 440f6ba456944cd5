// Sending and receiving messages on sockets: bytes with an address and control messages.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { RecvSendFlags } from '../flags/index.ts'
import { type GroupTarget, resolveGroup } from '../arguments/buffer-group.ts'
import { type Groups, useGroup } from '../buffers/groups.ts'
import { receivedFrom } from '../buffers/received.ts'
import { type Bytes, checkBytes } from '../memory/address-of.ts'
import {
  checkIn,
  checkOut,
  detailsOf,
  type InBlock,
  inBlock,
  type GroupMessage,
  type InMessage,
  type MemoryMessage,
  type MessageDetails,
  type HeaderSpace,
  type OutBlock,
  outBlock,
  type OutMessage,
  type ParsedMessage,
  parseMessage,
  spaceBlock,
} from '../structs/msghdr.ts'
import { resolveFixedIndex } from './base/fixed-index.ts'
import { isNothing, ProvidedMessage, type ReceivedMessage, resolveHeaderSpace } from './base/message-io.ts'
import type { Armed } from './base/operation-class.ts'
import { Operation } from './base/operation.ts'
import { SocketTransfer } from './base/socket-io.ts'
import { intactBuffers, type ObservedGroup } from './base/transfer-state.ts'
import { checkFile, type FileTarget } from '../arguments/file.ts'
import { flag, integer, MAX_U32, checkOptions } from '../arguments/validate.ts'
import { sizeOf } from '../structs/iovec.ts'
import { viewOf } from '../memory/address-of.ts'
import {
  decodeZeroCopy,
  intactZeroCopy,
  lockedByZeroCopy,
  observeZeroCopy,
  type ZeroCopyState,
  type ZeroCopyUsage,
} from './base/zero-copy.ts'

export type { ControlMessage } from '../structs/cmsghdr.ts'
export type {
  GroupMessage,
  InMessage,
  MemoryMessage,
  MessageDetails,
  OutMessage,
  ParsedMessage,
} from '../structs/msghdr.ts'
export type { ReceivedMessage } from './base/message-io.ts'
export type { ZeroCopyUsage } from './base/zero-copy.ts'

/** Options of {@link SendMsg}. */
export interface SendMsgOptions {
  /** `MessageFlags`. */
  flags?: number
  /** If set, waits until the socket can send before the first attempt (5.19). */
  pollFirst?: boolean
}

/** Options of {@link SendMsgZc}. */
export interface SendMsgZcOptions<R extends boolean = boolean> extends SendMsgOptions {
  /** Registered buffer that contains all buffers of the message, or its index (6.15). */
  fixedBuffer?: number | { readonly index: number }
  /** If set, resolves to {@link ZeroCopyUsage} (6.2). */
  reportUsage?: R
}

/** Options of {@link RecvMsg}. */
export interface RecvMsgOptions {
  /** `MessageFlags`. */
  flags?: number
  /** If set, waits until there is something to receive before the first attempt (5.19). */
  pollFirst?: boolean
}

/** Options of {@link RecvMsgMulti}. */
export interface RecvMsgMultiOptions extends RecvMsgOptions {
  /** Space for the sender's address in each buffer: bytes, or `true` for any address (128 bytes); none by default. */
  address?: boolean | number
  /** Space for control messages in each buffer, in bytes; 0 by default. */
  control?: number
}

/** Options of {@link RecvZc}. */
export interface RecvZcOptions {
  /** Number of the registered receive queue; 0 by default. */
  ifq?: number
  /** The most bytes; 0, the default, is no limit. */
  length?: number
  /** If set, waits until there is something to receive before the first attempt. */
  pollFirst?: boolean
}

/** The result of {@link RecvMsg} into memory. */
export interface RecvMsgResult extends MessageDetails {
  /** Bytes that were received; with `MessageFlags.TRUNC` in the option `flags`, those that were cut off too. */
  readonly bytes: number
}

/**
 * Sends a message. Resolves to the number of bytes, which on a stream may be fewer than there are.
 *
 * Fails with `EMSGSIZE` (too long for the protocol), `ECONNREFUSED` (no socket is bound to the address), `EPIPE` (the
 * peer does not read any more), `EINVAL` (control messages that the socket does not know), `EAGAIN` (with
 * `MessageFlags.DONTWAIT`: the socket cannot send now), ... Since Linux 5.3. See sendmsg(2).
 */
export class SendMsg extends SocketTransfer<number> {
  static override readonly opcode = 9
  static override readonly since = '5.3'
  static override readonly syscall = 'sendmsg'
  /** @internal */
  static override intact = intactBuffers

  /** @internal */
  static override requested(state: unknown): number {
    return sizeOf((state as OutBlock).buffers)
  }

  /** The message to send. */
  message: OutMessage

  constructor(file: FileTarget, message: OutMessage, options?: SendMsgOptions) {
    super(file, options)
    this.message = checkOut(message, 'message')
  }

  /** @internal */
  override encode(entry: EntryWriter): OutBlock {
    const block = outBlock(this.message, 'message')
    this.transferMessage(entry, SendMsg.opcode, block.address)
    return block
  }
}

/**
 * Sends a message without copying it, and completes twice: with the number of bytes, and when the memory may be
 * changed again. Resolves to the number of bytes at the second completion; with `reportUsage`, to {@link
 * ZeroCopyUsage}.
 *
 * Fails as {@link SendMsg} does, and with `ENOTSUP` (a socket without zero-copy, such as a Unix one), `ENOMEM` (more
 * memory than the user may lock), `EFAULT` (bytes outside of the registered buffer). Since Linux 6.1. See
 * io_uring_prep_sendmsg_zc(3).
 */
export class SendMsgZc<R extends boolean = false> extends SocketTransfer<
  R extends true ? ZeroCopyUsage : number
> {
  static override readonly opcode = 48
  static override readonly since = '6.1'
  static override readonly syscall = 'sendmsg'
  /** @internal */
  static lockedBytes = lockedByZeroCopy
  /** @internal */
  static override intact = intactZeroCopy
  /** @internal */
  static override observe = observeZeroCopy
  /** @internal */
  static override decode = decodeZeroCopy

  /** @internal */
  static override requested(state: unknown): number {
    return sizeOf((state as ZeroCopyState).buffers)
  }

  /** The message to send. */
  message: OutMessage
  /** Registered buffer that contains all buffers of the message, or its index. */
  fixedBuffer: number | { readonly index: number } | undefined
  /** If set, resolves to {@link ZeroCopyUsage}. */
  reportUsage: boolean

  constructor(file: FileTarget, message: OutMessage, options?: SendMsgZcOptions<R>) {
    super(file, options)
    const { fixedBuffer, reportUsage = false } = checkOptions(options)
    this.message = checkOut(message, 'message')
    this.fixedBuffer = fixedBuffer
    this.reportUsage = reportUsage
    checkSendMsgZc(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): ZeroCopyState {
    const { index, reportUsage } = checkSendMsgZc(this)
    const { address, buffers, keep } = outBlock(this.message, 'message')
    this.transferMessage(entry, SendMsgZc.opcode, address)
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

interface CheckedSendMsgZc {
  readonly index: number | undefined
  readonly reportUsage: boolean
}

function checkSendMsgZc({ fixedBuffer, reportUsage }: SendMsgZc<boolean>): CheckedSendMsgZc {
  return {
    index: fixedBuffer === undefined ? undefined : resolveFixedIndex(fixedBuffer),
    reportUsage: flag(reportUsage, 'options.reportUsage'),
  }
}

interface RecvMsgState extends InBlock {
  readonly received?: ObservedGroup['received']
}

/**
 * Receives a message. Resolves to {@link RecvMsgResult}; with a buffer group, to {@link ReceivedMessage}. Descriptors
 * that came with the message are numbers in the data of a control message, and belong to this process from then on:
 * with `MessageFlags.CMSG_CLOEXEC` in the option `flags` they are closed on exec.
 *
 * Fails with `ECONNREFUSED` (a message that was sent before was refused), `ENOTCONN` (the socket is not connected),
 * `EAGAIN` (with `MessageFlags.DONTWAIT`: no message is there yet), `ENOBUFS` (the buffer group is empty), ... Since
 * Linux 5.3. See recvmsg(2).
 */
export class RecvMsg<M extends InMessage = MemoryMessage> extends SocketTransfer<
  M extends GroupMessage ? ReceivedMessage : RecvMsgResult
> {
  static override readonly opcode = 10
  static override readonly since = '5.3'
  static override readonly syscall = 'recvmsg'

  /** @internal */
  static override intact(result: number, state: unknown): boolean {
    // With MSG_TRUNC, the result counts the bytes that were cut off. With a buffer group, there is no memory here.
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
    return new ProvidedMessage(received, received.views, details)
  }

  /** Memory or a buffer group for the bytes, and space for what comes with them. */
  message: InMessage

  constructor(file: FileTarget, message: M, options?: RecvMsgOptions) {
    super(file, options)
    this.message = checkIn(message, 'message')
  }

  /** @internal */
  override encode(entry: EntryWriter): RecvMsgState {
    const block = inBlock(this.message, 'message')
    this.transferMessage(entry, RecvMsg.opcode, block.address)
    if (block.group !== undefined) {
      entry.group(block.group)
      entry.observed = true
    }
    return block
  }
}

interface RecvMsgMultiState extends ObservedGroup {
  readonly space: HeaderSpace
  /** Data of the last completion if it may be the end of a stream: written at each completion. */
  readonly end: { received: ObservedGroup['received'] }
  /** The `struct msghdr` that the kernel reads. */
  readonly header: Buffer
}

/**
 * Receives messages again and again, each into a buffer of a buffer group: 16 bytes of lengths and flags, the space
 * for the address, the space for control messages, and then the bytes. Multishot: each completion resolves to {@link
 * ReceivedMessage}, whose bytes are those of the message alone. A message without bytes is the last: the end of a
 * stream, or an empty message. `ring.each` goes on after an empty message that has a sender, so make space for the
 * address if empty messages may come.
 *
 * Ends with `ENOBUFS` (the buffer group is empty), `EFAULT` (a buffer is smaller than that space), `EINVAL` (with
 * `MessageFlags.WAITALL`), ... Since Linux 6.0. See io_uring_prep_recvmsg_multishot(3).
 */
export class RecvMsgMulti extends SocketTransfer<ReceivedMessage> {
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
    multi.end.received = isNothing(result, received, multi.space) ? received : undefined
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
    return true // called only if the operation is not armed again
  }

  /** @internal */
  static override decode(_result: number, _flags: number, state: unknown): ReceivedMessage {
    const { group, space, received: maybe } = state as RecvMsgMultiState
    const received = receivedFrom(group, maybe)
    if (received.views.length === 0) {
      return new ProvidedMessage(received, [], { address: undefined, control: [], flags: 0 })
    }
    const parsed = parseMessage(received.bytes, space, 'view')
    return new ProvidedMessage(received, [parsed.bytes], parsed)
  }

  /** The buffer group that the kernel takes buffers from. */
  group: GroupTarget
  /** Space for the sender's address: bytes, or `true` for any address. */
  address: boolean | number
  /** Space for control messages, in bytes. */
  control: number

  constructor(file: FileTarget, group: GroupTarget, options?: RecvMsgMultiOptions) {
    super(file, options)
    const { address = false, control = 0 } = checkOptions(options)
    this.group = group
    this.address = address
    this.control = control
    checkRecvMsgMulti(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): RecvMsgMultiState {
    const { group, space } = checkRecvMsgMulti(this)
    const header = spaceBlock(space)
    this.transferMessage(entry, RecvMsgMulti.opcode, header.address)
    entry.ioprio(RecvSendFlags.MULTISHOT)
    entry.group(group)
    entry.multishot = true
    entry.observed = true
    return { group, space, end: { received: undefined }, header: header.bytes }
  }

  /**
   * Parses a provided buffer that this operation has filled, for programs that read the buffers of a group
   * themselves. Uses the space that the operation has now.
   *
   * @param view the part of the buffer that was filled: as many bytes as the result of the completion
   * @throws {RangeError} `ERR_OUT_OF_RANGE` if it is shorter than that space
   */
  parse(view: Bytes): ParsedMessage {
    const { buffer, byteOffset, byteLength } = viewOf(checkBytes(view, 'view'))
    const bytes = Buffer.from(buffer, byteOffset, byteLength)
    return parseMessage(bytes, resolveHeaderSpace(this.address, this.control), 'view')
  }
}

interface CheckedRecvMsgMulti {
  readonly group: number
  readonly space: HeaderSpace
}

function checkRecvMsgMulti({ group, address, control }: RecvMsgMulti): CheckedRecvMsgMulti {
  return { group: resolveGroup(group, 'group'), space: resolveHeaderSpace(address, control) }
}

/**
 * Receives without copying, again and again, into the area of a registered receive queue of the network card.
 * Multishot: each completion resolves to the number of bytes; `completion.extra[0]` is their place in the area, and
 * its upper 16 bits are the area's number. Bytes that were read are returned through the queue's refill ring. The
 * last completion has no bytes: the end of the stream, or of `length`.
 *
 * Needs a network card that can do it, a registered receive queue, and a ring with 32-byte completions (`CQE32`).
 * Fails with `EINVAL` (no such queue), ... Since Linux 6.15. See io_uring_enter(2).
 */
export class RecvZc extends Operation<number> {
  static override readonly opcode = 58
  static override readonly since = '6.15'
  static override readonly syscall = 'recvmsg'

  /** The socket. */
  file: FileTarget
  /** Number of the receive queue. */
  ifq: number
  /** The most bytes; 0, no limit. */
  length: number
  /** If set, waits until the socket is ready before the first attempt. */
  pollFirst: boolean

  constructor(file: FileTarget, options?: RecvZcOptions) {
    super()
    const { ifq = 0, length = 0, pollFirst = false } = checkOptions(options)
    this.file = checkFile(file)
    this.ifq = ifq
    this.length = length
    this.pollFirst = pollFirst
    checkRecvZc(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): undefined {
    const { ifq, length, pollFirst } = checkRecvZc(this)
    entry.beginFile(RecvZc.opcode, this, this.file)
    entry.len(length)
    entry.word(ifq)
    entry.ioprio(RecvSendFlags.MULTISHOT | (pollFirst ? RecvSendFlags.POLL_FIRST : 0))
    entry.multishot = true
  }
}

function checkRecvZc({ ifq, length, pollFirst }: RecvZc): Required<RecvZcOptions> {
  return {
    ifq: integer(ifq, 'options.ifq', 0, MAX_U32),
    length: integer(length, 'options.length', 0, MAX_U32),
    pollFirst: flag(pollFirst, 'options.pollFirst'),
  }
}
