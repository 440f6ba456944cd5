// Completion records: the one decoder of what the native side writes to the completion area.
//
// A record is 16 or 32 bytes, as in the kernel: user data (submission index, generation), result, flags, and the second
// half of a 32-byte completion. A position is the index of a record's first word.

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

/** Private by TypeScript and not by `#`, which takes twice the bytecode and keeps V8 from inlining. */
export class CompletionRecords {
  private readonly words: Uint32Array
  private readonly status: Uint32Array
  private readonly mask: number
  private readonly stride: number
  private readonly submissions: SubmissionTable
  private readonly always32: boolean

  constructor(boundary: Boundary, submissions: SubmissionTable) {
    this.words = boundary.records
    this.status = boundary.status
    this.mask = boundary.mask
    this.stride = boundary.stride
    this.submissions = submissions
    this.always32 = (boundary.native.setupFlags & SetupFlags.CQE32) !== 0
  }

  /** Returns the position of the oldest unread record, or -1 if there is none. */
  next(): number {
    const head = this.status[HEAD]!
    return this.status[TAIL] === head ? -1 : (head & this.mask) * this.stride
  }

  /** Marks the oldest record as read. It stays readable until the next call into the native side. */
  consume(): void {
    this.status[HEAD]! += 1
  }

  /** Returns the submission that completed; `undefined` for an unsolicited or a stray completion. */
  submission(at: number): Submission | undefined {
    return this.submissions.find(this.words[at]!, this.words[at + GENERATION]!)
  }

  /** Returns the low word of the user data. */
  low(at: number): number {
    return this.words[at]!
  }

  /** Returns the high word of the user data. */
  high(at: number): number {
    return this.words[at + GENERATION]!
  }

  result(at: number): number {
    return this.words[at + RESULT]! | 0
  }

  flags(at: number): number {
    return this.words[at + FLAGS]!
  }

  /** Returns the second half of a 32-byte completion, as two 64-bit numbers. */
  extra(at: number): readonly [bigint, bigint] | undefined {
    if (!this.always32 && (this.flags(at) & F_32) === 0) return undefined
    return [this.word64(at + EXTRA), this.word64(at + EXTRA + 2)]
  }

  private word64(at: number): bigint {
    return (BigInt(this.words[at + 1]!) << 32n) | BigInt(this.words[at]!)
  }
}
