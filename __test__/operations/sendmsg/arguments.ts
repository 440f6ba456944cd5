// The arguments of ts/operations/messages.ts.

import { RecvMsg, RecvMsgMulti, RecvZc, SendMsg, SendMsgZc } from 'uring'
import {
  allBut,
  type Bad,
  KINDS,
  MAX_I32,
  noInteger,
  RANGE,
  these,
  TYPE,
  u16,
  u32,
  VALUE,
  within,
} from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

const MIN_I32 = -0x8000_0000

const aFile = [KINDS.file, () => 0] as const
const aBuffer = { buffers: [Buffer.alloc(8)] }

/** The same mistakes in the element of an array. */
function inside(index: number, before: readonly unknown[], kind: readonly Bad[]): Bad[] {
  return kind.map(([value, code, inside = '']) => [[...before, value], code, `[${index}]${inside}`])
}

const noMessage: Bad[] = allBut(['object', 'bytes'])
/** What passes for a message, and has no buffers. */
const noBuffers: Bad[] = these(
  [{}, { buffers: undefined }, { address: { path: '' } }, new Uint8Array(8), new ArrayBuffer(8)],
  TYPE,
  '.buffers',
)

const address: Bad[] = [
  ...allBut(['undefined', 'bytes']),
  ...these([new ArrayBuffer(16), new DataView(new ArrayBuffer(16)), { port: 1 }], TYPE),
  ...these([new Uint8Array(0), new Uint8Array(1), new Uint8Array(129)], RANGE, '.byteLength'),
  ...within('path', allBut(['string'])).map(([value, code]): Bad => [value, code, '.path']),
  ...these([{ path: 'a\0b' }, { path: 'a'.repeat(108) }], VALUE, '.path'),
  ...within('address', allBut(['string']), { port: 1 }),
  ...these(
    [
      { address: 'localhost', port: 1 },
      { address: '1.2.3', port: 1 },
    ],
    VALUE,
    '.address',
  ),
  ...within('port', u16, { address: '127.0.0.1' }),
]

const aControlMessage = { level: 1, type: 1, data: Buffer.alloc(4) }
const controlMessage: Bad[] = [
  ...allBut(['object', 'array', 'bytes']),
  ...these([{}, [], new Uint8Array(8)], TYPE, '.level'),
  ...within('level', noInteger(MIN_I32, MAX_I32), { type: 1, data: Buffer.alloc(4) }),
  ...within('type', noInteger(MIN_I32, MAX_I32), { level: 1, data: Buffer.alloc(4) }),
  ...within('data', allBut(['bytes']), { level: 1, type: 1 }),
  ...these([{ level: 1, type: 1 }], TYPE, '.data'),
  ...within('data', these([new ArrayBuffer(8), new DataView(new ArrayBuffer(8)), 'text'], TYPE), {
    level: 1,
    type: 1,
  }),
]
const controlMessages: Bad[] = [
  ...allBut(['undefined', 'array', 'bytes']),
  ...these([{ length: 1, 0: aControlMessage }, new Set([aControlMessage])], TYPE),
  ...inside(0, [], controlMessage),
  ...inside(1, [aControlMessage], controlMessage),
  ...these([Object.assign([aControlMessage], { length: 3 })], TYPE, '[1]'),
]

const outMessage: Bad[] = [
  ...noMessage,
  ...noBuffers,
  ...within('buffers', KINDS.vector),
  ...within('address', address, aBuffer),
  ...within('control', controlMessages, aBuffer),
]

const inMessage: Bad[] = [
  ...noMessage,
  ...noBuffers,
  ...within('buffers', KINDS.vector).filter(([value]) => !('group' in Object(Object(value).buffers))),
  ...within('buffers', [
    ...within('group', [...u16, ...within('group', u16).map(([value, code]): Bad => [value, code])]),
    ...within('length', u32, { group: 1 }),
    ...these([{ group: undefined }], TYPE, '.group'),
  ]),
  ...within('address', KINDS.boolean, aBuffer),
  ...within('control', noInteger(0, MAX_I32), aBuffer),
]

const group: Bad[] = [...u16, ...within('group', u16).map(([value, code]): Bad => [value, code])]

const common = { flags: KINDS.mask, pollFirst: KINDS.boolean }

export const ARGUMENTS: Record<string, Subject> = {
  SendMsg: {
    Class: SendMsg,
    positional: { file: aFile, message: [outMessage, () => aBuffer] },
    options: common,
  },
  SendMsgZc: {
    Class: SendMsgZc,
    positional: { file: aFile, message: [outMessage, () => aBuffer] },
    options: { ...common, fixedBuffer: KINDS.fixedBuffer, reportUsage: KINDS.boolean },
  },
  RecvMsg: {
    Class: RecvMsg,
    positional: { file: aFile, message: [inMessage, () => aBuffer] },
    options: common,
  },
  RecvMsgMulti: {
    Class: RecvMsgMulti,
    positional: { file: aFile, group: [group, () => 1] },
    options: {
      ...common,
      address: noInteger(0, MAX_I32).filter(([value]) => typeof value !== 'boolean'),
      control: noInteger(0, MAX_I32),
    },
  },
  RecvZc: {
    Class: RecvZc,
    positional: { file: aFile },
    options: { ifq: u32, length: u32, pollFirst: KINDS.boolean },
  },
}
