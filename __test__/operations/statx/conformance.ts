// The cases of ts/operations/paths.ts: OpenAt, Statx.

import { constants } from 'node:fs'
import * as fc from 'fast-check'
import { FixedFile, OpenAt, type OpenAtOptions, type Path, Statx, type StatxOptions } from 'uring'
import {
  AT_FDCWD,
  boolean,
  direct,
  directory,
  mask,
  MAX_I32,
  path,
  pathBytes,
  u16,
  u32,
} from '../base/arbitraries.ts'
import { type Case, define, descriptorOf, given, indexOf, optional } from '../base/conformance-case.ts'

/** What both classes set, from <fcntl.h>: not the facade's own constants. */
const AT_EMPTY_PATH = 0x1000
const O_CLOEXEC = 0o2000000
const STATX_BASIC_STATS_AND_BTIME = 0xfff
const STATX_BYTES = 256

/** The mask of open(2) for the letters of Node.js. */
function openMask(letters: string): number {
  const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_EXCL, O_SYNC } = constants
  const has = (letter: string): boolean => letters.includes(letter)
  return (
    (has('+') ? O_RDWR : has('r') ? O_RDONLY : O_WRONLY) |
    (has('w') ? O_TRUNC | O_CREAT : 0) |
    (has('a') ? O_APPEND | O_CREAT : 0) |
    (has('x') ? O_EXCL : 0) |
    (has('s') ? O_SYNC : 0)
  )
}
// prettier-ignore
const OPEN_LETTERS = [
  'r', 'rs', 'sr', 'r+', 'rs+', 'sr+', 'w', 'wx', 'xw', 'w+', 'wx+', 'xw+',
  'a', 'ax', 'xa', 'as', 'sa', 'a+', 'ax+', 'xa+', 'as+', 'sa+',
] as const

function isDescriptor(target: Path | number | { fd: number }): target is number | { fd: number } {
  return (
    typeof target === 'number' ||
    (typeof target === 'object' && !(target instanceof URL) && !Buffer.isBuffer(target))
  )
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  OpenAt: define<[Path, OpenAtOptions | undefined]>({
    arguments: fc.tuple(
      path,
      optional<OpenAtOptions>({
        flags: fc.oneof(fc.constantFrom(...OPEN_LETTERS), fc.nat(MAX_I32)),
        mode: u16,
        dirfd: directory,
        direct,
        cloexec: boolean,
      }),
    ),
    facade: ([path, options]) => new OpenAt(path, options),
    native: ([, options = {}], { addr }) => {
      const { flags = 'r', mode = 0o666, dirfd = AT_FDCWD, direct, cloexec = true } = options
      const bits = typeof flags === 'string' ? openMask(flags) : flags
      return {
        fields: {
          dirfd: descriptorOf(dirfd),
          path: addr,
          // Registered files are closed with their table; the kernel refuses the flag for them.
          open_flags: bits | (cloexec && direct === undefined ? O_CLOEXEC : 0),
          mode,
          ...given('slot', direct === undefined ? undefined : direct === 'auto' ? -1 : indexOf(direct)),
        },
      }
    },
    memory: ([path], { addr }) => [[addr, pathBytes(path)]],
    variants: {
      'a string': ([path]) => typeof path === 'string',
      'a long path': ([path]) => typeof path === 'string' && path.length > 16_384,
      'a buffer': ([path]) => Buffer.isBuffer(path),
      'a URL': ([path]) => path instanceof URL,
      'no options': ([, options]) => options === undefined,
      'flags as a number': ([, options]) => typeof options?.flags === 'number',
      ...Object.fromEntries(
        OPEN_LETTERS.map((letters) => [
          `flags '${letters}'`,
          ([, options]: [Path, OpenAtOptions | undefined]) => options?.flags === letters,
        ]),
      ),
      'a directory': ([, options]) => typeof options?.dirfd === 'number' && options.dirfd >= 0,
      'a directory as an object': ([, options]) => typeof options?.dirfd === 'object',
      'the working directory': ([, options]) => options?.dirfd === AT_FDCWD,
      'a direct slot by number': ([, options]) => typeof options?.direct === 'number',
      'the first direct slot': ([, options]) => options?.direct === 0,
      'a direct slot by object': ([, options]) => options?.direct instanceof FixedFile,
      'any direct slot': ([, options]) => options?.direct === 'auto',
      'not direct, close-on-exec': ([, options]) => options?.cloexec === true && options.direct === undefined,
      'not direct, not close-on-exec': ([, options]) =>
        options?.cloexec === false && options.direct === undefined,
      'direct, close-on-exec': ([, options]) => options?.cloexec === true && options.direct !== undefined,
    },
  }),

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
