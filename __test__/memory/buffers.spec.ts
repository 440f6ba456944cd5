// Buffers of all kinds, and changes to them while operations use them.

import { readSync, writeSync } from 'node:fs'
import test from 'ava'
import { type Bytes, Read, Readv, Ring, UringError, Write, Writev } from 'uring'
import { fifo, file } from '../helpers/files.ts'
import { script } from '../helpers/process.ts'

const CONTENT = Buffer.from(Array.from({ length: 256 }, (_, index) => index))

/** Returns the memory of a WebAssembly program. (Its types are part of the DOM library, which is not loaded.) */
function wasmMemory(): ArrayBuffer {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: new (limits: { initial: number }) => { buffer: ArrayBuffer } }
  }
  return new WebAssembly.Memory({ initial: 1 }).buffer
}

const KINDS: Record<string, () => Bytes> = {
  Buffer: () => Buffer.alloc(64),
  'Buffer from the pool': () => Buffer.allocUnsafe(64),
  'Buffer.subarray': () => Buffer.alloc(100).subarray(3, 67),
  Int8Array: () => new Int8Array(64),
  Uint8Array: () => new Uint8Array(64),
  Uint8ClampedArray: () => new Uint8ClampedArray(64),
  Int16Array: () => new Int16Array(32),
  Uint16Array: () => new Uint16Array(32),
  Int32Array: () => new Int32Array(16),
  Uint32Array: () => new Uint32Array(16),
  Float32Array: () => new Float32Array(16),
  Float64Array: () => new Float64Array(8),
  BigInt64Array: () => new BigInt64Array(8),
  BigUint64Array: () => new BigUint64Array(8),
  DataView: () => new DataView(new ArrayBuffer(80), 8, 64),
  ArrayBuffer: () => new ArrayBuffer(64),
  SharedArrayBuffer: () => new SharedArrayBuffer(64),
  'view of a SharedArrayBuffer': () => new Uint8Array(new SharedArrayBuffer(100), 10, 64),
  'resizable ArrayBuffer': () => new ArrayBuffer(64, { maxByteLength: 4096 }),
  'WebAssembly.Memory': () => new Uint8Array(wasmMemory(), 100, 64),
  'Uint8Array of 10 bytes, inside the heap of V8': () => new Uint8Array(10),
}

function bytesOf(bytes: Bytes): Buffer {
  return ArrayBuffer.isView(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : Buffer.from(bytes)
}

for (const [kind, make] of Object.entries(KINDS)) {
  test(`Read, Write: use memory of the kind ${kind}`, (t) => {
    using ring = new Ring({ entries: 4 })
    const source = file(t, CONTENT)
    const target = file(t)
    const buffer = make()
    const length = bytesOf(buffer).byteLength
    ring.push(new Read(source.fd, buffer, { offset: 5 }))
    t.is(ring.wait()?.value, length)
    t.deepEqual(bytesOf(buffer), CONTENT.subarray(5, 5 + length))
    ring.push(new Write(target.fd, buffer, { offset: 0 }))
    t.is(ring.wait()?.value, length)
    const written = Buffer.alloc(length)
    readSync(target.fd, written, 0, length, 0)
    t.deepEqual(written, CONTENT.subarray(5, 5 + length))
  })
}

test('Readv, Writev: use buffers of all kinds, and empty ones', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, CONTENT)
  const buffers = [...Object.values(KINDS).map((make) => make()), new Uint8Array(0), new ArrayBuffer(0)]
  const length = buffers.reduce((sum, { byteLength }) => sum + byteLength, 0)
  writeSync(fd, Buffer.concat(Array.from({ length: 8 }, () => CONTENT)), 0, null, 0)
  ring.push(new Readv(fd, buffers, { offset: 0 }))
  t.is(ring.wait()?.value, length)
  const read = Buffer.concat(buffers.map(bytesOf))
  t.true(read.every((byte, index) => byte === index % 256))
  const target = file(t)
  ring.push(new Writev(target.fd, buffers, { offset: 0 }))
  t.is(ring.wait()?.value, length)
  const written = Buffer.alloc(length)
  readSync(target.fd, written, 0, length, 0)
  t.deepEqual(written, read)
})

test('Read, Write: throw for an object that imitates memory', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, CONTENT)
  for (const width of [1, 2]) {
    const fake = {
      BYTES_PER_ELEMENT: width,
      length: 64,
      byteLength: 64,
      byteOffset: 0,
    } as unknown as Uint8Array
    for (const operation of [new Read(fd, Buffer.alloc(1)), new Write(fd, Buffer.alloc(1))]) {
      operation.bytes = fake
      for (const use of [
        () => ring.push(operation),
        () => operation.build(),
        () => ring.pushAll([operation]),
      ]) {
        t.throws(use, { code: 'ERR_INVALID_ARG_TYPE', message: /"bytes"/ })
      }
    }
  }
  t.is(ring.sqReady, 0)
})

test('Read: reads 0 bytes into an empty buffer', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, CONTENT)
  ring.push(new Read(fd, new Uint8Array(0), { offset: 0 }))
  t.is(ring.wait()?.value, 0)
})

test('Read: fails with ERR_URING_BUFFER_DETACHED if the buffer is detached in flight', (t) => {
  using ring = new Ring({ entries: 4 })
  const fd = fifo(t)
  const buffer = new ArrayBuffer(64)
  ring.push(new Read(fd, buffer))
  ring.submit()
  // `moved` keeps the memory alive, so that the kernel does not write to memory that is freed.
  const moved = structuredClone(buffer, { transfer: [buffer] })
  writeSync(fd, 'four')
  const completion = ring.wait()
  t.is(completion?.result, 4)
  t.false(completion?.ok)
  t.like(completion?.error, { code: 'ERR_URING_BUFFER_DETACHED', operation: 'Read' })
  t.throws(() => completion?.value, { instanceOf: UringError, code: 'ERR_URING_BUFFER_DETACHED' })
  t.is(moved.byteLength, 64)
})

test('Read: succeeds if the buffer is transferred after the completion', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, CONTENT)
  const buffer = new ArrayBuffer(64)
  ring.push(new Read(fd, buffer, { offset: 0 }))
  const completion = ring.wait()
  structuredClone(buffer, { transfer: [buffer] })
  t.true(completion?.ok)
  t.is(completion?.value, 64)
})

test('Read: fails with EFAULT or ERR_URING_BUFFER_DETACHED if the buffer shrinks in flight', (t) => {
  using ring = new Ring({ entries: 4 })
  const fd = fifo(t)
  const buffer = new ArrayBuffer(8192, { maxByteLength: 8192 }) as ArrayBuffer & {
    resize(length: number): void
  }
  ring.push(new Read(fd, new Uint8Array(buffer)))
  ring.submit()
  buffer.resize(0)
  writeSync(fd, Buffer.alloc(8192))
  const code = ring.wait()?.error?.code
  t.true(code === 'EFAULT' || code === 'ERR_URING_BUFFER_DETACHED', code)
})

test('Read: garbage collection keeps the buffers of 10,000 reads in flight', async (t) => {
  const outcome = await script(
    `
    import { execFileSync } from 'node:child_process'
    import { constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
    import { Ring, Read } from 'uring'

    // A hundred reads on each of a hundred FIFOs: the kernel gives up a read that it has woken in vain too often.
    const directory = mkdtempSync('/tmp/uring-test-')
    const fifos = Array.from({ length: 100 }, (_, index) => {
      const path = directory + '/' + index
      execFileSync('mkfifo', [path])
      return openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
    })
    rmSync(directory, { recursive: true })

    const COUNT = 10_000
    const ring = new Ring({ entries: 256 })
    const buffers = []
    for (let index = 0; index < COUNT; index += 1) {
      const buffer = index % 3 === 0 ? new Uint8Array(10) : Buffer.alloc(10)
      buffers.push(new WeakRef(buffer))
      ring.push(new Read(fifos[index % 100], buffer), index)
      if (ring.sqSpaceLeft === 0) ring.submit()
    }
    ring.submit()
    const collect = async () => {
      for (let round = 0; round < 5; round += 1) {
        globalThis.gc()
        await new Promise(setImmediate) // weak references keep their targets alive until the job ends
      }
    }
    await collect()
    const alive = buffers.filter((reference) => reference.deref() !== undefined).length
    if (alive !== COUNT || ring.inFlight !== COUNT) throw new Error('in flight ' + ring.inFlight + ', alive ' + alive)
    // Freed memory would be reused now.
    globalThis.noise = Array.from({ length: 20_000 }, () => Buffer.alloc(10, 0xee))

    let done = 0
    let wrong = 0
    for (let written = 0; done < COUNT; ) {
      if (written < COUNT) writeSync(fifos[written % 100], String(written++).padStart(10, '0'))
      ring.drain((index, result) => {
        done += 1
        if (result !== 10 || !/^[0-9]{10}$/.test(Buffer.from(buffers[index].deref()).toString())) wrong += 1
      })
    }
    if (wrong > 0) throw new Error(wrong + ' wrong')
    await collect()
    const left = buffers.filter((reference) => reference.deref() !== undefined).length
    if (left > COUNT / 100) throw new Error(left + ' buffers are kept after their completion')
    console.log('done', done)
    `,
    ['--expose-gc'],
  )
  t.deepEqual(outcome, { code: 0, signal: null, stdout: 'done 10000\n', stderr: '' })
})
