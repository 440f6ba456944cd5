// The arguments of ts/operations/process.ts.

import { WaitId } from 'uring'
import { allBut, type Bad, KINDS, MAX_I32, noInteger, RANGE, these, TYPE, VALUE } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

const type: Bad[] = [
  ...allBut(['number', 'string']),
  ...these([['pid'], Object('pid'), 3n], TYPE),
  ...these(['', 'PID', 'pid ', 'pidfd', 'toString', '__proto__'], VALUE),
  ...these([-1, 1.5, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY], RANGE),
]

export const ARGUMENTS: Record<string, Subject> = {
  WaitId: {
    Class: WaitId,
    positional: {
      type: [type, () => 'pid'],
      id: [noInteger(0, MAX_I32), () => 1],
      options: [KINDS.mask, () => 4],
    },
    options: undefined,
  },
}
