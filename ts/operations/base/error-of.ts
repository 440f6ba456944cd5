// The errors of results.

import { constants } from 'node:os'
import { detachedError, systemError, UringError } from '../../errors.ts'
import type { OperationClass } from './operation-class.ts'
import { memlockAllowed, memlockText } from '../../system/memlock.ts'

const { ENOMEM } = constants.errno

/** Returns the error of a result: the memory was detached, or the kernel returned an error number. */
export function errorOf(
  operationClass: OperationClass,
  result: number,
  state: unknown,
  cause?: unknown,
): UringError {
  if (state instanceof UringError) return state // it was never submitted
  const { name, syscall } = operationClass
  if (!operationClass.intact(result, state)) return detachedError(name)
  const details = operationClass.describe(state)
  const note = result === -ENOMEM ? noteOf(operationClass, state) : undefined
  return systemError(result, details.syscall ?? syscall, { operation: name, ...details, note, cause })
}

/** Names the limit of locked memory that an `ENOMEM` may come from. */
function noteOf(operationClass: OperationClass, state: unknown): string | undefined {
  const bytes = operationClass.lockedBytes?.(state)
  return bytes === undefined || memlockAllowed() === Infinity ? undefined : `it ${memlockText(bytes)}`
}
