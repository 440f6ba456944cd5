// Built entries: operations in the form that the kernel reads.

import { invalidType, invalidValue, checkOptions } from '../arguments/validate.ts'
import { SqeFlags } from '../flags/index.ts'
import { DEFAULT_BEHAVIOR, type OperationClass } from '../operations/base/operation-class.ts'
import type { EntryWriter } from './entry-writer.ts'
import { FD, FILE_INDEX, HEADER, OFF, SQE128_BYTES, SQE_BYTES, USER_DATA } from './layout.ts'
import { BUILT, MULTISHOT, SINGLE_RESULT } from './traits.ts'

/** Marks operations and entries. Looking it up is cheaper than `instanceof`. */
export const SUBMITTABLE: unique symbol = Symbol('submittable')

/**
 * A built operation: the bytes that the kernel reads, and the memory that they point at.
 *
 * It can be submitted any number of times, on any ring, without being encoded again. Structs and output memory belong to
 * the entry: two submissions in flight at once write to the same memory.
 */
export class Entry<T = number> {
  /** Exists only as a type: what `run()` resolves to. */
  declare readonly resultType?: T
  /** The name of the operation's class. */
  readonly operation: string
  /** `IORING_OP_*`. */
  readonly opcode: number
  /** @internal */
  readonly words: Uint32Array
  /** @internal */
  readonly operationClass: OperationClass
  /** Memory that lives until the last completion, and from which the result is decoded. @internal */
  readonly state: unknown
  /** Bits of `traits.ts`. @internal */
  readonly traits: number
  /** Words up to the last that is not zero: only those are copied. @internal */
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

  /** Writes the entry, and returns its state. @internal */
  encode(entry: EntryWriter): unknown {
    this.check(entry)
    entry.copy(this.words, this.used, this.traits)
    return this.state
  }

  /** Checks that the ring of a writer supports the entry. @throws {UringError|TypeError} @internal */
  check(writer: EntryWriter): void {
    const { words, operationClass } = this
    if (operationClass !== RAW) writer.require(this.opcode, operationClass)
    if (words.length > writer.stride) {
      throw invalidValue('entry', this, 'has 128 bytes and needs a ring made with sqe128')
    }
  }

  /** Returns a copy with additional entry flags. @internal */
  linked(flags: number): Entry<T> {
    const words = this.words.slice()
    words[HEADER]! |= flags << 8
    return new Entry(words, this.operationClass, this.state, this.traits)
  }

  /** Returns a copy for what is left of a multishot operation. @internal */
  withLeft(left: number): Entry<T> {
    const words = this.words.slice()
    words[this.operationClass.extent === 'word' ? FILE_INDEX : OFF] = left
    return new Entry(words, this.operationClass, this.state, this.traits)
  }

  /** The low word of the offset. @internal */
  get offset(): number {
    return this.words[OFF]!
  }

  /** True if the entry is on a file: a descriptor, or `-1 - index` for a fixed file. @internal */
  isOn(file: number): boolean {
    const fixed = (this.sqeFlags & SqeFlags.FIXED_FILE) !== 0
    return (this.words[FD]! | 0) === (file < 0 ? -1 - file : file) && fixed === file < 0
  }

  /** The entry flags. @internal */
  get sqeFlags(): number {
    return (this.words[HEADER]! >>> 8) & 0xff
  }

  /** A copy of the 64 or 128 bytes. The user data is zero: each submission sets its own. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.words.slice().buffer)
  }

  /**
   * Makes an entry of any 64 or 128 bytes, for operations that have no class.
   *
   * **Unsafe.** The kernel reads and writes the addresses in the bytes. The memory there must not move, and has to be in
   * `keep`, which is held until the last completion. The user data is replaced.
   *
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: `bytes` is not a Uint8Array or `keep` not an array; `ERR_INVALID_ARG_VALUE`:
   * `bytes` does not have 64 or 128 bytes
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

/** The operation class of an entry of unknown meaning: its result is the kernel's number. */
const RAW: OperationClass<number> = {
  ...DEFAULT_BEHAVIOR,
  name: 'Entry',
  opcode: -1,
  since: '',
}

Object.defineProperty(Entry.prototype, SUBMITTABLE, { value: true })
