// Multishot reads into the buffers of a group.

import { closeSync, writeSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { ProvideBuffers, ReadMulti, type Received, Ring, SocketDomain, SocketType } from 'uring'
import { socketpair } from 'uring/sys'
import { outcome, TIMEOUT } from '../../helpers/completions.ts'
import { fifo, file } from '../../helpers/files.ts'
import { closing } from '../../helpers/sockets.ts'

const GROUP = 9

function textOf(received: Received): string {
  return received.bytes.toString('latin1')
}

/** Waits for the next completion of a multishot read. */
function next(t: ExecutionContext, ring: Ring, text: string, more: boolean): Received | undefined {
  const completion = ring.wait(TIMEOUT)
  t.is(completion?.userData, 'multi')
  t.is(completion?.error, undefined)
  t.is(completion?.more, more)
  const received = completion?.value as Received
  t.is(textOf(received), text)
  return received
}

test('ReadMulti: completes with what was received, in order, until the group is empty', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  const memory = Buffer.alloc(12)
  t.is(outcome(ring, new ProvideBuffers(memory, 4, 3, GROUP, 40)), 0)
  const token = ring.push(new ReadMulti(fd, GROUP), 'multi')
  ring.submit()
  for (const [index, text] of ['one', 'four', 'x'].entries()) {
    writeSync(fd, text)
    const received = next(t, ring, text, true)
    t.is(received?.bytes.byteOffset, index * 4)
    t.is(received?.bytes.buffer, memory.buffer)
    t.notThrows(() => received?.release())
  }
  writeSync(fd, 'more')
  const last = ring.wait(TIMEOUT)
  t.is(last?.token, token)
  t.is(last?.error?.code, 'ENOBUFS')
  t.is(last?.error?.operation, 'ReadMulti')
  t.is(last?.error?.syscall, 'read')
  t.false(last?.more)
  t.is(ring.inFlight, 0)
})

test('ReadMulti: continues in the next buffer when one is full', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  t.is(outcome(ring, new ProvideBuffers(Buffer.alloc(16), 4, 4, { group: GROUP })), 0)
  writeSync(fd, 'abcdefghij')
  ring.push(new ReadMulti(fd, { group: GROUP }), 'multi')
  // A multishot operation may complete any number of times, so wait() accepts any count.
  const received = ring.waitMany(3).map(({ value }) => textOf(value as Received))
  t.deepEqual(received, ['abcd', 'efgh', 'ij'])
})

test('ReadMulti: ends with the end of the file', (t) => {
  using ring = new Ring({ entries: 8 })
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  closing(t, left)
  t.is(outcome(ring, new ProvideBuffers(Buffer.alloc(64), 16, 4, GROUP)), 0)
  ring.push(new ReadMulti(left, GROUP).build(), 'multi')
  ring.submit()
  writeSync(right, 'the end')
  next(t, ring, 'the end', true)
  closeSync(right)
  const received = next(t, ring, '', false)
  t.is(received?.bytes.length, 0)
  t.is(ring.inFlight, 0)
})

test('ReadMulti: fails for a file that cannot be polled, and for an empty group', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd } = file(t, 'regular')
  t.is(outcome(ring, new ProvideBuffers(Buffer.alloc(64), 16, 4, GROUP)), 0)
  t.is(outcome(ring, new ReadMulti(fd, GROUP)), 'EBADFD')
  t.is(outcome(ring, new ReadMulti(99_999, GROUP)), 'EBADF')
  const pipe = fifo(t)
  writeSync(pipe, 'x')
  t.is(outcome(ring, new ReadMulti(pipe, 77)), 'ENOBUFS') // no such group
})

test('ReadMulti: passes its options to the kernel', (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  t.is(outcome(ring, new ProvideBuffers(Buffer.alloc(64), 16, 4, GROUP)), 0)
  writeSync(fd, 'abcdef')
  // The kernel applies the length, or refuses it.
  ring.push(new ReadMulti(fd, GROUP, { length: 2, offset: 0 }), 'multi')
  const completion = ring.wait(TIMEOUT)
  if (completion?.error === undefined) t.is(textOf(completion?.value as Received), 'ab')
  else t.is(completion.error.code, 'EINVAL')
})
