// BufferRing: construction, numbers of groups, and options.

import { constants } from 'node:buffer'
import { readSync, writeSync } from 'node:fs'
import test from 'ava'
import { BufferRing, type BufferRingOptions, ProvideBuffers, Recv, RemoveBuffers, Ring, Send } from 'uring'
import { createAddressOf } from 'uring/native'
import { ioUringRegister } from 'uring/sys'
import { nextReceived, setup } from '../helpers/buffer-rings.ts'
import { complete, outcome } from '../helpers/completions.ts'
import { ringFor } from '../helpers/multishot.ts'
import { fillSendBuffer } from '../helpers/streams.ts'

test('BufferRing: gives all buffers to the kernel at first, for any number of buffers', (t) => {
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

test('BufferRing: accepts the smallest and the largest size', (t) => {
  const ring = ringFor(t)
  t.is(new BufferRing(ring, { count: 1, size: 1 }).available, 1)
  const { group, available, count } = new BufferRing(ring, { count: 32_768, size: 1 })
  t.deepEqual({ group, available, count }, { group: 1, available: 32_768, count: 32_768 })
  t.is(new BufferRing(ring, { count: 20_000, size: 3 }).available, 20_000)
})

test('BufferRing: gets the first free number, or the one that is asked for', (t) => {
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

test('BufferRing: skips a group that was registered by a raw system call', (t) => {
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

test('BufferRing: refuses a number that is in use', (t) => {
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

test('BufferRing: refuses a group of provided buffers whose last buffer an operation has', (t) => {
  const { ring, near, far } = setup(t, { count: 1, size: 1 })
  fillSendBuffer(ring, near)
  t.is(outcome(ring, new ProvideBuffers(Buffer.from('legacy'), 6, 1, 9)), 0)
  ring.push(new Send(near, { group: 9 }))
  ring.submit() // it waits, and has the buffer
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

test('BufferRing: works beside groups of ProvideBuffers', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8, group: 3 })
  t.is(outcome(ring, new ProvideBuffers(Buffer.alloc(8, '.'), 8, 1, 4)), 0)
  // The kernel neither provides buffers to a buffer ring nor removes any.
  t.is(outcome(ring, new ProvideBuffers(Buffer.alloc(8, '.'), 8, 1, group)), 'EINVAL')
  t.is(outcome(ring, new RemoveBuffers(1, group)), 'EINVAL')
  for (const target of [group, 4, 3]) {
    writeSync(near, `to ${typeof target === 'number' ? target : 'it'}`)
    const { bytes } = complete(ring, new Recv(far, { group: target })).value
    t.is(String(bytes), `to ${typeof target === 'number' ? target : 'it'}`)
  }
  t.is(group.available, 0)
})

test('ProvideBuffers: reuses the number of a closed buffer ring', (t) => {
  const { ring, group, near, far } = setup(t, { count: 1, size: 6, memory: Buffer.from('bounds') })
  // Enqueued while the group exists, and submitted after it is closed.
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

test('BufferRing: uses the program’s memory from its start', (t) => {
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
    // Since Node.js 22 the largest Buffer exceeds any memory.
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
  test(`BufferRing: refuses ${name}`, (t) => {
    const ring = ringFor(t)
    t.throws(() => new BufferRing(ring, options as BufferRingOptions), { code, message })
    t.is(new BufferRing(ring, { count: 1, size: 1 }).group, 0)
  })
}

test('BufferRing: refuses other objects than rings, and a closed ring', (t) => {
  for (const ring of [undefined, null, {}, 5])
    t.throws(() => new BufferRing(ring as unknown as Ring, { count: 1, size: 1 }), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /"ring" argument must be an instance of Ring/,
    })
  const ring = new Ring({ entries: 1 })
  ring[Symbol.dispose]()
  t.throws(() => new BufferRing(ring, { count: 1, size: 1 }), { code: 'ERR_URING_CLOSED' })
})
