// The native class and the facade's class of an operation build the same 64 bytes, whatever they are given.
//
// There is one case an operation. It says what the facade can be given, and what that is in the kernel's fields. Where
// an operation puts structs into memory, only the facade knows the address: it is taken from the facade's entry, and
// what stands there is read through /proc/self/mem.

import { closeSync, constants, openSync, readSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test from 'ava'
import * as fc from 'fast-check'
import * as facade from 'uring'
import {
  AsyncCancel,
  type AsyncCancelOptions,
  type Bytes,
  type CancelTarget,
  Close,
  type Direct,
  type FileTarget,
  FixedFile,
  Fsync,
  type FsyncOptions,
  type GroupBuffer,
  Nop,
  type NopOptions,
  OpenAt,
  type OpenAtOptions,
  Operation,
  type OperationClass,
  type Path,
  Read,
  Readv,
  Statx,
  type StatxOptions,
  type Time,
  Timeout,
  type TimeoutOptions,
  TimeoutRemove,
  type Token,
  type TransferOptions,
  Write,
  Writev,
} from 'uring'
import * as native from 'uring/native'

const RUNS = 2000
const SAMPLES = 4000
const SEED = 20_251_121

/** What both classes set, from <linux/io_uring.h> and <fcntl.h>: not the facade's own constants. */
const IOSQE = {
  FIXED_FILE: 1 << 0,
  IO_DRAIN: 1 << 1,
  IO_LINK: 1 << 2,
  IO_HARDLINK: 1 << 3,
  ASYNC: 1 << 4,
  BUFFER_SELECT: 1 << 5,
  CQE_SKIP_SUCCESS: 1 << 6,
} as const
const NOP = { INJECT_RESULT: 1, FILE: 2, FIXED_FILE: 4, FIXED_BUFFER: 8, TW: 16, CQE32: 32 } as const
const CANCEL = { ALL: 1, FD: 2, ANY: 4, FD_FIXED: 8, USERDATA: 16, OP: 32 } as const
const TIMEOUT = { ABS: 1, BOOTTIME: 4, REALTIME: 8, ETIME_SUCCESS: 32, MULTISHOT: 64 } as const
const AT_FDCWD = -100
const AT_EMPTY_PATH = 0x1000
const O_CLOEXEC = 0o2000000
const STATX_BASIC_STATS_AND_BTIME = 0xfff
const STATX_BYTES = 256

const MAX_U16 = 0xffff
const MAX_U32 = 0xffff_ffff
const MAX_I32 = 0x7fff_ffff
const MAX_I64 = 2n ** 63n - 1n
const MAX_U64 = 2n ** 64n - 1n

const ROWS = native.operationTable()
type Row = (typeof ROWS)[number]

// ---- the native classes

interface NativeOperation {
  sqeFlags(flags: number): unknown
  personality(id: number): unknown
  userData(value: bigint): unknown
  build(): Uint8Array
}

type Value = number | bigint
/** Values of a row's fields, under the names of the table. */
type Fields = Readonly<Record<string, Value>>

function nativeClass(name: string): (new (...required: Value[]) => NativeOperation) | undefined {
  return (native as unknown as Record<string, new (...required: Value[]) => NativeOperation>)[name]
}

/** `open_flags` is `openFlags` in JavaScript. */
function methodOf(field: string): string {
  return field.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}

function setter(operation: NativeOperation, field: string): (value: Value) => unknown {
  const methods = operation as unknown as Record<string, (value: Value) => unknown>
  const method = methods[methodOf(field)]
  if (method === undefined) throw new Error(`there is no method ${methodOf(field)}`)
  return method.bind(operation)
}

function construct(row: Row, fields: Fields): NativeOperation {
  const Class = nativeClass(row.name)
  if (Class === undefined) throw new Error(`there is no native class ${row.name}`)
  for (const name of Object.keys(fields)) {
    if (!row.fields.some((field) => field.name === name)) throw new Error(`${row.name} has no field ${name}`)
  }
  const operation = new Class(
    ...row.fields
      .filter(({ required }) => required)
      .map(({ name }) => {
        const value = fields[name]
        if (value === undefined) throw new Error(`${row.name} needs ${name}`)
        return value
      }),
  )
  for (const { name, required } of row.fields) {
    const value = fields[name]
    if (!required && value !== undefined) setter(operation, name)(value)
  }
  return operation
}

// ---- memory

const memory = openSync('/proc/self/mem', 'r')
test.after.always(() => closeSync(memory))

/** What stands at an address of this process. */
function memoryAt(address: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let done = 0; done < length;) {
    const count = readSync(memory, bytes, done, length - done, address + BigInt(done))
    if (count === 0) throw new Error(`nothing can be read at 0x${address.toString(16)}`)
    done += count
  }
  return bytes
}

function contentOf(bytes: Bytes): Uint8Array {
  return ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes)
}

const nativeAddressOf = native.createAddressOf()

/** Where the bytes are: 0 where there are none. */
function addressOf(bytes: Bytes): bigint {
  return bytes.byteLength === 0 ? 0n : BigInt(nativeAddressOf(contentOf(bytes)))
}

/** An address, and what has to stand there. */
type Expected = readonly [address: bigint, content: Uint8Array]

// ---- arguments

const bit31 = fc.constantFrom(2 ** 31, -(2 ** 31), -1, MAX_U32)
const u16 = fc.oneof({ arbitrary: fc.nat(MAX_U16), weight: 5 }, fc.constantFrom(0, 1, MAX_U16))
const u32 = fc.oneof(
  { arbitrary: fc.integer({ min: 0, max: MAX_U32 }), weight: 5 },
  fc.constantFrom(0, 2 ** 31, MAX_U32),
)
const i32 = fc.oneof(
  { arbitrary: fc.integer({ min: -(2 ** 31), max: MAX_I32 }), weight: 5 },
  fc.constantFrom(0, -1, MAX_I32, -(2 ** 31)),
)
/** A mask, as JavaScript's bit operators may leave it. */
const mask = fc.oneof({ arbitrary: u32, weight: 3 }, { arbitrary: i32, weight: 2 }, bit31)
const wide = (most: bigint): fc.Arbitrary<Value> =>
  fc.oneof(
    fc.maxSafeNat(),
    fc.bigInt({ min: 0n, max: most }),
    fc.bigInt({ min: 2n ** 53n, max: most }),
    fc.constantFrom(0, 0n, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, 2n ** 32n, 2n ** 53n + 1n, most),
  )
const offset = wide(MAX_I64)
const boolean = fc.boolean()

const fd = fc.oneof({ arbitrary: fc.nat(MAX_I32), weight: 5 }, fc.constantFrom(0, 1, 2, MAX_I32))
const handle = fd.map((number) => ({ fd: number }))
const fixedFile = fc
  .oneof({ arbitrary: fc.nat(MAX_I32 - 1), weight: 5 }, fc.constantFrom(0, 1, MAX_I32 - 1))
  .map((index) => new FixedFile(index))
const file: fc.Arbitrary<FileTarget> = fc.oneof(fd, handle, fixedFile)
const directory = fc.oneof(fd, handle, fc.constant(AT_FDCWD))

/** A token: any slot, any generation. */
const token: fc.Arbitrary<Token> = fc.oneof(
  fc.maxSafeNat(),
  fc.tuple(fc.nat(MAX_I32), fc.nat(2 ** 22 - 1)).map(([generation, slot]) => generation * 2 ** 22 + slot),
  fc.constantFrom(0, 2 ** 22, Number.MAX_SAFE_INTEGER),
)

/** The user data that a token stands for: the slot below, the generation above. */
function userDataOf(token: Token): bigint {
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

const bytes: fc.Arbitrary<Bytes> = fc
  .tuple(fc.uint8Array({ maxLength: 100 }), fc.nat(40), fc.constantFrom(...VIEWS))
  .map(([content, before, view]) => view(content, before))

const vector: fc.Arbitrary<Bytes[]> = fc.oneof(
  { arbitrary: fc.array(bytes, { maxLength: 6 }), weight: 60 },
  // As many as there can be.
  bytes.map((buffer) => Array.from({ length: 1024 }, () => buffer)),
)

const group: fc.Arbitrary<GroupBuffer> = fc.record(
  {
    group: fc.oneof(
      u16,
      u16.map((number) => ({ group: number })),
    ),
    length: u32,
  },
  { requiredKeys: ['group'] },
)

function isGroup(target: Bytes | GroupBuffer): target is GroupBuffer {
  return 'group' in target
}

const pathText = fc
  .oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('', '.', '\ud800', 'ü', '../ä/€/😀'))
  .filter((text) => !text.includes('\0'))
const longText = fc.integer({ min: 4000, max: 20_000 }).map((length) => 'long/'.repeat(length / 5))
const path: fc.Arbitrary<Path> = fc.oneof(
  { arbitrary: pathText, weight: 20 },
  { arbitrary: fc.uint8Array({ min: 1, maxLength: 40 }).map((content) => Buffer.from(content)), weight: 20 },
  {
    arbitrary: fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => pathToFileURL(`/${text}`)),
    weight: 20,
  },
  longText,
)

function pathBytes(given: Path): Uint8Array {
  const plain = given instanceof URL ? fileURLToPath(given) : given
  return Buffer.concat([typeof plain === 'string' ? Buffer.from(plain) : plain, Buffer.of(0)])
}

const nanoseconds = fc.oneof(fc.nat(999_999_999), fc.constantFrom(0, 1, 999_999_999))
const time: fc.Arbitrary<Time> = fc.oneof(
  fc.maxSafeNat(),
  // Fractions: so many nanoseconds, and what is no whole number of them.
  fc.maxSafeNat().map((total) => (total % 2 ** 50) / 1e6),
  fc.constantFrom(0, 1e-9, 0.000_000_5, 0.5, 999.999_999, 999.999_999_6, 1000, 1e12 + 0.25),
  fc.record({ seconds: wide(MAX_I64), nanoseconds }),
)

/** `struct __kernel_timespec`. */
function timespecBytes(given: Time): Uint8Array {
  if (typeof given === 'object') return struct([BigInt(given.seconds), BigInt(given.nanoseconds)])
  const total = BigInt(Math.floor(given)) * 1_000_000n + BigInt(Math.round((given % 1) * 1e6))
  return struct([total / 1_000_000_000n, total % 1_000_000_000n])
}

/** A struct of 64-bit words. */
function struct(words: readonly bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(words).buffer)
}

/** The mask of open(2) for the letters of Node.js. */
function openMask(letters: string): number {
  const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_EXCL, O_SYNC } = constants
  const has = (letter: string): boolean => letters.includes(letter)
  return (
    (has('+') ? O_RDWR : has('r') ? O_RDONLY : O_WRONLY) |
    (has('w') ? O_TRUNC | O_CREAT : 0) |
    (has('a') ? O_APPEND | O_CREAT : 0) |
    (has('x') ? O_EXCL : 0) |
    (has('s') ? O_SYNC : 0)
  )
}
// prettier-ignore
const OPEN_LETTERS = [
  'r', 'rs', 'sr', 'r+', 'rs+', 'sr+', 'w', 'wx', 'xw', 'w+', 'wx+', 'xw+',
  'a', 'ax', 'xa', 'as', 'sa', 'a+', 'ax+', 'xa+', 'as+', 'sa+',
] as const

const direct: fc.Arbitrary<Direct> = fc.oneof(
  fc.oneof(fc.nat(MAX_I32 - 1), fc.constantFrom(0, MAX_I32 - 1)),
  fixedFile,
  fc.constant('auto' as const),
)

/** Options with some of these keys, every choice of them as likely as the others; or none at all. */
function optional<T extends object>(model: {
  [K in keyof T]-?: fc.Arbitrary<Exclude<T[K], undefined>>
}): fc.Arbitrary<T | undefined> {
  const keys = Object.keys(model) as (keyof T)[]
  const all = fc.record(model as { [K in keyof T]-?: fc.Arbitrary<T[K]> })
  const chosen = fc.tuple(all, fc.tuple(...keys.map(() => fc.boolean())))
  const some = chosen.map(([values, choice]) =>
    Object.fromEntries(Object.entries(values).filter((_, index) => choice[index])),
  )
  return fc.oneof({ arbitrary: some as fc.Arbitrary<T>, weight: 9 }, fc.constant(undefined))
}

// ---- fields that several operations have

function descriptorOf(given: Exclude<FileTarget, FixedFile>): number {
  return typeof given === 'number' ? given : given.fd
}

function indexOf(given: FileTarget): number {
  return given instanceof FixedFile ? given.index : descriptorOf(given)
}

function fileFlags(given: FileTarget): number {
  return given instanceof FixedFile ? IOSQE.FIXED_FILE : 0
}

/** A field that is there only if it was given. */
function given<K extends string>(name: K, value: Value | undefined): Fields {
  return value === undefined ? {} : { [name]: value }
}

const transferOptions = optional<TransferOptions>({ offset, flags: mask })

function transferFields(options: TransferOptions | undefined): Fields {
  return {
    ...given('offset', options?.offset),
    ...given('rw_flags', options?.flags === undefined ? undefined : options.flags >>> 0),
  }
}

/** Variants that every operation on a file has. */
const FILES: Record<string, (given: readonly [FileTarget, ...unknown[]]) => boolean> = {
  'a descriptor': ([file]) => typeof file === 'number',
  'an object with a descriptor': ([file]) => typeof file === 'object' && 'fd' in file,
  'a registered file': ([file]) => file instanceof FixedFile,
}

type TransferGiven<B> = [file: FileTarget, bytes: B, options: TransferOptions | undefined]

const TRANSFERS: Record<string, (given: TransferGiven<unknown>) => boolean> = {
  ...FILES,
  'no options': ([, , options]) => options === undefined,
  'no offset': ([, , options]) => options !== undefined && options.offset === undefined,
  'an offset that is a number': ([, , options]) => typeof options?.offset === 'number',
  'an offset beyond 2^53': ([, , options]) => (options?.offset ?? 0) > 2n ** 53n,
  'flags with bit 31': ([, , options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
  'flags below zero': ([, , options]) => (options?.flags ?? 0) < 0,
}

const VECTORS: Record<string, (given: TransferGiven<readonly Bytes[]>) => boolean> = {
  ...TRANSFERS,
  'no buffers': ([, buffers]) => buffers.length === 0,
  'as many buffers as there can be': ([, buffers]) => buffers.length === 1024,
  'an empty buffer': ([, buffers]) => buffers.some(({ byteLength }) => byteLength === 0),
}

/** Data that has to be found at its own address. */
function dataAt(buffer: Bytes): Expected {
  return [addressOf(buffer), contentOf(buffer)]
}

/** `struct iovec[]` at the address of the entry, and what it points at. */
function vectorAt(address: bigint, buffers: readonly Bytes[]): Expected[] {
  const iovecs = struct(buffers.flatMap((buffer) => [addressOf(buffer), BigInt(buffer.byteLength)]))
  return [[address, iovecs], ...[...new Set(buffers)].map(dataAt)]
}

// ---- the cases

/** Two words of the facade's entry, which hold the addresses of its structs. */
interface Built {
  readonly off: bigint
  readonly addr: bigint
}

interface Case<A> {
  /** What the facade's class can be given. */
  readonly arguments: fc.Arbitrary<A>
  facade(given: A): Operation<unknown>
  /** The same in the kernel's fields. */
  native(given: A, built: Built): { readonly fields: Fields; readonly flags?: number }
  /** What has to stand in memory. */
  memory?(given: A, built: Built): Expected[]
  /** What `arguments` must not fail to make. */
  readonly variants: Record<string, (given: A) => boolean>
}

/** Forgets the type of the arguments: only the case itself needs it. */
function define<A>(of: Case<A>): Case<unknown> {
  return of as unknown as Case<unknown>
}

const cancelKeys = optional<{ token?: Token; file?: FileTarget; opcode?: number }>({
  token,
  file,
  opcode: fc.nat(255),
})
  .filter((keys) => keys !== undefined && Object.keys(keys).length > 0)
  .map((keys) => keys as Exclude<CancelTarget, Token | 'any'>)

/** The keys of a cancellation, and whether it is for all. */
function cancelVariant([target, options]: [CancelTarget, AsyncCancelOptions | undefined]): string {
  const keys = typeof target === 'object' ? Object.keys(target).toSorted().join('+') : typeof target
  return options?.all === true ? `${keys}, all` : keys
}

const CASES: Record<string, Case<unknown>> = {
  Nop: define<[NopOptions | undefined]>({
    arguments: fc.tuple(
      optional<NopOptions>({
        result: i32,
        file,
        fixedBuffer: fc.oneof(
          u16,
          u16.map((index) => ({ index })),
        ),
        taskWork: boolean,
        extra: fc.tuple(wide(MAX_U64), wide(MAX_U64)),
      }),
    ),
    facade: ([options]) => new Nop(options),
    native: ([options = {}]) => {
      const { result, file, fixedBuffer, taskWork = false, extra } = options
      const nop_flags =
        (result === undefined ? 0 : NOP.INJECT_RESULT) |
        (file === undefined ? 0 : NOP.FILE) |
        (file instanceof FixedFile ? NOP.FIXED_FILE : 0) |
        (fixedBuffer === undefined ? 0 : NOP.FIXED_BUFFER) |
        (taskWork ? NOP.TW : 0) |
        (extra === undefined ? 0 : NOP.CQE32)
      return {
        fields: {
          nop_flags,
          ...given('result', result),
          ...given('fd', file === undefined ? undefined : indexOf(file)),
          ...given('buffer_index', typeof fixedBuffer === 'object' ? fixedBuffer.index : fixedBuffer),
          ...given('extra1', extra?.[0]),
          ...given('extra2', extra?.[1]),
        },
      }
    },
    variants: {
      'no options': ([options]) => options === undefined,
      'an empty object': ([options]) => options !== undefined && Object.keys(options).length === 0,
      'only a result': ([options]) => Object.keys(options ?? {}).join() === 'result',
      'only a file': ([options]) => Object.keys(options ?? {}).join() === 'file',
      'only a buffer': ([options]) => Object.keys(options ?? {}).join() === 'fixedBuffer',
      'only task work': ([options]) =>
        Object.keys(options ?? {}).join() === 'taskWork' && !!options?.taskWork,
      'only extra words': ([options]) => Object.keys(options ?? {}).join() === 'extra',
      'a registered file': ([options]) => options?.file instanceof FixedFile,
      'a result below zero': ([options]) => (options?.result ?? 0) < 0,
      'all options': ([options]) => Object.keys(options ?? {}).length === 5,
    },
  }),

  Read: define<TransferGiven<Bytes | GroupBuffer>>({
    arguments: fc.tuple(
      file,
      fc.oneof({ arbitrary: bytes, weight: 3 }, { arbitrary: group, weight: 1 }),
      transferOptions,
    ),
    facade: ([file, bytes, options]) => new Read(file, bytes, options),
    native: ([file, bytes, options]) => {
      const fields = { file: indexOf(file), ...transferFields(options) }
      if (isGroup(bytes)) {
        const { group, length = 0 } = bytes
        const id = typeof group === 'number' ? group : group.group
        return { fields: { ...fields, buffer: 0, length, group: id }, flags: fileFlags(file) }
      }
      const { byteLength } = bytes
      return { fields: { ...fields, buffer: addressOf(bytes), length: byteLength }, flags: fileFlags(file) }
    },
    memory: ([, bytes]) => (isGroup(bytes) ? [] : [dataAt(bytes)]),
    variants: {
      ...TRANSFERS,
      'no bytes': ([, bytes]) => !isGroup(bytes) && bytes.byteLength === 0,
      'a group by number': ([, bytes]) => isGroup(bytes) && typeof bytes.group === 'number',
      'a group by object': ([, bytes]) => isGroup(bytes) && typeof bytes.group === 'object',
      'a group, with a length': ([, bytes]) => isGroup(bytes) && (bytes.length ?? 0) > 0,
      'a group of a registered file': ([file, bytes]) => isGroup(bytes) && file instanceof FixedFile,
      'a group, without an offset': ([, bytes, options]) => isGroup(bytes) && options?.offset === undefined,
      'a group, with an offset': ([, bytes, options]) => isGroup(bytes) && options?.offset !== undefined,
    },
  }),

  Write: define<TransferGiven<Bytes>>({
    arguments: fc.tuple(file, bytes, transferOptions),
    facade: ([file, bytes, options]) => new Write(file, bytes, options),
    native: ([file, bytes, options]) => ({
      fields: {
        file: indexOf(file),
        buffer: addressOf(bytes),
        length: bytes.byteLength,
        ...transferFields(options),
      },
      flags: fileFlags(file),
    }),
    memory: ([, bytes]) => [dataAt(bytes)],
    variants: { ...TRANSFERS, 'no bytes': ([, bytes]) => bytes.byteLength === 0 },
  }),

  Readv: define<TransferGiven<Bytes[]>>({
    arguments: fc.tuple(file, vector, transferOptions),
    facade: ([file, buffers, options]) => new Readv(file, buffers, options),
    native: ([file, buffers, options], { addr }) => ({
      fields: { file: indexOf(file), iovecs: addr, count: buffers.length, ...transferFields(options) },
      flags: fileFlags(file),
    }),
    memory: ([, buffers], { addr }) => vectorAt(addr, buffers),
    variants: VECTORS,
  }),

  Writev: define<TransferGiven<Bytes[]>>({
    arguments: fc.tuple(file, vector, transferOptions),
    facade: ([file, buffers, options]) => new Writev(file, buffers, options),
    native: ([file, buffers, options], { addr }) => ({
      fields: { file: indexOf(file), iovecs: addr, count: buffers.length, ...transferFields(options) },
      flags: fileFlags(file),
    }),
    memory: ([, buffers], { addr }) => vectorAt(addr, buffers),
    variants: VECTORS,
  }),

  Fsync: define<[FileTarget, FsyncOptions | undefined]>({
    arguments: fc.tuple(file, optional<FsyncOptions>({ datasync: boolean, offset, length: u32 })),
    facade: ([file, options]) => new Fsync(file, options),
    native: ([file, options = {}]) => ({
      fields: {
        file: indexOf(file),
        ...given('fsync_flags', options.datasync === undefined ? undefined : Number(options.datasync)),
        ...given('offset', options.offset),
        ...given('length', options.length),
      },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      'no options': ([, options]) => options === undefined,
      datasync: ([, options]) => options?.datasync === true,
      'no datasync': ([, options]) => options?.datasync === false,
      'an offset beyond 2^53': ([, options]) => (options?.offset ?? 0) > 2n ** 53n,
      'a length with bit 31': ([, options]) => (options?.length ?? 0) >= 2 ** 31,
    },
  }),

  Close: define<[FileTarget]>({
    arguments: fc.tuple(file),
    facade: ([file]) => new Close(file),
    // A slot is named in its own field, and without the flag that marks registered files elsewhere.
    native: ([file]) => ({
      fields: file instanceof FixedFile ? { slot: file.index } : { fd: descriptorOf(file) },
    }),
    variants: FILES,
  }),

  OpenAt: define<[Path, OpenAtOptions | undefined]>({
    arguments: fc.tuple(
      path,
      optional<OpenAtOptions>({
        flags: fc.oneof(fc.constantFrom(...OPEN_LETTERS), fc.nat(MAX_I32)),
        mode: u16,
        dirfd: directory,
        direct,
        cloexec: boolean,
      }),
    ),
    facade: ([path, options]) => new OpenAt(path, options),
    native: ([, options = {}], { addr }) => {
      const { flags = 'r', mode = 0o666, dirfd = AT_FDCWD, direct, cloexec = true } = options
      const bits = typeof flags === 'string' ? openMask(flags) : flags
      return {
        fields: {
          dirfd: descriptorOf(dirfd),
          path: addr,
          // Registered files are closed with their table; the kernel refuses the flag for them.
          open_flags: bits | (cloexec && direct === undefined ? O_CLOEXEC : 0),
          mode,
          ...given('slot', direct === undefined ? undefined : direct === 'auto' ? -1 : indexOf(direct)),
        },
      }
    },
    memory: ([path], { addr }) => [[addr, pathBytes(path)]],
    variants: {
      'a string': ([path]) => typeof path === 'string',
      'a long path': ([path]) => typeof path === 'string' && path.length > 16_384,
      'a buffer': ([path]) => Buffer.isBuffer(path),
      'a URL': ([path]) => path instanceof URL,
      'no options': ([, options]) => options === undefined,
      'flags as a number': ([, options]) => typeof options?.flags === 'number',
      ...Object.fromEntries(
        OPEN_LETTERS.map((letters) => [
          `flags '${letters}'`,
          ([, options]: [Path, OpenAtOptions | undefined]) => options?.flags === letters,
        ]),
      ),
      'a directory': ([, options]) => typeof options?.dirfd === 'number' && options.dirfd >= 0,
      'a directory as an object': ([, options]) => typeof options?.dirfd === 'object',
      'the working directory': ([, options]) => options?.dirfd === AT_FDCWD,
      'a direct slot by number': ([, options]) => typeof options?.direct === 'number',
      'the first direct slot': ([, options]) => options?.direct === 0,
      'a direct slot by object': ([, options]) => options?.direct instanceof FixedFile,
      'any direct slot': ([, options]) => options?.direct === 'auto',
      'not direct, close-on-exec': ([, options]) => options?.cloexec === true && options.direct === undefined,
      'not direct, not close-on-exec': ([, options]) =>
        options?.cloexec === false && options.direct === undefined,
      'direct, close-on-exec': ([, options]) => options?.cloexec === true && options.direct !== undefined,
    },
  }),

  Statx: define<[Path | number | { fd: number }, StatxOptions | undefined]>({
    arguments: fc.tuple(
      fc.oneof({ arbitrary: path, weight: 3 }, { arbitrary: directory, weight: 2 }),
      optional<StatxOptions>({ dirfd: directory, flags: mask, mask: u32, bigint: boolean }),
    ),
    facade: ([target, options]) => new Statx(target, options),
    native: ([target, options = {}], { addr, off }) => {
      const { dirfd = AT_FDCWD, flags = 0, mask = STATX_BASIC_STATS_AND_BTIME } = options
      const open = isDescriptor(target)
      return {
        fields: {
          dirfd: descriptorOf(open ? target : dirfd),
          path: addr,
          statx: off,
          statx_flags: (open ? flags | AT_EMPTY_PATH : flags) >>> 0,
          mask,
        },
      }
    },
    memory: ([target], { addr, off }) => [
      [addr, isDescriptor(target) ? Uint8Array.of(0) : pathBytes(target)],
      [off, new Uint8Array(STATX_BYTES)],
    ],
    variants: {
      'a path': ([target]) => typeof target === 'string',
      'a buffer': ([target]) => Buffer.isBuffer(target),
      'a URL': ([target]) => target instanceof URL,
      'a descriptor': ([target]) => typeof target === 'number' && target >= 0,
      'an object with a descriptor': ([target]) => isDescriptor(target) && typeof target === 'object',
      'the working directory itself': ([target]) => target === AT_FDCWD,
      'no options': ([, options]) => options === undefined,
      'a directory': ([target, options]) => !isDescriptor(target) && options?.dirfd !== undefined,
      'a descriptor and a directory': ([target, options]) =>
        isDescriptor(target) && options?.dirfd !== undefined,
      'flags with bit 31': ([, options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
      'flags below zero': ([, options]) => (options?.flags ?? 0) < 0,
      'a descriptor, flags with bit 31': ([target, options]) =>
        isDescriptor(target) && ((options?.flags ?? 0) & (2 ** 31)) !== 0,
      'a mask with bit 31': ([, options]) => (options?.mask ?? 0) >= 2 ** 31,
      bigint: ([, options]) => options?.bigint === true,
    },
  }),

  Timeout: define<[Time, TimeoutOptions | undefined]>({
    arguments: fc.tuple(
      time,
      optional<TimeoutOptions>({
        count: u32,
        absolute: boolean,
        clock: fc.constantFrom('monotonic', 'boottime', 'realtime'),
        multi: boolean,
        etimeSuccess: boolean,
      }),
    ),
    facade: ([time, options]) => new Timeout(time, options),
    native: ([, options = {}], { addr }) => {
      const { count, absolute = false, clock, multi = false, etimeSuccess = false } = options
      const timeout_flags =
        (absolute ? TIMEOUT.ABS : 0) |
        (clock === 'boottime' ? TIMEOUT.BOOTTIME : 0) |
        (clock === 'realtime' ? TIMEOUT.REALTIME : 0) |
        (multi ? TIMEOUT.MULTISHOT : 0) |
        (etimeSuccess ? TIMEOUT.ETIME_SUCCESS : 0)
      return { fields: { timespec: addr, timeout_flags, ...given('count', count) } }
    },
    memory: ([time], { addr }) => [[addr, timespecBytes(time)]],
    variants: {
      milliseconds: ([time]) => typeof time === 'number' && Number.isInteger(time),
      'fractions of milliseconds': ([time]) => typeof time === 'number' && !Number.isInteger(time),
      'seconds and nanoseconds': ([time]) => typeof time === 'object' && typeof time.seconds === 'number',
      'seconds beyond 2^53': ([time]) => typeof time === 'object' && time.seconds > 2n ** 53n,
      'no options': ([, options]) => options === undefined,
      'a count with bit 31': ([, options]) => (options?.count ?? 0) >= 2 ** 31,
      'only absolute': ([, options]) =>
        Object.keys(options ?? {}).join() === 'absolute' && !!options?.absolute,
      'only multi': ([, options]) => Object.keys(options ?? {}).join() === 'multi' && !!options?.multi,
      'only etimeSuccess': ([, options]) =>
        Object.keys(options ?? {}).join() === 'etimeSuccess' && !!options?.etimeSuccess,
      'only a count': ([, options]) => Object.keys(options ?? {}).join() === 'count',
      'clock monotonic': ([, options]) => options?.clock === 'monotonic',
      'clock boottime': ([, options]) => options?.clock === 'boottime',
      'clock realtime': ([, options]) => options?.clock === 'realtime',
    },
  }),

  TimeoutRemove: define<[Token]>({
    arguments: fc.tuple(token),
    facade: ([token]) => new TimeoutRemove(token),
    native: ([token]) => ({ fields: { target: userDataOf(token) } }),
    variants: {
      'a generation beyond 2^31 / 2': ([token]) => token > 2 ** 52,
      'no token': ([token]) => token === 0,
    },
  }),

  AsyncCancel: define<[CancelTarget, AsyncCancelOptions | undefined]>({
    arguments: fc.tuple(
      fc.oneof(
        { arbitrary: cancelKeys, weight: 8 },
        { arbitrary: token, weight: 1 },
        { arbitrary: fc.constant('any' as const), weight: 1 },
      ),
      optional<AsyncCancelOptions>({ all: boolean }),
    ),
    facade: ([target, options]) => new AsyncCancel(target, options),
    native: ([target, options]) => {
      const keys = typeof target === 'object' ? target : typeof target === 'number' ? { token: target } : {}
      const { token, file, opcode } = keys
      const others = file !== undefined || opcode !== undefined
      const cancel_flags =
        (target === 'any' ? CANCEL.ANY : 0) |
        (file === undefined ? 0 : CANCEL.FD) |
        (file instanceof FixedFile ? CANCEL.FD_FIXED : 0) |
        (opcode === undefined ? 0 : CANCEL.OP) |
        // Alone it is what every kernel looks for.
        (token !== undefined && others ? CANCEL.USERDATA : 0) |
        (options?.all === true ? CANCEL.ALL : 0)
      return {
        fields: {
          cancel_flags,
          ...given('target', token === undefined ? undefined : userDataOf(token)),
          ...given('fd', file === undefined ? undefined : indexOf(file)),
          ...given('opcode', opcode),
        },
      }
    },
    variants: {
      ...Object.fromEntries(
        [
          'number',
          'string',
          'token',
          'file',
          'opcode',
          'file+token',
          'opcode+token',
          'file+opcode',
          'file+opcode+token',
        ].flatMap((keys) =>
          [keys, `${keys}, all`].map((variant) => [
            variant,
            (given: [CancelTarget, AsyncCancelOptions | undefined]) => cancelVariant(given) === variant,
          ]),
        ),
      ),
      'a registered file': ([target]) => typeof target === 'object' && target.file instanceof FixedFile,
      'an object with a descriptor': ([target]) =>
        typeof target === 'object' && typeof target.file === 'object' && 'fd' in target.file,
      'all: false': ([, options]) => options?.all === false,
    },
  }),
}

/** Fields for which the facade has no option: the low-level test below covers them. */
const NOT_IN_THE_FACADE: Record<string, readonly string[]> = {
  Read: ['ioprio'],
  Write: ['ioprio', 'write_stream'],
  Readv: ['ioprio', 'group'],
  Writev: ['ioprio', 'write_stream'],
  TimeoutRemove: ['timeout_flags'],
}

// ---- what every entry has

interface Modifiers {
  link: boolean
  hardLink: boolean
  drain: boolean
  async: boolean
  skipSuccess: boolean
  personality?: number
}

const modifiers: fc.Arbitrary<Modifiers> = fc.record(
  {
    link: boolean,
    hardLink: boolean,
    drain: boolean,
    async: boolean,
    skipSuccess: boolean,
    personality: u16,
  },
  { requiredKeys: ['link', 'hardLink', 'drain', 'async', 'skipSuccess'] },
)

function modify(operation: Operation<unknown>, given: Modifiers): void {
  if (given.link) operation.link()
  if (given.hardLink) operation.hardLink()
  if (given.drain) operation.drain()
  if (given.async) operation.async()
  if (given.skipSuccess) operation.skipSuccess()
  if (given.personality !== undefined) operation.personality(given.personality)
}

function modifyNative(operation: NativeOperation, given: Modifiers, more: number): void {
  const flags =
    (given.link ? IOSQE.IO_LINK : 0) |
    (given.hardLink ? IOSQE.IO_HARDLINK : 0) |
    (given.drain ? IOSQE.IO_DRAIN : 0) |
    (given.async ? IOSQE.ASYNC : 0) |
    (given.skipSuccess ? IOSQE.CQE_SKIP_SUCCESS : 0)
  operation.sqeFlags(flags)
  operation.sqeFlags(more) // they add up
  if (given.personality !== undefined) operation.personality(given.personality)
}

function isDescriptor(target: Path | number | { fd: number }): target is number | { fd: number } {
  return (
    typeof target === 'number' ||
    (typeof target === 'object' && !(target instanceof URL) && !Buffer.isBuffer(target))
  )
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replaceAll(/.{8}(?=.)/g, '$& ')
}

function builtOf(bytes: Uint8Array): Built {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { off: view.getBigUint64(8, true), addr: view.getBigUint64(16, true) }
}

function caseOf(row: Row): Case<unknown> {
  const found = CASES[row.name]
  if (found === undefined) throw new Error(`the operation ${row.name} has no case here`)
  return found
}

// ---- the tests

/** The facade's classes of operations. */
const CLASSES: [string, OperationClass][] = Object.entries(facade)
  .filter(([, value]) => typeof value === 'function' && value.prototype instanceof Operation)
  .map(([name, value]) => [name, value as unknown as OperationClass])

test('every row of the table has a case here, and the other way round', (t) => {
  t.true(ROWS.length >= 12)
  t.deepEqual(Object.keys(CASES).toSorted(), ROWS.map(({ name }) => name).toSorted())
})

test('every row of the table has a class on both sides, and the other way round', (t) => {
  t.deepEqual(CLASSES.map(([name]) => name).toSorted(), ROWS.map(({ name }) => name).toSorted())
  for (const row of ROWS) {
    t.is(typeof nativeClass(row.name), 'function', `native ${row.name}`)
    const Class = CLASSES.find(([name]) => name === row.name)?.[1]
    t.is(Class?.name, row.name)
    t.is(Class?.opcode, row.opcode, row.name)
    t.is(Class?.since, row.since, row.name)
  }
})

for (const row of ROWS) {
  test(`the facade and the native class build the same bytes: ${row.name}`, (t) => {
    const { arguments: all, facade, native, memory } = caseOf(row)
    t.notThrows(() =>
      fc.assert(
        fc.property(all, modifiers, (given, modifiers) => {
          const operation = facade(given)
          modify(operation, modifiers)
          const entry = operation.build()
          const neighbour = operation.build() // so that what is missing at the end of a struct is not zero by chance
          const bytes = entry.bytes
          const built = builtOf(bytes)
          const { fields, flags = 0 } = native(given, built)
          const counterpart = construct(row, fields)
          modifyNative(counterpart, modifiers, flags)
          equal('bytes', bytes, counterpart.build())
          for (const [address, content] of memory?.(given, built) ?? []) {
            if (content.length > 0) equal('memory', memoryAt(address, content.length), content)
          }
          // The entry holds the memory, and its bytes are copies.
          bytes.fill(0xff)
          equal('bytes again', entry.bytes, counterpart.build())
          equal('bytes but for addresses', neighbour.bytes.subarray(24), counterpart.build().subarray(24))
          if (entry.operation !== row.name || entry.opcode !== row.opcode) throw new Error('it is another')
        }),
        { numRuns: RUNS, includeErrorInReport: true },
      ),
    )
  })

  test(`the case has every variant, and gives every field: ${row.name}`, (t) => {
    const { arguments: all, facade, native, variants } = caseOf(row)
    const samples = fc.sample(all, { numRuns: SAMPLES, seed: SEED })
    for (const [name, is] of Object.entries(variants)) t.true(samples.some(is), name)

    // A field is given when the entry says something else there than without it.
    const missing = new Set(row.fields.map(({ name }) => name))
    const required = row.fields.filter((field) => field.required).map(({ name }) => [name, 0] as const)
    const untouched = construct(row, Object.fromEntries(required)).build()
    for (const given of samples) {
      const { fields } = native(given, builtOf(facade(given).build().bytes))
      const bytes = construct(row, fields).build()
      for (const { name, at, size } of row.fields) {
        const [before, after] = [untouched, bytes].map((entry) => hex(entry.subarray(at, at + size)))
        if (fields[name] !== undefined && before !== after) missing.delete(name)
      }
    }
    t.deepEqual([...missing].toSorted(), [...(NOT_IN_THE_FACADE[row.name] ?? [])].toSorted())
  })
}

test('a buffer that is longer than the length of an entry is cut', (t) => {
  const size = 2 ** 32 + 4096
  let buffer: ArrayBuffer
  try {
    buffer = new ArrayBuffer(size) // it has no memory until it is used, but some kernels want to have it to promise it
  } catch {
    t.log('there is no room for such a buffer here')
    t.pass()
    return
  }
  const start = new Uint8Array(buffer, 0, 8).fill(0xa5)
  const end = new Uint8Array(buffer, size - 8, 8).fill(0x5a)
  for (const [bytes, expected, length] of [
    [buffer, start, 0x7fff_f000], // MAX_RW_COUNT: more is never moved in one go
    [new DataView(buffer), start, 0x7fff_f000],
    [new Float64Array(buffer), start, 0x7fff_f000],
    [new Uint8Array(buffer, 0, 2 ** 32 - 1), start, MAX_U32],
    [end, end, 8],
  ] as const) {
    const view = new DataView(new Write(0, bytes).build().bytes.buffer)
    t.is(view.getUint32(24, true), length)
    equal('memory', memoryAt(view.getBigUint64(16, true), 8), expected)
    const iovec = new Writev(0, [bytes]).build()
    equal(
      'iovec',
      memoryAt(builtOf(iovec.bytes).addr, 16),
      struct([view.getBigUint64(16, true), BigInt(bytes.byteLength)]),
    )
    t.is(iovec.opcode, 2)
  }
})

function equal(what: string, found: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(found, expected) === 0) return
  throw new Error(`${what}: found\n${hex(found)}\nand expected\n${hex(expected)}`)
}

// ---- the native classes by themselves

/** Bounds of what a kind of field holds. */
const BOUNDS: Record<string, readonly [bigint, bigint]> = {
  u8: [0n, 0xffn],
  u16: [0n, BigInt(MAX_U16)],
  u32: [0n, BigInt(MAX_U32)],
  i32: [-(2n ** 31n), BigInt(MAX_I32)],
  u64: [0n, MAX_U64],
  File: [-(2n ** 31n), BigInt(MAX_I32)],
  Address: [0n, MAX_U64],
  Group: [0n, BigInt(MAX_U16)],
  Slot: [-1n, BigInt(MAX_U32)],
}

function boundsOf(kind: string): readonly [bigint, bigint] {
  const bounds = BOUNDS[kind]
  if (bounds === undefined) throw new Error(`the kind ${kind} is not known here`)
  return bounds
}

/** A value of a kind: a bigint, or a number where one can hold it. */
function valueOf(kind: string): fc.Arbitrary<Value> {
  const [least, most] = boundsOf(kind)
  return fc
    .tuple(
      fc.oneof({ arbitrary: fc.bigInt({ min: least, max: most }), weight: 5 }, fc.constantFrom(least, most)),
      boolean,
    )
    .map(([value, asNumber]) =>
      asNumber && value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
        ? Number(value)
        : value,
    )
}

/** What rows set always. */
const FIXED: Record<string, readonly (readonly [at: number, size: number, value: bigint])[]> = {
  Timeout: [
    [4, 4, BigInt(MAX_U32)],
    [24, 4, 1n],
  ],
  TimeoutRemove: [[4, 4, BigInt(MAX_U32)]],
}

function put(entry: Uint8Array, at: number, size: number, value: bigint): void {
  const bits = BigInt.asUintN(size * 8, value)
  for (let index = 0; index < size; index += 1)
    entry[at + index] = Number((bits >> BigInt(index * 8)) & 0xffn)
}

/** What a field is in the entry. */
function encoded(kind: string, value: bigint): bigint {
  if (kind !== 'Slot') return value
  // Counted from one: the highest is none that a table has, and must not become what means any.
  if (value === -1n) return BigInt(MAX_U32)
  return value + 1n < MAX_U32 ? value + 1n : BigInt(MAX_U32 - 1)
}

for (const row of ROWS) {
  test(`the native class puts every field where the table says: ${row.name}`, (t) => {
    const fields = fc.record(Object.fromEntries(row.fields.map(({ name, kind }) => [name, valueOf(kind)])))
    const common = fc.record({ flags: fc.nat(255), personality: u16, userData: fc.bigInt(0n, MAX_U64) })
    t.notThrows(() =>
      fc.assert(
        fc.property(fields, common, (fields, { flags, personality, userData }) => {
          const operation = construct(row, fields)
          operation.sqeFlags(flags)
          operation.personality(personality)
          operation.userData(userData)
          const expected = new Uint8Array(64)
          const selects = row.fields.some(({ kind }) => kind === 'Group') ? IOSQE.BUFFER_SELECT : 0
          put(expected, 0, 1, BigInt(row.opcode))
          put(expected, 1, 1, BigInt(flags | selects))
          put(expected, 32, 8, userData)
          for (const [at, size, value] of FIXED[row.name] ?? []) put(expected, at, size, value)
          for (const { name, kind, at, size } of row.fields) {
            put(expected, at, size, encoded(kind, BigInt(fields[name] ?? 0)))
          }
          put(expected, 42, 2, BigInt(personality))
          equal('bytes', operation.build(), expected)
        }),
        { numRuns: RUNS, includeErrorInReport: true },
      ),
    )
  })

  test(`the native class refuses what does not fit, and does not wrap it: ${row.name}`, (t) => {
    const good = Object.fromEntries(row.fields.map(({ name }) => [name, 1]))
    const setters = [
      ...row.fields,
      { name: 'flags', method: 'sqeFlags', kind: 'u8', required: false },
      { name: 'id', method: 'personality', kind: 'u16', required: false },
      { name: 'value', method: 'userData', kind: 'u64', required: false },
    ]
    for (const field of setters) {
      const { name, kind, required } = field
      for (const bad of misfits(kind)) {
        const message = new RegExp(`^"${name}" must be an integer that fits `)
        const label = `${name}: ${String(bad)}`
        if (required) {
          t.throws(() => construct(row, { ...good, [name]: bad }), { message }, label)
          continue
        }
        const operation = construct(row, good)
        const before = hex(operation.build())
        t.throws(() => setter(operation, 'method' in field ? field.method : name)(bad), { message }, label)
        t.is(hex(operation.build()), before, label)
      }
    }
  })
}

/** Numbers that a kind of field does not hold. */
function misfits(kind: string): Value[] {
  const [least, most] = boundsOf(kind)
  const outside = [least - 1n, most + 1n, -(2n ** 31n) - 1n, 2n ** 64n]
  const far = [64n, 65n, 127n, 128n, 200n].flatMap((power) => [2n ** power, -(2n ** power), 2n ** power + 1n])
  const numbers = [...outside, 2n ** 32n, -1n, -2n, 2n ** 16n].filter(
    (value) => value < least || value > most,
  )
  return [
    ...outside,
    ...far,
    ...numbers.map(Number),
    1.5,
    -0.5,
    2 ** 53 + 2,
    -(2 ** 53) - 2,
    1e300,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]
}

test('the native classes take nothing but numbers', (t) => {
  for (const row of ROWS) {
    for (const { name, required } of row.fields) {
      for (const bad of ['1', null, undefined, true, {}, [1], Symbol('s')] as unknown as Value[]) {
        const good = Object.fromEntries(row.fields.map((field) => [field.name, 1]))
        const message = /none of these types|must be|expect/i
        const label = `${row.name}.${name}: ${String(bad)}`
        if (required && bad !== undefined) {
          t.throws(() => construct(row, { ...good, [name]: bad }), { message }, label)
        } else if (!required) {
          const operation = construct(row, good)
          t.throws(() => setter(operation, name)(bad), { message }, label)
        }
      }
    }
  }
})
