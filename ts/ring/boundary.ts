// The two sides of the native boundary: areas that entries and completions cross in, one call per batch.

import { constants } from 'node:os'
import { binding, type BindingRing, type BindingSetup } from '../binding.ts'
import { SQE_BYTES, SQE128_BYTES } from '../entry/layout.ts'
import { EntryWriter } from '../entry/entry-writer.ts'
import { closedError, eventfdError, restrictedEventfdError, systemError } from '../errors.ts'
import { SetupFlags } from '../flags/index.ts'
import { loadError, setupError } from '../system/support.ts'
import type { SubmissionTable } from './submissions.ts'

/** Words of the status header, which both sides read and write: what is asked of a call, and what came of it. */
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
const STATUS_WORDS = 22

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

/** What the event loop's side keeps while something is in flight. */
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
/** Where libuv is not to be had, or somebody wants to see the other way at work, a thread waits for completions. */
export const WAKES_BY_THREAD: boolean =
  process.env.URING_WAKER === 'thread' || 'bun' in process.versions || 'deno' in process.versions

/** One slice of a wait. A blocking call cannot be ended from JavaScript, so none is longer than this. */
export const SLICE = 50
const MICROSECONDS = 1000

/** What the rest of a ring has to know of its restrictions. */
export interface Restricted {
  /** Entry flags that every entry has to have. */
  readonly required: number
  /** Whether an entry may skip its completion. */
  readonly skips: boolean
}

export class Boundary {
  readonly native: BindingRing
  /** Entries that were pushed. */
  readonly pushed: EntryWriter
  /** Entries that were run: an `await` between two linked pushes must not cut the chain. */
  readonly run: EntryWriter
  /** A one for every opcode that the kernel does not have. */
  readonly lacking: Uint8Array
  /** Records of the completion area, as words. */
  readonly records: Uint32Array
  /** Words of one record. */
  readonly stride: number
  /** Records less one: their number is a power of two. */
  readonly mask: number
  /** The status header: what the last call left, and how far completions were taken. */
  readonly status: Uint32Array
  /** Entries of the submission queue. */
  entries: number
  /** Entries of the completion queue. */
  cqEntries: number
  /** True once the ring is being closed and takes nothing new. */
  closing = false
  /** True once the ring is gone. */
  closed = false
  /** What its restrictions mean for the rest of the ring, if it has some. */
  restricted: Restricted | undefined
  readonly #submit: () => void
  readonly #entryBytes: number

  constructor(setup: BindingSetup, submissions: SubmissionTable) {
    const native = create(setup)
    this.native = native
    const { entries, cqEntries, setupFlags } = native
    const entryBytes = (setupFlags & SetupFlags.SQE128) === 0 ? SQE_BYTES : SQE128_BYTES
    this.#entryBytes = entryBytes
    const wide = (setupFlags & (SetupFlags.CQE32 | SetupFlags.CQE_MIXED)) !== 0
    const recordBytes = wide ? CQE32_BYTES : CQE_BYTES
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

  /** Hands over what was pushed and waits for `want` completions, for a slice at most: 0 or a negative `errno`. */
  submitPushed(want: number, slice: number): number {
    return this.#hand(AREA.PUSHED, this.pushed, want, slice)
  }

  /** Hands over what was run, and lets completions arrive: 0 or a negative `errno`. */
  submitRun(): number {
    return this.#hand(AREA.RUN, this.run, 0, 0)
  }

  #hand(area: number, staged: EntryWriter, want: number, slice: number): number {
    const { status } = this
    status[STATUS.AREA] = area
    status[STATUS.COUNT] = staged.count
    status[STATUS.WANT] = want
    status[STATUS.SLICE] = slice * MICROSECONDS
    this.#submit()
    staged.taken(status[STATUS.COPIED]!)
    this.limit()
    return status[STATUS.ERRNO]! | 0
  }

  /** Gives the queues other sizes, in which everything that is staged has room: 0 or a negative `errno`. */
  resize(entries: number, cqEntries: number): number {
    const bytes = 2 ** Math.ceil(Math.log2(entries)) * this.#entryBytes
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

  /** What is kept while something is in flight, `KEEP`. */
  keep(what: number): void {
    const { status } = this
    if (status[STATUS.KEEP] === what) return
    status[STATUS.KEEP] = what
    status[STATUS.AREA] = AREA.NO_CALL
    this.#submit()
  }

  /** A count since the ring was made. */
  count(word: number): number {
    return this.status[word]! + this.status[word + 1]! * 2 ** 32
  }

  /** Puts what was pushed into the ring, without a system call. */
  publishPushed(): void {
    this.pushed.taken(this.native.publish(AREA.PUSHED, this.pushed.count))
    this.limit()
  }

  /** One system call, as it is: entries that the kernel took, or a negative `errno`. */
  enter(toSubmit: number, minComplete: number, flags: number, wait: number | undefined): number {
    const taken = this.native.enter(toSubmit, minComplete, flags, wait)
    this.limit()
    return taken
  }

  /** What the kernel has not taken from the ring takes up room. */
  limit(): void {
    const room = this.entries - this.left
    this.pushed.limit = room
    this.run.limit = room
  }

  /** Lets completions arrive, and submits nothing. */
  getEvents(): number {
    this.status[STATUS.AREA] = AREA.NOTHING
    this.#submit()
    return this.status[STATUS.ERRNO]! | 0
  }

  /** Completions in the area that were not taken. */
  get unread(): number {
    return (this.status[STATUS.TAIL]! - this.status[STATUS.HEAD]!) >>> 0
  }

  /** Whether completions were left in the kernel's queue. */
  get more(): boolean {
    return this.status[STATUS.MORE] !== 0
  }

  /** Entries that the kernel took in the last call. */
  get taken(): number {
    return this.status[STATUS.TAKEN]!
  }

  /** Entries in the ring that the kernel had not taken after the last call. */
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
/** `IORING_OP_LAST` of the kernel that the operations are of. */
const KNOWN_OPCODES = 65

/** Kernels before 5.6 cannot be asked: they say so when an operation completes. */
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
