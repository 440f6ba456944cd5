// The arguments of Timeout and TimeoutRemove.

import { Timeout, TimeoutRemove } from 'uring'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

export const ARGUMENTS: Record<string, Subject> = {
  Timeout: {
    Class: Timeout,
    positional: { time: [KINDS.time, () => 1] },
    options: {
      count: KINDS.length,
      absolute: KINDS.boolean,
      clock: KINDS.clock,
      multi: KINDS.boolean,
      etimeSuccess: KINDS.boolean,
    },
  },
  TimeoutRemove: {
    Class: TimeoutRemove,
    positional: { token: [KINDS.token, () => 1] },
    options: undefined,
  },
}
