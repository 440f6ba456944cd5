// The arguments of ts/operations/namespace.ts.

import { LinkAt, MkDirAt, OpenAt2, RenameAt, SymlinkAt, UnlinkAt } from 'uring'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

const aPath = [KINDS.path, () => '/dev/null'] as const
const pair = {
  positional: { from: aPath, to: aPath },
  options: { oldDirfd: KINDS.directory, newDirfd: KINDS.directory, flags: KINDS.mask },
}

export const ARGUMENTS: Record<string, Subject> = {
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
  RenameAt: { Class: RenameAt, ...pair },
  LinkAt: { Class: LinkAt, ...pair },
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
