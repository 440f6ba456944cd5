// The arguments of ts/operations/rings.ts.

import { FixedFile, MsgRingData, MsgRingSendFd } from 'uring'
import { allBut, type Bad, KINDS, noInteger, RANGE, these, TYPE } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

const ring: Bad[] = [
  ...allBut([]),
  ...these([{ fd: '3' }, { fd: null }, { fd: undefined }, { fd: 3n }, new FixedFile(3)], TYPE),
  ...these([{ fd: -1 }, { fd: 1.5 }, { fd: Number.NaN }, { fd: 2 ** 31 }], RANGE, '.fd'),
]
const data: Bad[] = [
  ...allBut(['number', 'bigint']),
  ...these([-1, 0.5, Number.NaN, 2 ** 53, -1n, 2n ** 62n, 2n ** 63n, 2n ** 64n], RANGE),
]
const aRing = [ring, () => ({ fd: 0 })] as const
const fixedFile: Bad[] = [...allBut([]), ...these([{ index: 3 }, { fd: 3 }], TYPE)]

export const ARGUMENTS: Record<string, Subject> = {
  MsgRingData: {
    Class: MsgRingData,
    positional: {
      ring: aRing,
      result: [noInteger(-0x8000_0000, 0x7fff_ffff), () => 0],
      data: [data, () => 0],
    },
    options: { flags: KINDS.mask, userFlags: KINDS.mask },
  },
  MsgRingSendFd: {
    Class: MsgRingSendFd,
    positional: { ring: aRing, file: [fixedFile, () => new FixedFile(3)] },
    options: { direct: KINDS.direct, data, skipCompletion: KINDS.boolean },
  },
}
