// Validation of arguments, with the error classes, codes and messages of Node.js. Code behind it trusts its arguments.

import { inspect } from 'node:util'

interface Coded extends Error {
  code: string
}

function coded<E extends Error>(error: E, code: string): E & Coded {
  Object.defineProperty(error, 'name', {
    value: `${error.name} [${code}]`,
    configurable: true,
    writable: true,
  })
  void error.stack // formats the stack while the name contains the code, as Node.js does
  Object.defineProperty(error, 'name', {
    value: Object.getPrototypeOf(error).name,
    configurable: true,
    writable: true,
  })
  return Object.assign(error, { code })
}

function category(name: string): string {
  return name.includes('.') ? 'property' : 'argument'
}

function received(value: unknown): string {
  if (value === null || value === undefined) return `Received ${value}`
  if (typeof value === 'function') return `Received function ${value.name}`
  if (typeof value === 'object') {
    const { constructor } = value
    if (typeof constructor === 'function' && constructor.name)
      return `Received an instance of ${constructor.name}`
    return `Received ${inspect(value, { depth: -1 })}`
  }
  if (typeof value !== 'string') return `Received type ${typeof value} (${inspect(value)})`
  const shown = value.length > 28 ? `${value.slice(0, 25)}...` : value
  return `Received type string (${shown.includes("'") ? JSON.stringify(shown) : `'${shown}'`})`
}

/** Returns `ERR_INVALID_ARG_TYPE`: a value has the wrong type. `expected` continues "must be …". */
export function invalidType(name: string, expected: string, value: unknown): TypeError {
  const message = `The "${name}" ${category(name)} must be ${expected}. ${received(value)}`
  return coded(new TypeError(message), 'ERR_INVALID_ARG_TYPE')
}

/**
 * Returns `ERR_INVALID_ARG_VALUE`: a value of the right type is not allowed. `reason` continues the name of the
 * argument.
 */
export function invalidValue(name: string, value: unknown, reason = 'is invalid'): TypeError {
  const shown = inspect(value, { depth: 0 })
  const message = `The ${category(name)} '${name}' ${reason}. Received ${shown.length > 128 ? `${shown.slice(0, 128)}...` : shown}`
  return coded(new TypeError(message), 'ERR_INVALID_ARG_VALUE')
}

/** Formats a number; integers beyond 2^32 in groups of three digits, as Node.js does. */
function grouped(value: unknown): string {
  const large = typeof value === 'bigint' || Number.isInteger(value)
  if (!large || (Number(value) >= -TWO_32 && Number(value) <= TWO_32)) return String(value)
  return String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, '_')
}

/** Returns `ERR_OUT_OF_RANGE`: a number is outside its range. `range` continues "It must be …". */
export function outOfRange(name: string, range: string, value: unknown): RangeError {
  const shown = typeof value === 'bigint' ? `${grouped(value)}n` : grouped(value)
  return coded(
    new RangeError(`The value of "${name}" is out of range. It must be ${range}. Received ${shown}`),
    'ERR_OUT_OF_RANGE',
  )
}

/**
 * Tells if a value is an integer from 0 to 2^31 - 1, as nearly all descriptors and offsets are. A function that tests
 * this first, and calls another function for all other values, is small enough for V8 to inline everywhere.
 */
export function isIndex(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && (value | 0) === value
}

/**
 * Returns an integer from `least` to `most`, both within the safe integers.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not a number
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: not an integer, or out of bounds
 */
export function integer(value: unknown, name: string, least: number, most: number): number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value)
  if (value >= least && value <= most && Math.floor(value) === value) return value
  throw outOfRange(name, Number.isInteger(value) ? `>= ${least} && <= ${most}` : 'an integer', value)
}

const TWO_32 = 2 ** 32
export const MAX_U8 = 0xff
export const MAX_U16 = 0xffff
export const MAX_U32 = 0xffff_ffff
export const MAX_I32 = 0x7fff_ffff
const MAX_I64 = (1n << 63n) - 1n

/**
 * Returns a mask for a `u32` field. Accepts negative numbers, as JavaScript's bit operators return them when bit 31 is
 * set; throws like {@link integer}.
 */
export function mask(value: unknown, name: string): number {
  return value === 0 ? 0 : integer(value, name, -0x8000_0000, MAX_U32) >>> 0
}

/**
 * Returns an integer from `least` to `most`: a safe integer or a bigint.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: neither a number nor a bigint
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: not an integer, a number beyond 2^53 - 1, or out of bounds
 */
export function integer64(value: unknown, name: string, least: bigint, most: bigint): number | bigint {
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value)
    if (!Number.isSafeInteger(value)) throw outOfRange(name, 'a safe integer, or a bigint', value)
    if (value < least || value > most) throw outOfRange(name, `>= ${least} && <= ${most}`, value)
    return value
  }
  if (typeof value !== 'bigint') throw invalidType(name, 'of type number or bigint', value)
  if (value < least || value > most) throw outOfRange(name, `>= ${least}n && <= ${most}n`, value)
  return value
}

/**
 * Returns an offset in a file, 0 to 2^63 - 1; `undefined` stands for the file position. Throws like {@link integer64}.
 */
export function offset(value: unknown, name: string): number | bigint | undefined {
  return isIndex(value) ? value : otherOffset(value, name)
}

function otherOffset(value: unknown, name: string): number | bigint | undefined {
  return value === undefined ? undefined : integer64(value, name, 0n, MAX_I64)
}

/** Returns a length in bytes, 0 to 2^63 - 1. Throws like {@link integer64}. */
export function length(value: unknown, name: string): number | bigint {
  return integer64(value, name, 0n, MAX_I64)
}

/**
 * Returns a duration in milliseconds, if one was passed; it may be fractional or infinite.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not a number
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: negative or NaN
 */
export function milliseconds(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value)
  if (!(value >= 0)) throw outOfRange(name, '>= 0', value)
  return value
}

/** Returns a boolean. @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not a boolean */
export function flag(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw invalidType(name, 'of type boolean', value)
  return value
}

/** Returns a function. @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not a function */
export function callback<F>(value: F, name: string): F {
  if (typeof value !== 'function') throw invalidType(name, 'of type function', value)
  return value
}

/**
 * Returns an options object; an empty one for `undefined`.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not an object, or an array
 */
export function checkOptions<T extends object>(value: T | undefined, name = 'options'): Partial<T> {
  if (value === undefined) return NONE as Partial<T>
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidType(name, 'of type object', value)
  return value
}

const NONE: object = Object.freeze({})
