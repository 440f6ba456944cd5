// Sending and receiving on sockets: the options, fields and entries of all such operations.

import type { EntryWriter } from '../../entry/entry-writer.ts'
import { RecvSendFlags } from '../../flags/index.ts'
import { type GroupTarget, resolveGroup } from '../../arguments/buffer-group.ts'
import type { GroupState } from '../../buffers/groups.ts'
import type { OperationClass } from './operation-class.ts'
import type { Bytes } from '../../memory/address-of.ts'
import { Operation } from './operation.ts'
import type { ObservedGroup } from './transfer-state.ts'
import { checkFile, type FileTarget, resolveFile } from '../../arguments/file.ts'
import { flag, integer, mask, MAX_U32, checkOptions } from '../../arguments/validate.ts'
import type { Vector } from '../../structs/iovec.ts'

/** Options of {@link Recv}, and of all operations that send or receive. */
export interface RecvOptions {
  /** `MessageFlags`. */
  flags?: number
  /** If set, waits until the socket is ready before the first attempt, instead of after it (5.19). */
  pollFirst?: boolean
}

/** A send or receive on a socket. */
export abstract class SocketTransfer<T = number> extends Operation<T> {
  /** The socket. */
  file: FileTarget
  /** `MessageFlags`. */
  flags: number
  /** If set, waits until the socket is ready before the first attempt. */
  pollFirst: boolean

  constructor(file: FileTarget, options: RecvOptions | undefined) {
    super()
    const { flags = 0, pollFirst = false } = checkOptions(options)
    this.file = checkFile(file)
    this.flags = flags
    this.pollFirst = pollFirst
    this.flags = checkSocketTransfer(this).flags
  }

  /** Writes the entry of an operation on one piece of memory. @internal */
  protected transfer(entry: EntryWriter, opcode: number, bytes: Bytes): void {
    const file = resolveFile(this.file, 'file')
    const { flags, priority } = checkSocketTransfer(this)
    entry.transfer(opcode, this, file, 0, bytes, flags)
    if (priority !== 0) entry.ioprio(priority)
  }

  /** Writes the entry of an operation on several buffers. @internal */
  protected transferVector(entry: EntryWriter, opcode: number, vector: Vector): void {
    this.begin(entry, opcode, RecvSendFlags.VECTORIZED)
    entry.addr(vector.address)
    entry.len(vector.buffers.length)
  }

  /** Writes the entry of an operation on a message: the address of its `struct msghdr`. @internal */
  protected transferMessage(entry: EntryWriter, opcode: number, header: number): void {
    this.begin(entry, opcode, 0)
    entry.addr(header)
    entry.len(1)
  }

  /**
   * Writes the entry of an operation that takes its buffers from a buffer group; `bits` are `RecvSendFlags`.
   * @internal
   */
  protected select(entry: EntryWriter, opcode: number, id: number, length: number, bits = 0): GroupState {
    this.begin(entry, opcode, bits)
    entry.group(id)
    entry.len(length)
    entry.observed = true
    return { group: id }
  }

  /** Writes all of the entry except for its memory. */
  private begin(entry: EntryWriter, opcode: number, bits: number): void {
    const { flags, priority } = checkSocketTransfer(this)
    entry.beginFile(opcode, this, this.file)
    entry.opFlags(flags)
    entry.ioprio(priority | bits)
  }
}

interface CheckedSocketTransfer {
  readonly flags: number
  /** `RecvSendFlags`. */
  readonly priority: number
}

function checkSocketTransfer({ flags, pollFirst }: SocketTransfer<unknown>): CheckedSocketTransfer {
  return {
    flags: mask(flags, 'options.flags'),
    priority: flag(pollFirst, 'options.pollFirst') ? RecvSendFlags.POLL_FIRST : 0,
  }
}

/** The state of an operation on a bundle of buffers. */
export interface BundleState extends ObservedGroup {
  /** The most bytes that go into the first buffer of a completion. */
  readonly first: number
  /** Bytes of all completions so far. */
  readonly total: number
}

/** `observe` of a receive into a bundle. */
export const observeBundle: OperationClass['observe'] = bundleObserver('received')
/** `observe` of a send of a bundle. */
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
   * The most bytes of the first completion, with buffers of a `BufferRing`; 0, the default, is as many as the buffers
   * have. A hint: the kernel may round it to whole buffers, and goes on after it has used them.
   */
  length?: number
}

/** A send from a buffer group, or a receive into one. */
export abstract class GroupTransfer<T> extends SocketTransfer<T> {
  /** The buffer group. */
  group: GroupTarget
  /** The most bytes; 0, as many as the buffers have. */
  length: number

  constructor(file: FileTarget, group: GroupTarget, options?: BundleOptions) {
    super(file, options)
    const { length = 0 } = checkOptions(options)
    this.group = group
    this.length = length
    checkGroupTransfer(this)
  }

  /** Writes the entry; `bits` are `RecvSendFlags`. @internal */
  protected selectFrom(entry: EntryWriter, opcode: number, bits: number): GroupState {
    const { id, length } = checkGroupTransfer(this)
    return this.select(entry, opcode, id, length, bits)
  }

  /** Writes the entry of an operation on a bundle; `bits` are `RecvSendFlags`. @internal */
  protected selectBundle(entry: EntryWriter, opcode: number, bits = 0): BundleState {
    const { id, length } = checkGroupTransfer(this)
    const { group } = this.select(entry, opcode, id, length, RecvSendFlags.BUNDLE | bits)
    return { group, first: length || Number.POSITIVE_INFINITY, total: 0 }
  }
}

interface CheckedGroupTransfer {
  readonly id: number
  readonly length: number
}

function checkGroupTransfer({ group, length }: GroupTransfer<unknown>): CheckedGroupTransfer {
  return {
    id: resolveGroup(group, 'group'),
    length: integer(length, 'options.length', 0, MAX_U32),
  }
}
