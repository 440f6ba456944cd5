// The arguments of Statx.

import { Statx } from 'uring'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

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
