// The two sides of the native boundary: areas that entries and completions cross in, one call per batch.

import { binding, type BindingRing, type BindingSetup } from './binding.ts'
import { ENTRY_BYTES, EntryWriter, WIDE_ENTRY_BYTES } from './entry.ts'
import { SetupFlags } from './flags.ts'
import { loadError, setupError } from './support.ts'
import type { Slots } from './slots.ts'

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
} as const
const STATUS_WORDS = 13

/** Area numbers: what was pushed, what was run, and nothing. */
const PUSHED = 0
const NOTHING = 2

const COMPLETION_BYTES = 16
const WIDE_COMPLETION_BYTES = 32
const MIN_RECORDS = 16
const MAX_RECORDS = 4096

/** One slice of a wait. A blocking call cannot be ended from JavaScript, so none is longer than this. */
export const SLICE = 50
const MICROSECONDS = 1000

export class Boundary {
  readonly native: BindingRing
  /** Entries that were pushed. */
  readonly pushed: EntryWriter
  /** Records of the completion area, as words. */
  readonly records: Uint32Array
  /** Words of one record. */
  readonly stride: number
  /** Records less one: their number is a power of two. */
  readonly mask: number
  /** The status header: what the last call left, and how far completions were taken. */
  readonly status: Uint32Array
  readonly #entries: number
  readonly #submit: () => void

  constructor(setup: BindingSetup, slots: Slots) {
    const native = create(setup)
    this.native = native
    const { entries, cqEntries, setupFlags } = native
    const entryBytes = (setupFlags & SetupFlags.SQE128) === 0 ? ENTRY_BYTES : WIDE_ENTRY_BYTES
    const wide = (setupFlags & (SetupFlags.CQE32 | SetupFlags.CQE_MIXED)) !== 0
    const recordBytes = wide ? WIDE_COMPLETION_BYTES : COMPLETION_BYTES
    const records = Math.min(Math.max(cqEntries, MIN_RECORDS), MAX_RECORDS)

    const pushed = new Uint8Array(entries * entryBytes)
    const run = new Uint8Array(entries * entryBytes)
    const completions = new Uint8Array(records * recordBytes)
    this.pushed = new EntryWriter(new Uint32Array(pushed.buffer), entryBytes)
    this.records = new Uint32Array(completions.buffer)
    this.stride = recordBytes / 4
    this.#entries = entries
    this.mask = records - 1
    this.status = new Uint32Array(STATUS_WORDS)
    this.#submit = native.start(pushed, run, completions, this.status, slots)
  }

  /** Hands over what was pushed and waits for `want` completions, for a slice at most: 0 or a negative `errno`. */
  submitPushed(want: number, slice: number): number {
    const { status, pushed } = this
    status[STATUS.AREA] = PUSHED
    status[STATUS.COUNT] = pushed.count
    status[STATUS.WANT] = want
    status[STATUS.SLICE] = slice * MICROSECONDS
    this.#submit()
    pushed.taken(status[STATUS.COPIED]!)
    this.limit()
    return status[STATUS.ERRNO]! | 0
  }

  /** Puts what was pushed into the ring, without a system call. */
  publishPushed(): void {
    this.pushed.taken(this.native.publish(PUSHED, this.pushed.count))
    this.limit()
  }

  /** One system call, as it is: entries that the kernel took, or a negative `errno`. */
  enter(toSubmit: number, minComplete: number, flags: number): number {
    const taken = this.native.enter(toSubmit, minComplete, flags)
    this.limit()
    return taken
  }

  /** What the kernel has not taken from the ring takes up room. */
  limit(): void {
    this.pushed.limit = this.#entries - this.left
  }

  /** Lets completions arrive, and submits nothing. */
  getEvents(): number {
    this.status[STATUS.AREA] = NOTHING
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
  if (typeof ring === 'number') throw setupError(ring)
  return ring
}
