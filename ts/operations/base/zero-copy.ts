// Zero-copy sends, which complete twice: with what was sent, and when the memory is free again.

import { CqeFlags } from '../../flags/index.ts'
import { zeroCopyBytes } from '../../system/memlock.ts'
import type { Bytes } from '../../memory/address-of.ts'
import { sizeOf } from '../../structs/iovec.ts'

/** What a zero-copy send resolves to when it was asked for its usage. */
export interface ZeroCopyUsage {
  /** Bytes that were sent. */
  readonly bytes: number
  /** Whether the kernel copied them all the same: known at the notification, `false` before. */
  readonly copied: boolean
}

/** What a zero-copy send remembers of its submission. */
export interface ZeroCopyState {
  /** The memory that is sent. */
  readonly buffers: readonly Bytes[]
  readonly reportUsage: boolean
  /** Whether the memory is a registered buffer, which is paid for already. */
  readonly fixed?: boolean
  /** What else has to live: structs. */
  readonly keep?: unknown
  /** The result of the first completion. */
  readonly sent?: number
  readonly copied?: boolean
}

/** In the result of a notification: the kernel has copied (`IORING_NOTIF_USAGE_ZC_COPIED`). */
const COPIED = 0x8000_0000

/** Adds what a completion says to what is known of the send. */
export function observeZeroCopy(
  result: number,
  flags: number,
  state: ZeroCopyState,
  last: unknown,
): ZeroCopyState {
  if ((flags & CqeFlags.NOTIF) === 0) return { ...state, sent: result }
  return { ...state, ...(last as ZeroCopyState | undefined), copied: (result & COPIED) !== 0 }
}

/** What both completions resolve to. A send that failed, whose notification comes all the same, has sent nothing. */
export function decodeZeroCopy(state: ZeroCopyState): number | ZeroCopyUsage {
  const bytes = Math.max(state.sent ?? 0, 0)
  return state.reportUsage ? { bytes, copied: state.copied ?? false } : bytes
}

/** Bytes that the kernel locks for the time of the send. */
export function lockedByZeroCopy({ buffers, fixed }: ZeroCopyState): number | undefined {
  return fixed === true ? undefined : zeroCopyBytes(sizeOf(buffers))
}

/** Whether the memory still has what was sent. */
export function intactZeroCopy({ buffers, sent = 0 }: ZeroCopyState): boolean {
  return sent <= sizeOf(buffers)
}
