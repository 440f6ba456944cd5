// The cases of Splice, Tee and Pipe.

import * as fc from 'fast-check'
import {
  type FileTarget,
  FixedFile,
  Pipe,
  type PipeOptions,
  Splice,
  type SpliceOptions,
  Tee,
  type TeeOptions,
} from 'uring'
import { boolean, direct, file, mask, MAX_U32, offset, u32 } from '../base/arbitraries.ts'
import { type Case, define, fileFlags, given, indexOf, optional } from '../base/conformance-case.ts'
import type { Fields } from '../base/native-rows.ts'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** Flags that both classes set, from <linux/io_uring.h> and <fcntl.h>: not the facade's own constants. */
const SPLICE_F_FD_IN_FIXED = 2 ** 31
const O_CLOEXEC = 0o2000000
const ENDS_BYTES = 8

function spliceFields(
  from: FileTarget,
  to: FileTarget,
  length: number,
  options: TeeOptions | undefined,
): Fields {
  const flags = (options?.flags ?? 0) | (from instanceof FixedFile ? SPLICE_F_FD_IN_FIXED : 0)
  return { source: indexOf(from), file: indexOf(to), length, splice_flags: flags >>> 0 }
}

type Moves = readonly [from: FileTarget, to: FileTarget, length: number, options: TeeOptions | undefined]

const MOVES: Record<string, (given: Moves) => boolean> = {
  'both descriptors': ([from, to]) => typeof from === 'number' && typeof to === 'number',
  'from an object with a descriptor': ([from]) => typeof from === 'object' && 'fd' in from,
  'to an object with a descriptor': ([, to]) => typeof to === 'object' && 'fd' in to,
  'only from a registered file': ([from, to]) => from instanceof FixedFile && !(to instanceof FixedFile),
  'only to a registered file': ([from, to]) => !(from instanceof FixedFile) && to instanceof FixedFile,
  'both registered files': ([from, to]) => from instanceof FixedFile && to instanceof FixedFile,
  'the longest length': ([, , length]) => length === MAX_U32,
  'no options': ([, , , options]) => options === undefined,
  'no flags': ([, , , options]) => options !== undefined && options.flags === undefined,
  'flags for a registered file': ([from, , , options]) =>
    from instanceof FixedFile && options?.flags !== undefined,
  'flags with bit 31': ([, , , options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
  'flags below zero': ([, , , options]) => (options?.flags ?? 0) < 0,
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  Splice: define<[FileTarget, FileTarget, number, SpliceOptions | undefined]>({
    arguments: fc.tuple(
      file,
      file,
      u32,
      optional<SpliceOptions>({ offsetIn: offset, offsetOut: offset, flags: mask }),
    ),
    facade: ([from, to, length, options]) => new Splice(from, to, length, options),
    native: ([from, to, length, options]) => ({
      fields: {
        ...spliceFields(from, to, length, options),
        ...given('offset_in', options?.offsetIn),
        ...given('offset_out', options?.offsetOut),
      },
      flags: fileFlags(to),
    }),
    variants: {
      ...MOVES,
      'only an offset to start from': ([, , , options]) =>
        options?.offsetIn !== undefined && options.offsetOut === undefined,
      'only an offset to start at': ([, , , options]) =>
        options?.offsetIn === undefined && options?.offsetOut !== undefined,
      'both offsets': ([, , , options]) => options?.offsetIn !== undefined && options.offsetOut !== undefined,
      'no offsets': ([, , , options]) =>
        options !== undefined && options.offsetIn === undefined && options.offsetOut === undefined,
      'offsets beyond 2^53': ([, , , options]) =>
        (options?.offsetIn ?? 0) > 2n ** 53n && (options?.offsetOut ?? 0) > 2n ** 53n,
    },
  }),

  Tee: define<[FileTarget, FileTarget, number, TeeOptions | undefined]>({
    arguments: fc.tuple(file, file, u32, optional<TeeOptions>({ flags: mask })),
    facade: ([from, to, length, options]) => new Tee(from, to, length, options),
    native: ([from, to, length, options]) => ({
      fields: spliceFields(from, to, length, options),
      flags: fileFlags(to),
    }),
    variants: MOVES,
  }),

  Pipe: define<[PipeOptions | undefined]>({
    arguments: fc.tuple(optional<PipeOptions>({ flags: mask, direct, cloexec: boolean })),
    facade: ([options]) => new Pipe(options),
    native: ([options = {}], { addr }) => {
      const { flags = 0, direct, cloexec = true } = options
      return {
        fields: {
          fds: addr,
          // Fixed files are not inherited; the kernel refuses the flag for them.
          pipe_flags: (flags | (cloexec && direct === undefined ? O_CLOEXEC : 0)) >>> 0,
          ...given('slot', direct === undefined ? undefined : direct === 'auto' ? -1 : indexOf(direct)),
        },
      }
    },
    memory: (_, { addr }) => [[addr, new Uint8Array(ENDS_BYTES)]],
    variants: {
      'no options': ([options]) => options === undefined,
      'an empty object': ([options]) => options !== undefined && Object.keys(options).length === 0,
      'flags with bit 31': ([options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
      'flags below zero': ([options]) => (options?.flags ?? 0) < 0,
      'a direct slot by number': ([options]) => typeof options?.direct === 'number',
      'the first direct slot': ([options]) => options?.direct === 0,
      'a direct slot by object': ([options]) => options?.direct instanceof FixedFile,
      'any direct slots': ([options]) => options?.direct === 'auto',
      'not direct, close-on-exec': ([options]) => options?.cloexec === true && options.direct === undefined,
      'not direct, not close-on-exec': ([options]) =>
        options?.cloexec === false && options.direct === undefined,
      'direct, close-on-exec': ([options]) => options?.cloexec === true && options.direct !== undefined,
      'direct, not close-on-exec': ([options]) => options?.cloexec === false && options.direct !== undefined,
    },
  }),
}

const positional = {
  from: [KINDS.file, () => 0],
  to: [KINDS.file, () => 1],
  length: [KINDS.length, () => 8],
} as const

export const ARGUMENTS: Record<string, Subject> = {
  Splice: {
    Class: Splice,
    positional,
    options: { offsetIn: KINDS.offset, offsetOut: KINDS.offset, flags: KINDS.mask },
  },
  Tee: { Class: Tee, positional, options: { flags: KINDS.mask } },
  Pipe: {
    Class: Pipe,
    positional: {},
    options: { flags: KINDS.mask, direct: KINDS.direct, cloexec: KINDS.boolean },
  },
}
