// Cloning the registered buffers of another ring.

import test from 'ava'
import {
  allocate,
  BufferTable,
  type CloneBuffersOptions,
  FixedBuffer,
  Read,
  ReadFixed,
  Ring,
  WriteFixed,
} from 'uring'
import { ioUringRegister } from 'uring/sys'
import { outcome, TIMEOUT } from '../helpers/completions.ts'
import { file } from '../helpers/files.ts'
import {
  detach,
  newRing,
  nextTag,
  ownMemory,
  readThrough,
  tableOf,
  TEXT,
  thrownBy,
} from '../helpers/registered.ts'
import { pair } from '../helpers/sockets.ts'

test('cloneBuffers: both rings use the same memory', (t) => {
  const { fd } = file(t, TEXT)
  const { ring: source, table } = tableOf(t, ownMemory(4), null, allocate(6))
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

test('cloneBuffers: clones stay when the source changes or is closed', async (t) => {
  const { fd } = file(t, TEXT)
  const source = newRing(t)
  const table = source.registerBuffers([ownMemory(4), ownMemory(5)], { tags: [1n, 2n] })
  const ring = newRing(t)
  const clone = ring.cloneBuffers(source)
  t.is(table.update(0, [null]), 1)
  t.is(nextTag(source), 1n, 'it has no users there')
  t.is(readThrough(ring, fd, clone.at(0)), '0123')
  table.unregister()
  t.is(nextTag(source), 2n)
  t.is(readThrough(ring, fd, clone.at(1)), '01234')
  await source.close()
  t.is(readThrough(ring, fd, clone.at(0)), '0123')
  clone.unregister()
  t.is(nextTag(ring), undefined, 'tags are not cloned')

  const again = newRing(t)
  const first = again.registerBuffers([ownMemory(3)])
  const second = newRing(t)
  second.cloneBuffers(again).unregister()
  t.is(readThrough(again, fd, first.at(0)), '012', 'nor is what becomes of the clone')
})

test('cloneBuffers: clones a part to other slots', (t) => {
  const { fd } = file(t, TEXT)
  const { ring: source } = tableOf(t, ownMemory(1), ownMemory(2), ownMemory(3), ownMemory(4))
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

/** Returns what a read through each slot brings. */
function show(ring: Ring, fd: number, table: BufferTable): string {
  const slots = Array.from({ length: table.size }, (_, index) => {
    try {
      return readThrough(ring, fd, table.at(index))
    } catch {
      return readThrough(ring, fd, new FixedBuffer(index, ownMemory(1))) === 'EFAULT' ? '-' : '?'
    }
  })
  const beyond = new Uint32Array([table.size, 0, 0, 0, 0, 0, 1, 0]) // struct io_uring_rsrc_update2
  if (ioUringRegister(ring.fd, 16, beyond, 32) !== -22) slots.push('more')
  return slots.join(' ')
}

test('cloneBuffers: replace overwrites slots, and adds slots', (t) => {
  const { fd } = file(t, TEXT)
  const { ring: source } = tableOf(t, ownMemory(1), ownMemory(2), null)
  for (const [options, slots, tags] of [
    [{}, '0 01 - 0123456', [4n, 5n]],
    [{ count: 1 }, '0 01234 - 0123456', [4n]],
    [{ offset: 1, count: 2 }, '0123 0 01 0123456', [5n]],
    [{ offset: 3, count: 1, sourceOffset: 1 }, '0123 01234 - 01', [7n]],
    [{ offset: 3 }, '0123 01234 - 0 01 -', [7n]],
    [{ offset: 6, count: 1 }, '0123 01234 - 0123456 - - 0', []],
  ] as const) {
    const ring = newRing(t)
    const before = ring.registerBuffers([ownMemory(4), ownMemory(5), null, ownMemory(7)], {
      tags: [4n, 5n, 0n, 7n],
    })
    t.is(show(ring, fd, before), '0123 01234 - 0123456')
    const after = ring.cloneBuffers(source, { replace: true, ...options })
    const arrived = [nextTag(ring), nextTag(ring), nextTag(ring)].filter((found) => found !== undefined)
    t.deepEqual(arrived.toSorted(), [...tags])
    t.is(show(ring, fd, after), slots)
    // Both tables refer to the slots of the ring.
    t.is(before.size, after.size)
    t.is(show(ring, fd, before), slots)
    after.unregister()
    t.throws(() => before.at(0), { code: 'ERR_URING_RESOURCE_CLOSED' })
  }
  const empty = newRing(t)
  t.is(show(empty, fd, empty.cloneBuffers(source, { replace: true, count: 2 })), '0 01', 'it may be empty')
})

test('cloneBuffers: clones from a ring to itself', (t) => {
  const { fd } = file(t, TEXT)
  const { ring, table } = tableOf(t, ownMemory(1), ownMemory(2), ownMemory(3))
  t.throws(() => ring.cloneBuffers(ring), { code: 'EBUSY' })
  ring.cloneBuffers(ring, { replace: true, sourceOffset: 0, count: 2, offset: 1 })
  t.is(show(ring, fd, table), '0 0 01')
})

test('cloneBuffers: fails with ENXIO for an empty source and EBUSY for a target with buffers', (t) => {
  const { ring: source, table } = tableOf(t, ownMemory(1))
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

test('cloneBuffers: clones transferred memory, and at() refuses it', (t) => {
  const memory = ownMemory(8)
  const { ring: source } = tableOf(t, memory, ownMemory(4))
  const ring = newRing(t)
  detach(memory)
  const clone = ring.cloneBuffers(source)
  t.throws(() => clone.at(0), { code: 'ERR_URING_BUFFER_DETACHED' })
  t.is(clone.at(1).view.length, 4)
})

test('cloneBuffers: names invalid arguments, and clones nothing', (t) => {
  const { ring: source } = tableOf(t, ownMemory(1), ownMemory(2), ownMemory(3))
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
    const error = thrownBy(() => ring.cloneBuffers(source, options as CloneBuffersOptions))
    t.is(error.code, code, name)
    t.true(error.message.includes(name), error.message)
  }
  t.is(ioUringRegister(ring.fd, 1, null, 0), -6)
  t.is(ring.cloneBuffers(source, { offset: 16_381 }).size, 16_384)
})

test('cloneBuffers: concurrent reads of both APIs through both rings are correct', async (t) => {
  const [left, right] = pair(t)
  const { ring: source, table } = tableOf(t, allocate(100))
  const ring = newRing(t)
  const clone = ring.cloneBuffers(source)
  const read = source.run(new ReadFixed(left, table.at(0).subarray(0, 10)))
  ring.push(new WriteFixed(right, clone.at(0).subarray(50, 60)))
  clone.at(0).view.write('both rings', 50)
  t.is(ring.wait(TIMEOUT)?.value, 10)
  t.is(await read, 10)
  t.is(clone.at(0).view.toString('latin1', 0, 10), 'both rings')
  t.is(outcome(ring, new Read(left, ownMemory(1), { flags: 8 })), 'EAGAIN')
})
