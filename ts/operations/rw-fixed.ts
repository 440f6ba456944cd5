// Moving bytes between files and registered buffers.

import type { EntryWriter } from '../entry/entry-writer.ts'
import type { IntegrityBlock } from '../structs/attr-pi.ts'
import type { Bytes } from '../memory/address-of.ts'
import { checkFixed, type FixedBuffer } from '../arguments/fixed-buffer.ts'
import type { FileTarget } from '../arguments/file.ts'
import { invalidType, invalidValue } from '../arguments/validate.ts'
import { sizeOf, type Vector, vector } from '../structs/iovec.ts'
import { checkStream, moved, Transfer, type TransferOptions, type WriteOptions, writeStreamOf } from './rw.ts'

/** What operations on one registered buffer share. */
abstract class FixedTransfer extends Transfer {
  /** @internal */
  static override intact = moved

  /** The registered buffer, or a part of it. */
  buffer: FixedBuffer

  constructor(file: FileTarget, buffer: FixedBuffer, options?: TransferOptions) {
    super(file, options)
    this.buffer = checkFixed(buffer, 'buffer')
  }

  protected encodeFixed(entry: EntryWriter, opcode: number): unknown {
    const { index, view } = checkFixed(this.buffer, 'buffer')
    const state = this.transfer(entry, opcode, view)
    entry.bufferIndex(index)
    return state
  }
}

/**
 * Reads from a file into a registered buffer, which costs less than {@link Read}: the kernel has its memory at hand.
 * Resolves to the number of bytes, fewer than asked for at the end of the file, 0 past it.
 *
 * Fails with `EFAULT` (no such registered buffer, memory outside of it, or no bytes), and as {@link Read} does. Since Linux 5.1.
 * See io_uring_prep_read_fixed(3).
 */
export class ReadFixed extends FixedTransfer {
  static override readonly opcode = 4
  static override readonly since = '5.1'
  static override readonly syscall = 'read'

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodeFixed(entry, ReadFixed.opcode)
  }
}

/**
 * Writes from a registered buffer to a file. Resolves to the number of bytes that were written, which may be fewer.
 *
 * Fails with `EFAULT` (no such registered buffer, memory outside of it, or no bytes), and as {@link Write} does. Since Linux 5.1.
 * See io_uring_prep_write_fixed(3).
 */
export class WriteFixed extends FixedTransfer {
  static override readonly opcode = 5
  static override readonly since = '5.1'
  static override readonly syscall = 'write'

  /** The write stream that the bytes belong to. */
  writeStream: number

  constructor(file: FileTarget, buffer: FixedBuffer, options?: WriteOptions) {
    super(file, buffer, options)
    this.writeStream = writeStreamOf(options)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const stream = checkStream(this.writeStream)
    const state = this.encodeFixed(entry, WriteFixed.opcode)
    entry.word(stream)
    return state
  }
}

interface Parts {
  readonly index: number
  readonly views: readonly Bytes[]
}

/** Parts of one registered buffer. */
function checkParts(buffers: unknown, name: string): Parts {
  if (!Array.isArray(buffers)) throw invalidType(name, 'an instance of Array', buffers)
  const views: Bytes[] = []
  let index = 0
  for (let at = 0; at < buffers.length; at += 1) {
    const element = `${name}[${at}]`
    const buffer = checkFixed(buffers[at], element)
    if (at === 0) index = buffer.index
    if (buffer.index !== index) {
      throw invalidValue(
        element,
        buffer.index,
        `must be a part of registered buffer ${index}, as the others are`,
      )
    }
    views.push(buffer.view)
  }
  return { index, views }
}

/** The buffers of an operation on several, and its integrity data. */
interface PartsState extends Vector {
  readonly integrity: IntegrityBlock | undefined
}

/** What operations on several parts of a registered buffer share. */
abstract class FixedVectorTransfer extends Transfer {
  /** @internal */
  static override intact(result: number, state: unknown): boolean {
    return result <= sizeOf((state as PartsState).buffers)
  }

  /** Parts of one registered buffer, in order; 1024 at most. */
  buffers: readonly FixedBuffer[]

  constructor(file: FileTarget, buffers: readonly FixedBuffer[], options?: TransferOptions) {
    super(file, options)
    vector(checkParts(buffers, 'buffers').views, 'buffers')
    this.buffers = buffers
  }

  protected encodeParts(entry: EntryWriter, opcode: number): PartsState {
    const { index, views } = checkParts(this.buffers, 'buffers')
    const state = vector(views, 'buffers')
    const integrity = this.begin(entry, opcode)
    entry.addr(state.address)
    entry.len(views.length)
    entry.bufferIndex(index)
    return { ...state, integrity }
  }
}

/**
 * Reads from a file into several parts of one registered buffer, one after the other. Resolves to the number of bytes.
 *
 * Fails with `EFAULT` (no such registered buffer, memory outside of it, or a part without bytes), and as {@link Read}
 * does. Since Linux 6.15. See io_uring_prep_readv_fixed(3).
 */
export class ReadvFixed extends FixedVectorTransfer {
  static override readonly opcode = 60
  static override readonly since = '6.15'
  static override readonly syscall = 'read'

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodeParts(entry, ReadvFixed.opcode)
  }
}

/**
 * Writes several parts of one registered buffer to a file, one after the other. Resolves to the number of bytes.
 *
 * Fails with `EFAULT` (no such registered buffer, memory outside of it, or a part without bytes), and as {@link Write}
 * does. Since Linux 6.15. See io_uring_prep_writev_fixed(3).
 */
export class WritevFixed extends FixedVectorTransfer {
  static override readonly opcode = 61
  static override readonly since = '6.15'
  static override readonly syscall = 'write'

  /** The write stream that the bytes belong to. */
  writeStream: number

  constructor(file: FileTarget, buffers: readonly FixedBuffer[], options?: WriteOptions) {
    super(file, buffers, options)
    this.writeStream = writeStreamOf(options)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const stream = checkStream(this.writeStream)
    const state = this.encodeParts(entry, WritevFixed.opcode)
    entry.word(stream)
    return state
  }
}
