// The clock that measures the timeouts of waits.

import { invalidValue } from '../arguments/validate.ts'
import { IORING_REGISTER_CLOCK } from '../flags/registrations.ts'
import type { Registration } from './context.ts'
import { accepted } from './kernel-errors.ts'

const CLOCK_BYTES = 16 // struct io_uring_clock_register

/** A clock for the timeouts of waits. */
export type WaitClock = 'monotonic' | 'boottime'

const CLOCKS: Readonly<Record<WaitClock, number>> = { monotonic: 1, boottime: 7 }

/** Registers a clock. */
export function registerClock(registration: Registration, name: WaitClock): void {
  if (typeof name !== 'string' || !Object.hasOwn(CLOCKS, name)) {
    throw invalidValue('name', name, "must be one of: 'monotonic', 'boottime'")
  }
  const argument = Buffer.alloc(CLOCK_BYTES)
  argument.writeUInt32LE(CLOCKS[name], 0)
  accepted(registration.call(IORING_REGISTER_CLOCK, argument, 0), 'Ring.registerClock()', '6.12')
}
