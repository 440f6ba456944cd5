// Who waits for completions: promises and callbacks.

import { constants } from 'node:os'
import { AbortError, TimeoutError, type UringError } from '../errors.ts'
import { CqeFlags } from '../flags/index.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import { errorOf } from '../operations/base/error-of.ts'
import type { Task } from './scheduler.ts'
import type { Submission } from '../ring/submissions.ts'

const { MORE, NOTIF } = CqeFlags
const { EALREADY, ECANCELED, EINTR, ENOENT, ETIME } = constants.errno
/** What a worker answers whose open(2) was interrupted: the kernel's own, which programs see nowhere else. */
const ERESTARTSYS = 512

/** Whether a result says that the operation was cancelled: before it began, or while a worker was at it. */
export function isCancelled(result: number): boolean {
  return result === -ECANCELED || result === -EINTR || result === -ERESTARTSYS
}

/** Resolves or rejects a promise. */
export type Settle = (value: unknown) => void

/** Who waits for a submission, as a task. Of a plain promise the submission has only what settles it. */
export function taskOf(submission: Submission, waiter: Task | Settle): Task {
  if (typeof waiter !== 'function') return waiter
  const reject = submission.observation as Settle
  submission.observation = undefined
  const task = new RunTask(waiter, reject, true)
  submission.userData = task
  return task
}

/** Settles the promise of an operation that completes once. */
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
    reject(error)
  }
}

/** A promise for one operation. */
export class RunTask implements Task {
  readonly ref: boolean
  declare readonly multishot: false
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  /** The result of the first of two completions. */
  declare first: number | undefined

  constructor(resolve: (value: unknown) => void, reject: (error: unknown) => void, ref: boolean) {
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
    if ((result < 0 && operationClass.failed(result)) || !operationClass.intact(result, state))
      this.fail(errorOf(operationClass, result, state), result)
    else this.decoded(operationClass, result, flags, state)
  }

  fail(error: UringError, _result: number): void {
    this.reject(error)
  }

  /** Where the memory of a group is gone there is nothing to resolve to. */
  private decoded(operationClass: OperationClass, result: number, flags: number, state: unknown): void {
    try {
      this.resolve(operationClass.decode(result, flags, state))
    } catch (error) {
      this.reject(error)
    }
  }
}

Object.defineProperties(RunTask.prototype, {
  multishot: { value: false },
  first: { value: undefined, writable: true },
})

/** A promise for an operation that can be cancelled by a signal. */
export class AbortableTask extends RunTask {
  /** Why it was cancelled. */
  reason: { readonly value: unknown } | undefined = undefined
  readonly done: () => void

  constructor(
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    ref: boolean,
    done: () => void,
  ) {
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

/** A promise for an operation with a timeout linked to it: settled when both have completed. */
export class TimedTask extends AbortableTask {
  readonly milliseconds: number
  /** The timeout that is linked to the operation. */
  readonly timer: Task
  private pending = 2
  private expired = false
  private settleLater: () => void = () => {}

  constructor(
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    ref: boolean,
    done: () => void,
    milliseconds: number,
  ) {
    super(resolve, reject, ref, done)
    this.milliseconds = milliseconds
    this.timer = {
      ref,
      complete: (_kind, result) => {
        this.expired ||= result === -ETIME
        this.arrived()
      },
    }
  }

  /** There is no timeout linked to it: the time is somebody else's. */
  unlink(): void {
    this.pending -= 1
  }

  /** The time was over before the kernel had the timeout. */
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

/** A callback for each completion. */
export class StartTask implements Task {
  readonly ref: boolean
  readonly onCompletion: (result: number, flags: number) => void

  constructor(onCompletion: (result: number, flags: number) => void, ref: boolean) {
    this.ref = ref
    this.onCompletion = onCompletion
  }

  complete(_kind: OperationClass, result: number, flags: number): void {
    try {
      this.onCompletion(result, flags)
    } catch (error) {
      // Uncaught, and the rest of the batch goes on.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

/** A cancellation that nobody waits for, unless it found nothing, or what was just completing and may go on. */
export class MissableTask implements Task {
  readonly ref = false
  readonly missed: () => void

  constructor(missed: () => void) {
    this.missed = missed
  }

  complete(_kind: OperationClass, result: number): void {
    if (result === -ENOENT || result === -EALREADY) this.missed()
  }
}

/** Nobody waits. */
export const IGNORED: Task = { ref: false, complete: () => {} }
