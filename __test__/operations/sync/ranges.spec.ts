// Ranges of files and of memory. What is asked for is looked at with node:fs, in the page cache, or in the memory.

import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs'
import test from 'ava'
import {
  Fadvise,
  Fallocate,
  FallocateMode,
  FileAdvice,
  type FileTarget,
  FixedFile,
  Ftruncate,
  Madvise,
  MemoryAdvice,
  type Operation,
  Read,
  Ring,
  RwFlags,
  SyncFileRange,
  SyncFileRangeFlags,
  type SyncFileRangeOptions,
} from 'uring'
import { createAddressOf } from 'uring/native'
import { codeOrNone, complete, submitHeldBack } from '../../helpers/completions.ts'
import { diskFile, fifo, file } from '../../helpers/files.ts'
import { script } from '../../helpers/process.ts'

const GIB = 2 ** 30
const NOBODY = 987_654
const MAX_I64 = 2n ** 63n - 1n

/** Whole pages and whole blocks, of whatever size they are. */
const PIECE = 65_536
const ONES = Buffer.alloc(PIECE, 0xa5)
const ZEROS = Buffer.alloc(PIECE)

function put(fd: number, ...offsets: readonly number[]): void {
  for (const offset of offsets) writeSync(fd, ONES, 0, PIECE, offset)
}

/** What a piece of a file has: ones, zeros, something else; or nothing, behind its end. */
function pieceAt(fd: number, offset: number): string {
  const piece = Buffer.alloc(PIECE)
  const count = readSync(fd, piece, 0, PIECE, offset)
  if (count === 0) return 'nothing'
  if (count < PIECE) return `${count} bytes`
  return piece.equals(ONES) ? 'ones' : piece.equals(ZEROS) ? 'zeros' : 'a mixture'
}

/** Bytes of files that have been written, and were cut off before they came to a disk. */
function cancelled(): number | undefined {
  try {
    const found = /^cancelled_write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]
    return found === undefined ? undefined : Number(found)
  } catch {
    return undefined
  }
}

// ---- SyncFileRange

test('SyncFileRange: writes the range and nothing else', (t) => {
  const disk = diskFile(t)
  if (disk === undefined || cancelled() === undefined) {
    t.pass('the kernel does not count what is cut off')
    return
  }
  using ring = new Ring({ entries: 4 })
  ring.registerFiles([-1, disk.fd])
  const flags = SyncFileRangeFlags.WRITE_AND_WAIT
  const start = 5 * GIB
  const unsynced = (options: SyncFileRangeOptions | undefined, target: FileTarget): number => {
    put(disk.fd, start, start + PIECE, start + 8 * PIECE, start + 16 * PIECE)
    const before = cancelled() ?? 0
    t.is(complete(ring, new SyncFileRange(target, options)).value, 0)
    ftruncateSync(disk.fd, 0)
    return ((cancelled() ?? 0) - before) / PIECE
  }
  const cases: [expected: number, options?: SyncFileRangeOptions, target?: FileTarget][] = [
    [4],
    [4, { offset: start, length: 17 * PIECE }],
    [2, { offset: start, length: 2 * PIECE, flags }],
    [3, { offset: BigInt(start), length: PIECE, flags }],
    [3, { offset: start + 8 * PIECE, length: PIECE, flags }, new FixedFile(1)],
    [2, { offset: start + 8 * PIECE, flags }],
    [0, { flags }],
    [4, { length: 2 ** 32 - 1, flags }],
    [0, { offset: start - 2 ** 31, length: 2 ** 32 - 1, flags }],
  ]
  for (const [index, [expected, options, target = disk.fd]] of cases.entries()) {
    // The kernel may have had reasons of its own to write everything at this moment.
    let found = -1
    for (let round = 0; round < 10 && found !== expected; round += 1) found = unsynced(options, target)
    t.is(found, expected, `case ${index}`)
  }
})

test('SyncFileRange: what cannot be is an error', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'content')
  t.is(codeOrNone(ring, new SyncFileRange(fd, { flags: 8 })), 'EINVAL')
  t.is(codeOrNone(ring, new SyncFileRange(fd, { flags: -(2 ** 31) })), 'EINVAL')
  t.is(
    codeOrNone(ring, new SyncFileRange(fd, { offset: MAX_I64, length: 1 })),
    'EINVAL',
    'the end is too far',
  )
  t.is(codeOrNone(ring, new SyncFileRange(fd, { offset: MAX_I64 })), 'none')
  t.is(codeOrNone(ring, new SyncFileRange(fifo(t))), 'ESPIPE')
  t.is(
    complete(ring, new SyncFileRange(NOBODY)).error?.message,
    'EBADF: bad file descriptor, sync_file_range',
  )
})

// ---- Fallocate

test('Fallocate: allocates space, and makes the file longer unless told not to', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'content')
  const used = (): number => fstatSync(fd).blocks * 512
  const before = used()
  t.is(
    complete(ring, new Fallocate(fd, 32 * PIECE, { offset: PIECE, mode: FallocateMode.KEEP_SIZE })).value,
    0,
  )
  t.is(fstatSync(fd).size, 7)
  const kept = used()
  t.true(kept - before >= 32 * PIECE)
  t.is(complete(ring, new Fallocate({ fd }, 32 * PIECE, { offset: PIECE })).value, 0)
  t.is(fstatSync(fd).size, 33 * PIECE)
  t.is(used(), kept, 'that space was there')
  t.is(pieceAt(fd, PIECE), 'zeros')
  t.is(complete(ring, new Fallocate(fd, 40n * BigInt(PIECE))).value, 0)
  t.is(fstatSync(fd).size, 40 * PIECE)
  t.is(complete(ring, new Fallocate(fd, PIECE, { offset: 2n ** 33n + 1n })).value, 0)
  t.is(fstatSync(fd).size, 2 ** 33 + 1 + PIECE)
  t.true(used() < GIB)
  t.is(readFirst(fd, 7), 'content')
})

function readFirst(fd: number, count: number): string {
  const bytes = Buffer.alloc(count)
  readSync(fd, bytes, 0, count, 0)
  return bytes.toString('latin1')
}

test('Fallocate: punches a hole, also one of more than 4 GiB beyond 4 GiB', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t)
  ring.registerFiles([-1, -1, fd])
  const mode = FallocateMode.PUNCH_HOLE | FallocateMode.KEEP_SIZE
  const start = 5 * GIB
  const places = [
    0,
    GIB,
    start - PIECE,
    start,
    start + 2 * PIECE,
    start + 4 * GIB,
    start + 5 * GIB,
    start + 6 * GIB,
  ]
  const outcome = (): string => places.map((place) => pieceAt(fd, place)).join(' ')
  put(fd, ...places)
  const { size, blocks } = fstatSync(fd)
  for (const [length, offset, expected] of [
    [PIECE, GIB, 'ones zeros ones ones ones ones ones ones'],
    [4 * GIB + PIECE, BigInt(start), 'ones ones ones zeros zeros zeros ones ones'],
    [5n * BigInt(GIB), start, 'ones ones ones zeros zeros zeros ones ones'],
    [6 * GIB, start - PIECE, 'ones ones zeros zeros zeros zeros zeros ones'],
    [start, undefined, 'zeros zeros zeros ones ones ones ones ones'],
  ] as const) {
    put(fd, ...places)
    const options = offset === undefined ? { mode } : { offset, mode }
    t.is(complete(ring, new Fallocate(new FixedFile(2), length, options)).value, 0)
    t.is(outcome(), expected)
    t.is(fstatSync(fd).size, size)
  }
  t.true(fstatSync(fd).blocks < blocks)
})

test('Fallocate: zeroes a range, takes one out, puts one in', (t) => {
  using ring = new Ring({ entries: 4 })
  const disk = diskFile(t)
  if (disk === undefined) {
    t.pass()
    return
  }
  const { fd, type } = disk
  const outcome = (): string =>
    Array.from({ length: fstatSync(fd).size / PIECE }, (_, index) => pieceAt(fd, index * PIECE)).join(' ')
  put(fd, 0, PIECE, 3 * PIECE)
  t.is(outcome(), 'ones ones zeros ones')
  t.is(complete(ring, new Fallocate(fd, PIECE, { offset: PIECE, mode: FallocateMode.ZERO_RANGE })).value, 0)
  t.is(outcome(), 'ones zeros zeros ones')
  t.is(
    complete(ring, new Fallocate(fd, PIECE, { offset: 5 * PIECE, mode: FallocateMode.ZERO_RANGE })).value,
    0,
  )
  t.is(outcome(), 'ones zeros zeros ones zeros zeros')
  const collapse = new Fallocate(fd, PIECE, { offset: 2 * PIECE, mode: FallocateMode.COLLAPSE_RANGE })
  const insert = new Fallocate(fd, 2 * PIECE, { mode: FallocateMode.INSERT_RANGE })
  if (type === 'btrfs') {
    t.is(codeOrNone(ring, collapse), 'ENOTSUP')
    t.is(codeOrNone(ring, insert), 'ENOTSUP')
    return
  }
  t.is(complete(ring, collapse).value, 0)
  t.is(outcome(), 'ones zeros ones zeros zeros')
  t.is(complete(ring, insert).value, 0)
  t.is(outcome(), 'zeros zeros ones zeros ones zeros zeros')
  t.is(
    codeOrNone(ring, new Fallocate(fd, 1, { mode: FallocateMode.COLLAPSE_RANGE })),
    'EINVAL',
    'no whole block',
  )
})

test('Fallocate: what cannot be is an error', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd, path } = file(t, 'content')
  const reader = openSync(path, 'r')
  t.teardown(() => closeSync(reader))
  t.is(complete(ring, new Fallocate(reader, 8)).error?.message, 'EBADF: bad file descriptor, fallocate')
  t.is(codeOrNone(ring, new Fallocate(NOBODY, 8)), 'EBADF')
  t.is(codeOrNone(ring, new Fallocate(fd, 0)), 'EINVAL')
  t.is(codeOrNone(ring, new Fallocate(fd, MAX_I64, { offset: MAX_I64 })), 'EFBIG')
  t.is(codeOrNone(ring, new Fallocate(fd, 8, { mode: 2 ** 31 })), 'ENOTSUP')
  t.is(
    codeOrNone(ring, new Fallocate(fd, 8, { mode: FallocateMode.PUNCH_HOLE })),
    'ENOTSUP',
    'without KEEP_SIZE',
  )
  t.is(codeOrNone(ring, new Fallocate(fifo(t), 8)), 'ESPIPE')
  t.is(fstatSync(fd).size, 7)
})

// ---- Ftruncate

test('Ftruncate: makes a file longer and shorter', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'content')
  ring.registerFiles([-1, fd])
  for (const [target, length] of [
    [fd, 2 ** 32 + 5],
    [{ fd }, 2n ** 33n + 1n],
    [new FixedFile(1), 2 ** 31],
    [fd, 8],
    [fd, 4n],
  ] as const) {
    t.is(complete(ring, new Ftruncate(target, length)).value, 0)
    t.is(fstatSync(fd).size, Number(length))
  }
  t.is(readFirst(fd, 4), 'cont')
  t.is(complete(ring, new Ftruncate(fd, 7)).value, 0)
  t.is(readFirst(fd, 7), 'cont\0\0\0')
  t.is(complete(ring, new Ftruncate(fd, 0)).value, 0)
  t.is(fstatSync(fd).size, 0)
})

test('Ftruncate: what cannot be is an error', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd, path } = file(t, 'content')
  const reader = openSync(path, 'r')
  t.teardown(() => closeSync(reader))
  const message = t.throws(() => ftruncateSync(reader, 1)).message
  t.is(complete(ring, new Ftruncate(reader, 1)).error?.message, message)
  t.is(complete(ring, new Ftruncate(fifo(t), 1)).error?.code, 'EINVAL')
  t.is(codeOrNone(ring, new Ftruncate(NOBODY, 1)), 'EBADF')
  t.is(codeOrNone(ring, new Ftruncate(new FixedFile(0), 1)), 'EBADF')
  const disk = diskFile(t)
  if (disk?.type === 'ext4') t.is(codeOrNone(ring, new Ftruncate(disk.fd, 2n ** 62n)), 'EFBIG')
  t.is(fstatSync(fd).size, 7)
})

// ---- Fadvise

/** Whether pieces of a file are in the page cache. Looking at one brings it there. */
function cacheOf(ring: Ring, fd: number, places: readonly number[]): string {
  return places
    .map((offset) => {
      const { error } = complete(ring, new Read(fd, Buffer.alloc(1), { offset, flags: RwFlags.NOWAIT }))
      if (error !== undefined && error.code !== 'EAGAIN') throw error
      return error === undefined ? 'kept' : 'gone'
    })
    .join(' ')
}

test('Fadvise: drops the range from the page cache and nothing else, beyond 4 GiB too', (t) => {
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
    // Looking starts to read, which may be over in no time; and the kernel may drop what it likes.
    let found = ''
    for (let round = 0; round < 10 && found !== expected; round += 1) found = outcome(operation)
    t.is(found, expected)
  }
})

test('Fadvise: takes all advice that there is, and no other', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'content')
  for (const [name, advice] of Object.entries(FileAdvice)) {
    t.is(complete(ring, new Fadvise(fd, advice, { length: 2 ** 33 })).value, 0, name)
  }
  t.is(complete(ring, new Fadvise(fd, 99)).error?.message, 'EINVAL: invalid argument, fadvise64')
  t.is(codeOrNone(ring, new Fadvise(fifo(t), FileAdvice.NORMAL)), 'ESPIPE')
  t.is(codeOrNone(ring, new Fadvise(NOBODY, FileAdvice.NORMAL)), 'EBADF')
})

// ---- Madvise

const nativeAddressOf = createAddressOf()

/** Where the first whole piece of a buffer starts. */
function aligned(buffer: ArrayBuffer | SharedArrayBuffer): number {
  const over = nativeAddressOf(new Uint8Array(buffer, 0, 1)) % PIECE
  return over === 0 ? 0 : PIECE - over
}

test('Madvise: takes memory away, and not a byte beside it', (t) => {
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

test('Madvise: takes more than 4 GiB', (t) => {
  using ring = new Ring({ entries: 4 })
  const size = 2 ** 32 + 4 * PIECE
  let buffer: ArrayBuffer
  try {
    buffer = new ArrayBuffer(size + 4 * PIECE) // it has no memory until it is used, but some kernels want to have it
  } catch {
    t.log('there is no room for such a buffer here')
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

test('Madvise: what cannot be is an error, and is not made to fit', (t) => {
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

test('Madvise: memory that is gone when it completes is an error', (t) => {
  using ring = new Ring({ entries: 4 })
  const buffer = new ArrayBuffer(4 * PIECE)
  const view = new Uint8Array(buffer, aligned(buffer), PIECE)
  t.is(submitHeldBack(t, ring, new Madvise(view, MemoryAdvice.NORMAL))().value, 0)
  const finish = submitHeldBack(t, ring, new Madvise(view, MemoryAdvice.NORMAL))
  const fail = submitHeldBack(t, ring, new Madvise(view, 9999))
  const moved = structuredClone(buffer, { transfer: [buffer] }) // it holds the memory
  t.is(finish().error?.code, 'ERR_URING_BUFFER_DETACHED')
  t.is(fail().error?.code, 'EINVAL', 'it has done nothing')
  t.is(moved.byteLength, 4 * PIECE)
})

test('Madvise: garbage collection leaves the memory alone that is in flight', async (t) => {
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
        await new Promise(setImmediate) // weak references hold until the job ends
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
