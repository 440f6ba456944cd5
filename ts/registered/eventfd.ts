// An eventfd of the program's. The asynchronous flow has one of its own, and a ring has room for one.

import { constants } from 'node:os'
import { systemError, UringError } from '../errors.ts'
import { checkOptions, flag } from '../arguments/validate.ts'
import { resolveDescriptor } from '../arguments/file.ts'
import type { Registration } from './context.ts'

/** Options of {@link Ring.registerEventfd}. */
export interface RegisterEventfdOptions {
  /** Announces only what a kernel worker has completed, and nothing that completes in a call of this thread. */
  async?: boolean
}

const { EBUSY } = constants.errno

function checked(result: number): number {
  if (result < 0) throw systemError(result, 'io_uring_register')
  return result
}

export function registerEventfd(
  ring: () => Registration,
  fd: number | { readonly fd: number },
  options: RegisterEventfdOptions | undefined,
): void {
  ring()
  const descriptor = resolveDescriptor(fd, 'fd')
  const { async: late = false } = checkOptions(options)
  flag(late, 'options.async')
  checked(ring().boundary.native.registerEventfd(descriptor, late))
}

export function unregisterEventfd({ boundary }: Registration): void {
  checked(boundary.native.unregisterEventfd())
}

export function isEventfdEnabled({ boundary }: Registration): boolean {
  return checked(boundary.native.eventfdEnabled()) === 1
}

export function enableEventfd(ring: () => Registration, enabled: boolean): void {
  const { native } = ring().boundary
  const result = native.enableEventfd(flag(enabled, 'eventfdEnabled'))
  if (result !== -EBUSY) {
    checked(result)
  } else if (!enabled) {
    throw new UringError(
      'ERR_URING_EVENTFD',
      "The eventfd of this ring is the asynchronous flow's, which could not be woken without it. Use another ring for an eventfd of your own",
    )
  }
}
