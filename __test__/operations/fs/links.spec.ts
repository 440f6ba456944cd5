// Hard and symbolic links: LinkAt and SymlinkAt.

import {
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { AtFlags, LinkAt, Ring, SymlinkAt } from 'uring'
import { complete } from '../../helpers/completions.ts'
import { directory } from '../../helpers/files.ts'
import { codeOf, openTemporary, pathForms, twoDirectories } from '../../helpers/namespace.ts'

// ---- LinkAt

test('LinkAt: creates another name of a file, given any form of its path', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  mkdirSync(join(folder, 'from'))
  mkdirSync(join(folder, 'to'))
  for (const from of pathForms(join(folder, 'from'))) {
    writeFileSync(from, 'content')
    for (const to of pathForms(join(folder, 'to'))) {
      t.is(complete(ring, new LinkAt(from, to)).value, 0)
      t.is(statSync(to).ino, statSync(from).ino)
      t.is(statSync(from).nlink, 2)
      unlinkSync(to)
    }
    unlinkSync(from)
  }
})

test('LinkAt: resolves relative paths from oldDirfd and newDirfd', (t) => {
  using ring = new Ring({ entries: 4 })
  const { left, right, leftFd, rightFd } = twoDirectories(t)
  t.is(complete(ring, new LinkAt('same', 'new', { oldDirfd: { fd: leftFd }, newDirfd: rightFd })).value, 0)
  t.is(readFileSync(join(right, 'new'), 'utf8'), 'left')
  t.is(complete(ring, new LinkAt('same', join(left, 'new'), { oldDirfd: rightFd })).value, 0)
  t.is(readFileSync(join(left, 'new'), 'utf8'), 'right')
  t.is(complete(ring, new LinkAt(join(left, 'same'), 'third', { newDirfd: { fd: rightFd } })).value, 0)
  t.is(readFileSync(join(right, 'third'), 'utf8'), 'left')
  t.is(codeOf(ring, new LinkAt('same', 'x', { oldDirfd: leftFd, newDirfd: 987_654 })), 'EBADF')
  t.is(codeOf(ring, new LinkAt('same', 'x', { oldDirfd: 987_654, newDirfd: leftFd })), 'EBADF')
})

test('LinkAt: links a symbolic link itself, or its target with SYMLINK_FOLLOW', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  const at = (name: string): string => join(folder, name)
  writeFileSync(at('file'), 'content')
  symlinkSync('file', at('link'))
  t.is(complete(ring, new LinkAt(at('link'), at('same link'))).value, 0)
  t.true(lstatSync(at('same link')).isSymbolicLink())
  t.is(lstatSync(at('same link')).ino, lstatSync(at('link')).ino)
  t.is(complete(ring, new LinkAt(at('link'), at('same file'), { flags: AtFlags.SYMLINK_FOLLOW })).value, 0)
  t.is(lstatSync(at('same file')).ino, statSync(at('file')).ino)
  t.is(codeOf(ring, new LinkAt(at('file'), at('x'), { flags: AtFlags.SYMLINK_NOFOLLOW })), 'EINVAL')
  t.is(codeOf(ring, new LinkAt(at('file'), at('x'), { flags: -(2 ** 31) })), 'EINVAL')
  t.false(existsSync(at('x')))
})

const CAP_DAC_READ_SEARCH = 2n

function capable(capability: bigint): boolean {
  const [, effective] = /^CapEff:\s+(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return ((BigInt(`0x${effective}`) >> capability) & 1n) === 1n
}

test('LinkAt: gives a name to an unnamed file', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  const fd = openTemporary(t, ring, folder)
  if (fd === undefined) return
  writeSync(fd, 'content')
  const { FDCWD, EMPTY_PATH, SYMLINK_FOLLOW } = AtFlags
  const [one, two] = [join(folder, 'one'), join(folder, 'two')]
  t.is(codeOf(ring, new LinkAt('', one, { oldDirfd: fd })), 'ENOENT', 'an empty path')
  t.is(complete(ring, new LinkAt(`/proc/self/fd/${fd}`, one, { flags: SYMLINK_FOLLOW })).value, 0)
  t.is(readFileSync(one, 'utf8'), 'content')
  t.is(statSync(one).ino, fstatSync(fd).ino)
  for (const oldDirfd of [fd, { fd }]) {
    const { error } = complete(ring, new LinkAt('', two, { oldDirfd, newDirfd: FDCWD, flags: EMPTY_PATH }))
    if (error?.code === 'ENOENT' && !capable(CAP_DAC_READ_SEARCH)) {
      t.log('before Linux 6.10 an empty path needs CAP_DAC_READ_SEARCH')
      return
    }
    t.is(error, undefined)
    t.is(statSync(two).ino, fstatSync(fd).ino)
    unlinkSync(two)
  }
})

// ---- SymlinkAt

test('SymlinkAt: creates a link, given any form of its path', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  for (const path of pathForms(folder)) {
    for (const [target, bytes] of [
      ['relative/ä', Buffer.from('relative/ä')],
      ['/absolute', Buffer.from('/absolute')],
      [Buffer.from([0xff, 0x2f, 0xfe]), Buffer.from([0xff, 0x2f, 0xfe])],
      [new URL('file:///of%20a/URL'), Buffer.from('/of a/URL')],
      ['x'.repeat(4000), Buffer.from('x'.repeat(4000))],
    ] as const) {
      t.is(complete(ring, new SymlinkAt(target, path)).value, 0)
      t.true(lstatSync(path).isSymbolicLink())
      t.deepEqual(readlinkSync(path, 'buffer'), bytes)
      unlinkSync(path)
    }
  }
})

test('SymlinkAt: resolves the path from dirfd, and stores the target unchanged', (t) => {
  using ring = new Ring({ entries: 4 })
  const { left, leftFd } = twoDirectories(t)
  t.is(complete(ring, new SymlinkAt('same', 'link', { dirfd: leftFd })).value, 0)
  t.is(readlinkSync(join(left, 'link'), 'utf8'), 'same')
  t.is(readFileSync(join(left, 'link'), 'utf8'), 'left')
  t.is(complete(ring, new SymlinkAt('../right/same', 'other', { dirfd: { fd: leftFd } })).value, 0)
  t.is(readFileSync(join(left, 'other'), 'utf8'), 'right')
  t.is(codeOf(ring, new SymlinkAt('same', 'link', { dirfd: 987_654 })), 'EBADF')
  t.is(codeOf(ring, new SymlinkAt('same', 'link', { dirfd: leftFd })), 'EEXIST')
})
