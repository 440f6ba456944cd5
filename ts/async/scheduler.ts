// The scheduler of the promise API: admits operations, submits them together once a turn of the event loop, and decides
// when completions are delivered without keeping the event loop from its other work.

import { constants } from 'node:os'
import { Entry, SUBMITTABLE } from '../entry/entry.ts'
import type { EntryWriter } from '../entry/entry-writer.ts'
import { type Token, tokenOf } from '../entry/token.ts'
import { RUN } from '../entry/traits.ts'
import { fullError, systemError, type UringError } from '../errors.ts'
import { SetupFlags, SqeFlags } from '../flags/index.ts'
import type { CancelTarget } from '../operations/cancel.ts'
import { type Boundary, isTransient, KEEP } from '../ring/boundary.ts'
import type { CompletionQueue } from '../ring/completion-queue.ts'
import type { Submission, SubmissionTable } from '../ring/submissions.ts'
import { ALONE, checkMultishot, checkSubmittable, type Submittable } from './checks.ts'
import { Delivery } from './delivery.ts'
import { RunTask, type Settle, type Task } from './tasks.ts'
import { type Waiting, WaitingList } from './waiting.ts'

const { ECANCELED, ENOMEM } = constants.errno
const EBADFD = 77 // node:os does not have it
/** Milliseconds until a submission is retried after a transient error. */
const RETRY = 1

const RESOLVED = Promise.resolve()

/** The members are private by TypeScript and not by `#`, for the reason given at {@link Delivery}. */
export class Scheduler {
  readonly delivery: Delivery
  private readonly boundary: Boundary
  private readonly submissions: SubmissionTable
  /** The area of the entries of the promise API. */
  private readonly run: EntryWriter
  /** Submissions that may be in flight. */
  private capacity: number
  private readonly waiting: WaitingList
  /** A flush is scheduled. */
  private scheduled = false
  private delivering = false
  /** If not set, nothing keeps the event loop open. */
  private mayKeep = true
  /** Readers that wait for unsolicited completions. */
  private listeners = 0
  /** Set when nothing new is taken: the error that says why. */
  private ended: UringError | undefined
  private idle: (() => void)[] = []
  private retry: NodeJS.Timeout | undefined
  /** With IOPOLL, completions arrive only when the device is asked for them. */
  private readonly polls: boolean
  private polling: NodeJS.Immediate | undefined
  /** A permanent error of io_uring_enter(2) was reported as a warning. */
  private warned = false
  /** The waker's callback. Only this object refers to it while nothing is in flight, so it is collected with the ring. */
  private readonly wake = (): void => {
    this.delivery.delivered = 0
    this.flush()
  }
  private readonly flushSoon = (): void => {
    this.scheduled = false
    this.flush()
  }
  private readonly flushNextTurn = (): void => {
    this.scheduled = false
    this.wake()
  }

  constructor(boundary: Boundary, submissions: SubmissionTable, completions: CompletionQueue) {
    this.boundary = boundary
    this.submissions = submissions
    this.delivery = new Delivery(boundary, submissions, completions)
    this.waiting = new WaitingList(submissions)
    this.run = boundary.run
    this.capacity = boundary.cqEntries
    const { setupFlags } = boundary.native
    this.polls = (setupFlags & (SetupFlags.IOPOLL | SetupFlags.SQPOLL)) === SetupFlags.IOPOLL
    boundary.startWaker(this.wake)
  }

  // ---- state

  /** Submissions that wait for capacity. */
  get pending(): number {
    return this.waiting.length
  }

  /** Entries of the longest chain that waits for capacity, all of which have to be submitted together. */
  get longest(): number {
    return this.waiting.longest
  }

  /** True if nothing new is taken. */
  get isEnded(): boolean {
    return this.ended !== undefined
  }

  /** If set, operations in flight keep the event loop open. */
  set referenced(value: boolean) {
    this.mayKeep = value
    this.keep()
  }

  /** Counts a reader that waits for unsolicited completions, until the returned function is called. */
  listen(ref: boolean): () => void {
    const refs = ref ? 1 : 0
    this.listeners += 1
    this.delivery.refs += refs
    this.keep()
    return () => {
      this.listeners -= 1
      this.delivery.refs -= refs
      this.keep()
    }
  }

  /** Adapts to the new sizes of the queues, which may have capacity for what waits. */
  resized(): void {
    this.capacity = this.boundary.cqEntries
    this.schedule()
  }

  /** Submits what was kept back while the ring was disabled. */
  enabled(): void {
    this.schedule()
  }

  // ---- admission

  /** Enqueues an operation, or lets it wait for capacity. (A token is a number that has to be allocated: few need it.) */
  add(item: Submittable, task: Task, name = 'operation'): Submission {
    if (this.ended !== undefined || item?.[SUBMITTABLE] !== true || (item.sqeFlags & ALONE) !== 0)
      this.refuse(item, name, ALONE)
    const { run, delivery } = this
    if (delivery.inFlight >= this.capacity || run.count >= run.limit || this.waiting.length > 0) {
      const later = this.addLater(item, task, name)
      if (later !== undefined) return later
    }
    const state = item.encode(run)
    const { traits } = run
    if (traits !== 0 || task.multishot === true) checkMultishot(task, traits, item, name)
    const submission = this.submissions.acquire(item.operationClass, state, task, traits | RUN)
    run.end(submission)
    delivery.inFlight += 1
    if (task.ref) delivery.refs += 1
    if (!this.scheduled) this.schedule()
    return submission
  }

  /** Does what {@link add} does for a promise without signal and timeout: the submission holds what settles it. */
  addRun(item: Submittable, resolve: Settle, reject: Settle): void {
    if (this.ended !== undefined || item?.[SUBMITTABLE] !== true || (item.sqeFlags & ALONE) !== 0)
      this.refuse(item, 'operation', ALONE)
    const { run, delivery } = this
    if (delivery.inFlight >= this.capacity || run.count >= run.limit || this.waiting.length > 0) {
      if (this.addLater(item, new RunTask(resolve, reject, true), 'operation') !== undefined) return
    }
    const state = item.encode(run)
    const { traits } = run
    if (traits !== 0) {
      const task = new RunTask(resolve, reject, true)
      checkMultishot(task, traits, item, 'operation')
      run.end(this.submissions.acquire(item.operationClass, state, task, traits | RUN))
    } else {
      const submission = this.submissions.acquire(item.operationClass, state, resolve, RUN)
      submission.observation = reject
      run.end(submission)
    }
    delivery.inFlight += 1
    delivery.refs += 1
    if (!this.scheduled) this.schedule()
  }

  /** Enqueues an operation although nothing new is taken: cancellations, and the files of a ring that is being closed. */
  addLast(item: Submittable, task: Task): void {
    if (!this.admits(1, true)) {
      this.wait([item], [task], ['operation'])
      return
    }
    const { run, delivery } = this
    const state = item.encode(run)
    run.end(this.submissions.acquire(item.operationClass, state, task, run.traits | RUN))
    delivery.inFlight += 1
    if (task.ref) delivery.refs += 1
    this.schedule()
  }

  /** Enqueues a chain: all of it together, or later. `links` are set on all entries but the last. */
  addChain(
    items: readonly Submittable[],
    tasks: readonly Task[],
    links: number,
    names: readonly string[] = items.map((_, index) => `operations[${index}]`),
  ): Token[] {
    const end = items.length - 1
    for (const [index, item] of items.entries())
      this.refuse(item, names[index]!, index === end ? ALONE : SqeFlags.CQE_SKIP_SUCCESS)
    const most = this.boundary.entries
    if (items.length > most) throw fullError(most)
    const entries = items.map((item, index) => {
      const entry = item instanceof Entry ? item : item.build()
      return index < end ? entry.linked(links) : entry
    })
    const submissions = this.wait(entries, tasks, names)
    this.admit()
    return submissions.map(tokenOf)
  }

  /** Refuses an operation that `run()` cannot take. */
  check(item: Submittable, name: string): void {
    if (this.ended !== undefined || item?.[SUBMITTABLE] !== true || (item.sqeFlags & ALONE) !== 0)
      this.refuse(item, name, ALONE)
  }

  /** Lets an operation wait for capacity; `undefined` if there is capacity after all. */
  private addLater(item: Submittable, task: Task, name: string): Submission | undefined {
    if (this.waiting.length === 0 && this.admits(1)) return undefined
    return this.wait([item], [task], [name])[0]
  }

  /** Throws if the ring is closed, and for an operation or entry flags that cannot be run. */
  private refuse(item: Submittable, name: string, flags: number): void {
    if (this.ended !== undefined) throw this.ended
    checkSubmittable(item, name, flags)
  }

  /** True if `count` entries can be enqueued. `urgent` ones may exceed what may be in flight. */
  private admits(count: number, urgent = false): boolean {
    const { run } = this
    if (!urgent && this.delivery.inFlight + count > this.capacity) return false
    if (run.count + count > run.limit) {
      this.submit()
      if (run.count + count > run.limit) return false
    }
    return true
  }

  /** Lets operations wait for capacity. They are encoded now: later changes to them do not matter. */
  private wait(
    items: readonly Submittable[],
    tasks: readonly Task[],
    names: readonly string[],
  ): readonly Submission[] {
    const entries = items.map((item) => (item instanceof Entry ? item : item.build()))
    for (const [index, entry] of entries.entries()) {
      entry.check(this.run)
      checkMultishot(tasks[index]!, entry.traits, items[index]!, names[index]!)
    }
    const submissions = this.waiting.add(entries, tasks)
    for (const { ref } of tasks) if (ref) this.delivery.refs += 1
    this.schedule()
    return submissions
  }

  /** True if the oldest that waits, and all of its chain, can be enqueued. */
  private canAdmit(): boolean {
    const { needed } = this.waiting
    return needed > 0 && this.admits(needed)
  }

  /** Enqueues what waits, in order, as far as there is capacity. */
  private admit(): void {
    const { run, delivery } = this
    for (;;) {
      const waiting = this.canAdmit() ? this.waiting.shift() : undefined
      if (waiting === undefined) return
      for (const [index, entry] of waiting.entries.entries()) {
        entry.encode(run)
        run.end(waiting.submissions[index]!)
        delivery.inFlight += 1
      }
    }
  }

  // ---- cancelling and ending

  /** Asks the kernel to cancel a submission. One that waits for capacity ends at once. */
  cancel(token: Token, cancellation: Submittable, task: Task): void {
    const found = this.waiting.remove(token)
    if (found !== undefined) this.drop(found)
    else this.addLast(cancellation, task)
  }

  /** Ends what waits for capacity and matches `target`. Returns how many there were. */
  dropWaiting(target: CancelTarget, all: boolean): number {
    const found = this.waiting.removeMatching(target, all)
    for (const waiting of found) this.drop(waiting)
    return found.length
  }

  /** Takes nothing new. What waits for capacity ends with `error`. */
  end(error: UringError): void {
    this.ended = error
    for (const waiting of this.waiting.removeAll()) this.drop(waiting, error)
    this.submissions.groups.provided() // no buffers will come: wakes those who wait for them
    this.schedule()
  }

  /** Resolves when nothing is in flight and everything was delivered. */
  settled(): Promise<void> {
    if (this.delivery.isIdle) return RESOLVED
    return new Promise((resolve) => this.idle.push(resolve))
  }

  /** Ends what was in flight when the ring went away. */
  abandon(): void {
    clearTimeout(this.retry)
    this.endInFlight()
    this.schedule()
  }

  /** Ends the operations that were started by a getter which closed the ring. */
  private forsake(): void {
    for (const waiting of this.waiting.removeAll()) this.drop(waiting, this.ended)
    this.endInFlight(this.ended)
  }

  private endInFlight(error?: UringError): void {
    for (const submission of this.submissions.used())
      if ((submission.traits & RUN) !== 0) this.endOne(submission, error)
  }

  /** Ends a submission without a completion of the kernel: as cancelled, or with `error`. */
  private endOne(submission: Submission, error: UringError | undefined): void {
    const ended = this.delivery.consume(submission, -ECANCELED, 0)
    this.delivery.postpone(error === undefined ? ended : { ...ended, state: error })
  }

  /** Ends what waited for capacity, because it was cancelled or because of `error`. */
  private drop({ submissions }: Waiting, error?: UringError): void {
    for (const submission of submissions) {
      this.delivery.inFlight += 1 // it never was, and completing it counts it down
      this.endOne(submission, error)
    }
    this.schedule()
  }

  // ---- submitting

  /** Submits what is enqueued at once: the next call has to find it in the kernel. */
  submitNow(): void {
    if (this.run.count > 0) this.submit()
  }

  private submit(): void {
    const error = this.boundary.submitRun()
    if (error === 0 && this.run.count === 0) return
    if (error !== 0 && !passes(error)) {
      if (!this.warned) process.emitWarning(systemError(error, 'io_uring_enter'))
      this.warned = true
    }
    if (error === -EBADFD) return // the ring is disabled: enabled() comes back
    this.retry ??= setTimeout(() => {
      this.retry = undefined
      this.wake()
    }, RETRY)
  }

  // ---- turns of the event loop

  /** Schedules one flush for all that is started in this turn; after many completions, in the next turn. */
  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    if (this.delivery.isSpent) setImmediate(this.flushNextTurn)
    else void RESOLVED.then(this.flushSoon)
  }

  /** Sorts the completions that a call of the queue API has found: those of the promise API are delivered afterwards. */
  sort(): void {
    this.delivery.sortAll()
    if (this.delivery.hasPostponed) this.schedule()
  }

  /** Enters the kernel with what is enqueued, and delivers what has completed. */
  private flush(): void {
    if (this.delivering) return // the loop that delivers comes back to it
    if (this.boundary.closed) {
      this.forsake()
    } else {
      this.admit()
      this.submit()
    }
    this.deliver()
    this.keep()
    if (this.polls) this.poll()
    if (this.idle.length > 0 && this.delivery.isIdle) {
      for (const resolve of this.idle.splice(0)) resolve()
    }
  }

  /** One loop per ring: a call from inside a callback only adds to what it delivers. */
  private deliver(): void {
    this.delivering = true
    try {
      do this.delivery.deliver()
      while (this.hasMore())
    } finally {
      this.delivering = false
    }
  }

  /** True if there is more to deliver in this turn; schedules the next turn for what is left. */
  private hasMore(): boolean {
    const { boundary, delivery } = this
    if (delivery.isSpent) {
      if (this.canAdmit() || delivery.hasWork || boundary.more) this.schedule()
      return false
    }
    if (delivery.hasWork) return true
    if (this.canAdmit()) {
      this.schedule() // there is capacity now
      return false
    }
    if (!boundary.more || boundary.closed) return false
    boundary.getEvents()
    return boundary.unread > 0
  }

  /** With IOPOLL nothing wakes the event loop, so the device is asked in each turn. */
  private poll(): void {
    if (this.boundary.closed || this.delivery.inFlight === 0) return
    this.polling ??= setImmediate(() => {
      this.polling = undefined
      this.wake()
    })
    if (this.isKept()) this.polling.ref()
    else this.polling.unref()
  }

  /** True if the event loop stays open for this ring. */
  private isKept(): boolean {
    return this.mayKeep && this.delivery.refs > 0
  }

  /** Tells the native side what to keep: the event loop, and the callback, which holds the ring. */
  private keep(): void {
    if (this.boundary.closed) return
    const open = this.isKept() ? KEEP.LOOP : 0
    const isAwaited = this.delivery.inFlight > 0 || this.waiting.length > 0 || this.listeners > 0
    this.boundary.keep(isAwaited ? open | KEEP.CALLBACK : 0)
  }
}

/** True for errors of a submission that pass: transient ones, a lack of memory, and a ring that is still disabled. */
function passes(errno: number): boolean {
  return isTransient(errno) || errno === -ENOMEM || errno === -EBADFD
}
