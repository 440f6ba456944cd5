// The slots of the registered files: putting descriptors in, and taking them out.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { FixedFdFlags } from '../flags/index.ts'
import type { Groups } from '../buffers/groups.ts'
import { allocateBlock, type Block } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { EMPTY_SLOT, FixedFile, resolveDescriptor, SKIP_FILE } from '../arguments/file.ts'
import { flag, integer, invalidType, MAX_I32, checkOptions } from '../arguments/validate.ts'

/** Options of {@link FilesUpdate}. */
export interface FilesUpdateOptions<O extends number | 'auto' = number | 'auto'> {
  /** The first slot, the others follow it; or `'auto'`, slots that the kernel chooses (6.0). 0. */
  offset?: O
}

/** What goes into a slot: a descriptor, -1 to empty the slot, `SKIP_FILE` to leave it as it is. */
export type SlotContent = number | { readonly fd: number }

/** All ones: the kernel chooses the slots. */
const ANY_SLOT = (1n << 64n) - 1n
const DESCRIPTOR_BYTES = 4

interface FilesUpdateState {
  readonly descriptors: readonly number[]
  /** The same in the kernel's form. */
  readonly memory: Block
}

/** The descriptors of the slots. */
function descriptorsOf(files: readonly SlotContent[], name: string): number[] {
  if (!Array.isArray(files)) throw invalidType(name, 'an instance of Array', files)
  return Array.from(files, (file: unknown, index) =>
    file === EMPTY_SLOT || file === SKIP_FILE ? file : resolveDescriptor(file, `${name}[${index}]`),
  )
}

function checkFirst(first: number | 'auto', name: string): number | 'auto' {
  if (first === 'auto') return first
  if (typeof first !== 'number') throw invalidType(name, "of type number, or 'auto'", first)
  return integer(first, name, 0, MAX_I32 - 1)
}

function store({ descriptors, memory }: FilesUpdateState): void {
  for (const [index, fd] of descriptors.entries()) memory.bytes.writeInt32LE(fd, index * DESCRIPTOR_BYTES)
}

/**
 * Changes slots of the registered files: puts descriptors in, and empties slots. Resolves to how many slots it went
 * through, those that were left as they are included; with `offset: 'auto'` to an array of {@link FixedFile}, in the
 * order of the descriptors.
 *
 * Fewer than asked for is no error: the next one could not be done, or found no free slot. Fails with `EBADF` (also for
 * -1 and -2 with `'auto'`), `EINVAL` (no slot of that number, or no files), `ENFILE` (no free slot), `ENXIO` (no
 * table), ... Since Linux 5.6. See io_uring_prep_files_update(3).
 */
export class FilesUpdate<O extends number | 'auto' = number> extends Operation<
  O extends 'auto' ? FixedFile[] : number
> {
  static override readonly opcode = 20
  static override readonly since = '5.6'
  static override readonly syscall = 'files_update'

  /** What goes into the slots, in order. */
  files: readonly SlotContent[]
  /** The first slot. */
  offset: number | 'auto'

  constructor(files: readonly SlotContent[], options?: FilesUpdateOptions<O>) {
    super()
    const { offset: first = 0 } = checkOptions<FilesUpdateOptions>(options)
    descriptorsOf(files, 'files')
    this.files = files
    this.offset = checkFirst(first, 'options.offset')
  }

  /** @internal */
  static override observe(_groups: Groups, result: number, _flags: number, state: unknown): FixedFile[] {
    const { memory } = state as FilesUpdateState
    const slots = Array.from(
      { length: Math.max(result, 0) },
      (_, index) => new FixedFile(memory.bytes.readInt32LE(index * DESCRIPTOR_BYTES)),
    )
    // The kernel has put slots where the descriptors were: an entry that is pushed again needs these.
    store(state as FilesUpdateState)
    return slots
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number | FixedFile[] {
    return Array.isArray(state) ? state : result
  }

  /** @internal */
  override encode(entry: EntryWriter): FilesUpdateState {
    const descriptors = descriptorsOf(this.files, 'files')
    const first = checkFirst(this.offset, 'options.offset')
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

/** Options of {@link FixedFdInstall}. */
export interface FixedFdInstallOptions {
  /** Closes the descriptor in programs that are started; true. */
  cloexec?: boolean
}

/** `file` if it is a registered one. */
function checkRegistered(file: FixedFile): FixedFile {
  if (file instanceof FixedFile) return file
  throw invalidType('file', 'an instance of FixedFile', file)
}

/**
 * Makes an ordinary descriptor of a registered file, which stays registered. Resolves to the descriptor.
 *
 * Fails with `EBADF` (an empty slot, or none), `EMFILE`, ... Since Linux 6.8. See io_uring_prep_fixed_fd_install(3).
 */
export class FixedFdInstall extends Operation<number> {
  static override readonly opcode = 54
  static override readonly since = '6.8'
  static override readonly syscall = 'fixed_fd_install'

  /** The registered file. */
  file: FixedFile
  /** Whether the descriptor is closed in programs that are started. */
  cloexec: boolean

  constructor(file: FixedFile, options?: FixedFdInstallOptions) {
    super()
    const { cloexec = true } = checkOptions(options)
    this.file = checkRegistered(file)
    this.cloexec = flag(cloexec, 'options.cloexec')
  }

  /** @internal */
  static override leftover(result: number): readonly number[] {
    return [result]
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const file = checkRegistered(this.file)
    const flags = flag(this.cloexec, 'options.cloexec') ? 0 : FixedFdFlags.NO_CLOEXEC
    entry.beginFile(FixedFdInstall.opcode, this, file)
    entry.opFlags(flags)
    return undefined
  }
}
