// The cases of SetSockOpt, GetSockOpt and SocketCommand.

import * as fc from 'fast-check'
import {
  type Bytes,
  type FileTarget,
  GetSockOpt,
  type GetSockOptOptions,
  SetSockOpt,
  SocketCommand,
  type SocketCommandName,
  type SocketCommandOptions,
} from 'uring'
import { boolean, bytes, file, i31, mask, u32 } from '../base/arbitraries.ts'
import type { Subject } from '../base/argument-subject.ts'
import { allBut, type Bad, KINDS, numbers, RANGE, these, TYPE, VALUE } from '../base/bad-values.ts'
import { type Case, define, fileFlags, FILES, indexOf, optional } from '../base/conformance-case.ts'
import { contentOf } from '../base/process-memory.ts'
import type { FixedBits } from '../base/fixed-bits.ts'

/** Constants from the kernel's headers: not the facade's own. */
const GETSOCKOPT = 2
const SETSOCKOPT = 3
const GETSOCKNAME = 5
const COMMANDS = { SIOCINQ: 0, SIOCOUTQ: 1, TX_TIMESTAMP: 4, GETSOCKNAME } as const
const ADDRESS_ROOM = 128

const command: fc.Arbitrary<SocketCommandName | number> = fc.oneof(
  fc.constantFrom(...(Object.keys(COMMANDS) as SocketCommandName[])),
  fc.constantFrom(...Object.values(COMMANDS)),
  u32.filter((number) => number !== GETSOCKOPT && number !== SETSOCKOPT),
)

function commandOf(given: SocketCommandName | number): number {
  return typeof given === 'string' ? COMMANDS[given] : given
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
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

// ---- arguments

const aFile = [KINDS.file, () => 0] as const

/** Bytes whose length does not fit into an `int`, without the memory. */
const HUGE = Object.defineProperty(new Uint8Array(1), 'byteLength', { value: 2 ** 31 })

const value: Bad[] = [
  ...allBut(['number', 'bytes']),
  ...these([{ byteLength: 4 }, { buffer: new ArrayBuffer(4), byteOffset: 0, byteLength: 4 }], TYPE),
  ...numbers(KINDS.mask),
  ...these([HUGE], RANGE, '.byteLength'),
]

const badCommand: Bad[] = [
  ...allBut(['number'], VALUE),
  ...these(['siocinq', 'SIOCINQ ', 'toString', '__proto__', ['SIOCINQ'], Object('SIOCINQ')], VALUE),
  // These commands have classes of their own.
  ...these(['GETSOCKOPT', 'SETSOCKOPT', 2, 3], VALUE),
  ...numbers(KINDS.u32),
]

export const ARGUMENTS: Record<string, Subject> = {
  SetSockOpt: {
    Class: SetSockOpt,
    positional: {
      file: aFile,
      level: [KINDS.i31, () => 1],
      name: [KINDS.i31, () => 2],
      value: [value, () => 1],
    },
    options: undefined,
  },
  GetSockOpt: {
    Class: GetSockOpt,
    positional: { file: aFile, level: [KINDS.i31, () => 1], name: [KINDS.i31, () => 2] },
    options: { size: KINDS.i31 },
  },
  SocketCommand: {
    Class: SocketCommand,
    positional: { file: aFile, command: [badCommand, () => 'SIOCINQ'] },
    // The good command takes no peer.
    options: { peer: [...KINDS.boolean, [true, VALUE]] },
  },
}

/** Bits that are always set. */
export const FIXED: Record<string, readonly FixedBits[]> = {
  GetSockOpt: [[8, 4, 2n]],
  SetSockOpt: [[8, 4, 3n]],
}
