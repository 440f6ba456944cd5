// Copying a large sparse file by direct I/O through registered buffers.

import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { allocate, type FixedBuffer, ReadFixed, Ring, WriteFixed } from 'uring'
import { codeOf } from '../helpers/promises.ts'

const { O_CREAT, O_DIRECT, O_RDONLY, O_RDWR } = constants
const MIB = 2 ** 20
const SIZE = 2 ** 30
const IN_FLIGHT = 8

/** The ranges with data: at both ends, across two buffers, and inside one buffer. */
const EXTENTS = [
  [0, 8192],
  [3 * MIB - 4096, 12_288],
  [300 * MIB, 2 * MIB],
  [777 * MIB + 65_536, 4096],
  [SIZE - 4096, 4096],
] as const

function openDirect(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags | O_DIRECT)
  } catch {
    return undefined
  }
}

/** Creates a directory on a file system with direct I/O, if there is one. */
function directDirectory(t: ExecutionContext): string | undefined {
  for (const candidate of [tmpdir(), '/var/tmp', fileURLToPath(new URL('../..', import.meta.url))]) {
    const folder = mkdtempSync(join(candidate, 'uring-test-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'probe')
    writeFileSync(path, Buffer.alloc(4096))
    const fd = openDirect(path, O_RDONLY)
    if (fd === undefined) continue
    closeSync(fd)
    return folder
  }
  t.log('no file system here does direct I/O')
  return undefined
}

/** Returns bytes that differ at every position. */
function pattern(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += 8) bytes.writeBigUInt64LE(BigInt(offset + at + 1), at)
  return bytes
}

function digest(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('hex')
}

function bytesAt(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  return bytes.subarray(0, readSync(fd, bytes, 0, length, offset))
}

function attempt(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    return codeOf(error)
  }
}

test('ReadFixed, WriteFixed: copy 1 GiB with holes by direct I/O, and keep the holes', async (t) => {
  const folder = directDirectory(t)
  if (folder === undefined) {
    t.pass()
    return
  }
  const path = join(folder, 'source')
  const filled = openSync(path, 'w+')
  t.teardown(() => closeSync(filled))
  ftruncateSync(filled, SIZE)
  for (const [offset, length] of EXTENTS) writeSync(filled, pattern(offset, length), 0, length, offset)

  const source = openSync(path, O_RDONLY | O_DIRECT)
  t.teardown(() => closeSync(source))
  const copyPath = join(folder, 'copy')
  const copy = openSync(copyPath, O_RDWR | O_CREAT | O_DIRECT, 0o600)
  t.teardown(() => closeSync(copy))
  ftruncateSync(copy, SIZE)

  await using ring = new Ring({ entries: 32 })
  using table = ring.registerBuffers(Array.from({ length: IN_FLIGHT }, () => allocate(MIB)))
  const nothing = Buffer.alloc(MIB)
  let next = 0
  let moved = 0
  let written = 0
  async function worker(buffer: FixedBuffer): Promise<void> {
    while (next < SIZE) {
      const offset = next
      next += MIB
      const count = await ring.run(new ReadFixed(source, buffer, { offset }))
      moved += count
      if (buffer.view.equals(nothing)) continue
      const put = await ring.run(new WriteFixed(copy, buffer.subarray(0, count), { offset }))
      written += put
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, (_, index) => worker(table.at(index))))
  t.is(moved, SIZE)
  t.is(written, 7 * MIB) // the ranges with data

  const read = openSync(copyPath, 'r')
  t.teardown(() => closeSync(read))
  const { size, blocks } = fstatSync(read)
  t.is(size, SIZE)
  t.true(blocks * 512 <= 16 * MIB, `${blocks} blocks`)
  for (const [offset, length] of EXTENTS) {
    t.is(digest(bytesAt(read, offset, length)), digest(pattern(offset, length)))
    const around = 4096
    if (offset > 0) t.true(bytesAt(read, offset - around, around).every((byte) => byte === 0))
    t.true(bytesAt(read, offset + length, around).every((byte) => byte === 0))
  }
})

test('allocate: returns memory for direct I/O', async (t) => {
  const folder = directDirectory(t)
  if (folder === undefined) {
    t.pass()
    return
  }
  const path = join(folder, 'file')
  writeFileSync(path, pattern(0, 8192))
  const fd = openSync(path, O_RDWR | O_DIRECT)
  t.teardown(() => closeSync(fd))
  await using ring = new Ring({ entries: 4 })
  using table = ring.registerBuffers([allocate(8192), allocate(4096, { alignment: 512 })])
  const [buffer, small] = [table.at(0), table.at(1)]
  t.is(await ring.run(new ReadFixed(fd, buffer, { offset: 0 })), 8192)
  t.true(buffer.view.equals(pattern(0, 8192)))
  t.is(await ring.run(new ReadFixed(fd, small, { offset: 4096 })), 4096)
  t.true(small.view.equals(pattern(4096, 4096)))
  // Unaligned memory behaves as it does with node:fs: most file systems refuse it.
  for (const [from, offset] of [
    [1, 0],
    [0, 1],
  ] as const) {
    const part = buffer.subarray(from, from + 4096)
    const result = await ring.run(new ReadFixed(fd, part, { offset })).catch(codeOf)
    t.is(
      result,
      attempt(() => readSync(fd, part.view, 0, 4096, offset)),
    )
  }
})
