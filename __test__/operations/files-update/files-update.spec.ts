// Fixed-file slots: filling, emptying and skipping them, and installing descriptors.

import { closeSync, fstatSync, openSync } from 'node:fs'
import test from 'ava'
import { Close, FilesUpdate, FixedFdInstall, FixedFile, OpenFlags, Read, Ring, SKIP_FILE } from 'uring'
import { codeOrNone, complete, submitHeldBack } from '../../helpers/completions.ts'
import { file, UNUSED_FD } from '../../helpers/files.ts'
import { flagsOf, readText, withFewDescriptors } from '../../helpers/pipes.ts'
import { script } from '../../helpers/process.ts'
import { contentOf, contents, files } from '../../helpers/registered.ts'
import { closing } from '../../helpers/sockets.ts'

const EMPTY = -1

// ---- FilesUpdate

test('FilesUpdate: fills, empties and skips slots', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0, c = 0] = files(t, 'a', 'b', 'c')
  ring.registerFiles(5)
  t.is(complete(ring, new FilesUpdate([a, { fd: b }])).value, 2)
  t.is(contents(ring, 5), 'a b - - -')
  t.is(complete(ring, new FilesUpdate([c, c], { offset: 3 })).value, 2)
  t.is(contents(ring, 5), 'a b - c c')
  t.is(complete(ring, new FilesUpdate([EMPTY, SKIP_FILE, a, SKIP_FILE, EMPTY], { offset: 0 })).value, 5)
  t.is(contents(ring, 5), '- b a c -')
  t.is(complete(ring, new FilesUpdate([EMPTY], { offset: 4 })).value, 1, 'it is empty')
  t.is(
    complete(ring, new FilesUpdate([c, a], { offset: 1 })).value,
    2,
    'it replaces the files in these slots',
  )
  t.is(contents(ring, 5), '- c a c -')
})

test('FilesUpdate: keeps the files open in their slots after the descriptors are closed', (t) => {
  using ring = new Ring({ entries: 4 })
  const { path } = file(t, 'still here')
  ring.registerFiles(1)
  const fd = openSync(path, 'r')
  t.is(complete(ring, new FilesUpdate([fd])).value, 1)
  closeSync(fd)
  t.is(contents(ring, 1), 'still here')
})

test('FilesUpdate: puts files into slots that the kernel chooses', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0, c = 0] = files(t, 'a', 'b', 'c')
  ring.registerFiles(6)
  complete(ring, new FilesUpdate([c, SKIP_FILE, c, SKIP_FILE, c]))
  const found: FixedFile[] = complete(ring, new FilesUpdate([a, { fd: b }, a], { offset: 'auto' })).value
  t.true(Array.isArray(found) && found.every((slot) => slot instanceof FixedFile))
  t.deepEqual(found.map(({ index }) => index).toSorted(), [1, 3, 5])
  t.deepEqual(
    found.map((slot) => contentOf(ring, slot)),
    ['a', 'b', 'a'],
  )
  t.is(codeOrNone(ring, new FilesUpdate([a], { offset: 'auto' })), 'ENFILE')
})

test('FilesUpdate: stops at the first descriptor that fails, and returns the count so far', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0] = files(t, 'a', 'b')
  ring.registerFiles(4)
  t.is(complete(ring, new FilesUpdate([a, UNUSED_FD, b])).value, 1)
  t.is(contents(ring, 4), 'a - - -')
  const slots = complete(ring, new FilesUpdate([b, a, UNUSED_FD, b], { offset: 'auto' })).value
  t.deepEqual(
    slots.map((slot) => contentOf(ring, slot)),
    ['b', 'a'],
  )
  t.is(complete(ring, new FilesUpdate([a, b], { offset: 'auto' })).value.length, 1, 'there is one slot')
})

test('FilesUpdate: fails for bad descriptors, bad slots and rings without a table', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'content')
  t.is(complete(ring, new FilesUpdate([fd])).error?.message, 'ENXIO: no such device or address, files_update')
  t.is(codeOrNone(ring, new FilesUpdate([fd], { offset: 'auto' })), 'ENXIO')
  ring.registerFiles(3)
  t.is(codeOrNone(ring, new FilesUpdate([])), 'EINVAL')
  t.is(codeOrNone(ring, new FilesUpdate([fd], { offset: 3 })), 'EINVAL')
  t.is(
    codeOrNone(ring, new FilesUpdate([fd, fd], { offset: 2 })),
    'EINVAL',
    'either all descriptors get a slot or none',
  )
  t.is(codeOrNone(ring, new FilesUpdate([fd], { offset: 2 ** 31 - 2 })), 'EINVAL')
  t.is(codeOrNone(ring, new FilesUpdate([UNUSED_FD])), 'EBADF')
  t.is(codeOrNone(ring, new FilesUpdate([UNUSED_FD], { offset: 'auto' })), 'EBADF')
  t.is(codeOrNone(ring, new FilesUpdate([EMPTY], { offset: 'auto' })), 'EBADF')
  t.is(codeOrNone(ring, new FilesUpdate([SKIP_FILE], { offset: 'auto' })), 'EBADF')
  t.is(codeOrNone(ring, new FilesUpdate([ring.fd])), 'EBADF', 'a ring cannot be a fixed file')
  t.is(contents(ring, 3), '- - -')
  t.throws(() => new FilesUpdate([0, new FixedFile(1) as unknown as number]), {
    code: 'ERR_INVALID_ARG_TYPE',
    message: /^The "files\[1\]" argument must be a descriptor: the kernel takes no registered file here/,
  })
})

test('FilesUpdate: ignores changes to the operation after push()', (t) => {
  using ring = new Ring({ entries: 8 })
  const [a = 0, b = 0] = files(t, 'a', 'b')
  ring.registerFiles(3)
  const list = [a, b]
  const operation = new FilesUpdate<number | 'auto'>(list, { offset: 1 })
  const finish = submitHeldBack(t, ring, operation)
  list.fill(UNUSED_FD)
  operation.offset = 'auto'
  t.is(finish().value as unknown, 2)
  t.is(contents(ring, 3), '- a b')
})

test('FilesUpdate: an entry registers the same files at each push', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0] = files(t, 'a', 'b')
  ring.registerFiles(20)
  const entry = new FilesUpdate([a, b], { offset: 'auto' }).build()
  const all: FixedFile[] = []
  const waits: Record<string, () => FixedFile[]> = {
    wait: () => complete(ring, entry).value,
    drain: () => {
      ring.push(entry)
      ring.submitAndWait(1)
      t.is(
        ring.drain((_, result) => t.is(result, 2)),
        1,
      )
      return []
    },
    'wait without looking': () => {
      complete(ring, entry)
      return []
    },
    'wait again': () => complete(ring, entry).value,
  }
  for (const [name, wait] of Object.entries(waits)) {
    const slots = wait()
    t.deepEqual(
      slots.map((slot) => contentOf(ring, slot)),
      slots.length === 0 ? [] : ['a', 'b'],
      name,
    )
    all.push(...slots)
  }
  t.is(new Set(all.map(({ index }) => index)).size, 4)
  const texts = contents(ring, 20).split(' ')
  t.is(texts.filter((text) => text === 'a').length, 4)
  t.is(texts.filter((text) => text === 'b').length, 4)
})

test('FilesUpdate: an entry with skipSuccess can be pushed again', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0] = files(t, 'a', 'b')
  ring.registerFiles(8)
  const entry = new FilesUpdate([a, b], { offset: 'auto' }).link().skipSuccess().build()
  for (let round = 0; round < 2; round += 1) {
    ring.push(entry)
    ring.push(new Read(a, Buffer.alloc(1), { offset: 0 }))
    t.is(ring.wait()?.value, 1)
  }
  const texts = contents(ring, 8).split(' ')
  t.is(texts.filter((text) => text === 'a').length, 2)
  t.is(texts.filter((text) => text === 'b').length, 2)
})

test('FilesUpdate: keeps the list of descriptors alive while it is in flight', async (t) => {
  const outcome = await script(
    `
    import { execFileSync } from 'node:child_process'
    import { constants, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
    import { FilesUpdate, FixedFile, Read, Ring } from 'uring'

    const COUNT = 5000 // too long for a block of a shared chunk
    const ring = new Ring({ entries: 8 })
    ring.registerFiles(COUNT)
    const directory = mkdtempSync('/tmp/uring-test-')
    execFileSync('mkfifo', [directory + '/fifo'])
    const gate = openSync(directory + '/fifo', constants.O_RDWR | constants.O_NONBLOCK)
    writeFileSync(directory + '/file', 'content')
    const fd = openSync(directory + '/file', 'r')
    rmSync(directory, { recursive: true })

    ring.push(new Read(gate, Buffer.alloc(1)).link())
    ring.push(new FilesUpdate(Array.from({ length: COUNT }, () => fd)))
    ring.submit()
    for (let round = 0; round < 5; round += 1) {
      globalThis.gc()
      await new Promise(setImmediate)
    }
    // If the memory had been freed, it would be reused now.
    globalThis.noise = Array.from({ length: 200 }, () => new Int32Array(COUNT).fill(987654))
    writeSync(gate, 'x')
    console.log(ring.waitMany(2).map(({ result }) => result).join())
    const bytes = Buffer.alloc(7)
    ring.push(new Read(new FixedFile(COUNT - 1), bytes, { offset: 0 }))
    console.log(ring.wait().value, bytes.toString())
    `,
    ['--expose-gc'],
  )
  t.is(outcome.stderr, '')
  t.is(outcome.stdout, '1,5000\n7 content\n')
})

// ---- FixedFdInstall

test('FixedFdInstall: creates a descriptor for a fixed file', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t, 'content')
  ring.registerFiles([-1, -1, fd])
  const made = closing(t, complete(ring, new FixedFdInstall(new FixedFile(2))).value)
  t.not(made, fd)
  t.is(fstatSync(made).ino, fstatSync(fd).ino)
  // Both refer to the same open file, so they share its position.
  t.is(readText(fd, 3), 'con')
  t.is(readText(made, 4), 'tent')
  t.is(contentOf(ring, new FixedFile(2)), 'content', 'it stays registered')
  t.is(complete(ring, new Close(new FixedFile(2))).value, 0)
  t.is(fstatSync(made).size, 7)
})

test('FixedFdInstall: sets close-on-exec as the option says', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t)
  ring.registerFiles([fd])
  for (const [options, expected] of [
    [undefined, OpenFlags.CLOEXEC],
    [{}, OpenFlags.CLOEXEC],
    [{ cloexec: true }, OpenFlags.CLOEXEC],
    [{ cloexec: false }, 0],
  ] as const) {
    const made = closing(t, complete(ring, new FixedFdInstall(new FixedFile(0), options)).value)
    t.is(flagsOf(made) & OpenFlags.CLOEXEC, expected, JSON.stringify(options))
  }
})

test('FixedFdInstall: fails for empty and missing slots, and refuses descriptors', (t) => {
  using ring = new Ring({ entries: 4 })
  const { fd } = file(t)
  const message = 'EBADF: bad file descriptor, fixed_fd_install'
  t.is(complete(ring, new FixedFdInstall(new FixedFile(0))).error?.message, message, 'no table')
  ring.registerFiles([-1, fd])
  t.is(codeOrNone(ring, new FixedFdInstall(new FixedFile(0))), 'EBADF', 'an empty slot')
  t.is(codeOrNone(ring, new FixedFdInstall(new FixedFile(2))), 'EBADF', 'outside the table')
  t.throws(() => new FixedFdInstall(fd as unknown as FixedFile), {
    code: 'ERR_INVALID_ARG_TYPE',
    message: /^The "file" argument must be an instance of FixedFile/,
  })
})

test('FixedFdInstall: fails with EMFILE when no descriptor is left', async (t) => {
  const outcome = await withFewDescriptors(`
    import { closeSync } from 'node:fs'
    import { FixedFdInstall, FixedFile, Ring } from 'uring'
    const ring = new Ring({ entries: 4 })
    ring.registerFiles([0])
    ring.push(new FixedFdInstall(new FixedFile(0))) // loads lazily loaded modules while descriptors are left
    closeSync(ring.wait().value)
    const opened = exhaust()
    ring.push(new FixedFdInstall(new FixedFile(0)))
    console.log(ring.wait().error.message)
    const last = opened.pop()
    closeSync(last)
    ring.push(new FixedFdInstall(new FixedFile(0)))
    console.log(ring.wait().value === last)
  `)
  t.is(outcome.stderr, '')
  t.is(outcome.stdout, 'EMFILE\nEMFILE: too many open files, fixed_fd_install\ntrue\n')
})
