// The arguments of ts/operations/slots.ts.

import { FilesUpdate, FixedFdInstall, FixedFile } from 'uring'
import { allBut, type Bad, KINDS, MAX_I32, noInteger, these, TYPE } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** -1 and -2 have a meaning here; registered files have none. */
const content: Bad[] = [
  ...KINDS.file.filter(([value]) => value !== -1),
  ...these([-3, -(2 ** 31)], 'ERR_OUT_OF_RANGE'),
  ...these([new FixedFile(3), '-1', -1n], TYPE),
]
const inside: Bad[] = content.flatMap(([value, code, path = '']): Bad[] => [
  [[value], code, `[0]${path}`],
  [[0, -1, value, { fd: 3 }], code, `[2]${path}`],
])
const files: Bad[] = [
  ...allBut(['array']),
  ...these([{ length: 1, 0: 3 }, new Set([3]), Int32Array.of(3), 'auto'], TYPE),
  ...inside,
  ...these([Array.from({ length: 2 })], TYPE, '[0]'),
  ...these([Object.assign([1], { length: 3 })], TYPE, '[1]'),
]

export const ARGUMENTS: Record<string, Subject> = {
  FilesUpdate: {
    Class: FilesUpdate,
    positional: { files: [files, () => [0]] },
    options: {
      offset: [
        ...noInteger(0, MAX_I32 - 1),
        ...these(['any', 'AUTO', { fd: 3 }, new FixedFile(3), ['auto']], TYPE),
      ],
    },
  },
  FixedFdInstall: {
    Class: FixedFdInstall,
    positional: {
      file: [[...allBut([]), ...these([{ fd: 3 }, { index: 3 }, -1], TYPE)], () => new FixedFile(0)],
    },
    options: { cloexec: KINDS.boolean },
  },
}
