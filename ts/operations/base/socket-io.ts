// What operations that send and receive bytes share.

import type { EntryWriter } from '../../entry/entry-writer.ts'
import { RecvSendFlags } from '../../flags/index.ts'
import { checkGroup, type GroupTarget, resolveGroup } from '../../arguments/buffer-group.ts'
import type { Groups, GroupState } from '../../buffers/groups.ts'
import { type Received, receivedFrom } from '../../buffers/received.ts'
import type { OperationClass } from './operation-class.ts'
import { type Bytes, bytesLeft } from '../../memory/address-of.ts'
import { Operation } from './operation.ts'
import { checkFile, type FileTarget, resolveFile } from '../../arguments/file.ts'
import { flag, integer, mask, MAX_U32, checkOptions } from '../../arguments/validate.ts'

/** Options of {@link Recv}, and of everything that sends or receives. */
export interface RecvOptions {
  /** `MessageFlags`. */
  flags?: number
  /** Waits until the socket is ready before the first try, instead of after it (5.19). */
  pollFirst?: boolean
}

/** What sending and receiving share. */
export abstract class Stream<T = number> extends Operation<T> {
  /** The socket. */
  file: FileTarget
  /** `MessageFlags`. */
  flags: number
  /** Waits until the socket is ready before the first try. */
  pollFirst: boolean

  constructor(file: FileTarget, options: RecvOptions | undefined) {
    super()
    this.file = checkFile(file)
    const { flags, pollFirst } = checkOptions(options)
    this.flags = flags === undefined ? 0 : mask(flags, 'options.flags')
    this.pollFirst = pollFirst === undefined ? false : flag(pollFirst, 'options.pollFirst')
  }

  /** `RecvSendFlags` for the entry. */
  protected priority(): number {
    return flag(this.pollFirst, 'options.pollFirst') ? RecvSendFlags.POLL_FIRST : 0
  }

  /** Writes the entry of an operation on one piece of memory. */
  protected transfer(entry: EntryWriter, opcode: number, bytes: Bytes): void {
    const file = resolveFile(this.file, 'file')
    const flags = mask(this.flags, 'options.flags')
    const priority = this.priority()
    entry.transfer(opcode, this, file, 0, bytes, flags)
    if (priority !== 0) entry.ioprio(priority)
  }

  /** Writes the entry of an operation that takes its buffers from a group. */
  protected select(entry: EntryWriter, opcode: number, id: number, length: number, kind = 0): GroupState {
    const flags = mask(this.flags, 'options.flags')
    const priority = this.priority()
    entry.beginFile(opcode, this, this.file)
    entry.group(id)
    entry.len(length)
    entry.opFlags(flags)
    entry.ioprio(priority | kind)
    entry.observed = true
    return { group: id }
  }
}

/** What a receive into a group is decoded from. */
interface ReceiveState extends GroupState {
  readonly received: Received | undefined
}

/** Whether the buffers of a submission come from a group. */
export function isGroupState(state: unknown): state is GroupState {
  return typeof (state as GroupState).group === 'number'
}

/** Asks the group what a completion brought, as it is taken. */
export function observeReceived(groups: Groups, result: number, flags: number, state: unknown): ReceiveState {
  const { group } = state as GroupState
  return { group, received: groups.received(group, result, flags) }
}

/** The same of a buffer that was sent. */
export function observeSent(groups: Groups, result: number, flags: number, state: unknown): ReceiveState {
  const { group } = state as GroupState
  return { group, received: groups.sent(group, result, flags) }
}

/** What the completion brought. */
export function decodeReceived(state: unknown): Received {
  const { group, received } = state as ReceiveState
  return receivedFrom(group, received)
}

/** No more was moved than the memory has now: it was not detached, and did not shrink. */
export function moved(result: number, state: unknown): boolean {
  return isGroupState(state) || result <= bytesLeft(state as Bytes)
}

/** What a bundle of buffers is decoded from. */
export interface BundleState extends GroupState {
  /** Bytes in the first buffer of a completion at most. */
  readonly first: number
  /** Bytes so far. */
  readonly total: number
  readonly received?: Received | undefined
}

/** The same for a bundle of buffers. */
export const observeBundle: OperationClass['observe'] = bundleObserver('received')
/** The same for a bundle that was sent. */
export const observeSentBundle: OperationClass['observe'] = bundleObserver('sent')

function bundleObserver(how: 'received' | 'sent'): OperationClass['observe'] {
  return (groups, result, flags, state, last): BundleState => {
    const { group, first, total } = (last ?? state) as BundleState
    return { group, first, total: total + result, received: groups[how](group, result, flags, first) }
  }
}

/** Options of {@link SendBundle} and {@link RecvBundle}. */
export interface BundleOptions extends RecvOptions {
  /**
   * Bytes in the first go at most, where the buffers are a `BufferRing`; 0, as many as the buffers have. The kernel may
   * round it to whole buffers, and goes on when it has used them all: it is a hint.
   */
  length?: number
}

/** What sending from a group, and receiving into one, share. */
export abstract class GroupStream<T> extends Stream<T> {
  /** The group of buffers. */
  group: GroupTarget
  /** Bytes at most; 0, as many as the buffers have. */
  length: number

  constructor(file: FileTarget, group: GroupTarget, options?: BundleOptions) {
    super(file, options)
    this.group = checkGroup(group)
    const { length } = checkOptions(options)
    this.length = length === undefined ? 0 : integer(length, 'options.length', 0, MAX_U32)
  }

  /** Writes the entry: one of `kind`, which are `RecvSendFlags`. */
  protected selectFrom(entry: EntryWriter, opcode: number, kind: number): GroupState {
    const id = resolveGroup(this.group, 'group')
    const length = integer(this.length, 'options.length', 0, MAX_U32)
    return this.select(entry, opcode, id, length, kind)
  }

  /** The same for a bundle. */
  protected selectBundle(entry: EntryWriter, opcode: number, kind = 0): BundleState {
    const first = integer(this.length, 'options.length', 0, MAX_U32) || Number.POSITIVE_INFINITY
    const { group } = this.selectFrom(entry, opcode, RecvSendFlags.BUNDLE | kind)
    return { group, first, total: 0 }
  }
}
