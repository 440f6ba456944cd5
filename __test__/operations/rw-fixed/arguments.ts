// The arguments of ts/operations/fixed.ts.

import { FixedBuffer, ReadFixed, ReadvFixed, WriteFixed, WritevFixed } from 'uring'
import {
  absent,
  allBut,
  type Bad,
  KINDS,
  noInteger,
  RANGE,
  these,
  TYPE,
  u16,
  VALUE,
  within,
} from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

const buffer: Bad[] = [
  ...allBut([]),
  ...these([{ index: 0, view: Buffer.alloc(8) }, [new FixedBuffer(0, Buffer.alloc(8))]], TYPE),
]
function part(index: number): FixedBuffer {
  return new FixedBuffer(index, Buffer.alloc(8))
}
const parts: Bad[] = [
  ...allBut(['array']),
  ...these([{ length: 1, 0: part(0) }, new Set([part(0)])], TYPE),
  ...these([[8], [null], Array.from({ length: 1 }), [Buffer.alloc(8)]], TYPE, '[0]'),
  ...these([[part(0), 'x'], Object.assign([part(0)], { length: 2 })], TYPE, '[1]'),
  ...these(
    [
      [part(0), part(1)],
      [part(9), part(8), part(9)],
    ],
    VALUE,
    '[1]',
  ),
  ...these([[part(3), part(3), part(0)]], VALUE, '[2]'),
  ...these([Array.from({ length: 1025 }, () => part(0))], RANGE, '.length'),
]
const bytes = Buffer.alloc(8)
const integrity: Bad[] = [
  ...allBut(['undefined', 'object', 'array', 'bytes', 'function']),
  ...these([{}, [], { bytes: 8 }, { bytes: 'x' }], TYPE, '.bytes'),
  ...within('flags', u16, { bytes }),
  ...within('appTag', u16, { bytes }),
  ...within('seed', these([-1, -1n, 2n ** 64n, 0.5, 2 ** 53], RANGE), { bytes }),
]
const transfer = { offset: KINDS.offset, flags: KINDS.mask, ioprio: u16, integrity: absent(integrity) }
const write = { ...transfer, writeStream: noInteger(0, 255) }
const aFile = [KINDS.file, () => 0] as const
const aBuffer = [buffer, () => part(2)] as const
const someParts = [parts, () => [part(2), part(2)]] as const

export const ARGUMENTS: Record<string, Subject> = {
  ReadFixed: { Class: ReadFixed, positional: { file: aFile, buffer: aBuffer }, options: transfer },
  WriteFixed: { Class: WriteFixed, positional: { file: aFile, buffer: aBuffer }, options: write },
  ReadvFixed: { Class: ReadvFixed, positional: { file: aFile, buffers: someParts }, options: transfer },
  WritevFixed: { Class: WritevFixed, positional: { file: aFile, buffers: someParts }, options: write },
}
