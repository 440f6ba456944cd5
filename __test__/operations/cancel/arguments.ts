// The arguments of AsyncCancel.

import { AsyncCancel } from 'uring'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

export const ARGUMENTS: Record<string, Subject> = {
  AsyncCancel: {
    Class: AsyncCancel,
    positional: { target: [KINDS.target, () => 1] },
    options: { all: KINDS.boolean },
  },
}
