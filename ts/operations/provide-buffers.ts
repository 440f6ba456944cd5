// Provided buffers: memory that the kernel picks from when data arrives.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { SqeFlags } from '../flags/index.ts'
import { type GroupTarget, resolveGroup } from '../arguments/buffer-group.ts'
import type { Groups, GroupState, Provision } from '../buffers/groups.ts'
import { addressOf, type Bytes, bytesLeft, checkBytes } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { integer, MAX_U16, MAX_U32, outOfRange } from '../arguments/validate.ts'

/** The maximum number of buffers in a group: their ids have 16 bits. */
const MAX_BUFFERS = 0x1_0000

/** Buffers that are put into a group. */
interface Offer extends GroupState {
  readonly memory: Bytes
  readonly size: number
  readonly count: number
  readonly firstId: number
}

function offerOf({ memory, size, count, group, firstId }: ProvideBuffers): Offer {
  const byteLength = bytesLeft(checkBytes(memory, 'memory'))
  integer(size, 'size', 1, MAX_U32)
  integer(count, 'count', 1, MAX_BUFFERS)
  integer(firstId, 'firstId', 0, MAX_U16)
  const id = resolveGroup(group, 'group')
  if (size > byteLength) throw outOfRange('size', `<= ${byteLength}, the size of "memory"`, size)
  const capacity = Math.floor(byteLength / size)
  if (count > capacity) throw outOfRange('count', `<= ${capacity}, as many as fit into "memory"`, count)
  const last = MAX_BUFFERS - count
  if (firstId > last)
    throw outOfRange('firstId', `<= ${last}, so that the last id is at most ${MAX_U16}`, firstId)
  return { memory, size, count, group: id, firstId }
}

/**
 * Puts buffers into a buffer group: `count` of them, of `size` bytes each, which lie one after the other in `memory` and
 * have the ids from `firstId` on. Each operation on the group consumes one buffer, the oldest first, and does not return
 * it.
 *
 * The operation completes at once, but the kernel owns the memory until the buffers have been consumed or removed, or
 * the ring is closed. Until then the memory is kept alive, and must not be written to or transferred.
 *
 * Resolves to 0.
 *
 * Fails with `EFAULT` (memory that the kernel cannot use), `EINVAL` (the group is a `BufferRing`), `EOVERFLOW` (the
 * group is full), ... Since Linux 5.7. See io_uring_prep_provide_buffers(3).
 */
export class ProvideBuffers extends Operation<number> {
  static override readonly opcode = 31
  static override readonly since = '5.7'
  static override readonly syscall = 'provide_buffers'

  /** @internal */
  static override intact(_result: number, state: unknown): boolean {
    const { memory, size, count } = state as Offer
    return bytesLeft(memory) >= size * count
  }

  /** @internal */
  static onEnqueue(groups: Groups, state: unknown): Provision {
    const { memory, size, count, group, firstId } = state as Offer
    return groups.provide(group, memory, size, count, firstId)
  }

  /** @internal */
  static override observe(
    groups: Groups,
    result: number,
    _flags: number,
    state: unknown,
    last: unknown,
  ): unknown {
    if (result < 0) {
      if (last !== undefined) groups.withdraw(last as Provision)
    } else {
      const provision = (last ?? ProvideBuffers.onEnqueue(groups, state)) as Provision
      groups.accepted((state as Offer).group, provision)
    }
    return state
  }

  /** The memory of the buffers, which lie one after the other. */
  memory: Bytes
  /** Bytes of each buffer. */
  size: number
  /** The number of buffers, 1 to 65536. */
  count: number
  /** The buffer group. */
  group: GroupTarget
  /** The id of the first buffer. */
  firstId: number

  constructor(memory: Bytes, size: number, count: number, group: GroupTarget, firstId = 0) {
    super()
    this.memory = memory
    this.size = size
    this.count = count
    this.group = group
    this.firstId = firstId
    offerOf(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const offer = offerOf(this)
    const address = addressOf(offer.memory)
    entry.begin(ProvideBuffers.opcode, this)
    entry.addr(address)
    entry.len(offer.size)
    entry.fd(offer.count)
    entry.bufferIndex(offer.group)
    entry.off(offer.firstId)
    entry.observed = true
    return offer
  }
}

interface Removal extends GroupState {
  readonly count: number
  /** If set, there is no completion, so the number of buffers that the kernel removed stays unknown. */
  readonly skipsSuccess: boolean
}

/**
 * Removes buffers from a buffer group, the oldest first. Resolves to the number of buffers that were removed, fewer than
 * asked for if there are no more.
 *
 * Fails with `ENOENT` (the group never had a buffer), `EINVAL` (the group is a `BufferRing`). Since Linux 5.7. See
 * io_uring_prep_remove_buffers(3).
 */
export class RemoveBuffers extends Operation<number> {
  static override readonly opcode = 32
  static override readonly since = '5.7'
  static override readonly syscall = 'remove_buffers'

  /** @internal */
  static onEnqueue(groups: Groups, state: unknown): void {
    const { group, count, skipsSuccess } = state as Removal
    if (skipsSuccess) groups.lost(group, count)
  }

  /** @internal */
  static override observe(groups: Groups, result: number, _flags: number, state: unknown): unknown {
    const { group, skipsSuccess } = state as Removal
    if (result > 0 && !skipsSuccess) groups.removed(group, result)
    return state
  }

  /** The number of buffers to remove at most, 1 to 65536. */
  count: number
  /** The buffer group. */
  group: GroupTarget

  constructor(count: number, group: GroupTarget) {
    super()
    this.count = count
    this.group = group
    checkRemoval(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): Removal {
    const { count, group } = checkRemoval(this)
    entry.begin(RemoveBuffers.opcode, this)
    entry.fd(count)
    entry.bufferIndex(group)
    entry.observed = true
    return { group, count, skipsSuccess: (this.sqeFlags & SqeFlags.CQE_SKIP_SUCCESS) !== 0 }
  }
}

function checkRemoval({ count, group }: RemoveBuffers): { readonly count: number; readonly group: number } {
  return { count: integer(count, 'count', 1, MAX_BUFFERS), group: resolveGroup(group, 'group') }
}
