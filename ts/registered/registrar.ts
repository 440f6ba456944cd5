// What a ring can be told once, and keeps: its registrations. One section for each kind; what there is to know about a
// kind is in its own file.

import { type Registration, REGISTRATION } from './registration.ts'

/** The registrations of a ring. */
export abstract class Registrar {
  /** What registrations need of the ring. @throws {UringError} `ERR_URING_CLOSED` @internal */
  abstract get [REGISTRATION](): Registration

  // ---- files

  // ---- buffers

  // ---- credentials and restrictions

  // ---- eventfd

  // ---- workers and descriptors

  // ---- cancelling

  // ---- time and network

  // ---- memory

  // ---- what the kernel has

  // ---- messages
}
