// Cancelling by a registration: at once, and without an entry that restrictions could refuse.

import { constants } from 'node:os'
import { type Boundary, SLICE } from '../ring/boundary.ts'
import { systemError } from '../errors.ts'
import { CancelFlags, EnterFlags, SetupFlags } from '../flags/index.ts'
import { type CancelTarget, fixedTarget, resolveTarget, type TargetKeys } from '../operations/cancel.ts'
import { generationOf, indexOf } from '../entry/token.ts'
import { flag, milliseconds, checkOptions } from '../arguments/validate.ts'
import type { Registration } from './context.ts'

/** Options of {@link Ring.cancelSync}. */
export interface CancelSyncOptions {
  /** Cancel every match, and not only the first. */
  all?: boolean
  /** Milliseconds to wait at most for what a kernel worker is busy with; absent, as long as it takes. */
  timeout?: number
}

const SYNC_CANCEL = 24
const BYTES = 64 // struct io_uring_sync_cancel_reg
/** Milliseconds that a polling thread may need to take what was published. */
const MAX_PICKUP = 1000
const NANOSECONDS = 1_000_000
const { EINTR, ENOENT, ETIME } = constants.errno

/** One call, which waits for so many milliseconds at most: what the kernel gives, or a negative `errno`. */
function cancelOnce({ native }: Boundary, keys: TargetKeys, all: boolean, wait: number): number {
  const argument = Buffer.alloc(BYTES)
  argument.writeUInt32LE(indexOf(keys.token), 0)
  argument.writeUInt32LE(generationOf(keys.token), 4)
  argument.writeInt32LE((keys.flags & CancelFlags.FD) === 0 ? -1 : keys.file, 8)
  argument.writeUInt32LE(all ? keys.flags | CancelFlags.ALL : keys.flags, 12)
  argument.writeBigInt64LE(BigInt(Math.round(wait * NANOSECONDS)), 24) // below a second
  argument.writeUInt8(keys.opcode, 32)
  return native.register(SYNC_CANCEL, argument, 1)
}

/** What was published a moment ago, the polling thread is about to take: before that nothing finds it. */
function untilTaken({ native }: Boundary): void {
  if ((native.setupFlags & SetupFlags.SQPOLL) === 0 || native.sqReady() === 0) return
  if (native.enter(0, 0, EnterFlags.SQ_WAKEUP) < 0) return // it is not running
  const never = new Int32Array(new SharedArrayBuffer(4))
  const enough = performance.now() + MAX_PICKUP
  while (native.sqReady() > 0 && performance.now() < enough) Atomics.wait(never, 0, 0, 1)
}

/** How many a call found: with several keys it counts, and otherwise 0 is the one that it found. */
function foundBy(result: number, { flags }: TargetKeys, all: boolean): number {
  return all || (flags & CancelFlags.ANY) !== 0 ? result : 1
}

/** Cancels without waiting: how many were found. Where the kernel cannot be asked, none. */
export function cancelAtOnce(boundary: Boundary, target: CancelTarget, all: boolean): number {
  const keys = resolveTarget(target)
  untilTaken(boundary)
  const result = cancelOnce(boundary, keys, all, 0)
  if (result >= 0) return foundBy(result, keys, all)
  return result === -ETIME || result === -EINTR ? 1 : 0 // a worker is busy with it, and was told
}

/** Cancels and waits: how many were found. */
export function cancelSync(
  ring: () => Registration,
  cancelTarget: CancelTarget,
  options: CancelSyncOptions | undefined,
): number {
  ring()
  const { all = false, timeout } = checkOptions(options)
  flag(all, 'options.all')
  const limit = milliseconds(timeout, 'options.timeout')
  const target = fixedTarget(cancelTarget)
  const keys = resolveTarget(target)

  const { boundary, scheduler: schedulerOf } = ring() // what was asked above may have closed it
  const scheduler = schedulerOf()
  const dropped = scheduler?.dropWaiting(target, all) ?? 0
  if (dropped > 0 && !all && target !== 'any') return dropped
  scheduler?.submitNow()
  untilTaken(boundary)
  const deadline = performance.now() + (limit ?? Infinity)
  for (let found = dropped; ; found = dropped + 1) {
    const left = Math.max(deadline - performance.now(), 0)
    const result = cancelOnce(boundary, keys, all, Math.min(left, SLICE))
    if (result >= 0) return dropped + foundBy(result, keys, all)
    if (result === -ENOENT) return found // where one was found before, it has ended
    if (result !== -EINTR && (result !== -ETIME || left === 0)) throw systemError(result, 'io_uring_register')
  }
}
