// The cases of ts/operations/namespace.ts: OpenAt2, RenameAt, LinkAt, SymlinkAt, UnlinkAt, MkDirAt.

import { constants } from 'node:fs'
import * as fc from 'fast-check'
import {
  FixedFile,
  LinkAt,
  type LinkAtOptions,
  MkDirAt,
  type MkDirAtOptions,
  OpenAt2,
  type OpenAt2Options,
  type Path,
  RenameAt,
  type RenameAtOptions,
  SymlinkAt,
  type SymlinkAtOptions,
  UnlinkAt,
  type UnlinkAtOptions,
} from 'uring'
import {
  AT_FDCWD,
  boolean,
  direct,
  directory,
  mask,
  MAX_I32,
  path,
  pathBytes,
  struct,
  u16,
} from '../base/arbitraries.ts'
import { type Case, define, descriptorOf, given, indexOf, optional } from '../base/conformance-case.ts'

/** What both classes set, from <fcntl.h>: not the facade's own constants. */
const AT_REMOVEDIR = 0x200
const O_CLOEXEC = 0o2000000
const O_TMPFILE = 0o20000000

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants

/** Letters of Node.js, and their masks: how all of them are read is shown with OpenAt. */
const OPEN_LETTERS: Readonly<Record<string, number>> = {
  r: O_RDONLY,
  'r+': O_RDWR,
  w: O_WRONLY | O_CREAT | O_TRUNC,
  'wx+': O_RDWR | O_CREAT | O_TRUNC | O_EXCL,
  a: O_WRONLY | O_CREAT | O_APPEND,
}

function openMask({ flags = 'r' }: OpenAt2Options): number {
  return typeof flags === 'number' ? flags : (OPEN_LETTERS[flags] ?? Number.NaN)
}

/** Whether the flags may create a file. */
function creates(bits: number): boolean {
  return (bits & (O_CREAT | O_TMPFILE)) !== 0
}

function howOf(options: OpenAt2Options): Uint8Array {
  const { mode, resolve = 0, direct, cloexec = true } = options
  const bits = openMask(options)
  return struct([
    // Registered files are closed with their table; the kernel refuses the flag for them.
    BigInt(bits | (cloexec && direct === undefined ? O_CLOEXEC : 0)),
    BigInt(mode ?? (creates(bits) ? 0o666 : 0)),
    BigInt(resolve >>> 0),
  ])
}

type Pair = [from: Path, to: Path, options: RenameAtOptions | LinkAtOptions | undefined]

const pair: fc.Arbitrary<Pair> = fc.tuple(
  path,
  path,
  optional<RenameAtOptions>({ oldDirfd: directory, newDirfd: directory, flags: mask }),
)

const PAIRS: Record<string, (given: Pair) => boolean> = {
  strings: ([from, to]) => typeof from === 'string' && typeof to === 'string',
  buffers: ([from, to]) => Buffer.isBuffer(from) && Buffer.isBuffer(to),
  URLs: ([from, to]) => from instanceof URL && to instanceof URL,
  'a string and a buffer': ([from, to]) => typeof from === 'string' && Buffer.isBuffer(to),
  'no options': ([, , options]) => options === undefined,
  'only an old directory': ([, , options]) => Object.keys(options ?? {}).join() === 'oldDirfd',
  'only a new directory': ([, , options]) => Object.keys(options ?? {}).join() === 'newDirfd',
  'the working directory': ([, , options]) =>
    options?.oldDirfd === AT_FDCWD && typeof options.newDirfd === 'object',
  'an old directory as an object': ([, , options]) =>
    typeof options?.oldDirfd === 'object' && options.newDirfd === AT_FDCWD,
  'flags with bit 31': ([, , options]) => (options?.flags ?? 0) >= 2 ** 31,
  'flags below zero': ([, , options]) => (options?.flags ?? 0) < 0,
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  OpenAt2: define<[Path, OpenAt2Options | undefined]>({
    arguments: fc.tuple(
      path,
      optional<OpenAt2Options>({
        flags: fc.oneof(
          fc.constantFrom(...Object.keys(OPEN_LETTERS)),
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
        Object.keys(OPEN_LETTERS).flatMap((letters) => [
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
      'a directory is no new file': ([, options]) =>
        options?.flags === O_DIRECTORY && options.mode === undefined,
      'a file without a name is a new one': ([, options]) =>
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

  RenameAt: define<Pair>({
    arguments: pair,
    facade: ([from, to, options]) => new RenameAt(from, to, options),
    native: ([, , options = {}], { addr, off }) => {
      const { oldDirfd = AT_FDCWD, newDirfd = AT_FDCWD, flags = 0 } = options
      return {
        fields: {
          old_dirfd: descriptorOf(oldDirfd),
          old_path: addr,
          new_dirfd: descriptorOf(newDirfd),
          new_path: off,
          rename_flags: flags >>> 0,
        },
      }
    },
    memory: ([from, to], { addr, off }) => [
      [addr, pathBytes(from)],
      [off, pathBytes(to)],
    ],
    variants: PAIRS,
  }),

  LinkAt: define<Pair>({
    arguments: pair,
    facade: ([from, to, options]) => new LinkAt(from, to, options),
    native: ([, , options = {}], { addr, off }) => {
      const { oldDirfd = AT_FDCWD, newDirfd = AT_FDCWD, flags = 0 } = options
      return {
        fields: {
          old_dirfd: descriptorOf(oldDirfd),
          old_path: addr,
          new_dirfd: descriptorOf(newDirfd),
          new_path: off,
          link_flags: flags >>> 0,
        },
      }
    },
    memory: ([from, to], { addr, off }) => [
      [addr, pathBytes(from)],
      [off, pathBytes(to)],
    ],
    variants: PAIRS,
  }),

  SymlinkAt: define<[Path, Path, SymlinkAtOptions | undefined]>({
    arguments: fc.tuple(path, path, optional<SymlinkAtOptions>({ dirfd: directory })),
    facade: ([target, path, options]) => new SymlinkAt(target, path, options),
    native: ([, , { dirfd = AT_FDCWD } = {}], { addr, off }) => ({
      fields: { dirfd: descriptorOf(dirfd), target: addr, path: off },
    }),
    memory: ([target, path], { addr, off }) => [
      [addr, pathBytes(target)],
      [off, pathBytes(path)],
    ],
    variants: {
      strings: ([target, path]) => typeof target === 'string' && typeof path === 'string',
      buffers: ([target, path]) => Buffer.isBuffer(target) && Buffer.isBuffer(path),
      URLs: ([target, path]) => target instanceof URL && path instanceof URL,
      'no options': ([, , options]) => options === undefined,
      'no directory': ([, , options]) => options !== undefined && options.dirfd === undefined,
      'a directory': ([, , options]) => typeof options?.dirfd === 'number' && options.dirfd >= 0,
      'a directory as an object': ([, , options]) => typeof options?.dirfd === 'object',
      'the working directory': ([, , options]) => options?.dirfd === AT_FDCWD,
    },
  }),

  UnlinkAt: define<[Path, UnlinkAtOptions | undefined]>({
    arguments: fc.tuple(
      path,
      optional<UnlinkAtOptions>({ dirfd: directory, directory: boolean, flags: mask }),
    ),
    facade: ([path, options]) => new UnlinkAt(path, options),
    native: ([, options = {}], { addr }) => {
      const { dirfd = AT_FDCWD, directory = false, flags = 0 } = options
      return {
        fields: {
          dirfd: descriptorOf(dirfd),
          path: addr,
          unlink_flags: (directory ? flags | AT_REMOVEDIR : flags) >>> 0,
        },
      }
    },
    memory: ([path], { addr }) => [[addr, pathBytes(path)]],
    variants: {
      'a string': ([path]) => typeof path === 'string',
      'a buffer': ([path]) => Buffer.isBuffer(path),
      'a URL': ([path]) => path instanceof URL,
      'no options': ([, options]) => options === undefined,
      'a directory to start from': ([, options]) => typeof options?.dirfd === 'number' && options.dirfd >= 0,
      'a directory to start from, as an object': ([, options]) => typeof options?.dirfd === 'object',
      'the working directory': ([, options]) => options?.dirfd === AT_FDCWD,
      'only directory': ([, options]) =>
        Object.keys(options ?? {}).join() === 'directory' && !!options?.directory,
      'no directory': ([, options]) => options?.directory === false && options.flags === undefined,
      'directory, and other flags': ([, options]) =>
        !!options?.directory && ((options.flags ?? 0) & ~AT_REMOVEDIR) !== 0,
      'directory by its flag': ([, options]) =>
        options?.directory === undefined && ((options?.flags ?? 0) & AT_REMOVEDIR) !== 0,
      'directory, flags with bit 31': ([, options]) => !!options?.directory && (options.flags ?? 0) < 0,
      'flags with bit 31': ([, options]) => (options?.flags ?? 0) >= 2 ** 31,
    },
  }),

  MkDirAt: define<[Path, MkDirAtOptions | undefined]>({
    arguments: fc.tuple(path, optional<MkDirAtOptions>({ mode: u16, dirfd: directory })),
    facade: ([path, options]) => new MkDirAt(path, options),
    native: ([, options = {}], { addr }) => {
      const { mode = 0o777, dirfd = AT_FDCWD } = options
      return { fields: { dirfd: descriptorOf(dirfd), path: addr, mode } }
    },
    memory: ([path], { addr }) => [[addr, pathBytes(path)]],
    variants: {
      'a string': ([path]) => typeof path === 'string',
      'a buffer': ([path]) => Buffer.isBuffer(path),
      'a URL': ([path]) => path instanceof URL,
      'no options': ([, options]) => options === undefined,
      'no mode': ([, options]) => options?.dirfd !== undefined && options.mode === undefined,
      'a mode of 0': ([, options]) => options?.mode === 0,
      'a directory': ([, options]) => typeof options?.dirfd === 'number' && options.dirfd >= 0,
      'a directory as an object': ([, options]) => typeof options?.dirfd === 'object',
      'the working directory': ([, options]) => options?.dirfd === AT_FDCWD,
    },
  }),
}
