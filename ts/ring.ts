// The ring: what is pushed goes in, completions come out.

import { constants } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { Boundary, SLICE, STATUS } from './ring/boundary.ts'
import { Completion } from './ring/completion.ts'
import { BUILT, MULTISHOT, OBSERVED } from './entry/traits.ts'
import { type Entry, SUBMITTABLE } from './entry/entry.ts'
import { EntryWriter } from './entry/entry-writer.ts'
import {
  closedError,
  errorCode,
  fullError,
  nothingInFlightError,
  systemError,
  type UringError,
} from './errors.ts'
import { CqeFlags, SetupFlags, SqeFlags } from './flags/index.ts'
import {
  type ChainOptions,
  type EachOptions,
  Flow,
  type RunOptions,
  type StartOptions,
} from './async/flow.ts'
import { unsolicitedCompletion, unsolicitedData, isUnsolicited } from './ring/unsolicited.ts'
import type { OperationClass } from './operations/base/operation-class.ts'
import type { Message, MessagesOptions } from './async/messages.ts'
import type { Operation } from './operations/base/operation.ts'
import type { AsyncCancelOptions, CancelTarget } from './operations/cancel.ts'
import { type ModeOptions, ringSetup } from './ring/setup.ts'
import { Queue } from './ring/fifo.ts'
import { Registrar } from './registered/ring-registrations.ts'
import { Registration, REGISTRATION } from './registered/context.ts'
import { isRun } from './async/scheduler.ts'
import { SkippedChains } from './ring/skip-success.ts'
import { type Submission, SubmissionTable } from './ring/submissions.ts'
import { type Token, tokenOf } from './entry/token.ts'
import { kernelHas } from './system/support.ts'
import {
  callback,
  integer,
  invalidType,
  mask,
  MAX_U32,
  milliseconds,
  checkOptions,
} from './arguments/validate.ts'

/** Options of a {@link Ring}. */
export interface RingOptions extends ModeOptions {
  /** Shares the other ring's kernel workers. */
  attach?: Ring
}

/** What a ring has done so far. */
export interface RingStats {
  /** Entries that the kernel took. */
  readonly submitted: number
  /** Completions. */
  readonly completed: number
  /** Completions that say `ECANCELED`. */
  readonly cancelled: number
  /** Calls that found completions without room in the kernel's queue. */
  readonly overflowed: number
  /** Multishot operations that were armed again. */
  readonly rearmed: number
  /** Completions that nobody had asked for. */
  readonly stray: number
  /** Calls of io_uring_enter(2), modulo 2^32. */
  readonly systemCalls: number
}

/** What the steps of a chain resolve to. */
export type Results<O extends readonly (Operation<unknown> | Entry<unknown>)[]> = {
  -readonly [K in keyof O]: O[K] extends Operation<infer T> | Entry<infer T> ? T : never
}

/** How long to wait. */
export interface WaitOptions {
  /** Milliseconds, fractions allowed; absent, as long as something can come; `Infinity`, for ever. */
  timeout?: number
  /** Milliseconds to wait for all that is wanted before one completion is enough. */
  minWait?: number
}

// Module constants, which V8 folds where it would load a property of an imported object.
const { TAIL, HEAD } = STATUS
const { MORE, F_32 } = CqeFlags
const IS_WATCHED = OBSERVED
const IS_STAGEABLE: typeof SUBMITTABLE = SUBMITTABLE
const { EACCES, ECANCELED } = constants.errno

const { CQE_SKIP_SUCCESS } = SqeFlags
const TIED = SqeFlags.IO_LINK | SqeFlags.IO_HARDLINK | CQE_SKIP_SUCCESS

/**
 * An io_uring.
 *
 * The low-level flow is `push`, `submit` and the waiting calls: synchronous, one system call per batch. Everything
 * that an operation needs is held until its last completion has been taken.
 *
 * @throws {UringError} `ERR_URING_UNAVAILABLE` where rings cannot be made, `EINVAL` for options that this kernel does
 * not take together, `ENOMEM` above the limit of locked memory
 * @throws {RangeError|TypeError} for options that cannot be
 */
export class Ring extends Registrar {
  readonly #boundary: Boundary
  readonly #submissions: SubmissionTable
  /** These stand in the boundary too: here they are one load away, on the path of every operation. */
  readonly #pushed: EntryWriter
  readonly #status: Uint32Array
  readonly #records: Uint32Array
  readonly #recordMask: number
  readonly #recordWords: number
  readonly #skipped = new SkippedChains()
  readonly #polling: boolean
  readonly #wide: boolean
  /** What the ring was made with, `SetupFlags`. */
  readonly setupFlags: number
  /** What the kernel can do, `Features`. */
  readonly features: number
  #fd: number
  #closed = false
  #gone = false
  #closing: Promise<void> | undefined
  /** Completions that were looked at and not taken, or that the asynchronous flow has found: older than the records. */
  readonly #aside = new Queue<Completion>()
  #flow: Flow | undefined
  #registration: Registration | undefined
  #referenced = true
  /** Completions that nobody had asked for. */
  #stray = 0

  constructor(options: RingOptions = {}) {
    super()
    const { attach, ...mode } = checkOptions(options)
    const setup = ringSetup(mode)
    if (attach !== undefined) {
      if (!(attach instanceof Ring)) throw invalidType('options.attach', 'an instance of Ring', attach)
      setup.flags |= SetupFlags.ATTACH_WQ
      setup.wqFd = attach.#open().#fd
    }
    this.#submissions = new SubmissionTable()
    this.#boundary = new Boundary(setup, this.#submissions)
    const { native, pushed, status, records, mask: recordMask, stride } = this.#boundary
    this.#pushed = pushed
    this.#status = status
    this.#records = records
    this.#recordMask = recordMask
    this.#recordWords = stride
    this.#fd = native.fd
    this.setupFlags = native.setupFlags
    this.features = native.features
    this.#polling = (this.setupFlags & SetupFlags.SQPOLL) !== 0
    this.#wide = (this.setupFlags & (SetupFlags.CQE32 | SetupFlags.CQE_MIXED)) !== 0
  }

  /** The ring's descriptor; -1 once it is closed. */
  get fd(): number {
    return this.#fd
  }

  /** Entries of the submission queue. */
  get entries(): number {
    return this.#boundary.entries
  }

  /** Entries of the completion queue. */
  get cqEntries(): number {
    return this.#boundary.cqEntries
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed
  }

  /** Operations with the kernel that have not finished; operations that skip their success count until the end. */
  get inFlight(): number {
    return this.#boundary.inFlight
  }

  /** Entries that were pushed and that the kernel has not taken. */
  get sqReady(): number {
    return this.#closed ? 0 : this.#pushed.count + this.#left()
  }

  /** How many more can be pushed before `submit()`. */
  get sqSpaceLeft(): number {
    return this.entries - this.sqReady
  }

  /** Whether published entries need a system call to start: always, but for a polling thread that is awake. */
  get sqNeedsEnter(): boolean {
    return this.#open().#boundary.native.sqNeedsEnter()
  }

  /** Completions that can be taken without a system call. */
  get cqReady(): number {
    return this.#closed ? 0 : this.#ready() + (this.#boundary.more ? 0 : this.#boundary.native.cqReady())
  }

  /** Whether completions were lost, because the kernel had no memory to keep them. */
  get cqOverflowed(): boolean {
    return this.#open().#boundary.native.cqLost() > 0
  }

  /** Whether the kernel keeps completions that found no room: the next call that enters it brings them. */
  get cqNeedsFlush(): boolean {
    return this.#open().#boundary.native.cqNeedsFlush()
  }

  /** Whether this kernel has an operation. Kernels before 5.6 cannot be asked: there it is always so. */
  supports(
    operation: Pick<OperationClass, 'opcode'> & Partial<Pick<OperationClass, 'variantSince'>>,
  ): boolean {
    if (typeof operation?.opcode !== 'number')
      throw invalidType('operation', 'a class of operations', operation)
    const { opcode, variantSince } = operation
    const known = this.#open().#boundary.lacking[opcode] === 0
    return known && (variantSince === undefined || kernelHas(variantSince))
  }

  /**
   * Encodes an operation as it is now, and stages it for the next submission.
   *
   * @returns a token, which names this submission
   * @throws {UringError} `ERR_URING_SQ_FULL` when `entries` are pushed and not submitted, `ERR_URING_CLOSED`
   * @throws {TypeError|RangeError} for arguments that cannot be; nothing is staged then
   */
  push<T>(operation: Operation<T> | Entry<T>, userData?: unknown): Token {
    if (this.#closed) throw closedError()
    const staged = this.#pushed
    if (staged.count >= staged.limit) this.#needRoom(1)
    const submission = this.#stage(staged, operation, userData, 'operation')
    const flags = staged.lastFlags
    if ((flags & TIED) !== 0 || this.#skipped.active) this.#tie(submission, flags, staged.count - 1)
    return tokenOf(submission)
  }

  /** An entry that is tied to others; it is taken back where restrictions do not let it skip its completion. */
  #tie(submission: Submission, flags: number, index: number): void {
    if ((flags & CQE_SKIP_SUCCESS) !== 0 && this.#boundary.restricted?.skips === false) {
      const error = skipError(submission)
      this.#unstage([submission], index)
      throw error
    }
    this.#skipped.staged(submission, flags)
  }

  /** Takes back what is staged, from the entry `first` on. */
  #unstage(submissions: readonly Submission[], first: number): void {
    for (const submission of submissions) {
      if ((submission.traits & OBSERVED) !== 0) this.#submissions.observe(submission, -ECANCELED, 0)
      this.#submissions.release(submission)
    }
    this.#pushed.drop(first)
  }

  /**
   * Stages several operations: all of them or none, and never on two sides of a submission.
   *
   * @returns a token for each
   * @throws as `push`
   */
  pushAll(
    items: readonly (Operation<unknown> | Entry<unknown>)[],
    userData: readonly unknown[] = [],
  ): Token[] {
    const pushed = this.#open().#pushed
    if (!Array.isArray(items)) throw invalidType('items', 'an instance of Array', items)
    if (!Array.isArray(userData)) throw invalidType('userData', 'an instance of Array', userData)
    this.#needRoom(items.length)
    // A getter of an argument may push, submit and close: what is encoded here is in nobody's way.
    const encoded = Array.from(items, (item, index) => this.#encode(item, userData[index], `items[${index}]`))
    this.#open().#needRoom(encoded.length)
    const first = pushed.count
    const submissions: Submission[] = []
    try {
      for (const { operationClass, words, state, traits, data } of encoded) {
        const submission = this.#submissions.acquire(operationClass, state, data, traits)
        submissions.push(submission)
        pushed.copy(words, words.length, traits)
        pushed.end(submission)
        if (this.#boundary.restricted?.skips !== false) continue
        if ((pushed.flagsOf(pushed.count - 1) & CQE_SKIP_SUCCESS) !== 0) throw skipError(submission)
      }
    } catch (error) {
      this.#unstage(submissions, first)
      throw error
    }
    for (const [index, submission] of submissions.entries()) {
      const flags = pushed.flagsOf(first + index)
      if ((flags & TIED) !== 0 || this.#skipped.active) this.#skipped.staged(submission, flags)
    }
    return submissions.map(tokenOf)
  }

  /**
   * Hands over what was pushed. Never waits, never delivers: completions that it finds are kept.
   *
   * @returns entries that the kernel took, fewer when it is short of something (`EAGAIN`, `EBUSY`) or a signal came:
   * the rest stays in order for the next call. With `sqPoll`, entries that were published
   * @throws {UringError} `ERR_URING_CLOSED`, and what else io_uring_enter(2) answers
   */
  submit(): number {
    this.#open()
    return this.#enter(0, 0)
  }

  /**
   * Submits, and waits until `count` completions are there to take. Takes none.
   *
   * @returns entries that the kernel took
   * @throws {UringError} as `submit`, and `ERR_URING_NOTHING_IN_FLIGHT` where the wait could never end
   */
  submitAndWait(count = 1, options?: WaitOptions): number {
    this.#open()
    integer(count, 'count', 0, MAX_U32)
    if (options !== undefined) return this.#waitFor(count, options)
    // What was pushed can complete: only who waits for more has to be asked.
    if (this.#flow !== undefined || count > this.#pushed.count || this.#skipped.active)
      this.#canComplete(count)
    return this.#waitForever(count)
  }

  /**
   * Submits, and takes the oldest completion when there is one.
   *
   * @returns `undefined` at the timeout
   * @throws {UringError} as `submitAndWait`
   */
  wait(options?: WaitOptions): Completion | undefined {
    this.#open()
    const timeout = milliseconds(checkOptions(options).timeout, 'options.timeout')
    const deadline = performance.now() + (timeout ?? Infinity)
    let within = options
    for (;;) {
      this.#waitFor(1, within)
      const completion = this.#take()
      if (completion !== undefined) return completion
      const left = deadline - performance.now()
      if (left <= 0) return undefined
      // What came belonged to nobody.
      if (left !== Infinity) within = { ...options, timeout: left }
    }
  }

  /**
   * Submits, waits for `count` completions, and takes at most `max`.
   *
   * @returns fewer than `count` only at the timeout: `{ timeout: 0 }` takes what is there
   * @throws {UringError} as `submitAndWait`
   */
  waitMany(count: number, options?: WaitOptions & { max?: number }): Completion[] {
    this.#open()
    integer(count, 'count', 0, MAX_U32)
    const { max: most = count } = checkOptions(options)
    const max = integer(most, 'options.max', 0, MAX_U32)
    this.#waitFor(count, options)
    const completions: Completion[] = []
    while (completions.length < max) {
      const completion = this.#take()
      if (completion === undefined) break
      completions.push(completion)
    }
    return completions
  }

  /** Takes the oldest completion, if there is one. Never submits, never waits. @throws {UringError} `ERR_URING_CLOSED` */
  tryWait(): Completion | undefined {
    this.#open()
    if (this.#ready() === 0) this.#look()
    return this.#take()
  }

  /** Looks at the oldest completion, which stays where it is. @throws {UringError} `ERR_URING_CLOSED` */
  peek(): Completion | undefined {
    this.#open()
    if (this.#ready() === 0) this.#look()
    if (this.#aside.length === 0) {
      const completion = this.#take()
      if (completion !== undefined) this.#aside.push(completion)
    }
    return this.#aside.first()
  }

  /**
   * Takes all that is ready, without an object for each. What it throws propagates, and the rest waits for the next
   * call.
   *
   * @returns how many were handed to `onCompletion`
   * @throws {UringError} `ERR_URING_CLOSED`
   */
  drain(onCompletion: (userData: unknown, result: number, flags: number, token: Token) => void): number {
    this.#open()
    callback(onCompletion, 'onCompletion')
    if (this.#ready() === 0) this.#look()
    const records = this.#records
    const status = this.#status
    const recordMask = this.#recordMask
    const stride = this.#recordWords
    const submissions = this.#submissions
    let delivered = 0
    for (let left = this.#ready(); left > 0 && !this.#closed; left -= 1) {
      if (this.#flow !== undefined || this.#aside.length > 0) {
        const completion = this.#take()
        if (completion === undefined) break
        const { userData, result, flags, token } = completion
        delivered += 1
        onCompletion(userData, result, flags, token)
        continue
      }
      let head = status[HEAD]!
      if (status[TAIL] === head) {
        this.#look()
        head = status[HEAD]!
        if (status[TAIL] === head) break
      }
      const at = (head & recordMask) * stride
      const low = records[at]!
      const high = records[at + 1]!
      const result = records[at + 2]! | 0
      const flags = records[at + 3]!
      status[HEAD] = head + 1
      const submission = submissions.find(low, high)
      if (submission !== undefined) {
        const { userData } = submission
        const token = tokenOf(submission)
        if ((submission.traits & IS_WATCHED) !== 0) submissions.observe(submission, result, flags)
        if ((flags & MORE) === 0) this.#release(submission, result)
        delivered += 1
        onCompletion(userData, result, flags, token)
      } else if (isUnsolicited(high)) {
        delivered += 1
        onCompletion(unsolicitedData(low, high), result, flags, 0)
      } else {
        this.#stray += 1
      }
    }
    return delivered
  }

  /**
   * Publishes what was pushed without a system call, for a polling thread to find.
   *
   * @returns `sqReady`
   * @throws {UringError} `ERR_URING_CLOSED`
   */
  flush(): number {
    this.#open().#boundary.publishPushed()
    this.#cutChains()
    return this.sqReady
  }

  /**
   * One io_uring_enter(2), for what was published. Delivers nothing.
   *
   * @param wait the offset of a wait in the ring's region (`Region.setWait`), which says when this one ends; it adds the
   * flags for it
   * @returns entries that the kernel took
   * @throws {UringError} what the kernel answers, `ERR_URING_CLOSED`
   */
  enter(toSubmit: number, minComplete: number, flags: number, wait?: number): number {
    const boundary = this.#open().#boundary
    integer(toSubmit, 'toSubmit', 0, MAX_U32)
    integer(minComplete, 'minComplete', 0, MAX_U32)
    if (wait !== undefined) integer(wait, 'wait', 0, MAX_U32)
    const taken = boundary.enter(toSubmit, minComplete, mask(flags, 'flags'), wait)
    if (taken < 0) throw enterError(taken)
    return taken
  }

  /**
   * Runs an operation: submitted with everything else that is asked for in this turn of the event loop.
   *
   * When the promise settles the memory is the program's again. More may be asked for than the queues hold: what has no
   * room waits in order.
   *
   * @returns what the operation resolves to
   * @throws {UringError} rejects with what the kernel answers, `AbortError` after the signal, `TimeoutError` after the
   * timeout; `ERR_URING_CLOSED`, `ERR_URING_UNSUPPORTED`
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
   * Runs a multishot operation: an iterator over what it brings, which arms it again until it ends or is left.
   *
   * What came before a failure, the signal or `close()` is delivered first; then a step rejects, and the iteration is
   * over. Leaving cancels in the kernel, and closes connections that nobody took. Where a group has no buffers left it
   * waits until some are provided.
   *
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for an operation that completes once
   * @throws {AbortError} for a signal that is aborted already; nothing is submitted then
   * @throws {UringError} `ERR_URING_CLOSED`, `ERR_URING_UNSUPPORTED`
   */
  each<T>(
    operation: Operation<T>,
    options?: EachOptions,
  ): AsyncIterableIterator<T, undefined> & AsyncDisposable {
    return (this.#flow ?? this.#begin()).each(operation, options)
  }

  /**
   * Runs operations one after the other, as one submission.
   *
   * @returns what each of them resolves to
   * @throws {ChainError} rejects when a step fails, whatever the ones behind it did
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
   * Submits an operation and calls back with each of its completions: the primitive under the rest. What the callback
   * throws is an uncaught exception.
   *
   * @returns a token, which names this submission
   */
  start(
    operation: Operation<unknown> | Entry<unknown>,
    onCompletion: (result: number, flags: number) => void,
    options?: StartOptions,
  ): Token {
    return (this.#flow ?? this.#begin()).start(operation, onCompletion, options)
  }

  /**
   * What arrives without having been asked for: messages of other rings, and the tags of registered resources that the
   * kernel has let go. As long as it is open they come here, and not to the waiting calls; what came before and nobody
   * took comes first. There is no limit to what is kept for a slow consumer.
   *
   * The step after `close()` rejects. What nobody took when the iteration is left is the waiting calls' again.
   *
   * @throws {UringError} `ERR_INVALID_STATE` where they are being read already, `ERR_URING_CLOSED`
   * @throws {AbortError} for a signal that is aborted already
   */
  messages(options?: MessagesOptions): AsyncIterableIterator<Message, undefined> & AsyncDisposable {
    return (this.#flow ?? this.#begin()).messages(options)
  }

  /**
   * Cancels what has not finished: a submission by its token or by the value that was pushed with it, everything on a
   * file or of an opcode, or `'any'`thing.
   *
   * @returns how many were found, 0 rather than an error
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
    const submissions = this.#submissions
      .used()
      .filter((submission) => submission.userData === userData && isPushed(submission))
    const found = await Promise.all(submissions.map((submission) => flow.cancel(tokenOf(submission), false)))
    return found.reduce((sum, count) => sum + count, 0)
  }

  /** Operations that were run and wait for room. */
  get pending(): number {
    return this.#flow?.scheduler.pending ?? 0
  }

  /** Lets operations that are run keep the event loop open, as they do at first. */
  ref(): this {
    return this.#setReferenced(true)
  }

  /** Lets the event loop end although operations that are run are in flight. */
  unref(): this {
    return this.#setReferenced(false)
  }

  #setReferenced(referenced: boolean): this {
    this.#referenced = referenced
    if (this.#flow !== undefined) this.#flow.scheduler.referenced = referenced
    return this
  }

  /** What the ring has done so far. */
  stats(): RingStats {
    const boundary = this.#boundary
    return {
      submitted: boundary.count(STATUS.SUBMITTED),
      completed: boundary.count(STATUS.COMPLETED),
      cancelled: boundary.count(STATUS.CANCELLED),
      overflowed: boundary.count(STATUS.OVERFLOWED),
      rearmed: this.#flow?.rearmed ?? 0,
      stray: this.#stray,
      systemCalls: boundary.status[STATUS.ENTERS]!,
    }
  }

  /** The first use of the asynchronous flow. */
  #begin(): Flow {
    this.#open()
    this.#flow = new Flow({
      boundary: this.#boundary,
      submissions: this.#submissions,
      setAside: (completion) => this.#aside.push(completion),
      takeMessages: () => this.#aside.remove(({ source }) => source !== 'operation'),
      pushed: (submission, result, flags, at) => this.#completion(submission, result, flags, at),
      extra: (at, flags) => this.#extra(at, flags),
      stray: () => {
        this.#stray += 1
      },
    })
    this.#flow.scheduler.referenced = this.#referenced
    this.#flow.scheduler.sort()
    return this.#flow
  }

  /**
   * Closes the ring: takes no more, cancels what is in flight, waits until the kernel has let go of all of it. What was
   * run is told; completions of what was pushed and that were not taken are gone. Closing twice is fine.
   */
  close(): Promise<void> {
    this.#closing ??= this.#shut()
    return this.#closing
  }

  /** The same, blocking. What was run is told afterwards. */
  [Symbol.dispose](): void {
    if (this.#gone) return
    this.#gone = true
    this.#closed = true
    const scheduler = this.#flow?.scheduler
    this.#flow?.end(closedError())
    scheduler?.sort()
    this.#boundary.native.close()
    this.#boundary.closed = true
    this.#submissions.registered.clear() // the kernel has let go of it
    this.#fd = -1
    this.#aside.remove(() => true)
    scheduler?.abandon()
  }

  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #shut(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const { native } = this.#boundary
    const scheduler = this.#flow?.scheduler
    this.#flow?.end(closedError())
    native.cancelAll()
    if (scheduler !== undefined) {
      // What was about to start a moment ago escaped a cancellation.
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
    this.#open()
    this.#registration ??= new Registration(this.#boundary, this.#submissions, {
      scheduler: () => this.#flow?.scheduler,
      begin: () => void (this.#flow ?? this.#begin()),
    })
    return this.#registration
  }

  /** This ring, if it is open. */
  #open(): this {
    if (this.#closed) throw closedError()
    return this
  }

  #stage(
    staged: EntryWriter,
    item: Operation<unknown> | Entry<unknown>,
    userData: unknown,
    name: string,
  ): Submission {
    if (item?.[IS_STAGEABLE] !== true) throw invalidType(name, 'an instance of Operation or Entry', item)
    const state = item.encode(staged)
    // From here on nothing can refuse: what is refused leaves no submission behind.
    const submission = this.#submissions.acquire(item.operationClass, state, userData, staged.traits)
    staged.end(submission)
    return submission
  }

  /** Encodes an operation for this ring, and stages nothing. */
  #encode(item: Operation<unknown> | Entry<unknown>, data: unknown, name: string): Encoded {
    if (item?.[SUBMITTABLE] !== true) throw invalidType(name, 'an instance of Operation or Entry', item)
    const { stride } = this.#pushed
    const writer = new EntryWriter(new Uint32Array(stride), stride * 4, this.#boundary.lacking)
    const state = item.encode(writer)
    return { operationClass: item.operationClass, words: writer.words, state, traits: writer.traits, data }
  }

  #needRoom(count: number): void {
    this.#pushed.limit = this.entries - this.#left()
    if (this.#pushed.count + count > this.#pushed.limit) throw fullError(this.entries)
  }

  /** Entries in the ring that the kernel has not taken: a polling thread takes them at any time. */
  #left(): number {
    return this.#polling ? this.#boundary.native.sqReady() : this.#boundary.left
  }

  /** Completions that are known to be there. */
  #ready(): number {
    if (this.#flow !== undefined) {
      this.#flow.scheduler.sort() // what the records are is known then
      return this.#aside.length
    }
    const known = this.#boundary.unread + this.#aside.length
    return this.#boundary.more ? known + this.#boundary.native.cqReady() : known
  }

  /** Enters the kernel once for completions. */
  #look(): void {
    const error = this.#boundary.getEvents()
    this.#flow?.scheduler.sort()
    if (error !== 0 && !passes(error)) throw enterError(error)
  }

  /** Enters the kernel once with what was pushed, and says how many entries it took. */
  #enter(want: number, slice: number): number {
    const error = this.#boundary.submitPushed(want, slice)
    this.#flow?.scheduler.sort()
    this.#cutChains()
    if (error !== 0 && !passes(error)) throw enterError(error)
    return this.#boundary.taken
  }

  #cutChains(): void {
    if (this.#skipped.active && this.#pushed.count === 0) this.#skipped.cut()
  }

  /** Submits, and waits until `count` completions are there or the time is over: entries that were taken. */
  #waitFor(count: number, options: WaitOptions | undefined): number {
    const checked = checkOptions(options)
    const timeout = milliseconds(checked.timeout, 'options.timeout')
    const minWait = milliseconds(checked.minWait, 'options.minWait')
    this.#open() // a getter of the options may have closed it, and then nothing ends the wait
    if (timeout === undefined) this.#canComplete(count)
    if (timeout === undefined && minWait === undefined) return this.#waitForever(count)

    const start = performance.now()
    let enough = count
    const deadline = start + (timeout ?? Infinity)
    const soon = start + (minWait ?? Infinity)
    let taken = 0
    for (let now = start; ; now = performance.now()) {
      const left = Math.min(deadline, enough > 1 ? soon : Infinity) - now
      taken += this.#enter(Math.max(enough - this.#ready(), 0), Math.min(Math.max(left, 0), SLICE))
      if (this.#ready() >= enough) return taken
      const then = performance.now()
      if (then >= deadline) return taken
      if (then >= soon) enough = 1
      if (this.#ready() >= enough) return taken
    }
  }

  #waitForever(count: number): number {
    let taken = 0
    do taken += this.#enter(Math.max(count - this.#ready(), 0), SLICE)
    while (this.#ready() < count)
    return taken
  }

  /** Refuses a wait that could never end. */
  #canComplete(count: number): void {
    if (this.#possible(count) >= count) return
    this.#boundary.getEvents() // what was registered completes without being asked for
    const possible = this.#possible(count)
    if (possible < count) throw nothingInFlightError(count, possible)
  }

  /** How many completions can come, as far as it matters. */
  #possible(count: number): number {
    const ready = this.#ready()
    if (ready >= count) return ready
    const pushed = this.#flow === undefined ? undefined : this.#submissions.used().filter(isPushed)
    if (pushed === undefined ? this.#submissions.multishots > 0 : pushed.some(isMultishot)) return Infinity
    const submitted = pushed?.length ?? this.#pushed.count + this.inFlight
    return ready + submitted - this.#skipped.silent
  }

  /** The oldest completion that is somebody's. */
  #take(): Completion | undefined {
    const aside = this.#aside.shift()
    if (aside !== undefined || this.#flow !== undefined) return aside
    for (;;) {
      if (this.#boundary.unread === 0) {
        if (!this.#boundary.more) return undefined
        this.#look()
        if (this.#boundary.unread === 0) return undefined
      }
      const completion = this.#oldest()
      if (completion !== undefined) return completion
    }
  }

  #oldest(): Completion | undefined {
    const records = this.#records
    const head = this.#status[HEAD]!
    const at = (head & this.#recordMask) * this.#recordWords
    const low = records[at]!
    const high = records[at + 1]!
    const result = records[at + 2]! | 0
    const flags = records[at + 3]!
    this.#status[HEAD] = head + 1
    const submission = this.#submissions.find(low, high)
    if (submission !== undefined) return this.#completion(submission, result, flags, at)
    if (isUnsolicited(high)) return unsolicitedCompletion(low, high, result, flags, this.#extra(at, flags))
    this.#stray += 1
    return undefined
  }

  /** A completion of something that was pushed; the submission is given back with the last one. */
  #completion(submission: Submission, result: number, flags: number, at: number): Completion {
    const { userData } = submission
    const token = tokenOf(submission)
    const operationClass = submission.operationClass!
    const built = (submission.traits & BUILT) !== 0
    let { state } = submission
    if ((submission.traits & OBSERVED) !== 0) state = this.#submissions.observe(submission, result, flags)
    if ((flags & MORE) === 0) this.#release(submission, result)
    const extra = this.#extra(at, flags)
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

  #extra(at: number, flags: number): readonly [bigint, bigint] | undefined {
    if (!this.#wide) return undefined
    if ((this.setupFlags & SetupFlags.CQE32) === 0 && (flags & F_32) === 0) return undefined
    const records = this.#records
    const word = (index: number): bigint =>
      (BigInt(records[at + index + 1]!) << 32n) | BigInt(records[at + index]!)
    return [word(4), word(6)]
  }

  /** A submission has completed for the last time. */
  #release(submission: Submission, result: number): void {
    this.#submissions.release(submission)
    if (!this.#skipped.active) return
    for (const other of this.#skipped.completed(submission, result)) {
      if ((other.traits & OBSERVED) !== 0) this.#submissions.observe(other, 0, 0) // it succeeded, or never ran: then what it provides is held for nothing
      this.#submissions.release(other)
    }
  }
}

const MAX_PAUSE = 50

/** An operation as it is to be staged. */
interface Encoded {
  readonly operationClass: OperationClass
  readonly words: Uint32Array
  readonly state: unknown
  readonly traits: number
  readonly data: unknown
}

/** Whether a submission belongs to the waiting calls, and not to promises and callbacks. */
function isPushed({ traits }: Submission): boolean {
  return !isRun(traits)
}

function isMultishot({ traits }: Submission): boolean {
  return (traits & MULTISHOT) !== 0
}

/** Failures that are none: the same call later goes on where this one stopped. */
function passes(errno: number): boolean {
  const code = errorCode(errno)
  return code === 'EAGAIN' || code === 'EBUSY' || code === 'EINTR'
}

/** What the kernel would refuse: its refusal could take the answers of other entries with it. */
function skipError({ operationClass }: Submission): UringError {
  return systemError(-EACCES, operationClass?.syscall ?? 'io_uring')
}

function enterError(errno: number): UringError {
  return systemError(errno, 'io_uring_enter')
}
