// Reads and writes of files with registered buffers.

import { readFileSync } from 'node:fs'
import test from 'ava'
import {
  Entry,
  FixedBuffer,
  FixedFile,
  ReadFixed,
  ReadvFixed,
  RwFlags,
  type UringError,
  WriteFixed,
  WritevFixed,
} from 'uring'
import { complete, outcome } from '../../helpers/completions.ts'
import { file } from '../../helpers/files.ts'
import { fixedRing } from '../../helpers/registered.ts'
import { pair } from '../../helpers/sockets.ts'

const CLASSES = [
  ['ReadFixed', (fd: number, buffer: FixedBuffer) => new ReadFixed(fd, buffer, { offset: 0 })],
  ['WriteFixed', (fd: number, buffer: FixedBuffer) => new WriteFixed(fd, buffer, { offset: 0 })],
  ['ReadvFixed', (fd: number, buffer: FixedBuffer) => new ReadvFixed(fd, [buffer], { offset: 0 })],
  ['WritevFixed', (fd: number, buffer: FixedBuffer) => new WritevFixed(fd, [buffer], { offset: 0 })],
] as const

test('ReadFixed: fills a part of a registered buffer and leaves the rest', (t) => {
  const { ring, buffer } = fixedRing(t, 64)
  const { fd } = file(t, '0123456789')
  const before = Buffer.from(buffer.view)
  t.is(outcome(ring, new ReadFixed(fd, buffer.subarray(8, 12), { offset: 3 })), 4)
  t.is(buffer.view.toString('latin1', 8, 12), '3456')
  before.write('3456', 8)
  t.deepEqual(buffer.view, before)
  // Without an offset it reads from the file position, which moves: fewer bytes at the end, and 0 past it.
  t.is(outcome(ring, new ReadFixed(fd, buffer.subarray(0, 6))), 6)
  t.is(outcome(ring, new ReadFixed(fd, buffer.subarray(6))), 4)
  t.is(buffer.view.toString('latin1', 0, 10), '0123456789')
  t.is(outcome(ring, new ReadFixed(fd, buffer)), 0)
  ring.registerFiles([-1, fd])
  t.is(outcome(ring, new ReadFixed(new FixedFile(1), buffer.subarray(20, 22), { offset: 8 })), 2)
  t.is(buffer.view.toString('latin1', 20, 22), '89')
})

test('WriteFixed: writes a part of a registered buffer', (t) => {
  const { ring, buffer } = fixedRing(t, 64)
  const { fd, path } = file(t, '..........')
  buffer.view.write('abcdef', 10)
  t.is(outcome(ring, new WriteFixed(fd, buffer.subarray(11, 14), { offset: 2 })), 3)
  t.is(readFileSync(path, 'utf8'), '..bcd.....')
  t.is(outcome(ring, new WriteFixed(fd, buffer.subarray(10, 12))), 2)
  t.is(outcome(ring, new WriteFixed(fd, buffer.subarray(15, 16))), 1)
  t.is(readFileSync(path, 'utf8'), 'abfcd.....')
  t.is(outcome(ring, new WriteFixed(fd, buffer.subarray(10, 13), { offset: 0, flags: RwFlags.APPEND })), 3)
  t.is(readFileSync(path, 'utf8'), 'abfcd.....abc')
})

test('ReadvFixed: fills several parts in order', (t) => {
  const { ring, buffer } = fixedRing(t, 64)
  const { fd } = file(t, '0123456789')
  const before = Buffer.from(buffer.view)
  const parts = [buffer.subarray(40, 43), buffer.subarray(3, 5), buffer.subarray(20, 21)]
  t.is(outcome(ring, new ReadvFixed(fd, parts, { offset: 1 })), 6)
  before.write('123', 40)
  before.write('45', 3)
  before.write('6', 20)
  t.deepEqual(buffer.view, before)
  t.is(outcome(ring, new ReadvFixed(fd, parts)), 6)
  t.is(outcome(ring, new ReadvFixed(fd, parts)), 4)
  t.is(buffer.view.toString('latin1', 40, 43), '678')
  t.is(outcome(ring, new ReadvFixed(fd, parts)), 0)
})

test('WritevFixed: writes several parts in order', (t) => {
  const { ring, buffer } = fixedRing(t, 64)
  const { fd, path } = file(t, '..........')
  buffer.view.write('abcdef', 10)
  const parts = [buffer.subarray(13, 16), buffer.subarray(10, 12)]
  t.is(outcome(ring, new WritevFixed(fd, parts, { offset: 4 })), 5)
  t.is(readFileSync(path, 'utf8'), '....defab.')
  t.is(outcome(ring, new WritevFixed(fd, parts)), 5)
  t.is(outcome(ring, new WritevFixed(fd, parts, { offset: 0, flags: RwFlags.APPEND })), 5)
  t.is(readFileSync(path, 'utf8'), 'defabefab.defab')
})

for (const [name, make] of CLASSES) {
  test(`${name}: fails with EFAULT for memory outside of a registered buffer`, (t) => {
    const { ring, buffer } = fixedRing(t, 64)
    const { fd, path } = file(t, '0123456789')
    const before = Buffer.from(buffer.view)
    for (const bad of [
      new FixedBuffer(1, buffer.view), // not registered
      new FixedBuffer(0, Buffer.alloc(8)), // outside
      new FixedBuffer(0, Buffer.from(buffer.view.buffer, 0, 0)), // no bytes
    ]) {
      const { error } = complete(ring, make(fd, bad))
      t.is(error?.code, 'EFAULT')
      t.is(error?.operation, name)
      t.is(error?.syscall, name.startsWith('Read') ? 'read' : 'write')
    }
    t.deepEqual(buffer.view, before)
    t.is(readFileSync(path, 'utf8'), '0123456789')
    t.is(outcome(ring, make(9999, buffer)), 'EBADF')
  })

  test(`${name}: refuses a detached view`, (t) => {
    const { ring, buffer } = fixedRing(t, 64)
    const { fd } = file(t, '0123456789'.repeat(10))
    ring.push(make(fd, buffer))
    structuredClone(buffer.view.buffer, { transfer: [buffer.view.buffer as ArrayBuffer] })
    const completion = ring.wait()
    t.false(completion?.ok)
    t.is(completion?.result, 64)
    t.is(completion?.error?.code, 'ERR_URING_BUFFER_DETACHED')
    t.throws<UringError>(() => completion?.value, { code: 'ERR_URING_BUFFER_DETACHED' })
  })

  test(`${name}: passes its options to the kernel`, (t) => {
    const { ring, buffer } = fixedRing(t, 64)
    const { fd } = file(t, '0123456789')
    const change = (fields: object): unknown =>
      outcome(ring, Object.assign(make(fd, buffer.subarray(0, 4)), fields))
    t.is(change({}), 4)
    t.is(change({ flags: 2 ** 31 }), 'ENOTSUP') // no such flag
    t.is(change({ ioprio: 0xffff }), 'EINVAL') // no such priority class
    t.is(change({ ioprio: 2 << 13 }), 4)
    const integrity = change({ integrity: { bytes: Buffer.alloc(8) } })
    t.true(integrity === 'EINVAL' || integrity === 'ENOTSUP', String(integrity)) // no direct I/O
  })
}

test('ReadFixed: reads again with each push of a built entry', (t) => {
  const { ring, buffer } = fixedRing(t, 64)
  const { fd } = file(t, '0123456789')
  const entry = new ReadFixed(fd, buffer.subarray(0, 3)).build()
  for (const [count, text] of [
    [3, '012'],
    [3, '345'],
    [3, '678'],
    [1, '978'],
  ] as const) {
    t.is(outcome(ring, entry), count)
    t.is(buffer.view.toString('latin1', 0, 3), text)
  }
  t.true(entry instanceof Entry)
})

test('ReadFixed: ignores changes after the push', (t) => {
  const { ring, buffer } = fixedRing(t, 64)
  const [left, right] = pair(t)
  const read = new ReadFixed(left, buffer.subarray(0, 5))
  ring.push(read)
  ring.submit()
  read.buffer = buffer.subarray(32)
  ring.push(new WriteFixed(right, buffer.subarray(40, 45)))
  t.deepEqual(
    ring.waitMany(2).map(({ value }) => value),
    [5, 5],
  )
  t.deepEqual([...buffer.view.subarray(0, 5)], [40, 41, 42, 43, 44])
})

test('FixedBuffer: has an index and a view of memory', (t) => {
  const memory = new ArrayBuffer(16)
  for (const [view, from, length] of [
    [memory, 0, 16],
    [new DataView(memory, 3, 5), 3, 5],
    [new Uint16Array(memory, 2, 3), 2, 6],
  ] as const) {
    const buffer = new FixedBuffer(65_535, view)
    t.is(buffer.index, 65_535)
    t.true(Buffer.isBuffer(buffer.view))
    t.is(buffer.view.buffer, memory)
    t.is(buffer.view.byteOffset, from)
    t.is(buffer.view.byteLength, length)
  }
  const shared = new SharedArrayBuffer(8)
  t.is(new FixedBuffer(0, shared).view.buffer as unknown, shared)
})

test('FixedBuffer: subarray() returns a part with the same index', (t) => {
  const memory = new ArrayBuffer(16)
  const part = new FixedBuffer(3, new Uint8Array(memory, 2, 10)).subarray(1, 9)
  const parts = [
    part,
    part.subarray(2),
    part.subarray(-3),
    part.subarray(-3, -1),
    part.subarray(),
    part.subarray(8, 20),
  ]
  t.deepEqual(
    parts.map(({ index, view }) => [index, view.byteOffset, view.byteLength]),
    [
      [3, 3, 8],
      [3, 5, 6],
      [3, 8, 3],
      [3, 8, 2],
      [3, 3, 8],
      [3, 11, 0],
    ],
  )
  t.true(parts.every(({ view }) => view.buffer === memory))
  t.true(parts.every((buffer) => buffer instanceof FixedBuffer))
})

test('FixedBuffer: refuses bad arguments', (t) => {
  for (const index of [-1, 65_536, 0.5, Number.NaN]) {
    t.throws(() => new FixedBuffer(index, Buffer.alloc(1)), { code: 'ERR_OUT_OF_RANGE', message: /"index"/ })
  }
  t.throws(() => new FixedBuffer('1' as unknown as number, Buffer.alloc(1)), {
    code: 'ERR_INVALID_ARG_TYPE',
    message: /"index"/,
  })
  for (const view of [undefined, null, 8, 'x', [1]]) {
    t.throws(() => new FixedBuffer(0, view as unknown as Buffer), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /"view"/,
    })
  }
})
