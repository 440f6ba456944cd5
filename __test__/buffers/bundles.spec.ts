// Bundles (several buffers per completion), incremental buffers (several completions per buffer), and both at random.

import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import * as fc from 'fast-check'
import {
  AsyncCancel,
  BufferRing,
  type Completion,
  Nop,
  Read,
  Recv,
  RecvBundle,
  RecvMulti,
  RecvMultiBundle,
  Ring,
  Send,
  SendBundle,
  SocketDomain,
  SocketType,
} from 'uring'
import { socketpair } from 'uring/sys'
import { LETTERS, nextReceived, setup, texts } from '../helpers/buffer-rings.ts'
import { complete } from '../helpers/completions.ts'
import { directory } from '../helpers/files.ts'
import { until } from '../helpers/multishot.ts'
import { closing } from '../helpers/sockets.ts'

/** Returns a socket whose peer is closed. */
function widow(t: ExecutionContext): number {
  const [left, right] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  closeSync(right)
  return closing(t, left)
}

// ---- bundles

test('BufferRing: a bundle fills buffers in the order of the ring', (t) => {
  const { ring, group, near, far } = setup(t, { count: 6, size: 2 })
  writeSync(near, 'abcdefghijkl')
  const all = Array.from({ length: 6 }, () => complete(ring, new Recv(far, { group })))
  for (const id of [4, 0, 5, 2]) group.put(id)
  writeSync(near, 'ABCDEFGH')
  const completion = complete(ring, new RecvBundle(far, group))
  t.is(completion.bufferId, 4)
  t.deepEqual(texts(group.views(completion)), ['AB', 'CD', 'EF', 'GH'])
  t.is(String(group.get(4)), 'AB')
  t.is(String(group.get(0)), 'CD')
  t.is(String(group.get(2, 1)), 'G')
  t.is(String(completion.value.bytes), 'ABCDEFGH')
  t.is(group.available, 0)
  group.put(completion)
  t.is(group.available, 4)
  for (const index of [1, 3]) {
    const one = all[index]
    if (one !== undefined) group.put(one)
  }
  t.is(group.available, 6)
})

test('BufferRing: put() returns all buffers of a bundle, or none', (t) => {
  const { ring, group, near, far } = setup(t, { count: 3, size: 2 })
  writeSync(near, 'abcdef')
  const completion = complete(ring, new RecvBundle(far, group))
  t.deepEqual(texts(group.views(completion)), ['ab', 'cd', 'ef'])
  group.put(1)
  t.throws(() => group.put(completion), { code: 'ERR_INVALID_STATE', message: /Buffer 1/ })
  t.is(group.available, 1)
  completion.value.release() // returns those that are still borrowed
  t.is(group.available, 3)
})

test('BufferRing: a multishot bundle reuses buffers that are returned in between', (t) => {
  const { ring, group, near, far } = setup(t, { count: 5, size: 3 })
  ring.push(new RecvMultiBundle(far, group))
  let sent = ''
  let came = ''
  for (let round = 0; round < 40; round += 1) {
    const message = LETTERS.slice(round % 20, (round % 20) + 1 + (round % 7))
    writeSync(near, message)
    sent += message
    while (came.length < sent.length) {
      const completion = nextReceived(ring)
      came += String(group.copy(completion))
      if (!completion.more) ring.push(new RecvMultiBundle(far, group))
    }
  }
  t.is(came, sent)
  t.is(group.available, 5)
})

test('BufferRing: a cancelled bundle returns the buffer that a kernel worker held', async (t) => {
  const { ring, group, far } = setup(t, { count: 3, size: 16 })
  const token = ring.push(new RecvBundle(far, group).async())
  ring.submit()
  await until(() => group.available === 2)
  ring.push(new AsyncCancel(token))
  t.is(ring.waitMany(2).find((completion) => completion.token === token)?.error?.code, 'ECANCELED')
  t.is(group.available, 3)
})

test('BufferRing: a sent bundle consumes buffers in order, and the program borrows them', (t) => {
  const memory = Buffer.from('aaabbbcccddd')
  const { ring, group, near, far } = setup(t, { count: 4, size: 3, memory })
  const all = complete(ring, new SendBundle(near, group))
  t.is(all.value, 12)
  t.deepEqual(texts(group.views(all)), ['aaa', 'bbb', 'ccc', 'ddd'])
  t.is(group.available, 0)
  const bytes = Buffer.alloc(20)
  t.is(bytes.toString('latin1', 0, readSync(far, bytes)), 'aaabbbcccddd')
  for (const [id, content] of [
    [2, 'two'],
    [0, 'nil'],
  ] as const) {
    group.get(id).write(content)
    group.put(id)
  }
  const one = complete(ring, new Send(near, { group }))
  t.is(one.value, 3)
  t.deepEqual(texts(group.views(one)), ['two'])
  t.is(complete(ring, new SendBundle(near, group)).value, 3)
  t.is(bytes.toString('latin1', 0, readSync(far, bytes)), 'twonil')
  group.put(one)
  t.throws(() => group.put(all), { code: 'ERR_INVALID_STATE' })
  t.is(group.available, 1)
})

test('BufferRing: the program borrows buffers that could not be sent', (t) => {
  const { ring, group, near } = setup(t, { count: 4, size: 3 })
  const alone = widow(t)
  for (let round = 0; round < 3; round += 1) {
    const completion = complete(ring, new SendBundle(alone, group))
    t.is(completion.error?.code, 'EPIPE')
    t.is(group.available, 0)
    group.put(completion)
    t.is(group.available, 4)
    const one = complete(ring, new Send(alone, { group }))
    t.is(one.error?.code, 'EPIPE')
    t.is(group.available, 3)
    group.put(one)
  }

  // While another operation uses the group, it is unknown which operation consumed them: they are lost until it ends.
  const token = ring.push(new RecvMulti(near, group))
  ring.submit()
  const completion = complete(ring, new SendBundle(alone, group))
  t.is(completion.error?.code, 'EPIPE')
  t.throws(() => group.put(1), { code: 'ERR_INVALID_STATE' })
  ring.push(new AsyncCancel(token))
  t.is(ring.waitMany(2).filter(({ error }) => error?.code === 'ECANCELED').length, 1)
  for (const id of [0, 1, 2, 3]) group.put(id)
  t.is(group.available, 4)
})

test('BufferRing: the program borrows a buffer that was sent with skip-success', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 3, memory: Buffer.from('onetwo') })
  ring.push(new Send(near, { group }).skipSuccess().link())
  ring.push(new Nop())
  t.is(ring.wait()?.result, 0)
  const bytes = Buffer.alloc(20)
  t.is(bytes.toString('latin1', 0, readSync(far, bytes)), 'one')
  group.put(0)
  t.is(group.available, 2)
})

// ---- incremental buffers

test('BufferRing: several completions fill parts of an incremental buffer', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8, incremental: true })
  const came: [string, number | undefined, boolean][] = []
  const completions = ['abc', 'de', 'fgh', 'i', 'jklmnop'].map((message) => {
    writeSync(near, message)
    const completion = complete(ring, new Recv(far, { group }))
    came.push([String(completion.value.bytes), completion.bufferId, completion.bufferMore])
    return completion
  })
  t.deepEqual(came, [
    ['abc', 0, true],
    ['de', 0, true],
    ['fgh', 0, false],
    ['i', 1, true],
    ['jklmnop', 1, false],
  ])
  t.is(String(group.get(0)), 'abcdefgh')
  t.deepEqual(texts(completions.flatMap((completion) => group.views(completion))), [
    'abc',
    'de',
    'fgh',
    'i',
    'jklmnop',
  ])
  const [first, second, third] = completions
  if (first === undefined || second === undefined || third === undefined) throw new Error('too few')
  for (const partial of [first, second]) {
    group.put(partial)
    t.is(group.available, 0)
  }
  group.put(third)
  t.is(group.available, 1)
  group.put(first) // it still has nothing to return
  t.throws(() => group.put(third), { code: 'ERR_INVALID_STATE' })
  writeSync(near, 'AB')
  const again = complete(ring, new Recv(far, { group }))
  t.is(String(again.value.bytes), 'AB')
  t.is(again.bufferId, 0)
  t.is(String(group.get(0, 2)), 'AB')
})

test('BufferRing: returns an incremental buffer when all of its parts are released', (t) => {
  const { ring, group, near, far } = setup(t, { count: 1, size: 4, incremental: true })
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    const parts = ['a', 'b', 'cd'].map((message) => {
      writeSync(near, message)
      return complete(ring, new Recv(far, { group })).value
    })
    for (const index of order) {
      t.is(group.available, 0)
      parts[index]?.release()
      parts[index]?.release()
    }
    t.is(group.available, 1)
  }
})

test('BufferRing: put() of a part counts as its release', (t) => {
  const { ring, group, near, far } = setup(t, { count: 1, size: 4, incremental: true })
  const [first, last] = ['a', 'bcd'].map((message) => {
    writeSync(near, message)
    return complete(ring, new Recv(far, { group }))
  })
  if (first === undefined || last === undefined) throw new Error('nothing came')
  group.put(first)
  last.value.release()
  t.is(group.available, 1)
})

test('BufferRing: an incremental bundle spans the unused rests of buffers', (t) => {
  const { ring, group, near, far } = setup(t, { count: 3, size: 4, incremental: true })
  writeSync(near, 'abc')
  complete(ring, new Recv(far, { group }))
  writeSync(near, 'defghi')
  const completion = complete(ring, new RecvBundle(far, group))
  t.deepEqual(texts(group.views(completion)), ['d', 'efgh', 'i'])
  t.true(completion.bufferMore)
  t.is(group.available, 1)
  group.put(completion)
  t.is(group.available, 3)
  writeSync(near, 'jklm')
  t.is(String(group.copy(complete(ring, new Recv(far, { group })))), 'jkl')
  t.is(String(group.copy(complete(ring, new Recv(far, { group })))), 'm')
})

test('BufferRing: incremental buffers at the end of a pipe, a stream and a file', (t) => {
  const { ring, group, near, far } = setup(t, { count: 2, size: 8, incremental: true })
  const path = join(directory(t), 'file')
  writeFileSync(path, 'content')
  const fd = closing(t, openSync(path, 'r'))
  // A read of a regular file uses up all bytes that it asks for, however many it reads.
  for (const [length, offset, content, left] of [
    [1, 0, 'c', 2],
    [3, 5, 'nt', 2],
    [1, 1, 'o', 2],
    [1, 7, '', 2],
    [1, 0, 'c', 2],
    [1, 1, 'o', 1],
    [0, 7, '', 2],
    [0, 0, 'content', 1],
  ] as const) {
    const { value } = complete(ring, new Read(fd, { group, length }, { offset }))
    t.deepEqual([String(value.bytes), group.available], [content, left])
    value.release()
  }
  t.is(group.available, 2)

  const alone = widow(t)
  writeSync(near, 'abc')
  const part = complete(ring, new Read(far, { group })).value
  t.is(String(part.bytes), 'abc')
  for (const operation of [new Read(alone, { group }), new Recv(alone, { group })]) {
    const end = complete(ring, operation)
    t.is(end.value.bytes.length, 0)
    group.put(end)
  }
  writeSync(near, 'defgh')
  const rest = complete(ring, new Read(far, { group }))
  t.is(String(rest.value.bytes), 'defgh')
  t.false(rest.bufferMore)
  group.put(rest)
  t.is(group.available, 2)
})

// ---- random sequences

interface Step {
  readonly write: number
  readonly bundle: boolean
  readonly multi: boolean
  readonly put: number
  readonly release: boolean
}

for (const incremental of [false, true]) {
  test(`BufferRing: delivers every byte in order while buffers are returned at random: ${incremental ? 'incremental' : 'whole'} buffers`, (t) => {
    const step = fc.record({
      write: fc.integer({ min: 1, max: 40 }),
      bundle: fc.boolean(),
      multi: fc.boolean(),
      put: fc.nat(),
      release: fc.boolean(),
    })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 16 }),
        fc.array(step, { minLength: 1, maxLength: 60 }),
        (count, size, steps) => play(count, size, incremental, steps),
      ),
      { numRuns: 80 },
    )
    t.pass()
  })
}

/** Sends and receives, returns buffers at random, and throws if a byte differs from the one sent. */
function play(count: number, size: number, incremental: boolean, steps: readonly Step[]): void {
  using ring = new Ring({ entries: 8 })
  const group = new BufferRing(ring, { count, size, incremental })
  const [near, far] = socketpair(SocketDomain.UNIX, SocketType.STREAM)
  try {
    const bytes = { sent: 0, came: 0 }
    const out: { completion: Completion; from: number }[] = []
    const check = ({ completion, from }: { completion: Completion; from: number }): void => {
      const found = Buffer.concat(group.views(completion))
      if (!found.equals(pattern(from, found.length))) throw new Error(`${found.toString('hex')} at ${from}`)
    }
    const back = (index: number, release: boolean): void => {
      const [item] = out.splice(index, 1)
      if (item === undefined) return
      check(item) // it was not overwritten meanwhile
      if (release) (item.completion.value as { release(): void }).release()
      else if (incremental) (item.completion.value as { release(): void }).release()
      else group.put(item.completion)
    }
    let armed = false
    const take = (completion: Completion): void => {
      if (!completion.more) armed = false
      if (completion.error?.code === 'ENOBUFS') {
        if (out.length === 0) throw new Error('there are no buffers, and none is out')
        while (out.length > 0) back(0, true)
      } else {
        const item = { completion, from: bytes.came }
        bytes.came += completion.result
        check(item)
        out.push(item)
      }
    }
    for (const { write, bundle, multi, put, release } of steps) {
      writeSync(near, pattern(bytes.sent, write))
      bytes.sent += write
      while (bytes.came < bytes.sent) {
        if (!armed) {
          ring.push(
            bundle
              ? multi
                ? new RecvMultiBundle(far, group)
                : new RecvBundle(far, group)
              : multi
                ? new RecvMulti(far, group)
                : new Recv(far, { group }),
          )
          armed = true
        }
        take(nextReceived(ring))
      }
      if (out.length > 0) back(put % out.length, release)
    }
    while (out.length > 0) back(0, false)
  } finally {
    for (const fd of [near, far]) closeSync(fd)
  }
}

function pattern(from: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => ((from + index) * 31) % 251))
}
