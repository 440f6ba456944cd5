// Path arguments, and their C strings for the kernel: bytes with a NUL at the end.

import { fileURLToPath } from 'node:url'
import { allocateBlock, type Block } from '../memory/address-of.ts'
import { invalidType, invalidValue } from './validate.ts'

/** A path: a string, its bytes, or a `file:` URL. */
export type Path = string | Buffer | URL

/** A path as a C string in memory. */
export interface PathBlock extends Block {
  /** The path as error messages show it. */
  readonly path: string
}

function plain(path: Path, name: string): string | Uint8Array {
  const value = path instanceof URL ? fileURLToPath(path) : path
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw invalidType(name, 'of type string or an instance of Buffer or URL', path)
  }
  const hasNul = typeof value === 'string' ? value.includes('\0') : value.includes(0)
  if (hasNul) throw invalidValue(name, value, 'must be a string, Uint8Array, or URL without null bytes')
  return value
}

/** Returns `path`; throws like {@link pathBlock}. */
export function checkPath(path: Path, name = 'path'): Path {
  plain(path, name)
  return path
}

/**
 * Writes a path to memory that the kernel can read.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not a string, bytes or a URL; `ERR_INVALID_ARG_VALUE`: the path contains
 * a NUL; what `fileURLToPath` throws for a URL that names no file
 */
export function pathBlock(path: Path, name = 'path'): PathBlock {
  const value = plain(path, name)
  const size = typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength
  const { address, bytes } = allocateBlock(size + 1)
  if (typeof value === 'string') bytes.write(value)
  else bytes.set(value)
  return { address, bytes, path: typeof value === 'string' ? value : Buffer.from(value).toString() }
}
