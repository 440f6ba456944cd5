// Opening and closing files.

import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { Close, FixedFile, OpenAt, OpenFlags, type Path, Ring } from 'uring'
import { directory } from '../../helpers/files.ts'

function opened(ring: Ring, path: Path, options?: ConstructorParameters<typeof OpenAt>[1]): number {
  ring.push(new OpenAt(path, options))
  return ring.wait()?.value as number
}

test('OpenAt: accepts paths as strings, buffers and file URLs', (t) => {
  using ring = new Ring({ entries: 4 })
  // Not valid UTF-8, so only a buffer can name it; and too long for a block of a shared chunk.
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

test('OpenAt: accepts flags of node:fs and of the kernel', (t) => {
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

test('OpenAt: applies mode, dirfd and cloexec', (t) => {
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

test('OpenAt: fails for a missing file with the message of node:fs', (t) => {
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

test('OpenAt: an error has the path at the time of push()', (t) => {
  using ring = new Ring({ entries: 4 })
  const operation = new OpenAt('/missing/one')
  ring.push(operation)
  operation.path = '/missing/two'
  t.is(ring.wait()?.error?.path, '/missing/one')
})

test('OpenAt: fails to open into a slot if no file table is registered', (t) => {
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

test('Close: closes a descriptor once, and fails with EBADF afterwards', (t) => {
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
