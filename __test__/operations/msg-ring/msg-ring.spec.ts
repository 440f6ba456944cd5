// Messages to other rings.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import {
  CqeFlags,
  FixedFile,
  MsgRingData,
  MsgRingFlags,
  MsgRingSendFd,
  Nop,
  Read,
  Ring,
  type UringError,
} from 'uring'
import { complete, outcome, TIMEOUT } from '../../helpers/completions.ts'
import { file } from '../../helpers/files.ts'

const MAX_DATA = 2n ** 62n - 1n

test('MsgRingData: posts a completion to the other ring', (t) => {
  using ring = new Ring({ entries: 8 })
  using other = new Ring({ entries: 8 })
  for (const [result, data] of [
    [0, 0],
    [7, 1],
    [-5, 2 ** 40 + 3],
    [0x7fff_ffff, 2n ** 33n],
    [-0x8000_0000, MAX_DATA],
  ] as const) {
    t.is(outcome(ring, new MsgRingData(other, result, data)), 0)
    const message = other.wait(TIMEOUT)
    t.is(message?.source, 'message')
    t.is(message?.token, 0)
    t.is(message?.userData, BigInt(data))
    t.is(message?.result, result)
    t.is(message?.value, result)
    t.is(message?.flags, 0)
    t.true(message?.ok)
  }
  t.is(other.tryWait(), undefined)
  t.is(ring.tryWait(), undefined)
  // A message is queued with the other ring's own completions.
  other.push(new Nop({ result: 3 }), 'own')
  t.is(outcome(ring, new MsgRingData({ fd: other.fd }, 4, 5)), 0)
  const both = other.waitMany(2, TIMEOUT)
  t.deepEqual(
    new Set(both.map(({ userData, result }) => `${String(userData)} ${result}`)),
    new Set(['own 3', '5 4']),
  )
})

test('MsgRingData: a ring can send messages to itself', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new MsgRingData(ring, 9, 1n), 'sent')
  const all = ring.waitMany(2, TIMEOUT)
  t.deepEqual(all.map(({ source }) => source).toSorted(), ['message', 'operation'])
  t.is(all.find(({ source }) => source === 'message')?.result, 9)
})

test('MsgRingData: passes userFlags as the flags of the completion', (t) => {
  using ring = new Ring({ entries: 8 })
  using other = new Ring({ entries: 8 })
  const flagsOf = (options: { flags?: number; userFlags?: number }): number | undefined => {
    t.is(outcome(ring, new MsgRingData(other, 1, 1, options)), 0)
    return other.wait(TIMEOUT)?.flags
  }
  t.is(flagsOf({ userFlags: CqeFlags.SOCK_NONEMPTY | 0x1234_0000 }), 0x1234_0004)
  t.is(flagsOf({ userFlags: 0 }), 0)
  t.is(flagsOf({ flags: MsgRingFlags.FLAGS_PASS }), 0)
  t.is(flagsOf({}), 0)
  t.is(outcome(ring, new MsgRingData(other, 1, 1, { flags: 1 << 30 })), 'EINVAL') // no such flag
  t.is(other.tryWait(), undefined)
})

test('MsgRingData: fails for a ring that is not enabled yet', (t) => {
  using ring = new Ring({ entries: 8 })
  using disabled = new Ring({ entries: 8, disabled: true })
  const { fd } = file(t)
  const { error } = complete(ring, new MsgRingData({ fd }, 1, 1))
  t.is(error?.code, 'EBADFD')
  t.is(error?.operation, 'MsgRingData')
  t.is(error?.syscall, 'msg_ring')
  t.is(outcome(ring, new MsgRingData({ fd: 99_999 }, 1, 1)), 'EBADF')
  t.is(outcome(ring, new MsgRingData(disabled, 1, 1)), 'EBADFD')
  const closed = new Ring({ entries: 2 })
  const message = new MsgRingData(closed, 1, 1)
  closed[Symbol.dispose]()
  t.throws(() => ring.push(message), { code: 'ERR_OUT_OF_RANGE', message: /"ring\.fd"/ })
})

test('MsgRingData: wakes a ring that waits in another thread', async (t) => {
  const source = `
    const { parentPort } = require('node:worker_threads')
    import(${JSON.stringify(import.meta.resolve('uring'))}).then(({ MsgRingData, Ring }) => {
      const ring = new Ring({ entries: 8 })
      parentPort.once('message', (fd) => {
        ring.push(new MsgRingData({ fd }, 43, 2n ** 61n + 1n))
        parentPort.postMessage({ done: ring.wait().value })
        ring[Symbol.dispose]()
      })
      parentPort.postMessage({ fd: ring.fd })
      const { source, result, userData, token } = ring.wait({ timeout: Infinity })
      parentPort.postMessage({ source, result, userData, token })
    })
  `
  const worker = new Worker(source, { eval: true })
  t.teardown(() => worker.terminate())
  using ring = new Ring({ entries: 8 })
  const [{ fd }] = (await once(worker, 'message')) as [{ fd: number }]
  t.is(outcome(ring, new MsgRingData({ fd }, -42, MAX_DATA)), 0)
  t.deepEqual(await once(worker, 'message'), [
    { source: 'message', result: -42, userData: MAX_DATA, token: 0 },
  ])
  // And in the other direction.
  worker.postMessage(ring.fd)
  t.deepEqual(await once(worker, 'message'), [{ done: 0 }])
  const message = ring.wait(TIMEOUT)
  t.is(message?.source, 'message')
  t.is(message?.result, 43)
  t.is(message?.userData, 2n ** 61n + 1n)
})

function contentAt(ring: Ring, slot: number): string | undefined {
  const bytes = Buffer.alloc(5)
  const completion = complete(ring, new Read(new FixedFile(slot), bytes, { offset: 0 }))
  return completion.error?.code ?? bytes.toString('latin1', 0, completion.result)
}

test('MsgRingSendFd: puts a fixed file into a slot of the other ring', (t) => {
  using ring = new Ring({ entries: 8 })
  using other = new Ring({ entries: 8 })
  ring.registerFiles([-1, file(t, 'one').fd, file(t, 'two').fd])
  other.registerFiles([-1, -1, -1, -1])
  t.is(outcome(ring, new MsgRingSendFd(other, new FixedFile(2), { direct: 3, data: MAX_DATA })), 3)
  const message = other.wait(TIMEOUT)
  t.is(message?.source, 'message')
  t.is(message?.userData, MAX_DATA)
  t.is(message?.token, 0)
  t.is(contentAt(other, 3), 'two')
  t.is(contentAt(other, 2), 'EBADF')
  t.is(outcome(ring, new MsgRingSendFd({ fd: other.fd }, new FixedFile(1), { direct: new FixedFile(3) })), 3)
  t.is(other.wait(TIMEOUT)?.userData, 0n)
  t.is(contentAt(other, 3), 'one')
  t.is(contentAt(ring, 1), 'one') // the file is still in its slot here
})

test('MsgRingSendFd: lets the kernel choose a free slot', (t) => {
  using ring = new Ring({ entries: 8 })
  using other = new Ring({ entries: 8 })
  const files = ['a', 'b', 'c'].map((content) => file(t, content).fd)
  ring.registerFiles(files)
  other.registerFiles([-1, -1])
  const slots: unknown[] = []
  for (const [index, options] of [undefined, { direct: 'auto' as const, data: 2 ** 40 }].entries()) {
    const slot = outcome(ring, new MsgRingSendFd(other, new FixedFile(index), options))
    slots.push(slot)
    const message = other.wait(TIMEOUT)
    t.is(message?.userData, BigInt(options?.data ?? 0))
    t.is(message?.result, slot as number)
    t.is(contentAt(other, slot as number), 'abc'[index])
  }
  t.deepEqual(slots.toSorted(), [0, 1])
  t.is(outcome(ring, new MsgRingSendFd(other, new FixedFile(2))), 'ENFILE')
  t.is(other.tryWait(), undefined)
})

test('MsgRingSendFd: posts no message with skipCompletion', (t) => {
  using ring = new Ring({ entries: 8 })
  using other = new Ring({ entries: 8 })
  ring.registerFiles([file(t, 'quiet').fd])
  other.registerFiles([-1, -1])
  t.is(
    outcome(ring, new MsgRingSendFd(other, new FixedFile(0), { direct: 1, data: 5, skipCompletion: true })),
    1,
  )
  t.is(contentAt(other, 1), 'quiet')
  t.is(other.tryWait(), undefined)
  t.is(outcome(ring, new MsgRingSendFd(other, new FixedFile(0), { direct: 0, data: 6 })), 0)
  t.is(other.wait(TIMEOUT)?.userData, 6n)
})

test('MsgRingSendFd: fails if the ring, the file or the slot does not exist', (t) => {
  using ring = new Ring({ entries: 8 })
  using other = new Ring({ entries: 8 })
  using disabled = new Ring({ entries: 8, disabled: true })
  const { fd } = file(t)
  const send = (to: { fd: number }, slot: number, direct: number | 'auto'): unknown =>
    outcome(ring, new MsgRingSendFd(to, new FixedFile(slot), { direct }))
  t.is(send(other, 0, 'auto'), 'EBADF') // no table here
  ring.registerFiles([fd, -1])
  t.is(send(other, 0, 'auto'), 'ENFILE') // no table there
  t.is(send(other, 0, 1), 'ENXIO')
  other.registerFiles([-1, -1])
  t.is(send(other, 1, 'auto'), 'EBADF') // an empty slot
  t.is(send(other, 2, 'auto'), 'EBADF') // no such slot
  t.is(send(other, 0, 2), 'EINVAL') // no such slot there
  t.is(send(ring, 0, 1), 'EINVAL') // the same ring
  t.is(send({ fd }, 0, 'auto'), 'EBADFD')
  t.is(send(disabled, 0, 'auto'), 'EBADFD')
  const completion = complete(ring, new MsgRingSendFd({ fd }, new FixedFile(0)))
  t.like(completion.error, { operation: 'MsgRingSendFd', syscall: 'msg_ring' })
  t.throws<UringError>(() => completion.value, { code: 'EBADFD' })
  t.is(other.tryWait(), undefined)
})

test('MsgRingData: flags of a 32-byte completion add nothing to a ring with 16 bytes', (t) => {
  const F_32 = 1 << 15
  using sender = new Ring({ entries: 4 })
  using receiver = new Ring({ entries: 4, cqEntries: 4 })
  // Once around the queue: behind the last record there are no words.
  for (let index = 0; index < 20; index += 1) {
    sender.push(new MsgRingData(receiver, index, 5n, { userFlags: F_32 }))
    t.is(sender.wait()?.result, 0)
    const message = receiver.wait({ timeout: 10_000 })
    t.deepEqual([message?.result, message?.flags, message?.extra], [index, F_32, undefined])
  }
})
