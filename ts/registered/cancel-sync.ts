// Cancellation by io_uring_register(2): synchronous, and without an entry that restrictions could refuse.

import { constants } from 'node:os'
import { type Registering, REGISTRATION } from '../arguments/ring.ts'
import { checkOptions, flag, milliseconds } from '../arguments/validate.ts'
import { generationOf, indexOf } from '../entry/token.ts'
import { systemError } from '../errors.ts'
import { CancelFlags, EnterFlags, SetupFlags } from '../flags/index.ts'
import { IORING_REGISTER_SYNC_CANCEL } from '../flags/registrations.ts'
import {
  type CancelTarget,
  fixedTarget,
  resolveTarget,
  type TargetKeys,
} from '../operations/base/cancel-target.ts'
import type { Boundary } from '../ring/boundary.ts'
import { pause } from '../system/pause.ts'
import { SLICE } from '../system/slice.ts'

/** Options of {@link Ring.cancelSync}. */
export interface CancelSyncOptions {
  /** Cancels every match, not only the first; false. */
  all?: boolean
  /** Milliseconds to wait at most for an operation that a kernel worker runs; absent, until it ends. */
  timeout?: number
}

const CANCEL_BYTES = 64 // struct io_uring_sync_cancel_reg
/** The most milliseconds that a polling thread needs to consume published entries. */
const MAX_PICKUP = 1000
const NANOSECONDS = 1_000_000
const { EINTR, ENOENT, ETIME } = constants.errno

/** Calls the kernel once, and waits `wait` milliseconds at most. Returns its result, or a negative `errno`. */
function cancelOnce({ native }: Boundary, keys: TargetKeys, all: boolean, wait: number): number {
  const argument = Buffer.alloc(CANCEL_BYTES)
  argument.writeUInt32LE(indexOf(keys.token), 0)
  argument.writeUInt32LE(generationOf(keys.token), 4)
  argument.writeInt32LE((keys.flags & CancelFlags.FD) === 0 ? -1 : keys.file, 8)
  argument.writeUInt32LE(all ? keys.flags | CancelFlags.ALL : keys.flags, 12)
  argument.writeBigInt64LE(BigInt(Math.round(wait * NANOSECONDS)), 24) // at most one slice
  argument.writeUInt8(keys.opcode, 32)
  return native.register(IORING_REGISTER_SYNC_CANCEL, argument, 1)
}

/** Waits until the polling thread has consumed the published entries: a cancellation does not find them before. */
function untilConsumed({ native }: Boundary): void {
  if ((native.setupFlags & SetupFlags.SQPOLL) === 0 || native.sqReady() === 0) return
  if (native.enter(0, 0, EnterFlags.SQ_WAKEUP) < 0) return // the thread does not run
  const deadline = performance.now() + MAX_PICKUP
  while (native.sqReady() > 0 && performance.now() < deadline) pause(1)
}

/** Returns the number of operations found. Without `all` and `'any'` the kernel returns 0 for the one that it found. */
function foundBy(result: number, { flags }: TargetKeys, all: boolean): number {
  return all || (flags & CancelFlags.ANY) !== 0 ? result : 1
}

/** Cancels without waiting. Returns the number of operations found; 0 if the kernel refuses the call. */
export function cancelAtOnce(boundary: Boundary, target: CancelTarget, all: boolean): number {
  const keys = resolveTarget(target)
  untilConsumed(boundary)
  const result = cancelOnce(boundary, keys, all, 0)
  if (result >= 0) return foundBy(result, keys, all)
  return result === -ETIME || result === -EINTR ? 1 : 0 // a kernel worker runs it, and was notified
}

/** Cancels and waits. Returns the number of operations found. */
export function cancelSync(
  ring: Registering,
  cancelTarget: CancelTarget,
  options: CancelSyncOptions | undefined,
): number {
  void ring[REGISTRATION] // throws if the ring is closed
  const { all = false, timeout } = checkOptions(options)
  flag(all, 'options.all')
  const limit = milliseconds(timeout, 'options.timeout')
  const target = fixedTarget(cancelTarget)
  const keys = resolveTarget(target)

  const { boundary, scheduler: schedulerOf } = ring[REGISTRATION] // a getter of an argument may have closed the ring
  const scheduler = schedulerOf()
  const dropped = scheduler?.dropWaiting(target, all) ?? 0
  if (dropped > 0 && !all && target !== 'any') return dropped
  scheduler?.submitNow()
  untilConsumed(boundary)
  const deadline = performance.now() + (limit ?? Infinity)
  for (let found = dropped; ; found = dropped + 1) {
    const left = Math.max(deadline - performance.now(), 0)
    const result = cancelOnce(boundary, keys, all, Math.min(left, SLICE))
    if (result >= 0) return dropped + foundBy(result, keys, all)
    if (result === -ENOENT) return found // one that was found before has ended
    if (result !== -EINTR && (result !== -ETIME || left === 0)) throw systemError(result, 'io_uring_register')
  }
}
