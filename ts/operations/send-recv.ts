// Sending and receiving bytes.

import { type Address, addressBlock, type AddressBlock, checkAddress } from '../structs/sockaddr.ts'
import type { EntryWriter } from '../entry/entry-writer.ts'
import { MessageFlags, RecvSendFlags } from '../flags/index.ts'
import { type GroupBuffer, type GroupTarget, isGroup, resolveGroupBuffer } from '../arguments/buffer-group.ts'
import { type Groups, type GroupState, useGroup } from '../buffers/groups.ts'
import type { Received } from '../buffers/received.ts'
import type { Armed } from './base/operation-class.ts'
import { type Bytes, checkBytes, isUint8Array } from '../memory/address-of.ts'
import { checkFixed, FixedBuffer } from '../arguments/fixed-buffer.ts'
import type { FileTarget } from '../arguments/file.ts'
import {
  type BundleState,
  decodeReceived,
  GroupStream,
  isGroupState,
  moved,
  observeBundle,
  observeReceived,
  observeSent,
  observeSentBundle,
  type RecvOptions,
  Stream,
} from './base/socket-io.ts'
import { flag, integer, mask, MAX_U32, checkOptions } from '../arguments/validate.ts'
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
export type { ZeroCopyUsage } from './base/zero-copy.ts'

/** Options of {@link Send}. */
export interface SendOptions extends RecvOptions {
  /** Where to, on a socket that is not connected (6.0). */
  to?: Address
}

/** Options of {@link SendZc}. */
export interface SendZcOptions<U extends boolean = boolean> extends SendOptions {
  /** Says too whether the kernel copied the bytes all the same (6.2). */
  reportUsage?: U
}

/** Options of {@link RecvMulti} and {@link RecvMultiBundle}. */
export interface RecvMultiOptions extends RecvOptions {
  /** Bytes at a time at most; 0, as many as the buffer has (6.17). */
  length?: number
  /** Stops after about so many bytes: with the buffer that reaches it; 0, never (6.17). */
  limit?: number
}

/** What a send of several buffers, or to an address, keeps. */
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

/** What sending from memory shares. */
abstract class MemorySend<T = number> extends Stream<T> {
  /** Where to, on a socket that is not connected. */
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

  /** Writes the entry of a send of memory that is not registered, and returns what has to live. */
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
    const buffers = vector(bytes, 'bytes')
    const flags = mask(this.flags, 'options.flags')
    const priority = this.priority()
    entry.beginFile(opcode, this, this.file)
    entry.addr(buffers.address)
    entry.len(buffers.buffers.length)
    entry.opFlags(flags)
    entry.ioprio(RecvSendFlags.VECTORIZED | priority)
    if (address !== undefined) setAddress(entry, address)
    return new Outgoing(buffers.buffers, buffers, address)
  }
}

function setAddress(entry: EntryWriter, { address, length }: AddressBlock): void {
  entry.off(address)
  entry.word(length)
}

/** `Array.isArray`, for arrays that are not to be changed too. */
function isArray(value: unknown): value is readonly Bytes[] {
  return Array.isArray(value)
}

/** Memory, or several pieces of it. */
function checkMemory(bytes: unknown): Bytes | readonly Bytes[] {
  return isArray(bytes) ? checkVector(bytes, 'bytes') : checkBytes(bytes, 'bytes')
}

/**
 * Sends bytes: of memory, of several buffers one after the other (6.17), or of a buffer that the kernel takes from a
 * group (6.10). Resolves to the number of bytes that were sent, which may be fewer without `MessageFlags.WAITALL`.
 *
 * Fails with `EPIPE` (nobody receives any more; there is no signal), `ECONNRESET`, `ENOTCONN`, `EMSGSIZE`, `EAGAIN`
 * (with `MessageFlags.DONTWAIT`), `ENOBUFS` (an empty group), ... Since Linux 5.6. See send(2).
 */
export class Send extends MemorySend {
  static override readonly opcode = 26
  static override readonly since = '5.6'
  static override readonly syscall = 'send'
  /** @internal */
  static override intact = moved

  /** @internal */
  static onEnqueue = useGroup
  /** A buffer of a group that was sent is out of it. @internal */
  static override observe = observeSent

  /** What to send: memory, several buffers, or a group that the kernel takes a buffer from. */
  bytes: Bytes | GroupBuffer | readonly Bytes[]

  constructor(file: FileTarget, bytes: Bytes | GroupBuffer | readonly Bytes[], options?: SendOptions) {
    super(file, options)
    if (!isArray(bytes) && isGroup(bytes)) resolveGroupBuffer(bytes, 'bytes')
    else checkMemory(bytes)
    this.bytes = bytes
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { bytes } = this
    const address = this.destination()
    if (isUint8Array(bytes)) return this.send(entry, Send.opcode, bytes, address)
    if (isArray(bytes) || !isGroup(bytes)) return this.send(entry, Send.opcode, checkMemory(bytes), address)
    const { id, length } = resolveGroupBuffer(bytes, 'bytes')
    const state = this.select(entry, Send.opcode, id, length)
    if (address === undefined) return state
    setAddress(entry, address)
    return { ...state, address }
  }
}

/**
 * Sends bytes without copying them: of memory, of several buffers (6.17), or of a registered buffer. It completes twice:
 * with the number of bytes, and, if that completion says `more`, with a notification that the memory may be changed
 * again; until then it has to stay as it is. Failures may have a notification too.
 *
 * Resolves to the number of bytes, at the notification; with `reportUsage` to {@link ZeroCopyUsage}.
 *
 * Fails as {@link Send} does, and with `ENOTSUP` (a socket that cannot: a Unix one, say), `ENOMEM` (more
 * memory than the user may lock). Since Linux 6.0. See io_uring_prep_send_zc(3).
 */
export class SendZc<U extends boolean = false> extends MemorySend<U extends true ? ZeroCopyUsage : number> {
  static override readonly opcode = 47
  static override readonly since = '6.0'
  static override readonly syscall = 'send'

  /** @internal */
  static lockedBytes(state: unknown): number | undefined {
    return lockedByZeroCopy(state as ZeroCopyState)
  }

  /** @internal */
  static override intact(_result: number, state: unknown): boolean {
    return intactZeroCopy(state as ZeroCopyState)
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

  /** What to send: memory, a registered buffer, or several buffers. */
  bytes: Bytes | FixedBuffer | readonly Bytes[]
  /** Says too whether the kernel copied the bytes all the same. */
  reportUsage: boolean

  constructor(file: FileTarget, bytes: Bytes | FixedBuffer | readonly Bytes[], options?: SendZcOptions<U>) {
    super(file, options)
    const { reportUsage } = checkOptions(options)
    this.bytes = bytes instanceof FixedBuffer ? checkFixed(bytes, 'bytes') : checkMemory(bytes)
    this.reportUsage = reportUsage === undefined ? false : flag(reportUsage, 'options.reportUsage')
  }

  /** @internal */
  override encode(entry: EntryWriter): ZeroCopyState {
    const { bytes } = this
    const reportUsage = flag(this.reportUsage, 'options.reportUsage')
    const address = this.destination()
    let state: ZeroCopyState
    if (bytes instanceof FixedBuffer) {
      this.transfer(entry, SendZc.opcode, checkFixed(bytes, 'bytes').view)
      entry.ioprio(RecvSendFlags.FIXED_BUF)
      entry.bufferIndex(bytes.index)
      if (address !== undefined) setAddress(entry, address)
      state = { buffers: [bytes.view], reportUsage, fixed: true, keep: address }
    } else {
      const keep = this.send(entry, SendZc.opcode, checkMemory(bytes), address)
      state = { buffers: keep instanceof Outgoing ? keep.buffers : [keep], reportUsage, keep }
    }
    if (reportUsage) entry.ioprio(RecvSendFlags.ZC_REPORT_USAGE)
    entry.singleResult = true
    entry.observed = true
    return state
  }
}

/** Memory for the start of a message whose whole length is told: it may have any. */
class Whole {
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

/** Memory, or a group of buffers. */
function checkTarget(target: Bytes | GroupBuffer): Bytes | GroupBuffer {
  if (!isGroup(target)) return checkBytes(target, 'bytes')
  resolveGroupBuffer(target, 'bytes')
  return target
}

/**
 * Receives bytes, into memory or into a buffer that the kernel takes from a group. Resolves to the number of bytes, 0
 * at the end of the stream; from a group, to what was {@link Received}.
 *
 * Fails with `ECONNRESET`, `ENOTCONN`, `EAGAIN` (with `MessageFlags.DONTWAIT`), `ENOBUFS` (an empty group), ... Since
 * Linux 5.6. See recv(2).
 */
export class Recv<B extends Bytes | GroupBuffer = Bytes> extends Stream<
  B extends GroupBuffer ? Received : number
> {
  static override readonly opcode = 27
  static override readonly since = '5.6'
  static override readonly syscall = 'recv'
  /** @internal */
  static override intact = moved
  /** @internal */
  static onEnqueue = useGroup
  /** @internal */
  static override observe = observeReceived

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number | Received {
    return isGroupState(state) ? decodeReceived(state) : result
  }

  /** Where to put the bytes: memory, or a group that the kernel takes a buffer from. */
  bytes: Bytes | GroupBuffer

  constructor(file: FileTarget, bytes: B, options?: RecvOptions) {
    super(file, options)
    this.bytes = checkTarget(bytes)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { bytes } = this
    if (!isUint8Array(bytes)) {
      if (isGroup(bytes)) {
        const { id, length } = resolveGroupBuffer(bytes, 'bytes')
        return this.select(entry, Recv.opcode, id, length)
      }
      checkBytes(bytes, 'bytes')
    }
    this.transfer(entry, Recv.opcode, bytes as Bytes)
    return (this.flags & MessageFlags.TRUNC) === 0 ? bytes : new Whole(bytes as Bytes)
  }
}

/**
 * Sends the buffers of a group, in their order, until there are none left. It may complete several times. Resolves to
 * the number of bytes that were sent, those of the completions before included.
 *
 * Fails as {@link Send} does, and with `ENOENT` (no such group), `ENOBUFS` (an empty group). A buffer that it failed
 * to send is out of the group. Since Linux 6.10. See io_uring_prep_send_bundle(3).
 */
export class SendBundle extends GroupStream<number> {
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

/** What receiving into a group shares. */
abstract class GroupReceive extends GroupStream<Received> {
  /** @internal */
  static override decode(_result: number, _flags: number, state: unknown): Received {
    return decodeReceived(state)
  }
}

/**
 * Receives bytes into as many buffers of a group as they need: as many as there are of a {@link BufferRing}, two at
 * most where they were provided one by one. Resolves to what was {@link Received}.
 *
 * Fails as {@link Recv} does, and with `ENOENT` (no such group). Since Linux 6.10. See io_uring_prep_recv(3).
 */
export class RecvBundle extends GroupReceive {
  static override readonly opcode = 27
  static override readonly since = '6.10'
  static override readonly syscall = 'recv'
  /** @internal */
  static override readonly variantSince = '6.10'
  /** @internal */
  static onEnqueue = useGroup
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

/** What receiving again and again shares. */
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

  /** Stops after about so many bytes; 0, never. */
  limit: number

  constructor(file: FileTarget, group: GroupTarget, options?: RecvMultiOptions) {
    super(file, group, options)
    const { limit } = checkOptions(options)
    this.limit = limit === undefined ? 0 : integer(limit, 'options.limit', 0, MAX_U32)
  }

  /** What the entry says beside the group. */
  protected repeat<S extends GroupState>(entry: EntryWriter, select: () => S): S & Limited {
    const limit = integer(this.limit, 'options.limit', 0, MAX_U32)
    const state = select()
    entry.word(limit)
    entry.multishot = true
    return { ...state, limit }
  }
}

/**
 * Receives bytes, again and again, each time into a buffer of a group. It goes on until a completion does not say
 * `more`: at the end of the stream, which brings nothing, at `limit`, at a failure, and when more completions wait than
 * the ring has room for. Resolves to what was {@link Received}, each time.
 *
 * Fails as {@link Recv} does, and with `ECANCELED`, `EINVAL` (with `MessageFlags.WAITALL`). Since Linux 6.0. See
 * io_uring_prep_recv_multishot(3).
 */
export class RecvMulti extends MultiReceive {
  static override readonly opcode = 27
  static override readonly since = '6.0'
  static override readonly syscall = 'recv'
  /** @internal */
  static override readonly variantSince = '6.0'
  /** @internal */
  static onEnqueue = useGroup
  /** @internal */
  static override observe = observeReceived

  /** @internal */
  override encode(entry: EntryWriter): GroupState {
    return this.repeat(entry, () => this.selectFrom(entry, RecvMulti.opcode, RecvSendFlags.MULTISHOT))
  }
}

/**
 * Receives bytes, again and again, each time into as many buffers of a group as they need. Resolves to what was
 * {@link Received}, each time. It ends as {@link RecvMulti} does, and with the last buffer of the group.
 *
 * Fails as {@link RecvMulti} does, and with `ENOENT` (no such group). Since Linux 6.10. See io_uring_prep_recv_multishot(3).
 */
export class RecvMultiBundle extends MultiReceive {
  static override readonly opcode = 27
  static override readonly since = '6.10'
  static override readonly syscall = 'recv'
  /** @internal */
  static override readonly variantSince = '6.10'
  /** @internal */
  static onEnqueue = useGroup
  /** @internal */
  static override observe = observeBundle

  /** @internal */
  override encode(entry: EntryWriter): GroupState {
    return this.repeat(entry, () => this.selectBundle(entry, RecvMultiBundle.opcode, RecvSendFlags.MULTISHOT))
  }
}
