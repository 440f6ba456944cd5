// The calls of the queue API that enter the kernel: submit, and wait for completions.
//
// A blocking call cannot be ended from JavaScript, so a wait is made of slices of at most SLICE milliseconds.

import { checkOptions, integer, MAX_U32, milliseconds } from '../arguments/validate.ts'
import { MULTISHOT, RUN } from '../entry/traits.ts'
import { nothingInFlightError, systemError } from '../errors.ts'
import { SLICE } from '../system/slice.ts'
import { type Boundary, isTransient } from './boundary.ts'
import type { Completion } from './completion.ts'
import type { CompletionQueue } from './completion-queue.ts'
import type { SkippedChains } from './skip-success.ts'
import type { SubmissionQueue } from './submission-queue.ts'
import type { Submission, SubmissionTable } from './submissions.ts'

/** How long to wait. */
export interface WaitOptions {
  /** Milliseconds, fractions allowed. Absent: as long as a completion can come; `Infinity`: for ever. */
  timeout?: number
  /** Milliseconds after which one completion is enough. */
  minWait?: number
}

/** A constant of this module, which V8 folds. */
const LONGEST: number = SLICE

export class Waits {
  private readonly boundary: Boundary
  private readonly submissions: SubmissionTable
  private readonly skipped: SkippedChains
  private readonly queue: SubmissionQueue
  private readonly completions: CompletionQueue

  constructor(
    boundary: Boundary,
    submissions: SubmissionTable,
    skipped: SkippedChains,
    queue: SubmissionQueue,
    completions: CompletionQueue,
  ) {
    this.boundary = boundary
    this.submissions = submissions
    this.skipped = skipped
    this.queue = queue
    this.completions = completions
  }

  /** Enters the kernel with what was pushed. Returns how many entries it consumed. */
  submit(): number {
    return this.enter(0, 0)
  }

  /** True if a wait for `count` completions can be {@link forPushed}: the pushed operations alone bring as many. */
  isForPushed(count: number): boolean {
    return (
      this.completions.scheduler === undefined && count <= this.boundary.pushed.count && !this.skipped.active
    )
  }

  /**
   * Submits and waits for completions of the pushed operations. Returns how many entries the kernel consumed.
   *
   * It does what {@link within} does, in so few steps that V8 inlines it: 4 % of a no-op in a batch of one.
   */
  forPushed(count: number): number {
    const { boundary, completions } = this
    let ready = completions.ready()
    let consumed = 0
    do {
      const error = boundary.submitPushed(Math.max(count - ready, 0), LONGEST)
      if (error !== 0) checkError(error)
      consumed += boundary.taken
      ready = completions.ready()
    } while (ready < count)
    return consumed
  }

  /** Submits, waits and consumes the oldest completion; `undefined` at the timeout. */
  one(options: WaitOptions | undefined): Completion | undefined {
    const timeout = milliseconds(checkOptions(options).timeout, 'options.timeout')
    const minWait = milliseconds(options?.minWait, 'options.minWait')
    this.boundary.checkOpen() // a getter of the options may have closed it, and then nothing ends the wait
    if (timeout === undefined) return this.oneAtAll()
    const deadline = performance.now() + timeout
    for (let left = timeout; ; left = deadline - performance.now()) {
      if (left < 0) return undefined
      this.waitWithin(1, left, minWait)
      // A stray completion ends the wait of the kernel, and there is nothing to return yet.
      const completion = this.completions.shift()
      if (completion !== undefined || performance.now() >= deadline) return completion
    }
  }

  /** Submits, waits for `count` completions and consumes `max` of them at most. */
  many(count: number, options: (WaitOptions & { max?: number }) | undefined): Completion[] {
    const { max: most = count } = checkOptions(options)
    const max = integer(most, 'options.max', 0, MAX_U32)
    this.within(count, options)
    const consumed: Completion[] = []
    while (consumed.length < max) {
      const completion = this.completions.shift()
      if (completion === undefined) break
      consumed.push(completion)
    }
    return consumed
  }

  /** Submits and waits until `count` completions are ready. Returns how many entries the kernel consumed. */
  within(count: number, options: WaitOptions | undefined): number {
    const { timeout, minWait } = checkOptions(options)
    const limit = milliseconds(timeout, 'options.timeout')
    const soon = milliseconds(minWait, 'options.minWait')
    this.boundary.checkOpen() // a getter of the options may have closed it, and then nothing ends the wait
    const ready = limit === undefined ? this.requirePossible(count) : this.completions.ready()
    return this.waitWithin(count, limit, soon, ready)
  }

  /** One completion without a timeout: what is ready is decided once, by consuming it. */
  private oneAtAll(): Completion | undefined {
    const { completions } = this
    let ready = this.requirePossible(1)
    for (;;) {
      const { stray } = completions
      this.enter(ready > 0 ? 0 : 1, SLICE)
      const completion = completions.shift()
      if (completion !== undefined) return completion
      ready = completions.stray === stray ? 0 : this.requirePossible(1)
    }
  }

  private waitWithin(
    count: number,
    timeout: number | undefined,
    minWait: number | undefined,
    readyBefore: number = this.completions.ready(),
  ): number {
    let now = performance.now()
    const deadline = now + (timeout ?? Infinity)
    const soon = now + (minWait ?? Infinity)
    let ready = readyBefore
    let enough = count
    let consumed = 0
    for (;;) {
      const left = Math.min(deadline, enough > 1 ? soon : Infinity) - now
      consumed += this.enter(Math.max(enough - ready, 0), Math.min(Math.max(left, 0), SLICE))
      ready = this.completions.ready()
      if (ready >= enough) return consumed
      now = performance.now()
      if (now >= deadline) return consumed
      if (now >= soon) {
        enough = 1
        if (ready > 0) return consumed
      }
    }
  }

  /** Enters the kernel once with what was pushed. Returns how many entries it consumed. */
  private enter(want: number, slice: number): number {
    const { boundary } = this
    const error = boundary.submitPushed(want, slice)
    if (this.completions.scheduler !== undefined) this.completions.scheduler.sort()
    if (this.skipped.active) this.queue.endChain()
    if (error !== 0) checkError(error)
    return boundary.taken
  }

  /** Returns how many completions are ready; refuses a wait for `count` that could never end. */
  private requirePossible(count: number): number {
    let ready = this.completions.ready()
    if (this.possible(count, ready) >= count) return ready
    this.boundary.getEvents() // messages and tags arrive without a submission
    ready = this.completions.ready()
    const possible = this.possible(count, ready)
    if (possible < count) throw nothingInFlightError(count, possible)
    return ready
  }

  /** Returns how many completions can come, as far as it matters for a wait for `count`. */
  private possible(count: number, ready: number): number {
    if (ready >= count) return ready
    // Without the promise API everything in flight was pushed, which is cheaper to know.
    const pushed =
      this.completions.scheduler === undefined ? undefined : this.submissions.used().filter(isPushed)
    if (pushed === undefined ? this.submissions.multishots > 0 : pushed.some(isMultishot)) return Infinity
    const submitted = pushed?.length ?? this.queue.writer.count + this.boundary.inFlight
    return ready + submitted - this.skipped.skipping
  }
}

/** Throws an error of io_uring_enter(2), unless it is transient. */
function checkError(errno: number): void {
  if (!isTransient(errno)) throw systemError(errno, 'io_uring_enter')
}

/** True for a submission of the queue API. */
export function isPushed({ traits }: Submission): boolean {
  return (traits & RUN) === 0
}

function isMultishot({ traits }: Submission): boolean {
  return (traits & MULTISHOT) !== 0
}
