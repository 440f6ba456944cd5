// Pipes: creating them, and moving bytes through them inside the kernel.

import { closeSync, fstatSync, ftruncateSync, readFileSync, readSync, writeSync } from 'node:fs'
import test from 'ava'
import {
  Close,
  FixedFile,
  OpenFlags,
  Pipe,
  Read,
  Ring,
  RwFlags,
  Splice,
  SpliceFlags,
  Tee,
  Write,
} from 'uring'
import { codeOrNone, complete, submitHeldBack } from '../../helpers/completions.ts'
import { file, UNUSED_FD } from '../../helpers/files.ts'
import { brokenPipe, flagsOf, pipe, readText, withFewDescriptors } from '../../helpers/pipes.ts'
import { closing, pair } from '../../helpers/sockets.ts'

/** The access mode of a descriptor, O_ACCMODE. */
const ACCESS = 3
const FAR = 2 ** 33 + 5

// ---- Splice

test('Splice: reads a file at its position or at an offset', (t) => {
  using ring = new Ring({ entries: 4 })
  const source = file(t, '0123456789')
  const { read, write } = pipe(t)
  t.is(complete(ring, new Splice(source.fd, write, 3, { offsetIn: 4 })).value, 3)
  t.is(readText(read), '456')
  t.is(complete(ring, new Splice(source.fd, write, 2)).value, 2)
  t.is(complete(ring, new Splice({ fd: source.fd }, { fd: write }, 2, { flags: SpliceFlags.MOVE })).value, 2)
  t.is(readText(read), '0123', 'the offset did not move the position, and without one it moves')
  t.is(complete(ring, new Splice(source.fd, write, 100, { offsetIn: 8n })).value, 2)
  t.is(readText(read), '89')
  t.is(complete(ring, new Splice(source.fd, write, 100, { offsetIn: 10 })).value, 0, 'the end')
  t.is(complete(ring, new Splice(source.fd, write, 0)).value, 0)
  writeSync(source.fd, 'far away', FAR)
  for (const offsetIn of [FAR + 4, BigInt(FAR) + 4n]) {
    t.is(complete(ring, new Splice(source.fd, write, 100, { offsetIn })).value, 4)
    t.is(readText(read), 'away')
  }
})

test('Splice: writes a file at its position or at an offset', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd, path } = file(t, '..........')
  const { read, write } = pipe(t)
  writeSync(write, 'abcdefgh')
  t.is(complete(ring, new Splice(read, fd, 3, { offsetOut: 4 })).value, 3)
  t.is(readFileSync(path, 'utf8'), '....abc...')
  t.is(complete(ring, new Splice(read, fd, 2)).value, 2)
  t.is(complete(ring, new Splice(read, fd, 1)).value, 1)
  t.is(readFileSync(path, 'utf8'), 'def.abc...')
  t.is(complete(ring, new Splice(read, fd, 100, { offsetOut: BigInt(FAR) })).value, 2)
  t.is(fstatSync(fd).size, FAR + 2)
  const bytes = Buffer.alloc(4)
  t.is(readSync(fd, bytes, 0, 4, FAR - 1), 3)
  t.is(bytes.toString('latin1'), '\0gh\0')
  ftruncateSync(fd, 0)
})

test('Splice: moves bytes from pipe to pipe, and between pipes and sockets', (t) => {
  using ring = new Ring({ entries: 4 })
  const first = pipe(t)
  const second = pipe(t)
  const [left, right] = pair(t)
  writeSync(first.write, 'through the pipes')
  t.is(complete(ring, new Splice(first.read, second.write, 7)).value, 7)
  t.is(readText(second.read), 'through')
  t.is(complete(ring, new Splice(first.read, left, 100)).value, 10)
  t.is(readText(right), ' the pipes')
  writeSync(right, 'back')
  t.is(complete(ring, new Splice(left, second.write, 100)).value, 4)
  t.is(readText(second.read), 'back')
})

test('Splice: accepts fixed files on both sides', (t) => {
  using ring = new Ring({ entries: 4 })
  const source = file(t, 'from the file')
  const target = file(t)
  const { read, write } = pipe(t)
  // The slot numbers are also descriptors of other files, to detect if one is taken for the other.
  ring.registerFiles([-1, source.fd, target.fd, read, write])
  const fixedSource = new FixedFile(1)
  const fixedTarget = new FixedFile(2)
  const fixedRead = new FixedFile(3)
  const fixedWrite = new FixedFile(4)
  t.is(complete(ring, new Splice(fixedSource, write, 4, { offsetIn: 0 })).value, 4)
  t.is(complete(ring, new Splice(source.fd, fixedWrite, 5, { offsetIn: 4 })).value, 5)
  t.is(complete(ring, new Splice(fixedSource, fixedWrite, 4, { offsetIn: 9 })).value, 4)
  t.is(complete(ring, new Splice(fixedRead, target.fd, 5, { offsetOut: 0 })).value, 5)
  t.is(complete(ring, new Splice(read, fixedTarget, 4, { offsetOut: 5 })).value, 4)
  t.is(complete(ring, new Splice(fixedRead, fixedTarget, 100, { offsetOut: 9 })).value, 4)
  t.is(readFileSync(target.path, 'utf8'), 'from the file')
  // The kernel's own flag marks a number as a slot too.
  const { FD_IN_FIXED } = SpliceFlags
  t.is(complete(ring, new Splice(1, write, 4, { offsetIn: 9, flags: FD_IN_FIXED })).value, 4)
  t.is(readText(read), 'file')
  t.is(codeOrNone(ring, new Splice(new FixedFile(0), write, 4)), 'EBADF', 'an empty slot')
  t.is(codeOrNone(ring, new Splice(read, new FixedFile(0), 4)), 'EBADF', 'an empty slot')
})

test('Splice: waits for bytes, or fails with EAGAIN if it is non-blocking', (t) => {
  using ring = new Ring({ entries: 4 })
  const { read, write } = pipe(t)
  const { fd, path } = file(t)
  ring.registerFiles([read])
  for (const from of [read, new FixedFile(0)]) {
    t.is(codeOrNone(ring, new Splice(from, fd, 100, { flags: SpliceFlags.NONBLOCK })), 'EAGAIN')
  }
  ring.push(new Splice(read, fd, 100))
  ring.submit()
  t.is(ring.tryWait(), undefined)
  writeSync(write, 'late')
  t.is(ring.wait()?.value, 4)
  t.is(readFileSync(path, 'utf8'), 'late')
  t.is(codeOrNone(ring, new Splice(pipe(t, true).read, fd, 100)), 'EAGAIN', 'a non-blocking end')
})

test('Splice: fails without a pipe, and for bad files and offsets', (t) => {
  using ring = new Ring({ entries: 4 })
  const { read, write } = pipe(t)
  const { fd } = file(t, 'content')
  const other = file(t)
  writeSync(write, 'bytes')
  t.is(complete(ring, new Splice(fd, other.fd, 8)).error?.message, 'EINVAL: invalid argument, splice')
  t.is(codeOrNone(ring, new Splice(read, other.fd, 8, { offsetIn: 0 })), 'ESPIPE')
  t.is(codeOrNone(ring, new Splice(fd, write, 8, { offsetOut: 0 })), 'ESPIPE')
  t.is(codeOrNone(ring, new Splice(fd, write, 8, { flags: 0x10 })), 'EINVAL')
  t.is(codeOrNone(ring, new Splice(UNUSED_FD, write, 8)), 'EBADF')
  t.is(codeOrNone(ring, new Splice(fd, UNUSED_FD, 8)), 'EBADF')
  t.is(codeOrNone(ring, new Splice(write, fd, 8)), 'EBADF', 'the wrong end')
  t.is(codeOrNone(ring, new Splice(fd, read, 8)), 'EBADF', 'the wrong end')
  t.is(codeOrNone(ring, new Splice(fd, brokenPipe(t), 8)), 'EPIPE')
  t.is(readText(read), 'bytes')
  t.is(fstatSync(other.fd).size, 0)
})

// ---- Tee

test('Tee: copies bytes and leaves them in the first pipe', (t) => {
  using ring = new Ring({ entries: 4 })
  const first = pipe(t)
  const second = pipe(t)
  writeSync(first.write, '0123456789')
  t.is(complete(ring, new Tee(first.read, second.write, 4)).value, 4)
  t.is(readText(second.read), '0123')
  t.is(complete(ring, new Tee({ fd: first.read }, { fd: second.write }, 100)).value, 10)
  t.is(readText(second.read), '0123456789')
  t.is(readText(first.read), '0123456789')
  t.is(complete(ring, new Tee(first.read, second.write, 0)).value, 0)
})

test('Tee: accepts fixed files on both sides', (t) => {
  using ring = new Ring({ entries: 4 })
  const first = pipe(t)
  const second = pipe(t)
  ring.registerFiles([-1, first.read, second.write])
  const from = new FixedFile(1)
  const to = new FixedFile(2)
  writeSync(first.write, 'again')
  for (const operation of [
    new Tee(from, second.write, 9),
    new Tee(first.read, to, 9),
    new Tee(from, to, 9),
    new Tee(1, to, 9, { flags: SpliceFlags.FD_IN_FIXED }),
  ]) {
    t.is(complete(ring, operation).value, 5)
    t.is(readText(second.read), 'again')
  }
  t.is(codeOrNone(ring, new Tee(new FixedFile(0), to, 4)), 'EBADF')
  t.is(codeOrNone(ring, new Tee(from, new FixedFile(0), 4)), 'EBADF')
  t.is(readText(first.read), 'again')
})

test('Tee: waits for bytes, or fails with EAGAIN if it is non-blocking', (t) => {
  using ring = new Ring({ entries: 4 })
  const first = pipe(t)
  const second = pipe(t)
  ring.registerFiles([first.read])
  for (const from of [first.read, new FixedFile(0)]) {
    t.is(codeOrNone(ring, new Tee(from, second.write, 9, { flags: SpliceFlags.NONBLOCK })), 'EAGAIN')
  }
  ring.push(new Tee(first.read, second.write, 9))
  ring.submit()
  t.is(ring.tryWait(), undefined)
  writeSync(first.write, 'late')
  t.is(ring.wait()?.value, 4)
  t.is(readText(second.read), 'late')
})

test('Tee: fails for files that are not pipes', (t) => {
  using ring = new Ring({ entries: 4 })
  const { read, write } = pipe(t)
  const { fd } = file(t, 'content')
  writeSync(write, 'bytes')
  t.is(complete(ring, new Tee(fd, write, 8)).error?.message, 'EINVAL: invalid argument, tee')
  t.is(codeOrNone(ring, new Tee(read, fd, 8)), 'EINVAL')
  t.is(codeOrNone(ring, new Tee(read, write, 8)), 'EINVAL', 'the same pipe')
  t.is(codeOrNone(ring, new Tee(read, write, 8, { flags: 0x10 })), 'EINVAL')
  t.is(codeOrNone(ring, new Tee(UNUSED_FD, write, 8)), 'EBADF')
  t.is(codeOrNone(ring, new Tee(read, UNUSED_FD, 8)), 'EBADF')
  t.is(codeOrNone(ring, new Tee(read, brokenPipe(t), 8)), 'EPIPE')
  t.is(readText(read), 'bytes')
})

// ---- Pipe

test('Pipe: creates a pipe of two descriptors', (t) => {
  using ring = new Ring({ entries: 4 })
  const [read, write] = complete(ring, new Pipe()).value.map((fd) => closing(t, fd)) as [number, number]
  writeSync(write, 'through')
  t.is(readText(read), 'through')
  t.throws(() => writeSync(read, 'back'), { code: 'EBADF' })
  t.true(fstatSync(read).isFIFO())
  t.is(flagsOf(read) & ACCESS, OpenFlags.RDONLY)
  t.is(flagsOf(write) & ACCESS, OpenFlags.WRONLY)
})

test('Pipe: applies flags and cloexec to both ends', (t) => {
  using ring = new Ring({ entries: 4 })
  const { CLOEXEC, NONBLOCK, DIRECT } = OpenFlags
  for (const [options, expected] of [
    [undefined, CLOEXEC],
    [{}, CLOEXEC],
    [{ cloexec: true }, CLOEXEC],
    [{ cloexec: false }, 0],
    [{ cloexec: false, flags: CLOEXEC }, CLOEXEC],
    [{ flags: NONBLOCK }, CLOEXEC | NONBLOCK],
    [{ flags: NONBLOCK | DIRECT, cloexec: false }, NONBLOCK | DIRECT],
  ] as const) {
    const ends = complete(ring, new Pipe(options)).value.map((fd) => flagsOf(closing(t, fd)))
    // The kernel sets DIRECT only on the writing end.
    for (const [index, flags] of ends.entries()) {
      const mask = CLOEXEC | NONBLOCK | (index === 0 ? 0 : DIRECT)
      t.is(flags & mask, expected & mask, JSON.stringify(options))
    }
  }
})

test('Pipe: keeps writes separate with DIRECT', (t) => {
  using ring = new Ring({ entries: 4 })
  for (const [flags, expected] of [
    [OpenFlags.DIRECT, ['first', 'second']],
    [0, ['firstsecond']],
  ] as const) {
    const [read, write] = complete(ring, new Pipe({ flags })).value.map((fd) => closing(t, fd)) as [
      number,
      number,
    ]
    writeSync(write, 'first')
    writeSync(write, 'second')
    t.deepEqual(
      expected.map(() => readText(read)),
      expected,
    )
  }
})

/** Writes to one fixed file, and returns what the other one reads. */
function through(ring: Ring, read: FixedFile, write: FixedFile, text: string): string {
  const bytes = Buffer.alloc(100)
  const written: number = complete(ring, new Write(write, Buffer.from(text))).value
  const count: number = complete(ring, new Read(read, bytes)).value
  return written === count ? bytes.toString('latin1', 0, count) : `${written} and ${count} bytes`
}

test('Pipe: uses a fixed-file slot and the next one', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.registerFiles(5)
  for (const direct of [3, new FixedFile(3), 0, 3]) {
    const first = typeof direct === 'number' ? direct : direct.index
    const [read, write] = complete(ring, new Pipe({ direct })).value
    t.true(read instanceof FixedFile && write instanceof FixedFile)
    t.deepEqual([read.index, write.index], [first, first + 1])
    t.is(through(ring, new FixedFile(first), new FixedFile(first + 1), 'through'), 'through')
  }
  t.is(codeOrNone(ring, new Write(new FixedFile(2), Buffer.alloc(1))), 'EBADF', 'nothing else was filled')
  t.is(codeOrNone(ring, new Write(new FixedFile(3), Buffer.alloc(1))), 'EBADF', 'the end to read from')
})

test('Pipe: uses fixed-file slots that the kernel chooses', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.registerFiles(5)
  complete(ring, new Pipe({ direct: 1 }))
  const used = new Set([1, 2])
  const [read, write] = complete(ring, new Pipe({ direct: 'auto' })).value
  t.true(read instanceof FixedFile && write instanceof FixedFile)
  for (const { index } of [read, write]) {
    t.false(used.has(index))
    used.add(index)
  }
  t.is(used.size, 4)
  t.is(through(ring, read, write, 'chosen'), 'chosen')
  t.is(codeOrNone(ring, new Pipe({ direct: 'auto' })), 'ENFILE', 'only one slot is free')
})

test('Pipe: returns the ends in order, in whichever slots they are', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.registerFiles(6)
  for (const direct of [0, 2, 4]) complete(ring, new Pipe({ direct }))
  for (const free of [
    [1, 4],
    [0, 5],
    [2, 3],
  ]) {
    for (const index of free) complete(ring, new Close(new FixedFile(index)))
    const [read, write] = complete(ring, new Pipe({ direct: 'auto' })).value
    t.deepEqual([read.index, write.index].toSorted(), free)
    t.is(through(ring, read, write, 'chosen'), 'chosen')
  }
})

test('Pipe: fails for bad flags, bad slots and rings without a table', (t) => {
  using ring = new Ring({ entries: 4 })
  t.is(complete(ring, new Pipe({ direct: 0 })).error?.message, 'ENXIO: no such device or address, pipe2')
  t.is(codeOrNone(ring, new Pipe({ direct: 'auto' })), 'ENFILE')
  ring.registerFiles(4)
  t.is(codeOrNone(ring, new Pipe({ direct: 4 })), 'EINVAL', 'there is no such slot')
  t.is(codeOrNone(ring, new Pipe({ direct: 3 })), 'EINVAL', 'no slot follows it')
  t.is(codeOrNone(ring, new Read(new FixedFile(3), Buffer.alloc(1), { flags: RwFlags.NOWAIT })), 'EBADF')
  t.is(codeOrNone(ring, new Pipe({ flags: 1 })), 'EINVAL')
  t.is(codeOrNone(ring, new Pipe({ flags: 2 ** 31 })), 'EINVAL')
  t.is(codeOrNone(ring, new Pipe({ direct: 0, flags: OpenFlags.CLOEXEC })), 'EINVAL')
})

test('Pipe: fails with EMFILE if fewer than two descriptors are left', async (t) => {
  const outcome = await withFewDescriptors(`
    import { closeSync } from 'node:fs'
    import { Pipe, Ring } from 'uring'
    const ring = new Ring({ entries: 4 })
    ring.push(new Pipe()) // loads lazily loaded modules while descriptors are left
    ring.wait().value.forEach((fd) => closeSync(fd))
    const opened = exhaust()
    for (let free = 0; free < 3; free += 1) {
      ring.push(new Pipe())
      const { error, ok } = ring.wait()
      console.log(ok ? 'a pipe' : error.message)
      closeSync(opened.pop())
    }
  `)
  t.is(outcome.stderr, '')
  t.deepEqual(outcome.stdout.trim().split('\n'), [
    'EMFILE',
    'EMFILE: too many open files, pipe2',
    'EMFILE: too many open files, pipe2',
    'a pipe',
  ])
})

test('Pipe: creates a new pipe for each submission', (t) => {
  using ring = new Ring({ entries: 4 })
  const operation = new Pipe()
  ring.pushAll([operation, operation])
  const pairs = ring.waitMany(2).map((completion) => completion.value as [number, number])
  const fds = pairs.flat()
  for (const fd of fds) closing(t, fd)
  t.is(new Set(fds).size, 4)
  for (const [index, [read, write]] of pairs.entries()) {
    writeSync(write, `pipe ${index}`)
    t.is(readText(read), `pipe ${index}`)
  }
})

test('Pipe: keeps the result of an entry when the entry is pushed again', (t) => {
  using ring = new Ring({ entries: 4 })
  const entry = new Pipe().build()
  const first = complete(ring, entry)
  const second = complete(ring, entry)
  const fds = [...first.value, ...second.value]
  for (const fd of fds) closing(t, fd)
  t.is(new Set(fds).size, 4)
  writeSync(first.value[1], 'first')
  t.is(readText(first.value[0]), 'first')
})

test('Pipe: ignores changes to the operation after push()', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.registerFiles(4)
  const operation = new Pipe<number | undefined>({ direct: 1 })
  const finish = submitHeldBack(t, ring, operation)
  operation.direct = undefined
  const ends: unknown = finish().value
  t.deepEqual(ends, [new FixedFile(1), new FixedFile(2)])
  const fds = complete(ring, operation).value as unknown as [number, number]
  t.is(typeof fds[0], 'number')
  for (const fd of fds) closeSync(fd)
})
