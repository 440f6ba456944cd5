// The arguments of ts/operations/futex.ts.

import { FutexFlags, FutexWait, FutexWaitV, FutexWake } from 'uring'
import {
  absent,
  allBut,
  type Bad,
  KINDS,
  MAX_I32,
  noInteger,
  RANGE,
  these,
  TYPE,
  VALUE,
  within,
} from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** Words of other widths, and arrays without an element. */
const word: Bad[] = [
  ...allBut([]),
  ...these(
    [
      new Int8Array(8),
      new Uint8ClampedArray(8),
      new Int16Array(4),
      new Uint16Array(4),
      new Float32Array(2),
      new BigInt64Array(1),
      new BigUint64Array(1),
      new DataView(new ArrayBuffer(8)),
      Buffer.alloc(8),
      new SharedArrayBuffer(8),
      Int32Array,
      Object.create(Int32Array.prototype),
    ],
    TYPE,
  ),
  ...these([new Int32Array(0), new Uint32Array(0), new Uint32Array(new ArrayBuffer(8), 8)], RANGE, '.length'),
]
const flags: Bad[] = [
  ...KINDS.mask,
  ...these([FutexFlags.SIZE_U16, FutexFlags.SIZE_U64, FutexFlags.PRIVATE | FutexFlags.SIZE_U16], VALUE),
]
const waiter = (): object => ({ word: new Int32Array(1), expected: 0 })
const waiters: Bad[] = [
  ...allBut(['array']),
  ...these([{ length: 1, 0: waiter() }, new Set([waiter()])], TYPE),
  ...these([[], Array.from({ length: 129 }, waiter)], RANGE, '.length'),
  ...these([[8], [null], ['x'], Array.from({ length: 1 })], TYPE, '[0]'),
  ...these([[waiter(), undefined], Object.assign([waiter()], { length: 3 })], TYPE, '[1]'),
  ...these([[new Int32Array(1)], [{}], [{ word: new Int32Array(1).buffer, expected: 0 }]], TYPE, '[0].word'),
  ...these([[{ word: new Int32Array(1) }]], TYPE, '[0].expected'),
  ...[
    ...within('word', word, { expected: 0 }),
    ...within('expected', absent(KINDS.mask), { word: new Int32Array(1) }),
    ...within('flags', flags, { word: new Int32Array(1), expected: 0 }),
    [{ word: new Int32Array(1), expected: 0, flags: FutexFlags.NUMA }, RANGE, '.word.length'] as const,
  ].map(([value, code, inside]): Bad => [[waiter(), value], code, `[1]${inside}`]),
]
const options = { mask: KINDS.mask, flags }

const aWord = [word, () => new Int32Array(1)] as const

export const ARGUMENTS: Record<string, Subject> = {
  FutexWait: {
    Class: FutexWait,
    positional: { word: aWord, expected: [KINDS.mask, () => 0] },
    options,
  },
  FutexWake: {
    Class: FutexWake,
    positional: { word: aWord, count: [noInteger(0, MAX_I32), () => 1] },
    options,
  },
  FutexWaitV: {
    Class: FutexWaitV,
    positional: { waiters: [waiters, () => [waiter()]] },
    options: undefined,
  },
}
