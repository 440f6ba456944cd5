// Names of files: RenameAt, UnlinkAt, MkDirAt, and behavior that all operations on paths share.

import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import {
  AtFlags,
  LinkAt,
  MkDirAt,
  OpenAt,
  OpenAt2,
  type Operation,
  Read,
  RenameAt,
  RenameFlags,
  Ring,
  SymlinkAt,
  UnlinkAt,
  UringError,
} from 'uring'
import { CHUNKS } from '../../helpers/chunks.ts'
import { complete } from '../../helpers/completions.ts'
import { directory, fifo } from '../../helpers/files.ts'
import { codeOf, nonUtf8Path, pathForms, twoDirectories, umask } from '../../helpers/namespace.ts'
import { script } from '../../helpers/process.ts'

// ---- failures

interface Failure {
  readonly operation: Operation<unknown>
  readonly same: () => unknown
  readonly code: string
}

/** Failures that node:fs has too, in a directory with a file, a non-empty directory and a loop of links. */
function failures(folder: string): readonly Failure[] {
  const at = (...names: string[]): string => join(folder, ...names)
  const file = at('file')
  const full = at('full')
  const missing = at('missing')
  const below = at('file', 'below')
  const oddMissing = nonUtf8Path(at('missing'))
  const long = at('x'.repeat(300))
  const loop = at('loop')
  const url = pathToFileURL(missing)
  const rows: Failure[] = []
  const fails = (code: string, operation: Operation<unknown>, same: () => unknown): void => {
    rows.push({ code, operation, same })
  }
  for (const [code, path, flags = 'r'] of [
    ['ENOENT', missing],
    ['ENOENT', Buffer.from(missing)],
    ['ENOENT', url],
    ['ENOENT', oddMissing],
    ['ENOENT', ''],
    ['ENOENT', missing, 'r+'],
    ['ENOENT', at('missing', 'below'), 'w'],
    ['EEXIST', file, 'wx'],
    ['EISDIR', full, 'w'],
    ['ENOTDIR', below],
    ['ENAMETOOLONG', long],
    ['ELOOP', loop],
  ] as const) {
    fails(code, new OpenAt2(path, { flags }), () => openSync(path, flags))
    fails(code, new OpenAt(path, { flags }), () => openSync(path, flags))
  }
  for (const [code, from, to] of [
    ['ENOENT', missing, at('new')],
    ['ENOENT', Buffer.from(missing), url],
    ['ENOENT', url, at('new')],
    ['ENOENT', oddMissing, nonUtf8Path(at('new'))],
    ['ENOENT', '', ''],
    ['ENOENT', file, at('missing', 'below')],
    ['ENOTEMPTY', at('empty'), full],
    ['EISDIR', file, full],
    ['ENOTDIR', full, file],
    ['ENOTDIR', below, file],
    ['EINVAL', full, at('full', 'below')],
    ['ENAMETOOLONG', file, long],
    ['EXDEV', file, '/proc/file'],
  ] as const) {
    fails(code, new RenameAt(from, to), () => renameSync(from, to))
  }
  for (const [code, from, to] of [
    ['ENOENT', missing, at('new')],
    ['ENOENT', url, Buffer.from(at('new'))],
    ['ENOENT', oddMissing, nonUtf8Path(at('new'))],
    ['ENOENT', file, at('missing', 'below')],
    ['EEXIST', file, full],
    ['EEXIST', file, file],
    ['EPERM', full, at('new')],
    ['ENOTDIR', below, at('new')],
  ] as const) {
    fails(code, new LinkAt(from, to), () => linkSync(from, to))
  }
  for (const [code, target, path] of [
    ['EEXIST', 'what it says', file],
    ['EEXIST', Buffer.from('what it says'), Buffer.from(full)],
    ['EEXIST', '/absolute', pathToFileURL(file)],
    ['ENOENT', 'what it says', at('missing', 'below')],
    ['ENOENT', 'what it says', ''],
    ['ENOENT', '', at('new')],
    ['ENOTDIR', Buffer.from([0xff]), Buffer.concat([Buffer.from(below), Buffer.from([0xfe])])],
  ] as const) {
    fails(code, new SymlinkAt(target, path), () => symlinkSync(target, path))
  }
  for (const [code, path] of [
    ['ENOENT', missing],
    ['ENOENT', Buffer.from(missing)],
    ['ENOENT', url],
    ['ENOENT', oddMissing],
    ['ENOENT', ''],
    ['EISDIR', full],
    ['ENOTDIR', below],
    ['ENAMETOOLONG', long],
  ] as const) {
    fails(code, new UnlinkAt(path), () => unlinkSync(path))
  }
  for (const [code, path] of [
    ['ENOENT', missing],
    ['ENOENT', url],
    ['ENOENT', oddMissing],
    ['ENOTDIR', file],
    ['ENOTDIR', Buffer.from(file)],
    ['ENOTEMPTY', full],
    ['EINVAL', `${at('empty')}/.`],
    ['EBUSY', '/'],
  ] as const) {
    fails(code, new UnlinkAt(path, { directory: true }), () => rmdirSync(path))
    fails(code, new UnlinkAt(path, { flags: AtFlags.REMOVEDIR }), () => rmdirSync(path))
  }
  for (const [code, path] of [
    ['EEXIST', file],
    ['EEXIST', Buffer.from(full)],
    ['EEXIST', new URL('file:///')],
    ['ENOENT', at('missing', 'below')],
    ['ENOENT', nonUtf8Path(missing)],
    ['ENOENT', ''],
    ['ENOTDIR', below],
    ['ENAMETOOLONG', long],
  ] as const) {
    fails(code, new MkDirAt(path), () => mkdirSync(path))
  }
  return rows
}

test('OpenAt2, RenameAt, LinkAt, SymlinkAt, UnlinkAt and MkDirAt: fail with the messages of node:fs', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  writeFileSync(join(folder, 'file'), 'content')
  mkdirSync(join(folder, 'full', 'inner'), { recursive: true })
  mkdirSync(join(folder, 'empty'))
  symlinkSync('loop', join(folder, 'loop'))
  const before = readdirSync(folder, { recursive: true })
  for (const { operation, same, code } of failures(folder)) {
    const { name } = operation.constructor
    const expected = t.throws(same, { code }, name) as NodeJS.ErrnoException & { dest?: string }
    const { error } = complete(ring, operation)
    t.true(error instanceof UringError, expected.message)
    t.is(error?.operation, name)
    t.is(error?.message, expected.message)
    for (const key of ['code', 'errno', 'syscall', 'path', 'dest'] as const) {
      t.is(error?.[key], expected[key], `${expected.message}: ${key}`)
    }
  }
  t.deepEqual(readdirSync(folder, { recursive: true }), before)
})

test('OpenAt2, RenameAt, SymlinkAt, UnlinkAt and MkDirAt: errors have the paths at the time of push()', (t) => {
  using ring = new Ring({ entries: 4 })
  const missing = join(directory(t), 'missing')
  const at = (name: string): string => join(missing, name)
  for (const [operation, changes, path, dest] of [
    [new OpenAt2(at('one')), { path: '/two' }, at('one'), undefined],
    [new RenameAt(at('one'), at('two')), { from: '/1', to: '/2' }, at('one'), at('two')],
    [new LinkAt(at('one'), at('two')), { from: '/1', to: '/2' }, at('one'), at('two')],
    [new SymlinkAt('target', at('one')), { target: 'x', path: '/two' }, 'target', at('one')],
    [new UnlinkAt(at('one')), { path: '/two', directory: true }, at('one'), undefined],
    [new MkDirAt(at('one')), { path: '/two' }, at('one'), undefined],
  ] as const) {
    ring.push(operation)
    Object.assign(operation, changes)
    const error = ring.wait()?.error
    t.is(error?.code, 'ENOENT')
    t.is(error?.path, path)
    t.is(error?.dest, dest)
    t.is(error?.syscall, (operation.constructor as typeof OpenAt2).syscall)
  }
})

// ---- RenameAt

test('RenameAt: moves a file, given any form of its path', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  mkdirSync(join(folder, 'from'))
  mkdirSync(join(folder, 'to'))
  for (const [index, from] of pathForms(join(folder, 'from')).entries()) {
    for (const [other, to] of pathForms(join(folder, 'to')).entries()) {
      writeFileSync(from, `content ${index} ${other}`)
      const { ino } = statSync(from)
      t.is(complete(ring, new RenameAt(from, to)).value, 0)
      t.deepEqual(readdirSync(join(folder, 'from')), [])
      t.is(readFileSync(to, 'utf8'), `content ${index} ${other}`)
      t.is(statSync(to).ino, ino)
      unlinkSync(to)
    }
  }
})

test('RenameAt: replaces, refuses to replace, or exchanges, as the flags say', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  const [from, to] = [join(folder, 'from'), join(folder, 'to')]
  const reset = (): void => {
    writeFileSync(from, 'one')
    writeFileSync(to, 'two')
  }
  const { NOREPLACE, EXCHANGE } = RenameFlags
  reset()
  t.is(codeOf(ring, new RenameAt(from, to, { flags: NOREPLACE })), 'EEXIST')
  t.is(readFileSync(from, 'utf8'), 'one')
  t.is(readFileSync(to, 'utf8'), 'two')
  t.is(complete(ring, new RenameAt(from, to, { flags: EXCHANGE })).value, 0)
  t.is(readFileSync(from, 'utf8'), 'two')
  t.is(readFileSync(to, 'utf8'), 'one')
  reset()
  t.is(complete(ring, new RenameAt(from, to)).value, 0)
  t.false(existsSync(from))
  t.is(readFileSync(to, 'utf8'), 'one')
  t.is(codeOf(ring, new RenameAt(to, from, { flags: EXCHANGE })), 'ENOENT')
  t.is(complete(ring, new RenameAt(to, from, { flags: NOREPLACE })).value, 0)
  t.is(readFileSync(from, 'utf8'), 'one')
  t.deepEqual(readdirSync(folder), ['from'])
  t.is(codeOf(ring, new RenameAt(from, to, { flags: NOREPLACE | EXCHANGE })), 'EINVAL')
  t.is(codeOf(ring, new RenameAt(from, to, { flags: -(2 ** 31) })), 'EINVAL', 'an unknown flag')
  const error = complete(ring, new RenameAt(to, from, { flags: EXCHANGE })).error
  t.is(error?.message, `ENOENT: no such file or directory, rename '${to}' -> '${from}'`)
})

test('RenameAt: resolves relative paths from oldDirfd and newDirfd', (t) => {
  using ring = new Ring({ entries: 4 })
  const { left, right, leftFd, rightFd } = twoDirectories(t)
  t.is(
    complete(ring, new RenameAt('same', 'moved', { oldDirfd: leftFd, newDirfd: { fd: rightFd } })).value,
    0,
  )
  t.deepEqual(readdirSync(left), [])
  t.is(readFileSync(join(right, 'moved'), 'utf8'), 'left')
  t.is(readFileSync(join(right, 'same'), 'utf8'), 'right')
  t.is(complete(ring, new RenameAt('same', join(left, 'back'), { oldDirfd: { fd: rightFd } })).value, 0)
  t.is(readFileSync(join(left, 'back'), 'utf8'), 'right')
  t.is(complete(ring, new RenameAt(join(right, 'moved'), 'same', { newDirfd: leftFd })).value, 0)
  t.is(readFileSync(join(left, 'same'), 'utf8'), 'left')
  t.is(codeOf(ring, new RenameAt('same', 'x', { oldDirfd: leftFd, newDirfd: 987_654 })), 'EBADF')
  t.is(codeOf(ring, new RenameAt('same', 'x', { oldDirfd: 987_654, newDirfd: leftFd })), 'EBADF')
  t.is(
    codeOf(ring, new RenameAt('same', 'x', { oldDirfd: AtFlags.FDCWD, newDirfd: AtFlags.FDCWD })),
    'ENOENT',
  )
  t.deepEqual(readdirSync(left).toSorted(), ['back', 'same'])
})

// ---- UnlinkAt

test('UnlinkAt: removes a name, given any form of it', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  const kept = join(folder, 'kept')
  writeFileSync(kept, 'content')
  for (const path of pathForms(folder)) {
    linkSync(kept, path)
    t.is(complete(ring, new UnlinkAt(path)).value, 0)
    t.deepEqual(readdirSync(folder), ['kept'])
    mkdirSync(path)
    t.is(codeOf(ring, new UnlinkAt(path)), 'EISDIR')
    t.is(complete(ring, new UnlinkAt(path, { directory: true })).value, 0)
    t.deepEqual(readdirSync(folder), ['kept'])
  }
  t.is(readFileSync(kept, 'utf8'), 'content')
  const link = join(folder, 'link')
  symlinkSync('kept', link)
  t.is(complete(ring, new UnlinkAt(link)).value, 0)
  t.deepEqual(readdirSync(folder), ['kept'], 'not what the link leads to')
})

test('UnlinkAt: removes a directory with the option, or else a file', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  const [file, inner] = [join(folder, 'file'), join(folder, 'inner')]
  writeFileSync(file, '')
  mkdirSync(inner)
  t.is(codeOf(ring, new UnlinkAt(file, { directory: true })), 'ENOTDIR')
  t.is(codeOf(ring, new UnlinkAt(inner, { directory: false })), 'EISDIR')
  t.is(codeOf(ring, new UnlinkAt(folder, { directory: true })), 'ENOTEMPTY')
  t.is(codeOf(ring, new UnlinkAt(file, { flags: AtFlags.SYMLINK_NOFOLLOW })), 'EINVAL')
  t.is(codeOf(ring, new UnlinkAt(file, { flags: -(2 ** 31) })), 'EINVAL')
  t.is(codeOf(ring, new UnlinkAt(inner, { directory: true, flags: AtFlags.SYMLINK_NOFOLLOW })), 'EINVAL')
  t.deepEqual(readdirSync(folder).toSorted(), ['file', 'inner'])
  t.is(complete(ring, new UnlinkAt(inner, { flags: AtFlags.REMOVEDIR })).value, 0)
  t.is(complete(ring, new UnlinkAt(file, { directory: false })).value, 0)
  t.deepEqual(readdirSync(folder), [])
})

test('UnlinkAt: resolves relative paths from dirfd', (t) => {
  using ring = new Ring({ entries: 4 })
  const { left, right, leftFd, rightFd } = twoDirectories(t)
  t.is(complete(ring, new UnlinkAt('same', { dirfd: leftFd })).value, 0)
  t.deepEqual(readdirSync(left), [])
  t.deepEqual(readdirSync(right), ['same'])
  t.is(complete(ring, new UnlinkAt('same', { dirfd: { fd: rightFd } })).value, 0)
  t.deepEqual(readdirSync(right), [])
  mkdirSync(join(left, 'inner'))
  t.is(complete(ring, new UnlinkAt('inner', { dirfd: leftFd, directory: true })).value, 0)
  t.deepEqual(readdirSync(left), [])
  t.is(codeOf(ring, new UnlinkAt('same', { dirfd: 987_654 })), 'EBADF')
  t.is(codeOf(ring, new UnlinkAt('same', { dirfd: leftFd })), 'ENOENT')
})

// ---- MkDirAt

test('MkDirAt: creates a directory, given any form of its path', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  for (const path of pathForms(folder)) {
    t.is(complete(ring, new MkDirAt(path)).value, 0)
    t.true(statSync(path).isDirectory())
    rmdirSync(path)
  }
  t.deepEqual(readdirSync(folder), [])
})

test('MkDirAt: applies the mode, and resolves relative paths from dirfd', (t) => {
  using ring = new Ring({ entries: 4 })
  const { left, right, leftFd, rightFd } = twoDirectories(t)
  umask(t, 0o005)
  const modeOf = (path: string): number => statSync(path).mode & 0o7777
  t.is(complete(ring, new MkDirAt(join(left, 'a'))).value, 0)
  t.is(modeOf(join(left, 'a')), 0o772)
  t.is(complete(ring, new MkDirAt('b', { dirfd: leftFd, mode: 0o705 })).value, 0)
  t.is(modeOf(join(left, 'b')), 0o700)
  t.is(complete(ring, new MkDirAt('c', { dirfd: { fd: rightFd }, mode: 0o1777 })).value, 0)
  t.is(modeOf(join(right, 'c')), 0o1772)
  t.is(complete(ring, new MkDirAt('d', { dirfd: rightFd, mode: 0 })).value, 0)
  t.is(modeOf(join(right, 'd')), 0)
  t.is(codeOf(ring, new MkDirAt('d', { dirfd: rightFd })), 'EEXIST')
  t.is(codeOf(ring, new MkDirAt('d', { dirfd: 987_654 })), 'EBADF')
  t.deepEqual(readdirSync(left).toSorted(), ['a', 'b', 'same'])
  t.deepEqual(readdirSync(right).toSorted(), ['c', 'd', 'same'])
})

// ---- all of them

test('MkDirAt, OpenAt2, LinkAt, SymlinkAt, RenameAt and UnlinkAt: run in order when linked after a blocked read', (t) => {
  using ring = new Ring({ entries: 16 })
  const folder = directory(t)
  const at = (...names: string[]): string => join(folder, ...names)
  const fd = fifo(t)
  const made = at('made')
  ring.pushAll(
    [
      new Read(fd, Buffer.alloc(1)).link(),
      new MkDirAt(made).link(),
      new OpenAt2(at('made', 'file'), { flags: 'wx', mode: 0o600 }).link(),
      new LinkAt(at('made', 'file'), at('made', 'other')).link(),
      new SymlinkAt('file', at('made', 'link')).link(),
      new RenameAt(made, at('moved')).link(),
      new UnlinkAt(at('moved', 'other')).link(),
      new OpenAt2(at('made', 'file')).link(),
      new MkDirAt(made),
    ],
    ['read', 'mkdir', 'open', 'link', 'symlink', 'rename', 'unlink', 'missing', 'cancelled'],
  )
  ring.submit()
  t.is(ring.tryWait(), undefined)
  t.deepEqual(readdirSync(folder), [])
  writeSync(fd, 'x')
  // Cancelled operations may complete before the one that failed.
  const done = new Map(ring.waitMany(9).map((completion) => [completion.userData, completion]))
  t.deepEqual(Object.fromEntries([...done].map(([name, { error }]) => [name, error?.code ?? ''])), {
    read: '',
    mkdir: '',
    open: '',
    link: '',
    symlink: '',
    rename: '',
    unlink: '',
    missing: 'ENOENT',
    cancelled: 'ECANCELED',
  })
  closeSync(done.get('open')?.value as number)
  t.deepEqual(readdirSync(folder), ['moved'])
  t.deepEqual(readdirSync(at('moved')).toSorted(), ['file', 'link'])
})

test('OpenAt2, RenameAt, LinkAt, SymlinkAt, UnlinkAt and MkDirAt: keep their paths alive while in flight', async (t) => {
  const folder = directory(t)
  const outcome = await script(
    `
    import { readdirSync, readlinkSync, writeFileSync } from 'node:fs'
    import { LinkAt, MkDirAt, OpenAt2, RenameAt, Ring, SymlinkAt, UnlinkAt } from 'uring'
    ${CHUNKS}
    process.chdir(${JSON.stringify(folder)})
    const ring = new Ring({ entries: 64 })
    const COUNT = 5
    for (let index = 0; index < COUNT; index += 1) {
      for (const name of ['rename', 'link', 'unlink']) writeFileSync(name + index, '')
      alone(() => ring.push(new OpenAt2('open' + index, { flags: 'wx' }), 'open'))
      alone(() => ring.push(new RenameAt('rename' + index, 'renamed' + index), 'rename'))
      alone(() => ring.push(new LinkAt('link' + index, 'linked' + index), 'link'))
      alone(() => ring.push(new SymlinkAt('target' + index, 'symlink' + index), 'symlink'))
      alone(() => ring.push(new UnlinkAt('unlink' + index), 'unlink'))
      alone(() => ring.push(new MkDirAt('mkdir' + index), 'mkdir'))
    }
    await collect()
    const wrong = new Set()
    for (const { error, userData } of ring.waitMany(COUNT * 6)) if (error) wrong.add(userData + ': ' + error)
    const expected = ['open', 'renamed', 'link', 'linked', 'symlink', 'mkdir']
      .flatMap((name) => Array.from({ length: COUNT }, (_, index) => name + index))
    if (readdirSync('.').sort().join() !== expected.sort().join()) wrong.add('names')
    for (let index = 0; index < COUNT; index += 1) {
      if (readlinkSync('symlink' + index) !== 'target' + index) wrong.add('target')
    }
    if (wrong.size > 0) throw new Error([...wrong].join())
    console.log('done')
    `,
    ['--expose-gc'],
  )
  t.deepEqual(outcome, { code: 0, signal: null, stdout: 'done\n', stderr: '' })
})
