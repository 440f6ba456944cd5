// Registered files in promises, iterators and chains, and between rings.

import { once } from 'node:events'
import { writeFileSync, writeSync } from 'node:fs'
import type { Socket as NetSocket } from 'node:net'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import {
  Accept,
  AcceptMulti,
  type ChainError,
  Close,
  FilesUpdate,
  FixedFdInstall,
  FixedFile,
  MsgRingSendFd,
  OpenAt,
  OpenAt2,
  Pipe,
  Read,
  Recv,
  Ring,
  Send,
  Socket,
  SocketDomain,
  SocketType,
  Write,
} from 'uring'
import { value } from '../helpers/completions.ts'
import { client, listening } from '../helpers/connections.ts'
import { directory, fifo, file } from '../helpers/files.ts'
import { descriptors, failure, ringFor, until } from '../helpers/multishot.ts'
import { contentOf, contents, files } from '../helpers/registered.ts'
import { closing } from '../helpers/sockets.ts'

const PATIENCE = { timeout: 30_000 }

// ---- promises, chains and iterators

test('run: operations use, fill and close slots', async (t) => {
  const ring = ringFor(t)
  const { path } = file(t, 'content')
  const table = ring.registerFiles(4)
  const slot = table.acquire()
  const bytes = Buffer.alloc(7)
  for (const fill of [
    () => ring.run(new OpenAt(path, { direct: slot })),
    () => ring.run(new OpenAt2(path, { direct: new FixedFile(slot.index) })),
    () => ring.run(new FilesUpdate([file(t, 'content').fd], { offset: slot.index })),
  ]) {
    await fill()
    bytes.fill(0)
    t.is(await ring.run(new Read(slot, bytes, { offset: 0 })), 7)
    t.is(bytes.toString(), 'content')
    t.is(await ring.run(new Close(slot)), 0)
    t.like(await failure(ring.run(new Read(slot, bytes))), { code: 'EBADF', operation: 'Read' })
  }
  const auto = await ring.run(new OpenAt(path, { direct: 'auto' }))
  t.true(auto instanceof FixedFile && auto.index !== slot.index)
  t.is(await ring.run(new Read(auto, bytes)), 7)
  const [read, write] = await ring.run(new Pipe({ direct: 1 }))
  t.is(await ring.run(new Write(write, Buffer.from('piped'))), 5)
  t.is(await ring.run(new Read(read, bytes)), 5)
  const descriptor = closing(t, await ring.run(new FixedFdInstall(auto)))
  table.unregister()
  t.is(await ring.run(new Read(descriptor, bytes, { offset: 0 })), 7)
})

test('run: a read in flight survives unregister()', async (t) => {
  const ring = ringFor(t)
  const gate = fifo(t)
  const table = ring.registerFiles([gate])
  const bytes = Buffer.alloc(4)
  const read = ring.run(new Read(table.at(0), bytes))
  await until(() => ring.inFlight === 1)
  table.unregister()
  t.like(await failure(ring.run(new Read(new FixedFile(0), bytes))), { code: 'EBADF' })
  writeSync(gate, 'late')
  t.is(await read, 4)
  t.is(bytes.toString(), 'late')
})

test('chain: opens into a slot, reads from it and closes it, as one submission', async (t) => {
  const ring = ringFor(t)
  const place = directory(t)
  const table = ring.registerFiles(8)
  const before = ring.stats().systemCalls
  const texts = Array.from({ length: 200 }, (_, index) => `the content of ${index}`.padEnd(40))
  for (const [index, text] of texts.entries()) writeFileSync(join(place, String(index)), text)
  const slots = Array.from({ length: 8 }, () => table.acquire())
  const found: string[] = []
  await Promise.all(
    slots.map(async (slot, first) => {
      for (let index = first; index < texts.length; index += slots.length) {
        const bytes = Buffer.alloc(40)
        const results = await ring.chain([
          new OpenAt(join(place, String(index)), { direct: slot }),
          new Read(slot, bytes, { offset: 0 }),
          new Close(slot),
        ])
        t.deepEqual(results, [slot, 40, 0])
        found[index] = bytes.toString()
      }
    }),
  )
  t.deepEqual(found, texts)
  t.true(ring.stats().systemCalls - before < 600, 'fewer than there are operations')
  for (const slot of slots) t.is(contentOf(ring, slot), 'EBADF')
  for (const slot of slots) table.release(slot)
})

test('chain: a failed step leaves the slot unchanged', async (t) => {
  const ring = ringFor(t)
  const table = ring.registerFiles(2)
  const slot = table.acquire()
  const steps = (path: string) => [
    new OpenAt(path, { direct: slot }),
    new Read(slot, Buffer.alloc(4), { offset: 0 }),
    new Close(slot),
  ]
  const missing = (await failure(ring.chain(steps('/there/is/none')))) as ChainError
  t.like(missing, { code: 'ENOENT', step: 0 })
  t.is(contentOf(ring, slot), 'EBADF')
  // A short read breaks the chain before the slot is closed: the program has to close it.
  const short = (await failure(ring.chain(steps(file(t, 'ab').path)))) as ChainError
  t.like(short, { code: 'ERR_URING_SHORT', step: 1 })
  t.is(contentOf(ring, slot), 'ab')
  table.release(slot)
  t.is(contentOf(ring, slot), 'EBADF')
})

test.serial('chain: through a slot, creates no descriptor', async (t) => {
  const ring = new Ring({ entries: 16 })
  const { path } = file(t, 'x')
  const table = ring.registerFiles(16)
  const slot = table.acquire()
  const chain = () =>
    ring.chain([
      new OpenAt(path, { direct: slot }),
      new Read(slot, Buffer.alloc(1), { offset: 0 }),
      new Pipe({ direct: 0 }),
      new Socket(SocketDomain.INET, SocketType.STREAM, { direct: 'auto' }),
      new Close(slot),
    ])
  await chain()
  const before = descriptors()
  for (let round = 0; round < 5; round += 1) {
    await chain()
    t.is(descriptors(), before)
  }
  table.update(0, [-1, -1, -1, -1, -1, -1])
  table.unregister()
  for (let round = 0; round < 3; round += 1) {
    using again = ring.registerFiles([0, 1, 2])
    t.is(again.size, 3)
  }
  t.is(descriptors(), before)
  await ring.close()
  t.true(descriptors() < before)
})

test('each: accepts connections into slots that the kernel chooses, and serves them', async (t) => {
  const ring = ringFor(t, { entries: 64 })
  const server = listening(t, ring)
  const table = ring.registerFiles(12)
  table.allocRange(0, 8)
  const mine = [table.acquire(), table.acquire(), table.acquire(), table.acquire()]
  const used = new Set<number>()
  const serving = (async () => {
    let served = 0
    const serve = async (connection: FixedFile): Promise<void> => {
      const bytes = Buffer.alloc(64)
      for (;;) {
        const count = await ring.run(new Recv(connection, bytes))
        if (count === 0) break
        await ring.run(new Send(connection, bytes.subarray(0, count)))
      }
      await ring.run(new Close(connection))
    }
    const all: Promise<void>[] = []
    for await (const connection of ring.each(new AcceptMulti(server.fd, { direct: 'auto' }))) {
      used.add(connection.index)
      all.push(serve(connection))
      served += 1
      if (served === 24) break
    }
    await Promise.all(all)
  })()
  const talk = async (peer: NetSocket, text: string): Promise<void> => {
    peer.write(text)
    const [echo] = (await once(peer, 'data')) as [Buffer]
    t.is(echo.toString(), text)
    const end = once(peer, 'end')
    peer.end()
    await end
  }
  for (let round = 0; round < 3; round += 1) {
    const peers = await Promise.all(Array.from({ length: 8 }, () => client(t, server.address)))
    await Promise.all(peers.map((peer, index) => talk(peer, `round ${round}, client ${index}`)))
  }
  await serving
  t.true([...used].every((slot) => slot < 8))
  for (const slot of mine) t.is(contentOf(ring, slot), 'EBADF')
  t.is(contents(ring, 12), Array.from({ length: 12 }, () => '-').join(' '))
})

test('each: a full table ends the iteration, and accepted connections stay', async (t) => {
  const ring = ringFor(t)
  const server = listening(t, ring)
  const table = ring.registerFiles(6)
  table.allocRange(2, 2)
  const connections = ring.each(new AcceptMulti(server.fd, { direct: 'auto' }))
  const found: number[] = []
  for (const slot of [2, 3]) {
    const [next] = await Promise.all([connections.next(), client(t, server.address)])
    t.is(next.value?.index, slot)
    found.push(slot)
  }
  const [full] = await Promise.all([failure(connections.next()), client(t, server.address)])
  t.like(full, { code: 'ENFILE', operation: 'AcceptMulti' })
  t.deepEqual(await connections.next(), { done: true, value: undefined })
  for (const slot of found) t.is(await ring.run(new Write(table.at(slot), Buffer.from('x'))), 1)
})

test('Socket, Accept: use acquired slots', async (t) => {
  const ring = ringFor(t)
  const server = listening(t, ring)
  const table = ring.registerFiles(4)
  const [here, there] = [table.acquire(), table.acquire()]
  const [accepted, peer] = await Promise.all([
    ring.run(new Accept(server.fd, { direct: here })),
    client(t, server.address),
  ])
  t.deepEqual(accepted, here)
  peer.write('hello')
  const bytes = Buffer.alloc(5)
  t.is(await ring.run(new Recv(here, bytes)), 5)
  t.is(bytes.toString(), 'hello')
  t.deepEqual(await ring.run(new Socket(SocketDomain.INET, SocketType.STREAM, { direct: there })), there)
  const end = once(peer.resume(), 'end')
  table.release(here)
  await end
  table.release(there)
  t.is(contents(ring, 4), '- - - -')
})

// ---- between rings

test('MsgRingSendFd: passes a file between tables of two rings, without its tag', (t) => {
  using ring = new Ring({ entries: 4 })
  using other = new Ring({ entries: 4 })
  const [a = 0, b = 0] = files(t, 'a', 'b')
  const table = ring.registerFiles([a, b], { tags: [1n, 2n] })
  const target = other.registerFiles(4)
  target.allocRange(0, 1)
  const slot = target.acquire()
  const send = (from: FixedFile, direct: FixedFile | 'auto'): number =>
    value(ring, new MsgRingSendFd(other, from, { direct, data: 7 }))
  t.is(send(table.at(1), slot), slot.index)
  t.is(send(table.at(0), 'auto'), 0)
  for (let message = 0; message < 2; message += 1)
    t.like(other.wait(PATIENCE), { source: 'message', userData: 7n })
  t.is(contentOf(other, slot) + contentOf(other, 0), 'ba')
  // A slot is a number: it names a slot of the ring that it is used with.
  t.is(contentOf(other, table.at(0)), 'a')
  t.is(contentOf(ring, slot), 'b')
  table.unregister()
  const own = ring.waitMany(2).map(({ userData }) => userData)
  t.deepEqual(own.toSorted(), [1n, 2n], 'tags belong to slots')
  t.is(contentOf(other, slot) + contentOf(other, 0), 'ba')
  target.release(slot)
  t.is(contentOf(other, slot), 'EBADF')
  t.is(other.tryWait(), undefined)
})

test('MsgRingSendFd: passes a file to the table of a worker, and back', async (t) => {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(${JSON.stringify(import.meta.resolve('uring'))}).then(({ MsgRingSendFd, Read, Ring }) => {
      const ring = new Ring({ entries: 8 })
      const table = ring.registerFiles(4)
      table.allocRange(0, 1)
      const slot = table.acquire()
      parentPort.postMessage({ fd: ring.fd, slot: slot.index })
      const { source, result, userData } = ring.wait({ timeout: Infinity })
      const bytes = Buffer.alloc(7)
      ring.push(new Read(slot, bytes, { offset: 0 }))
      const read = ring.wait().value
      parentPort.postMessage({ source, result, userData, text: bytes.toString('latin1', 0, read) })
      ring.push(new MsgRingSendFd({ fd: workerData }, slot, { direct: 3, data: 9 }))
      parentPort.postMessage({ sent: ring.wait().value })
      table.unregister()
      ring[Symbol.dispose]()
    })
  `
  using ring = new Ring({ entries: 8 })
  const table = ring.registerFiles([-1, file(t, 'content').fd, -1, -1])
  const worker = new Worker(source, { eval: true, workerData: ring.fd })
  t.teardown(() => worker.terminate())
  const exit = once(worker, 'exit')
  const [{ fd, slot }] = (await once(worker, 'message')) as [{ fd: number; slot: number }]
  const answers = (async () => {
    const [content] = (await once(worker, 'message')) as [unknown]
    const [sent] = (await once(worker, 'message')) as [unknown]
    return [content, sent]
  })()
  t.is(value(ring, new MsgRingSendFd({ fd }, table.at(1), { direct: slot, data: 8 })), slot)
  t.deepEqual(await answers, [{ source: 'message', result: 0, userData: 8n, text: 'content' }, { sent: 3 }])
  t.deepEqual(await exit, [0])
  t.like(ring.wait(PATIENCE), { source: 'message', userData: 9n })
  t.is(contentOf(ring, 3), 'content')
})
