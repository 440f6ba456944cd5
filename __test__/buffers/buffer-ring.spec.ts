// Groups of provided buffers in a ring: who has which buffer, and what came into it.

import { constants } from 'node:buffer'
import { openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  AsyncCancel,
  BufferRing,
  type BufferRingOptions,
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
  RemoveBuffers,
  Ring,
  Send,
  SendMsg,
  SocketType,
} from 'uring'
import { createAddressOf } from 'uring/native'
import { getsockname, ioUringRegister } from 'uring/sys'
import { LETTERS, nextReceived, setup, texts } from '../helpers/buffer-rings.ts'
import { complete, outcome } from '../helpers/completions.ts'
import { directory } from '../helpers/files.ts'
import { ringFor, until } from '../helpers/multishot.ts'
import { pipe } from '../helpers/pipes.ts'
import { closing, pair } from '../helpers/sockets.ts'
import { bound, fillSendBuffer } from '../helpers/streams.ts'

// ---- making one

test('all buffers are the kernel’s at first, also where their number is no power of two', (t) => {
  const { ring, group, near, far } = setup(t, { count: 5, size: 8 })
  t.like(group, { group: 0, count: 5, size: 8, head: 0, available: 5 })
  t.is(group.memory.length, 40)
  t.true(group.memory.buffer instanceof SharedArrayBuffer)
  const ids = Array.from({ length: 5 }, () => {
    writeSync(near, 'x')
    return complete(ring, new Recv(far, { group })).bufferId
  })
  t.deepEqual(ids, [0, 1, 2, 3, 4])
  t.like(group, { head: 5, available: 0 })
  writeSync(near, 'x')
  t.is(outcome(ring, new Recv(far, { group })), 'ENOBUFS')
})

test('the smallest and the largest group', (t) => {
  const ring = ringFor(t)
  t.is(new BufferRing(ring, { count: 1, size: 1 }).available, 1)
  const { group, available, count } = new BufferRing(ring, { count: 32_768, size: 1 })
  t.deepEqual({ group, available, count }, { group: 1, available: 32_768, count: 32_768 })
  t.is(new BufferRing(ring, { count: 20_000, size: 3 }).available, 20_000)
})

test('a group has the next number that is free, or its own', (t) => {
  const ring = ringFor(t)
  t.is(outcome(ring, new ProvideBuffers(Buffer.alloc(8), 8, 1, 1)), 0)
  const groups = [0, 1, 2].map(() => new BufferRing(ring, { count: 2, size: 8 }))
  t.deepEqual(
    groups.map(({ group }) => group),
    [0, 2, 3],
  )
  t.is(new BufferRing(ring, { count: 2, size: 8, group: 65_535 }).group, 65_535)
  groups[1]?.close()
  t.is(new BufferRing(ring, { count: 2, size: 8 }).group, 2)
})

test('a group that others have registered behind the ring’s back is not taken', (t) => {
  const ring = ringFor(t)
  const memory = new Uint8Array(new SharedArrayBuffer(3 * 65_536))
  const address = createAddressOf()(memory)
  const registration = Buffer.alloc(40)
  registration.writeBigUInt64LE(BigInt(Math.ceil(address / 65_536) * 65_536), 0)
  registration.writeUInt32LE(4, 8)
  t.is(ioUringRegister(ring.fd, 22, registration, 1), 0)
  t.is(new BufferRing(ring, { count: 2, size: 8 }).group, 1)
  t.is(ioUringRegister(ring.fd, 23, registration, 1), 0)
})

test('there are no two groups of one number', (t) => {
  const ring = ringFor(t)
  const options = { count: 2, size: 8, group: 7 }
  const group = new BufferRing(ring, options)
  t.throws(() => new BufferRing(ring, options), { code: 'EEXIST', message: /io_uring_register/ })
  t.is(group.available, 2)
  t.is(outcome(ring, new ProvideBuffers(Buffer.alloc(8), 8, 1, 8)), 0)
  t.throws(() => new BufferRing(ring, { ...options, group: 8 }), { code: 'EEXIST' })
  t.is(outcome(ring, new RemoveBuffers(1, 8)), 1)
  t.is(new BufferRing(ring, { ...options, group: 8 }).available, 2)
  const other = ringFor(t)
  t.is(new BufferRing(other, options).group, 7)
})

test('a group whose last buffer is with an operation is not made into a ring', (t) => {
  const { ring, near, far } = setup(t, { count: 1, size: 1 })
  fillSendBuffer(ring, near)
  t.is(outcome(ring, new ProvideBuffers(Buffer.from('legacy'), 6, 1, 9)), 0)
  ring.push(new Send(near, { group: 9 }))
  ring.submit() // it waits, with the buffer
  t.throws(() => new BufferRing(ring, { count: 1, size: 1, group: 9 }), { code: 'EEXIST' })
  const bytes = Buffer.alloc(1 << 16)
  for (;;) {
    readSync(far, bytes)
    const completion = ring.tryWait()
    if (completion === undefined) continue
    t.is(completion.result, 6)
    break
  }
})

test('groups of both kinds side by side', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8, group: 3 })
  t.is(outcome(ring, new ProvideBuffers(Buffer.alloc(8, '.'), 8, 1, 4)), 0)
  // The kernel puts none into a mapped group, nor takes any out of it.
  t.is(outcome(ring, new ProvideBuffers(Buffer.alloc(8, '.'), 8, 1, group)), 'EINVAL')
  t.is(outcome(ring, new RemoveBuffers(1, group)), 'EINVAL')
  for (const target of [group, 4, 3]) {
    writeSync(near, `to ${typeof target === 'number' ? target : 'it'}`)
    const { bytes } = complete(ring, new Recv(far, { group: target })).value
    t.is(String(bytes), `to ${typeof target === 'number' ? target : 'it'}`)
  }
  t.is(group.available, 0)
})

test('buffers that are provided one by one to the number of a group that was closed', (t) => {
  const { ring, group, near, far } = setup(t, { count: 1, size: 6, memory: Buffer.from('bounds') })
  // Staged while there is the group, and submitted when there is none.
  const memory = Buffer.alloc(16, '.')
  ring.push(new ProvideBuffers(memory, 8, 2, group, 0))
  group.close()
  t.is(nextReceived(ring).result, 0)
  for (const id of [0, 1]) {
    writeSync(far, `to ${id}`)
    const { value } = complete(ring, new Recv(near, { group: group.group }))
    t.is(String(value.bytes), `to ${id}`)
    t.is(value.bytes.buffer, memory.buffer)
  }
})

test('own memory is used, from its beginning', (t) => {
  const memory = Buffer.from(new ArrayBuffer(100)).subarray(10, 36)
  const { ring, group, near, far } = setup(t, { count: 3, size: 8, memory })
  t.is(group.memory.length, 24)
  writeSync(near, 'one')
  complete(ring, new Recv(far, { group }))
  writeSync(near, 'eight by')
  complete(ring, new Recv(far, { group }))
  t.is(memory.toString('latin1', 0, 3), 'one')
  t.is(memory.toString('latin1', 8, 16), 'eight by')
  t.is(String(group.get(1)), 'eight by')
  t.is(String(group.get(0, 3)), 'one')
  t.is(group.get(0).buffer, memory.buffer)
})

const BAD: readonly [string, unknown, string, RegExp][] = [
  ['no options', undefined, 'ERR_INVALID_ARG_TYPE', /"options"/],
  ['no object', 5, 'ERR_INVALID_ARG_TYPE', /"options"/],
  ['no count', { size: 8 }, 'ERR_INVALID_ARG_TYPE', /"options.count"/],
  ['no size', { count: 8 }, 'ERR_INVALID_ARG_TYPE', /"options.size"/],
  ['a count of 0', { count: 0, size: 8 }, 'ERR_OUT_OF_RANGE', /"options.count".*>= 1 && <= 32768/],
  ['a count beyond', { count: 32_769, size: 8 }, 'ERR_OUT_OF_RANGE', /"options.count"/],
  ['a count with a fraction', { count: 1.5, size: 8 }, 'ERR_OUT_OF_RANGE', /"options.count"/],
  ['a size of 0', { count: 1, size: 0 }, 'ERR_OUT_OF_RANGE', /"options.size"/],
  ['a size beyond', { count: 1, size: 2 ** 32 }, 'ERR_OUT_OF_RANGE', /"options.size"/],
  [
    'more than there is',
    { count: 32_768, size: 2 ** 32 - 1 },
    'ERR_OUT_OF_RANGE',
    // Since Node.js 22 a Buffer may be larger than any memory.
    constants.MAX_LENGTH < 2 ** 47
      ? /"options.size".*must be <= 131072, because one Buffer/
      : /"options.size".*must be less: 32768 buffers of this size cannot be allocated\. Received/,
  ],
  ['a negative group', { count: 1, size: 1, group: -1 }, 'ERR_OUT_OF_RANGE', /"options.group"/],
  ['a group beyond', { count: 1, size: 1, group: 65_536 }, 'ERR_OUT_OF_RANGE', /"options.group"/],
  ['a group by name', { count: 1, size: 1, group: 'a' }, 'ERR_INVALID_ARG_TYPE', /"options.group"/],
  [
    'incremental, no boolean',
    { count: 1, size: 1, incremental: 1 },
    'ERR_INVALID_ARG_TYPE',
    /"options.incremental"/,
  ],
  ['memory that is none', { count: 1, size: 1, memory: 'x' }, 'ERR_INVALID_ARG_TYPE', /"options.memory"/],
  [
    'too little memory',
    { count: 2, size: 8, memory: Buffer.alloc(15) },
    'ERR_OUT_OF_RANGE',
    /"options.memory.byteLength".*>= 16.*15/,
  ],
]

for (const [name, options, code, message] of BAD) {
  test(`refused: ${name}`, (t) => {
    const ring = ringFor(t)
    t.throws(() => new BufferRing(ring, options as BufferRingOptions), { code, message })
    t.is(new BufferRing(ring, { count: 1, size: 1 }).group, 0)
  })
}

test('refused: no ring, and a closed one', (t) => {
  for (const ring of [undefined, null, {}, 5])
    t.throws(() => new BufferRing(ring as unknown as Ring, { count: 1, size: 1 }), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /"ring" argument must be an instance of Ring/,
    })
  const ring = new Ring({ entries: 1 })
  ring[Symbol.dispose]()
  t.throws(() => new BufferRing(ring, { count: 1, size: 1 }), { code: 'ERR_URING_CLOSED' })
})

// ---- one buffer at a time

test('what operations put into a buffer: its value, its views, a view by its number, and a copy', (t) => {
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

test('buffers are taken in the order in which they were given back', (t) => {
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

test('one buffer goes round more often than the kernel can count', (t) => {
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

test('a buffer that is not out is not given back', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8 })
  t.throws(() => group.put(0), { code: 'ERR_INVALID_STATE', message: /Buffer 0/ })
  writeSync(near, 'x')
  const completion = complete(ring, new Recv(far, { group }))
  t.throws(() => group.put(1), { code: 'ERR_INVALID_STATE', message: /Buffer 1/ })
  group.put(completion)
  for (const again of [() => group.put(completion), () => group.put(0), () => group.copy(completion)])
    t.throws(again, { code: 'ERR_INVALID_STATE', message: /Buffer 0/ })
  completion.value.release() // it was given back already
  t.is(group.available, 2)

  // The completion of before does not give back what another one has taken since.
  writeSync(near, 'y')
  writeSync(near, 'y')
  complete(ring, new Recv(far, { group, length: 1 }))
  complete(ring, new Recv(far, { group, length: 1 }))
  t.throws(() => group.put(completion), { code: 'ERR_INVALID_STATE' })
  completion.value.release()
  t.is(group.available, 0)
})

test('releasing twice gives back once', (t) => {
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
  value.release() // buffer 0 has been taken by another one since
  t.is(group.available, 0)
})

test('releasing what was given back by its number does nothing, whoever has it now', (t) => {
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

test('a completion without a buffer gives nothing back', (t) => {
  const { ring, group, far } = setup(t, { count: 2, size: 8 })
  const completion = complete(ring, new Nop())
  t.notThrows(() => group.put(completion))
  t.deepEqual(group.views(completion), [])
  t.is(group.copy(completion).length, 0)
  ring.push(new Recv(far, { group }), 'receive')
  ring.submit()
  t.is(group.available, 2)
})

test('completions and numbers that are not of the group', (t) => {
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

test('the end of a file takes no buffer away', (t) => {
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

test('a read that failed takes no buffer away', (t) => {
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
  test(`a worker of the kernel has a buffer while it waits, and gives it back when it is cancelled: ${name}`, async (t) => {
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

      // What comes meanwhile goes into the next buffer.
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

test('what nobody looks at is tracked too', (t) => {
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

// ---- again and again

test('a multishot receive takes buffer after buffer, and says when there are none', (t) => {
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

test('a multishot read takes buffer after buffer, and none at the end', (t) => {
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

test('multishot messages with the addresses of their senders', (t) => {
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
