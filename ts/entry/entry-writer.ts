// Writes operations as submission queue entries.

import { fullError, unsupportedError } from '../errors.ts'
import { SqeFlags } from '../flags/index.ts'
import { addressOf, type Bytes, lengthOf } from '../memory/address-of.ts'
import type { FileTarget } from '../arguments/file.ts'
import { resolveFile } from '../arguments/file.ts'
import { invalidValue, MAX_U32 } from '../arguments/validate.ts'
import {
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
} from './layout.ts'
import { MULTISHOT, OBSERVED, SINGLE_RESULT } from './traits.ts'

const TWO_32 = 0x1_0000_0000
/** Times this, a number's high word: exact, as it is a power of two, and faster than a division. */
const HIGH_WORD = 1 / TWO_32
/** What a read or write moves at most in one go; the kernel cuts longer ones itself (MAX_RW_COUNT). */
const MAX_TRANSFER = 0x7fff_f000

/** What every entry has beside its operation's fields. */
interface CommonFields {
  readonly sqeFlags: number
  readonly personalityId: number
  readonly operationClass: { readonly name: string; readonly since: string }
}

/**
 * Writes entries one after the other into an area of words.
 *
 * Words that are not in use are zero, so an entry costs only what it sets; flags add up. `begin` starts an entry and
 * the setters fill it in. What runs a user's code (a getter) has to come before `begin`, since it may push to the same
 * ring.
 */
export class EntryWriter {
  words: Uint32Array
  /** Words of one entry. */
  readonly stride: number
  /** Entries that are complete. */
  count = 0
  /** How many there can be now: the area's size, less what the kernel has not taken from the ring. */
  limit: number
  /** What is special about the entry that is being written: `MULTISHOT`, `OBSERVED`. */
  traits = 0
  /** The opcodes that the kernel does not have, where there is one that we know. */
  private readonly lacking: Uint8Array | undefined
  /** The first word of the entry that is being written, or will be next. */
  private at = 0
  /** Whether an entry was begun and refused half-way: its words have to be cleared. */
  private torn = false

  constructor(words: Uint32Array, entryBytes: number, lacking?: Uint8Array) {
    this.words = words
    this.lacking = lacking
    this.stride = entryBytes / 4
    this.limit = words.length / this.stride
  }

  /** Takes what is complete along to an area of another size. */
  moveTo(words: Uint32Array): void {
    words.set(this.words.subarray(0, this.count * this.stride))
    this.words = words
    this.torn = false
  }

  /** Starts the next entry: the opcode, and the flags that every operation has. */
  begin(opcode: number, common: CommonFields): void {
    if (this.lacking !== undefined) this.require(opcode, common.operationClass)
    const at = this.next()
    this.traits = 0
    this.words[at + HEADER] = opcode | (common.sqeFlags << 8)
    if (common.personalityId !== 0) this.words[at + BUFFER] = common.personalityId << 16
  }

  /** Moves on to the next entry. A getter of the caller's may have filled the queue meanwhile. */
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

  /** Whether it may complete more than once. */
  set multishot(value: boolean) {
    if (value) this.traits |= MULTISHOT
  }

  /** Whether its class looks at each completion as it is taken. */
  set observed(value: boolean) {
    if (value) this.traits |= OBSERVED
  }

  /** Whether it may complete more than once, and has one answer all the same. */
  set singleResult(value: boolean) {
    if (value) this.traits |= MULTISHOT | SINGLE_RESULT
  }

  /** `begin` for an operation on a file. */
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

  /** `beginFile` for an entry of 128 bytes. */
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

  /** The offset in a file; absent is the file position, which the kernel writes as -1. */
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

  /** The data of a command: the end of the entry, from byte 48 on. */
  command(bytes: Uint8Array): void {
    const { buffer, byteOffset } = this.words
    new Uint8Array(buffer, byteOffset + (this.at + ADDR3) * 4, bytes.length).set(bytes)
  }

  /** The number of a command. */
  commandOp(command: number): void {
    this.words[this.at + OFF] = command
  }

  /** An option of a socket. */
  option(level: number, name: number): void {
    this.words[this.at + ADDR] = level
    this.words[this.at + OPTION] = name
  }

  /** Everything that a read or write of one buffer sets, in one go: it is what most entries are. */
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

  /** Another submission, by its user data. */
  target(slot: number, generation: number): void {
    this.words[this.at + ADDR] = slot
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

  /** The kernel takes the buffer from a group. */
  group(id: number): void {
    this.words[this.at + BUFFER]! |= id
    this.flags(SqeFlags.BUFFER_SELECT)
  }

  /** A word that every operation gives another meaning. */
  word(value: number): void {
    this.words[this.at + FILE_INDEX] = value
  }

  /** A slot of the registered files, which the kernel counts from one; -1 is any. */
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

  /** Starts an entry that was built before. */
  copy(words: Uint32Array, used: number, traits: number): void {
    const at = this.next()
    const own = this.words
    for (let word = 0; word < used; word += 1) own[at + word] = words[word]!
    this.traits = traits
  }

  /** Refuses what the kernel does not have. */
  require(opcode: number, operationClass: { readonly name: string; readonly since: string }): void {
    if (this.lacking !== undefined && this.lacking[opcode] !== 0) throw unsupportedError(operationClass)
  }

  /** The flags of a complete entry. */
  flagsOf(index: number): number {
    return (this.words[index * this.stride + HEADER]! >>> 8) & 0xff
  }

  /** Completes the entry. */
  end(slot: { readonly index: number; readonly generation: number }): void {
    const { at, words } = this
    words[at + USER_DATA] = slot.index
    words[at + USER_DATA + 1] = slot.generation
    this.at = at + this.stride
    this.count += 1
    this.torn = false
  }

  /** The flags of the entry that was completed last. */
  get lastFlags(): number {
    return this.words[this.at - this.stride + HEADER]! >>> 8
  }

  /** Forgets the first `copied` entries: they are in the ring, and their words were cleared by who took them. */
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

  /** Forgets all entries from `kept` on. */
  drop(kept: number): void {
    this.words.fill(0, kept * this.stride, (this.count + (this.torn ? 1 : 0)) * this.stride)
    this.count = kept
    this.at = kept * this.stride
    this.torn = false
  }
}
