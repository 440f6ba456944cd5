// Rings that are created with `uring/sys` alone, and used through their mapped memory.

import { closeSync, openSync, readSync } from 'node:fs'
import { devNull } from 'node:os'
import test, { type ExecutionContext } from 'ava'
import { array, assert, integer, nat, oneof, property, tuple } from 'fast-check'
import { UringError } from 'uring'
import {
  addressOf,
  type Cqe,
  IORING_ENTER_GETEVENTS,
  IORING_ENTER_SQ_WAKEUP,
  IORING_FEAT_SINGLE_MMAP,
  IORING_NOP_CQE32,
  IORING_NOP_INJECT_RESULT,
  IORING_OP_NOP,
  IORING_OP_READ,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_CQSIZE,
  IORING_SETUP_NO_MMAP,
  IORING_SETUP_NO_SQARRAY,
  IORING_SETUP_SQ_REWIND,
  IORING_SETUP_SQE128,
  IORING_SETUP_SQPOLL,
  eventfd,
  ioUringEnter,
  ioUringRegister,
  ioUringSetup,
  type MappedRing,
  mapRing,
  structs,
} from 'uring/sys'
import { file } from '../helpers/files.ts'
import { enter, mappings, offsetIndex, paramIndex, setupMappedRing, setupRing } from '../helpers/mapped.ts'
import { closing } from '../helpers/sockets.ts'

const SQE = structs.io_uring_sqe.fields
const CQE = structs.io_uring_cqe.fields

/** Prepares a Nop that completes with `result`. */
function nop(ring: MappedRing, userData: bigint, result = 0, flags = 0): DataView {
  const sqe = ring.getSqe()
  if (sqe === undefined) throw new Error('the queue is full')
  sqe.setUint8(SQE.opcode.offset, IORING_OP_NOP)
  sqe.setUint32(SQE.nop_flags.offset, IORING_NOP_INJECT_RESULT | flags, true)
  sqe.setInt32(SQE.len.offset, result, true)
  sqe.setBigUint64(SQE.user_data.offset, userData, true)
  return sqe
}

function plain({ userData, res, flags, extra }: Cqe): unknown[] {
  return [userData, res, flags, ...(extra ?? [])]
}

test('mapRing: a ring works with only its views, the struct layouts and the system calls', (t) => {
  const { fd, ring } = setupMappedRing(t, 8)
  const { sq, cq, sqes } = ring
  const content = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251))
  const { fd: readable } = file(t, content)
  const target = Buffer.alloc(content.length)
  const entries = new DataView(sqes.buffer, sqes.byteOffset, sqes.byteLength)
  const completions = new DataView(cq.cqes.buffer, cq.cqes.byteOffset, cq.cqes.byteLength)
  const seen: number[] = []
  for (let next = 0; next < 1000;) {
    // Batches of five: no queue size is a multiple of it, so batches start at every position.
    let tail = Atomics.load(sq.tail, 0)
    const batch = Math.min(5, 1000 - next)
    for (let index = 0; index < batch; index += 1) {
      const place = tail & sq.ringMask
      const at = place * structs.io_uring_sqe.size
      sqes.fill(0, at, at + structs.io_uring_sqe.size)
      entries.setUint8(at + SQE.opcode.offset, IORING_OP_READ)
      entries.setInt32(at + SQE.fd.offset, readable, true)
      entries.setBigUint64(at + SQE.off.offset, BigInt(next), true)
      entries.setBigUint64(at + SQE.addr.offset, BigInt(addressOf(target) + next), true)
      entries.setUint32(at + SQE.len.offset, 1, true)
      entries.setBigUint64(at + SQE.user_data.offset, BigInt(next), true)
      if (sq.array !== undefined) sq.array[place] = place
      tail = (tail + 1) >>> 0
      next += 1
    }
    Atomics.store(sq.tail, 0, tail)
    t.is(ioUringEnter(fd, batch, batch, IORING_ENTER_GETEVENTS), batch)
    let head = Atomics.load(cq.head, 0)
    for (; head !== Atomics.load(cq.tail, 0); head = (head + 1) >>> 0) {
      const at = (head & cq.ringMask) * structs.io_uring_cqe.size
      t.is(completions.getInt32(at + CQE.res.offset, true), 1)
      seen.push(Number(completions.getBigUint64(at + CQE.user_data.offset, true)))
    }
    Atomics.store(cq.head, 0, head)
  }
  t.deepEqual(
    seen.toSorted((left, right) => left - right),
    Array.from({ length: 1000 }, (_, index) => index),
  )
  t.deepEqual(target, content)
  t.is(Atomics.load(sq.head, 0), 1000)
  t.is(sq.dropped[0], 0)
  t.is(cq.overflow[0], 0)
})

for (const [name, flags] of [
  ['with an array', 0],
  ['without an array', IORING_SETUP_NO_SQARRAY],
  ['with SQE128', IORING_SETUP_SQE128],
  ['with CQE32', IORING_SETUP_CQE32],
  ['with mixed completions', IORING_SETUP_CQE_MIXED | IORING_SETUP_NO_SQARRAY],
] as const) {
  test(`MappedRing: completes 1001 Nops ${name}`, (t) => {
    const { fd, ring } = setupMappedRing(t, 8, { flags })
    const cqe32 = (flags & IORING_SETUP_CQE32) !== 0
    t.is(ring.sqeSize, (flags & IORING_SETUP_SQE128) === 0 ? 64 : 128)
    t.is(ring.cqeSize, cqe32 ? 32 : 16)
    t.is(ring.sqes.byteLength, 8 * ring.sqeSize)
    t.is(ring.cq.cqes.byteLength, 16 * ring.cqeSize)
    t.is(ring.sq.array?.length, (flags & IORING_SETUP_NO_SQARRAY) === 0 ? 8 : undefined)
    let next = 0n
    for (let round = 0; round < 143; round += 1) {
      const expected: unknown[] = []
      for (let index = 0; index < 7; index += 1) {
        nop(ring, (1n << 63n) + next, -Number(next) - 1)
        expected.push([(1n << 63n) + next, -Number(next) - 1, 0, ...(cqe32 ? [0n, 0n] : [])])
        next += 1n
      }
      t.is(ring.flush(), 7)
      t.is(enter(fd, 7, 7), 7)
      t.deepEqual(ring.copyCqes().map(plain), expected)
    }
    t.is(next, 1001n)
    t.is(ring.sqReady, 0)
    t.is(ring.cqReady, 0)
  })
}

test('getSqe, flush: return entries until the queue is full, and publish them', (t) => {
  const { fd, ring } = setupMappedRing(t, 4)
  t.is(ring.sqSpaceLeft, 4)
  const sqes = [0n, 1n, 2n, 3n].map((userData) => nop(ring, userData))
  t.is(new Set(sqes.map((sqe) => sqe.byteOffset)).size, 4)
  t.deepEqual([ring.sqReady, ring.sqSpaceLeft, ring.getSqe()], [4, 0, undefined])
  t.is(ioUringEnter(fd, 4, 0, 0), 0, 'nothing is published')
  t.is(Atomics.load(ring.sq.tail, 0), 0)
  t.is(ring.flush(), 4)
  t.is(ring.flush(), 4, 'nothing more to publish')
  t.is(ioUringEnter(fd, 3, 0, 0), 3)
  t.deepEqual([ring.sqReady, ring.sqSpaceLeft, ring.cqReady], [1, 3, 3])
  const again = nop(ring, 4n)
  t.is(sqes[0]?.byteOffset, again.byteOffset)
  t.is(ring.flush(), 2)
  t.is(enter(fd, 2, 5), 2)
  t.deepEqual(
    ring.copyCqes().map(({ userData }) => userData),
    [0n, 1n, 2n, 3n, 4n],
  )
})

test('getSqe: zeroes an entry that is reused', (t) => {
  const { fd, ring } = setupMappedRing(t, 1, { flags: IORING_SETUP_SQE128 })
  ring.sqes.fill(0xff)
  const sqe = nop(ring, 7n)
  t.is(sqe.byteLength, 128)
  t.is(ring.sqes.filter((byte) => byte === 0xff).length, 0)
  ring.flush()
  t.is(enter(fd, 1, 1), 1)
  t.deepEqual(ring.copyCqes().map(plain), [[7n, 0, 0]])
})

test('flush: the tail wraps around at 2^32', (t) => {
  const { fd, ring, params } = setupMappedRing(t, 4)
  // As if 2^32 - 2 entries had been used: both sides continue from there.
  for (const words of [ring.sq.head, ring.sq.tail, ring.cq.head, ring.cq.tail]) words[0] = 0xffff_fffe
  const late = mapRing(fd, params)
  t.teardown(() => late.unmap())
  for (let index = 0n; index < 4n; index += 1n) nop(late, index)
  t.is(late.flush(), 4)
  t.is(late.sq.tail[0], 2)
  t.deepEqual([late.sqReady, late.sqSpaceLeft], [4, 0])
  for (const place of [2, 3, 0, 1]) t.is(late.sq.array?.[place], place)
})

test('peekCqe, cqeSeen, copyCqes, cqAdvance: consume completions, and never more than there are', (t) => {
  const { fd, ring } = setupMappedRing(t, 8)
  t.is(ring.peekCqe(), undefined)
  t.deepEqual(ring.copyCqes(), [])
  for (let index = 0n; index < 6n; index += 1n) nop(ring, index, Number(index))
  ring.flush()
  t.is(enter(fd, 6, 6), 6)
  t.is(ring.cqReady, 6)
  t.is(ring.peekCqe()?.userData, 0n)
  t.is(ring.peekCqe()?.userData, 0n, 'it stays in the queue')
  ring.cqeSeen()
  t.is(ring.peekCqe()?.res, 1)
  t.deepEqual(ring.copyCqes(2).map(plain), [
    [1n, 1, 0],
    [2n, 2, 0],
  ])
  t.deepEqual(ring.copyCqes(0), [])
  ring.cqAdvance(0)
  ring.cqAdvance(2)
  t.is(ring.cqReady, 1)
  for (const wrong of [2, -1, 1.5, Number.NaN])
    t.throws(() => ring.cqAdvance(wrong), { code: 'ERR_OUT_OF_RANGE', message: /"count"/ })
  t.throws(() => ring.cqAdvance('1' as unknown as number), { code: 'ERR_INVALID_ARG_TYPE' })
  t.throws(() => ring.copyCqes(-1), { code: 'ERR_OUT_OF_RANGE', message: /"most"/ })
  t.is(ring.peekCqe()?.userData, 5n)
  ring.cqeSeen()
  t.throws(() => ring.cqeSeen(), { code: 'ERR_OUT_OF_RANGE' })
  t.is(Atomics.load(ring.cq.head, 0), Atomics.load(ring.cq.tail, 0))
})

test('copyCqes: with CQE_MIXED, returns both halves of 32-byte completions, and no filler', (t) => {
  const { fd, ring } = setupMappedRing(t, 4, {
    flags: IORING_SETUP_CQE_MIXED | IORING_SETUP_CQSIZE,
    cq_entries: 4,
  })
  const nop32 = (userData: bigint): void => {
    const sqe = nop(ring, userData, 9, IORING_NOP_CQE32)
    sqe.setBigUint64(SQE.off.offset, 2n ** 64n - userData, true)
    sqe.setBigUint64(SQE.addr.offset, userData, true)
  }
  const F_32 = 1 << 15
  for (let round = 0n; round < 8n; round += 1n) {
    nop(ring, round)
    nop32(round + 100n)
    ring.flush()
    t.is(enter(fd, 2, 2), 2)
    // A round takes three of four positions, so the 32-byte completion starts elsewhere each time, at times after filler.
    t.deepEqual(ring.copyCqes().map(plain), [
      [round, 0, 0],
      [round + 100n, 9, F_32, 2n ** 64n - round - 100n, round + 100n],
    ])
    t.is(ring.cqReady, 0)
  }
})

test('peekCqe: with CQE32, returns the second half', (t) => {
  const { fd, ring } = setupMappedRing(t, 2, { flags: IORING_SETUP_CQE32 })
  const sqe = nop(ring, 5n, 6, IORING_NOP_CQE32)
  sqe.setBigUint64(SQE.off.offset, 7n, true)
  sqe.setBigUint64(SQE.addr.offset, 8n, true)
  ring.flush()
  t.is(enter(fd, 1, 1), 1)
  t.like(ring.peekCqe(), { userData: 5n, res: 6, extra: [7n, 8n] })
  ring.cqeSeen()
  t.is(ring.cqReady, 0)
})

test('cqNeedsFlush: is true while completions have overflowed, until the kernel is entered', (t) => {
  const { fd, ring } = setupMappedRing(t, 2, { flags: IORING_SETUP_CQSIZE, cq_entries: 2 })
  t.false(ring.cqNeedsFlush)
  for (let round = 0n; round < 2n; round += 1n) {
    nop(ring, 2n * round)
    nop(ring, 2n * round + 1n)
    ring.flush()
    t.is(ioUringEnter(fd, 2, 0, 0), 2)
  }
  t.true(ring.cqNeedsFlush)
  t.is(ring.cqReady, 2)
  t.deepEqual(
    ring.copyCqes().map(({ userData }) => userData),
    [0n, 1n],
  )
  t.true(ring.cqNeedsFlush)
  t.is(enter(fd, 0, 0), 0)
  t.false(ring.cqNeedsFlush)
  t.deepEqual(
    ring.copyCqes().map(({ userData }) => userData),
    [2n, 3n],
  )
})

test('sqNeedsEnter: is always true without SQPOLL', (t) => {
  const { ring } = setupMappedRing(t, 2)
  t.true(ring.sqNeedsEnter)
  nop(ring, 0n)
  ring.flush()
  t.true(ring.sqNeedsEnter)
})

/** Yields to the event loop until a condition holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

test('sqNeedsEnter: with SQPOLL, is true only while the polling thread sleeps', async (t) => {
  const { fd, ring } = setupMappedRing(t, 4, { flags: IORING_SETUP_SQPOLL, sq_thread_idle: 1 })
  for (let round = 0n; round < 3n; round += 1n) {
    await until(() => ring.sqNeedsEnter)
    nop(ring, round)
    ring.flush()
    // The thread reads the tail once more after it has set the flag, and may find the entry then.
    await until(() => {
      if (ring.sqNeedsEnter) ioUringEnter(fd, 1, 0, IORING_ENTER_SQ_WAKEUP)
      return ring.cqReady === 1
    })
    t.deepEqual(ring.copyCqes().map(plain), [[round, 0, 0]])
  }
  const { fd: busyFd, ring: busy } = setupMappedRing(t, 4, {
    flags: IORING_SETUP_SQPOLL,
    sq_thread_idle: 60_000,
  })
  // A new thread that finds no entry sleeps at once; sq_thread_idle counts from its first entry.
  nop(busy, 8n)
  busy.flush()
  await until(() => {
    if (busy.sqNeedsEnter) ioUringEnter(busyFd, 1, 0, IORING_ENTER_SQ_WAKEUP)
    return busy.cqReady === 1
  })
  t.deepEqual(busy.copyCqes().map(plain), [[8n, 0, 0]])
  nop(busy, 9n)
  busy.flush()
  t.false(busy.sqNeedsEnter)
  await until(() => busy.cqReady === 1)
  t.is(busy.sqReady, 0)
  t.deepEqual(busy.copyCqes().map(plain), [[9n, 0, 0]])
})

test('mapRing: maps both queues separately without IORING_FEAT_SINGLE_MMAP (before 5.4)', (t) => {
  const { fd, params } = setupRing(t, 4)
  const flags = paramIndex('features')
  const apart = params.slice()
  apart[flags] = (params[flags] ?? 0) & ~IORING_FEAT_SINGLE_MMAP
  const before = mappings()
  const ring = mapRing(fd, apart)
  t.teardown(() => ring.unmap())
  t.is(mappings() - before, 3)
  t.not(ring.sq.head.buffer, ring.cq.head.buffer)
  nop(ring, 3n, 4)
  ring.flush()
  t.is(enter(fd, 1, 1), 1)
  t.deepEqual(ring.copyCqes().map(plain), [[3n, 4, 0]])
  const one = mapRing(fd, params)
  t.is(mappings() - before, 5)
  t.is(one.sq.head.buffer, one.cq.head.buffer)
  t.true(one.unmap())
  t.is(mappings() - before, 3)
  t.true(ring.unmap())
  t.is(mappings(), before)
})

test('cq.flags: IORING_CQ_EVENTFD_DISABLED disables eventfd notifications', (t) => {
  const { fd, ring } = setupMappedRing(t, 4)
  const counter = closing(t, eventfd())
  t.is(ioUringRegister(fd, 4, Int32Array.of(counter), 1), 0)
  t.deepEqual([...(ring.cq.flags ?? [])], [0])
  ring.cq.flags?.set([1])
  nop(ring, 0n)
  ring.flush()
  t.is(enter(fd, 1, 1), 1)
  t.throws(() => readCounter(counter), { code: 'EAGAIN' })
  ring.cq.flags?.set([0])
  nop(ring, 0n)
  ring.flush()
  t.is(enter(fd, 1, 1), 1)
  t.is(readCounter(counter), 1n)
})

function readCounter(fd: number): bigint {
  const bytes = Buffer.alloc(8)
  readSync(fd, bytes)
  return bytes.readBigUInt64LE()
}

test('cq.flags: is undefined on kernels before 5.8', (t) => {
  const { fd, params } = setupRing(t, 4)
  const old = params.slice()
  old[offsetIndex('cq_off', 'flags')] = 0
  const ring = mapRing(fd, old)
  t.teardown(() => ring.unmap())
  t.is(ring.cq.flags, undefined)
  t.is(ring.cq.overflow[0], 0)
})

test('getSqe: returns nothing if another mapping has moved the tail', (t) => {
  const { fd, params, ring: late } = setupMappedRing(t, 4)
  const other = mapRing(fd, params)
  t.teardown(() => other.unmap())
  for (let index = 0n; index < 3n; index += 1n) nop(other, index)
  other.flush()
  t.is(enter(fd, 3, 3), 3)
  t.is(late.sqSpaceLeft, 0)
  t.is(late.getSqe(), undefined)
  t.is(late.copyCqes().length, 3, 'any mapping can consume the completions')
  t.is(other.cqReady, 0)
})

test('getSqe, flush: throw with IORING_SETUP_SQ_REWIND', (t) => {
  const { fd, params } = setupRing(t, 4, { flags: IORING_SETUP_NO_SQARRAY })
  const rewound = params.slice()
  rewound[paramIndex('flags')] = (params[paramIndex('flags')] ?? 0) | IORING_SETUP_SQ_REWIND
  const ring = mapRing(fd, rewound)
  t.teardown(() => ring.unmap())
  for (const call of [() => ring.getSqe(), () => ring.flush()])
    t.throws(call, { instanceOf: UringError, code: 'ERR_URING_UNSUPPORTED', message: /SQ_REWIND/ })
  t.is(ring.sqes.byteLength, 256)
  t.is(ring.cqReady, 0)
})

test('mapRing: throws for wrong arguments', (t) => {
  const { fd, params } = setupRing(t, 4)
  const before = mappings()
  const none = 'x' as unknown as number
  for (const [name, code, call] of [
    ['fd', 'ERR_INVALID_ARG_TYPE', () => mapRing(none, params)],
    ['fd', 'ERR_OUT_OF_RANGE', () => mapRing(-1, params)],
    ['fd', 'ERR_OUT_OF_RANGE', () => mapRing(2 ** 31, params)],
    ['fd', 'ERR_OUT_OF_RANGE', () => mapRing(1.5, params)],
    ['params', 'ERR_INVALID_ARG_TYPE', () => mapRing(fd, null as unknown as Uint8Array)],
    ['params', 'ERR_INVALID_ARG_TYPE', () => mapRing(fd, {} as unknown as Uint8Array)],
    ['params.byteLength', 'ERR_OUT_OF_RANGE', () => mapRing(fd, params.subarray(1))],
    ['params.byteLength', 'ERR_OUT_OF_RANGE', () => mapRing(fd, new Uint8Array(121))],
  ] as const)
    t.true(t.throws(call, { code }, name).message.includes(`"${name}"`), name)
  t.is(mappings(), before)
  t.throws(() => mapRing(987_654, params), { instanceOf: UringError, code: 'EBADF', message: /mmap/ })
  const { fd: long } = file(t, Buffer.alloc(65_536))
  const path = openSync(devNull, 'r+')
  t.teardown(() => closeSync(path))
  for (const other of [long, path, closing(t, eventfd())])
    t.throws(() => mapRing(other, params), {
      code: 'ERR_INVALID_ARG_VALUE',
      message: /'fd' must be the descriptor of a ring/,
    })
  t.is(mappings(), before)
})

test('mapRing: accepts parameters in all kinds of memory', (t) => {
  const { fd, params } = setupRing(t, 4)
  const shared = new SharedArrayBuffer(120)
  new Uint32Array(shared).set(params)
  for (const bytes of [shared, params.buffer, new DataView(shared), Buffer.from(params.slice().buffer)]) {
    const ring = mapRing(fd, bytes)
    t.is(ring.sq.ringEntries, 4)
    t.true(ring.unmap())
  }
})

test('mapRing: throws for parameters of another ring, and leaves nothing mapped', (t) => {
  const { fd, params } = setupRing(t, 4)
  const larger = setupRing(t, 8)
  const before = mappings()
  const refused = (name: string, change: (words: Uint32Array) => void): void => {
    const words = params.slice()
    change(words)
    const error = t.throws(() => mapRing(fd, words), undefined, name) as Error & { code: string }
    t.true(['ERR_INVALID_ARG_VALUE', 'ERR_OUT_OF_RANGE'].includes(error.code), `${name}: ${error.code}`)
    t.true(error.message.includes(name), `${name}: ${error.message}`)
    t.is(mappings(), before, name)
  }
  refused('params', (words) => words.set(larger.params))
  refused('params', (words) => words.fill(0xffff_fffc, paramIndex('sq_off')))
  for (const entries of ['sq_entries', 'cq_entries'] as const) {
    for (const wrong of [0, 3, 0xffff_ffff])
      refused(`params.${entries}`, (words) => (words[paramIndex(entries)] = wrong))
    for (const wrong of [1, 2, 16, 1024, 2 ** 20, 2 ** 31])
      refused('params', (words) => (words[paramIndex(entries)] = wrong))
  }
  for (const name of ['head', 'tail', 'ring_mask', 'ring_entries', 'flags', 'dropped', 'array'] as const) {
    const at = offsetIndex('sq_off', name)
    refused(`params.sq_off.${name}`, (words) => (words[at] = 5))
    refused('params', (words) => (words[at] = 2 ** 20))
    refused('params', (words) => (words[at] = 0xffff_fffc))
  }
  for (const name of ['head', 'tail', 'ring_mask', 'ring_entries', 'overflow', 'cqes', 'flags'] as const) {
    const at = offsetIndex('cq_off', name)
    refused(`params.cq_off.${name}`, (words) => (words[at] = 6))
    refused('params', (words) => (words[at] = 2 ** 20))
  }
  // Offsets inside the memory, but of other words.
  for (const queue of ['sq_off', 'cq_off'] as const) {
    for (const name of ['ring_mask', 'ring_entries'] as const)
      refused(
        'params',
        (words) => (words[offsetIndex(queue, name)] = params[offsetIndex(queue, 'head')] ?? 0),
      )
  }
  refused('params.cq_off.cqes', (words) => (words[offsetIndex('cq_off', 'cqes')] = 68))
  refused('params.sq_off.array', (words) => (words[offsetIndex('sq_off', 'array')] = 0))
  refused('params.flags', (words) => (words[paramIndex('flags')] = IORING_SETUP_NO_MMAP))
})

test('mapRing: throws for a page more than the ring has, which the kernel accepts', (t) => {
  const { fd, params } = setupRing(t, 64, { flags: IORING_SETUP_NO_SQARRAY })
  // 64 entries of 64 bytes are one page; with 128 bytes each, they would be two.
  const larger = params.slice()
  larger[paramIndex('flags')] = (params[paramIndex('flags')] ?? 0) | IORING_SETUP_SQE128
  const before = mappings()
  t.throws(() => mapRing(fd, larger), { code: 'ERR_INVALID_ARG_VALUE', message: /'params' must be/ })
  t.is(mappings(), before)
})

test('mapRing: every view is inside the mapping, whatever the parameters are', (t) => {
  const { fd, params } = setupRing(t, 64)
  const before = mappings()
  let refusals = 0
  assert(
    property(
      array(
        tuple(
          nat({ max: 29 }),
          oneof(
            nat({ max: 8192 }),
            integer({ min: 0, max: 31 }).map((bit) => 2 ** bit),
            nat(),
          ),
        ),
        { minLength: 1, maxLength: 4 },
      ),
      (changes) => {
        const words = params.slice()
        for (const [at, value] of changes) words[at] = value
        let ring: MappedRing
        try {
          ring = mapRing(fd, words)
        } catch (error) {
          refusals += 1
          return /^ERR_(INVALID_ARG_VALUE|OUT_OF_RANGE)$/.test((error as { code: string }).code)
        }
        // Reads all of it: a view beyond the mapping would end the process.
        const { sq, cq, sqes } = ring
        const views = [
          sq.head,
          sq.tail,
          sq.flags,
          sq.dropped,
          sq.array,
          cq.head,
          cq.tail,
          cq.overflow,
          cq.flags,
        ]
        let sum = 0
        for (const view of [...views, cq.cqes, sqes]) for (const value of view ?? []) sum += value
        return sum >= 0 && ring.unmap()
      },
    ),
    { numRuns: 400 },
  )
  t.true(refusals > 100 && refusals < 400, `${refusals}`)
  t.is(mappings(), before)
})

/** Creates a ring with IORING_SETUP_NO_MMAP: one page for the queues, and another for the entries. */
function noMmap(t: ExecutionContext): { fd: number; params: Uint32Array } {
  const memory = new SharedArrayBuffer(3 * 4096)
  const base = addressOf(new Uint8Array(memory))
  const first = BigInt(base + ((4096 - (base % 4096)) % 4096))
  const params = new Uint32Array(structs.io_uring_params.size / 4)
  const words64 = new BigUint64Array(params.buffer)
  params[paramIndex('flags')] = IORING_SETUP_NO_MMAP | IORING_SETUP_NO_SQARRAY
  words64[offsetIndex('cq_off', 'user_addr') / 2] = first
  words64[offsetIndex('sq_off', 'user_addr') / 2] = first + 4096n
  const fd = ioUringSetup(4, params)
  t.true(fd >= 0, `${fd}`)
  return { fd: closing(t, fd), params }
}

test('mapRing: throws with IORING_SETUP_NO_MMAP', (t) => {
  const { fd, params } = noMmap(t)
  t.throws(() => mapRing(fd, params), { code: 'ERR_INVALID_ARG_VALUE', message: /IORING_SETUP_NO_MMAP/ })
  const lying = params.slice()
  lying[paramIndex('flags')] = IORING_SETUP_NO_SQARRAY
  t.throws(() => mapRing(fd, lying), { instanceOf: UringError, code: 'ENOMEM', message: /mmap/ })
})
