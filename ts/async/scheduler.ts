// The asynchronous flow: what is run goes to the kernel together, once a turn, and what completed is delivered to
// whoever waits for it, without keeping the event loop from its other work.

import { type Boundary, KEEP, STATUS } from '../ring/boundary.ts'
import type { Completion } from '../ring/completion.ts'
import { Entry, SUBMITTABLE } from '../entry/entry.ts'
import type { EntryWriter } from '../entry/entry-writer.ts'
import { MULTISHOT, SINGLE_RESULT, OBSERVED } from '../entry/traits.ts'
import { errorCode, fullError, systemError, type UringError } from '../errors.ts'
import { CqeFlags, SetupFlags, SqeFlags } from '../flags/index.ts'
import { unsolicitedCompletion, isUnsolicited } from '../ring/unsolicited.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import type { Operation } from '../operations/base/operation.ts'
import type { CancelTarget } from '../operations/cancel.ts'
import { Queue } from '../ring/fifo.ts'
import { resolveFile } from '../arguments/file.ts'
import { RunTask, type Settle, settleWith, taskOf } from './tasks.ts'
import { RUN } from '../entry/traits.ts'
import type { Submission, SubmissionTable } from '../ring/submissions.ts'
import { type Token, tokenOf } from '../entry/token.ts'
import { invalidType, invalidValue } from '../arguments/validate.ts'

/** What can be submitted. */
export type Submittable = Operation<unknown> | Entry<unknown>

/** Who waits for the completions of a submission. */
export interface Task {
  /** Whether it keeps the event loop open. */
  readonly ref: boolean
  /** Whether it waits for any number of completions, or for one; absent, for either. */
  readonly multishot?: boolean
  /** A completion. The last one has no `MORE` in its flags. */
  complete(operationClass: OperationClass, result: number, flags: number, state: unknown): void
}

// Module constants, which V8 folds where it would load a property of an imported object.
const { HEAD, TAIL } = STATUS
const { MORE, NOTIF } = CqeFlags
/** Entry flags that a single operation, or the last of a chain, cannot have. */
const ALONE = SqeFlags.IO_LINK | SqeFlags.IO_HARDLINK | SqeFlags.CQE_SKIP_SUCCESS
const ECANCELED = -125
const EBADFD = 77

/** Completions in one turn of the event loop. Bounding rounds instead lets timers run late. */
const BUDGET = 256
/** Milliseconds until what the kernel refused for now is offered again. */
const RETRY = 1

const RESOLVED = Promise.resolve()

/** A submission, or a chain of them, that waits for room. */
interface Waiting {
  readonly entries: readonly Entry<unknown>[]
  readonly submissions: readonly Submission[]
}

/** A completion that was taken by a call that may not deliver it. */
interface Late {
  readonly task: Task
  readonly operationClass: OperationClass
  readonly result: number
  readonly flags: number
  readonly state: unknown
}

/** What the scheduler needs of its ring. */
export interface Host {
  readonly boundary: Boundary
  readonly submissions: SubmissionTable
  /** Keeps a completion for the waiting calls. */
  setAside(completion: Completion): void
  /** A completion of something that was pushed, with its record's second half. */
  pushed(submission: Submission, result: number, flags: number, at: number): Completion
  /** The second half of a record. */
  extra(at: number, flags: number): readonly [bigint, bigint] | undefined
  /** A message or a tag. */
  arrived(completion: Completion): void
  /** A completion that nobody asked for. */
  stray(): void
}

/**
 * The members of this class, of `EntryWriter` and of `SubmissionTable` are private by TypeScript and not by `#`: V8 inlines by
 * size into the loop that awaits, a `#` takes twice the bytecode, and each call that is left shows in `npm run bench`.
 */
export class Scheduler {
  /** Submissions that are staged or with the kernel. */
  inFlight = 0
  /** Those that keep the event loop open. */
  private refs = 0
  /** Whether any may. */
  private mayKeep = true
  /** Who waits for what nothing in flight brings. */
  private listeners = 0
  private readonly host: Host
  private readonly boundary: Boundary
  private readonly submissions: SubmissionTable
  private readonly run: EntryWriter
  private readonly status: Uint32Array
  /** What may be in flight. */
  private most: number
  private readonly waiting = new Queue<Waiting>()
  private readonly late = new Queue<Late>()
  private scheduled = false
  private delivering = false
  /** Completions that were delivered in this turn of the event loop. */
  private delivered = 0
  /** Set when nothing new is taken: why. */
  private ended: UringError | undefined
  private idle: (() => void)[] = []
  private retry: NodeJS.Timeout | undefined
  /** Whether completions come only to who asks for them. */
  private readonly polls: boolean
  private polling: NodeJS.Immediate | undefined
  /** Whether a failure that will not pass was told of. */
  private warned = false
  /** Held here and nowhere else while nothing is in flight, so that it goes with the ring. */
  private readonly wake = (): void => {
    this.delivered = 0
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

  constructor(host: Host) {
    this.host = host
    this.boundary = host.boundary
    this.submissions = host.submissions
    this.run = host.boundary.run
    this.status = host.boundary.status
    this.most = host.boundary.cqEntries
    const { setupFlags } = host.boundary.native
    this.polls = (setupFlags & (SetupFlags.IOPOLL | SetupFlags.SQPOLL)) === SetupFlags.IOPOLL
    host.boundary.startWaker(this.wake)
  }

  /** The queues have other sizes now: there may be room for what waits. */
  resized(): void {
    this.most = this.boundary.cqEntries
    this.schedule()
  }

  /** Entries of the longest chain that waits for room, all of which have to be submitted together. */
  get longest(): number {
    let longest = 0
    for (const { entries } of this.waiting) longest = Math.max(longest, entries.length)
    return longest
  }

  /** Submissions that wait for room. */
  get pending(): number {
    return this.waiting.length
  }

  /** Whether operations in flight keep the event loop open. */
  set referenced(value: boolean) {
    this.mayKeep = value
    this.keep()
  }

  /** Somebody waits for what nothing in flight brings, until the function that this gives is called. */
  listen(ref: boolean): () => void {
    const refs = ref ? 1 : 0
    this.listeners += 1
    this.refs += refs
    this.keep()
    return () => {
      this.listeners -= 1
      this.refs -= refs
      this.keep()
    }
  }

  /** Stages an operation, or keeps it until there is room. (A token is a number that has to be allocated: few ask.) */
  add(item: Submittable, task: Task, name = 'operation'): Submission {
    if (this.ended !== undefined || item?.[SUBMITTABLE] !== true || (item.sqeFlags & ALONE) !== 0)
      this.refuse(item, name, ALONE)
    const { run } = this
    if (this.inFlight >= this.most || run.count >= run.limit || this.waiting.length > 0) {
      const later = this.addLater(item, task, name)
      if (later !== undefined) return later
    }
    const state = item.encode(run)
    const { traits } = run
    if (traits !== 0 || task.multishot === true) checkMultishot(task, traits, item, name)
    const submission = this.submissions.acquire(item.operationClass, state, task, traits | RUN)
    run.end(submission)
    this.inFlight += 1
    if (task.ref) this.refs += 1
    if (!this.scheduled) this.schedule()
    return submission
  }

  /** The same for a promise without a signal or a timeout, as most are: what resolves it stands for the task. */
  addRun(item: Submittable, resolve: Settle, reject: Settle): void {
    if (this.ended !== undefined || item?.[SUBMITTABLE] !== true || (item.sqeFlags & ALONE) !== 0)
      this.refuse(item, 'operation', ALONE)
    const { run } = this
    if (this.inFlight >= this.most || run.count >= run.limit || this.waiting.length > 0) {
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
    this.inFlight += 1
    this.refs += 1
    if (!this.scheduled) this.schedule()
  }

  /** Keeps an operation until there is room; `undefined` where there is some after all. */
  private addLater(item: Submittable, task: Task, name: string): Submission | undefined {
    if (this.waiting.length === 0 && this.admits(1)) return undefined
    return this.wait([item], [task], [name])[0]
  }

  /** Refuses what cannot be run by itself. */
  check(item: Submittable, name: string): void {
    if (this.ended !== undefined || item?.[SUBMITTABLE] !== true || (item.sqeFlags & ALONE) !== 0)
      this.refuse(item, name, ALONE)
  }

  /** Stages an operation though nothing new is taken: what is there still has to be put in order. */
  addLast(item: Submittable, task: Task): void {
    if (this.admits(1, true)) this.stageNow(item, task)
    else this.wait([item], [task], ['operation'])
  }

  /** Stages a chain: all of it together, or later. `links` are set on all but the last. */
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

  /** Asks the kernel to cancel a submission; one that is still waiting for room goes at once. */
  cancel(token: Token, cancellation: Submittable, task: Task): void {
    const [found] = this.waiting.remove(({ submissions }) =>
      submissions.some((submission) => tokenOf(submission) === token),
    )
    if (found !== undefined) this.drop(found)
    else this.addLast(cancellation, task)
  }

  /** Ends what waits for room and is meant by `target`: how multishot there were. */
  dropWaiting(target: CancelTarget, all: boolean): number {
    let left = all || target === 'any' ? Infinity : 1
    const found = this.waiting.remove(({ submissions, entries }) => {
      if (
        left === 0 ||
        !submissions.some((submission, index) => isMeant(target, tokenOf(submission), entries[index]!))
      )
        return false
      left -= 1
      return true
    })
    for (const waiting of found) this.drop(waiting)
    return found.length
  }

  /** Whether nothing new is taken. */
  get isEnded(): boolean {
    return this.ended !== undefined
  }

  /**
   * Sorts the completions that a call of the other flow has found: what was pushed is set aside for it, the rest is
   * delivered when that call is over.
   */
  sort(): void {
    for (;;) {
      while (this.boundary.unread > 0) this.putOff()
      if (!this.boundary.more) break
      this.boundary.getEvents()
      if (this.boundary.unread === 0) break
    }
    if (this.late.length > 0) this.schedule()
  }

  /** Hands over what is staged at once: what is asked of the kernel next has to find it there. */
  submitNow(): void {
    if (this.run.count > 0) this.submit()
  }

  /** The ring takes entries from now on. */
  enabled(): void {
    this.schedule()
  }

  /** Takes nothing new: what waits for room ends with `error`. */
  end(error: UringError): void {
    this.ended = error
    for (const waiting of this.waiting.remove(() => true)) this.drop(waiting, error)
    this.submissions.groups.provided() // who waits for buffers waits in vain
    this.schedule()
  }

  /** Resolves when nothing is in flight and everything was delivered. */
  settled(): Promise<void> {
    if (this.inFlight === 0 && this.late.length === 0) return RESOLVED
    return new Promise((resolve) => this.idle.push(resolve))
  }

  /** The ring is gone, and with it all that was in flight. */
  abandon(): void {
    clearTimeout(this.retry)
    for (const submission of this.submissions.used()) {
      if ((submission.traits & RUN) === 0) continue
      this.late.push(this.taken(submission, ECANCELED, 0))
    }
    this.schedule()
  }

  /** Ends what was asked for by code that had closed the ring on the way: a getter of an argument. */
  private forsake(): void {
    const state = this.ended
    for (const waiting of this.waiting.remove(() => true)) this.drop(waiting, state)
    for (const submission of this.submissions.used())
      if ((submission.traits & RUN) !== 0) this.late.push({ ...this.taken(submission, ECANCELED, 0), state })
  }

  // ---- staging

  /** Refuses what cannot be waited for, and entry flags that are out of place. */
  private refuse(item: Submittable, name: string, flags: number): void {
    if (this.ended !== undefined) throw this.ended
    if (item?.[SUBMITTABLE] !== true) throw invalidType(name, 'an instance of Operation or Entry', item)
    const found = item.sqeFlags & flags
    if ((found & SqeFlags.CQE_SKIP_SUCCESS) !== 0)
      throw invalidValue(name, item, 'skips its success, which nobody could wait for: push it')
    if (found !== 0)
      throw invalidValue(name, item, 'is linked to a next one, and there is none: use chain() for several')
  }

  /** Whether so multishot more can be staged. In flight never exceeds the completion queue, but for cancellations. */
  private admits(count: number, urgent = false): boolean {
    const run = this.run
    if (!urgent && this.inFlight + count > this.most) return false
    if (run.count + count > run.limit) {
      this.submit()
      if (run.count + count > run.limit) return false
    }
    return true
  }

  private stageNow(item: Submittable, task: Task): void {
    const run = this.run
    const state = item.encode(run)
    run.end(this.submissions.acquire(item.operationClass, state, task, run.traits | RUN))
    this.inFlight += 1
    if (task.ref) this.refs += 1
    this.schedule()
  }

  /** Encodes now, because a change after this call changes nothing, and stages later. */
  private wait(
    items: readonly Submittable[],
    tasks: readonly Task[],
    names: readonly string[],
  ): Submission[] {
    const entries = items.map((item) => (item instanceof Entry ? item : item.build()))
    for (const [index, entry] of entries.entries()) {
      entry.check(this.run)
      checkMultishot(tasks[index]!, entry.traits, items[index]!, names[index]!)
    }
    const submissions = entries.map((entry, index) => {
      const task = tasks[index]!
      if (task.ref) this.refs += 1
      return this.submissions.acquire(entry.operationClass, entry.state, task, entry.traits | RUN)
    })
    this.waiting.push({ entries, submissions })
    this.schedule()
    return submissions
  }

  /** Whether there is room for the first that waits, all of it. */
  private canAdmit(): boolean {
    const waiting = this.waiting.first()
    return waiting !== undefined && this.admits(waiting.entries.length)
  }

  /** Stages what waits, in order, as far as there is room. */
  private admit(): void {
    const run = this.run
    for (;;) {
      const waiting = this.canAdmit() ? this.waiting.shift() : undefined
      if (waiting === undefined) return
      for (const [index, entry] of waiting.entries.entries()) {
        const submission = waiting.submissions[index]!
        entry.encode(run)
        run.end(submission)
        this.inFlight += 1
      }
    }
  }

  /** Ends what never began, because it was cancelled or because of `error`. */
  private drop({ submissions }: Waiting, error?: UringError): void {
    for (const submission of submissions) {
      this.inFlight += 1 // it never was, and what settles it counts it down
      const taken = this.taken(submission, ECANCELED, 0)
      this.late.push(error === undefined ? taken : { ...taken, state: error })
    }
    this.schedule()
  }

  // ---- submitting

  /** One flush for all that is asked for in this turn; after multishot completions the event loop gets its turn first. */
  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    if (this.delivered < BUDGET) void RESOLVED.then(this.flushSoon)
    else setImmediate(this.flushNextTurn)
  }

  private flush(): void {
    if (this.delivering) return // whoever delivers comes back to it
    if (this.boundary.closed) {
      this.forsake()
    } else {
      this.admit()
      this.submit()
    }
    this.deliver()
    this.keep()
    if (this.polls) this.poll()
    if (this.inFlight === 0 && this.late.length === 0 && this.idle.length > 0) {
      for (const resolve of this.idle.splice(0)) resolve()
    }
  }

  private submit(): void {
    const error = this.boundary.submitRun()
    if (error === 0 && this.run.count === 0) return
    if (error !== 0 && !isPassing(error)) {
      if (!this.warned) process.emitWarning(systemError(error, 'io_uring_enter'))
      this.warned = true
    }
    if (error === -EBADFD) return // the ring is disabled: whoever enables it comes back
    this.retry ??= setTimeout(() => {
      this.retry = undefined
      this.wake()
    }, RETRY)
  }

  /** Nothing wakes the event loop where the kernel finds completions only by asking the device: so it asks each turn. */
  private poll(): void {
    if (this.boundary.closed || this.inFlight === 0) return
    this.polling ??= setImmediate(() => {
      this.polling = undefined
      this.wake()
    })
    if (this.isKept()) this.polling.ref()
    else this.polling.unref()
  }

  /** Whether the event loop stays open. */
  private isKept(): boolean {
    return this.mayKeep && this.refs > 0
  }

  private keep(): void {
    if (this.boundary.closed) return
    const open = this.isKept() ? KEEP.LOOP : 0
    const isAwaited = this.inFlight > 0 || this.waiting.length > 0 || this.listeners > 0
    this.boundary.keep(isAwaited ? open | KEEP.CALLBACK : 0)
  }

  // ---- delivering

  /** One loop a ring: a call from inside a callback only adds to what it delivers. */
  private deliver(): void {
    this.delivering = true
    try {
      do {
        this.deliverLate()
        this.deliverRecords()
      } while (this.hasMore())
    } finally {
      this.delivering = false
    }
  }

  private deliverLate(): void {
    while (this.delivered < BUDGET) {
      const late = this.late.shift()
      if (late === undefined) return
      this.delivered += 1
      this.settle(late.task, late.operationClass, late.result, late.flags, late.state)
    }
  }

  /** Takes records until something has been put off meanwhile, which is older than the rest. */
  private deliverRecords(): void {
    const { records, mask, stride } = this.boundary
    const status = this.status
    while (this.delivered < BUDGET && this.late.length === 0) {
      const head = status[HEAD]!
      if (status[TAIL] === head) return
      const at = (head & mask) * stride
      const submission = this.submissions.find(records[at]!, records[at + 1]!)
      if (submission === undefined || submission.traits < RUN) {
        this.sortOne(at, submission)
        continue
      }
      const result = records[at + 2]! | 0
      const flags = records[at + 3]!
      status[HEAD] = head + 1
      this.delivered += 1
      const waiter = submission.userData as Task | Settle
      const operationClass = submission.operationClass!
      let { state } = submission
      if (typeof waiter === 'function' && (flags & (MORE | NOTIF)) === 0) {
        const reject = submission.observation as Settle
        submission.observation = undefined
        this.submissions.release(submission)
        this.inFlight -= 1
        this.refs -= 1
        settleWith(waiter, reject, operationClass, result, flags, state)
        continue
      }
      const task = taskOf(submission, waiter)
      if ((submission.traits & OBSERVED) !== 0) state = this.submissions.observe(submission, result, flags)
      if ((flags & MORE) === 0) this.submissions.release(submission)
      this.settle(task, operationClass, result, flags, state)
    }
  }

  /** Whether there is more to deliver in this turn; what is left for another is put off. */
  private hasMore(): boolean {
    const boundary = this.boundary
    if (this.delivered >= BUDGET) {
      if (this.canAdmit() || this.late.length > 0 || boundary.unread > 0 || boundary.more) this.schedule()
      return false
    }
    if (this.late.length > 0 || boundary.unread > 0) return true
    if (this.canAdmit()) {
      this.schedule() // there is room now
      return false
    }
    if (!boundary.more || boundary.closed) return false
    boundary.getEvents()
    return boundary.unread > 0
  }

  /** Takes the oldest record and keeps it for later, or for the other flow. */
  private putOff(): void {
    const { records, mask, stride } = this.boundary
    const at = (this.status[HEAD]! & mask) * stride
    const submission = this.submissions.find(records[at]!, records[at + 1]!)
    if (submission === undefined || submission.traits < RUN) {
      this.sortOne(at, submission)
      return
    }
    this.status[HEAD]! += 1
    this.late.push(this.taken(submission, records[at + 2]! | 0, records[at + 3]!))
  }

  /** Takes a record that is not of this flow. */
  private sortOne(at: number, submission: Submission | undefined): void {
    const { records } = this.boundary
    const [low, high, result, flags] = [
      records[at]!,
      records[at + 1]!,
      records[at + 2]! | 0,
      records[at + 3]!,
    ]
    if (submission !== undefined) {
      this.host.setAside(this.host.pushed(submission, result, flags, at))
    } else if (isUnsolicited(high)) {
      this.host.arrived(unsolicitedCompletion(low, high, result, flags, this.host.extra(at, flags)))
    } else {
      this.host.stray()
    }
    this.status[HEAD]! += 1
  }

  /** A completion of a submission, which is given back with the last one. */
  private taken(submission: Submission, result: number, flags: number): Late {
    const task = taskOf(submission, submission.userData as Task | Settle)
    const operationClass = submission.operationClass!
    let { state } = submission
    if ((submission.traits & OBSERVED) !== 0) state = this.submissions.observe(submission, result, flags)
    if ((flags & MORE) === 0) this.submissions.release(submission)
    return { task, operationClass, result, flags, state }
  }

  /** The submission is settled before whoever waits is told. */
  private settle(
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

/** Failures that are none: the same call later goes on where this one stopped. */
function isPassing(errno: number): boolean {
  const code = errorCode(errno)
  return code === 'EAGAIN' || code === 'EBUSY' || code === 'EINTR' || code === 'ENOMEM' || code === 'EBADFD'
}

/** Whether an entry that waits for room is meant by the target of a cancellation. */
function isMeant(target: CancelTarget, token: Token, entry: Entry<unknown>): boolean {
  if (target === 'any') return true
  const keys = typeof target === 'number' ? { token: target } : target
  return (
    (keys.token === undefined || keys.token === token) &&
    (keys.opcode === undefined || keys.opcode === entry.opcode) &&
    (keys.file === undefined || entry.isOn(resolveFile(keys.file, 'target.file')))
  )
}

/** Whether an entry has any number of answers. */
function isMultishot(traits: number): boolean {
  return (traits & (MULTISHOT | SINGLE_RESULT)) === MULTISHOT
}

/** Refuses a multishot operation for one answer, or another one for multishot. */
function checkMultishot({ multishot }: Task, traits: number, item: Submittable, name: string): void {
  if (multishot === undefined || multishot === isMultishot(traits)) return
  const reason = multishot ? 'completes only once: use run()' : 'completes any number of times: use each()'
  throw invalidValue(name, item, reason)
}

/** Whether a submission is one of this flow. */
export function isRun(traits: number): boolean {
  return (traits & RUN) !== 0
}
