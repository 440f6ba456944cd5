// An asynchronous iterator over the results of a multishot operation.

import { constants } from 'node:os'
import type { Entry } from '../entry/entry.ts'
import { AbortError, type UringError } from '../errors.ts'
import { CqeFlags } from '../flags/index.ts'
import type { GroupState } from '../buffers/groups.ts'
import { copied, isReceived } from '../buffers/received.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import { errorOf } from '../operations/base/error-of.ts'
import { Queue } from '../ring/fifo.ts'
import type { FileTarget } from '../arguments/file.ts'
import type { Abortable } from './abort.ts'
import type { Flow } from './flow.ts'
import type { Token } from '../entry/token.ts'
import { isCancelled, type Task } from './tasks.ts'

const { MORE } = CqeFlags
const { ENOBUFS } = constants.errno

/** Settings of an iterator. */
interface EachSettings {
  readonly ref: boolean
  /** Results that are kept for a slow consumer before the operation is stopped. */
  readonly highWaterMark: number
  /** If set, results stay in the kernel's buffers until the next step. */
  readonly borrow: boolean
  readonly signal: AbortSignal | undefined
}

interface Consumer<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void
  readonly reject: (error: unknown) => void
}

interface Item<T> {
  readonly value: T
  readonly leftover: readonly FileTarget[]
}

const DONE = { done: true, value: undefined } as const

export class Each<T> implements AsyncIterableIterator<T, undefined>, AsyncDisposable, Task, Abortable {
  readonly ref: boolean
  readonly multishot = true
  readonly #flow: Flow
  readonly #settings: EachSettings
  readonly #items = new Queue<Item<T>>()
  readonly #consumers = new Queue<Consumer<T>>()
  readonly #first: Entry<unknown>
  /** The entry to arm next: the first one, or one for what is left of it. */
  #entry: Entry<unknown>
  /** The submission in flight. */
  #token: Token | undefined
  /** Results that have arrived. */
  #count = 0
  /** Their sum, if they are amounts. */
  #total = 0
  /** The operation was stopped for a slow consumer. */
  #paused = false
  /** The operation goes on when at most so many results are left. */
  #few: number
  /** No new results are taken: the loop was left, aborted or reached its end. */
  #ended = false
  #error: unknown
  #failed = false
  #reason: { readonly value: unknown } | undefined
  /** Buffers that the consumer has borrowed: several if it called next() several times. */
  #lent: { release(): void }[] = []
  /** Stops waiting for a buffer; absent if the operation is not waiting. */
  #starved: (() => void) | undefined
  #left: (() => void)[] = []

  constructor(flow: Flow, entry: Entry<unknown>, settings: EachSettings) {
    this.#flow = flow
    this.#first = entry
    this.#entry = entry
    this.#settings = settings
    this.#few = settings.highWaterMark / 2
    this.ref = settings.ref
  }

  /** Arms the operation. */
  arm(): void {
    this.#paused = false
    this.#few = this.#settings.highWaterMark / 2
    this.#token = this.#flow.arm(this.#entry, this)
  }

  complete(operationClass: OperationClass, result: number, flags: number, state: unknown): void {
    const more = (flags & MORE) !== 0
    if (!more) this.#token = undefined
    if (operationClass.failed(result) || !operationClass.intact(result, state))
      this.#stopped(operationClass, result, state)
    else this.#arrived(operationClass, result, flags, state, more)
    if (this.#token === undefined && this.#ended) this.#finish()
  }

  /** Cancels the operation in flight; the next step rejects with an `AbortError`. */
  abort(reason: unknown): void {
    this.#reason = { value: reason }
    if (this.#token === undefined) this.#fail(new AbortError(reason))
    else this.#cancel()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<T, undefined>> {
    this.#giveBack()
    const item = this.#items.shift()
    if (item !== undefined) {
      this.#goOn()
      return Promise.resolve({ done: false, value: this.#hand(item.value) })
    }
    if (this.#failed) {
      this.#failed = false
      return Promise.reject(this.#error)
    }
    if (this.#ended) return Promise.resolve(DONE)
    this.#goOn()
    return new Promise((resolve, reject) => this.#consumers.push({ resolve, reject }))
  }

  /** Leaves the loop: cancels the operation, and closes or returns the results that were not consumed. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#giveBack()
    this.#end()
    this.#failed = false
    for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) this.#discard(item)
    if (this.#token === undefined) {
      this.#finish()
      return Promise.resolve(DONE)
    }
    this.#cancel()
    return new Promise((resolve) => this.#left.push(() => resolve(DONE)))
  }

  async throw(error?: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return()
    throw error
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #arrived(
    operationClass: OperationClass,
    result: number,
    flags: number,
    state: unknown,
    more: boolean,
  ): void {
    const isOver = !more && !this.#isLeft(operationClass, result, this.#count + 1, this.#total + result)
    if (!isOver || !operationClass.isEnd(result)) {
      this.#count += 1
      this.#total += result
      const leftover = operationClass.leftover(result, state)
      try {
        this.#take({ value: operationClass.decode(result, flags, state) as T, leftover })
      } catch (error) {
        if (!this.#ended) this.#fail(error)
      }
    }
    if (more || this.#ended) return
    if (isOver) this.#end()
    else this.#rearm()
  }

  /** True if the operation is to be armed again; {@link #entry} is then what is left of it. */
  #isLeft(operationClass: OperationClass, result: number, results: number, total: number): boolean {
    const left = operationClass.rearm(this.#first, result, results, total)
    if (typeof left === 'number') this.#entry = this.#first.withLeft(left)
    return left !== false
  }

  #take(item: Item<T>): void {
    if (this.#ended) {
      this.#discard(item)
      return
    }
    const kept = this.#settings.borrow ? item : { ...item, value: copy(item.value) }
    const consumer = this.#consumers.shift()
    if (consumer !== undefined) {
      consumer.resolve({ done: false, value: this.#hand(kept.value) })
      return
    }
    this.#items.push(kept)
    if (this.#items.length >= this.#settings.highWaterMark && !this.#paused) {
      this.#paused = true
      this.#cancel()
    }
  }

  /** Handles a last completion without a result. */
  #stopped(operationClass: OperationClass, result: number, state: unknown): void {
    if (this.#ended) return
    if (this.#reason !== undefined) {
      const error: UringError = errorOf(operationClass, result, state, this.#reason.value)
      this.#fail(isCancelled(result) ? new AbortError(error) : error)
    } else if (result === -ENOBUFS && hasGroup(state)) {
      this.#isLeft(operationClass, result, this.#count, this.#total)
      this.#starve(state.group)
    } else if (!(this.#paused && isCancelled(result))) {
      this.#fail(errorOf(operationClass, result, state))
    } else {
      this.#isLeft(operationClass, result, this.#count, this.#total)
      // The consumer may have been faster than the cancellation: then the operation goes on at once.
      if (this.#items.length < this.#settings.highWaterMark) this.#rearm()
    }
  }

  /** Waits for a buffer. */
  #starve(group: number): void {
    try {
      this.#starved = this.#flow.whenProvided(group, () => {
        this.#starved = undefined
        if (this.#settings.borrow && this.#items.length > 0) {
          // The borrowed results are consumed first: otherwise each returned buffer would arm the operation again.
          this.#paused = true
          this.#few = 0
        } else {
          this.#rearm()
        }
      })
    } catch (error) {
      this.#fail(error)
    }
  }

  #rearm(): void {
    if (this.#ended || this.#token !== undefined) return
    if (this.#reason !== undefined) {
      this.#fail(new AbortError(this.#reason.value))
      return
    }
    if (this.#items.length >= this.#settings.highWaterMark) {
      this.#paused = true
      return
    }
    this.#flow.rearmed += 1
    try {
      this.arm()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Arms the operation again if it was stopped for the consumer, who has caught up. */
  #goOn(): void {
    if (
      this.#paused &&
      this.#token === undefined &&
      this.#starved === undefined &&
      this.#items.length <= this.#few
    )
      this.#rearm()
  }

  #cancel(): void {
    if (this.#token !== undefined) this.#flow.cancelToken(this.#token)
  }

  #end(): void {
    this.#ended = true
    this.#starved?.()
    this.#starved = undefined
  }

  #fail(error: unknown): void {
    this.#end()
    const consumer = this.#consumers.shift()
    if (consumer === undefined) {
      this.#failed = true
      this.#error = error
    } else {
      consumer.reject(error)
    }
    if (this.#token === undefined) this.#finish()
    else this.#cancel()
  }

  /** Ends the iteration after the last completion. */
  #finish(): void {
    const { signal } = this.#settings
    if (signal !== undefined) this.#flow.signals.unwatch(signal, this)
    for (const left of this.#left.splice(0)) left()
    if (this.#items.length > 0) return
    for (let consumer = this.#consumers.shift(); consumer !== undefined; consumer = this.#consumers.shift())
      consumer.resolve(DONE)
  }

  #hand(value: T): T {
    if (this.#settings.borrow && isReceived(value)) this.#lent.push(value)
    return value
  }

  #giveBack(): void {
    for (const lent of this.#lent.splice(0)) lent.release()
  }

  #discard({ value, leftover }: Item<T>): void {
    for (const file of leftover) this.#flow.discard(file)
    if (isReceived(value)) value.release()
  }
}

/** True for an operation that takes its buffers from a buffer group. An empty group is not a failure. */
function hasGroup(state: unknown): state is GroupState {
  return typeof (state as Partial<GroupState> | undefined)?.group === 'number'
}

/** Copies received bytes out of provided buffers and returns the buffers at once. */
function copy<T>(value: T): T {
  return isReceived(value) ? (copied(value) as T) : value
}
