// Extended attributes.

import type { EntryWriter } from '../entry/entry-writer.ts'
import type { UringErrorDetails } from '../errors.ts'
import { SqeFlags } from '../flags/index.ts'
import { addressOf, allocateBlock, type Block, type Bytes, lengthOf } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { checkPath, type Path, pathBlock, type PathBlock } from '../arguments/path.ts'
import { checkFile, type FileTarget, resolveFile } from '../arguments/file.ts'
import { integer, invalidType, invalidValue, mask, MAX_U32, checkOptions } from '../arguments/validate.ts'

/** `XATTR_SIZE_MAX`: no attribute is longer. */
const MAX_SIZE = 65_536

function checkName(name: unknown): string {
  if (typeof name !== 'string') throw invalidType('name', 'of type string', name)
  if (name.includes('\0')) throw invalidValue('name', name, 'must be a string without null bytes')
  return name
}

function nameBlock(name: unknown): Block {
  return textBlock(`${checkName(name)}\0`)
}

function textBlock(text: string): Block {
  const block = allocateBlock(Buffer.byteLength(text))
  block.bytes.write(text)
  return block
}

function checkValue(value: Bytes | string): Bytes | string {
  if (typeof value === 'string' || ArrayBuffer.isView(value)) return value
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return value
  throw invalidType(
    'value',
    'of type string or an instance of Buffer, TypedArray, DataView, ArrayBuffer, or SharedArrayBuffer',
    value,
  )
}

function writeFile(entry: EntryWriter, file: number): void {
  if (file >= 0) {
    entry.fd(file)
  } else {
    entry.flags(SqeFlags.FIXED_FILE)
    entry.fd(-1 - file)
  }
}

// ---- setting

/** Options of {@link SetXattr} and {@link FSetXattr}. */
export interface SetXattrOptions {
  /** `XattrFlags`: `CREATE` and not replace, or the other way round. */
  flags?: number
}

interface SetState {
  readonly path: PathBlock | undefined
  readonly name: Block
  /** The memory of the value. */
  readonly value: Uint8Array
  /** Bytes of it when it was pushed. */
  readonly length: number
}

/** A view that has no bytes any more when the memory is detached; a `DataView` throws then. */
function viewOf(bytes: Bytes, length: number): Uint8Array {
  return ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, length)
    : new Uint8Array(bytes, 0, length)
}

/** What setting an attribute shares. */
abstract class Setter extends Operation<number> {
  /** @internal */
  static override intact(_result: number, state: unknown): boolean {
    const { value, length } = state as SetState
    return value.length >= length
  }

  /** @internal */
  static override describe(state: unknown): UringErrorDetails {
    return { path: (state as SetState).path?.path }
  }

  /** The name of the attribute: `'user.…'`. */
  name: string
  /** Its value: bytes, or text in UTF-8. */
  value: Bytes | string
  /** `XattrFlags`. */
  flags: number

  constructor(name: string, value: Bytes | string, options: SetXattrOptions | undefined) {
    super()
    this.name = checkName(name)
    this.value = checkValue(value)
    const { flags = 0 } = checkOptions(options)
    this.flags = mask(flags, 'options.flags')
  }

  protected encodeSet(
    entry: EntryWriter,
    opcode: number,
    file: number,
    path: PathBlock | undefined,
  ): SetState {
    const flags = mask(this.flags, 'options.flags')
    const name = nameBlock(this.name)
    const options = checkValue(this.value)
    const bytes = typeof options === 'string' ? textBlock(options).bytes : options
    const length = Math.min(lengthOf(bytes), MAX_U32) // far too long either way
    const value = viewOf(bytes, length)
    const address = length === 0 ? 0 : addressOf(bytes)
    entry.begin(opcode, this)
    writeFile(entry, file)
    entry.addr(name.address)
    entry.off(address)
    entry.len(length)
    if (path !== undefined) entry.addr3(path.address)
    entry.opFlags(flags)
    return { path, name, value, length }
  }
}

/**
 * Sets an extended attribute of a file. Resolves to 0.
 *
 * Fails with `ENOENT`, `EEXIST` (with `CREATE`), `ENODATA` (with `REPLACE`), `ENOTSUP` (no such namespace, or a file
 * system without), `EPERM` (not on such a file), `ENOSPC`, `E2BIG` (over 64 KiB), `ERANGE` (a name over 255 bytes),
 * ... Most failures do not cancel what is linked behind it. Since Linux 5.19. See setxattr(2).
 */
export class SetXattr extends Setter {
  static override readonly opcode = 42
  static override readonly since = '5.19'
  static override readonly syscall = 'setxattr'

  /** The path. */
  path: Path

  constructor(path: Path, name: string, value: Bytes | string, options?: SetXattrOptions) {
    super(name, value, options)
    this.path = checkPath(path)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodeSet(entry, SetXattr.opcode, 0, pathBlock(this.path))
  }
}

/**
 * Sets an extended attribute of an open file. Resolves to 0.
 *
 * Fails with `EBADF`, and as {@link SetXattr} does. Most failures do not cancel what is linked behind it. Since Linux
 * 5.19. See fsetxattr(2).
 */
export class FSetXattr extends Setter {
  static override readonly opcode = 41
  static override readonly since = '5.19'
  static override readonly syscall = 'fsetxattr'

  /** The file. */
  file: FileTarget

  constructor(file: FileTarget, name: string, value: Bytes | string, options?: SetXattrOptions) {
    super(name, value, options)
    this.file = checkFile(file)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodeSet(entry, FSetXattr.opcode, resolveFile(this.file, 'file'), undefined)
  }
}

// ---- getting

/** Options of {@link GetXattr} and {@link FGetXattr}. */
export interface GetXattrOptions<S extends number = number> {
  /** Bytes that there is room for, 65536 at most and by default; 0 asks for the size of the value. */
  size?: S
}

/** What getting an attribute resolves to. */
export type XattrValue<S extends number> = S extends 0 ? number : number extends S ? Buffer | number : Buffer

interface GetState {
  readonly path: PathBlock | undefined
  readonly name: Block
  /** Where the value goes; absent, only its size is wanted. */
  readonly value: Block | undefined
}

/** What getting an attribute shares. */
abstract class Getter<S extends number> extends Operation<XattrValue<NoInfer<S>>> {
  /** @internal */
  static override describe(state: unknown): UringErrorDetails {
    return { path: (state as GetState).path?.path }
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): Buffer | number {
    const { value } = state as GetState
    // A copy: values are short, and the room is not.
    return value === undefined ? result : Buffer.from(value.bytes.subarray(0, result))
  }

  /** The name of the attribute: `'user.…'`. */
  name: string
  /** Bytes that there is room for. */
  size: number

  constructor(name: string, options: GetXattrOptions<S> | undefined) {
    super()
    this.name = checkName(name)
    const { size = MAX_SIZE } = checkOptions(options)
    this.size = integer(size, 'options.size', 0, MAX_SIZE)
  }

  protected encodeGet(
    entry: EntryWriter,
    opcode: number,
    file: number,
    path: PathBlock | undefined,
  ): GetState {
    const size = integer(this.size, 'options.size', 0, MAX_SIZE)
    const name = nameBlock(this.name)
    const value = size === 0 ? undefined : allocateBlock(size)
    entry.begin(opcode, this)
    writeFile(entry, file)
    entry.addr(name.address)
    if (value !== undefined) entry.off(value.address)
    entry.len(size)
    if (path !== undefined) entry.addr3(path.address)
    return { path, name, value }
  }
}

/**
 * Reads an extended attribute of a file. Resolves to a Buffer of its value; with `size: 0`, to how long it is.
 *
 * Fails with `ENOENT`, `ENODATA` (no such attribute), `ERANGE` (longer than `size`), `ENOTSUP` (no such namespace,
 * or a file system without), ... Most failures do not cancel what is linked behind it. Since Linux 5.19. See
 * getxattr(2).
 */
export class GetXattr<S extends number = 65_536> extends Getter<S> {
  static override readonly opcode = 44
  static override readonly since = '5.19'
  static override readonly syscall = 'getxattr'

  /** The path. */
  path: Path

  constructor(path: Path, name: string, options?: GetXattrOptions<S>) {
    super(name, options)
    this.path = checkPath(path)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodeGet(entry, GetXattr.opcode, 0, pathBlock(this.path))
  }
}

/**
 * Reads an extended attribute of an open file. Resolves to a Buffer of its value; with `size: 0`, to how long it is.
 *
 * Fails with `EBADF`, and as {@link GetXattr} does. Most failures do not cancel what is linked behind it. Since Linux
 * 5.19. See fgetxattr(2).
 */
export class FGetXattr<S extends number = 65_536> extends Getter<S> {
  static override readonly opcode = 43
  static override readonly since = '5.19'
  static override readonly syscall = 'fgetxattr'

  /** The file. */
  file: FileTarget

  constructor(file: FileTarget, name: string, options?: GetXattrOptions<S>) {
    super(name, options)
    this.file = checkFile(file)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodeGet(entry, FGetXattr.opcode, resolveFile(this.file, 'file'), undefined)
  }
}
