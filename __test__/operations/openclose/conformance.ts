// The cases of ts/operations/files.ts: Fsync, Close.

import * as fc from 'fast-check'
import { Close, type FileTarget, FixedFile, Fsync, type FsyncOptions } from 'uring'
import { boolean, file, offset, u32 } from '../base/arbitraries.ts'
import {
  type Case,
  define,
  descriptorOf,
  fileFlags,
  FILES,
  given,
  indexOf,
  optional,
} from '../base/conformance-case.ts'

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

  Close: define<[FileTarget]>({
    arguments: fc.tuple(file),
    facade: ([file]) => new Close(file),
    // A slot is named in its own field, and without the flag that marks registered files elsewhere.
    native: ([file]) => ({
      fields: file instanceof FixedFile ? { slot: file.index } : { fd: descriptorOf(file) },
    }),
    variants: FILES,
  }),
}
