// Timeouts.

import { constants } from 'node:os'
import type { EntryWriter } from '../entry/entry-writer.ts'
import { TimeoutFlags } from '../flags/index.ts'
import type { Armed } from './base/operation-class.ts'
import { Operation } from './base/operation.ts'
import { beginTarget, RemoveOperation } from './base/target-operation.ts'
import { checkToken, type Token } from '../entry/token.ts'
import { checkTime, type Time, timespec } from '../structs/timespec.ts'
import { flag, integer, invalidValue, MAX_U32, checkOptions } from '../arguments/validate.ts'

const { EALREADY, ECANCELED, ENOENT, ETIME } = constants.errno

/** Clocks that a timeout can follow. */
export type Clock = 'monotonic' | 'boottime' | 'realtime'

const CLOCKS: Readonly<Record<Clock, number>> = {
  monotonic: 0,
  boottime: TimeoutFlags.BOOTTIME,
  realtime: TimeoutFlags.REALTIME,
}

/** The arguments that all timeouts have. */
interface Timing {
  readonly time: Time
  readonly absolute: boolean
  readonly clock: Clock
}

/** Checks a time and its clock, and returns their flags. */
function checkTiming({ time, absolute, clock }: Timing): number {
  checkTime(time, 'time')
  if (typeof clock !== 'string' || !Object.hasOwn(CLOCKS, clock))
    throw invalidValue('options.clock', clock, "must be one of: 'monotonic', 'boottime', 'realtime'")
  return flag(absolute, 'options.absolute') ? CLOCKS[clock] | TimeoutFlags.ABS : CLOCKS[clock]
}

/** Options of {@link Timeout}. */
export interface TimeoutOptions {
  /**
   * Completes early when so many other operations have completed; 0, the default, to wait for the time only. With
   * `multi`, the number of times that it expires; 0 for no limit.
   */
  count?: number
  /** If set, `time` is a point in time of the clock instead of a duration; false by default. */
  absolute?: boolean
  /** The clock: `'monotonic'` by default; the others since 5.15. */
  clock?: Clock
  /** Multishot: completes each time that `time` has passed (6.4); false by default. */
  multi?: boolean
  /** Does not cancel the operations that are linked after it when it expires (5.16); false by default. */
  etimeSuccess?: boolean
}

/**
 * Completes when a time has passed, or when a number of other operations have completed. Resolves to `'expired'` or
 * `'count'`.
 *
 * Fails with `ECANCELED` (it was removed), `EINVAL` (options that the kernel does not combine). Since Linux 5.4. See
 * io_uring_prep_timeout(3).
 */
export class Timeout extends Operation<'expired' | 'count'> {
  static override readonly opcode = 11
  static override readonly since = '5.4'
  static override readonly syscall = 'timeout'

  /** @internal */
  static override failed(result: number): boolean {
    return result < 0 && result !== -ETIME
  }

  /** @internal */
  static override rearm({ offset: count }: Armed, _result: number, results: number): boolean | number {
    if (count === 0) return true
    return results < count && count - results
  }

  /** @internal */
  static override decode(result: number): 'expired' | 'count' {
    return result === -ETIME ? 'expired' : 'count'
  }

  /** The time: milliseconds, or seconds and nanoseconds. */
  time: Time
  /** The number of completions to wait for; with `multi`, the number of times that it expires. 0 for no limit. */
  count: number
  /** If set, the time is a point in time of the clock instead of a duration. */
  absolute: boolean
  /** The clock of the time. */
  clock: Clock
  /** If set, it is multishot. */
  multi: boolean
  /** If set, its expiry does not cancel the operations that are linked after it. */
  etimeSuccess: boolean

  constructor(time: Time, options?: TimeoutOptions) {
    super()
    const {
      count = 0,
      absolute = false,
      clock = 'monotonic',
      multi = false,
      etimeSuccess = false,
    } = checkOptions(options)
    this.time = time
    this.count = count
    this.absolute = absolute
    this.clock = clock
    this.multi = multi
    this.etimeSuccess = etimeSuccess
    checkTimeout(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { count, flags } = checkTimeout(this)
    const block = timespec(this.time, 'time')
    entry.begin(Timeout.opcode, this)
    entry.fd(-1)
    entry.addr(block.address)
    entry.len(1)
    entry.off(count)
    entry.opFlags(flags)
    entry.multishot = (flags & TimeoutFlags.MULTISHOT) !== 0
    return block
  }
}

function checkTimeout(timeout: Timeout): { readonly count: number; readonly flags: number } {
  const count = integer(timeout.count, 'options.count', 0, MAX_U32)
  let flags = checkTiming(timeout)
  if (flag(timeout.multi, 'options.multi')) flags |= TimeoutFlags.MULTISHOT
  if (flag(timeout.etimeSuccess, 'options.etimeSuccess')) flags |= TimeoutFlags.ETIME_SUCCESS
  return { count, flags }
}

/**
 * Removes a timeout, which then completes with `ECANCELED`. Resolves to 0.
 *
 * Fails with `ENOENT` (no such timeout, for instance because it has expired), `EBUSY` (it is just expiring). Since Linux
 * 5.5. See io_uring_prep_timeout(3).
 */
export class TimeoutRemove extends RemoveOperation {
  static override readonly opcode = 12
  static override readonly since = '5.5'
  static override readonly syscall = 'timeout_remove'
}

/** Options of {@link TimeoutUpdate}. */
export interface TimeoutUpdateOptions {
  /** If set, `time` is a point in time of the timeout's clock instead of a duration; false by default. */
  absolute?: boolean
  /** The clock. Kernels up to now accept only `'monotonic'`, the default: a timeout keeps its clock. */
  clock?: Clock
  /** If set, the timeout is a {@link LinkTimeout} (5.15); false by default. */
  linked?: boolean
}

/**
 * Gives a timeout a new time, which counts from now. The timeout keeps its token and its clock. Resolves to 0.
 *
 * Fails with `ENOENT` (no such timeout, for instance because it has expired; a {@link LinkTimeout} needs `linked`),
 * `EALREADY` (it is just expiring), `EINVAL` (another clock). Since Linux 5.11. See io_uring_prep_timeout_update(3).
 */
export class TimeoutUpdate extends Operation<number> {
  static override readonly opcode = 12
  static override readonly since = '5.11'
  /** @internal */
  static override readonly variantSince = '5.11'
  static override readonly syscall = 'timeout_update'

  /** The submission to change. */
  token: Token
  /** The new time: milliseconds, or seconds and nanoseconds. */
  time: Time
  /** If set, the time is a point in time of the clock instead of a duration. */
  absolute: boolean
  /** The clock of the time. */
  clock: Clock
  /** If set, the token names a `LinkTimeout`. */
  linked: boolean

  constructor(token: Token, time: Time, options?: TimeoutUpdateOptions) {
    super()
    const { absolute = false, clock = 'monotonic', linked = false } = checkOptions(options)
    this.token = token
    this.time = time
    this.absolute = absolute
    this.clock = clock
    this.linked = linked
    checkTimeoutUpdate(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { token, flags } = checkTimeoutUpdate(this)
    const block = timespec(this.time, 'time')
    beginTarget(entry, this, token)
    entry.off(block.address)
    entry.opFlags(flags)
    return block
  }
}

function checkTimeoutUpdate(update: TimeoutUpdate): { readonly token: Token; readonly flags: number } {
  const token = checkToken(update.token)
  const flags = TimeoutFlags.UPDATE | checkTiming(update)
  return {
    token,
    flags: flag(update.linked, 'options.linked') ? flags | TimeoutFlags.LINK_TIMEOUT_UPDATE : flags,
  }
}

/** Results of a link timeout that are not failures: it expired, perhaps too late to cancel, or it was not needed. */
const OVER: ReadonlySet<number> = new Set([-ETIME, -EALREADY, -ENOENT, -ECANCELED])

/** Options of {@link LinkTimeout}. */
export interface LinkTimeoutOptions {
  /** If set, `time` is a point in time of the clock instead of a duration; false by default. */
  absolute?: boolean
  /** The clock: `'monotonic'` by default; the others since 5.15. */
  clock?: Clock
}

/**
 * Cancels the operation that is linked to it, the one pushed just before it, when a time has passed. Resolves to
 * `'expired'`, even if it was too late to cancel, or to `'cancelled'` if the operation completed first.
 *
 * Fails with `EINVAL` when no operation is linked to it. Since Linux 5.5. See io_uring_prep_link_timeout(3).
 */
export class LinkTimeout extends Operation<'expired' | 'cancelled'> {
  static override readonly opcode = 15
  static override readonly since = '5.5'
  static override readonly syscall = 'link_timeout'

  /** @internal */
  static override failed(result: number): boolean {
    return result < 0 && !OVER.has(result)
  }

  /** @internal */
  static override decode(result: number): 'expired' | 'cancelled' {
    return result === -ECANCELED ? 'cancelled' : 'expired'
  }

  /** The time: milliseconds, or seconds and nanoseconds. */
  time: Time
  /** If set, the time is a point in time of the clock instead of a duration. */
  absolute: boolean
  /** The clock of the time. */
  clock: Clock

  constructor(time: Time, options?: LinkTimeoutOptions) {
    super()
    const { absolute = false, clock = 'monotonic' } = checkOptions(options)
    this.time = time
    this.absolute = absolute
    this.clock = clock
    checkTiming(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const flags = checkTiming(this)
    const block = timespec(this.time, 'time')
    entry.begin(LinkTimeout.opcode, this)
    entry.fd(-1)
    entry.addr(block.address)
    entry.len(1)
    entry.opFlags(flags)
    return block
  }
}
