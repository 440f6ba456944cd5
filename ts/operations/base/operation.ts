// What every operation is: a description that is encoded when it is pushed.

import { Entry, SQE_BYTES, EntryWriter, SUBMITTABLE, SQE128_BYTES } from '../../ring/entry.ts'
import type { UringErrorDetails } from '../../errors.ts'
import { SqeFlags } from '../../flags/index.ts'
import type { Groups } from '../../buffers/groups.ts'
import type { Armed, OperationClass, SubmissionNames } from './operation-class.ts'
import type { FileTarget } from '../../arguments/file.ts'
import { integer, MAX_U16 } from '../../arguments/validate.ts'

const NOTHING: readonly FileTarget[] = []

/**
 * An operation of io_uring: a plain description, which can be pushed again, changed between pushes, and shared. Each
 * push encodes it afresh.
 */
export abstract class Operation<T = number> {
  /** `IORING_OP_*`. */
  static readonly opcode: number
  /** The first kernel that has it: `'5.6'`. */
  static readonly since: string
  /** @internal */
  static readonly syscall: string = 'io_uring'
  /** @internal */
  static readonly sqe128: boolean = false
  /** @internal */
  static readonly variantSince: string | undefined = undefined

  /** @internal */
  static failed(result: number): boolean {
    return result < 0
  }

  /** @internal */
  static intact(_result: number, _state: unknown): boolean {
    return true
  }

  /** @internal */
  static decode(result: number, _flags: number, _state: unknown): unknown {
    return result
  }

  /** @internal */
  static observe(
    _groups: Groups,
    _result: number,
    _flags: number,
    state: unknown,
    _last: unknown,
    _submissions: SubmissionNames,
  ): unknown {
    return state
  }

  /** @internal */
  static rearm(_entry: Armed, _result: number, _results: number, _total: number): boolean | number {
    return true
  }

  /** @internal */
  static isEnd(_result: number): boolean {
    return false
  }

  /** @internal */
  static leftover(_result: number, _state: unknown): readonly FileTarget[] {
    return NOTHING
  }

  /** @internal */
  static requested(_state: unknown): number | undefined {
    return undefined
  }

  /** @internal */
  static describe(_state: unknown): UringErrorDetails {
    return {}
  }

  /** Only a type: what `run()` resolves to. */
  declare readonly resultType?: T
  /** @internal */
  sqeFlags = 0
  /** @internal */
  personalityId = 0

  /** @internal */
  declare readonly [SUBMITTABLE]: true

  /** Writes the entry, and returns what has to live until its last completion. @internal */
  abstract encode(entry: EntryWriter): unknown

  /** What the slot table remembers of a submission. @internal */
  get operationClass(): OperationClass<T> {
    return this.constructor as unknown as OperationClass<T>
  }

  /** The next operation starts when this one has succeeded, and is cancelled when it fails or moves fewer bytes. */
  link(): this {
    this.sqeFlags |= SqeFlags.IO_LINK
    return this
  }

  /** The next operation starts when this one has completed, whatever came of it. */
  hardLink(): this {
    this.sqeFlags |= SqeFlags.IO_HARDLINK
    return this
  }

  /** Starts when everything before it has completed, and holds back everything after it. Slow. */
  drain(): this {
    this.sqeFlags |= SqeFlags.IO_DRAIN
    return this
  }

  /** Goes to a kernel worker at once, instead of being tried first. */
  async(): this {
    this.sqeFlags |= SqeFlags.ASYNC
    return this
  }

  /**
   * No completion on success. For the low-level flow only. A failure still completes, and then the operations linked
   * behind it do not answer at all.
   *
   * Memory is released with the chain: when a later member completes. Without a later one that answers, it is held
   * until the ring is closed. Since Linux 5.17.
   */
  skipSuccess(): this {
    this.sqeFlags |= SqeFlags.CQE_SKIP_SUCCESS
    return this
  }

  /** Runs with registered credentials. */
  personality(id: number): this {
    this.personalityId = integer(id, 'id', 0, MAX_U16)
    return this
  }

  /**
   * The entry as it is now: later changes to the operation do not reach it.
   *
   * @throws what pushing the operation throws
   */
  build(): Entry<T> {
    const { operationClass } = this
    const size = operationClass.sqe128 ? SQE128_BYTES : SQE_BYTES
    const writer = new EntryWriter(new Uint32Array(size / 4), size)
    const state = this.encode(writer)
    return new Entry(writer.words, operationClass, state, writer.traits)
  }
}

Object.defineProperty(Operation.prototype, SUBMITTABLE, { value: true })
