// Registered files: the kernel looks up their descriptors once, and operations name them by their slot.

import { constants } from 'node:os'
import { EMPTY_SLOT, type FileTarget, FixedFile, resolveDescriptor, SKIP_FILE } from '../arguments/file.ts'
import { type Registering, REGISTRATION } from '../arguments/ring.ts'
import {
  integer,
  invalidType,
  invalidValue,
  MAX_I32,
  checkOptions,
  outOfRange,
} from '../arguments/validate.ts'
import { binding } from '../binding.ts'
import { invalidStateError, resourceClosedError, UringError } from '../errors.ts'
import { CancelFlags } from '../flags/index.ts'
import {
  IORING_REGISTER_FILES2,
  IORING_REGISTER_FILES_UPDATE2,
  IORING_REGISTER_FILE_ALLOC_RANGE,
  IORING_REGISTER_SYNC_CANCEL,
  IORING_RSRC_REGISTER_SPARSE,
  IORING_UNREGISTER_FILES,
} from '../flags/registrations.ts'
import { allocateBlock } from '../memory/address-of.ts'
import type { Registration } from './context.ts'
import { accepted, explained } from './kernel-errors.ts'
import { tagWords } from './tags.ts'

/** Options of {@link Ring.registerFiles} and {@link FileTable.update}. */
export interface FileTableOptions {
  /**
   * A tag for each file, a number of 62 bits, or `0n` for none. When the file has left its slot and the last operation on
   * it has ended, a completion with `source` `'tag'` has the tag as its `userData`.
   */
  tags?: readonly bigint[]
}

const { EBADF, EMFILE, ENOENT } = constants.errno

/** The size of `struct io_uring_rsrc_register` and `io_uring_rsrc_update2`. */
const STRUCT_BYTES = 32
const RANGE_BYTES = 16 // struct io_uring_file_index_range
const TAG_BYTES = 8
const DESCRIPTOR_BYTES = 4

const CANCEL_BYTES = 64 // struct io_uring_sync_cancel_reg
/** Cancels operations on the file of a slot that have a certain user data. */
const CANCEL_FLAGS = CancelFlags.FD | CancelFlags.FD_FIXED | CancelFlags.USERDATA
/** User data that no operation has. */
const UNUSED_USER_DATA = (1n << 64n) - 1n

/** A block that holds a struct, the tags and the descriptors, and the addresses of the last two. */
interface List {
  readonly bytes: Buffer
  readonly tags: bigint
  readonly files: bigint
}

/** Allocates a list as one block: the call that gets the struct keeps the rest alive. */
function list(descriptors: readonly number[], tags: readonly bigint[]): List {
  const from = STRUCT_BYTES + tags.length * TAG_BYTES
  const { address, bytes } = allocateBlock(from + descriptors.length * DESCRIPTOR_BYTES)
  for (const [index, tag] of tags.entries()) bytes.writeBigUInt64LE(tag, STRUCT_BYTES + index * TAG_BYTES)
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

/** Registers files, or empty slots. */
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
  const registration = ring[REGISTRATION] // a getter of an argument may have closed the ring
  const { bytes, tags: tagsAt, files: filesAt } = list(descriptors, sparse ? [] : tags)
  bytes.writeUInt32LE(size, 0)
  bytes.writeUInt32LE(sparse ? IORING_RSRC_REGISTER_SPARSE : 0, 4)
  bytes.writeBigUInt64LE(sparse ? 0n : filesAt, 16)
  bytes.writeBigUInt64LE(tagsAt, 24)
  const result = registration.call(IORING_REGISTER_FILES2, bytes, STRUCT_BYTES)
  if (result === -EMFILE) throw tooManyError(size)
  if (result === -EBADF) throw notAFileError(descriptors)
  accepted(result, 'Ring.registerFiles()', sparse ? '5.19' : '5.13')
  return new FileTable(ring, size, descriptors)
}

function tooManyError(size: number): UringError {
  return explained(
    -EMFILE,
    `${size} slots are more than the process may have descriptors (ulimit -n): use fewer slots, or raise the limit`,
  )
}

/** Finds the file that is not open: the kernel does not report which it was. */
function notAFileError(descriptors: readonly number[]): UringError {
  const index = descriptors.findIndex((fd) => isFile(fd) && !binding().rawIsOpen(fd))
  return explained(-EBADF, index < 0 ? 'a ring cannot be registered' : `files[${index}] is not open`)
}

/**
 * The registered files of a ring, by slot: {@link Ring.registerFiles} returns it. Operations accept its
 * {@link FixedFile}s wherever they accept a file, and open files into its slots with `direct`.
 *
 * The kernel holds the files themselves: descriptors and `FileHandle`s can be closed as soon as they are registered. A
 * file that is removed while an operation uses it is closed when that operation has ended. The table lasts until it is
 * unregistered or the ring is closed.
 *
 * All methods throw `ERR_URING_RESOURCE_CLOSED` once the table is unregistered, and `ERR_URING_CLOSED` once the ring is
 * closed.
 */
export class FileTable {
  /** The number of slots. */
  readonly size: number
  readonly #ring: Registering
  #unregistered = false
  /** The first slot that the kernel chooses from for `'auto'`. */
  #start = 0
  /** The slot after the last one that the kernel chooses from. */
  #end: number
  /** True if the program has called `allocRange()`. */
  #hasRange = false
  readonly #acquired = new Set<number>()
  /** Slots that this table has filled. Operations may have filled others. */
  readonly #filled = new Set<number>()
  /** The start of the next search, as an index into the slots that the kernel does not choose from. */
  #next = 0

  /** @internal */
  constructor(ring: Registering, size: number, descriptors: readonly number[]) {
    this.size = size
    this.#ring = ring
    this.#end = size
    this.#note(0, descriptors)
  }

  /**
   * Returns the file of a slot, which may be empty. It is only a number: with another ring, it names the slot of that
   * ring.
   *
   * @throws {RangeError} `ERR_OUT_OF_RANGE`: the table has no such slot
   */
  at(slot: number): FixedFile {
    integer(slot, 'slot', 0, this.size - 1)
    this.#registration()
    return new FixedFile(slot)
  }

  /**
   * Reserves an empty slot for the program, until it is released: neither another `acquire()` nor the kernel, for
   * `'auto'`, chooses it. Fill it with `update()` or with an operation that has `direct`.
   *
   * The slots come from outside the range of `allocRange()`. Without such a range the kernel chooses from the whole table:
   * each call then takes the last empty slot of the kernel's range, and ends that range before this slot.
   *
   * Since Linux 6.0.
   *
   * @throws {UringError} `ENFILE`: no slot is left; `ERR_URING_UNSUPPORTED`: the kernel cannot tell which slots are empty
   * (before Linux 6.6), and `allocRange()` was not called
   */
  acquire(): FixedFile {
    const registration = this.#registration()
    const slot = this.#findOutside(registration) ?? (this.#hasRange ? undefined : this.#cutOff(registration))
    if (slot === undefined) throw noSlotError(this.size - this.#end + this.#start, this.#hasRange)
    this.#acquired.add(slot)
    return new FixedFile(slot)
  }

  /**
   * Empties a slot that `acquire()` returned, and ends its reservation. Call it after the operations that fill the slot
   * have completed.
   *
   * @throws {UringError} `ERR_INVALID_STATE`: the slot is not acquired
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE`
   */
  release(file: FixedFile): void {
    if (!(file instanceof FixedFile)) throw invalidType('file', 'an instance of FixedFile', file)
    const slot = file.index
    const registration = this.#registration()
    if (!this.#acquired.has(slot))
      throw invalidStateError(
        `Slot ${slot} is not acquired: release() takes a slot that acquire() returned, and only once`,
      )
    accepted(this.#put(registration, slot, [EMPTY_SLOT], []), 'FileTable.release()', '5.13')
    this.#acquired.delete(slot)
    this.#next = slot < this.#start ? slot : Math.max(slot - this.#end + this.#start, 0)
  }

  /**
   * Replaces the files in slots from `offset` on; -1 empties a slot, `SKIP_FILE` leaves it unchanged. Operations in flight
   * keep the file that they started with.
   *
   * The kernel updates the slots one by one, and stops at the first file that it refuses: the slots before stay updated,
   * that slot is empty, and those after it are unchanged.
   *
   * Since Linux 5.13. See io_uring_register_files_update_tag(3).
   *
   * @returns the number of updated slots, skipped ones included
   * @throws {UringError} the kernel refused the first file: `EBADF`: it is not open, or it is a ring
   * @throws {TypeError|RangeError} an argument is invalid; no slot has changed
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
   * Sets the slots that the kernel chooses from for `'auto'`: `length` slots from `offset` on, or none. At first these are
   * all slots. `acquire()` chooses from the others. The files in the slots stay.
   *
   * Since Linux 6.0. See io_uring_register_file_alloc_range(3).
   *
   * @throws {UringError} `ERR_INVALID_STATE`: an acquired slot lies in the range
   * @throws {TypeError|RangeError} the range is invalid
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
    this.#hasRange = true
    this.#next = 0
  }

  /**
   * Unregisters all files. Operations in flight continue; before Linux 6.13 the kernel waits for them during this call.
   *
   * See io_uring_unregister_files(3).
   *
   * @throws {UringError} `ERR_URING_RESOURCE_CLOSED`: the table is unregistered already
   */
  unregister(): void {
    this.#registration().register(IORING_UNREGISTER_FILES, null, 0)
    this.#unregistered = true
  }

  /** Calls `unregister()`, unless the table is unregistered or the ring is closed. */
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

  /** Updates slots. Returns their number, or a negative `errno`. */
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
    const result = registration.call(IORING_REGISTER_FILES_UPDATE2, bytes, STRUCT_BYTES)
    const done = Math.max(result, 0)
    this.#note(offset, descriptors.slice(0, done))
    if (done < descriptors.length && (result > 0 || result === -EBADF)) this.#filled.delete(offset + done) // the kernel empties a slot before it fills it
    return result
  }

  /** Notes which slots are filled now. */
  #note(offset: number, descriptors: readonly number[]): void {
    for (const [index, fd] of descriptors.entries()) {
      if (fd >= 0) this.#filled.add(offset + index)
      else if (fd === EMPTY_SLOT) this.#filled.delete(offset + index)
    }
  }

  /** Sets the slots that the kernel chooses from. */
  #setRange(registration: Registration, start: number, end: number): void {
    const { bytes } = allocateBlock(RANGE_BYTES)
    bytes.writeUInt32LE(start, 0)
    bytes.writeUInt32LE(end - start, 4)
    accepted(registration.call(IORING_REGISTER_FILE_ALLOC_RANGE, bytes, 0), 'FileTable.allocRange()', '6.0')
    this.#start = start
    this.#end = end
  }

  /** Finds an empty slot outside the kernel's range that is not acquired. */
  #findOutside(registration: Registration): number | undefined {
    const count = this.size - this.#end + this.#start
    if (this.#acquired.size === count) return undefined // no acquired slot lies in the kernel's range
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

  /** Finds the last empty slot of the kernel's range, and ends that range before it. */
  #cutOff(registration: Registration): number | undefined {
    for (let slot = this.#end - 1; slot >= 0; slot -= 1) {
      const empty = isEmpty(registration, slot)
      if (empty === undefined) throw noRangeError()
      if (!empty) continue
      this.#setRange(registration, 0, slot)
      if (isEmpty(registration, slot) === true) return slot // the kernel may have filled it just before the range ended
    }
    return undefined
  }
}

/**
 * Tells if a slot is empty; `undefined` if this kernel cannot tell. It tries to cancel operations on the slot with user
 * data that no operation has: the kernel answers `EBADF` for an empty slot, and `ENOENT` for a file.
 */
function isEmpty(registration: Registration, slot: number): boolean | undefined {
  const { bytes } = allocateBlock(CANCEL_BYTES)
  bytes.writeBigUInt64LE(UNUSED_USER_DATA, 0)
  bytes.writeInt32LE(slot, 8)
  bytes.writeUInt32LE(CANCEL_FLAGS, 12)
  bytes.fill(0xff, 16, 32) // no timeout
  const result = registration.call(IORING_REGISTER_SYNC_CANCEL, bytes, 1)
  if (result === -EBADF) return true
  return result === -ENOENT ? false : undefined
}

function noSlotError(count: number, hasRange: boolean): UringError {
  const slots = hasRange ? `The ${count} slots outside the range of allocRange() are` : 'All slots are'
  return new UringError(
    'ENFILE',
    `${slots} in use or acquired. Release one, or register a table with more slots`,
  )
}

function noRangeError(): UringError {
  return new UringError(
    'ERR_URING_UNSUPPORTED',
    'acquire() needs Linux 6.6 or later, which tells which slots are empty. On this kernel, call allocRange() first, so that some slots lie outside the range that the kernel chooses from',
  )
}
