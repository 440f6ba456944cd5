// Moving bytes between files and memory.

import type { EntryWriter } from '../entry.ts'
import { NopFlags } from '../flags.ts'
import { addressOf, allocateBlock, type Bytes, checkBytes, widthOf } from '../memory.ts'
import { Operation } from '../operation.ts'
import { checkFile, type FileTarget, resolveFile } from '../registered/files.ts'
import {
  flag,
  integer,
  invalidType,
  mask,
  MAX_I32,
  MAX_U16,
  MAX_U32,
  offset,
  options,
  outOfRange,
  wide,
} from '../validate.ts'

/** Options of {@link Nop}. */
export interface NopOptions {
  /** Complete with this result (6.10). */
  result?: number
  /** Look this file up (6.13). */
  file?: FileTarget
  /** Look this registered buffer up (6.13). */
  fixedBuffer?: number | { readonly index: number }
  /** Complete through task work (6.16). */
  taskWork?: boolean
  /** The second half of a 32-byte completion, on a ring that has them (6.18). */
  extra?: readonly [number | bigint, number | bigint]
}

const MAX_U64 = (1n << 64n) - 1n

/**
 * Does nothing, and completes: with 0, or with the result that it was given.
 *
 * Since Linux 5.1, options later. See io_uring_prep_nop(3).
 */
export class Nop extends Operation<number> {
  static override readonly opcode = 0
  static override readonly since = '5.1'
  static override readonly syscall = 'nop'

  result: number | undefined = undefined
  file: FileTarget | undefined = undefined
  fixedBuffer: number | { readonly index: number } | undefined = undefined
  taskWork = false
  extra: readonly [number | bigint, number | bigint] | undefined = undefined

  constructor(given?: NopOptions) {
    super()
    if (given === undefined) return
    const { result, file, fixedBuffer, taskWork = false, extra } = options(given)
    this.result = result
    this.file = file
    this.fixedBuffer = fixedBuffer
    this.taskWork = taskWork
    this.extra = extra
    checkNop(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { result, file, fixedBuffer, taskWork, extra } = this
    if (
      result === undefined &&
      file === undefined &&
      fixedBuffer === undefined &&
      extra === undefined &&
      taskWork === false
    ) {
      entry.begin(Nop.opcode, this)
      entry.fd(-1)
    } else {
      encodeNop(this, entry)
    }
    return undefined
  }
}

function encodeNop(nop: Nop, entry: EntryWriter): void {
  const { result, file, buffer, extra } = checkNop(nop)
  entry.begin(Nop.opcode, nop)
  entry.fd(file === undefined ? -1 : file < 0 ? -1 - file : file)
  let flags = 0
  if (result !== undefined) flags |= NopFlags.INJECT_RESULT
  if (file !== undefined) flags |= file < 0 ? NopFlags.FILE | NopFlags.FIXED_FILE : NopFlags.FILE
  if (buffer !== undefined) flags |= NopFlags.FIXED_BUFFER
  if (nop.taskWork) flags |= NopFlags.TW
  if (extra !== undefined) flags |= NopFlags.CQE32
  entry.opFlags(flags)
  entry.len(result ?? 0)
  entry.bufferIndex(buffer ?? 0)
  if (extra !== undefined) {
    entry.off(extra[0])
    entry.addr(extra[1])
  }
}

interface CheckedNop {
  readonly result: number | undefined
  readonly file: number | undefined
  readonly buffer: number | undefined
  readonly extra: readonly [number | bigint, number | bigint] | undefined
}

function checkNop({ result, file, fixedBuffer, taskWork, extra }: Nop): CheckedNop {
  flag(taskWork, 'options.taskWork')
  if (result !== undefined) integer(result, 'options.result', -0x8000_0000, MAX_I32)
  if (extra !== undefined) {
    if (!Array.isArray(extra) || extra.length !== 2)
      throw invalidType('options.extra', 'an array of two integers', extra)
    wide(extra[0], 'options.extra[0]', 0n, MAX_U64)
    wide(extra[1], 'options.extra[1]', 0n, MAX_U64)
  }
  const index = typeof fixedBuffer === 'object' && fixedBuffer !== null ? fixedBuffer.index : fixedBuffer
  return {
    result,
    file: file === undefined ? undefined : resolveFile(file, 'options.file'),
    buffer: fixedBuffer === undefined ? undefined : integer(index, 'options.fixedBuffer', 0, MAX_U16),
    extra,
  }
}

/** The kernel picks a buffer from a group of provided buffers. */
export interface GroupBuffer {
  /** The group, or its number. */
  readonly group: number | { readonly group: number }
  /** Bytes at most; absent or 0, as many as the buffer has. */
  readonly length?: number
}

/** Options of {@link Read} and its kin. */
export interface TransferOptions {
  /** Byte in the file to start from; absent, the file position. A bigint beyond 2^53. */
  offset?: number | bigint
  /** `RwFlags`. */
  flags?: number
}

interface Group {
  id: number
  length: number
}

function isGroup(target: Bytes | GroupBuffer): target is GroupBuffer {
  return typeof target === 'object' && target !== null && 'group' in target
}

/** Memory, or a group of buffers. */
function checkTarget(target: Bytes | GroupBuffer, name: string): Bytes | GroupBuffer {
  if (ArrayBuffer.isView(target)) return target
  if (!isGroup(target)) return checkBytes(target, name)
  resolveGroup(target, name)
  return target
}

/** The number of a group, and how much to read into its buffer. */
function resolveGroup(target: GroupBuffer, name: string): Group {
  const { group, length = 0 } = target
  const id = typeof group === 'object' && group !== null ? group.group : group
  return {
    id: integer(id, `${name}.group`, 0, MAX_U16),
    length: integer(length, `${name}.length`, 0, MAX_U32),
  }
}

/** What an operation on one buffer shares with the others. */
abstract class Transfer extends Operation<number> {
  /** The file. */
  file: FileTarget
  /** Byte in the file to start from; absent, the file position. */
  offset: number | bigint | undefined
  /** `RwFlags`. */
  flags: number

  constructor(file: FileTarget, given: TransferOptions | undefined) {
    super()
    this.file = checkFile(file)
    const { offset: from, flags } = options(given)
    this.offset = offset(from, 'options.offset')
    this.flags = flags === undefined ? 0 : mask(flags, 'options.flags')
  }

  protected transfer(entry: EntryWriter, opcode: number, bytes: Bytes): void {
    const file = resolveFile(this.file, 'file')
    const from = offset(this.offset, 'options.offset')
    entry.transfer(opcode, this, file, from, bytes, mask(this.flags, 'options.flags'))
  }

  /** @internal */
  begin(entry: EntryWriter, opcode: number): void {
    const from = offset(this.offset, 'options.offset')
    const flags = mask(this.flags, 'options.flags')
    entry.beginFile(opcode, this, this.file)
    entry.offset(from)
    entry.opFlags(flags)
  }
}

/** More was moved than the buffer has now: it was detached, or it shrank. */
function moved(result: number, state: unknown): boolean {
  return state === undefined || result <= (state as Bytes).byteLength
}

/** A read into whichever buffer of a group the kernel takes. */
function encodeGroup(read: Read, entry: EntryWriter, target: GroupBuffer): undefined {
  const { id, length } = resolveGroup(target, 'bytes')
  read.begin(entry, Read.opcode)
  entry.group(id)
  entry.len(length)
}

/**
 * Reads from a file into a buffer. Resolves to the number of bytes, fewer than asked for at the end of the file, 0 past
 * it.
 *
 * Fails with `EBADF`, `EISDIR`, `EIO`, `EAGAIN` (with `RwFlags.NOWAIT`), ... Since Linux 5.6. See pread(2).
 */
export class Read extends Transfer {
  static override readonly opcode = 22
  static override readonly since = '5.6'
  static override readonly syscall = 'read'
  /** @internal */
  static override intact = moved

  /** Where to read to: memory, or a group that the kernel takes a buffer from. */
  bytes: Bytes | GroupBuffer

  constructor(file: FileTarget, bytes: Bytes | GroupBuffer, given?: TransferOptions) {
    super(file, given)
    this.bytes = checkTarget(bytes, 'bytes')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { bytes } = this
    if (widthOf(bytes) === undefined) {
      if (isGroup(bytes)) return encodeGroup(this, entry, bytes)
      checkBytes(bytes, 'bytes')
    }
    this.transfer(entry, Read.opcode, bytes as Bytes)
    return bytes
  }
}

/**
 * Writes a buffer to a file. Resolves to the number of bytes that were written, which may be fewer.
 *
 * Fails with `EBADF`, `ENOSPC`, `EFBIG`, `EPIPE`, ... Since Linux 5.6. See pwrite(2).
 */
export class Write extends Transfer {
  static override readonly opcode = 23
  static override readonly since = '5.6'
  static override readonly syscall = 'write'
  /** @internal */
  static override intact = moved

  /** What to write. */
  bytes: Bytes

  constructor(file: FileTarget, bytes: Bytes, given?: TransferOptions) {
    super(file, given)
    this.bytes = checkBytes(bytes, 'bytes')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { bytes } = this
    if (widthOf(bytes) === undefined) checkBytes(bytes, 'bytes')
    this.transfer(entry, Write.opcode, bytes)
    return bytes
  }
}

const IOVEC_BYTES = 16
/** What the kernel takes in one call (`UIO_MAXIOV`). */
const MAX_IOVECS = 1024

function checkVector(buffers: unknown, name: string): readonly Bytes[] {
  if (!Array.isArray(buffers)) throw invalidType(name, 'an instance of Array', buffers)
  if (buffers.length > MAX_IOVECS) throw outOfRange(`${name}.length`, `<= ${MAX_IOVECS}`, buffers.length)
  for (let index = 0; index < buffers.length; index += 1) checkBytes(buffers[index], `${name}[${index}]`)
  return buffers as Bytes[]
}

/** An array of `struct iovec`, and the buffers that it points at. */
interface Vector {
  readonly address: number
  readonly buffers: readonly Bytes[]
  /** Holds the array's memory. */
  readonly memory: Buffer
}

function vector(buffers: readonly Bytes[], name: string): Vector {
  const copy = [...checkVector(buffers, name)]
  const { address, bytes } = allocateBlock(copy.length * IOVEC_BYTES)
  for (const [index, buffer] of copy.entries()) {
    const at = index * IOVEC_BYTES
    bytes.writeBigUInt64LE(BigInt(buffer.byteLength === 0 ? 0 : addressOf(buffer)), at)
    bytes.writeBigUInt64LE(BigInt(buffer.byteLength), at + 8)
  }
  return { address, buffers: copy, memory: bytes }
}

/** What operations on several buffers share. */
abstract class VectorTransfer extends Transfer {
  /** @internal */
  static override intact(result: number, state: unknown): boolean {
    return result <= (state as Vector).buffers.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  /** The buffers, in order; 1024 at most. */
  buffers: readonly Bytes[]

  constructor(file: FileTarget, buffers: readonly Bytes[], given?: TransferOptions) {
    super(file, given)
    this.buffers = checkVector(buffers, 'buffers')
  }

  protected encodeVector(entry: EntryWriter, opcode: number): Vector {
    const state = vector(this.buffers, 'buffers')
    this.begin(entry, opcode)
    entry.addr(state.address)
    entry.len(state.buffers.length)
    return state
  }
}

/**
 * Reads from a file into several buffers, one after the other. Resolves to the number of bytes.
 *
 * Fails as {@link Read} does. Since Linux 5.1. See preadv2(2).
 */
export class Readv extends VectorTransfer {
  static override readonly opcode = 1
  static override readonly since = '5.1'
  static override readonly syscall = 'read'

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodeVector(entry, Readv.opcode)
  }
}

/**
 * Writes several buffers to a file, one after the other. Resolves to the number of bytes.
 *
 * Fails as {@link Write} does. Since Linux 5.1. See pwritev2(2).
 */
export class Writev extends VectorTransfer {
  static override readonly opcode = 2
  static override readonly since = '5.1'
  static override readonly syscall = 'write'

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodeVector(entry, Writev.opcode)
  }
}
