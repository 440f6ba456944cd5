// Completion records: the one decoder of what the native side writes to the completion area.
//
// A record is 16 or 32 bytes, as in the kernel: user data (submission index, generation), result, flags, and the second
// half of a 32-byte completion. A position is the index of a record's first word.
//
// Loops over many records take the fields of the area into local variables and call the functions below: V8 keeps those in
// registers, where it would load a field again for each record (2 % of a no-op in batches of 128).

import { CqeFlags, SetupFlags } from '../flags/index.ts'
import { type Boundary, STATUS } from './boundary.ts'
import type { Submission, SubmissionTable } from './submissions.ts'

// Module constants, which V8 folds where it would load a property of an imported object.
const { HEAD, TAIL } = STATUS
const { F_32 } = CqeFlags

const GENERATION = 1
const RESULT = 2
const FLAGS = 3
const EXTRA = 4

/** Returns the position of the oldest unread record, or -1 if there is none. */
export function oldest(status: Uint32Array, mask: number, stride: number): number {
  const head = status[HEAD]!
  return status[TAIL] === head ? -1 : (head & mask) * stride
}

/** Marks the oldest record as read. It stays readable until the next call into the native side. */
export function consume(status: Uint32Array): void {
  status[HEAD]! += 1
}

/** Returns the submission that completed; `undefined` for an unsolicited or a stray completion. */
export function submissionOf(
  submissions: SubmissionTable,
  words: Uint32Array,
  at: number,
): Submission | undefined {
  return submissions.find(words[at]!, words[at + GENERATION]!)
}

export function resultOf(words: Uint32Array, at: number): number {
  return words[at + RESULT]! | 0
}

export function flagsOf(words: Uint32Array, at: number): number {
  return words[at + FLAGS]!
}

/** Returns the low word of the user data. */
export function lowOf(words: Uint32Array, at: number): number {
  return words[at]!
}

/** Returns the high word of the user data. */
export function highOf(words: Uint32Array, at: number): number {
  return words[at + GENERATION]!
}

/** The completion area of a ring. */
export class CompletionRecords {
  readonly words: Uint32Array
  readonly status: Uint32Array
  /** The number of records, a power of two, less one. */
  readonly mask: number
  /** Words of one record. */
  readonly stride: number
  /** All records have a second half. */
  private readonly always32: boolean
  /** Records can have one. On other rings a sender can set `F_32` all the same, by the flags of a message. */
  private readonly can32: boolean

  constructor(boundary: Boundary) {
    this.words = boundary.records
    this.status = boundary.status
    this.mask = boundary.mask
    this.stride = boundary.stride
    const { setupFlags } = boundary.native
    this.always32 = (setupFlags & SetupFlags.CQE32) !== 0
    this.can32 = this.always32 || (setupFlags & SetupFlags.CQE_MIXED) !== 0
  }

  /** Returns the position of the oldest unread record, or -1 if there is none. */
  next(): number {
    return oldest(this.status, this.mask, this.stride)
  }

  /** Returns the second half of a 32-byte completion, as two 64-bit numbers. */
  extra(at: number): readonly [bigint, bigint] | undefined {
    if (!this.can32) return undefined
    if (!this.always32 && (flagsOf(this.words, at) & F_32) === 0) return undefined
    return [this.word64(at + EXTRA), this.word64(at + EXTRA + 2)]
  }

  private word64(at: number): bigint {
    return (BigInt(this.words[at + 1]!) << 32n) | BigInt(this.words[at]!)
  }
}
