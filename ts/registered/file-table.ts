// Registered files: descriptors that the kernel has looked up once, under numbers of the ring's own.

import { constants } from 'node:os'
import { binding } from '../binding.ts'
import { invalidStateError, resourceClosedError, UringError } from '../errors.ts'
import { allocateBlock } from '../memory/address-of.ts'
import {
  integer,
  invalidType,
  invalidValue,
  MAX_I32,
  checkOptions,
  outOfRange,
} from '../arguments/validate.ts'
import { EMPTY_SLOT, type FileTarget, FixedFile, resolveDescriptor, SKIP_FILE } from '../arguments/file.ts'
import { accepted, explained } from './kernel-errors.ts'
import { type Registering, type Registration, REGISTRATION } from './context.ts'
import { tagWords } from './tags.ts'

/** Options of {@link Ring.registerFiles} and {@link FileTable.update}. */
export interface FileTableOptions {
  /**
   * A number for each file, 62 bits: when the slot has another file or none, and the last operation on this one has
   * ended, a completion with `source` `'tag'` has it as its `userData`. `0n` for none.
   */
  tags?: readonly bigint[]
}

const REGISTER_FILES2 = 13
const UNREGISTER_FILES = 3
const REGISTER_FILES_UPDATE2 = 14
const REGISTER_SYNC_CANCEL = 24
const REGISTER_FILE_ALLOC_RANGE = 25

const { EBADF, EMFILE, ENOENT } = constants.errno

/** `struct io_uring_rsrc_register`, and `struct io_uring_rsrc_update2`. */
const STRUCT_BYTES = 32
const SPARSE = 1
const RANGE_BYTES = 16
const WORD = 8
const DESCRIPTOR_BYTES = 4

/** `struct io_uring_sync_cancel_reg`. */
const CANCEL_BYTES = 64
/** What is on the file of a slot and has this user data. */
const CANCEL_FIXED_USERDATA = 0b1_1010
/** No operation has it. */
const NOBODY = (1n << 64n) - 1n

/** Files, and their tags, where the kernel reads them: behind the struct that points there. */
interface List {
  readonly bytes: Buffer
  readonly tags: bigint
  readonly files: bigint
}

/** One piece of memory for all of it: the call that gets the struct keeps the rest alive. */
function list(descriptors: readonly number[], tags: readonly bigint[]): List {
  const from = STRUCT_BYTES + tags.length * WORD
  const { address, bytes } = allocateBlock(from + descriptors.length * DESCRIPTOR_BYTES)
  for (const [index, tag] of tags.entries()) bytes.writeBigUInt64LE(tag, STRUCT_BYTES + index * WORD)
  for (const [index, fd] of descriptors.entries()) bytes.writeInt32LE(fd, from + index * DESCRIPTOR_BYTES)
  return {
    bytes,
    tags: tags.length === 0 ? 0n : BigInt(address + STRUCT_BYTES),
    files: BigInt(address + from),
  }
}

function descriptorsOf(files: unknown, others: readonly number[]): number[] {
  if (!Array.isArray(files)) throw invalidType('files', 'an instance of Array', files)
  return Array.from(files, (file: unknown, index) =>
    others.includes(file as number) ? (file as number) : resolveDescriptor(file, `files[${index}]`),
  )
}

function isFile(descriptor: number | undefined): boolean {
  return descriptor !== undefined && descriptor >= 0
}

function tagsOf(
  options: FileTableOptions | undefined,
  count: number,
  descriptors: readonly number[],
): bigint[] {
  const { tags } = checkOptions(options)
  return tagWords(tags, count, (index) => isFile(descriptors[index]))
}

/** What `Ring.registerFiles` does. */
export function registerFiles(
  ring: Registering,
  files: readonly (Exclude<FileTarget, FixedFile> | -1)[] | number,
  options: FileTableOptions | undefined,
): FileTable {
  const sparse = typeof files === 'number'
  if (!sparse && !Array.isArray(files))
    throw invalidType('files', 'of type number or an instance of Array', files)
  const descriptors = sparse ? [] : descriptorsOf(files, [EMPTY_SLOT])
  const size = sparse ? integer(files, 'files', 1, MAX_I32) : descriptors.length
  if (size === 0) throw invalidValue('files', files, 'must have at least one slot')
  const tags = tagsOf(options, size, descriptors)
  const registration = ring[REGISTRATION] // whatever ran above may have closed the ring
  const { bytes, tags: tagsAt, files: filesAt } = list(descriptors, sparse ? [] : tags)
  bytes.writeUInt32LE(size, 0)
  bytes.writeUInt32LE(sparse ? SPARSE : 0, 4)
  bytes.writeBigUInt64LE(sparse ? 0n : filesAt, 16)
  bytes.writeBigUInt64LE(tagsAt, 24)
  const result = registration.call(REGISTER_FILES2, bytes, STRUCT_BYTES)
  if (result === -EMFILE) throw tooManyError(size)
  if (result === -EBADF) throw notAFileError(descriptors)
  accepted(result, 'Ring.registerFiles()', sparse ? '5.19' : '5.13')
  return new FileTable(ring, size, descriptors)
}

function tooManyError(size: number): UringError {
  return explained(
    -EMFILE,
    `a table has no more slots than the process may have descriptors (ulimit -n), and ${size} were asked for`,
  )
}

/** The kernel does not say which it was. */
function notAFileError(descriptors: readonly number[]): UringError {
  const index = descriptors.findIndex((fd) => isFile(fd) && !binding().rawIsOpen(fd))
  return explained(-EBADF, index < 0 ? RING : `files[${index}] is not open`)
}

const RING = 'a ring cannot be registered'

/**
 * The registered files of a ring, by slot. Operations take its {@link FixedFile}s wherever they take a file, and put
 * new ones into its slots with `direct`.
 *
 * The kernel holds the files themselves: descriptors and `FileHandle`s can be closed as soon as they are registered.
 * What is removed while an operation uses it goes when that operation has ended. The table lasts until it is
 * unregistered or the ring is closed.
 *
 * All methods throw `ERR_URING_RESOURCE_CLOSED` once it is unregistered, and `ERR_URING_CLOSED` once the ring is closed.
 */
export class FileTable {
  /** How many slots there are. */
  readonly size: number
  readonly #ring: Registering
  #unregistered = false
  /** The slots that the kernel chooses from, up to `#end`. */
  #start = 0
  #end: number
  /** Whether the program has said where the kernel chooses. */
  #divided = false
  readonly #acquired = new Set<number>()
  /** SubmissionTable that were filled through this table. Operations fill others. */
  readonly #filled = new Set<number>()
  /** Where the next search begins, counted in the slots that the kernel does not choose from. */
  #next = 0

  /** @internal */
  constructor(ring: Registering, size: number, descriptors: readonly number[]) {
    this.size = size
    this.#ring = ring
    this.#end = size
    this.#note(0, descriptors)
  }

  /**
   * The file of a slot: a number, and no more. It means this slot in whatever ring it is used, and nothing is said of
   * what is in it.
   *
   * @throws {RangeError} `ERR_OUT_OF_RANGE`
   */
  at(slot: number): FixedFile {
    integer(slot, 'slot', 0, this.size - 1)
    this.#registration()
    return new FixedFile(slot)
  }

  /**
   * An empty slot for the program's own use, until it is released: what is acquired is neither given again nor chosen by
   * the kernel for `'auto'`. To be filled by `update` or by an operation with `direct`.
   *
   * SubmissionTable come from outside the range of `allocRange`. Where there is no such range, the kernel chooses from all of the
   * table, and each slot that is acquired cuts it and what is behind it off that range, from the end of the table on.
   *
   * @throws {UringError} `ENFILE` where no slot is left; `ERR_URING_UNSUPPORTED` where the kernel cannot say which slots
   * are empty and `allocRange` was not called (before Linux 6.6). Since Linux 6.0
   */
  acquire(): FixedFile {
    const registration = this.#registration()
    const slot = this.#findRest(registration) ?? (this.#divided ? undefined : this.#cutOff(registration))
    if (slot === undefined) throw noSlotError(this.size - this.#end + this.#start, this.#divided)
    this.#acquired.add(slot)
    return new FixedFile(slot)
  }

  /**
   * Empties a slot that `acquire` gave, and takes it back. Operations that are to fill it have to be over.
   *
   * @throws {UringError} `ERR_INVALID_STATE` for a slot that is not acquired
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE`
   */
  release(file: FixedFile): void {
    if (!(file instanceof FixedFile)) throw invalidType('file', 'an instance of FixedFile', file)
    const slot = file.index
    const registration = this.#registration()
    if (!this.#acquired.has(slot))
      throw invalidStateError(
        `Slot ${slot} is not acquired: only what acquire() gave can be released, and only once`,
      )
    accepted(this.#put(registration, slot, [EMPTY_SLOT], []), 'FileTable.release()', '5.13')
    this.#acquired.delete(slot)
    this.#next = slot < this.#start ? slot : Math.max(slot - this.#end + this.#start, 0)
  }

  /**
   * Puts files into the slots from `offset` on, in order; -1 empties a slot, `SKIP_FILE` leaves it as it is. Operations
   * that use what was there keep it.
   *
   * The kernel goes through the slots one by one and stops where it cannot go on: what it has done stays done, the slot
   * where it stopped is empty, and those behind it are as they were.
   *
   * @returns how many slots it went through, those that were skipped included
   * @throws {UringError} where it stopped at the first one: `EBADF` for what is no descriptor, or a ring's
   * @throws {TypeError|RangeError} for arguments that cannot be; nothing is changed then. Since Linux 5.13. See
   * io_uring_register_files_update_tag(3)
   */
  update(
    offset: number,
    files: readonly (Exclude<FileTarget, FixedFile> | -1 | typeof SKIP_FILE)[],
    options?: FileTableOptions,
  ): number {
    integer(offset, 'offset', 0, this.size - 1)
    const descriptors = descriptorsOf(files, [EMPTY_SLOT, SKIP_FILE])
    const count = descriptors.length
    if (count > this.size - offset) throw outOfRange('files.length', `<= ${this.size - offset}`, count)
    const tags = tagsOf(options, count, descriptors)
    const registration = this.#registration()
    if (count === 0) return 0
    const result = this.#put(registration, offset, descriptors, tags)
    if (result === -EBADF) throw notAFileError(descriptors.slice(0, 1))
    return accepted(result, 'FileTable.update()', '5.13')
  }

  /**
   * Says which slots the kernel chooses from for `'auto'`, at first all: `length` of them from `offset` on, or none.
   * `acquire` takes from the others. What is in the slots stays.
   *
   * @throws {UringError} `ERR_INVALID_STATE` where an acquired slot lies there
   * @throws {TypeError|RangeError} for a range that cannot be. Since Linux 6.0. See
   * io_uring_register_file_alloc_range(3)
   */
  allocRange(offset: number, length: number): void {
    integer(offset, 'offset', 0, this.size)
    integer(length, 'length', 0, this.size - offset)
    const registration = this.#registration()
    for (const slot of this.#acquired) {
      if (slot >= offset && slot < offset + length)
        throw invalidStateError(`Slot ${slot} is acquired, so the kernel cannot choose it: release it first`)
    }
    this.#setRange(registration, offset, offset + length)
    this.#divided = true
    this.#next = 0
  }

  /**
   * Gives all of the files back. Operations that use them go on to their ends; before Linux 6.13 this waits for them.
   *
   * @throws {UringError} `ERR_URING_RESOURCE_CLOSED` the second time. See io_uring_unregister_files(3)
   */
  unregister(): void {
    this.#registration().register(UNREGISTER_FILES, null, 0)
    this.#unregistered = true
  }

  /** The same, and nothing where it is unregistered or the ring is closed. */
  [Symbol.dispose](): void {
    if (this.#unregistered) return
    try {
      this.unregister()
    } catch (error) {
      if (!(error instanceof UringError) || error.code !== 'ERR_URING_CLOSED') throw error
    }
  }

  #registration(): Registration {
    const registration = this.#ring[REGISTRATION]
    if (this.#unregistered) throw resourceClosedError('The table of registered files is unregistered')
    return registration
  }

  /** Changes slots: how many, or a negative `errno`. */
  #put(
    registration: Registration,
    offset: number,
    descriptors: readonly number[],
    tags: readonly bigint[],
  ): number {
    const { bytes, tags: tagsAt, files: filesAt } = list(descriptors, tags)
    bytes.writeUInt32LE(offset, 0)
    bytes.writeBigUInt64LE(filesAt, 8)
    bytes.writeBigUInt64LE(tagsAt, 16)
    bytes.writeUInt32LE(descriptors.length, 24)
    const result = registration.call(REGISTER_FILES_UPDATE2, bytes, STRUCT_BYTES)
    const done = Math.max(result, 0)
    this.#note(offset, descriptors.slice(0, done))
    if (done < descriptors.length && (result > 0 || result === -EBADF)) this.#filled.delete(offset + done) // emptied before it was to be filled
    return result
  }

  #note(offset: number, descriptors: readonly number[]): void {
    for (const [index, fd] of descriptors.entries()) {
      if (fd >= 0) this.#filled.add(offset + index)
      else if (fd === EMPTY_SLOT) this.#filled.delete(offset + index)
    }
  }

  #setRange(registration: Registration, start: number, end: number): void {
    const { bytes } = allocateBlock(RANGE_BYTES)
    bytes.writeUInt32LE(start, 0)
    bytes.writeUInt32LE(end - start, 4)
    accepted(registration.call(REGISTER_FILE_ALLOC_RANGE, bytes, 0), 'FileTable.allocRange()', '6.0')
    this.#start = start
    this.#end = end
  }

  /** An empty slot among those that the kernel does not choose from and that are not acquired. */
  #findRest(registration: Registration): number | undefined {
    const count = this.size - this.#end + this.#start
    if (this.#acquired.size === count) return undefined // none of them lies in the kernel's range
    for (let step = 0; step < count; step += 1) {
      const at = (this.#next + step) % count
      const slot = at < this.#start ? at : at - this.#start + this.#end
      if (this.#acquired.has(slot)) continue
      if (!(isEmpty(registration, slot) ?? !this.#filled.has(slot))) continue
      this.#next = at + 1
      return slot
    }
    return undefined
  }

  /** The last empty slot of all that the kernel chooses from, which it then does no more: nor those behind it. */
  #cutOff(registration: Registration): number | undefined {
    for (let slot = this.#end - 1; slot >= 0; slot -= 1) {
      const empty = isEmpty(registration, slot)
      if (empty === undefined) throw undividedError()
      if (!empty) continue
      this.#setRange(registration, 0, slot)
      if (isEmpty(registration, slot) === true) return slot // until a moment ago the kernel could fill it
    }
    return undefined
  }
}

/**
 * Whether nothing is in a slot; `undefined` where the kernel cannot be asked. The question is a cancellation that finds
 * nothing, because no operation has the user data.
 */
function isEmpty(registration: Registration, slot: number): boolean | undefined {
  const { bytes } = allocateBlock(CANCEL_BYTES)
  bytes.writeBigUInt64LE(NOBODY, 0)
  bytes.writeInt32LE(slot, 8)
  bytes.writeUInt32LE(CANCEL_FIXED_USERDATA, 12)
  bytes.fill(0xff, 16, 32) // no timeout
  const result = registration.call(REGISTER_SYNC_CANCEL, bytes, 1)
  if (result === -EBADF) return true
  return result === -ENOENT ? false : undefined
}

function noSlotError(count: number, divided: boolean): UringError {
  const left = divided ? `The ${count} slots that allocRange() left are` : 'All slots are'
  return new UringError(
    'ENFILE',
    `${left} in use or acquired: release one, or register a table with more slots`,
  )
}

function undividedError(): UringError {
  return new UringError(
    'ERR_URING_UNSUPPORTED',
    'This kernel does not say which slots are empty (Linux 6.6 does): call allocRange() first, so that some slots are not for it to choose',
  )
}
