// The queue API of a ring, synchronous with one system call for a batch, and the state of a ring.

import { callback, checkOptions, integer, invalidType, mask, MAX_U32 } from '../arguments/validate.ts'
import type { Entry } from '../entry/entry.ts'
import type { Token } from '../entry/token.ts'
import { closedError, systemError } from '../errors.ts'
import { SetupFlags } from '../flags/index.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import type { Operation } from '../operations/base/operation.ts'
import { Registrar } from '../registered/ring-registrations.ts'
import type { Ring } from '../ring.ts'
import { kernelHas } from '../system/support.ts'
import { Boundary } from './boundary.ts'
import { CompletionQueue } from './completion-queue.ts'
import type { Completion } from './completion.ts'
import { type ModeOptions, ringSetup } from './setup.ts'
import { SkippedChains } from './skip-success.ts'
import { SubmissionQueue } from './submission-queue.ts'
import { SubmissionTable } from './submissions.ts'
import { type WaitOptions, Waits } from './wait.ts'

/** Options of a {@link Ring}. */
export interface RingOptions extends ModeOptions {
  /** Shares the kernel workers of this ring. */
  attach?: Ring
}

/** Under this symbol a ring gives the promise API what they share. */
export const CORE: unique symbol = Symbol('core')

/** The parts of a ring that the queue API and the promise API share. */
interface RingCore {
  readonly boundary: Boundary
  readonly submissions: SubmissionTable
  readonly completions: CompletionQueue
}

export abstract class QueueApi extends Registrar {
  /** `SetupFlags` that the ring was made with. */
  readonly setupFlags: number
  /** `Features` of the kernel. */
  readonly features: number
  readonly #boundary: Boundary
  readonly #queue: SubmissionQueue
  readonly #completions: CompletionQueue
  readonly #waits: Waits
  readonly #core: RingCore

  constructor(options: RingOptions = {}) {
    super()
    const { attach, ...mode } = checkOptions(options)
    const setup = ringSetup(mode)
    if (attach !== undefined) {
      if (!(attach instanceof QueueApi)) throw invalidType('options.attach', 'an instance of Ring', attach)
      setup.flags |= SetupFlags.ATTACH_WQ
      setup.wqFd = attach.#open().fd
    }
    const submissions = new SubmissionTable()
    const skipped = new SkippedChains()
    const boundary = new Boundary(setup, submissions)
    this.#boundary = boundary
    this.#queue = new SubmissionQueue(boundary, submissions, skipped)
    this.#completions = new CompletionQueue(boundary, submissions, skipped)
    this.#waits = new Waits(boundary, submissions, skipped, this.#queue, this.#completions)
    this.#core = { boundary, submissions, completions: this.#completions }
    this.setupFlags = boundary.native.setupFlags
    this.features = boundary.native.features
  }

  /** @internal */
  get [CORE](): RingCore {
    return this.#core
  }

  // ---- state

  /** The descriptor of the ring; -1 once it is closed. */
  get fd(): number {
    const { closed, native } = this.#boundary
    return closed ? -1 : native.fd
  }

  /** Entries of the submission queue. */
  get entries(): number {
    return this.#boundary.entries
  }

  /** Entries of the completion queue. */
  get cqEntries(): number {
    return this.#boundary.cqEntries
  }

  /** True once `close()` was called. */
  get closed(): boolean {
    return this.#boundary.closing
  }

  /** Operations in flight: the kernel has them. Those that skip their success count until the ring is closed. */
  get inFlight(): number {
    return this.#boundary.inFlight
  }

  /** Entries that were pushed and that the kernel has not consumed. */
  get sqReady(): number {
    return this.#boundary.closing ? 0 : this.#queue.length
  }

  /** Entries that can be pushed before the next `submit()`. */
  get sqSpaceLeft(): number {
    return this.entries - this.sqReady
  }

  /** True if published entries need a system call to start: always, except for a polling thread that is awake. */
  get sqNeedsEnter(): boolean {
    return this.#open().#boundary.native.sqNeedsEnter()
  }

  /** Completions that can be consumed without a system call. */
  get cqReady(): number {
    const boundary = this.#boundary
    if (boundary.closing) return 0
    const known = this.#completions.ready()
    return known + (boundary.more ? 0 : boundary.native.cqReady())
  }

  /** True if completions were lost, because the kernel had no memory to keep them. */
  get cqOverflowed(): boolean {
    return this.#open().#boundary.native.cqLost() > 0
  }

  /** True if the kernel keeps completions that did not fit into its queue: the next call that enters it brings them. */
  get cqNeedsFlush(): boolean {
    return this.#open().#boundary.native.cqNeedsFlush()
  }

  /** Tells if this kernel supports an operation. Kernels before 5.6 cannot be asked, so it is always true there. */
  supports(
    operation: Pick<OperationClass, 'opcode'> & Partial<Pick<OperationClass, 'variantSince'>>,
  ): boolean {
    if (typeof operation?.opcode !== 'number') throw invalidType('operation', 'an operation class', operation)
    const { opcode, variantSince } = operation
    const known = this.#open().#boundary.lacking[opcode] === 0
    return known && (variantSince === undefined || kernelHas(variantSince))
  }

  // ---- queue API

  /**
   * Encodes an operation as it is now, and queues it for the next submission. Does not submit.
   *
   * @param userData any value; the completion has it as `userData`
   * @returns a token that names this submission, for `AsyncCancel`, `PollUpdate` and `cancel()`
   * @throws {UringError} `ERR_URING_SQ_FULL`: `entries` operations are queued, so `submit()` first; `ERR_URING_CLOSED`;
   * `ERR_URING_UNSUPPORTED`: this kernel does not have the operation
   * @throws {TypeError|RangeError} an argument of the operation has a wrong type or value; nothing is queued then
   *
   * @example
   * ```ts
   * ring.push(new Write(fd, header).link()) // the sync starts when the write has succeeded
   * ring.push(new Fsync(fd), 'synced')
   * ring.submitAndWait(2)
   * ```
   */
  push<T>(operation: Operation<T> | Entry<T>, userData?: unknown): Token {
    if (this.#boundary.closing) throw closedError()
    return this.#queue.push(operation, userData)
  }

  /**
   * Queues several operations: all of them or none, and always for the same submission.
   *
   * @param userData values for the completions, by index
   * @returns a token for each
   * @throws as {@link push}
   */
  pushAll(
    items: readonly (Operation<unknown> | Entry<unknown>)[],
    userData: readonly unknown[] = [],
  ): Token[] {
    this.#open()
    if (!Array.isArray(items)) throw invalidType('items', 'an instance of Array', items)
    if (!Array.isArray(userData)) throw invalidType('userData', 'an instance of Array', userData)
    return this.#queue.pushAll(items, userData)
  }

  /**
   * Submits what was pushed. Never waits and never delivers: completions that it finds are kept.
   *
   * @returns entries that the kernel consumed. Fewer than were pushed if it is short of resources (`EAGAIN`, `EBUSY`) or
   * a signal came: the rest stays queued in order. With `sqPoll`, entries that were published
   * @throws {UringError} `ERR_URING_CLOSED`, and errors of io_uring_enter(2)
   */
  submit(): number {
    return this.#open().#waits.submit()
  }

  /**
   * Submits, and waits until `count` completions are ready. Consumes none.
   *
   * @returns entries that the kernel consumed
   * @throws {UringError} as {@link submit}, and `ERR_URING_NOTHING_IN_FLIGHT`: fewer completions can come than that, so
   * the wait could never end
   */
  submitAndWait(count = 1, options?: WaitOptions): number {
    if (this.#boundary.closing) throw closedError()
    integer(count, 'count', 0, MAX_U32)
    const waits = this.#waits
    return options === undefined && waits.isForPushed(count)
      ? waits.forPushed(count)
      : waits.within(count, options)
  }

  /**
   * Submits, waits for one completion, and consumes the oldest.
   *
   * @returns `undefined` at the timeout
   * @throws {UringError} as {@link submitAndWait}
   */
  wait(options?: WaitOptions): Completion | undefined {
    return this.#open().#waits.one(options)
  }

  /**
   * Submits, waits for `count` completions, and consumes `max` of them at most (`count` if absent).
   *
   * @returns fewer than `count` only at the timeout: `{ timeout: 0 }` consumes what is ready
   * @throws {UringError} as {@link submitAndWait}
   */
  waitMany(count: number, options?: WaitOptions & { max?: number }): Completion[] {
    this.#open()
    return this.#waits.many(integer(count, 'count', 0, MAX_U32), options)
  }

  /**
   * Consumes the oldest completion, if there is one. Never submits, never waits.
   *
   * @throws {UringError} `ERR_URING_CLOSED`
   */
  tryWait(): Completion | undefined {
    const completions = this.#open().#completions
    if (completions.ready() === 0) completions.look()
    return completions.shift()
  }

  /**
   * Returns the oldest completion without consuming it. Never submits, never waits.
   *
   * @throws {UringError} `ERR_URING_CLOSED`
   */
  peek(): Completion | undefined {
    const completions = this.#open().#completions
    if (completions.ready() === 0) completions.look()
    return completions.peek()
  }

  /**
   * Consumes all ready completions, without an object for each. An exception of `onCompletion` propagates, and the rest
   * waits for the next call.
   *
   * @returns how many were handed to `onCompletion`
   * @throws {UringError} `ERR_URING_CLOSED`
   */
  drain(onCompletion: (userData: unknown, result: number, flags: number, token: Token) => void): number {
    this.#open()
    return this.#completions.drain(callback(onCompletion, 'onCompletion'))
  }

  /**
   * Publishes what was pushed without a system call, for a polling thread to find.
   *
   * @returns `sqReady`
   * @throws {UringError} `ERR_URING_CLOSED`
   */
  flush(): number {
    this.#open().#queue.publish()
    return this.sqReady
  }

  /**
   * Calls io_uring_enter(2) once, for what was published. Delivers nothing.
   *
   * @param wait offset of a wait in the ring's region (`Region.setWait`), which says when this one ends; the flags that
   * it needs are added
   * @returns entries that the kernel consumed
   * @throws {UringError} errors of io_uring_enter(2), `ERR_URING_CLOSED`
   */
  enter(toSubmit: number, minComplete: number, flags: number, wait?: number): number {
    const boundary = this.#open().#boundary
    integer(toSubmit, 'toSubmit', 0, MAX_U32)
    integer(minComplete, 'minComplete', 0, MAX_U32)
    if (wait !== undefined) integer(wait, 'wait', 0, MAX_U32)
    const consumed = boundary.enter(toSubmit, minComplete, mask(flags, 'flags'), wait)
    if (consumed < 0) throw systemError(consumed, 'io_uring_enter')
    return consumed
  }

  /** Returns this ring. @throws {UringError} `ERR_URING_CLOSED` */
  #open(): this {
    if (this.#boundary.closing) throw closedError()
    return this
  }
}
