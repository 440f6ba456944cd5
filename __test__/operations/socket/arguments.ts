// The arguments of ts/operations/sockets.ts and ts/operations/sockopts.ts.

import {
  Accept,
  AcceptMulti,
  Bind,
  Connect,
  GetSockOpt,
  Listen,
  SetSockOpt,
  Shutdown,
  Socket,
  SocketCommand,
  SocketDomain,
  SocketType,
} from 'uring'
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

const i31 = noInteger(0, MAX_I32)
const aFile = [KINDS.file, () => 0] as const

/** What is wrong with numbers. */
function numbers(kind: readonly Bad[]): Bad[] {
  return kind.filter(([value]) => typeof value === 'number')
}

const port = within('port', noInteger(0, 0xffff), { address: '127.0.0.1' })
const textKinds = allBut(['string'])

const address: Bad[] = [
  ...allBut(['bytes']),
  ...these([new ArrayBuffer(8), new DataView(new ArrayBuffer(8)), new Uint16Array(8), [127, 0, 0, 1]], TYPE),
  ...these(['127.0.0.1', '/run/x', { port: 80 }, { host: 'x', port: 80 }, new URL('http://[::1]/')], TYPE),
  // Bytes without a family, and more than there is room for.
  ...these([new Uint8Array(0), new Uint8Array(1), new Uint8Array(129)], RANGE, '.byteLength'),
  ...within('address', textKinds, { port: 80 }),
  ...these([{ address: undefined, port: 80 }], TYPE, '.address'),
  ...[
    ['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.4 ', ' 1.2.3.4', '0x7f.1', '127.0.0.1:80'],
    [
      'localhost',
      '*',
      '[::1]',
      '::1]',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '12345::',
      'g::',
    ],
    ['::1%lo', 'fe80::1%1', '::1.2.3', '1.2.3.4::', '::ffff:1.2.3.256', '::1/128', '::1\0', '127.0.0.1\0'],
  ].flatMap((addresses) =>
    these(
      addresses.map((address) => ({ address, port: 80 })),
      VALUE,
      '.address',
    ),
  ),
  ...port,
  ...these(
    [{ address: '::1' }, { address: '::1', port: undefined }, { address: '::1', port: '80' }],
    TYPE,
    '.port',
  ),
  ...within('scopeId', noInteger(0, 0xffff_ffff), { address: '::1', port: 80 }),
  ...within('flowInfo', noInteger(0, 0xffff_ffff), { address: '::1', port: 80 }),
  ...within('path', textKinds),
  ...these([{ path: undefined }, { path: Buffer.from('/run/x') }], TYPE, '.path'),
  // A byte too long: with its NUL, and for a name that has none.
  ...these(
    [{ path: 'x'.repeat(108) }, { path: `\0${'x'.repeat(108)}` }, { path: 'ü'.repeat(54) }],
    VALUE,
    '.path',
  ),
  ...these([{ path: 'a\0b' }, { path: '/run/x\0' }], VALUE, '.path'),
]

const accepting = {
  flags: KINDS.mask,
  cloexec: KINDS.boolean,
  dontWait: KINDS.boolean,
  pollFirst: KINDS.boolean,
}

/** Bytes of a length that no `int` holds, without the memory. */
const HUGE = Object.defineProperty(new Uint8Array(1), 'byteLength', { value: 2 ** 31 })

const value: Bad[] = [
  ...allBut(['number', 'bytes']),
  ...these([{ byteLength: 4 }, { buffer: new ArrayBuffer(4), byteOffset: 0, byteLength: 4 }], TYPE),
  ...numbers(KINDS.mask),
  ...these([HUGE], RANGE, '.byteLength'),
]

const how: Bad[] = [
  ...absent(allBut(['number'], VALUE)),
  ...these(['RD', 'WR', 'Both', 'read ', 'toString', '__proto__', ['read'], Object('read')], VALUE),
  ...numbers(i31),
]

const command: Bad[] = [
  ...allBut(['number'], VALUE),
  ...these(['siocinq', 'SIOCINQ ', 'toString', '__proto__', ['SIOCINQ'], Object('SIOCINQ')], VALUE),
  // These have classes of their own.
  ...these(['GETSOCKOPT', 'SETSOCKOPT', 2, 3], VALUE),
  ...numbers(noInteger(0, 0xffff_ffff)),
]

export const ARGUMENTS: Record<string, Subject> = {
  Socket: {
    Class: Socket,
    positional: {
      domain: [i31, () => SocketDomain.INET],
      type: [i31, () => SocketType.STREAM],
    },
    options: { protocol: i31, direct: KINDS.direct, cloexec: KINDS.boolean },
  },
  Bind: {
    Class: Bind,
    positional: { file: aFile, address: [address, () => ({ path: '' })] },
    options: undefined,
  },
  Connect: {
    Class: Connect,
    positional: { file: aFile, address: [address, () => ({ address: '127.0.0.1', port: 80 })] },
    options: undefined,
  },
  Listen: {
    Class: Listen,
    positional: { file: aFile, backlog: [absent(i31), () => 1] },
    options: undefined,
  },
  Accept: {
    Class: Accept,
    positional: { file: aFile },
    options: { ...accepting, address: KINDS.boolean, direct: KINDS.direct },
  },
  AcceptMulti: {
    Class: AcceptMulti,
    positional: { file: aFile },
    options: {
      ...accepting,
      direct: [...allBut([], VALUE), ...these([0, 'any', 'AUTO', ['auto'], Object('auto')], VALUE)],
    },
  },
  Shutdown: {
    Class: Shutdown,
    positional: {
      file: aFile,
      how: [how, () => 'both'],
    },
    options: undefined,
  },
  SetSockOpt: {
    Class: SetSockOpt,
    positional: {
      file: aFile,
      level: [i31, () => 1],
      name: [i31, () => 2],
      value: [value, () => 1],
    },
    options: undefined,
  },
  GetSockOpt: {
    Class: GetSockOpt,
    positional: { file: aFile, level: [i31, () => 1], name: [i31, () => 2] },
    options: { size: i31 },
  },
  SocketCommand: {
    Class: SocketCommand,
    positional: { file: aFile, command: [command, () => 'SIOCINQ'] },
    // The good command has no peer.
    options: { peer: [...KINDS.boolean, [true, VALUE]] },
  },
}
