// The empty slots of a file table: acquire(), release() and allocRange().

import { writeSync } from 'node:fs'
import test from 'ava'
import {
  Close,
  FilesUpdate,
  type FileTable,
  FixedFile,
  OpenAt,
  Pipe,
  Read,
  Ring,
  SKIP_FILE,
  Socket,
  SocketDomain,
  SocketType,
  type UringError,
} from 'uring'
import { IORING_REGISTER_ENABLE_RINGS, IORING_REGISTER_RESTRICTIONS, ioUringRegister } from 'uring/sys'
import { codeOrNone, complete } from '../helpers/completions.ts'
import { fifo, file } from '../helpers/files.ts'
import { contentOf, contents, files } from '../helpers/registered.ts'

/** Lets the kernel choose a slot. Returns the slot, or the code of the error. */
function chosen(ring: Ring): number | string {
  const completion = complete(ring, new OpenAt('/dev/null', { direct: 'auto' }))
  return completion.error?.code ?? completion.value.index
}

/** Lets the kernel choose slots until none is left. */
function allChosen(ring: Ring): number[] {
  const slots: number[] = []
  for (let slot = chosen(ring); slot !== 'ENFILE'; slot = chosen(ring)) slots.push(Number(slot))
  return slots.toSorted((left, right) => left - right)
}

/** Acquires slots until none is left. */
function allAcquired(table: FileTable): number[] {
  const slots: number[] = []
  try {
    for (;;) slots.push(table.acquire().index)
  } catch (error) {
    if ((error as UringError).code !== 'ENFILE') throw error
  }
  return slots.toSorted((left, right) => left - right)
}

/** Linux before 7.0, without a fix, may leave a full range for slots after it. */
function staysInRange(): boolean {
  using ring = new Ring({ entries: 4 })
  ring.registerFiles(3).allocRange(0, 1)
  complete(ring, new OpenAt('/dev/null', { direct: 2 }))
  return allChosen(ring).length === 1
}

test('FileTable: acquire() returns each slot once, and again after release()', (t) => {
  using ring = new Ring({ entries: 4 })
  const table = ring.registerFiles(4)
  t.deepEqual(allAcquired(table), [0, 1, 2, 3])
  const error = t.throws<UringError>(() => table.acquire())
  t.is(error?.name, 'UringError')
  t.is(error?.code, 'ENFILE')
  t.regex(error?.message ?? '', /^All slots are in use or acquired. Release one/)
  table.release(table.at(2))
  t.deepEqual(table.acquire(), new FixedFile(2))
  for (const slot of [3, 0]) table.release(new FixedFile(slot))
  t.deepEqual(allAcquired(table), [0, 3])
})

test('FileTable: release() empties the slot, and its tag arrives', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0] = files(t, 'a', 'b')
  const table = ring.registerFiles(4)
  const [first, second] = [table.acquire(), table.acquire()]
  table.update(first.index, [a], { tags: [5n] })
  table.update(second.index, [b], { tags: [6n] })
  t.is(contentOf(ring, first) + contentOf(ring, second), 'ab')
  t.is(table.release(first), undefined)
  t.like(ring.wait(), { source: 'tag', userData: 5n })
  t.is(contentOf(ring, first) + contentOf(ring, second), 'EBADFb')
  // A slot whose file was closed is still acquired, and can be filled again.
  ring.push(new Close(second), 'close')
  t.deepEqual(
    ring.waitMany(1, { max: 2 }).map(({ userData }) => userData),
    [6n, 'close'],
  )
  t.not(table.acquire().index, second.index)
  t.is(codeOrNone(ring, new OpenAt(file(t, 'c').path, { direct: second })), 'none')
  t.is(contentOf(ring, second), 'c')
  table.release(second)
  t.is(contentOf(ring, second), 'EBADF')
})

test('FileTable: release() accepts an acquired slot, once', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const table = ring.registerFiles([a, -1, -1])
  const slot = table.acquire()
  table.release(slot)
  for (const wrong of [slot, table.at(0), table.at(1), new FixedFile(3), new FixedFile(2 ** 31 - 2)]) {
    t.throws(() => table.release(wrong), {
      name: 'UringError',
      code: 'ERR_INVALID_STATE',
      message: `Slot ${wrong.index} is not acquired: release() takes a slot that acquire() returned, and only once`,
    })
  }
  for (const wrong of [slot.index, undefined, null, { index: 0 }]) {
    t.throws(() => table.release(wrong as unknown as FixedFile), {
      instanceOf: TypeError,
      code: 'ERR_INVALID_ARG_TYPE',
      message: /^The "file" argument must be an instance of FixedFile/,
    })
  }
  t.is(contents(ring, 3), 'a - -')
})

test('FileTable: without a range, acquire() and the kernel choose different slots', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const table = ring.registerFiles(10)
  t.is(table.update(9, [a]), 1)
  const used = new Set([9])
  const add = (slot: number | string): void => {
    t.is(typeof slot, 'number')
    t.false(used.has(Number(slot)), `slot ${slot}`)
    used.add(Number(slot))
  }
  for (let round = 0; round < 2; round += 1) {
    add(chosen(ring))
    add(table.acquire().index)
    add(chosen(ring))
  }
  if (staysInRange()) complete(ring, new FilesUpdate([a], { offset: 8 }))
  for (const slot of allChosen(ring)) add(slot)
  t.throws(() => table.acquire(), { code: 'ENFILE' })
  // A slot that the kernel chose and that was closed can be acquired.
  const first = [...used].find((slot) => slot < 5) ?? 0
  complete(ring, new Close(new FixedFile(first)))
  t.is(table.acquire().index, first)
  t.is(chosen(ring), 'ENFILE')
  t.throws(() => table.acquire(), { code: 'ENFILE' })
})

test('FileTable: without allocRange() and acquire(), the kernel chooses from the whole table', (t) => {
  using ring = new Ring({ entries: 4 })
  const table = ring.registerFiles(4)
  t.deepEqual(allChosen(ring), [0, 1, 2, 3])
  t.throws(() => table.acquire(), { code: 'ENFILE' })
  for (const slot of [0, 1, 2, 3]) complete(ring, new Close(table.at(slot)))
  t.deepEqual(allChosen(ring), [0, 1, 2, 3], 'a failure does not reduce the range')
})

test('FileTable: allocRange() divides slots between the kernel and acquire()', (t) => {
  for (const [offset, length, outside] of [
    [0, 3, [3, 4, 5]],
    [2, 2, [0, 1, 4, 5]],
    [4, 2, [0, 1, 2, 3]],
    [0, 6, []],
    [3, 0, [0, 1, 2, 3, 4, 5]],
    [6, 0, [0, 1, 2, 3, 4, 5]],
  ] as const) {
    using ring = new Ring({ entries: 4 })
    const table = ring.registerFiles(6)
    t.is(table.allocRange(offset, length), undefined)
    t.deepEqual(allAcquired(table), [...outside])
    t.deepEqual(
      allChosen(ring),
      Array.from({ length }, (_, index) => offset + index),
    )
    t.throws(() => table.acquire(), {
      code: 'ENFILE',
      message: new RegExp(
        `^The ${outside.length} slots outside the range of allocRange\\(\\) are in use or acquired`,
      ),
    })
  }
})

test('FileTable: the kernel stays in the range for every operation with direct', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const table = ring.registerFiles(12)
  table.allocRange(5, 6)
  const put: FixedFile[] = [
    ...complete(ring, new FilesUpdate([a, a], { offset: 'auto' })).value,
    ...complete(ring, new Pipe({ direct: 'auto' })).value,
    complete(ring, new Socket(SocketDomain.INET, SocketType.STREAM, { direct: 'auto' })).value,
    complete(ring, new OpenAt('/dev/null', { direct: 'auto' })).value,
  ]
  t.deepEqual(
    put.map(({ index }) => index),
    [5, 6, 7, 8, 9, 10],
  )
  t.is(codeOrNone(ring, new FilesUpdate([a], { offset: 'auto' })), 'ENFILE')
  t.is(codeOrNone(ring, new Pipe({ direct: 'auto' })), 'ENFILE')
})

test('FileTable: allocRange() can move the range, but not over acquired slots', (t) => {
  using ring = new Ring({ entries: 4 })
  const table = ring.registerFiles(6)
  table.allocRange(0, 2)
  t.deepEqual(allChosen(ring), [0, 1])
  const slots = [table.acquire(), table.acquire()]
  t.deepEqual(
    slots.map(({ index }) => index),
    [2, 3],
  )
  for (const [offset, length, slot] of [
    [2, 1, 2],
    [3, 3, 3],
    [0, 6, 2],
  ] as const) {
    t.throws(() => table.allocRange(offset, length), {
      name: 'UringError',
      code: 'ERR_INVALID_STATE',
      message: `Slot ${slot} is acquired, so the kernel cannot choose it: release it first`,
    })
    t.is(chosen(ring), 'ENFILE', 'the range is what it was')
  }
  for (const [offset, length] of [
    [1, 1],
    [4, 1],
    [2, 0],
  ] as const)
    t.notThrows(() => table.allocRange(offset, length))
  table.allocRange(4, 2)
  t.deepEqual(allChosen(ring), [4, 5])
  t.throws(() => table.acquire(), { code: 'ENFILE' }, 'what is in the old range stays there')
  complete(ring, new Close(table.at(1)))
  t.is(table.acquire().index, 1)
  for (const slot of slots) table.release(slot)
  table.allocRange(2, 4)
  t.deepEqual(allChosen(ring), [2, 3])
})

test('FileTable: allocRange() names invalid arguments, and changes nothing', (t) => {
  using ring = new Ring({ entries: 4 })
  const table = ring.registerFiles(4)
  table.allocRange(1, 1)
  for (const [offset, length, expected, name] of [
    ['0', 1, 'ERR_INVALID_ARG_TYPE', 'offset'],
    [undefined, 1, 'ERR_INVALID_ARG_TYPE', 'offset'],
    [-1, 1, 'ERR_OUT_OF_RANGE', 'offset'],
    [5, 0, 'ERR_OUT_OF_RANGE', 'offset'],
    [0.5, 1, 'ERR_OUT_OF_RANGE', 'offset'],
    [0, undefined, 'ERR_INVALID_ARG_TYPE', 'length'],
    [0, -1, 'ERR_OUT_OF_RANGE', 'length'],
    [0, 5, 'ERR_OUT_OF_RANGE', 'length'],
    [3, 2, 'ERR_OUT_OF_RANGE', 'length'],
    [4, 1, 'ERR_OUT_OF_RANGE', 'length'],
    [1, 2 ** 32, 'ERR_OUT_OF_RANGE', 'length'],
  ] as const) {
    t.throws(() => table.allocRange(offset as number, length as number), {
      code: expected,
      message: new RegExp(`"${name}"`),
    })
  }
  t.deepEqual(allChosen(ring), [1])
})

test('FileTable: acquire() returns no slot in use, however it was filled', (t) => {
  using ring = new Ring({ entries: 8 })
  const [a = 0, b = 0] = files(t, 'a', 'b')
  const table = ring.registerFiles([a, -1, -1, -1, -1, -1, -1, -1, -1, -1])
  table.allocRange(8, 2)
  table.update(2, [a, SKIP_FILE])
  complete(ring, new FilesUpdate([b], { offset: 5 }))
  complete(ring, new Pipe({ direct: 6 }))
  t.deepEqual(allAcquired(table), [1, 3, 4])
  t.is(contentOf(ring, 0) + contentOf(ring, 2) + contentOf(ring, 5), 'aab')
  complete(ring, new Close(new FixedFile(0)))
  table.update(2, [-1])
  complete(ring, new FilesUpdate([-1], { offset: 5 }))
  t.deepEqual(allAcquired(table), [0, 2, 5])
})

test('FileTable: acquire() does not disturb operations in flight', (t) => {
  for (const divided of [false, true]) {
    using ring = new Ring({ entries: 8 })
    const gate = fifo(t)
    const table = ring.registerFiles([-1, gate, gate, gate])
    if (divided) table.allocRange(0, 0)
    const bytes = [Buffer.alloc(2), Buffer.alloc(2), Buffer.alloc(2)]
    for (const [index, into] of bytes.entries()) ring.push(new Read(table.at(index + 1), into), index)
    ring.submit()
    t.is(table.acquire().index, 0)
    t.throws(() => table.acquire(), { code: 'ENFILE' })
    t.is(ring.inFlight, 3)
    for (let count = 1; count <= 3; count += 1) {
      t.is(ring.tryWait(), undefined)
      writeSync(gate, 'ok')
      t.is(ring.wait()?.value, 2)
    }
    t.deepEqual(bytes.map(String), ['ok', 'ok', 'ok'])
  }
})

test('FileTable: acquires and releases thousands of slots, and none twice', (t) => {
  using ring = new Ring({ entries: 4 })
  const table = ring.registerFiles(64)
  table.allocRange(10, 30)
  const held: FixedFile[] = []
  let state = 1
  for (let round = 0; round < 3000; round += 1) {
    state = (state * 48_271) % 0x7fff_ffff
    if (held.length === 34 || (held.length > 0 && state % 2 === 0)) {
      const [slot] = held.splice(state % held.length, 1)
      if (slot !== undefined) table.release(slot)
    } else {
      const slot = table.acquire()
      if (slot.index >= 10 && slot.index < 40) throw new Error(`${slot.index} is the kernel's`)
      if (held.some(({ index }) => index === slot.index)) throw new Error(`${slot.index} is in use`)
      held.push(slot)
    }
  }
  t.is(allAcquired(table).length, 34 - held.length)
})

/** Creates a ring that allows some registrations and one operation. */
function restricted(...registrations: readonly number[]): Ring {
  const ring = new Ring({ entries: 4, disabled: true })
  const rules = [...registrations.map((opcode) => [opcode, 0]), ...[14, 18, 19, 22].map((op) => [op, 1])]
  const argument = Buffer.alloc(16 * (rules.length + 1))
  for (const [index, [opcode = 0, kind = 0]] of rules.entries()) {
    argument.writeUInt16LE(kind, index * 16)
    argument[index * 16 + 2] = opcode
  }
  argument.writeUInt16LE(2, rules.length * 16) // allows entry flags
  argument[rules.length * 16 + 2] = 0xff
  const results = [
    ioUringRegister(ring.fd, IORING_REGISTER_RESTRICTIONS, argument, rules.length + 1),
    ioUringRegister(ring.fd, IORING_REGISTER_ENABLE_RINGS, null, 0),
  ]
  if (results.some((result) => result < 0)) throw new Error(`restrictions: ${results.join()}`)
  return ring
}

test('FileTable: on older kernels, acquire() needs a range, and uses what the table knows', (t) => {
  const [a = 0, b = 0] = files(t, 'a', 'b')
  using ring = restricted(13, 14, 25, IORING_REGISTER_ENABLE_RINGS)
  const table = ring.registerFiles([a, -1, -1, -1, -1, -1])
  t.throws(() => table.acquire(), {
    name: 'UringError',
    code: 'ERR_URING_UNSUPPORTED',
    message: /Linux 6\.6 .*call allocRange\(\) first/,
  })
  t.is(chosen(ring), 1, 'the range is unchanged')
  table.allocRange(4, 2)
  table.update(1, [b, a, b])
  t.throws(() => table.acquire(), { code: 'ENFILE' })
  table.update(0, [-1, SKIP_FILE, -1])
  t.throws(() => table.update(3, [987_654]), { code: 'EBADF' })
  t.deepEqual(allAcquired(table), [0, 2, 3])
  table.release(table.at(2))
  t.is(table.acquire().index, 2)
})

test('FileTable: restrictions refuse a call, and nothing changes', (t) => {
  const [a = 0, b = 0] = files(t, 'a', 'b')
  using none = restricted(IORING_REGISTER_ENABLE_RINGS)
  t.throws(() => none.registerFiles([a]), {
    code: 'EACCES',
    message: 'EACCES: permission denied, io_uring_register',
  })
  using ring = restricted(13, 24, IORING_REGISTER_ENABLE_RINGS)
  const table = ring.registerFiles([a, -1])
  for (const call of [
    () => table.update(0, [b]),
    () => table.allocRange(0, 1),
    () => table.acquire(),
    () => table.unregister(),
    () => table[Symbol.dispose](),
  ])
    t.throws(call, { name: 'UringError', code: 'EACCES' })
  t.is(contents(ring, 2), 'a -')
  t.is(chosen(ring), 1, 'the range is what it was')
})
