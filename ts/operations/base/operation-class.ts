// What there is to know about all operations of a class.

import type { UringErrorDetails } from '../../errors.ts'
import type { Groups } from '../../buffers/groups.ts'
import type { FileTarget } from '../../arguments/file.ts'

const NOTHING: readonly FileTarget[] = []

/** What a class looks at to tell whether a multishot operation goes on. */
export interface Armed {
  readonly state: unknown
  readonly offset: number
}

/** What a class may change of other submissions to the ring. */
export interface SubmissionNames {
  /** Gives a submission another user data. A token that has had its day names none. */
  rename(token: number, userData: unknown): void
}

/**
 * What a completion needs of the operation's class. `state` is what `encode` returned for the submission: the memory
 * that the kernel uses, and whatever else the answer is made from. Nothing here looks at the operation itself, which
 * may have changed since.
 */
export interface OperationClass<T = unknown> {
  /** The name of the class: `'Read'`. */
  readonly name: string
  /** `IORING_OP_*`. */
  readonly opcode: number
  /** The first kernel that has it: `'5.6'`. */
  readonly since: string
  /** Whether its entry has 128 bytes, for a ring made with `sqe128`. @internal */
  readonly sqe128: boolean
  /** For a variant, which the kernel got later than the opcode, that version. @internal */
  readonly variantSince: string | undefined
  /** The system call that errors name. @internal */
  readonly syscall: string
  /** Whether a result is an error. @internal */
  failed(result: number): boolean
  /** Whether the memory of the submission is still what it was; `false` if it was detached. @internal */
  intact(result: number, state: unknown): boolean
  /** What a result means. @internal */
  decode(result: number, flags: number, state: unknown): T
  /**
   * Is told that a submission is staged, where `encode` has set `watched`, before the kernel can have it, and gives the
   * first `last` of `reap`. A submission that is withdrawn is reaped as cancelled.
   *
   * @internal
   */
  onEnqueue?(groups: Groups, state: unknown): unknown
  /**
   * Looks at a completion as it is taken, where `encode` has set `watched`, and gives the state that it is decoded with;
   * `last` is what it gave for the one before. Asked of a submission that does not report its success too.
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
   * Whether an entry is armed again after its last completion, when there were so many `results`, which are `total`
   * together: a number is how much is left of it. @internal
   */
  rearm(entry: Armed, result: number, results: number, total: number): boolean | number
  /** Where an entry says how much there is of it, if not as the offset. @internal */
  readonly extent?: 'word'
  /** Whether a result says that nothing more will come, and is none itself. @internal */
  isEnd(result: number): boolean
  /** What a result leaves open if nobody takes it. @internal */
  leftover(result: number, state: unknown): readonly FileTarget[]
  /** How many bytes the operation was to move, where fewer would break a chain. @internal */
  requested(state: unknown): number | undefined
  /** Bytes of locked memory that the operation needs while it is in flight, for the words of an `ENOMEM`. @internal */
  lockedBytes?(state: unknown): number | undefined
  /** What an error says beside its code. @internal */
  describe(state: unknown): UringErrorDetails
}

/** What an operation class does unless it says otherwise: the result is a number, and negative ones are errors. */
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
