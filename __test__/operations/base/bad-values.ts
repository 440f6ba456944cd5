// Bad values of each kind of argument (KINDS), and how they are refused: with Node.js's errors and without a trace in
// the ring. The tables of each family say which argument is of which kind.

import type { ExecutionContext } from 'ava'
import { FixedFile, Nop, Ring } from 'uring'

export const TYPE = 'ERR_INVALID_ARG_TYPE'
export const RANGE = 'ERR_OUT_OF_RANGE'
export const VALUE = 'ERR_INVALID_ARG_VALUE'
type Code = typeof TYPE | typeof RANGE | typeof VALUE

/** A bad value, the code of its error, and the part of the argument that the error names. */
export type Bad = readonly [value: unknown, code: Code, inside?: string]

const MAX_U16 = 0xffff
const MAX_U32 = 0xffff_ffff
export const MAX_I32 = 0x7fff_ffff
const MIN_I32 = -0x8000_0000

// ---- bad values

/** Values of every type, and some that become numbers or strings where they are converted. */
const ANYTHING = [
  ['undefined', undefined],
  ['null', null],
  ['boolean', true],
  ['boolean', false],
  ['number', 8],
  ['bigint', 8n],
  ['string', '8'],
  ['string', ''],
  ['symbol', Symbol('s')],
  ['function', () => 8],
  ['function', Date],
  ['object', {}],
  ['object', Object.create(null)],
  ['object', Object(8)],
  ['object', { valueOf: () => 8, toString: () => '8' }],
  ['object', new Date(0)],
  ['array', []],
  ['array', [8]],
  ['bytes', new Uint8Array(8)],
  ['bytes', new ArrayBuffer(8)],
] as const
type Type = (typeof ANYTHING)[number][0]

/** Values of all types but these. */
export function allBut(types: readonly Type[], code: Code = TYPE, inside = ''): Bad[] {
  return ANYTHING.filter(([type]) => !types.includes(type)).map(([, value]) => [value, code, inside])
}

/** Values of these types. */
function all(types: readonly Type[], code: Code = TYPE, inside = ''): Bad[] {
  return ANYTHING.filter(([type]) => types.includes(type)).map(([, value]) => [value, code, inside])
}

export function these(values: readonly unknown[], code: Code, inside = ''): Bad[] {
  return values.map((value) => [value, code, inside])
}

/** Numbers that are no integers between these. */
function outside(least: number, most: number): Bad[] {
  const fractions = [least + 0.5, most - 0.5, 1e-9, 3.5].filter((value) => !Number.isInteger(value))
  const none = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, -1e300, 2 ** 53]
  return these([least - 1, most + 1, ...fractions, ...none], RANGE)
}

/** Values that are no integers between these. */
export function noInteger(least: number, most: number): Bad[] {
  return [...allBut(['number']), ...outside(least, most)]
}

/** The numbers among bad values. */
export function numbers(kind: readonly Bad[]): Bad[] {
  return kind.filter(([value]) => typeof value === 'number')
}

/** Objects with one of these bad values in a property. */
export function within(key: string, kind: readonly Bad[], rest: object = {}): Bad[] {
  return absent(kind).map(([value, code, inside = '']) => [
    { ...rest, [key]: value },
    code,
    `.${key}${inside}`,
  ])
}

/** The bad values of an argument that may be left out. */
export function absent(kind: readonly Bad[]): Bad[] {
  return kind.filter(([value]) => value !== undefined)
}

/** A buffer and two holes. */
const HOLES = Object.assign([Buffer.alloc(1)], { length: 3 })

const fdObjects: Bad[] = [
  ...these([{ fd: -1 }, { fd: 1.5 }, { fd: Number.NaN }, { fd: 2 ** 31 }], RANGE, '.fd'),
  ...these([{ fd: '3' }, { fd: null }, { fd: undefined }, { fd: 3n }, { fd: { fd: 3 } }, { index: 3 }], TYPE),
]
const file: Bad[] = [...noInteger(0, MAX_I32), ...fdObjects]
const directory: Bad[] = [...absent(file), [new FixedFile(3), TYPE], [-99, RANGE], [-101, RANGE]]
const bytes: Bad[] = [
  ...allBut(['bytes']),
  ...these(['text', { byteLength: 8 }, { buffer: new ArrayBuffer(8), byteOffset: 0, byteLength: 8 }], TYPE),
]
const offset: Bad[] = [
  ...allBut(['number', 'bigint']),
  ...outside(0, Number.MAX_SAFE_INTEGER),
  ...these([-1n, 2n ** 63n, 2n ** 64n, 2n ** 200n, -(2n ** 200n)], RANGE),
]
export const u16 = noInteger(0, MAX_U16)
export const u32 = noInteger(0, MAX_U32)
const u64: Bad[] = [
  ...allBut(['number', 'bigint']),
  ...outside(0, Number.MAX_SAFE_INTEGER),
  ...these([-1n, 2n ** 64n, 2n ** 200n], RANGE),
]
/** An object with a buffer group. */
const groupBuffer: Bad[] = [
  ...within('group', [...u16, ...within('group', u16).map(([value, code]): Bad => [value, code])]),
  ...within('length', u32, { group: 1 }),
  ...these([{ group: undefined }], TYPE, '.group'),
]
const vector: Bad[] = [
  ...allBut(['array']),
  ...these([{ length: 1, 0: Buffer.alloc(1) }, new Set([Buffer.alloc(1)])], TYPE),
  ...these([[8], [null], Array.from({ length: 1 }), [{ group: 1 }]], TYPE, '[0]'),
  ...these([[Buffer.alloc(1), 'x'], HOLES], TYPE, '[1]'),
  ...these([Array.from({ length: 1025 }, () => Buffer.alloc(1))], RANGE, '.length'),
]
const token = noInteger(0, Number.MAX_SAFE_INTEGER)
const nulPaths = these(['a\0b', '\0', Buffer.from('a\0b'), new URL('file:///a%00b')], VALUE)
const path: Bad[] = [
  ...allBut(['string', 'bytes']),
  ...these([new ArrayBuffer(8), new DataView(new ArrayBuffer(8)), new Uint16Array(8)], TYPE),
  ...these([{ href: 'file:///x' }, ['x'], new FixedFile(3)], TYPE),
  ...nulPaths,
]
export const milliseconds: Bad[] = [
  ...allBut(['number']),
  ...these([-1, -0.5, Number.NaN, Number.NEGATIVE_INFINITY], RANGE),
]

const textKinds = allBut(['string'])

const address: Bad[] = [
  ...allBut(['bytes']),
  ...these([new ArrayBuffer(8), new DataView(new ArrayBuffer(8)), new Uint16Array(8), [127, 0, 0, 1]], TYPE),
  ...these(['127.0.0.1', '/run/x', { port: 80 }, { host: 'x', port: 80 }, new URL('http://[::1]/')], TYPE),
  // Bytes without a family, and more than there is room for.
  ...these([new Uint8Array(0), new Uint8Array(1), new Uint8Array(129)], RANGE, '.byteLength'),
  ...within('address', textKinds, { port: 80 }),
  ...these([{ address: undefined, port: 80 }], TYPE, '.address'),
  ...[
    ['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.4 ', ' 1.2.3.4', '0x7f.1', '127.0.0.1:80'],
    [
      'localhost',
      '*',
      '[::1]',
      '::1]',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '12345::',
      'g::',
    ],
    ['::1%lo', 'fe80::1%1', '::1.2.3', '1.2.3.4::', '::ffff:1.2.3.256', '::1/128', '::1\0', '127.0.0.1\0'],
  ].flatMap((addresses) =>
    these(
      addresses.map((address) => ({ address, port: 80 })),
      VALUE,
      '.address',
    ),
  ),
  ...within('port', u16, { address: '127.0.0.1' }),
  ...these(
    [{ address: '::1' }, { address: '::1', port: undefined }, { address: '::1', port: '80' }],
    TYPE,
    '.port',
  ),
  ...within('scopeId', u32, { address: '::1', port: 80 }),
  ...within('flowInfo', u32, { address: '::1', port: 80 }),
  ...within('path', textKinds),
  ...these([{ path: undefined }, { path: Buffer.from('/run/x') }], TYPE, '.path'),
  // A byte too long: with its NUL, and for a name that has none.
  ...these(
    [{ path: 'x'.repeat(108) }, { path: `\0${'x'.repeat(108)}` }, { path: 'ü'.repeat(54) }],
    VALUE,
    '.path',
  ),
  ...these([{ path: 'a\0b' }, { path: '/run/x\0' }], VALUE, '.path'),
]
const group: Bad[] = [
  ...u16,
  ...within('group', u16).map(([value, code]): Bad => [value, code]),
  ...these([{ group: undefined }], TYPE),
]

export const KINDS = {
  address,
  group,
  u16,
  u32,
  i31: noInteger(0, MAX_I32),
  file,
  directory,
  bytes,
  offset,
  token,
  path,
  length: u32,
  mask: noInteger(MIN_I32, MAX_U32),
  unsignedMask: u32,
  mode: [...u16, ...these(['0o666', '666'], TYPE)],
  result: noInteger(MIN_I32, MAX_I32),
  boolean: [...allBut(['boolean']), ...these([0, 1, 'true', 'false'], TYPE)],
  options: allBut(['undefined', 'object', 'bytes']),
  byte: noInteger(0, 255),
  groupBuffer,
  bytesOrGroup: [...bytes, ...groupBuffer],
  vector,
  vectorOrGroup: [...vector, ...groupBuffer],
  integrity: [
    ...absent(allBut(['object', 'array', 'bytes'])),
    ...within('bytes', bytes),
    ...these([{}, [], { bytes: undefined }], TYPE, '.bytes'),
    ...within('flags', u16, { bytes: Buffer.alloc(8) }),
    ...within('appTag', u16, { bytes: Buffer.alloc(8) }),
    ...within('seed', u64, { bytes: Buffer.alloc(8) }),
  ],
  openFlags: [
    ...allBut(['number', 'string']),
    ...outside(0, MAX_I32),
    ...these(['', '8', 'R', 'rz', 'r ', 'rw', 'r++', 'toString', '__proto__', 'constructor'], VALUE),
  ],
  direct: [...noInteger(0, MAX_I32 - 1), ...these(['any', 'AUTO', { fd: 3 }, { index: 3 }, ['auto']], TYPE)],
  pathOrFile: [
    ...path.filter(([value]) => typeof value !== 'number'),
    ...outside(0, MAX_I32),
    ...fdObjects,
    ...these([-99, -101], RANGE),
  ],
  time: [
    ...allBut(['number', 'object', 'array', 'bytes']),
    ...all(['object', 'array', 'bytes'], TYPE, '.seconds'),
    ...these([-1, -1e-9, 2 ** 53, 1e300, Number.NaN, Number.POSITIVE_INFINITY], RANGE),
    ...within('seconds', offset, { nanoseconds: 0 }),
    ...within('nanoseconds', noInteger(0, 999_999_999), { seconds: 0 }),
    ...these([{ seconds: 1 }, { seconds: 1, nanoseconds: undefined }], TYPE, '.nanoseconds'),
  ],
  clock: [
    ...allBut([], VALUE),
    ...these(['MONOTONIC', 'monotonic ', 'toString', '__proto__', ['monotonic'], Object('monotonic')], VALUE),
  ],
  target: [
    ...allBut(['number', 'object', 'array', 'bytes']),
    ...these(['ANY', 'all'], TYPE),
    ...outside(0, Number.MAX_SAFE_INTEGER),
    ...all(['object', 'array', 'bytes'], VALUE),
    ...these([{ token: undefined }, { all: true }, { userData: 1 }, { fd: 3 }], VALUE),
    ...within('token', token),
    ...within('token', token, { file: 3, opcode: 22 }),
    ...within('file', file),
    ...within('file', file, { token: 8 }),
    ...within('opcode', noInteger(0, 255)),
    ...within('opcode', noInteger(0, 255), { token: 8, file: 3 }),
  ],
  fixedBuffer: [
    ...u16,
    ...within('index', u16).map(([value, code]): Bad => [value, code]),
    ...these([{ index: undefined }], TYPE),
  ],
  extra: [
    ...allBut([]),
    ...these([[1], [1, 2, 3], [1n], { length: 2, 0: 1, 1: 2 }, new BigUint64Array(2)], TYPE),
    ...u64.map(([value, code]): Bad => [[value, 0], code, '[0]']),
    ...u64.map(([value, code]): Bad => [[0n, value], code, '[1]']),
  ],
} satisfies Record<string, Bad[]>

// ---- how they are refused

export function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return String(value) || "''"
  try {
    return JSON.stringify(value, (_, inner: unknown) =>
      typeof inner === 'bigint' || typeof inner === 'symbol' || typeof inner === 'number'
        ? String(inner)
        : inner,
    ).slice(0, 80)
  } catch {
    return 'an object'
  }
}

/** Node.js's messages with these codes. */
const WORDS: Record<Code, (name: string) => RegExp> = {
  ERR_INVALID_ARG_TYPE: (name) =>
    new RegExp(`^The "${name}" (argument|property) must be .+\\. Received .+$`, 's'),
  ERR_OUT_OF_RANGE: (name) =>
    new RegExp(`^The value of "${name}" is out of range\\. It must be .+\\. Received .+$`, 's'),
  ERR_INVALID_ARG_VALUE: (name) => new RegExp(`^The (argument|property) '${name}' .+\\. Received .+$`, 's'),
}

/** Asserts that a call throws the error of a bad value: its code, the name of the argument, and Node.js's message. */
export function refuses(
  t: ExecutionContext,
  label: string,
  call: () => unknown,
  [value, code, inside = '']: Bad,
  name: string,
): void {
  const what = `${label}: ${shown(value)}`
  const error = t.throws(call, { instanceOf: classOf(code), code }, what)
  says(t, what, error, code, name, inside)
}

/** Asserts that a call rejects with the error of a bad value. */
export async function refusesLater(
  t: ExecutionContext,
  label: string,
  call: () => PromiseLike<unknown>,
  [value, code, inside = '']: Bad,
  name: string,
): Promise<void> {
  const what = `${label}: ${shown(value)}`
  const error = await t.throwsAsync(call, { instanceOf: classOf(code), code }, what)
  says(t, what, error, code, name, inside)
}

function classOf(code: Code): ErrorConstructor {
  return code === RANGE ? RangeError : TypeError
}

function says(
  t: ExecutionContext,
  what: string,
  error: Error,
  code: Code,
  name: string,
  inside: string,
): void {
  const escaped = `${name}${inside}`.replaceAll(/[.[\]]/g, String.raw`\$&`)
  t.regex(error.message, WORDS[code](escaped), what)
  t.regex(
    error.message,
    name.includes('.') || inside.includes('.') ? /property|value/ : /argument|value/,
    what,
  )
  t.true(error.stack?.startsWith(`${classOf(code).name} [${code}]: `), what)
}

/** A ring, to assert that a refused operation leaves nothing behind. */
export class Watched {
  readonly ring = new Ring({ entries: 8 })
  readonly #free = this.#freeSlots()

  /** Asserts that nothing is enqueued, and that the next push works. */
  intact(t: ExecutionContext, label: string): void {
    const { ring } = this
    t.is(ring.sqReady, 0, label)
    const token = ring.push(new Nop(), label)
    t.is(ring.submitAndWait(), 1, label)
    const completion = ring.tryWait()
    t.is(completion?.userData, label)
    t.is(completion?.token, token, label)
    t.is(completion?.result, 0, label)
    t.is(ring.tryWait(), undefined, label)
    t.is(ring.inFlight, 0, label)
  }

  /** Asserts that every submission was returned to the table. */
  whole(t: ExecutionContext, label: string): void {
    t.is(this.#freeSlots(), this.#free, label)
  }

  /** Counts the free submissions, which are used in turn: pushes until the first one comes again. */
  #freeSlots(): number {
    const seen = new Set<number>()
    for (;;) {
      const index = this.ring.push(new Nop()) % 2 ** 22
      this.ring.waitMany(1)
      if (seen.has(index)) return seen.size
      seen.add(index)
    }
  }

  [Symbol.dispose](): void {
    this.ring[Symbol.dispose]()
  }
}
