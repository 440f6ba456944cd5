// The interface between a buffer group and the memory of its buffers.

import type { Received } from './received.ts'

/** The buffers that the kernel consumed, as a completion reports them. */
export interface Consumption {
  /** The buffer that the completion names: of a bundle, the first. */
  readonly id: number
  readonly result: number
  readonly flags: number
  /** For a bundle, the most bytes that its first buffer can hold. */
  readonly first: number | undefined
  /** True if the bytes were sent: then the buffers belong to the program again, whether the send succeeded or not. */
  readonly sent: boolean
  /** True for the last completion of the only operation on the group that was in flight. */
  readonly alone: boolean
}

/** The memory of a buffer group, and the buffers in it. */
export interface GroupMemory {
  /** True if the group is unregistered: operations in flight may still have buffers of it. */
  readonly closed: boolean
  /** True if the kernel or an operation in flight may have buffers of it. */
  readonly isUsed: boolean
  /** Handles a completion that consumed a buffer. Returns the data, or nothing if the buffer is unknown. */
  consume(consumption: Consumption): Received | undefined
  /** Notes that an operation with skip-success completed: the buffers that it consumed are unknown. */
  successSkipped?(): void
  /** Notes that an operation waits for buffers. */
  awaited?(): void
  /** Notes that no operation on the group is in flight. */
  idle?(): void
}
