// Channels of node:diagnostics_channel: operations that start, end and fail. They cost nothing without subscribers.

import { type Channel, channel } from 'node:diagnostics_channel'
import type { UringError } from '../errors.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import { errorOf } from '../operations/base/error-of.ts'
import type { Submittable } from './checks.ts'
import type { Task } from './tasks.ts'
import { CqeFlags } from '../flags/index.ts'

const started: Channel = channel('uring:operation:start')
const ended: Channel = channel('uring:operation:end')
const failed: Channel = channel('uring:operation:error')

/** The message of all channels: the same object for the start and the end of an operation. */
export interface OperationMessage {
  /** The name of the operation's class. */
  readonly operation: string
  /** The kernel's result, once there is one. */
  result?: number
  /** The error, if the operation failed. */
  error?: UringError
}

/** A task that also publishes to the channels. */
class Observed implements Task {
  readonly ref: boolean
  readonly multishot?: boolean
  readonly message: OperationMessage
  readonly task: Task

  constructor(task: Task, message: OperationMessage) {
    this.ref = task.ref
    if (task.multishot !== undefined) this.multishot = task.multishot
    this.task = task
    this.message = message
  }

  complete(operationClass: OperationClass, result: number, flags: number, state: unknown): void {
    if ((flags & CqeFlags.NOTIF) === 0) {
      this.message.result = result
      if (operationClass.failed(result) || !operationClass.intact(result, state))
        this.message.error = errorOf(operationClass, result, state)
    }
    if ((flags & CqeFlags.MORE) === 0) publishEnd(this.message)
    this.task.complete(operationClass, result, flags, state)
  }
}

function publishEnd(message: OperationMessage): void {
  if (message.error !== undefined) failed.publish(message)
  ended.publish(message)
}

/** True if a channel has subscribers. */
export function isObserved(): boolean {
  return started.hasSubscribers || ended.hasSubscribers || failed.hasSubscribers
}

/** Publishes the start of an operation. Returns the task to enqueue it with. */
export function startOperation(operation: Submittable, task: Task): Task {
  if (!isObserved()) return task
  const built = (operation as { operation?: string } | undefined)?.operation
  const message: OperationMessage = { operation: built ?? operation?.constructor?.name ?? 'unknown' }
  started.publish(message)
  return new Observed(task, message)
}

/** Publishes the error of an operation that was refused. */
export function endOperation(task: Task, error: unknown): void {
  if (!(task instanceof Observed)) return
  task.message.error = error as UringError
  publishEnd(task.message)
}
