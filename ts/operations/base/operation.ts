// The base class of all operations: a description that is encoded with each push.

import { Entry, SUBMITTABLE } from '../../entry/entry.ts'
import { SQE_BYTES, SQE128_BYTES } from '../../entry/layout.ts'
import { EntryWriter } from '../../entry/entry-writer.ts'
import { SqeFlags } from '../../flags/index.ts'
import { DEFAULT_BEHAVIOR, type OperationClass } from './operation-class.ts'
import { integer, MAX_U16 } from '../../arguments/validate.ts'

/**
 * Describes an operation of io_uring. It can be pushed several times, changed between pushes, and shared between
 * rings: each push encodes its fields as they are then.
 */
export abstract class Operation<T = number> {
  /** `IORING_OP_*`. */
  static readonly opcode: number
  /** The first kernel that has the operation: `'5.6'`. */
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

  /** The type that `run()` resolves to; no field at run time. */
  declare readonly resultType?: T
  /** @internal */
  sqeFlags = 0
  /** @internal */
  personalityId = 0

  /** @internal */
  declare readonly [SUBMITTABLE]: true

  /** Writes the entry, and returns the state of the submission, which is held until its last completion. @internal */
  abstract encode(entry: EntryWriter): unknown

  /** The class, as the submission table keeps it. @internal */
  get operationClass(): OperationClass<T> {
    return this.constructor as unknown as OperationClass<T>
  }

  /**
   * Links the next operation, which starts once this one has succeeded. It is cancelled if this one fails or moves
   * fewer bytes than requested. Since Linux 5.3.
   */
  link(): this {
    this.sqeFlags |= SqeFlags.IO_LINK
    return this
  }

  /**
   * Links the next operation, which starts once this one has completed, with or without an error. Since Linux 5.5.
   */
  hardLink(): this {
    this.sqeFlags |= SqeFlags.IO_HARDLINK
    return this
  }

  /**
   * Starts once all operations before it have completed, and delays all operations after it. Slow. Since Linux 5.2.
   */
  drain(): this {
    this.sqeFlags |= SqeFlags.IO_DRAIN
    return this
  }

  /** Runs in a kernel worker at once, without a first attempt that must not block. Since Linux 5.6. */
  async(): this {
    this.sqeFlags |= SqeFlags.ASYNC
    return this
  }

  /**
   * Posts no completion on success. For the queue API only (`push`). A failure still has a completion, and then the
   * operations that are linked behind it have none.
   *
   * Memory is released when a later member of the chain completes. If none does, it is held until the ring is closed.
   * Since Linux 5.17.
   */
  skipSuccess(): this {
    this.sqeFlags |= SqeFlags.CQE_SKIP_SUCCESS
    return this
  }

  /** Runs with registered credentials: `id` is what `registerPersonality()` returned. Since Linux 5.6. */
  personality(id: number): this {
    this.personalityId = integer(id, 'id', 0, MAX_U16)
    return this
  }

  /**
   * Encodes the operation as it is now. Later changes to the operation do not change the entry.
   *
   * @throws the errors of pushing the operation
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
