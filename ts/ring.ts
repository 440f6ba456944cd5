// The ring: the promise API and closing, over the queue API and the registrations.

import { setTimeout as delay } from 'node:timers/promises'
import { REGISTRATION } from './arguments/ring.ts'
import { checkOptions } from './arguments/validate.ts'
import {
  type ChainOptions,
  type EachOptions,
  Flow,
  type RunOptions,
  type StartOptions,
} from './async/flow.ts'
import type { Message, MessagesOptions } from './async/messages.ts'
import type { Entry } from './entry/entry.ts'
import { type Token, tokenOf } from './entry/token.ts'
import { closedError } from './errors.ts'
import type { Operation } from './operations/base/operation.ts'
import type { AsyncCancelOptions, CancelTarget } from './operations/cancel.ts'
import { Registration } from './registered/context.ts'
import { STATUS } from './ring/boundary.ts'
import { CORE, QueueApi } from './ring/queue-api.ts'
import { isPushed } from './ring/wait.ts'

export type { RingOptions } from './ring/queue-api.ts'
export type { WaitOptions } from './ring/wait.ts'

/** Milliseconds at most between two attempts to cancel what was in flight when the ring was closed. */
const MAX_PAUSE = 50

/** Counters of a ring, since it was made. */
export interface RingStats {
  /** Entries that the kernel consumed. */
  readonly submitted: number
  /** Completions. */
  readonly completed: number
  /** Completions with the result `-ECANCELED`. */
  readonly cancelled: number
  /** Calls that found completions which had no place in the kernel's queue. */
  readonly overflowed: number
  /** Multishot operations that were armed again. */
  readonly rearmed: number
  /** Completions without a submission, a message or a tag: 0, unless another program uses the ring's descriptor. */
  readonly stray: number
  /** Calls of io_uring_enter(2), modulo 2^32. */
  readonly systemCalls: number
}

/** The results of the operations of a chain, as a tuple. */
export type Results<O extends readonly (Operation<unknown> | Entry<unknown>)[]> = {
  -readonly [K in keyof O]: O[K] extends Operation<infer T> | Entry<infer T> ? T : never
}

/**
 * An io_uring.
 *
 * The queue API (`push`, `submit`, `wait` and their like) is synchronous: one system call for a batch. The promise API
 * (`run`, `each`, `chain`, `start`) submits once per turn of the event loop. Both can be used on one ring. The ring holds
 * the memory and the files of an operation until its last completion has been consumed.
 *
 * @example
 * ```ts
 * using ring = new Ring({ entries: 64 })
 * ring.push(new Read(fd, buffer, { offset: 0 }), 'header')
 * const completion = ring.wait() // submits, and waits for one completion
 * console.log(completion?.userData, completion?.value) // header 4096
 * ```
 *
 * @throws {UringError} `ERR_URING_UNAVAILABLE`: this system cannot make rings; `EINVAL`: the kernel does not support
 * these options together; `ENOMEM`: the limit of locked memory is reached
 * @throws {RangeError|TypeError} an option has a wrong value or type
 */
export class Ring extends QueueApi {
  #gone = false
  #closing: Promise<void> | undefined
  #flow: Flow | undefined
  #registration: Registration | undefined
  #referenced = true

  /** Operations of the promise API that wait for capacity. */
  get pending(): number {
    return this.#flow?.scheduler.pending ?? 0
  }

  /** Returns the counters of this ring. */
  stats(): RingStats {
    const { boundary, completions } = this[CORE]
    return {
      submitted: boundary.count(STATUS.SUBMITTED),
      completed: boundary.count(STATUS.COMPLETED),
      cancelled: boundary.count(STATUS.CANCELLED),
      overflowed: boundary.count(STATUS.OVERFLOWED),
      rearmed: this.#flow?.rearmed ?? 0,
      stray: completions.stray,
      systemCalls: boundary.status[STATUS.ENTERS]!,
    }
  }

  // ---- promise API

  /**
   * Runs an operation. It is submitted together with all that is started in the same turn of the event loop.
   *
   * The operation's memory is free again when the promise settles. More operations can be started than the queues hold:
   * those without capacity wait in order.
   *
   * @returns a promise of what the operation resolves to
   * @throws {UringError} rejects with the kernel's error, `ERR_URING_CLOSED` or `ERR_URING_UNSUPPORTED`
   * @throws {AbortError} rejects when `options.signal` cancelled the operation
   * @throws {TimeoutError} rejects when `options.timeout` milliseconds were over
   *
   * @example
   * ```ts
   * const [header, body] = [Buffer.alloc(16), Buffer.alloc(4096)]
   * await Promise.all([
   *   ring.run(new Read(fd, header, { offset: 0 })),
   *   ring.run(new Read(fd, body, { offset: 16 }), { timeout: 1000 }),
   * ])
   * ```
   */
  run<T>(operation: Operation<T> | Entry<T>, options?: RunOptions): Promise<T> {
    if (options === undefined && this.#flow !== undefined) return this.#flow.run(operation)
    return this.#runWith(operation, options)
  }

  #runWith<T>(operation: Operation<T> | Entry<T>, options: RunOptions | undefined): Promise<T> {
    try {
      const flow = this.#flow ?? this.#begin()
      return options === undefined ? flow.run(operation) : flow.runWith(operation, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Runs a multishot operation: an iterator over its results, which arms the operation again until it ends.
   *
   * Results that came before a failure, the signal or `close()` are delivered first. Then a step rejects, and the
   * iteration is over. Leaving the loop cancels the operation in the kernel, and closes connections that were not
   * consumed. If a buffer group is empty, the iteration waits until buffers are provided.
   *
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE`: the operation completes only once, so use `run()`
   * @throws {AbortError} the signal is aborted already; nothing is submitted then
   * @throws {UringError} `ERR_URING_CLOSED`, `ERR_URING_UNSUPPORTED`
   *
   * @example
   * ```ts
   * for await (const connection of ring.each(new AcceptMulti(listener))) serve(connection)
   * ```
   */
  each<T>(
    operation: Operation<T>,
    options?: EachOptions,
  ): AsyncIterableIterator<T, undefined> & AsyncDisposable {
    return (this.#flow ?? this.#begin()).each(operation, options)
  }

  /**
   * Runs operations one after the other, as one submission: each starts when the one before has succeeded, or, with
   * `hard`, when it has completed.
   *
   * @returns a promise of what each of them resolves to, in order
   * @throws {ChainError} rejects when a step fails; it has the outcome of every step
   * @throws {AbortError|TimeoutError} rejects when the signal or the timeout cancelled the chain
   *
   * @example
   * ```ts
   * const [written] = await ring.chain([new Write(fd, record, { offset }), new Fsync(fd, { datasync: true })])
   * ```
   */
  chain<const O extends readonly (Operation<unknown> | Entry<unknown>)[]>(
    operations: O,
    options?: ChainOptions,
  ): Promise<Results<O>> {
    try {
      return (this.#flow ?? this.#begin()).chain(operations, options) as Promise<Results<O>>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Submits an operation and calls back with each of its completions. The primitive below `run()` and `each()`: results
   * are not decoded. An exception of the callback is an uncaught exception.
   *
   * @returns a token that names this submission
   * @throws {UringError} `ERR_URING_CLOSED`, `ERR_URING_UNSUPPORTED`
   *
   * @example
   * ```ts
   * ring.start(new PollAdd(fd, PollEvents.IN, { multi: true }), (result) => {
   *   if (result >= 0) readable(result)
   * })
   * ```
   */
  start(
    operation: Operation<unknown> | Entry<unknown>,
    onCompletion: (result: number, flags: number) => void,
    options?: StartOptions,
  ): Token {
    return (this.#flow ?? this.#begin()).start(operation, onCompletion, options)
  }

  /**
   * Iterates over unsolicited completions: messages of other rings, and tags of registered resources that the kernel has
   * released. While the iterator is open they come here and not to the queue API; those that were not consumed before
   * come first. There is no limit to how many are kept for a slow consumer.
   *
   * The step after `close()` rejects. Those that were not consumed when the iteration is left go to the queue API.
   *
   * @throws {UringError} `ERR_INVALID_STATE`: another iterator is open; `ERR_URING_CLOSED`
   * @throws {AbortError} the signal is aborted already
   */
  messages(options?: MessagesOptions): AsyncIterableIterator<Message, undefined> & AsyncDisposable {
    return (this.#flow ?? this.#begin()).messages(options)
  }

  /**
   * Cancels operations in flight: a submission by its token or by the `userData` that was pushed with it, operations on a
   * file or of an opcode, or `'any'`.
   *
   * @returns a promise of how many operations were found; 0 if there were none
   */
  async cancel(
    target: CancelTarget | { readonly userData: unknown },
    options?: AsyncCancelOptions,
  ): Promise<number> {
    const flow = this.#flow ?? this.#begin()
    const { all = false } = checkOptions(options)
    if (typeof target !== 'object' || target === null || !('userData' in target))
      return flow.cancel(target, all)
    const { userData } = target
    const submissions = this[CORE].submissions
      .used()
      .filter((submission) => submission.userData === userData && isPushed(submission))
    const found = await Promise.all(submissions.map((submission) => flow.cancel(tokenOf(submission), false)))
    return found.reduce((sum, count) => sum + count, 0)
  }

  /** Lets operations of the promise API keep the event loop open, which is the default. */
  ref(): this {
    return this.#setReferenced(true)
  }

  /** Lets the event loop end although operations of the promise API are in flight. */
  unref(): this {
    return this.#setReferenced(false)
  }

  #setReferenced(referenced: boolean): this {
    this.#referenced = referenced
    if (this.#flow !== undefined) this.#flow.scheduler.referenced = referenced
    return this
  }

  /** Begins the promise API, which takes the ring's eventfd. */
  #begin(): Flow {
    const { boundary, submissions, completions } = this[CORE]
    boundary.checkOpen()
    const flow = new Flow(boundary, submissions, completions)
    this.#flow = flow
    completions.scheduler = flow.scheduler
    flow.scheduler.referenced = this.#referenced
    flow.scheduler.sort()
    return flow
  }

  // ---- closing

  /**
   * Closes the ring: refuses new operations, cancels those in flight, and waits until the kernel has released all of
   * their memory. Promises and callbacks are settled first; completions of the queue API that were not consumed are
   * dropped. Closing twice is allowed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#shut()
    return this.#closing
  }

  /** Closes the ring, and blocks the thread meanwhile. Promises and callbacks are settled afterwards. */
  [Symbol.dispose](): void {
    if (this.#gone) return
    this.#gone = true
    const { boundary, submissions, completions } = this[CORE]
    boundary.closing = true
    const scheduler = this.#flow?.scheduler
    this.#flow?.end(closedError())
    scheduler?.sort()
    boundary.native.close()
    boundary.closed = true
    submissions.registered.clear() // the kernel has released it
    completions.clear()
    scheduler?.abandon()
  }

  /** Closes the ring as {@link close} does. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #shut(): Promise<void> {
    if (this.closed) return
    const { boundary } = this[CORE]
    boundary.closing = true
    const { native } = boundary
    const scheduler = this.#flow?.scheduler
    this.#flow?.end(closedError())
    native.cancelAll()
    if (scheduler !== undefined) {
      // A cancellation does not find an operation that is about to start.
      const again = setInterval(() => native.cancelAll(), MAX_PAUSE)
      await scheduler.settled()
      clearInterval(again)
    }
    for (let pause = 0; native.mustWait(); pause = Math.min(pause * 2 + 1, MAX_PAUSE)) {
      await delay(pause)
      native.cancelAll()
    }
    this[Symbol.dispose]()
  }

  /** @internal */
  get [REGISTRATION](): Registration {
    const { boundary, submissions } = this[CORE]
    boundary.checkOpen()
    this.#registration ??= new Registration(boundary, submissions, {
      scheduler: () => this.#flow?.scheduler,
      begin: () => void (this.#flow ?? this.#begin()),
    })
    return this.#registration
  }
}
