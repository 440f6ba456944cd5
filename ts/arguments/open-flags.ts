// Flags of open(2), as numbers or in the notation of `node:fs`.

import { OpenFlags as O } from '../flags/index.ts'
import { integer, invalidType, invalidValue, MAX_I32 } from './validate.ts'

const NAMES: Readonly<Record<string, number>> = {
  r: O.RDONLY,
  rs: O.RDONLY | O.SYNC,
  sr: O.RDONLY | O.SYNC,
  'r+': O.RDWR,
  'rs+': O.RDWR | O.SYNC,
  'sr+': O.RDWR | O.SYNC,
  w: O.TRUNC | O.CREAT | O.WRONLY,
  wx: O.TRUNC | O.CREAT | O.WRONLY | O.EXCL,
  xw: O.TRUNC | O.CREAT | O.WRONLY | O.EXCL,
  'w+': O.TRUNC | O.CREAT | O.RDWR,
  'wx+': O.TRUNC | O.CREAT | O.RDWR | O.EXCL,
  'xw+': O.TRUNC | O.CREAT | O.RDWR | O.EXCL,
  a: O.APPEND | O.CREAT | O.WRONLY,
  ax: O.APPEND | O.CREAT | O.WRONLY | O.EXCL,
  xa: O.APPEND | O.CREAT | O.WRONLY | O.EXCL,
  as: O.APPEND | O.CREAT | O.WRONLY | O.SYNC,
  sa: O.APPEND | O.CREAT | O.WRONLY | O.SYNC,
  'a+': O.APPEND | O.CREAT | O.RDWR,
  'ax+': O.APPEND | O.CREAT | O.RDWR | O.EXCL,
  'xa+': O.APPEND | O.CREAT | O.RDWR | O.EXCL,
  'as+': O.APPEND | O.CREAT | O.RDWR | O.SYNC,
  'sa+': O.APPEND | O.CREAT | O.RDWR | O.SYNC,
}

/**
 * Returns the kernel's mask for `'r'`, `'w+'`, …; a number is returned as it is.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: neither a string nor a number; `ERR_INVALID_ARG_VALUE`: an unknown string
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: the number is negative, fractional or above 2^31 - 1
 */
export function openFlags(flags: unknown, name: string): number {
  if (typeof flags === 'number') return integer(flags, name, 0, MAX_I32)
  if (typeof flags !== 'string') throw invalidType(name, 'of type string or number', flags)
  const mask = Object.hasOwn(NAMES, flags) ? NAMES[flags] : undefined
  if (mask === undefined) throw invalidValue(name, flags)
  return mask
}
