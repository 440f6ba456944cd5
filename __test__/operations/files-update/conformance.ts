// The cases of ts/operations/slots.ts: FilesUpdate, FixedFdInstall.

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

/** What both classes set, from <linux/io_uring.h>: not the facade's own constants. */
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
        // More than is cut from a common chunk.
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
