// Files, wherever a descriptor is expected.

import { integer, invalidType, isIndex, MAX_I32 } from './validate.ts'

/** A slot of a ring's registered files. It is a number and no more: with another ring, it is that ring's slot. */
export class FixedFile {
  /** The slot. */
  readonly index: number
  /** Only a type: another object with an index is no file. */
  declare protected readonly slot: never

  constructor(index: number) {
    this.index = integer(index, 'index', 0, MAX_I32 - 1)
  }
}

/** In a list of files for slots: leaves the slot as it is. */
export const SKIP_FILE: -2 = -2

/** In such a list: empties the slot. */
export const EMPTY_SLOT: -1 = -1

/** A descriptor, a registered file, or what has a descriptor: a `FileHandle`, say. */
export type FileTarget = number | FixedFile | { readonly fd: number }

/** Where a new descriptor goes among the registered files: a slot, or one that the kernel chooses. */
export type Direct = number | FixedFile | 'auto'

/** A descriptor, or -1 - index for a registered file. */
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

/** The descriptor that an object has, if it has one. */
function descriptorOf(file: unknown, name: string): number | undefined {
  const fd: unknown = typeof file === 'object' && file !== null && 'fd' in file ? file.fd : undefined
  return typeof fd === 'number' ? integer(fd, `${name}.fd`, 0, MAX_I32) : undefined
}

function refuse(name: string, wanted: string, file: unknown): never {
  throw invalidType(name, wanted, file)
}

/** `file` if it can be one. */
export function checkFile(file: FileTarget, name = 'file'): FileTarget {
  resolveFile(file, name)
  return file
}

/** The slot for the entry: -1 for any. */
export function resolveDirect(direct: Direct, name: string): number {
  if (direct === 'auto') return -1
  if (direct instanceof FixedFile) return direct.index
  if (typeof direct === 'number') return integer(direct, name, 0, MAX_I32 - 1)
  throw invalidType(name, "of type number, an instance of FixedFile, or 'auto'", direct)
}

/** The result of an operation that makes a descriptor: the descriptor, or the slot that it was put into. */
export function placed(result: number, slot: number | undefined): number | FixedFile {
  if (slot === undefined) return result
  return new FixedFile(slot < 0 ? result : slot) // a slot that was named is not said again
}

/** A descriptor, where the kernel takes no registered file. */
export function resolveDescriptor(file: unknown, name: string): number {
  if (file instanceof FixedFile)
    throw invalidType(name, 'a descriptor: the kernel takes no registered file here', file)
  if (typeof file === 'number') return integer(file, name, 0, MAX_I32)
  return descriptorOf(file, name) ?? refuse(name, 'of type number, or an object with a descriptor "fd"', file)
}
