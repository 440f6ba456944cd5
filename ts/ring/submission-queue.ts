// The submission side of the queue API: operations are encoded and wait here until the next submit.

import { constants } from 'node:os'
import { invalidType } from '../arguments/validate.ts'
import { type Entry, SUBMITTABLE } from '../entry/entry.ts'
import { EntryWriter } from '../entry/entry-writer.ts'
import { type Token, tokenOf } from '../entry/token.ts'
import { OBSERVED } from '../entry/traits.ts'
import { fullError, systemError, type UringError } from '../errors.ts'
import { SetupFlags, SqeFlags } from '../flags/index.ts'
import type { Operation } from '../operations/base/operation.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import type { Boundary } from './boundary.ts'
import type { SkippedChains } from './skip-success.ts'
import type { Submission, SubmissionTable } from './submissions.ts'

const IS_SUBMITTABLE: typeof SUBMITTABLE = SUBMITTABLE
const { EACCES, ECANCELED } = constants.errno
const { CQE_SKIP_SUCCESS } = SqeFlags
const TIED = SqeFlags.IO_LINK | SqeFlags.IO_HARDLINK | CQE_SKIP_SUCCESS

/** An operation that is encoded and not enqueued. */
interface Encoded {
  readonly operationClass: OperationClass
  readonly words: Uint32Array
  readonly state: unknown
  readonly traits: number
  readonly data: unknown
}

export class SubmissionQueue {
  /** The area of pushed entries. */
  readonly writer: EntryWriter
  private readonly boundary: Boundary
  private readonly submissions: SubmissionTable
  private readonly skipped: SkippedChains
  private readonly polling: boolean

  constructor(boundary: Boundary, submissions: SubmissionTable, skipped: SkippedChains) {
    this.boundary = boundary
    this.writer = boundary.pushed
    this.submissions = submissions
    this.skipped = skipped
    this.polling = (boundary.native.setupFlags & SetupFlags.SQPOLL) !== 0
  }

  /** Entries that were pushed and that the kernel has not consumed. */
  get length(): number {
    return this.writer.count + this.left()
  }

  /** Encodes an operation and enqueues it. */
  push(item: Operation<unknown> | Entry<unknown>, userData: unknown): Token {
    const { writer } = this
    if (writer.count >= writer.limit) this.requireCapacity(1)
    if (item?.[IS_SUBMITTABLE] !== true)
      throw invalidType('operation', 'an instance of Operation or Entry', item)
    const state = item.encode(writer)
    // Nothing can refuse from here on, so a refused operation leaves no submission behind.
    const submission = this.submissions.acquire(item.operationClass, state, userData, writer.traits)
    writer.end(submission)
    const flags = writer.lastFlags
    if ((flags & TIED) !== 0 || this.skipped.active) this.tie(submission, flags)
    return tokenOf(submission)
  }

  /** Encodes operations and enqueues all of them, or none. */
  pushAll(items: readonly (Operation<unknown> | Entry<unknown>)[], userData: readonly unknown[]): Token[] {
    const { writer } = this
    this.requireCapacity(items.length)
    // A getter of an argument may push, submit and close, so nothing is enqueued before all are encoded.
    const encoded = Array.from(items, (item, index) => this.encode(item, userData[index], `items[${index}]`))
    this.boundary.checkOpen()
    this.requireCapacity(encoded.length)
    const first = writer.count
    const submissions: Submission[] = []
    try {
      for (const { operationClass, words, state, traits, data } of encoded) {
        const submission = this.submissions.acquire(operationClass, state, data, traits)
        submissions.push(submission)
        writer.copy(words, words.length, traits)
        writer.end(submission)
        if (this.boundary.restricted?.skips !== false) continue
        if ((writer.lastFlags & CQE_SKIP_SUCCESS) !== 0) throw skipError(submission)
      }
    } catch (error) {
      this.withdraw(submissions, first)
      throw error
    }
    for (const [index, submission] of submissions.entries()) {
      const flags = writer.flagsOf(first + index)
      if ((flags & TIED) !== 0 || this.skipped.active) this.skipped.enqueued(submission, flags)
    }
    return submissions.map(tokenOf)
  }

  /** Publishes what was pushed without a system call, for a polling thread to find. */
  publish(): void {
    this.boundary.publishPushed()
    if (this.skipped.active) this.endChain()
  }

  /** A submit ends the open chain, as it does in the kernel. */
  endChain(): void {
    if (this.writer.count === 0) this.skipped.cut()
  }

  /** Tracks an entry that is linked or skips its completion; withdraws it if restrictions do not let it skip. */
  private tie(submission: Submission, flags: number): void {
    if ((flags & CQE_SKIP_SUCCESS) !== 0 && this.boundary.restricted?.skips === false) {
      const error = skipError(submission)
      this.withdraw([submission], this.writer.count - 1)
      throw error
    }
    this.skipped.enqueued(submission, flags)
  }

  /** Withdraws submissions and their entries, from the entry `first` on. */
  private withdraw(submissions: readonly Submission[], first: number): void {
    for (const submission of submissions) {
      if ((submission.traits & OBSERVED) !== 0) this.submissions.observe(submission, -ECANCELED, 0)
      this.submissions.release(submission)
    }
    this.writer.drop(first)
  }

  private encode(item: Operation<unknown> | Entry<unknown>, data: unknown, name: string): Encoded {
    if (item?.[IS_SUBMITTABLE] !== true) throw invalidType(name, 'an instance of Operation or Entry', item)
    const { stride } = this.writer
    const writer = new EntryWriter(new Uint32Array(stride), stride * 4, this.boundary.lacking)
    const state = item.encode(writer)
    return {
      operationClass: item.operationClass,
      words: writer.words,
      state,
      traits: writer.traits,
      data,
    }
  }

  private requireCapacity(count: number): void {
    const { boundary, writer } = this
    writer.limit = boundary.entries - this.left()
    if (writer.count + count > writer.limit) throw fullError(boundary.entries)
  }

  /** Entries in the ring that the kernel has not consumed. A polling thread consumes them at any time. */
  private left(): number {
    return this.polling ? this.boundary.native.sqReady() : this.boundary.left
  }
}

/** The kernel would refuse the entry, and its refusal could swallow the completions of other entries. */
function skipError({ operationClass }: Submission): UringError {
  return systemError(-EACCES, operationClass?.syscall ?? 'io_uring')
}
