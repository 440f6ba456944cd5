// Moving bytes between files and memory.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { NopFlags } from '../flags/index.ts'
import { type GroupBuffer, isGroup, resolveGroupBuffer } from '../arguments/buffer-group.ts'
import { type Groups, type GroupState, useGroup } from '../buffers/groups.ts'
import { type Received, receivedFrom } from '../buffers/received.ts'
import { checkIntegrity, type Integrity, integrityBlock, type IntegrityBlock } from '../structs/attr-pi.ts'
import { type Bytes, bytesLeft, checkBytes, isUint8Array } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { checkFile, type FileTarget, resolveFile } from '../arguments/file.ts'
import { checkVector, lengthVector, sizeOf, type Vector, vector } from '../structs/iovec.ts'
import {
  flag,
  integer,
  invalidType,
  mask,
  MAX_I32,
  MAX_U16,
  MAX_U8,
  offset,
  checkOptions,
  integer64,
} from '../arguments/validate.ts'

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
 * Does nothing, and completes. Resolves to 0, or to the result that it was given.
 *
 * Since Linux 5.1, options later. See io_uring_prep_nop(3).
 */
export class Nop extends Operation<number> {
  static override readonly opcode = 0
  static override readonly since = '5.1'
  static override readonly syscall = 'nop'

  /** What it resolves to. */
  declare result: number | undefined
  /** A file that is looked up. */
  declare file: FileTarget | undefined
  /** A registered buffer that is looked up. */
  declare fixedBuffer: number | { readonly index: number } | undefined
  /** Whether it completes through task work. */
  declare taskWork: boolean
  /** The other half of a 32-byte completion. */
  declare extra: readonly [number | bigint, number | bigint] | undefined

  constructor(options?: NopOptions) {
    super()
    if (options !== undefined) setNop(this, options)
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

// Few have any of these: without them a no-op takes half the memory.
Object.assign(Nop.prototype, {
  result: undefined,
  file: undefined,
  fixedBuffer: undefined,
  taskWork: false,
  extra: undefined,
} satisfies Record<keyof NopOptions, unknown>)

/** Apart from the constructor, which V8 inlines with the loop around it as long as it is short. */
function setNop(nop: Nop, options: NopOptions): void {
  const { result, file, fixedBuffer, taskWork = false, extra } = checkOptions(options)
  nop.result = result
  nop.file = file
  nop.fixedBuffer = fixedBuffer
  nop.taskWork = taskWork
  nop.extra = extra
  checkNop(nop)
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
    integer64(extra[0], 'options.extra[0]', 0n, MAX_U64)
    integer64(extra[1], 'options.extra[1]', 0n, MAX_U64)
  }
  const index = typeof fixedBuffer === 'object' && fixedBuffer !== null ? fixedBuffer.index : fixedBuffer
  return {
    result,
    file: file === undefined ? undefined : resolveFile(file, 'options.file'),
    buffer: fixedBuffer === undefined ? undefined : integer(index, 'options.fixedBuffer', 0, MAX_U16),
    extra,
  }
}

/** Options of {@link Read} and its kin. */
export interface TransferOptions {
  /** Byte in the file to start from; absent, the file position. A bigint beyond 2^53. */
  offset?: number | bigint
  /** `RwFlags`. */
  flags?: number
  /** The priority that ioprio_set(2) describes; 0, the one of the thread. */
  ioprio?: number
  /** Protection information, where the device keeps it (6.14). */
  integrity?: Integrity
}

/** Options of {@link Write} and its kin. */
export interface WriteOptions extends TransferOptions {
  /** The write stream of the file that the bytes belong to, 1 to 255; 0 is none (6.16). */
  writeStream?: number
}

/** What moving bytes between a file and memory shares. */
export abstract class Transfer<T = number> extends Operation<T> {
  /** @internal */
  static override requested(state: unknown): number | undefined {
    return askedOf(state)
  }

  /** The file. */
  file: FileTarget
  /** Byte in the file to start from; absent, the file position. */
  offset: number | bigint | undefined
  /** `RwFlags`. */
  flags: number
  // Few give these two, and the others do not carry them.
  /** The priority that ioprio_set(2) describes. */
  declare ioprio?: number | undefined
  /** Protection information. */
  declare integrity?: Integrity | undefined

  constructor(file: FileTarget, options: TransferOptions | undefined) {
    super()
    this.file = checkFile(file)
    const { offset: from, flags, ioprio, integrity } = checkOptions(options)
    this.offset = offset(from, 'options.offset')
    this.flags = flags === undefined ? 0 : mask(flags, 'options.flags')
    if (ioprio !== undefined) this.ioprio = integer(ioprio, 'options.ioprio', 0, MAX_U16)
    if (integrity !== undefined) this.integrity = checkIntegrity(integrity, 'options.integrity')
  }

  /** Writes the entry of an operation on one buffer, and returns what has to live. @internal */
  protected transfer(entry: EntryWriter, opcode: number, bytes: Bytes): Bytes | Held {
    const file = resolveFile(this.file, 'file')
    const from = offset(this.offset, 'options.offset')
    const flags = mask(this.flags, 'options.flags')
    if (this.ioprio === undefined && this.integrity === undefined) {
      entry.transfer(opcode, this, file, from, bytes, flags)
      return bytes
    }
    const rare = this.rare()
    entry.transfer(opcode, this, file, from, bytes, flags)
    return new Held(bytes, setRare(entry, rare))
  }

  /** Writes the entry but for its memory. @internal */
  begin(entry: EntryWriter, opcode: number): IntegrityBlock | undefined {
    const from = offset(this.offset, 'options.offset')
    const flags = mask(this.flags, 'options.flags')
    const rare = this.rare()
    entry.beginFile(opcode, this, this.file)
    entry.offset(from)
    entry.opFlags(flags)
    return setRare(entry, rare)
  }

  /** What few give, checked. */
  private rare(): Rare {
    const { ioprio = 0, integrity } = this
    return {
      ioprio: integer(ioprio, 'options.ioprio', 0, MAX_U16),
      integrity: integrity === undefined ? undefined : integrityBlock(integrity, 'options.integrity'),
    }
  }
}

interface Rare {
  readonly ioprio: number
  readonly integrity: IntegrityBlock | undefined
}

function setRare(entry: EntryWriter, { ioprio, integrity }: Rare): IntegrityBlock | undefined {
  if (ioprio !== 0) entry.ioprio(ioprio)
  if (integrity === undefined) return undefined
  entry.addr3(integrity.address)
  entry.pad2(integrity.kind)
  return integrity
}

/** Memory, and what else has to live with it. */
class Held {
  readonly bytes: Bytes
  readonly integrity: IntegrityBlock | undefined

  constructor(bytes: Bytes, integrity: IntegrityBlock | undefined) {
    this.bytes = bytes
    this.integrity = integrity
  }
}

/** No more was moved than the buffer has now: it was not detached, and did not shrink. @internal */
export function moved(result: number, state: unknown): boolean {
  return result <= roomOf(state)
}

/** How many bytes the buffer has. */
function roomOf(state: unknown): number {
  return bytesLeft(state instanceof Held ? state.bytes : (state as Bytes))
}

/** Bytes that were to be moved; not known of a group's. */
function askedOf(state: unknown): number | undefined {
  if (isGroupRead(state)) return undefined
  const { buffers } = state as Partial<VectorState>
  return buffers === undefined ? roomOf(state) : sizeOf(buffers)
}

/** Memory, or a group of buffers. */
function checkTarget(target: Bytes | GroupBuffer, name: string): Bytes | GroupBuffer {
  if (ArrayBuffer.isView(target)) return target
  if (!isGroup(target)) return checkBytes(target, name)
  resolveGroupBuffer(target, name)
  return target
}

/** What a read into a group is decoded from. */
interface GroupRead extends GroupState {
  readonly integrity?: IntegrityBlock | undefined
  readonly received?: Received | undefined
}

function observeGroupRead(groups: Groups, result: number, flags: number, state: unknown): GroupRead {
  const { group } = state as GroupRead
  return { group, received: groups.received(group, result, flags) }
}

function decodeRead(result: number, _flags: number, state: unknown): number | Received {
  return !isUint8Array(state) && isGroupRead(state) ? receivedFrom(state.group, state.received) : result
}

function isGroupRead(state: unknown): state is GroupRead {
  return typeof (state as GroupRead).group === 'number'
}

/** A read into whichever buffer of a group the kernel takes. */
function encodeGroup(read: Transfer<unknown>, entry: EntryWriter, target: GroupBuffer): GroupRead {
  const { id, length } = resolveGroupBuffer(target, 'bytes')
  const integrity = read.begin(entry, Read.opcode)
  entry.group(id)
  entry.len(length)
  entry.observed = true
  return { group: id, integrity }
}

/**
 * Reads from a file into a buffer. Resolves to the number of bytes, fewer than asked for at the end of the file, 0 past
 * it; from a group, to what was {@link Received}.
 *
 * Fails with `EBADF`, `EISDIR`, `EIO`, `EAGAIN` (with `RwFlags.NOWAIT`), `ENOBUFS` (an empty group), ... Since Linux
 * 5.6. See pread(2).
 */
export class Read<B extends Bytes | GroupBuffer = Bytes> extends Transfer<
  B extends GroupBuffer ? Received : number
> {
  static override readonly opcode = 22
  static override readonly since = '5.6'
  static override readonly syscall = 'read'

  /** @internal */
  static override intact(result: number, state: unknown): boolean {
    if (isUint8Array(state)) return result <= state.length // as it nearly always is
    return isGroupRead(state) || moved(result, state)
  }

  /** @internal */
  static onEnqueue = useGroup
  /** @internal */
  static override observe = observeGroupRead
  /** @internal */
  static override decode = decodeRead

  /** Where to read to: memory, or a group that the kernel takes a buffer from. */
  bytes: Bytes | GroupBuffer

  constructor(file: FileTarget, bytes: B, options?: TransferOptions) {
    super(file, options)
    this.bytes = checkTarget(bytes, 'bytes')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { bytes } = this
    if (!isUint8Array(bytes)) {
      if (isGroup(bytes)) return encodeGroup(this, entry, bytes)
      checkBytes(bytes, 'bytes')
    }
    return this.transfer(entry, Read.opcode, bytes as Bytes)
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
  /** The write stream that the bytes belong to. */
  writeStream: number

  constructor(file: FileTarget, bytes: Bytes, options?: WriteOptions) {
    super(file, options)
    this.bytes = checkBytes(bytes, 'bytes')
    this.writeStream = writeStreamOf(options)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { bytes } = this
    if (!isUint8Array(bytes)) checkBytes(bytes, 'bytes')
    const stream = checkStream(this.writeStream)
    const state = this.transfer(entry, Write.opcode, bytes)
    if (stream !== 0) entry.word(stream)
    return state
  }
}

/** @internal */
export function checkStream(stream: number): number {
  return stream === 0 ? 0 : integer(stream, 'options.writeStream', 0, MAX_U8)
}

/** The write stream of options that were looked at before. @internal */
export function writeStreamOf(options: WriteOptions | undefined): number {
  const stream = options?.writeStream
  return stream === undefined ? 0 : checkStream(stream)
}

/** The buffers of an operation on several, and its integrity data. */
interface VectorState extends Vector {
  readonly integrity: IntegrityBlock | undefined
}

/** Writes the entry of an operation on several buffers. */
function encodeVector(
  transfer: Transfer<unknown>,
  entry: EntryWriter,
  opcode: number,
  buffers: readonly Bytes[],
): VectorState {
  const state = vector(buffers, 'buffers')
  const integrity = transfer.begin(entry, opcode)
  entry.addr(state.address)
  entry.len(state.buffers.length)
  return { ...state, integrity }
}

/**
 * Reads from a file into several buffers, one after the other. Resolves to the number of bytes; from a group, to what
 * was {@link Received} in one of its buffers.
 *
 * Fails as {@link Read} does. Since Linux 5.1, from a group 5.7. See preadv2(2).
 */
export class Readv<B extends readonly Bytes[] | GroupBuffer = readonly Bytes[]> extends Transfer<
  B extends GroupBuffer ? Received : number
> {
  static override readonly opcode = 1
  static override readonly since = '5.1'
  static override readonly syscall = 'read'

  /** @internal */
  static override intact(result: number, state: unknown): boolean {
    return isGroupRead(state) || result <= sizeOf((state as VectorState).buffers)
  }

  /** @internal */
  static onEnqueue = useGroup
  /** @internal */
  static override observe = observeGroupRead
  /** @internal */
  static override decode = decodeRead

  /** Where to read to: buffers, in order, 1024 at most; or a group that the kernel takes one buffer from. */
  buffers: readonly Bytes[] | GroupBuffer

  constructor(file: FileTarget, buffers: B, options?: TransferOptions) {
    super(file, options)
    if (isGroup(buffers)) resolveGroupBuffer(buffers, 'buffers')
    else checkVector(buffers, 'buffers')
    this.buffers = buffers
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { buffers } = this
    if (!isGroup(buffers)) return encodeVector(this, entry, Readv.opcode, buffers)
    const { id, length } = resolveGroupBuffer(buffers, 'buffers')
    const room = lengthVector(length)
    const integrity = this.begin(entry, Readv.opcode)
    entry.addr(room.address)
    entry.len(1)
    entry.group(id)
    entry.observed = true
    return { group: id, integrity, room }
  }
}

/**
 * Writes several buffers to a file, one after the other. Resolves to the number of bytes.
 *
 * Fails as {@link Write} does. Since Linux 5.1. See pwritev2(2).
 */
export class Writev extends Transfer {
  static override readonly opcode = 2
  static override readonly since = '5.1'
  static override readonly syscall = 'write'

  /** @internal */
  static override intact(result: number, state: unknown): boolean {
    return result <= sizeOf((state as VectorState).buffers)
  }

  /** What to write, in order; 1024 buffers at most. */
  buffers: readonly Bytes[]
  /** The write stream that the bytes belong to. */
  writeStream: number

  constructor(file: FileTarget, buffers: readonly Bytes[], options?: WriteOptions) {
    super(file, options)
    this.buffers = checkVector(buffers, 'buffers')
    this.writeStream = writeStreamOf(options)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const stream = checkStream(this.writeStream)
    const state = encodeVector(this, entry, Writev.opcode, this.buffers)
    entry.word(stream)
    return state
  }
}
