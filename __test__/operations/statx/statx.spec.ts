// The status of files, compared with node:fs.

import {
  closeSync,
  fstatSync,
  lstatSync,
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
  OpenFlags,
  Ring,
  type Stats,
  Statx,
  StatxMask,
  Write,
} from 'uring'
import { directory, file } from '../../helpers/files.ts'

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

test('Statx: reads the same status as node:fs, and more', (t) => {
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

test('Statx: reads additional fields that the mask asks for', (t) => {
  using ring = new Ring({ entries: 4 })
  const { path } = file(t)
  ring.push(new Statx(path, { mask: StatxMask.MNT_ID | StatxMask.DIOALIGN | StatxMask.SIZE }))
  const stats = take(ring)
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  t.regex(mounts, new RegExp(`^${stats.mountId} `, 'm'))
  ring.push(new Statx('/'))
  t.truthy(take(ring).attributes & 0x2000n, 'the root of a mount')
  ring.push(new Statx(path, { mask: 0x8000_0000 }))
  t.is(ring.wait()?.error?.code, 'EINVAL', 'a reserved bit')
})

test('Statx: follows links unless told otherwise, and resolves relative paths from dirfd', (t) => {
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

test('Statx: decodes the result of an entry when its completion is consumed', (t) => {
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
  t.is(sizeOf(before), 3, 'the memory was overwritten, the decoded result was not')
})
