// Groups of provided buffers in a ring: who has which buffer, and what came into it.

import { constants } from 'node:buffer'
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import * as fc from 'fast-check'
import {
  AsyncCancel,
  BufferRing,
  type BufferRingOptions,
  type Completion,
  Entry,
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
  RecvMultiBundle,
  RemoveBuffers,
  Ring,
  Send,
  SendBundle,
  SendMsg,
  SocketDomain,
  SocketType,
} from 'uring'
import { createAddressOf } from 'uring/native'
import { getsockname, ioUringRegister, socketpair } from 'uring/sys'
import { next, fill, setup, texts } from './helpers/buffer-rings.ts'
import { complete, outcome } from './helpers/buffers.ts'
import { directory } from './helpers/files.ts'
import { ringFor, until } from './helpers/multishot.ts'
import { pipe } from './helpers/pipes.ts'
import { script } from './helpers/process.ts'
import { closing, pair } from './helpers/sockets.ts'
import { bound } from './helpers/streams.ts'

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'
const DONE = { code: 0, signal: null, stdout: 'done\n', stderr: '' }

/** A socket whose peer is gone. */
function widow(t: ExecutionContext): number {
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  closeSync(right)
  return closing(t, left)
}

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
  fill(ring, near)
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
  t.is(next(ring).result, 0)
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
      ? /"options.size".*must be <= 131072, as a Buffer/
      : /"options.size".*must be less, as all 32768 together cannot be allocated\. Received/,
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
      const first = next(ring)
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
    const completion = next(ring)
    t.is(String(completion.value.bytes), message)
    t.true(completion.more)
  }
  writeSync(near, 'last')
  const { error, more } = next(ring)
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
    const completion = next(ring)
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

// ---- bundles

test('a bundle fills buffers in the order of the ring, whatever that is', (t) => {
  const { ring, group, near, far } = setup(t, { count: 6, size: 2 })
  writeSync(near, 'abcdefghijkl')
  const all = Array.from({ length: 6 }, () => complete(ring, new Recv(far, { group })))
  for (const id of [4, 0, 5, 2]) group.put(id)
  writeSync(near, 'ABCDEFGH')
  const completion = complete(ring, new RecvBundle(far, group))
  t.is(completion.bufferId, 4)
  t.deepEqual(texts(group.views(completion)), ['AB', 'CD', 'EF', 'GH'])
  t.is(String(group.get(4)), 'AB')
  t.is(String(group.get(0)), 'CD')
  t.is(String(group.get(2, 1)), 'G')
  t.is(String(completion.value.bytes), 'ABCDEFGH')
  t.is(group.available, 0)
  group.put(completion)
  t.is(group.available, 4)
  for (const index of [1, 3]) {
    const one = all[index]
    if (one !== undefined) group.put(one)
  }
  t.is(group.available, 6)
})

test('a bundle gives all of its buffers back, or none', (t) => {
  const { ring, group, near, far } = setup(t, { count: 3, size: 2 })
  writeSync(near, 'abcdef')
  const completion = complete(ring, new RecvBundle(far, group))
  t.deepEqual(texts(group.views(completion)), ['ab', 'cd', 'ef'])
  group.put(1)
  t.throws(() => group.put(completion), { code: 'ERR_INVALID_STATE', message: /Buffer 1/ })
  t.is(group.available, 1)
  completion.value.release() // those that are still out
  t.is(group.available, 3)
})

test('a multishot bundle, with buffers going back in between', (t) => {
  const { ring, group, near, far } = setup(t, { count: 5, size: 3 })
  ring.push(new RecvMultiBundle(far, group))
  let sent = ''
  let came = ''
  for (let round = 0; round < 40; round += 1) {
    const message = LETTERS.slice(round % 20, (round % 20) + 1 + (round % 7))
    writeSync(near, message)
    sent += message
    while (came.length < sent.length) {
      const completion = next(ring)
      came += String(group.copy(completion))
      if (!completion.more) ring.push(new RecvMultiBundle(far, group))
    }
  }
  t.is(came, sent)
  t.is(group.available, 5)
})

test('sending a bundle takes the buffers in order, and they are the program’s then', (t) => {
  const memory = Buffer.from('aaabbbcccddd')
  const { ring, group, near, far } = setup(t, { count: 4, size: 3, memory })
  const all = complete(ring, new SendBundle(near, group))
  t.is(all.value, 12)
  t.deepEqual(texts(group.views(all)), ['aaa', 'bbb', 'ccc', 'ddd'])
  t.is(group.available, 0)
  const bytes = Buffer.alloc(20)
  t.is(bytes.toString('latin1', 0, readSync(far, bytes)), 'aaabbbcccddd')
  for (const [id, content] of [
    [2, 'two'],
    [0, 'nil'],
  ] as const) {
    group.get(id).write(content)
    group.put(id)
  }
  const one = complete(ring, new Send(near, { group }))
  t.is(one.value, 3)
  t.deepEqual(texts(group.views(one)), ['two'])
  t.is(complete(ring, new SendBundle(near, group)).value, 3)
  t.is(bytes.toString('latin1', 0, readSync(far, bytes)), 'twonil')
  group.put(one)
  t.throws(() => group.put(all), { code: 'ERR_INVALID_STATE' })
  t.is(group.available, 1)
})

test('buffers that could not be sent are the program’s again', (t) => {
  const { ring, group, near } = setup(t, { count: 4, size: 3 })
  const alone = widow(t)
  for (let round = 0; round < 3; round += 1) {
    const completion = complete(ring, new SendBundle(alone, group))
    t.is(completion.error?.code, 'EPIPE')
    t.is(group.available, 0)
    group.put(completion)
    t.is(group.available, 4)
    const one = complete(ring, new Send(alone, { group }))
    t.is(one.error?.code, 'EPIPE')
    t.is(group.available, 3)
    group.put(one)
  }

  // While another operation is at the group it is unknown whose they are; then they are nobody's.
  const token = ring.push(new RecvMulti(near, group))
  ring.submit()
  const completion = complete(ring, new SendBundle(alone, group))
  t.is(completion.error?.code, 'EPIPE')
  t.throws(() => group.put(1), { code: 'ERR_INVALID_STATE' })
  ring.push(new AsyncCancel(token))
  t.is(ring.waitMany(2).filter(({ error }) => error?.code === 'ECANCELED').length, 1)
  for (const id of [0, 1, 2, 3]) group.put(id)
  t.is(group.available, 4)
})

test('a buffer that was sent without a word is the program’s again', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 3, memory: Buffer.from('onetwo') })
  ring.push(new Send(near, { group }).skipSuccess().link())
  ring.push(new Nop())
  t.is(ring.wait()?.result, 0)
  const bytes = Buffer.alloc(20)
  t.is(bytes.toString('latin1', 0, readSync(far, bytes)), 'one')
  group.put(0)
  t.is(group.available, 2)
})

// ---- incremental

test('an incremental buffer is filled by several completions, each with its part', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8, incremental: true })
  const came: [string, number | undefined, boolean][] = []
  const completions = ['abc', 'de', 'fgh', 'i', 'jklmnop'].map((message) => {
    writeSync(near, message)
    const completion = complete(ring, new Recv(far, { group }))
    came.push([String(completion.value.bytes), completion.bufferId, completion.bufferMore])
    return completion
  })
  t.deepEqual(came, [
    ['abc', 0, true],
    ['de', 0, true],
    ['fgh', 0, false],
    ['i', 1, true],
    ['jklmnop', 1, false],
  ])
  t.is(String(group.get(0)), 'abcdefgh')
  t.deepEqual(texts(completions.flatMap((completion) => group.views(completion))), [
    'abc',
    'de',
    'fgh',
    'i',
    'jklmnop',
  ])
  const [first, second, third] = completions
  if (first === undefined || second === undefined || third === undefined) throw new Error('too few')
  for (const partial of [first, second]) {
    group.put(partial)
    t.is(group.available, 0)
  }
  group.put(third)
  t.is(group.available, 1)
  group.put(first) // it has nothing to give back, still
  t.throws(() => group.put(third), { code: 'ERR_INVALID_STATE' })
  writeSync(near, 'AB')
  const again = complete(ring, new Recv(far, { group }))
  t.is(String(again.value.bytes), 'AB')
  t.is(again.bufferId, 0)
  t.is(String(group.get(0, 2)), 'AB')
})

test('an incremental buffer goes back when all of its parts were released', (t) => {
  const { ring, group, near, far } = setup(t, { count: 1, size: 4, incremental: true })
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    const parts = ['a', 'b', 'cd'].map((message) => {
      writeSync(near, message)
      return complete(ring, new Recv(far, { group })).value
    })
    for (const index of order) {
      t.is(group.available, 0)
      parts[index]?.release()
      parts[index]?.release()
    }
    t.is(group.available, 1)
  }
})

test('a part that was given back is one of those that were released', (t) => {
  const { ring, group, near, far } = setup(t, { count: 1, size: 4, incremental: true })
  const [first, last] = ['a', 'bcd'].map((message) => {
    writeSync(near, message)
    return complete(ring, new Recv(far, { group }))
  })
  if (first === undefined || last === undefined) throw new Error('nothing came')
  group.put(first)
  last.value.release()
  t.is(group.available, 1)
})

test('an incremental bundle spans what is left of buffers', (t) => {
  const { ring, group, near, far } = setup(t, { count: 3, size: 4, incremental: true })
  writeSync(near, 'abc')
  complete(ring, new Recv(far, { group }))
  writeSync(near, 'defghi')
  const completion = complete(ring, new RecvBundle(far, group))
  t.deepEqual(texts(group.views(completion)), ['d', 'efgh', 'i'])
  t.true(completion.bufferMore)
  t.is(group.available, 1)
  group.put(completion)
  t.is(group.available, 3)
  writeSync(near, 'jklm')
  t.is(String(group.copy(complete(ring, new Recv(far, { group })))), 'jkl')
  t.is(String(group.copy(complete(ring, new Recv(far, { group })))), 'm')
})

test('an incremental buffer at the end of a pipe, of a stream, and of a file', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8, incremental: true })
  const path = join(directory(t), 'file')
  writeFileSync(path, 'content')
  const fd = closing(t, openSync(path, 'r'))
  // A read of a file that it cannot wait for uses up what it asked for, whatever it gets.
  for (const [length, offset, content, left] of [
    [1, 0, 'c', 2],
    [3, 5, 'nt', 2],
    [1, 1, 'o', 2],
    [1, 7, '', 2],
    [1, 0, 'c', 2],
    [1, 1, 'o', 1],
    [0, 7, '', 2],
    [0, 0, 'content', 1],
  ] as const) {
    const { value } = complete(ring, new Read(fd, { group, length }, { offset }))
    t.deepEqual([String(value.bytes), group.available], [content, left])
    value.release()
  }
  t.is(group.available, 2)

  const alone = widow(t)
  writeSync(near, 'abc')
  const part = complete(ring, new Read(far, { group })).value
  t.is(String(part.bytes), 'abc')
  for (const operation of [new Read(alone, { group }), new Recv(alone, { group })]) {
    const end = complete(ring, operation)
    t.is(end.value.bytes.length, 0)
    group.put(end)
  }
  writeSync(near, 'defgh')
  const rest = complete(ring, new Read(far, { group }))
  t.is(String(rest.value.bytes), 'defgh')
  t.false(rest.bufferMore)
  group.put(rest)
  t.is(group.available, 2)
})

// ---- all of it, at random

interface Step {
  readonly write: number
  readonly bundle: boolean
  readonly multi: boolean
  readonly put: number
  readonly release: boolean
}

for (const incremental of [false, true]) {
  test(`every byte arrives, in order, whatever goes back when: ${incremental ? 'incremental' : 'whole'} buffers`, (t) => {
    const step = fc.record({
      write: fc.integer({ min: 1, max: 40 }),
      bundle: fc.boolean(),
      multi: fc.boolean(),
      put: fc.nat(),
      release: fc.boolean(),
    })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 16 }),
        fc.array(step, { minLength: 1, maxLength: 60 }),
        (count, size, steps) => play(count, size, incremental, steps),
      ),
      { numRuns: 80 },
    )
    t.pass()
  })
}

/** Sends and receives, gives buffers back at random, and throws where a byte is not what was sent. */
function play(count: number, size: number, incremental: boolean, steps: readonly Step[]): void {
  using ring = new Ring({ entries: 8 })
  const group = new BufferRing(ring, { count, size, incremental })
  const [near, far] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  try {
    const bytes = { sent: 0, came: 0 }
    const out: { completion: Completion; from: number }[] = []
    const check = ({ completion, from }: { completion: Completion; from: number }): void => {
      const found = Buffer.concat(group.views(completion))
      if (!found.equals(pattern(from, found.length))) throw new Error(`${found.toString('hex')} at ${from}`)
    }
    const back = (index: number, release: boolean): void => {
      const [item] = out.splice(index, 1)
      if (item === undefined) return
      check(item) // nobody has written to it meanwhile
      if (release) (item.completion.value as { release(): void }).release()
      else if (incremental) (item.completion.value as { release(): void }).release()
      else group.put(item.completion)
    }
    let armed = false
    const take = (completion: Completion): void => {
      if (!completion.more) armed = false
      if (completion.error?.code === 'ENOBUFS') {
        if (out.length === 0) throw new Error('there are no buffers, and none is out')
        while (out.length > 0) back(0, true)
      } else {
        const item = { completion, from: bytes.came }
        bytes.came += completion.result
        check(item)
        out.push(item)
      }
    }
    for (const { write, bundle, multi, put, release } of steps) {
      writeSync(near, pattern(bytes.sent, write))
      bytes.sent += write
      while (bytes.came < bytes.sent) {
        if (!armed) {
          ring.push(
            bundle
              ? multi
                ? new RecvMultiBundle(far, group)
                : new RecvBundle(far, group)
              : multi
                ? new RecvMulti(far, group)
                : new Recv(far, { group }),
          )
          armed = true
        }
        take(next(ring))
      }
      if (out.length > 0) back(put % out.length, release)
    }
    while (out.length > 0) back(0, false)
  } finally {
    for (const fd of [near, far]) closeSync(fd)
  }
}

function pattern(from: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => ((from + index) * 31) % 251))
}

// ---- closing

test('what came before the group was closed is there after it', (t) => {
  const { ring, group, near, far } = setup(t, { count: 3, size: 4 })
  ring.push(new RecvMulti(far, group))
  ring.submit()
  writeSync(near, 'abcdef')
  ring.submitAndWait(2)
  group.close()
  const [first, second] = [next(ring), next(ring)]
  t.is(String(first.value.bytes) + String(second.value.bytes), 'abcdef')
  t.deepEqual(texts(group.views(second)), ['ef'])
  first.value.release()
  t.throws(() => group.put(first), { code: 'ERR_URING_RESOURCE_CLOSED', message: /group 0/ })
  writeSync(near, 'x')
  t.is(next(ring).error?.code, 'ENOBUFS') // the kernel knows of no buffers any more
})

test('a closed group, and closing it twice', (t) => {
  const { ring, group, near, far } = setup(t, { count: 3, size: 4 })
  writeSync(near, 'abc')
  const completion = complete(ring, new Recv(far, { group }))
  group.close()
  t.notThrows(() => group.close())
  group[Symbol.dispose]()
  for (const call of [
    () => group.head,
    () => group.available,
    () => group.put(0),
    () => group.put(completion),
    () => group.copy(completion),
  ])
    t.throws(call, { code: 'ERR_URING_RESOURCE_CLOSED', message: /group 0/ })
  t.notThrows(() => completion.value.release())
  t.is(String(group.get(0, 3)), 'abc')
  writeSync(near, 'x')
  t.is(outcome(ring, new Recv(far, { group })), 'ENOBUFS')
  const other = new BufferRing(ring, { count: 1, size: 1, group: 0 })
  t.is(outcome(ring, new Recv(far, { group: other })) === 'ENOBUFS', false)
  group.close() // the number is another's now
  t.is(other.head, 1)
})

test('a group that others have taken from the kernel can be closed', (t) => {
  const { ring, group } = setup(t, { count: 2, size: 8, group: 6 })
  const registration = Buffer.alloc(40)
  registration.writeUInt16LE(6, 12)
  t.is(ioUringRegister(ring.fd, 23, registration, 1), 0)
  t.throws(() => group.head, { code: 'ENOENT', message: /io_uring_register/ })
  t.notThrows(() => group.close())
  t.notThrows(() => new BufferRing(ring, { count: 2, size: 8, group: 6 }))
})

test('a group that an operation has a buffer of keeps its number until it completes', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 6, memory: Buffer.from('boundsback..') })
  const full = fill(ring, near)
  ring.push(new Send(near, { group }))
  ring.submit()
  group.close()
  const options = { count: 1, size: 1, group: group.group }
  t.throws(() => new BufferRing(ring, options), {
    code: 'ERR_URING_BUFFER_IN_USE',
    message: /group 0/,
  })
  t.is(new BufferRing(ring, { count: 1, size: 1 }).group, 1)
  // Buffers that are provided one by one lie beside it.
  const legacy = Buffer.alloc(8, '.')
  ring.push(new ProvideBuffers(legacy, 8, 1, group, 77))
  t.is(next(ring).result, 0)
  const bytes = Buffer.alloc(1 << 16)
  let left = full + 6
  let tail = ''
  while (left > 0) {
    const count = readSync(far, bytes, 0, Math.min(left, bytes.length), null)
    left -= count
    tail = bytes.toString('latin1', Math.max(count - 6, 0), count)
    ring.submit()
  }
  t.is(tail.slice(-6), 'bounds')
  const completion = next(ring)
  t.is(completion.result, 6)
  t.deepEqual(texts(group.views(completion)), ['bounds'])
  writeSync(far, 'legacy')
  t.is(complete(ring, new Recv(near, { group: 0 })).value.bytes.buffer, legacy.buffer)
  t.notThrows(() => new BufferRing(ring, options))
})

test('when the ring is closed, its groups are', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8 })
  writeSync(near, 'abc')
  const completion = complete(ring, new Recv(far, { group }))
  ring.push(new RecvMulti(far, group))
  ring.submit()
  await ring.close()
  for (const call of [() => group.put(completion), () => group.head, () => group.available])
    t.throws(call, { code: 'ERR_URING_CLOSED' })
  t.notThrows(() => completion.value.release())
  t.notThrows(() => group.close())
  t.is(String(group.get(0, 3)), 'abc')
})

test('memory that was transferred is noticed', (t) => {
  const { ring, near, far } = setup(t, { count: 1, size: 1 })
  const memory = new ArrayBuffer(16)
  const group = new BufferRing(ring, { count: 2, size: 8, memory: Buffer.from(memory) })
  writeSync(near, 'abc')
  const first = complete(ring, new Recv(far, { group }))
  ring.push(new Recv(far, { group }))
  ring.submit()
  const moved = structuredClone(memory, { transfer: [memory] })
  writeSync(near, 'def')
  const completion = next(ring)
  t.throws(() => completion.value, { code: 'ERR_URING_BUFFER_DETACHED' })
  for (const call of [
    () => group.put(0),
    () => group.put(first),
    () => group.views(completion),
    () => group.get(0),
  ])
    t.throws(call, { code: 'ERR_URING_BUFFER_DETACHED' })
  t.is(moved.byteLength, 16)
})

test('an entry of one’s own does not give back what it did not take as the ring knows it', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8 })
  writeSync(near, 'abc')
  const { bytes } = new Recv(far, { group }).build()
  const completion = complete(ring, Entry.from(bytes))
  t.is(completion.bufferId, 0)
  t.throws(() => group.put(completion), { code: 'ERR_INVALID_ARG_VALUE', message: /group 0/ })
})

// ---- memory

test('a group is held as long as the kernel has it, and no longer', async (t) => {
  const { code, signal, stdout, stderr } = await script(
    `
    import { setImmediate } from 'node:timers/promises'
    import { writeSync } from 'node:fs'
    import { BufferRing, Recv, RecvMulti, Ring, SocketDomain, SocketType } from 'uring'
    import { socketpair } from 'uring/sys'
    const [near, far] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
    const SIZE = 1 << 20
    const gone = new Set()
    const registry = new FinalizationRegistry((name) => gone.add(name))
    const strangers = []
    async function collect() {
      for (let round = 0; round < 4; round += 1) { globalThis.gc(); await setImmediate() }
      for (let index = 0; index < 8; index += 1) strangers.push(new Uint8Array(new SharedArrayBuffer(2 * SIZE)).fill(0x55))
    }
    async function until(name) {
      for (let round = 0; round < 50 && !gone.has(name); round += 1) { await collect(); strangers.length = 0 }
      if (!gone.has(name)) throw new Error(name + ' is still held')
    }
    let ring = new Ring({ entries: 8 })
    registry.register(ring, 'ring')
    function make(name, count) {
      const group = new BufferRing(ring, { count, size: SIZE / count })
      registry.register(group, name)
      registry.register(group.memory.buffer, name + ' memory')
      return group.group
    }
    const number = make('group', 4)
    ring.push(new RecvMulti(far, number))
    ring.submit()
    await until('group')
    if (gone.has('group memory')) throw new Error('the memory was let go')
    function receive(round) {
      writeSync(near, Buffer.alloc(1000, 97 + round))
      const { value } = ring.wait({ timeout: 20_000 })
      const bytes = Buffer.alloc(1000, 97 + round)
      if (!value.bytes.equals(bytes)) throw new Error('the bytes are not there')
      if (round % 2 === 1) value.release()
    }
    for (let round = 0; round < 4; round += 1) {
      receive(round)
      await collect()
    }
    if (gone.has('group memory')) throw new Error('the memory was let go')
    for (const each of strangers) if (each.some((byte) => byte !== 0x55)) throw new Error('memory was overwritten')

    // Closed while the operation is in flight: the memory stays until that has ended.
    let closed = new BufferRing(ring, { count: 2, size: SIZE / 2 })
    registry.register(closed.memory.buffer, 'closed memory')
    ring.push(new Recv(far, { group: closed }))
    ring.submit()
    closed.close()
    closed = undefined
    await collect()
    if (gone.has('closed memory')) throw new Error('the memory of the closed group was let go')
    ring[Symbol.dispose]()
    ring = undefined
    await until('group memory')
    await until('closed memory')

    // A ring that nobody has any more goes with its groups.
    ring = new Ring({ entries: 8 })
    registry.register(ring, 'forgotten')
    let group = new BufferRing(ring, { count: 2, size: SIZE / 2 })
    registry.register(group.memory.buffer, 'forgotten memory')
    void group.head
    ring = undefined
    await collect()
    if (gone.has('forgotten')) throw new Error('the group does not hold its ring')
    void group.head
    group = undefined
    await until('forgotten')
    await until('forgotten memory')

    // And a closed group goes at once.
    ring = new Ring({ entries: 8 })
    let brief = new BufferRing(ring, { count: 2, size: SIZE / 2 })
    registry.register(brief.memory.buffer, 'brief')
    brief.close()
    brief = undefined
    await until('brief')
    console.log('done')
    `,
    ['--expose-gc'],
  )
  t.deepEqual({ code, signal, stdout, stderr }, DONE)
})

test('a worker that ends in the middle of receiving does no harm', async (t) => {
  const { code, signal, stdout, stderr } = await script(`
    import { once } from 'node:events'
    import { writeSync } from 'node:fs'
    import { Worker } from 'node:worker_threads'
    import { SocketDomain, SocketType } from 'uring'
    import { socketpair } from 'uring/sys'
    for (let round = 0; round < 6; round += 1) {
      const [near, far] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
      const worker = new Worker(\`
        import { parentPort, workerData } from 'node:worker_threads'
        import { BufferRing, RecvMulti, Ring } from 'uring'
        const ring = new Ring({ entries: 8 })
        const group = new BufferRing(ring, { count: 4, size: 64, incremental: workerData.incremental })
        parentPort.postMessage('ready')
        for await (const { bytes } of ring.each(new RecvMulti(workerData.far, group))) parentPort.postMessage(bytes.length)
      \`, { eval: true, workerData: { far, incremental: round % 2 === 1 } })
      await once(worker, 'message')
      writeSync(near, 'x'.repeat(1000))
      await once(worker, 'message')
      const ended = once(worker, 'exit')
      for (let index = 0; index < 20; index += 1) writeSync(near, 'y'.repeat(100))
      await worker.terminate()
      for (let index = 0; index < 20; index += 1) writeSync(near, 'y'.repeat(100))
      await ended
    }
    console.log('done')
  `)
  t.deepEqual({ code, signal, stdout, stderr }, DONE)
})
