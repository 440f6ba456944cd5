// The arguments of ts/operations/pipes.ts.

import { Pipe, Splice, Tee } from 'uring'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

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
