// What a result stands for, whoever asks.

import { detachedError, systemError, UringError } from './errors.ts'
import type { OperationClass } from './kind.ts'

/** The error of a result that is one: the memory was taken away, or the kernel failed. */
export function errorOf(kind: OperationClass, result: number, state: unknown, cause?: unknown): UringError {
  if (state instanceof UringError) return state // it never began
  const { name, syscall } = kind
  if (!kind.intact(result, state)) return detachedError(name)
  const details = kind.describe(state)
  return systemError(result, details.syscall ?? syscall, { operation: name, ...details, cause })
}
