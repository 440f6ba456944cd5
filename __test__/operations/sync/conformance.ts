// The cases of ts/operations/ranges.ts: SyncFileRange, Fallocate, Ftruncate, Fadvise, Madvise.

import * as fc from 'fast-check'
import {
  type Bytes,
  Fadvise,
  type FadviseOptions,
  Fallocate,
  type FallocateOptions,
  type FileTarget,
  Ftruncate,
  Madvise,
  SyncFileRange,
  type SyncFileRangeOptions,
} from 'uring'
import { bytes, file, mask, MAX_I32, MAX_U32, offset, u32 } from '../base/arbitraries.ts'
import { type Case, define, fileFlags, FILES, given, indexOf, optional } from '../base/conformance-case.ts'
import { addressOf, contentOf } from '../base/process-memory.ts'
import type { Fields, Value } from '../base/native-rows.ts'

const advice = fc.oneof(
  { arbitrary: fc.nat(30), weight: 3 },
  fc.nat(MAX_I32),
  fc.constantFrom(0, 4, 25, MAX_I32),
)
/** A length on either side of 32 bits. */
const size = fc.oneof(u32, offset, fc.constantFrom(MAX_U32, BigInt(MAX_U32), 2 ** 32, 2n ** 32n))

/** Bytes that say they are more than 4 GiB: the memory is not looked at here, and there may be no room for so much. */
const long: fc.Arbitrary<DataView> = fc
  .oneof(fc.integer({ min: MAX_U32, max: 2 ** 40 }), fc.constantFrom(MAX_U32, 2 ** 32, 2 ** 32 + 1))
  .map((byteLength) =>
    Object.defineProperty(new DataView(new ArrayBuffer(64)), 'byteLength', { value: byteLength }),
  )

/** Where the bytes are, however many they say they are. */
function placeOf(bytes: Bytes): bigint {
  return addressOf(bytes.byteLength >= MAX_U32 && ArrayBuffer.isView(bytes) ? bytes.buffer : bytes)
}

/** A length in the field that has room for it. */
function lengthFields(bytes: Value): Fields {
  return bytes <= MAX_U32 ? { length: Number(bytes) } : { long_length: bytes }
}

/** Variants of offsets. */
const OFFSETS: Record<string, (given: readonly [...unknown[], { offset?: Value } | undefined]) => boolean> = {
  'no options': (given) => given.at(-1) === undefined,
  'no offset': (given) => given.at(-1) !== undefined && optionsOf(given).offset === undefined,
  'an offset that is a number': (given) => typeof optionsOf(given).offset === 'number',
  'an offset beyond 2^53': (given) => (optionsOf(given).offset ?? 0) > 2n ** 53n,
}

function optionsOf(given: readonly unknown[]): { offset?: Value } {
  return (given.at(-1) ?? {}) as { offset?: Value }
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  SyncFileRange: define<[FileTarget, SyncFileRangeOptions | undefined]>({
    arguments: fc.tuple(file, optional<SyncFileRangeOptions>({ offset, length: u32, flags: mask })),
    facade: ([file, options]) => new SyncFileRange(file, options),
    native: ([file, options]) => ({
      fields: {
        file: indexOf(file),
        ...given('offset', options?.offset),
        ...given('length', options?.length),
        ...given('range_flags', options?.flags === undefined ? undefined : options.flags >>> 0),
      },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      ...OFFSETS,
      'no length': ([, options]) => options !== undefined && options.length === undefined,
      'the longest length': ([, options]) => options?.length === MAX_U32,
      'no flags': ([, options]) => options !== undefined && options.flags === undefined,
      'flags with bit 31': ([, options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
      'flags below zero': ([, options]) => (options?.flags ?? 0) < 0,
    },
  }),

  Fallocate: define<[FileTarget, Value, FallocateOptions | undefined]>({
    arguments: fc.tuple(file, size, optional<FallocateOptions>({ offset, mode: mask })),
    facade: ([file, length, options]) => new Fallocate(file, length, options),
    native: ([file, length, options]) => ({
      fields: {
        file: indexOf(file),
        length,
        ...given('offset', options?.offset),
        ...given('mode', options?.mode === undefined ? undefined : options.mode >>> 0),
      },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      ...OFFSETS,
      'a length beyond 2^32': ([, length]) => typeof length === 'number' && length >= 2 ** 32,
      'a length beyond 2^53': ([, length]) => length > 2n ** 53n,
      'no mode': ([, , options]) => options !== undefined && options.mode === undefined,
      'a mode with bit 31': ([, , options]) => ((options?.mode ?? 0) & (2 ** 31)) !== 0,
      'a mode below zero': ([, , options]) => (options?.mode ?? 0) < 0,
    },
  }),

  Ftruncate: define<[FileTarget, Value]>({
    arguments: fc.tuple(file, size),
    facade: ([file, length]) => new Ftruncate(file, length),
    native: ([file, length]) => ({ fields: { file: indexOf(file), length }, flags: fileFlags(file) }),
    variants: {
      ...FILES,
      'no length': ([, length]) => length === 0,
      'a length beyond 2^32': ([, length]) => typeof length === 'number' && length >= 2 ** 32,
      'a length beyond 2^53': ([, length]) => length > 2n ** 53n,
    },
  }),

  Fadvise: define<[FileTarget, number, FadviseOptions | undefined]>({
    arguments: fc.tuple(file, advice, optional<FadviseOptions>({ offset, length: size })),
    facade: ([file, advice, options]) => new Fadvise(file, advice, options),
    native: ([file, advice, options]) => ({
      fields: {
        file: indexOf(file),
        advice,
        ...given('offset', options?.offset),
        ...lengthFields(options?.length ?? 0),
      },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      ...OFFSETS,
      'no length': ([, , options]) => options !== undefined && options.length === undefined,
      'a length as a small bigint': ([, , options]) =>
        typeof options?.length === 'bigint' && options.length <= MAX_U32,
      'the longest short length': ([, , options]) => options?.length === MAX_U32,
      'the shortest long length': ([, , options]) => options?.length === 2 ** 32,
      'the shortest long length as a bigint': ([, , options]) => options?.length === 2n ** 32n,
      'a length beyond 2^53': ([, , options]) => (options?.length ?? 0) > 2n ** 53n,
      'the highest advice': ([, advice]) => advice === MAX_I32,
    },
  }),

  Madvise: define<[Bytes, number]>({
    arguments: fc.tuple(fc.oneof({ arbitrary: bytes, weight: 3 }, { arbitrary: long, weight: 1 }), advice),
    facade: ([bytes, advice]) => new Madvise(bytes, advice),
    native: ([bytes, advice]) => ({
      fields: { address: placeOf(bytes), advice, ...lengthFields(bytes.byteLength) },
    }),
    memory: ([bytes]) => (bytes.byteLength < MAX_U32 ? [[addressOf(bytes), contentOf(bytes)]] : []),
    variants: {
      'no bytes': ([bytes]) => bytes.byteLength === 0,
      'an ArrayBuffer': ([bytes]) => bytes instanceof ArrayBuffer,
      'the longest short length': ([bytes]) => bytes.byteLength === MAX_U32,
      'the shortest long length': ([bytes]) => bytes.byteLength === 2 ** 32,
      'the highest advice': ([, advice]) => advice === MAX_I32,
    },
  }),
}
