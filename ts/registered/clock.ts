// The clock that waits follow.

import { invalidValue } from '../arguments/validate.ts'
import { accepted } from './kernel-errors.ts'
import type { Registration } from './context.ts'

const REGISTER_CLOCK = 29
const CLOCK_BYTES = 16

/** Clocks that waits can follow. */
export type WaitClock = 'monotonic' | 'boottime'

const CLOCKS: Readonly<Record<WaitClock, number>> = { monotonic: 1, boottime: 7 }

export function registerClock(registration: Registration, name: WaitClock): void {
  if (typeof name !== 'string' || !Object.hasOwn(CLOCKS, name)) {
    throw invalidValue('name', name, "must be one of: 'monotonic', 'boottime'")
  }
  const argument = Buffer.alloc(CLOCK_BYTES) // struct io_uring_clock_register
  argument.writeUInt32LE(CLOCKS[name], 0)
  accepted(registration.call(REGISTER_CLOCK, argument, 0), 'Ring.registerClock()', '6.12')
}
