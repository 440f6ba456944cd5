// What every operation is: a description that is encoded when it is pushed.

import { Entry, SUBMITTABLE } from '../../entry/entry.ts'
import { SQE_BYTES, SQE128_BYTES } from '../../entry/layout.ts'
import { EntryWriter } from '../../entry/entry-writer.ts'
import { SqeFlags } from '../../flags/index.ts'
import { DEFAULT_BEHAVIOR, type OperationClass } from './operation-class.ts'
import { integer, MAX_U16 } from '../../arguments/validate.ts'

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
  static readonly syscall: OperationClass['syscall'] = DEFAULT_BEHAVIOR.syscall
  /** @internal */
  static readonly sqe128: OperationClass['sqe128'] = DEFAULT_BEHAVIOR.sqe128
  /** @internal */
  static readonly variantSince: OperationClass['variantSince'] = DEFAULT_BEHAVIOR.variantSince
  /** @internal */
  static readonly failed: OperationClass['failed'] = DEFAULT_BEHAVIOR.failed
  /** @internal */
  static readonly intact: OperationClass['intact'] = DEFAULT_BEHAVIOR.intact
  /** @internal */
  static readonly decode: OperationClass['decode'] = DEFAULT_BEHAVIOR.decode
  /** @internal */
  static readonly observe: OperationClass['observe'] = DEFAULT_BEHAVIOR.observe
  /** @internal */
  static readonly rearm: OperationClass['rearm'] = DEFAULT_BEHAVIOR.rearm
  /** @internal */
  static readonly isEnd: OperationClass['isEnd'] = DEFAULT_BEHAVIOR.isEnd
  /** @internal */
  static readonly leftover: OperationClass['leftover'] = DEFAULT_BEHAVIOR.leftover
  /** @internal */
  static readonly requested: OperationClass['requested'] = DEFAULT_BEHAVIOR.requested
  /** @internal */
  static readonly describe: OperationClass['describe'] = DEFAULT_BEHAVIOR.describe

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
