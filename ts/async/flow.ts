// The promise API of a ring: promises, iterators, chains and callbacks over its scheduler.

import { constants } from 'node:os'
import type { FileTarget } from '../arguments/file.ts'
import {
  callback,
  checkOptions,
  flag,
  integer,
  invalidType,
  invalidValue,
  milliseconds,
} from '../arguments/validate.ts'
import { binding } from '../binding.ts'
import type { Waiter } from '../buffers/groups.ts'
import type { Entry } from '../entry/entry.ts'
import { generationOf, indexOf, type Token, tokenOf } from '../entry/token.ts'
import { AbortError, closedError, invalidStateError, UringError } from '../errors.ts'
import { SqeFlags } from '../flags/index.ts'
import type { Operation } from '../operations/base/operation.ts'
import { type CancelTarget, fixedTarget } from '../operations/base/cancel-target.ts'
import { AsyncCancel } from '../operations/cancel.ts'
import { Close } from '../operations/openclose.ts'
import { LinkTimeout } from '../operations/timeout.ts'
import { cancelAtOnce } from '../registered/cancel-sync.ts'
import type { Boundary } from '../ring/boundary.ts'
import type { Completion } from '../ring/completion.ts'
import type { CompletionQueue } from '../ring/completion-queue.ts'
import type { Submission, SubmissionTable } from '../ring/submissions.ts'
import { type Abortable, checkSignal, Signals } from './abort.ts'
import { Chain } from './chain.ts'
import { endOperation, isObserved, startOperation } from './diagnostics.ts'
import { Each } from './each.ts'
import { Messages, type MessagesOptions } from './messages.ts'
import type { Submittable } from './checks.ts'
import { Scheduler } from './scheduler.ts'
import {
  AbortableTask,
  CancelTask,
  IGNORED,
  RunTask,
  type Settle,
  StartTask,
  type Task,
  TimedTask,
} from './tasks.ts'

const { ENOENT, EALREADY } = constants.errno

/** Options of {@link Ring.run}. */
export interface RunOptions {
  /** Cancels the operation, which then rejects with an `AbortError`. */
  signal?: AbortSignal
  /** Milliseconds until the operation is cancelled and rejects with a `TimeoutError`; fractions are allowed. */
  timeout?: number
  /** If set, the operation keeps the event loop open; default true. */
  ref?: boolean
}

/** Options of {@link Ring.start}. */
export interface StartOptions {
  /** If set, the operation keeps the event loop open; default true. */
  ref?: boolean
}

/** Options of {@link Ring.each}. */
export interface EachOptions {
  /** Cancels the operation. The step after the results that came before rejects with an `AbortError`. */
  signal?: AbortSignal
  /** If set, the operation keeps the event loop open; default true. */
  ref?: boolean
  /** Results that are kept for a slow consumer before the operation is stopped; default 64. */
  highWaterMark?: number
  /** `'copy'` (default) copies received bytes; `'borrow'` leaves them in the kernel's buffers until the next step. */
  buffers?: 'copy' | 'borrow'
}

/** Options of {@link Ring.chain}. */
export interface ChainOptions {
  /** If set, a step starts when the one before has completed, failed or not; default false. */
  hard?: boolean
  /** Cancels the chain, which then rejects with an `AbortError`. */
  signal?: AbortSignal
  /** Milliseconds until the chain is cancelled and rejects with a `TimeoutError`. */
  timeout?: number
  /** If set, the chain keeps the event loop open; default true. */
  ref?: boolean
}

const HIGH_WATER_MARK = 64
/** The longest time of a timer of Node.js, in milliseconds. */
const MAX_TIMER = 0x7fff_ffff
/** The longest time of a `LinkTimeout`, in milliseconds. */
const MAX_TIMEOUT = Number.MAX_SAFE_INTEGER
/** Milliseconds at most between two attempts to cancel an operation that has not begun. */
const MAX_PAUSE = 50
/** The arguments that the two entries of an operation with a linked timeout come from. */
const TIMED_NAMES = ['operation', 'options.timeout']

/** The promise API of one ring, made at its first use. */
export class Flow {
  readonly scheduler: Scheduler
  readonly signals: Signals = new Signals()
  /** Multishot operations that were armed again. */
  rearmed = 0
  readonly #boundary: Boundary
  readonly #submissions: SubmissionTable
  readonly #completions: CompletionQueue

  constructor(boundary: Boundary, submissions: SubmissionTable, completions: CompletionQueue) {
    this.#boundary = boundary
    this.#submissions = submissions
    this.#completions = completions
    this.scheduler = new Scheduler(boundary, submissions, completions)
  }

  /** Takes nothing new. */
  end(error: UringError): void {
    this.scheduler.delivery.messages?.fail(error)
    this.scheduler.end(error)
  }

  /** Runs an operation without options. Small enough to be inlined into the loop that calls it. */
  run<T>(operation: Operation<T> | Entry<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (isObserved()) this.#start(operation, new RunTask(resolve as Settle, reject, true))
      else this.scheduler.addRun(operation, resolve as Settle, reject)
    })
  }

  runWith<T>(operation: Operation<T> | Entry<T>, options: RunOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      const { signal, timeout, ref = true } = checkOptions(options)
      flag(ref, 'options.ref')
      checkSignal(signal, 'options.signal')
      const limit = milliseconds(timeout, 'options.timeout')
      const settle = resolve as (value: unknown) => void
      if (signal === undefined && limit === undefined) {
        this.#start(operation, new RunTask(settle, reject, ref))
        return
      }
      refuseAborted(signal)
      this.#runCancellable(operation, settle, reject, { signal, limit, ref })
    })
  }

  start(
    operation: Submittable,
    onCompletion: (result: number, flags: number) => void,
    options?: StartOptions,
  ): Token {
    callback(onCompletion, 'onCompletion')
    const { ref = true } = checkOptions(options)
    return tokenOf(this.#start(operation, new StartTask(onCompletion, flag(ref, 'options.ref'))))
  }

  each<T>(operation: Operation<T>, options?: EachOptions): Each<T> {
    const { signal, ref = true, highWaterMark = HIGH_WATER_MARK, buffers = 'copy' } = checkOptions(options)
    flag(ref, 'options.ref')
    checkSignal(signal, 'options.signal')
    integer(highWaterMark, 'options.highWaterMark', 1, Number.MAX_SAFE_INTEGER)
    if (buffers !== 'copy' && buffers !== 'borrow')
      throw invalidValue('options.buffers', buffers, "must be 'copy' or 'borrow'")
    if (typeof operation?.build !== 'function')
      throw invalidType('operation', 'an instance of Operation', operation)
    refuseAborted(signal)
    const each = new Each<T>(this, operation.build(), {
      ref,
      highWaterMark,
      borrow: buffers === 'borrow',
      signal,
    })
    each.arm()
    if (signal !== undefined) this.signals.watch(signal, each)
    return each
  }

  chain(operations: readonly Submittable[], options?: ChainOptions): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      const { hard = false, signal, timeout, ref = true } = checkOptions(options)
      flag(hard, 'options.hard')
      flag(ref, 'options.ref')
      checkSignal(signal, 'options.signal')
      const limit = milliseconds(timeout, 'options.timeout')
      if (!Array.isArray(operations)) throw invalidType('operations', 'an instance of Array', operations)
      refuseAborted(signal)
      if (operations.length === 0) {
        resolve([])
        return
      }
      const chain = new Chain(this, operations.length, { hard, ref, signal }, resolve, reject)
      const links = hard ? SqeFlags.IO_HARDLINK : SqeFlags.IO_LINK
      const tokens = this.#startAll(operations, chain.steps, links)
      for (const [index, step] of chain.steps.entries()) step.token = tokens[index] ?? 0
      if (limit !== undefined && limit <= MAX_TIMER) chain.expireAfter(limit)
      if (signal !== undefined) this.signals.watch(signal, chain)
    })
  }

  messages(options?: MessagesOptions): Messages {
    const { signal, ref = true } = checkOptions(options)
    checkSignal(signal, 'options.signal')
    flag(ref, 'options.ref')
    refuseAborted(signal)
    if (this.scheduler.isEnded) throw closedError()
    const { delivery } = this.scheduler
    if (delivery.messages !== undefined)
      throw invalidStateError('An iterator over the messages of this ring is open already')
    const messages = new Messages(this, { signal, ref })
    for (const earlier of this.#completions.removeUnsolicited()) messages.setAside(earlier)
    delivery.messages = messages
    if (signal !== undefined) this.signals.watch(signal, messages)
    return messages
  }

  /** Ends the open iterator of `messages()`. What it did not deliver goes to the queue API, by {@link keep}. */
  endMessages(): void {
    this.scheduler.delivery.messages = undefined
  }

  /** Keeps a message for the queue API. */
  keep(message: Completion): void {
    this.#completions.setAside(message)
  }

  /** Arms a multishot operation. */
  arm(entry: Entry<unknown>, task: Task): Token {
    return tokenOf(this.#start(entry, task))
  }

  /**
   * Calls back once when a buffer has come into a buffer group.
   *
   * @throws {UringError} `ERR_URING_RESOURCE_CLOSED`: none will come
   */
  whenProvided(group: number, onProvided: Waiter): () => void {
    const { groups } = this.#submissions
    const forget = groups.whenProvided(group, onProvided)
    if (this.scheduler.isEnded) groups.provided() // none will come
    return forget
  }

  /** Cancels operations. Resolves to how many were found. */
  async cancel(cancelTarget: CancelTarget, all: boolean): Promise<number> {
    const target = fixedTarget(cancelTarget) // reads the target once: its getters may run code of the program
    const cancellation = new AsyncCancel(target, { all })
    if (this.scheduler.isEnded) throw closedError()
    if (!this.#adapt(cancellation)) return this.#cancelAtOnce(target, all)
    const dropped = this.scheduler.dropWaiting(target, all)
    if (dropped > 0 && !all && target !== 'any') return dropped
    try {
      const found = await new Promise<unknown>((resolve, reject) => {
        const task = startOperation(cancellation, new RunTask(resolve, reject, true))
        this.scheduler.addLast(cancellation, task) // what it cancels may take up all the capacity
      })
      return dropped + (found as number)
    } catch (error) {
      if (!(error instanceof UringError)) throw error
      if (error.errno === -ENOENT) return dropped
      if (error.errno === -EALREADY) return dropped + 1 // found, and past the point where it could be stopped
      throw error
    }
  }

  /** Cancels a submission. One that has not begun, because it waits for others, is not found, so it is retried. */
  cancelToken(token: Token, pause = 1): void {
    if (this.#boundary.closed) return
    const missed = (): void => {
      if (this.#submissions.find(indexOf(token), generationOf(token)) === undefined) return
      setTimeout(() => this.cancelToken(token, Math.min(pause * 2, MAX_PAUSE)), pause).unref()
    }
    const cancellation = new AsyncCancel(token)
    if (this.#adapt(cancellation)) {
      this.scheduler.cancel(token, cancellation, new CancelTask(missed))
    } else {
      this.#cancelAtOnce(token, false)
      missed() // an operation that was about to begin, or that a worker executes, may go on
    }
  }

  /** Cancels by io_uring_register(2), without an entry. Returns how many operations were found. */
  #cancelAtOnce(target: CancelTarget, all: boolean): number {
    const dropped = this.scheduler.dropWaiting(target, all)
    if (dropped > 0 && !all && target !== 'any') return dropped
    this.scheduler.submitNow()
    return dropped + cancelAtOnce(this.#boundary, target, all)
  }

  /** Adds the entry flags that restrictions require; `false` if they would change what the cancellation means. */
  #adapt(cancellation: AsyncCancel): boolean {
    const required = this.#boundary.restricted?.required ?? 0
    if (required === 0) return true
    if (!cancellation.bears(required)) return false
    cancellation.sqeFlags |= required
    return true
  }

  #start(operation: Submittable, task: Task): Submission {
    const observed = startOperation(operation, task)
    try {
      return this.scheduler.add(operation, observed)
    } catch (error) {
      endOperation(observed, error)
      throw error
    }
  }

  #startAll(
    operations: readonly Submittable[],
    tasks: readonly Task[],
    links: number,
    names?: readonly string[],
  ): Token[] {
    // The linked timeout of `options.timeout` is not an operation of the program, so it is not published.
    const observed = tasks.map((task, index) =>
      names === undefined || index === 0 ? startOperation(operations[index] as Submittable, task) : task,
    )
    try {
      return this.scheduler.addChain(operations, observed, links, names)
    } catch (error) {
      for (const task of observed) endOperation(task, error)
      throw error
    }
  }

  #runCancellable(
    operation: Submittable,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    { signal, limit, ref }: { signal: AbortSignal | undefined; limit: number | undefined; ref: boolean },
  ): void {
    const target: Abortable = {
      abort: (reason) => {
        task.reason = { value: reason }
        this.cancelToken(token)
      },
    }
    let timer: NodeJS.Timeout | undefined
    const done = (): void => {
      clearTimeout(timer)
      if (signal !== undefined) this.signals.unwatch(signal, target)
    }
    let task: AbortableTask
    let token: Token
    if (limit === undefined || limit > MAX_TIMEOUT) {
      task = new AbortableTask(resolve, reject, ref, done)
      token = tokenOf(this.#start(operation, task))
    } else {
      const timed = new TimedTask(resolve, reject, ref, done, limit)
      task = timed
      const linked = this.#boundary.restricted === undefined // restrictions may refuse the link or the timeout
      this.scheduler.check(operation, 'operation')
      if (linked) {
        const operations = [operation, new LinkTimeout(limit)]
        ;[token = 0] = this.#startAll(operations, [timed, timed.timer], SqeFlags.IO_LINK, TIMED_NAMES)
      } else {
        timed.unlink()
        token = tokenOf(this.#start(operation, timed))
      }
      const isAsync = (operation.sqeFlags & SqeFlags.ASYNC) !== 0
      if ((isAsync || !linked || this.scheduler.pending > 0) && limit <= MAX_TIMER) {
        // The kernel does not start the timeout while the operation waits for capacity, or if it goes to a worker at
        // once; and without a link there is no timeout in the kernel.
        timer = setTimeout(() => {
          timed.expire()
          this.cancelToken(token)
        }, limit)
        timer.unref()
      }
    }
    if (signal !== undefined) this.signals.watch(signal, target)
  }

  /** Closes a connection that is not consumed: a descriptor at once, as the ring may be gone soon. */
  discard(file: FileTarget): void {
    if (typeof file === 'number') binding().rawClose(file) // an error means that it is closed already
    else if (!this.#boundary.closed) this.close(file)
  }

  /** Closes a file that is not consumed, through the ring, even while that is being closed. */
  close(file: FileTarget): void {
    this.scheduler.addLast(new Close(file), IGNORED)
  }
}

/** Throws for a signal that is aborted already: nothing is submitted then. */
function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new AbortError(signal.reason)
}
