// Arguments of the facade as arbitraries of fast-check, and the bytes that the kernel must find for them.

import { fileURLToPath, pathToFileURL } from 'node:url'
import * as fc from 'fast-check'
import {
  type Bytes,
  type Direct,
  type FileTarget,
  FixedFile,
  type GroupBuffer,
  type GroupTarget,
  type Path,
  type Time,
  type Token,
} from 'uring'
import type { Value } from './native-rows.ts'

/** Runs of each property. */
export const RUNS = 600

export const AT_FDCWD = -100

export const MAX_U16 = 0xffff
export const MAX_U32 = 0xffff_ffff
export const MAX_I32 = 0x7fff_ffff
const MAX_I64 = 2n ** 63n - 1n
export const MAX_U64 = 2n ** 64n - 1n

const bit31 = fc.constantFrom(2 ** 31, -(2 ** 31), -1, MAX_U32)
export const u16 = fc.oneof({ arbitrary: fc.nat(MAX_U16), weight: 5 }, fc.constantFrom(0, 1, MAX_U16))
export const u32 = fc.oneof(
  { arbitrary: fc.integer({ min: 0, max: MAX_U32 }), weight: 5 },
  fc.constantFrom(0, 2 ** 31, MAX_U32),
)
export const i32 = fc.oneof(
  { arbitrary: fc.integer({ min: -(2 ** 31), max: MAX_I32 }), weight: 5 },
  fc.constantFrom(0, -1, MAX_I32, -(2 ** 31)),
)
export const i31 = fc.oneof({ arbitrary: fc.nat(MAX_I32), weight: 5 }, fc.constantFrom(0, 1, MAX_I32))
/** A mask, as JavaScript's bit operators may leave it. */
export const mask = fc.oneof({ arbitrary: u32, weight: 3 }, { arbitrary: i32, weight: 2 }, bit31)
export const wide = (most: bigint): fc.Arbitrary<Value> =>
  fc.oneof(
    fc.maxSafeNat(),
    fc.bigInt({ min: 0n, max: most }),
    fc.bigInt({ min: 2n ** 53n, max: most }),
    fc.constantFrom(0, 0n, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, 2n ** 32n, 2n ** 53n + 1n, most),
  )
export const offset = wide(MAX_I64)
export const boolean = fc.boolean()

const fd = fc.oneof({ arbitrary: fc.nat(MAX_I32), weight: 5 }, fc.constantFrom(0, 1, 2, MAX_I32))
const handle = fd.map((number) => ({ fd: number }))
const fixedFile = fc
  .oneof({ arbitrary: fc.nat(MAX_I32 - 1), weight: 5 }, fc.constantFrom(0, 1, MAX_I32 - 1))
  .map((index) => new FixedFile(index))
export const file: fc.Arbitrary<FileTarget> = fc.oneof(fd, handle, fixedFile)
export const directory = fc.oneof(fd, handle, fc.constant(AT_FDCWD))

/** A token: any submission, any generation. */
export const token: fc.Arbitrary<Token> = fc.oneof(
  fc.maxSafeNat(),
  fc.tuple(fc.nat(MAX_I32), fc.nat(2 ** 22 - 1)).map(([generation, index]) => generation * 2 ** 22 + index),
  fc.constantFrom(0, 2 ** 22, Number.MAX_SAFE_INTEGER),
)

/** The user data of a token: the submission in the low word, the generation in the high word. */
export function userDataOf(token: Token): bigint {
  return (BigInt(Math.floor(token / 2 ** 22)) << 32n) | BigInt(token % 2 ** 22)
}

function padded(content: Uint8Array, before: number, most = 0): ArrayBuffer {
  const length = before + content.length + 5
  const buffer = new ArrayBuffer(length, most === 0 ? undefined : { maxByteLength: length + most })
  new Uint8Array(buffer).set(content, before)
  return buffer
}

function shared(content: Uint8Array, before: number, after: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(before + content.length + after)
  new Uint8Array(buffer).set(content, before)
  return buffer
}

/** Every kind of memory that the facade takes. */
const VIEWS: readonly ((content: Uint8Array, before: number) => Bytes)[] = [
  (content) => Uint8Array.from(content), // a small one starts inside V8's heap
  (content) => Buffer.from(content),
  (content) => content.slice().buffer,
  (content) => shared(content, 0, 0),
  (content, before) => Buffer.from(padded(content, before), before, content.length),
  (content, before) => new DataView(padded(content, before), before, content.length),
  (content, before) => new Uint8Array(padded(content, before, 100), before, content.length),
  (content, before) => new Uint8Array(shared(content, before, 5), before, content.length),
  (content, before) => new Int16Array(padded(content, before * 2), before * 2, content.length >> 1),
  (content, before) => new Float64Array(padded(content, before * 8), before * 8, content.length >> 3),
  (content) => new BigUint64Array(content.slice().buffer, 0, content.length >> 3),
]

export const bytes: fc.Arbitrary<Bytes> = fc
  .tuple(fc.uint8Array({ maxLength: 100 }), fc.nat(40), fc.constantFrom(...VIEWS))
  .map(([content, before, view]) => view(content, before))

export const vector: fc.Arbitrary<Bytes[]> = fc.oneof(
  { arbitrary: fc.array(bytes, { maxLength: 6 }), weight: 60 },
  // The most buffers that a call takes.
  bytes.map((buffer) => Array.from({ length: 1024 }, () => buffer)),
)

/** A buffer group, by number or by object. */
export const groupTarget: fc.Arbitrary<GroupTarget> = fc.oneof(
  u16,
  u16.map((number) => ({ group: number })),
)

export function groupNumber(target: GroupTarget): number {
  return typeof target === 'number' ? target : target.group
}

export const group: fc.Arbitrary<GroupBuffer> = fc.record(
  { group: groupTarget, length: u32 },
  { requiredKeys: ['group'] },
)

/** Tells a buffer group from memory, of which an operation takes either. */
export function isGroup(target: object): target is GroupBuffer {
  return 'group' in target
}

const pathText = fc
  .oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('', '.', '\ud800', 'ü', '../ä/€/😀'))
  .filter((text) => !text.includes('\0'))
const longText = fc.integer({ min: 4000, max: 20_000 }).map((length) => 'long/'.repeat(length / 5))
export const path: fc.Arbitrary<Path> = fc.oneof(
  { arbitrary: pathText, weight: 20 },
  { arbitrary: fc.uint8Array({ min: 1, maxLength: 40 }).map((content) => Buffer.from(content)), weight: 20 },
  {
    arbitrary: fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => pathToFileURL(`/${text}`)),
    weight: 20,
  },
  longText,
)

export function pathBytes(given: Path): Uint8Array {
  const plain = given instanceof URL ? fileURLToPath(given) : given
  return Buffer.concat([typeof plain === 'string' ? Buffer.from(plain) : plain, Buffer.of(0)])
}

const nanoseconds = fc.oneof(fc.nat(999_999_999), fc.constantFrom(0, 1, 999_999_999))
export const time: fc.Arbitrary<Time> = fc.oneof(
  fc.maxSafeNat(),
  // Fractions: whole numbers of nanoseconds, and others.
  fc.maxSafeNat().map((total) => (total % 2 ** 50) / 1e6),
  fc.constantFrom(0, 1e-9, 0.000_000_5, 0.5, 999.999_999, 999.999_999_6, 1000, 1e12 + 0.25),
  fc.record({ seconds: wide(MAX_I64), nanoseconds }),
)

/** `struct __kernel_timespec`. */
export function timespecBytes(given: Time): Uint8Array {
  if (typeof given === 'object') return struct([BigInt(given.seconds), BigInt(given.nanoseconds)])
  const total = BigInt(Math.floor(given)) * 1_000_000n + BigInt(Math.round((given % 1) * 1e6))
  return struct([total / 1_000_000_000n, total % 1_000_000_000n])
}

/** A struct of 64-bit words. */
export function struct(words: readonly bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(words).buffer)
}

export const direct: fc.Arbitrary<Direct> = fc.oneof(
  fc.oneof(fc.nat(MAX_I32 - 1), fc.constantFrom(0, MAX_I32 - 1)),
  fixedFile,
  fc.constant('auto' as const),
)

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replaceAll(/.{8}(?=.)/g, '$& ')
}

export function equal(what: string, found: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(found, expected) === 0) return
  throw new Error(`${what}: found\n${hex(found)}\nand expected\n${hex(expected)}`)
}
