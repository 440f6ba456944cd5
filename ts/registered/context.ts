// How registrations reach the kernel, and what they keep alive.

import type { Boundary } from '../ring/boundary.ts'
import { systemError } from '../errors.ts'
import type { Scheduler } from '../async/scheduler.ts'
import type { SubmissionTable } from '../ring/submissions.ts'

/** Under this symbol a ring gives what registrations need of it, if it is open. */
export const REGISTRATION: unique symbol = Symbol('registration')

/** A ring, for those who only register with it. */
export interface Registering {
  /** @throws {UringError} `ERR_URING_CLOSED` */
  readonly [REGISTRATION]: Registration
}

export class Registration {
  readonly boundary: Boundary
  readonly slots: SubmissionTable
  /** The scheduler of the asynchronous flow, once that has begun. */
  readonly scheduler: () => Scheduler | undefined
  /** Begins the asynchronous flow, which takes the ring's eventfd. @throws {UringError} `ERR_URING_EVENTFD` */
  readonly begin: () => void

  constructor(
    boundary: Boundary,
    slots: SubmissionTable,
    flow: { scheduler: () => Scheduler | undefined; begin: () => void },
  ) {
    this.boundary = boundary
    this.slots = slots
    this.scheduler = flow.scheduler
    this.begin = flow.begin
  }

  /**
   * One io_uring_register(2): what the opcode gives, or a negative `errno`. The argument has to live for the call only;
   * what it points at and the kernel keeps is to be held.
   */
  call(opcode: number, argument: Uint8Array | null, count: number): number {
    return this.boundary.native.register(opcode, argument, count)
  }

  /** The same, where a failure is thrown. @throws {UringError} */
  register(opcode: number, argument: Uint8Array | null, count: number): number {
    const result = this.call(opcode, argument, count)
    if (result < 0) throw systemError(result, 'io_uring_register')
    return result
  }

  /** Keeps what is registered alive, whatever becomes of the ring's own object: until it is let go, or the ring is closed. */
  hold(what: object): void {
    this.slots.registered.add(what)
  }

  letGo(what: object): void {
    this.slots.registered.delete(what)
  }
}
