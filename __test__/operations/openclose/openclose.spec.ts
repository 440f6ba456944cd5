// Opening, describing, syncing and closing files.

import {
  closeSync,
  constants,
  fsyncSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import {
  AtFlags,
  type BigIntStats,
  type Completion,
  Close,
  FixedFile,
  Fsync,
  OpenAt,
  OpenFlags,
  type Path,
  Ring,
  type Stats,
  Statx,
  StatxMask,
  Write,
} from 'uring'
import { directory, fifo, file } from '../../helpers/files.ts'

function opened(ring: Ring, path: Path, options?: ConstructorParameters<typeof OpenAt>[1]): number {
  ring.push(new OpenAt(path, options))
  return ring.wait()?.value as number
}

test('OpenAt, Statx: paths are strings, buffers or file URLs', (t) => {
  using ring = new Ring({ entries: 4 })
  // Not valid UTF-8: only a buffer can name it. Longer than what is cut from a common chunk, too.
  const folder = join(directory(t), 'x'.repeat(200), 'ü'.repeat(100))
  mkdirSync(folder, { recursive: true })
  const bytes = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])])
  writeFileSync(bytes, 'odd')
  const path = join(folder, 'pläin name')
  writeFileSync(path, 'plain')
  for (const [name, content] of [
    [path, 'plain'],
    [Buffer.from(path), 'plain'],
    [pathToFileURL(path), 'plain'],
    [bytes, 'odd'],
  ] as const) {
    const fd = opened(ring, name)
    t.is(readFileSync(fd, 'utf8'), content)
    closeSync(fd)
  }
})

test("OpenAt: flags are those of node:fs, or the kernel's", (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  const path = join(folder, 'file')
  const outcome = (flags?: string | number): string => {
    ring.push(new OpenAt(path, flags === undefined ? {} : { flags }))
    const completion = ring.wait()
    if (completion?.error !== undefined) return completion.error.code
    const fd = completion?.value as number
    const status = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] as string
    closeSync(fd)
    const { O_ACCMODE = 3 } = constants as { O_ACCMODE?: number }
    const mask = Number.parseInt(status, 8)
    return (
      ['r', 'w', 'rw'][mask & O_ACCMODE] +
      ((mask & OpenFlags.APPEND) === 0 ? '' : 'a') +
      ((mask & OpenFlags.CLOEXEC) === 0 ? '' : ' cloexec')
    )
  }
  t.is(outcome(), 'ENOENT')
  t.is(outcome('r+'), 'ENOENT')
  t.is(outcome('wx'), 'w cloexec')
  t.is(outcome('wx'), 'EEXIST')
  t.is(outcome(), 'r cloexec')
  t.is(outcome('r+'), 'rw cloexec')
  t.is(outcome('a'), 'wa cloexec')
  t.is(outcome('a+'), 'rwa cloexec')
  t.is(outcome(OpenFlags.WRONLY | OpenFlags.APPEND), 'wa cloexec')
  t.is(outcome(OpenFlags.DIRECTORY), 'ENOTDIR')
  writeFileSync(path, 'content')
  t.is(outcome('w+'), 'rw cloexec')
  t.is(statSync(path).size, 0)
})

test('OpenAt: mode, directory and cloexec', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  const dirfd = openSync(folder, OpenFlags.DIRECTORY)
  t.teardown(() => closeSync(dirfd))
  const before = process.umask(0o022)
  t.teardown(() => process.umask(before))
  closeSync(opened(ring, 'a', { flags: 'w', mode: 0o777, dirfd }))
  closeSync(opened(ring, 'b', { flags: 'w', dirfd: { fd: dirfd } }))
  t.is(statSync(join(folder, 'a')).mode & 0o777, 0o755)
  t.is(statSync(join(folder, 'b')).mode & 0o777, 0o644)
  const fd = opened(ring, 'a', { dirfd, cloexec: false })
  t.regex(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /flags:\s+0?100000\b/)
  closeSync(fd)
})

test('OpenAt, Statx: a missing file has the words of node:fs', (t) => {
  using ring = new Ring({ entries: 4 })
  const path = join(directory(t), 'missing')
  for (const name of [path, Buffer.from(path), pathToFileURL(path)]) {
    ring.push(new OpenAt(name))
    const error = ring.wait()?.error
    t.is(error?.message, `ENOENT: no such file or directory, open '${path}'`)
    t.is(error?.path, path)
    t.is(error?.syscall, 'open')
    t.is(error?.operation, 'OpenAt')
    t.deepEqual(t.throws(() => openSync(name, 'r')).message, error?.message)
  }
})

test('OpenAt: an error keeps the path that was pushed', (t) => {
  using ring = new Ring({ entries: 4 })
  const operation = new OpenAt('/missing/one')
  ring.push(operation)
  operation.path = '/missing/two'
  t.is(ring.wait()?.error?.path, '/missing/one')
})

test('OpenAt: opening into registered files needs a table of them', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.push(new OpenAt('/dev/null', { direct: 0 }))
  t.is(ring.wait()?.error?.code, 'ENXIO')
  ring.push(new OpenAt('/dev/null', { direct: new FixedFile(1) }))
  t.is(ring.wait()?.error?.code, 'ENXIO')
  ring.push(new OpenAt('/dev/null', { direct: 'auto' }))
  t.is(ring.wait()?.error?.code, 'ENFILE')
  ring.push(new Close(new FixedFile(0)))
  t.is(ring.wait()?.error?.code, 'ENXIO')
})

test('Close: closes, once', (t) => {
  using ring = new Ring({ entries: 4 })
  const fd = openSync('/dev/null', 'r')
  ring.push(new Close(fd))
  t.is(ring.wait()?.value, 0)
  t.throws(() => fstatSync(fd), { code: 'EBADF' })
  ring.push(new Close({ fd }))
  t.is(ring.wait()?.error?.message, 'EBADF: bad file descriptor, close')
  ring.push(new Close(ring.fd))
  t.is(ring.wait()?.error?.code, 'EBADF', 'a ring does not close itself')
})

test('Fsync: syncs what can be synced', (t) => {
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

function sizeOf(completion: Completion | undefined): number {
  if (completion === undefined) throw new Error('nothing completed')
  return (completion.value as Stats).size
}

function take(ring: Ring): Stats {
  const completion = ring.wait()
  if (completion === undefined) throw new Error('nothing completed')
  return completion.value as Stats
}

const KEYS = [
  'dev',
  'ino',
  'mode',
  'nlink',
  'uid',
  'gid',
  'rdev',
  'size',
  'blksize',
  'blocks',
  'atimeMs',
  'mtimeMs',
  'ctimeMs',
  'birthtimeMs',
] as const
const TESTS = [
  'isFile',
  'isDirectory',
  'isSymbolicLink',
  'isFIFO',
  'isSocket',
  'isBlockDevice',
  'isCharacterDevice',
] as const

test('Statx: the status of a file is what node:fs says, and more', (t) => {
  using ring = new Ring({ entries: 4 })
  const { path, fd } = file(t, 'content')
  for (const target of [
    path,
    Buffer.from(path),
    pathToFileURL(path),
    fd,
    { fd },
    '/dev/null',
    '/',
    '/proc/self/exe',
  ]) {
    ring.push(new Statx(target))
    const stats = take(ring)
    const same =
      typeof target === 'number' || (typeof target === 'object' && 'fd' in target)
        ? fstatSync(fd)
        : statSync(target as string)
    for (const key of KEYS) t.is(stats[key], same[key], `${key} of ${String(target)}`)
    for (const is of TESTS) t.is(stats[is](), same[is](), `${is} of ${String(target)}`)
    for (const time of ['atime', 'mtime', 'ctime', 'birthtime'] as const) {
      t.is(stats[time].getTime(), same[time].getTime())
      t.is(Number(stats[`${time}Ns`] / 1_000_000n), Math.floor(stats[`${time}Ms`]))
    }
    t.truthy(stats.mask & StatxMask.BASIC_STATS)
  }
  ring.push(new Statx(path, { bigint: true }))
  const big = ring.wait()?.value as BigIntStats
  const same = statSync(path, { bigint: true })
  for (const key of [...KEYS, 'atimeNs', 'mtimeNs', 'ctimeNs', 'birthtimeNs'] as const)
    t.is(big[key], same[key], key)
  t.true(big.isFile())
})

test('Statx: what it adds is there when it is asked for', (t) => {
  using ring = new Ring({ entries: 4 })
  const { path } = file(t)
  ring.push(new Statx(path, { mask: StatxMask.MNT_ID | StatxMask.DIOALIGN | StatxMask.SIZE }))
  const stats = take(ring)
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  t.regex(mounts, new RegExp(`^${stats.mountId} `, 'm'))
  ring.push(new Statx('/'))
  t.truthy(take(ring).attributes & 0x2000n, 'the root of a mount')
  ring.push(new Statx(path, { mask: 0x8000_0000 }))
  t.is(ring.wait()?.error?.code, 'EINVAL', 'a bit that the kernel keeps for itself')
})

test('Statx: links are followed or not, and relative paths start where they are told to', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  writeFileSync(join(folder, 'file'), '12345')
  symlinkSync('file', join(folder, 'link'))
  const dirfd = openSync(folder, OpenFlags.DIRECTORY)
  t.teardown(() => closeSync(dirfd))
  ring.push(new Statx('link', { dirfd }))
  t.is(take(ring).size, 5)
  ring.push(new Statx('link', { dirfd, flags: AtFlags.SYMLINK_NOFOLLOW }))
  const link = take(ring)
  t.true(link.isSymbolicLink())
  t.is(link.size, readlinkSync(join(folder, 'link')).length)
  for (const [operation, same] of [
    [new Statx(join(folder, 'missing')), () => statSync(join(folder, 'missing'))],
    [
      new Statx(join(folder, 'missing'), { flags: AtFlags.SYMLINK_NOFOLLOW }),
      () => lstatSync(join(folder, 'missing')),
    ],
    [new Statx(987_654), () => fstatSync(987_654)],
    [new Statx(join(folder, 'file', 'below')), () => statSync(join(folder, 'file', 'below'))],
  ] as const) {
    ring.push(operation)
    t.is(ring.wait()?.error?.message, (t.throws(same) as Error).message)
  }
})

test('Statx: the result of an operation is its own; that of an entry is decoded when it is taken', (t) => {
  using ring = new Ring({ entries: 4 })
  const { path, fd } = file(t, '1')
  const operation = new Statx(path)
  const entry = operation.build()
  const sizes: number[] = []
  for (const item of [operation, entry]) {
    ring.push(item)
    const first = ring.wait()
    ring.push(new Write(fd, Buffer.from('12'), { offset: 1 }))
    ring.wait()
    ring.push(item)
    const second = ring.wait()
    sizes.push(sizeOf(first), sizeOf(second))
  }
  t.deepEqual(sizes, [1, 3, 3, 3])
  const kept = entry
  ring.push(kept)
  const before = ring.wait()
  writeFileSync(path, 'much longer')
  ring.push(kept)
  ring.wait()
  t.is(sizeOf(before), 3, 'the memory was written again, the completion was not')
})
