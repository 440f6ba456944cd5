// What there is to know about all operations of a class.

import type { UringErrorDetails } from './errors.ts'

/**
 * What a completion needs of the operation's class. `state` is what `encode` returned for the submission: the memory
 * that the kernel uses, and whatever else the answer is made from. Nothing here looks at the operation itself, which
 * may have changed since.
 */
export interface OperationClass<T = unknown> {
  readonly name: string
  /** `IORING_OP_*`. */
  readonly opcode: number
  /** The first kernel that has it: `'5.6'`. */
  readonly since: string
  /** The system call that errors name. @internal */
  readonly syscall: string
  /** Whether a result is an error. @internal */
  failed(result: number): boolean
  /** Whether the memory of the submission is still what it was; `false` if it was detached. @internal */
  intact(result: number, state: unknown): boolean
  /** What a result means. @internal */
  decode(result: number, flags: number, state: unknown): T
  /** What an error says beside its code. @internal */
  describe(state: unknown): UringErrorDetails
}
