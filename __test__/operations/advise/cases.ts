// The cases of Fadvise and Madvise.

import * as fc from 'fast-check'
import { type Bytes, Fadvise, type FadviseOptions, type FileTarget, Madvise } from 'uring'
import { bytes, file, MAX_I32, MAX_U32, offset } from '../base/arbitraries.ts'
import { type Case, define, fileFlags, FILES, given, indexOf, optional } from '../base/conformance-case.ts'
import { addressOf, contentOf } from '../base/process-memory.ts'
import type { Fields, Value } from '../base/native-rows.ts'
import { OFFSETS, size } from '../base/ranges.ts'
import { KINDS, noInteger } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'
import { NO_FILE, type FixedBits } from '../base/fixed-bits.ts'

const advice = fc.oneof(
  { arbitrary: fc.nat(30), weight: 3 },
  fc.nat(MAX_I32),
  fc.constantFrom(0, 4, 25, MAX_I32),
)

/** A view that claims more than 4 GiB: the memory is not accessed here, and the machine may not have so much. */
const long: fc.Arbitrary<DataView> = fc
  .oneof(fc.integer({ min: MAX_U32, max: 2 ** 40 }), fc.constantFrom(MAX_U32, 2 ** 32, 2 ** 32 + 1))
  .map((byteLength) =>
    Object.defineProperty(new DataView(new ArrayBuffer(64)), 'byteLength', { value: byteLength }),
  )

/** The address of the bytes, whatever length they claim. */
function placeOf(bytes: Bytes): bigint {
  return addressOf(bytes.byteLength >= MAX_U32 && ArrayBuffer.isView(bytes) ? bytes.buffer : bytes)
}

/** A length in the field that is wide enough for it. */
function lengthFields(bytes: Value): Fields {
  return bytes <= MAX_U32 ? { length: Number(bytes) } : { long_length: bytes }
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
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

const aFile = [KINDS.file, () => 0] as const
const anAdvice = [noInteger(0, MAX_I32), () => 0] as const

export const ARGUMENTS: Record<string, Subject> = {
  Fadvise: {
    Class: Fadvise,
    positional: { file: aFile, advice: anAdvice },
    options: { offset: KINDS.offset, length: KINDS.offset },
  },
  Madvise: {
    Class: Madvise,
    positional: { bytes: [KINDS.bytes, () => Buffer.alloc(8)], advice: anAdvice },
    options: undefined,
  },
}

/** Bits that are always set. */
export const FIXED: Record<string, readonly FixedBits[]> = {
  Madvise: [NO_FILE],
}
