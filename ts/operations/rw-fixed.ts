// Reading and writing files with registered buffers.

import type { EntryWriter } from '../entry/entry-writer.ts'
import type { Bytes } from '../memory/address-of.ts'
import {
  checkStream,
  Transfer,
  type TransferOptions,
  type VectorState,
  type WriteOptions,
} from './base/transfer.ts'
import { intactBuffers, intactMemory } from './base/transfer-state.ts'
import { checkFixed, type FixedBuffer } from '../arguments/fixed-buffer.ts'
import type { FileTarget } from '../arguments/file.ts'
import { invalidType, invalidValue, checkOptions } from '../arguments/validate.ts'
import { checkVector, vector } from '../structs/iovec.ts'

/** A transfer of one registered buffer. */
abstract class FixedTransfer extends Transfer {
  /** @internal */
  static override intact = intactMemory

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
 * Reads from a file into a registered buffer, which costs less than {@link Read}: its pages are pinned already.
 * Resolves to the number of bytes, fewer than asked for at the end of the file, 0 past it.
 *
 * Fails with `EFAULT` (no such registered buffer, memory outside of it, or no bytes), and as {@link Read} does. Since
 * Linux 5.1. See io_uring_prep_read_fixed(3).
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
 * Fails with `EFAULT` (no such registered buffer, memory outside of it, or no bytes), and as {@link Write} does.
 * Since Linux 5.1. See io_uring_prep_write_fixed(3).
 */
export class WriteFixed extends FixedTransfer {
  static override readonly opcode = 5
  static override readonly since = '5.1'
  static override readonly syscall = 'write'

  /** Write stream that the bytes belong to; 0, none. */
  writeStream: number

  constructor(file: FileTarget, buffer: FixedBuffer, options?: WriteOptions) {
    super(file, buffer, options)
    const { writeStream = 0 } = checkOptions(options)
    this.writeStream = checkStream(writeStream)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const stream = checkStream(this.writeStream)
    const state = this.encodeFixed(entry, WriteFixed.opcode)
    entry.word(stream)
    return state
  }
}

/** Parts of one registered buffer. */
interface Parts {
  readonly index: number
  readonly views: readonly Bytes[]
}

function checkParts(buffers: unknown): Parts {
  if (!Array.isArray(buffers)) throw invalidType('buffers', 'an instance of Array', buffers)
  const views: Bytes[] = []
  let index = 0
  for (let at = 0; at < buffers.length; at += 1) {
    const element = `buffers[${at}]`
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
  return { index, views: checkVector(views, 'buffers') }
}

/** A transfer of several parts of one registered buffer. */
abstract class FixedVectorTransfer extends Transfer {
  /** @internal */
  static override intact = intactBuffers

  /** Parts of one registered buffer, in order; 1024 at most. */
  buffers: readonly FixedBuffer[]

  constructor(file: FileTarget, buffers: readonly FixedBuffer[], options?: TransferOptions) {
    super(file, options)
    checkParts(buffers)
    this.buffers = buffers
  }

  protected encodeParts(entry: EntryWriter, opcode: number): VectorState {
    const { index, views } = checkParts(this.buffers)
    const state = this.transferVector(entry, opcode, vector(views, 'buffers'))
    entry.bufferIndex(index)
    return state
  }
}

/**
 * Reads from a file into several parts of one registered buffer, one after the other. Resolves to the number of
 * bytes.
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
 * Writes several parts of one registered buffer to a file, one after the other. Resolves to the number of bytes,
 * which may be fewer.
 *
 * Fails with `EFAULT` (no such registered buffer, memory outside of it, or a part without bytes), and as {@link
 * Write} does. Since Linux 6.15. See io_uring_prep_writev_fixed(3).
 */
export class WritevFixed extends FixedVectorTransfer {
  static override readonly opcode = 61
  static override readonly since = '6.15'
  static override readonly syscall = 'write'

  /** Write stream that the bytes belong to; 0, none. */
  writeStream: number

  constructor(file: FileTarget, buffers: readonly FixedBuffer[], options?: WriteOptions) {
    super(file, buffers, options)
    const { writeStream = 0 } = checkOptions(options)
    this.writeStream = checkStream(writeStream)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const stream = checkStream(this.writeStream)
    const state = this.encodeParts(entry, WritevFixed.opcode)
    entry.word(stream)
    return state
  }
}
