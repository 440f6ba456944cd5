// The cases of Socket, Bind, Connect, Listen, Accept, AcceptMulti and Shutdown.

import * as fc from 'fast-check'
import {
  Accept,
  AcceptMulti,
  type AcceptMultiOptions,
  type AcceptOptions,
  type Address,
  Bind,
  Connect,
  type Direct,
  type FileTarget,
  FixedFile,
  Listen,
  Shutdown,
  Socket,
  SocketDomain,
  type SocketOptions,
  SocketType,
} from 'uring'
import { address, addressBytes } from '../../helpers/addresses.ts'
import { boolean, direct, file, i31, mask } from '../base/arbitraries.ts'
import type { Subject } from '../base/argument-subject.ts'
import { absent, allBut, type Bad, KINDS, numbers, these, VALUE } from '../base/bad-values.ts'
import { type Case, define, fileFlags, FILES, given, indexOf, optional } from '../base/conformance-case.ts'
import type { Fields } from '../base/native-rows.ts'
import type { FixedBits } from '../base/fixed-bits.ts'

/** Constants from the kernel's headers: not the facade's own. */
const SOCK_CLOEXEC = 0o2000000
const ACCEPT_DONTWAIT = 1 << 1
const ACCEPT_POLL_FIRST = 1 << 2
const ADDRESS_ROOM = 128

function slotField(direct: Direct | undefined): Fields {
  return given('slot', direct === undefined ? undefined : direct === 'auto' ? -1 : indexOf(direct))
}

const DIRECT: Record<string, (given: readonly [...unknown[], { direct?: Direct } | undefined]) => boolean> = {
  'no options': (all) => all.at(-1) === undefined,
  'a slot by number': (all) => typeof directOf(all) === 'number',
  'the first slot': (all) => directOf(all) === 0,
  'a slot by object': (all) => directOf(all) instanceof FixedFile,
  'any slot': (all) => directOf(all) === 'auto',
}

function directOf(all: readonly unknown[]): Direct | undefined {
  return (all.at(-1) as { direct?: Direct } | undefined)?.direct
}

function cloexecVariants<A extends readonly unknown[]>(): Record<string, (given: A) => boolean> {
  const options = (all: A): { direct?: Direct; cloexec?: boolean } =>
    (all.at(-1) as { direct?: Direct; cloexec?: boolean } | undefined) ?? {}
  const is = (cloexec: boolean, direct: boolean) => (all: A) =>
    options(all).cloexec === cloexec && (options(all).direct !== undefined) === direct
  return {
    'close-on-exec': is(true, false),
    'not close-on-exec': is(false, false),
    'direct, close-on-exec': is(true, true),
    'direct, not close-on-exec': is(false, true),
  }
}

function addressed(Class: typeof Bind | typeof Connect): Case<unknown> {
  return define<[FileTarget, Address]>({
    arguments: fc.tuple(file, address),
    facade: ([file, address]) => new Class(file, address),
    native: ([file, address], { addr }) => ({
      fields: { file: indexOf(file), address: addr, address_length: addressBytes(address).length },
      flags: fileFlags(file),
    }),
    memory: ([, address], { addr }) => [[addr, addressBytes(address)]],
    variants: {
      ...FILES,
      IPv4: ([, address]) => 'address' in address && address.address.includes('.'),
      IPv6: ([, address]) => 'address' in address && address.address.includes(':'),
      'a scope': ([, address]) => 'scopeId' in address && (address.scopeId ?? 0) > 0,
      'a flow': ([, address]) => 'flowInfo' in address && (address.flowInfo ?? 0) > 0,
      'a path': ([, address]) => 'path' in address && address.path.startsWith('/'),
      'an abstract name': ([, address]) => 'path' in address && address.path.startsWith('\0'),
      'no name': ([, address]) => 'path' in address && address.path === '',
      bytes: ([, address]) => address instanceof Uint8Array,
    },
  })
}

function acceptFields(options: AcceptMultiOptions<Direct | undefined> | undefined): Fields {
  const { flags = 0, direct, cloexec = true, dontWait = false, pollFirst = false } = options ?? {}
  return {
    accept_flags: (flags | (cloexec && direct === undefined ? SOCK_CLOEXEC : 0)) >>> 0,
    ioprio: (dontWait ? ACCEPT_DONTWAIT : 0) | (pollFirst ? ACCEPT_POLL_FIRST : 0),
    ...slotField(direct),
  }
}

const ACCEPTING: Record<
  string,
  (given: readonly [FileTarget, AcceptMultiOptions<Direct | undefined> | undefined]) => boolean
> = {
  'flags with bit 31': ([, options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
  'flags below zero': ([, options]) => (options?.flags ?? 0) < 0,
  'does not wait': ([, options]) => options?.dontWait === true && options.pollFirst !== true,
  'polls first': ([, options]) => options?.pollFirst === true && options.dontWait !== true,
  both: ([, options]) => options?.pollFirst === true && options.dontWait === true,
}

const HOW = { read: 0, write: 1, both: 2 } as const
type How = keyof typeof HOW | number

export const CONFORMANCE: Record<string, Case<unknown>> = {
  Socket: define<[number, number, SocketOptions | undefined]>({
    arguments: fc.tuple(i31, i31, optional<SocketOptions>({ protocol: i31, direct, cloexec: boolean })),
    facade: ([domain, type, options]) => new Socket(domain, type, options),
    native: ([domain, type, options = {}]) => {
      const { protocol = 0, direct, cloexec = true } = options
      const kind = type | (cloexec && direct === undefined ? SOCK_CLOEXEC : 0)
      return { fields: { domain, kind, protocol, ...slotField(direct) } }
    },
    variants: {
      ...DIRECT,
      ...cloexecVariants(),
      'close-on-exec in the type': ([, type, options]) =>
        (type & SOCK_CLOEXEC) !== 0 && options?.cloexec === false,
      'a protocol': ([, , options]) => (options?.protocol ?? 0) > 0,
    },
  }),

  Bind: addressed(Bind),
  Connect: addressed(Connect),

  Listen: define<[FileTarget, number | undefined]>({
    arguments: fc.tuple(file, fc.oneof({ arbitrary: i31, weight: 5 }, fc.constant(undefined))),
    facade: ([file, backlog]) => (backlog === undefined ? new Listen(file) : new Listen(file, backlog)),
    native: ([file, backlog = 511]) => ({
      fields: { file: indexOf(file), backlog },
      flags: fileFlags(file),
    }),
    variants: { ...FILES, 'no backlog': ([, backlog]) => backlog === undefined },
  }),

  Accept: define<[FileTarget, AcceptOptions | undefined]>({
    arguments: fc.tuple(
      file,
      optional<AcceptOptions>({
        address: boolean,
        flags: mask,
        direct,
        cloexec: boolean,
        dontWait: boolean,
        pollFirst: boolean,
      }),
    ),
    facade: ([file, options]) => new Accept(file, options),
    native: ([file, options], { addr, off }) => ({
      fields: {
        file: indexOf(file),
        ...acceptFields(options),
        ...(options?.address === true && addr !== 0n && off !== 0n
          ? { address: addr, address_length: off }
          : {}),
      },
      flags: fileFlags(file),
    }),
    memory: ([, options], { addr, off }) =>
      options?.address === true
        ? [
            [addr, new Uint8Array(ADDRESS_ROOM)],
            [off, new Uint8Array(Uint32Array.of(ADDRESS_ROOM).buffer)],
          ]
        : [],
    variants: {
      ...FILES,
      ...DIRECT,
      ...ACCEPTING,
      ...cloexecVariants(),
      'the address': ([, options]) => options?.address === true,
      'not the address': ([, options]) => options?.address === false,
    },
  }),

  AcceptMulti: define<[FileTarget, AcceptMultiOptions | undefined]>({
    arguments: fc.tuple(
      file,
      optional<AcceptMultiOptions>({
        flags: mask,
        direct: fc.constant('auto'),
        cloexec: boolean,
        dontWait: boolean,
        pollFirst: boolean,
      }),
    ),
    facade: ([file, options]) => new AcceptMulti(file, options),
    native: ([file, options]) => ({
      fields: { file: indexOf(file), ...acceptFields(options) },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      ...ACCEPTING,
      ...cloexecVariants(),
      'no options': ([, options]) => options === undefined,
      'any slot': ([, options]) => options?.direct === 'auto',
    },
  }),

  Shutdown: define<[FileTarget, How | undefined]>({
    arguments: fc.tuple(
      file,
      fc.oneof(fc.constantFrom(...(Object.keys(HOW) as How[])), i31, fc.constant(undefined)),
    ),
    facade: ([file, how]) => (how === undefined ? new Shutdown(file) : new Shutdown(file, how)),
    native: ([file, how = 'both']) => ({
      fields: { file: indexOf(file), how: typeof how === 'string' ? HOW[how] : how },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      'no direction': ([, how]) => how === undefined,
      'a number': ([, how]) => typeof how === 'number',
      ...Object.fromEntries(
        Object.keys(HOW).map((name) => [name, ([, how]: [FileTarget, How | undefined]) => how === name]),
      ),
    },
  }),
}

// ---- arguments

const aFile = [KINDS.file, () => 0] as const

const accepting = {
  flags: KINDS.mask,
  cloexec: KINDS.boolean,
  dontWait: KINDS.boolean,
  pollFirst: KINDS.boolean,
}

const how: Bad[] = [
  ...absent(allBut(['number'], VALUE)),
  ...these(['RD', 'WR', 'Both', 'read ', 'toString', '__proto__', ['read'], Object('read')], VALUE),
  ...numbers(KINDS.i31),
]

export const ARGUMENTS: Record<string, Subject> = {
  Socket: {
    Class: Socket,
    positional: {
      domain: [KINDS.i31, () => SocketDomain.INET],
      type: [KINDS.i31, () => SocketType.STREAM],
    },
    options: { protocol: KINDS.i31, direct: KINDS.direct, cloexec: KINDS.boolean },
  },
  Bind: {
    Class: Bind,
    positional: { file: aFile, address: [KINDS.address, () => ({ path: '' })] },
    options: undefined,
  },
  Connect: {
    Class: Connect,
    positional: { file: aFile, address: [KINDS.address, () => ({ address: '127.0.0.1', port: 80 })] },
    options: undefined,
  },
  Listen: {
    Class: Listen,
    positional: { file: aFile, backlog: [absent(KINDS.i31), () => 1] },
    options: undefined,
  },
  Accept: {
    Class: Accept,
    positional: { file: aFile },
    options: { ...accepting, address: KINDS.boolean, direct: KINDS.direct },
  },
  AcceptMulti: {
    Class: AcceptMulti,
    positional: { file: aFile },
    options: {
      ...accepting,
      direct: [...allBut([], VALUE), ...these([0, 'any', 'AUTO', ['auto'], Object('auto')], VALUE)],
    },
  },
  Shutdown: {
    Class: Shutdown,
    positional: {
      file: aFile,
      how: [how, () => 'both'],
    },
    options: undefined,
  },
}

/** Bits that are always set. */
export const FIXED: Record<string, readonly FixedBits[]> = {
  AcceptMulti: [[2, 2, 1n]],
}
