// The cases of Fsync, SyncFileRange and Fallocate.

import * as fc from 'fast-check'
import {
  Fallocate,
  type FallocateOptions,
  type FileTarget,
  Fsync,
  type FsyncOptions,
  SyncFileRange,
  type SyncFileRangeOptions,
} from 'uring'
import { boolean, file, mask, MAX_U32, offset, u32 } from '../base/arbitraries.ts'
import { type Case, define, fileFlags, FILES, given, indexOf, optional } from '../base/conformance-case.ts'
import type { Value } from '../base/native-rows.ts'
import { OFFSETS, size } from '../base/ranges.ts'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

export const CONFORMANCE: Record<string, Case<unknown>> = {
  Fsync: define<[FileTarget, FsyncOptions | undefined]>({
    arguments: fc.tuple(file, optional<FsyncOptions>({ datasync: boolean, offset, length: u32 })),
    facade: ([file, options]) => new Fsync(file, options),
    native: ([file, options = {}]) => ({
      fields: {
        file: indexOf(file),
        ...given('fsync_flags', options.datasync === undefined ? undefined : Number(options.datasync)),
        ...given('offset', options.offset),
        ...given('length', options.length),
      },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      'no options': ([, options]) => options === undefined,
      datasync: ([, options]) => options?.datasync === true,
      'no datasync': ([, options]) => options?.datasync === false,
      'an offset beyond 2^53': ([, options]) => (options?.offset ?? 0) > 2n ** 53n,
      'a length with bit 31': ([, options]) => (options?.length ?? 0) >= 2 ** 31,
    },
  }),

  SyncFileRange: define<[FileTarget, SyncFileRangeOptions | undefined]>({
    arguments: fc.tuple(file, optional<SyncFileRangeOptions>({ offset, length: u32, flags: mask })),
    facade: ([file, options]) => new SyncFileRange(file, options),
    native: ([file, options]) => ({
      fields: {
        file: indexOf(file),
        ...given('offset', options?.offset),
        ...given('length', options?.length),
        ...given('range_flags', options?.flags === undefined ? undefined : options.flags >>> 0),
      },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      ...OFFSETS,
      'no length': ([, options]) => options !== undefined && options.length === undefined,
      'the longest length': ([, options]) => options?.length === MAX_U32,
      'no flags': ([, options]) => options !== undefined && options.flags === undefined,
      'flags with bit 31': ([, options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
      'flags below zero': ([, options]) => (options?.flags ?? 0) < 0,
    },
  }),

  Fallocate: define<[FileTarget, Value, FallocateOptions | undefined]>({
    arguments: fc.tuple(file, size, optional<FallocateOptions>({ offset, mode: mask })),
    facade: ([file, length, options]) => new Fallocate(file, length, options),
    native: ([file, length, options]) => ({
      fields: {
        file: indexOf(file),
        length,
        ...given('offset', options?.offset),
        ...given('mode', options?.mode === undefined ? undefined : options.mode >>> 0),
      },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      ...OFFSETS,
      'a length beyond 2^32': ([, length]) => typeof length === 'number' && length >= 2 ** 32,
      'a length beyond 2^53': ([, length]) => length > 2n ** 53n,
      'no mode': ([, , options]) => options !== undefined && options.mode === undefined,
      'a mode with bit 31': ([, , options]) => ((options?.mode ?? 0) & (2 ** 31)) !== 0,
      'a mode below zero': ([, , options]) => (options?.mode ?? 0) < 0,
    },
  }),
}

const aFile = [KINDS.file, () => 0] as const
const aLength = [KINDS.offset, () => 8] as const

export const ARGUMENTS: Record<string, Subject> = {
  Fsync: {
    Class: Fsync,
    positional: { file: aFile },
    options: { datasync: KINDS.boolean, offset: KINDS.offset, length: KINDS.length },
  },
  SyncFileRange: {
    Class: SyncFileRange,
    positional: { file: aFile },
    options: { offset: KINDS.offset, length: KINDS.length, flags: KINDS.mask },
  },
  Fallocate: {
    Class: Fallocate,
    positional: { file: aFile, length: aLength },
    options: { offset: KINDS.offset, mode: KINDS.mask },
  },
}
