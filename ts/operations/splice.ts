// Pipes: creating them, and moving bytes through them inside the kernel.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { SpliceFlags } from '../flags/index.ts'
import { allocateBlock, type Block } from '../memory/address-of.ts'
import { checkDirect, withCloexec } from './base/new-descriptor.ts'
import { Operation } from './base/operation.ts'
import {
  checkFile,
  type Direct,
  type FileTarget,
  type FixedFile,
  placed,
  resolveFile,
} from '../arguments/file.ts'
import { integer, mask, MAX_U32, offset, checkOptions } from '../arguments/validate.ts'

/** Options of {@link Tee}. */
export interface TeeOptions {
  /** `SpliceFlags`: `NONBLOCK` fails with `EAGAIN` instead of waiting for bytes or for capacity. */
  flags?: number
}

/** Options of {@link Splice}. */
export interface SpliceOptions extends TeeOptions {
  /** First byte in `from`; absent, its file position. Not for a pipe. A bigint beyond 2^53. */
  offsetIn?: number | bigint
  /** First byte in `to`; absent, its file position. Not for a pipe. A bigint beyond 2^53. */
  offsetOut?: number | bigint
}

/** All ones: the file position. */
const POSITION = (1n << 64n) - 1n

/** Moves or copies bytes from one file to another. */
abstract class Between extends Operation<number> {
  /** @internal */
  static override requested(state: unknown): number {
    return state as number
  }

  /** The file to take bytes from. */
  from: FileTarget
  /** The file to put bytes into. */
  to: FileTarget
  /** The number of bytes at most. */
  length: number
  /** `SpliceFlags`. */
  flags: number

  constructor(from: FileTarget, to: FileTarget, length: number, options?: TeeOptions) {
    super()
    const { flags = 0 } = checkOptions(options)
    this.from = from
    this.to = to
    this.length = length
    this.flags = flags
  }

  /** Writes the entry, except for offsets. @internal */
  protected begin(entry: EntryWriter, { source, length, flags }: CheckedBetween): number {
    entry.beginFile(this.operationClass.opcode, this, this.to, 'to')
    entry.word(source < 0 ? -1 - source : source)
    entry.len(length)
    entry.opFlags(source < 0 ? flags | SpliceFlags.FD_IN_FIXED : flags)
    return length
  }
}

interface CheckedBetween {
  readonly source: number
  readonly length: number
  readonly flags: number
}

function checkBetween({ from, to, length, flags }: Between): CheckedBetween {
  checkFile(to, 'to')
  return {
    source: resolveFile(from, 'from'),
    length: integer(length, 'length', 0, MAX_U32),
    flags: mask(flags, 'options.flags'),
  }
}

/**
 * Moves bytes from one file to another, if possible without copying them; at least one of the files must be a pipe.
 * Resolves to the number of bytes, fewer than asked for if there are no more, 0 at the end.
 *
 * It waits while a pipe is empty, or full. Fails with `EINVAL` (neither file is a pipe, or `to` was opened to append),
 * `ESPIPE` (an offset for a pipe), `EAGAIN` (it would have to wait, with `SpliceFlags.NONBLOCK` or on a non-blocking
 * file), `EPIPE` (the reading end of the pipe is closed), `EBADF` (not an open file), ... Since Linux 5.7. See
 * splice(2).
 */
export class Splice extends Between {
  static override readonly opcode = 30
  static override readonly since = '5.7'
  static override readonly syscall = 'splice'

  /** First byte in `from`; absent, its file position. */
  offsetIn: number | bigint | undefined
  /** First byte in `to`; absent, its file position. */
  offsetOut: number | bigint | undefined

  constructor(from: FileTarget, to: FileTarget, length: number, options?: SpliceOptions) {
    super(from, to, length, options)
    const { offsetIn, offsetOut } = checkOptions(options)
    this.offsetIn = offsetIn
    this.offsetOut = offsetOut
    checkSplice(this)
    this.flags >>>= 0
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { between, offsetIn, offsetOut } = checkSplice(this)
    const length = this.begin(entry, between)
    entry.addr(offsetIn ?? POSITION)
    entry.offset(offsetOut)
    return length
  }
}

interface CheckedSplice {
  readonly between: CheckedBetween
  readonly offsetIn: number | bigint | undefined
  readonly offsetOut: number | bigint | undefined
}

function checkSplice(splice: Splice): CheckedSplice {
  return {
    between: checkBetween(splice),
    offsetIn: offset(splice.offsetIn, 'options.offsetIn'),
    offsetOut: offset(splice.offsetOut, 'options.offsetOut'),
  }
}

/**
 * Copies bytes from one pipe to another, and leaves them in the first. Resolves to the number of bytes, fewer than asked
 * for if there are no more, 0 at the end.
 *
 * It waits while the first pipe is empty, or the second full. Fails with `EINVAL` (not two pipes), `EAGAIN` (it would
 * have to wait, with `SpliceFlags.NONBLOCK` or on a non-blocking file), `EPIPE` (the reading end of the second pipe is
 * closed), `EBADF` (not an open file), ... Since Linux 5.8. See tee(2).
 */
export class Tee extends Between {
  static override readonly opcode = 33
  static override readonly since = '5.8'
  static override readonly syscall = 'tee'

  constructor(from: FileTarget, to: FileTarget, length: number, options?: TeeOptions) {
    super(from, to, length, options)
    checkBetween(this)
    this.flags >>>= 0
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.begin(entry, checkBetween(this))
  }
}

/** Options of {@link Pipe}. */
export interface PipeOptions<D extends Direct | undefined = Direct | undefined> {
  /** `OpenFlags`: `NONBLOCK`, `DIRECT` for a pipe of packets; 0 by default. */
  flags?: number
  /** Creates fixed files instead of descriptors: in this slot and the next, or in any two with `'auto'`. */
  direct?: D
  /** Sets `O_CLOEXEC`, so that programs which this process executes do not inherit the descriptors; true by default. */
  cloexec?: boolean
}

interface PipeState {
  readonly ends: Block
  /** The fixed-file slot that was named for the first end, -1 for any; absent for descriptors. */
  readonly slot: number | undefined
}

/** Bytes of two descriptors. */
const ENDS_BYTES = 8

/**
 * Creates a pipe. Resolves to its two ends, first the one to read from: descriptors; with `direct`, two of
 * {@link FixedFile}.
 *
 * Fails with `EMFILE` (too many open descriptors), `ENFILE` (not two free slots), `ENXIO` (no file table is registered),
 * `EINVAL` (a slot outside the table), ... Since Linux 6.16. See pipe(2).
 */
export class Pipe<D extends Direct | undefined = undefined> extends Operation<
  D extends undefined ? [read: number, write: number] : [read: FixedFile, write: FixedFile]
> {
  static override readonly opcode = 62
  static override readonly since = '6.16'
  static override readonly syscall = 'pipe2'

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

  /** `OpenFlags`. */
  flags: number
  /** The first fixed-file slot for the ends, or `'auto'` for any two; absent, they become descriptors. */
  direct: Direct | undefined
  /** If set, programs which this process executes do not inherit the descriptors. */
  cloexec: boolean

  constructor(options?: PipeOptions<D>) {
    super()
    const { flags = 0, direct, cloexec = true } = checkOptions(options)
    this.flags = flags
    this.direct = direct
    this.cloexec = cloexec
    checkPipe(this)
    this.flags >>>= 0
  }

  /** @internal */
  override encode(entry: EntryWriter): PipeState {
    const { flags, slot } = checkPipe(this)
    const ends = allocateBlock(ENDS_BYTES)
    entry.begin(Pipe.opcode, this)
    entry.addr(ends.address)
    entry.opFlags(flags)
    if (slot !== undefined) entry.slot(slot)
    return { ends, slot }
  }
}

interface CheckedPipe {
  readonly flags: number
  readonly slot: number | undefined
}

function checkPipe({ flags, direct, cloexec }: Pipe<Direct | undefined>): CheckedPipe {
  const slot = checkDirect(direct)
  return { flags: withCloexec(mask(flags, 'options.flags'), cloexec, slot), slot }
}
