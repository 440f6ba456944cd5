// The cases of FilesUpdate and FixedFdInstall.

import * as fc from 'fast-check'
import {
  FilesUpdate,
  type FilesUpdateOptions,
  FixedFdInstall,
  type FixedFdInstallOptions,
  FixedFile,
  type SlotContent,
} from 'uring'
import { boolean, MAX_I32, MAX_U64 } from '../base/arbitraries.ts'
import { type Case, define, descriptorOf, given, optional } from '../base/conformance-case.ts'
import { allBut, type Bad, KINDS, noInteger, these, TYPE } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'
import { FIXED_FILE, NO_FILE, type FixedBits } from '../base/fixed-bits.ts'

/** Flags that both classes set, from <linux/io_uring.h>: not the facade's own constants. */
const NO_CLOEXEC = 1

const fd = fc.oneof({ arbitrary: fc.nat(MAX_I32), weight: 5 }, fc.constantFrom(0, 1, MAX_I32))
const content: fc.Arbitrary<SlotContent> = fc.oneof(
  fd,
  fd.map((number) => ({ fd: number })),
  fc.constantFrom(-1, -2),
)
const slot = fc.oneof({ arbitrary: fc.nat(MAX_I32 - 1), weight: 5 }, fc.constantFrom(0, 1, MAX_I32 - 1))

export const CONFORMANCE: Record<string, Case<unknown>> = {
  FilesUpdate: define<[SlotContent[], FilesUpdateOptions | undefined]>({
    arguments: fc.tuple(
      fc.oneof(
        { arbitrary: fc.array(content, { maxLength: 12 }), weight: 30 },
        // Too long for a block of a shared chunk.
        content.map((one) => Array.from({ length: 5000 }, () => one)),
      ),
      optional<FilesUpdateOptions>({ offset: fc.oneof(slot, fc.constant('auto' as const)) }),
    ),
    facade: ([files, options]) => new FilesUpdate(files, options),
    native: ([files, options], { addr }) => ({
      fields: {
        fds: addr,
        count: files.length,
        ...given('offset', options?.offset === 'auto' ? MAX_U64 : options?.offset),
      },
    }),
    memory: ([files], { addr }) => [[addr, new Uint8Array(Int32Array.from(files, descriptorOf).buffer)]],
    variants: {
      'no files': ([files]) => files.length === 0,
      'many files': ([files]) => files.length === 5000,
      'a descriptor': ([files]) => files.some((file) => typeof file === 'number' && file >= 0),
      'an object with a descriptor': ([files]) => files.some((file) => typeof file === 'object'),
      'a slot to empty': ([files]) => files.includes(-1),
      'a slot to leave': ([files]) => files.includes(-2),
      'no options': ([, options]) => options === undefined,
      'no offset': ([, options]) => options !== undefined && options.offset === undefined,
      'the first slot': ([, options]) => options?.offset === 0,
      'the last slot': ([, options]) => options?.offset === MAX_I32 - 1,
      'any slots': ([, options]) => options?.offset === 'auto',
    },
  }),

  FixedFdInstall: define<[FixedFile, FixedFdInstallOptions | undefined]>({
    arguments: fc.tuple(
      slot.map((index) => new FixedFile(index)),
      optional<FixedFdInstallOptions>({ cloexec: boolean }),
    ),
    facade: ([file, options]) => new FixedFdInstall(file, options),
    native: ([{ index }, options]) => ({
      fields: { index, ...given('install_flags', options?.cloexec === false ? NO_CLOEXEC : undefined) },
    }),
    variants: {
      'the first slot': ([{ index }]) => index === 0,
      'the last slot': ([{ index }]) => index === MAX_I32 - 1,
      'no options': ([, options]) => options === undefined,
      'an empty object': ([, options]) => options !== undefined && options.cloexec === undefined,
      'close-on-exec': ([, options]) => options?.cloexec === true,
      'not close-on-exec': ([, options]) => options?.cloexec === false,
    },
  }),
}

/** Values that are no content of a slot: -1 and -2 are, fixed files are not. */
const badContent: Bad[] = [
  ...KINDS.file.filter(([value]) => value !== -1),
  ...these([-3, -(2 ** 31)], 'ERR_OUT_OF_RANGE'),
  ...these([new FixedFile(3), '-1', -1n], TYPE),
]
const inside: Bad[] = badContent.flatMap(([value, code, path = '']): Bad[] => [
  [[value], code, `[0]${path}`],
  [[0, -1, value, { fd: 3 }], code, `[2]${path}`],
])
const files: Bad[] = [
  ...allBut(['array']),
  ...these([{ length: 1, 0: 3 }, new Set([3]), Int32Array.of(3), 'auto'], TYPE),
  ...inside,
  ...these([Array.from({ length: 2 })], TYPE, '[0]'),
  ...these([Object.assign([1], { length: 3 })], TYPE, '[1]'),
]

export const ARGUMENTS: Record<string, Subject> = {
  FilesUpdate: {
    Class: FilesUpdate,
    positional: { files: [files, () => [0]] },
    options: {
      offset: [
        ...noInteger(0, MAX_I32 - 1),
        ...these(['any', 'AUTO', { fd: 3 }, new FixedFile(3), ['auto']], TYPE),
      ],
    },
  },
  FixedFdInstall: {
    Class: FixedFdInstall,
    positional: {
      file: [[...allBut([]), ...these([{ fd: 3 }, { index: 3 }, -1], TYPE)], () => new FixedFile(0)],
    },
    options: { cloexec: KINDS.boolean },
  },
}

/** Bits that are always set. */
export const FIXED: Record<string, readonly FixedBits[]> = {
  FilesUpdate: [NO_FILE],
  FixedFdInstall: [FIXED_FILE],
}
