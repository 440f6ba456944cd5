// The ring's eventfd. A ring has at most one: the program's, or the one of the promise API.

import { constants } from 'node:os'
import { resolveDescriptor } from '../arguments/file.ts'
import { type Registering, REGISTRATION } from '../arguments/ring.ts'
import { checkOptions, flag } from '../arguments/validate.ts'
import { systemError, UringError } from '../errors.ts'
import type { Registration } from './context.ts'

/** Options of {@link Ring.registerEventfd}. */
export interface RegisterEventfdOptions {
  /** Signals only completions of kernel workers, not completions that arrive during a call of this thread; false. */
  async?: boolean
}

const { EBUSY } = constants.errno

function checked(result: number): number {
  if (result < 0) throw systemError(result, 'io_uring_register')
  return result
}

/** Registers an eventfd of the program. */
export function registerEventfd(
  ring: Registering,
  fd: number | { readonly fd: number },
  options: RegisterEventfdOptions | undefined,
): void {
  void ring[REGISTRATION] // throws if the ring is closed
  const descriptor = resolveDescriptor(fd, 'fd')
  const { async: onlyAsync = false } = checkOptions(options)
  flag(onlyAsync, 'options.async')
  // A getter of an argument may have closed the ring.
  checked(ring[REGISTRATION].boundary.native.registerEventfd(descriptor, onlyAsync))
}

/** Unregisters the eventfd. */
export function unregisterEventfd({ boundary }: Registration): void {
  checked(boundary.native.unregisterEventfd())
}

/** Tells if completions signal the eventfd. */
export function isEventfdEnabled({ boundary }: Registration): boolean {
  return checked(boundary.native.eventfdEnabled()) === 1
}

/** Turns signals of the eventfd on or off. */
export function enableEventfd({ boundary }: Registration, enabled: boolean): void {
  const result = boundary.native.enableEventfd(flag(enabled, 'eventfdEnabled'))
  if (result !== -EBUSY) {
    checked(result)
  } else if (!enabled) {
    throw new UringError(
      'ERR_URING_EVENTFD',
      'run(), each(), chain() and start() of this ring need its eventfd, so it cannot be disabled. Use another ring for an eventfd of your own',
    )
  }
}
