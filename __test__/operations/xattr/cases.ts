// The cases of SetXattr, FSetXattr, GetXattr and FGetXattr.

import * as fc from 'fast-check'
import {
  type Bytes,
  FGetXattr,
  type FileTarget,
  FSetXattr,
  GetXattr,
  type GetXattrOptions,
  type Path,
  SetXattr,
  type SetXattrOptions,
} from 'uring'
import { bytes, file, mask, path, pathBytes } from '../base/arbitraries.ts'
import {
  type Built,
  type Case,
  define,
  fileFlags,
  FILES,
  given,
  indexOf,
  optional,
} from '../base/conformance-case.ts'
import { addressOf, contentOf, type Expected } from '../base/process-memory.ts'
import { allBut, type Bad, KINDS, noInteger, these, TYPE, VALUE } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** `XATTR_SIZE_MAX`, from <linux/limits.h>. */
const XATTR_SIZE_MAX = 65_536

type Value = Bytes | string

const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.constantFrom('', 'user.x', '\ud800', 'user.ä€😀'),
  )
  .map((value) => value.replaceAll('\0', '0'))
const value: fc.Arbitrary<Value> = fc.oneof(
  { arbitrary: bytes, weight: 10 },
  { arbitrary: text, weight: 10 },
  fc.constantFrom('a\0b', '\0', 'long'.repeat(10_000)),
)
const size = fc.oneof(fc.nat(300), fc.nat(XATTR_SIZE_MAX), fc.constantFrom(0, 1, XATTR_SIZE_MAX))

function valueBytes(value: Value): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : contentOf(value)
}

/** The address of a value: bytes stay where they are, text is encoded by the facade. */
function valueAddress(value: Value, off: bigint): bigint {
  if (typeof value !== 'string') return addressOf(value)
  return value === '' ? 0n : off
}

function setMemory(name: string, value: Value, { addr, off }: Built): Expected[] {
  return [
    [addr, pathBytes(name)],
    [off, valueBytes(value)],
  ]
}

function getMemory(name: string, { size = XATTR_SIZE_MAX }: GetXattrOptions, built: Built): Expected[] {
  return [
    [built.addr, pathBytes(name)],
    [built.off, new Uint8Array(size)],
  ]
}

const PATHS: Record<string, (given: readonly [Path, ...unknown[]]) => boolean> = {
  'a path': ([path]) => typeof path === 'string',
  'a path as a buffer': ([path]) => Buffer.isBuffer(path),
  'a URL': ([path]) => path instanceof URL,
}

type Setting = readonly [unknown, string, Value, SetXattrOptions | undefined]
const SETTINGS: Record<string, (given: Setting) => boolean> = {
  'a name that is not ASCII': ([, name]) => Buffer.byteLength(name) !== name.length,
  text: ([, , value]) => typeof value === 'string' && value !== '',
  'text that is not ASCII': ([, , value]) =>
    typeof value === 'string' && Buffer.byteLength(value) !== value.length,
  'text with a NUL': ([, , value]) => typeof value === 'string' && value.includes('\0'),
  'empty text': ([, , value]) => value === '',
  'long text': ([, , value]) => typeof value === 'string' && value.length > 16_384,
  bytes: ([, , value]) => value instanceof Uint8Array && value.length > 0,
  'no bytes': ([, , value]) => typeof value !== 'string' && value.byteLength === 0,
  'bytes of numbers that are wider': ([, , value]) =>
    value instanceof Float64Array && value.length > 0 && value.byteOffset > 0,
  'a DataView': ([, , value]) => value instanceof DataView && value.byteLength > 0,
  'an ArrayBuffer': ([, , value]) => value instanceof ArrayBuffer && value.byteLength > 0,
  'a SharedArrayBuffer': ([, , value]) => value instanceof SharedArrayBuffer && value.byteLength > 0,
  'no options': ([, , , options]) => options === undefined,
  'no flags': ([, , , options]) => options !== undefined && options.flags === undefined,
  'flags with bit 31': ([, , , options]) => (options?.flags ?? 0) >= 2 ** 31,
  'flags below zero': ([, , , options]) => (options?.flags ?? 0) < 0,
}

type Getting = readonly [unknown, string, GetXattrOptions | undefined]
const GETTINGS: Record<string, (given: Getting) => boolean> = {
  'a name that is not ASCII': ([, name]) => Buffer.byteLength(name) !== name.length,
  'no options': ([, , options]) => options === undefined,
  'no size': ([, , options]) => options !== undefined && options.size === undefined,
  'only the size': ([, , options]) => options?.size === 0,
  'a size of 1': ([, , options]) => options?.size === 1,
  'the maximum size': ([, , options]) => options?.size === XATTR_SIZE_MAX,
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  SetXattr: define<[Path, string, Value, SetXattrOptions | undefined]>({
    arguments: fc.tuple(path, text, value, optional<SetXattrOptions>({ flags: mask })),
    facade: ([path, name, value, options]) => new SetXattr(path, name, value, options),
    native: ([, , value, options = {}], { addr, off, addr3 }) => ({
      fields: {
        name: addr,
        value: valueAddress(value, off),
        path: addr3,
        length: valueBytes(value).length,
        ...given('xattr_flags', options.flags === undefined ? undefined : options.flags >>> 0),
      },
    }),
    memory: ([path, name, value], built) => [
      ...setMemory(name, value, built),
      [built.addr3, pathBytes(path)],
    ],
    variants: { ...PATHS, ...SETTINGS },
  }),

  FSetXattr: define<[FileTarget, string, Value, SetXattrOptions | undefined]>({
    arguments: fc.tuple(file, text, value, optional<SetXattrOptions>({ flags: mask })),
    facade: ([file, name, value, options]) => new FSetXattr(file, name, value, options),
    native: ([file, , value, options = {}], { addr, off }) => ({
      fields: {
        file: indexOf(file),
        name: addr,
        value: valueAddress(value, off),
        length: valueBytes(value).length,
        ...given('xattr_flags', options.flags === undefined ? undefined : options.flags >>> 0),
      },
      flags: fileFlags(file),
    }),
    memory: ([, name, value], built) => setMemory(name, value, built),
    variants: { ...FILES, ...SETTINGS },
  }),

  GetXattr: define<[Path, string, GetXattrOptions | undefined]>({
    arguments: fc.tuple(path, text, optional<GetXattrOptions>({ size })),
    facade: ([path, name, options]) => new GetXattr(path, name, options),
    native: ([, , { size = XATTR_SIZE_MAX } = {}], { addr, off, addr3 }) => ({
      fields: { name: addr, value: size === 0 ? 0 : off, path: addr3, length: size },
    }),
    memory: ([path, name, options = {}], built) => [
      ...getMemory(name, options, built),
      [built.addr3, pathBytes(path)],
    ],
    variants: { ...PATHS, ...GETTINGS },
  }),

  FGetXattr: define<[FileTarget, string, GetXattrOptions | undefined]>({
    arguments: fc.tuple(file, text, optional<GetXattrOptions>({ size })),
    facade: ([file, name, options]) => new FGetXattr(file, name, options),
    native: ([file, , { size = XATTR_SIZE_MAX } = {}], { addr, off }) => ({
      fields: { file: indexOf(file), name: addr, value: size === 0 ? 0 : off, length: size },
      flags: fileFlags(file),
    }),
    memory: ([, name, options = {}], built) => getMemory(name, options, built),
    variants: { ...FILES, ...GETTINGS },
  }),
}

const name: Bad[] = [
  ...allBut(['string']),
  ...these([Object('user.x'), ['user.x'], Buffer.from('user.x'), new URL('file:///user.x')], TYPE),
  ...these(['user.a\0b', '\0', 'user.x\0'], VALUE),
]
const badValue: Bad[] = [
  ...allBut(['string', 'bytes']),
  ...these([{ byteLength: 8 }, { buffer: new ArrayBuffer(8), byteOffset: 0, byteLength: 8 }], TYPE),
  ...these([Object('text'), ['text'], [8], { group: 1 }, new URL('file:///x')], TYPE),
]

const aPath = [KINDS.path, () => '/dev/null'] as const
const aFile = [KINDS.file, () => 0] as const
const aName = [name, () => 'user.x'] as const
const aValue = [badValue, () => Buffer.alloc(8)] as const
const setting = { flags: KINDS.mask }
const getting = { size: noInteger(0, 65_536) }

export const ARGUMENTS: Record<string, Subject> = {
  SetXattr: {
    Class: SetXattr,
    positional: { path: aPath, name: aName, value: aValue },
    options: setting,
  },
  FSetXattr: {
    Class: FSetXattr,
    positional: { file: aFile, name: aName, value: aValue },
    options: setting,
  },
  GetXattr: { Class: GetXattr, positional: { path: aPath, name: aName }, options: getting },
  FGetXattr: { Class: FGetXattr, positional: { file: aFile, name: aName }, options: getting },
}
