// Tests push(), pushAll(), submit(), flush() and enter(): how entries reach the kernel.

import { openSync, readFileSync } from 'node:fs'
import test from 'ava'
import { Close, Entry, Fsync, Nop, Read, Ring, Timeout, UringError, Write } from 'uring'
import { fifo, file } from '../helpers/files.ts'

test('push: returns any userData with the completion', (t) => {
  using ring = new Ring({ entries: 16 })
  const values = [undefined, null, 0, -0, Number.NaN, 'text', 1n << 70n, Symbol('s'), {}, () => {}, ring, [1]]
  for (const value of values) ring.push(new Nop(), value)
  const back = ring.waitMany(values.length).map((completion) => completion.userData)
  t.true(values.every((value, index) => Object.is(value, back[index])))
})

test('wait: returns completions in the order in which operations finish', (t) => {
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

test('push: throws ERR_URING_SQ_FULL if the queue is full, and loses no entry', (t) => {
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

test('pushAll: enqueues all operations or none', (t) => {
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

test('push: frees the submission of an operation that it rejects', (t) => {
  using ring = new Ring({ entries: 4 })
  const bad = new Read(0, Buffer.alloc(1))
  bad.offset = Number.NaN
  // Free submissions are used in turn, and the low bits of a token are the index of its submission.
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
    t.is((token - last + 64) % 64, 1, 'exactly one submission was used')
    t.true(token % 2 ** 22 < 64, 'the table has not grown')
    last = token
  }
  t.is(ring.inFlight, 0)
})

test('push: clears the entry after encoding failed half-way', (t) => {
  using ring = new Ring({ entries: 4 })
  const fd = openSync('/dev/null', 'r')
  const read = new Read(fd, Buffer.alloc(1), { offset: 5, flags: 1 })
  // Passes the validation; encoding fails when it takes the address.
  read.bytes = { BYTES_PER_ELEMENT: 1, length: 5 } as unknown as Uint8Array
  t.throws(() => ring.push(read), { code: 'ERR_INVALID_ARG_TYPE' })
  // The kernel rejects a close whose entry has an offset.
  ring.push(new Close(fd))
  t.is(ring.wait()?.error, undefined)
})

test('push: counts entries that the kernel has not consumed as used space', (t) => {
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

test('link: runs linked operations one after another', (t) => {
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

test('link: a failure cancels operations behind a link but not behind a hard link', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Nop({ result: -5 }).link())
  ring.push(new Nop())
  ring.push(new Nop({ result: -5 }).hardLink())
  ring.push(new Nop())
  const codes = ring.waitMany(4).map((completion) => completion.error?.code)
  t.deepEqual(codes.toSorted(), ['ECANCELED', 'EIO', 'EIO', undefined])
})

test('pushAll: enqueues a chain behind flushed entries only if all of it fits', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd, path } = file(t)
  // Entries that were flushed but not submitted use space of the queue: five are left.
  for (let index = 0; index < 3; index += 1) ring.push(new Nop(), 'before')
  t.is(ring.flush(), 3)
  const chain = [1, 2, 3, 4, 5].map((digit) => new Write(fd, Buffer.from(`${digit}`)).link())
  t.throws(() => ring.pushAll([...chain, new Nop()]), { code: 'ERR_URING_SQ_FULL' })
  ring.pushAll(chain)
  t.is(ring.submit(), 8)
  t.is(ring.waitMany(8).filter((completion) => completion.ok).length, 8)
  t.is(readFileSync(path, 'utf8'), '12345')
})

test('link: a link at the end of a submission does not reach the next submission', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Nop({ result: -5 }).link())
  ring.submit()
  ring.push(new Nop(), 'not cancelled')
  // The linked operation may complete after the later one.
  t.deepEqual(
    ring
      .waitMany(2)
      .map((completion) => completion.result)
      .toSorted((a, b) => a - b),
    [-5, 0],
  )
})

test('submit: an unknown opcode fails only its own entry', (t) => {
  for (const submitAll of [true, false]) {
    using ring = new Ring({ entries: 8, submitAll })
    const bytes = new Uint8Array(64)
    bytes[0] = 250
    ring.push(new Nop(), 'a')
    ring.push(Entry.from(bytes), 'unknown')
    ring.push(new Nop(), 'b')
    // Without SUBMIT_ALL the kernel stops after a bad entry; the next call submits the rest.
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

test('drain: delivers more completions than the queue holds, in order', (t) => {
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

test('push: encodes the operation at once, so later changes have no effect', (t) => {
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

test('push: accepts the same entry any number of times, on any ring', (t) => {
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

test('Entry.bytes: returns a copy from which Entry.from() makes an equal entry', (t) => {
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

test('push: accepts a 128-byte entry only on a ring with sqe128', (t) => {
  using ring64 = new Ring({ entries: 4 })
  using ring128 = new Ring({ entries: 4, sqe128: true })
  const entry = Entry.from(new Uint8Array(128))
  t.throws(() => ring64.push(entry), { code: 'ERR_INVALID_ARG_VALUE', message: /sqe128/ })
  t.is(ring64.sqReady, 0)
  ring128.push(entry)
  t.is(ring128.wait()?.result, 0)
})

test('push: keeps an operation that a getter pushes during encoding', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'abc')
  const buffer = Buffer.alloc(3)
  let asked = 0
  const target = {
    get fd(): number {
      // Read once by the constructor and once by push().
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

test('Operation.drain: delays an operation until all earlier ones are done', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Timeout(20), 'timeout')
  ring.push(new Nop().drain(), 'behind')
  ring.push(new Nop(), 'behind that')
  t.deepEqual(
    ring.waitMany(3).map((completion) => completion.userData),
    ['timeout', 'behind', 'behind that'],
  )
})

test('Operation.async: an operation completes on a kernel worker', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'content')
  const buffer = Buffer.alloc(7)
  ring.push(new Read(fd, buffer, { offset: 0 }).async())
  t.is(ring.wait()?.value, 7)
  t.is(buffer.toString(), 'content')
})

test('Operation.personality: an unknown personality fails with EINVAL', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.push(new Nop().personality(9))
  t.is(ring.wait()?.error?.code, 'EINVAL')
})

test('flush: publishes entries without a system call, and enter() submits them', (t) => {
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

test('flush: a polling thread consumes published entries', (t) => {
  using ring = new Ring({ entries: 4, sqPoll: true })
  ring.push(new Nop({ result: 1 }))
  ring.flush()
  t.is(ring.wait()?.result, 1)
})
