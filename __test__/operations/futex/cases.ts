// The cases of FutexWait, FutexWake and FutexWaitV.

import * as fc from 'fast-check'
import {
  FutexFlags,
  type FutexOptions,
  FutexWait,
  type FutexWaiter,
  FutexWaitV,
  FutexWake,
  type FutexWord,
} from 'uring'
import { i32, mask, MAX_I32, MAX_U32, struct, u32 } from '../base/arbitraries.ts'
import { type Case, define, optional } from '../base/conformance-case.ts'
import { addressOf, contentOf, type Expected } from '../base/process-memory.ts'
import {
  absent,
  allBut,
  type Bad,
  KINDS,
  noInteger,
  RANGE,
  these,
  TYPE,
  VALUE,
  within,
} from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** From <linux/futex.h>: not the facade's own constants. */
const FUTEX2_SIZE_U32 = 2

const WORDS: readonly ((value: number, before: number) => FutexWord)[] = [
  (value) => Int32Array.of(value, 7), // a small array starts inside V8's heap
  (value) => Uint32Array.of(value, 8),
  (value, before) => new Int32Array(new SharedArrayBuffer(before * 4 + 8), before * 4).fill(value),
  (value, before) => new Uint32Array(new SharedArrayBuffer(before * 4 + 8), before * 4).fill(value),
  (value, before) => new Int32Array(new ArrayBuffer(before * 4 + 8), before * 4).fill(value),
]
const word = fc
  .tuple(i32, fc.nat(40), fc.constantFrom(...WORDS))
  .map(([value, before, make]) => make(value, before))
/** The expected value of a word: unsigned as in the kernel, or signed as in an `Int32Array`. */
const expected = fc.oneof(u32, i32)
/** Flags, with or without the size of the word. */
const flags = mask.map((bits) => bits & ~1)
const options = optional<FutexOptions>({ mask, flags })

type Given = [FutexWord, number, FutexOptions | undefined]

function flagsOf(given: { readonly flags?: number } | undefined): number {
  return ((given?.flags ?? 0) | FUTEX2_SIZE_U32) >>> 0
}

function maskOf(given: FutexOptions | undefined): number {
  return (given?.mask ?? MAX_U32) >>> 0
}

function wordAt(word: FutexWord): Expected {
  return [addressOf(word), contentOf(word)]
}

const WORD_VARIANTS: Record<string, (given: Given) => boolean> = {
  'an Int32Array': ([word]) => word instanceof Int32Array,
  'a Uint32Array': ([word]) => word instanceof Uint32Array,
  'shared memory': ([word]) => word.buffer instanceof SharedArrayBuffer,
  'memory that is not shared': ([word]) => word.buffer instanceof ArrayBuffer,
  'a word inside a buffer': ([word]) => word.byteOffset > 0,
  'no options': ([, , options]) => options === undefined,
  'only a mask': ([, , options]) => Object.keys(options ?? {}).join() === 'mask',
  'only flags': ([, , options]) => Object.keys(options ?? {}).join() === 'flags',
  'the size': ([, , options]) => ((options?.flags ?? 0) & 2) !== 0,
  'not the size': ([, , options]) => options?.flags !== undefined && (options.flags & 2) === 0,
  'flags with bit 31': ([, , options]) => (options?.flags ?? 0) >>> 31 === 1,
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  FutexWait: define<Given>({
    arguments: fc.tuple(word, expected, options),
    facade: ([word, expected, options]) => new FutexWait(word, expected, options),
    native: ([word, expected, options]) => ({
      fields: {
        futex: addressOf(word),
        value: expected >>> 0,
        mask: maskOf(options),
        futex_flags: flagsOf(options),
      },
    }),
    memory: ([word]) => [wordAt(word)],
    variants: {
      ...WORD_VARIANTS,
      'a value below zero': ([, expected]) => expected < 0,
      'a value with bit 31': ([, expected]) => expected >= 2 ** 31,
    },
  }),

  FutexWake: define<Given>({
    arguments: fc.tuple(
      word,
      fc.oneof({ arbitrary: fc.nat(MAX_I32), weight: 5 }, fc.constantFrom(0, 1, MAX_I32)),
      options,
    ),
    facade: ([word, count, options]) => new FutexWake(word, count, options),
    native: ([word, count, options]) => ({
      fields: { futex: addressOf(word), count, mask: maskOf(options), futex_flags: flagsOf(options) },
    }),
    memory: ([word]) => [wordAt(word)],
    variants: { ...WORD_VARIANTS, everybody: ([, count]) => count === MAX_I32 },
  }),

  FutexWaitV: define<[FutexWaiter[]]>({
    arguments: fc.tuple(
      fc
        .tuple(
          fc.array(fc.tuple(word, expected, optional<{ flags?: number }>({ flags })), {
            minLength: 1,
            maxLength: 5,
          }),
          fc.oneof({ arbitrary: fc.constant(1), weight: 40 }, fc.constant(128)),
        )
        .map(([some, least]) =>
          Array.from({ length: Math.max(some.length, least) }, (_, index): FutexWaiter => {
            const [word, expected, rest] = some[index % some.length] as (typeof some)[number]
            return { word, expected, ...rest }
          }),
        ),
    ),
    facade: ([waiters]) => new FutexWaitV(waiters),
    native: ([waiters], { addr }) => ({ fields: { waiters: addr, count: waiters.length } }),
    memory: ([waiters], { addr }) => [
      [
        addr,
        struct(
          waiters.flatMap((waiter) => [
            BigInt(waiter.expected >>> 0),
            addressOf(waiter.word),
            BigInt(flagsOf(waiter)), // followed by 32 reserved bits
          ]),
        ),
      ],
      ...waiters.map(({ word }) => wordAt(word)),
    ],
    variants: {
      'one word': ([waiters]) => waiters.length === 1,
      'several words': ([waiters]) => waiters.length > 2,
      'the maximum number': ([waiters]) => waiters.length === 128,
      'with flags': ([waiters]) => waiters.some(({ flags }) => (flags ?? 0) !== 0),
      'without flags': ([waiters]) => waiters.some((waiter) => !('flags' in waiter)),
      'a value below zero': ([waiters]) => waiters.some(({ expected }) => expected < 0),
    },
  }),
}

/** Values that are no word: arrays of other widths, and arrays without an element. */
const badWord: Bad[] = [
  ...allBut([]),
  ...these(
    [
      new Int8Array(8),
      new Uint8ClampedArray(8),
      new Int16Array(4),
      new Uint16Array(4),
      new Float32Array(2),
      new BigInt64Array(1),
      new BigUint64Array(1),
      new DataView(new ArrayBuffer(8)),
      Buffer.alloc(8),
      new SharedArrayBuffer(8),
      Int32Array,
      Object.create(Int32Array.prototype),
    ],
    TYPE,
  ),
  ...these([new Int32Array(0), new Uint32Array(0), new Uint32Array(new ArrayBuffer(8), 8)], RANGE, '.length'),
]
const badFlags: Bad[] = [
  ...KINDS.mask,
  ...these([FutexFlags.SIZE_U16, FutexFlags.SIZE_U64, FutexFlags.PRIVATE | FutexFlags.SIZE_U16], VALUE),
]
const waiter = (): object => ({ word: new Int32Array(1), expected: 0 })
const waiters: Bad[] = [
  ...allBut(['array']),
  ...these([{ length: 1, 0: waiter() }, new Set([waiter()])], TYPE),
  ...these([[], Array.from({ length: 129 }, waiter)], RANGE, '.length'),
  ...these([[8], [null], ['x'], Array.from({ length: 1 })], TYPE, '[0]'),
  ...these([[waiter(), undefined], Object.assign([waiter()], { length: 3 })], TYPE, '[1]'),
  ...these([[new Int32Array(1)], [{}], [{ word: new Int32Array(1).buffer, expected: 0 }]], TYPE, '[0].word'),
  ...these([[{ word: new Int32Array(1) }]], TYPE, '[0].expected'),
  ...[
    ...within('word', badWord, { expected: 0 }),
    ...within('expected', absent(KINDS.mask), { word: new Int32Array(1) }),
    ...within('flags', badFlags, { word: new Int32Array(1), expected: 0 }),
    [{ word: new Int32Array(1), expected: 0, flags: FutexFlags.NUMA }, RANGE, '.word.length'] as const,
  ].map(([value, code, inside]): Bad => [[waiter(), value], code, `[1]${inside}`]),
]
const wordOptions = { mask: KINDS.mask, flags: badFlags }

const aWord = [badWord, () => new Int32Array(1)] as const

export const ARGUMENTS: Record<string, Subject> = {
  FutexWait: {
    Class: FutexWait,
    positional: { word: aWord, expected: [KINDS.mask, () => 0] },
    options: wordOptions,
  },
  FutexWake: {
    Class: FutexWake,
    positional: { word: aWord, count: [noInteger(0, MAX_I32), () => 1] },
    options: wordOptions,
  },
  FutexWaitV: {
    Class: FutexWaitV,
    positional: { waiters: [waiters, () => [waiter()]] },
    options: undefined,
  },
}
