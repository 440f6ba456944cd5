// The cases of Statx.

import * as fc from 'fast-check'
import { type Path, Statx, type StatxOptions } from 'uring'
import { AT_FDCWD, boolean, directory, mask, path, pathBytes, u32 } from '../base/arbitraries.ts'
import { type Case, define, descriptorOf, optional } from '../base/conformance-case.ts'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** Flags that both classes set, from <fcntl.h>: not the facade's own constants. */
const AT_EMPTY_PATH = 0x1000
const STATX_BASIC_STATS_AND_BTIME = 0xfff
const STATX_BYTES = 256

function isDescriptor(target: Path | number | { fd: number }): target is number | { fd: number } {
  return (
    typeof target === 'number' ||
    (typeof target === 'object' && !(target instanceof URL) && !Buffer.isBuffer(target))
  )
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  Statx: define<[Path | number | { fd: number }, StatxOptions | undefined]>({
    arguments: fc.tuple(
      fc.oneof({ arbitrary: path, weight: 3 }, { arbitrary: directory, weight: 2 }),
      optional<StatxOptions>({ dirfd: directory, flags: mask, mask: u32, bigint: boolean }),
    ),
    facade: ([target, options]) => new Statx(target, options),
    native: ([target, options = {}], { addr, off }) => {
      const { dirfd = AT_FDCWD, flags = 0, mask = STATX_BASIC_STATS_AND_BTIME } = options
      const open = isDescriptor(target)
      return {
        fields: {
          dirfd: descriptorOf(open ? target : dirfd),
          path: addr,
          statx: off,
          statx_flags: (open ? flags | AT_EMPTY_PATH : flags) >>> 0,
          mask,
        },
      }
    },
    memory: ([target], { addr, off }) => [
      [addr, isDescriptor(target) ? Uint8Array.of(0) : pathBytes(target)],
      [off, new Uint8Array(STATX_BYTES)],
    ],
    variants: {
      'a path': ([target]) => typeof target === 'string',
      'a buffer': ([target]) => Buffer.isBuffer(target),
      'a URL': ([target]) => target instanceof URL,
      'a descriptor': ([target]) => typeof target === 'number' && target >= 0,
      'an object with a descriptor': ([target]) => isDescriptor(target) && typeof target === 'object',
      'the working directory itself': ([target]) => target === AT_FDCWD,
      'no options': ([, options]) => options === undefined,
      'a directory': ([target, options]) => !isDescriptor(target) && options?.dirfd !== undefined,
      'a descriptor and a directory': ([target, options]) =>
        isDescriptor(target) && options?.dirfd !== undefined,
      'flags with bit 31': ([, options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
      'flags below zero': ([, options]) => (options?.flags ?? 0) < 0,
      'a descriptor, flags with bit 31': ([target, options]) =>
        isDescriptor(target) && ((options?.flags ?? 0) & (2 ** 31)) !== 0,
      'a mask with bit 31': ([, options]) => (options?.mask ?? 0) >= 2 ** 31,
      bigint: ([, options]) => options?.bigint === true,
    },
  }),
}

export const ARGUMENTS: Record<string, Subject> = {
  Statx: {
    Class: Statx,
    positional: { target: [KINDS.pathOrFile, () => '/dev/null'] },
    options: {
      dirfd: KINDS.directory,
      flags: KINDS.mask,
      mask: KINDS.unsignedMask,
      bigint: KINDS.boolean,
    },
  },
}
