// The asynchronous flow of a ring: promises, iterators, chains and callbacks over its scheduler.

import { constants } from 'node:os'
import { binding } from '../binding.ts'
import { Chain } from './chain.ts'
import type { Completion } from '../ring/completion.ts'
import { endOperation, isObserved, startOperation } from './diagnostics.ts'
import { Each } from './each.ts'
import type { Entry } from '../entry/entry.ts'
import { AbortError, closedError, invalidStateError, UringError } from '../errors.ts'
import { SqeFlags } from '../flags/index.ts'
import { Messages, type MessagesOptions } from './messages.ts'
import type { Waiter } from '../buffers/groups.ts'
import type { Operation } from '../operations/base/operation.ts'
import { AsyncCancel, type CancelTarget, fixedTarget } from '../operations/cancel.ts'
import { Close } from '../operations/close-fsync.ts'
import { LinkTimeout } from '../operations/timeout.ts'
import { cancelAtOnce } from '../registered/cancel-sync.ts'
import type { FileTarget } from '../arguments/file.ts'
import { type Host, Scheduler, type Submittable, type Task } from './scheduler.ts'
import { type Abortable, checkSignal, Signals } from './abort.ts'
import { generationOf, indexOf, type Token, tokenOf } from '../entry/token.ts'
import type { Submission } from '../ring/submissions.ts'
import { AbortableTask, IGNORED, MissableTask, RunTask, type Settle, StartTask, TimedTask } from './tasks.ts'
import {
  callback,
  flag,
  integer,
  invalidType,
  invalidValue,
  milliseconds,
  checkOptions,
} from '../arguments/validate.ts'

const { ENOENT, EALREADY } = constants.errno

/** Options of {@link Ring.run}. */
export interface RunOptions {
  /** Cancels the operation, which then rejects with an `AbortError`. */
  signal?: AbortSignal
  /** Milliseconds until the operation is cancelled and rejects with a `TimeoutError`. */
  timeout?: number
  /** Whether it keeps the event loop open; true. */
  ref?: boolean
}

/** Options of {@link Ring.start}. */
export interface StartOptions {
  /** Whether it keeps the event loop open; true. */
  ref?: boolean
}

/** Options of {@link Ring.each}. */
export interface EachOptions {
  /** Cancels the operation; the step after what came before then rejects with an `AbortError`. */
  signal?: AbortSignal
  /** Whether it keeps the event loop open; true. */
  ref?: boolean
  /** Results that are kept for a slow consumer before the operation is stopped; 64. */
  highWaterMark?: number
  /** Whether received bytes are copied, or lie in the kernel's buffers until the next step; `'copy'`. */
  buffers?: 'copy' | 'borrow'
}

/** Options of {@link Ring.chain}. */
export interface ChainOptions {
  /** The next step starts whatever came of the one before. */
  hard?: boolean
  /** Cancels the chain, which then rejects with an `AbortError`. */
  signal?: AbortSignal
  /** Milliseconds until the chain is cancelled and rejects with a `TimeoutError`. */
  timeout?: number
  /** Whether it keeps the event loop open; true. */
  ref?: boolean
}

const HIGH_WATER_MARK = 64
/** The longest that a timer of Node.js can be. */
const MAX_TIMER = 0x7fff_ffff
/** The longest time that a `LinkTimeout` can have. */
const MAX_TIMEOUT = Number.MAX_SAFE_INTEGER
/** Milliseconds at most between two attempts to cancel what has not begun. */
const MAX_PAUSE = 50

/** What the flow needs of its ring. */
export interface FlowHost extends Omit<Host, 'arrived'> {
  /** The messages and tags that were kept for the waiting calls. */
  takeMessages(): Completion[]
}

export class Flow {
  readonly scheduler: Scheduler
  readonly #host: FlowHost
  #messages: Messages | undefined
  readonly #signals = new Signals()
  /** How often a multishot operation was armed again. */
  rearmed = 0

  constructor(host: FlowHost) {
    this.#host = host
    const arrived = (completion: Completion): void => {
      if (this.#messages === undefined) host.setAside(completion)
      else this.#messages.take(completion)
    }
    this.scheduler = new Scheduler({ ...host, arrived })
  }

  /** Takes nothing new. */
  end(error: UringError): void {
    this.#messages?.fail(error)
    this.scheduler.end(error)
  }

  /** Without options, as most are: small enough to be inlined with the rest of its loop. */
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
      this.#watched(operation, settle, reject, { signal, limit, ref })
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
    const done = (): void => {
      if (signal !== undefined) this.#signals.unwatch(signal, each)
    }
    const host = {
      arm: (entry: Entry<unknown>, task: Task): Token => tokenOf(this.#start(entry, task)),
      cancel: (token: Token): void => this.cancelToken(token),
      discard: (file: FileTarget): void => this.#drop(file),
      whenProvided: (group: number, again: Waiter): (() => void) => {
        const forget = this.#host.submissions.groups.whenProvided(group, again)
        if (this.scheduler.isEnded) this.#host.submissions.groups.provided() // none will come
        return forget
      },
      rearmed: (): void => {
        this.rearmed += 1
      },
      done,
    }
    const each = new Each<T>(host, operation.build(), { ref, highWaterMark, borrow: buffers === 'borrow' })
    each.arm()
    if (signal !== undefined) this.#signals.watch(signal, each)
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
      const host = {
        cancel: (token: Token): void => this.cancelToken(token),
        discard: (file: FileTarget): void => this.#close(file),
        done: (): void => {
          clearTimeout(timer)
          if (signal !== undefined) this.#signals.unwatch(signal, chain)
        },
      }
      const chain = new Chain(host, operations.length, { hard, ref }, resolve, reject)
      const links = hard ? SqeFlags.IO_HARDLINK : SqeFlags.IO_LINK
      const tokens = this.#startAll(operations, chain.steps, links)
      for (const [index, step] of chain.steps.entries()) step.token = tokens[index] ?? 0
      const timer =
        limit === undefined || limit > MAX_TIMER ? undefined : setTimeout(() => chain.expire(limit), limit)
      timer?.unref()
      if (signal !== undefined) this.#signals.watch(signal, chain)
    })
  }

  messages(options?: MessagesOptions): Messages {
    const { signal, ref = true } = checkOptions(options)
    checkSignal(signal, 'options.signal')
    flag(ref, 'options.ref')
    refuseAborted(signal)
    if (this.scheduler.isEnded) throw closedError()
    if (this.#messages !== undefined)
      throw invalidStateError('The messages of this ring are being read already')
    let stop: (() => void) | undefined
    const awaited = (is: boolean): void => {
      if (is) {
        stop ??= this.scheduler.listen(ref)
      } else {
        stop?.()
        stop = undefined
      }
    }
    const messages = new Messages({
      awaited,
      done: () => {
        this.#messages = undefined
        awaited(false)
        if (signal !== undefined) this.#signals.unwatch(signal, messages)
      },
      giveBack: (completion) => this.#host.setAside(completion),
    })
    for (const earlier of this.#host.takeMessages()) messages.take(earlier)
    this.#messages = messages
    if (signal !== undefined) this.#signals.watch(signal, messages)
    return messages
  }

  /** How many submissions were found. */
  async cancel(cancelTarget: CancelTarget, all: boolean): Promise<number> {
    const target = fixedTarget(cancelTarget) // what is asked of all that waits for room runs no code of the program
    const cancellation = new AsyncCancel(target, { all })
    if (this.scheduler.isEnded) throw closedError()
    if (!this.#adapt(cancellation)) return this.#cancelAtOnce(target, all)
    const dropped = this.scheduler.dropWaiting(target, all)
    if (dropped > 0 && !all && target !== 'any') return dropped
    try {
      const found = await new Promise<unknown>((resolve, reject) => {
        const task = startOperation(cancellation, new RunTask(resolve, reject, true))
        this.scheduler.addLast(cancellation, task) // what it cancels may take up all the room
      })
      return dropped + (found as number)
    } catch (error) {
      if (!(error instanceof UringError)) throw error
      if (error.errno === -ENOENT) return dropped
      if (error.errno === -EALREADY) return dropped + 1 // found, and past the point where it could be stopped
      throw error
    }
  }

  /** Cancels a submission; one that has not begun, because it waits for others, cannot be found before it does. */
  cancelToken(token: Token, pause = 1): void {
    if (this.#host.boundary.closed) return
    const missed = (): void => {
      if (this.#host.submissions.find(indexOf(token), generationOf(token)) === undefined) return
      setTimeout(() => this.cancelToken(token, Math.min(pause * 2, MAX_PAUSE)), pause).unref()
    }
    const cancellation = new AsyncCancel(token)
    if (this.#adapt(cancellation)) {
      this.scheduler.cancel(token, cancellation, new MissableTask(missed))
    } else {
      this.#cancelAtOnce(token, false)
      missed() // it may go on where it was about to begin, or a worker is busy with it
    }
  }

  /** Cancels without an entry: how many were found. */
  #cancelAtOnce(target: CancelTarget, all: boolean): number {
    const dropped = this.scheduler.dropWaiting(target, all)
    if (dropped > 0 && !all && target !== 'any') return dropped
    this.scheduler.submitNow()
    return dropped + cancelAtOnce(this.#host.boundary, target, all)
  }

  /** Gives a cancellation the entry flags that restrictions require; `false` where it would be another one with them. */
  #adapt(cancellation: AsyncCancel): boolean {
    const required = this.#host.boundary.restricted?.required ?? 0
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
    // A timeout of ours is not an operation of the user's.
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

  #watched(
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
      if (signal !== undefined) this.#signals.unwatch(signal, target)
    }
    let task: AbortableTask
    let token: Token
    if (limit === undefined || limit > MAX_TIMEOUT) {
      task = new AbortableTask(resolve, reject, ref, done)
      token = tokenOf(this.#start(operation, task))
    } else {
      const timed = new TimedTask(resolve, reject, ref, done, limit)
      task = timed
      const linked = this.#host.boundary.restricted === undefined // restrictions may refuse the link, and the timeout
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
        // It waits for room, and the kernel does not know of it yet; or it goes to a worker at once, and the kernel
        // does not start the timeout; or there is none.
        timer = setTimeout(() => {
          timed.expire()
          this.cancelToken(token)
        }, limit)
        timer.unref()
      }
    }
    if (signal !== undefined) this.#signals.watch(signal, target)
  }

  /** Closes a connection that came for nobody: at once, as the ring may be gone before it could. */
  #drop(file: FileTarget): void {
    if (typeof file !== 'number') {
      if (!this.#host.boundary.closed) this.#close(file)
      return
    }
    binding().rawClose(file) // somebody may have closed it already
  }

  /** Closes what came for nobody, of a ring that is being closed too. */
  #close(file: FileTarget): void {
    this.scheduler.addLast(new Close(file), IGNORED)
  }
}

const TIMED_NAMES = ['operation', 'options.timeout']

/** A signal that is aborted already: nothing is submitted. */
function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new AbortError(signal.reason)
}
