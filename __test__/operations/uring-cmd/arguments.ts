// The arguments of ts/operations/commands.ts.

import { Nop128, UringCmd16, UringCmd80, UringCmd128 } from 'uring'
import { allBut, type Bad, KINDS, RANGE, these, TYPE, u16, u32 } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

function data(most: number): Bad[] {
  return [
    ...KINDS.bytes,
    ...these(
      [new Uint8Array(most + 1), new ArrayBuffer(1000), new BigUint64Array(most / 8 + 1)],
      RANGE,
      '.byteLength',
    ),
  ]
}

const address: Bad[] = [
  ...allBut(['number', 'bigint', 'bytes']),
  ...these([-1, 1.5, Number.NaN, 2 ** 53, -1n, 2n ** 64n], RANGE),
  ...these([{ byteLength: 8 }], TYPE),
]
const fixedBuffer: Bad[] = [...u16, ...these([{ index: 1 }, { index: 1, view: Buffer.alloc(8) }], TYPE)]

function command(Class: Subject['Class'], most: number): Subject {
  return {
    Class,
    positional: { file: [KINDS.file, () => 0], command: [KINDS.mask, () => 1] },
    options: {
      data: data(most),
      address,
      length: u32,
      optionLength: u32,
      fixedBuffer,
      flags: KINDS.mask,
    },
  }
}

export const ARGUMENTS: Record<string, Subject> = {
  UringCmd16: command(UringCmd16, 16),
  UringCmd80: command(UringCmd80, 80),
  UringCmd128: command(UringCmd128, 80),
  Nop128: {
    Class: Nop128,
    positional: {},
    options: {
      result: KINDS.result,
      file: KINDS.file,
      fixedBuffer: KINDS.fixedBuffer,
      taskWork: KINDS.boolean,
      extra: KINDS.extra,
    },
  },
}
