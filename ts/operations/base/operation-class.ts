// Per-class behaviour of operations: how results are validated, decoded and re-armed.

import type { UringErrorDetails } from '../../errors.ts'
import type { Groups } from '../../buffers/groups.ts'
import type { FileTarget } from '../../arguments/file.ts'

const NOTHING: readonly FileTarget[] = []

/** The facts by which a class decides if a multishot operation is armed again. */
export interface Armed {
  readonly state: unknown
  readonly offset: number
}

/** The submissions of the ring, for classes that change others. */
export interface SubmissionNames {
  /** Gives a submission another user data. A stale token matches nothing. */
  rename(token: number, userData: unknown): void
}

/**
 * The behaviour of an operation class. `state` is the value that `encode` returned for the submission: the memory
 * that the kernel uses, and everything else that the result is made from. No hook gets the operation itself, which
 * may have changed since it was pushed.
 */
export interface OperationClass<T = unknown> {
  /** The name of the class: `'Read'`. */
  readonly name: string
  /** `IORING_OP_*`. */
  readonly opcode: number
  /** The first kernel that has the operation: `'5.6'`. */
  readonly since: string
  /** True if its entry has 128 bytes, for a ring made with `sqe128`. @internal */
  readonly sqe128: boolean
  /** The first kernel that has a variant of an older opcode. @internal */
  readonly variantSince: string | undefined
  /** The system call that errors name. @internal */
  readonly syscall: string
  /** Tells if a result is an error. @internal */
  failed(result: number): boolean
  /** Tells if the memory of the submission is still there; `false` if it was detached. @internal */
  intact(result: number, state: unknown): boolean
  /** Returns the value of a result. @internal */
  decode(result: number, flags: number, state: unknown): T
  /**
   * Called when an observed submission is enqueued, before the kernel can have it. Returns the first `last` of
   * `observe`. A submission that is withdrawn is observed as cancelled.
   *
   * @internal
   */
  onEnqueue?(groups: Groups, state: unknown): unknown
  /**
   * Called when a completion of an observed submission is consumed, also if the submission skips its success. Returns
   * the state that the completion is decoded with. `last` is what it returned for the completion before.
   *
   * @internal
   */
  observe(
    groups: Groups,
    result: number,
    flags: number,
    state: unknown,
    last: unknown,
    submissions: SubmissionNames,
  ): unknown
  /**
   * Tells if a multishot operation is armed again after its last completion: a number is how much is left of it.
   * `results` is the number of its completions so far, `total` the sum of their results. @internal
   */
  rearm(entry: Armed, result: number, results: number, total: number): boolean | number
  /** The field of the entry that says how much there is, if it is not the offset. @internal */
  readonly extent?: 'word'
  /** Tells if a result only marks the end and has no value of its own. @internal */
  isEnd(result: number): boolean
  /** Returns the files that a result leaves open if it is not consumed. @internal */
  leftover(result: number, state: unknown): readonly FileTarget[]
  /** Returns the number of bytes to move, if fewer break a chain. @internal */
  requested(state: unknown): number | undefined
  /**
   * Returns the bytes of locked memory that the operation needs while it is in flight, to explain `ENOMEM`. @internal
   */
  lockedBytes?(state: unknown): number | undefined
  /** Returns what an error has beside its code. @internal */
  describe(state: unknown): UringErrorDetails
}

/** The behaviour of a class that overrides nothing: the result is a number, and negative results are errors. */
export const DEFAULT_BEHAVIOR: Omit<OperationClass<number>, 'name' | 'opcode' | 'since'> = {
  sqe128: false,
  variantSince: undefined,
  syscall: 'io_uring',
  failed: (result) => result < 0,
  intact: () => true,
  decode: (result) => result,
  observe: (_groups, _result, _flags, state) => state,
  rearm: () => true,
  isEnd: () => false,
  leftover: () => NOTHING,
  requested: () => undefined,
  describe: () => ({}),
}
