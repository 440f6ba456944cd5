// Names of files: OpenAt2, RenameAt, LinkAt, SymlinkAt, UnlinkAt, MkDirAt.

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  AtFlags,
  type Completion,
  FixedFile,
  LinkAt,
  MkDirAt,
  OpenAt,
  OpenAt2,
  type OpenAt2Options,
  OpenFlags,
  type Operation,
  type Path,
  Read,
  RenameAt,
  RenameFlags,
  ResolveFlags,
  Ring,
  SymlinkAt,
  UnlinkAt,
  UringError,
} from 'uring'
import { CHUNKS } from './helpers/chunks.ts'
import { directory, fifo } from './helpers/files.ts'
import { script } from './helpers/process.ts'

function run<T>(ring: Ring, operation: Operation<T>): Completion<T> {
  ring.push(operation)
  const completion = ring.wait()
  if (completion === undefined) throw new Error('nothing completed')
  return completion as Completion<T>
}

/** The code of a failure, or `''`. */
function codeOf<T>(ring: Ring, operation: Operation<T>): string {
  return run(ring, operation).error?.code ?? ''
}

/** A descriptor of a directory. */
function opened(t: ExecutionContext, path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  t.teardown(() => closeSync(fd))
  return fd
}

function umask(t: ExecutionContext, mask: number): void {
  const before = process.umask(mask)
  t.teardown(() => process.umask(before))
}

/** Flags and close-on-exec, as the kernel shows them. */
function flagsOf(fd: number): number {
  const [, flags] = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? []
  return Number.parseInt(flags ?? '', 8)
}

/** A path that is no UTF-8: only a buffer can name it. */
function odd(folder: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])])
}

/** The same path in every form. */
function forms(folder: string): readonly Path[] {
  const path = join(folder, 'pläin name')
  return [path, Buffer.from(path), pathToFileURL(path), odd(folder), relative(process.cwd(), path)]
}

// ---- failures

interface Failure {
  readonly operation: Operation<unknown>
  readonly same: () => unknown
  readonly code: string
}

/** Failures that node:fs has too, in a directory with a file, a directory that is not empty, and a loop of links. */
function failures(folder: string): readonly Failure[] {
  const at = (...names: string[]): string => join(folder, ...names)
  const file = at('file')
  const full = at('full')
  const missing = at('missing')
  const below = at('file', 'below')
  const oddMissing = odd(at('missing'))
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
    ['ENOENT', oddMissing, odd(at('new'))],
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
    ['ENOENT', oddMissing, odd(at('new'))],
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
    ['ENOENT', odd(missing)],
    ['ENOENT', ''],
    ['ENOTDIR', below],
    ['ENAMETOOLONG', long],
  ] as const) {
    fails(code, new MkDirAt(path), () => mkdirSync(path))
  }
  return rows
}

test('OpenAt2, RenameAt, LinkAt, SymlinkAt, UnlinkAt and MkDirAt: failures are those of node:fs, to the letter', (t) => {
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
    const { error } = run(ring, operation)
    t.true(error instanceof UringError, expected.message)
    t.is(error?.operation, name)
    t.is(error?.message, expected.message)
    for (const key of ['code', 'errno', 'syscall', 'path', 'dest'] as const) {
      t.is(error?.[key], expected[key], `${expected.message}: ${key}`)
    }
  }
  t.deepEqual(readdirSync(folder, { recursive: true }), before)
})

test('OpenAt2, RenameAt, SymlinkAt, UnlinkAt and MkDirAt: an error keeps the paths that were pushed', (t) => {
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

// ---- OpenAt2

test('OpenAt2: opens what there is, by any form of its path', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  for (const [index, path] of forms(folder).entries()) {
    writeFileSync(path, `content ${index}`)
    const fd = run(ring, new OpenAt2(path)).value
    t.is(readFileSync(fd, 'utf8'), `content ${index}`)
    closeSync(fd)
  }
})

test("OpenAt2: flags are those of node:fs, or the kernel's", (t) => {
  using ring = new Ring({ entries: 4 })
  const path = join(directory(t), 'file')
  const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_WRONLY } = constants
  const shown = O_RDWR | O_WRONLY | O_APPEND
  const outcome = (flags?: string | number): string | number => {
    const completion = run(ring, new OpenAt2(path, flags === undefined ? undefined : { flags }))
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

test('OpenAt2: the kernel knows every flag, or refuses it', (t) => {
  using ring = new Ring({ entries: 4 })
  const path = join(directory(t), 'file')
  writeFileSync(path, 'content')
  const unknown = 0x4000_0000
  const fd = run(ring, new OpenAt(path, { flags: unknown })).value
  t.is(readFileSync(fd, 'utf8'), 'content', 'open(2) does not look')
  closeSync(fd)
  t.is(codeOf(ring, new OpenAt2(path, { flags: unknown })), 'EINVAL')
  for (const resolve of [0x8000_0000, -0x8000_0000, 0x4000_0000, ResolveFlags.BENEATH | ResolveFlags.IN_ROOT])
    t.is(codeOf(ring, new OpenAt2(path, { resolve })), 'EINVAL')
})

test('OpenAt2: there is a mode where a file may be made, and nowhere else', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  umask(t, 0o022)
  const made = (name: string, options: OpenAt2Options): number => {
    const completion = run(ring, new OpenAt2(join(folder, name), { flags: 'w', ...options }))
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
    closeSync(run(ring, new OpenAt2(path, { flags })).value)
    t.is(codeOf(ring, new OpenAt2(path, { flags, mode: 0o644 })), 'EINVAL')
  }
  closeSync(run(ring, new OpenAt2(folder, { flags: OpenFlags.DIRECTORY })).value)
  t.is(codeOf(ring, new OpenAt2(join(folder, 'f'), { flags: 'w', mode: 0o10000 })), 'EINVAL')
  t.false(existsSync(join(folder, 'f')))
})

/** A file without a name, or nothing, and said why, where the file system has no such files. */
function nameless(t: ExecutionContext, ring: Ring, folder: string, mode?: number): number | undefined {
  const flags = OpenFlags.TMPFILE | OpenFlags.RDWR
  const completion = run(ring, new OpenAt2(folder, mode === undefined ? { flags } : { flags, mode }))
  if (completion.error?.code === 'ENOTSUP') {
    t.log(`the file system of ${folder} has no files without a name`)
    t.pass()
    return undefined
  }
  const fd = completion.value
  t.teardown(() => closeSync(fd))
  return fd
}

test('OpenAt2: a file without a name', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  umask(t, 0o022)
  const fd = nameless(t, ring, folder)
  if (fd === undefined) return
  t.is(fstatSync(fd).mode & 0o7777, 0o644)
  t.is(fstatSync(fd).nlink, 0)
  t.deepEqual(readdirSync(folder), [])
  const other = nameless(t, ring, folder, 0o600) as number
  t.is(fstatSync(other).mode & 0o7777, 0o600)
})

test('OpenAt2: relative paths start where they are told to', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  writeFileSync(join(folder, 'file'), 'content')
  const dirfd = opened(t, folder)
  for (const start of [dirfd, { fd: dirfd }]) {
    const fd = run(ring, new OpenAt2('file', { dirfd: start })).value
    t.is(readFileSync(fd, 'utf8'), 'content')
    closeSync(fd)
  }
  t.is(codeOf(ring, new OpenAt2('file', { dirfd: AtFlags.FDCWD })), 'ENOENT')
  t.is(codeOf(ring, new OpenAt2('file', { dirfd: 987_654 })), 'EBADF')
})

test('OpenAt2: a descriptor is closed in programs that are started, or not', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const [options, closed] of [
    [undefined, true],
    [{ cloexec: true }, true],
    [{ cloexec: false }, false],
    [{ flags: OpenFlags.CLOEXEC, cloexec: false }, true],
  ] as const) {
    const fd = run(ring, new OpenAt2('/dev/null', options)).value
    t.is((flagsOf(fd) & OpenFlags.CLOEXEC) !== 0, closed, JSON.stringify(options))
    closeSync(fd)
  }
})

test('OpenAt2: how a path is followed', (t) => {
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
  const dirfd = opened(t, base)
  const outcome = (path: string, resolve?: number): string => {
    const completion = run(ring, new OpenAt2(path, resolve === undefined ? { dirfd } : { dirfd, resolve }))
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
  t.is(codeOf(ring, missing), 'EAGAIN', 'what is made is in no cache')
  t.false(existsSync(join(base, 'new')))
})

test('OpenAt2: into registered files', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(folder, name), `content of ${name}`)
  const open = (name: string, direct: 'auto' | number | FixedFile, cloexec?: boolean) =>
    run(ring, new OpenAt2(join(folder, name), cloexec === undefined ? { direct } : { direct, cloexec }))
  const contentOf = (file: FixedFile): string => {
    const bytes = Buffer.alloc(100)
    return bytes.toString('utf8', 0, run(ring, new Read(file, bytes, { offset: 0 })).value)
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
  t.is(contentOf(new FixedFile(2)), 'content of d', 'a slot in use is taken over')
  t.is(open('a', 3).error?.code, 'EINVAL', 'the table ends before it')
  t.is(open('missing', 1).error?.code, 'ENOENT')
  t.is(contentOf(new FixedFile(1)), 'content of c')
  t.is(readdirSync('/proc/self/fd').length, descriptors)
})

test('OpenAt2: the type of the result follows from where it goes', (t) => {
  // The type checker is the test.
  const open: Operation<number> = new OpenAt2('x')
  const other: Operation<number> = new OpenAt2('x', { flags: 'w', resolve: 0 })
  const direct: Operation<FixedFile> = new OpenAt2('x', { direct: 'auto' })
  // @ts-expect-error a registered file is no number
  const wrong: Operation<number> = new OpenAt2('x', { direct: 1 })
  t.is([open, other, direct, wrong].length, 4)
})

// ---- RenameAt

test('RenameAt: moves a file, by any form of its path', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  mkdirSync(join(folder, 'from'))
  mkdirSync(join(folder, 'to'))
  for (const [index, from] of forms(join(folder, 'from')).entries()) {
    for (const [other, to] of forms(join(folder, 'to')).entries()) {
      writeFileSync(from, `content ${index} ${other}`)
      const { ino } = statSync(from)
      t.is(run(ring, new RenameAt(from, to)).value, 0)
      t.deepEqual(readdirSync(join(folder, 'from')), [])
      t.is(readFileSync(to, 'utf8'), `content ${index} ${other}`)
      t.is(statSync(to).ino, ino)
      unlinkSync(to)
    }
  }
})

test('RenameAt: replaces, refuses to, or exchanges', (t) => {
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
  t.is(run(ring, new RenameAt(from, to, { flags: EXCHANGE })).value, 0)
  t.is(readFileSync(from, 'utf8'), 'two')
  t.is(readFileSync(to, 'utf8'), 'one')
  reset()
  t.is(run(ring, new RenameAt(from, to)).value, 0)
  t.false(existsSync(from))
  t.is(readFileSync(to, 'utf8'), 'one')
  t.is(codeOf(ring, new RenameAt(to, from, { flags: EXCHANGE })), 'ENOENT')
  t.is(run(ring, new RenameAt(to, from, { flags: NOREPLACE })).value, 0)
  t.is(readFileSync(from, 'utf8'), 'one')
  t.deepEqual(readdirSync(folder), ['from'])
  t.is(codeOf(ring, new RenameAt(from, to, { flags: NOREPLACE | EXCHANGE })), 'EINVAL')
  t.is(codeOf(ring, new RenameAt(from, to, { flags: -(2 ** 31) })), 'EINVAL', 'a flag that there is not')
  const error = run(ring, new RenameAt(to, from, { flags: EXCHANGE })).error
  t.is(error?.message, `ENOENT: no such file or directory, rename '${to}' -> '${from}'`)
})

/** Two directories with the same names in them, and descriptors of both. */
function twins(t: ExecutionContext): { left: string; right: string; leftFd: number; rightFd: number } {
  const folder = directory(t)
  const [left, right] = [join(folder, 'left'), join(folder, 'right')]
  mkdirSync(left)
  mkdirSync(right)
  writeFileSync(join(left, 'same'), 'left')
  writeFileSync(join(right, 'same'), 'right')
  return { left, right, leftFd: opened(t, left), rightFd: opened(t, right) }
}

test('RenameAt: relative paths start where they are told to', (t) => {
  using ring = new Ring({ entries: 4 })
  const { left, right, leftFd, rightFd } = twins(t)
  t.is(run(ring, new RenameAt('same', 'moved', { oldDirfd: leftFd, newDirfd: { fd: rightFd } })).value, 0)
  t.deepEqual(readdirSync(left), [])
  t.is(readFileSync(join(right, 'moved'), 'utf8'), 'left')
  t.is(readFileSync(join(right, 'same'), 'utf8'), 'right')
  t.is(run(ring, new RenameAt('same', join(left, 'back'), { oldDirfd: { fd: rightFd } })).value, 0)
  t.is(readFileSync(join(left, 'back'), 'utf8'), 'right')
  t.is(run(ring, new RenameAt(join(right, 'moved'), 'same', { newDirfd: leftFd })).value, 0)
  t.is(readFileSync(join(left, 'same'), 'utf8'), 'left')
  t.is(codeOf(ring, new RenameAt('same', 'x', { oldDirfd: leftFd, newDirfd: 987_654 })), 'EBADF')
  t.is(codeOf(ring, new RenameAt('same', 'x', { oldDirfd: 987_654, newDirfd: leftFd })), 'EBADF')
  t.is(
    codeOf(ring, new RenameAt('same', 'x', { oldDirfd: AtFlags.FDCWD, newDirfd: AtFlags.FDCWD })),
    'ENOENT',
  )
  t.deepEqual(readdirSync(left).toSorted(), ['back', 'same'])
})

// ---- LinkAt

test('LinkAt: gives a file another name, by any form of its path', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  mkdirSync(join(folder, 'from'))
  mkdirSync(join(folder, 'to'))
  for (const from of forms(join(folder, 'from'))) {
    writeFileSync(from, 'content')
    for (const to of forms(join(folder, 'to'))) {
      t.is(run(ring, new LinkAt(from, to)).value, 0)
      t.is(statSync(to).ino, statSync(from).ino)
      t.is(statSync(from).nlink, 2)
      unlinkSync(to)
    }
    unlinkSync(from)
  }
})

test('LinkAt: relative paths start where they are told to', (t) => {
  using ring = new Ring({ entries: 4 })
  const { left, right, leftFd, rightFd } = twins(t)
  t.is(run(ring, new LinkAt('same', 'new', { oldDirfd: { fd: leftFd }, newDirfd: rightFd })).value, 0)
  t.is(readFileSync(join(right, 'new'), 'utf8'), 'left')
  t.is(run(ring, new LinkAt('same', join(left, 'new'), { oldDirfd: rightFd })).value, 0)
  t.is(readFileSync(join(left, 'new'), 'utf8'), 'right')
  t.is(run(ring, new LinkAt(join(left, 'same'), 'third', { newDirfd: { fd: rightFd } })).value, 0)
  t.is(readFileSync(join(right, 'third'), 'utf8'), 'left')
  t.is(codeOf(ring, new LinkAt('same', 'x', { oldDirfd: leftFd, newDirfd: 987_654 })), 'EBADF')
  t.is(codeOf(ring, new LinkAt('same', 'x', { oldDirfd: 987_654, newDirfd: leftFd })), 'EBADF')
})

test('LinkAt: a symbolic link itself, or what it leads to', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  const at = (name: string): string => join(folder, name)
  writeFileSync(at('file'), 'content')
  symlinkSync('file', at('link'))
  t.is(run(ring, new LinkAt(at('link'), at('same link'))).value, 0)
  t.true(lstatSync(at('same link')).isSymbolicLink())
  t.is(lstatSync(at('same link')).ino, lstatSync(at('link')).ino)
  t.is(run(ring, new LinkAt(at('link'), at('same file'), { flags: AtFlags.SYMLINK_FOLLOW })).value, 0)
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

test('LinkAt: a name for a file without one', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  const fd = nameless(t, ring, folder)
  if (fd === undefined) return
  writeSync(fd, 'content')
  const { FDCWD, EMPTY_PATH, SYMLINK_FOLLOW } = AtFlags
  const [one, two] = [join(folder, 'one'), join(folder, 'two')]
  t.is(codeOf(ring, new LinkAt('', one, { oldDirfd: fd })), 'ENOENT', 'an empty path is none')
  t.is(run(ring, new LinkAt(`/proc/self/fd/${fd}`, one, { flags: SYMLINK_FOLLOW })).value, 0)
  t.is(readFileSync(one, 'utf8'), 'content')
  t.is(statSync(one).ino, fstatSync(fd).ino)
  for (const oldDirfd of [fd, { fd }]) {
    const { error } = run(ring, new LinkAt('', two, { oldDirfd, newDirfd: FDCWD, flags: EMPTY_PATH }))
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

test('SymlinkAt: makes a link, by any form of its path', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  for (const path of forms(folder)) {
    for (const [target, bytes] of [
      ['relative/ä', Buffer.from('relative/ä')],
      ['/absolute', Buffer.from('/absolute')],
      [Buffer.from([0xff, 0x2f, 0xfe]), Buffer.from([0xff, 0x2f, 0xfe])],
      [new URL('file:///of%20a/URL'), Buffer.from('/of a/URL')],
      ['x'.repeat(4000), Buffer.from('x'.repeat(4000))],
    ] as const) {
      t.is(run(ring, new SymlinkAt(target, path)).value, 0)
      t.true(lstatSync(path).isSymbolicLink())
      t.deepEqual(readlinkSync(path, 'buffer'), bytes)
      unlinkSync(path)
    }
  }
})

test('SymlinkAt: the path starts where it is told to, and the target nowhere', (t) => {
  using ring = new Ring({ entries: 4 })
  const { left, leftFd } = twins(t)
  t.is(run(ring, new SymlinkAt('same', 'link', { dirfd: leftFd })).value, 0)
  t.is(readlinkSync(join(left, 'link'), 'utf8'), 'same')
  t.is(readFileSync(join(left, 'link'), 'utf8'), 'left')
  t.is(run(ring, new SymlinkAt('../right/same', 'other', { dirfd: { fd: leftFd } })).value, 0)
  t.is(readFileSync(join(left, 'other'), 'utf8'), 'right')
  t.is(codeOf(ring, new SymlinkAt('same', 'link', { dirfd: 987_654 })), 'EBADF')
  t.is(codeOf(ring, new SymlinkAt('same', 'link', { dirfd: leftFd })), 'EEXIST')
})

// ---- UnlinkAt

test('UnlinkAt: removes a name, by any form of it', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  const kept = join(folder, 'kept')
  writeFileSync(kept, 'content')
  for (const path of forms(folder)) {
    linkSync(kept, path)
    t.is(run(ring, new UnlinkAt(path)).value, 0)
    t.deepEqual(readdirSync(folder), ['kept'])
    mkdirSync(path)
    t.is(codeOf(ring, new UnlinkAt(path)), 'EISDIR')
    t.is(run(ring, new UnlinkAt(path, { directory: true })).value, 0)
    t.deepEqual(readdirSync(folder), ['kept'])
  }
  t.is(readFileSync(kept, 'utf8'), 'content')
  const link = join(folder, 'link')
  symlinkSync('kept', link)
  t.is(run(ring, new UnlinkAt(link)).value, 0)
  t.deepEqual(readdirSync(folder), ['kept'], 'not what the link leads to')
})

test('UnlinkAt: a directory, or a file', (t) => {
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
  t.is(run(ring, new UnlinkAt(inner, { flags: AtFlags.REMOVEDIR })).value, 0)
  t.is(run(ring, new UnlinkAt(file, { directory: false })).value, 0)
  t.deepEqual(readdirSync(folder), [])
})

test('UnlinkAt: relative paths start where they are told to', (t) => {
  using ring = new Ring({ entries: 4 })
  const { left, right, leftFd, rightFd } = twins(t)
  t.is(run(ring, new UnlinkAt('same', { dirfd: leftFd })).value, 0)
  t.deepEqual(readdirSync(left), [])
  t.deepEqual(readdirSync(right), ['same'])
  t.is(run(ring, new UnlinkAt('same', { dirfd: { fd: rightFd } })).value, 0)
  t.deepEqual(readdirSync(right), [])
  mkdirSync(join(left, 'inner'))
  t.is(run(ring, new UnlinkAt('inner', { dirfd: leftFd, directory: true })).value, 0)
  t.deepEqual(readdirSync(left), [])
  t.is(codeOf(ring, new UnlinkAt('same', { dirfd: 987_654 })), 'EBADF')
  t.is(codeOf(ring, new UnlinkAt('same', { dirfd: leftFd })), 'ENOENT')
})

// ---- MkDirAt

test('MkDirAt: makes a directory, by any form of its path', (t) => {
  using ring = new Ring({ entries: 4 })
  const folder = directory(t)
  for (const path of forms(folder)) {
    t.is(run(ring, new MkDirAt(path)).value, 0)
    t.true(statSync(path).isDirectory())
    rmdirSync(path)
  }
  t.deepEqual(readdirSync(folder), [])
})

test('MkDirAt: permissions, and where a relative path starts', (t) => {
  using ring = new Ring({ entries: 4 })
  const { left, right, leftFd, rightFd } = twins(t)
  umask(t, 0o005)
  const modeOf = (path: string): number => statSync(path).mode & 0o7777
  t.is(run(ring, new MkDirAt(join(left, 'a'))).value, 0)
  t.is(modeOf(join(left, 'a')), 0o772)
  t.is(run(ring, new MkDirAt('b', { dirfd: leftFd, mode: 0o705 })).value, 0)
  t.is(modeOf(join(left, 'b')), 0o700)
  t.is(run(ring, new MkDirAt('c', { dirfd: { fd: rightFd }, mode: 0o1777 })).value, 0)
  t.is(modeOf(join(right, 'c')), 0o1772)
  t.is(run(ring, new MkDirAt('d', { dirfd: rightFd, mode: 0 })).value, 0)
  t.is(modeOf(join(right, 'd')), 0)
  t.is(codeOf(ring, new MkDirAt('d', { dirfd: rightFd })), 'EEXIST')
  t.is(codeOf(ring, new MkDirAt('d', { dirfd: 987_654 })), 'EBADF')
  t.deepEqual(readdirSync(left).toSorted(), ['a', 'b', 'same'])
  t.deepEqual(readdirSync(right).toSorted(), ['c', 'd', 'same'])
})

// ---- all of them

test('MkDirAt, OpenAt2, LinkAt, SymlinkAt, RenameAt and UnlinkAt: one after the other, behind a read that waits', (t) => {
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
  // What is cancelled may complete before what failed.
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

test('OpenAt2, RenameAt, LinkAt, SymlinkAt, UnlinkAt and MkDirAt: garbage collection leaves their paths alone', async (t) => {
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
