// Registered buffers that are replaced, unregistered or transferred while operations use them, and their tags.

import { writeSync } from 'node:fs'
import test from 'ava'
import {
  allocate,
  type BufferTable,
  type Completion,
  FixedBuffer,
  Nop,
  ReadFixed,
  ReadvFixed,
  type Ring,
  SendMsgZc,
  SendZc,
  UringCmd16,
  WriteFixed,
} from 'uring'
import { TIMEOUT } from '../helpers/completions.ts'
import { fifo, file } from '../helpers/files.ts'
import { readText } from '../helpers/pipes.ts'
import { detach, newRing, nextTag, ownMemory, readThrough, tableOf, TEXT } from '../helpers/registered.ts'
import { tcpPair } from '../helpers/streams.ts'

// ---- operations in flight

test('BufferTable: operations in flight keep the memory that they started with', (t) => {
  for (const change of [
    (table: BufferTable) => table.unregister(),
    (table: BufferTable) => void table.update(0, [null]),
    (table: BufferTable) => void table.update(0, [ownMemory(8)]),
  ]) {
    const memory = ownMemory(8)
    const { ring, table } = tableOf(t, memory)
    const gate = fifo(t)
    ring.push(new ReadFixed(gate, table.at(0)), 'read')
    ring.submit()
    t.is(ring.tryWait(), undefined)
    change(table)
    t.is(ring.tryWait(), undefined)
    writeSync(gate, 'late')
    t.is(ring.wait(TIMEOUT)?.value, 4)
    t.is(memory.toString('latin1', 0, 5), 'late\0')
  }
})

test('BufferTable: a tag arrives when the last operation on its memory has ended', (t) => {
  const most = 2n ** 62n - 1n
  for (const [change, tags] of [
    [(table: BufferTable) => table.unregister(), [7n, most]],
    [(table: BufferTable) => void table.update(0, [null, null]), [7n, most]],
    [
      (table: BufferTable) => void table.update(0, [ownMemory(8), ownMemory(9)], { tags: [0n, 3n] }),
      [7n, most],
    ],
  ] as const) {
    const ring = newRing(t)
    const table = ring.registerBuffers([ownMemory(8), ownMemory(9), ownMemory(10)], { tags: [7n, most, 0n] })
    const [gate, other] = [fifo(t), fifo(t)]
    ring.push(new ReadFixed(gate, table.at(0)), 'first')
    ring.push(new ReadFixed(other, table.at(0)), 'second')
    ring.submit()
    t.is(nextTag(ring), undefined)
    change(table)
    t.is(nextTag(ring), tags[1], 'no operation used it')
    t.is(nextTag(ring), undefined)
    writeSync(gate, 'x')
    t.is(ring.wait(TIMEOUT)?.userData, 'first')
    t.is(nextTag(ring), undefined)
    writeSync(other, 'x')
    t.is(ring.wait(TIMEOUT)?.userData, 'second')
    t.is(nextTag(ring), tags[0])
    t.is(nextTag(ring), undefined, 'once')
    t.is(ring.inFlight, 0)
  }
})

for (const [name, make] of [
  ['SendZc', (fd: number, buffer: FixedBuffer) => new SendZc(fd, buffer)],
  [
    'SendMsgZc',
    (fd: number, buffer: FixedBuffer) =>
      new SendMsgZc(fd, { buffers: [buffer.view] }, { fixedBuffer: buffer }),
  ],
] as const) {
  test(`${name}: uses its buffer until the notification, before the tag`, (t) => {
    const ring = newRing(t)
    const table = ring.registerBuffers([allocate(2 ** 22).fill('z')], { tags: [5n] })
    const [left, right] = tcpPair(t)
    ring.push<unknown>(make(left, table.at(0)))
    const sent = ring.wait(TIMEOUT)
    t.true(sent?.more)
    table.unregister()
    t.is(ring.tryWait(), undefined)
    for (let count = 0; count < Number(sent?.value); count += readText(right, 2 ** 20).length);
    const [free, after] = ring.waitMany(2, { timeout: 20_000 })
    t.true(free?.notification)
    t.is(after?.source, 'tag')
    t.is(after?.userData, 5n)
  })
}

test('BufferTable: a tag is a completion without a submission', (t) => {
  const ring = newRing(t)
  const table = ring.registerBuffers([ownMemory(8)], { tags: [2n ** 61n + 5n] })
  table.unregister()
  t.like(ring.wait({ timeout: 0 }) as Completion, {
    token: 0,
    source: 'tag',
    userData: 2n ** 61n + 5n,
    result: 0,
    ok: true,
    more: false,
  })
  t.is(ring.inFlight, 0)
  t.is(ring.stats().stray, 0)
})

test('BufferTable: update() sets the tags of the new memory', (t) => {
  const ring = newRing(t)
  const table = ring.registerBuffers(3)
  t.is(table.update(1, [ownMemory(1), ownMemory(2)], { tags: [11n, 12n] }), 2)
  t.is(nextTag(ring), undefined)
  t.is(table.update(2, [ownMemory(3)], { tags: [13n] }), 1)
  t.is(nextTag(ring), 12n)
  t.is(table.update(1, [ownMemory(3)]), 1)
  t.is(nextTag(ring), 11n)
  table.unregister()
  t.is(nextTag(ring), 13n)
  t.is(nextTag(ring), undefined)
})

test('run: a read in flight survives an update, and the tag follows it', async (t) => {
  const ring = newRing(t)
  const memory = ownMemory(8)
  const table = ring.registerBuffers([memory], { tags: [9n] })
  const gate = fifo(t)
  const read = ring.run(new ReadFixed(gate, table.at(0)))
  await ring.run(new Nop())
  table.unregister()
  t.is(nextTag(ring), undefined)
  writeSync(gate, 'late')
  t.is(await read, 4)
  t.is(memory.toString('latin1', 0, 4), 'late')
  t.is(nextTag(ring), 9n)
})

test('close: cancels reads into registered buffers, and ends', async (t) => {
  for (const close of [(ring: Ring) => ring.close(), (ring: Ring) => ring[Symbol.dispose]()]) {
    const gate = fifo(t)
    const memory = ownMemory(8)
    const { ring, table } = tableOf(t, memory)
    const read = ring.run(new ReadFixed(gate, table.at(0)))
    await ring.run(new Nop())
    ring.push(new ReadFixed(gate, table.at(0)))
    ring.submit()
    await Promise.all([t.throwsAsync(read, { code: 'ECANCELED' }), close(ring)])
    writeSync(gate, 'nobody')
    t.is(readText(gate), 'nobody')
    t.true(memory.equals(Buffer.alloc(8)))
  }
})

// ---- detached memory

test('registerBuffers: names transferred memory', (t) => {
  const ring = newRing(t)
  const gone = ownMemory(8)
  detach(gone)
  const detached = { name: 'UringError', code: 'ERR_URING_BUFFER_DETACHED' }
  t.throws(() => ring.registerBuffers([null, gone]), { ...detached, message: /"views\[1\]"/ })
  t.throws(() => ring.registerBuffers([gone.buffer]), { ...detached, message: /"views\[0\]"/ })
  const dead = new ArrayBuffer(8)
  const view = new DataView(dead, 2)
  structuredClone(dead, { transfer: [dead] })
  t.throws(() => ring.registerBuffers([view]), { ...detached, message: /"views\[0\]"/ })
  t.throws(() => new FixedBuffer(0, view), { ...detached, message: /"view"/ })

  // Transferred by the getter of a later view, after it was checked.
  const first = ownMemory(8)
  const views = [first, null]
  Object.defineProperty(views, 1, {
    get: () => {
      detach(first)
      return null
    },
  })
  t.throws(() => ring.registerBuffers(views), { ...detached, message: /"views\[0\]"/ })
  t.is(ring.registerBuffers(1).size, 1, 'nothing was registered')
})

test('BufferTable: at() and operations refuse memory that was transferred after registration', (t) => {
  const { fd } = file(t, TEXT)
  const memory = ownMemory(8)
  const { ring, table } = tableOf(t, memory, ownMemory(4))
  const buffer = table.at(0)
  const operation = new ReadFixed(fd, buffer)
  const vector = new ReadvFixed(fd, [buffer, buffer])
  const send = new SendZc(fd, buffer)
  const command = new UringCmd16(fd, 0, { fixedBuffer: buffer })
  detach(memory)
  const detached = { name: 'UringError', code: 'ERR_URING_BUFFER_DETACHED' }
  t.throws(() => table.at(0), { ...detached, message: /slot 0/ })
  for (const call of [
    () => ring.push(operation),
    () => new ReadFixed(fd, buffer),
    () => new WriteFixed(fd, buffer),
    () => operation.build(),
    () => new SendZc(fd, buffer),
    () => ring.push(send),
  ])
    t.throws(call, { ...detached, message: /"(buffer|bytes)"/ })
  t.throws(() => ring.push(vector), { ...detached, message: /"buffers\[0\]"/ })
  for (const call of [() => ring.push(command), () => new UringCmd16(fd, 0, { fixedBuffer: buffer })])
    t.throws(call, { ...detached, message: /"options\.fixedBuffer"/ })
  t.is(ring.sqReady, 0)
  t.is(readThrough(ring, fd, table.at(1)), '0123')
  t.is(table.update(0, [ownMemory(2)]), 1)
  t.is(readThrough(ring, fd, table.at(0)), '01')
  table.unregister()
})

test('run: rejects for transferred memory, and submits nothing', async (t) => {
  const { fd } = file(t, TEXT)
  const memory = ownMemory(8)
  const { ring, table } = tableOf(t, memory)
  const operation = new ReadFixed(fd, table.at(0))
  detach(memory)
  await t.throwsAsync(ring.run(operation), { code: 'ERR_URING_BUFFER_DETACHED' })
  t.is(ring.stats().submitted, 0)
})

test('ReadFixed: reports memory that is transferred while the read is in flight', (t) => {
  const gate = fifo(t)
  const memory = ownMemory(8)
  const { ring, table } = tableOf(t, memory)
  ring.push(new ReadFixed(gate, table.at(0)))
  ring.submit()
  const moved = structuredClone(memory.buffer, { transfer: [memory.buffer as ArrayBuffer] })
  writeSync(gate, 'late')
  const completion = ring.wait(TIMEOUT)
  t.is(completion?.result, 4)
  t.is(completion?.error?.code, 'ERR_URING_BUFFER_DETACHED')
  t.is(moved.byteLength, 8)
})

test('ReadFixed: an empty view fails with EFAULT, and is not taken for detached', (t) => {
  const { fd } = file(t, TEXT)
  const { ring, table } = tableOf(t, ownMemory(8))
  t.is(readThrough(ring, fd, table.at(0).subarray(3, 3)), 'EFAULT')
})

test('registerBuffers: refuses resizable memory, which would get other pages', (t) => {
  const ring = newRing(t)
  const resizable = new ArrayBuffer(8, { maxByteLength: 16 })
  const expected = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /'views\[1\]'.*resizable/ }
  t.throws(() => ring.registerBuffers([null, resizable]), expected)
  t.throws(() => ring.registerBuffers([null, new Uint8Array(resizable, 0, 4)]), expected)
  const table = ring.registerBuffers(2)
  t.throws(() => table.update(0, [null, resizable]), expected)
  t.throws(() => table.at(1), { code: 'ERR_INVALID_ARG_VALUE' })
})
