// The cases of RenameAt, LinkAt, SymlinkAt, UnlinkAt and MkDirAt.

import * as fc from 'fast-check'
import {
  LinkAt,
  type LinkAtOptions,
  MkDirAt,
  type MkDirAtOptions,
  type Path,
  RenameAt,
  type RenameAtOptions,
  SymlinkAt,
  type SymlinkAtOptions,
  UnlinkAt,
  type UnlinkAtOptions,
} from 'uring'
import { AT_FDCWD, boolean, directory, mask, path, pathBytes, u16 } from '../base/arbitraries.ts'
import { type Case, define, descriptorOf, optional } from '../base/conformance-case.ts'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** Flags that both classes set, from <fcntl.h>: not the facade's own constants. */
const AT_REMOVEDIR = 0x200

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

const aPath = [KINDS.path, () => '/dev/null'] as const
const pairArguments = {
  positional: { from: aPath, to: aPath },
  options: { oldDirfd: KINDS.directory, newDirfd: KINDS.directory, flags: KINDS.mask },
}

export const ARGUMENTS: Record<string, Subject> = {
  RenameAt: { Class: RenameAt, ...pairArguments },
  LinkAt: { Class: LinkAt, ...pairArguments },
  SymlinkAt: {
    Class: SymlinkAt,
    positional: { target: aPath, path: aPath },
    options: { dirfd: KINDS.directory },
  },
  UnlinkAt: {
    Class: UnlinkAt,
    positional: { path: aPath },
    options: { dirfd: KINDS.directory, directory: KINDS.boolean, flags: KINDS.mask },
  },
  MkDirAt: {
    Class: MkDirAt,
    positional: { path: aPath },
    options: { mode: KINDS.mode, dirfd: KINDS.directory },
  },
}
