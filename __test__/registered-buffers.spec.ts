// Registered buffers: memory that the kernel has pinned, what holds it, and when it is let go.

import { writeSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import {
  allocate,
  BufferTable,
  type CloneBuffersOptions,
  type Completion,
  FixedBuffer,
  Nop,
  Read,
  ReadFixed,
  ReadvFixed,
  type RegisterBuffersOptions,
  Ring,
  type RingOptions,
  SendMsgZc,
  SendZc,
  type UringError,
  UringCmd16,
  WriteFixed,
  WritevFixed,
} from 'uring'
import { ioUringRegister } from 'uring/sys'
import { outcome, SOON } from './helpers/buffers.ts'
import { fifo, file } from './helpers/files.ts'
import { textOf } from './helpers/pipes.ts'
import { pair } from './helpers/sockets.ts'
import { tcp } from './helpers/streams.ts'

const TEXT = '0123456789abcdefghijklmnopqrstuvwxyz'
const GIB = 2 ** 30

function newRing(t: ExecutionContext, options?: RingOptions): Ring {
  const ring = new Ring({ entries: 16, ...options })
  t.teardown(() => ring[Symbol.dispose]())
  return ring
}

/** A ring, and a table of these buffers. */
function tableOf(
  t: ExecutionContext,
  ...views: Parameters<Ring['registerBuffers']>[0] & object
): { ring: Ring; table: BufferTable } {
  const ring = newRing(t)
  return { ring, table: ring.registerBuffers(views) }
}

/** A view that has its memory for itself. */
function own(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(size))
}

function detach({ buffer }: Buffer): void {
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
}

/** What comes of reading the whole of a file through a slot: the text, or the code of the error. */
function readThrough(ring: Ring, fd: number, buffer: FixedBuffer): string {
  const result = outcome(ring, new ReadFixed(fd, buffer, { offset: 0 }))
  return typeof result === 'number' ? buffer.view.toString('latin1', 0, result) : String(result)
}

/** The tag that has arrived, if one has. */
function tag(ring: Ring): bigint | undefined {
  const completion = ring.tryWait()
  if (completion === undefined) return undefined
  if (completion.source !== 'tag') throw new Error(`not a tag: ${completion.source}`)
  return completion.userData as bigint
}

function caught(call: () => unknown): UringError {
  try {
    call()
  } catch (error) {
    return error as UringError
  }
  throw new Error('nothing was thrown')
}

// ---- What they are for

test('a table has a slot for each buffer, and the memory itself', (t) => {
  const memory = own(100)
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

test('every kind of memory can be registered, and is filled where it lies', (t) => {
  const { fd } = file(t, TEXT)
  const around = own(64)
  for (const memory of [
    own(8),
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
  test(`all operations that take registered buffers work with a table: ${flow}`, async (t) => {
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

    const [left, right] = tcp(t)
    const send = async (operation: SendZc | SendMsgZc): Promise<unknown> => {
      if (flow === 'run') return ring.run(operation)
      ring.push(operation)
      const [sent, free] = ring.waitMany(2, SOON)
      t.true(free?.notification)
      return sent?.value
    }
    t.is(await send(new SendZc(left, buffer.subarray(40, 45))), 5)
    t.is(textOf(right), 'ab36'.padStart(5, '5'))
    const message = { buffers: [view.subarray(50, 52), view.subarray(10, 12)] }
    t.is(await send(new SendMsgZc(left, message, { fixedBuffer: buffer })), 4)
    t.is(textOf(right), '3434')
    t.is(await value(new UringCmd16(right, 0, { fixedBuffer: buffer.subarray(0, 4) })), 0) // SIOCINQ looks at none
    t.is(outcome(ring, new Nop({ fixedBuffer: buffer })), 0)
  })
}

test('rings of every kind take them', (t) => {
  const { fd } = file(t, TEXT)
  for (const options of [
    { submitAll: false },
    { sqPoll: true },
    { disabled: true },
    { sqe128: true, cqe32: true },
    { coopTaskrun: true },
  ] satisfies RingOptions[]) {
    const ring = newRing(t, options)
    using table = ring.registerBuffers([own(4)], { tags: [1n] })
    t.is(table.size, 1)
    if (!('disabled' in options)) t.is(readThrough(ring, fd, table.at(0)), '0123')
  }
})

test('what lies outside of a slot, even by a byte, is not touched', (t) => {
  const { fd, path } = file(t, TEXT)
  const memory = own(300)
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
  t.is(textOf(file(t, TEXT).fd), TEXT)
  t.is(outcome(ring, new ReadFixed(fd, slot(199, 200), { offset: 0 })), 1)
  t.is(outcome(ring, new ReadFixed(fd, table.at(2), { offset: 1 })), 10)
  t.is(memory.toString('latin1', 199, 201), '0\0')
  t.is(memory.toString('latin1', 249, 261), '\x00123456789a\0')
  t.truthy(path)
})

// ---- Slots

test('empty slots have no buffer until they are given one', (t) => {
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
      t.is(readThrough(ring, fd, new FixedBuffer(index, own(3))), 'EFAULT')
    }
    const [a, b] = [own(2), new SharedArrayBuffer(3)]
    t.is(table.update(1, [a, b]), 2)
    t.is(readThrough(ring, fd, table.at(1)), '01')
    t.is(readThrough(ring, fd, table.at(2)), '012')
    t.is(table.at(1).view.buffer, a.buffer)
    t.throws(() => table.at(0), { code: 'ERR_INVALID_ARG_VALUE' })
    t.throws(() => table.at(3), { code: 'ERR_INVALID_ARG_VALUE' })
    t.is(table.size, 4)
  }
})

test('update: puts memory into slots, and empties them', (t) => {
  const { fd } = file(t, TEXT)
  const [a, b, c] = [own(1), own(2), own(3)]
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

test('the most slots that there can be, and one more', (t) => {
  const ring = newRing(t)
  const memory = own(1)
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

// ---- The end of a table

test('an unregistered table says so, whatever is asked of it', (t) => {
  const { fd } = file(t, TEXT)
  const { ring, table } = tableOf(t, own(4))
  const buffer = table.at(0)
  t.is(table.unregister(), undefined)
  for (const call of [() => table.unregister(), () => table.at(0), () => table.update(0, [own(1)])]) {
    t.throws(call, { name: 'UringError', code: 'ERR_URING_RESOURCE_CLOSED', message: /unregistered/ })
  }
  t.is(table.size, 1)
  t.notThrows(() => table[Symbol.dispose]())
  t.is(readThrough(ring, fd, buffer), 'EFAULT')

  const next = ring.registerBuffers([own(2), null])
  t.is(readThrough(ring, fd, next.at(0)), '01')
  t.notThrows(() => table[Symbol.dispose](), 'it is not its own any more')
  t.throws(() => table.unregister(), { code: 'ERR_URING_RESOURCE_CLOSED' })
  t.is(readThrough(ring, fd, next.at(0)), '01')
})

test('a table is unregistered at the end of its scope', (t) => {
  const ring = newRing(t)
  for (let round = 0; round < 3; round += 1) {
    using table = ring.registerBuffers([own(4)])
    t.is(table.size, 1)
  }
  t.is(ioUringRegister(ring.fd, 1, null, 0), -6) // ENXIO: there is none
})

test('a ring has one table', (t) => {
  const { ring, table } = tableOf(t, own(4))
  for (const more of [[own(4)], 3])
    t.throws(() => ring.registerBuffers(more), {
      code: 'EBUSY',
      message: 'EBUSY: resource busy or locked, io_uring_register',
    })
  t.is(table.size, 1)
  t.is(table.at(0).view.length, 4)
})

test('a closed ring has none', async (t) => {
  for (const close of [(ring: Ring) => ring.close(), (ring: Ring) => ring[Symbol.dispose]()]) {
    const { ring, table } = tableOf(t, own(4))
    const other = newRing(t)
    const closing = close(ring)
    for (const call of [
      () => ring.registerBuffers([own(4)]),
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

test('what somebody else has unregistered is not there any more', (t) => {
  const { ring, table } = tableOf(t, own(4))
  t.is(ioUringRegister(ring.fd, 1, null, 0), 0)
  t.like(
    caught(() => table.unregister()),
    { code: 'ENXIO', errno: -6, syscall: 'io_uring_register' },
  )
  const next = ring.registerBuffers([own(5), own(6)])
  t.throws(() => table.at(0), { code: 'ERR_URING_RESOURCE_CLOSED' })
  t.is(next.size, 2)
  next.unregister()
})

// ---- Operations in flight

test('operations in flight go on with what they began with', (t) => {
  for (const change of [
    (table: BufferTable) => table.unregister(),
    (table: BufferTable) => void table.update(0, [null]),
    (table: BufferTable) => void table.update(0, [own(8)]),
  ]) {
    const memory = own(8)
    const { ring, table } = tableOf(t, memory)
    const gate = fifo(t)
    ring.push(new ReadFixed(gate, table.at(0)), 'read')
    ring.submit()
    t.is(ring.tryWait(), undefined)
    change(table)
    t.is(ring.tryWait(), undefined)
    writeSync(gate, 'late')
    t.is(ring.wait(SOON)?.value, 4)
    t.is(memory.toString('latin1', 0, 5), 'late\0')
  }
})

test('tags arrive when the last user has finished, and not before', (t) => {
  const most = 2n ** 62n - 1n
  for (const [change, tags] of [
    [(table: BufferTable) => table.unregister(), [7n, most]],
    [(table: BufferTable) => void table.update(0, [null, null]), [7n, most]],
    [(table: BufferTable) => void table.update(0, [own(8), own(9)], { tags: [0n, 3n] }), [7n, most]],
  ] as const) {
    const ring = newRing(t)
    const table = ring.registerBuffers([own(8), own(9), own(10)], { tags: [7n, most, 0n] })
    const [gate, other] = [fifo(t), fifo(t)]
    ring.push(new ReadFixed(gate, table.at(0)), 'first')
    ring.push(new ReadFixed(other, table.at(0)), 'second')
    ring.submit()
    t.is(tag(ring), undefined)
    change(table)
    t.is(tag(ring), tags[1], 'nobody used it')
    t.is(tag(ring), undefined)
    writeSync(gate, 'x')
    t.is(ring.wait(SOON)?.userData, 'first')
    t.is(tag(ring), undefined)
    writeSync(other, 'x')
    t.is(ring.wait(SOON)?.userData, 'second')
    t.is(tag(ring), tags[0])
    t.is(tag(ring), undefined, 'once')
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
  test(`${name} uses its buffer until the notification, and the tag comes after that`, (t) => {
    const ring = newRing(t)
    const table = ring.registerBuffers([allocate(2 ** 22).fill('z')], { tags: [5n] })
    const [left, right] = tcp(t)
    ring.push<unknown>(make(left, table.at(0)))
    const sent = ring.wait(SOON)
    t.true(sent?.more)
    table.unregister()
    t.is(ring.tryWait(), undefined)
    for (let count = 0; count < Number(sent?.value); count += textOf(right, 2 ** 20).length);
    const [free, after] = ring.waitMany(2, { timeout: 20_000 })
    t.true(free?.notification)
    t.is(after?.source, 'tag')
    t.is(after?.userData, 5n)
  })
}

test('a tag is a completion of no submission', (t) => {
  const ring = newRing(t)
  const table = ring.registerBuffers([own(8)], { tags: [2n ** 61n + 5n] })
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

test('update: its own tags are those of the new memory', (t) => {
  const ring = newRing(t)
  const table = ring.registerBuffers(3)
  t.is(table.update(1, [own(1), own(2)], { tags: [11n, 12n] }), 2)
  t.is(tag(ring), undefined)
  t.is(table.update(2, [own(3)], { tags: [13n] }), 1)
  t.is(tag(ring), 12n)
  t.is(table.update(1, [own(3)]), 1)
  t.is(tag(ring), 11n)
  table.unregister()
  t.is(tag(ring), 13n)
  t.is(tag(ring), undefined)
})

test('run: a read in flight is not disturbed, and the tag comes after it', async (t) => {
  const ring = newRing(t)
  const memory = own(8)
  const table = ring.registerBuffers([memory], { tags: [9n] })
  const gate = fifo(t)
  const read = ring.run(new ReadFixed(gate, table.at(0)))
  await ring.run(new Nop())
  table.unregister()
  t.is(tag(ring), undefined)
  writeSync(gate, 'late')
  t.is(await read, 4)
  t.is(memory.toString('latin1', 0, 4), 'late')
  t.is(tag(ring), 9n)
})

test('close: with reads into registered buffers, cancels them and then is done', async (t) => {
  for (const close of [(ring: Ring) => ring.close(), (ring: Ring) => ring[Symbol.dispose]()]) {
    const gate = fifo(t)
    const memory = own(8)
    const { ring, table } = tableOf(t, memory)
    const read = ring.run(new ReadFixed(gate, table.at(0)))
    await ring.run(new Nop())
    ring.push(new ReadFixed(gate, table.at(0)))
    ring.submit()
    await Promise.all([t.throwsAsync(read, { code: 'ECANCELED' }), close(ring)])
    writeSync(gate, 'nobody')
    t.is(textOf(gate), 'nobody')
    t.true(memory.equals(Buffer.alloc(8)))
  }
})

// ---- Memory that was taken away

test('memory that was transferred is refused by name', (t) => {
  const ring = newRing(t)
  const gone = own(8)
  detach(gone)
  const detached = { name: 'UringError', code: 'ERR_URING_BUFFER_DETACHED' }
  t.throws(() => ring.registerBuffers([null, gone]), { ...detached, message: /"views\[1\]"/ })
  t.throws(() => ring.registerBuffers([gone.buffer]), { ...detached, message: /"views\[0\]"/ })
  const dead = new ArrayBuffer(8)
  const view = new DataView(dead, 2)
  structuredClone(dead, { transfer: [dead] })
  t.throws(() => ring.registerBuffers([view]), { ...detached, message: /"views\[0\]"/ })
  t.throws(() => new FixedBuffer(0, view), { ...detached, message: /"view"/ })

  // By a getter of a later one, after it was looked at.
  const first = own(8)
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

test('memory that was transferred while it is registered is not given out, nor read to', (t) => {
  const { fd } = file(t, TEXT)
  const memory = own(8)
  const { ring, table } = tableOf(t, memory, own(4))
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
  t.is(table.update(0, [own(2)]), 1)
  t.is(readThrough(ring, fd, table.at(0)), '01')
  table.unregister()
})

test('run rejects for memory that was transferred, and submits nothing', async (t) => {
  const { fd } = file(t, TEXT)
  const memory = own(8)
  const { ring, table } = tableOf(t, memory)
  const operation = new ReadFixed(fd, table.at(0))
  detach(memory)
  await t.throwsAsync(ring.run(operation), { code: 'ERR_URING_BUFFER_DETACHED' })
  t.is(ring.stats().submitted, 0)
})

test('memory that is transferred while a read into it is in flight is reported', (t) => {
  const gate = fifo(t)
  const memory = own(8)
  const { ring, table } = tableOf(t, memory)
  ring.push(new ReadFixed(gate, table.at(0)))
  ring.submit()
  const moved = structuredClone(memory.buffer, { transfer: [memory.buffer as ArrayBuffer] })
  writeSync(gate, 'late')
  const completion = ring.wait(SOON)
  t.is(completion?.result, 4)
  t.is(completion?.error?.code, 'ERR_URING_BUFFER_DETACHED')
  t.is(moved.byteLength, 8)
})

test('an empty view is EFAULT, as it is no detached one', (t) => {
  const { fd } = file(t, TEXT)
  const { ring, table } = tableOf(t, own(8))
  t.is(readThrough(ring, fd, table.at(0).subarray(3, 3)), 'EFAULT')
})

test('memory that may shrink is refused: what it gave up would not come back', (t) => {
  const ring = newRing(t)
  const resizable = new ArrayBuffer(8, { maxByteLength: 16 })
  const expected = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /'views\[1\]'.*resizable/ }
  t.throws(() => ring.registerBuffers([null, resizable]), expected)
  t.throws(() => ring.registerBuffers([null, new Uint8Array(resizable, 0, 4)]), expected)
  const table = ring.registerBuffers(2)
  t.throws(() => table.update(0, [null, resizable]), expected)
  t.throws(() => table.at(1), { code: 'ERR_INVALID_ARG_VALUE' })
})

// ---- Bad arguments

/** What is refused, and under which name. */
const BAD_VIEWS: readonly (readonly [unknown, string, string])[] = [
  [undefined, 'ERR_INVALID_ARG_TYPE', '"views"'],
  [null, 'ERR_INVALID_ARG_TYPE', '"views"'],
  ['4', 'ERR_INVALID_ARG_TYPE', '"views"'],
  [4n, 'ERR_INVALID_ARG_TYPE', '"views"'],
  [Buffer.alloc(8), 'ERR_INVALID_ARG_TYPE', '"views"'],
  [{ length: 1, 0: Buffer.alloc(8) }, 'ERR_INVALID_ARG_TYPE', '"views"'],
  [[], 'ERR_OUT_OF_RANGE', '"views.length"'],
  [[undefined], 'ERR_INVALID_ARG_TYPE', '"views[0]"'],
  [Array.from({ length: 2 }), 'ERR_INVALID_ARG_TYPE', '"views[0]"'],
  [[null, 8], 'ERR_INVALID_ARG_TYPE', '"views[1]"'],
  [[Buffer.alloc(8), 'text'], 'ERR_INVALID_ARG_TYPE', '"views[1]"'],
  [[null, null, [1, 2]], 'ERR_INVALID_ARG_TYPE', '"views[2]"'],
  [[new FixedBuffer(0, Buffer.alloc(8))], 'ERR_INVALID_ARG_TYPE', '"views[0]"'],
  [[Object.create(ArrayBuffer.prototype)], 'ERR_INVALID_ARG_TYPE', '"views[0]"'],
  [[Object.create(Uint8Array.prototype)], 'ERR_INVALID_ARG_TYPE', '"views[0]"'],
  [[Buffer.alloc(8), Buffer.alloc(0)], 'ERR_OUT_OF_RANGE', '"views[1].byteLength"'],
  [[new ArrayBuffer(0)], 'ERR_OUT_OF_RANGE', '"views[0].byteLength"'],
  [[null, new SharedArrayBuffer(GIB + 1)], 'ERR_OUT_OF_RANGE', '"views[1].byteLength"'],
]

const BAD_TAGS: readonly (readonly [unknown, string, string])[] = [
  [null, 'ERR_INVALID_ARG_TYPE', '"options"'],
  [5, 'ERR_INVALID_ARG_TYPE', '"options"'],
  [[1n, 2n], 'ERR_INVALID_ARG_TYPE', '"options"'],
  [{ tags: null }, 'ERR_INVALID_ARG_TYPE', '"options.tags"'],
  [{ tags: 1n }, 'ERR_INVALID_ARG_TYPE', '"options.tags"'],
  [{ tags: new BigUint64Array(2) }, 'ERR_INVALID_ARG_TYPE', '"options.tags"'],
  [{ tags: [] }, 'ERR_INVALID_ARG_VALUE', "'options.tags'"],
  [{ tags: [1n] }, 'ERR_INVALID_ARG_VALUE', "'options.tags'"],
  [{ tags: [1n, 0n, 0n] }, 'ERR_INVALID_ARG_VALUE', "'options.tags'"],
  [{ tags: [1n, 5] }, 'ERR_INVALID_ARG_TYPE', '"options.tags[1]"'],
  [{ tags: [null, 0n] }, 'ERR_INVALID_ARG_TYPE', '"options.tags[0]"'],
  [{ tags: [-1n, 0n] }, 'ERR_OUT_OF_RANGE', '"options.tags[0]"'],
  [{ tags: [2n ** 62n, 0n] }, 'ERR_OUT_OF_RANGE', '"options.tags[0]"'],
  [{ tags: [1n, 1n] }, 'ERR_INVALID_ARG_VALUE', "'options.tags[1]'"], // of an empty slot
]

test('bad views are named, and nothing is registered', (t) => {
  const ring = newRing(t)
  for (const [views, code, name] of BAD_VIEWS) {
    const error = caught(() => ring.registerBuffers(views as Buffer[]))
    t.is(error.code, code, name)
    t.true(error.message.includes(name), error.message)
  }
  for (const size of [0, -1, 1.5, Number.NaN, 16_385, 2 ** 32 + 1])
    t.throws(() => ring.registerBuffers(size), {
      name: 'RangeError',
      code: 'ERR_OUT_OF_RANGE',
      message: /"views"/,
    })
  t.throws(() => ring.registerBuffers(2, { tags: [0n, 1n] }), {
    code: 'ERR_INVALID_ARG_VALUE',
    message: /'options\.tags\[1\]'/,
  })
  t.is(ioUringRegister(ring.fd, 1, null, 0), -6)
  t.is(ring.registerBuffers(2, { tags: [0n, 0n] }).size, 2)
})

test('bad tags are named, and nothing is registered', (t) => {
  const ring = newRing(t)
  for (const [options, code, name] of BAD_TAGS) {
    const error = caught(() => ring.registerBuffers([own(8), null], options as RegisterBuffersOptions))
    t.is(error.code, code, name)
    t.true(error.message.includes(name), error.message)
  }
  t.is(ioUringRegister(ring.fd, 1, null, 0), -6)
})

test('update: bad arguments are named, and nothing changes', (t) => {
  const ring = newRing(t)
  const memory = own(8)
  const table = ring.registerBuffers([memory, null, memory], { tags: [1n, 0n, 2n] })
  for (const [views, code, name] of BAD_VIEWS) {
    const error = caught(() => table.update(0, views as Buffer[]))
    t.is(error.code, code, name)
    t.true(error.message.includes(name), error.message)
  }
  for (const [options, code, name] of BAD_TAGS) {
    const error = caught(() => table.update(1, [own(8), null], options as RegisterBuffersOptions))
    t.is(error.code, code, name)
    t.true(error.message.includes(name), error.message)
  }
  for (const offset of [-1, 2, 0.5, Number.NaN])
    t.throws(() => table.update(offset, [own(8), null]), { code: 'ERR_OUT_OF_RANGE', message: /"offset"/ })
  for (const offset of [undefined, null, '0', 0n])
    t.throws(() => table.update(offset as unknown as number, [null]), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /"offset"/,
    })
  t.throws(() => table.update(0, [null, null, null, null]), {
    code: 'ERR_OUT_OF_RANGE',
    message: /"views\.length"/,
  })
  t.is(tag(ring), undefined)
  t.is(table.at(0).view.buffer, memory.buffer)
  t.is(table.at(2).view.buffer, memory.buffer)
})

test('at: bad slots are named', (t) => {
  const { table } = tableOf(t, own(8), own(8))
  for (const index of [-1, 2, 0.5, Number.NaN, 2 ** 32])
    t.throws(() => table.at(index), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE', message: /"index"/ })
  for (const index of [undefined, null, '0', 0n, {}])
    t.throws(() => table.at(index as number), { code: 'ERR_INVALID_ARG_TYPE', message: /"index"/ })
})

test('a buffer of more than 1 GiB is refused before the kernel is asked, and 1 GiB is not too much to ask for', (t) => {
  const ring = newRing(t)
  const memory = new SharedArrayBuffer(GIB + 1)
  t.throws(() => ring.registerBuffers([memory]), {
    name: 'RangeError',
    message: `The value of "views[0].byteLength" is out of range. It must be >= 1 && <= ${GIB}; null is an empty slot. Received ${GIB + 1}`,
  })
})

test('code that runs while arguments are read cannot get in between', (t) => {
  const ring = newRing(t)
  const options = {
    get tags() {
      ring[Symbol.dispose]()
      return [1n]
    },
  }
  t.throws(() => ring.registerBuffers([own(8)], options), { code: 'ERR_URING_CLOSED' })

  const other = newRing(t)
  const table = other.registerBuffers([own(8)])
  const views = [null]
  Object.defineProperty(views, 0, {
    configurable: true,
    get: () => {
      table.unregister()
      return null
    },
  })
  t.throws(() => table.update(0, views), { code: 'ERR_URING_RESOURCE_CLOSED' })

  const again = other.registerBuffers([own(8)])
  Object.defineProperty(views, 0, {
    get: () => {
      throw new Error('mine')
    },
  })
  t.throws(() => again.update(0, views), { message: 'mine' })
  t.throws(() => newRing(t).registerBuffers(views), { message: 'mine' })
  t.is(again.at(0).view.length, 8)

  // What a view says of itself is read once, and is checked by V8: it cannot make more of it than there is.
  const liar = own(8)
  let asked = 0
  Object.defineProperty(liar, 'byteLength', { get: () => (asked++ === 0 ? 8 : 2 ** 20) })
  t.throws(() => newRing(t).registerBuffers([liar]), { instanceOf: RangeError })
})

// ---- Clones

test('cloneBuffers: both rings use one memory', (t) => {
  const { fd } = file(t, TEXT)
  const { ring: source, table } = tableOf(t, own(4), null, allocate(6))
  const ring = newRing(t)
  const clone = ring.cloneBuffers(source)
  t.true(clone instanceof BufferTable)
  t.not(clone, table)
  t.is(clone.size, 3)
  t.is(clone.at(0).view.buffer, table.at(0).view.buffer)
  t.is(clone.at(2).index, 2)
  t.throws(() => clone.at(1), { code: 'ERR_INVALID_ARG_VALUE' })
  t.is(readThrough(ring, fd, clone.at(0)), '0123')
  t.is(table.at(0).view.toString(), '0123')
  t.is(readThrough(source, fd, table.at(2)), '012345')
  t.is(clone.at(2).view.toString(), '012345')
})

test('cloneBuffers: what becomes of the source is its own affair', async (t) => {
  const { fd } = file(t, TEXT)
  const source = newRing(t)
  const table = source.registerBuffers([own(4), own(5)], { tags: [1n, 2n] })
  const ring = newRing(t)
  const clone = ring.cloneBuffers(source)
  t.is(table.update(0, [null]), 1)
  t.is(tag(source), 1n, 'it has no users there')
  t.is(readThrough(ring, fd, clone.at(0)), '0123')
  table.unregister()
  t.is(tag(source), 2n)
  t.is(readThrough(ring, fd, clone.at(1)), '01234')
  await source.close()
  t.is(readThrough(ring, fd, clone.at(0)), '0123')
  clone.unregister()
  t.is(tag(ring), undefined, 'tags are not cloned')

  const again = newRing(t)
  const first = again.registerBuffers([own(3)])
  const second = newRing(t)
  second.cloneBuffers(again).unregister()
  t.is(readThrough(again, fd, first.at(0)), '012', 'nor is what becomes of the clone')
})

test('cloneBuffers: a part, to another place', (t) => {
  const { fd } = file(t, TEXT)
  const { ring: source } = tableOf(t, own(1), own(2), own(3), own(4))
  for (const [options, slots] of [
    [{ sourceOffset: 1 }, '01 012 0123'],
    [{ sourceOffset: 1, count: 2 }, '01 012'],
    [{ count: 1 }, '0'],
    [{ offset: 2 }, '- - 0 01 012 0123'],
    [{ sourceOffset: 3, offset: 1, count: 1 }, '- 0123'],
  ] as const) {
    const ring = newRing(t)
    t.is(show(ring, fd, ring.cloneBuffers(source, options)), slots)
  }
})

/** What a read through each slot brings. */
function show(ring: Ring, fd: number, table: BufferTable): string {
  const slots = Array.from({ length: table.size }, (_, index) => {
    try {
      return readThrough(ring, fd, table.at(index))
    } catch {
      return readThrough(ring, fd, new FixedBuffer(index, own(1))) === 'EFAULT' ? '-' : '?'
    }
  })
  const beyond = new Uint32Array([table.size, 0, 0, 0, 0, 0, 1, 0]) // struct io_uring_rsrc_update2
  if (ioUringRegister(ring.fd, 16, beyond, 32) !== -22) slots.push('more')
  return slots.join(' ')
}

test('cloneBuffers: with replace, slots make room, and there may be more of them', (t) => {
  const { fd } = file(t, TEXT)
  const { ring: source } = tableOf(t, own(1), own(2), null)
  for (const [options, slots, tags] of [
    [{}, '0 01 - 0123456', [4n, 5n]],
    [{ count: 1 }, '0 01234 - 0123456', [4n]],
    [{ offset: 1, count: 2 }, '0123 0 01 0123456', [5n]],
    [{ offset: 3, count: 1, sourceOffset: 1 }, '0123 01234 - 01', [7n]],
    [{ offset: 3 }, '0123 01234 - 0 01 -', [7n]],
    [{ offset: 6, count: 1 }, '0123 01234 - 0123456 - - 0', []],
  ] as const) {
    const ring = newRing(t)
    const before = ring.registerBuffers([own(4), own(5), null, own(7)], { tags: [4n, 5n, 0n, 7n] })
    t.is(show(ring, fd, before), '0123 01234 - 0123456')
    const after = ring.cloneBuffers(source, { replace: true, ...options })
    const arrived = [tag(ring), tag(ring), tag(ring)].filter((found) => found !== undefined)
    t.deepEqual(arrived.toSorted(), [...tags])
    t.is(show(ring, fd, after), slots)
    // Both are the ring's slots.
    t.is(before.size, after.size)
    t.is(show(ring, fd, before), slots)
    after.unregister()
    t.throws(() => before.at(0), { code: 'ERR_URING_RESOURCE_CLOSED' })
  }
  const empty = newRing(t)
  t.is(show(empty, fd, empty.cloneBuffers(source, { replace: true, count: 2 })), '0 01', 'it may be empty')
})

test('cloneBuffers: from a ring to itself', (t) => {
  const { fd } = file(t, TEXT)
  const { ring, table } = tableOf(t, own(1), own(2), own(3))
  t.throws(() => ring.cloneBuffers(ring), { code: 'EBUSY' })
  ring.cloneBuffers(ring, { replace: true, sourceOffset: 0, count: 2, offset: 1 })
  t.is(show(ring, fd, table), '0 0 01')
})

test('cloneBuffers: from none ENXIO, to some EBUSY', (t) => {
  const { ring: source, table } = tableOf(t, own(1))
  const ring = newRing(t)
  t.throws(() => ring.cloneBuffers(newRing(t)), {
    code: 'ENXIO',
    message: 'ENXIO: no such device or address, io_uring_register',
  })
  ring.registerBuffers(1)
  t.throws(() => ring.cloneBuffers(source), { code: 'EBUSY' })
  t.throws(() => ring.cloneBuffers(newRing(t)), { code: 'ENXIO' })
  table.unregister()
  t.throws(() => newRing(t).cloneBuffers(source), { code: 'ENXIO' })
})

test('cloneBuffers: memory that was transferred meanwhile is cloned, and not given out', (t) => {
  const memory = own(8)
  const { ring: source } = tableOf(t, memory, own(4))
  const ring = newRing(t)
  detach(memory)
  const clone = ring.cloneBuffers(source)
  t.throws(() => clone.at(0), { code: 'ERR_URING_BUFFER_DETACHED' })
  t.is(clone.at(1).view.length, 4)
})

test('cloneBuffers: bad arguments are named, and nothing is cloned', (t) => {
  const { ring: source } = tableOf(t, own(1), own(2), own(3))
  const ring = newRing(t)
  for (const bad of [undefined, null, {}, 3, { fd: source.fd }, Object.create(Ring.prototype)]) {
    if (typeof bad === 'object' && bad instanceof Ring) {
      t.throws(() => ring.cloneBuffers(bad))
      continue
    }
    t.throws(() => ring.cloneBuffers(bad as Ring), { code: 'ERR_INVALID_ARG_TYPE', message: /"source"/ })
  }
  for (const [options, code, name] of [
    [null, 'ERR_INVALID_ARG_TYPE', '"options"'],
    [3, 'ERR_INVALID_ARG_TYPE', '"options"'],
    [{ sourceOffset: -1 }, 'ERR_OUT_OF_RANGE', '"options.sourceOffset"'],
    [{ sourceOffset: 3 }, 'ERR_OUT_OF_RANGE', '"options.sourceOffset"'],
    [{ sourceOffset: '0' }, 'ERR_INVALID_ARG_TYPE', '"options.sourceOffset"'],
    [{ offset: -1 }, 'ERR_OUT_OF_RANGE', '"options.offset"'],
    [{ offset: 16_384 }, 'ERR_OUT_OF_RANGE', '"options.offset"'],
    [{ offset: 16_382 }, 'ERR_OUT_OF_RANGE', '"options.count"'],
    [{ offset: null }, 'ERR_INVALID_ARG_TYPE', '"options.offset"'],
    [{ count: 0 }, 'ERR_OUT_OF_RANGE', '"options.count"'],
    [{ count: 4 }, 'ERR_OUT_OF_RANGE', '"options.count"'],
    [{ count: 3, sourceOffset: 1 }, 'ERR_OUT_OF_RANGE', '"options.count"'],
    [{ count: 2n }, 'ERR_INVALID_ARG_TYPE', '"options.count"'],
    [{ replace: 1 }, 'ERR_INVALID_ARG_TYPE', '"options.replace"'],
  ] as const) {
    const error = caught(() => ring.cloneBuffers(source, options as CloneBuffersOptions))
    t.is(error.code, code, name)
    t.true(error.message.includes(name), error.message)
  }
  t.is(ioUringRegister(ring.fd, 1, null, 0), -6)
  t.is(ring.cloneBuffers(source, { offset: 16_381 }).size, 16_384)
})

test('reads of both flows through both rings at once bring what they should', async (t) => {
  const [left, right] = pair(t)
  const { ring: source, table } = tableOf(t, allocate(100))
  const ring = newRing(t)
  const clone = ring.cloneBuffers(source)
  const read = source.run(new ReadFixed(left, table.at(0).subarray(0, 10)))
  ring.push(new WriteFixed(right, clone.at(0).subarray(50, 60)))
  clone.at(0).view.write('both rings', 50)
  t.is(ring.wait(SOON)?.value, 10)
  t.is(await read, 10)
  t.is(clone.at(0).view.toString('latin1', 0, 10), 'both rings')
  t.is(outcome(ring, new Read(left, own(1), { flags: 8 })), 'EAGAIN')
})
