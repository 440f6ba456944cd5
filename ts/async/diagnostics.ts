// Channels of node:diagnostics_channel: what was started and what came of it. They cost nothing when nobody listens.

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

/** What the subscribers get: the same object for both ends of an operation. */
export interface OperationMessage {
  /** The class of the operation. */
  readonly operation: string
  /** The kernel's result, once there is one. */
  result?: number
  /** What it failed with, if it failed. */
  error?: UringError
}

/** A task that tells the channels too. */
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
    if ((flags & CqeFlags.MORE) === 0) tell(this.message)
    this.task.complete(operationClass, result, flags, state)
  }
}

function tell(message: OperationMessage): void {
  if (message.error !== undefined) failed.publish(message)
  ended.publish(message)
}

/** Whether anybody listens. */
export function isObserved(): boolean {
  return started.hasSubscribers || ended.hasSubscribers || failed.hasSubscribers
}

/** An operation is about to be staged. */
export function startOperation(operation: Submittable, task: Task): Task {
  if (!isObserved()) return task
  const built = (operation as { operation?: string } | undefined)?.operation
  const message: OperationMessage = { operation: built ?? operation?.constructor?.name ?? 'unknown' }
  started.publish(message)
  return new Observed(task, message)
}

/** It was refused. */
export function endOperation(task: Task, error: unknown): void {
  if (!(task instanceof Observed)) return
  task.message.error = error as UringError
  tell(task.message)
}
