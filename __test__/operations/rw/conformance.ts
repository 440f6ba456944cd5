// The cases of ts/operations/data.ts: Nop, Read, Write, Readv, Writev.

import * as fc from 'fast-check'
import {
  type Bytes,
  type FileTarget,
  FixedFile,
  type GroupBuffer,
  type Integrity,
  Nop,
  type NopOptions,
  Read,
  Readv,
  type TransferOptions,
  Write,
  type WriteOptions,
  Writev,
} from 'uring'
import {
  boolean,
  bytes,
  file,
  group,
  i32,
  mask,
  MAX_U64,
  offset,
  struct,
  u16,
  vector,
  wide,
} from '../base/arbitraries.ts'
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
import type { Fields } from '../base/native-rows.ts'

/** What both classes set, from <linux/io_uring.h>: not the facade's own constants. */
const NOP = { INJECT_RESULT: 1, FILE: 2, FIXED_FILE: 4, FIXED_BUFFER: 8, TW: 16, CQE32: 32 } as const

function isGroup(target: unknown): target is GroupBuffer {
  return 'group' in (target as object)
}

const integrity: fc.Arbitrary<Integrity> = fc.record(
  { bytes, flags: u16, appTag: u16, seed: wide(MAX_U64) },
  { requiredKeys: ['bytes'] },
)
const transfer = { offset, flags: mask, ioprio: u16, integrity }
const transferOptions = optional<TransferOptions>(transfer)
const writeOptions = optional<WriteOptions>({ ...transfer, writeStream: fc.nat(255) })

function transferFields(options: WriteOptions | undefined, { addr3 }: Built): Fields {
  return {
    ...given('offset', options?.offset),
    ...given('rw_flags', options?.flags === undefined ? undefined : options.flags >>> 0),
    ...given('ioprio', options?.ioprio),
    ...given('write_stream', options?.writeStream),
    ...(options?.integrity === undefined ? {} : { attributes: addr3, attribute_mask: 1 }),
  }
}

/** `struct io_uring_attr_pi`, if there is any, and what it points at. */
function integrityAt(options: TransferOptions | undefined, { addr3 }: Built): Expected[] {
  if (options?.integrity === undefined) return []
  const { bytes, flags = 0, appTag = 0, seed = 0 } = options.integrity
  const first = BigInt(flags) | (BigInt(appTag) << 16n) | (BigInt(bytes.byteLength) << 32n)
  return [[addr3, struct([first, addressOf(bytes), BigInt(seed), 0n])], dataAt(bytes)]
}

type TransferGiven<B> = [file: FileTarget, bytes: B, options: WriteOptions | undefined]

const TRANSFERS: Record<string, (given: TransferGiven<unknown>) => boolean> = {
  ...FILES,
  'no options': ([, , options]) => options === undefined,
  'no offset': ([, , options]) => options !== undefined && options.offset === undefined,
  'an offset that is a number': ([, , options]) => typeof options?.offset === 'number',
  'an offset beyond 2^53': ([, , options]) => (options?.offset ?? 0) > 2n ** 53n,
  'flags with bit 31': ([, , options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
  'flags below zero': ([, , options]) => (options?.flags ?? 0) < 0,
  'only integrity': ([, , options]) => Object.keys(options ?? {}).join() === 'integrity',
  'only a priority': ([, , options]) => Object.keys(options ?? {}).join() === 'ioprio',
  'integrity of nothing': ([, , options]) => options?.integrity?.bytes.byteLength === 0,
}

const GROUPS: Record<string, (given: TransferGiven<unknown>) => boolean> = {
  'a group by number': ([, target]) => isGroup(target) && typeof target.group === 'number',
  'a group by object': ([, target]) => isGroup(target) && typeof target.group === 'object',
  'a group, with a length': ([, target]) => isGroup(target) && (target.length ?? 0) > 0,
  'a group of a registered file': ([file, target]) => isGroup(target) && file instanceof FixedFile,
  'a group, without an offset': ([, target, options]) => isGroup(target) && options?.offset === undefined,
  'a group, with an offset': ([, target, options]) => isGroup(target) && options?.offset !== undefined,
}

const VECTORS: Record<string, (given: TransferGiven<readonly Bytes[] | GroupBuffer>) => boolean> = {
  ...TRANSFERS,
  'no buffers': ([, buffers]) => !isGroup(buffers) && buffers.length === 0,
  'as many buffers as there can be': ([, buffers]) => !isGroup(buffers) && buffers.length === 1024,
  'an empty buffer': ([, buffers]) => !isGroup(buffers) && buffers.some(({ byteLength }) => byteLength === 0),
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

export const CONFORMANCE: Record<string, Case<unknown>> = {
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
    native: ([file, bytes, options], built) => {
      const fields = { file: indexOf(file), ...transferFields(options, built) }
      if (isGroup(bytes)) {
        const { group, length = 0 } = bytes
        const id = typeof group === 'number' ? group : group.group
        return { fields: { ...fields, buffer: 0, length, group: id }, flags: fileFlags(file) }
      }
      const { byteLength } = bytes
      return { fields: { ...fields, buffer: addressOf(bytes), length: byteLength }, flags: fileFlags(file) }
    },
    memory: ([, bytes, options], built) => [
      ...(isGroup(bytes) ? [] : [dataAt(bytes)]),
      ...integrityAt(options, built),
    ],
    variants: {
      ...TRANSFERS,
      ...GROUPS,
      'no bytes': ([, bytes]) => !isGroup(bytes) && bytes.byteLength === 0,
    },
  }),

  Write: define<TransferGiven<Bytes>>({
    arguments: fc.tuple(file, bytes, writeOptions),
    facade: ([file, bytes, options]) => new Write(file, bytes, options),
    native: ([file, bytes, options], built) => ({
      fields: {
        file: indexOf(file),
        buffer: addressOf(bytes),
        length: bytes.byteLength,
        ...transferFields(options, built),
      },
      flags: fileFlags(file),
    }),
    memory: ([, bytes, options], built) => [dataAt(bytes), ...integrityAt(options, built)],
    variants: {
      ...TRANSFERS,
      'no bytes': ([, bytes]) => bytes.byteLength === 0,
      'only a write stream': ([, , options]) => Object.keys(options ?? {}).join() === 'writeStream',
    },
  }),

  Readv: define<TransferGiven<Bytes[] | GroupBuffer>>({
    arguments: fc.tuple(
      file,
      fc.oneof({ arbitrary: vector, weight: 3 }, { arbitrary: group, weight: 1 }),
      transferOptions,
    ),
    facade: ([file, buffers, options]) => new Readv(file, buffers, options),
    native: ([file, buffers, options], built) => {
      const fields = { file: indexOf(file), iovecs: built.addr, ...transferFields(options, built) }
      if (!isGroup(buffers)) return { fields: { ...fields, count: buffers.length }, flags: fileFlags(file) }
      const { group } = buffers
      const id = typeof group === 'number' ? group : group.group
      return { fields: { ...fields, count: 1, group: id }, flags: fileFlags(file) }
    },
    memory: ([, buffers, options], built) => [
      ...(isGroup(buffers)
        ? [[built.addr, struct([0n, BigInt(buffers.length ?? 0)])] as const]
        : vectorAt(built.addr, buffers)),
      ...integrityAt(options, built),
    ],
    variants: { ...VECTORS, ...GROUPS },
  }),

  Writev: define<TransferGiven<Bytes[]>>({
    arguments: fc.tuple(file, vector, writeOptions),
    facade: ([file, buffers, options]) => new Writev(file, buffers, options),
    native: ([file, buffers, options], built) => ({
      fields: {
        file: indexOf(file),
        iovecs: built.addr,
        count: buffers.length,
        ...transferFields(options, built),
      },
      flags: fileFlags(file),
    }),
    memory: ([, buffers, options], built) => [
      ...vectorAt(built.addr, buffers),
      ...integrityAt(options, built),
    ],
    variants: VECTORS,
  }),
}
