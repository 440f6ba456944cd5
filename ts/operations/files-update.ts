// Fixed-file slots: putting descriptors into them, and turning fixed files into descriptors.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { FixedFdFlags } from '../flags/index.ts'
import type { Groups } from '../buffers/groups.ts'
import { allocateBlock, type Block } from '../memory/address-of.ts'
import { checkFixedFile } from './base/fixed-file.ts'
import { Operation } from './base/operation.ts'
import { EMPTY_SLOT, FixedFile, resolveDescriptor, SKIP_FILE } from '../arguments/file.ts'
import { flag, integer, invalidType, MAX_I32, checkOptions } from '../arguments/validate.ts'

/** Options of {@link FilesUpdate}. */
export interface FilesUpdateOptions<O extends number | 'auto' = number | 'auto'> {
  /** The first slot, which the others follow; `'auto'` for slots that the kernel chooses (6.0). 0 by default. */
  offset?: O
}

/** The content of a slot: a descriptor, -1 to empty the slot, `SKIP_FILE` to leave it unchanged. */
export type SlotContent = number | { readonly fd: number }

/** All ones: the kernel chooses the slots. */
const ANY_SLOT = (1n << 64n) - 1n
const DESCRIPTOR_BYTES = 4

interface FilesUpdateState {
  readonly descriptors: readonly number[]
  /** The descriptors in the kernel's form. */
  readonly memory: Block
}

function store({ descriptors, memory }: FilesUpdateState): void {
  for (const [index, fd] of descriptors.entries()) memory.bytes.writeInt32LE(fd, index * DESCRIPTOR_BYTES)
}

/**
 * Updates fixed-file slots: puts descriptors into them, and empties slots. Resolves to the number of slots that were
 * processed, including those that were left unchanged; with `offset: 'auto'` to an array of {@link FixedFile}, in the
 * order of the descriptors.
 *
 * A number that is less than the number of `files` is not an error: the update stopped at a descriptor that failed, or
 * found no free slot. Fails with `EBADF` (not an open descriptor; also for -1 and -2 with `'auto'`), `EINVAL` (a slot
 * outside the table, or no files), `ENFILE` (no free slot), `ENXIO` (no file table is registered), ... Since Linux 5.6.
 * See io_uring_prep_files_update(3).
 */
export class FilesUpdate<O extends number | 'auto' = number> extends Operation<
  O extends 'auto' ? FixedFile[] : number
> {
  static override readonly opcode = 20
  static override readonly since = '5.6'
  static override readonly syscall = 'files_update'

  /** @internal */
  static override observe(_groups: Groups, result: number, _flags: number, state: unknown): FixedFile[] {
    const { memory } = state as FilesUpdateState
    const slots = Array.from(
      { length: Math.max(result, 0) },
      (_, index) => new FixedFile(memory.bytes.readInt32LE(index * DESCRIPTOR_BYTES)),
    )
    // The kernel has overwritten the descriptors with slots: a built entry that is pushed again needs them back.
    store(state as FilesUpdateState)
    return slots
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number | FixedFile[] {
    return Array.isArray(state) ? state : result
  }

  /** The contents of the slots, in order. */
  files: readonly SlotContent[]
  /** The first slot, or `'auto'`. */
  offset: number | 'auto'

  constructor(files: readonly SlotContent[], options?: FilesUpdateOptions<O>) {
    super()
    const { offset = 0 } = checkOptions<FilesUpdateOptions>(options)
    this.files = files
    this.offset = offset
    checkFilesUpdate(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): FilesUpdateState {
    const { descriptors, first } = checkFilesUpdate(this)
    const state = { descriptors, memory: allocateBlock(descriptors.length * DESCRIPTOR_BYTES) }
    store(state)
    entry.begin(FilesUpdate.opcode, this)
    entry.fd(-1)
    entry.off(first === 'auto' ? ANY_SLOT : first)
    entry.addr(state.memory.address)
    entry.len(descriptors.length)
    if (first === 'auto') entry.observed = true
    return state
  }
}

interface CheckedUpdate {
  readonly descriptors: readonly number[]
  readonly first: number | 'auto'
}

function checkFilesUpdate({ files, offset }: FilesUpdate<number | 'auto'>): CheckedUpdate {
  if (!Array.isArray(files)) throw invalidType('files', 'an instance of Array', files)
  const descriptors = Array.from(files, (file: unknown, index) =>
    file === EMPTY_SLOT || file === SKIP_FILE ? file : resolveDescriptor(file, `files[${index}]`),
  )
  if (offset !== 'auto' && typeof offset !== 'number')
    throw invalidType('options.offset', "of type number, or 'auto'", offset)
  return {
    descriptors,
    first: offset === 'auto' ? offset : integer(offset, 'options.offset', 0, MAX_I32 - 1),
  }
}

/** Options of {@link FixedFdInstall}. */
export interface FixedFdInstallOptions {
  /** Sets `O_CLOEXEC`, so that programs which this process executes do not inherit the descriptor; true by default. */
  cloexec?: boolean
}

/**
 * Creates a descriptor for a fixed file, which stays in its slot. Resolves to the descriptor.
 *
 * Fails with `EBADF` (an empty slot, or one outside the table), `EMFILE` (too many open descriptors), ... Since Linux
 * 6.8. See io_uring_prep_fixed_fd_install(3).
 */
export class FixedFdInstall extends Operation<number> {
  static override readonly opcode = 54
  static override readonly since = '6.8'
  static override readonly syscall = 'fixed_fd_install'

  /** @internal */
  static override leftover(result: number): readonly number[] {
    return [result]
  }

  /** The fixed file. */
  file: FixedFile
  /** If set, programs which this process executes do not inherit the descriptor. */
  cloexec: boolean

  constructor(file: FixedFile, options?: FixedFdInstallOptions) {
    super()
    const { cloexec = true } = checkOptions(options)
    this.file = file
    this.cloexec = cloexec
    checkInstall(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { file, flags } = checkInstall(this)
    entry.beginFile(FixedFdInstall.opcode, this, file)
    entry.opFlags(flags)
    return undefined
  }
}

interface CheckedInstall {
  readonly file: FixedFile
  readonly flags: number
}

function checkInstall({ file, cloexec }: FixedFdInstall): CheckedInstall {
  return {
    file: checkFixedFile(file),
    flags: flag(cloexec, 'options.cloexec') ? 0 : FixedFdFlags.NO_CLOEXEC,
  }
}
