// Groups of provided buffers, alone: what was filled, for what the kernel says of it.

import test, { type ExecutionContext } from 'ava'
import { CqeFlags } from 'uring'
import { ProvideBuffers } from '../../ts/operations/provide-buffers.ts'
import { checkGroup, isGroup, resolveGroup, resolveGroupBuffer } from '../../ts/arguments/buffer-group.ts'
import { Groups } from '../../ts/buffers/groups.ts'
import { type Received, receivedFrom } from '../../ts/buffers/received.ts'

const GROUP = 5

function flagsOf(id: number): number {
  return ((id << 16) | CqeFlags.BUFFER) >>> 0
}

/** Where the bytes of a completion are: which memory, from where, how many. */
function placeOf(groups: Groups, id: number, length: number, memories: readonly Buffer[]): number[] {
  const { bytes } = receivedFrom(GROUP, groups.received(GROUP, length, flagsOf(id)))
  return [memories.findIndex(({ buffer }) => buffer === bytes.buffer), bytes.byteOffset, bytes.byteLength]
}

function fresh(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(size))
}

function unknown(t: ExecutionContext, groups: Groups, id: number): void {
  const received = groups.received(GROUP, 1, flagsOf(id))
  t.is(received, undefined, `buffer ${id}`)
  t.throws(() => receivedFrom(GROUP, received), { code: 'ERR_URING_RESOURCE_CLOSED', message: /group 5/ })
}

test('the part of a buffer that was filled, by its number', (t) => {
  const groups = new Groups()
  const memory = fresh(30)
  groups.provide(GROUP, memory.subarray(6), 8, 3, 65_533)
  t.deepEqual(placeOf(groups, 65_535, 8, [memory]), [0, 22, 8])
  t.deepEqual(placeOf(groups, 65_533, 3, [memory]), [0, 6, 3])
  unknown(t, groups, 65_533)
  unknown(t, groups, 0)
  t.deepEqual(placeOf(groups, 65_534, 0, [memory]), [0, 14, 0])
})

test('all kinds of memory', (t) => {
  const groups = new Groups()
  const shared = new SharedArrayBuffer(8)
  for (const memory of [
    new ArrayBuffer(8),
    shared,
    new DataView(new ArrayBuffer(12), 4),
    new Float64Array(1),
  ]) {
    groups.provide(GROUP, memory, 8, 1, 1)
    const { bytes } = receivedFrom(GROUP, groups.received(GROUP, 8, flagsOf(1)))
    t.is(bytes.byteLength, 8)
    t.is(bytes.buffer, ArrayBuffer.isView(memory) ? memory.buffer : memory)
  }
})

test('a completion without a buffer brought nothing', (t) => {
  const groups = new Groups()
  groups.provide(GROUP, fresh(8), 8, 1, 0)
  const received = receivedFrom(GROUP, groups.received(GROUP, 5, 0))
  t.deepEqual(received.bytes, Buffer.alloc(0))
  t.deepEqual(received.views, [])
  t.notThrows(() => received[Symbol.dispose]())
  // And has taken none.
  t.is(receivedFrom(GROUP, groups.received(GROUP, 5, flagsOf(0))).bytes.byteLength, 5)
})

test('an error with a buffer has used it up', (t) => {
  const groups = new Groups()
  groups.provide(GROUP, fresh(8), 8, 1, 3)
  t.is(receivedFrom(GROUP, groups.received(GROUP, -5, flagsOf(3))).bytes.byteLength, 0)
  unknown(t, groups, 3)
})

test('groups do not mix', (t) => {
  const groups = new Groups()
  const [one, other] = [fresh(8), fresh(8)]
  groups.provide(GROUP, one, 8, 1, 0)
  groups.provide(GROUP + 1, other, 8, 1, 0)
  groups.removed(GROUP + 2, 1)
  groups.lost(GROUP + 2, 1)
  groups.removed(GROUP + 1, 1)
  t.deepEqual(placeOf(groups, 0, 8, [other, one]), [1, 0, 8])
})

test('a number that was given twice stands for the older buffer first', (t) => {
  const groups = new Groups()
  const memories = [fresh(4), fresh(4), fresh(4)]
  for (const memory of memories) groups.provide(GROUP, memory, 4, 1, 9)
  t.deepEqual(
    memories.map(() => placeOf(groups, 9, 4, memories)[0]),
    [0, 1, 2],
  )
  unknown(t, groups, 9)
})

test('the oldest buffers are removed, and others stay', (t) => {
  const groups = new Groups()
  const memory0 = fresh(8)
  const memory1 = fresh(8)
  const memories = [memory0, memory1]
  groups.provide(GROUP, memory0, 4, 2, 10)
  groups.provide(GROUP, memory1, 4, 2, 20)
  groups.removed(GROUP, 3)
  t.deepEqual(placeOf(groups, 21, 4, memories), [1, 4, 4])
  for (const id of [10, 11, 20, 21]) unknown(t, groups, id)
})

test('a buffer that was in use was not removed: the next one was', (t) => {
  const groups = new Groups()
  const memory = fresh(12)
  groups.provide(GROUP, memory, 4, 3, 1)
  groups.removed(GROUP, 1) // an operation has the first one
  t.deepEqual(placeOf(groups, 1, 4, [memory]), [0, 0, 4])
  t.deepEqual(placeOf(groups, 3, 4, [memory]), [0, 8, 4])
  unknown(t, groups, 2)
})

test('a number that was removed can be given again', (t) => {
  const groups = new Groups()
  const memory0 = fresh(8)
  const memory1 = fresh(4)
  const memories = [memory0, memory1]
  groups.provide(GROUP, memory0, 4, 2, 1)
  groups.removed(GROUP, 1)
  groups.provide(GROUP, memory1, 4, 1, 1)
  t.deepEqual(placeOf(groups, 1, 4, memories), [1, 0, 4])
  unknown(t, groups, 1)
  t.deepEqual(placeOf(groups, 2, 4, memories), [0, 4, 4])
})

test('when it is unknown how many were removed, what comes is still found', (t) => {
  const groups = new Groups()
  const memory = fresh(12)
  groups.provide(GROUP, memory, 4, 3, 1)
  groups.lost(GROUP, 2)
  t.deepEqual(placeOf(groups, 2, 4, [memory]), [0, 4, 4])
  t.deepEqual(placeOf(groups, 3, 4, [memory]), [0, 8, 4])
})

test('what failed is taken back', (t) => {
  const groups = new Groups()
  const memory0 = fresh(4)
  const memory1 = fresh(4)
  const memories = [memory0, memory1]
  const failed = groups.provide(GROUP, memory0, 4, 1, 1)
  groups.provide(GROUP, memory1, 4, 1, 1)
  groups.withdraw(failed)
  t.deepEqual(placeOf(groups, 1, 4, memories), [1, 0, 4])
  unknown(t, groups, 1)
  t.notThrows(() => groups.withdraw(failed))
})

test('memory that was detached is an error, whatever was filled', (t) => {
  const groups = new Groups()
  const memory = fresh(8)
  groups.provide(GROUP, memory.subarray(2), 3, 2, 0)
  structuredClone(memory.buffer, { transfer: [memory.buffer as ArrayBuffer] })
  for (const id of [0, 1]) {
    const received = groups.received(GROUP, 3, flagsOf(id))
    t.throws(() => receivedFrom(GROUP, received), { code: 'ERR_URING_BUFFER_DETACHED' })
  }
})

test('giving back what the kernel has taken out of its group does nothing', (t) => {
  const groups = new Groups()
  groups.provide(GROUP, fresh(8), 8, 1, 0)
  const received: Received = receivedFrom(GROUP, groups.received(GROUP, 8, flagsOf(0)))
  received.release()
  received[Symbol.dispose]()
  unknown(t, groups, 0)
})

test('a group is a number, or what has one', (t) => {
  t.is(resolveGroup(7, 'group'), 7)
  t.is(resolveGroup({ group: 65_535 }, 'group'), 65_535)
  const target = { group: 3 }
  t.is(checkGroup(target), target)
  for (const [bad, code] of [
    [-1, 'ERR_OUT_OF_RANGE'],
    [65_536, 'ERR_OUT_OF_RANGE'],
    [{ group: 0.5 }, 'ERR_OUT_OF_RANGE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    ['1', 'ERR_INVALID_ARG_TYPE'],
  ] as const) {
    t.throws(() => resolveGroup(bad, 'group'), { code, message: /"group"/ })
  }
  t.true(isGroup({ group: 1 }))
  t.false(isGroup(Buffer.alloc(1)))
  t.false(isGroup(null))
  t.deepEqual(resolveGroupBuffer({ group: { group: 4 }, length: 9 }, 'bytes'), { id: 4, length: 9 })
  t.deepEqual(resolveGroupBuffer({ group: 4 }, 'bytes'), { id: 4, length: 0 })
})

test('who waits for buffers is told once, unless it waits no more', (t) => {
  const groups = new Groups()
  const told: string[] = []
  const wait = (name: string, again = false): (() => void) =>
    groups.whenProvided(GROUP, () => {
      told.push(name)
      if (again) wait(name, true)
    })
  wait('once')
  wait('again', true)
  const stop = wait('never')
  stop()
  groups.provide(GROUP, fresh(8), 8, 1, 0)
  t.deepEqual(told, []) // the kernel does not have them yet
  groups.provided()
  t.deepEqual(told, ['once', 'again'])
  groups.provided()
  t.deepEqual(told, ['once', 'again', 'again'])
})

test('an operation that has provided tells who waits, and one that has failed does not', (t) => {
  const groups = new Groups()
  let told = 0
  groups.whenProvided(GROUP, () => {
    told += 1
  })
  const { state } = new ProvideBuffers(fresh(8), 8, 1, GROUP).build()
  ProvideBuffers.observe(groups, -12, 0, state, ProvideBuffers.onEnqueue(groups, state))
  t.is(told, 0)
  unknown(t, groups, 0)
  const staged = ProvideBuffers.onEnqueue(groups, state)
  t.is(told, 0)
  ProvideBuffers.observe(groups, 0, 0, state, staged)
  t.is(told, 1)
  t.is(receivedFrom(GROUP, groups.received(GROUP, 8, flagsOf(0))).bytes.byteLength, 8)
  // It is provided once.
  unknown(t, groups, 0)
})
