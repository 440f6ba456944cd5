// Paths, as the kernel reads them: bytes with a NUL at the end.

import { fileURLToPath } from 'node:url'
import { allocateBlock, type Block } from '../memory/address-of.ts'
import { invalidType, invalidValue } from './validate.ts'

/** A path: a string, its bytes, or a `file:` URL. */
export type Path = string | Buffer | URL

/** A path in memory, and as errors show it. */
export interface PathBlock extends Block {
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

export function checkPath(path: Path, name = 'path'): Path {
  plain(path, name)
  return path
}

/** Puts a path where the kernel can read it. */
export function pathBlock(path: Path, name = 'path'): PathBlock {
  const value = plain(path, name)
  const size = typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength
  const { address, bytes } = allocateBlock(size + 1)
  if (typeof value === 'string') bytes.write(value)
  else bytes.set(value)
  return { address, bytes, path: typeof value === 'string' ? value : Buffer.from(value).toString() }
}
