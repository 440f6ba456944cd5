// Groups and Provided with a simulated kernel: which bytes a completion has filled.

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

/** Returns the place of the bytes of a completion: the memory, the offset, and the length. */
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

test('Groups: finds the filled part of a buffer by its number', (t) => {
  const groups = new Groups()
  const memory = fresh(30)
  groups.provide(GROUP, memory.subarray(6), 8, 3, 65_533)
  t.deepEqual(placeOf(groups, 65_535, 8, [memory]), [0, 22, 8])
  t.deepEqual(placeOf(groups, 65_533, 3, [memory]), [0, 6, 3])
  unknown(t, groups, 65_533)
  unknown(t, groups, 0)
  t.deepEqual(placeOf(groups, 65_534, 0, [memory]), [0, 14, 0])
})

test('Groups: accepts every type of memory', (t) => {
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

test('Groups: a completion without a buffer has no data', (t) => {
  const groups = new Groups()
  groups.provide(GROUP, fresh(8), 8, 1, 0)
  const received = receivedFrom(GROUP, groups.received(GROUP, 5, 0))
  t.deepEqual(received.bytes, Buffer.alloc(0))
  t.deepEqual(received.views, [])
  t.notThrows(() => received[Symbol.dispose]())
  // It has consumed no buffer.
  t.is(receivedFrom(GROUP, groups.received(GROUP, 5, flagsOf(0))).bytes.byteLength, 5)
})

test('Groups: an error with a buffer consumes it', (t) => {
  const groups = new Groups()
  groups.provide(GROUP, fresh(8), 8, 1, 3)
  t.is(receivedFrom(GROUP, groups.received(GROUP, -5, flagsOf(3))).bytes.byteLength, 0)
  unknown(t, groups, 3)
})

test('Groups: keeps groups apart', (t) => {
  const groups = new Groups()
  const [one, other] = [fresh(8), fresh(8)]
  groups.provide(GROUP, one, 8, 1, 0)
  groups.provide(GROUP + 1, other, 8, 1, 0)
  groups.removed(GROUP + 2, 1)
  groups.lost(GROUP + 2, 1)
  groups.removed(GROUP + 1, 1)
  t.deepEqual(placeOf(groups, 0, 8, [other, one]), [1, 0, 8])
})

test('Groups: a number that was used twice names the older buffer first', (t) => {
  const groups = new Groups()
  const memories = [fresh(4), fresh(4), fresh(4)]
  for (const memory of memories) groups.provide(GROUP, memory, 4, 1, 9)
  t.deepEqual(
    memories.map(() => placeOf(groups, 9, 4, memories)[0]),
    [0, 1, 2],
  )
  unknown(t, groups, 9)
})

test('Groups: removes the oldest buffers, and keeps the others', (t) => {
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

test('Groups: a buffer in use is not removed: the next one is', (t) => {
  const groups = new Groups()
  const memory = fresh(12)
  groups.provide(GROUP, memory, 4, 3, 1)
  groups.removed(GROUP, 1) // an operation has the first buffer
  t.deepEqual(placeOf(groups, 1, 4, [memory]), [0, 0, 4])
  t.deepEqual(placeOf(groups, 3, 4, [memory]), [0, 8, 4])
  unknown(t, groups, 2)
})

test('Groups: reuses the number of a removed buffer', (t) => {
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

test('Groups: finds buffers after an unknown number was removed', (t) => {
  const groups = new Groups()
  const memory = fresh(12)
  groups.provide(GROUP, memory, 4, 3, 1)
  groups.lost(GROUP, 2)
  t.deepEqual(placeOf(groups, 2, 4, [memory]), [0, 4, 4])
  t.deepEqual(placeOf(groups, 3, 4, [memory]), [0, 8, 4])
})

test('Groups: withdraws buffers that the kernel refused', (t) => {
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

test('Groups: reports detached memory', (t) => {
  const groups = new Groups()
  const memory = fresh(8)
  groups.provide(GROUP, memory.subarray(2), 3, 2, 0)
  structuredClone(memory.buffer, { transfer: [memory.buffer as ArrayBuffer] })
  for (const id of [0, 1]) {
    const received = groups.received(GROUP, 3, flagsOf(id))
    t.throws(() => receivedFrom(GROUP, received), { code: 'ERR_URING_BUFFER_DETACHED' })
  }
})

test('Groups: release() of provided buffers does nothing', (t) => {
  const groups = new Groups()
  groups.provide(GROUP, fresh(8), 8, 1, 0)
  const received: Received = receivedFrom(GROUP, groups.received(GROUP, 8, flagsOf(0)))
  received.release()
  received[Symbol.dispose]()
  unknown(t, groups, 0)
})

test('resolveGroup: takes a number, or an object with a group', (t) => {
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

test('Groups: notifies a waiter once, unless it has stopped waiting', (t) => {
  const groups = new Groups()
  const notified: string[] = []
  const wait = (name: string, again = false): (() => void) =>
    groups.whenProvided(GROUP, () => {
      notified.push(name)
      if (again) wait(name, true)
    })
  wait('once')
  wait('again', true)
  const stop = wait('never')
  stop()
  groups.provide(GROUP, fresh(8), 8, 1, 0)
  t.deepEqual(notified, []) // the kernel does not have them yet
  groups.provided()
  t.deepEqual(notified, ['once', 'again'])
  groups.provided()
  t.deepEqual(notified, ['once', 'again', 'again'])
})

test('Groups: an operation notifies waiters if it succeeds, and not if it fails', (t) => {
  const groups = new Groups()
  let notified = 0
  groups.whenProvided(GROUP, () => {
    notified += 1
  })
  const { state } = new ProvideBuffers(fresh(8), 8, 1, GROUP).build()
  ProvideBuffers.observe(groups, -12, 0, state, ProvideBuffers.onEnqueue(groups, state))
  t.is(notified, 0)
  unknown(t, groups, 0)
  const staged = ProvideBuffers.onEnqueue(groups, state)
  t.is(notified, 0)
  ProvideBuffers.observe(groups, 0, 0, state, staged)
  t.is(notified, 1)
  t.is(receivedFrom(GROUP, groups.received(GROUP, 8, flagsOf(0))).bytes.byteLength, 8)
  // Accepted once only.
  unknown(t, groups, 0)
})
