// The completion side of the queue API: completions that were found and not consumed, and those that were sorted out for
// it after the promise API began.

import type { Scheduler } from '../async/scheduler.ts'
import type { Token } from '../entry/token.ts'
import { tokenOf } from '../entry/token.ts'
import { BUILT, OBSERVED } from '../entry/traits.ts'
import { systemError } from '../errors.ts'
import { CqeFlags } from '../flags/index.ts'
import { type Boundary, isTransient } from './boundary.ts'
import { Completion } from './completion.ts'
import {
  CompletionRecords,
  consume,
  flagsOf,
  highOf,
  lowOf,
  oldest,
  resultOf,
  submissionOf,
} from './completion-records.ts'
import { Queue } from './fifo.ts'
import type { SkippedChains } from './skip-success.ts'
import type { Submission, SubmissionTable } from './submissions.ts'
import { isUnsolicited, unsolicitedCompletion, unsolicitedData } from './unsolicited.ts'

const { MORE } = CqeFlags
const IS_OBSERVED = OBSERVED

/** Receives one completion of {@link CompletionQueue.drain}. */
type OnCompletion = (userData: unknown, result: number, flags: number, token: Token) => void

export class CompletionQueue {
  readonly records: CompletionRecords
  /** Completions with no submission: neither messages nor tags. */
  stray = 0
  /**
   * The scheduler of the promise API, once that has begun. From then on it sorts all records, and the completions of
   * the queue API come from {@link setAside} alone.
   */
  scheduler: Scheduler | undefined = undefined
  private readonly boundary: Boundary
  private readonly submissions: SubmissionTable
  private readonly skipped: SkippedChains
  /** Completions that were peeked at or sorted out: older than all records. */
  private readonly aside = new Queue<Completion>()

  constructor(boundary: Boundary, submissions: SubmissionTable, skipped: SkippedChains) {
    this.boundary = boundary
    this.submissions = submissions
    this.skipped = skipped
    this.records = new CompletionRecords(boundary)
  }

  /** Returns how many completions can be consumed without entering the kernel. */
  ready(): number {
    const { boundary } = this
    if (this.scheduler !== undefined) {
      this.scheduler.sort()
      return this.aside.length
    }
    const known = boundary.unread + this.aside.length
    return boundary.more ? known + boundary.native.cqReady() : known
  }

  /** Enters the kernel once, to let completions arrive. */
  look(): void {
    const error = this.boundary.getEvents()
    this.scheduler?.sort()
    if (error !== 0 && !isTransient(error)) throw systemError(error, 'io_uring_enter')
  }

  /** Consumes the oldest completion, if there is one. */
  shift(): Completion | undefined {
    const first = this.aside.shift()
    if (first !== undefined || this.scheduler !== undefined) return first
    for (;;) {
      const at = this.records.next()
      if (at < 0) {
        if (!this.boundary.more) return undefined
        this.look()
        if (this.boundary.unread === 0) return undefined
      } else {
        const completion = this.take(at)
        if (completion !== undefined) return completion
      }
    }
  }

  /** Returns the oldest completion and leaves it where it is. */
  peek(): Completion | undefined {
    if (this.aside.length === 0) {
      const completion = this.shift()
      if (completion !== undefined) this.aside.push(completion)
    }
    return this.aside.first()
  }

  /**
   * Hands all ready completions to `onCompletion`, without an object for each. Returns how many.
   *
   * Rare cases have methods of their own: V8 inlines the callback only while the loop around it is short.
   */
  drain(onCompletion: OnCompletion): number {
    const { boundary, submissions } = this
    const { words, status, mask, stride } = this.records
    let left = this.ready()
    if (left === 0) {
      this.look()
      left = this.ready()
    }
    let delivered = 0
    // The callback may close the ring or begin the promise API.
    for (; left > 0 && !boundary.closing; left -= 1) {
      if (this.scheduler !== undefined || this.aside.length > 0) {
        if (!this.handOver(onCompletion)) break
        delivered += 1
        continue
      }
      let at = oldest(status, mask, stride)
      if (at < 0) {
        at = this.lookForOldest()
        if (at < 0) break
      }
      const submission = submissionOf(submissions, words, at)
      consume(status)
      if (submission === undefined) {
        delivered += this.handOverUnsolicited(at, onCompletion)
        continue
      }
      const { userData } = submission
      const token = tokenOf(submission)
      const result = resultOf(words, at)
      const flags = flagsOf(words, at)
      if ((submission.traits & IS_OBSERVED) !== 0) submissions.observe(submission, result, flags)
      if ((flags & MORE) === 0) this.release(submission, result)
      delivered += 1
      onCompletion(userData, result, flags, token)
    }
    return delivered
  }

  /** Hands over a completion that was peeked at or sorted out; `false` if there is none. */
  private handOver(onCompletion: OnCompletion): boolean {
    const completion = this.shift()
    if (completion === undefined) return false
    onCompletion(completion.userData, completion.result, completion.flags, completion.token)
    return true
  }

  /** Hands over a message or a tag. Returns 1, or 0 for a stray completion. */
  private handOverUnsolicited(at: number, onCompletion: OnCompletion): number {
    const { words } = this.records
    const high = highOf(words, at)
    if (!isUnsolicited(high)) {
      this.stray += 1
      return 0
    }
    onCompletion(unsolicitedData(lowOf(words, at), high), resultOf(words, at), flagsOf(words, at), 0)
    return 1
  }

  /** Enters the kernel, and returns the position of the oldest record, or -1. */
  private lookForOldest(): number {
    this.look()
    return this.records.next()
  }

  /** Keeps a completion that the promise API found for the queue API. */
  setAside(completion: Completion): void {
    this.aside.push(completion)
  }

  /** Removes and returns the messages and tags that wait to be consumed. */
  removeUnsolicited(): Completion[] {
    return this.aside.remove(({ source }) => source !== 'operation')
  }

  /** Drops all completions that were not consumed. */
  clear(): void {
    this.aside.remove(() => true)
  }

  /** Makes the completion of a pushed submission, and releases the submission with the last one. */
  completion(submission: Submission, at: number): Completion {
    const { userData } = submission
    const token = tokenOf(submission)
    const operationClass = submission.operationClass!
    const built = (submission.traits & BUILT) !== 0
    const { words } = this.records
    const result = resultOf(words, at)
    const flags = flagsOf(words, at)
    let { state } = submission
    if ((submission.traits & OBSERVED) !== 0) state = this.submissions.observe(submission, result, flags)
    if ((flags & MORE) === 0) this.release(submission, result)
    const extra = this.records.extra(at)
    const completion = new Completion(
      'operation',
      token,
      userData,
      result,
      flags,
      extra,
      operationClass,
      state,
    )
    return built ? completion.settle() : completion
  }

  /** Makes the completion of a message or a tag; counts any other completion without a submission as stray. */
  unsolicited(at: number): Completion | undefined {
    const { words } = this.records
    const high = highOf(words, at)
    if (isUnsolicited(high))
      return unsolicitedCompletion(
        lowOf(words, at),
        high,
        resultOf(words, at),
        flagsOf(words, at),
        this.records.extra(at),
      )
    this.stray += 1
    return undefined
  }

  /** Consumes the oldest record; `undefined` for a stray completion. */
  private take(at: number): Completion | undefined {
    const { words, status } = this.records
    consume(status)
    const submission = submissionOf(this.submissions, words, at)
    return submission === undefined ? this.unsolicited(at) : this.completion(submission, at)
  }

  /** Releases a submission after its last completion, and the skip-success ones that are done with it. */
  private release(submission: Submission, result: number): void {
    this.submissions.release(submission)
    if (!this.skipped.active) return
    for (const other of this.skipped.completed(submission, result)) {
      // It succeeded or never ran. If it never ran, the buffers that it provides are held for nothing.
      if ((other.traits & OBSERVED) !== 0) this.submissions.observe(other, 0, 0)
      this.submissions.release(other)
    }
  }
}
