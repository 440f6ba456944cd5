// Failures: what node:fs says of them, letter for letter, and the errors that only rings have.

import fs from 'node:fs'
import { mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import {
  AbortError,
  ChainError,
  Close,
  Fsync,
  Ftruncate,
  LinkAt,
  MkDirAt,
  Nop,
  OpenAt,
  OpenAt2,
  type Operation,
  AtFlags,
  OpenFlags,
  Read,
  Readv,
  RenameAt,
  Ring,
  Statx,
  SymlinkAt,
  TimeoutError,
  UnlinkAt,
  UringError,
  Write,
  Writev,
} from 'uring'
import { directory, fifo } from '../helpers/files.ts'
import { brokenPipe } from '../helpers/pipes.ts'
import { closing } from '../helpers/sockets.ts'

interface SystemError extends Error {
  readonly code: string
  readonly errno: number
  readonly syscall: string
  readonly path?: string
  readonly dest?: string
}

/** What a user can see of a system error. */
function seen(error: unknown): object {
  const { message, code, errno, syscall, path, dest } = error as SystemError
  return { message, code, errno, syscall, path, dest }
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

/** A directory with one thing of each kind in it, and descriptors that are good for little. */
interface Place {
  readonly file: string
  readonly folder: string
  readonly full: string
  readonly link: string
  readonly loop: string
  readonly none: string
  readonly long: string
  readonly readable: number
  readonly writable: number
  readonly folderFd: number
  readonly fifo: number
  readonly broken: number
}

function place(t: ExecutionContext): Place {
  const root = directory(t)
  const at = (name: string): string => join(root, name)
  writeFileSync(at('file'), 'hello')
  mkdirSync(at('folder'))
  mkdirSync(at('full/inside'), { recursive: true })
  symlinkSync('file', at('link'))
  symlinkSync('loop', at('loop'))
  return {
    file: at('file'),
    folder: at('folder'),
    full: at('full'),
    link: at('link'),
    loop: at('loop'),
    none: at('nöne'),
    long: at('x'.repeat(300)),
    readable: closing(t, openSync(at('file'), 'r')),
    writable: closing(t, openSync(at('file'), 'a')),
    folderFd: closing(t, openSync(at('folder'), 'r')),
    fifo: fifo(t),
    broken: brokenPipe(t),
  }
}

const NO_FILE = 1_000_000
const { promises } = fs
const call = {
  read: promisify(fs.read),
  readv: promisify(fs.readv),
  write: promisify(fs.write),
  writev: promisify(fs.writev),
  fsync: promisify(fs.fsync),
  fdatasync: promisify(fs.fdatasync),
  ftruncate: promisify(fs.ftruncate),
  fstat: promisify(fs.fstat),
  close: promisify(fs.close),
}
const bytes = Buffer.alloc(4)

type Failing = readonly [
  name: string,
  code: string,
  operation: (place: Place) => Operation<unknown>,
  node: (place: Place) => Promise<unknown>,
]

const FAILURES: readonly Failing[] = [
  ['open nothing', 'ENOENT', (p) => new OpenAt(p.none), (p) => promises.open(p.none)],
  [
    'open by URL',
    'ENOENT',
    (p) => new OpenAt(pathToFileURL(p.none)),
    (p) => promises.open(pathToFileURL(p.none)),
  ],
  [
    'open by bytes',
    'ENOENT',
    (p) => new OpenAt(Buffer.from(p.none)),
    (p) => promises.open(Buffer.from(p.none)),
  ],
  ['open nothing by openat2', 'ENOENT', (p) => new OpenAt2(p.none), (p) => promises.open(p.none)],
  [
    'open a new one that is there',
    'EEXIST',
    (p) => new OpenAt(p.file, { flags: 'wx' }),
    (p) => promises.open(p.file, 'wx'),
  ],
  [
    'open a directory to write',
    'EISDIR',
    (p) => new OpenAt(p.folder, { flags: 'w' }),
    (p) => promises.open(p.folder, 'w'),
  ],
  ['open behind a file', 'ENOTDIR', (p) => new OpenAt(`${p.file}/x`), (p) => promises.open(`${p.file}/x`)],
  ['open a loop', 'ELOOP', (p) => new OpenAt(p.loop), (p) => promises.open(p.loop)],
  ['open a long name', 'ENAMETOOLONG', (p) => new OpenAt(p.long), (p) => promises.open(p.long)],
  [
    'open a file as a directory',
    'ENOTDIR',
    (p) => new OpenAt(p.file, { flags: OpenFlags.DIRECTORY }),
    (p) => promises.open(p.file, fs.constants.O_DIRECTORY),
  ],
  ['open the empty path', 'ENOENT', () => new OpenAt(''), () => promises.open('')],
  ['read no file', 'EBADF', () => new Read(NO_FILE, bytes), () => call.read(NO_FILE, bytes, 0, 4, null)],
  [
    'read what is for writing',
    'EBADF',
    (p) => new Read(p.writable, bytes),
    (p) => call.read(p.writable, bytes, 0, 4, null),
  ],
  [
    'read a directory',
    'EISDIR',
    (p) => new Read(p.folderFd, bytes, { offset: 0 }),
    (p) => call.read(p.folderFd, bytes, 0, 4, 0),
  ],
  ['readv no file', 'EBADF', () => new Readv(NO_FILE, [bytes]), () => call.readv(NO_FILE, [bytes])],
  [
    'readv a directory',
    'EISDIR',
    (p) => new Readv(p.folderFd, [bytes], { offset: 0 }),
    (p) => call.readv(p.folderFd, [bytes], 0),
  ],
  ['write no file', 'EBADF', () => new Write(NO_FILE, bytes), () => call.write(NO_FILE, bytes, 0, 4, null)],
  [
    'write what is for reading',
    'EBADF',
    (p) => new Write(p.readable, bytes),
    (p) => call.write(p.readable, bytes, 0, 4, null),
  ],
  [
    'write a pipe that nobody reads',
    'EPIPE',
    (p) => new Write(p.broken, bytes),
    (p) => call.write(p.broken, bytes, 0, 4, null),
  ],
  ['writev no file', 'EBADF', () => new Writev(NO_FILE, [bytes]), () => call.writev(NO_FILE, [bytes])],
  [
    'writev what is for reading',
    'EBADF',
    (p) => new Writev(p.readable, [bytes]),
    (p) => call.writev(p.readable, [bytes]),
  ],
  ['stat nothing', 'ENOENT', (p) => new Statx(p.none), (p) => promises.stat(p.none)],
  ['stat a loop', 'ELOOP', (p) => new Statx(p.loop), (p) => promises.stat(p.loop)],
  [
    'lstat nothing',
    'ENOENT',
    (p) => new Statx(p.none, { flags: AtFlags.SYMLINK_NOFOLLOW }),
    (p) => promises.lstat(p.none),
  ],
  ['fstat no file', 'EBADF', () => new Statx(NO_FILE), () => call.fstat(NO_FILE)],
  ['rename nothing', 'ENOENT', (p) => new RenameAt(p.none, p.file), (p) => promises.rename(p.none, p.file)],
  [
    'rename a directory onto a full one',
    'ENOTEMPTY',
    (p) => new RenameAt(p.folder, p.full),
    (p) => promises.rename(p.folder, p.full),
  ],
  [
    'rename a file onto a directory',
    'EISDIR',
    (p) => new RenameAt(p.file, p.folder),
    (p) => promises.rename(p.file, p.folder),
  ],
  ['link nothing', 'ENOENT', (p) => new LinkAt(p.none, p.long), (p) => promises.link(p.none, p.long)],
  [
    'link to what is there',
    'EEXIST',
    (p) => new LinkAt(p.file, p.link),
    (p) => promises.link(p.file, p.link),
  ],
  [
    'symlink to what is there',
    'EEXIST',
    (p) => new SymlinkAt('tärget', p.file),
    (p) => promises.symlink('tärget', p.file),
  ],
  [
    'symlink in no directory',
    'ENOENT',
    (p) => new SymlinkAt(p.file, `${p.none}/x`),
    (p) => promises.symlink(p.file, `${p.none}/x`),
  ],
  ['unlink nothing', 'ENOENT', (p) => new UnlinkAt(p.none), (p) => promises.unlink(p.none)],
  ['unlink a directory', 'EISDIR', (p) => new UnlinkAt(p.folder), (p) => promises.unlink(p.folder)],
  [
    'rmdir nothing',
    'ENOENT',
    (p) => new UnlinkAt(p.none, { directory: true }),
    (p) => promises.rmdir(p.none),
  ],
  [
    'rmdir a full one',
    'ENOTEMPTY',
    (p) => new UnlinkAt(p.full, { directory: true }),
    (p) => promises.rmdir(p.full),
  ],
  [
    'rmdir a file',
    'ENOTDIR',
    (p) => new UnlinkAt(p.file, { directory: true }),
    (p) => promises.rmdir(p.file),
  ],
  ['mkdir what is there', 'EEXIST', (p) => new MkDirAt(p.folder), (p) => promises.mkdir(p.folder)],
  [
    'mkdir in no directory',
    'ENOENT',
    (p) => new MkDirAt(`${p.none}/x`),
    (p) => promises.mkdir(`${p.none}/x`),
  ],
  ['truncate no file', 'EBADF', () => new Ftruncate(NO_FILE, 0), () => call.ftruncate(NO_FILE, 0)],
  [
    'truncate what is for reading',
    'EINVAL',
    (p) => new Ftruncate(p.readable, 0),
    (p) => call.ftruncate(p.readable, 0),
  ],
  ['fsync no file', 'EBADF', () => new Fsync(NO_FILE), () => call.fsync(NO_FILE)],
  ['fsync a pipe', 'EINVAL', (p) => new Fsync(p.fifo), (p) => call.fsync(p.fifo)],
  ['fdatasync no file', 'EBADF', () => new Fsync(NO_FILE, { datasync: true }), () => call.fdatasync(NO_FILE)],
  ['close no file', 'EBADF', () => new Close(NO_FILE), () => call.close(NO_FILE)],
]

for (const [name, code, operation, node] of FAILURES) {
  test(`the error is the one of node:fs: ${name}`, async (t) => {
    const here = place(t)
    using ring = new Ring({ entries: 4 })
    const expected = seen(await failure(node(here)))
    t.like(expected, { code })
    const made = operation(here)
    for (const promise of [
      ring.run(made),
      ring.run(made.build()),
      ring.run(made, { timeout: 60_000, signal: new AbortController().signal }),
    ]) {
      const error = await failure(promise)
      t.deepEqual(seen(error), expected)
      t.true(error instanceof UringError && error instanceof Error)
      t.like(error, { name: 'UringError', operation: made.constructor.name, cause: undefined })
    }
    const broken = await failure(ring.chain([new Nop(), made]))
    t.true(broken instanceof ChainError)
    t.deepEqual(seen((broken as ChainError).cause), expected)
  })
}

test('an error has what it has and nothing else', async (t) => {
  using ring = new Ring({ entries: 4 })
  const open = (await failure(ring.run(new OpenAt('/nowhere')))) as UringError
  t.deepEqual(Object.keys(open).toSorted(), ['code', 'errno', 'name', 'operation', 'path', 'syscall'])
  t.regex(
    String(open.stack),
    /^UringError: ENOENT: no such file or directory, open '\/nowhere'|^Error: ENOENT/,
  )
  const read = (await failure(ring.run(new Read(NO_FILE, bytes)))) as UringError
  t.false('path' in read || 'dest' in read)
  t.not(open, await failure(ring.run(new OpenAt('/nowhere'))), 'each failure is an error of its own')
})

test('a failed run and its completion say the same', async (t) => {
  using ring = new Ring({ entries: 4 })
  for (const make of [
    () => new OpenAt('/nowhere'),
    () => new Read(NO_FILE, bytes),
    () => new Nop({ result: -62 }),
  ]) {
    ring.push(make())
    const { error } = ring.wait() ?? {}
    t.deepEqual(seen(await failure(ring.run<unknown>(make()))), seen(error))
  }
})

test('codes that Node.js has no words for have a name', async (t) => {
  using ring = new Ring({ entries: 4 })
  for (const [errno, code] of [
    [-62, 'ETIME'],
    [-77, 'EBADFD'],
    [-61, 'ENODATA'],
    [-1000, 'E1000'],
  ] as const) {
    const error = await failure(ring.run(new Nop({ result: errno })))
    t.like(error, { code, errno, syscall: 'nop' })
    t.regex((error as Error).message, /^E\w+: .+, nop$/)
  }
})

test('AbortError, TimeoutError and ChainError say what they are', async (t) => {
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  const reason = new Error('mine')
  const controller = new AbortController()
  const aborted = failure(ring.run(new Read(fd, bytes), { signal: controller.signal }))
  const late = failure(ring.run(new Read(fd, bytes), { timeout: 1.5 }))
  const chained = failure(ring.chain([new Nop({ result: 4 }), new OpenAt('/nowhere'), new Nop()]))
  controller.abort(reason)

  const abort = (await aborted) as AbortError
  t.true(abort instanceof AbortError && abort instanceof Error && !(abort instanceof UringError))
  t.like(abort, { name: 'AbortError', code: 'ABORT_ERR', message: 'The operation was aborted' })
  t.true(abort.cause instanceof UringError)
  t.like(abort.cause, { code: 'ECANCELED', errno: -125, syscall: 'read', operation: 'Read', cause: reason })
  t.is((abort.cause as Error).cause, reason)

  const timeout = (await late) as TimeoutError
  t.true(timeout instanceof TimeoutError && !(timeout instanceof UringError))
  t.like(timeout, {
    name: 'TimeoutError',
    code: 'ETIMEDOUT',
    message: 'The operation took longer than 1.5 ms',
  })
  t.like(timeout.cause, { name: 'UringError', code: 'ECANCELED', operation: 'Read', cause: undefined })

  const chain = (await chained) as ChainError
  t.true(chain instanceof ChainError && chain instanceof UringError)
  t.like(chain, { name: 'ChainError', step: 1, operation: 'OpenAt' })
  t.like(seen(chain), {
    code: 'ENOENT',
    errno: -2,
    syscall: 'open',
    path: '/nowhere',
    message: "Step 1 of the chain (OpenAt) failed: ENOENT: no such file or directory, open '/nowhere'",
  })
  t.like(chain.outcomes[0], { result: 4, value: 4, error: undefined })
  t.like(chain.outcomes[1], { result: -2, error: { code: 'ENOENT', path: '/nowhere' } })
  t.like(chain.outcomes[2], { result: -125, error: { code: 'ECANCELED', operation: 'Nop' } })
  t.is(chain.outcomes.length, 3)
  t.true(chain.outcomes[1] !== undefined && !('value' in chain.outcomes[1]))
})

test('a buffer that was taken away in mid-flight is an error of its own', async (t) => {
  using ring = new Ring({ entries: 4 })
  const fd = fifo(t)
  const room = new Uint8Array(new ArrayBuffer(4))
  const read = failure(ring.run(new Read(fd, room)))
  await new Promise(setImmediate)
  // Held until the end: the kernel writes to it.
  const taken = structuredClone(room.buffer, { transfer: [room.buffer] })
  fs.writeSync(fd, 'abcd')
  t.like(await read, { name: 'UringError', code: 'ERR_URING_BUFFER_DETACHED', operation: 'Read' })
  t.is(Buffer.from(taken).toString(), 'abcd')
})
