// The cases of OpenAt, OpenAt2 and Close.

import { constants } from 'node:fs'
import * as fc from 'fast-check'
import {
  Close,
  type FileTarget,
  FixedFile,
  OpenAt,
  OpenAt2,
  type OpenAt2Options,
  type OpenAtOptions,
  type Path,
} from 'uring'
import {
  AT_FDCWD,
  boolean,
  direct,
  directory,
  file,
  mask,
  MAX_I32,
  path,
  pathBytes,
  struct,
  u16,
} from '../base/arbitraries.ts'
import { type Case, define, descriptorOf, FILES, given, indexOf, optional } from '../base/conformance-case.ts'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'
import type { FixedBits } from '../base/fixed-bits.ts'

/** From <fcntl.h>: not the facade's own constants. */
const O_CLOEXEC = 0o2000000
const O_TMPFILE = 0o20000000

/** Returns the mask of open(2) for the letters of Node.js. */
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

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants

/** Letters of Node.js and their masks, spelled out; OpenAt covers all letters. */
const HOW_LETTERS: Readonly<Record<string, number>> = {
  r: O_RDONLY,
  'r+': O_RDWR,
  w: O_WRONLY | O_CREAT | O_TRUNC,
  'wx+': O_RDWR | O_CREAT | O_TRUNC | O_EXCL,
  a: O_WRONLY | O_CREAT | O_APPEND,
}

function howMask({ flags = 'r' }: OpenAt2Options): number {
  return typeof flags === 'number' ? flags : (HOW_LETTERS[flags] ?? Number.NaN)
}

/** Tells if the flags can create a file. */
function creates(bits: number): boolean {
  return (bits & (O_CREAT | O_TMPFILE)) !== 0
}

function howOf(options: OpenAt2Options): Uint8Array {
  const { mode, resolve = 0, direct, cloexec = true } = options
  const bits = howMask(options)
  return struct([
    // Fixed files are not inherited; the kernel refuses the flag for them.
    BigInt(bits | (cloexec && direct === undefined ? O_CLOEXEC : 0)),
    BigInt(mode ?? (creates(bits) ? 0o666 : 0)),
    BigInt(resolve >>> 0),
  ])
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
          // Fixed files are not inherited; the kernel refuses the flag for them.
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

  OpenAt2: define<[Path, OpenAt2Options | undefined]>({
    arguments: fc.tuple(
      path,
      optional<OpenAt2Options>({
        flags: fc.oneof(
          fc.constantFrom(...Object.keys(HOW_LETTERS)),
          fc.nat(MAX_I32),
          fc.constantFrom(0, O_CREAT, O_DIRECTORY, O_TMPFILE, O_TMPFILE | O_DIRECTORY, MAX_I32),
        ),
        mode: u16,
        resolve: mask,
        dirfd: directory,
        direct,
        cloexec: boolean,
      }),
    ),
    facade: ([path, options]) => new OpenAt2(path, options),
    native: ([, options = {}], { addr, off }) => {
      const { dirfd = AT_FDCWD, direct } = options
      return {
        fields: {
          dirfd: descriptorOf(dirfd),
          path: addr,
          how: off,
          ...given('slot', direct === undefined ? undefined : direct === 'auto' ? -1 : indexOf(direct)),
        },
      }
    },
    memory: ([path, options = {}], { addr, off }) => [
      [addr, pathBytes(path)],
      [off, howOf(options)],
    ],
    variants: {
      'a string': ([path]) => typeof path === 'string',
      'a long path': ([path]) => typeof path === 'string' && path.length > 16_384,
      'a buffer': ([path]) => Buffer.isBuffer(path),
      'a URL': ([path]) => path instanceof URL,
      'no options': ([, options]) => options === undefined,
      ...Object.fromEntries(
        Object.keys(HOW_LETTERS).flatMap((letters) => [
          [
            `flags '${letters}', a mode`,
            ([, options]: [Path, OpenAt2Options | undefined]) =>
              options?.flags === letters && options.mode !== undefined,
          ],
          [
            `flags '${letters}', no mode`,
            ([, options]: [Path, OpenAt2Options | undefined]) =>
              options?.flags === letters && options.mode === undefined,
          ],
        ]),
      ),
      'a directory is not created': ([, options]) =>
        options?.flags === O_DIRECTORY && options.mode === undefined,
      'an unnamed file is a new file': ([, options]) =>
        options?.flags === (O_TMPFILE | O_DIRECTORY) && options.mode === undefined,
      'a mode of 0 for a new file': ([, options]) => options?.flags === O_CREAT && options.mode === 0,
      'resolve with bit 31': ([, options]) => (options?.resolve ?? 0) >= 2 ** 31,
      'resolve below zero': ([, options]) => (options?.resolve ?? 0) < 0,
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

  Close: define<[FileTarget]>({
    arguments: fc.tuple(file),
    facade: ([file]) => new Close(file),
    // A slot has a field of its own, without the flag that marks fixed files elsewhere.
    native: ([file]) => ({
      fields: file instanceof FixedFile ? { slot: file.index } : { fd: descriptorOf(file) },
    }),
    variants: FILES,
  }),
}

const aPath = [KINDS.path, () => '/dev/null'] as const

export const ARGUMENTS: Record<string, Subject> = {
  OpenAt: {
    Class: OpenAt,
    positional: { path: [KINDS.path, () => '/dev/null'] },
    options: {
      flags: KINDS.openFlags,
      mode: KINDS.mode,
      dirfd: KINDS.directory,
      direct: KINDS.direct,
      cloexec: KINDS.boolean,
    },
  },
  Close: { Class: Close, positional: { file: [KINDS.file, () => 0] }, options: undefined },
  OpenAt2: {
    Class: OpenAt2,
    positional: { path: aPath },
    options: {
      flags: KINDS.openFlags,
      mode: KINDS.mode,
      resolve: KINDS.mask,
      dirfd: KINDS.directory,
      direct: KINDS.direct,
      cloexec: KINDS.boolean,
    },
  },
}

/** Bits that are always set. */
export const FIXED: Record<string, readonly FixedBits[]> = {
  OpenAt2: [[24, 4, 24n]],
}
