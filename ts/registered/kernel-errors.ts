// What it means when the kernel does not take a registration.

import { constants, release } from 'node:os'
import { closedError, systemError, UringError } from '../errors.ts'
import { kernelHas } from '../system/support.ts'

const { EBADF, EINVAL } = constants.errno
const SYSCALL = 'io_uring_register'

/** What a registration gave, if it was taken: `name` came to Linux with `since`. @throws {UringError} */
export function accepted(result: number, name: string, since: string): number {
  if (result >= 0) return result
  if (result === -EBADF) throw closedError() // by code that ran while the arguments were looked at
  // Kernels have no other word for a registration that they do not know.
  if (result === -EINVAL && !kernelHas(since)) throw unsupported(result, name, since)
  throw systemError(result, SYSCALL)
}

/** The kernel does not know this registration. */
export function unsupported(errno: number, name: string, since: string): UringError {
  return new UringError(
    'ERR_URING_UNSUPPORTED',
    `${name} needs Linux ${since} or later, and this is ${release()}`,
    { errno, syscall: SYSCALL },
  )
}

/** A refusal, and why. */
export function explained(errno: number, why: string | undefined): UringError {
  const error = systemError(errno, SYSCALL)
  if (why === undefined) return error
  return new UringError(error.code, `${error.message}: ${why}`, { errno, syscall: SYSCALL })
}
