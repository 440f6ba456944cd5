// Writes operations as submission queue entries.

import { fullError, unsupportedError } from '../errors.ts'
import { SqeFlags } from '../flags/index.ts'
import { addressOf, type Bytes, lengthOf } from '../memory/address-of.ts'
import type { FileTarget } from '../arguments/file.ts'
import { resolveFile } from '../arguments/file.ts'
import { invalidValue, MAX_U32 } from '../arguments/validate.ts'
import * as layout from './layout.ts'
import * as entryTraits from './traits.ts'

// Constants of this module, which V8 folds; a variable of another module it would load each time.
const {
  ADDR,
  ADDR3,
  BUFFER,
  FD,
  FILE_INDEX,
  HEADER,
  LEN,
  OFF,
  OPTION,
  OP_FLAGS,
  PAD2,
  SQE128_BYTES,
  USER_DATA,
} = layout
const { MULTISHOT, OBSERVED, SINGLE_RESULT } = entryTraits

const TWO_32 = 0x1_0000_0000
/** A number times this is its high word. Exact, as it is a power of two, and faster than a division. */
const HIGH_WORD = 1 / TWO_32
/** Bytes that one read or write moves at most (MAX_RW_COUNT); the kernel shortens longer ones itself. */
const MAX_TRANSFER = 0x7fff_f000

/** The fields that all operations have. */
interface CommonFields {
  readonly sqeFlags: number
  readonly personalityId: number
  readonly operationClass: { readonly name: string; readonly since: string }
}

/**
 * Writes entries one after the other into an area of words.
 *
 * Unused words are zero, so an entry costs only what it sets; flags are combined. `begin` starts an entry and the setters
 * fill it in. Code of the program, such as a getter, has to run before `begin`: it may push to the same ring.
 */
export class EntryWriter {
  words: Uint32Array
  /** Words of one entry. */
  readonly stride: number
  /** Entries that are complete. */
  count = 0
  /** Entries that fit now: the size of the area, less those that the kernel has not consumed from the ring. */
  limit: number
  /** Traits of the entry that is being written. */
  traits = 0
  /** 1 for each opcode that the kernel does not support; absent if it supports all that this package knows. */
  private readonly lacking: Uint8Array | undefined
  /** The first word of the entry that is being written, or will be next. */
  private at = 0
  /** True after an entry was begun and refused half-way: its words have to be cleared. */
  private torn = false

  constructor(words: Uint32Array, entryBytes: number, lacking?: Uint8Array) {
    this.words = words
    this.lacking = lacking
    this.stride = entryBytes / 4
    this.limit = words.length / this.stride
  }

  /** Moves the complete entries to an area of another size. */
  moveTo(words: Uint32Array): void {
    words.set(this.words.subarray(0, this.count * this.stride))
    this.words = words
    this.torn = false
  }

  /** Starts the next entry with its opcode, entry flags and personality. */
  begin(opcode: number, common: CommonFields): void {
    if (this.lacking !== undefined) this.require(opcode, common.operationClass)
    const at = this.next()
    this.traits = 0
    this.words[at + HEADER] = opcode | (common.sqeFlags << 8)
    if (common.personalityId !== 0) this.words[at + BUFFER] = common.personalityId << 16
  }

  /** Returns the position of the next entry. A getter of the program may have filled the area meanwhile. */
  private next(): number {
    const { at } = this
    if (this.torn || this.count >= this.limit) this.clear(at)
    this.torn = true
    return at
  }

  private clear(at: number): void {
    if (this.count >= this.limit) throw fullError(this.words.length / this.stride)
    this.words.fill(0, at, at + this.stride)
  }

  /** Marks the entry as one that may complete more than once. */
  set multishot(value: boolean) {
    if (value) this.traits |= MULTISHOT
  }

  /** Marks the entry as one whose class observes each completion. */
  set observed(value: boolean) {
    if (value) this.traits |= OBSERVED
  }

  /** Marks the entry as one with several completions and a single result. */
  set singleResult(value: boolean) {
    if (value) this.traits |= MULTISHOT | SINGLE_RESULT
  }

  /** Starts the entry of an operation on a file. */
  beginFile(opcode: number, common: CommonFields, file: FileTarget, name = 'file'): void {
    const resolved = resolveFile(file, name)
    this.begin(opcode, common)
    if (resolved < 0) {
      this.flags(SqeFlags.FIXED_FILE)
      this.fd(-1 - resolved)
    } else {
      this.fd(resolved)
    }
  }

  /** Starts an entry of 128 bytes. */
  beginSqe128(opcode: number, common: CommonFields): void {
    if (this.stride < SQE128_BYTES / 4) {
      throw invalidValue('operation', common, 'has 128 bytes and needs a ring made with sqe128')
    }
    this.begin(opcode, common)
  }

  flags(bits: number): void {
    this.words[this.at + HEADER]! |= bits << 8
  }

  ioprio(bits: number): void {
    this.words[this.at + HEADER]! |= bits << 16
  }

  fd(fd: number): void {
    this.words[this.at + FD] = fd
  }

  off(value: number | bigint): void {
    this.uint64(OFF, value)
  }

  /** Sets the offset in a file; absent, the file position, for which the kernel uses -1. */
  offset(value: number | bigint | undefined): void {
    if (value === undefined) {
      this.words[this.at + OFF] = MAX_U32
      this.words[this.at + OFF + 1] = MAX_U32
    } else {
      this.uint64(OFF, value)
    }
  }

  addr(value: number | bigint): void {
    this.uint64(ADDR, value)
  }

  addr3(value: number | bigint): void {
    this.uint64(ADDR3, value)
  }

  pad2(value: number | bigint): void {
    this.uint64(PAD2, value)
  }

  /** Sets the data of a command: the end of the entry, from byte 48 on. */
  command(bytes: Uint8Array): void {
    const { buffer, byteOffset } = this.words
    new Uint8Array(buffer, byteOffset + (this.at + ADDR3) * 4, bytes.length).set(bytes)
  }

  /** Sets the number of a command. */
  commandOp(command: number): void {
    this.words[this.at + OFF] = command
  }

  /** Sets the level and the name of a socket option. */
  option(level: number, name: number): void {
    this.words[this.at + ADDR] = level
    this.words[this.at + OPTION] = name
  }

  /** Writes the entry of a read or write of one buffer, which is what most entries are. */
  transfer(
    opcode: number,
    common: CommonFields,
    file: number,
    from: number | bigint | undefined,
    bytes: Bytes,
    flags: number,
  ): void {
    this.begin(opcode, common)
    const { words } = this
    const at = this.at
    if (file < 0) {
      words[at + HEADER]! |= SqeFlags.FIXED_FILE << 8
      words[at + FD] = -1 - file
    } else {
      words[at + FD] = file
    }
    if (typeof from === 'number' && from < TWO_32) words[at + OFF] = from
    else this.offset(from)
    const length = lengthOf(bytes)
    if (length > 0) {
      const address = addressOf(bytes)
      words[at + ADDR] = address // modulo 2^32
      words[at + ADDR + 1] = address * HIGH_WORD
      words[at + LEN] = length > MAX_U32 ? MAX_TRANSFER : length
    }
    if (flags !== 0) words[at + OP_FLAGS] = flags
  }

  /** Sets the user data of another submission, to cancel or to change it. */
  target(index: number, generation: number): void {
    this.words[this.at + ADDR] = index
    this.words[this.at + ADDR + 1] = generation
  }

  len(value: number): void {
    this.words[this.at + LEN] = value
  }

  opFlags(bits: number): void {
    this.words[this.at + OP_FLAGS]! |= bits
  }

  bufferIndex(index: number): void {
    this.words[this.at + BUFFER]! |= index
  }

  /** Lets the kernel pick the buffer from a buffer group. */
  group(id: number): void {
    this.words[this.at + BUFFER]! |= id
    this.flags(SqeFlags.BUFFER_SELECT)
  }

  /** Sets the word whose meaning depends on the operation. */
  word(value: number): void {
    this.words[this.at + FILE_INDEX] = value
  }

  /** Sets a fixed-file slot, which the kernel counts from one; -1 lets it choose. */
  slot(index: number): void {
    this.words[this.at + FILE_INDEX] = index + (index < 0 ? 0 : 1)
  }

  private uint64(word: number, value: number | bigint): void {
    const at = this.at + word
    if (typeof value === 'number') {
      this.words[at] = value // modulo 2^32
      this.words[at + 1] = value * HIGH_WORD
    } else {
      this.words[at] = Number(value & 0xffff_ffffn)
      this.words[at + 1] = Number((value >> 32n) & 0xffff_ffffn)
    }
  }

  /** Copies a built entry. */
  copy(words: Uint32Array, used: number, traits: number): void {
    const at = this.next()
    const own = this.words
    for (let word = 0; word < used; word += 1) own[at + word] = words[word]!
    this.traits = traits
  }

  /** Checks that the kernel supports an opcode. @throws {UringError} `ERR_URING_UNSUPPORTED` */
  require(opcode: number, operationClass: { readonly name: string; readonly since: string }): void {
    if (this.lacking !== undefined && this.lacking[opcode] !== 0) throw unsupportedError(operationClass)
  }

  /** Returns the entry flags of a complete entry. */
  flagsOf(index: number): number {
    return (this.words[index * this.stride + HEADER]! >>> 8) & 0xff
  }

  /** Completes the entry, with the user data of its submission. */
  end(submission: { readonly index: number; readonly generation: number }): void {
    const { at, words } = this
    words[at + USER_DATA] = submission.index
    words[at + USER_DATA + 1] = submission.generation
    this.at = at + this.stride
    this.count += 1
    this.torn = false
  }

  /** The entry flags of the last complete entry. */
  get lastFlags(): number {
    return this.words[this.at - this.stride + HEADER]! >>> 8
  }

  /** Forgets the first `copied` entries: they are in the ring, and the native side has cleared their words. */
  taken(copied: number): void {
    if (copied === this.count && !this.torn) {
      this.count = 0
      this.at = 0
    } else {
      this.takenSome(copied)
    }
  }

  private takenSome(copied: number): void {
    const { words, stride, count } = this
    if (copied < count) words.copyWithin(0, copied * stride, count * stride)
    this.drop(count - copied)
  }

  /** Forgets and clears all entries from `kept` on. */
  drop(kept: number): void {
    this.words.fill(0, kept * this.stride, (this.count + (this.torn ? 1 : 0)) * this.stride)
    this.count = kept
    this.at = kept * this.stride
    this.torn = false
  }
}
