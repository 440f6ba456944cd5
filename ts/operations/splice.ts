// Pipes: making them, and moving bytes through them without bringing the bytes to JavaScript.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { OpenFlags, SpliceFlags } from '../flags/index.ts'
import { allocateBlock, type Block } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import {
  checkFile,
  type Direct,
  type FileTarget,
  FixedFile,
  placed,
  resolveDirect,
  resolveFile,
} from '../arguments/file.ts'
import { flag, integer, mask, MAX_U32, offset, checkOptions } from '../arguments/validate.ts'

/** Options of {@link Tee}. */
export interface TeeOptions {
  /** `SpliceFlags`: `NONBLOCK` does not wait for bytes or for room. */
  flags?: number
}

/** Options of {@link Splice}. */
export interface SpliceOptions extends TeeOptions {
  /** Byte of `from` to start with; absent, its file position. Not for a pipe. A bigint beyond 2^53. */
  offsetIn?: number | bigint
  /** Byte of `to` to start with; absent, its file position. Not for a pipe. A bigint beyond 2^53. */
  offsetOut?: number | bigint
}

/** All ones: the file position. */
const POSITION = (1n << 64n) - 1n

/** What moves bytes from one file to another. */
abstract class Between extends Operation<number> {
  /** @internal */
  static override requested(state: unknown): number {
    return state as number
  }

  /** The file to take from. */
  from: FileTarget
  /** The file to put into. */
  to: FileTarget
  /** How many bytes at most. */
  length: number
  /** `SpliceFlags`. */
  flags: number

  constructor(from: FileTarget, to: FileTarget, length: number, options?: TeeOptions) {
    super()
    const { flags = 0 } = checkOptions(options)
    this.from = checkFile(from, 'from')
    this.to = checkFile(to, 'to')
    this.length = integer(length, 'length', 0, MAX_U32)
    this.flags = mask(flags, 'options.flags')
  }

  /** Writes the entry but for its offsets. @internal */
  protected begin(entry: EntryWriter, opcode: number): number {
    const source = resolveFile(this.from, 'from')
    const length = integer(this.length, 'length', 0, MAX_U32)
    const flags = mask(this.flags, 'options.flags')
    entry.beginFile(opcode, this, this.to, 'to')
    entry.word(source < 0 ? -1 - source : source)
    entry.len(length)
    entry.opFlags(source < 0 ? flags | SpliceFlags.FD_IN_FIXED : flags)
    return length
  }
}

/**
 * Moves bytes from a file to another, without copying where it can: one of them, or both, must be a pipe. Resolves to
 * the number of bytes, fewer than asked for where there are no more, 0 at the end.
 *
 * A pipe that has no bytes, or no room, is waited for. Fails with `EINVAL` (no pipe, or `to` appends), `ESPIPE` (an
 * offset of a pipe), `EAGAIN` (with `SpliceFlags.NONBLOCK`, or an end that does not block), `EPIPE` (nobody reads the
 * pipe), `EBADF`, ... Since Linux 5.7. See splice(2).
 */
export class Splice extends Between {
  static override readonly opcode = 30
  static override readonly since = '5.7'
  static override readonly syscall = 'splice'

  /** Byte of `from` to start with; absent, its file position. */
  offsetIn: number | bigint | undefined
  /** Byte of `to` to start with; absent, its file position. */
  offsetOut: number | bigint | undefined

  constructor(from: FileTarget, to: FileTarget, length: number, options?: SpliceOptions) {
    super(from, to, length, options)
    const { offsetIn, offsetOut } = checkOptions(options)
    this.offsetIn = offset(offsetIn, 'options.offsetIn')
    this.offsetOut = offset(offsetOut, 'options.offsetOut')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const offsetIn = offset(this.offsetIn, 'options.offsetIn')
    const offsetOut = offset(this.offsetOut, 'options.offsetOut')
    const length = this.begin(entry, Splice.opcode)
    entry.addr(offsetIn ?? POSITION)
    entry.offset(offsetOut)
    return length
  }
}

/**
 * Copies bytes from a pipe to another, and leaves them in the first. Resolves to the number of bytes, fewer than asked
 * for where there are no more, 0 at the end.
 *
 * A pipe that has no bytes, or no room, is waited for. Fails with `EINVAL` (not two pipes), `EAGAIN` (with
 * `SpliceFlags.NONBLOCK`, or an end that does not block), `EPIPE` (nobody reads the pipe), `EBADF`, ... Since Linux
 * 5.8. See tee(2).
 */
export class Tee extends Between {
  static override readonly opcode = 33
  static override readonly since = '5.8'
  static override readonly syscall = 'tee'

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.begin(entry, Tee.opcode)
  }
}

/** Options of {@link Pipe}. */
export interface PipeOptions<D extends Direct | undefined = Direct | undefined> {
  /** `OpenFlags`: `NONBLOCK`, `DIRECT` for a pipe of packets. */
  flags?: number
  /** Puts the ends into the registered files: into a slot and the one after it, or into any with `'auto'`. */
  direct?: D
  /** Closes the descriptors in programs that are started; true. */
  cloexec?: boolean
}

interface PipeState {
  readonly ends: Block
  /** The slot that was named for the first end, -1 for any; absent for descriptors. */
  readonly slot: number | undefined
}

/** Two descriptors. */
const ENDS_BYTES = 8

/**
 * Makes a pipe. Resolves to its two ends, first the one to read from: descriptors, or two of {@link FixedFile}.
 *
 * Fails with `EMFILE`, `ENFILE` (no two free slots), `ENXIO` (no table), `EINVAL` (no such slot), ... Since Linux 6.16.
 * See pipe(2).
 */
export class Pipe<D extends Direct | undefined = undefined> extends Operation<
  D extends undefined ? [read: number, write: number] : [read: FixedFile, write: FixedFile]
> {
  static override readonly opcode = 62
  static override readonly since = '6.16'
  static override readonly syscall = 'pipe2'

  /** `OpenFlags`. */
  flags: number
  /** Where the ends go among the registered files. */
  direct: Direct | undefined
  /** Whether the descriptors are closed in programs that are started. */
  cloexec: boolean

  constructor(options?: PipeOptions<D>) {
    super()
    const { flags = 0, direct, cloexec = true } = checkOptions(options)
    if (direct !== undefined) resolveDirect(direct, 'options.direct')
    this.flags = mask(flags, 'options.flags')
    this.direct = direct
    this.cloexec = flag(cloexec, 'options.cloexec')
  }

  /** @internal */
  static override decode(_result: number, _flags: number, state: unknown): (number | FixedFile)[] {
    const { ends, slot } = state as PipeState
    const next = slot === undefined || slot < 0 ? slot : slot + 1
    return [placed(ends.bytes.readInt32LE(0), slot), placed(ends.bytes.readInt32LE(4), next)]
  }

  /** @internal */
  static override leftover(result: number, state: unknown): readonly (number | FixedFile)[] {
    return Pipe.decode(result, 0, state)
  }

  /** @internal */
  override encode(entry: EntryWriter): PipeState {
    const slot = this.direct === undefined ? undefined : resolveDirect(this.direct, 'options.direct')
    let flags = mask(this.flags, 'options.flags')
    // Registered files have no such flag, and the kernel refuses it.
    if (flag(this.cloexec, 'options.cloexec') && slot === undefined) flags |= OpenFlags.CLOEXEC
    const ends = allocateBlock(ENDS_BYTES)
    entry.begin(Pipe.opcode, this)
    entry.addr(ends.address)
    entry.opFlags(flags)
    if (slot !== undefined) entry.slot(slot)
    return { ends, slot }
  }
}
