// File arguments: descriptors, registered files, and where new descriptors go.

import { integer, invalidType, isIndex, MAX_I32 } from './validate.ts'

/** A slot of a ring's registered files. It holds only the slot number: with another ring, it names that ring's slot. */
export class FixedFile {
  /** The slot number, 0 to 2^31 - 2. */
  readonly index: number
  /** Exists only as a type, so that other objects with an `index` are not accepted. */
  declare protected readonly slot: never

  constructor(index: number) {
    this.index = integer(index, 'index', 0, MAX_I32 - 1)
  }
}

/** In a list of files for slots: keeps the slot as it is (`IORING_REGISTER_FILES_SKIP`). */
export const SKIP_FILE: -2 = -2

/** In a list of files for slots: empties the slot. */
export const EMPTY_SLOT: -1 = -1

/** A descriptor, a registered file, or an object with a descriptor, such as a `FileHandle`. */
export type FileTarget = number | FixedFile | { readonly fd: number }

/** The slot of registered files that a new descriptor goes into; `'auto'` lets the kernel choose one. */
export type Direct = number | FixedFile | 'auto'

/**
 * Returns the descriptor, or -1 - index for a registered file.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not a file
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: the descriptor is negative or above 2^31 - 1
 */
export function resolveFile(file: FileTarget, name: string): number {
  return isIndex(file) ? file : resolveOther(file, name)
}

function resolveOther(file: FileTarget, name: string): number {
  if (typeof file === 'number') return integer(file, name, 0, MAX_I32)
  if (file instanceof FixedFile) return -1 - file.index
  return (
    descriptorOf(file, name) ??
    refuse(name, 'of type number, an instance of FixedFile, or an object with a descriptor "fd"', file)
  )
}

/** Returns the descriptor of an object that has one. */
function descriptorOf(file: unknown, name: string): number | undefined {
  const fd: unknown = typeof file === 'object' && file !== null && 'fd' in file ? file.fd : undefined
  return typeof fd === 'number' ? integer(fd, `${name}.fd`, 0, MAX_I32) : undefined
}

function refuse(name: string, wanted: string, file: unknown): never {
  throw invalidType(name, wanted, file)
}

/** Returns `file`; throws like {@link resolveFile}. */
export function checkFile(file: FileTarget, name = 'file'): FileTarget {
  resolveFile(file, name)
  return file
}

/**
 * Returns the slot number for an entry; -1 lets the kernel choose.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not a slot
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: the number is negative or above 2^31 - 2
 */
export function resolveDirect(direct: Direct, name: string): number {
  if (direct === 'auto') return -1
  if (direct instanceof FixedFile) return direct.index
  if (typeof direct === 'number') return integer(direct, name, 0, MAX_I32 - 1)
  throw invalidType(name, "of type number, an instance of FixedFile, or 'auto'", direct)
}

/** Returns the result of an operation that creates a file: its descriptor, or the slot that it is in. */
export function placed(result: number, slot: number | undefined): number | FixedFile {
  if (slot === undefined) return result
  return new FixedFile(slot < 0 ? result : slot) // for a slot that the caller chose, the result is 0
}

/**
 * Returns a descriptor, for operations of which the kernel accepts no registered file.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not a descriptor, or a registered file
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: the descriptor is negative or above 2^31 - 1
 */
export function resolveDescriptor(file: unknown, name: string): number {
  if (file instanceof FixedFile)
    throw invalidType(name, 'a descriptor: the kernel takes no registered file here', file)
  if (typeof file === 'number') return integer(file, name, 0, MAX_I32)
  return descriptorOf(file, name) ?? refuse(name, 'of type number, or an object with a descriptor "fd"', file)
}
