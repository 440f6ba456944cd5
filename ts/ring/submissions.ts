// The submission table: what is in flight, and what it keeps alive.
//
// A token names one submission: generation * 2^22 + submission. The submission is the low word of the kernel's user data and the
// generation the high one, so a completion finds its submission without a search, and a token that has had its day finds
// nothing. The native half holds this table for as long as the kernel may use what is in it.

import { generationOf, indexOf, MAX_SUBMISSIONS, type Token } from '../entry/token.ts'
import { MULTISHOT, OBSERVED, RUN } from '../entry/traits.ts'
import { UringError } from '../errors.ts'
import { Groups } from '../buffers/groups.ts'
import type { OperationClass, SubmissionNames } from '../operations/base/operation-class.ts'

/** 31 bits: bit 63 of the user data marks what did not come from here. */
const MAX_GENERATION = 0x7fff_ffff

const SPECIAL = MULTISHOT | OBSERVED

/** A place for one submission. */
export class Submission {
  readonly index: number
  /** Goes up when the submission is given back, so that nothing finds its next submission by an old token. */
  generation = 1
  /** What was submitted; absent in a free submission. */
  operationClass: OperationClass | undefined = undefined
  /** What has to live, and what the result is decoded from. */
  state: unknown = undefined
  userData: unknown = undefined
  /** What is special about the entry: `MULTISHOT`, `OBSERVED`. */
  traits = 0
  /** What the class of a watched one made of its last completion. */
  observation: unknown = undefined
  /** The free submission after this one. */
  next: Submission | undefined = undefined

  constructor(index: number) {
    this.index = index
  }
}

/** Few to start with: submissions are used in turn, and all of them should stay in the processor's cache. */
const FEW = 64

export class SubmissionTable implements SubmissionNames {
  /** Submissions in use by entries that were pushed and may complete any number of times. */
  multishots = 0
  /** The memory that the kernel may choose from. */
  readonly groups: Groups = new Groups()
  /** What the kernel keeps between operations. */
  readonly registered: Set<object> = new Set()
  private readonly all: Submission[] = []
  /** Free submissions are a queue: a submission rests as long as it can, so its generations last. One always stays in it. */
  private first: Submission
  private lastFree: Submission

  constructor() {
    this.first = new Submission(0)
    this.lastFree = this.first
    this.all.push(this.first)
    this.grow(FEW)
  }

  /** Takes a submission. */
  acquire(operationClass: OperationClass, state: unknown, userData: unknown, traits: number): Submission {
    const submission = this.first
    this.first = submission.next ?? this.more()
    submission.operationClass = operationClass
    submission.state = state
    submission.userData = userData
    submission.traits = traits
    if ((traits & SPECIAL) !== 0) this.begin(submission)
    return submission
  }

  /** What is special about few submissions. */
  private begin(submission: Submission): void {
    if ((submission.traits & (MULTISHOT | RUN)) === MULTISHOT) this.multishots += 1
    if ((submission.traits & OBSERVED) !== 0) submission.observation = this.watch(submission)
  }

  private watch({ operationClass, state }: Submission): unknown {
    return operationClass?.onEnqueue?.(this.groups, state)
  }

  /** Lets the class of a watched submission look at a completion, and gives the state to decode it with. */
  observe(submission: Submission, result: number, flags: number): unknown {
    submission.observation = submission.operationClass?.observe(
      this.groups,
      result,
      flags,
      submission.state,
      submission.observation,
      this,
    )
    return submission.observation
  }

  /** Gives a submission back, with all that it kept alive. */
  release(submission: Submission): void {
    submission.operationClass = undefined
    submission.state = undefined
    submission.userData = undefined
    if ((submission.traits & SPECIAL) !== 0) this.end(submission)
    submission.traits = 0
    submission.generation += 1
    if (submission.generation > MAX_GENERATION) return // nothing matches it any more: the submission is retired
    submission.next = undefined
    this.lastFree.next = submission
    this.lastFree = submission
  }

  private end(submission: Submission): void {
    if ((submission.traits & (MULTISHOT | RUN)) === MULTISHOT) this.multishots -= 1
    submission.observation = undefined
  }

  /** The submission in use that user data names. */
  find(index: number, generation: number): Submission | undefined {
    if (index >= this.all.length) return undefined
    const submission = this.all[index]!
    return submission.generation === generation && submission.operationClass !== undefined
      ? submission
      : undefined
  }

  /** Gives a pushed submission another user data, if the token still names one. */
  rename(token: Token, userData: unknown): void {
    const submission = this.find(indexOf(token), generationOf(token))
    if (submission !== undefined && (submission.traits & RUN) === 0) submission.userData = userData
  }

  /** The submissions in use. */
  used(): Submission[] {
    return this.all.filter(({ operationClass }) => operationClass !== undefined)
  }

  /** The free submission after the last one. */
  private more(): Submission {
    const { lastFree } = this
    this.grow(this.all.length * 2)
    return lastFree.next!
  }

  private grow(capacity: number): void {
    if (capacity > MAX_SUBMISSIONS) {
      throw new UringError(
        'ERR_URING_SQ_FULL',
        `${MAX_SUBMISSIONS} submissions are in flight, which is the most that a ring can tell apart`,
      )
    }
    while (this.all.length < capacity) {
      const submission = new Submission(this.all.length)
      this.all.push(submission)
      this.lastFree.next = submission
      this.lastFree = submission
    }
  }
}
