// Tests that failures have the same code and message as in node:fs, and the errors that only rings have.

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

/** Returns the public fields of a system error. */
function fieldsOf(error: unknown): object {
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

/** Paths and descriptors for which operations fail. */
interface Fixture {
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

function createFixture(t: ExecutionContext): Fixture {
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

const CLOSED_FD = 1_000_000
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
  operation: (fixture: Fixture) => Operation<unknown>,
  node: (fixture: Fixture) => Promise<unknown>,
]

const FAILURES: readonly Failing[] = [
  ['open a missing file', 'ENOENT', (p) => new OpenAt(p.none), (p) => promises.open(p.none)],
  [
    'open a missing file by URL',
    'ENOENT',
    (p) => new OpenAt(pathToFileURL(p.none)),
    (p) => promises.open(pathToFileURL(p.none)),
  ],
  [
    'open a missing file by bytes',
    'ENOENT',
    (p) => new OpenAt(Buffer.from(p.none)),
    (p) => promises.open(Buffer.from(p.none)),
  ],
  ['open a missing file with openat2', 'ENOENT', (p) => new OpenAt2(p.none), (p) => promises.open(p.none)],
  [
    'open an existing file exclusively',
    'EEXIST',
    (p) => new OpenAt(p.file, { flags: 'wx' }),
    (p) => promises.open(p.file, 'wx'),
  ],
  [
    'open a directory for writing',
    'EISDIR',
    (p) => new OpenAt(p.folder, { flags: 'w' }),
    (p) => promises.open(p.folder, 'w'),
  ],
  [
    'open a path below a file',
    'ENOTDIR',
    (p) => new OpenAt(`${p.file}/x`),
    (p) => promises.open(`${p.file}/x`),
  ],
  ['open a symlink loop', 'ELOOP', (p) => new OpenAt(p.loop), (p) => promises.open(p.loop)],
  ['open a long name', 'ENAMETOOLONG', (p) => new OpenAt(p.long), (p) => promises.open(p.long)],
  [
    'open a file as a directory',
    'ENOTDIR',
    (p) => new OpenAt(p.file, { flags: OpenFlags.DIRECTORY }),
    (p) => promises.open(p.file, fs.constants.O_DIRECTORY),
  ],
  ['open the empty path', 'ENOENT', () => new OpenAt(''), () => promises.open('')],
  [
    'read a closed descriptor',
    'EBADF',
    () => new Read(CLOSED_FD, bytes),
    () => call.read(CLOSED_FD, bytes, 0, 4, null),
  ],
  [
    'read a write-only descriptor',
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
  [
    'readv a closed descriptor',
    'EBADF',
    () => new Readv(CLOSED_FD, [bytes]),
    () => call.readv(CLOSED_FD, [bytes]),
  ],
  [
    'readv a directory',
    'EISDIR',
    (p) => new Readv(p.folderFd, [bytes], { offset: 0 }),
    (p) => call.readv(p.folderFd, [bytes], 0),
  ],
  [
    'write a closed descriptor',
    'EBADF',
    () => new Write(CLOSED_FD, bytes),
    () => call.write(CLOSED_FD, bytes, 0, 4, null),
  ],
  [
    'write a read-only descriptor',
    'EBADF',
    (p) => new Write(p.readable, bytes),
    (p) => call.write(p.readable, bytes, 0, 4, null),
  ],
  [
    'write a pipe without readers',
    'EPIPE',
    (p) => new Write(p.broken, bytes),
    (p) => call.write(p.broken, bytes, 0, 4, null),
  ],
  [
    'writev a closed descriptor',
    'EBADF',
    () => new Writev(CLOSED_FD, [bytes]),
    () => call.writev(CLOSED_FD, [bytes]),
  ],
  [
    'writev a read-only descriptor',
    'EBADF',
    (p) => new Writev(p.readable, [bytes]),
    (p) => call.writev(p.readable, [bytes]),
  ],
  ['stat a missing file', 'ENOENT', (p) => new Statx(p.none), (p) => promises.stat(p.none)],
  ['stat a symlink loop', 'ELOOP', (p) => new Statx(p.loop), (p) => promises.stat(p.loop)],
  [
    'lstat a missing file',
    'ENOENT',
    (p) => new Statx(p.none, { flags: AtFlags.SYMLINK_NOFOLLOW }),
    (p) => promises.lstat(p.none),
  ],
  ['fstat a closed descriptor', 'EBADF', () => new Statx(CLOSED_FD), () => call.fstat(CLOSED_FD)],
  [
    'rename a missing file',
    'ENOENT',
    (p) => new RenameAt(p.none, p.file),
    (p) => promises.rename(p.none, p.file),
  ],
  [
    'rename a directory onto a non-empty one',
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
  ['link a missing file', 'ENOENT', (p) => new LinkAt(p.none, p.long), (p) => promises.link(p.none, p.long)],
  [
    'link to an existing path',
    'EEXIST',
    (p) => new LinkAt(p.file, p.link),
    (p) => promises.link(p.file, p.link),
  ],
  [
    'symlink to an existing path',
    'EEXIST',
    (p) => new SymlinkAt('tärget', p.file),
    (p) => promises.symlink('tärget', p.file),
  ],
  [
    'symlink in a missing directory',
    'ENOENT',
    (p) => new SymlinkAt(p.file, `${p.none}/x`),
    (p) => promises.symlink(p.file, `${p.none}/x`),
  ],
  ['unlink a missing file', 'ENOENT', (p) => new UnlinkAt(p.none), (p) => promises.unlink(p.none)],
  ['unlink a directory', 'EISDIR', (p) => new UnlinkAt(p.folder), (p) => promises.unlink(p.folder)],
  [
    'rmdir a missing directory',
    'ENOENT',
    (p) => new UnlinkAt(p.none, { directory: true }),
    (p) => promises.rmdir(p.none),
  ],
  [
    'rmdir a non-empty directory',
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
  ['mkdir an existing directory', 'EEXIST', (p) => new MkDirAt(p.folder), (p) => promises.mkdir(p.folder)],
  [
    'mkdir in a missing directory',
    'ENOENT',
    (p) => new MkDirAt(`${p.none}/x`),
    (p) => promises.mkdir(`${p.none}/x`),
  ],
  [
    'truncate a closed descriptor',
    'EBADF',
    () => new Ftruncate(CLOSED_FD, 0),
    () => call.ftruncate(CLOSED_FD, 0),
  ],
  [
    'truncate a read-only descriptor',
    'EINVAL',
    (p) => new Ftruncate(p.readable, 0),
    (p) => call.ftruncate(p.readable, 0),
  ],
  ['fsync a closed descriptor', 'EBADF', () => new Fsync(CLOSED_FD), () => call.fsync(CLOSED_FD)],
  ['fsync a pipe', 'EINVAL', (p) => new Fsync(p.fifo), (p) => call.fsync(p.fifo)],
  [
    'fdatasync a closed descriptor',
    'EBADF',
    () => new Fsync(CLOSED_FD, { datasync: true }),
    () => call.fdatasync(CLOSED_FD),
  ],
  ['close a closed descriptor', 'EBADF', () => new Close(CLOSED_FD), () => call.close(CLOSED_FD)],
]

for (const [name, code, operation, node] of FAILURES) {
  test(`run, chain: reject with the error of node:fs: ${name}`, async (t) => {
    const fixture = createFixture(t)
    using ring = new Ring({ entries: 4 })
    const expected = fieldsOf(await failure(node(fixture)))
    t.like(expected, { code })
    const made = operation(fixture)
    for (const promise of [
      ring.run(made),
      ring.run(made.build()),
      ring.run(made, { timeout: 60_000, signal: new AbortController().signal }),
    ]) {
      const error = await failure(promise)
      t.deepEqual(fieldsOf(error), expected)
      t.true(error instanceof UringError && error instanceof Error)
      t.like(error, { name: 'UringError', operation: made.constructor.name, cause: undefined })
    }
    const broken = await failure(ring.chain([new Nop(), made]))
    t.true(broken instanceof ChainError)
    t.deepEqual(fieldsOf((broken as ChainError).cause), expected)
  })
}

test('UringError: has only the properties that apply', async (t) => {
  using ring = new Ring({ entries: 4 })
  const open = (await failure(ring.run(new OpenAt('/nowhere')))) as UringError
  t.deepEqual(Object.keys(open).toSorted(), ['code', 'errno', 'name', 'operation', 'path', 'syscall'])
  t.regex(
    String(open.stack),
    /^UringError: ENOENT: no such file or directory, open '\/nowhere'|^Error: ENOENT/,
  )
  const read = (await failure(ring.run(new Read(CLOSED_FD, bytes)))) as UringError
  t.false('path' in read || 'dest' in read)
  t.not(open, await failure(ring.run(new OpenAt('/nowhere'))), 'each failure creates a new error')
})

test('run: rejects with the same fields as Completion.error', async (t) => {
  using ring = new Ring({ entries: 4 })
  for (const make of [
    () => new OpenAt('/nowhere'),
    () => new Read(CLOSED_FD, bytes),
    () => new Nop({ result: -62 }),
  ]) {
    ring.push(make())
    const { error } = ring.wait() ?? {}
    t.deepEqual(fieldsOf(await failure(ring.run<unknown>(make()))), fieldsOf(error))
  }
})

test('UringError: names codes that Node.js has no message for', async (t) => {
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

test('AbortError, TimeoutError, ChainError: have their class, code, message and cause', async (t) => {
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
  t.like(fieldsOf(chain), {
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

test('run: rejects with ERR_URING_BUFFER_DETACHED if the buffer is transferred in flight', async (t) => {
  using ring = new Ring({ entries: 4 })
  const fd = fifo(t)
  const buffer = new Uint8Array(new ArrayBuffer(4))
  const read = failure(ring.run(new Read(fd, buffer)))
  await new Promise(setImmediate)
  // The new owner must stay alive until the read is done: the kernel writes to this memory.
  const transferred = structuredClone(buffer.buffer, { transfer: [buffer.buffer] })
  fs.writeSync(fd, 'abcd')
  t.like(await read, { name: 'UringError', code: 'ERR_URING_BUFFER_DETACHED', operation: 'Read' })
  t.is(Buffer.from(transferred).toString(), 'abcd')
})
