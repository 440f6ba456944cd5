// Extended attributes of files.

import type { EntryWriter } from '../entry/entry-writer.ts'
import type { UringErrorDetails } from '../errors.ts'
import { addressOf, allocateBlock, type Block, type Bytes, lengthOf } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { writeFile } from './base/write-file.ts'
import { checkPath, type Path, pathBlock, type PathBlock } from '../arguments/path.ts'
import { type FileTarget, resolveFile } from '../arguments/file.ts'
import { integer, invalidType, invalidValue, mask, MAX_U32, checkOptions } from '../arguments/validate.ts'

/** `XATTR_SIZE_MAX`: the maximum size of a value. */
const MAX_SIZE = 65_536

/** The name of an attribute, and the path of its file if it has one, as the kernel reads them. */
interface AttributeState {
  readonly name: Block
  readonly path: PathBlock | undefined
}

/** An operation on an attribute of a file. */
abstract class Attribute<T> extends Operation<T> {
  /** @internal */
  static override describe(state: unknown): UringErrorDetails {
    return { path: (state as AttributeState).path?.path }
  }

  /** The name of the attribute: `'user.…'`. */
  name: string

  constructor(name: string) {
    super()
    this.name = name
  }
}

/** The file of an attribute, by its path or open. */
type Place = { readonly path: Path } | { readonly file: FileTarget }

interface CheckedAttribute {
  readonly name: string
  /** The path of the file; absent, it is open. */
  readonly path: Path | undefined
  /** A descriptor, or -1 - index for a fixed file; 0 for a path. */
  readonly file: number
}

function checkAttribute(operation: Attribute<unknown> & Place): CheckedAttribute {
  const path = 'path' in operation ? checkPath(operation.path) : undefined
  const file = 'file' in operation ? resolveFile(operation.file, 'file') : 0
  const { name } = operation
  if (typeof name !== 'string') throw invalidType('name', 'of type string', name)
  if (name.includes('\0')) throw invalidValue('name', name, 'must be a string without null bytes')
  return { name, path, file }
}

function blocksOf({ name, path }: CheckedAttribute): AttributeState {
  return {
    name: textBlock(`${name}\0`),
    path: path === undefined ? undefined : pathBlock(path),
  }
}

/** Starts the entry of an operation on an attribute. */
function beginAttribute(
  entry: EntryWriter,
  operation: Attribute<unknown>,
  file: number,
  name: Block,
  path: Block | undefined,
): void {
  entry.begin(operation.operationClass.opcode, operation)
  writeFile(entry, file)
  entry.addr(name.address)
  if (path !== undefined) entry.addr3(path.address)
}

function textBlock(text: string): Block {
  const block = allocateBlock(Buffer.byteLength(text))
  block.bytes.write(text)
  return block
}

// ---- setting

/** Options of {@link SetXattr} and {@link FSetXattr}. */
export interface SetXattrOptions {
  /** `XattrFlags`: `CREATE` refuses to replace an attribute, `REPLACE` to create one; 0, the default, does either. */
  flags?: number
}

interface SetState extends AttributeState {
  /** The memory of the value. */
  readonly value: Uint8Array
  /** Bytes of the value at the submission. */
  readonly length: number
}

/** Sets an attribute. */
abstract class Setter extends Attribute<number> {
  /** @internal */
  static override intact(_result: number, state: unknown): boolean {
    const { value, length } = state as SetState
    return value.length >= length
  }

  /** The value: bytes, or text that is encoded as UTF-8. */
  value: Bytes | string
  /** `XattrFlags`. */
  flags: number

  constructor(name: string, value: Bytes | string, options: SetXattrOptions | undefined) {
    super(name)
    const { flags = 0 } = checkOptions(options)
    this.value = value
    this.flags = flags
  }
}

interface CheckedSet {
  readonly attribute: CheckedAttribute
  readonly value: Bytes | string
  readonly flags: number
}

function checkSet(setter: Setter & Place): CheckedSet {
  const attribute = checkAttribute(setter)
  const flags = mask(setter.flags, 'options.flags')
  return { attribute, flags, value: checkValue(setter.value) }
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

function encodeSet(entry: EntryWriter, setter: Setter & Place): SetState {
  const { attribute, value, flags } = checkSet(setter)
  const bytes = typeof value === 'string' ? textBlock(value).bytes : value
  const length = Math.min(lengthOf(bytes), MAX_U32) // the kernel refuses such a length too
  const memory = viewOf(bytes, length)
  const address = length === 0 ? 0 : addressOf(bytes)
  const { name, path } = blocksOf(attribute)
  beginAttribute(entry, setter, attribute.file, name, path)
  entry.off(address)
  entry.len(length)
  entry.opFlags(flags)
  return { name, path, value: memory, length }
}

/** Returns a view whose length becomes 0 when the memory is detached, where that of a `DataView` throws. */
function viewOf(bytes: Bytes, length: number): Uint8Array {
  return ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, length)
    : new Uint8Array(bytes, 0, length)
}

/**
 * Sets an extended attribute of a file. Resolves to 0.
 *
 * Fails with `ENOENT` (no such file), `EEXIST` (the attribute exists, with `CREATE`), `ENODATA` (no such attribute, with
 * `REPLACE`), `ENOTSUP` (no such namespace, or not supported by the file system), `EPERM` (not allowed on this type of
 * file), `ENOSPC` (no space left), `E2BIG` (a value over 64 KiB), `ERANGE` (a name over 255 bytes), ... Most failures do
 * not cancel the operations linked after it. Since Linux 5.19. See setxattr(2).
 */
export class SetXattr extends Setter {
  static override readonly opcode = 42
  static override readonly since = '5.19'
  static override readonly syscall = 'setxattr'

  /** The path. */
  path: Path

  constructor(path: Path, name: string, value: Bytes | string, options?: SetXattrOptions) {
    super(name, value, options)
    this.path = path
    checkSet(this)
    this.flags >>>= 0
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return encodeSet(entry, this)
  }
}

/**
 * Sets an extended attribute of an open file. Resolves to 0.
 *
 * Fails with `EBADF` (not an open file), and as {@link SetXattr} does. Most failures do not cancel the operations linked
 * after it. Since Linux 5.19. See fsetxattr(2).
 */
export class FSetXattr extends Setter {
  static override readonly opcode = 41
  static override readonly since = '5.19'
  static override readonly syscall = 'fsetxattr'

  /** The file. */
  file: FileTarget

  constructor(file: FileTarget, name: string, value: Bytes | string, options?: SetXattrOptions) {
    super(name, value, options)
    this.file = file
    checkSet(this)
    this.flags >>>= 0
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return encodeSet(entry, this)
  }
}

// ---- getting

/** Options of {@link GetXattr} and {@link FGetXattr}. */
export interface GetXattrOptions<S extends number = number> {
  /** The maximum number of bytes of the value, 65536 at most and by default; 0 asks for the size of the value. */
  size?: S
}

/** The result of {@link GetXattr} and {@link FGetXattr}: the value, or its size for `size: 0`. */
export type XattrValue<S extends number> = S extends 0 ? number : number extends S ? Buffer | number : Buffer

interface GetState extends AttributeState {
  /** Memory for the value; absent, only its size is asked for. */
  readonly value: Block | undefined
}

/** Reads an attribute. */
abstract class Getter<S extends number> extends Attribute<XattrValue<NoInfer<S>>> {
  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): Buffer | number {
    const { value } = state as GetState
    // A copy, because values are short and the memory for them is not.
    return value === undefined ? result : Buffer.from(value.bytes.subarray(0, result))
  }

  /** The maximum number of bytes of the value; 0 asks for its size. */
  size: number

  constructor(name: string, options: GetXattrOptions<S> | undefined) {
    super(name)
    const { size = MAX_SIZE } = checkOptions(options)
    this.size = size
  }
}

type SizedAttribute = Attribute<unknown> & { readonly size: number }

interface CheckedGet {
  readonly attribute: CheckedAttribute
  readonly size: number
}

function checkGet(getter: SizedAttribute & Place): CheckedGet {
  return { attribute: checkAttribute(getter), size: integer(getter.size, 'options.size', 0, MAX_SIZE) }
}

function encodeGet(entry: EntryWriter, getter: SizedAttribute & Place): GetState {
  const { attribute, size } = checkGet(getter)
  const value = size === 0 ? undefined : allocateBlock(size)
  const { name, path } = blocksOf(attribute)
  beginAttribute(entry, getter, attribute.file, name, path)
  if (value !== undefined) entry.off(value.address)
  entry.len(size)
  return { name, path, value }
}

/**
 * Reads an extended attribute of a file. Resolves to a Buffer with its value; with `size: 0`, to the size of the value
 * in bytes.
 *
 * Fails with `ENOENT` (no such file), `ENODATA` (no such attribute), `ERANGE` (the value is longer than `size`),
 * `ENOTSUP` (no such namespace, or not supported by the file system), ... Most failures do not cancel the operations
 * linked after it. Since Linux 5.19. See getxattr(2).
 */
export class GetXattr<S extends number = 65_536> extends Getter<S> {
  static override readonly opcode = 44
  static override readonly since = '5.19'
  static override readonly syscall = 'getxattr'

  /** The path. */
  path: Path

  constructor(path: Path, name: string, options?: GetXattrOptions<S>) {
    super(name, options)
    this.path = path
    checkGet(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return encodeGet(entry, this)
  }
}

/**
 * Reads an extended attribute of an open file. Resolves to a Buffer with its value; with `size: 0`, to the size of the
 * value in bytes.
 *
 * Fails with `EBADF` (not an open file), and as {@link GetXattr} does. Most failures do not cancel the operations linked
 * after it. Since Linux 5.19. See fgetxattr(2).
 */
export class FGetXattr<S extends number = 65_536> extends Getter<S> {
  static override readonly opcode = 43
  static override readonly since = '5.19'
  static override readonly syscall = 'fgetxattr'

  /** The file. */
  file: FileTarget

  constructor(file: FileTarget, name: string, options?: GetXattrOptions<S>) {
    super(name, options)
    this.file = file
    checkGet(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return encodeGet(entry, this)
  }
}
