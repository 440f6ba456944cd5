// Time.

import { constants } from 'node:os'
import type { EntryWriter } from '../entry.ts'
import { TimeoutFlags } from '../flags.ts'
import { Operation } from '../operation.ts'
import { checkToken, generationOf, slotOf, type Token } from '../slots.ts'
import { checkTime, type Time, timespec } from '../time.ts'
import { flag, integer, invalidValue, MAX_U32, options } from '../validate.ts'

const { ETIME } = constants.errno

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
  count: number
  absolute: boolean
  clock: Clock
  multi: boolean
  etimeSuccess: boolean

  constructor(time: Time, given?: TimeoutOptions) {
    super()
    const {
      count = 0,
      absolute = false,
      clock = 'monotonic',
      multi = false,
      etimeSuccess = false,
    } = options(given)
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
    entry.many = this.multi
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
    entry.target(slotOf(token), generationOf(token))
    return undefined
  }
}
