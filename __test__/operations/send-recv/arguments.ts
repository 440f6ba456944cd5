// The arguments of ts/operations/streams.ts.

import { FixedBuffer, Recv, RecvBundle, RecvMulti, RecvMultiBundle, Send, SendBundle, SendZc } from 'uring'
import {
  absent,
  allBut,
  type Bad,
  KINDS,
  RANGE,
  these,
  TYPE,
  u16,
  u32,
  VALUE,
  within,
} from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** What is an array is judged by its elements. */
function orVector(kind: readonly Bad[]): Bad[] {
  return [
    ...kind.filter(([value]) => !Array.isArray(value)),
    ...KINDS.vector.filter(([value]) => Array.isArray(value)),
  ]
}

const aRegisteredBuffer = new FixedBuffer(0, Buffer.alloc(8))
const aFile = [KINDS.file, () => 0] as const
const group: Bad[] = [...u16, ...within('group', u16).map(([value, code]): Bad => [value, code]), [{}, TYPE]]

const address: Bad[] = [
  ...absent(allBut(['bytes'])),
  ...these([new ArrayBuffer(16), new Uint16Array(8), new DataView(new ArrayBuffer(16))], TYPE),
  ...these([Buffer.alloc(0), Buffer.alloc(1), Buffer.alloc(129)], RANGE, '.byteLength'),
  ...these(
    [
      { address: 1, port: 1 },
      { address: null, port: 1 },
    ],
    TYPE,
    '.address',
  ),
  ...these(
    [
      { address: 'localhost', port: 1 },
      { address: 'fe80::1%lo', port: 1 },
    ],
    VALUE,
    '.address',
  ),
  ...within('port', u16, { address: '127.0.0.1' }),
  ...within('scopeId', u32, { address: '::1', port: 1 }),
  ...within('flowInfo', u32, { address: '::1', port: 1 }),
  ...these([{ path: 1 }, { path: Buffer.from('/x') }], TYPE, '.path'),
  ...these([{ path: 'a\0b' }, { path: '/'.repeat(108) }, { path: `\0${'x'.repeat(108)}` }], VALUE, '.path'),
]

const stream = { flags: KINDS.mask, pollFirst: KINDS.boolean }
const bundle = { ...stream, length: u32 }
const multi = { ...bundle, limit: u32 }
const send = { ...stream, to: address }

export const ARGUMENTS: Record<string, Subject> = {
  Send: {
    Class: Send,
    positional: {
      file: aFile,
      bytes: [[...orVector(KINDS.bytesOrGroup), [aRegisteredBuffer, TYPE]], () => Buffer.alloc(8)],
    },
    options: send,
  },
  SendZc: {
    Class: SendZc,
    positional: {
      file: aFile,
      bytes: [[...orVector(KINDS.bytes), [{ group: 1 }, TYPE], [{ index: 0 }, TYPE]], () => Buffer.alloc(8)],
    },
    options: { ...send, reportUsage: KINDS.boolean },
  },
  SendBundle: { Class: SendBundle, positional: { file: aFile, group: [group, () => 1] }, options: bundle },
  Recv: {
    Class: Recv,
    positional: {
      file: aFile,
      bytes: [[...KINDS.bytesOrGroup, [aRegisteredBuffer, TYPE]], () => Buffer.alloc(8)],
    },
    options: stream,
  },
  RecvMulti: { Class: RecvMulti, positional: { file: aFile, group: [group, () => 1] }, options: multi },
  RecvBundle: { Class: RecvBundle, positional: { file: aFile, group: [group, () => 1] }, options: bundle },
  RecvMultiBundle: {
    Class: RecvMultiBundle,
    positional: { file: aFile, group: [group, () => 1] },
    options: multi,
  },
}
