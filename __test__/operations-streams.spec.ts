// Sending and receiving bytes: on sockets of the machine, over TCP and over UDP.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { closeSync, readSync, writeSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import {
  AsyncCancel,
  type Bytes,
  type Completion,
  Entry,
  FixedBuffer,
  FixedFile,
  MessageFlags,
  Nop,
  type Operation,
  ProvideBuffers,
  Recv,
  RecvBundle,
  RecvMulti,
  RecvMultiBundle,
  type Received,
  Ring,
  Send,
  SendBundle,
  SendZc,
  SocketDomain,
  SocketType,
} from 'uring'
import * as native from 'uring/native'
import { socketpair } from 'uring/sys'
import { file } from './helpers/files.ts'
import { script } from './helpers/process.ts'
import { registerBuffers } from './helpers/register.ts'
import { closing, pair } from './helpers/sockets.ts'
import { bound, completions, provide, tcp, text, views } from './helpers/streams.ts'

const GROUP = 7
const LARGE = 8 << 20

function done(ring: Ring, operation: Operation<unknown>): Completion {
  ring.push(operation)
  const completion = ring.wait()
  if (completion === undefined) throw new Error('nothing came')
  return completion
}

function code(ring: Ring, operation: Operation<unknown>): string | undefined {
  return done(ring, operation).error?.code
}

/** What is there to be read. */
function read(fd: number): string {
  const bytes = Buffer.alloc(1 << 16)
  return bytes.toString('latin1', 0, readSync(fd, bytes))
}

/** A pair whose other end is closed. */
function widow(t: ExecutionContext): number {
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  closeSync(right)
  return closing(t, left)
}

/** Fills what the kernel keeps for a socket, and tells how much that is. */
function fill(ring: Ring, fd: number): number {
  const junk = Buffer.alloc(1 << 16, '#')
  for (let total = 0; ;) {
    const { result } = done(ring, new Send(fd, junk, { flags: MessageFlags.DONTWAIT }))
    if (result < 0) return total
    total += result
  }
}

/** Reads so many bytes away. */
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
  test(`Send: from ${kind}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = pair(t)
    const content = Buffer.from('sixteen bytes ..')
    t.is(done(ring, new Send(left, make(content))).value, 16)
    t.is(read(right), 'sixteen bytes ..')
  })

  test(`SendZc: from ${kind}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = tcp(t)
    ring.push(new SendZc(left, make(Buffer.from('sixteen bytes ..'))))
    t.deepEqual(
      completions(ring).map(({ value }) => value),
      [16, 16],
    )
    t.is(read(right), 'sixteen bytes ..')
  })

  test(`Recv: into ${kind}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = pair(t)
    const bytes = make(Buffer.alloc(16, '.'))
    writeSync(left, 'fourteen bytes')
    t.is(done(ring, new Recv(right, bytes)).value, 14)
    const view = ArrayBuffer.isView(bytes)
      ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : Buffer.from(bytes)
    t.is(view.toString(), 'fourteen bytes..')
  })
}

// ---- Send

test('Send: several buffers, one after the other', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const buffers: Bytes[] = Object.values(MEMORY).map((make, index) => make(Buffer.alloc(16, `${index}`)))
  buffers.splice(2, 0, new Uint8Array(0))
  ring.push(new Send(left, buffers))
  buffers.fill(Buffer.from('wrong'))
  t.is(ring.wait()?.value, 16 * 7)
  t.is(read(right), [...'0123456'].map((digit) => digit.repeat(16)).join(''))
  t.is(done(ring, new Send(left, [])).value, 0)
  t.is(
    done(
      ring,
      new Send(
        left,
        Array.from({ length: 1024 }, () => Buffer.from('ab')),
      ),
    ).value,
    2048,
  )
  t.is(read(right), 'ab'.repeat(1024))
})

test('Send: to an address, which may change after the push', async (t) => {
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
      t.is(completions(ring).at(-1)?.value, expected.length, expected)
      const [content, from] = (await message) as [Buffer, { port: number }]
      t.is(content.toString(), expected)
      t.is(from.port, sender.port)
    }
  }
  const message = once(receiver, 'message')
  t.is(done(ring, new Send(sender.fd, { group: GROUP }, { to: { address: '127.0.0.1', port } })).value, 8)
  t.is(String((await message)[0]), 'provided')
  t.is(code(ring, new Send(sender.fd, Buffer.from('x'))), 'EDESTADDRREQ')
  t.is(
    code(ring, new Send(sender.fd, Buffer.alloc(70_000), { to: { address: '127.0.0.1', port } })),
    'EMSGSIZE',
  )
})

test('Send: what it fails with', (t) => {
  using ring = new Ring({ entries: 4 })
  const bytes = Buffer.from('x')
  t.like(done(ring, new Send(widow(t), bytes)).error, {
    code: 'EPIPE',
    message: 'EPIPE: broken pipe, send',
    operation: 'Send',
    syscall: 'send',
  })
  t.is(code(ring, new Send(bound(t, SocketType.STREAM).fd, bytes)), 'EPIPE')
  t.is(code(ring, new Send(file(t).fd, bytes)), 'ENOTSOCK')
  t.is(code(ring, new Send(987_654, bytes)), 'EBADF')
  t.is(code(ring, new Send(new FixedFile(0), bytes)), 'EBADF')
})

test('Send: a large buffer goes in part, or with WAITALL as a whole', (t) => {
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
  const part = done(ring, new Send(left, content)).value as number
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

/** With `DONTWAIT` an operation that would have to wait fails, and one that polls first would. */
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
  test(`${name}: pollFirst waits before the first try, and flags reach the kernel: ${kind}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = tcp(t)
    writeSync(right, 'abc')
    done(ring, new Recv(left, Buffer.alloc(3), { flags: MessageFlags.PEEK })) // it has arrived
    provide(ring, GROUP, 3, 'xyz')
    ring.push(make(left, { flags: MessageFlags.DONTWAIT, pollFirst: true }))
    t.is(completions(ring)[0]?.error?.code, 'EAGAIN')
    for (const options of [
      { flags: MessageFlags.DONTWAIT, pollFirst: false },
      { flags: 0, pollFirst: true },
    ]) {
      ring.push(make(left, options))
      t.is(completions(ring)[0]?.result, 3)
      if (kind.includes('Recv')) writeSync(right, 'abc')
      done(ring, new Recv(left, Buffer.alloc(3), { flags: MessageFlags.PEEK }))
      provide(ring, GROUP, 3, 'xyz')
    }
  })
}

test('Send: a buffer of a group, which is out of it then', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t)
  provide(ring, GROUP, 4, 'one.two.', 20)
  const other = provide(ring, GROUP, 4, 'xyz.', 20) // the same number again
  const sent = done(ring, new Send(left, { group: GROUP }))
  t.is(sent.value, 4)
  t.is(sent.bufferId, 20)
  t.is(read(right), 'one.')
  t.is(done(ring, new Send(left, { group: { group: GROUP } })).bufferId, 21)
  t.is(read(right), 'two.')
  writeSync(right, 'in')
  const received = done(ring, new Recv(left, { group: GROUP }))
  t.is(received.bufferId, 20)
  t.is(text(received), 'in')
  t.is(other.toString(), 'inz.')
  t.is(code(ring, new Send(left, { group: GROUP })), 'ENOBUFS')
  t.is(code(ring, new Send(left, { group: 99 })), 'ENOENT')
})

for (const [name, make] of Object.entries({
  memory: (fd: number, bytes: Bytes) => new Send(fd, bytes, { flags: MessageFlags.WAITALL }),
  'several buffers': (fd: number, bytes: Bytes) =>
    new Send(fd, [Buffer.from('x'), bytes], { flags: MessageFlags.WAITALL }),
})) {
  test(`Send: memory that was detached in mid-flight is an error of its own: ${name}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = pair(t)
    const full = fill(ring, left)
    const bytes = new ArrayBuffer(64)
    ring.push(make(left, bytes))
    ring.submit()
    const moved = structuredClone(bytes, { transfer: [bytes] })
    empty(right, full)
    t.is(ring.wait()?.error?.code, 'ERR_URING_BUFFER_DETACHED')
    t.is(moved.byteLength, 64)
  })
}

// ---- SendZc

test('SendZc: completes with the bytes, and again when the memory is free', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = tcp(t)
  for (const operation of [
    new SendZc(left, Buffer.from('hello')),
    new SendZc(left, Buffer.from('hello')).async(),
  ]) {
    const token = ring.push(operation, 'data')
    const [first, second] = completions(ring)
    t.is(ring.inFlight, 0)
    t.like(first, { result: 5, value: 5, more: true, notification: false, ok: true, userData: 'data', token })
    t.like(second, {
      result: 0,
      value: 5,
      more: false,
      notification: true,
      ok: true,
      userData: 'data',
      token,
    })
    t.is(read(right), 'hello')
  }
})

test('SendZc: says whether the bytes were copied', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left] = tcp(t)
  ring.push(new SendZc(left, Buffer.from('hello'), { reportUsage: true }))
  const [first, second] = completions(ring)
  t.deepEqual(first?.value, { bytes: 5, copied: false })
  t.is(second?.result, -(2 ** 31))
  t.true(second?.ok)
  t.is(second?.error, undefined)
  t.deepEqual(second?.value, { bytes: 5, copied: true })
})

test('SendZc: several buffers, and none', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = tcp(t)
  const values = (operation: SendZc): unknown[] => {
    ring.push(operation)
    return completions(ring).map(({ value }) => value)
  }
  t.deepEqual(values(new SendZc(left, [Buffer.from('hel'), Buffer.alloc(0), Buffer.from('lo!')])), [6, 6])
  t.is(read(right), 'hello!')
  t.deepEqual(values(new SendZc(left, [])), [0, 0])
  t.deepEqual(values(new SendZc(left, Buffer.alloc(0))), [0, 0])
})

test('SendZc: from a registered buffer', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = tcp(t)
  const memory = Buffer.from('nothing of this, but that: registered'.padEnd(4096, '.'))
  registerBuffers(ring, [Buffer.alloc(4096), memory])
  ring.registerFiles([right, left])
  const buffer = new FixedBuffer(1, memory)
  for (const file of [left, new FixedFile(1)]) {
    ring.push(new SendZc(file, buffer.subarray(27, 37)))
    t.deepEqual(
      completions(ring).map(({ value }) => value),
      [10, 10],
    )
    t.is(read(right), 'registered')
  }
  for (const wrong of [new FixedBuffer(0, memory), new FixedBuffer(2, memory)]) {
    ring.push(new SendZc(left, wrong))
    t.deepEqual(
      completions(ring).map(({ error }) => error?.code),
      ['EFAULT', undefined],
    )
  }
})

test('SendZc: a failure has its notification too, unless it was refused before the start', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left] = pair(t)
  for (const reportUsage of [false, true]) {
    ring.push(new SendZc(left, Buffer.from('x'), { reportUsage }))
    const [first, second] = completions(ring)
    t.is(first?.result, -95)
    t.like(first?.error, { code: 'ENOTSUP', syscall: 'send', operation: 'SendZc' })
    t.true(first?.more)
    t.true(second?.ok)
    t.true(second?.notification)
    t.deepEqual(second?.value as unknown, reportUsage ? { bytes: 0, copied: true } : 0)
  }
  ring.push(new SendZc(left, Buffer.from('x')).skipSuccess())
  const refused = completions(ring)
  t.deepEqual(
    refused.map(({ error }) => error?.code),
    ['EINVAL'],
  )
  t.is(ring.inFlight, 0)
})

test('SendZc: what it tells is kept for each submission of an entry', (t) => {
  using ring = new Ring({ entries: 8 })
  const entry = new SendZc(tcp(t)[0], Buffer.from('hello'), { reportUsage: true }).build()
  ring.pushAll([entry, entry])
  const all = ring.waitMany(4)
  t.is(all.length, 4)
  for (const { notification, value } of all) t.deepEqual(value, { bytes: 5, copied: notification })
})

test('SendZc: memory that is detached before the notification is an error of its own', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = tcp(t)
  const bytes = new ArrayBuffer(1 << 20)
  fill(ring, left)
  ring.push(new SendZc(left, bytes))
  ring.submit()
  const moved = structuredClone(bytes, { transfer: [bytes] })
  ring.push(new Recv(right, Buffer.alloc(1 << 20)), 'recv')
  const found: Completion[] = []
  do {
    const completion = ring.wait()
    if (completion?.userData === 'recv') ring.push(new Recv(right, Buffer.alloc(1 << 20)), 'recv')
    else if (completion !== undefined) found.push(completion)
  } while (found.length < 2)
  t.deepEqual(
    found.map(({ error, notification }) => [error?.code, notification]),
    [
      ['ERR_URING_BUFFER_DETACHED', false],
      ['ERR_URING_BUFFER_DETACHED', true],
    ],
  )
  t.is(moved.byteLength, 1 << 20)
})

test('SendZc: the memory is held until the notification', async (t) => {
  const { code, stdout, stderr } = await script(
    `
    import { createServer, connect } from 'node:net'
    import { once } from 'node:events'
    import { Ring, SendZc } from 'uring'
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect(server.address().port, '127.0.0.1').pause()
    const [[peer]] = await Promise.all([once(server, 'connection'), once(client, 'connect')])
    const ring = new Ring({ entries: 4 })
    const make = () => {
      const bytes = new ArrayBuffer(1 << 20)
      ring.push(new SendZc(client._handle.fd, bytes))
      return new WeakRef(bytes)
    }
    const reference = make()
    const collect = async () => {
      for (let round = 0; round < 4; round += 1) {
        await new Promise((resolve) => setImmediate(resolve))
        globalThis.gc()
      }
      return reference.deref() === undefined ? 'gone' : 'held'
    }
    const { more, value } = ring.wait()
    console.log(more, value > 0, await collect())
    let got = 0
    peer.on('data', (data) => { got += data.length }).resume()
    while (got < value) await once(peer, 'data')
    const notification = ring.wait()
    console.log(notification.notification, notification.value === value, await collect())
    process.exit()
    `,
    ['--expose-gc'],
  )
  t.is(stderr, '')
  t.is(stdout, 'true true held\ntrue true gone\n')
  t.is(code, 0)
})

// ---- SendBundle

test('SendBundle: sends the buffers of a group until there are none left, and counts', (t) => {
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
    const all = completions(ring)
    // Buffers that were provided one by one go one by one, whatever the length is.
    t.deepEqual(
      all.map(({ result, value, bufferId, more }) => [result, value, bufferId, more]),
      [
        [4, 4, firstId, true],
        [4, 8, firstId + 1, true],
        [4, 12, firstId + 2, false],
      ],
    )
    t.is(read(right), 'one.two.six.')
    t.is(ring.inFlight, 0)
  }
  t.is(code(ring, operation), 'ENOBUFS')
  t.like(done(ring, new SendBundle(left, 99)).error, { code: 'ENOENT', syscall: 'send' })
})

test('SendBundle: any number of its completions can be waited for', (t) => {
  using ring = new Ring({ entries: 4 })
  provide(ring, GROUP, 4, 'one.two.six.')
  ring.push(new SendBundle(pair(t)[0], GROUP))
  t.is(ring.waitMany(3).length, 3)
})

test('SendBundle: a buffer that it failed to send is out of the group', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  provide(ring, GROUP, 4, 'one.', 5)
  const other = provide(ring, GROUP, 4, 'two.', 5)
  const failed = done(ring, new SendBundle(widow(t), GROUP))
  t.is(failed.error?.code, 'EPIPE')
  t.is(failed.bufferId, 5)
  writeSync(right, 'in')
  t.is(text(done(ring, new Recv(left, { group: GROUP }))), 'in')
  t.is(other.toString(), 'ino.')
})

// ---- Recv

test('Recv: the end of the stream is nothing, and so is an empty buffer', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  closing(t, right)
  writeSync(left, 'rest')
  t.is(done(ring, new Recv(right, new Uint8Array(0))).value, 0)
  closeSync(left)
  t.is(done(ring, new Recv(right, Buffer.alloc(8))).value, 4)
  t.is(done(ring, new Recv(right, Buffer.alloc(8))).value, 0)
  provide(ring, GROUP, 8, 1)
  const end = done(ring, new Recv(right, { group: GROUP }))
  t.is(end.result, 0)
  t.deepEqual((end.value as Received).views, [])
  t.is(text(end), '')
})

test('Recv: flags reach the kernel', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const bytes = Buffer.alloc(8)
  t.is(code(ring, new Recv(right, bytes, { flags: MessageFlags.DONTWAIT })), 'EAGAIN')
  writeSync(left, 'peek')
  t.is(done(ring, new Recv(right, bytes, { flags: MessageFlags.PEEK })).value, 4)
  t.is(done(ring, new Recv(right, bytes)).value, 4)
  ring.push(new Recv(right, bytes, { flags: MessageFlags.WAITALL }))
  writeSync(left, 'half')
  ring.submit()
  t.is(ring.tryWait(), undefined)
  writeSync(left, 'more')
  t.is(ring.wait()?.value, 8)
  t.is(bytes.toString(), 'halfmore')
  t.like(done(ring, new Recv(file(t).fd, bytes)).error, {
    code: 'ENOTSOCK',
    syscall: 'recv',
    operation: 'Recv',
  })
  t.is(code(ring, new Recv(bound(t, SocketType.STREAM).fd, bytes)), 'ENOTCONN')
})

test('Recv: the whole length of a message of which only the start fits', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, SocketType.DGRAM)
  const flags = MessageFlags.TRUNC
  const bytes = new ArrayBuffer(4)
  writeSync(left, 'eleven byte')
  const completion = done(ring, new Recv(right, bytes, { flags }))
  t.is(completion.error, undefined)
  t.is(completion.value, 11)
  t.is(Buffer.from(bytes).toString(), 'elev')
  ring.push(new Recv(right, bytes, { flags }))
  ring.submit()
  structuredClone(bytes, { transfer: [bytes] })
  writeSync(left, 'x')
  t.is(ring.wait()?.error?.code, 'ERR_URING_BUFFER_DETACHED')
  // In a group it is one buffer, too.
  provide(ring, GROUP, 4, 3)
  writeSync(left, 'eleven byte')
  writeSync(left, 'next')
  const first = done(ring, new Recv(right, { group: GROUP }, { flags }))
  t.is(first.result, 11)
  t.is(text(first), 'elev')
  const second = done(ring, new Recv(right, { group: GROUP }, { flags }))
  t.is(second.bufferId, 1)
  t.is(text(second), 'next')
})

test('Recv: into a group', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const memory = provide(ring, GROUP, 8, 3, 100)
  writeSync(left, 'abcdefghijklm')
  const first = done(ring, new Recv(right, { group: GROUP }))
  t.is(first.bufferId, 100)
  t.is(first.result, 8)
  t.is(text(first), 'abcdefgh')
  const { bytes, views } = first.value as Received
  t.is(bytes.buffer, memory.buffer)
  t.is(views.length, 1)
  const entry = new Recv(right, { group: { group: GROUP }, length: 2 }).build()
  for (const [id, expected] of [
    [101, 'ij'],
    [102, 'kl'],
  ] as const) {
    ring.push(entry)
    const completion = ring.wait()
    t.is(completion?.bufferId, id)
    t.is(text(completion), expected)
  }
  t.is(memory.toString(), 'abcdefghij......kl......')
  t.like(done(ring, new Recv(right, { group: GROUP })).error, { code: 'ENOBUFS', syscall: 'recv' })
  t.is(code(ring, new Recv(right, { group: 99 })), 'ENOBUFS')
  t.is(read(right), 'm')
})

test('Recv: into a group whose memory the ring does not know', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const memory = Buffer.alloc(8, '.')
  const bytes = new native.ProvideBuffers(native.createAddressOf()(memory), 8, 1, GROUP, 3).build()
  ring.push(Entry.from(bytes, { keep: [memory] }))
  t.is(ring.wait()?.result, 0)
  writeSync(left, 'abc')
  const completion = done(ring, new Recv(right, { group: GROUP }))
  t.is(completion.bufferId, 3)
  t.is(completion.result, 3)
  t.is(memory.toString(), 'abc.....')
  t.throws(() => completion.value, { code: 'ERR_URING_RESOURCE_CLOSED', message: /group 7/ })
})

test('Recv: memory that was detached in mid-flight is an error of its own', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const bytes = new ArrayBuffer(64)
  ring.push(new Recv(right, bytes))
  ring.submit()
  const moved = structuredClone(bytes, { transfer: [bytes] })
  writeSync(left, 'four')
  t.like(ring.wait()?.error, { code: 'ERR_URING_BUFFER_DETACHED', operation: 'Recv' })
  t.is(moved.byteLength, 64)
})

// ---- RecvMulti and RecvMultiBundle

for (const Class of [RecvMulti, RecvMultiBundle]) {
  const { name } = Class

  test(`${name}: every completion has its own bytes, in order, until the end`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = socketpair(SocketDomain.UNIX, SocketType.SEQPACKET)
    closing(t, right)
    const memory = provide(ring, GROUP, 8, 16, 40)
    const token = ring.push(new Class(right, GROUP), 'data')
    ring.submit()
    const messages = Array.from({ length: 12 }, (_, index) => `${index}`.repeat((index % 4) + 1))
    const seen: Completion[] = []
    for (const [index, message] of messages.entries()) {
      writeSync(left, message)
      const completion = ring.wait()
      t.like(completion, { token, userData: 'data', more: true, ok: true, bufferId: 40 + index })
      if (completion !== undefined) seen.push(completion)
    }
    t.deepEqual(seen.map(text), messages)
    t.is(memory.toString('latin1', 8, 16), '11......')
    closeSync(left)
    const end = ring.wait()
    t.like(end, { result: 0, more: false, ok: true })
    t.is(text(end), '')
    t.is(ring.inFlight, 0)
  })

  test(`${name}: link(), async() and drain() leave it the group`, (t) => {
    using ring = new Ring({ entries: 8 })
    const [left, right] = pair(t)
    ring.registerFiles([right])
    for (const operation of [
      new Class(right, GROUP, { limit: 3 }).async(),
      new Class(right, { group: GROUP }, { limit: 3 }).drain(),
      new Class(right, GROUP, { limit: 3 }).async().drain(),
      new Class(new FixedFile(0), GROUP, { limit: 3 }).async(),
    ]) {
      provide(ring, GROUP, 4, 1)
      writeSync(left, 'abc')
      const completion = done(ring, operation)
      t.is(text(completion), 'abc')
      t.false(completion.more)
    }
    provide(ring, GROUP, 4, 1)
    writeSync(left, 'abc')
    ring.pushAll([new Nop().link(), new Class(right, GROUP, { limit: 3 }).link(), new Nop()], [1, 2, 3])
    const all = ring.waitMany(3)
    t.deepEqual(
      all.map(({ userData }) => userData),
      [1, 2, 3],
    )
    t.is(text(all[1]), 'abc')
  })

  test(`${name}: an empty group ends it`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = pair(t)
    t.is(code(ring, new Class(right, 99)), name === 'RecvMulti' ? 'ENOBUFS' : 'ENOENT')
    provide(ring, GROUP, 8, 1)
    ring.push(new Class(right, GROUP))
    writeSync(left, 'abc')
    const first = ring.wait()
    t.is(text(first), 'abc')
    // A bundle ends with the last buffer, and the other with the first that is missing.
    t.is(first?.more, name === 'RecvMulti')
    if (first?.more !== true) ring.push(new Class(right, GROUP))
    writeSync(left, 'def')
    const last = ring.wait()
    t.like(last?.error, { code: 'ENOBUFS', syscall: 'recv', operation: name })
    t.is(last?.bufferId, undefined)
    t.false(last?.more)
    t.is(read(right), 'def')
  })

  test(`${name}: is cancelled`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = pair(t)
    provide(ring, GROUP, 8, 2)
    const token = ring.push(new Class(right, GROUP), 'data')
    writeSync(left, 'abc')
    t.is(text(ring.wait()), 'abc')
    ring.push(new AsyncCancel(token), 'cancel')
    const ended = ring.waitMany(2).find(({ userData }) => userData === 'data')
    t.is(ended?.error?.code, 'ECANCELED')
    t.false(ended?.more)
    // The buffer that it did not use is still there.
    writeSync(left, 'def')
    t.is(done(ring, new Recv(right, { group: GROUP })).bufferId, 1)
  })

  test(`${name}: does not wait for all`, (t) => {
    using ring = new Ring({ entries: 4 })
    provide(ring, GROUP, 8, 2)
    t.is(code(ring, new Class(pair(t)[1], GROUP, { flags: MessageFlags.WAITALL })), 'EINVAL')
  })

  test(`${name}: length is for each completion, limit for all`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = pair(t)
    const content = '0123456789'
    for (const [options, expected, rest] of [
      [{ length: 3 }, ['012', '345', '678', '9', undefined], ''],
      [{ length: 3, limit: 6 }, ['012', '345'], '6789'],
      [{ limit: 4 }, [name === 'RecvMulti' ? '01234567' : '0123'], name === 'RecvMulti' ? '89' : '456789'],
    ] as const) {
      provide(ring, GROUP, 8, expected.length)
      writeSync(left, content)
      ring.push(new Class(right, GROUP, options))
      for (const [index, part] of expected.entries()) {
        const more = index + 1 < expected.length
        if (part === undefined) {
          ring.push(new AsyncCancel('any'))
          t.is(ring.waitMany(2).length, 2)
          t.is(ring.inFlight, 0)
          t.is(code(ring, new Recv(right, { group: GROUP }, { flags: MessageFlags.DONTWAIT })), 'EAGAIN')
          // It has one buffer left over, which goes now.
          writeSync(left, 'z')
          t.is(text(done(ring, new Recv(right, { group: GROUP }))), 'z')
        } else {
          const completion = ring.wait()
          t.is(text(completion), part)
          t.is(completion?.more, more)
        }
      }
      t.is(ring.inFlight, 0)
      if (rest !== '') t.is(read(right), rest)
      t.is(code(ring, new Recv(right, { group: GROUP }, { flags: MessageFlags.DONTWAIT })), 'ENOBUFS')
    }
  })
}

test('RecvMulti: drain() keeps count of the buffers too', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  provide(ring, GROUP, 8, 1, 5)
  const other = provide(ring, GROUP, 8, 1, 5) // the same number again
  ring.push(new RecvMulti(right, GROUP), 'data')
  writeSync(left, 'abc')
  ring.submit()
  const results: number[] = []
  t.is(
    ring.drain((_, result) => results.push(result)),
    1,
  )
  t.deepEqual(results, [3])
  writeSync(left, 'def')
  t.is(text(ring.wait()), 'def')
  t.is(other.toString(), 'def.....')
})

// ---- RecvBundle

test('RecvBundle: fills two buffers that were provided one by one, at most', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const memory = provide(ring, GROUP, 8, 5, 30)
  writeSync(left, '0123456789ABCDEFGHIJ')
  const entry = new RecvBundle(right, GROUP).build()
  ring.push(entry)
  const first = ring.wait()
  t.like(first, { result: 16, bufferId: 30, more: false })
  t.is(text(first), '0123456789ABCDEF')
  t.deepEqual(
    views(first).map((view) => view.byteOffset - memory.byteOffset),
    [0, 8],
  )
  ring.push(entry)
  const second = ring.wait()
  t.like(second, { result: 4, bufferId: 32 })
  t.is(text(second), 'GHIJ')
  t.is(views(second).length, 1)
  writeSync(left, 'abcdefghijk')
  ring.push(entry)
  const third = ring.wait()
  t.like(third, { result: 11, bufferId: 33 })
  t.is(text(third), 'abcdefghijk')
  t.is(memory.toString(), '0123456789ABCDEFGHIJ....abcdefghijk.....')
  t.is(code(ring, new RecvBundle(right, GROUP)), 'ENOBUFS')
  provide(ring, GROUP, 12, 2, 50)
  writeSync(left, '0123456789ABCDEFGHIJ')
  t.is(text(done(ring, new RecvBundle(right, GROUP))), '0123456789ABCDEFGHIJ')
  t.like(done(ring, new RecvBundle(right, 99)).error, { code: 'ENOENT', syscall: 'recv' })
})

test('RecvBundle: length is for its first buffer', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const memory = provide(ring, GROUP, 8, 3, 30)
  writeSync(left, '0123456789ABCDEFGHIJ')
  const first = done(ring, new RecvBundle(right, { group: GROUP }, { length: 3 }))
  t.is(first.result, 11)
  t.is(text(first), '0123456789A')
  t.is(memory.toString(), '012.....3456789A........')
  t.is(done(ring, new Recv(right, { group: GROUP })).bufferId, 32)
})

test('RecvMultiBundle: each completion fills two buffers at most', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  provide(ring, GROUP, 8, 1, 30)
  provide(ring, GROUP, 8, 4, 10)
  writeSync(left, '0123456789ABCDEFGHIJ')
  ring.push(new RecvMultiBundle(right, GROUP))
  const [first, second] = ring.waitMany(2)
  t.like(first, { result: 16, bufferId: 30, more: true })
  t.is(text(first), '0123456789ABCDEF')
  t.like(second, { result: 4, bufferId: 11, more: true })
  t.is(text(second), 'GHIJ')
  writeSync(left, 'klm')
  t.is(text(ring.wait()), 'klm')
})

test('RecvBundle: memory of a group that was detached is an error of its own', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const memory = new ArrayBuffer(32)
  t.true(done(ring, new ProvideBuffers(memory, 8, 4, GROUP)).ok)
  const moved = structuredClone(memory, { transfer: [memory] })
  writeSync(left, '0123456789')
  const completion = done(ring, new RecvBundle(right, GROUP))
  t.is(completion.result, 10)
  t.throws(() => completion.value, { code: 'ERR_URING_BUFFER_DETACHED' })
  t.is(done(ring, new Send(left, { group: GROUP })).bufferId, 2, 'it has had two buffers')
  t.is(moved.byteLength, 32)
})
