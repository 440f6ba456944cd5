// The native boundary: entries and completions cross it in shared areas, with one call per batch.

import { constants } from 'node:os'
import { roundUpToPowerOfTwo } from '../arguments/queue-sizes.ts'
import { binding, type BindingRing, type BindingSetup } from '../binding.ts'
import { SQE_BYTES, SQE128_BYTES } from '../entry/layout.ts'
import { EntryWriter } from '../entry/entry-writer.ts'
import { closedError, eventfdError, restrictedEventfdError, systemError } from '../errors.ts'
import { SetupFlags } from '../flags/index.ts'
import { loadError, setupError } from '../system/support.ts'
import type { SubmissionTable } from './submissions.ts'

/** Words of the status header: the arguments and the results of a call. Both sides read and write it. */
export const STATUS = {
  TAIL: 0,
  HEAD: 1,
  AREA: 2,
  COUNT: 3,
  WANT: 4,
  SLICE: 5,
  ERRNO: 6,
  COPIED: 7,
  TAKEN: 8,
  MORE: 9,
  IN_FLIGHT: 10,
  SQ_READY: 11,
  ENTERS: 12,
  KEEP: 13,
  SUBMITTED: 14,
  COMPLETED: 16,
  CANCELLED: 18,
  OVERFLOWED: 20,
} as const
export const STATUS_WORDS = 22

/** Values of `STATUS.AREA`: which entries a call submits. */
export const AREA = {
  /** The entries of the queue API. */
  PUSHED: 0,
  /** The entries of the promise API. */
  RUN: 1,
  /** None: the call only lets completions arrive. */
  NOTHING: 2,
  /** None, and the call does not enter the kernel. */
  NO_CALL: 3,
} as const

/** Bits of `STATUS.KEEP`: what the native side keeps alive while operations are in flight. */
export const KEEP = {
  /** The event loop stays open. */
  LOOP: 1,
  /** The callback, and the ring with it, is not collected. */
  CALLBACK: 2,
} as const

const CQE_BYTES = 16
const CQE32_BYTES = 32
const MIN_RECORDS = 16
const MAX_RECORDS = 4096

const { EACCES, EAGAIN, EBUSY, EINTR, ENOSYS } = constants.errno
/** Use the waiter thread where libuv is unavailable (Bun, Deno) or `URING_WAKER=thread` is set. */
export const WAKES_BY_THREAD: boolean =
  process.env.URING_WAKER === 'thread' || 'bun' in process.versions || 'deno' in process.versions

const MICROSECONDS = 1000

/** The restrictions of a ring, as far as they change how entries are made. */
export interface Restricted {
  /** Entry flags that every entry has to have. */
  readonly required: number
  /** False if an entry may not skip its completion. */
  readonly skips: boolean
}

export class Boundary {
  readonly native: BindingRing
  /** The area of the queue API's entries. */
  readonly pushed: EntryWriter
  /** The area of the promise API's entries: an `await` between two linked pushes must not end the chain. */
  readonly run: EntryWriter
  /** 1 for each opcode that the kernel does not support. */
  readonly lacking: Uint8Array
  /** Records of the completion area, as words. */
  readonly records: Uint32Array
  /** Words of one record. */
  readonly stride: number
  /** The number of records, a power of two, less one. */
  readonly mask: number
  /** The status header, indexed by `STATUS`. */
  readonly status: Uint32Array
  /** Entries of the submission queue. */
  entries: number
  /** Entries of the completion queue. */
  cqEntries: number
  /** True once the ring is being closed and takes nothing new. */
  closing = false
  /** True once the ring is gone. */
  closed = false
  /** The restrictions of the ring, if it has any. */
  restricted: Restricted | undefined
  readonly #submit: () => void
  readonly #entryBytes: number

  constructor(setup: BindingSetup, submissions: SubmissionTable) {
    const native = create(setup)
    this.native = native
    const { entries, cqEntries, setupFlags } = native
    const entryBytes = (setupFlags & SetupFlags.SQE128) === 0 ? SQE_BYTES : SQE128_BYTES
    this.#entryBytes = entryBytes
    const has32 = (setupFlags & (SetupFlags.CQE32 | SetupFlags.CQE_MIXED)) !== 0
    const recordBytes = has32 ? CQE32_BYTES : CQE_BYTES
    const records = Math.min(Math.max(cqEntries, MIN_RECORDS), MAX_RECORDS)

    this.lacking = lackingOf(native.probe())
    const lacking = this.lacking.indexOf(1) < KNOWN_OPCODES ? this.lacking : undefined
    const pushed = new Uint8Array(entries * entryBytes)
    const run = new Uint8Array(entries * entryBytes)
    const completions = new Uint8Array(records * recordBytes)
    this.pushed = new EntryWriter(new Uint32Array(pushed.buffer), entryBytes, lacking)
    this.run = new EntryWriter(new Uint32Array(run.buffer), entryBytes, lacking)
    this.records = new Uint32Array(completions.buffer)
    this.stride = recordBytes / 4
    this.entries = entries
    this.cqEntries = cqEntries
    this.mask = records - 1
    this.status = new Uint32Array(STATUS_WORDS)
    this.#submit = native.start(pushed, run, completions, this.status, submissions)
  }

  /** Returns this boundary. @throws {UringError} `ERR_URING_CLOSED` */
  checkOpen(): this {
    if (this.closing) throw closedError()
    return this
  }

  /**
   * Submits the entries of the queue API and waits for `want` completions, at most `slice` milliseconds. Returns 0 or a
   * negative `errno`.
   */
  submitPushed(want: number, slice: number): number {
    return this.#submitArea(AREA.PUSHED, this.pushed, want, slice)
  }

  /** Submits the entries of the promise API and lets completions arrive. Returns 0 or a negative `errno`. */
  submitRun(): number {
    return this.#submitArea(AREA.RUN, this.run, 0, 0)
  }

  #submitArea(area: number, writer: EntryWriter, want: number, slice: number): number {
    const { status } = this
    status[STATUS.AREA] = area
    status[STATUS.COUNT] = writer.count
    status[STATUS.WANT] = want
    status[STATUS.SLICE] = slice * MICROSECONDS
    this.#submit()
    writer.taken(status[STATUS.COPIED]!)
    this.limit()
    return status[STATUS.ERRNO]! | 0
  }

  /** Resizes the queues. All enqueued entries must fit. Returns 0 or a negative `errno`. */
  resize(entries: number, cqEntries: number): number {
    const bytes = roundUpToPowerOfTwo(entries) * this.#entryBytes
    const pushed = new Uint8Array(bytes)
    const run = new Uint8Array(bytes)
    const error = this.native.resize(entries, cqEntries, pushed, run)
    if (error !== 0) return error
    this.entries = this.native.entries
    this.cqEntries = this.native.cqEntries
    this.pushed.moveTo(new Uint32Array(pushed.buffer))
    this.run.moveTo(new Uint32Array(run.buffer))
    this.limit()
    return 0
  }

  /** Calls `callback` from the event loop when completions are ready. */
  startWaker(callback: () => void): void {
    let error = this.native.startWaker(callback, WAKES_BY_THREAD)
    if (error === -ENOSYS) error = this.native.startWaker(callback, true)
    if (error === -EBUSY) throw eventfdError()
    if (error === -EACCES && this.restricted !== undefined) throw restrictedEventfdError()
    if (error !== 0) throw systemError(error, 'io_uring_register')
  }

  /** Sets what is kept alive, as bits of `KEEP`. */
  keep(what: number): void {
    const { status } = this
    if (status[STATUS.KEEP] === what) return
    status[STATUS.KEEP] = what
    status[STATUS.AREA] = AREA.NO_CALL
    this.#submit()
  }

  /** Returns a 64-bit counter of the status header. */
  count(word: number): number {
    return this.status[word]! + this.status[word + 1]! * 2 ** 32
  }

  /** Publishes the entries of the queue API without a system call. */
  publishPushed(): void {
    this.pushed.taken(this.native.publish(AREA.PUSHED, this.pushed.count))
    this.limit()
  }

  /** Calls io_uring_enter(2) once. Returns the entries that the kernel consumed, or a negative `errno`. */
  enter(toSubmit: number, minComplete: number, flags: number, wait: number | undefined): number {
    const taken = this.native.enter(toSubmit, minComplete, flags, wait)
    this.limit()
    return taken
  }

  /** Sets how many entries can be enqueued: less those in the ring that the kernel has not consumed. */
  limit(): void {
    const capacity = this.entries - this.left
    this.pushed.limit = capacity
    this.run.limit = capacity
  }

  /** Lets completions arrive, and submits nothing. */
  getEvents(): number {
    this.status[STATUS.AREA] = AREA.NOTHING
    this.#submit()
    return this.status[STATUS.ERRNO]! | 0
  }

  /** Completions in the area that were not consumed. */
  get unread(): number {
    return (this.status[STATUS.TAIL]! - this.status[STATUS.HEAD]!) >>> 0
  }

  /** True if completions were left in the kernel's queue. */
  get more(): boolean {
    return this.status[STATUS.MORE] !== 0
  }

  /** Entries that the kernel consumed in the last call. */
  get taken(): number {
    return this.status[STATUS.TAKEN]!
  }

  /** Entries in the ring that the kernel had not consumed after the last call. */
  get left(): number {
    return this.status[STATUS.SQ_READY]!
  }

  get inFlight(): number {
    return this.status[STATUS.IN_FLIGHT]!
  }
}

function create(setup: BindingSetup): BindingRing {
  let ring: BindingRing | number
  try {
    ring = binding().Ring.create(setup)
  } catch (error) {
    throw loadError(error)
  }
  if (typeof ring === 'number') throw setupError(ring, setup)
  return ring
}

const OPCODES = 256
/** `IORING_OP_LAST` of the kernel that the operations were written for. */
const KNOWN_OPCODES = 65

/** Kernels before 5.6 cannot be probed: there an unsupported operation completes with `EINVAL`. */
function lackingOf(probe: readonly number[] | null): Uint8Array {
  const lacking = new Uint8Array(OPCODES)
  if (probe === null) return lacking
  lacking.fill(1)
  for (const opcode of probe) lacking[opcode] = 0
  return lacking
}

/** True for a transient error of io_uring_enter(2): retrying the call continues where it stopped. */
export function isTransient(errno: number): boolean {
  return errno === -EAGAIN || errno === -EBUSY || errno === -EINTR
}
