// allocate(): aligned memory that never moves and cannot be detached.

import { constants } from 'node:buffer'
import { existsSync, readFileSync } from 'node:fs'
import test from 'ava'
import { allocate, type AllocateOptions } from 'uring'
import { createAddressOf } from 'uring/native'
import { run, script } from '../helpers/process.ts'

const nativeAddressOf = createAddressOf()
const HUGE = 2 ** 21

function addressOf(memory: Buffer): number {
  const address = nativeAddressOf(memory.subarray(0, 1))
  if (typeof address !== 'number') throw new TypeError('an address is a number')
  return address
}

/** Returns the entry in /proc/self/smaps of the mapping that contains an address. */
function mappingOf(address: number): string {
  const mappings = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[\da-f]+-[\da-f]+ )/m)
  const found = mappings.find((text) => {
    const [from = 0, to = 0] = (/^\S+/.exec(text)?.[0] ?? '').split('-').map((word) => Number(`0x${word}`))
    return from <= address && address < to
  })
  if (found === undefined) throw new Error(`nothing is mapped at ${address}`)
  return found
}

for (const alignment of [1, 2, 64, 512, 4096, 2 ** 16, HUGE, 2 ** 24]) {
  test(`allocate: returns zeroed memory aligned to ${alignment}`, (t) => {
    for (const size of [1, 100, 4096, 70_000, 1_000_001]) {
      const memory = allocate(size, { alignment })
      t.true(Buffer.isBuffer(memory))
      t.is(memory.length, size)
      t.is(addressOf(memory) % alignment, 0)
      t.true(memory.equals(Buffer.alloc(size)))
      memory.fill(0xff) // would show if the next allocation reused the memory without zeroing it
    }
  })
}

test('allocate: aligns to a page by default', (t) => {
  for (const options of [undefined, {}, { hugePages: false }]) {
    for (let round = 0; round < 20; round += 1) {
      const memory = allocate(4096, options)
      t.is(addressOf(memory) % 4096, 0)
      t.is(memory.length, 4096)
    }
  }
})

test('allocate: allocations do not overlap', (t) => {
  const sizes = [1, 17, 4095, 4096, 4097, 65_536]
  const all = sizes.flatMap((size) => [allocate(size), allocate(size, { alignment: 64 })])
  for (const [index, memory] of all.entries()) memory.fill(index + 1)
  for (const [index, memory] of all.entries()) t.true(memory.every((byte) => byte === index + 1))
})

test('allocate: returns an empty buffer for a size of 0', (t) => {
  t.is(allocate(0).length, 0)
  t.is(allocate(0, { hugePages: true }).length, 0)
  t.is(allocate(0, { alignment: 1 }).length, 0)
})

test('allocate: the memory cannot be transferred', (t) => {
  const memory = allocate(100)
  memory.write('mine')
  const buffer: ArrayBufferLike = memory.buffer
  t.true(buffer instanceof SharedArrayBuffer)
  t.throws(() => structuredClone(memory, { transfer: [buffer as ArrayBuffer] }))
  t.is(memory.toString('latin1', 0, 4), 'mine')
})

test('allocate: requests huge pages for the whole allocation', (t) => {
  for (const [size, options] of [
    [1, {}],
    [HUGE, {}],
    [HUGE + 1, { alignment: 64 }],
    [3 * HUGE, { alignment: 2 ** 22 }],
  ] as const) {
    const memory = allocate(size, { hugePages: true, ...options })
    const alignment = 'alignment' in options ? Math.max(options.alignment, HUGE) : HUGE
    t.is(addressOf(memory) % alignment, 0)
    t.is(memory.length, size)
    t.true(memory.every((byte) => byte === 0))
    // Without transparent huge pages, the kernel ignores the advice.
    if (!existsSync('/sys/kernel/mm/transparent_hugepage')) continue
    for (const at of [0, size - 1]) t.regex(mappingOf(addressOf(memory) + at), /^VmFlags:.* hg\b/m)
  }
  t.notRegex(mappingOf(addressOf(allocate(3 * HUGE))), /^VmFlags:.* hg\b/m)
})

test('allocate: throws for invalid sizes', (t) => {
  for (const size of [-1, 0.5, Number.NaN, Infinity, constants.MAX_LENGTH + 1, 2 ** 53])
    t.throws(() => allocate(size), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE', message: /"size"/ })
  for (const size of [undefined, null, '4096', 4096n, [], {}, true]) {
    t.throws(() => allocate(size as number), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
      message: /"size"/,
    })
  }
})

test('allocate: throws for invalid options', (t) => {
  for (const alignment of [0, 3, 4095, -4096, 2 ** 31, 0.5, Number.NaN, Infinity]) {
    t.throws(() => allocate(1, { alignment }), {
      name: 'RangeError',
      code: 'ERR_OUT_OF_RANGE',
      message: /"options\.alignment"/,
    })
  }
  for (const [options, name] of [
    [{ alignment: '4096' }, /"options\.alignment"/],
    [{ alignment: null }, /"options\.alignment"/],
    [{ hugePages: 1 }, /"options\.hugePages"/],
    [{ hugePages: null }, /"options\.hugePages"/],
    [null, /"options"/],
    [4096, /"options"/],
    [[], /"options"/],
  ] as const) {
    t.throws(() => allocate(1, options as unknown as AllocateOptions), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
      message: name,
    })
  }
  t.regex(t.throws(() => allocate(1, { alignment: 3 }))?.message ?? '', /power of two/)
})

test('allocate: throws a RangeError that names the size if memory is exhausted', async (t) => {
  const source = `
    import { allocate } from 'uring'
    const all = []
    try {
      for (;;) all.push(allocate(4 * 1024 ** 3))
    } catch ({ name, code, message }) {
      console.log(name, code, message)
    }
    console.log(allocate(1000).length)`
  const limited = 'ulimit -v 33554432 && exec "$0" --input-type=module --eval "$1"'
  const { stdout, stderr } = await run('sh', ['-c', limited, process.execPath, source])
  t.is(stderr, '')
  t.is(
    stdout,
    'RangeError ERR_OUT_OF_RANGE The value of "size" is out of range. It must be a size that can be allocated. Received 4294967296\n1000\n',
  )
})

test('allocate: the memory is freed when nothing refers to it, and not before', async (t) => {
  const source = `
    import { execFileSync } from 'node:child_process'
    import { constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
    import { tmpdir } from 'node:os'
    import { allocate, Read, Ring } from 'uring'
    const directory = mkdtempSync(tmpdir() + '/uring-test-')
    execFileSync('mkfifo', [directory + '/fifo'])
    const fd = openSync(directory + '/fifo', constants.O_RDWR | constants.O_NONBLOCK)
    rmSync(directory, { recursive: true })
    const gone = async (ref) => {
      for (let round = 0; round < 20 && ref.deref() !== undefined; round += 1) {
        await new Promise(setImmediate) // deref() keeps its target alive until the job ends
        globalThis.gc()
      }
      return ref.deref() === undefined
    }
    const ring = new Ring({ entries: 4 })
    const read = () => {
      const memory = allocate(5000)
      ring.push(new Read(fd, memory))
      ring.submit()
      return new WeakRef(memory.buffer)
    }
    const ref = read()
    console.log(await gone(ref))
    writeSync(fd, 'x')
    console.log(ring.wait().value)
    console.log(await gone(ref))
    let slice = allocate(5000).subarray(100, 200)
    const part = new WeakRef(slice.buffer)
    console.log(await gone(part))
    slice = undefined
    console.log(await gone(part))`
  const { stdout, stderr } = await script(source, ['--expose-gc'])
  t.is(stderr, '')
  t.is(stdout, 'false\n1\ntrue\nfalse\ntrue\n')
})
