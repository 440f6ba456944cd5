// Receives of bytes: into memory, into buffer groups, and multishot.

import { closeSync, writeSync } from 'node:fs'
import test from 'ava'
import {
  AsyncCancel,
  type Completion,
  Entry,
  FixedFile,
  MessageFlags,
  Nop,
  ProvideBuffers,
  Recv,
  RecvBundle,
  RecvMulti,
  RecvMultiBundle,
  type Received,
  Ring,
  Send,
  SocketDomain,
  SocketType,
} from 'uring'
import * as native from 'uring/native'
import { socketpair } from 'uring/sys'
import { complete, errorCode } from '../../helpers/completions.ts'
import { file } from '../../helpers/files.ts'
import { closing, pair } from '../../helpers/sockets.ts'
import { bound, GROUP, provide, readAll, text, views } from '../../helpers/streams.ts'

// ---- Recv

test('Recv: receives 0 bytes at the end of the stream, and into an empty buffer', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  closing(t, right)
  writeSync(left, 'rest')
  t.is(complete(ring, new Recv(right, new Uint8Array(0))).value, 0)
  closeSync(left)
  t.is(complete(ring, new Recv(right, Buffer.alloc(8))).value, 4)
  t.is(complete(ring, new Recv(right, Buffer.alloc(8))).value, 0)
  provide(ring, GROUP, 8, 1)
  const end = complete(ring, new Recv(right, { group: GROUP }))
  t.is(end.result, 0)
  t.deepEqual((end.value as Received).views, [])
  t.is(text(end), '')
})

test('Recv: passes flags to the kernel', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const bytes = Buffer.alloc(8)
  t.is(errorCode(ring, new Recv(right, bytes, { flags: MessageFlags.DONTWAIT })), 'EAGAIN')
  writeSync(left, 'peek')
  t.is(complete(ring, new Recv(right, bytes, { flags: MessageFlags.PEEK })).value, 4)
  t.is(complete(ring, new Recv(right, bytes)).value, 4)
  ring.push(new Recv(right, bytes, { flags: MessageFlags.WAITALL }))
  writeSync(left, 'half')
  ring.submit()
  t.is(ring.tryWait(), undefined)
  writeSync(left, 'more')
  t.is(ring.wait()?.value, 8)
  t.is(bytes.toString(), 'halfmore')
  t.like(complete(ring, new Recv(file(t).fd, bytes)).error, {
    code: 'ENOTSOCK',
    syscall: 'recv',
    operation: 'Recv',
  })
  t.is(errorCode(ring, new Recv(bound(t, SocketType.STREAM).fd, bytes)), 'ENOTCONN')
})

test('Recv: returns the whole length of a truncated message with TRUNC', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t, SocketType.DGRAM)
  const flags = MessageFlags.TRUNC
  const bytes = new ArrayBuffer(4)
  writeSync(left, 'eleven byte')
  const completion = complete(ring, new Recv(right, bytes, { flags }))
  t.is(completion.error, undefined)
  t.is(completion.value, 11)
  t.is(Buffer.from(bytes).toString(), 'elev')
  ring.push(new Recv(right, bytes, { flags }))
  ring.submit()
  structuredClone(bytes, { transfer: [bytes] })
  writeSync(left, 'x')
  t.is(ring.wait()?.error?.code, 'ERR_URING_BUFFER_DETACHED')
  // With a buffer group, the message takes one buffer too.
  provide(ring, GROUP, 4, 3)
  writeSync(left, 'eleven byte')
  writeSync(left, 'next')
  const first = complete(ring, new Recv(right, { group: GROUP }, { flags }))
  t.is(first.result, 11)
  t.is(text(first), 'elev')
  const second = complete(ring, new Recv(right, { group: GROUP }, { flags }))
  t.is(second.bufferId, 1)
  t.is(text(second), 'next')
})

test('Recv: receives into a buffer group', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const memory = provide(ring, GROUP, 8, 3, 100)
  writeSync(left, 'abcdefghijklm')
  const first = complete(ring, new Recv(right, { group: GROUP }))
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
  t.like(complete(ring, new Recv(right, { group: GROUP })).error, { code: 'ENOBUFS', syscall: 'recv' })
  t.is(errorCode(ring, new Recv(right, { group: 99 })), 'ENOBUFS')
  t.is(readAll(right), 'm')
})

test('Recv: fails for a buffer group whose memory the ring does not know', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const memory = Buffer.alloc(8, '.')
  const bytes = new native.ProvideBuffers(native.createAddressOf()(memory), 8, 1, GROUP, 3).build()
  ring.push(Entry.from(bytes, { keep: [memory] }))
  t.is(ring.wait()?.result, 0)
  writeSync(left, 'abc')
  const completion = complete(ring, new Recv(right, { group: GROUP }))
  t.is(completion.bufferId, 3)
  t.is(completion.result, 3)
  t.is(memory.toString(), 'abc.....')
  t.throws(() => completion.value, { code: 'ERR_URING_RESOURCE_CLOSED', message: /group 7/ })
})

test('Recv: fails with an error of its own if its memory is detached in flight', (t) => {
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

  test(`${name}: completes with the bytes in order, until the end`, (t) => {
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

  test(`${name}: takes its buffers from the group with link(), async() and drain()`, (t) => {
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
      const completion = complete(ring, operation)
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

  test(`${name}: ends when the buffer group is empty`, (t) => {
    using ring = new Ring({ entries: 4 })
    const [left, right] = pair(t)
    t.is(errorCode(ring, new Class(right, 99)), name === 'RecvMulti' ? 'ENOBUFS' : 'ENOENT')
    provide(ring, GROUP, 8, 1)
    ring.push(new Class(right, GROUP))
    writeSync(left, 'abc')
    const first = ring.wait()
    t.is(text(first), 'abc')
    // A bundle ends with the last buffer, RecvMulti when the next one is missing.
    t.is(first?.more, name === 'RecvMulti')
    if (first?.more !== true) ring.push(new Class(right, GROUP))
    writeSync(left, 'def')
    const last = ring.wait()
    t.like(last?.error, { code: 'ENOBUFS', syscall: 'recv', operation: name })
    t.is(last?.bufferId, undefined)
    t.false(last?.more)
    t.is(readAll(right), 'def')
  })

  test(`${name}: ends with ECANCELED when it is cancelled`, (t) => {
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
    // The buffer that it did not use is still in the group.
    writeSync(left, 'def')
    t.is(complete(ring, new Recv(right, { group: GROUP })).bufferId, 1)
  })

  test(`${name}: fails with EINVAL for WAITALL`, (t) => {
    using ring = new Ring({ entries: 4 })
    provide(ring, GROUP, 8, 2)
    t.is(errorCode(ring, new Class(pair(t)[1], GROUP, { flags: MessageFlags.WAITALL })), 'EINVAL')
  })

  test(`${name}: limits each completion by length, and all together by limit`, (t) => {
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
          t.is(errorCode(ring, new Recv(right, { group: GROUP }, { flags: MessageFlags.DONTWAIT })), 'EAGAIN')
          // One buffer is left in the group: take it out.
          writeSync(left, 'z')
          t.is(text(complete(ring, new Recv(right, { group: GROUP }))), 'z')
        } else {
          const completion = ring.wait()
          t.is(text(completion), part)
          t.is(completion?.more, more)
        }
      }
      t.is(ring.inFlight, 0)
      if (rest !== '') t.is(readAll(right), rest)
      t.is(errorCode(ring, new Recv(right, { group: GROUP }, { flags: MessageFlags.DONTWAIT })), 'ENOBUFS')
    }
  })
}

test('RecvMulti: keeps count of the buffers when drain() consumes its completions', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  provide(ring, GROUP, 8, 1, 5)
  const other = provide(ring, GROUP, 8, 1, 5) // uses the same buffer number again
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

test('RecvBundle: fills at most two buffers of ProvideBuffers', (t) => {
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
  t.is(errorCode(ring, new RecvBundle(right, GROUP)), 'ENOBUFS')
  provide(ring, GROUP, 12, 2, 50)
  writeSync(left, '0123456789ABCDEFGHIJ')
  t.is(text(complete(ring, new RecvBundle(right, GROUP))), '0123456789ABCDEFGHIJ')
  t.like(complete(ring, new RecvBundle(right, 99)).error, { code: 'ENOENT', syscall: 'recv' })
})

test('RecvBundle: limits its first buffer by length', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const memory = provide(ring, GROUP, 8, 3, 30)
  writeSync(left, '0123456789ABCDEFGHIJ')
  const first = complete(ring, new RecvBundle(right, { group: GROUP }, { length: 3 }))
  t.is(first.result, 11)
  t.is(text(first), '0123456789A')
  t.is(memory.toString(), '012.....3456789A........')
  t.is(complete(ring, new Recv(right, { group: GROUP })).bufferId, 32)
})

test('RecvMultiBundle: fills at most two buffers per completion', (t) => {
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

test('RecvBundle: fails with an error of its own if the memory of the group is detached', (t) => {
  using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  const memory = new ArrayBuffer(32)
  t.true(complete(ring, new ProvideBuffers(memory, 8, 4, GROUP)).ok)
  const moved = structuredClone(memory, { transfer: [memory] })
  writeSync(left, '0123456789')
  const completion = complete(ring, new RecvBundle(right, GROUP))
  t.is(completion.result, 10)
  t.throws(() => completion.value, { code: 'ERR_URING_BUFFER_DETACHED' })
  t.is(complete(ring, new Send(left, { group: GROUP })).bufferId, 2, 'it has had two buffers')
  t.is(moved.byteLength, 32)
})
