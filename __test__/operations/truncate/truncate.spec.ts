// The length of files, verified with node:fs.

import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs'
import test from 'ava'
import { FixedFile, Ftruncate, Ring } from 'uring'
import { codeOrNone, complete } from '../../helpers/completions.ts'
import { diskFile, fifo, file, UNUSED_FD } from '../../helpers/files.ts'

function readFirst(fd: number, count: number): string {
  const bytes = Buffer.alloc(count)
  readSync(fd, bytes, 0, count, 0)
  return bytes.toString('latin1')
}

test('Ftruncate: extends and shortens a file', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'content')
  ring.registerFiles([-1, fd])
  for (const [target, length] of [
    [fd, 2 ** 32 + 5],
    [{ fd }, 2n ** 33n + 1n],
    [new FixedFile(1), 2 ** 31],
    [fd, 8],
    [fd, 4n],
  ] as const) {
    t.is(complete(ring, new Ftruncate(target, length)).value, 0)
    t.is(fstatSync(fd).size, Number(length))
  }
  t.is(readFirst(fd, 4), 'cont')
  t.is(complete(ring, new Ftruncate(fd, 7)).value, 0)
  t.is(readFirst(fd, 7), 'cont\0\0\0')
  t.is(complete(ring, new Ftruncate(fd, 0)).value, 0)
  t.is(fstatSync(fd).size, 0)
})

test('Ftruncate: fails for files that are not open for writing, and for pipes', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd, path } = file(t, 'content')
  const reader = openSync(path, 'r')
  t.teardown(() => closeSync(reader))
  const message = t.throws(() => ftruncateSync(reader, 1)).message
  t.is(complete(ring, new Ftruncate(reader, 1)).error?.message, message)
  t.is(complete(ring, new Ftruncate(fifo(t), 1)).error?.code, 'EINVAL')
  t.is(codeOrNone(ring, new Ftruncate(UNUSED_FD, 1)), 'EBADF')
  t.is(codeOrNone(ring, new Ftruncate(new FixedFile(0), 1)), 'EBADF')
  const disk = diskFile(t)
  if (disk?.type === 'ext4') t.is(codeOrNone(ring, new Ftruncate(disk.fd, 2n ** 62n)), 'EFBIG')
  t.is(fstatSync(fd).size, 7)
})
