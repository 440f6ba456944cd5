// The arguments of ts/operations/buffers.ts.

import { ProvideBuffers, ReadMulti, RemoveBuffers } from 'uring'
import { absent, type Bad, KINDS, noInteger, RANGE, these, u16, u32, within } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

const group: Bad[] = [
  ...u16.filter(([value]) => typeof value !== 'object'),
  ...within('group', u16).map(([value, code]): Bad => [value, code]),
  ...these([{ group: undefined }, {}, [], null, new Uint8Array(8)], 'ERR_INVALID_ARG_TYPE'),
]
const count = noInteger(1, 65_536)
const aGroup = [group, () => 1] as const

export const ARGUMENTS: Record<string, Subject> = {
  ProvideBuffers: {
    Class: ProvideBuffers,
    positional: {
      memory: [KINDS.bytes, () => Buffer.alloc(100)],
      size: [[...noInteger(1, 0xffff_ffff), ...these([101, 0xffff_ffff], RANGE)], () => 10],
      count: [[...count, ...these([11, 65_536], RANGE)], () => 2],
      group: aGroup,
      firstId: [[...absent(u16), ...these([65_535], RANGE)], () => 65_534],
    },
    options: undefined,
  },
  RemoveBuffers: {
    Class: RemoveBuffers,
    positional: { count: [count, () => 1], group: aGroup },
    options: undefined,
  },
  ReadMulti: {
    Class: ReadMulti,
    positional: { file: [KINDS.file, () => 0], group: aGroup },
    options: { length: u32, offset: KINDS.offset },
  },
}
