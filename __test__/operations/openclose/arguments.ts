// The arguments of OpenAt and Close.

import { Close, OpenAt } from 'uring'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

const aFile = [KINDS.file, () => 0] as const

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
  Close: { Class: Close, positional: { file: aFile }, options: undefined },
}
