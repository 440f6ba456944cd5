// Provided buffers: putting them into a group and removing them.

import { writeSync } from 'node:fs'
import test from 'ava'
import { Entry, Nop, ProvideBuffers, Read, type Received, RemoveBuffers, Ring, type UringError } from 'uring'

import { complete, outcome, TIMEOUT } from '../../helpers/completions.ts'
import { file } from '../../helpers/files.ts'
import { script } from '../../helpers/process.ts'
import { fixedRing } from '../../helpers/registered.ts'
import { pair } from '../../helpers/sockets.ts'

const GROUP = 9

/** A Buffer with an ArrayBuffer of its own, which can be detached. */
function fresh(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(size))
}

function textOf(received: Received): string {
  return received.bytes.toString('latin1')
}

/** Reads into a buffer of the group; returns the text, or the code of the error. */
function read(ring: Ring, fd: number, group: number = GROUP, length = 0): string {
  const completion = complete(ring, new Read(fd, { group, length }, { offset: 0 }))
  return completion.error?.code ?? textOf(completion.value)
}

test('ProvideBuffers: reads consume the buffers in order, and fill them', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, '0123456789')
  const memory = fresh(40).fill('.')
  const part = memory.subarray(4)
  t.is(outcome(ring, new ProvideBuffers(part, 10, 3, GROUP, 500)), 0)
  for (const [index, text] of ['0123456789', '01234', '0123456789'].entries()) {
    const completion = complete(ring, new Read(fd, { group: GROUP, length: text.length }, { offset: 0 }))
    t.is(completion.bufferId, 500 + index)
    t.is(completion.result, text.length)
    const { bytes, views } = completion.value
    t.is(bytes.toString(), text)
    t.deepEqual(views, [bytes])
    t.is(bytes.buffer, memory.buffer)
    t.is(bytes.byteOffset, 4 + index * 10)
  }
  t.is(memory.toString('latin1', 0, 34), '....012345678901234.....0123456789')
  t.is(read(ring, fd), 'ENOBUFS')
})

test('ProvideBuffers: adds to a group, whose oldest buffers are consumed first', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'abcdefgh')
  const [first, second] = [fresh(8), new ArrayBuffer(4)]
  t.is(outcome(ring, new ProvideBuffers(first, 4, 2, { group: GROUP }, 10)), 0)
  t.is(outcome(ring, new ProvideBuffers(new DataView(second), 2, 1, GROUP, 65_535)), 0)
  t.is(outcome(ring, new ProvideBuffers(new ArrayBuffer(3), 3, 1, 65_535)), 0)
  const ids: unknown[] = []
  for (const text of ['abcd', 'abcd', 'ab']) {
    const completion = complete(ring, new Read(fd, { group: GROUP }, { offset: 0 }))
    t.is(textOf(completion.value), text)
    ids.push(completion.bufferId)
  }
  t.deepEqual(ids, [10, 11, 65_535])
  t.is(read(ring, fd, 65_535), 'abc')
  // A filled buffer can be provided again.
  t.is(outcome(ring, new ProvideBuffers(first, 4, 1, GROUP, 10)), 0)
  t.is(read(ring, fd), 'abcd')
})

test('ProvideBuffers: a read at the end of a file receives no bytes', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, '')
  t.is(outcome(ring, new ProvideBuffers(fresh(8), 8, 1, GROUP)), 0)
  t.is(read(ring, fd), '')
})

test('ProvideBuffers: provides 65536 buffers at once', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'xyz')
  const memory = fresh(2 * 65_536)
  const provide = new ProvideBuffers(memory, 2, 65_536, GROUP)
  t.is(Buffer.from(provide.build().bytes).readUInt32LE(4), 65_536)
  t.is(outcome(ring, provide), 0)
  t.is(read(ring, fd), 'xy')
  // Since Linux 6.17 a group has at most 65535 buffers.
  const removed = outcome(ring, new RemoveBuffers(65_534, GROUP))
  t.is(removed, 65_534)
  const rest = outcome(ring, new RemoveBuffers(65_536, GROUP))
  t.true(rest === 0 || rest === 1, String(rest))
  // Each id separately.
  t.is(outcome(ring, new ProvideBuffers(memory, 2, 1, GROUP, 65_535)), 0)
  t.is(complete(ring, new Read(fd, { group: GROUP }, { offset: 0 })).bufferId, 65_535)
})

test('ProvideBuffers: fails for bad arguments and detached memory', (t) => {
  const memory = fresh(100)
  const refuses = (args: readonly [number, number, number, number?], name: string): void => {
    const [size, count, group, firstId] = args
    const expected = { instanceOf: RangeError, code: 'ERR_OUT_OF_RANGE', message: new RegExp(`"${name}"`) }
    t.throws(() => new ProvideBuffers(memory, size, count, group, firstId), expected, args.join())
  }
  refuses([101, 1, 1], 'size')
  refuses([0, 1, 1], 'size')
  refuses([10, 11, 1], 'count')
  refuses([33, 4, 1], 'count')
  refuses([1, 0, 1], 'count')
  refuses([1, 1, 65_536], 'group')
  refuses([1, 2, 1, 65_535], 'firstId')
  refuses([1, 1, 1, 65_536], 'firstId')
  t.notThrows(() => new ProvideBuffers(memory, 10, 10, 1, 65_526))
  // Memory that was detached after the constructor.
  const provide = new ProvideBuffers(memory, 10, 10, 1)
  structuredClone(memory.buffer, { transfer: [memory.buffer as ArrayBuffer] })
  t.throws(() => provide.build(), { code: 'ERR_OUT_OF_RANGE', message: /"size"/ })
})

test('ProvideBuffers: provides with skipSuccess, alone and in a chain', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'silent')
  ring.push(new ProvideBuffers(fresh(8), 8, 1, GROUP, 1).skipSuccess().link())
  ring.push(new Read(fd, { group: GROUP }, { offset: 0 }))
  t.is(textOf(ring.wait(TIMEOUT)?.value as Received), 'silent')
  ring.push(new ProvideBuffers(fresh(8), 4, 2, GROUP, 2).skipSuccess())
  ring.submit()
  t.is(read(ring, fd), 'sile')
  t.is(read(ring, fd), 'sile')
  t.is(read(ring, fd), 'ENOBUFS')
  t.is(ring.tryWait(), undefined)
})

test('ProvideBuffers: a built entry provides at each push', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'again')
  const entry = new ProvideBuffers(fresh(10), 5, 2, GROUP, 7).build()
  for (let round = 0; round < 3; round += 1) {
    t.is(outcome(ring, entry), 0)
    t.is(read(ring, fd), 'again')
    t.is(read(ring, fd), 'again')
    t.is(read(ring, fd), 'ENOBUFS')
  }
  // Also to another ring: groups belong to rings.
  using other = new Ring({ entries: 8 })
  t.is(read(other, fd), 'ENOBUFS')
  t.is(outcome(other, entry), 0)
  t.is(read(other, fd), 'again')
})

test('ProvideBuffers: leaves no buffers if it fails or is withdrawn', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'abcd')
  const stale = fresh(4)
  ring.push(new Nop({ result: -5 }).link())
  ring.push(new ProvideBuffers(stale, 4, 1, GROUP, 3))
  t.deepEqual(
    ring.waitMany(2, TIMEOUT).map(({ error }) => error?.code),
    ['EIO', 'ECANCELED'],
  )
  t.throws(() => ring.pushAll([new ProvideBuffers(stale, 4, 1, GROUP, 3), 8 as unknown as Nop]), {
    code: 'ERR_INVALID_ARG_TYPE',
  })
  t.is(read(ring, fd), 'ENOBUFS')
  // If they had stayed, this would be the second buffer with the same id.
  const memory = fresh(4)
  t.is(outcome(ring, new ProvideBuffers(memory, 4, 1, GROUP, 3)), 0)
  const { value } = complete(ring, new Read(fd, { group: GROUP }, { offset: 0 }))
  t.is(value.bytes.buffer, memory.buffer)
  t.is(textOf(value), 'abcd')
  t.deepEqual(stale, Buffer.alloc(4))
})

test('ProvideBuffers: drain() counts consumed buffers too', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'wxyz')
  const [first, second] = [fresh(4), fresh(4)]
  t.is(outcome(ring, new ProvideBuffers(first, 4, 1, GROUP, 3)), 0)
  ring.push(new Read(fd, { group: GROUP }, { offset: 0 }))
  ring.submitAndWait(1)
  t.is(
    ring.drain((_, result) => t.is(result, 4)),
    1,
  )
  t.is(first.toString(), 'wxyz')
  t.is(outcome(ring, new ProvideBuffers(second, 4, 1, GROUP, 3)), 0)
  t.is(complete(ring, new Read(fd, { group: GROUP }, { offset: 0 })).value.bytes.buffer, second.buffer)
})

test('ProvideBuffers: reports memory that was detached', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'abcd')
  const detach = (memory: Buffer): ArrayBuffer =>
    structuredClone(memory.buffer as ArrayBuffer, { transfer: [memory.buffer as ArrayBuffer] })
  const memory = fresh(4)
  ring.push(new ProvideBuffers(memory, 4, 1, GROUP))
  const moved = [detach(memory)]
  t.is(ring.wait(TIMEOUT)?.error?.code, 'ERR_URING_BUFFER_DETACHED')
  t.is(outcome(ring, new RemoveBuffers(1, GROUP)), 1)
  const other = fresh(4)
  t.is(outcome(ring, new ProvideBuffers(other, 4, 1, GROUP)), 0)
  moved.push(detach(other))
  const completion = complete(ring, new Read(fd, { group: GROUP }, { offset: 0 }))
  t.throws<UringError>(() => completion.value, { code: 'ERR_URING_BUFFER_DETACHED' })
  t.is(moved.length, 2) // keeps the memory until here
})

test('ProvideBuffers: value fails for buffers that were provided by a raw entry', (t) => {
  const { ring } = fixedRing(t, 64)
  const { fd } = file(t, 'abcd')
  const memory = fresh(4)
  const { bytes } = new ProvideBuffers(memory, 4, 1, GROUP).build()
  // The library does not look into raw entries.
  ring.push(Entry.from(bytes, { keep: [memory] }))
  t.is(ring.wait(TIMEOUT)?.result, 0)
  const completion = complete(ring, new Read(fd, { group: GROUP }, { offset: 0 }))
  t.is(completion.result, 4)
  t.throws<UringError>(() => completion.value, { code: 'ERR_URING_RESOURCE_CLOSED', message: /group 9/ })
  t.is(memory.toString(), 'abcd')
})

test('ProvideBuffers: keeps the memory alive until its buffers are consumed', async (t) => {
  const source = `
    import { openSync, writeSync } from 'node:fs'
    import { setImmediate } from 'node:timers/promises'
    import { ProvideBuffers, Read, RemoveBuffers, Ring, SocketDomain, SocketType } from 'uring'
    import { socketpair } from 'uring/sys'

    const ring = new Ring({ entries: 64 })
    const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
    const SIZE = 4096
    const gone = new Set()
    const registry = new FinalizationRegistry((name) => gone.add(name))
    const done = (operation) => { ring.push(operation); return ring.wait({ timeout: 20_000 }) }

    function provide(name, group, count, modify = (operation) => operation, firstId = 0) {
      const memory = new ArrayBuffer(SIZE * count)
      registry.register(memory, name)
      ring.push(modify(new ProvideBuffers(memory, SIZE, count, group, firstId)))
      ring.submit()
    }
    const strangers = []
    async function collect() {
      for (let round = 0; round < 3; round += 1) { globalThis.gc(); await setImmediate() }
      for (let index = 0; index < 50; index += 1) strangers.push(new Uint8Array(SIZE).fill(0x55))
    }
    async function until(name) {
      for (let round = 0; round < 100 && !gone.has(name); round += 1) await collect()
      if (!gone.has(name)) throw new Error(name + ' is still held')
    }
    function held(...names) {
      for (const name of names) if (gone.has(name)) throw new Error(name + ' was released too early')
    }
    function readInto(group) {
      writeSync(right, Buffer.alloc(SIZE, 0xaa))
      const completion = done(new Read(left, { group }))
      const bytes = completion.value.bytes
      if (bytes.length !== SIZE || bytes.some((byte) => byte !== 0xaa)) throw new Error('the bytes are not there')
    }

    provide('read', 1, 2)
    provide('removed', 2, 3)
    provide('closed', 3, 1)
    provide('silent', 4, 1, (operation) => operation.skipSuccess())
    provide('renewed', 5, 1)
    for (let taken = 0; taken < 4; taken += 1) ring.wait({ timeout: 20_000 })
    await collect()
    held('read', 'removed', 'closed', 'silent', 'renewed')
    readInto(1)
    await collect()
    held('read', 'removed', 'closed', 'silent', 'renewed')
    readInto(1)
    await until('read')
    if (done(new RemoveBuffers(2, 2)).value !== 2) throw new Error('not removed')
    await collect()
    held('removed')
    if (done(new RemoveBuffers(5, 2)).value !== 1) throw new Error('not removed')
    await until('removed')
    readInto(4)
    held('closed', 'renewed')
    // A group that is never empty releases consumed buffers.
    provide('next', 5, 1, undefined, 1)
    ring.wait({ timeout: 20_000 })
    readInto(5)
    await until('renewed')
    held('next')
    // Of two buffers with the same id either may have been consumed: both are kept until both were.
    provide('twin', 6, 1)
    provide('other twin', 6, 1)
    ring.waitMany(2, { timeout: 20_000 })
    readInto(6)
    await collect()
    held('twin', 'other twin')
    readInto(6)
    await until('twin')
    await until('other twin')
    await collect()
    if (strangers.some((stranger) => stranger.some((byte) => byte !== 0x55))) throw new Error('a stranger was overwritten')
    held('closed')
    ring[Symbol.dispose]()
    console.log('ok')

  `
  t.deepEqual(await script(source, ['--expose-gc']), { code: 0, signal: null, stdout: 'ok\n', stderr: '' })
})

test('RemoveBuffers: removes the oldest buffers, and resolves to their number', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'abcd')
  t.is(outcome(ring, new RemoveBuffers(1, GROUP)), 'ENOENT')
  const { error } = complete(ring, new RemoveBuffers(65_536, { group: 65_535 }))
  t.like(error, { code: 'ENOENT', operation: 'RemoveBuffers', syscall: 'remove_buffers' })
  t.is(outcome(ring, new ProvideBuffers(fresh(40), 4, 10, GROUP, 100)), 0)
  t.is(outcome(ring, new RemoveBuffers(3, { group: GROUP })), 3)
  const completion = complete(ring, new Read(fd, { group: GROUP }, { offset: 0 }))
  t.is(completion.bufferId, 103)
  t.is(completion.value.bytes.byteOffset, 12)
  t.is(outcome(ring, new RemoveBuffers(100, GROUP)), 6)
  t.is(outcome(ring, new RemoveBuffers(100, GROUP)), 0) // the group exists and is empty
  t.is(read(ring, fd), 'ENOBUFS')
})

test('RemoveBuffers: removes buffers with skipSuccess', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'abcd')
  t.is(outcome(ring, new ProvideBuffers(fresh(12), 4, 3, GROUP, 1)), 0)
  ring.push(new RemoveBuffers(2, GROUP).skipSuccess())
  ring.submit()
  t.is(complete(ring, new Read(fd, { group: GROUP }, { offset: 0 })).bufferId, 3)
  // An id that was removed names the buffer that was provided last.
  const memory = fresh(4)
  t.is(outcome(ring, new ProvideBuffers(memory, 4, 1, GROUP, 1)), 0)
  const { value } = complete(ring, new Read(fd, { group: GROUP }, { offset: 0 }))
  t.is(textOf(value), 'abcd')
})

test('RemoveBuffers: leaves a buffer that an operation has consumed', async (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = pair(t)
  const memory = fresh(8)
  t.is(outcome(ring, new ProvideBuffers(memory, 4, 2, GROUP, 20)), 0)
  // In a kernel worker, a read keeps its buffer while it waits.
  ring.push(new Read(left, { group: GROUP }).async(), 'read')
  ring.submit()
  // The read has a buffer when the group has only the other one left.
  let removed: unknown
  const deadline = performance.now() + 20_000
  do {
    removed = outcome(ring, new RemoveBuffers(2, GROUP))
    if (removed === 2) t.is(outcome(ring, new ProvideBuffers(memory, 4, 2, GROUP, 20)), 0)
    await new Promise((resolve) => setImmediate(resolve))
  } while (removed !== 1 && performance.now() < deadline && removed === 2)
  writeSync(right, 'wxyz')
  const completion = ring.wait(TIMEOUT)
  t.is(completion?.userData, 'read')
  if (removed === 1) {
    t.is(textOf(completion?.value as Received), 'wxyz')
    t.is((completion?.value as Received | undefined)?.bytes.byteOffset, completion?.bufferId === 20 ? 0 : 4)
  } else {
    t.log('this kernel gives buffers to waiting reads later')
    t.pass()
  }
})
