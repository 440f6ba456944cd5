// Synchronizing files and allocating their space, verified with node:fs and in /proc.

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
  Fallocate,
  FallocateMode,
  type FileTarget,
  FixedFile,
  Fsync,
  Ring,
  SyncFileRange,
  SyncFileRangeFlags,
  type SyncFileRangeOptions,
} from 'uring'
import { codeOrNone, complete } from '../../helpers/completions.ts'
import { diskFile, fifo, file, UNUSED_FD } from '../../helpers/files.ts'

test('Fsync: synchronizes regular files, and fails for pipes', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'content')
  for (const options of [
    undefined,
    { datasync: true },
    { offset: 0, length: 4 },
    { datasync: true, offset: 2n, length: 4 },
  ]) {
    ring.push(new Fsync(fd, options))
    t.is(ring.wait()?.value, 0)
  }
  const pipe = fifo(t)
  ring.push(new Fsync(pipe))
  t.is(ring.wait()?.error?.message, t.throws(() => fsyncSync(pipe)).message)
  ring.push(new Fsync(pipe, { datasync: true }))
  t.is(ring.wait()?.error?.message, 'EINVAL: invalid argument, fdatasync')
  ring.push(new Fsync(987_654))
  t.is(ring.wait()?.error?.code, 'EBADF')
})

const GIB = 2 ** 30
const MAX_I64 = 2n ** 63n - 1n

/** A multiple of every page size and block size. */
const PIECE = 65_536
const ONES = Buffer.alloc(PIECE, 0xa5)
const ZEROS = Buffer.alloc(PIECE)

function put(fd: number, ...offsets: readonly number[]): void {
  for (const offset of offsets) writeSync(fd, ONES, 0, PIECE, offset)
}

/** Describes the content of a piece of a file: ones, zeros, a mixture, or nothing after its end. */
function pieceAt(fd: number, offset: number): string {
  const piece = Buffer.alloc(PIECE)
  const count = readSync(fd, piece, 0, PIECE, offset)
  if (count === 0) return 'nothing'
  if (count < PIECE) return `${count} bytes`
  return piece.equals(ONES) ? 'ones' : piece.equals(ZEROS) ? 'zeros' : 'a mixture'
}

/** Bytes that this process wrote and truncated before they reached a disk. */
function cancelled(): number | undefined {
  try {
    const found = /^cancelled_write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]
    return found === undefined ? undefined : Number(found)
  } catch {
    return undefined
  }
}

test('SyncFileRange: writes exactly the range', (t) => {
  const disk = diskFile(t)
  if (disk === undefined || cancelled() === undefined) {
    t.pass('the kernel does not count truncated bytes')
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
    // The kernel may write everything back on its own at any time, so try several times.
    let found = -1
    for (let round = 0; round < 10 && found !== expected; round += 1) found = unsynced(options, target)
    t.is(found, expected, `case ${index}`)
  }
})

test('SyncFileRange: fails for unknown flags, ranges out of bounds and pipes', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'content')
  t.is(codeOrNone(ring, new SyncFileRange(fd, { flags: 8 })), 'EINVAL')
  t.is(codeOrNone(ring, new SyncFileRange(fd, { flags: -(2 ** 31) })), 'EINVAL')
  t.is(
    codeOrNone(ring, new SyncFileRange(fd, { offset: MAX_I64, length: 1 })),
    'EINVAL',
    'the end is out of bounds',
  )
  t.is(codeOrNone(ring, new SyncFileRange(fd, { offset: MAX_I64 })), 'none')
  t.is(codeOrNone(ring, new SyncFileRange(fifo(t))), 'ESPIPE')
  t.is(
    complete(ring, new SyncFileRange(UNUSED_FD)).error?.message,
    'EBADF: bad file descriptor, sync_file_range',
  )
})

test('Fallocate: allocates space, and extends the file without KEEP_SIZE', (t) => {
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
  t.is(used(), kept, 'the space was allocated before')
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

test('Fallocate: punches a hole, also of more than 4 GiB beyond 4 GiB', (t) => {
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

test('Fallocate: zeroes, collapses and inserts a range', (t) => {
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
    'not a whole block',
  )
})

test('Fallocate: fails for bad ranges, modes and files', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd, path } = file(t, 'content')
  const reader = openSync(path, 'r')
  t.teardown(() => closeSync(reader))
  t.is(complete(ring, new Fallocate(reader, 8)).error?.message, 'EBADF: bad file descriptor, fallocate')
  t.is(codeOrNone(ring, new Fallocate(UNUSED_FD, 8)), 'EBADF')
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
