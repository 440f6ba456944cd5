// The cases of Send, SendZc, SendBundle, Recv, RecvBundle, RecvMulti and RecvMultiBundle.

import * as fc from 'fast-check'
import {
  type BundleOptions,
  type Bytes,
  type FileTarget,
  FixedBuffer,
  FixedFile,
  type GroupBuffer,
  type GroupTarget,
  Recv,
  RecvBundle,
  RecvMulti,
  RecvMultiBundle,
  type RecvMultiOptions,
  type RecvOptions,
  Send,
  SendBundle,
  type SendOptions,
  SendZc,
  type SendZcOptions,
} from 'uring'
import { address, addressBytes } from '../../helpers/addresses.ts'
import {
  boolean,
  bytes,
  file,
  group,
  groupNumber,
  groupTarget,
  isGroup,
  mask,
  u16,
  u32,
  vector,
} from '../base/arbitraries.ts'
import type { Subject } from '../base/argument-subject.ts'
import { type Bad, KINDS, TYPE } from '../base/bad-values.ts'
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
import type { Fields } from '../base/native-rows.ts'
import { addressOf, dataAt, type Expected, vectorAt } from '../base/process-memory.ts'
import { BUNDLE, MULTISHOT, SELECT, type FixedBits } from '../base/fixed-bits.ts'

/** Flags from <linux/io_uring.h>: not the facade's own constants. */
const IORING = { POLL_FIRST: 1, FIXED_BUF: 4, REPORT_USAGE: 8, VECTORIZED: 32 } as const

const base = { flags: mask, pollFirst: boolean }

function baseFields(options: RecvOptions | undefined, more = 0): Fields {
  return {
    ...given('msg_flags', options?.flags === undefined ? undefined : options.flags >>> 0),
    ioprio: (options?.pollFirst === true ? IORING.POLL_FIRST : 0) | more,
  }
}

function destinationFields(options: SendOptions | undefined, { off }: Built): Fields {
  return options?.to === undefined
    ? {}
    : { destination: off, destination_length: addressBytes(options.to).length }
}

function destinationAt(options: SendOptions | undefined, { off }: Built): Expected[] {
  return options?.to === undefined ? [] : [[off, addressBytes(options.to)]]
}

type StreamGiven<B, O extends RecvOptions> = [file: FileTarget, bytes: B, options: O | undefined]

const STREAMS: Record<string, (given: StreamGiven<unknown, RecvOptions>) => boolean> = {
  ...FILES,
  'no options': ([, , options]) => options === undefined,
  'flags with bit 31': ([, , options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
  'flags below zero': ([, , options]) => (options?.flags ?? 0) < 0,
  'polls first': ([, , options]) => options?.pollFirst === true,
  'does not poll first': ([, , options]) => options?.pollFirst === false,
}

type Outgoing = Bytes | GroupBuffer | FixedBuffer | Bytes[]

const SENDS: Record<string, (given: StreamGiven<Outgoing, SendOptions>) => boolean> = {
  ...STREAMS,
  'no bytes': ([, bytes]) => 'byteLength' in bytes && bytes.byteLength === 0,
  'several buffers': ([, bytes]) => Array.isArray(bytes) && bytes.length > 1,
  'as many buffers as there can be': ([, bytes]) => Array.isArray(bytes) && bytes.length === 1024,
  'no buffers': ([, bytes]) => Array.isArray(bytes) && bytes.length === 0,
  'memory, to an address': ([, bytes, options]) => 'byteLength' in bytes && options?.to !== undefined,
  'memory, and nothing else': ([, bytes, options]) => 'byteLength' in bytes && options?.to === undefined,
  'several buffers, to an address': ([, bytes, options]) => Array.isArray(bytes) && options?.to !== undefined,
  'several buffers, polls first': ([, bytes, options]) => Array.isArray(bytes) && options?.pollFirst === true,
  'several buffers of a registered file': ([file, bytes]) =>
    Array.isArray(bytes) && file instanceof FixedFile,
  'an address of IPv6': ([, , options]) =>
    (options?.to as { address?: string } | undefined)?.address?.includes(':') === true,
  'the bytes of an address': ([, , options]) => options?.to instanceof Uint8Array,
}

/** The address and the length in the entry. */
function source(bytes: Outgoing, { addr }: Built): Fields {
  if (Array.isArray(bytes)) return { buffer: addr, length: bytes.length }
  if (isGroup(bytes)) return { buffer: 0, length: bytes.length ?? 0, group: groupNumber(bytes.group) }
  if (bytes instanceof FixedBuffer) {
    return { buffer: addressOf(bytes.view), length: bytes.view.byteLength, buffer_index: bytes.index }
  }
  return { buffer: addressOf(bytes), length: bytes.byteLength }
}

function sourceAt(bytes: Outgoing, { addr }: Built): Expected[] {
  if (Array.isArray(bytes)) return vectorAt(addr, bytes)
  if (isGroup(bytes)) return []
  return [dataAt(bytes instanceof FixedBuffer ? bytes.view : bytes)]
}

const fixedBuffer = fc.tuple(u16, bytes).map(([index, view]) => new FixedBuffer(index, view))

type GroupGiven<O extends BundleOptions> = StreamGiven<GroupTarget, O>

const GROUPS: Record<string, (given: GroupGiven<BundleOptions>) => boolean> = {
  ...STREAMS,
  'a group by number': ([, group]) => typeof group === 'number',
  'a group by object': ([, group]) => typeof group === 'object',
  'a length': ([, , options]) => (options?.length ?? 0) > 0,
  'no length': ([, , options]) => options !== undefined && options.length === undefined,
}

const MULTIS: Record<string, (given: GroupGiven<RecvMultiOptions>) => boolean> = {
  ...GROUPS,
  'a limit': ([, , options]) => (options?.limit ?? 0) > 0,
  'no limit': ([, , options]) => options !== undefined && options.limit === undefined,
}

const bundleOptions = optional<BundleOptions>({ ...base, length: u32 })
const multiOptions = optional<RecvMultiOptions>({ ...base, length: u32, limit: u32 })

function groupNative([file, group, options]: GroupGiven<RecvMultiOptions>): {
  fields: Fields
  flags: number
} {
  return {
    fields: {
      file: indexOf(file),
      group: groupNumber(group),
      ...baseFields(options),
      ...given('length', options?.length),
      ...given('limit', options?.limit),
    },
    flags: fileFlags(file),
  }
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  Send: define<StreamGiven<Bytes | GroupBuffer | Bytes[], SendOptions>>({
    arguments: fc.tuple(
      file,
      fc.oneof(
        { arbitrary: bytes, weight: 3 },
        { arbitrary: group, weight: 1 },
        { arbitrary: vector, weight: 2 },
      ),
      optional<SendOptions>({ ...base, to: address }),
    ),
    facade: ([file, bytes, options]) => new Send(file, bytes, options),
    native: ([file, bytes, options], built) => ({
      fields: {
        file: indexOf(file),
        ...source(bytes, built),
        ...baseFields(options, Array.isArray(bytes) ? IORING.VECTORIZED : 0),
        ...destinationFields(options, built),
      },
      flags: fileFlags(file),
    }),
    memory: ([, bytes, options], built) => [...sourceAt(bytes, built), ...destinationAt(options, built)],
    variants: {
      ...SENDS,
      'a group by number': ([, bytes]) => isGroup(bytes) && typeof bytes.group === 'number',
      'a group by object': ([, bytes]) => isGroup(bytes) && typeof bytes.group === 'object',
      'a group, with a length': ([, bytes]) => isGroup(bytes) && (bytes.length ?? 0) > 0,
      'a group, to an address': ([, bytes, options]) => isGroup(bytes) && options?.to !== undefined,
      'a group, polls first': ([, bytes, options]) => isGroup(bytes) && options?.pollFirst === true,
    },
  }),

  SendZc: define<StreamGiven<Bytes | FixedBuffer | Bytes[], SendZcOptions>>({
    arguments: fc.tuple(
      file,
      fc.oneof(
        { arbitrary: bytes, weight: 3 },
        { arbitrary: fixedBuffer, weight: 2 },
        { arbitrary: vector, weight: 2 },
      ),
      optional<SendZcOptions>({ ...base, to: address, reportUsage: boolean }),
    ),
    facade: ([file, bytes, options]) => new SendZc(file, bytes, options),
    native: ([file, bytes, options], built) => ({
      fields: {
        file: indexOf(file),
        ...source(bytes, built),
        ...baseFields(
          options,
          (Array.isArray(bytes) ? IORING.VECTORIZED : 0) |
            (bytes instanceof FixedBuffer ? IORING.FIXED_BUF : 0) |
            (options?.reportUsage === true ? IORING.REPORT_USAGE : 0),
        ),
        ...destinationFields(options, built),
      },
      flags: fileFlags(file),
    }),
    memory: ([, bytes, options], built) => [...sourceAt(bytes, built), ...destinationAt(options, built)],
    variants: {
      ...SENDS,
      'a registered buffer': ([, bytes]) => bytes instanceof FixedBuffer && bytes.view.byteLength > 0,
      'a registered buffer of a registered file': ([file, bytes]) =>
        bytes instanceof FixedBuffer && file instanceof FixedFile,
      'a registered buffer, to an address': ([, bytes, options]) =>
        bytes instanceof FixedBuffer && options?.to !== undefined,
      'reports its usage': ([, , options]) => options?.reportUsage === true,
      'does not report its usage': ([, , options]) => options?.reportUsage === false,
    },
  }),

  Recv: define<StreamGiven<Bytes | GroupBuffer, RecvOptions>>({
    arguments: fc.tuple(
      file,
      fc.oneof({ arbitrary: bytes, weight: 2 }, { arbitrary: group, weight: 1 }),
      optional<RecvOptions>(base),
    ),
    facade: ([file, bytes, options]) => new Recv(file, bytes, options),
    native: ([file, bytes, options], built) => ({
      fields: { file: indexOf(file), ...source(bytes, built), ...baseFields(options) },
      flags: fileFlags(file),
    }),
    memory: ([, bytes], built) => sourceAt(bytes, built),
    variants: {
      ...STREAMS,
      'no bytes': ([, bytes]) => !isGroup(bytes) && bytes.byteLength === 0,
      'a group by number': ([, bytes]) => isGroup(bytes) && typeof bytes.group === 'number',
      'a group by object': ([, bytes]) => isGroup(bytes) && typeof bytes.group === 'object',
      'a group, with a length': ([, bytes]) => isGroup(bytes) && (bytes.length ?? 0) > 0,
      'a group of a registered file': ([file, bytes]) => isGroup(bytes) && file instanceof FixedFile,
      'a group, polls first': ([, bytes, options]) => isGroup(bytes) && options?.pollFirst === true,
    },
  }),

  SendBundle: define<GroupGiven<BundleOptions>>({
    arguments: fc.tuple(file, groupTarget, bundleOptions),
    facade: ([file, group, options]) => new SendBundle(file, group, options),
    native: groupNative,
    variants: GROUPS,
  }),

  RecvBundle: define<GroupGiven<BundleOptions>>({
    arguments: fc.tuple(file, groupTarget, bundleOptions),
    facade: ([file, group, options]) => new RecvBundle(file, group, options),
    native: groupNative,
    variants: GROUPS,
  }),

  RecvMulti: define<GroupGiven<RecvMultiOptions>>({
    arguments: fc.tuple(file, groupTarget, multiOptions),
    facade: ([file, group, options]) => new RecvMulti(file, group, options),
    native: groupNative,
    variants: MULTIS,
  }),

  RecvMultiBundle: define<GroupGiven<RecvMultiOptions>>({
    arguments: fc.tuple(file, groupTarget, multiOptions),
    facade: ([file, group, options]) => new RecvMultiBundle(file, group, options),
    native: groupNative,
    variants: MULTIS,
  }),
}

// ---- arguments

/** Bad values where several buffers are good too: an array is bad by its elements. */
function orVector(kind: readonly Bad[]): Bad[] {
  return [
    ...kind.filter(([value]) => !Array.isArray(value)),
    ...KINDS.vector.filter(([value]) => Array.isArray(value)),
  ]
}

const aRegisteredBuffer = new FixedBuffer(0, Buffer.alloc(8))
const aFile = [KINDS.file, () => 0] as const
const stream = { flags: KINDS.mask, pollFirst: KINDS.boolean }
const bundle = { ...stream, length: KINDS.u32 }
const multi = { ...bundle, limit: KINDS.u32 }
const send = { ...stream, to: KINDS.address }

export const ARGUMENTS: Record<string, Subject> = {
  Send: {
    Class: Send,
    positional: {
      file: aFile,
      bytes: [[...orVector(KINDS.bytesOrGroup), [aRegisteredBuffer, TYPE]], () => Buffer.alloc(8)],
    },
    options: send,
  },
  SendZc: {
    Class: SendZc,
    positional: {
      file: aFile,
      bytes: [[...orVector(KINDS.bytes), [{ group: 1 }, TYPE], [{ index: 0 }, TYPE]], () => Buffer.alloc(8)],
    },
    options: { ...send, reportUsage: KINDS.boolean },
  },
  SendBundle: {
    Class: SendBundle,
    positional: { file: aFile, group: [KINDS.group, () => 1] },
    options: bundle,
  },
  Recv: {
    Class: Recv,
    positional: {
      file: aFile,
      bytes: [[...KINDS.bytesOrGroup, [aRegisteredBuffer, TYPE]], () => Buffer.alloc(8)],
    },
    options: stream,
  },
  RecvMulti: { Class: RecvMulti, positional: { file: aFile, group: [KINDS.group, () => 1] }, options: multi },
  RecvBundle: {
    Class: RecvBundle,
    positional: { file: aFile, group: [KINDS.group, () => 1] },
    options: bundle,
  },
  RecvMultiBundle: {
    Class: RecvMultiBundle,
    positional: { file: aFile, group: [KINDS.group, () => 1] },
    options: multi,
  },
}

/** Bits that are always set. */
export const FIXED: Record<string, readonly FixedBits[]> = {
  SendBundle: [SELECT, BUNDLE],
  RecvMulti: [SELECT, MULTISHOT],
  RecvBundle: [SELECT, BUNDLE],
  RecvMultiBundle: [SELECT, MULTISHOT, BUNDLE],
}
