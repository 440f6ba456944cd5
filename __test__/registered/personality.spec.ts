// Registered credentials: operations run with them after the thread has changed its own.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Nop, Ring, UringError } from 'uring'
import { codeOrNone } from '../helpers/completions.ts'
import { directory } from '../helpers/files.ts'
import { script } from '../helpers/process.ts'

/** Only root can change its credentials and restore them. */
const isRoot = process.getuid?.() === 0
const asRoot = isRoot ? test : test.skip

/** Source text: a file of root, and functions that switch to user nobody and back. */
function prelude(path: string): string {
  return `
    import assert from 'node:assert/strict'
    import { closeSync, writeSync } from 'node:fs'
    import { Nop, OpenAt, Read, Ring } from 'uring'
    import { socketpair } from 'uring/sys'
    const path = ${JSON.stringify(path)}
    const NOBODY = 65534
    const drop = () => { process.setegid(NOBODY); process.seteuid(NOBODY) }
    const regain = () => { process.seteuid(0); process.setegid(0) }
    function done(ring, operation) {
      ring.push(operation)
      const { error, result } = ring.wait()
      if (error === undefined && result > 0) closeSync(result)
      return error?.code ?? 'opened'
    }
    const open = (ring, id) => done(ring, id === undefined ? new OpenAt(path) : new OpenAt(path).personality(id))
    const ran = (ring, id) => {
      const operation = id === undefined ? new OpenAt(path) : new OpenAt(path).personality(id)
      return ring.run(operation).then((fd) => { closeSync(fd); return 'opened' }, ({ code }) => code)
    }
  `
}

/** Creates a file that only root can open, in a directory that all users can open. */
function secret(t: Parameters<typeof directory>[0]): string {
  const path = join(directory(t), 'secret')
  writeFileSync(path, 'secret', { mode: 0o600 })
  return path
}

const OK = { code: 0, signal: null, stdout: 'ok\n', stderr: '' }

asRoot('personality(): operations use the registered credentials, not those of the thread', async (t) => {
  const outcome = await script(`${prelude(secret(t))}
    import { chmodSync } from 'node:fs'
    import { dirname } from 'node:path'
    chmodSync(dirname(path), 0o755)
    for (const options of [{}, { submitAll: false }, { sqPoll: { idle: 20 } }]) {
      const ring = new Ring({ entries: 8, ...options })
      const root = ring.registerPersonality()
      assert.ok(root >= 1)
      drop()
      const nobody = ring.registerPersonality()
      assert.notEqual(nobody, root)
      assert.equal(open(ring, root), 'opened')
      if (options.sqPoll === undefined) assert.equal(open(ring), 'EACCES') // a polling thread uses the credentials of the ring
      assert.equal(open(ring, nobody), 'EACCES')
      assert.equal(await ran(ring, root), 'opened')
      assert.equal(await ran(ring, nobody), 'EACCES')
      regain()
      assert.equal(open(ring, nobody), 'EACCES')
      assert.equal(open(ring), 'opened')
      assert.equal(await ran(ring), 'opened')
      ring[Symbol.dispose]()
    }
    console.log('ok')
  `)
  t.deepEqual(outcome, OK)
})

asRoot(
  'unregisterPersonality: operations in flight keep the credentials, new ones cannot use them',
  async (t) => {
    const outcome = await script(`${prelude(secret(t))}
    import { chmodSync } from 'node:fs'
    import { dirname } from 'node:path'
    chmodSync(dirname(path), 0o755)
    const ring = new Ring({ entries: 8 })
    const id = ring.registerPersonality()
    const [left, right] = socketpair(1, 1)
    drop()
    ring.push(new Read(left, Buffer.alloc(1)).link(), 'gate')
    ring.push(new OpenAt(path).personality(id), 'open')
    ring.submit()
    assert.equal(ring.tryWait(), undefined)
    assert.equal(ring.unregisterPersonality(id), undefined)
    writeSync(right, 'x')
    const [gate, opened] = ring.waitMany(2)
    assert.deepEqual([gate.result, opened.userData, opened.error], [1, 'open', undefined])
    assert.equal(open(ring, id), 'EINVAL')
    assert.equal(open(ring), 'EACCES')
    assert.throws(() => ring.unregisterPersonality(id), { code: 'EINVAL' })
    regain()
    assert.equal(open(ring, ring.registerPersonality()), 'opened')
    console.log('ok')
  `)
    t.deepEqual(outcome, OK)
  },
)

test('registerPersonality: each ring has its own personalities and numbers', (t) => {
  using ring = new Ring({ entries: 8 })
  using other = new Ring({ entries: 8 })
  const ids = [ring.registerPersonality(), ring.registerPersonality(), ring.registerPersonality()]
  t.is(new Set(ids).size, 3)
  t.true(ids.every((id) => id >= 1 && id <= 0xffff))
  for (const id of ids) {
    t.is(codeOrNone(ring, new Nop().personality(id)), 'none')
    t.is(codeOrNone(other, new Nop().personality(id)), 'EINVAL')
  }
  const [first = 0, second = 0] = ids
  ring.unregisterPersonality(second)
  t.is(codeOrNone(ring, new Nop().personality(second)), 'EINVAL')
  t.is(codeOrNone(ring, new Nop().personality(first)), 'none')
  t.throws(() => ring.unregisterPersonality(second), {
    instanceOf: UringError,
    code: 'EINVAL',
    message: 'EINVAL: invalid argument, io_uring_register',
  })
  t.throws(() => other.unregisterPersonality(first), { code: 'EINVAL' })
})

test('unregisterPersonality: refuses unknown numbers and a closed ring', (t) => {
  const ring = new Ring({ entries: 8 })
  const id = ring.registerPersonality()
  for (const bad of [undefined, null, '1', 1n, {}]) {
    t.throws(() => ring.unregisterPersonality(bad as never), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /"id" argument/,
    })
  }
  for (const bad of [0, -1, 1.5, Number.NaN, 0x1_0000]) {
    t.throws(() => ring.unregisterPersonality(bad), { code: 'ERR_OUT_OF_RANGE', message: /"id"/ })
  }
  t.is(codeOrNone(ring, new Nop().personality(id)), 'none')
  ring[Symbol.dispose]()
  t.throws(() => ring.registerPersonality(), { code: 'ERR_URING_CLOSED' })
  t.throws(() => ring.unregisterPersonality(id), { code: 'ERR_URING_CLOSED' })
})
