// Errors of registrations that the kernel refuses.

import { constants } from 'node:os'
import { closedError, systemError, unsupportedError, UringError } from '../errors.ts'
import { kernelHas } from '../system/support.ts'

const { EBADF, EINVAL } = constants.errno
const SYSCALL = 'io_uring_register'

/** Returns the result of the registration `name`, which Linux has since `since`. @throws {UringError} if it is an error */
export function accepted(result: number, name: string, since: string): number {
  if (result >= 0) return result
  if (result === -EBADF) throw closedError() // a getter of an argument closed the ring
  // EINVAL is also the kernel's only answer to a registration that it does not know.
  if (result === -EINVAL && !kernelHas(since)) throw unsupported(result, name, since)
  throw systemError(result, SYSCALL)
}

/** Makes the error of a registration that this kernel does not have. */
export function unsupported(errno: number, name: string, since: string): UringError {
  return unsupportedError({ name, since }, { errno, syscall: SYSCALL })
}

/** Makes the error of a refusal, with its cause if that is known. */
export function explained(errno: number, cause: string | undefined): UringError {
  const error = systemError(errno, SYSCALL)
  if (cause === undefined) return error
  return new UringError(error.code, `${error.message}: ${cause}`, { errno, syscall: SYSCALL })
}
