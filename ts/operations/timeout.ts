// Time.

import { constants } from 'node:os'
import type { EntryWriter } from '../entry/entry-writer.ts'
import { TimeoutFlags } from '../flags/index.ts'
import type { Armed } from './base/operation-class.ts'
import { Operation } from './base/operation.ts'
import { checkToken, generationOf, indexOf, type Token } from '../entry/token.ts'
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

function clockFlags(clock: unknown, name: string): number {
  if (typeof clock === 'string' && Object.hasOwn(CLOCKS, clock)) return CLOCKS[clock as Clock]
  throw invalidValue(name, clock, "must be one of: 'monotonic', 'boottime', 'realtime'")
}

/** Options of {@link Timeout}. */
export interface TimeoutOptions {
  /** Completes early, when this many other operations have completed; with `multi`, expires this often (0: for ever). */
  count?: number
  /** `time` is a moment of the clock. */
  absolute?: boolean
  /** Which clock: `'monotonic'`; the others since 5.15. */
  clock?: Clock
  /** Completes again and again (6.4). */
  multi?: boolean
  /** Expiry is a success for the operations linked behind it too (5.16). */
  etimeSuccess?: boolean
}

/**
 * Completes when time has passed, or when other operations have completed. Resolves to `'expired'` or `'count'`.
 *
 * Fails with `ECANCELED` when it is removed, `EINVAL` for what the kernel does not combine. Since Linux 5.4. See
 * io_uring_prep_timeout(3).
 */
export class Timeout extends Operation<'expired' | 'count'> {
  static override readonly opcode = 11
  static override readonly since = '5.4'
  static override readonly syscall = 'timeout'

  /** When: milliseconds, or seconds and nanoseconds. */
  time: Time
  /** Completes early, when this many other operations have completed; with `multi`, expires this often. */
  count: number
  /** Whether the time is a moment of the clock. */
  absolute: boolean
  /** The clock that the time is of. */
  clock: Clock
  /** Whether it completes again and again. */
  multi: boolean
  /** Whether expiry is a success for the operations linked behind it too. */
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
    clockFlags(clock, 'options.clock')
    this.time = checkTime(time, 'time')
    this.count = integer(count, 'options.count', 0, MAX_U32)
    this.absolute = flag(absolute, 'options.absolute')
    this.clock = clock
    this.multi = flag(multi, 'options.multi')
    this.etimeSuccess = flag(etimeSuccess, 'options.etimeSuccess')
  }

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

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const count = integer(this.count, 'options.count', 0, MAX_U32)
    let flags = clockFlags(this.clock, 'options.clock')
    if (flag(this.absolute, 'options.absolute')) flags |= TimeoutFlags.ABS
    if (flag(this.multi, 'options.multi')) flags |= TimeoutFlags.MULTISHOT
    if (flag(this.etimeSuccess, 'options.etimeSuccess')) flags |= TimeoutFlags.ETIME_SUCCESS
    const block = timespec(this.time, 'time')
    entry.begin(Timeout.opcode, this)
    entry.fd(-1)
    entry.addr(block.address)
    entry.len(1)
    entry.off(count)
    entry.opFlags(flags)
    entry.multishot = this.multi
    return block
  }
}

/**
 * Removes a timeout, which then completes with `ECANCELED`. Resolves to 0.
 *
 * Fails with `ENOENT` when there is none (it has expired, say), `EBUSY` when it is just expiring. Since Linux 5.5. See
 * io_uring_prep_timeout(3).
 */
export class TimeoutRemove extends Operation<number> {
  static override readonly opcode = 12
  static override readonly since = '5.5'
  static override readonly syscall = 'timeout_remove'

  /** The submission to remove. */
  token: Token

  constructor(token: Token) {
    super()
    this.token = checkToken(token)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const token = checkToken(this.token)
    entry.begin(TimeoutRemove.opcode, this)
    entry.fd(-1)
    entry.target(indexOf(token), generationOf(token))
    return undefined
  }
}

/** Options of {@link TimeoutUpdate}. */
export interface TimeoutUpdateOptions {
  /** `time` is a moment of the clock that the timeout was made with. */
  absolute?: boolean
  /** Which clock. Kernels so far take nothing but `'monotonic'`: a timeout keeps the clock that it has. */
  clock?: Clock
  /** The timeout is a {@link LinkTimeout} (5.15). */
  linked?: boolean
}

/**
 * Gives a timeout another time, counted from now. Its token and its clock stay the same. Resolves to 0.
 *
 * Fails with `ENOENT` when there is none (it has expired, say; a {@link LinkTimeout} needs `linked`), `EALREADY` when it
 * is just expiring, `EINVAL` for another clock. Since Linux 5.11. See io_uring_prep_timeout_update(3).
 */
export class TimeoutUpdate extends Operation<number> {
  static override readonly opcode = 12
  static override readonly since = '5.11'
  /** @internal */
  static override readonly variantSince = '5.11'
  static override readonly syscall = 'timeout_update'

  /** The submission to change. */
  token: Token
  /** When: milliseconds, or seconds and nanoseconds. */
  time: Time
  /** Whether the time is a moment of the clock. */
  absolute: boolean
  /** The clock that the time is of. */
  clock: Clock
  /** Whether the token names a `LinkTimeout`. */
  linked: boolean

  constructor(token: Token, time: Time, options?: TimeoutUpdateOptions) {
    super()
    const { absolute = false, clock = 'monotonic', linked = false } = checkOptions(options)
    clockFlags(clock, 'options.clock')
    this.token = checkToken(token)
    this.time = checkTime(time, 'time')
    this.absolute = flag(absolute, 'options.absolute')
    this.clock = clock
    this.linked = flag(linked, 'options.linked')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const token = checkToken(this.token)
    let flags = TimeoutFlags.UPDATE | clockFlags(this.clock, 'options.clock')
    if (flag(this.absolute, 'options.absolute')) flags |= TimeoutFlags.ABS
    if (flag(this.linked, 'options.linked')) flags |= TimeoutFlags.LINK_TIMEOUT_UPDATE
    const block = timespec(this.time, 'time')
    entry.begin(TimeoutUpdate.opcode, this)
    entry.fd(-1)
    entry.target(indexOf(token), generationOf(token))
    entry.off(block.address)
    entry.opFlags(flags)
    return block
  }
}

/** The results of a link timeout that was no mistake: its time came (perhaps too late to cancel), or was not needed. */
const OVER: ReadonlySet<number> = new Set([-ETIME, -EALREADY, -ENOENT, -ECANCELED])

/** Options of {@link LinkTimeout}. */
export interface LinkTimeoutOptions {
  /** `time` is a moment of the clock. */
  absolute?: boolean
  /** Which clock: `'monotonic'`; the others since 5.15. */
  clock?: Clock
}

/**
 * Cancels the operation that is linked to it, the one pushed just before, when time has passed. Resolves to
 * `'expired'`, even where it came too late to cancel, or to `'cancelled'` when the operation was done first.
 *
 * Fails with `EINVAL` when no operation is linked to it. Since Linux 5.5. See io_uring_prep_link_timeout(3).
 */
export class LinkTimeout extends Operation<'expired' | 'cancelled'> {
  static override readonly opcode = 15
  static override readonly since = '5.5'
  static override readonly syscall = 'link_timeout'

  /** When: milliseconds, or seconds and nanoseconds. */
  time: Time
  /** Whether the time is a moment of the clock. */
  absolute: boolean
  /** The clock that the time is of. */
  clock: Clock

  constructor(time: Time, options?: LinkTimeoutOptions) {
    super()
    const { absolute = false, clock = 'monotonic' } = checkOptions(options)
    clockFlags(clock, 'options.clock')
    this.time = checkTime(time, 'time')
    this.absolute = flag(absolute, 'options.absolute')
    this.clock = clock
  }

  /** @internal */
  static override failed(result: number): boolean {
    return result < 0 && !OVER.has(result)
  }

  /** @internal */
  static override decode(result: number): 'expired' | 'cancelled' {
    return result === -ECANCELED ? 'cancelled' : 'expired'
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    let flags = clockFlags(this.clock, 'options.clock')
    if (flag(this.absolute, 'options.absolute')) flags |= TimeoutFlags.ABS
    const block = timespec(this.time, 'time')
    entry.begin(LinkTimeout.opcode, this)
    entry.fd(-1)
    entry.addr(block.address)
    entry.len(1)
    entry.opFlags(flags)
    return block
  }
}
