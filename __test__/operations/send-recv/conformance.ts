// The cases of ts/operations/streams.ts: Send, SendZc, SendBundle, Recv, RecvMulti, RecvBundle, RecvMultiBundle.

import * as fc from 'fast-check'
import {
  type Address,
  type Bytes,
  type BundleOptions,
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
import { boolean, bytes, file, group, mask, struct, u16, u32, vector } from '../base/arbitraries.ts'
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
const IORING = { POLL_FIRST: 1, FIXED_BUF: 4, REPORT_USAGE: 8, VECTORIZED: 32 } as const

const [AF_UNIX, AF_INET, AF_INET6] = [1, 2, 10]

/** An address, and the bytes of its `struct sockaddr`. */
interface Destination {
  readonly to: Address
  readonly bytes: Uint8Array
}

const port = u16

function header(family: number, port: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt16LE(family)
  bytes.writeUInt16BE(port, 2)
  return bytes
}

const internet4 = fc
  .tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), port)
  .map(([address, port]): Destination => ({
    to: { address: address.join('.'), port },
    bytes: Buffer.concat([header(AF_INET, port), address, Buffer.alloc(8)]),
  }))
const internet6 = fc
  .tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), port, u32, u32)
  .map(([address, port, scopeId, flowInfo]): Destination => {
    const [scope, flow] = [Buffer.alloc(4), Buffer.alloc(4)]
    scope.writeUInt32LE(scopeId)
    flow.writeUInt32BE(flowInfo)
    const groups = Buffer.from(address).toString('hex').match(/.{4}/g) ?? []
    return {
      to: { address: groups.join(':'), port, scopeId, flowInfo },
      bytes: Buffer.concat([header(AF_INET6, port), flow, address, scope]),
    }
  })
const unix = fc
  .tuple(fc.constantFrom('/', '\0'), fc.stringMatching(/^[a-z]{1,100}$/))
  .map(([first, rest]): Destination => ({
    to: { path: first + rest },
    bytes: Buffer.concat([
      Buffer.of(AF_UNIX, 0),
      Buffer.from(first + rest),
      Buffer.alloc(first === '/' ? 1 : 0),
    ]),
  }))
const raw = fc
  .uint8Array({ minLength: 2, maxLength: 128 })
  .map((bytes): Destination => ({ to: Uint8Array.from(bytes), bytes }))
const destination = fc.oneof(internet4, internet6, unix, raw)

/** Options with a destination: the facade gets its address. */
type WithDestination<O extends { to?: Address }> = Omit<O, 'to'> & { to?: Destination }

function plain<O extends { to?: Address }>(options: WithDestination<O> | undefined): O | undefined {
  if (options?.to === undefined) return options as O | undefined
  return { ...options, to: options.to.to } as unknown as O
}

const base = { flags: mask, pollFirst: boolean }

function baseFields(options: RecvOptions | undefined, more = 0): Fields {
  return {
    ...given('msg_flags', options?.flags === undefined ? undefined : options.flags >>> 0),
    ioprio: (options?.pollFirst === true ? IORING.POLL_FIRST : 0) | more,
  }
}

function destinationFields(options: { to?: Destination } | undefined, { off }: Built): Fields {
  return options?.to === undefined
    ? {}
    : { destination: off, destination_length: options.to.bytes.byteLength }
}

function destinationAt(options: { to?: Destination } | undefined, { off }: Built): Expected[] {
  return options?.to === undefined ? [] : [[off, options.to.bytes]]
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
type SendGiven<B, O extends SendOptions> = [
  file: FileTarget,
  bytes: B,
  options: WithDestination<O> | undefined,
]

const SENDS: Record<string, (given: SendGiven<Outgoing, SendOptions>) => boolean> = {
  ...(STREAMS as Record<string, (given: SendGiven<Outgoing, SendOptions>) => boolean>),
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
  'an address of IPv6': ([, , options]) => options?.to?.bytes[0] === AF_INET6,
  'the bytes of an address': ([, , options]) => options?.to?.to instanceof Uint8Array,
}

function isGroup(target: Outgoing): target is GroupBuffer {
  return 'group' in target
}

function idOf(group: GroupTarget): number {
  return typeof group === 'number' ? group : group.group
}

/** Where the entry points, and how much is there. */
function source(bytes: Outgoing, { addr }: Built): Fields {
  if (Array.isArray(bytes)) return { buffer: addr, length: bytes.length }
  if (isGroup(bytes)) return { buffer: 0, length: bytes.length ?? 0, group: idOf(bytes.group) }
  if (bytes instanceof FixedBuffer) {
    return { buffer: addressOf(bytes.view), length: bytes.view.byteLength, buffer_index: bytes.index }
  }
  return { buffer: addressOf(bytes), length: bytes.byteLength }
}

function sourceAt(bytes: Outgoing, { addr }: Built): Expected[] {
  const at = (buffer: Bytes): Expected => [addressOf(buffer), contentOf(buffer)]
  if (Array.isArray(bytes)) {
    const iovecs = struct(bytes.flatMap((buffer) => [addressOf(buffer), BigInt(buffer.byteLength)]))
    return [[addr, iovecs], ...[...new Set(bytes)].map(at)]
  }
  if (isGroup(bytes)) return []
  return [at(bytes instanceof FixedBuffer ? bytes.view : bytes)]
}

const fixedBuffer = fc.tuple(u16, bytes).map(([index, view]) => new FixedBuffer(index, view))

const groupTarget: fc.Arbitrary<GroupTarget> = fc.oneof(
  u16,
  u16.map((number) => ({ group: number })),
)

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
      group: idOf(group),
      ...baseFields(options),
      ...given('length', options?.length),
      ...given('limit', options?.limit),
    },
    flags: fileFlags(file),
  }
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  Send: define<SendGiven<Bytes | GroupBuffer | Bytes[], SendOptions>>({
    arguments: fc.tuple(
      file,
      fc.oneof(
        { arbitrary: bytes, weight: 3 },
        { arbitrary: group, weight: 1 },
        { arbitrary: vector, weight: 2 },
      ),
      optional<WithDestination<SendOptions>>({ ...base, to: destination }),
    ),
    facade: ([file, bytes, options]) => new Send(file, bytes, plain<SendOptions>(options)),
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

  SendZc: define<SendGiven<Bytes | FixedBuffer | Bytes[], SendZcOptions>>({
    arguments: fc.tuple(
      file,
      fc.oneof(
        { arbitrary: bytes, weight: 3 },
        { arbitrary: fixedBuffer, weight: 2 },
        { arbitrary: vector, weight: 2 },
      ),
      optional<WithDestination<SendZcOptions>>({ ...base, to: destination, reportUsage: boolean }),
    ),
    facade: ([file, bytes, options]) => new SendZc(file, bytes, plain<SendZcOptions>(options)),
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
      ...(SENDS as Record<string, (given: SendGiven<Outgoing, SendZcOptions>) => boolean>),
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
