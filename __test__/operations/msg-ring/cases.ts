// The cases of MsgRingData and MsgRingSendFd.

import * as fc from 'fast-check'
import {
  type Direct,
  FixedFile,
  MsgRingData,
  type MsgRingDataOptions,
  MsgRingSendFd,
  type MsgRingSendFdOptions,
} from 'uring'
import { boolean, direct, i32, mask, MAX_I32, wide } from '../base/arbitraries.ts'
import { type Case, define, given, optional } from '../base/conformance-case.ts'
import type { Value } from '../base/native-rows.ts'
import { allBut, type Bad, KINDS, noInteger, RANGE, these, TYPE } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'
import type { FixedBits } from '../base/fixed-bits.ts'

/** Flags that both classes set, from <linux/io_uring.h>: not the facade's own constants. */
const CQE_SKIP = 1
const FLAGS_PASS = 2

const MAX_DATA = 2n ** 62n - 1n
const MESSAGE = 2n ** 63n

const fd = fc.oneof({ arbitrary: fc.nat(MAX_I32), weight: 5 }, fc.constantFrom(0, MAX_I32))
const data = wide(MAX_DATA)

function indexOf(given: Direct): number {
  if (given === 'auto') return -1
  return given instanceof FixedFile ? given.index : given
}

type Data = [fd: number, result: number, data: Value, options: MsgRingDataOptions | undefined]
type File = [fd: number, file: FixedFile, options: MsgRingSendFdOptions | undefined]

export const CONFORMANCE: Record<string, Case<unknown>> = {
  MsgRingData: define<Data>({
    arguments: fc.tuple(fd, i32, data, optional<MsgRingDataOptions>({ flags: mask, userFlags: mask })),
    facade: ([fd, result, data, options]) => new MsgRingData({ fd }, result, data, options),
    native: ([fd, result, data, options]) => {
      const { flags = 0, userFlags } = options ?? {}
      return {
        fields: {
          ring: fd,
          result,
          data: BigInt(data) | MESSAGE,
          ...given('user_flags', userFlags === undefined ? undefined : userFlags >>> 0),
          msg_ring_flags: (userFlags === undefined ? flags : flags | FLAGS_PASS) >>> 0,
        },
      }
    },
    variants: {
      'no options': ([, , , options]) => options === undefined,
      'a result below zero': ([, result]) => result < 0,
      'data that is a number': ([, , data]) => typeof data === 'number',
      'the maximum of data': ([, , data]) => data === MAX_DATA,
      'flags with bit 31': ([, , , options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
      'user flags': ([, , , options]) => (options?.userFlags ?? 0) !== 0,
      'user flags that are 0': ([, , , options]) => options?.userFlags === 0,
    },
  }),

  MsgRingSendFd: define<File>({
    arguments: fc.tuple(
      fd,
      fc.oneof(fc.nat(MAX_I32 - 1), fc.constantFrom(0, MAX_I32 - 1)).map((index) => new FixedFile(index)),
      optional<MsgRingSendFdOptions>({ direct, data, skipCompletion: boolean }),
    ),
    facade: ([fd, file, options]) => new MsgRingSendFd({ fd }, file, options),
    native: ([fd, file, options]) => {
      const { direct = 'auto', data = 0, skipCompletion = false } = options ?? {}
      return {
        fields: {
          ring: fd,
          source: file.index,
          data: BigInt(data) | MESSAGE,
          slot: indexOf(direct),
          msg_ring_flags: skipCompletion ? CQE_SKIP : 0,
        },
      }
    },
    variants: {
      'no options': ([, , options]) => options === undefined,
      'a slot that the kernel chooses': ([, , options]) => options?.direct === 'auto',
      'outside the table': ([, , options]) => options !== undefined && options.direct === undefined,
      'the first slot': ([, , options]) => options?.direct === 0,
      'a slot by number': ([, , options]) => typeof options?.direct === 'number',
      'a slot by object': ([, , options]) => options?.direct instanceof FixedFile,
      'the maximum of data': ([, , options]) => options?.data === MAX_DATA,
      'no completion': ([, , options]) => options?.skipCompletion === true,
    },
  }),
}

const ring: Bad[] = [
  ...allBut([]),
  ...these([{ fd: '3' }, { fd: null }, { fd: undefined }, { fd: 3n }, new FixedFile(3)], TYPE),
  ...these([{ fd: -1 }, { fd: 1.5 }, { fd: Number.NaN }, { fd: 2 ** 31 }], RANGE, '.fd'),
]
const badData: Bad[] = [
  ...allBut(['number', 'bigint']),
  ...these([-1, 0.5, Number.NaN, 2 ** 53, -1n, 2n ** 62n, 2n ** 63n, 2n ** 64n], RANGE),
]
const aRing = [ring, () => ({ fd: 0 })] as const
const fixedFile: Bad[] = [...allBut([]), ...these([{ index: 3 }, { fd: 3 }], TYPE)]

export const ARGUMENTS: Record<string, Subject> = {
  MsgRingData: {
    Class: MsgRingData,
    positional: {
      ring: aRing,
      result: [noInteger(-0x8000_0000, 0x7fff_ffff), () => 0],
      data: [badData, () => 0],
    },
    options: { flags: KINDS.mask, userFlags: KINDS.mask },
  },
  MsgRingSendFd: {
    Class: MsgRingSendFd,
    positional: { ring: aRing, file: [fixedFile, () => new FixedFile(3)] },
    options: { direct: KINDS.direct, data: badData, skipCompletion: KINDS.boolean },
  },
}

/** Bits that are always set. */
export const FIXED: Record<string, readonly FixedBits[]> = {
  MsgRingSendFd: [[16, 8, 1n]],
}
