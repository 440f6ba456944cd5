// Transfers between files and memory: the options, fields and entries of all reads and writes.

import type { EntryWriter } from '../../entry/entry-writer.ts'
import { checkIntegrity, type Integrity, integrityBlock, type IntegrityBlock } from '../../structs/attr-pi.ts'
import { type Bytes, bytesLeft } from '../../memory/address-of.ts'
import { Operation } from './operation.ts'
import { requestedBytes } from './transfer-state.ts'
import { checkFile, type FileTarget, resolveFile } from '../../arguments/file.ts'
import type { Vector } from '../../structs/iovec.ts'
import { integer, mask, MAX_U16, MAX_U8, offset, checkOptions } from '../../arguments/validate.ts'

/** Options of {@link Read}, {@link Readv}, {@link ReadFixed} and {@link ReadvFixed}. */
export interface TransferOptions {
  /** Byte in the file to start from; absent, the file position. A bigint beyond 2^53. */
  offset?: number | bigint
  /** `RwFlags`. */
  flags?: number
  /** I/O priority as in ioprio_set(2); 0, the default, is the priority of the thread. */
  ioprio?: number
  /** Protection information, on devices that keep it (6.14). */
  integrity?: Integrity
}

/** Options of {@link Write}, {@link Writev}, {@link WriteFixed} and {@link WritevFixed}. */
export interface WriteOptions extends TransferOptions {
  /** Write stream of the file that the bytes belong to, 1 to 255; 0, the default, is none (6.16). */
  writeStream?: number
}

/** Memory with its protection information, which the kernel uses as long. */
class ProtectedMemory {
  readonly bytes: Bytes
  readonly integrity: IntegrityBlock | undefined

  constructor(bytes: Bytes, integrity: IntegrityBlock | undefined) {
    this.bytes = bytes
    this.integrity = integrity
  }

  get byteLength(): number {
    return bytesLeft(this.bytes)
  }
}

/** The state of a transfer of several buffers. */
export interface VectorState extends Vector {
  readonly integrity: IntegrityBlock | undefined
}

/** A transfer between a file and memory. */
export abstract class Transfer<T = number> extends Operation<T> {
  /** @internal */
  static override requested = requestedBytes

  /** The file. */
  file: FileTarget
  /** Byte in the file to start from; absent, the file position. */
  offset: number | bigint | undefined
  /** `RwFlags`. */
  flags: number
  // Declared only: most transfers have neither, and are smaller without the fields.
  /** I/O priority as in ioprio_set(2). */
  declare ioprio?: number | undefined
  /** Protection information. */
  declare integrity?: Integrity | undefined

  constructor(file: FileTarget, options: TransferOptions | undefined) {
    super()
    const { offset: from, flags = 0, ioprio, integrity } = checkOptions(options)
    this.file = checkFile(file)
    this.offset = from
    this.flags = flags
    if (ioprio !== undefined) this.ioprio = ioprio
    if (integrity !== undefined) this.integrity = integrity
    this.flags = checkTransfer(this).flags
  }

  /** Writes the entry of a transfer of one piece of memory, and returns its state. @internal */
  protected transfer(entry: EntryWriter, opcode: number, bytes: Bytes): Bytes | ProtectedMemory {
    const file = resolveFile(this.file, 'file')
    const { from, flags, rare } = checkTransfer(this)
    if (rare === undefined) {
      entry.transfer(opcode, this, file, from, bytes, flags)
      return bytes
    }
    const integrity = protection(rare)
    entry.transfer(opcode, this, file, from, bytes, flags)
    return new ProtectedMemory(bytes, setRare(entry, rare, integrity))
  }

  /** Writes all of the entry except for its memory. @internal */
  begin(entry: EntryWriter, opcode: number): IntegrityBlock | undefined {
    const { from, flags, rare = NONE } = checkTransfer(this)
    const integrity = protection(rare)
    entry.beginFile(opcode, this, this.file)
    entry.offset(from)
    entry.opFlags(flags)
    return setRare(entry, rare, integrity)
  }

  /** Writes the entry of a transfer of several buffers, and returns its state. @internal */
  protected transferVector(entry: EntryWriter, opcode: number, vector: Vector): VectorState {
    const integrity = this.begin(entry, opcode)
    entry.addr(vector.address)
    entry.len(vector.buffers.length)
    return { ...vector, integrity }
  }
}

/** Options that few transfers have. */
interface Rare {
  readonly ioprio: number
  readonly integrity: Integrity | undefined
}

interface CheckedTransfer {
  readonly from: number | bigint | undefined
  readonly flags: number
  readonly rare: Rare | undefined
}

const NONE: Rare = { ioprio: 0, integrity: undefined }

function checkTransfer({ offset: from, flags, ioprio, integrity }: Transfer<unknown>): CheckedTransfer {
  return {
    from: offset(from, 'options.offset'),
    flags: mask(flags, 'options.flags'),
    rare: ioprio === undefined && integrity === undefined ? undefined : checkRare(ioprio, integrity),
  }
}

function checkRare(ioprio: number | undefined, integrity: Integrity | undefined): Rare {
  return {
    ioprio: ioprio === undefined ? 0 : integer(ioprio, 'options.ioprio', 0, MAX_U16),
    integrity: integrity === undefined ? undefined : checkIntegrity(integrity, 'options.integrity'),
  }
}

/** Puts protection information where the kernel reads it. */
function protection({ integrity }: Rare): IntegrityBlock | undefined {
  return integrity === undefined ? undefined : integrityBlock(integrity, 'options.integrity')
}

function setRare(
  entry: EntryWriter,
  { ioprio }: Rare,
  integrity: IntegrityBlock | undefined,
): IntegrityBlock | undefined {
  if (ioprio !== 0) entry.ioprio(ioprio)
  if (integrity === undefined) return undefined
  entry.addr3(integrity.address)
  entry.pad2(integrity.kind)
  return integrity
}

/** Checks the write stream of a write: 0 is none. */
export function checkStream(stream: number): number {
  return stream === 0 ? 0 : integer(stream, 'options.writeStream', 0, MAX_U8)
}
