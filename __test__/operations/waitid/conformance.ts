// The case of ts/operations/process.ts: WaitId.

import * as fc from 'fast-check'
import { WaitId, type WaitTarget } from 'uring'
import { mask, MAX_I32, u32 } from '../base/arbitraries.ts'
import { type Case, define } from '../base/conformance-case.ts'

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
