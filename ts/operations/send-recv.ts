// Sending and receiving bytes on sockets.

import { type Address, addressBlock, type AddressBlock, checkAddress } from '../structs/sockaddr.ts'
import type { EntryWriter } from '../entry/entry-writer.ts'
import { MessageFlags, RecvSendFlags } from '../flags/index.ts'
import type { GroupBuffer, GroupTarget } from '../arguments/buffer-group.ts'
import { type GroupState, useGroup } from '../buffers/groups.ts'
import type { Received } from '../buffers/received.ts'
import type { Armed } from './base/operation-class.ts'
import { type Bytes, checkBytes, isUint8Array } from '../memory/address-of.ts'
import { checkFixed, FixedBuffer } from '../arguments/fixed-buffer.ts'
import type { FileTarget } from '../arguments/file.ts'
import {
  type BundleState,
  GroupTransfer,
  observeBundle,
  observeSentBundle,
  type RecvOptions,
  SocketTransfer,
} from './base/socket-io.ts'
import {
  checkMemoryOrGroup,
  decodeReceived,
  decodeTransfer,
  type GroupChoice,
  intactMemory,
  observeReceived,
  observeSent,
} from './base/transfer-state.ts'
import { flag, integer, MAX_U32, checkOptions } from '../arguments/validate.ts'
import { checkVector, sizeOf, type Vector, vector } from '../structs/iovec.ts'
import {
  decodeZeroCopy,
  intactZeroCopy,
  lockedByZeroCopy,
  observeZeroCopy,
  type ZeroCopyState,
  type ZeroCopyUsage,
} from './base/zero-copy.ts'

export type { BundleOptions, RecvOptions } from './base/socket-io.ts'

/** Options of {@link Send}. */
export interface SendOptions extends RecvOptions {
  /** Address of the receiver, on a socket that is not connected (6.0). */
  to?: Address
}

/** Options of {@link SendZc}. */
export interface SendZcOptions<U extends boolean = boolean> extends SendOptions {
  /** If set, resolves to {@link ZeroCopyUsage}, which says if the kernel copied the bytes all the same (6.2). */
  reportUsage?: U
}

/** Options of {@link RecvMulti} and {@link RecvMultiBundle}. */
export interface RecvMultiOptions extends RecvOptions {
  /** The most bytes of one completion; 0, the default, is as many as the buffer has (6.17). */
  length?: number
  /** Bytes to stop after: with the buffer that reaches them; 0, the default, never stops (6.17). */
  limit?: number
}

/** The state of a send of several buffers, or to an address. */
class Outgoing {
  readonly buffers: readonly Bytes[]
  readonly iovecs: Vector | undefined
  readonly address: AddressBlock | undefined

  constructor(buffers: readonly Bytes[], iovecs: Vector | undefined, address: AddressBlock | undefined) {
    this.buffers = buffers
    this.iovecs = iovecs
    this.address = address
  }

  get byteLength(): number {
    return sizeOf(this.buffers)
  }
}

/** A send of memory. */
abstract class MemorySend<T = number> extends SocketTransfer<T> {
  /** Address of the receiver, on a socket that is not connected. */
  to: Address | undefined

  constructor(file: FileTarget, options: SendOptions | undefined) {
    super(file, options)
    const { to } = checkOptions(options)
    this.to = to === undefined ? undefined : checkAddress(to, 'options.to')
  }

  /** The address in memory, if there is one. */
  protected destination(): AddressBlock | undefined {
    return this.to === undefined ? undefined : addressBlock(this.to, 'options.to')
  }

  /** Writes the entry of a send of memory that is not registered, and returns its state. */
  protected send(
    entry: EntryWriter,
    opcode: number,
    bytes: Bytes | readonly Bytes[],
    address: AddressBlock | undefined,
  ): Bytes | Outgoing {
    if (!isArray(bytes)) {
      this.transfer(entry, opcode, bytes)
      if (address === undefined) return bytes
      setAddress(entry, address)
      return new Outgoing([bytes], undefined, address)
    }
    const iovecs = vector(bytes, 'bytes')
    this.transferVector(entry, opcode, iovecs)
    if (address !== undefined) setAddress(entry, address)
    return new Outgoing(iovecs.buffers, iovecs, address)
  }
}

function setAddress(entry: EntryWriter, { address, length }: AddressBlock): void {
  entry.off(address)
  entry.word(length)
}

/** `Array.isArray`, for readonly arrays too. */
function isArray(value: unknown): value is readonly Bytes[] {
  return Array.isArray(value)
}

/** Checks what {@link Send} sends. Returns the choice for a buffer group, `undefined` for memory. */
function checkSource(bytes: Bytes | GroupBuffer | readonly Bytes[]): GroupChoice | undefined {
  if (!isArray(bytes)) return checkMemoryOrGroup(bytes, 'bytes')
  checkVector(bytes, 'bytes')
  return undefined
}

/**
 * Sends memory, several buffers one after the other (6.17), or a buffer that the kernel takes from a buffer group
 * (6.10). Resolves to the number of bytes that were sent, which may be fewer without `MessageFlags.WAITALL`.
 *
 * Fails with `EPIPE` (the connection is shut down; there is no signal), `ECONNRESET` (the peer closed the
 * connection), `ENOTCONN` (the socket is not connected), `EMSGSIZE` (too long for the protocol), `EAGAIN` (with
 * `MessageFlags.DONTWAIT`: the socket cannot send now), `ENOBUFS` (the buffer group is empty), ... Since Linux 5.6.
 * See send(2).
 */
export class Send extends MemorySend {
  static override readonly opcode = 26
  static override readonly since = '5.6'
  static override readonly syscall = 'send'
  /** @internal */
  static override intact = intactMemory
  /** @internal */
  static onEnqueue = useGroup
  /** @internal */
  static override observe = observeSent

  /** Memory to send, several buffers, or a buffer group that the kernel takes a buffer from. */
  bytes: Bytes | GroupBuffer | readonly Bytes[]

  constructor(file: FileTarget, bytes: Bytes | GroupBuffer | readonly Bytes[], options?: SendOptions) {
    super(file, options)
    if (!isUint8Array(bytes)) checkSource(bytes)
    this.bytes = bytes
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { bytes } = this
    const address = this.destination()
    if (isUint8Array(bytes)) return this.send(entry, Send.opcode, bytes, address)
    const group = checkSource(bytes)
    if (group === undefined) return this.send(entry, Send.opcode, bytes as Bytes | readonly Bytes[], address)
    const state = this.select(entry, Send.opcode, group.id, group.length)
    if (address === undefined) return state
    setAddress(entry, address)
    return { ...state, address }
  }
}

/**
 * Sends memory without copying it: memory, several buffers (6.17), or a registered buffer. It completes twice: with
 * the number of bytes and, if that completion has `more`, with a notification that the memory may be changed again.
 * Until then the memory must stay as it is. Failures may have a notification too.
 *
 * Resolves to the number of bytes, at the notification; with `reportUsage`, to {@link ZeroCopyUsage}.
 *
 * Fails as {@link Send} does, and with `ENOTSUP` (a socket without zero-copy, such as a Unix one), `ENOMEM` (more
 * memory than the user may lock). Since Linux 6.0. See io_uring_prep_send_zc(3).
 */
export class SendZc<U extends boolean = false> extends MemorySend<U extends true ? ZeroCopyUsage : number> {
  static override readonly opcode = 47
  static override readonly since = '6.0'
  static override readonly syscall = 'send'
  /** @internal */
  static lockedBytes = lockedByZeroCopy
  /** @internal */
  static override intact = intactZeroCopy
  /** @internal */
  static override observe = observeZeroCopy
  /** @internal */
  static override decode = decodeZeroCopy

  /** Memory to send, a registered buffer, or several buffers. */
  bytes: Bytes | FixedBuffer | readonly Bytes[]
  /** If set, resolves to {@link ZeroCopyUsage}. */
  reportUsage: boolean

  constructor(file: FileTarget, bytes: Bytes | FixedBuffer | readonly Bytes[], options?: SendZcOptions<U>) {
    super(file, options)
    const { reportUsage = false } = checkOptions(options)
    this.bytes = bytes
    this.reportUsage = reportUsage
    checkSendZc(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): ZeroCopyState {
    const { reportUsage } = this
    const address = this.destination() // its getters may detach the memory, so it comes first
    const bytes = checkSendZc(this)
    let state: ZeroCopyState
    if (bytes instanceof FixedBuffer) {
      this.transfer(entry, SendZc.opcode, bytes.view)
      entry.ioprio(RecvSendFlags.FIXED_BUF)
      entry.bufferIndex(bytes.index)
      if (address !== undefined) setAddress(entry, address)
      state = { buffers: [bytes.view], reportUsage, fixed: true, keep: address }
    } else {
      const keep = this.send(entry, SendZc.opcode, bytes, address)
      state = { buffers: keep instanceof Outgoing ? keep.buffers : [keep], reportUsage, keep }
    }
    if (reportUsage) entry.ioprio(RecvSendFlags.ZC_REPORT_USAGE)
    entry.singleResult = true
    entry.observed = true
    return state
  }
}

/** Checks the arguments of a {@link SendZc}, and returns what it sends. */
function checkSendZc({ bytes, reportUsage }: SendZc<boolean>): Bytes | FixedBuffer | readonly Bytes[] {
  flag(reportUsage, 'options.reportUsage')
  if (bytes instanceof FixedBuffer) return checkFixed(bytes, 'bytes')
  return isArray(bytes) ? checkVector(bytes, 'bytes') : checkBytes(bytes, 'bytes')
}

/** Memory for the start of a message, if the result is the length of the whole message: any number. */
class MessageStart {
  readonly bytes: Bytes
  readonly size: number

  constructor(bytes: Bytes) {
    this.bytes = bytes
    this.size = bytes.byteLength
  }

  get byteLength(): number {
    return this.bytes.byteLength < this.size ? 0 : Number.POSITIVE_INFINITY
  }
}

/**
 * Receives bytes into memory, or into a buffer that the kernel takes from a buffer group. Resolves to the number of
 * bytes, 0 at the end of the stream; for a buffer group, to {@link Received}.
 *
 * Fails with `ECONNRESET` (the peer closed the connection), `ENOTCONN` (the socket is not connected), `EAGAIN` (with
 * `MessageFlags.DONTWAIT`: no data is there yet), `ENOBUFS` (the buffer group is empty), ... Since Linux 5.6. See
 * recv(2).
 */
export class Recv<B extends Bytes | GroupBuffer = Bytes> extends SocketTransfer<
  B extends GroupBuffer ? Received : number
> {
  static override readonly opcode = 27
  static override readonly since = '5.6'
  static override readonly syscall = 'recv'
  /** @internal */
  static override intact = intactMemory
  /** @internal */
  static onEnqueue = useGroup
  /** @internal */
  static override observe = observeReceived
  /** @internal */
  static override decode = decodeTransfer

  /** Memory to receive into, or a buffer group that the kernel takes a buffer from. */
  bytes: Bytes | GroupBuffer

  constructor(file: FileTarget, bytes: B, options?: RecvOptions) {
    super(file, options)
    if (!isUint8Array(bytes)) checkMemoryOrGroup(bytes, 'bytes')
    this.bytes = bytes
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { bytes } = this
    const group = isUint8Array(bytes) ? undefined : checkMemoryOrGroup(bytes, 'bytes')
    if (group !== undefined) return this.select(entry, Recv.opcode, group.id, group.length)
    this.transfer(entry, Recv.opcode, bytes as Bytes)
    return (this.flags & MessageFlags.TRUNC) === 0 ? bytes : new MessageStart(bytes as Bytes)
  }
}

/**
 * Sends the buffers of a buffer group, in their order, until none is left. It may complete several times. Resolves to
 * the number of bytes that all completions together sent.
 *
 * Fails as {@link Send} does, and with `ENOENT` (no such buffer group), `ENOBUFS` (the buffer group is empty). A
 * buffer that could not be sent is out of the group. Since Linux 6.10. See io_uring_prep_send_bundle(3).
 */
export class SendBundle extends GroupTransfer<number> {
  static override readonly opcode = 26
  static override readonly since = '6.10'
  static override readonly syscall = 'send'
  /** @internal */
  static override readonly variantSince = '6.10'
  /** @internal */
  static onEnqueue = useGroup
  /** @internal */
  static override observe = observeSentBundle

  /** @internal */
  static override decode(_result: number, _flags: number, state: unknown): number {
    return (state as BundleState).total
  }

  /** @internal */
  override encode(entry: EntryWriter): BundleState {
    const state = this.selectBundle(entry, SendBundle.opcode)
    entry.singleResult = true
    return state
  }
}

/** A receive into a buffer group. */
abstract class GroupReceive extends GroupTransfer<Received> {
  /** @internal */
  static onEnqueue = useGroup
  /** @internal */
  static override decode = decodeReceived
}

/**
 * Receives bytes into as many buffers of a buffer group as they need: as many as a {@link BufferRing} has, two at
 * most if they come from {@link ProvideBuffers}. Resolves to {@link Received}.
 *
 * Fails as {@link Recv} does, and with `ENOENT` (no such buffer group). Since Linux 6.10. See io_uring_prep_recv(3).
 */
export class RecvBundle extends GroupReceive {
  static override readonly opcode = 27
  static override readonly since = '6.10'
  static override readonly syscall = 'recv'
  /** @internal */
  static override readonly variantSince = '6.10'
  /** @internal */
  static override observe = observeBundle

  /** @internal */
  override encode(entry: EntryWriter): GroupState {
    return this.selectBundle(entry, RecvBundle.opcode)
  }
}

interface Limited {
  readonly limit: number
}

/** A multishot receive. */
abstract class MultiReceive extends GroupReceive {
  /** @internal */
  static override rearm({ state }: Armed, result: number, _results: number, total: number): boolean | number {
    const { limit } = state as Limited
    if (result === 0 || limit === 0) return result !== 0
    return total < limit && limit - total
  }

  /** @internal */
  static readonly extent = 'word'

  /** @internal */
  static override isEnd(result: number): boolean {
    return result === 0
  }

  /** Bytes to stop after; 0, never. */
  limit: number

  constructor(file: FileTarget, group: GroupTarget, options?: RecvMultiOptions) {
    super(file, group, options)
    const { limit = 0 } = checkOptions(options)
    this.limit = checkLimit(limit)
  }

  /** Writes the fields of the entry that follow those of `select`. */
  protected repeat<S extends GroupState>(entry: EntryWriter, select: () => S): S & Limited {
    const limit = checkLimit(this.limit)
    const state = select()
    entry.word(limit)
    entry.multishot = true
    return { ...state, limit }
  }
}

function checkLimit(limit: number): number {
  return integer(limit, 'options.limit', 0, MAX_U32)
}

/**
 * Receives bytes again and again, each time into a buffer of a buffer group. Multishot: each completion resolves to
 * {@link Received}. It ends with a completion without `more`: at the end of the stream, which has no bytes, at
 * `limit`, with an error, and when the completion queue is full.
 *
 * Fails as {@link Recv} does, and with `ECANCELED` (it was cancelled), `EINVAL` (with `MessageFlags.WAITALL`). Since
 * Linux 6.0. See io_uring_prep_recv_multishot(3).
 */
export class RecvMulti extends MultiReceive {
  static override readonly opcode = 27
  static override readonly since = '6.0'
  static override readonly syscall = 'recv'
  /** @internal */
  static override readonly variantSince = '6.0'
  /** @internal */
  static override observe = observeReceived

  /** @internal */
  override encode(entry: EntryWriter): GroupState {
    return this.repeat(entry, () => this.selectFrom(entry, RecvMulti.opcode, RecvSendFlags.MULTISHOT))
  }
}

/**
 * Receives bytes again and again, each time into as many buffers of a buffer group as they need. Multishot: each
 * completion resolves to {@link Received}. It ends as {@link RecvMulti} does, and with the last buffer of the group.
 *
 * Fails as {@link RecvMulti} does, and with `ENOENT` (no such buffer group). Since Linux 6.10. See
 * io_uring_prep_recv_multishot(3).
 */
export class RecvMultiBundle extends MultiReceive {
  static override readonly opcode = 27
  static override readonly since = '6.10'
  static override readonly syscall = 'recv'
  /** @internal */
  static override readonly variantSince = '6.10'
  /** @internal */
  static override observe = observeBundle

  /** @internal */
  override encode(entry: EntryWriter): GroupState {
    return this.repeat(entry, () => this.selectBundle(entry, RecvMultiBundle.opcode, RecvSendFlags.MULTISHOT))
  }
}
