// Sends of bytes over TCP, UDP and Unix sockets, and behaviour that receives share.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { closeSync, readSync, writeSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import {
  type Bytes,
  FixedFile,
  MessageFlags,
  type Operation,
  Recv,
  RecvBundle,
  RecvMulti,
  RecvMultiBundle,
  Ring,
  Send,
  SendBundle,
  SendZc,
  SocketDomain,
  SocketType,
} from 'uring'
import { socketpair } from 'uring/sys'
import { complete, errorCode } from '../../helpers/completions.ts'
import { file } from '../../helpers/files.ts'
import { closing, pair } from '../../helpers/sockets.ts'
import {
  bound,
  completionsToLast,
  fillSendBuffer,
  GROUP,
  provide,
  readAll,
  tcpPair,
  text,
} from '../../helpers/streams.ts'

const LARGE = 8 << 20

/** Returns a socket whose peer is closed. */
function widow(t: ExecutionContext): number {
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  closeSync(right)
  return closing(t, left)
}

/** Reads and drops a number of bytes. */
function empty(fd: number, count: number): void {
  const bytes = Buffer.alloc(1 << 16)
  for (let left = count; left > 0;) left -= readSync(fd, bytes, 0, Math.min(left, bytes.length), null)
}

const MEMORY: Record<string, (content: Buffer) => Bytes> = {
  Buffer: (content) => Buffer.from(content),
  'a part of a buffer': (content) =>
    Buffer.concat([Buffer.alloc(3), content, Buffer.alloc(5)]).subarray(3, 19),
  ArrayBuffer: (content) => new Uint8Array(content).buffer,
  SharedArrayBuffer: (content) => {
    const shared = new SharedArrayBuffer(16)
    new Uint8Array(shared).set(content)
    return shared
  },
  DataView: (content) => new DataView(new Uint8Array([0, 0, ...content]).buffer, 2),
  Float64Array: (content) => new Float64Array(new Uint8Array(content).buffer),
  'a view of shared memory': (content) => {
    const shared = new Uint8Array(new SharedArrayBuffer(32), 8, 16)
    shared.set(content)
    return shared
  },
}

for (const [kind, make] of Object.entries(MEMORY)) {
  test(`Send: sends from ${kind}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = pair(t)
    const content = Buffer.from('sixteen bytes ..')
    t.is(complete(ring, new Send(left, make(content))).value, 16)
    t.is(readAll(right), 'sixteen bytes ..')
  })

  test(`SendZc: sends from ${kind}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = tcpPair(t)
    ring.push(new SendZc(left, make(Buffer.from('sixteen bytes ..'))))
    t.deepEqual(
      completionsToLast(ring).map(({ value }) => value),
      [16, 16],
    )
    t.is(readAll(right), 'sixteen bytes ..')
  })

  test(`Recv: receives into ${kind}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = pair(t)
    const bytes = make(Buffer.alloc(16, '.'))
    writeSync(left, 'fourteen bytes')
    t.is(complete(ring, new Recv(right, bytes)).value, 14)
    const view = ArrayBuffer.isView(bytes)
      ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : Buffer.from(bytes)
    t.is(view.toString(), 'fourteen bytes..')
  })
}

// ---- Send

test('Send: sends several buffers in order', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const buffers: Bytes[] = Object.values(MEMORY).map((make, index) => make(Buffer.alloc(16, `${index}`)))
  buffers.splice(2, 0, new Uint8Array(0))
  ring.push(new Send(left, buffers))
  buffers.fill(Buffer.from('wrong'))
  t.is(ring.wait()?.value, 16 * 7)
  t.is(readAll(right), [...'0123456'].map((digit) => digit.repeat(16)).join(''))
  t.is(complete(ring, new Send(left, [])).value, 0)
  t.is(
    complete(
      ring,
      new Send(
        left,
        Array.from({ length: 1024 }, () => Buffer.from('ab')),
      ),
    ).value,
    2048,
  )
  t.is(readAll(right), 'ab'.repeat(1024))
})

test('Send: sends to the address that it had when it was pushed', async (t) => {
  using ring = new Ring({ entries: 4 })
  const receiver = createSocket('udp4')
  const wrong = createSocket('udp4')
  t.teardown(() => receiver.close())
  t.teardown(() => wrong.close())
  for (const socket of [receiver, wrong]) {
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
  }
  wrong.on('message', () => t.fail('it went elsewhere'))
  const sender = bound(t, SocketType.DGRAM)
  provide(ring, GROUP, 8, 'provided')
  const { port } = receiver.address()
  const raw = Buffer.alloc(16)
  const addresses = [{ address: '127.0.0.1', port }, raw]
  const setRaw = (port: number): void => {
    raw.writeUInt16LE(SocketDomain.INET)
    raw.writeUInt16BE(port, 2)
    raw.set([127, 0, 0, 1], 4)
  }
  for (const [operation, expected] of [
    [(to) => new Send(sender.fd, Buffer.from('plain'), { to }), 'plain'],
    [(to) => new Send(sender.fd, [Buffer.from('vec'), Buffer.from('tor')], { to }), 'vector'],
    [(to) => new SendZc(sender.fd, Buffer.from('zero'), { to }), 'zero'],
    [(to) => new SendZc(sender.fd, [Buffer.from('ze'), Buffer.from('ros')], { to }), 'zeros'],
  ] as [(to: Buffer | { address: string; port: number }) => Send | SendZc, string][]) {
    for (const to of addresses) {
      setRaw(port)
      const made = operation(to)
      ring.push(made)
      setRaw(wrong.address().port)
      made.to = { address: '127.0.0.1', port: wrong.address().port }
      const message = once(receiver, 'message')
      t.is(completionsToLast(ring).at(-1)?.value, expected.length, expected)
      const [content, from] = (await message) as [Buffer, { port: number }]
      t.is(content.toString(), expected)
      t.is(from.port, sender.port)
    }
  }
  const message = once(receiver, 'message')
  t.is(complete(ring, new Send(sender.fd, { group: GROUP }, { to: { address: '127.0.0.1', port } })).value, 8)
  t.is(String((await message)[0]), 'provided')
  t.is(errorCode(ring, new Send(sender.fd, Buffer.from('x'))), 'EDESTADDRREQ')
  t.is(
    errorCode(ring, new Send(sender.fd, Buffer.alloc(70_000), { to: { address: '127.0.0.1', port } })),
    'EMSGSIZE',
  )
})

test('Send: fails with error codes of the kernel', (t) => {
  using ring = new Ring({ entries: 4 })
  const bytes = Buffer.from('x')
  t.like(complete(ring, new Send(widow(t), bytes)).error, {
    code: 'EPIPE',
    message: 'EPIPE: broken pipe, send',
    operation: 'Send',
    syscall: 'send',
  })
  t.is(errorCode(ring, new Send(bound(t, SocketType.STREAM).fd, bytes)), 'EPIPE')
  t.is(errorCode(ring, new Send(file(t).fd, bytes)), 'ENOTSOCK')
  t.is(errorCode(ring, new Send(987_654, bytes)), 'EBADF')
  t.is(errorCode(ring, new Send(new FixedFile(0), bytes)), 'EBADF')
})

test('Send: sends a part of a large buffer, or all of it with WAITALL', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t)
  const content = Buffer.alloc(LARGE)
  for (let at = 0; at < LARGE; at += 4) content.writeUInt32LE(at, at)
  const into = Buffer.alloc(LARGE)
  const receive = (count: number): void => {
    for (let at = 0; at < count;) {
      ring.push(new Recv(right, into.subarray(at, count)), 'recv')
      let completion = ring.wait()
      if (completion?.userData !== 'recv') {
        whole = completion?.value as number
        completion = ring.wait()
      }
      at += completion?.value as number
    }
  }
  let whole: number | undefined
  const part = complete(ring, new Send(left, content)).value as number
  t.true(part > 0 && part < LARGE)
  receive(part)
  t.true(into.subarray(0, part).equals(content.subarray(0, part)))
  for (const bytes of [content, [content.subarray(0, 5), content.subarray(5)]]) {
    whole = undefined
    into.fill(0)
    ring.push(new Send(left, bytes, { flags: MessageFlags.WAITALL }), 'send')
    ring.submit()
    t.is(ring.tryWait(), undefined)
    receive(LARGE)
    t.is(whole ?? ring.wait()?.value, LARGE)
    t.true(into.equals(content))
  }
})

/**
 * On a socket that is ready, each succeeds with `DONTWAIT`; with `pollFirst` too it would have to wait, and fails.
 */
const PROBES: Record<
  string,
  (fd: number, options: { flags: number; pollFirst: boolean }) => Operation<unknown>
> = {
  Send: (fd, options) => new Send(fd, Buffer.from('abc'), options),
  'Send: several buffers': (fd, options) => new Send(fd, [Buffer.from('a'), Buffer.from('bc')], options),
  'Send: a group': (fd, options) => new Send(fd, { group: GROUP, length: 3 }, options),
  SendZc: (fd, options) => new SendZc(fd, Buffer.from('abc'), options),
  'SendZc: several buffers': (fd, options) => new SendZc(fd, [Buffer.from('a'), Buffer.from('bc')], options),
  SendBundle: (fd, options) => new SendBundle(fd, GROUP, options),
  Recv: (fd, options) => new Recv(fd, Buffer.alloc(3), options),
  'Recv: a group': (fd, options) => new Recv(fd, { group: GROUP }, options),
  RecvBundle: (fd, options) => new RecvBundle(fd, GROUP, options),
  RecvMulti: (fd, options) => new RecvMulti(fd, GROUP, { ...options, limit: 3 }),
  RecvMultiBundle: (fd, options) => new RecvMultiBundle(fd, GROUP, { ...options, limit: 3 }),
}

for (const [kind, make] of Object.entries(PROBES)) {
  const [name] = kind.split(':')
  test(`${name}: waits before the first attempt with pollFirst, and passes flags: ${kind}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = tcpPair(t)
    writeSync(right, 'abc')
    complete(ring, new Recv(left, Buffer.alloc(3), { flags: MessageFlags.PEEK })) // waits until the bytes have arrived
    provide(ring, GROUP, 3, 'xyz')
    ring.push(make(left, { flags: MessageFlags.DONTWAIT, pollFirst: true }))
    t.is(completionsToLast(ring)[0]?.error?.code, 'EAGAIN')
    for (const options of [
      { flags: MessageFlags.DONTWAIT, pollFirst: false },
      { flags: 0, pollFirst: true },
    ]) {
      ring.push(make(left, options))
      t.is(completionsToLast(ring)[0]?.result, 3)
      if (kind.includes('Recv')) writeSync(right, 'abc')
      complete(ring, new Recv(left, Buffer.alloc(3), { flags: MessageFlags.PEEK }))
      provide(ring, GROUP, 3, 'xyz')
    }
  })
}

test('Send: sends a buffer of a group and takes it out of the group', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t)
  provide(ring, GROUP, 4, 'one.two.', 20)
  const other = provide(ring, GROUP, 4, 'xyz.', 20) // uses the same buffer number again
  const sent = complete(ring, new Send(left, { group: GROUP }))
  t.is(sent.value, 4)
  t.is(sent.bufferId, 20)
  t.is(readAll(right), 'one.')
  t.is(complete(ring, new Send(left, { group: { group: GROUP } })).bufferId, 21)
  t.is(readAll(right), 'two.')
  writeSync(right, 'in')
  const received = complete(ring, new Recv(left, { group: GROUP }))
  t.is(received.bufferId, 20)
  t.is(text(received), 'in')
  t.is(other.toString(), 'inz.')
  t.is(errorCode(ring, new Send(left, { group: GROUP })), 'ENOBUFS')
  t.is(errorCode(ring, new Send(left, { group: 99 })), 'ENOENT')
})

for (const [name, make] of Object.entries({
  memory: (fd: number, bytes: Bytes) => new Send(fd, bytes, { flags: MessageFlags.WAITALL }),
  'several buffers': (fd: number, bytes: Bytes) =>
    new Send(fd, [Buffer.from('x'), bytes], { flags: MessageFlags.WAITALL }),
})) {
  test(`Send: fails with an error of its own if its memory is detached in flight: ${name}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = pair(t)
    const full = fillSendBuffer(ring, left)
    const bytes = new ArrayBuffer(64)
    ring.push(make(left, bytes))
    ring.submit()
    const moved = structuredClone(bytes, { transfer: [bytes] })
    empty(right, full)
    t.is(ring.wait()?.error?.code, 'ERR_URING_BUFFER_DETACHED')
    t.is(moved.byteLength, 64)
  })
}

// ---- SendBundle

test('SendBundle: sends all buffers of a group and resolves to the sum of bytes', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  provide(ring, GROUP, 4, 'one.two.six.', 5)
  const operation = new SendBundle(left, GROUP)
  for (const [given, firstId] of [
    [operation, 5],
    [operation.build(), 8],
    [new SendBundle(left, { group: GROUP }, { length: 3 }), 11],
  ] as const) {
    if (firstId > 5) provide(ring, GROUP, 4, 'one.two.six.', firstId)
    ring.push(given)
    const all = completionsToLast(ring)
    // The kernel sends buffers of ProvideBuffers one by one, with any length.
    t.deepEqual(
      all.map(({ result, value, bufferId, more }) => [result, value, bufferId, more]),
      [
        [4, 4, firstId, true],
        [4, 8, firstId + 1, true],
        [4, 12, firstId + 2, false],
      ],
    )
    t.is(readAll(right), 'one.two.six.')
    t.is(ring.inFlight, 0)
  }
  t.is(errorCode(ring, operation), 'ENOBUFS')
  t.like(complete(ring, new SendBundle(left, 99)).error, { code: 'ENOENT', syscall: 'send' })
})

test('SendBundle: lets wait() consume its completions in any number', (t) => {
  using ring = new Ring({ entries: 4 })
  provide(ring, GROUP, 4, 'one.two.six.')
  ring.push(new SendBundle(pair(t)[0], GROUP))
  t.is(ring.waitMany(3).length, 3)
})

test('SendBundle: takes a buffer that it failed to send out of the group', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  provide(ring, GROUP, 4, 'one.', 5)
  const other = provide(ring, GROUP, 4, 'two.', 5)
  const failed = complete(ring, new SendBundle(widow(t), GROUP))
  t.is(failed.error?.code, 'EPIPE')
  t.is(failed.bufferId, 5)
  writeSync(right, 'in')
  t.is(text(complete(ring, new Recv(left, { group: GROUP }))), 'in')
  t.is(other.toString(), 'ino.')
})
