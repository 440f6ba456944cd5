// The cases of WaitId.

import * as fc from 'fast-check'
import { WaitId, type WaitTarget } from 'uring'
import { mask, MAX_I32, u32 } from '../base/arbitraries.ts'
import { type Case, define } from '../base/conformance-case.ts'
import { allBut, type Bad, KINDS, noInteger, RANGE, these, TYPE, VALUE } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** From <sys/wait.h>: not the facade's own constants. */
const P = { all: 0, pid: 1, pgid: 2 } as const

export const CONFORMANCE: Record<string, Case<unknown>> = {
  WaitId: define<[WaitTarget, number, number]>({
    arguments: fc.tuple(
      fc.oneof(fc.constantFrom<WaitTarget>('pid', 'pgid', 'all', 3), u32),
      fc.oneof({ arbitrary: fc.nat(MAX_I32), weight: 5 }, fc.constantFrom(0, 1, MAX_I32)),
      mask,
    ),
    facade: ([type, id, options]) => new WaitId(type, id, options),
    native: ([type, id, options], { off }) => ({
      fields: {
        id_type: typeof type === 'number' ? type : P[type],
        id,
        options: options >>> 0,
        info: off,
      },
    }),
    memory: (_, { off }) => [[off, new Uint8Array(128)]],
    variants: {
      'a process': ([type]) => type === 'pid',
      'a process group': ([type]) => type === 'pgid',
      'all children': ([type]) => type === 'all',
      'a number': ([type]) => type === 3,
      'a number with bit 31': ([type]) => typeof type === 'number' && type >= 2 ** 31,
      'negative options': ([, , options]) => options < 0,
    },
  }),
}

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
