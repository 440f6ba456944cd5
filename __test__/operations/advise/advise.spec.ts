// Advice about files and memory, verified in the page cache and in the memory itself.

import { fsyncSync, writeSync } from 'node:fs'
import test from 'ava'
import {
  Fadvise,
  FileAdvice,
  FixedFile,
  Madvise,
  MemoryAdvice,
  type Operation,
  Read,
  Ring,
  RwFlags,
} from 'uring'
import { createAddressOf } from 'uring/native'
import { codeOrNone, complete, submitHeldBack } from '../../helpers/completions.ts'
import { diskFile, fifo, file, UNUSED_FD } from '../../helpers/files.ts'
import { script } from '../../helpers/process.ts'

const GIB = 2 ** 30
/** A multiple of every page size and block size. */
const PIECE = 65_536
const ONES = Buffer.alloc(PIECE, 0xa5)

function put(fd: number, ...offsets: readonly number[]): void {
  for (const offset of offsets) writeSync(fd, ONES, 0, PIECE, offset)
}

/** Tells which pieces of a file are in the page cache. A look at one brings it there. */
function cacheOf(ring: Ring, fd: number, places: readonly number[]): string {
  return places
    .map((offset) => {
      const { error } = complete(ring, new Read(fd, Buffer.alloc(1), { offset, flags: RwFlags.NOWAIT }))
      if (error !== undefined && error.code !== 'EAGAIN') throw error
      return error === undefined ? 'kept' : 'gone'
    })
    .join(' ')
}

test('Fadvise: drops exactly the range from the page cache, also beyond 4 GiB', (t) => {
  const disk = diskFile(t)
  if (disk === undefined) {
    t.pass()
    return
  }
  using ring = new Ring({ entries: 4 })
  const { fd } = disk
  ring.registerFiles([-1, fd])
  const start = 5 * GIB
  const end = start + 5 * GIB
  const places = [GIB, start - PIECE, start, start + GIB + 2 * PIECE, end - PIECE, end, end + GIB]
  const outcome = (operation: Operation<unknown>): string => {
    put(fd, ...places)
    fsyncSync(fd)
    t.is(complete(ring, operation).value, 0)
    return cacheOf(ring, fd, places)
  }
  const { DONTNEED, NORMAL } = FileAdvice
  for (const [operation, expected] of [
    [new Fadvise(fd, NORMAL), 'kept kept kept kept kept kept kept'],
    [new Fadvise(fd, DONTNEED), 'gone gone gone gone gone gone gone'],
    [new Fadvise(fd, DONTNEED, { offset: start, length: 5 * GIB }), 'kept kept gone gone gone kept kept'],
    [
      new Fadvise({ fd }, DONTNEED, { offset: BigInt(start), length: 5n * BigInt(GIB) }),
      'kept kept gone gone gone kept kept',
    ],
    [
      new Fadvise(new FixedFile(1), DONTNEED, { offset: start, length: PIECE }),
      'kept kept gone kept kept kept kept',
    ],
    [
      new Fadvise(fd, DONTNEED, { offset: start, length: 2 ** 32 - PIECE }),
      'kept kept gone gone kept kept kept',
    ],
    [new Fadvise(fd, DONTNEED, { offset: start, length: 2 ** 32 }), 'kept kept gone gone kept kept kept'],
    [new Fadvise(fd, DONTNEED, { offset: end }), 'kept kept kept kept kept gone gone'],
    [new Fadvise(fd, DONTNEED, { length: start }), 'gone gone kept kept kept kept kept'],
  ] as const) {
    // The look starts a read, which may finish at once; and the kernel may drop other pages on its own.
    let found = ''
    for (let round = 0; round < 10 && found !== expected; round += 1) found = outcome(operation)
    t.is(found, expected)
  }
})

test('Fadvise: accepts every known advice and refuses others', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'content')
  for (const [name, advice] of Object.entries(FileAdvice)) {
    t.is(complete(ring, new Fadvise(fd, advice, { length: 2 ** 33 })).value, 0, name)
  }
  t.is(complete(ring, new Fadvise(fd, 99)).error?.message, 'EINVAL: invalid argument, fadvise64')
  t.is(codeOrNone(ring, new Fadvise(fifo(t), FileAdvice.NORMAL)), 'ESPIPE')
  t.is(codeOrNone(ring, new Fadvise(UNUSED_FD, FileAdvice.NORMAL)), 'EBADF')
})

const nativeAddressOf = createAddressOf()

/** The offset of the first aligned piece in a buffer. */
function aligned(buffer: ArrayBuffer | SharedArrayBuffer): number {
  const over = nativeAddressOf(new Uint8Array(buffer, 0, 1)) % PIECE
  return over === 0 ? 0 : PIECE - over
}

test('Madvise: discards exactly the memory that it is given', (t) => {
  using ring = new Ring({ entries: 4 })
  const size = 8 * 2 ** 20
  for (const buffer of [new ArrayBuffer(size + 4 * PIECE), new SharedArrayBuffer(size + 4 * PIECE)]) {
    const all = Buffer.from(buffer)
    const start = aligned(buffer) + PIECE
    for (const view of [
      all.subarray(start, start + size),
      new DataView(buffer, start, size),
      new Uint16Array(buffer, start, size / 2),
    ]) {
      all.fill(0xa5)
      t.is(complete(ring, new Madvise(view, MemoryAdvice.NORMAL)).value, 0)
      t.true(all.equals(Buffer.alloc(all.length, 0xa5)))
      t.is(complete(ring, new Madvise(view, MemoryAdvice.DONTNEED)).value, 0)
      const expected = Buffer.alloc(all.length, 0xa5).fill(0, start, start + size)
      t.true(all.equals(expected))
    }
  }
})

test('Madvise: accepts more than 4 GiB', (t) => {
  using ring = new Ring({ entries: 4 })
  const size = 2 ** 32 + 4 * PIECE
  let buffer: ArrayBuffer
  try {
    buffer = new ArrayBuffer(size + 4 * PIECE) // memory is allocated on first use, but some kernels refuse to overcommit
  } catch {
    t.log('this machine cannot allocate such a buffer')
    t.pass()
    return
  }
  const start = aligned(buffer) + PIECE
  const places = [start - 1, start, start + 4 * PIECE, start + 2 ** 31, start + size - 1, start + size]
  const at = (place: number): Uint8Array => new Uint8Array(buffer, place, 1)
  for (const place of places) at(place).fill(0xa5)
  t.is(complete(ring, new Madvise(new DataView(buffer, start, size), MemoryAdvice.DONTNEED)).value, 0)
  t.deepEqual(
    places.map((place) => at(place)[0]),
    [0xa5, 0, 0, 0, 0, 0xa5],
  )
})

test('Madvise: fails for unaligned memory and unknown advice instead of adjusting them', (t) => {
  using ring = new Ring({ entries: 4 })
  const buffer = new ArrayBuffer(4 * PIECE)
  const all = Buffer.from(buffer).fill(0xa5)
  const start = aligned(buffer)
  t.is(
    complete(ring, new Madvise(all.subarray(start + 1, start + PIECE), MemoryAdvice.DONTNEED)).error?.message,
    'EINVAL: invalid argument, madvise',
  )
  t.is(
    codeOrNone(ring, new Madvise(all.subarray(start + PIECE - 16, start + 2 * PIECE), MemoryAdvice.DONTNEED)),
    'EINVAL',
  )
  t.is(codeOrNone(ring, new Madvise(all.subarray(start, start + PIECE), 9999)), 'EINVAL')
  t.true(all.equals(Buffer.alloc(all.length, 0xa5)))
  t.is(complete(ring, new Madvise(new Uint8Array(0), MemoryAdvice.DONTNEED)).value, 0)
})

test('Madvise: fails if the memory was detached before the completion', (t) => {
  using ring = new Ring({ entries: 4 })
  const buffer = new ArrayBuffer(4 * PIECE)
  const view = new Uint8Array(buffer, aligned(buffer), PIECE)
  t.is(submitHeldBack(t, ring, new Madvise(view, MemoryAdvice.NORMAL))().value, 0)
  const finish = submitHeldBack(t, ring, new Madvise(view, MemoryAdvice.NORMAL))
  const fail = submitHeldBack(t, ring, new Madvise(view, 9999))
  const moved = structuredClone(buffer, { transfer: [buffer] }) // keeps the memory mapped
  t.is(finish().error?.code, 'ERR_URING_BUFFER_DETACHED')
  t.is(fail().error?.code, 'EINVAL', 'it has done nothing')
  t.is(moved.byteLength, 4 * PIECE)
})

test('Madvise: keeps the memory alive while it is in flight', async (t) => {
  const outcome = await script(
    `
    import { execFileSync } from 'node:child_process'
    import { constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
    import { Madvise, Read, Ring } from 'uring'

    const ring = new Ring({ entries: 8 })
    const directory = mkdtempSync('/tmp/uring-test-')
    execFileSync('mkfifo', [directory + '/fifo'])
    const gate = openSync(directory + '/fifo', constants.O_RDWR | constants.O_NONBLOCK)
    rmSync(directory, { recursive: true })
    const collect = async () => {
      for (let round = 0; round < 5; round += 1) {
        globalThis.gc()
        await new Promise(setImmediate) // weak references stay alive until the job ends
      }
    }
    const push = () => {
      const buffer = new ArrayBuffer(65536)
      ring.push(new Read(gate, Buffer.alloc(1)).link())
      ring.push(new Madvise(buffer, 9999))
      ring.submit()
      return new WeakRef(buffer)
    }
    const reference = push()
    await collect()
    console.log(reference.deref() === undefined ? 'gone' : 'there')
    writeSync(gate, 'x')
    console.log(ring.waitMany(2).map(({ result }) => result).join())
    await collect()
    console.log(reference.deref() === undefined ? 'gone' : 'there')
    `,
    ['--expose-gc'],
  )
  t.is(outcome.stderr, '')
  t.is(outcome.stdout, 'there\n1,-22\ngone\n')
})
