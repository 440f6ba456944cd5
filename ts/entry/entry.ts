// Built entries: operations in the form that the kernel reads.

import { invalidType, invalidValue, checkOptions } from '../arguments/validate.ts'
import { SqeFlags } from '../flags/index.ts'
import { DEFAULT_BEHAVIOR, type OperationClass } from '../operations/base/operation-class.ts'
import type { EntryWriter } from './entry-writer.ts'
import { FD, FILE_INDEX, HEADER, OFF, SQE128_BYTES, SQE_BYTES, USER_DATA } from './layout.ts'
import { BUILT, MULTISHOT, SINGLE_RESULT } from './traits.ts'

/** Marks what can be pushed: an operation or an entry. Looking it up is cheaper than `instanceof`. */
export const SUBMITTABLE: unique symbol = Symbol('stageable')

/**
 * An operation in the form that the kernel reads, and the memory that it points at.
 *
 * It can be pushed any number of times, to any ring, and costs no encoding then. Structs and output memory belong to
 * the entry: in flight twice at once, both submissions write to the same memory.
 */
export class Entry<T = number> {
  /** Only a type: what `run()` resolves to. */
  declare readonly resultType?: T
  /** The class that built it. */
  readonly operation: string
  /** `IORING_OP_*`. */
  readonly opcode: number
  /** @internal */
  readonly words: Uint32Array
  /** @internal */
  readonly operationClass: OperationClass
  /** What has to live until the last completion, and what the result is decoded from. @internal */
  readonly state: unknown
  /** What is special about it: `MULTISHOT`, `OBSERVED`. @internal */
  readonly traits: number
  /** Words up to the last that is not zero: the rest need no copying. @internal */
  readonly used: number

  /** @internal */
  constructor(words: Uint32Array, operationClass: OperationClass, state: unknown, traits: number) {
    this.operation = operationClass.name
    this.opcode = words[0]! & 0xff
    this.words = words
    this.operationClass = operationClass
    this.state = state
    this.traits = traits | BUILT
    this.used = words.findLastIndex((word) => word !== 0) + 1
  }

  /** @internal */
  declare readonly [SUBMITTABLE]: true

  /** Writes the entry, and returns what has to live. @internal */
  encode(entry: EntryWriter): unknown {
    this.check(entry)
    entry.copy(this.words, this.used, this.traits)
    return this.state
  }

  /** Refuses what the ring of a writer cannot take. @internal */
  check(writer: EntryWriter): void {
    const { words, operationClass } = this
    if (operationClass !== RAW) writer.require(this.opcode, operationClass)
    if (words.length > writer.stride) {
      throw invalidValue('entry', this, 'has 128 bytes and needs a ring made with sqe128')
    }
  }

  /** The same with more entry flags. @internal */
  linked(flags: number): Entry<T> {
    const words = this.words.slice()
    words[HEADER]! |= flags << 8
    return new Entry(words, this.operationClass, this.state, this.traits)
  }

  /** The same with so much left of it. @internal */
  withLeft(left: number): Entry<T> {
    const words = this.words.slice()
    words[this.operationClass.extent === 'word' ? FILE_INDEX : OFF] = left
    return new Entry(words, this.operationClass, this.state, this.traits)
  }

  /** The offset, if it is a small one. @internal */
  get offset(): number {
    return this.words[OFF]!
  }

  /** Whether it is on a file: a descriptor, or -1 - index for a registered one. @internal */
  isOn(file: number): boolean {
    const fixed = (this.sqeFlags & SqeFlags.FIXED_FILE) !== 0
    return (this.words[FD]! | 0) === (file < 0 ? -1 - file : file) && fixed === file < 0
  }

  /** The entry flags. @internal */
  get sqeFlags(): number {
    return (this.words[HEADER]! >>> 8) & 0xff
  }

  /** The 64 or 128 bytes, as a copy. The user data in it is zero: it is set with each push. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.words.slice().buffer)
  }

  /**
   * An entry from any 64 or 128 bytes: the escape hatch for what has no class.
   *
   * **Unsafe.** The kernel reads and writes wherever the bytes point. What they point at has to be in `keep`, which
   * lives until the last completion, and must not move. The user data is replaced.
   *
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   */
  static from(bytes: Uint8Array, options: { keep?: readonly unknown[] } = {}): Entry {
    if (!(bytes instanceof Uint8Array)) throw invalidType('bytes', 'an instance of Uint8Array', bytes)
    if (bytes.byteLength !== SQE_BYTES && bytes.byteLength !== SQE128_BYTES) {
      throw invalidValue('bytes', bytes.byteLength, 'must have 64 or 128 bytes')
    }
    const { keep } = checkOptions(options)
    if (keep !== undefined && !Array.isArray(keep))
      throw invalidType('options.keep', 'an instance of Array', keep)
    const words = new Uint32Array(bytes.byteLength / 4)
    new Uint8Array(words.buffer).set(bytes)
    words.fill(0, USER_DATA, USER_DATA + 2)
    return new Entry(words, RAW, keep?.slice(), MULTISHOT | SINGLE_RESULT)
  }
}

/** What an entry of unknown meaning answers: the kernel's number. */
const RAW: OperationClass<number> = {
  ...DEFAULT_BEHAVIOR,
  name: 'Entry',
  opcode: -1,
  since: '',
}

Object.defineProperty(Entry.prototype, SUBMITTABLE, { value: true })
