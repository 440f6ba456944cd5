// The state of a submission that transfers bytes: its memory, several buffers, or a buffer group; and what the hooks
// of an operation class do with each.

import { type GroupBuffer, isGroup, resolveGroupBuffer } from '../../arguments/buffer-group.ts'
import type { Groups, GroupState } from '../../buffers/groups.ts'
import { type Received, receivedFrom } from '../../buffers/received.ts'
import { type Bytes, bytesLeft, checkBytes, isUint8Array } from '../../memory/address-of.ts'
import { sizeOf } from '../../structs/iovec.ts'

/** The number of a buffer group, and the most bytes that go into one of its buffers. */
export type GroupChoice = ReturnType<typeof resolveGroupBuffer>

/** Checks memory or a buffer group. Returns the choice for a group, `undefined` for memory. */
export function checkMemoryOrGroup(target: Bytes | GroupBuffer, name: string): GroupChoice | undefined {
  if (isGroup(target)) return resolveGroupBuffer(target, name)
  checkBytes(target, name)
  return undefined
}

/** The state of a submission on a buffer group once its completion was observed. */
export interface ObservedGroup extends GroupState {
  /** The data of the completion; absent if the ring does not know the memory of the group. */
  readonly received?: Received | undefined
}

/** Tells if a submission takes its buffers from a buffer group. */
function isGroupState(state: unknown): state is GroupState {
  return typeof (state as GroupState).group === 'number'
}

/** `observe` of a receive: finds the data of a completion while the buffers are still where the kernel put it. */
export function observeReceived(
  groups: Groups,
  result: number,
  flags: number,
  state: unknown,
): ObservedGroup {
  const { group } = state as GroupState
  return { group, received: groups.received(group, result, flags) }
}

/** `observe` of a send: takes the buffer that was sent out of its group. */
export function observeSent(groups: Groups, result: number, flags: number, state: unknown): ObservedGroup {
  const { group } = state as GroupState
  return { group, received: groups.sent(group, result, flags) }
}

/** `decode` of a receive into a buffer group. */
export function decodeReceived(_result: number, _flags: number, state: unknown): Received {
  const { group, received } = state as ObservedGroup
  return receivedFrom(group, received)
}

/** `decode` of a transfer into memory or into a buffer group. */
export function decodeTransfer(result: number, flags: number, state: unknown): number | Received {
  return !isUint8Array(state) && isGroupState(state) ? decodeReceived(result, flags, state) : result
}

/**
 * `intact` of a transfer: the memory still has the bytes that were moved, so it was not detached and did not shrink.
 */
export function intactMemory(result: number, state: unknown): boolean {
  if (isUint8Array(state)) return result <= state.length // nearly all states are these
  return isGroupState(state) || result <= bytesLeft(state as Bytes)
}

/** The state of a transfer of several buffers. */
interface SeveralBuffers {
  readonly buffers: readonly Bytes[]
}

/** `intact` of a transfer of several buffers. */
export function intactBuffers(result: number, state: unknown): boolean {
  return isGroupState(state) || result <= sizeOf((state as SeveralBuffers).buffers)
}

/** `requested` of a transfer: the bytes of its memory; not known for a buffer group. */
export function requestedBytes(state: unknown): number | undefined {
  if (isGroupState(state)) return undefined
  const { buffers } = state as Partial<SeveralBuffers>
  return buffers === undefined ? bytesLeft(state as Bytes) : sizeOf(buffers)
}
