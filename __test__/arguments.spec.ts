// Arguments that cannot be: refused at the door, in Node.js's words, and without a trace.
//
// KINDS says, once for each kind of argument, what is wrong with it. OPERATIONS, RING and METHODS say which argument is
// of which kind, and the tests try every bad value in every place: in the constructor, and in the field afterwards.

import { closeSync, fsync, openSync, readSync, rmSync } from 'node:fs'
import { Agent } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import * as uring from 'uring'
import {
  AsyncCancel,
  Close,
  Entry,
  FixedFile,
  Fsync,
  Nop,
  OpenAt,
  Operation,
  Read,
  Readv,
  Ring,
  type RingOptions,
  Statx,
  Timeout,
  TimeoutRemove,
  type WaitOptions,
  Write,
  Writev,
} from 'uring'

const TYPE = 'ERR_INVALID_ARG_TYPE'
const RANGE = 'ERR_OUT_OF_RANGE'
const VALUE = 'ERR_INVALID_ARG_VALUE'
type Code = typeof TYPE | typeof RANGE | typeof VALUE

/** A bad value, what it is refused with, and where in the argument the mistake is. */
type Bad = readonly [value: unknown, code: Code, inside?: string]

const MAX_U16 = 0xffff
const MAX_U32 = 0xffff_ffff
const MAX_I32 = 0x7fff_ffff
const MIN_I32 = -0x8000_0000

// ---- what can be wrong

/** One of everything that there is, and what passes for a number or a string where nobody looks closely. */
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

/** Everything but these types. */
function allBut(types: readonly Type[], code: Code = TYPE, inside = ''): Bad[] {
  return ANYTHING.filter(([type]) => !types.includes(type)).map(([, value]) => [value, code, inside])
}

/** Everything of these types. */
function all(types: readonly Type[], code: Code = TYPE, inside = ''): Bad[] {
  return ANYTHING.filter(([type]) => types.includes(type)).map(([, value]) => [value, code, inside])
}

function these(values: readonly unknown[], code: Code, inside = ''): Bad[] {
  return values.map((value) => [value, code, inside])
}

/** What is no integer between these. */
function outside(least: number, most: number): Bad[] {
  const fractions = [least + 0.5, most - 0.5, 1e-9, 3.5].filter((value) => !Number.isInteger(value))
  const none = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, -1e300, 2 ** 53]
  return these([least - 1, most + 1, ...fractions, ...none], RANGE)
}

/** No integer between these, and no number at all. */
function noInteger(least: number, most: number): Bad[] {
  return [...allBut(['number']), ...outside(least, most)]
}

/** The same mistakes in a property. */
function within(key: string, kind: readonly Bad[], rest: object = {}): Bad[] {
  return absent(kind).map(([value, code, inside = '']) => [
    { ...rest, [key]: value },
    code,
    `.${key}${inside}`,
  ])
}

/** A kind that may be left out. */
function absent(kind: readonly Bad[]): Bad[] {
  return kind.filter(([value]) => value !== undefined)
}

/** A buffer, and two places where nothing is. */
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
const u16 = noInteger(0, MAX_U16)
const u32 = noInteger(0, MAX_U32)
const u64: Bad[] = [
  ...allBut(['number', 'bigint']),
  ...outside(0, Number.MAX_SAFE_INTEGER),
  ...these([-1n, 2n ** 64n, 2n ** 200n], RANGE),
]
const token = noInteger(0, Number.MAX_SAFE_INTEGER)
const nulPaths = these(['a\0b', '\0', Buffer.from('a\0b'), new URL('file:///a%00b')], VALUE)
const path: Bad[] = [
  ...allBut(['string', 'bytes']),
  ...these([new ArrayBuffer(8), new DataView(new ArrayBuffer(8)), new Uint16Array(8)], TYPE),
  ...these([{ href: 'file:///x' }, ['x'], new FixedFile(3)], TYPE),
  ...nulPaths,
]
const milliseconds: Bad[] = [
  ...allBut(['number']),
  ...these([-1, -0.5, Number.NaN, Number.NEGATIVE_INFINITY], RANGE),
]

const KINDS = {
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
  bytesOrGroup: [
    ...bytes,
    ...within('group', [...u16, ...within('group', u16).map(([value, code]): Bad => [value, code])]),
    ...within('length', u32, { group: 1 }),
    ...these([{ group: undefined }], TYPE, '.group'),
  ],
  vector: [
    ...allBut(['array']),
    ...these([{ length: 1, 0: Buffer.alloc(1) }, new Set([Buffer.alloc(1)])], TYPE),
    ...these([[8], [null], Array.from({ length: 1 }), [{ group: 1 }]], TYPE, '[0]'),
    ...these([[Buffer.alloc(1), 'x'], HOLES], TYPE, '[1]'),
    ...these([Array.from({ length: 1025 }, () => Buffer.alloc(1))], RANGE, '.length'),
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

// ---- where it can be wrong

type AnyOperation = Operation<unknown>
type Constructor = new (...args: never[]) => AnyOperation

interface Subject {
  readonly Class: Constructor
  /** Arguments by position: what is bad for them, and a good one. */
  readonly positional: Record<string, readonly [bad: readonly Bad[], good: () => unknown]>
  /** Options, or `undefined` where there are none. */
  readonly options: Record<string, readonly Bad[]> | undefined
}

const transfer = { offset: KINDS.offset, flags: KINDS.mask }
const aFile = [KINDS.file, () => 0] as const
const aVector = [KINDS.vector, () => [Buffer.alloc(8)]] as const

/** Every argument of every operation. */
const OPERATIONS: Record<string, Subject> = {
  Nop: {
    Class: Nop,
    positional: {},
    options: {
      result: KINDS.result,
      file: KINDS.file,
      fixedBuffer: KINDS.fixedBuffer,
      taskWork: KINDS.boolean,
      extra: KINDS.extra,
    },
  },
  Read: {
    Class: Read,
    positional: { file: aFile, bytes: [KINDS.bytesOrGroup, () => Buffer.alloc(8)] },
    options: transfer,
  },
  Write: {
    Class: Write,
    positional: { file: aFile, bytes: [[...KINDS.bytes, [{ group: 1 }, TYPE]], () => Buffer.alloc(8)] },
    options: transfer,
  },
  Readv: { Class: Readv, positional: { file: aFile, buffers: aVector }, options: transfer },
  Writev: { Class: Writev, positional: { file: aFile, buffers: aVector }, options: transfer },
  Fsync: {
    Class: Fsync,
    positional: { file: aFile },
    options: { datasync: KINDS.boolean, offset: KINDS.offset, length: KINDS.length },
  },
  Close: { Class: Close, positional: { file: aFile }, options: undefined },
  OpenAt: {
    Class: OpenAt,
    positional: { path: [KINDS.path, () => '/dev/null'] },
    options: {
      flags: KINDS.openFlags,
      mode: KINDS.mode,
      dirfd: KINDS.directory,
      direct: KINDS.direct,
      cloexec: KINDS.boolean,
    },
  },
  Statx: {
    Class: Statx,
    positional: { target: [KINDS.pathOrFile, () => '/dev/null'] },
    options: {
      dirfd: KINDS.directory,
      flags: KINDS.mask,
      mask: KINDS.unsignedMask,
      bigint: KINDS.boolean,
    },
  },
  Timeout: {
    Class: Timeout,
    positional: { time: [KINDS.time, () => 1] },
    options: {
      count: KINDS.length,
      absolute: KINDS.boolean,
      clock: KINDS.clock,
      multi: KINDS.boolean,
      etimeSuccess: KINDS.boolean,
    },
  },
  TimeoutRemove: {
    Class: TimeoutRemove,
    positional: { token: [KINDS.token, () => 1] },
    options: undefined,
  },
  AsyncCancel: {
    Class: AsyncCancel,
    positional: { target: [KINDS.target, () => 1] },
    options: { all: KINDS.boolean },
  },
}

function make({ Class }: Subject, args: readonly unknown[]): AnyOperation {
  return new (Class as unknown as new (...args: readonly unknown[]) => AnyOperation)(...args)
}

/** Good arguments for every position. */
function goodArguments({ positional }: Subject): unknown[] {
  return Object.values(positional).map(([, good]) => good())
}

function good(subject: Subject): AnyOperation {
  return make(subject, goodArguments(subject))
}

/** Every option of a ring. */
const RING: Record<keyof RingOptions, readonly Bad[]> = {
  entries: [...noInteger(1, 32_768), ...these([0, -1, 3.5, 2 ** 20], RANGE)],
  cqEntries: noInteger(256, 65_536),
  sqPoll: [
    ...allBut(['boolean', 'object', 'bytes']),
    ...within('idle', u32),
    ...within('cpu', u32),
    ...within('cpu', u32, { idle: 1 }),
  ],
  ioPoll: [...allBut(['boolean'], VALUE), ...these(['Hybrid', 'true', ['hybrid']], VALUE)],
  attach: [...allBut([]), ...these([{ fd: 3 }, Ring], TYPE)],
  clamp: KINDS.boolean,
  disabled: KINDS.boolean,
  sqe128: KINDS.boolean,
  cqe32: KINDS.boolean,
  cqeMixed: KINDS.boolean,
  noSqArray: KINDS.boolean,
  singleIssuer: KINDS.boolean,
  deferTaskrun: KINDS.boolean,
  coopTaskrun: KINDS.boolean,
  taskrunFlag: KINDS.boolean,
  submitAll: KINDS.boolean,
}

const notOperations: Bad[] = [
  ...allBut([]),
  ...these([new TextEncoder(), Nop, Operation, [new Nop()], { opcode: 0 }, { encode: () => {} }], TYPE),
]

/** Every argument of the ring's methods. */
const METHODS: Record<
  string,
  readonly [(ring: Ring, value: never) => unknown, Record<string, readonly Bad[]>]
> = {
  'push(operation)': [(ring, value) => ring.push(value), { operation: notOperations }],
  'pushAll(items)': [
    (ring, value) => ring.pushAll(value),
    {
      items: [
        ...allBut(['array']),
        ...these([new Set([new Nop()]), { length: 1, 0: new Nop() }, new Nop()], TYPE),
        ...notOperations.map(([value, code]): Bad => [[value], code, '[0]']),
        ...notOperations.map(([value, code]): Bad => [[new Nop(), value, new Nop()], code, '[1]']),
        ...these([Array.from({ length: 1 })], TYPE, '[0]'),
      ],
    },
  ],
  'pushAll(…, userData)': [
    (ring, value) => ring.pushAll([new Nop()], value),
    { userData: [...absent(allBut(['array'])), ...these([new Set([1]), { length: 1, 0: 1 }], TYPE)] },
  ],
  'submitAndWait(count)': [(ring, value) => ring.submitAndWait(value), { count: absent(u32) }],
  'submitAndWait(…, options)': [(ring, value) => ring.submitAndWait(1, value), waiting({})],
  'wait(options)': [(ring, value) => ring.wait(value), waiting({})],
  'waitMany(count)': [(ring, value) => ring.waitMany(value), { count: u32 }],
  'waitMany(…, options)': [(ring, value) => ring.waitMany(1, value), waiting({ max: absent(u32) })],
  'drain(onCompletion)': [(ring, value) => ring.drain(value), { onCompletion: allBut(['function']) }],
  'enter(toSubmit)': [(ring, value) => ring.enter(value, 0, 0), { toSubmit: u32 }],
  'enter(…, minComplete)': [(ring, value) => ring.enter(0, value, 0), { minComplete: u32 }],
  'enter(…, flags)': [(ring, value) => ring.enter(0, 0, value), { flags: KINDS.mask }],
  'supports(operation)': [
    (ring, value) => ring.supports(value),
    { operation: [...allBut([]), ...these([{ opcode: '0' }, { opcode: undefined }, Ring], TYPE)] },
  ],
}

/** Methods that take nothing. */
const WITHOUT_ARGUMENTS = ['submit', 'tryWait', 'peek', 'flush', 'close']

/** Options of a wait: themselves, and every one of them. */
function waiting(more: Record<string, readonly Bad[]>): Record<string, readonly Bad[]> {
  const options: Record<keyof WaitOptions, readonly Bad[]> = { timeout: milliseconds, minWait: milliseconds }
  const each = Object.entries({ ...options, ...more })
  return { options: [...KINDS.options, ...each.flatMap(([key, kind]) => within(key, kind))] }
}

// ---- the tests

function shown(value: unknown): string {
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

/** What Node.js says with these codes. */
const WORDS: Record<Code, (name: string) => RegExp> = {
  ERR_INVALID_ARG_TYPE: (name) =>
    new RegExp(`^The "${name}" (argument|property) must be .+\\. Received .+$`, 's'),
  ERR_OUT_OF_RANGE: (name) =>
    new RegExp(`^The value of "${name}" is out of range\\. It must be .+\\. Received .+$`, 's'),
  ERR_INVALID_ARG_VALUE: (name) => new RegExp(`^The (argument|property) '${name}' .+\\. Received .+$`, 's'),
}

/** What is called throws this code, names the argument, and says it in Node.js's words. */
function refuses(
  t: ExecutionContext,
  label: string,
  call: () => unknown,
  [value, code, inside = '']: Bad,
  name: string,
): void {
  const what = `${label}: ${shown(value)}`
  const instanceOf = code === RANGE ? RangeError : TypeError
  const error = t.throws(call, { instanceOf, code }, what)
  const escaped = `${name}${inside}`.replaceAll(/[.[\]]/g, String.raw`\$&`)
  t.regex(error.message, WORDS[code](escaped), what)
  t.regex(
    error.message,
    name.includes('.') || inside.includes('.') ? /property|value/ : /argument|value/,
    what,
  )
  t.true(error.stack?.startsWith(`${instanceOf.name} [${code}]: `), what)
}

/** A ring that can tell whether what was refused has left anything behind. */
class Watched {
  readonly ring = new Ring({ entries: 8 })
  readonly #free = this.#freeSlots()

  /** Nothing is staged, and the next push is as good as ever. */
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

  /** No slot was taken and not given back. */
  whole(t: ExecutionContext, label: string): void {
    t.is(this.#freeSlots(), this.#free, label)
  }

  /** Slots are used in turn: how many come before the first one comes again. */
  #freeSlots(): number {
    const seen = new Set<number>()
    for (;;) {
      const slot = this.ring.push(new Nop()) % 2 ** 22
      this.ring.waitMany(1)
      if (seen.has(slot)) return seen.size
      seen.add(slot)
    }
  }

  [Symbol.dispose](): void {
    this.ring[Symbol.dispose]()
  }
}

/** Fields of every operation that are the library's own, behind `link()` and its kin. */
const INTERNAL = new Set(['sqeFlags', 'personalityId'])

test('every public field of every operation has bad values here', (t) => {
  const classes = Object.entries(uring)
    .filter(([, value]) => typeof value === 'function' && value.prototype instanceof Operation)
    .map(([name]) => name)
  t.deepEqual(Object.keys(OPERATIONS).toSorted(), classes.toSorted())
  for (const [name, subject] of Object.entries(OPERATIONS)) {
    const fields = Object.keys(good(subject)).filter((field) => !INTERNAL.has(field))
    const rows = [...Object.entries(subject.positional), ...Object.entries(subject.options ?? {})]
    t.deepEqual(rows.map(([field]) => field).toSorted(), fields.toSorted(), name)
    for (const [field, row] of rows) t.true(row.length > 0, `${name}.${field}`)
  }
})

for (const [name, subject] of Object.entries(OPERATIONS)) {
  const { positional, options } = subject

  test(`${name} refuses bad arguments when it is made`, (t) => {
    t.notThrows(() => good(subject))
    for (const [index, [field, [kind]]] of Object.entries(positional).entries()) {
      for (const bad of kind) {
        const args = goodArguments(subject).with(index, bad[0])
        refuses(t, `new ${name}, ${field}`, () => make(subject, args), bad, field)
      }
    }
    if (options === undefined) return
    for (const bad of KINDS.options) {
      refuses(
        t,
        `new ${name}, options`,
        () => make(subject, [...goodArguments(subject), bad[0]]),
        bad,
        'options',
      )
    }
    for (const [field, kind] of Object.entries(options)) {
      const args = (value: unknown): unknown[] => [...goodArguments(subject), { [field]: value }]
      t.notThrows(() => make(subject, args(undefined)), field) // as if it were not there
      for (const bad of absent(kind)) {
        refuses(t, `new ${name}, ${field}`, () => make(subject, args(bad[0])), bad, `options.${field}`)
      }
    }
  })

  test(`${name} refuses bad fields when it is built or pushed`, (t) => {
    using watched = new Watched()
    const { ring } = watched
    const rows: [string, string, readonly Bad[]][] = [
      ...Object.entries(positional).map(([field, [kind]]): [string, string, readonly Bad[]] => [
        field,
        field,
        kind,
      ]),
      ...Object.entries(options ?? {}).map(([field, kind]): [string, string, readonly Bad[]] => [
        field,
        `options.${field}`,
        kind,
      ]),
    ]
    for (const [field, argument, kind] of rows) {
      const operation = good(subject)
      const fields = operation as unknown as Record<string, unknown>
      const before = fields[field]
      // What has no value by default can be taken away; what has one cannot.
      for (const bad of before === undefined ? absent(kind) : kind) {
        fields[field] = bad[0]
        const label = `${name}.${field}`
        refuses(t, `${label}, build`, () => operation.build(), bad, argument)
        refuses(t, `${label}, push`, () => ring.push(operation), bad, argument)
        watched.intact(t, `${label}, push: ${shown(bad[0])}`)
        refuses(
          t,
          `${label}, pushAll`,
          () => ring.pushAll([new Nop().link(), operation, new Nop()]),
          bad,
          argument,
        )
        watched.intact(t, `${label}, pushAll: ${shown(bad[0])}`)
      }
      watched.whole(t, field)
      // It was the value, and nothing else.
      fields[field] = before
      t.notThrows(() => operation.build(), field)
    }
  })
}

test('operations refuse bad personalities', (t) => {
  for (const [name, subject] of Object.entries(OPERATIONS)) {
    const operation = good(subject).personality(7)
    for (const bad of u16) {
      refuses(t, `${name}.personality`, () => operation.personality(bad[0] as number), bad, 'id')
      t.is(Buffer.from(operation.build().bytes).readUInt16LE(42), 7)
    }
  }
})

test('a registered file refuses bad indexes', (t) => {
  for (const bad of noInteger(0, MAX_I32 - 1)) {
    refuses(t, 'new FixedFile', () => new FixedFile(bad[0] as number), bad, 'index')
  }
})

test('an entry refuses bad bytes and options', (t) => {
  const from = (bytes: unknown, options?: unknown): Entry =>
    Entry.from(bytes as Uint8Array, options as { keep: [] })
  const bad: Bad[] = [
    ...allBut(['bytes']),
    ...these([new ArrayBuffer(64), new DataView(new ArrayBuffer(64)), new Uint32Array(16)], TYPE),
    ...these(
      [0, 1, 63, 65, 127, 129, 256].map((length) => new Uint8Array(length)),
      VALUE,
    ),
  ]
  for (const row of bad) refuses(t, 'Entry.from, bytes', () => from(row[0]), row, 'bytes')
  for (const row of [...KINDS.options, ...within('keep', allBut(['undefined', 'array']))]) {
    refuses(t, 'Entry.from, options', () => from(new Uint8Array(64), row[0]), row, 'options')
  }
})

test('a ring of 64-byte entries refuses one of 128', (t) => {
  using watched = new Watched()
  const entry = Entry.from(new Uint8Array(128))
  refuses(t, 'push', () => watched.ring.push(entry), [entry, VALUE], 'entry')
  watched.intact(t, 'push')
  refuses(t, 'pushAll', () => watched.ring.pushAll([new Nop(), entry]), [entry, VALUE], 'entry')
  watched.intact(t, 'pushAll')
  watched.whole(t, 'slots')
})

test('a ring refuses bad options', (t) => {
  const ring = (options: unknown): Ring => new Ring(options as RingOptions)
  for (const bad of KINDS.options) refuses(t, 'new Ring', () => ring(bad[0]), bad, 'options')
  for (const [option, kind] of Object.entries(RING)) {
    for (const bad of absent(kind)) {
      refuses(t, `new Ring, ${option}`, () => ring({ [option]: bad[0] }), bad, `options.${option}`)
    }
    t.notThrows(() => ring({ entries: 4, [option]: undefined })[Symbol.dispose](), option)
  }
  // What is enough depends on the others.
  const some: [RingOptions, string][] = [
    [{ entries: 300, cqEntries: 511 }, 'cqEntries'],
    [{ entries: 4, cqEntries: 3 }, 'cqEntries'],
    [{ entries: 0, clamp: true }, 'entries'],
    [{ entries: 2 ** 32, clamp: true }, 'entries'],
    [{ cqEntries: 2 ** 32, clamp: true }, 'cqEntries'],
  ]
  for (const [options, option] of some) {
    refuses(t, 'new Ring', () => ring(options), [options, RANGE], `options.${option}`)
  }
})

test('every method of a ring that takes something has bad values here', (t) => {
  const methods = Object.entries(Object.getOwnPropertyDescriptors(Ring.prototype))
    .filter(([name, { value }]) => typeof value === 'function' && name !== 'constructor')
    .map(([name]) => name)
  const here = Object.keys(METHODS).map((method) => method.replace(/\(.*/, ''))
  t.deepEqual([...new Set([...here, ...WITHOUT_ARGUMENTS])].toSorted(), methods.toSorted())
})

for (const [method, [call, rows]] of Object.entries(METHODS)) {
  test(`a ring refuses bad arguments: ${method}`, (t) => {
    using watched = new Watched()
    const { ring } = watched
    for (const [argument, kind] of Object.entries(rows)) {
      for (const bad of kind) {
        const label = `${method}: ${shown(bad[0])}`
        refuses(t, method, () => call(ring, bad[0] as never), bad, argument)
        watched.intact(t, label)
        // What was pushed before is not submitted by a call that is refused.
        ring.push(new Nop(), 'before')
        refuses(t, method, () => call(ring, bad[0] as never), bad, argument)
        t.is(ring.sqReady, 1, label)
        t.is(ring.inFlight, 0, label)
        t.is(ring.wait()?.userData, 'before', label)
        watched.intact(t, label)
      }
    }
    watched.whole(t, method)
  })
}

// ---- letter by letter

function messageOf(t: ExecutionContext, call: () => unknown): string {
  const error = t.throws<NodeJS.ErrnoException>(call, { any: true } as never)
  return `${error?.code}: ${error?.message}`
}

/** What Node.js says of one name, as it would say it of another. */
function renamed(message: string, from: string, to: string): string {
  const word = to.includes('.') ? 'property' : 'argument'
  return message
    .replace(/"[\w.]+" (argument|property)/, `"${to}" ${word}`)
    .replace(/(argument|property) '[\w.]+'/, `${word} '${to}'`)
    .replace(`"${from}"`, `"${to}"`)
}

class Named {
  readonly name = 'an instance, not the class'
}

// prettier-ignore
const RECEIVED = [
  null, 1, -0, 1.5, Number.NaN, 2 ** 60, 8n, 2n ** 200n, Symbol('s'), Symbol('s'.repeat(40)),
  '', 'x', "it's", '"', 'a\nb', 'x'.repeat(28), 'x'.repeat(29), `'${'x'.repeat(40)}`,
  {}, [], [1], new Date(0), /x/, new Map(), Buffer.alloc(1), Object.create(null), new Named(), Named,
  () => {}, function named() {},
]

test('mistakes are described as node:fs describes them', (t) => {
  using ring = new Ring({ entries: 4 })
  const nowhere = '/nonexistent/directory/file'
  const buffer = Buffer.alloc(4)
  const as = <T>(value: unknown): T => value as T
  const pairs: [ours: () => unknown, name: string, nodes: () => unknown, name: string][] = [
    [() => new Close(-1), 'file', () => closeSync(-1), 'fd'],
    [() => new Close(1.5), 'file', () => closeSync(1.5), 'fd'],
    [() => new Fsync(Number.NaN), 'file', () => closeSync(Number.NaN), 'fd'],
    [
      () => new Read(0, buffer, { offset: 1.5 }),
      'options.offset',
      () => readSync(0, buffer, { offset: 1.5 }),
      'offset',
    ],
    [
      () => new Read(0, buffer, { flags: as('x') }),
      'options.flags',
      () => readSync(0, buffer, { offset: as('x') }),
      'offset',
    ],
    [() => new OpenAt(nowhere, { flags: 'rz' }), 'options.flags', () => openSync(nowhere, 'rz'), 'flags'],
    [() => new OpenAt(nowhere, { flags: 1.5 }), 'options.flags', () => openSync(nowhere, 1.5), 'flags'],
    [() => new OpenAt(nowhere, { mode: 1.5 }), 'options.mode', () => openSync(nowhere, 'r', 1.5), 'mode'],
    [
      () => new OpenAt(nowhere, { dirfd: -1 }),
      'options.dirfd',
      () => rmSync(nowhere, { retryDelay: -1 }),
      'options.retryDelay',
    ],
    [() => ring.drain(as(5)), 'onCompletion', () => fsync(1, as(5)), 'cb'],
    ...[5, null, [], {}, 'a\0b', Buffer.from('a\0b'), new URL('file:///a%00b'), new URL('http://x/')].map(
      (path): (typeof pairs)[number] => [
        () => new OpenAt(as(path)),
        'path',
        () => openSync(as(path), 'r'),
        'path',
      ],
    ),
    [
      () => new OpenAt(new URL('file:///a%2Fb')),
      'path',
      () => openSync(new URL('file:///a%2Fb'), 'r'),
      'path',
    ],
    ...[5, null, [], 'x', true, 8n, Symbol('s'), () => {}].map((options): (typeof pairs)[number] => [
      () => new OpenAt(nowhere, as<{ mode: number }>(options)),
      'options',
      () => rmSync(nowhere, as(options)),
      'options',
    ]),
    // What was received.
    ...RECEIVED.map((value): (typeof pairs)[number] => [
      () => new OpenAt(nowhere, { cloexec: as(value) }),
      'options.cloexec',
      () => rmSync(nowhere, { force: as(value) }),
      'options.force',
    ]),
  ]
  for (const [ours, ourName, nodes, nodesName] of pairs) {
    t.is(messageOf(t, ours), renamed(messageOf(t, nodes), nodesName, ourName))
  }
})

test('mistakes that node:fs does not know are described in its way', (t) => {
  const as = <T>(value: unknown): T => value as T
  // The list is ours, the rest is theirs.
  t.is(
    messageOf(t, () => new Write(0, as('x'))),
    renamed(
      messageOf(t, () => readSync(0, as('x'))),
      'buffer',
      'bytes',
    ).replace('TypedArray, or DataView', 'TypedArray, DataView, ArrayBuffer, or SharedArrayBuffer'),
  )
  for (const clock of ['x', 5, Symbol('s'), {}]) {
    t.is(
      messageOf(t, () => new Timeout(1, { clock: as(clock) })),
      renamed(
        messageOf(t, () => new Agent({ scheduling: as(clock) })),
        'scheduling',
        'options.clock',
      ).replace("'fifo', 'lifo'", "'monotonic', 'boottime', 'realtime'"),
    )
  }
  // Large numbers have their digits in groups.
  const buffer = Buffer.alloc(4)
  for (const large of [2 ** 53, -(2 ** 40), 2n ** 64n, -(2n ** 70n)]) {
    const received = /Received .+/s
    const [ours, nodes] = [
      messageOf(t, () => new Read(0, buffer, { offset: large })),
      messageOf(t, () => readSync(0, buffer, { position: large })),
    ].map((message) => received.exec(message)?.[0])
    t.is(ours, nodes)
  }
})
