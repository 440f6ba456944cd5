// Registered buffers: tables, their slots, and unregistering.

import test from 'ava'
import {
  allocate,
  BufferTable,
  FixedBuffer,
  Nop,
  ReadFixed,
  ReadvFixed,
  type Ring,
  type RingOptions,
  SendMsgZc,
  SendZc,
  UringCmd16,
  WriteFixed,
  WritevFixed,
} from 'uring'
import { ioUringRegister } from 'uring/sys'
import { outcome, TIMEOUT } from '../helpers/completions.ts'
import { file } from '../helpers/files.ts'
import { readText } from '../helpers/pipes.ts'
import { newRing, ownMemory, readThrough, tableOf, TEXT, thrownBy } from '../helpers/registered.ts'
import { tcpPair } from '../helpers/streams.ts'

// ---- using registered buffers

test('registerBuffers: the table has a slot for each buffer', (t) => {
  const memory = ownMemory(100)
  const { table } = tableOf(t, memory, new DataView(memory.buffer, 10, 20), new SharedArrayBuffer(30))
  t.true(table instanceof BufferTable)
  t.is(table.size, 3)
  for (const [index, offset, length] of [
    [0, 0, 100],
    [1, 10, 20],
    [2, 0, 30],
  ] as const) {
    const buffer = table.at(index)
    t.true(buffer instanceof FixedBuffer)
    t.is(buffer.index, index)
    t.is(buffer.view.byteOffset, offset)
    t.is(buffer.view.byteLength, length)
    t.is(table.at(index), buffer, 'the same one each time')
  }
  t.is(table.at(1).view.buffer, memory.buffer)
})

test('registerBuffers: accepts every type of memory, and fills it in place', (t) => {
  const { fd } = file(t, TEXT)
  const around = ownMemory(64)
  for (const memory of [
    ownMemory(8),
    new ArrayBuffer(8),
    new SharedArrayBuffer(8),
    new DataView(new ArrayBuffer(32), 5, 8),
    new Float64Array(1), // inside V8's heap, until its address is asked for
    new Uint8Array(8),
    Buffer.allocUnsafe(8), // a part of Node.js's pool
    around.subarray(7, 15),
    allocate(8),
    new Uint8Array(new SharedArrayBuffer(8, { maxByteLength: 100 })),
  ]) {
    const { ring, table } = tableOf(t, memory)
    t.is(readThrough(ring, fd, table.at(0)), '01234567')
    const bytes = ArrayBuffer.isView(memory)
      ? Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength)
      : Buffer.from(memory)
    t.is(bytes.toString(), '01234567')
  }
  t.is(around.toString('latin1', 6, 16), '\x0001234567\0')
})

for (const flow of ['push and wait', 'run'] as const) {
  test(`registerBuffers: all operations on registered buffers work: ${flow}`, async (t) => {
    const { ring, table } = tableOf(t, null, allocate(100))
    const { fd } = file(t, TEXT)
    const value = async (operation: ReadFixed | ReadvFixed | WriteFixed | WritevFixed | UringCmd16) =>
      flow === 'run' ? ring.run(operation) : outcome(ring, operation)
    const buffer = table.at(1)
    const { view } = buffer
    t.is(await value(new ReadFixed(fd, buffer.subarray(10, 20), { offset: 3 })), 10)
    t.is(view.toString('latin1', 9, 21), '\x003456789abc\0')
    t.is(await value(new WriteFixed(fd, buffer.subarray(10, 13), { offset: 0 })), 3)
    t.is(
      await value(new WritevFixed(fd, [buffer.subarray(17, 19), buffer.subarray(10, 11)], { offset: 3 })),
      3,
    )
    t.is(
      await value(new ReadvFixed(fd, [buffer.subarray(50, 52), buffer.subarray(40, 45)], { offset: 0 })),
      7,
    )
    t.is(view.toString('latin1', 50, 52) + view.toString('latin1', 40, 45), '345ab36')

    const [left, right] = tcpPair(t)
    const send = async (operation: SendZc | SendMsgZc): Promise<unknown> => {
      if (flow === 'run') return ring.run(operation)
      ring.push(operation)
      const [sent, free] = ring.waitMany(2, TIMEOUT)
      t.true(free?.notification)
      return sent?.value
    }
    t.is(await send(new SendZc(left, buffer.subarray(40, 45))), 5)
    t.is(readText(right), 'ab36'.padStart(5, '5'))
    const message = { buffers: [view.subarray(50, 52), view.subarray(10, 12)] }
    t.is(await send(new SendMsgZc(left, message, { fixedBuffer: buffer })), 4)
    t.is(readText(right), '3434')
    t.is(await value(new UringCmd16(right, 0, { fixedBuffer: buffer.subarray(0, 4) })), 0) // SIOCINQ does not use the buffer
    t.is(outcome(ring, new Nop({ fixedBuffer: buffer })), 0)
  })
}

test('registerBuffers: works in every mode of a ring', (t) => {
  const { fd } = file(t, TEXT)
  for (const options of [
    { submitAll: false },
    { sqPoll: true },
    { disabled: true },
    { sqe128: true, cqe32: true },
    { coopTaskrun: true },
  ] satisfies RingOptions[]) {
    const ring = newRing(t, options)
    using table = ring.registerBuffers([ownMemory(4)], { tags: [1n] })
    t.is(table.size, 1)
    if (!('disabled' in options)) t.is(readThrough(ring, fd, table.at(0)), '0123')
  }
})

test('ReadFixed: memory outside of its slot fails with EFAULT, even by one byte', (t) => {
  const { fd, path } = file(t, TEXT)
  const memory = ownMemory(300)
  const { ring, table } = tableOf(t, memory.subarray(100, 200), null, memory.subarray(250, 260))
  const slot = (from: number, to: number, index = 0): FixedBuffer =>
    new FixedBuffer(index, memory.subarray(from, to))
  for (const outside of [
    slot(99, 110),
    slot(190, 201),
    slot(0, 300),
    slot(100, 110, 2),
    slot(100, 110, 1),
    slot(100, 110, 3),
  ]) {
    for (const operation of [
      new ReadFixed(fd, outside, { offset: 0 }),
      new WriteFixed(fd, outside, { offset: 0 }),
      new ReadvFixed(fd, [outside], { offset: 0 }),
      new WritevFixed(fd, [outside], { offset: 0 }),
    ])
      t.is(outcome(ring, operation), 'EFAULT')
  }
  t.true(memory.equals(Buffer.alloc(300)))
  t.is(readText(file(t, TEXT).fd), TEXT)
  t.is(outcome(ring, new ReadFixed(fd, slot(199, 200), { offset: 0 })), 1)
  t.is(outcome(ring, new ReadFixed(fd, table.at(2), { offset: 1 })), 10)
  t.is(memory.toString('latin1', 199, 201), '0\0')
  t.is(memory.toString('latin1', 249, 261), '\x00123456789a\0')
  t.truthy(path)
})

// ---- slots

test('registerBuffers: empty slots have no buffer until update()', (t) => {
  const { fd } = file(t, TEXT)
  for (const make of [
    (ring: Ring) => ring.registerBuffers(4),
    (ring: Ring) => ring.registerBuffers([null, null, null, null], { tags: [0n, 0n, 0n, 0n] }),
    (ring: Ring) => ring.registerBuffers([null, null, null, null]),
  ]) {
    const ring = newRing(t)
    const table = make(ring)
    t.is(table.size, 4)
    for (const index of [0, 3]) {
      t.throws(() => table.at(index), { code: 'ERR_INVALID_ARG_VALUE', message: /'index'.*not empty/ })
      t.is(readThrough(ring, fd, new FixedBuffer(index, ownMemory(3))), 'EFAULT')
    }
    const [a, b] = [ownMemory(2), new SharedArrayBuffer(3)]
    t.is(table.update(1, [a, b]), 2)
    t.is(readThrough(ring, fd, table.at(1)), '01')
    t.is(readThrough(ring, fd, table.at(2)), '012')
    t.is(table.at(1).view.buffer, a.buffer)
    t.throws(() => table.at(0), { code: 'ERR_INVALID_ARG_VALUE' })
    t.throws(() => table.at(3), { code: 'ERR_INVALID_ARG_VALUE' })
    t.is(table.size, 4)
  }
})

test('BufferTable: update() fills and empties slots', (t) => {
  const { fd } = file(t, TEXT)
  const [a, b, c] = [ownMemory(1), ownMemory(2), ownMemory(3)]
  const { ring, table } = tableOf(t, a, b, null)
  const before = table.at(0)
  t.is(table.update(0, [c, null]), 2)
  t.is(readThrough(ring, fd, table.at(0)), '012')
  t.is(table.at(0).view.buffer, c.buffer)
  t.throws(() => table.at(1), { code: 'ERR_INVALID_ARG_VALUE' })
  for (const old of [before, new FixedBuffer(1, b)]) t.is(readThrough(ring, fd, old), 'EFAULT')
  t.is(table.update(2, [b]), 1)
  t.is(table.at(2).index, 2)
  t.is(readThrough(ring, fd, table.at(2)), '01')
  t.is(table.update(1, [null]), 1, 'it is empty')
  t.is(table.update(0, [a, a, a]), 3, 'one memory in several slots')
  t.is([0, 1, 2].map((index) => readThrough(ring, fd, table.at(index))).join(), '0,0,0')
})

test('registerBuffers: accepts 16384 slots, and refuses one more', (t) => {
  const ring = newRing(t)
  const memory = ownMemory(1)
  for (const most of [16_384, Array.from({ length: 16_384 }, () => memory)]) {
    const table = ring.registerBuffers(most)
    t.is(table.size, 16_384)
    t.is(table.update(16_383, [memory]), 1)
    t.is(table.at(16_383).index, 16_383)
    table.unregister()
  }
  t.throws(() => ring.registerBuffers(16_385), { code: 'ERR_OUT_OF_RANGE', message: /"views"/ })
  t.throws(() => ring.registerBuffers(Array.from({ length: 16_385 }, () => null)), {
    code: 'ERR_OUT_OF_RANGE',
    message: /"views\.length"/,
  })
})

// ---- unregistering

test('BufferTable: all methods of an unregistered table throw', (t) => {
  const { fd } = file(t, TEXT)
  const { ring, table } = tableOf(t, ownMemory(4))
  const buffer = table.at(0)
  t.is(table.unregister(), undefined)
  for (const call of [() => table.unregister(), () => table.at(0), () => table.update(0, [ownMemory(1)])]) {
    t.throws(call, { name: 'UringError', code: 'ERR_URING_RESOURCE_CLOSED', message: /unregistered/ })
  }
  t.is(table.size, 1)
  t.notThrows(() => table[Symbol.dispose]())
  t.is(readThrough(ring, fd, buffer), 'EFAULT')

  const next = ring.registerBuffers([ownMemory(2), null])
  t.is(readThrough(ring, fd, next.at(0)), '01')
  t.notThrows(() => table[Symbol.dispose](), 'it is not its own any more')
  t.throws(() => table.unregister(), { code: 'ERR_URING_RESOURCE_CLOSED' })
  t.is(readThrough(ring, fd, next.at(0)), '01')
})

test('BufferTable: is unregistered at the end of a using block', (t) => {
  const ring = newRing(t)
  for (let round = 0; round < 3; round += 1) {
    using table = ring.registerBuffers([ownMemory(4)])
    t.is(table.size, 1)
  }
  t.is(ioUringRegister(ring.fd, 1, null, 0), -6) // ENXIO: no table is registered
})

test('registerBuffers: a ring has one table', (t) => {
  const { ring, table } = tableOf(t, ownMemory(4))
  for (const more of [[ownMemory(4)], 3])
    t.throws(() => ring.registerBuffers(more), {
      code: 'EBUSY',
      message: 'EBUSY: resource busy or locked, io_uring_register',
    })
  t.is(table.size, 1)
  t.is(table.at(0).view.length, 4)
})

test('BufferTable: ends with its ring', async (t) => {
  for (const close of [(ring: Ring) => ring.close(), (ring: Ring) => ring[Symbol.dispose]()]) {
    const { ring, table } = tableOf(t, ownMemory(4))
    const other = newRing(t)
    const closing = close(ring)
    for (const call of [
      () => ring.registerBuffers([ownMemory(4)]),
      () => ring.registerBuffers(4),
      () => ring.cloneBuffers(other),
      () => other.cloneBuffers(ring),
      () => table.at(0),
      () => table.update(0, [null]),
      () => table.unregister(),
    ])
      t.throws(call, { name: 'UringError', code: 'ERR_URING_CLOSED' })
    t.notThrows(() => table[Symbol.dispose]())
    await closing
    t.throws(() => table.at(0), { code: 'ERR_URING_CLOSED' })
  }
})

test('BufferTable: fails after a raw system call has unregistered it', (t) => {
  const { ring, table } = tableOf(t, ownMemory(4))
  t.is(ioUringRegister(ring.fd, 1, null, 0), 0)
  t.like(
    thrownBy(() => table.unregister()),
    { code: 'ENXIO', errno: -6, syscall: 'io_uring_register' },
  )
  const next = ring.registerBuffers([ownMemory(5), ownMemory(6)])
  t.throws(() => table.at(0), { code: 'ERR_URING_RESOURCE_CLOSED' })
  t.is(next.size, 2)
  next.unregister()
})
