// Closing buffer rings, and the lifetime of their memory.

import { readSync, writeSync } from 'node:fs'
import test from 'ava'
import { BufferRing, Entry, ProvideBuffers, Recv, RecvMulti, Send } from 'uring'
import { ioUringRegister } from 'uring/sys'
import { nextReceived, setup, texts } from '../helpers/buffer-rings.ts'
import { complete, outcome } from '../helpers/completions.ts'
import { script } from '../helpers/process.ts'
import { fillSendBuffer } from '../helpers/streams.ts'

const DONE = { code: 0, signal: null, stdout: 'done\n', stderr: '' }

// ---- closing

test('BufferRing: data received before close() stays available', (t) => {
  const { ring, group, near, far } = setup(t, { count: 3, size: 4 })
  ring.push(new RecvMulti(far, group))
  ring.submit()
  writeSync(near, 'abcdef')
  ring.submitAndWait(2)
  group.close()
  const [first, second] = [nextReceived(ring), nextReceived(ring)]
  t.is(String(first.value.bytes) + String(second.value.bytes), 'abcdef')
  t.deepEqual(texts(group.views(second)), ['ef'])
  first.value.release()
  t.throws(() => group.put(first), { code: 'ERR_URING_RESOURCE_CLOSED', message: /group 0/ })
  writeSync(near, 'x')
  t.is(nextReceived(ring).error?.code, 'ENOBUFS') // the kernel has no buffers any more
})

test('BufferRing: close() ends all methods, and may be called twice', (t) => {
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
  group.close() // another group has the number now
  t.is(other.head, 1)
})

test('BufferRing: close() accepts a group that was unregistered by a raw system call', (t) => {
  const { ring, group } = setup(t, { count: 2, size: 8, group: 6 })
  const registration = Buffer.alloc(40)
  registration.writeUInt16LE(6, 12)
  t.is(ioUringRegister(ring.fd, 23, registration, 1), 0)
  t.throws(() => group.head, { code: 'ENOENT', message: /io_uring_register/ })
  t.notThrows(() => group.close())
  t.notThrows(() => new BufferRing(ring, { count: 2, size: 8, group: 6 }))
})

test('BufferRing: a closed group keeps its number while an operation has a buffer of it', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 6, memory: Buffer.from('boundsback..') })
  const full = fillSendBuffer(ring, near)
  ring.push(new Send(near, { group }))
  ring.submit()
  group.close()
  const options = { count: 1, size: 1, group: group.group }
  t.throws(() => new BufferRing(ring, options), {
    code: 'ERR_URING_BUFFER_IN_USE',
    message: /group 0/,
  })
  t.is(new BufferRing(ring, { count: 1, size: 1 }).group, 1)
  // ProvideBuffers can use the number beside it.
  const legacy = Buffer.alloc(8, '.')
  ring.push(new ProvideBuffers(legacy, 8, 1, group, 77))
  t.is(nextReceived(ring).result, 0)
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
  const completion = nextReceived(ring)
  t.is(completion.result, 6)
  t.deepEqual(texts(group.views(completion)), ['bounds'])
  writeSync(far, 'legacy')
  t.is(complete(ring, new Recv(near, { group: 0 })).value.bytes.buffer, legacy.buffer)
  t.notThrows(() => new BufferRing(ring, options))
})

test('BufferRing: is closed with its ring', async (t) => {
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

test('BufferRing: reports transferred memory', (t) => {
  const { ring, near, far } = setup(t, { count: 1, size: 1 })
  const memory = new ArrayBuffer(16)
  const group = new BufferRing(ring, { count: 2, size: 8, memory: Buffer.from(memory) })
  writeSync(near, 'abc')
  const first = complete(ring, new Recv(far, { group }))
  ring.push(new Recv(far, { group }))
  ring.submit()
  const moved = structuredClone(memory, { transfer: [memory] })
  writeSync(near, 'def')
  const completion = nextReceived(ring)
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

test('BufferRing: does not return buffers that a custom entry has consumed unknown to the ring', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8 })
  writeSync(near, 'abc')
  const { bytes } = new Recv(far, { group }).build()
  const completion = complete(ring, Entry.from(bytes))
  t.is(completion.bufferId, 0)
  t.throws(() => group.put(completion), { code: 'ERR_INVALID_ARG_VALUE', message: /group 0/ })
})

// ---- memory

test('BufferRing: memory is held as long as the kernel has the group', async (t) => {
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
    if (gone.has('group memory')) throw new Error('the memory was released')
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
    if (gone.has('group memory')) throw new Error('the memory was released')
    for (const each of strangers) if (each.some((byte) => byte !== 0x55)) throw new Error('memory was overwritten')

    // Closed while an operation is in flight: the memory is held until it ends.
    let closed = new BufferRing(ring, { count: 2, size: SIZE / 2 })
    registry.register(closed.memory.buffer, 'closed memory')
    ring.push(new Recv(far, { group: closed }))
    ring.submit()
    closed.close()
    closed = undefined
    await collect()
    if (gone.has('closed memory')) throw new Error('the memory of the closed group was released')
    ring[Symbol.dispose]()
    ring = undefined
    await until('group memory')
    await until('closed memory')

    // A ring without references is collected with its groups.
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

    // A closed group is collected at once.
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

test('BufferRing: survives the end of a worker that receives', async (t) => {
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
