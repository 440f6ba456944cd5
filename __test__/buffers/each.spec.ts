// Buffer rings and the promise API: returning buffers, and waiting for them.

import { once } from 'node:events'
import { closeSync, writeSync } from 'node:fs'
import test from 'ava'
import {
  AcceptMulti,
  BufferRing,
  Close,
  Recv,
  RecvMsgMulti,
  RecvMulti,
  RecvMultiBundle,
  type Received,
  Send,
  SendBundle,
  SocketDomain,
  SocketType,
} from 'uring'
import { getsockname, socketpair } from 'uring/sys'
import { setup, texts } from '../helpers/buffer-rings.ts'
import { client, listening } from '../helpers/connections.ts'
import { failure, ringFor, turns, until } from '../helpers/multishot.ts'
import { pair } from '../helpers/sockets.ts'
import { bound } from '../helpers/streams.ts'

const text = ({ bytes }: Received): string => bytes.toString('latin1')

for (const incremental of [false, true]) {
  const kind = incremental ? 'incremental' : 'whole'

  test(`each: yields a copy and returns the buffer: ${kind} buffers`, async (t) => {
    const { ring, group, near, far } = setup(t, { count: 2, size: 4, incremental })
    const kept: Received[] = []
    const results = ring.each(new RecvMulti(far, group))
    let sent = ''
    let count = 0
    for (let round = 0; round < 20; round += 1) {
      writeSync(near, `m${round}`)
      sent += `m${round}`
      while (count < sent.length) {
        const { value } = await results.next()
        if (value === undefined) throw new Error('it ended')
        count += value.bytes.length
        kept.push(value)
        t.not(value.bytes.buffer, group.memory.buffer)
        value.release() // does nothing: no buffer is borrowed
      }
      t.is(group.available, 2)
    }
    t.is(kept.map(text).join(''), sent)
    await results.return?.()
    t.is(group.available, 2)
  })
}

test('each: copies wait for a slow consumer, and no buffer does', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 4, size: 2 })
  const results = ring.each(new RecvMulti(far, group), { highWaterMark: 100 })
  await turns(2)
  writeSync(near, 'abcdefghijklmnopqrstuvwxyz')
  await until(() => ring.stats().completed >= 13)
  await turns(5)
  t.is(group.available, 4)
  let came = ''
  while (came.length < 26) {
    const { value } = await results.next()
    if (value === undefined) throw new Error('it ended')
    came += text(value)
  }
  t.is(came, 'abcdefghijklmnopqrstuvwxyz')
  await results.return?.()
})

test('each: returns a borrowed buffer at the next step', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 3, size: 4 })
  const results = ring.each(new RecvMulti(far, group), { buffers: 'borrow' })
  let last: Received | undefined
  for (const message of ['one', 'two', 'six', 'ten', 'end']) {
    writeSync(near, message)
    const { value } = await results.next()
    if (value === undefined) throw new Error('it ended')
    t.is(value.bytes.buffer, group.memory.buffer)
    t.is(text(value), message)
    t.is(group.available, 2)
    if (message === 'six') {
      value.release()
      t.is(group.available, 3)
    }
    last = value
  }
  await results.return?.()
  t.is(group.available, 3)
  last?.release()
  t.is(group.available, 3)
})

test('each: returns the buffers of unread results when the loop is left', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 8, size: 1 })
  const results = ring.each(new RecvMulti(far, group), { buffers: 'borrow' })
  writeSync(near, 'abcde')
  t.is(text((await results.next()).value as Received), 'a')
  await until(() => group.available === 3)
  await results.return?.()
  t.is(group.available, 8)
})

test('each: borrows bundles', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 5, size: 2 })
  let came = ''
  writeSync(near, 'abcdefghij')
  for await (const received of ring.each(new RecvMultiBundle(far, group), { buffers: 'borrow' })) {
    t.deepEqual(texts(received.views).join(''), text(received))
    came += text(received)
    if (came.length === 10) {
      writeSync(near, 'klmnopqrst')
    }
    if (came.length === 20) break
  }
  t.is(came, 'abcdefghijklmnopqrst')
  t.is(group.available, 5)
})

test('run: the caller releases the received data', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8 })
  const both = [1, 2].map((length) => ring.run(new Recv(far, { group, length })))
  writeSync(near, 'abc')
  const [one, two] = await Promise.all(both)
  if (one === undefined || two === undefined) throw new Error('nothing came')
  t.deepEqual([one, two].map(text), ['a', 'bc'])
  writeSync(near, 'd')
  t.like(await failure(ring.run(new Recv(far, { group }))), { code: 'ENOBUFS' })
  two.release()
  t.is(text(await ring.run(new Recv(far, { group }))), 'd')
  t.is(text(one), 'a')
  t.is(group.available, 0)
})

test('run, chain: send buffers of a group', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 4, size: 3, memory: Buffer.from('onetwosixten') })
  t.is(await ring.run(new SendBundle(near, group)), 12)
  t.is(
    text(await ring.run(new Recv(far, { group: new BufferRing(ring, { count: 1, size: 99 }) }))),
    'onetwosixten',
  )
  for (const id of [1, 3]) group.put(id)
  t.deepEqual(await ring.chain([new Send(near, { group }), new Send(near, { group })]), [3, 3])
  t.is(group.available, 0)
})

test('each: messages have their senders, copied and borrowed', async (t) => {
  const ring = ringFor(t)
  const group = new BufferRing(ring, { count: 2, size: 256 })
  const to = bound(t, SocketType.DGRAM)
  const from = bound(t, SocketType.DGRAM)
  const address = getsockname(to.fd) as { address: string; port: number }
  for (const buffers of ['copy', 'borrow'] as const) {
    const messages = ring.each(new RecvMsgMulti(to.fd, group, { address: true }), { buffers })
    for (let round = 0; round < 6; round += 1) {
      await ring.run(new Send(from.fd, Buffer.from(`message ${round}`), { to: address }))
      const { value } = await messages.next()
      if (value === undefined) throw new Error('it ended')
      t.is(text(value), `message ${round}`)
      t.like(value.address, { port: from.port })
      t.is(group.available, buffers === 'copy' ? 2 : 1)
    }
    await messages.return?.()
    t.is(group.available, 2)
  }
})

// ---- no buffers left

test('each: continues after ENOBUFS when a buffer is returned', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 4 })
  writeSync(near, 'one.')
  const kept = [await ring.run(new Recv(far, { group }))]
  writeSync(near, 'two.')
  kept.push(await ring.run(new Recv(far, { group })))
  const results = ring.each(new RecvMulti(far, group))
  const came = results.next()
  writeSync(near, 'six.')
  await until(() => ring.inFlight === 0)
  const { submitted, systemCalls } = ring.stats()
  await turns(100)
  // It waits without submitting again.
  t.is(ring.stats().submitted, submitted)
  t.true(ring.stats().systemCalls - systemCalls < 20)
  kept[1]?.release()
  t.is(text((await came).value as Received), 'six.')
  writeSync(near, 'ten.')
  t.is(text((await results.next()).value as Received), 'ten.')
  t.is(kept[0] && text(kept[0]), 'one.')
  await results.return?.()
})

test('each: re-arms at once if a buffer was returned before ENOBUFS is seen', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 1, size: 4 })
  writeSync(near, 'one.')
  const kept = await ring.run(new Recv(far, { group }))
  const results = ring.each(new RecvMulti(far, group))
  const came = results.next()
  writeSync(near, 'two.')
  ring.push(new Send(near, Buffer.from('x')))
  // ENOBUFS is in the completion queue, and not consumed yet.
  await Promise.resolve()
  await Promise.resolve()
  kept.release()
  t.is(text((await came).value as Received), 'two.')
  await results.return?.()
})

test('each: a returned buffer wakes one waiter, the oldest first', async (t) => {
  const { ring, group } = setup(t, { count: 1, size: 4 })
  const pairs = Array.from({ length: 5 }, () => pair(t))
  const [first] = pairs
  if (first === undefined) throw new Error('no sockets')
  writeSync(first[0], 'none')
  const kept = await ring.run(new Recv(first[1], { group }))
  const came: number[] = []
  const waiting = pairs.map(async ([near, far], index) => {
    const results = ring.each(new RecvMulti(far, group), { buffers: 'borrow' })
    const step = results.next()
    writeSync(near, `${index}`)
    const { value } = await step
    came.push(index)
    t.is(text(value as Received), `${index}`)
    await turns(3)
    await results.return?.() // leaves it to the next one
  })
  await until(() => ring.inFlight === 0)
  const before = ring.stats().submitted
  kept.release()
  await Promise.all(waiting)
  t.deepEqual(came, [0, 1, 2, 3, 4])
  // For each of them, one submission that is woken, and one that is ended.
  t.true(ring.stats().submitted - before <= 15, `${ring.stats().submitted - before}`)
  t.is(group.available, 1)
})

test('each: a woken waiter that consumes no buffer leaves it to the next one', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 1, size: 4 })
  writeSync(near, 'none')
  const kept = await ring.run(new Recv(far, { group }))
  const ending = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  const ended = ring.each(new RecvMulti(ending[1], group))
  const end = ended.next()
  closeSync(ending[0])
  await until(() => ring.inFlight === 0)
  const results = ring.each(new RecvMulti(far, group))
  const came = results.next()
  writeSync(near, 'two.')
  await until(() => ring.inFlight === 0)
  await turns(5)
  kept.release()
  t.deepEqual(await end, { done: true, value: undefined })
  t.is(text((await came).value as Received), 'two.')
  await results.return?.()
  closeSync(ending[1])
})

test('each: a woken waiter at its limit leaves the buffer to the next one', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 4 })
  writeSync(near, 'one.')
  const kept = await ring.run(new Recv(far, { group }))
  const other = pair(t)
  writeSync(other[0], 'fullmore')
  const full = ring.each(new RecvMulti(other[1], group), { buffers: 'borrow', highWaterMark: 1 })
  await until(() => ring.inFlight === 0 && group.available === 0)
  const results = ring.each(new RecvMulti(far, group))
  const came = results.next()
  writeSync(near, 'two.')
  await until(() => ring.inFlight === 0)
  await turns(5)
  kept.release()
  t.is(text((await came).value as Received), 'two.')
  await results.return?.()
  t.is(text((await full.next()).value as Received), 'full')
  t.is(text((await full.next()).value as Received), 'more')
  await full.return?.()
  t.is(group.available, 2)
})

test('each: fails if the group is closed while it waits for a buffer', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 1, size: 4 })
  writeSync(near, 'none')
  await ring.run(new Recv(far, { group }))
  const results = ring.each(new RecvMulti(far, group))
  const came = failure(results.next())
  writeSync(near, 'two.')
  await until(() => ring.inFlight === 0)
  group.close()
  t.like(await came, { code: 'ERR_URING_RESOURCE_CLOSED' })
  t.deepEqual(await results.next(), { done: true, value: undefined })
  const again = ring.each(new RecvMulti(far, group.group))
  t.like(await failure(again.next()), { code: 'ERR_URING_RESOURCE_CLOSED' })
  const other = new BufferRing(ring, { count: 1, size: 4, group: group.group })
  const third = ring.each(new RecvMulti(far, other))
  t.is(text((await third.next()).value as Received), 'two.')
  await third.return?.()
})

test('each: waits for a group that is created later', async (t) => {
  const { ring, near, far } = setup(t, { count: 1, size: 4 })
  const results = ring.each(new RecvMulti(far, 42))
  const came = results.next()
  writeSync(near, 'two.')
  await until(() => ring.inFlight === 0)
  const group = new BufferRing(ring, { count: 1, size: 4, group: 42 })
  t.is(text((await came).value as Received), 'two.')
  await results.return?.()
  t.is(group.available, 1)
})

test('each: does not re-arm for each borrowed buffer of a slow consumer', async (t) => {
  const { ring, group, near, far } = setup(t, { count: 8, size: 1 })
  const results = ring.each(new RecvMulti(far, group), { buffers: 'borrow' })
  const sent = 'abcdefghijklmnopqrstuvwxyz'.repeat(8)
  writeSync(near, sent)
  let came = ''
  while (came.length < sent.length) {
    const { value } = await results.next()
    if (value === undefined) throw new Error('it ended')
    came += text(value)
    await turns(2)
  }
  t.is(came, sent)
  // Eight at a time.
  t.true(ring.stats().rearmed <= sent.length / 4, `${ring.stats().rearmed}`)
  await results.return?.()
  t.is(group.available, 8)
})

// ---- many users of one group

test('each: an echo server serves concurrent clients with one group', async (t) => {
  const ring = ringFor(t, { entries: 64 })
  const group = new BufferRing(ring, { count: 8, size: 64 })
  const server = listening(t, ring)
  const connections = ring.each(new AcceptMulti(server.fd))
  const serving = (async () => {
    const open: Promise<void>[] = []
    for await (const fd of connections) {
      open.push(
        (async () => {
          for await (const { bytes } of ring.each(new RecvMulti(fd, group), { buffers: 'borrow' }))
            await ring.run(new Send(fd, bytes, { flags: 0x100 /* all of it */ }))
          await ring.run(new Close(fd))
        })(),
      )
    }
    await Promise.all(open)
  })()
  const echoes = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const socket = await client(t, server.address)
      const content = Buffer.from(`${index}:${'x'.repeat(index * 37)}`)
      let came = Buffer.alloc(0)
      socket.on('data', (bytes: Buffer) => {
        came = Buffer.concat([came, bytes])
      })
      socket.end(content)
      await once(socket, 'end')
      return came.equals(content)
    }),
  )
  t.true(echoes.every(Boolean))
  await connections.return?.()
  await serving
  t.is(group.available, 8)
})
