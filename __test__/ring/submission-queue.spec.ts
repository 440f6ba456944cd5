// What is pushed, and how it goes in.

import { openSync, readFileSync } from 'node:fs'
import test from 'ava'
import { Close, Entry, Fsync, Nop, Read, Ring, Timeout, UringError, Write } from 'uring'
import { fifo, file } from '../helpers/files.ts'

test('any value comes back with its completion', (t) => {
  using ring = new Ring({ entries: 16 })
  const values = [undefined, null, 0, -0, Number.NaN, 'text', 1n << 70n, Symbol('s'), {}, () => {}, ring, [1]]
  for (const value of values) ring.push(new Nop(), value)
  const back = ring.waitMany(values.length).map((completion) => completion.userData)
  t.true(values.every((value, index) => Object.is(value, back[index])))
})

test('completions come when they are done, in whatever order that is', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  ring.push(new Read(fd, Buffer.alloc(1)), 'late')
  ring.push(new Nop(), 'early')
  t.is(ring.wait()?.userData, 'early')
  t.is(ring.wait({ timeout: 0 }), undefined)
  ring.push(new Write(fd, Buffer.from('x')), 'cause')
  t.deepEqual(
    ring
      .waitMany(2)
      .map((completion) => completion.userData)
      .toSorted(),
    ['cause', 'late'],
  )
})

test('a full queue refuses, and loses nothing', (t) => {
  using ring = new Ring({ entries: 4 })
  for (let index = 0; index < 4; index += 1) ring.push(new Nop(), index)
  t.is(ring.sqSpaceLeft, 0)
  const error = t.throws(() => ring.push(new Nop(), 'one too many'), { instanceOf: UringError })
  t.is(error.code, 'ERR_URING_SQ_FULL')
  t.regex(error.message, /4 entries.*submit\(\)/)
  t.throws(() => ring.pushAll([new Nop()]), { code: 'ERR_URING_SQ_FULL' })
  t.is(ring.sqReady, 4)
  t.is(ring.submit(), 4)
  t.is(ring.sqSpaceLeft, 4)
  t.deepEqual(
    ring.waitMany(4).map((completion) => completion.userData),
    [0, 1, 2, 3],
  )
  t.is(ring.tryWait(), undefined)
})

test('pushAll takes all or none', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.push(new Nop(), 'first')
  t.throws(() => ring.pushAll([new Nop(), new Nop(), new Nop(), new Nop()]), { code: 'ERR_URING_SQ_FULL' })
  t.is(ring.sqReady, 1)
  const bad = new Read(0, Buffer.alloc(1))
  bad.flags = Number.NaN
  t.throws(() => ring.pushAll([new Nop(), bad]), { code: 'ERR_OUT_OF_RANGE' })
  t.is(ring.sqReady, 1)
  const tokens = ring.pushAll([new Nop(), new Nop({ result: 7 })], ['second', 'third'])
  const done = ring.waitMany(3)
  t.deepEqual(
    done.map((completion) => completion.userData),
    ['first', 'second', 'third'],
  )
  t.deepEqual(
    done.slice(1).map((completion) => completion.token),
    tokens,
  )
  t.deepEqual(ring.pushAll([]), [])
})

test('a push that is refused leaves no slot behind', (t) => {
  using ring = new Ring({ entries: 4 })
  const bad = new Read(0, Buffer.alloc(1))
  bad.offset = Number.NaN
  // Free slots are used in turn, and a token says which.
  let last = ring.push(new Nop())
  ring.wait()
  for (let round = 0; round < 100; round += 1) {
    t.throws(() => ring.push(bad), { code: 'ERR_OUT_OF_RANGE' })
    t.throws(() => ring.pushAll([new Nop(), new Nop(), bad]), { code: 'ERR_OUT_OF_RANGE' })
    t.throws(() => ring.pushAll([new Nop(), new Nop(), new Nop(), new Nop(), new Nop()]), {
      code: 'ERR_URING_SQ_FULL',
    })
    const token = ring.push(new Nop())
    ring.wait()
    t.is((token - last + 64) % 64, 1, 'one slot is used, and none before it')
    t.true(token % 2 ** 22 < 64, 'all of them are among the first, so none is missing')
    last = token
  }
  t.is(ring.inFlight, 0)
})

test('an entry that was refused half-way leaves nothing in the next one', (t) => {
  using ring = new Ring({ entries: 4 })
  const fd = openSync('/dev/null', 'r')
  const read = new Read(fd, Buffer.alloc(1), { offset: 5, flags: 1 })
  // It passes for memory until its address is asked for.
  read.bytes = { BYTES_PER_ELEMENT: 1, length: 5 } as unknown as Uint8Array
  t.throws(() => ring.push(read), { code: 'ERR_INVALID_ARG_TYPE' })
  // The kernel closes nothing whose entry has an offset.
  ring.push(new Close(fd))
  t.is(ring.wait()?.error, undefined)
})

test('what the kernel has not taken counts against the queue', (t) => {
  using ring = new Ring({ entries: 4 })
  for (let index = 0; index < 3; index += 1) ring.push(new Nop(), index)
  t.is(ring.flush(), 3)
  ring.push(new Nop(), 3)
  t.throws(() => ring.push(new Nop(), 'one too many'), { code: 'ERR_URING_SQ_FULL' })
  t.is(ring.submit(), 4)
  t.deepEqual(
    ring.waitMany(4).map((completion) => completion.userData),
    [0, 1, 2, 3],
  )
})

test('linked operations run one after the other', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd, path } = file(t)
  for (let index = 0; index < 5; index += 1) {
    ring.push(new Write(fd, Buffer.from(`${index}`)).link())
  }
  ring.push(new Fsync(fd), 'last')
  t.is(ring.submit(), 6)
  t.is(ring.waitMany(6).at(-1)?.userData, 'last')
  t.is(readFileSync(path, 'utf8'), '01234')
})

test('a failed step cancels what is linked behind it, and not what is hard-linked', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Nop({ result: -5 }).link())
  ring.push(new Nop())
  ring.push(new Nop({ result: -5 }).hardLink())
  ring.push(new Nop())
  const codes = ring.waitMany(4).map((completion) => completion.error?.code)
  t.deepEqual(codes.toSorted(), ['ECANCELED', 'EIO', 'EIO', undefined])
})

test('a chain that does not fit behind what the kernel has left over still goes in whole', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd, path } = file(t)
  // What was published and not entered stands in the ring: there is room for five more.
  for (let index = 0; index < 3; index += 1) ring.push(new Nop(), 'before')
  t.is(ring.flush(), 3)
  const chain = [1, 2, 3, 4, 5].map((digit) => new Write(fd, Buffer.from(`${digit}`)).link())
  t.throws(() => ring.pushAll([...chain, new Nop()]), { code: 'ERR_URING_SQ_FULL' })
  ring.pushAll(chain)
  t.is(ring.submit(), 8)
  t.is(ring.waitMany(8).filter((completion) => completion.ok).length, 8)
  t.is(readFileSync(path, 'utf8'), '12345')
})

test('what is linked over a submission is two chains', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Nop({ result: -5 }).link())
  ring.submit()
  ring.push(new Nop(), 'not cancelled')
  // A link that ends with its submission may complete after what came later.
  t.deepEqual(
    ring
      .waitMany(2)
      .map((completion) => completion.result)
      .toSorted((a, b) => a - b),
    [-5, 0],
  )
})

test('an unknown opcode fails alone', (t) => {
  for (const submitAll of [true, false]) {
    using ring = new Ring({ entries: 8, submitAll })
    const bytes = new Uint8Array(64)
    bytes[0] = 250
    ring.push(new Nop(), 'a')
    ring.push(Entry.from(bytes), 'unknown')
    ring.push(new Nop(), 'b')
    // Without SUBMIT_ALL the kernel stops behind a bad entry; the rest goes in with the next call.
    t.is(ring.submit(), submitAll ? 3 : 2)
    t.is(ring.sqReady, submitAll ? 0 : 1)
    const done = ring.waitMany(3)
    t.deepEqual(
      done.map((completion) => [completion.userData, completion.result]),
      [
        ['a', 0],
        ['unknown', -22],
        ['b', 0],
      ],
    )
    t.is(done[1]?.error?.code, 'EINVAL')
  }
})

test('more completions than the queue holds all arrive, in order', (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 4 })
  const count = 10_000
  for (let index = 0; index < count; index += 1) {
    ring.push(new Nop({ result: index }), index)
    if (ring.sqSpaceLeft === 0) t.is(ring.submit(), 4)
  }
  t.is(ring.inFlight + ring.cqReady >= count - 16, true)
  const results: number[] = []
  while (results.length < count) ring.drain((_, result) => results.push(result))
  t.deepEqual(
    results,
    Array.from({ length: count }, (_, index) => index),
  )
  t.is(ring.inFlight, 0)
  t.false(ring.cqOverflowed)
})

test('an operation is encoded when it is pushed: what is changed later changes nothing', (t) => {
  using ring = new Ring({ entries: 8 })
  const operation = new Nop({ result: 1 })
  ring.push(operation)
  operation.result = 2
  ring.push(operation)
  t.deepEqual(
    ring.waitMany(2).map((completion) => completion.result),
    [1, 2],
  )
})

test('an entry can be pushed any number of times, to any ring', (t) => {
  using first = new Ring({ entries: 4 })
  using second = new Ring({ entries: 4, sqe128: true })
  const entry = new Nop({ result: 3 }).build()
  t.is(entry.operation, 'Nop')
  t.is(entry.opcode, 0)
  for (const ring of [first, second]) {
    ring.push(entry)
    ring.push(entry)
    t.deepEqual(
      ring.waitMany(2).map((completion) => completion.value),
      [3, 3],
    )
  }
})

test('the bytes of an entry are a copy, and make the same entry again', (t) => {
  using ring = new Ring({ entries: 4 })
  const entry = new Nop({ result: 3 }).build()
  const { bytes } = entry
  t.is(bytes.byteLength, 64)
  ring.push(Entry.from(bytes), 'copy')
  bytes.fill(255)
  ring.push(entry, 'original')
  t.deepEqual(
    ring.waitMany(2).map((completion) => [completion.userData, completion.result]),
    [
      ['copy', 3],
      ['original', 3],
    ],
  )
})

test('an entry of 128 bytes needs a ring that has them', (t) => {
  using narrow = new Ring({ entries: 4 })
  using wide = new Ring({ entries: 4, sqe128: true })
  const entry = Entry.from(new Uint8Array(128))
  t.throws(() => narrow.push(entry), { code: 'ERR_INVALID_ARG_VALUE', message: /sqe128/ })
  t.is(narrow.sqReady, 0)
  wide.push(entry)
  t.is(wide.wait()?.result, 0)
})

test('what a getter of the caller pushes meanwhile is not lost', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'abc')
  const buffer = Buffer.alloc(3)
  let asked = 0
  const target = {
    get fd(): number {
      // Asked when the operation is made and when it is pushed.
      if (asked++ === 1) ring.push(new Nop({ result: 9 }), 'inner')
      return fd
    },
  }
  ring.push(new Read(target, buffer, { offset: 0 }), 'outer')
  t.deepEqual(
    ring
      .waitMany(2)
      .map((completion) => `${String(completion.userData)} ${completion.result}`)
      .toSorted(),
    ['inner 9', 'outer 3'],
  )
  t.is(buffer.toString(), 'abc')
})

test('drained operations wait for those before them', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Timeout(20), 'timeout')
  ring.push(new Nop().drain(), 'behind')
  ring.push(new Nop(), 'behind that')
  t.deepEqual(
    ring.waitMany(3).map((completion) => completion.userData),
    ['timeout', 'behind', 'behind that'],
  )
})

test('operations go to a kernel worker when they are told to', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'content')
  const buffer = Buffer.alloc(7)
  ring.push(new Read(fd, buffer, { offset: 0 }).async())
  t.is(ring.wait()?.value, 7)
  t.is(buffer.toString(), 'content')
})

test('an unknown personality is refused by the kernel', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.push(new Nop().personality(9))
  t.is(ring.wait()?.error?.code, 'EINVAL')
})

test('flush publishes without a system call, and enter is one', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.push(new Nop({ result: 1 }))
  t.is(ring.flush(), 1)
  t.is(ring.cqReady, 0)
  t.true(ring.sqNeedsEnter)
  t.is(ring.enter(1, 1, 1), 1)
  t.is(ring.sqReady, 0)
  t.is(ring.cqReady, 1)
  t.is(ring.tryWait()?.result, 1)
  t.throws(() => ring.enter(0, 0, 1 << 30), { code: 'EINVAL', message: /io_uring_enter/ })
})

test('a polling thread takes what is published by itself', (t) => {
  using ring = new Ring({ entries: 4, sqPoll: true })
  ring.push(new Nop({ result: 1 }))
  ring.flush()
  t.is(ring.wait()?.result, 1)
})
