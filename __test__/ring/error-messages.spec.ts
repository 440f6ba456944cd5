// Tests that argument errors have the same code and message as the errors of node:fs for the same mistake.

import { closeSync, fsync, openSync, readSync, rmSync } from 'node:fs'
import { Agent } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import { Close, Fsync, OpenAt, Read, Ring, Timeout, Write } from 'uring'

function messageOf(t: ExecutionContext, call: () => unknown): string {
  const error = t.throws<NodeJS.ErrnoException>(call, { any: true } as never)
  return `${error?.code}: ${error?.message}`
}

/** Replaces the argument name `from` in a message of Node.js by `to`. */
function renamed(message: string, from: string, to: string): string {
  const word = to.includes('.') ? 'property' : 'argument'
  return message
    .replace(/"[\w.]+" (argument|property)/, `"${to}" ${word}`)
    .replace(/(argument|property) '[\w.]+'/, `${word} '${to}'`)
    .replace(`"${from}"`, `"${to}"`)
}

class Named {
  readonly name = 'an instance, not the class'
}

// prettier-ignore
const RECEIVED = [
  null, 1, -0, 1.5, Number.NaN, 2 ** 60, 8n, 2n ** 200n, Symbol('s'), Symbol('s'.repeat(40)),
  '', 'x', "it's", '"', 'a\nb', 'x'.repeat(28), 'x'.repeat(29), `'${'x'.repeat(40)}`,
  {}, [], [1], new Date(0), /x/, new Map(), Buffer.alloc(1), Object.create(null), new Named(), Named,
  () => {}, function named() {},
]

test('argument errors: have the messages of node:fs', (t) => {
  using ring = new Ring({ entries: 4 })
  const nowhere = '/nonexistent/directory/file'
  const buffer = Buffer.alloc(4)
  const as = <T>(value: unknown): T => value as T
  const pairs: [ours: () => unknown, name: string, nodes: () => unknown, name: string][] = [
    [() => new Close(-1), 'file', () => closeSync(-1), 'fd'],
    [() => new Close(1.5), 'file', () => closeSync(1.5), 'fd'],
    [() => new Fsync(Number.NaN), 'file', () => closeSync(Number.NaN), 'fd'],
    [
      () => new Read(0, buffer, { offset: 1.5 }),
      'options.offset',
      () => readSync(0, buffer, { offset: 1.5 }),
      'offset',
    ],
    [
      () => new Read(0, buffer, { flags: as('x') }),
      'options.flags',
      () => readSync(0, buffer, { offset: as('x') }),
      'offset',
    ],
    [() => new OpenAt(nowhere, { flags: 'rz' }), 'options.flags', () => openSync(nowhere, 'rz'), 'flags'],
    [() => new OpenAt(nowhere, { flags: 1.5 }), 'options.flags', () => openSync(nowhere, 1.5), 'flags'],
    [() => new OpenAt(nowhere, { mode: 1.5 }), 'options.mode', () => openSync(nowhere, 'r', 1.5), 'mode'],
    [
      () => new OpenAt(nowhere, { dirfd: -1 }),
      'options.dirfd',
      () => rmSync(nowhere, { retryDelay: -1 }),
      'options.retryDelay',
    ],
    [() => ring.drain(as(5)), 'onCompletion', () => fsync(1, as(5)), 'cb'],
    ...[5, null, [], {}, 'a\0b', Buffer.from('a\0b'), new URL('file:///a%00b'), new URL('http://x/')].map(
      (path): (typeof pairs)[number] => [
        () => new OpenAt(as(path)),
        'path',
        () => openSync(as(path), 'r'),
        'path',
      ],
    ),
    [
      () => new OpenAt(new URL('file:///a%2Fb')),
      'path',
      () => openSync(new URL('file:///a%2Fb'), 'r'),
      'path',
    ],
    ...[5, null, [], 'x', true, 8n, Symbol('s'), () => {}].map((options): (typeof pairs)[number] => [
      () => new OpenAt(nowhere, as<{ mode: number }>(options)),
      'options',
      () => rmSync(nowhere, as(options)),
      'options',
    ]),
    // How the received value is described.
    ...RECEIVED.map((value): (typeof pairs)[number] => [
      () => new OpenAt(nowhere, { cloexec: as(value) }),
      'options.cloexec',
      () => rmSync(nowhere, { force: as(value) }),
      'options.force',
    ]),
  ]
  for (const [ours, ourName, nodes, nodesName] of pairs) {
    t.is(messageOf(t, ours), renamed(messageOf(t, nodes), nodesName, ourName))
  }
})

test('argument errors: follow the format of node:fs where it has no counterpart', (t) => {
  const as = <T>(value: unknown): T => value as T
  // Only the list of accepted types differs.
  t.is(
    messageOf(t, () => new Write(0, as('x'))),
    renamed(
      messageOf(t, () => readSync(0, as('x'))),
      'buffer',
      'bytes',
    ).replace('TypedArray, or DataView', 'TypedArray, DataView, ArrayBuffer, or SharedArrayBuffer'),
  )
  for (const clock of ['x', 5, Symbol('s'), {}]) {
    t.is(
      messageOf(t, () => new Timeout(1, { clock: as(clock) })),
      renamed(
        messageOf(t, () => new Agent({ scheduling: as(clock) })),
        'scheduling',
        'options.clock',
      ).replace("'fifo', 'lifo'", "'monotonic', 'boottime', 'realtime'"),
    )
  }
  // Digits of large numbers are grouped.
  const buffer = Buffer.alloc(4)
  for (const large of [2 ** 53, -(2 ** 40), 2n ** 64n, -(2n ** 70n)]) {
    const received = /Received .+/s
    const [ours, nodes] = [
      messageOf(t, () => new Read(0, buffer, { offset: large })),
      messageOf(t, () => readSync(0, buffer, { position: large })),
    ].map((message) => received.exec(message)?.[0])
    t.is(ours, nodes)
  }
})
