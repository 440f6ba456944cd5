// Extended attributes: SetXattr, FSetXattr, GetXattr, FGetXattr.

import { closeSync, linkSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import {
  type Bytes,
  type Completion,
  FGetXattr,
  FixedFile,
  FSetXattr,
  GetXattr,
  type Operation,
  type Path,
  Read,
  Ring,
  SetXattr,
  UringError,
  XattrFlags,
} from 'uring'
import { CHUNKS } from '../../helpers/chunks.ts'
import { fifo, file } from '../../helpers/files.ts'
import { script } from '../../helpers/process.ts'
import { attributeOf, fileWithXattrs, setAttribute } from '../../helpers/xattr.ts'

function run<T>(ring: Ring, operation: Operation<T>): Completion<T> {
  ring.push(operation)
  const completion = ring.wait()
  if (completion === undefined) throw new Error('nothing completed')
  return completion as Completion<T>
}

function codeOf<T>(ring: Ring, operation: Operation<T>): string | undefined {
  return run(ring, operation).error?.code
}

const ENODATA = -61

/** All byte values, NUL first. */
const CONTENT = Uint8Array.from({ length: 256 }, (_, index) => index)

const VALUES: Record<string, [value: Bytes | string, expected: Uint8Array]> = {
  text: ['plain', Buffer.from('plain')],
  'text that is not ASCII': ['ä€😀', Buffer.from('ä€😀')],
  'text with a NUL': ['a\0b', Buffer.from('a\0b')],
  'empty text': ['', Buffer.alloc(0)],
  'a Buffer': [Buffer.from(CONTENT), CONTENT],
  'a slice': [Buffer.from(CONTENT).subarray(3, 67), CONTENT.subarray(3, 67)],
  'a small Uint8Array': [Uint8Array.from([9, 8, 7]), Uint8Array.of(9, 8, 7)],
  'a Uint32Array': [Uint32Array.of(1, 0xffff_ffff), Uint8Array.of(1, 0, 0, 0, 255, 255, 255, 255)],
  'a DataView': [new DataView(CONTENT.slice().buffer, 16, 32), CONTENT.subarray(16, 48)],
  'an ArrayBuffer': [CONTENT.slice().buffer, CONTENT],
  'a SharedArrayBuffer': [new SharedArrayBuffer(12), new Uint8Array(12)],
  'an empty Uint8Array': [new Uint8Array(0), new Uint8Array(0)],
  'an empty ArrayBuffer': [new ArrayBuffer(0), new Uint8Array(0)],
}

for (const [kind, [value, expected]] of Object.entries(VALUES)) {
  test(`SetXattr: sets ${kind}`, (t) => {
    const made = fileWithXattrs(t)
    if (made === undefined) return
    using ring = new Ring({ entries: 4 })
    setAttribute(made.fd, 'user.other', 'other')
    t.is(run(ring, new SetXattr(made.path, 'user.value', value)).value, 0)
    t.deepEqual(attributeOf(made.fd, 'user.value'), Buffer.from(expected))
    t.deepEqual(attributeOf(made.fd, 'user.other'), Buffer.from('other'))
    // The new value replaces the old one completely.
    t.is(run(ring, new SetXattr(made.path, 'user.value', '')).value, 0)
    t.deepEqual(attributeOf(made.fd, 'user.value'), Buffer.alloc(0))
  })

  test(`FSetXattr: sets ${kind}`, (t) => {
    const made = fileWithXattrs(t)
    if (made === undefined) return
    using ring = new Ring({ entries: 4 })
    for (const [name, target] of [
      ['user.number', made.fd],
      ['user.object', { fd: made.fd }],
    ] as const) {
      t.is(run(ring, new FSetXattr(target, name, value)).value, 0)
      t.deepEqual(attributeOf(made.fd, name), Buffer.from(expected))
    }
  })

  test(`GetXattr and FGetXattr: get ${kind}`, (t) => {
    const made = fileWithXattrs(t)
    if (made === undefined) return
    using ring = new Ring({ entries: 4 })
    setAttribute(made.fd, 'user.value', expected)
    setAttribute(made.fd, 'user.other', 'other')
    for (const get of [
      (options?: { size?: number }) => new GetXattr(made.path, 'user.value', options),
      (options?: { size?: number }) => new FGetXattr(made.fd, 'user.value', options),
      (options?: { size?: number }) => new FGetXattr({ fd: made.fd }, 'user.value', options),
    ]) {
      const { value } = run(ring, get())
      t.true(Buffer.isBuffer(value))
      t.deepEqual(value, Buffer.from(expected))
      t.is(run(ring, get({ size: 0 })).value, expected.length)
      if (expected.length === 0) continue
      t.deepEqual(run(ring, get({ size: expected.length })).value, Buffer.from(expected))
      t.deepEqual(run(ring, get({ size: expected.length + 1 })).value, Buffer.from(expected))
      if (expected.length === 1) continue
      t.is(codeOf(ring, get({ size: expected.length - 1 })), 'ERANGE')
      t.is(codeOf(ring, get({ size: 1 })), 'ERANGE')
    }
  })
}

test('SetXattr and GetXattr: accept paths as strings, buffers and URLs, also relative ones', (t) => {
  const made = fileWithXattrs(t)
  if (made === undefined) return
  using ring = new Ring({ entries: 4 })
  const odd = Buffer.concat([Buffer.from(`${made.folder}/`), Buffer.from([0xff, 0xfe])]) // no UTF-8
  linkSync(made.path, odd)
  symlinkSync('file', join(made.folder, 'link'))
  const paths: readonly Path[] = [
    made.path,
    Buffer.from(made.path),
    pathToFileURL(made.path),
    odd,
    relative(process.cwd(), made.path),
    join(made.folder, 'link'),
  ]
  for (const [index, path] of paths.entries()) {
    t.is(run(ring, new SetXattr(path, 'user.path', `path ${index}`)).value, 0)
    t.deepEqual(attributeOf(made.fd, 'user.path'), Buffer.from(`path ${index}`))
    setAttribute(made.fd, 'user.path', `again ${index}`)
    t.deepEqual(run(ring, new GetXattr(path, 'user.path')).value, Buffer.from(`again ${index}`))
  }
})

test('SetXattr and GetXattr: work on directories', (t) => {
  const made = fileWithXattrs(t)
  if (made === undefined) return
  using ring = new Ring({ entries: 4 })
  const folder = join(made.folder, 'folder')
  mkdirSync(folder)
  const fd = openSync(folder, 'r')
  t.teardown(() => closeSync(fd))
  t.is(run(ring, new SetXattr(folder, 'user.x', 'of a directory')).value, 0)
  t.deepEqual(attributeOf(fd, 'user.x'), Buffer.from('of a directory'))
  t.deepEqual(run(ring, new GetXattr(folder, 'user.x')).value, Buffer.from('of a directory'))
  t.deepEqual(run(ring, new FGetXattr(fd, 'user.x')).value, Buffer.from('of a directory'))
})

test('FSetXattr and FGetXattr: accept fixed files', (t) => {
  const made = fileWithXattrs(t)
  if (made === undefined) return
  using ring = new Ring({ entries: 4 })
  t.is(codeOf(ring, new FSetXattr(new FixedFile(1), 'user.x', 'x')), 'EBADF', 'there is no table')
  t.is(codeOf(ring, new FGetXattr(new FixedFile(1), 'user.x')), 'EBADF')
  const other = file(t)
  ring.registerFiles([other.fd, made.fd])
  t.is(run(ring, new FSetXattr(new FixedFile(1), 'user.x', 'registered')).value, 0)
  t.deepEqual(attributeOf(made.fd, 'user.x'), Buffer.from('registered'))
  t.is(attributeOf(other.fd, 'user.x'), ENODATA)
  t.deepEqual(run(ring, new FGetXattr(new FixedFile(1), 'user.x')).value, Buffer.from('registered'))
  t.is(codeOf(ring, new FGetXattr(new FixedFile(0), 'user.x')), 'ENODATA')
})

test('SetXattr and FSetXattr: fail with CREATE if the attribute exists, and with REPLACE if not', (t) => {
  const made = fileWithXattrs(t)
  if (made === undefined) return
  using ring = new Ring({ entries: 4 })
  const { CREATE, REPLACE } = XattrFlags
  for (const [name, set] of [
    ['user.a', (value: string, flags: number) => new SetXattr(made.path, 'user.a', value, { flags })],
    ['user.b', (value: string, flags: number) => new FSetXattr(made.fd, 'user.b', value, { flags })],
  ] as const) {
    t.is(codeOf(ring, set('first', REPLACE)), 'ENODATA')
    t.is(attributeOf(made.fd, name), ENODATA)
    t.is(run(ring, set('second', CREATE)).value, 0)
    t.is(codeOf(ring, set('third', CREATE)), 'EEXIST')
    t.deepEqual(attributeOf(made.fd, name), Buffer.from('second'))
    t.is(run(ring, set('fourth', REPLACE)).value, 0)
    t.deepEqual(attributeOf(made.fd, name), Buffer.from('fourth'))
    t.is(run(ring, set('fifth', 0)).value, 0)
    t.deepEqual(attributeOf(made.fd, name), Buffer.from('fifth'))
    t.is(codeOf(ring, set('sixth', 4)), 'EINVAL', 'an unknown flag')
    t.is(codeOf(ring, set('sixth', -(2 ** 31))), 'EINVAL')
    t.deepEqual(attributeOf(made.fd, name), Buffer.from('fifth'))
  }
})

test('GetXattr and FGetXattr: fail with ERANGE if the value is longer than size', (t) => {
  const made = fileWithXattrs(t)
  if (made === undefined) return
  using ring = new Ring({ entries: 4 })
  const long = Buffer.alloc(2000, '0123456789') // a size that every file system accepts
  setAttribute(made.fd, 'user.long', long)
  t.deepEqual(run(ring, new GetXattr(made.path, 'user.long')).value, long)
  t.deepEqual(run(ring, new FGetXattr(made.fd, 'user.long')).value, long)
  t.deepEqual(run(ring, new GetXattr(made.path, 'user.long', { size: 2000 })).value, long)
  t.is(codeOf(ring, new GetXattr(made.path, 'user.long', { size: 1999 })), 'ERANGE')
  t.is(run(ring, new GetXattr(made.path, 'user.long', { size: 0 })).value, 2000)
})

test('SetXattr, FSetXattr, GetXattr and FGetXattr: fail for bad names, values and files, with the message of the kernel', (t) => {
  const made = fileWithXattrs(t)
  if (made === undefined) return
  using ring = new Ring({ entries: 4 })
  const { path, fd, folder } = made
  const missing = join(folder, 'missing')
  // prettier-ignore
  const rows: readonly (readonly [operation: Operation<unknown>, code: string, syscall: string, path?: string])[] = [
    [new SetXattr(missing, 'user.x', 'x'), 'ENOENT', 'setxattr', missing],
    [new SetXattr(pathToFileURL(missing), 'user.x', 'x'), 'ENOENT', 'setxattr', missing],
    [new SetXattr(Buffer.from(missing), 'user.x', 'x'), 'ENOENT', 'setxattr', missing],
    [new SetXattr(join(path, 'below'), 'user.x', 'x'), 'ENOTDIR', 'setxattr', join(path, 'below')],
    [new SetXattr('', 'user.x', 'x'), 'ENOENT', 'setxattr', ''],
    [new SetXattr(path, 'nonsense.x', 'x'), 'ENOTSUP', 'setxattr', path],
    [new SetXattr(path, 'user.', 'x'), 'EINVAL', 'setxattr', path],
    [new SetXattr(path, '', 'x'), 'ERANGE', 'setxattr', path],
    [new SetXattr(path, `user.${'x'.repeat(251)}`, 'x'), 'ERANGE', 'setxattr', path],
    [new SetXattr(path, 'user.x', Buffer.alloc(65_537)), 'E2BIG', 'setxattr', path],
    [new SetXattr('/dev/null', 'user.x', 'x'), 'EPERM', 'setxattr', '/dev/null'],
    [new FSetXattr(fd, 'nonsense.x', 'x'), 'ENOTSUP', 'fsetxattr'],
    [new FSetXattr(fd, '', 'x'), 'ERANGE', 'fsetxattr'],
    [new FSetXattr(fd, 'user.x', 'x'.repeat(65_537)), 'E2BIG', 'fsetxattr'],
    [new FSetXattr(987_654, 'user.x', 'x'), 'EBADF', 'fsetxattr'],
    [new GetXattr(missing, 'user.x'), 'ENOENT', 'getxattr', missing],
    [new GetXattr(missing, 'user.x', { size: 0 }), 'ENOENT', 'getxattr', missing],
    [new GetXattr(path, 'user.x'), 'ENODATA', 'getxattr', path],
    [new GetXattr(path, 'user.x', { size: 0 }), 'ENODATA', 'getxattr', path],
    [new GetXattr(path, 'nonsense.x'), 'ENOTSUP', 'getxattr', path],
    [new GetXattr(path, ''), 'ERANGE', 'getxattr', path],
    [new GetXattr('/dev/null', 'user.x'), 'ENODATA', 'getxattr', '/dev/null'],
    [new FGetXattr(fd, 'user.x'), 'ENODATA', 'fgetxattr'],
    [new FGetXattr(fd, 'nonsense.x'), 'ENOTSUP', 'fgetxattr'],
    [new FGetXattr(987_654, 'user.x'), 'EBADF', 'fgetxattr'],
  ]
  const words: Record<string, string> = {
    EBADF: 'bad file descriptor',
    ENODATA: 'no data available',
    ENOENT: 'no such file or directory',
    EPERM: 'operation not permitted',
  }
  for (const [operation, code, syscall, shown] of rows) {
    const label = `${operation.constructor.name}: ${code}`
    const { error } = run(ring, operation)
    t.true(error instanceof UringError, label)
    t.is(error?.code, code, label)
    t.is(error?.syscall, syscall, label)
    t.is(error?.operation, operation.constructor.name, label)
    t.is(error?.path, shown, label)
    t.is(error?.dest, undefined, label)
    if (words[code] === undefined) continue
    t.is(error?.message, `${code}: ${words[code]}, ${syscall}${shown === undefined ? '' : ` '${shown}'`}`)
  }
})

test('GetXattr and FGetXattr: resolve to a copy of the value', (t) => {
  const made = fileWithXattrs(t)
  if (made === undefined) return
  using ring = new Ring({ entries: 4 })
  for (const operation of [new GetXattr(made.path, 'user.x'), new FGetXattr(made.fd, 'user.x')]) {
    const entry = operation.build()
    setAttribute(made.fd, 'user.x', 'first')
    ring.push(entry)
    const first = ring.wait()
    const value = first?.value
    setAttribute(made.fd, 'user.x', 'other')
    ring.push(entry)
    t.deepEqual(ring.wait()?.value, Buffer.from('other'))
    t.deepEqual(value, Buffer.from('first'))
    t.deepEqual(first?.value, Buffer.from('first'))
  }
})

test('SetXattr and GetXattr: ignore changes to the operation after push()', (t) => {
  const made = fileWithXattrs(t)
  if (made === undefined) return
  using ring = new Ring({ entries: 4 })
  const set = new SetXattr(made.path, 'user.before', 'before')
  ring.push(set)
  Object.assign(set, { path: '/missing/two', name: 'user.after', value: 'after', flags: 4 })
  t.is(ring.wait()?.value, 0)
  t.deepEqual(attributeOf(made.fd, 'user.before'), Buffer.from('before'))
  const get = new GetXattr(made.path, 'user.before')
  ring.push(get)
  Object.assign(get, { path: '/missing/two', name: 'user.after', size: 0 })
  t.deepEqual(ring.wait()?.value, Buffer.from('before'))
  t.is(run(ring, get).error?.path, '/missing/two')
  const failing = new SetXattr('/missing/one', 'user.x', 'x')
  ring.push(failing)
  failing.path = '/missing/two'
  t.is(ring.wait()?.error?.path, '/missing/one')
})

test('SetXattr and FSetXattr: report a value that was detached before the submission', (t) => {
  const { path, fd } = file(t)
  using ring = new Ring({ entries: 4 })
  for (const view of [
    (buffer: ArrayBuffer): Bytes => buffer,
    (buffer: ArrayBuffer): Bytes => new Uint8Array(buffer, 8, 8),
    (buffer: ArrayBuffer): Bytes => new DataView(buffer, 8, 8),
    (buffer: ArrayBuffer): Bytes => new Float64Array(buffer),
  ]) {
    for (const set of [
      (value: Bytes) => new SetXattr(path, 'user.x', value),
      (value: Bytes) => new FSetXattr(fd, 'user.x', value),
    ]) {
      const buffer = new ArrayBuffer(64)
      const operation = set(view(buffer))
      ring.push(operation)
      // The transferred memory stays referenced, so that the kernel reads no reused memory.
      const moved = structuredClone(buffer, { transfer: [buffer] })
      const completion = ring.wait()
      t.false(completion?.ok)
      t.like(completion?.error, {
        code: 'ERR_URING_BUFFER_DETACHED',
        operation: operation.constructor.name,
      })
      t.is(moved.byteLength, 64)
    }
  }
  // Detached after the completion, it is not an error.
  const buffer = new ArrayBuffer(8)
  const made = fileWithXattrs(t)
  if (made === undefined) return
  ring.push(new FSetXattr(made.fd, 'user.x', buffer))
  const completion = ring.wait()
  structuredClone(buffer, { transfer: [buffer] })
  t.true(completion?.ok)
  t.is(completion?.value, 0)
})

test('SetXattr and GetXattr: run in order when linked after a blocked read', (t) => {
  const made = fileWithXattrs(t)
  if (made === undefined) return
  using ring = new Ring({ entries: 8 })
  const fd = fifo(t)
  setAttribute(made.fd, 'user.x', 'before')
  const value = Buffer.from('after!')
  const byte = Buffer.alloc(1)
  ring.pushAll(
    [
      new Read(fd, byte).link(),
      new FGetXattr(made.fd, 'user.x').link(),
      new SetXattr(made.path, 'user.x', value).link(),
      new GetXattr(made.path, 'user.x').link(),
      new FSetXattr(made.fd, 'user.x', 'last').link(),
      new FGetXattr(made.fd, 'user.x', { size: 0 }),
    ],
    ['read', 'fget', 'set', 'get', 'fset', 'size'],
  )
  ring.submit()
  t.is(ring.tryWait(), undefined)
  t.deepEqual(attributeOf(made.fd, 'user.x'), Buffer.from('before'))
  writeSync(fd, 'x')
  t.deepEqual(
    ring.waitMany(6).map(({ userData, value }) => [userData, value]),
    [
      ['read', 1],
      ['fget', Buffer.from('before')],
      ['set', 0],
      ['get', Buffer.from('after!')],
      ['fset', 0],
      ['size', 4],
    ],
  )
  t.deepEqual(attributeOf(made.fd, 'user.x'), Buffer.from('last'))
})

test('SetXattr and GetXattr: work in a kernel worker', (t) => {
  const made = fileWithXattrs(t)
  if (made === undefined) return
  using ring = new Ring({ entries: 4 })
  t.is(run(ring, new SetXattr(made.path, 'user.x', 'worker').async()).value, 0)
  t.deepEqual(run(ring, new GetXattr(made.path, 'user.x').async()).value, Buffer.from('worker'))
  t.is(run(ring, new FSetXattr(made.fd, 'user.x', 'workers').async()).value, 0)
  t.deepEqual(run(ring, new FGetXattr(made.fd, 'user.x').async()).value, Buffer.from('workers'))
})

test('SetXattr, FSetXattr, GetXattr and FGetXattr: keep their memory alive while in flight', async (t) => {
  const made = fileWithXattrs(t)
  if (made === undefined) return
  const outcome = await script(
    `
    import { openSync } from 'node:fs'
    import { FGetXattr, FSetXattr, GetXattr, Ring, SetXattr, UnlinkAt } from 'uring'
    ${CHUNKS}
    process.chdir(${JSON.stringify(made.folder)})
    const fd = openSync('file', 'r+')
    const ring = new Ring({ entries: 64 })
    const wrong = new Set()
    const check = ({ error, value, userData: [kind, expected] }) => {
      if (error) wrong.add(kind + ': ' + error)
      else if (String(value) !== expected) wrong.add(kind + ': ' + value)
    }
    const COUNT = 5
    const text = (index) => String(index).padStart(20, 'value ')
    const bytes = (index) => Uint8Array.from(Buffer.from(text(index))) // small arrays move out of V8's heap
    for (let index = 0; index < COUNT; index += 1) {
      alone(() => ring.push(new SetXattr('file', 'user.text' + index, text(index)), ['text', '0']))
      alone(() => ring.push(new SetXattr('file', 'user.bytes' + index, bytes(index)), ['bytes', '0']))
      alone(() => ring.push(new FSetXattr(fd, 'user.ftext' + index, text(index)), ['ftext', '0']))
      alone(() => ring.push(new FSetXattr(fd, 'user.fbytes' + index, bytes(index)), ['fbytes', '0']))
    }
    await collect()
    for (const completion of ring.waitMany(COUNT * 4)) check(completion)
    for (let index = 0; index < COUNT; index += 1) {
      alone(() => ring.push(new GetXattr('file', 'user.text' + index), ['get', text(index)]))
      alone(() => ring.push(new GetXattr('file', 'user.ftext' + index, { size: 20 }), ['get', text(index)]))
      alone(() => ring.push(new FGetXattr(fd, 'user.bytes' + index), ['fget', text(index)]))
      alone(() => ring.push(new FGetXattr(fd, 'user.fbytes' + index, { size: 20 }), ['fget', text(index)]))
    }
    await collect()
    for (const completion of ring.waitMany(COUNT * 4)) check(completion)
    if (wrong.size > 0) throw new Error([...wrong].join())
    console.log('done')
    `,
    ['--expose-gc'],
  )
  t.deepEqual(outcome, { code: 0, signal: null, stdout: 'done\n', stderr: '' })
})

test('GetXattr: has another result type for a size of 0', (t) => {
  // The type checker is the test.
  const value: Operation<Buffer> = new GetXattr('x', 'user.x')
  const short: Operation<Buffer> = new FGetXattr(0, 'user.x', { size: 10 })
  const size: Operation<number> = new GetXattr('x', 'user.x', { size: 0 })
  const either: Operation<Buffer | number> = new FGetXattr(0, 'user.x', { size: Number('0') })
  // @ts-expect-error a size is not a Buffer
  const wrong: Operation<Buffer> = new FGetXattr(0, 'user.x', { size: 0 })
  t.is([value, short, size, either, wrong].length, 5)
})
