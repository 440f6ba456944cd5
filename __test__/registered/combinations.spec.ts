// Combinations of registrations: resizing, closing and collecting a ring that has many.

import { readSync, writeSync } from 'node:fs'
import test from 'ava'
import {
  allocate,
  BufferRing,
  EnterFlags,
  FixedFile,
  Nop,
  PollAdd,
  Read,
  ReadFixed,
  RecvMulti,
  Ring,
} from 'uring'
import { eventfd } from 'uring/sys'
import { file } from '../helpers/files.ts'
import { pipe } from '../helpers/pipes.ts'
import { script } from '../helpers/process.ts'
import { closing, pair } from '../helpers/sockets.ts'

const OK = { code: 0, signal: null, stdout: 'ok\n', stderr: '' }

// ---- resizing

test('resize: an iteration over a buffer ring continues', async (t) => {
  await using ring = new Ring({ entries: 4 })
  const [left, right] = pair(t)
  using group = new BufferRing(ring, { count: 2, size: 16 })
  const texts: string[] = []
  writeSync(right, 'text 0')
  for await (const { bytes } of ring.each(new RecvMulti(left, group))) {
    texts.push(bytes.toString())
    if (texts.length === 4) break
    ring.resize({ entries: texts.length % 2 === 0 ? 4 : 64 })
    writeSync(right, `text ${texts.length}`)
  }
  t.deepEqual(texts, ['text 0', 'text 1', 'text 2', 'text 3'])
})

test('resize: keeps the eventfd and eventfdEnabled', (t) => {
  using ring = new Ring({ entries: 4 })
  const fd = closing(t, eventfd())
  const count = (): bigint => {
    const bytes = Buffer.alloc(8)
    try {
      readSync(fd, bytes)
    } catch {
      return 0n
    }
    return bytes.readBigUInt64LE()
  }
  const complete = (): boolean => {
    ring.push(new Nop())
    ring.submitAndWait(1)
    ring.wait()
    return count() > 0n
  }
  ring.registerEventfd(fd)
  t.true(complete())
  ring.eventfdEnabled = false
  ring.resize({ entries: 64 })
  t.false(ring.eventfdEnabled)
  t.false(complete())
  ring.eventfdEnabled = true
  t.true(complete())
  ring.resize({ entries: 4 })
  t.true(ring.eventfdEnabled)
  t.true(complete())
  ring.eventfdEnabled = false
  t.false(complete())
  ring.unregisterEventfd()
})

test('resize: keeps the registered descriptor', async (t) => {
  const ring = new Ring({ entries: 4 })
  ring.registerRingFd()
  ring.resize({ entries: 64 })
  for (let index = 0; index < 64; index += 1) ring.push(new Nop({ result: index }))
  t.is(ring.submitAndWait(64), 64)
  t.is(ring.waitMany(64).length, 64)
  t.is(await ring.run(new Nop({ result: 3 })), 3)
  t.throws(() => ring.registerRingFd(), { code: 'EEXIST' })
  ring.unregisterRingFd()
  ring.registerRingFd()
  await ring.close()
})

test('resize: keeps the waits of the region', (t) => {
  using ring = new Ring({ entries: 4, disabled: true })
  const wait = ring.registerRegion(4096, { waits: true }).setWait(1, { timeout: 1 })
  ring.enable()
  ring.resize({ entries: 64 })
  t.throws(() => ring.enter(0, 1, EnterFlags.GETEVENTS, wait), { code: 'ETIME' })
})

test('resize: changes nothing if restrictions refuse it', (t) => {
  using ring = new Ring({ entries: 4, disabled: true })
  ring.registerRestrictions([{ operation: Nop }])
  ring.enable()
  for (let index = 0; index < 4; index += 1) ring.push(new Nop({ result: index }))
  t.throws(() => ring.resize({ entries: 64 }), { code: 'EACCES' })
  t.deepEqual([ring.entries, ring.sqReady, ring.submitAndWait(4)], [4, 4, 4])
  t.deepEqual(
    ring.waitMany(4).map(({ result }) => result),
    [0, 1, 2, 3],
  )
})

test('resize: keeps unread messages', async (t) => {
  await using ring = new Ring({ entries: 4, cqEntries: 4 })
  const messages = ring.messages()
  const sent: bigint[] = []
  const send = (): void => {
    sent.push(BigInt(sent.length))
    Ring.sendMessage(ring, 0, BigInt(sent.length - 1))
  }
  for (let index = 0; index < 4; index += 1) send()
  ring.resize({ entries: 64 })
  for (let index = 0; index < 20; index += 1) send()
  const read: bigint[] = []
  for await (const { data } of messages) {
    read.push(data)
    if (read.length === sent.length) break
  }
  t.deepEqual(read, sent)
})

// ---- tables and buffer rings

test('BufferRing: its memory can be registered too, and each works without the other', async (t) => {
  await using ring = new Ring({ entries: 8 })
  const memory = allocate(64)
  const [left, right] = pair(t)
  const group = new BufferRing(ring, { count: 4, size: 16, memory })
  const table = ring.registerBuffers([memory])
  const source = file(t, 'from a file')
  t.is(await ring.run(new ReadFixed(source, table.at(0).subarray(0, 16), { offset: 0 })), 11)
  t.is(group.get(0, 11).toString(), 'from a file')
  group.close()
  t.is(await ring.run(new ReadFixed(source, table.at(0).subarray(16), { offset: 5 })), 6)
  const other = new BufferRing(ring, { count: 4, size: 16, memory })
  table.unregister()
  writeSync(right, 'hello')
  for await (const { bytes } of ring.each(new RecvMulti(left, other))) {
    t.is(bytes.toString(), 'hello')
    break
  }
  t.is(memory.toString('latin1', 0, 5), 'hello')
})

test('cloneBuffers: clones of clones outlive the other rings', async (t) => {
  const source = file(t, 'from a file')
  const rings = [new Ring({ entries: 4 }), new Ring({ entries: 4 }), new Ring({ entries: 4 })] as const
  const memory = allocate(4096)
  const [first, second, third] = rings
  first.registerBuffers([memory])
  second.cloneBuffers(first)
  const { read, write } = pipe(t)
  const waiting = second.run(
    new ReadFixed(read, second.cloneBuffers(second, { replace: true }).at(0).subarray(0, 4)),
  )
  await first.close()
  const table = third.cloneBuffers(second)
  writeSync(write, 'more')
  t.is(await waiting, 4)
  second[Symbol.dispose]()
  t.is(await third.run(new ReadFixed(source, table.at(0).subarray(4), { offset: 0 })), 11)
  t.is(memory.toString('latin1', 0, 15), 'morefrom a file')
  t.throws(() => third.cloneBuffers(second), { code: 'ERR_URING_CLOSED' })
  await third.close()
  t.throws(() => table.at(0), { code: 'ERR_URING_CLOSED' })
})

test('FileTable, BufferTable: stay unchanged if restrictions refuse a call', async (t) => {
  await using ring = new Ring({ entries: 4, disabled: true })
  const files = ring.registerFiles([file(t, 'text'), -1, -1])
  const buffers = ring.registerBuffers([Buffer.alloc(4)])
  ring.registerRestrictions([{ operation: Read }, { operation: ReadFixed }, { flagsAllowed: 1 }])
  ring.enable()
  t.throws(() => files.acquire(), { code: 'EACCES' })
  t.throws(() => files.allocRange(1, 2), { code: 'EACCES' })
  t.throws(() => files.unregister(), { code: 'EACCES' })
  t.throws(() => buffers.update(0, [null]), { code: 'EACCES' })
  t.throws(() => buffers.unregister(), { code: 'EACCES' })
  t.is(await ring.run(new ReadFixed(files.at(0), buffers.at(0), { offset: 0 })), 4)
  t.is(buffers.at(0).view.toString(), 'text')
})

test('FileTable: acquire() returns slots that left the kernel’s range before restrictions', (t) => {
  using ring = new Ring({ entries: 4, disabled: true })
  const files = ring.registerFiles(4)
  files.allocRange(0, 2)
  ring.registerRestrictions([{ operation: Nop }])
  ring.enable()
  t.deepEqual([files.acquire(), files.acquire()], [new FixedFile(2), new FixedFile(3)])
  t.throws(() => files.acquire(), { code: 'ENFILE' })
})

test('FileTable, BufferTable: throw after they are disposed', (t) => {
  using ring = new Ring({ entries: 4 })
  const kept = (() => {
    using files = ring.registerFiles(2)
    using buffers = ring.registerBuffers([Buffer.alloc(4)])
    using group = new BufferRing(ring, { count: 2, size: 16 })
    return { files, buffers, group, fixed: buffers.at(0), slot: files.at(1) }
  })()
  for (const use of [
    () => kept.files.at(0),
    () => kept.files.acquire(),
    () => kept.files.release(kept.slot),
    () => kept.files.update(0, [-1]),
    () => kept.files.unregister(),
    () => kept.buffers.at(0),
    () => kept.buffers.update(0, [null]),
    () => kept.buffers.unregister(),
    () => kept.group.put(0),
    () => kept.group.head,
  ])
    t.throws(use, { code: 'ERR_URING_RESOURCE_CLOSED' })
  ring.push(new ReadFixed(0, kept.fixed), 'memory')
  t.is(ring.wait()?.result, -14) // EFAULT: the slot is empty
  kept.group.close()
})

test('messages: an unread iterator does not keep the process alive', async (t) => {
  const outcome = await script(`
    import { Ring } from 'uring'
    const messages = new Ring({ entries: 4 }).messages()
    process.on('exit', () => console.log(messages === undefined ? '' : 'ok'))
  `)
  t.deepEqual(outcome, OK)
})

test('messages: arrive on a ring that is enabled later', async (t) => {
  await using ring = new Ring({ entries: 4, disabled: true })
  const messages = ring.messages()
  const next = messages.next()
  t.throws(() => Ring.sendMessage(ring, 1, 2n), { code: 'EBADFD' })
  ring.enable()
  Ring.sendMessage(ring, 1, 2n)
  t.like(await next, { done: false, value: { result: 1, data: 2n } })
  await messages.return?.()
})

test('each: ends with its signal on a restricted ring', async (t) => {
  await using ring = new Ring({ entries: 4, disabled: true })
  ring.registerRestrictions([{ operation: PollAdd }])
  ring.enable()
  const controller = new AbortController()
  const [left, right] = pair(t)
  const polls = ring.each(new PollAdd(left, 1, { multi: true }), { signal: controller.signal })
  writeSync(right, 'x')
  t.deepEqual(await polls.next(), { done: false, value: 1 })
  const next = polls.next()
  controller.abort()
  await t.throwsAsync(next, { name: 'AbortError' })
  t.deepEqual(await polls.next(), { done: true, value: undefined })
})

test('registerBuffers, registerRegion, registerZcrx: refuse resizable memory', (t) => {
  using ring = new Ring({ entries: 4 })
  const resizable = new ArrayBuffer(8192, { maxByteLength: 65_536 })
  const growable = new SharedArrayBuffer(4096, { maxByteLength: 8192 })
  const gone = new DataView(new ArrayBuffer(4096))
  structuredClone(gone.buffer, { transfer: [gone.buffer] })
  for (const memory of [resizable, new Uint8Array(resizable), new DataView(resizable, 0, 4096)]) {
    const expected = { code: 'ERR_INVALID_ARG_VALUE', message: /must not be resizable/ }
    t.throws(() => ring.registerRegion(memory), expected)
    t.throws(() => ring.registerBuffers([memory]), expected)
    t.throws(() => ring.registerZcrx({ ifIndex: 1, queue: 0, entries: 1, area: memory }), expected)
  }
  const expected = { code: 'ERR_URING_BUFFER_DETACHED' }
  t.throws(() => ring.registerRegion(gone), expected)
  t.throws(() => ring.registerBuffers([gone]), expected)
  t.throws(() => ring.registerZcrx({ ifIndex: 1, queue: 0, entries: 1, area: gone }), expected)
  const table = ring.registerBuffers([growable])
  growable.grow(8192)
  ring.push(new ReadFixed(file(t, 'text'), table.at(0).subarray(0, 4), { offset: 0 }))
  t.is(ring.wait()?.result, 4)
  t.is(Buffer.from(growable, 0, 4).toString(), 'text')
})

// ---- collected rings

for (const [name, source] of [
  ['registered files', 'ring.registerFiles([0, -1], { tags: [5n, 0n] }).acquire()'],
  ['registered buffers', 'ring.registerBuffers([Buffer.alloc(10)], { tags: [5n] }).at(0).subarray(1)'],
  [
    'registered buffers in use',
    'const read = ring.registerBuffers([Buffer.alloc(10)]).at(0); ring.push(new ReadFixed(idle, read)); ring.submit()',
  ],
  [
    'buffers of each other',
    'const other = new Ring(); other.registerBuffers([Buffer.alloc(10)]); ring.cloneBuffers(other); ' +
      'other.cloneBuffers(ring, { replace: true })',
  ],
  ['a group of buffers', 'new BufferRing(ring, { count: 4, size: 64 }).get(1)'],
  [
    'a group of buffers in use',
    'const group = new BufferRing(ring, { count: 4, size: 64 }); ring.push(new RecvMulti(left, group)); ring.submit(); ' +
      'writeSync(right, "x"); ring.wait()',
  ],
  ['a region', 'ring.registerRegion(4096)'],
  ['a registered descriptor', 'ring.registerRingFd()'],
  ['an eventfd', 'ring.registerEventfd(eventfd()); ring.eventfdEnabled = false'],
  ['credentials and busy polling', 'ring.registerPersonality(); ring.registerNapi()'],
  [
    'the promise API and a resize',
    'await ring.run(new Nop()); ring.resize({ entries: 64 }); await ring.run(new Nop())',
  ],
  [
    'an idle messages() iterator',
    'const messages = ring.messages(); Ring.sendMessage(ring, 1, 2n); await messages.next()',
  ],
  [
    'messages that were read',
    'const messages = ring.messages(); Ring.sendMessage(ring, 1, 2n); await messages.next(); await messages.return()',
  ],
] as const) {
  test(`Ring: with ${name}, is closed when it is collected`, async (t) => {
    const outcome = await script(
      `
      import { readdirSync, readlinkSync, writeSync } from 'node:fs'
      import { BufferRing, Nop, ReadFixed, RecvMulti, Ring, SocketDomain, SocketType } from 'uring'
      import { eventfd, socketpair } from 'uring/sys'
      const rings = () => readdirSync('/proc/self/fd').filter((fd) => {
        try { return readlinkSync('/proc/self/fd/' + fd).includes('io_uring') } catch { return false }
      }).length
      const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
      const [idle] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
      const make = async () => {
        const ring = new Ring()
        if (rings() === before) throw new Error('no ring is seen')
        ${source}
      }
      await new Ring().close()
      const before = rings()
      await make()
      for (let round = 0; round < 200 && rings() > before; round += 1) {
        gc()
        await new Promise(setImmediate)
      }
      console.log(rings() === before ? 'ok' : 'a ring is left')
      process.exit()
    `,
      ['--expose-gc'],
    )
    t.deepEqual(outcome, OK)
  })
}
