// The cases of ts/operations/futex.ts: FutexWait, FutexWake, FutexWaitV.

import * as fc from 'fast-check'
import { type FutexOptions, FutexWait, type FutexWaiter, FutexWaitV, FutexWake, type FutexWord } from 'uring'
import { i32, mask, MAX_I32, MAX_U32, struct, u32 } from '../base/arbitraries.ts'
import { type Case, define, optional } from '../base/conformance-case.ts'
import { addressOf, contentOf, type Expected } from '../base/process-memory.ts'

/** From <linux/futex.h>: not the facade's own constants. */
const FUTEX2_SIZE_U32 = 2

const WORDS: readonly ((value: number, before: number) => FutexWord)[] = [
  (value) => Int32Array.of(value, 7), // a small one starts inside V8's heap
  (value) => Uint32Array.of(value, 8),
  (value, before) => new Int32Array(new SharedArrayBuffer(before * 4 + 8), before * 4).fill(value),
  (value, before) => new Uint32Array(new SharedArrayBuffer(before * 4 + 8), before * 4).fill(value),
  (value, before) => new Int32Array(new ArrayBuffer(before * 4 + 8), before * 4).fill(value),
]
const word = fc
  .tuple(i32, fc.nat(40), fc.constantFrom(...WORDS))
  .map(([value, before, make]) => make(value, before))
/** What a word is expected to have: as the kernel sees it, or as an `Int32Array` does. */
const expected = fc.oneof(u32, i32)
/** Flags, with the size of the word or without. */
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
            BigInt(flagsOf(waiter)), // and 32 bits of nothing
          ]),
        ),
      ],
      ...waiters.map(({ word }) => wordAt(word)),
    ],
    variants: {
      'one word': ([waiters]) => waiters.length === 1,
      'several words': ([waiters]) => waiters.length > 2,
      'as many as there can be': ([waiters]) => waiters.length === 128,
      'with flags': ([waiters]) => waiters.some(({ flags }) => (flags ?? 0) !== 0),
      'without flags': ([waiters]) => waiters.some((waiter) => !('flags' in waiter)),
      'a value below zero': ([waiters]) => waiters.some(({ expected }) => expected < 0),
    },
  }),
}
