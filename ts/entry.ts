// The submission queue entry: 64 bytes as 16 words. This is the one place that knows which word holds what.

import { fullError } from './errors.ts'
import { SqeFlags } from './flags.ts'
import { addressOf, type Bytes } from './memory.ts'
import type { Operation, OperationClass } from './operation.ts'
import type { FileTarget } from './registered/files.ts'
import { resolveFile } from './registered/files.ts'
import { invalidType, invalidValue, MAX_U32 } from './validate.ts'

export const ENTRY_BYTES = 64
export const WIDE_ENTRY_BYTES = 128
const WORDS = ENTRY_BYTES / 4

const HEADER = 0 // opcode, flags << 8, ioprio << 16
const FD = 1
const OFF = 2
const ADDR = 4
const LEN = 6
const OP_FLAGS = 7
const USER_DATA = 8
const BUFFER = 10 // buf_index or buf_group, personality << 16
const FILE_INDEX = 11
const ADDR3 = 12

const TWO_32 = 0x1_0000_0000
/** What a read or write moves at most in one go; the kernel cuts longer ones itself (MAX_RW_COUNT). */
const MAX_TRANSFER = 0x7fff_f000

/**
 * Writes entries one after the other into an area of words.
 *
 * `begin` clears an entry and the setters fill it in; flags add up. What runs a user's code (a getter) has to come
 * before `begin`, since it may push to the same ring.
 */
export class EntryWriter {
  readonly words: Uint32Array
  /** Words of one entry. */
  readonly stride: number
  /** Entries that are complete. */
  count = 0
  /** Whether the entry may complete more than once. */
  many = false
  #at = 0

  constructor(words: Uint32Array, entryBytes: number) {
    this.words = words
    this.stride = entryBytes / 4
  }

  /** Moves on to the next entry. A getter of the caller's may have filled the queue meanwhile. */
  #next(): number {
    const at = this.count * this.stride
    if (at >= this.words.length) throw fullError(this.words.length / this.stride)
    this.#at = at
    return at
  }

  /** Starts the next entry: zeros, the opcode, and the flags that every operation has. */
  begin(opcode: number, operation: Operation<unknown>): void {
    const { words } = this
    const at = this.#next()
    this.many = false
    words[at] = opcode | (operation.sqeFlags << 8)
    words[at + 1] = 0
    words[at + 2] = 0
    words[at + 3] = 0
    words[at + 4] = 0
    words[at + 5] = 0
    words[at + 6] = 0
    words[at + 7] = 0
    words[at + 8] = 0
    words[at + 9] = 0
    words[at + 10] = operation.personalityId << 16
    words[at + 11] = 0
    words[at + 12] = 0
    words[at + 13] = 0
    words[at + 14] = 0
    words[at + 15] = 0
    if (this.stride > WORDS) words.fill(0, at + WORDS, at + this.stride)
  }

  /** `begin` for an operation on a file. */
  beginFile(opcode: number, operation: Operation<unknown>, file: FileTarget, name = 'file'): void {
    const resolved = resolveFile(file, name)
    this.begin(opcode, operation)
    if (resolved < 0) {
      this.flags(SqeFlags.FIXED_FILE)
      this.fd(-1 - resolved)
    } else {
      this.fd(resolved)
    }
  }

  flags(bits: number): void {
    this.words[this.#at + HEADER]! |= bits << 8
  }

  ioprio(bits: number): void {
    this.words[this.#at + HEADER]! |= bits << 16
  }

  fd(fd: number): void {
    this.words[this.#at + FD] = fd
  }

  off(value: number | bigint): void {
    this.#wide(OFF, value)
  }

  /** The offset in a file; absent is the file position, which the kernel writes as -1. */
  offset(value: number | bigint | undefined): void {
    if (value === undefined) {
      this.words[this.#at + OFF] = MAX_U32
      this.words[this.#at + OFF + 1] = MAX_U32
    } else {
      this.#wide(OFF, value)
    }
  }

  addr(value: number | bigint): void {
    this.#wide(ADDR, value)
  }

  addr3(value: number | bigint): void {
    this.#wide(ADDR3, value)
  }

  /** Another submission, by its user data. */
  target(slot: number, generation: number): void {
    this.words[this.#at + ADDR] = slot
    this.words[this.#at + ADDR + 1] = generation
  }

  /** A buffer: address and length. */
  bytes(bytes: Bytes): void {
    const { byteLength } = bytes
    this.#wide(ADDR, byteLength === 0 ? 0 : addressOf(bytes))
    this.words[this.#at + LEN] = byteLength > MAX_U32 ? MAX_TRANSFER : byteLength
  }

  len(value: number): void {
    this.words[this.#at + LEN] = value
  }

  opFlags(bits: number): void {
    this.words[this.#at + OP_FLAGS]! |= bits
  }

  bufferIndex(index: number): void {
    this.words[this.#at + BUFFER]! |= index
  }

  /** The kernel takes the buffer from a group. */
  group(id: number): void {
    this.words[this.#at + BUFFER]! |= id
    this.flags(SqeFlags.BUFFER_SELECT)
  }

  /** A slot of the registered files, which the kernel counts from one; -1 is any. */
  slot(index: number): void {
    this.words[this.#at + FILE_INDEX] = index + (index < 0 ? 0 : 1)
  }

  #wide(word: number, value: number | bigint): void {
    const at = this.#at + word
    if (typeof value === 'number') {
      this.words[at] = value // modulo 2^32
      this.words[at + 1] = value / TWO_32
    } else {
      this.words[at] = Number(value & 0xffff_ffffn)
      this.words[at + 1] = Number((value >> 32n) & 0xffff_ffffn)
    }
  }

  /** Copies an entry that was built before. */
  copy(entry: Entry<unknown>): void {
    const { words } = entry
    if (words.length > this.stride) {
      throw invalidValue('entry', entry, 'has 128 bytes and needs a ring made with sqe128')
    }
    const at = this.#next()
    const own = this.words
    for (let word = 0; word < words.length; word += 1) own[at + word] = words[word]!
    if (this.stride > words.length) own.fill(0, at + words.length, at + this.stride)
    this.many = entry.many
  }

  /** The flags of a complete entry. */
  flagsOf(index: number): number {
    return (this.words[index * this.stride + HEADER]! >>> 8) & 0xff
  }

  /** The slot of a complete entry. */
  slotOf(index: number): number {
    return this.words[index * this.stride + USER_DATA]!
  }

  /** Completes the entry. */
  end(slot: number, generation: number): void {
    this.words[this.#at + USER_DATA] = slot
    this.words[this.#at + USER_DATA + 1] = generation
    this.count += 1
  }

  /** Forgets the first `copied` entries: they are in the ring. */
  taken(copied: number): void {
    if (copied === this.count) {
      this.count = 0
    } else if (copied > 0) {
      this.words.copyWithin(0, copied * this.stride, this.count * this.stride)
      this.count -= copied
    }
  }
}

/**
 * An operation in the form that the kernel reads, and the memory that it points at.
 *
 * It can be pushed any number of times, to any ring, and costs no encoding then. Structs and output memory belong to
 * the entry: in flight twice at once, both submissions write to the same memory.
 */
export class Entry<T = number> {
  /** What `run()` resolves to. @internal */
  declare readonly resultType?: T
  /** The class that built it. */
  readonly operation: string
  /** `IORING_OP_*`. */
  readonly opcode: number
  /** @internal */
  readonly words: Uint32Array
  /** @internal */
  readonly kind: OperationClass
  /** What has to live until the last completion, and what the result is decoded from. @internal */
  readonly state: unknown
  /** Whether it may complete more than once. @internal */
  readonly many: boolean

  /** @internal */
  constructor(words: Uint32Array, kind: OperationClass, state: unknown, many: boolean) {
    this.operation = kind.name
    this.opcode = words[0]! & 0xff
    this.words = words
    this.kind = kind
    this.state = state
    this.many = many
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
    if (bytes.byteLength !== ENTRY_BYTES && bytes.byteLength !== WIDE_ENTRY_BYTES) {
      throw invalidValue('bytes', bytes.byteLength, 'must have 64 or 128 bytes')
    }
    const { keep } = options
    if (keep !== undefined && !Array.isArray(keep))
      throw invalidType('options.keep', 'an instance of Array', keep)
    const words = new Uint32Array(bytes.byteLength / 4)
    new Uint8Array(words.buffer).set(bytes)
    words.fill(0, USER_DATA, USER_DATA + 2)
    return new Entry(words, RAW, keep?.slice(), true)
  }
}

/** What an entry of unknown meaning answers: the kernel's number. */
const RAW: OperationClass<number> = {
  name: 'Entry',
  opcode: -1,
  since: '',
  syscall: 'io_uring',
  failed: (result) => result < 0,
  intact: () => true,
  decode: (result) => result,
  describe: () => ({}),
}

/** Encodes an operation once. */
export function buildEntry<T>(operation: Operation<T>): Entry<T> {
  const writer = new EntryWriter(new Uint32Array(WORDS), ENTRY_BYTES)
  const state = operation.encode(writer)
  return new Entry(writer.words, operation.kind, state, writer.many)
}
