// Delivery: hands the completions of the promise API to their tasks, and sorts out those of the queue API.

import { OBSERVED, RUN } from '../entry/traits.ts'
import { CqeFlags } from '../flags/index.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import type { Boundary } from '../ring/boundary.ts'
import type { CompletionQueue } from '../ring/completion-queue.ts'
import {
  type CompletionRecords,
  consume,
  flagsOf,
  oldest,
  resultOf,
  submissionOf,
} from '../ring/completion-records.ts'
import { Queue } from '../ring/fifo.ts'
import type { Submission, SubmissionTable } from '../ring/submissions.ts'
import type { Messages } from './messages.ts'
import { type Settle, settleWith, type Task, taskOf } from './tasks.ts'

// Module constants, which V8 folds where it would load a property of an imported object.
const { MORE, NOTIF } = CqeFlags
const PROMISE_API = RUN
const IS_OBSERVED = OBSERVED

/** Completions in one turn of the event loop. Bounding rounds instead lets timers run late. */
const BUDGET = 256

/** A completion that was consumed by a call that may not deliver it. */
interface Postponed {
  readonly task: Task
  readonly operationClass: OperationClass
  readonly result: number
  readonly flags: number
  readonly state: unknown
}

/**
 * The members of this class, of `Scheduler`, `EntryWriter` and `SubmissionTable` are private by TypeScript and not by `#`:
 * V8 inlines by size into the loop that awaits, a `#` takes twice the bytecode, and each call that is left shows in
 * `npm run bench`.
 */
export class Delivery {
  /** Submissions that are enqueued or in flight. */
  inFlight = 0
  /** Submissions and readers that keep the event loop open. */
  refs = 0
  /** Completions that were delivered in this turn of the event loop. */
  delivered = 0
  /** The open iterator of `messages()`. */
  messages: Messages | undefined
  private readonly boundary: Boundary
  private readonly submissions: SubmissionTable
  private readonly completions: CompletionQueue
  private readonly records: CompletionRecords
  private readonly postponed = new Queue<Postponed>()

  constructor(boundary: Boundary, submissions: SubmissionTable, completions: CompletionQueue) {
    this.boundary = boundary
    this.submissions = submissions
    this.completions = completions
    this.records = completions.records
  }

  /** True if this turn of the event loop has had its share. */
  get isSpent(): boolean {
    return this.delivered >= BUDGET
  }

  /** True if completions wait to be delivered, in the area or postponed. */
  get hasWork(): boolean {
    return this.postponed.length > 0 || this.boundary.unread > 0
  }

  /** True if completions are postponed. */
  get hasPostponed(): boolean {
    return this.postponed.length > 0
  }

  /** True if nothing is in flight and everything was delivered. */
  get isIdle(): boolean {
    return this.inFlight === 0 && this.postponed.length === 0
  }

  /** Delivers postponed completions, and then records until one is postponed meanwhile: that one is older. */
  deliver(): void {
    this.deliverPostponed()
    this.deliverRecords()
  }

  private deliverPostponed(): void {
    while (this.delivered < BUDGET) {
      const next = this.postponed.shift()
      if (next === undefined) return
      this.delivered += 1
      this.complete(next.task, next.operationClass, next.result, next.flags, next.state)
    }
  }

  private deliverRecords(): void {
    const { submissions } = this
    const { words, status, mask, stride } = this.records
    while (this.delivered < BUDGET && this.postponed.length === 0) {
      const at = oldest(status, mask, stride)
      if (at < 0) return
      const submission = submissionOf(submissions, words, at)
      if (submission === undefined || submission.traits < PROMISE_API) {
        this.sortOut(at, submission)
        continue
      }
      const result = resultOf(words, at)
      const flags = flagsOf(words, at)
      consume(status)
      this.delivered += 1
      const receiver = submission.userData as Task | Settle
      const operationClass = submission.operationClass!
      let { state } = submission
      if (typeof receiver === 'function' && (flags & (MORE | NOTIF)) === 0) {
        const reject = submission.observation as Settle
        submission.observation = undefined
        submissions.release(submission)
        this.inFlight -= 1
        this.refs -= 1
        settleWith(receiver, reject, operationClass, result, flags, state)
        continue
      }
      const task = taskOf(submission, receiver)
      if ((submission.traits & IS_OBSERVED) !== 0) state = submissions.observe(submission, result, flags)
      if ((flags & MORE) === 0) submissions.release(submission)
      this.complete(task, operationClass, result, flags, state)
    }
  }

  /** Consumes all records of a call that may not deliver: they are postponed, or go to the queue API. */
  sortAll(): void {
    const { boundary, records, submissions } = this
    const { words, status } = records
    for (;;) {
      for (let at = records.next(); at >= 0; at = records.next()) {
        const submission = submissionOf(submissions, words, at)
        if (submission === undefined || submission.traits < PROMISE_API) {
          this.sortOut(at, submission)
        } else {
          consume(status)
          this.postpone(this.consume(submission, resultOf(words, at), flagsOf(words, at)))
        }
      }
      if (!boundary.more) return
      boundary.getEvents()
      if (boundary.unread === 0) return
    }
  }

  /** Consumes a completion of a submission, and releases the submission with its last one. */
  consume(submission: Submission, result: number, flags: number): Postponed {
    const task = taskOf(submission, submission.userData as Task | Settle)
    const operationClass = submission.operationClass!
    let { state } = submission
    if ((submission.traits & OBSERVED) !== 0) state = this.submissions.observe(submission, result, flags)
    if ((flags & MORE) === 0) this.submissions.release(submission)
    return { task, operationClass, result, flags, state }
  }

  postpone(completion: Postponed): void {
    this.postponed.push(completion)
  }

  /** Consumes a record that is not of the promise API. */
  private sortOut(at: number, submission: Submission | undefined): void {
    const { completions } = this
    if (submission === undefined) {
      const unsolicited = completions.unsolicited(at)
      if (unsolicited !== undefined) (this.messages ?? completions).setAside(unsolicited)
    } else {
      completions.setAside(completions.completion(submission, at))
    }
    consume(this.records.status)
  }

  /** Completes a task. What it holds is accounted for first: the task may run code of the program. */
  private complete(
    task: Task,
    operationClass: OperationClass,
    result: number,
    flags: number,
    state: unknown,
  ): void {
    if ((flags & MORE) === 0) {
      this.inFlight -= 1
      if (task.ref) this.refs -= 1
    }
    task.complete(operationClass, result, flags, state)
  }
}
