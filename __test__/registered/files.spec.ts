// Registered files: registering and updating.

import { closeSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import test from 'ava'
import { FixedFile, OpenAt, Read, Ring, SKIP_FILE, type UringError } from 'uring'
import { codeOrNone } from '../helpers/completions.ts'
import { file } from '../helpers/files.ts'
import { run } from '../helpers/process.ts'
import { contentOf, contents, files, tags } from '../helpers/registered.ts'

const NOT_OPEN = 987_654
const MAX_TAG = 2n ** 62n - 1n

// ---- registering

test('registerFiles: operations use files by their slots', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0] = files(t, 'a', 'b')
  const table = ring.registerFiles([-1, a, { fd: b }, a])
  t.is(table.size, 4)
  t.is(contents(ring, 5), '- a b a -')
  t.deepEqual(table.at(2), new FixedFile(2))
  t.is(contentOf(ring, table.at(2)), 'b')
})

test('registerFiles: registers a number of empty slots', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const table = ring.registerFiles(3)
  t.is(table.size, 3)
  t.is(contents(ring, 3), '- - -')
  t.is(codeOrNone(ring, new OpenAt('/dev/null', { direct: 2 })), 'none')
  t.is(codeOrNone(ring, new OpenAt('/dev/null', { direct: 3 })), 'EINVAL', 'there is no such slot')
  t.is(table.update(1, [a]), 1)
  t.is(contents(ring, 3), '- a ')
})

test('registerFiles: descriptors and FileHandles can be closed afterwards', async (t) => {
  await using ring = new Ring({ entries: 4 })
  const { path } = file(t, 'still here')
  const fd = openSync(path, 'r')
  const handle = await open(path)
  const table = ring.registerFiles([fd, handle, -1])
  const other = await open(path)
  table.update(2, [other])
  closeSync(fd)
  await handle.close()
  await other.close()
  t.is(contents(ring, 3), 'still here still here still here')
  t.throws(() => table.update(0, [handle]), { code: 'ERR_OUT_OF_RANGE', message: /"files\[0\]\.fd"/ })
  t.is(contentOf(ring, 0), 'still here')
})

test('registerFiles: registers large tables with their tags', (t) => {
  using ring = new Ring({ entries: 4, cqEntries: 8192 })
  const COUNT = 5000
  const [a = 0, b = 0] = files(t, 'a', 'b')
  const all = (fd: number): number[] => Array.from({ length: COUNT }, () => fd)
  const numbers = (from: number): bigint[] =>
    Array.from({ length: COUNT }, (_, index) => BigInt(from + index))
  const table = ring.registerFiles(all(a), { tags: numbers(1) })
  for (const slot of [0, 1, COUNT / 2, COUNT - 1]) t.is(contentOf(ring, slot), 'a')
  t.is(table.update(0, all(b), { tags: numbers(100_000) }), COUNT)
  for (const slot of [0, 1, COUNT / 2, COUNT - 1]) {
    const bytes = Buffer.alloc(1)
    ring.push(new Read(table.at(slot), bytes, { offset: 0 }), 'read')
    ring.submitAndWait(0)
  }
  const came = ring.waitMany(COUNT + 4)
  t.is(came.filter(({ userData }) => userData === 'read').length, 4)
  t.deepEqual(
    came.filter(({ source }) => source === 'tag').map(({ userData }) => userData),
    numbers(1),
  )
  table.unregister()
  t.deepEqual(tags(ring), numbers(100_000))
})

test('registerFiles: a ring has one table at a time', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0] = files(t, 'a', 'b')
  const first = ring.registerFiles([a])
  t.throws(() => ring.registerFiles(4), {
    code: 'EBUSY',
    message: 'EBUSY: resource busy or locked, io_uring_register',
  })
  t.is(contents(ring, 2), 'a -')
  first.unregister()
  const second = ring.registerFiles([b, b])
  t.is(contents(ring, 2), 'b b')
  // The old table object does not refer to the new table.
  t.throws(() => first.update(0, [a]), { code: 'ERR_URING_RESOURCE_CLOSED' })
  first[Symbol.dispose]()
  t.is(contents(ring, 2), 'b b')
  second.unregister()
})

test('registerFiles: registers no file if one is refused', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const message = 'EBADF: bad file descriptor, io_uring_register: '
  for (const [list, reason] of [
    [[a, -1, NOT_OPEN, NOT_OPEN], 'files[2] is not open'],
    [[a, ring], 'a ring cannot be registered'],
  ] as const) {
    const error = t.throws<UringError>(() =>
      ring.registerFiles(list, { tags: list.map((_, at) => (at === 0 ? 1n : 0n)) }),
    )
    t.is(error?.message, message + reason)
    t.like(error, { code: 'EBADF', errno: -9, syscall: 'io_uring_register' })
    t.is(codeOrNone(ring, new OpenAt('/dev/null', { direct: 0 })), 'ENXIO', 'there is no table')
    t.is(ring.tryWait(), undefined, 'no tag arrives')
  }
  t.is(ring.registerFiles([a]).size, 1)
})

test('registerFiles: fails with EMFILE for more slots than the limit of descriptors', async (t) => {
  const source = `
    import { Ring } from 'uring'
    const ring = new Ring({ entries: 4 })
    for (const files of [201, Array(201).fill(-1), Array(201).fill(0)]) {
      try {
        ring.registerFiles(files)
      } catch ({ code, errno, message }) {
        console.log(code, errno, message)
      }
    }
    console.log(ring.registerFiles(200).size)
  `
  // Node.js opens many modules at once: the limit has to leave room for that.
  const command = 'ulimit -n 200 && exec "$0" --input-type=module --eval "$1"'
  const { stdout, stderr } = await run('sh', ['-c', command, process.execPath, source])
  t.is(stderr, '')
  const refused =
    'EMFILE -24 EMFILE: too many open files, io_uring_register: 201 slots are more than the process may have descriptors (ulimit -n): use fewer slots, or raise the limit\n'
  t.is(stdout, `${refused.repeat(3)}200\n`)
})

test('registerFiles: names invalid arguments, and registers nothing', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const holes: unknown[] = []
  holes.length = 2
  const register = (list: unknown, options?: unknown) => () =>
    ring.registerFiles(list as number[], options as undefined)
  const TYPE = 'ERR_INVALID_ARG_TYPE'
  const VALUE = 'ERR_INVALID_ARG_VALUE'
  const RANGE = 'ERR_OUT_OF_RANGE'
  for (const [wrong, expected, name] of [
    [register(undefined), TYPE, '"files"'],
    [register('12'), TYPE, '"files"'],
    [register(new Set([a])), TYPE, '"files"'],
    [register([]), VALUE, "'files'"],
    [register(0), RANGE, '"files"'],
    [register(-1), RANGE, '"files"'],
    [register(1.5), RANGE, '"files"'],
    [register(2 ** 31), RANGE, '"files"'],
    [register([a, -2]), RANGE, '"files[1]"'],
    [register([a, 0.5]), RANGE, '"files[1]"'],
    [register([a, '1']), TYPE, '"files[1]"'],
    [register([a, new FixedFile(0)]), TYPE, '"files[1]"'],
    [register(holes), TYPE, '"files[0]"'],
    [register([a, { fd: -1 }]), RANGE, '"files[1].fd"'],
    [register([a, null]), TYPE, '"files[1]"'],
    [register([a], 7), TYPE, '"options"'],
    [register([a], { tags: 7n }), TYPE, '"options.tags"'],
    [register([a], { tags: [] }), VALUE, "'options.tags'"],
    [register([a], { tags: [1n, 2n] }), VALUE, "'options.tags'"],
    [register([a], { tags: [1] }), TYPE, '"options.tags[0]"'],
    [register([a, a], { tags: holes }), TYPE, '"options.tags[0]"'],
    [register([a], { tags: [-1n] }), RANGE, '"options.tags[0]"'],
    [register([a], { tags: [MAX_TAG + 1n] }), RANGE, '"options.tags[0]"'],
    [register([a, -1], { tags: [1n, 1n] }), VALUE, "'options.tags[1]'"],
    [register(2, { tags: [0n, 1n] }), VALUE, "'options.tags[1]'"],
  ] as const) {
    const error = t.throws<UringError>(wrong)
    t.is(error?.code, expected, name)
    t.true(error?.message.includes(name), error?.message)
    t.true(error instanceof (expected === RANGE ? RangeError : TypeError))
  }
  t.is(codeOrNone(ring, new OpenAt('/dev/null', { direct: 0 })), 'ENXIO')
  t.is(ring.registerFiles(2, { tags: [0n, 0n] }).size, 2)
})

test('registerFiles: is atomic, whatever getters of its arguments do', (t) => {
  const [a = 0] = files(t, 'a')
  const ring = new Ring({ entries: 4 })
  const closing = {
    get fd() {
      return (ring[Symbol.dispose](), a)
    },
  }
  t.throws(() => ring.registerFiles([closing]), { code: 'ERR_URING_CLOSED' })

  using other = new Ring({ entries: 4 })
  const table = other.registerFiles([a, -1])
  class Short extends Array<bigint> {
    override *[Symbol.iterator](): ArrayIterator<bigint> {
      yield 1n
    }
  }
  t.is(table.update(0, [a, a], { tags: Short.of(5n, 6n) }), 2)
  t.is(table.update(0, [a, -1]), 2)
  t.deepEqual(tags(other), [5n, 6n])
  const failing = {
    get fd(): number {
      throw new Error('mine')
    },
  }
  t.throws(() => table.update(0, [-1, failing]), { message: 'mine' })
  t.is(contents(other, 2), 'a -')
  t.throws(
    () =>
      table.update(0, [-1], {
        get tags() {
          return (table.unregister(), [0n])
        },
      }),
    { code: 'ERR_URING_RESOURCE_CLOSED' },
  )
  t.is(codeOrNone(other, new OpenAt('/dev/null', { direct: 0 })), 'ENXIO')
})

// ---- update

test('FileTable: update() fills, empties and skips slots', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0, c = 0] = files(t, 'a', 'b', 'c')
  const table = ring.registerFiles(5)
  t.is(table.update(0, [a, { fd: b }]), 2)
  t.is(contents(ring, 5), 'a b - - -')
  t.is(table.update(3, [c, c]), 2)
  t.is(contents(ring, 5), 'a b - c c')
  t.is(table.update(0, [-1, SKIP_FILE, a, SKIP_FILE, -1]), 5)
  t.is(contents(ring, 5), '- b a c -')
  t.is(table.update(4, [-1]), 1, 'it is empty')
  t.is(table.update(1, [c, a]), 2, 'the old files are replaced')
  t.is(contents(ring, 5), '- c a c -')
  t.is(table.update(2, []), 0)
  t.is(contents(ring, 5), '- c a c -')
})

test('FileTable: update() stops at the first refused file, and returns the number of slots', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0, b = 0, c = 0] = files(t, 'a', 'b', 'c')
  const table = ring.registerFiles([c, c, c, c], { tags: [1n, 2n, 3n, 4n] })
  t.is(table.update(0, [a, NOT_OPEN, b], { tags: [5n, 6n, 7n] }), 1)
  t.deepEqual(tags(ring), [1n, 2n], 'the tags of removed files')
  t.is(contents(ring, 4), 'a - c c', 'the slot where it stopped is empty, and those after it are unchanged')
  t.is(table.update(0, [SKIP_FILE, b, ring]), 2)
  t.deepEqual(tags(ring), [3n])
  t.is(contents(ring, 4), 'a b - c')
  const message = 'EBADF: bad file descriptor, io_uring_register: '
  for (const [list, reason] of [
    [[NOT_OPEN, b], 'files[0] is not open'],
    [[ring, NOT_OPEN], 'a ring cannot be registered'],
  ] as const) {
    const error = t.throws<UringError>(() => table.update(3, list.slice(0, 1)))
    t.is(error?.message, message + reason)
    t.like(error, { code: 'EBADF', errno: -9, syscall: 'io_uring_register' })
  }
  t.deepEqual(tags(ring), [4n])
  t.is(contents(ring, 4), 'a b - -')
  table.unregister()
  t.deepEqual(tags(ring), [5n])
})

test('FileTable: update() names invalid arguments, and changes nothing', (t) => {
  using ring = new Ring({ entries: 4 })
  const [a = 0] = files(t, 'a')
  const table = ring.registerFiles([a, a, a])
  const update = (offset: unknown, list: unknown, options?: unknown) => () =>
    table.update(offset as number, list as number[], options as undefined)
  const TYPE = 'ERR_INVALID_ARG_TYPE'
  const VALUE = 'ERR_INVALID_ARG_VALUE'
  const RANGE = 'ERR_OUT_OF_RANGE'
  for (const [wrong, expected, name] of [
    [update('0', [-1]), TYPE, '"offset"'],
    [update(-1, [-1]), RANGE, '"offset"'],
    [update(3, [-1]), RANGE, '"offset"'],
    [update(0.5, [-1]), RANGE, '"offset"'],
    [update(0, -1), TYPE, '"files"'],
    [update(0, [-1, -1, -1, -1]), RANGE, '"files.length"'],
    [update(2, [-1, -1]), RANGE, '"files.length"'],
    [update(0, [-1, -3]), RANGE, '"files[1]"'],
    [update(0, [-1, 2 ** 31]), RANGE, '"files[1]"'],
    [update(0, [-1, table.at(0)]), TYPE, '"files[1]"'],
    [update(0, [-1, {}]), TYPE, '"files[1]"'],
    [update(0, [-1], 'tags'), TYPE, '"options"'],
    [update(0, [a], { tags: 1n }), TYPE, '"options.tags"'],
    [update(0, [a, a], { tags: [1n] }), VALUE, "'options.tags'"],
    [update(0, [a], { tags: [1.5] }), TYPE, '"options.tags[0]"'],
    [update(0, [a], { tags: [2n ** 62n] }), RANGE, '"options.tags[0]"'],
    [update(0, [a, -1], { tags: [1n, 1n] }), VALUE, "'options.tags[1]'"],
    [update(0, [a, SKIP_FILE], { tags: [1n, 1n] }), VALUE, "'options.tags[1]'"],
    [() => table.at(3), RANGE, '"slot"'],
    [() => table.at(-1), RANGE, '"slot"'],
    [() => table.at('1' as unknown as number), TYPE, '"slot"'],
  ] as const) {
    const error = t.throws<UringError>(wrong)
    t.is(error?.code, expected, name)
    t.true(error?.message.includes(name), error?.message)
  }
  t.is(contents(ring, 3), 'a a a')
})
