// The submission table: submissions in flight, and what they keep alive.
//
// The user data of an entry is the index of its submission (low word) and its generation (high word), so a completion
// finds its submission without a search, and a stale token matches nothing. The native side holds this table as long as
// the kernel may use the memory in it.

import { generationOf, indexOf, MAX_SUBMISSIONS, type Token } from '../entry/token.ts'
import * as entryTraits from '../entry/traits.ts'
import { UringError } from '../errors.ts'
import { Groups } from '../buffers/groups.ts'
import type { OperationClass, SubmissionNames } from '../operations/base/operation-class.ts'

/** 31 bits: bit 63 of the user data marks unsolicited completions. */
const MAX_GENERATION = 0x7fff_ffff

// Constants of this module, which V8 folds; a variable of another module it would load each time.
const { MULTISHOT, OBSERVED, RUN } = entryTraits
const SPECIAL = MULTISHOT | OBSERVED

/** A submission, or a free place for one. */
export class Submission {
  readonly index: number
  /** Increases when the submission is released, so that a stale token does not match the next one in this place. */
  generation = 1
  /** The class of the operation; absent if the place is free. */
  operationClass: OperationClass | undefined = undefined
  /** Memory that lives until the last completion, and from which the result is decoded. */
  state: unknown = undefined
  userData: unknown = undefined
  /** Bits of `traits.ts`. */
  traits = 0
  /** The value that the class of an observed submission returned for the last completion. */
  observation: unknown = undefined
  /** The next free place. */
  next: Submission | undefined = undefined

  constructor(index: number) {
    this.index = index
  }
}

/** Places at first: few, because they are used in turn, and all of them should stay in the processor's cache. */
const FEW = 64

export class SubmissionTable implements SubmissionNames {
  /** Multishot submissions of the queue API. */
  multishots = 0
  /** The buffer groups of the ring. */
  readonly groups: Groups = new Groups()
  /** Registered resources, which the kernel keeps between operations. */
  readonly registered: Set<object> = new Set()
  private readonly all: Submission[] = []
  /** Free places are a queue, so that each rests as long as it can and its generations last. It is never empty. */
  private first: Submission
  private lastFree: Submission

  constructor() {
    this.first = new Submission(0)
    this.lastFree = this.first
    this.all.push(this.first)
    this.grow(FEW)
  }

  /** Takes a free place for a submission. */
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

  /** Accounts for a multishot or an observed submission. */
  private begin(submission: Submission): void {
    if ((submission.traits & (MULTISHOT | RUN)) === MULTISHOT) this.multishots += 1
    if ((submission.traits & OBSERVED) !== 0) submission.observation = this.enqueue(submission)
  }

  private enqueue({ operationClass, state }: Submission): unknown {
    return operationClass?.onEnqueue?.(this.groups, state)
  }

  /** Lets the class of an observed submission see a completion. Returns the state to decode it with. */
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

  /** Releases a submission, and what it kept alive. */
  release(submission: Submission): void {
    submission.operationClass = undefined
    submission.state = undefined
    submission.userData = undefined
    if ((submission.traits & SPECIAL) !== 0) this.end(submission)
    submission.traits = 0
    submission.generation += 1
    if (submission.generation > MAX_GENERATION) return // the place is retired: no token would be free for it
    submission.next = undefined
    this.lastFree.next = submission
    this.lastFree = submission
  }

  private end(submission: Submission): void {
    if ((submission.traits & (MULTISHOT | RUN)) === MULTISHOT) this.multishots -= 1
    submission.observation = undefined
  }

  /** Returns the submission that the two words of user data name; `undefined` if they are stale. */
  find(index: number, generation: number): Submission | undefined {
    if (index >= this.all.length) return undefined
    const submission = this.all[index]!
    return submission.generation === generation && submission.operationClass !== undefined
      ? submission
      : undefined
  }

  /** Changes the user data of a pushed submission, if the token is not stale. */
  rename(token: Token, userData: unknown): void {
    const submission = this.find(indexOf(token), generationOf(token))
    if (submission !== undefined && (submission.traits & RUN) === 0) submission.userData = userData
  }

  /** Returns the submissions in use. */
  used(): Submission[] {
    return this.all.filter(({ operationClass }) => operationClass !== undefined)
  }

  /** Grows the table. Returns the first new place. */
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
