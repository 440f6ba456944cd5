// The cases of ts/operations/sockets.ts and ts/operations/sockopts.ts.

import * as fc from 'fast-check'
import {
  Accept,
  AcceptMulti,
  type AcceptMultiOptions,
  type AcceptOptions,
  type Address,
  Bind,
  type Bytes,
  Connect,
  type Direct,
  type FileTarget,
  FixedFile,
  GetSockOpt,
  type GetSockOptOptions,
  Listen,
  SetSockOpt,
  Shutdown,
  Socket,
  SocketCommand,
  type SocketCommandName,
  type SocketCommandOptions,
  type SocketOptions,
} from 'uring'
import { address, addressBytes } from '../../helpers/addresses.ts'
import { boolean, bytes, direct, file, mask, MAX_I32, u32 } from '../base/arbitraries.ts'
import { type Case, define, fileFlags, FILES, given, indexOf, optional } from '../base/conformance-case.ts'
import { contentOf } from '../base/process-memory.ts'
import type { Fields } from '../base/native-rows.ts'

/** What both classes set, from the kernel's headers: not the facade's own constants. */
const SOCK_CLOEXEC = 0o2000000
const ACCEPT_DONTWAIT = 1 << 1
const ACCEPT_POLL_FIRST = 1 << 2
const GETSOCKOPT = 2
const SETSOCKOPT = 3
const GETSOCKNAME = 5
const COMMANDS = { SIOCINQ: 0, SIOCOUTQ: 1, TX_TIMESTAMP: 4, GETSOCKNAME } as const
const ADDRESS_ROOM = 128

const i31 = fc.oneof({ arbitrary: fc.nat(MAX_I32), weight: 5 }, fc.constantFrom(0, 1, MAX_I32))

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

const command: fc.Arbitrary<SocketCommandName | number> = fc.oneof(
  fc.constantFrom(...(Object.keys(COMMANDS) as SocketCommandName[])),
  fc.constantFrom(...Object.values(COMMANDS)),
  u32.filter((number) => number !== GETSOCKOPT && number !== SETSOCKOPT),
)

function commandOf(given: SocketCommandName | number): number {
  return typeof given === 'string' ? COMMANDS[given] : given
}

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

  SetSockOpt: define<[FileTarget, number, number, number | Bytes]>({
    arguments: fc.tuple(file, i31, i31, fc.oneof(mask, bytes)),
    facade: ([file, level, name, value]) => new SetSockOpt(file, level, name, value),
    native: ([file, level, option, value], { addr3 }) => ({
      fields: {
        file: indexOf(file),
        level,
        option,
        value: addr3,
        value_length: typeof value === 'number' ? 4 : value.byteLength,
      },
      flags: fileFlags(file),
    }),
    memory: ([, , , value], { addr3 }) => [
      [addr3, typeof value === 'number' ? new Uint8Array(Uint32Array.of(value).buffer) : contentOf(value)],
    ],
    variants: {
      ...FILES,
      'a number': ([, , , value]) => typeof value === 'number',
      'a number below zero': ([, , , value]) => typeof value === 'number' && value < 0,
      'a number with bit 31': ([, , , value]) => typeof value === 'number' && value >= 2 ** 31,
      bytes: ([, , , value]) => typeof value !== 'number' && value.byteLength > 0,
      'no bytes': ([, , , value]) => typeof value !== 'number' && value.byteLength === 0,
      'a slice of memory': ([, , , value]) => ArrayBuffer.isView(value) && value.byteOffset > 0,
      'shared memory': ([, , , value]) => value instanceof SharedArrayBuffer,
    },
  }),

  GetSockOpt: define<[FileTarget, number, number, GetSockOptOptions | undefined]>({
    arguments: fc.tuple(file, i31, i31, optional<GetSockOptOptions>({ size: fc.nat(40_000) })),
    facade: ([file, level, name, options]) => new GetSockOpt(file, level, name, options),
    native: ([file, level, option, options], { addr3 }) => ({
      fields: { file: indexOf(file), level, option, value: addr3, value_length: options?.size ?? 4 },
      flags: fileFlags(file),
    }),
    memory: ([, , , options], { addr3 }) => [[addr3, new Uint8Array(options?.size ?? 4)]],
    variants: {
      ...FILES,
      'no options': ([, , , options]) => options === undefined,
      'a small size': ([, , , options]) => options?.size !== undefined && options.size < 100,
      'a large size': ([, , , options]) => (options?.size ?? 0) > 2 ** 14,
    },
  }),

  SocketCommand: define<[FileTarget, SocketCommandName | number, SocketCommandOptions | undefined]>({
    arguments: fc
      .tuple(file, command, optional<SocketCommandOptions>({ peer: boolean }))
      .filter(([, command, options]) => options?.peer !== true || commandOf(command) === GETSOCKNAME),
    facade: ([file, command, options]) => new SocketCommand(file, command, options),
    native: ([file, command, options], { addr, addr3 }) => ({
      fields: {
        file: indexOf(file),
        command: commandOf(command),
        ...(commandOf(command) === GETSOCKNAME && addr !== 0n && addr3 !== 0n
          ? { address: addr, address_length: addr3, peer: options?.peer === true ? 1 : 0 }
          : {}),
      },
      flags: fileFlags(file),
    }),
    memory: ([, command], { addr, addr3 }) =>
      commandOf(command) === GETSOCKNAME
        ? [
            [addr, new Uint8Array(ADDRESS_ROOM)],
            [addr3, new Uint8Array(Uint32Array.of(ADDRESS_ROOM).buffer)],
          ]
        : [],
    variants: {
      ...FILES,
      ...Object.fromEntries(
        Object.keys(COMMANDS).map((name) => [
          name,
          ([, command]: [FileTarget, SocketCommandName | number, unknown]) => command === name,
        ]),
      ),
      'the number of a command': ([, command]) => command === GETSOCKNAME,
      'any number': ([, command]) => typeof command === 'number' && command > GETSOCKNAME,
      'no options': ([, , options]) => options === undefined,
      'the peer': ([, , options]) => options?.peer === true,
      'not the peer': ([, command, options]) => options?.peer === false && commandOf(command) === GETSOCKNAME,
    },
  }),
}
