// The cases of Read, Write, Readv, Writev and ReadMulti.

import * as fc from 'fast-check'
import {
  type Bytes,
  type FileTarget,
  FixedFile,
  type GroupBuffer,
  type GroupTarget,
  Read,
  ReadMulti,
  type ReadMultiOptions,
  Readv,
  Write,
  Writev,
} from 'uring'
import {
  bytes,
  file,
  group,
  groupNumber,
  groupTarget,
  isGroup,
  MAX_U16,
  offset,
  struct,
  u32,
  vector,
} from '../base/arbitraries.ts'
import type { Subject } from '../base/argument-subject.ts'
import { KINDS, TYPE } from '../base/bad-values.ts'
import { type Case, define, fileFlags, FILES, given, indexOf, optional } from '../base/conformance-case.ts'
import { addressOf, dataAt, vectorAt } from '../base/process-memory.ts'
import {
  integrityAt,
  RARE,
  TRANSFER_KINDS,
  transferFields,
  type TransferGiven,
  transferOptions,
  TRANSFERS,
  WRITE_KINDS,
  writeOptions,
  WRITES,
} from '../base/transfer-cases.ts'
import { SELECT, type FixedBits } from '../base/fixed-bits.ts'

const GROUPS: Record<string, (given: TransferGiven<object>) => boolean> = {
  'a group by number': ([, target]) => isGroup(target) && typeof target.group === 'number',
  'a group by object': ([, target]) => isGroup(target) && typeof target.group === 'object',
  'a group, with a length': ([, target]) => isGroup(target) && (target.length ?? 0) > 0,
  'a group of a registered file': ([file, target]) => isGroup(target) && file instanceof FixedFile,
  'a group, without an offset': ([, target, options]) => isGroup(target) && options?.offset === undefined,
  'a group, with an offset': ([, target, options]) => isGroup(target) && options?.offset !== undefined,
}

const VECTORS: Record<string, (given: TransferGiven<readonly Bytes[] | GroupBuffer>) => boolean> = {
  'no buffers': ([, buffers]) => !isGroup(buffers) && buffers.length === 0,
  'as many buffers as there can be': ([, buffers]) => !isGroup(buffers) && buffers.length === 1024,
  'an empty buffer': ([, buffers]) => !isGroup(buffers) && buffers.some(({ byteLength }) => byteLength === 0),
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
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
        return { fields: { ...fields, buffer: 0, length, group: groupNumber(group) }, flags: fileFlags(file) }
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
      ...WRITES,
      'no bytes': ([, bytes]) => bytes.byteLength === 0,
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
      return { fields: { ...fields, count: 1, group: groupNumber(buffers.group) }, flags: fileFlags(file) }
    },
    memory: ([, buffers, options], built) => [
      ...(isGroup(buffers)
        ? [[built.addr, struct([0n, BigInt(buffers.length ?? 0)])] as const]
        : vectorAt(built.addr, buffers)),
      ...integrityAt(options, built),
    ],
    variants: { ...TRANSFERS, ...VECTORS, ...GROUPS },
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
    variants: { ...WRITES, ...VECTORS },
  }),

  ReadMulti: define<[file: FileTarget, group: GroupTarget, options: ReadMultiOptions | undefined]>({
    arguments: fc.tuple(file, groupTarget, optional<ReadMultiOptions>({ length: u32, offset })),
    facade: ([file, group, options]) => new ReadMulti(file, group, options),
    native: ([file, group, options]) => ({
      fields: {
        file: indexOf(file),
        group: groupNumber(group),
        ...given('length', options?.length),
        ...given('offset', options?.offset),
      },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      'a group by number': ([, group]) => typeof group === 'number',
      'a group by object': ([, group]) => typeof group === 'object',
      'the first group': ([, group]) => group === 0,
      'the last group': ([, group]) => group === MAX_U16,
      'no options': ([, , options]) => options === undefined,
      'no offset': ([, , options]) => options !== undefined && options.offset === undefined,
      'an offset beyond 2^53': ([, , options]) => (options?.offset ?? 0) > 2n ** 53n,
      'a length beyond 31 bits': ([, , options]) => (options?.length ?? 0) > 0x7fff_ffff,
    },
  }),
}

const aFile = [KINDS.file, () => 0] as const

export const ARGUMENTS: Record<string, Subject> = {
  Read: {
    Class: Read,
    positional: { file: aFile, bytes: [KINDS.bytesOrGroup, () => Buffer.alloc(8)] },
    options: TRANSFER_KINDS,
    rare: RARE,
  },
  Write: {
    Class: Write,
    positional: { file: aFile, bytes: [[...KINDS.bytes, [{ group: 1 }, TYPE]], () => Buffer.alloc(8)] },
    options: WRITE_KINDS,
    rare: RARE,
  },
  Readv: {
    Class: Readv,
    positional: { file: aFile, buffers: [KINDS.vectorOrGroup, () => [Buffer.alloc(8)]] },
    options: TRANSFER_KINDS,
    rare: RARE,
  },
  Writev: {
    Class: Writev,
    positional: { file: aFile, buffers: [KINDS.vector, () => [Buffer.alloc(8)]] },
    options: WRITE_KINDS,
    rare: RARE,
  },
  ReadMulti: {
    Class: ReadMulti,
    positional: { file: aFile, group: [KINDS.group, () => 1] },
    options: { length: KINDS.u32, offset: KINDS.offset },
  },
}

/** Bits that are always set. */
export const FIXED: Record<string, readonly FixedBits[]> = {
  ReadMulti: [SELECT],
}
