// The kernel's workers: their maximum number, and their processors.

import { readFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { Ring } from 'uring'
import { script } from '../helpers/process.ts'

const LAST_CPU = Number(/(\d+)\s*$/.exec(readFileSync('/sys/devices/system/cpu/possible', 'utf8'))?.[1])

/**
 * Source text: operations that each block a worker until `answer()` lets them end, bounded (opening a FIFO without a
 * writer) or unbounded (splicing from an empty FIFO), and functions that inspect the workers.
 */
const PRELUDE = `
  import assert from 'node:assert/strict'
  import { execFileSync } from 'node:child_process'
  import { constants, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs'
  import { setImmediate as turn } from 'node:timers/promises'
  import { OpenAt, Ring, Splice } from 'uring'
  const directory = mkdtempSync('/tmp/uring-test-')
  process.on('exit', () => rmSync(directory, { recursive: true }))
  const [unopened, ...ends] = ['unopened', 'from', 'to'].map((name) => directory + '/' + name)
  execFileSync('mkfifo', [unopened, ...ends])
  const [from, to] = ends.map((path) => openSync(path, constants.O_RDWR))
  const ring = new Ring({ entries: 16 })
  let asked = 0
  const work = {
    bounded: () => new OpenAt(unopened, { flags: 'r' }).async(),
    unbounded: () => new Splice(from, to, 1).async(),
  }
  function ask(kind, count) {
    for (let index = 0; index < count; index += 1) ring.push(work[kind]())
    ring.submit()
    asked += count
  }
  function answer() {
    openSync(unopened, constants.O_RDWR)
    writeSync(from, 'x'.repeat(asked))
    assert.ok(ring.waitMany(asked).every(({ ok }) => ok))
  }
  function read(file) {
    try { return readFileSync(file, 'utf8') } catch { return '' } // a worker may end at any time
  }
  /** Returns the status of every worker. */
  function workers() {
    return readdirSync('/proc/self/task')
      .filter((id) => read('/proc/self/task/' + id + '/comm').startsWith('iou-wrk'))
      .map((id) => read('/proc/self/task/' + id + '/status'))
      .filter((status) => status !== '')
  }
  /** Waits until this number of workers sleep in their work, and a while longer: the number must not be exceeded. */
  async function settle(count) {
    const busy = () => workers().filter((status) => /State:\\s+S/.test(status)).length
    for (const end = Date.now() + 60_000; busy() < count; await turn()) {
      assert.ok(workers().length <= count, workers().length + ' workers, and not ' + count)
      assert.ok(Date.now() < end, 'only ' + workers().length + ' workers')
    }
    for (let round = 0; round < 100; round += 1) {
      assert.ok(workers().length <= count, workers().length + ' workers, and not ' + count)
      await turn()
    }
  }
`

async function passes(t: ExecutionContext, source: string): Promise<void> {
  t.deepEqual(await script(PRELUDE + source), { code: 0, signal: null, stdout: '', stderr: '' })
}

for (const [kind, few, more] of [
  ['bounded', '2, 1', '5, 0'],
  ['unbounded', '1, 2', '0, 5'],
] as const) {
  test(`registerIowqMaxWorkers: limits ${kind} workers, and all work is done`, (t) =>
    passes(
      t,
      `
      ring.registerIowqMaxWorkers(${few})
      ask('${kind}', 6)
      await settle(2)
      // With a higher limit, the next work creates workers.
      ring.registerIowqMaxWorkers(${more})
      ask('${kind}', 1)
      await settle(5)
      answer()
      `,
    ))
}

test('registerIowqMaxWorkers: without a limit, each blocking operation has a worker', (t) =>
  passes(
    t,
    `
    ask('unbounded', 6)
    await settle(6)
    answer()
    `,
  ))

test('registerIowqMaxWorkers: returns the limits before, and 0 changes nothing', (t) => {
  using ring = new Ring({ entries: 4 })
  const { bounded, unbounded } = ring.registerIowqMaxWorkers(0, 0)
  t.true(bounded > 0 && unbounded > 0)
  t.deepEqual(ring.registerIowqMaxWorkers(3, 7), { bounded, unbounded })
  t.deepEqual(ring.registerIowqMaxWorkers(0, 5), { bounded: 3, unbounded: 7 })
  t.deepEqual(ring.registerIowqMaxWorkers(2, 0), { bounded: 3, unbounded: 5 })
  t.deepEqual(ring.registerIowqMaxWorkers(0, 0), { bounded: 2, unbounded: 5 })
  // Limits belong to the thread.
  using other = new Ring({ entries: 4 })
  t.deepEqual(other.registerIowqMaxWorkers(bounded, unbounded), { bounded: 2, unbounded: 5 })
  t.deepEqual(ring.registerIowqMaxWorkers(0, 0), { bounded, unbounded })
})

/** Returns the processors that this process may use. */
const ALLOWED = (/Cpus_allowed_list:\s+(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '')
  .split(',')
  .flatMap((range) => range.split('-', 2).map(Number))
const [first = 0, last = 0] = [ALLOWED.at(0), ALLOWED.at(-1)]
const both = last === first + 1 ? `${first}-${last}` : `${first},${last}`
const affinity = last > first ? test : test.skip // needs two processors

affinity('registerIowqAffinity: binds new workers to processors', (t) =>
  passes(
    t,
    `
    const allowed = (status) => /Cpus_allowed_list:\\s+(\\S+)/.exec(status)[1]
    const everywhere = allowed(read('/proc/self/status'))
    // Each list differs from the processors that the process may use.
    for (const [cpus, list] of [
      [[${first}, ${last}, ${last}], '${both}'], [[${last}], '${last}'], [[${first}], '${first}'],
    ]) {
      ring.registerIowqAffinity(cpus)
      const before = new Set(workers().map((status) => /\\nPid:\\s+(\\d+)/.exec(status)[1]))
      ask('unbounded', 1)
      await settle(asked)
      const made = workers().filter((status) => !before.has(/\\nPid:\\s+(\\d+)/.exec(status)[1]))
      assert.deepEqual(made.map(allowed), [list])
    }
    ring.unregisterIowqAffinity()
    ask('unbounded', 1)
    await settle(asked)
    assert.deepEqual(workers().map(allowed).toSorted(), ['${first}', '${last}', '${both}', everywhere].toSorted())
    answer()
    `,
  ),
)

test('registerIowqMaxWorkers, registerIowqAffinity: name invalid numbers', (t) => {
  using ring = new Ring({ entries: 4 })
  const before = ring.registerIowqMaxWorkers(0, 0)
  const none = 'x' as unknown as number
  for (const [name, code, call] of [
    ['bounded', 'ERR_INVALID_ARG_TYPE', () => ring.registerIowqMaxWorkers(none, 1)],
    ['bounded', 'ERR_OUT_OF_RANGE', () => ring.registerIowqMaxWorkers(-1, 1)],
    ['unbounded', 'ERR_OUT_OF_RANGE', () => ring.registerIowqMaxWorkers(1, 2 ** 31)],
    ['unbounded', 'ERR_OUT_OF_RANGE', () => ring.registerIowqMaxWorkers(1, 0.5)],
    ['cpus', 'ERR_INVALID_ARG_TYPE', () => ring.registerIowqAffinity(0 as unknown as number[])],
    ['cpus', 'ERR_INVALID_ARG_VALUE', () => ring.registerIowqAffinity([])],
    ['cpus[1]', 'ERR_INVALID_ARG_TYPE', () => ring.registerIowqAffinity([0, none])],
    ['cpus[0]', 'ERR_INVALID_ARG_TYPE', () => ring.registerIowqAffinity(Array<number>(1))],
    ['cpus[0]', 'ERR_OUT_OF_RANGE', () => ring.registerIowqAffinity([-1])],
    ['cpus[1]', 'ERR_OUT_OF_RANGE', () => ring.registerIowqAffinity([0, LAST_CPU + 1])],
  ] as const) {
    t.true(t.throws(call, { code }, name).message.includes(name), name)
  }
  t.deepEqual(ring.registerIowqMaxWorkers(0, 0), before)
})

test('registerIowqMaxWorkers, registerIowqAffinity: refuse a closed ring', (t) => {
  const ring = new Ring({ entries: 4 })
  ring[Symbol.dispose]()
  for (const call of [
    () => ring.registerIowqMaxWorkers(1, 1),
    () => ring.registerIowqAffinity([0]),
    () => ring.unregisterIowqAffinity(),
  ]) {
    t.throws(call, { code: 'ERR_URING_CLOSED' })
  }
})
