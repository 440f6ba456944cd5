// What a result stands for, whoever asks.

import { constants } from 'node:os'
import { detachedError, systemError, UringError } from '../../errors.ts'
import type { OperationClass } from './operation-class.ts'
import { memlockAllowed, memlockText } from '../../system/memlock.ts'

const { ENOMEM } = constants.errno

/** The error of a result that is one: the memory was taken away, or the kernel failed. */
export function errorOf(
  operationClass: OperationClass,
  result: number,
  state: unknown,
  cause?: unknown,
): UringError {
  if (state instanceof UringError) return state // it never began
  const { name, syscall } = operationClass
  if (!operationClass.intact(result, state)) return detachedError(name)
  const details = operationClass.describe(state)
  const note = result === -ENOMEM ? noteOf(operationClass, state) : undefined
  return systemError(result, details.syscall ?? syscall, { operation: name, ...details, note, cause })
}

/** What an `ENOMEM` does not say by itself: that a limit is meant, and which. */
function noteOf(operationClass: OperationClass, state: unknown): string | undefined {
  const bytes = operationClass.lockedBytes?.(state)
  return bytes === undefined || memlockAllowed() === Infinity ? undefined : `it ${memlockText(bytes)}`
}
