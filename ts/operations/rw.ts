// Reading and writing files: one buffer, several, or a buffer of a buffer group.

import type { EntryWriter } from '../entry/entry-writer.ts'
import {
  type GroupBuffer,
  type GroupTarget,
  isGroup,
  resolveGroup,
  resolveGroupBuffer,
} from '../arguments/buffer-group.ts'
import { type GroupState, useGroup } from '../buffers/groups.ts'
import type { Received } from '../buffers/received.ts'
import type { IntegrityBlock } from '../structs/attr-pi.ts'
import { type Bytes, checkBytes, isUint8Array } from '../memory/address-of.ts'
import type { Armed } from './base/operation-class.ts'
import { Operation } from './base/operation.ts'
import {
  checkStream,
  Transfer,
  type TransferOptions,
  type VectorState,
  type WriteOptions,
} from './base/transfer.ts'
import {
  decodeReceived,
  decodeTransfer,
  type GroupChoice,
  intactBuffers,
  intactMemory,
  observeReceived,
  checkMemoryOrGroup,
} from './base/transfer-state.ts'
import { checkFile, type FileTarget } from '../arguments/file.ts'
import { checkVector, lengthVector, vector } from '../structs/iovec.ts'
import { integer, MAX_U32, offset, checkOptions } from '../arguments/validate.ts'

export type { TransferOptions, WriteOptions } from './base/transfer.ts'

/** The state of a read into a buffer group. */
interface GroupRead extends GroupState {
  readonly integrity: IntegrityBlock | undefined
}

/** Writes the entry of a read into a buffer group. */
function encodeGroup(read: Transfer<unknown>, entry: EntryWriter, { id, length }: GroupChoice): GroupRead {
  const integrity = read.begin(entry, Read.opcode)
  entry.group(id)
  entry.len(length)
  entry.observed = true
  return { group: id, integrity }
}

/**
 * Reads from a file into memory, or into a buffer of a buffer group. Resolves to the number of bytes, fewer than
 * asked for at the end of the file, 0 past it; for a buffer group, to {@link Received}.
 *
 * Fails with `EBADF` (no such file, or one that is not open for reading), `EISDIR` (a directory), `EIO` (the device
 * failed), `EAGAIN` (with `RwFlags.NOWAIT`: no data is there yet), `ENOBUFS` (the buffer group is empty), ... Since
 * Linux 5.6. See pread(2).
 */
export class Read<B extends Bytes | GroupBuffer = Bytes> extends Transfer<
  B extends GroupBuffer ? Received : number
> {
  static override readonly opcode = 22
  static override readonly since = '5.6'
  static override readonly syscall = 'read'
  /** @internal */
  static override intact = intactMemory
  /** @internal */
  static onEnqueue = useGroup
  /** @internal */
  static override observe = observeReceived
  /** @internal */
  static override decode = decodeTransfer

  /** Memory to read into, or a buffer group that the kernel takes a buffer from. */
  bytes: Bytes | GroupBuffer

  constructor(file: FileTarget, bytes: B, options?: TransferOptions) {
    super(file, options)
    if (!isUint8Array(bytes)) checkMemoryOrGroup(bytes, 'bytes')
    this.bytes = bytes
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { bytes } = this
    const group = isUint8Array(bytes) ? undefined : checkMemoryOrGroup(bytes, 'bytes')
    if (group !== undefined) return encodeGroup(this, entry, group)
    return this.transfer(entry, Read.opcode, bytes as Bytes)
  }
}

/**
 * Writes memory to a file. Resolves to the number of bytes that were written, which may be fewer.
 *
 * Fails with `EBADF` (no such file, or one that is not open for writing), `ENOSPC` (the device is full), `EFBIG` (the
 * file would be too large), `EPIPE` (the reading end of the pipe or socket is closed), ... Since Linux 5.6. See
 * pwrite(2).
 */
export class Write extends Transfer {
  static override readonly opcode = 23
  static override readonly since = '5.6'
  static override readonly syscall = 'write'
  /** @internal */
  static override intact = intactMemory

  /** Memory to write. */
  bytes: Bytes
  /** Write stream that the bytes belong to; 0, none. */
  writeStream: number

  constructor(file: FileTarget, bytes: Bytes, options?: WriteOptions) {
    super(file, options)
    const { writeStream = 0 } = checkOptions(options)
    this.bytes = checkBytes(bytes, 'bytes')
    this.writeStream = checkStream(writeStream)
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

/**
 * Reads from a file into several buffers, one after the other, or into a buffer of a buffer group. Resolves to the
 * number of bytes; for a buffer group, to {@link Received}.
 *
 * Fails as {@link Read} does. Since Linux 5.1, into a buffer group 5.7. See preadv2(2).
 */
export class Readv<B extends readonly Bytes[] | GroupBuffer = readonly Bytes[]> extends Transfer<
  B extends GroupBuffer ? Received : number
> {
  static override readonly opcode = 1
  static override readonly since = '5.1'
  static override readonly syscall = 'read'
  /** @internal */
  static override intact = intactBuffers
  /** @internal */
  static onEnqueue = useGroup
  /** @internal */
  static override observe = observeReceived
  /** @internal */
  static override decode = decodeTransfer

  /** Buffers to read into, in order, 1024 at most; or a buffer group that the kernel takes one buffer from. */
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
    if (!isGroup(buffers)) return this.transferVector(entry, Readv.opcode, vector(buffers, 'buffers'))
    const { id, length } = resolveGroupBuffer(buffers, 'buffers')
    const iovec = lengthVector(length)
    const integrity = this.begin(entry, Readv.opcode)
    entry.addr(iovec.address)
    entry.len(1)
    entry.group(id)
    entry.observed = true
    return { group: id, integrity, iovec }
  }
}

/**
 * Writes several buffers to a file, one after the other. Resolves to the number of bytes, which may be fewer.
 *
 * Fails as {@link Write} does. Since Linux 5.1. See pwritev2(2).
 */
export class Writev extends Transfer {
  static override readonly opcode = 2
  static override readonly since = '5.1'
  static override readonly syscall = 'write'
  /** @internal */
  static override intact = intactBuffers

  /** Buffers to write, in order; 1024 at most. */
  buffers: readonly Bytes[]
  /** Write stream that the bytes belong to; 0, none. */
  writeStream: number

  constructor(file: FileTarget, buffers: readonly Bytes[], options?: WriteOptions) {
    super(file, options)
    const { writeStream = 0 } = checkOptions(options)
    this.buffers = checkVector(buffers, 'buffers')
    this.writeStream = checkStream(writeStream)
  }

  /** @internal */
  override encode(entry: EntryWriter): VectorState {
    const stream = checkStream(this.writeStream)
    const state = this.transferVector(entry, Writev.opcode, vector(this.buffers, 'buffers'))
    entry.word(stream)
    return state
  }
}

/** Options of {@link ReadMulti}. */
export interface ReadMultiOptions {
  /** The most bytes of one read; 0, the default, is as many as the buffer has. Linux 6.18 takes only 0 (`EINVAL`). */
  length?: number
  /** Byte in the file, if it has positions; absent, the file position. A bigint beyond 2^53. */
  offset?: number | bigint
}

/**
 * Reads from a pipe, a socket, a terminal, ... again and again, each time into a buffer of a buffer group, until the
 * end of the file. Multishot: each completion resolves to {@link Received}; the last one, at the end of the file, has
 * no bytes.
 *
 * Ends with `ENOBUFS` (the buffer group is empty), `EBADFD` (a file that cannot be polled: a regular one),
 * `ECANCELED` (it was cancelled), ... Since Linux 6.7. See io_uring_prep_read_multishot(3).
 */
export class ReadMulti extends Operation<Received> {
  static override readonly opcode = 49
  static override readonly since = '6.7'
  static override readonly syscall = 'read'
  /** @internal */
  static onEnqueue = useGroup
  /** @internal */
  static override observe = observeReceived
  /** @internal */
  static override decode = decodeReceived

  /** @internal */
  static override rearm(_entry: Armed, result: number): boolean {
    return result !== 0
  }

  /** @internal */
  static override isEnd(result: number): boolean {
    return result === 0
  }

  /** The file. */
  file: FileTarget
  /** The buffer group. */
  group: GroupTarget
  /** The most bytes of one read; 0, as many as the buffer has. */
  length: number
  /** Byte in the file; absent, the file position. */
  offset: number | bigint | undefined

  constructor(file: FileTarget, group: GroupTarget, options?: ReadMultiOptions) {
    super()
    const { length = 0, offset: from } = checkOptions(options)
    this.file = checkFile(file)
    this.group = group
    this.length = length
    this.offset = from
    checkReadMulti(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): GroupState {
    const { group, length, from } = checkReadMulti(this)
    entry.beginFile(ReadMulti.opcode, this, this.file)
    entry.group(group)
    entry.len(length)
    entry.offset(from)
    entry.multishot = true
    entry.observed = true
    return { group }
  }
}

interface CheckedReadMulti {
  readonly group: number
  readonly length: number
  readonly from: number | bigint | undefined
}

function checkReadMulti({ group, length, offset: from }: ReadMulti): CheckedReadMulti {
  return {
    group: resolveGroup(group, 'group'),
    length: integer(length, 'options.length', 0, MAX_U32),
    from: offset(from, 'options.offset'),
  }
}
