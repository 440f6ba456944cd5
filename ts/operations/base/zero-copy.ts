// Zero-copy sends, which complete twice: with the number of bytes, and when the memory may be changed again.

import { CqeFlags } from '../../flags/index.ts'
import type { Groups } from '../../buffers/groups.ts'
import { zeroCopyBytes } from '../../system/memlock.ts'
import type { Bytes } from '../../memory/address-of.ts'
import { sizeOf } from '../../structs/iovec.ts'

/** The result of a zero-copy send with the option `reportUsage`. */
export interface ZeroCopyUsage {
  /** Bytes that were sent. */
  readonly bytes: number
  /** True if the kernel copied them all the same: known at the notification, `false` before. */
  readonly copied: boolean
}

/** The state of a zero-copy send. */
export interface ZeroCopyState {
  /** The memory that is sent. */
  readonly buffers: readonly Bytes[]
  readonly reportUsage: boolean
  /** True if the memory is a registered buffer, which is accounted for already. */
  readonly fixed?: boolean
  /** Structs that the kernel reads. */
  readonly keep?: unknown
  /** The result of the first completion. */
  readonly sent?: number
  readonly copied?: boolean
}

/** Bit of a notification's result: the kernel has copied (`IORING_NOTIF_USAGE_ZC_COPIED`). */
const COPIED = 0x8000_0000

/** `observe` of a zero-copy send: adds the facts of a completion to those of the one before. */
export function observeZeroCopy(
  _groups: Groups,
  result: number,
  flags: number,
  state: unknown,
  last: unknown,
): ZeroCopyState {
  const before = state as ZeroCopyState
  if ((flags & CqeFlags.NOTIF) === 0) return { ...before, sent: result }
  return { ...before, ...(last as ZeroCopyState | undefined), copied: (result & COPIED) !== 0 }
}

/** `decode` of both completions. A send that failed has sent nothing, even if a notification follows. */
export function decodeZeroCopy(_result: number, _flags: number, state: unknown): number | ZeroCopyUsage {
  const { reportUsage, sent = 0, copied = false } = state as ZeroCopyState
  const bytes = Math.max(sent, 0)
  return reportUsage ? { bytes, copied } : bytes
}

/** `lockedBytes`: bytes that the kernel locks while it sends. */
export function lockedByZeroCopy(state: unknown): number | undefined {
  const { buffers, fixed } = state as ZeroCopyState
  return fixed === true ? undefined : zeroCopyBytes(sizeOf(buffers))
}

/** `intact`: the memory still has the bytes that were sent. */
export function intactZeroCopy(_result: number, state: unknown): boolean {
  const { buffers, sent = 0 } = state as ZeroCopyState
  return sent <= sizeOf(buffers)
}
