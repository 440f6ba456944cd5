// The lifetime of the memory of registered buffers, and the limit of locked memory.

import test from 'ava'
import { script } from '../helpers/process.ts'
import { canBeUnprivileged, unprivilegedScript } from '../helpers/restricted.ts'

const GC = ['--expose-gc']

const PRELUDE = `
  import { execFileSync } from 'node:child_process'
  import {
    constants, mkdtempSync, openSync, readdirSync, readlinkSync, readSync, rmSync, writeFileSync, writeSync,
  } from 'node:fs'
  import { tmpdir } from 'node:os'
  import { FixedBuffer, ReadFixed, ReadvFixed, Ring } from 'uring'
  const directory = mkdtempSync(tmpdir() + '/uring-test-')
  execFileSync('mkfifo', [directory + '/fifo'])
  const fd = openSync(directory + '/fifo', constants.O_RDWR | constants.O_NONBLOCK)
  process.on('exit', () => rmSync(directory, { recursive: true }))
  async function collect() {
    for (let round = 0; round < 4; round += 1) {
      await new Promise(setImmediate) // a WeakRef that was read keeps its target until then
      globalThis.gc()
    }
  }
  const own = (size) => Buffer.from(new ArrayBuffer(size))
  /** Tells if memory is still held, after a garbage collection. */
  const remaining = async (...refs) => {
    await collect()
    return refs.map((ref) => ref.deref() !== undefined).join(' ')
  }
`

async function lines(source: string): Promise<string[]> {
  const { code, stdout, stderr } = await script(PRELUDE + source, GC)
  if (code !== 0 || stderr !== '') throw new Error(stderr)
  return stdout.trim().split('\n')
}

test('registerBuffers: memory is held while it is registered, without a reference to the table', async (t) => {
  const out = await lines(`
    const ring = new Ring({ entries: 4 })
    const register = () => {
      const views = [own(100), new SharedArrayBuffer(200), own(300)]
      ring.registerBuffers(views)
      return views.map((view) => new WeakRef(view.buffer ?? view))
    }
    const refs = register()
    console.log(await remaining(...refs))
    const other = new Ring({ entries: 4 })
    other.cloneBuffers(ring, { count: 1 }).unregister()
    console.log(await remaining(...refs))
    await ring.close()
    console.log(await remaining(...refs))
    console.log(ring.closed)
  `)
  t.deepEqual(out, ['true true true', 'true true true', 'false false false', 'true'])
})

test('registerBuffers: memory is released when it is replaced or unregistered, or the ring is closed', async (t) => {
  const out = await lines(`
    const rings = []
    const make = (size) => {
      const ring = new Ring({ entries: 4 })
      rings.push(ring)
      const views = [own(100), own(100)]
      return { ring, table: ring.registerBuffers(views), refs: views.map(({ buffer }) => new WeakRef(buffer)) }
    }
    const replaced = make()
    replaced.table.at(0)
    replaced.table.update(0, [own(1)])
    const emptied = make()
    emptied.table.at(1)
    emptied.table.update(1, [null])
    const unregistered = make()
    unregistered.table.at(0)
    unregistered.table.unregister()
    const disposed = make()
    disposed.ring[Symbol.dispose]()
    const overwritten = make()
    const source = make()
    overwritten.ring.cloneBuffers(source.ring, { replace: true, count: 1 })
    for (const { refs } of [replaced, emptied, unregistered, overwritten]) console.log(await remaining(...refs))
    const { refs } = disposed
    disposed.table = undefined
    console.log(await remaining(...refs))
  `)
  t.deepEqual(out, ['false true', 'true false', 'false false', 'false true', 'false false'])
})

test('cloneBuffers: a clone holds memory independently of its source', async (t) => {
  const out = await lines(`
    const ring = new Ring({ entries: 4 })
    const clone = () => {
      const source = new Ring({ entries: 4 })
      const views = [own(100), own(100), own(100)]
      const table = source.registerBuffers(views)
      ring.cloneBuffers(source, { sourceOffset: 1 })
      table.unregister()
      source[Symbol.dispose]()
      return views.map(({ buffer }) => new WeakRef(buffer))
    }
    const refs = clone()
    console.log(await remaining(...refs))
    writeFileSync(directory + '/file', 'cloned')
    const noise = Array.from({ length: 100 }, () => own(100).fill('.'))
    ring.push(new ReadFixed(openSync(directory + '/file'), new FixedBuffer(0, Buffer.from(refs[1].deref()))))
    console.log(ring.wait().value, Buffer.from(refs[1].deref()).toString('latin1', 0, 7) === 'cloned\\0')
    console.log(noise.every((bytes) => bytes.every((byte) => byte === 46)))
    ring[Symbol.dispose]()
    console.log(await remaining(...refs))
  `)
  t.deepEqual(out, ['false true true', '6 true', 'true', 'false false false'])
})

for (const [how, change] of [
  ['unregistered', 'table.unregister()'],
  ['replaced', 'table.update(0, [own(SIZE)])'],
  ['emptied', 'table.update(0, [null])'],
  ['unregistered and followed by another', 'table.unregister(); ring.registerBuffers([own(SIZE)])'],
] as const) {
  test(`ReadFixed: bytes that arrive after a buffer was ${how} stay in its memory`, async (t) => {
    const out = await lines(`
      import { SocketDomain, SocketType } from 'uring'
      import { socketpair } from 'uring/sys'
      const SIZE = 5000
      const [from, to] = socketpair(SocketDomain.UNIX, SocketType.DGRAM)
      const rings = Array.from({ length: 8 }, () => new Ring({ entries: 4 }))
      const start = (ring, index) => {
        const memory = own(SIZE)
        const table = ring.registerBuffers([memory])
        const buffer = table.at(0)
        ring.push(index % 2 === 0 ? new ReadFixed(from, buffer) : new ReadvFixed(from, [buffer.subarray(8)]))
        ring.submit()
        ${change}
        return new WeakRef(memory.buffer)
      }
      const refs = rings.map(start)
      await collect()
      // Freed memory would be reused now.
      const noise = Array.from({ length: 400 }, () => own(SIZE).fill('.'))
      const memory = refs.map((ref) => ref.deref())
      console.log(memory.map((bytes) => bytes !== undefined).join(' '))
      for (const _ of rings) writeSync(to, 'x'.repeat(4000))
      console.log(rings.every((ring) => ring.wait().value === 4000))
      console.log(noise.every((bytes) => bytes.every((byte) => byte === 46)))
      console.log(memory.every((bytes) => Buffer.from(bytes).includes('x'.repeat(4000))))
    `)
    t.deepEqual(out, [Array(8).fill('true').join(' '), 'true', 'true', 'true'])
  })
}

for (const operation of [
  'new SendZc(client._handle.fd, table.at(0))',
  'new SendMsgZc(client._handle.fd, { buffers: [table.at(0).view] }, { fixedBuffer: 0 })',
]) {
  test(`${operation}: holds its buffer until the notification`, async (t) => {
    const out = await lines(`
      import { once } from 'node:events'
      import { connect, createServer } from 'node:net'
      import { SendMsgZc, SendZc } from 'uring'
      const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const client = connect(server.address().port, '127.0.0.1')
      const [[peer]] = await Promise.all([once(server, 'connection'), once(client, 'connect')])
      const ring = new Ring({ entries: 4 })
      const send = () => {
        const memory = own(2 ** 22)
        const table = ring.registerBuffers([memory])
        ring.push(${operation})
        ring.submit()
        table.unregister()
        return new WeakRef(memory.buffer)
      }
      const ref = send()
      console.log(ring.wait().more, await remaining(ref), ring.tryWait() === undefined)
      peer.resume()
      let free
      while ((free = ring.tryWait()) === undefined) await new Promise(setImmediate)
      console.log(free.notification, free.value > 0, await remaining(ref))
      client.destroy()
      peer.destroy()
      server.close()
    `)
    t.deepEqual(out, ['true true true', 'true true false'])
  })
}

test('Ring: is collected with registered buffers and reads into them', async (t) => {
  const out = await lines(`
    const count = () => readdirSync('/proc/self/fd').filter((name) => {
      try { return readlinkSync('/proc/self/fd/' + name) === 'anon_inode:[io_uring]' } catch { return false }
    }).length
    const own_ = count() // libuv has some on later versions of Node.js
    const refs = []
    const make = () => {
      const ring = new Ring({ entries: 8 })
      const memory = own(100)
      const table = ring.registerBuffers([memory])
      refs.push(new WeakRef(memory.buffer))
      for (let index = 0; index < 4; index += 1) ring.push(new ReadFixed(fd, table.at(0)))
      ring.submit()
    }
    for (let index = 0; index < 10; index += 1) make()
    console.log(count() - own_)
    for (let round = 0; round < 50 && count() > own_; round += 1) await collect()
    console.log(count() - own_)
    console.log((await remaining(...refs)).includes('true'))
    writeSync(fd, 'nobody')
    const bytes = Buffer.alloc(100)
    console.log(bytes.toString('latin1', 0, readSync(fd, bytes)))
  `)
  t.deepEqual(out, ['10', '0', 'false', 'nobody'])
})

test('Ring: a terminated worker releases registered buffers and reads into them', async (t) => {
  const out = await lines(`
    import { Worker } from 'node:worker_threads'
    const shared = new SharedArrayBuffer(100)
    const source = \`
      import { parentPort, workerData } from 'node:worker_threads'
      import { allocate, ReadFixed, Ring } from 'uring'
      const { fd, shared } = workerData
      const ring = new Ring({ entries: 16 })
      const table = ring.registerBuffers([shared, allocate(100), Buffer.from(new ArrayBuffer(100))])
      const clone = new Ring({ entries: 4 }).cloneBuffers(ring)
      for (let index = 0; index < 9; index += 1) ring.push(new ReadFixed(fd, table.at(index % 3)))
      ring.submit()
      setInterval(() => clone, 1000)
      parentPort.postMessage('reading')
    \`
    for (let round = 0; round < 5; round += 1) {
      const worker = new Worker(source, { eval: true, workerData: { fd, shared } })
      await new Promise((resolve) => worker.once('message', resolve))
      await worker.terminate()
    }
    writeSync(fd, 'nobody')
    const bytes = Buffer.alloc(100)
    console.log(bytes.toString('latin1', 0, readSync(fd, bytes)))
    console.log(Buffer.from(shared).equals(Buffer.alloc(100)))
  `)
  t.deepEqual(out, ['nobody', 'true'])
})

const ADMITTED = `
  import { openSync } from 'node:fs'
  import { allocate, ReadFixed, Ring } from 'uring'
  const failure = (call) => {
    try { call(); return 'none' } catch ({ name, code, errno, syscall, message }) { return [name, code, errno, syscall, message].join('|') }
  }
  const codeOf = (call) => failure(call).split('|')[1] ?? 'none'
`

test('registerBuffers: ENOMEM names the needed and the allowed bytes', async (t) => {
  if (!(await canBeUnprivileged(t))) {
    t.pass()
    return
  }
  const { code, stdout, stderr } = await unprivilegedScript(
    64,
    `${ADMITTED}
    const ring = new Ring({ entries: 1 })
    console.log(failure(() => ring.registerBuffers([allocate(1 << 20), Buffer.alloc(1)])))
    console.log(failure(() => ring.registerBuffers([allocate(4096)])))
    `,
  )
  t.is(stderr, '')
  t.is(code, 0)
  const [refused = '', admitted] = stdout.trim().split('\n')
  t.regex(
    refused,
    /^UringError\|ENOMEM\|-12\|io_uring_register\|ENOMEM: not enough memory, io_uring_register: /,
  )
  const needed = Number(/needs (\d+) bytes of locked memory/.exec(refused)?.[1])
  t.true(needed >= 2 ** 20 + 4096 && needed <= 2 ** 20 + 3 * 4096, refused)
  t.regex(refused, /65536.*ulimit -l/)
  t.is(admitted, 'none', 'a smaller registration works after that')
})

test('BufferTable: update() stops at the limit of locked memory, and returns the number of slots', async (t) => {
  if (!(await canBeUnprivileged(t))) {
    t.pass()
    return
  }
  const { stdout, stderr } = await unprivilegedScript(
    128,
    `${ADMITTED}
    const ring = new Ring({ entries: 1 })
    const few = () => allocate(8192)
    const table = ring.registerBuffers([null, null, few(), null])
    const before = table.at(2)
    console.log(table.update(0, [few(), few(), allocate(1 << 20), few()]), codeOf(() => table.at(1)))
    console.log(table.at(2) === before, codeOf(() => table.at(3)))
    ring.push(new ReadFixed(openSync('/dev/zero'), before))
    console.log(ring.wait().value)
    console.log(codeOf(() => table.update(2, [allocate(1 << 20)])), table.at(2) === before)
    console.log(table.update(3, [few()]), codeOf(() => table.at(3)))
    `,
  )
  t.is(stderr, '')
  t.is(stdout, '2 none\ntrue ERR_INVALID_ARG_VALUE\n8192\nENOMEM true\n1 none\n')
})

test('registerBuffers: retries until the memory of a closed ring is unlocked', async (t) => {
  if (!(await canBeUnprivileged(t))) {
    t.pass()
    return
  }
  const { stdout, stderr } = await unprivilegedScript(
    320,
    `${ADMITTED}
    const memory = allocate(200 * 1024)
    let failures = 0
    for (let round = 0; round < 12; round += 1) {
      const ring = new Ring({ entries: 1 })
      if (failure(() => ring.registerBuffers([memory])) !== 'none') failures += 1
      await ring.close()
    }
    console.log(failures)
    `,
  )
  t.is(stderr, '')
  t.is(stdout, '0\n')
})
