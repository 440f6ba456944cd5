// Reads and writes of files.

import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  type Completion,
  FixedFile,
  IntegrityFlags,
  OpenFlags,
  type Operation,
  ProvideBuffers,
  Read,
  Readv,
  type Received,
  Ring,
  RwFlags,
  Write,
  Writev,
} from 'uring'
import { directory, fifo, file } from '../../helpers/files.ts'

test('Read: stops at the end of the file, and reads 0 bytes past it', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'twelve bytes')
  const buffer = Buffer.alloc(100, '.')
  ring.push(new Read(fd, buffer, { offset: 7 }))
  t.is(ring.wait()?.value, 5)
  t.is(buffer.toString('utf8', 0, 6), 'bytes.')
  ring.push(new Read(fd, buffer, { offset: 12 }))
  t.is(ring.wait()?.value, 0)
})

test('Read, Write: use and move the file position without an offset', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd, path } = file(t)
  for (const text of ['one ', 'two ', 'three']) {
    ring.push(new Write(fd, Buffer.from(text)))
    t.is(ring.wait()?.value, text.length)
  }
  t.is(readFileSync(path, 'utf8'), 'one two three')
  const again = openSync(path, 'r')
  t.teardown(() => closeSync(again))
  const buffer = Buffer.alloc(4)
  for (const text of ['one ', 'two ', 'thre', 'e']) {
    ring.push(new Read(again, buffer))
    const length = ring.wait()?.value as number
    t.is(buffer.toString('utf8', 0, length), text)
  }
  ring.push(new Read(again, buffer, { offset: 4 }))
  ring.wait()
  t.is(buffer.toString(), 'two ', 'an offset leaves the position alone')
  t.is(readSync(again, buffer), 0)
})

test('Read, Write: take offsets beyond 2^53 as bigints', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'x')
  const buffer = Buffer.alloc(1)
  for (const offset of [2 ** 53 - 1, 2n ** 53n + 1n, 2n ** 62n]) {
    ring.push(new Read(fd, buffer, { offset }))
    t.is(ring.wait()?.value, 0)
    ring.push(new Write(fd, buffer, { offset }))
    t.is(ring.wait()?.error?.code, 'EFBIG')
  }
  const big = openSync('/proc/self/mem', 'r')
  t.teardown(() => closeSync(big))
  // The only file with bytes up there is the memory of the process: the kernel's half, which cannot be read.
  ring.push(new Read(big, buffer, { offset: 2n ** 63n - 1n }))
  t.is(ring.wait()?.error?.code, 'EIO')
})

test('Readv, Writev: transfer several buffers in order', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd, path } = file(t)
  ring.push(new Writev(fd, [Buffer.from('ab'), Buffer.from(''), Buffer.from('cde')], { offset: 1 }))
  t.is(ring.wait()?.value, 5)
  t.is(readFileSync(path, 'latin1'), '\0abcde')
  const buffers = [Buffer.alloc(3), Buffer.alloc(1), Buffer.alloc(10, '.')]
  ring.push(new Readv(fd, buffers, { offset: 0 }))
  t.is(ring.wait()?.value, 6)
  t.deepEqual(
    buffers.map((buffer) => buffer.toString('latin1')),
    ['\0ab', 'c', 'de........'],
  )
  // They use the file position, as with a single buffer.
  ring.push(new Readv(fd, [Buffer.alloc(2)]))
  ring.wait()
  const rest = Buffer.alloc(2)
  ring.push(new Read(fd, rest))
  ring.wait()
  t.is(rest.toString(), 'bc')
  ring.push(new Readv(fd, []))
  t.is(ring.wait()?.value, 0)
  ring.push(
    new Writev(
      fd,
      Array.from({ length: 1024 }, () => Buffer.from('z')),
      { offset: 0 },
    ),
  )
  t.is(ring.wait()?.value, 1024)
})

test('Readv, Writev: ignore changes of the array after the push', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd, path } = file(t)
  const buffers = [Buffer.from('right')]
  ring.push(new Writev(fd, buffers, { offset: 0 }))
  buffers[0] = Buffer.from('wrong')
  t.is(ring.wait()?.value, 5)
  t.is(readFileSync(path, 'utf8'), 'right')
})

test('Read, Write: pass flags to the kernel', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd, path } = file(t, 'start')
  ring.push(new Write(fd, Buffer.from('+end'), { offset: 0, flags: RwFlags.APPEND }))
  t.is(ring.wait()?.value, 4)
  t.is(readFileSync(path, 'utf8'), 'start+end')
  ring.push(new Read(fifo(t), Buffer.alloc(1), { flags: RwFlags.NOWAIT }))
  t.is(ring.wait()?.error?.code, 'ENOTSUP', 'a named FIFO cannot')
  for (const operation of [
    new Readv(fd, [Buffer.alloc(1)], { flags: 1 << 30 }),
    new Writev(fd, [Buffer.alloc(1)], { flags: 1 << 30 }),
  ]) {
    ring.push(operation)
    t.is(ring.wait()?.error?.code, 'ENOTSUP')
  }
})

test('Read: takes a descriptor, a FileHandle, or any object with a descriptor', async (t) => {
  using ring = new Ring({ entries: 4 })
  const path = join(directory(t), 'file')
  writeFileSync(path, 'content')
  await using handle = await open(path)
  for (const target of [handle.fd, handle, { fd: handle.fd }]) {
    const buffer = Buffer.alloc(7)
    ring.push(new Read(target, buffer, { offset: 0 }))
    t.is(ring.wait()?.value, 7)
    t.is(buffer.toString(), 'content')
  }
  ring.push(new Read(new FixedFile(0), Buffer.alloc(1)))
  t.is(ring.wait()?.error?.code, 'EBADF', 'there is no file table')
})

test('Read, Write: fail with the messages of node:fs', (t) => {
  using ring = new Ring({ entries: 4 })
  const { path } = file(t)
  const readOnly = openSync(path, 'r')
  const folder = openSync(directory(t), OpenFlags.DIRECTORY)
  t.teardown(() => {
    closeSync(readOnly)
    closeSync(folder)
  })
  const words = (fail: () => unknown): string => (t.throws(fail) as Error).message
  for (const [operation, same] of [
    [new Read(folder, Buffer.alloc(1), { offset: 0 }), () => readSync(folder, Buffer.alloc(1), 0, 1, 0)],
    [new Readv(folder, [Buffer.alloc(1)]), () => readSync(folder, Buffer.alloc(1))],
    [new Read(987_654, Buffer.alloc(1)), () => readSync(987_654, Buffer.alloc(1))],
    [new Write(readOnly, Buffer.alloc(1)), () => writeFileSync(readOnly, 'x')],
    [new Writev(readOnly, [Buffer.alloc(1)]), () => writeFileSync(readOnly, 'x')],
  ] as const) {
    ring.push(operation)
    t.is(ring.wait()?.error?.message, words(same))
  }
  const full = openSync('/dev/full', 'w')
  t.teardown(() => closeSync(full))
  ring.push(new Write(full, Buffer.alloc(1)))
  t.is(
    ring.wait()?.error?.message,
    words(() => writeFileSync(full, 'x')),
  )
})

test('Read: fails with ENOBUFS for a buffer group that does not exist', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'content')
  ring.push(new Read(fd, { group: 77, length: 4 }, { offset: 0 }))
  t.is(ring.wait()?.error?.code, 'ENOBUFS')
})

test('Read, Write, Readv, Writev: take the priorities of ioprio_set(2)', (t) => {
  using ring = new Ring()
  const { fd } = file(t, 'content')
  const bytes = Buffer.alloc(7)
  const idle = 3 << 13
  const none = 7 << 13 // no such priority class
  for (const make of [
    (ioprio: number) => new Read(fd, bytes, { offset: 0, ioprio }),
    (ioprio: number) => new Readv(fd, [bytes], { offset: 0, ioprio }),
    (ioprio: number) => new Write(fd, bytes, { offset: 0, ioprio }),
    (ioprio: number) => new Writev(fd, [bytes], { offset: 0, ioprio }),
  ]) {
    ring.push(make(idle))
    t.is(ring.wait()?.value, 7)
    t.is(bytes.toString(), 'content')
    ring.push(make(none))
    t.is(ring.wait()?.error?.code, 'EINVAL')
  }
})

test('Read, Write, Readv, Writev: fail with EINVAL for protection information that no device keeps', (t) => {
  using ring = new Ring()
  const { path, fd } = file(t, 'content')
  const integrity = { bytes: Buffer.alloc(8), flags: IntegrityFlags.CHK_GUARD, appTag: 1, seed: 2n }
  const bytes = Buffer.alloc(7, 'x')
  for (const operation of [
    new Read(fd, bytes, { offset: 0, integrity }),
    new Readv(fd, [bytes], { offset: 0, integrity }),
    new Write(fd, bytes, { offset: 0, integrity }),
    new Writev(fd, [bytes], { offset: 0, integrity }),
  ] as Operation<unknown>[]) {
    ring.push(operation)
    t.is(ring.wait()?.error?.code, 'EINVAL')
  }
  t.is(readFileSync(path, 'utf8'), 'content')
})

function bytesOf(completion: Completion | undefined): Buffer | undefined {
  return (completion?.value as Received | undefined)?.bytes
}

for (const [name, make] of [
  ['Read', (fd: number, group: number, offset: number) => new Read(fd, { group, length: 3 }, { offset })],
  ['Readv', (fd: number, group: number, offset: number) => new Readv(fd, { group, length: 3 }, { offset })],
] as const) {
  test(`${name}: reads into a buffer that the kernel takes from a buffer group`, (t) => {
    using ring = new Ring()
    const { fd } = file(t, 'content')
    const memory = Buffer.alloc(8)
    ring.push(new ProvideBuffers(memory, 4, 2, 5, 10))
    t.is(ring.wait()?.value, 0)

    ring.push(make(fd, 5, 1))
    ring.push(make(fd, 5, 4))
    const [first, second] = ring.waitMany(2)
    t.deepEqual([first?.bufferId, second?.bufferId], [10, 11])
    t.deepEqual([bytesOf(first)?.toString(), bytesOf(second)?.toString()], ['ont', 'ent'])
    t.is(memory.toString('latin1'), 'ont\0ent\0')
    t.is(bytesOf(first)?.buffer, memory.buffer)

    ring.push(make(fd, 5, 0))
    t.is(ring.wait()?.error?.code, 'ENOBUFS')
    // A read at the end of the file takes no buffer.
    ring.push(new ProvideBuffers(memory, 4, 2, 5))
    t.is(ring.wait()?.value, 0)
    ring.push(make(fd, 5, 100))
    const end = ring.wait()
    t.is(end?.result, 0)
    t.is(bytesOf(end)?.length, 0)
  })
}
