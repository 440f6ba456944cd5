// Completion receivers: the promise of `run()` and the callback of `start()`.

import { constants } from 'node:os'
import { AbortError, TimeoutError, type UringError } from '../errors.ts'
import { CqeFlags } from '../flags/index.ts'
import { errorOf } from '../operations/base/error-of.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import type { Submission } from '../ring/submissions.ts'

const { MORE, NOTIF } = CqeFlags
const { EALREADY, ECANCELED, EINTR, ENOENT, ETIME } = constants.errno
/** A kernel worker completes an interrupted open(2) with this number. It is internal to the kernel elsewhere. */
const ERESTARTSYS = 512

/** Receives the completions of a submission. */
export interface Task {
  /** If set, the submission keeps the event loop open. */
  readonly ref: boolean
  /** `true`: takes any number of results; `false`: takes one; absent: takes either. */
  readonly multishot?: boolean
  /** Handles a completion. The last one has no `MORE` in its flags. */
  complete(operationClass: OperationClass, result: number, flags: number, state: unknown): void
}

/** True for the result of a cancelled operation, whether it had begun or not. */
export function isCancelled(result: number): boolean {
  return result === -ECANCELED || result === -EINTR || result === -ERESTARTSYS
}

/** Resolves or rejects a promise. */
export type Settle = (value: unknown) => void

/**
 * Returns the receiver of a submission as a task. The submission of a plain promise only has the functions that settle
 * it: `resolve` as its user data and `reject` as its observation.
 */
export function taskOf(submission: Submission, receiver: Task | Settle): Task {
  if (typeof receiver !== 'function') return receiver
  const reject = submission.observation as Settle
  submission.observation = undefined
  const task = new RunTask(receiver, reject, true)
  submission.userData = task
  return task
}

/** Settles the promise of an operation with a single completion. */
export function settleWith(
  resolve: Settle,
  reject: Settle,
  operationClass: OperationClass,
  result: number,
  flags: number,
  state: unknown,
): void {
  if ((result < 0 && operationClass.failed(result)) || !operationClass.intact(result, state)) {
    reject(errorOf(operationClass, result, state))
    return
  }
  try {
    resolve(operationClass.decode(result, flags, state))
  } catch (error) {
    reject(error) // the memory of a buffer group is gone
  }
}

/** The promise of one operation. */
export class RunTask implements Task {
  readonly ref: boolean
  declare readonly multishot: false
  readonly resolve: Settle
  readonly reject: Settle
  /** The result of the first of two completions. */
  declare first: number | undefined

  constructor(resolve: Settle, reject: Settle, ref: boolean) {
    this.ref = ref
    this.resolve = resolve
    this.reject = reject
  }

  complete(operationClass: OperationClass, result: number, flags: number, state: unknown): void {
    if ((flags & (MORE | NOTIF)) === 0) {
      this.settle(operationClass, result, flags, state)
      return
    }
    this.first ??= result
    if ((flags & MORE) === 0) this.settle(operationClass, this.first, flags, state)
  }

  settle(operationClass: OperationClass, result: number, flags: number, state: unknown): void {
    const reject = (error: unknown): void => this.fail(error as UringError, result)
    settleWith(this.resolve, reject, operationClass, result, flags, state)
  }

  fail(error: UringError, _result: number): void {
    this.reject(error)
  }
}

Object.defineProperties(RunTask.prototype, {
  multishot: { value: false },
  first: { value: undefined, writable: true },
})

/** The promise of an operation that a signal can cancel. */
export class AbortableTask extends RunTask {
  /** The reason of the signal, once it has cancelled the operation. */
  reason: { readonly value: unknown } | undefined = undefined
  readonly done: () => void

  constructor(resolve: Settle, reject: Settle, ref: boolean, done: () => void) {
    super(resolve, reject, ref)
    this.done = done
  }

  override settle(operationClass: OperationClass, result: number, flags: number, state: unknown): void {
    this.done()
    super.settle(operationClass, result, flags, state)
  }

  override fail(error: UringError, result: number): void {
    if (this.reason === undefined || !isCancelled(result)) {
      this.reject(error)
      return
    }
    Object.defineProperty(error, 'cause', { value: this.reason.value, configurable: true, writable: true })
    this.reject(new AbortError(error))
  }
}

/** The promise of an operation with a linked timeout: settled when both have completed. */
export class TimedTask extends AbortableTask {
  readonly milliseconds: number
  /** Receives the completion of the linked timeout. */
  readonly timer: Task
  private pending = 2
  private expired = false
  private settleLater: () => void = () => {}

  constructor(resolve: Settle, reject: Settle, ref: boolean, done: () => void, milliseconds: number) {
    super(resolve, reject, ref, done)
    this.milliseconds = milliseconds
    this.timer = {
      ref,
      complete: (_operationClass, result) => {
        this.expired ||= result === -ETIME
        this.arrived()
      },
    }
  }

  /** Expects no linked timeout: a timer of the event loop calls {@link expire} instead. */
  unlink(): void {
    this.pending -= 1
  }

  /** Marks the time as over, before the kernel had the timeout. */
  expire(): void {
    this.expired = true
  }

  override settle(operationClass: OperationClass, result: number, flags: number, state: unknown): void {
    this.settleLater = () => super.settle(operationClass, result, flags, state)
    this.arrived()
  }

  override fail(error: UringError, result: number): void {
    if (this.expired && isCancelled(result)) this.reject(new TimeoutError(this.milliseconds, error))
    else super.fail(error, result)
  }

  private arrived(): void {
    this.pending -= 1
    if (this.pending === 0) this.settleLater()
  }
}

/** The callback of `start()`. */
export class StartTask implements Task {
  readonly ref: boolean
  readonly onCompletion: (result: number, flags: number) => void

  constructor(onCompletion: (result: number, flags: number) => void, ref: boolean) {
    this.ref = ref
    this.onCompletion = onCompletion
  }

  complete(_operationClass: OperationClass, result: number, flags: number): void {
    try {
      this.onCompletion(result, flags)
    } catch (error) {
      // An uncaught exception, which does not keep the rest of the batch from being delivered.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

/** Receives the result of an internal cancellation: `missed` is called if it found nothing, or an operation that may go on. */
export class CancelTask implements Task {
  readonly ref = false
  readonly missed: () => void

  constructor(missed: () => void) {
    this.missed = missed
  }

  complete(_operationClass: OperationClass, result: number): void {
    if (result === -ENOENT || result === -EALREADY) this.missed()
  }
}

/** Ignores all completions. */
export const IGNORED: Task = { ref: false, complete: () => {} }
