// The access of registrations to their ring: how they reach the kernel, and what they keep alive.

import type { Scheduler } from '../async/scheduler.ts'
import { systemError } from '../errors.ts'
import type { Boundary } from '../ring/boundary.ts'
import type { SubmissionTable } from '../ring/submissions.ts'

/** A ring's side of its registrations. */
export class Registration {
  readonly boundary: Boundary
  readonly submissions: SubmissionTable
  /** Returns the scheduler of the promise API, if that has been used. */
  readonly scheduler: () => Scheduler | undefined
  /** Starts the promise API, which registers its eventfd. @throws {UringError} `ERR_URING_EVENTFD` */
  readonly begin: () => void

  constructor(
    boundary: Boundary,
    submissions: SubmissionTable,
    flow: { scheduler: () => Scheduler | undefined; begin: () => void },
  ) {
    this.boundary = boundary
    this.submissions = submissions
    this.scheduler = flow.scheduler
    this.begin = flow.begin
  }

  /**
   * Calls io_uring_register(2). Returns the kernel's result, or a negative `errno`. The argument lives as long as the
   * call; memory that it points at and that the kernel keeps has to be held.
   */
  call(opcode: number, argument: Uint8Array | null, count: number): number {
    return this.boundary.native.register(opcode, argument, count)
  }

  /** Calls io_uring_register(2), and returns the kernel's result. @throws {UringError} if the kernel refuses */
  register(opcode: number, argument: Uint8Array | null, count: number): number {
    const result = this.call(opcode, argument, count)
    if (result < 0) throw systemError(result, 'io_uring_register')
    return result
  }

  /** Keeps `resource` alive, even if the ring object is collected, until it is released or the ring is closed. */
  hold(resource: object): void {
    this.submissions.registered.add(resource)
  }

  /** Releases a resource that was held. */
  release(resource: object): void {
    this.submissions.registered.delete(resource)
  }
}
