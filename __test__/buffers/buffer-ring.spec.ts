// BufferRing: borrowing and returning buffers, and their data.

import { openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  AsyncCancel,
  BufferRing,
  type Completion,
  Nop,
  ProvideBuffers,
  Read,
  ReadMulti,
  Readv,
  Recv,
  RecvBundle,
  RecvMsg,
  RecvMsgMulti,
  RecvMulti,
  SendMsg,
  SocketType,
} from 'uring'
import { getsockname } from 'uring/sys'
import { LETTERS, nextReceived, setup, texts } from '../helpers/buffer-rings.ts'
import { complete, outcome } from '../helpers/completions.ts'
import { directory } from '../helpers/files.ts'
import { ringFor, until } from '../helpers/multishot.ts'
import { pipe } from '../helpers/pipes.ts'
import { closing, pair } from '../helpers/sockets.ts'
import { bound } from '../helpers/streams.ts'

// ---- one buffer at a time

test('BufferRing: gives data as a value, as views, by number, and as a copy', (t) => {
  const { ring, group, near, far } = setup(t, { count: 8, size: 16 })
  const operations = [
    new Recv(far, { group }),
    new Read(far, { group }),
    new Readv(far, { group }),
    new RecvMsg(far, { buffers: { group } }),
    new Recv(far, { group: group.group }),
    new Recv(far, { group }).build(),
    new Read(far, { group, length: 9 }),
  ]
  for (const [index, operation] of operations.entries()) {
    writeSync(near, `message ${index}`)
    const completion = complete<unknown>(ring, operation)
    t.is(completion.bufferId, index)
    t.is(String((completion.value as { bytes: Buffer }).bytes), `message ${index}`)
    t.deepEqual(texts(group.views(completion)), [`message ${index}`])
    t.is(String(group.get(index, 9)), `message ${index}`)
    t.is(group.views(completion)[0]?.buffer, group.memory.buffer)
    t.is(group.available, 7)
    const copy = group.copy(completion)
    t.is(group.available, 8)
    t.is(String(copy), `message ${index}`)
    t.not(copy.buffer, group.memory.buffer)
  }
})

test('BufferRing: the kernel consumes buffers in the order in which they were returned', (t) => {
  const { ring, group, near, far } = setup(t, { count: 4, size: 8 })
  const take = (): Completion => {
    writeSync(near, 'x')
    return complete(ring, new Recv(far, { group }))
  }
  const [first, , , last] = [take(), take(), take(), take()]
  group.put(2)
  if (last !== undefined) group.put(last)
  if (first !== undefined) group.put(first)
  group.put(1)
  t.deepEqual(
    [take(), take(), take(), take()].map(({ bufferId }) => bufferId),
    [2, 3, 0, 1],
  )
})

test('BufferRing: reuses one buffer more than 65536 times', (t) => {
  const ring = ringFor(t)
  const group = new BufferRing(ring, { count: 3, size: 1 })
  const zero = closing(t, openSync('/dev/zero', 'r'))
  const reads = Array.from({ length: 3 }, () => new Read(zero, { group }, { offset: 0 }).build())
  let wrong = 0
  for (let left = 22_000; left > 0; left -= 1) {
    ring.pushAll(reads)
    for (const completion of ring.waitMany(3)) {
      if (completion.result !== 1) wrong += 1
      group.put(completion)
    }
  }
  t.is(wrong, 0)
  t.like(group, { available: 3, head: 66_000 % 65_536 })
})

test('BufferRing: refuses to return a buffer that is not borrowed', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8 })
  t.throws(() => group.put(0), { code: 'ERR_INVALID_STATE', message: /Buffer 0/ })
  writeSync(near, 'x')
  const completion = complete(ring, new Recv(far, { group }))
  t.throws(() => group.put(1), { code: 'ERR_INVALID_STATE', message: /Buffer 1/ })
  group.put(completion)
  for (const again of [() => group.put(completion), () => group.put(0), () => group.copy(completion)])
    t.throws(again, { code: 'ERR_INVALID_STATE', message: /Buffer 0/ })
  completion.value.release() // it was returned already
  t.is(group.available, 2)

  // The old completion does not return a buffer that another one has borrowed since.
  writeSync(near, 'y')
  writeSync(near, 'y')
  complete(ring, new Recv(far, { group, length: 1 }))
  complete(ring, new Recv(far, { group, length: 1 }))
  t.throws(() => group.put(completion), { code: 'ERR_INVALID_STATE' })
  completion.value.release()
  t.is(group.available, 0)
})

test('BufferRing: release() returns a buffer once', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8 })
  writeSync(near, 'x')
  const { value } = complete(ring, new Recv(far, { group }))
  value.release()
  value.release()
  value[Symbol.dispose]()
  t.is(group.available, 2)
  for (const letter of 'ab') {
    writeSync(near, letter)
    t.is(String(complete(ring, new Recv(far, { group })).value.bytes), letter)
  }
  value.release() // another completion has borrowed buffer 0 since
  t.is(group.available, 0)
})

test('BufferRing: release() does nothing after put() by number', (t) => {
  const { ring, group, near, far } = setup(t, { count: 1, size: 8 })
  writeSync(near, 'x')
  const { value } = complete(ring, new Recv(far, { group }))
  group.put(0)
  writeSync(near, 'y')
  const { value: other } = complete(ring, new Recv(far, { group }))
  value.release()
  t.is(group.available, 0)
  t.is(String(other.bytes), 'y')
  other.release()
  t.is(group.available, 1)
})

test('BufferRing: put() of a completion without a buffer does nothing', (t) => {
  const { ring, group, far } = setup(t, { count: 2, size: 8 })
  const completion = complete(ring, new Nop())
  t.notThrows(() => group.put(completion))
  t.deepEqual(group.views(completion), [])
  t.is(group.copy(completion).length, 0)
  ring.push(new Recv(far, { group }), 'receive')
  ring.submit()
  t.is(group.available, 2)
})

test('BufferRing: refuses completions of other groups and numbers out of range', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8 })
  const other = new BufferRing(ring, { count: 2, size: 8 })
  t.is(outcome(ring, new ProvideBuffers(Buffer.alloc(8), 8, 1, 9)), 0)
  writeSync(near, 'xy')
  const completion = complete(ring, new Recv(far, { group: other, length: 1 }))
  const legacy = complete(ring, new Recv(far, { group: 9 }))
  for (const wrong of [completion, legacy]) {
    for (const call of [() => group.put(wrong), () => group.copy(wrong), () => group.views(wrong)])
      t.throws(call, { code: 'ERR_INVALID_ARG_VALUE', message: /group 0/ })
  }
  for (const wrong of [undefined, null, {}, 'x', 1n]) {
    t.throws(() => group.put(wrong as unknown as number), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /"completionOrId"/,
    })
    t.throws(() => group.views(wrong as unknown as Completion), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /"completion"/,
    })
    t.throws(() => group.copy(wrong as unknown as Completion), { code: 'ERR_INVALID_ARG_TYPE' })
    t.throws(() => group.get(wrong as unknown as number), { code: 'ERR_INVALID_ARG_TYPE', message: /"id"/ })
  }
  for (const wrong of [-1, 2, 0.5, Number.NaN]) {
    t.throws(() => group.put(wrong), { code: 'ERR_OUT_OF_RANGE', message: /"completionOrId"/ })
    t.throws(() => group.get(wrong), { code: 'ERR_OUT_OF_RANGE', message: /"id"/ })
  }
  for (const wrong of [-1, 9])
    t.throws(() => group.get(0, wrong), { code: 'ERR_OUT_OF_RANGE', message: /"length"/ })
  t.is(group.available, 2)
  t.is(other.available, 1)
})

test('BufferRing: keeps all buffers at the end of a file', (t) => {
  const { ring, group } = setup(t, { count: 2, size: 8 })
  const path = join(directory(t), 'file')
  writeFileSync(path, 'content')
  const fd = closing(t, openSync(path, 'r'))
  for (let round = 0; round < 5; round += 1) {
    const completion = complete(ring, new Read(fd, { group }, { offset: 7 }))
    t.is(completion.value.bytes.length, 0)
    t.is(group.available, 2)
    completion.value.release()
    group.put(completion)
    t.is(group.available, 2)
  }
  t.is(String(group.copy(complete(ring, new Read(fd, { group }, { offset: 0 })))), 'content')
})

test('BufferRing: keeps all buffers when a read fails', (t) => {
  const { ring, group } = setup(t, { count: 2, size: 8 })
  const fd = closing(t, openSync('/', 'r'))
  for (let round = 0; round < 5; round += 1) {
    const completion = complete(ring, new Read(fd, { group }, { offset: 0 }))
    t.is(completion.error?.code, 'EISDIR')
    group.put(completion)
    t.is(group.available, 2)
  }
})

for (const [name, options] of Object.entries({
  'a ring': {},
  'a ring that a thread of the kernel polls': { sqPoll: true },
  'a plain ring': { submitAll: false },
})) {
  test(`BufferRing: a kernel worker holds a buffer while it waits, and returns it when it is cancelled: ${name}`, async (t) => {
    const ring = ringFor(t, { entries: 8, ...options })
    const [near, far] = pair(t)
    for (const incremental of [false, true]) {
      const group = new BufferRing(ring, { count: 3, size: 16, incremental })
      const token = ring.push(new Recv(far, { group }).async())
      ring.submit()
      await until(() => group.available === 2)
      ring.push(new AsyncCancel(token))
      t.is(ring.waitMany(2).find((completion) => completion.token === token)?.error?.code, 'ECANCELED')
      t.is(group.available, 3)

      // Data that arrives meanwhile goes into the next buffer.
      ring.push(new Recv(far, { group }).async(), 'worker')
      ring.submit()
      await until(() => group.available === 2)
      writeSync(near, 'first')
      const first = nextReceived(ring)
      t.is(String(group.copy(first)), 'first')
      t.is(group.available, 3)
      for (const message of ['second', 'third']) {
        writeSync(near, message)
        t.is(String(group.copy(complete(ring, new Recv(far, { group })))), message)
      }
    }
  })
}

test('BufferRing: tracks completions that the program ignores', (t) => {
  const { ring, group, near, far } = setup(t, { count: 3, size: 1 })
  const taken: number[] = []
  for (const letter of 'abc') {
    writeSync(near, letter)
    ring.push(new Recv(far, { group }))
    ring.submitAndWait(1)
    ring.drain((_userData, _result, flags) => void taken.push(flags >>> 16))
  }
  t.deepEqual(
    taken.map((id) => String(group.get(id))),
    ['a', 'b', 'c'],
  )
  for (const id of taken.toReversed()) group.put(id)
  writeSync(near, 'def')
  t.deepEqual(texts(group.views(complete(ring, new RecvBundle(far, group)))), ['d', 'e', 'f'])
})

// ---- multishot

test('BufferRing: a multishot receive consumes buffers until none are left', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 4 })
  ring.push(new RecvMulti(far, group))
  for (const message of ['one', 'two']) {
    writeSync(near, message)
    const completion = nextReceived(ring)
    t.is(String(completion.value.bytes), message)
    t.true(completion.more)
  }
  writeSync(near, 'last')
  const { error, more } = nextReceived(ring)
  t.is(error?.code, 'ENOBUFS')
  t.false(more)
  group.put(1)
  t.is(String(complete(ring, new Recv(far, { group })).value.bytes), 'last')
})

test('BufferRing: a multishot read consumes buffers, and none at the end', (t) => {
  const ring = ringFor(t)
  const group = new BufferRing(ring, { count: 3, size: 4 })
  const { read, write } = pipe(t)
  ring.push(new ReadMulti(read, group))
  for (const message of ['one', 'two']) {
    writeSync(write, message)
    const completion = nextReceived(ring)
    t.is(String(completion.value.bytes), message)
    if (message === 'one') group.put(completion)
  }
  t.is(group.available, 2)
})

test('BufferRing: multishot messages have the addresses of their senders', (t) => {
  const ring = ringFor(t)
  const group = new BufferRing(ring, { count: 3, size: 256 })
  const to = bound(t, SocketType.DGRAM)
  const from = bound(t, SocketType.DGRAM)
  const address = getsockname(to.fd) as { address: string; port: number }
  const receive = new RecvMsgMulti(to.fd, group, { address: true })
  ring.push(receive)
  for (let round = 0; round < 9; round += 1) {
    const content = LETTERS.slice(0, round + 1)
    ring.push(new SendMsg(from.fd, { buffers: [Buffer.from(content)], address }))
    const both = ring.waitMany(2)
    const completion = both.find(({ bufferId }) => bufferId !== undefined)
    if (completion === undefined) throw new Error('nothing came')
    const value = completion.value as { bytes: Buffer; address: { port: number } }
    t.is(String(value.bytes), content)
    t.is(value.address.port, from.port)
    const [whole] = group.views(completion)
    t.is(String(receive.parse(whole ?? Buffer.alloc(0)).bytes), content)
    group.put(completion)
  }
  t.is(group.available, 3)
})
