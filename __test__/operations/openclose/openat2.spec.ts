// OpenAt2: flags, modes, and how a path is resolved.

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  AtFlags,
  FixedFile,
  OpenAt,
  OpenAt2,
  type OpenAt2Options,
  OpenFlags,
  type Operation,
  Read,
  ResolveFlags,
  Ring,
} from 'uring'
import { complete } from '../../helpers/completions.ts'
import { directory } from '../../helpers/files.ts'
import { codeOf, openDirectory, openTemporary, pathForms, umask } from '../../helpers/namespace.ts'

/** The open flags and close-on-exec of a descriptor, from /proc. */
function flagsOf(fd: number): number {
  const [, flags] = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? []
  return Number.parseInt(flags ?? '', 8)
}

test('OpenAt2: opens a file, given any form of its path', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  for (const [index, path] of pathForms(folder).entries()) {
    writeFileSync(path, `content ${index}`)
    const fd = complete(ring, new OpenAt2(path)).value
    t.is(readFileSync(fd, 'utf8'), `content ${index}`)
    closeSync(fd)
  }
})

test('OpenAt2: accepts flags of node:fs and of the kernel', (t) => {
  using ring = new Ring({ entries: 4 })
  const path = join(directory(t), 'file')
  const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_WRONLY } = constants
  const shown = O_RDWR | O_WRONLY | O_APPEND
  const outcome = (flags?: string | number): string | number => {
    const completion = complete(ring, new OpenAt2(path, flags === undefined ? undefined : { flags }))
    if (completion.error !== undefined) return completion.error.code
    const status = flagsOf(completion.value)
    closeSync(completion.value)
    return status & shown
  }
  t.is(outcome(), 'ENOENT')
  t.is(outcome('r+'), 'ENOENT')
  t.is(outcome('wx'), O_WRONLY)
  t.is(outcome('wx'), 'EEXIST')
  t.is(outcome(O_CREAT | O_EXCL), 'EEXIST')
  t.is(outcome(), O_RDONLY)
  t.is(outcome('r+'), O_RDWR)
  t.is(outcome('a'), O_WRONLY | O_APPEND)
  t.is(outcome('a+'), O_RDWR | O_APPEND)
  t.is(outcome(O_WRONLY | O_APPEND), O_WRONLY | O_APPEND)
  t.is(outcome(O_DIRECTORY), 'ENOTDIR')
  writeFileSync(path, 'content')
  t.is(outcome('w+'), O_RDWR)
  t.is(statSync(path).size, 0)
})

test('OpenAt2: fails with EINVAL for flags that the kernel does not know', (t) => {
  using ring = new Ring({ entries: 4 })
  const path = join(directory(t), 'file')
  writeFileSync(path, 'content')
  const unknown = 0x4000_0000
  const fd = complete(ring, new OpenAt(path, { flags: unknown })).value
  t.is(readFileSync(fd, 'utf8'), 'content', 'open(2) ignores it')
  closeSync(fd)
  t.is(codeOf(ring, new OpenAt2(path, { flags: unknown })), 'EINVAL')
  for (const resolve of [0x8000_0000, -0x8000_0000, 0x4000_0000, ResolveFlags.BENEATH | ResolveFlags.IN_ROOT])
    t.is(codeOf(ring, new OpenAt2(path, { resolve })), 'EINVAL')
})

test('OpenAt2: passes a default mode only if the flags can create a file', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  umask(t, 0o022)
  const made = (name: string, options: OpenAt2Options): number => {
    const completion = complete(ring, new OpenAt2(join(folder, name), { flags: 'w', ...options }))
    closeSync(completion.value as number)
    return statSync(join(folder, name)).mode & 0o7777
  }
  t.is(made('a', {}), 0o644)
  t.is(made('b', { mode: 0o777 }), 0o755)
  t.is(made('c', { mode: 0 }), 0)
  t.is(made('d', { mode: 0o4600 }), 0o4600)
  t.is(made('e', { flags: OpenFlags.RDWR | OpenFlags.CREAT }), 0o644)
  const path = join(folder, 'a')
  for (const flags of ['r', 'r+', OpenFlags.PATH, OpenFlags.WRONLY | OpenFlags.TRUNC]) {
    closeSync(complete(ring, new OpenAt2(path, { flags })).value)
    t.is(codeOf(ring, new OpenAt2(path, { flags, mode: 0o644 })), 'EINVAL')
  }
  closeSync(complete(ring, new OpenAt2(folder, { flags: OpenFlags.DIRECTORY })).value)
  t.is(codeOf(ring, new OpenAt2(join(folder, 'f'), { flags: 'w', mode: 0o10000 })), 'EINVAL')
  t.false(existsSync(join(folder, 'f')))
})

test('OpenAt2: creates an unnamed file with TMPFILE', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  umask(t, 0o022)
  const fd = openTemporary(t, ring, folder)
  if (fd === undefined) return
  t.is(fstatSync(fd).mode & 0o7777, 0o644)
  t.is(fstatSync(fd).nlink, 0)
  t.deepEqual(readdirSync(folder), [])
  const other = openTemporary(t, ring, folder, 0o600) as number
  t.is(fstatSync(other).mode & 0o7777, 0o600)
})

test('OpenAt2: resolves relative paths from dirfd', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  writeFileSync(join(folder, 'file'), 'content')
  const dirfd = openDirectory(t, folder)
  for (const start of [dirfd, { fd: dirfd }]) {
    const fd = complete(ring, new OpenAt2('file', { dirfd: start })).value
    t.is(readFileSync(fd, 'utf8'), 'content')
    closeSync(fd)
  }
  t.is(codeOf(ring, new OpenAt2('file', { dirfd: AtFlags.FDCWD })), 'ENOENT')
  t.is(codeOf(ring, new OpenAt2('file', { dirfd: 987_654 })), 'EBADF')
})

test('OpenAt2: sets close-on-exec as the option says', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const [options, closed] of [
    [undefined, true],
    [{ cloexec: true }, true],
    [{ cloexec: false }, false],
    [{ flags: OpenFlags.CLOEXEC, cloexec: false }, true],
  ] as const) {
    const fd = complete(ring, new OpenAt2('/dev/null', options)).value
    t.is((flagsOf(fd) & OpenFlags.CLOEXEC) !== 0, closed, JSON.stringify(options))
    closeSync(fd)
  }
})

test('OpenAt2: restricts path resolution as the resolve flags say', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  const base = join(folder, 'base')
  mkdirSync(join(base, 'inner'), { recursive: true })
  writeFileSync(join(folder, 'file'), 'outside')
  writeFileSync(join(base, 'file'), 'inside')
  writeFileSync(join(base, 'inner', 'file'), 'inner')
  symlinkSync('inner', join(base, 'link'))
  symlinkSync('/file', join(base, 'absolute'))
  symlinkSync('../file', join(base, 'out'))
  const dirfd = openDirectory(t, base)
  const outcome = (path: string, resolve?: number): string => {
    const completion = complete(
      ring,
      new OpenAt2(path, resolve === undefined ? { dirfd } : { dirfd, resolve }),
    )
    if (completion.error !== undefined) return completion.error.code
    const content = readFileSync(completion.value, 'utf8')
    closeSync(completion.value)
    return content
  }
  const { BENEATH, CACHED, IN_ROOT, NO_MAGICLINKS, NO_SYMLINKS, NO_XDEV } = ResolveFlags

  t.is(outcome('../file'), 'outside')
  t.is(outcome('out'), 'outside')
  t.is(outcome(join(base, 'file')), 'inside')
  t.is(outcome('link/file'), 'inner')

  t.is(outcome('file', BENEATH), 'inside')
  t.is(outcome('link/file', BENEATH), 'inner')
  t.is(outcome('inner/../file', BENEATH), 'inside')
  t.is(outcome('../file', BENEATH), 'EXDEV')
  t.is(outcome('inner/../../base/file', BENEATH), 'EXDEV')
  t.is(outcome('out', BENEATH), 'EXDEV')
  t.is(outcome('absolute', BENEATH), 'EXDEV')
  t.is(outcome(join(base, 'file'), BENEATH), 'EXDEV')

  t.is(outcome('/file', IN_ROOT), 'inside')
  t.is(outcome('absolute', IN_ROOT), 'inside')
  t.is(outcome('../../../file', IN_ROOT), 'inside')
  t.is(outcome('out', IN_ROOT), 'inside')
  t.is(outcome('/missing', IN_ROOT), 'ENOENT')

  t.is(outcome('inner/file', NO_SYMLINKS), 'inner')
  t.is(outcome('link/file', NO_SYMLINKS), 'ELOOP')
  t.is(outcome('out', NO_SYMLINKS), 'ELOOP')

  const magic = `/proc/self/fd/${openSync(join(base, 'file'), 'r')}`
  t.teardown(() => closeSync(Number(magic.slice(magic.lastIndexOf('/') + 1))))
  t.is(outcome(magic), 'inside')
  t.is(outcome(magic, NO_MAGICLINKS), 'ELOOP')
  t.is(outcome('link/file', NO_MAGICLINKS), 'inner', 'other links are followed')

  t.is(outcome('/proc/self/comm', NO_MAGICLINKS), readFileSync('/proc/self/comm', 'utf8'))
  t.is(outcome('/proc/self/comm', NO_XDEV), 'EXDEV', 'another file system begins at /proc')
  t.is(outcome('file', NO_XDEV), 'inside')

  const cached = outcome('file', CACHED)
  t.true(cached === 'inside' || cached === 'EAGAIN', cached)
  const missing = new OpenAt2('new', { dirfd, flags: 'w', resolve: CACHED })
  t.is(codeOf(ring, missing), 'EAGAIN', 'a new file is not in the cache')
  t.false(existsSync(join(base, 'new')))
})

test('OpenAt2: opens into fixed-file slots', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(folder, name), `content of ${name}`)
  const open = (name: string, direct: 'auto' | number | FixedFile, cloexec?: boolean) =>
    complete(ring, new OpenAt2(join(folder, name), cloexec === undefined ? { direct } : { direct, cloexec }))
  const contentOf = (file: FixedFile): string => {
    const bytes = Buffer.alloc(100)
    return bytes.toString('utf8', 0, complete(ring, new Read(file, bytes, { offset: 0 })).value)
  }
  t.is(open('a', 0).error?.code, 'ENXIO', 'there is no table')
  t.is(open('a', 'auto').error?.code, 'ENFILE')
  ring.registerFiles(3)

  const descriptors = readdirSync('/proc/self/fd').length
  const first = open('a', 2).value
  t.true(first instanceof FixedFile)
  t.deepEqual(first, new FixedFile(2))
  t.is(contentOf(new FixedFile(2)), 'content of a')
  const second = open('b', new FixedFile(0), true).value
  t.deepEqual(second, new FixedFile(0))
  t.is(contentOf(second), 'content of b')
  const third = open('c', 'auto', false).value
  t.deepEqual(third, new FixedFile(1), 'the only one that is free')
  t.is(contentOf(third), 'content of c')
  t.is(open('d', 'auto').error?.code, 'ENFILE')
  t.is(contentOf(new FixedFile(2)), 'content of a')
  t.deepEqual(open('d', 2).value, new FixedFile(2))
  t.is(contentOf(new FixedFile(2)), 'content of d', 'a used slot is replaced')
  t.is(open('a', 3).error?.code, 'EINVAL', 'outside the table')
  t.is(open('missing', 1).error?.code, 'ENOENT')
  t.is(contentOf(new FixedFile(1)), 'content of c')
  t.is(readdirSync('/proc/self/fd').length, descriptors)
})

test('OpenAt2: has a result type that depends on direct', (t) => {
  // The type checker is the test.
  const open: Operation<number> = new OpenAt2('x')
  const other: Operation<number> = new OpenAt2('x', { flags: 'w', resolve: 0 })
  const direct: Operation<FixedFile> = new OpenAt2('x', { direct: 'auto' })
  // @ts-expect-error a fixed file is not a number
  const wrong: Operation<number> = new OpenAt2('x', { direct: 1 })
  t.is([open, other, direct, wrong].length, 4)
})
