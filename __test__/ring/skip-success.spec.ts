// Tests operations with skipSuccess(), and when their memory is released.

import { readFileSync } from 'node:fs'
import test from 'ava'
import { Nop, Read, Ring, Write } from 'uring'
import { fifo, file } from '../helpers/files.ts'
import { script } from '../helpers/process.ts'

test('skipSuccess: reports failures but no success', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd, path } = file(t)
  ring.push(new Write(fd, Buffer.from('quiet'), { offset: 0 }).link().skipSuccess(), 'write')
  ring.push(new Nop(), 'nop') // linked, because the write may go to a kernel worker
  t.deepEqual(
    ring.waitMany(1).map((completion) => completion.userData),
    ['nop'],
  )
  t.is(ring.wait({ timeout: 1 }), undefined)
  t.is(readFileSync(path, 'utf8'), 'quiet')
  ring.push(new Nop({ result: -5 }).skipSuccess(), 'failed')
  t.is(ring.wait({ timeout: 60_000 })?.userData, 'failed')
})

test('skipSuccess: other operations of a chain complete with their own userData', (t) => {
  using ring = new Ring({ entries: 8 })
  const { fd, path } = file(t)
  for (let round = 0; round < 100; round += 1) {
    ring.push(new Write(fd, Buffer.from('a'), { offset: 0 }).link().skipSuccess(), 'skipped')
    ring.push(new Write(fd, Buffer.from('b'), { offset: 1 }).link(), 'reported')
    ring.push(new Write(fd, Buffer.from('c'), { offset: 2 }).link().skipSuccess(), 'skipped')
    ring.push(new Nop({ result: round }), 'last')
    t.deepEqual(
      ring.waitMany(2).map((completion) => [completion.userData, completion.result]),
      [
        ['reported', 1],
        ['last', round],
      ],
    )
  }
  t.is(readFileSync(path, 'utf8'), 'abc')
})

test('skipSuccess: operations behind a failed one do not complete', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Nop({ result: -5 }).link().skipSuccess(), 'failed')
  ring.push(new Nop().link(), 'never')
  ring.push(new Nop(), 'never')
  t.is(ring.wait({ timeout: 60_000 })?.userData, 'failed')
  t.is(ring.wait({ timeout: 5 }), undefined)
})

test('skipSuccess: cancelled operations complete if the failed one does not use it', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Nop({ result: -5 }).link(), 'failed')
  ring.push(new Nop().link().skipSuccess(), 'skipped')
  ring.push(new Nop(), 'last')
  t.deepEqual(
    ring.waitMany(3, { timeout: 60_000 }).map((completion) => [completion.userData, completion.error?.code]),
    [
      ['failed', 'EIO'],
      ['skipped', 'ECANCELED'],
      ['last', 'ECANCELED'],
    ],
  )
})

test('skipSuccess: a failure before a hard link does not affect the next operation', (t) => {
  using ring = new Ring({ entries: 8 })
  ring.push(new Nop({ result: -5 }).hardLink().skipSuccess(), 'failed')
  ring.push(new Nop(), 'next')
  t.deepEqual(
    ring.waitMany(2, { timeout: 60_000 }).map((completion) => completion.userData),
    ['failed', 'next'],
  )
})

test('skipSuccess: close() waits until the operations in flight have released their memory', async (t) => {
  const fd = fifo(t)
  const buffer = Buffer.alloc(4, '.')
  for (const close of [(ring: Ring) => ring.close(), (ring: Ring) => ring[Symbol.dispose]()]) {
    const ring = new Ring({ entries: 4 })
    ring.push(new Read(fd, buffer).skipSuccess())
    ring.submit()
    await close(ring)
    const ring2 = new Ring({ entries: 4 })
    ring2.push(new Write(fd, Buffer.from('data')))
    ring2.push(new Read(fd, Buffer.alloc(4)), 'second read')
    t.is(ring2.waitMany(2).find(({ userData }) => userData === 'second read')?.result, 4)
    t.is(buffer.toString(), '....')
    ring2[Symbol.dispose]()
  }
})

test('skipSuccess: memory is released with the chain', async (t) => {
  const outcome = await script(
    `
    import { openSync } from 'node:fs'
    import { Ring, Nop, Write } from 'uring'
    const ring = new Ring({ entries: 8 })
    const fd = openSync('/dev/null', 'w')
    const buffers = []
    const enqueue = (operation) => { const buffer = Buffer.alloc(64); buffers.push(new WeakRef(buffer)); ring.push(operation(buffer)) }
    for (let round = 0; round < 100; round += 1) {
      enqueue((buffer) => new Write(fd, buffer).link().skipSuccess())
      ring.push(new Nop())
      ring.wait()
      ring.push(new Nop({ result: -5 }).link().skipSuccess())
      enqueue((buffer) => new Write(fd, buffer).link())
      enqueue((buffer) => new Write(fd, buffer).skipSuccess())
      ring.wait()
      ring.push(new Nop({ result: -5 }).link())
      enqueue((buffer) => new Write(fd, buffer).link().skipSuccess())
      enqueue((buffer) => new Write(fd, buffer))
      ring.waitMany(3)
    }
    for (let round = 0; round < 5; round += 1) { globalThis.gc(); await new Promise(setImmediate) }
    const held = buffers.filter((reference) => reference.deref() !== undefined).length
    console.log(held <= 4 ? 'released' : held + ' are held')
    `,
    ['--expose-gc'],
  )
  t.deepEqual(outcome, { code: 0, signal: null, stdout: 'released\n', stderr: '' })
})

test('submitAndWait: refuses to wait for the completion that a pushed operation skips', (t) => {
  using ring = new Ring({ entries: 4 })
  ring.push(new Nop().skipSuccess())
  ring.push(new Nop(), 'second')
  t.throws(() => ring.submitAndWait(2), { code: 'ERR_URING_NOTHING_IN_FLIGHT', message: /only 1 can come/ })
  t.is(ring.submitAndWait(1), 2)
  t.is(ring.tryWait()?.userData, 'second')
})
