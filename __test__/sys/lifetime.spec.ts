// The lifetime of a mapped ring's memory: it is mapped as long as something refers to it, and no longer.

import { closeSync } from 'node:fs'
import test from 'ava'
import { UringError } from 'uring'
import { ioUringSetup, mapRing } from 'uring/sys'
import { enter, mappings, setupMappedRing, setupRing } from '../helpers/mapped.ts'
import { script } from '../helpers/process.ts'

const OK = { code: 0, signal: null, stdout: 'ok\n', stderr: '' }

/** Source text of all programs: creates and maps rings, counts mappings, and runs the garbage collector. */
const HEAD = `
  import assert from 'node:assert'
  import { readFileSync } from 'node:fs'
  import * as sys from 'uring/sys'
  const mappings = () => readFileSync('/proc/self/maps', 'utf8').split('anon_inode:[io_uring]').length - 1
  const base = mappings()
  function make(entries = 8) {
    const params = new Uint32Array(30)
    const fd = sys.ioUringSetup(entries, params)
    assert(fd >= 0)
    return { fd, params }
  }
  function map(made = make()) {
    return sys.mapRing(made.fd, made.params)
  }
  // Finalizers run in a later turn of the event loop.
  async function collected(expected) {
    for (let turn = 0; turn < 200 && mappings() !== base + expected; turn += 1) {
      gc()
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(mappings() - base, expected)
  }
`

test.serial('mapRing: memory is unmapped when nothing refers to it', async (t) => {
  const source = `${HEAD}
    const made = make()
    for (let index = 0; index < 50; index += 1) map(made)
    assert(mappings() > base)
    await collected(0)
    // A view keeps its own mapping, and the other is unmapped.
    let tail = map(made).sq.tail
    await collected(1)
    tail[0] = 7
    assert.equal(map(made).sq.tail[0], 7)
    await collected(1)
    tail = undefined
    await collected(0)
    let sqes = map(made).sqes
    await collected(1)
    sqes.fill(0xaa)
    assert(map(made).sqes.every((byte) => byte === 0xaa))
    sqes = undefined
    await collected(0)
    // The MappedRing keeps both mappings.
    let ring = map(made)
    await collected(2)
    assert.equal(ring.sq.ringEntries, 8)
    ring = undefined
    await collected(0)
    console.log('ok')
  `
  t.deepEqual(await script(source, ['--expose-gc']), OK)
})

test.serial('unmap: leaves empty views, and does nothing when called again', async (t) => {
  const source = `${HEAD}
    const made = make()
    let ring = map(made)
    const { sq, cq, sqes } = ring
    assert.equal(ring.unmap(), true)
    assert.equal(mappings(), base)
    // Other mappings may reuse the addresses.
    const others = Array.from({ length: 20 }, () => map(made))
    assert.equal(ring.unmap(), true)
    for (const view of [sq.head, sq.tail, sq.flags, sq.array, cq.head, cq.cqes, sqes]) assert.equal(view.length, 0)
    sqes[0] = 1
    assert.throws(() => sqes.fill(1), TypeError)
    assert.throws(() => Atomics.store(sq.tail, 0, 1), TypeError)
    ring = undefined
    for (let turn = 0; turn < 20; turn += 1) {
      gc()
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(mappings() - base, 40)
    for (const other of others) {
      assert.equal(other.sq.ringEntries, 8)
      other.sqes.fill(3)
      assert.equal(other.unmap(), true)
    }
    assert.equal(mappings(), base)
    console.log('ok')
  `
  t.deepEqual(await script(source, ['--expose-gc']), OK)
})

/** Options that enable `ArrayBuffer.prototype.transfer`: Node.js 20 has it behind a flag. */
const TRANSFER = 'transfer' in ArrayBuffer.prototype ? [] : ['--harmony-rab-gsab-transfer']

test.serial(
  'unmap: memory that was transferred to another array buffer stays mapped until that is collected',
  async (t) => {
    const source = `${HEAD}
    const made = make()
    const ring = map(made)
    const { sqes } = ring
    let moved = sqes.buffer.transfer()
    assert.equal(sqes.length, 0)
    assert.equal(ring.unmap(), false, 'not all of it')
    assert.equal(mappings() - base, 1)
    new Uint8Array(moved).fill(9)
    assert(map(made).sqes.every((byte) => byte === 9))
    await collected(1)
    new Uint8Array(moved).fill(8)
    moved = undefined
    await collected(0)
    // unmap() transfers the buffers itself.
    const other = map(made)
    assert.equal(other.unmap(), true)
    assert.equal(mappings(), base)
    assert.equal(other.sqes.length, 0)
    console.log('ok')
  `
    t.deepEqual(await script(source, ['--expose-gc', ...TRANSFER]), OK)
  },
)

test.serial('unmap: leaves array buffers that cannot be detached to the garbage collector', async (t) => {
  // worker_threads.markAsUntransferable has this effect since Node.js 24.
  const lock = `
    ArrayBuffer.prototype.transfer = () => {
      throw new TypeError('locked')
    }
  `
  const source = `${HEAD}
    const ring = map()
    assert.equal(ring.unmap(), false)
    assert.equal(mappings() - base, 2)
    assert.throws(() => ring.flush(), { code: 'ERR_URING_CLOSED' })
    ring.sqes.fill(1)
    console.log('ok')
  `
  const first = `data:text/javascript,${encodeURIComponent(lock)}`
  t.deepEqual(await script(source, ['--import', first]), OK)
})

test.serial(
  'mapRing: structuredClone with a transfer list copies or throws, and the memory stays mapped',
  async (t) => {
    const source = `${HEAD}
    const made = make()
    let ring = map(made)
    ring.sqes.fill(5)
    let clone
    try {
      clone = structuredClone(ring.sqes.buffer, { transfer: [ring.sqes.buffer] })
    } catch (error) {
      assert.equal(error.name, 'DataCloneError')
    }
    assert.equal(ring.sqes.length, 512)
    if (clone !== undefined) new Uint8Array(clone).fill(6)
    assert(ring.sqes.every((byte) => byte === 5))
    assert.equal(mappings() - base, 2)
    ring = undefined
    await collected(0)
    if (clone !== undefined) assert(new Uint8Array(clone).every((byte) => byte === 6))
    console.log('ok')
  `
    t.deepEqual(await script(source, ['--expose-gc']), OK)
  },
)

test.serial('mapRing: the end of a worker unmaps its rings', async (t) => {
  const source = `${HEAD}
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    const made = make()
    const held = map(made)
    held.sqes.fill(4)
    for (const end of ['process.exit()', '', 'for (;;);']) {
      const worker = new Worker(\`
        import { parentPort, workerData } from 'node:worker_threads'
        import { mapRing } from 'uring/sys'
        const rings = Array.from({ length: 3 }, () => mapRing(workerData.fd, workerData.params))
        rings[1].unmap()
        parentPort.postMessage(rings[0].sqes[100])
        globalThis.held = rings
        \${end}
      \`, { eval: true, workerData: made })
      const [seen] = await once(worker, 'message')
      assert.equal(seen, 4)
      if (end === 'for (;;);') await worker.terminate()
      else await once(worker, 'exit')
      assert.equal(mappings() - base, 2)
    }
    assert(held.sqes.every((byte) => byte === 4))
    console.log('ok')
  `
  t.deepEqual(await script(source, ['--expose-gc']), OK)
})

test.serial(
  'mapRing: throws in a runtime without array buffers over external memory, and leaves nothing mapped',
  async (t) => {
    const source = `${HEAD}
    import { createRequire } from 'node:module'
    const native = createRequire(import.meta.url)('uring/native')
    const { Mapping } = native
    const { buffer } = Mapping.prototype
    Mapping.prototype.buffer = () => null
    assert.throws(map, { code: 'ERR_URING_UNSUPPORTED', message: /does not support array buffers over memory/ })
    assert.equal(mappings(), base)
    // If the second mapping fails, the first is unmapped.
    let first = true
    Mapping.prototype.buffer = function () {
      if (!first) throw new Error('no more')
      first = false
      return buffer.call(this)
    }
    assert.throws(map, { message: 'no more' })
    await collected(0)
    Mapping.prototype.buffer = buffer
    // Errors of mmap(2): older kernels return EINVAL for a length beyond that of the ring.
    native.Mapping = { create: () => -22 }
    assert.throws(map, { code: 'ERR_INVALID_ARG_VALUE', message: /'params' must be/ })
    native.Mapping = { create: () => -13 }
    assert.throws(map, { code: 'EACCES', syscall: 'mmap' })
    const made = make()
    const mapping = Mapping.create(made.fd, sys.IORING_OFF_SQES, 512)
    assert.equal(mapping.buffer().byteLength, 512)
    assert.equal(mapping.buffer(), null, 'only once')
    assert.equal(mapping.detach(new ArrayBuffer(512)), false)
    // The handle does not keep the memory mapped.
    await collected(0)
    assert.equal(mapping.detach(5), false)
    console.log('ok')
  `
    t.deepEqual(await script(source, ['--expose-gc']), OK)
  },
)

test('mapRing: the mapping keeps the ring alive after its descriptor is closed', (t) => {
  const params = new Uint32Array(30)
  const fd = ioUringSetup(4, params)
  const ring = mapRing(fd, params)
  ring.getSqe()
  ring.flush()
  t.is(enter(fd, 1, 1), 1)
  closeSync(fd)
  t.is(ring.cqReady, 1)
  t.is(ring.copyCqes().length, 1)
  t.true(ring.unmap())
})

test('MappedRing: all methods throw ERR_URING_CLOSED after unmap()', (t) => {
  const { ring } = setupMappedRing(t, 4)
  ring[Symbol.dispose]()
  for (const use of [
    () => ring.getSqe(),
    () => ring.flush(),
    () => ring.sqReady,
    () => ring.sqSpaceLeft,
    () => ring.sqNeedsEnter,
    () => ring.cqReady,
    () => ring.cqNeedsFlush,
    () => ring.peekCqe(),
    () => ring.cqeSeen(),
    () => ring.cqAdvance(0),
    () => ring.copyCqes(),
  ])
    t.throws(use, { instanceOf: UringError, code: 'ERR_URING_CLOSED' })
  t.true(ring.unmap())
})

test('MappedRing: `using` unmaps it at the end of the block', (t) => {
  const { fd, params } = setupRing(t, 4)
  const before = mappings()
  {
    using ring = mapRing(fd, params)
    t.is(ring.sqSpaceLeft, 4)
    t.is(mappings(), before + 2)
  }
  t.is(mappings(), before)
})
