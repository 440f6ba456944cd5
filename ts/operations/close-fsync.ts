// Files that are open: what is done to them, and their end.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { FsyncFlags } from '../flags/index.ts'
import { Operation } from './base/operation.ts'
import { checkFile, type FileTarget, resolveFile } from '../arguments/file.ts'
import { flag, integer, length, MAX_U32, checkOptions } from '../arguments/validate.ts'

/** Options of {@link Fsync}. */
export interface FsyncOptions {
  /** Only the data, and the metadata that reading it needs. */
  datasync?: boolean
  /** First byte of a range; absent, 0. */
  offset?: number | bigint
  /** Bytes of the range, 4 GiB - 1 at most; absent, to the end of the file. */
  length?: number
}

/**
 * Brings a file's data and metadata to the storage device. Resolves to 0.
 *
 * Fails with `EBADF`, `EIO`, `EINVAL` (a pipe), `ENOSPC`, ... Since Linux 5.1. See fsync(2).
 */
export class Fsync extends Operation<number> {
  static override readonly opcode = 3
  static override readonly since = '5.1'
  static override readonly syscall = 'fsync'

  /** The file. */
  file: FileTarget
  /** Only the data, and the metadata that reading it needs. */
  datasync: boolean
  /** First byte of a range. */
  offset: number | bigint
  /** Bytes of the range. */
  length: number

  constructor(file: FileTarget, options?: FsyncOptions) {
    super()
    const { datasync = false, offset: from = 0, length: bytes = 0 } = checkOptions(options)
    this.file = checkFile(file)
    this.datasync = flag(datasync, 'options.datasync')
    this.offset = length(from, 'options.offset')
    this.length = integer(bytes, 'options.length', 0, MAX_U32)
  }

  /** @internal */
  static override describe(state: unknown): { syscall: string } {
    return { syscall: state === FsyncFlags.DATASYNC ? 'fdatasync' : 'fsync' }
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const from = length(this.offset, 'options.offset')
    const bytes = integer(this.length, 'options.length', 0, MAX_U32)
    const flags = flag(this.datasync, 'options.datasync') ? FsyncFlags.DATASYNC : 0
    entry.beginFile(Fsync.opcode, this, this.file)
    entry.off(from)
    entry.len(bytes)
    entry.opFlags(flags)
    return flags
  }
}

/**
 * Closes a file descriptor, or empties a slot of the registered files. Resolves to 0.
 *
 * What is pending on the descriptor goes on. Fails with `EBADF`. Since Linux 5.6, slots since 5.15. See close(2).
 */
export class Close extends Operation<number> {
  static override readonly opcode = 19
  static override readonly since = '5.6'
  static override readonly syscall = 'close'

  /** The file. */
  file: FileTarget

  constructor(file: FileTarget) {
    super()
    this.file = checkFile(file)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const file = resolveFile(this.file, 'file')
    entry.begin(Close.opcode, this)
    // A slot is named in its own field, without the flag that marks registered files elsewhere.
    if (file < 0) entry.slot(-1 - file)
    else entry.fd(file)
    return undefined
  }
}
