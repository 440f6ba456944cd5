// The end of rings, workers and processes with operations of the queue API in flight.

import test from 'ava'
import { directory } from '../helpers/files.ts'
import { script } from '../helpers/process.ts'

const PRELUDE = `
  import { execFileSync } from 'node:child_process'
  import { constants, mkdtempSync, openSync, readdirSync, readlinkSync, readSync, rmSync, writeSync } from 'node:fs'
  import { Worker } from 'node:worker_threads'
  import { Ring, Read, Nop, Timeout } from 'uring'
  const directory = mkdtempSync('/tmp/uring-test-')
  execFileSync('mkfifo', [directory + '/fifo'])
  const fd = openSync(directory + '/fifo', constants.O_RDWR | constants.O_NONBLOCK)
  rmSync(directory, { recursive: true })
  const count = () => readdirSync('/proc/self/fd').filter((name) => {
    try { return readlinkSync('/proc/self/fd/' + name) === 'anon_inode:[io_uring]' } catch { return false }
  }).length
  const own = count() // libuv creates some since Node.js 22
  const rings = () => count() - own
  const intact = () => {
    writeSync(fd, 'left in the fifo')
    const buffer = Buffer.alloc(100)
    return buffer.toString('utf8', 0, readSync(fd, buffer)) === 'left in the fifo'
  }
  const worker = (source) => new Worker(source, { eval: true, workerData: { fd } })
  const message = (worker) => new Promise((resolve) => worker.once('message', resolve))
`
const OK = { code: 0, signal: null, stdout: 'ok\n', stderr: '' }

test('Ring: an unreachable ring is closed, and its reads are cancelled', async (t) => {
  const outcome = await script(
    `${PRELUDE}
    const make = () => {
      const ring = new Ring({ entries: 8 })
      for (let index = 0; index < 8; index += 1) ring.push(new Read(fd, Buffer.alloc(64)))
      ring.submit()
    }
    for (let index = 0; index < 10; index += 1) make()
    for (let round = 0; round < 100 && rings() > 0; round += 1) { globalThis.gc(); await new Promise(setImmediate) }
    if (rings() > 0) throw new Error(rings() + ' rings are left')
    if (!intact()) throw new Error('a read was still there')
    console.log('ok')
    `,
    ['--expose-gc'],
  )
  t.deepEqual(outcome, OK)
})

const READS_IN_FLIGHT = `
  import { parentPort, workerData } from 'node:worker_threads'
  import { Ring, Read } from 'uring'
  const ring = new Ring({ entries: 64 })
  for (let index = 0; index < 64; index += 1) ring.push(new Read(workerData.fd, Buffer.alloc(4096)))
  ring.submit()
  parentPort.postMessage('reading')
  AFTER
`

for (const [name, after, end] of [
  ['that is terminated with reads in flight', 'setInterval(() => {}, 1000)', 'await it.terminate()'],
  ['that is terminated in a blocking wait', 'ring.wait()', 'await it.terminate()'],
  ['that ends with reads in flight', '', 'await gone'],
  ['that throws with reads in flight', 'throw new Error("mine")', 'await gone'],
  ['that exits with reads in flight', 'process.exit(3)', 'await gone'],
] as const) {
  test(`process: a worker ${name} leaves nothing behind`, async (t) => {
    const outcome = await script(`${PRELUDE}
      for (let round = 0; round < 5; round += 1) {
        const it = worker(${JSON.stringify(READS_IN_FLIGHT.replace('AFTER', after))})
        it.on('error', () => {}) // one of the programs throws
        const gone = new Promise((resolve) => it.once('exit', resolve))
        await message(it)
        ${end}
        await it.terminate()
        if (rings() > 0) throw new Error(rings() + ' rings are left')
        if (!intact()) throw new Error('a read was still there')
      }
      console.log('ok')
    `)
    t.deepEqual(outcome, OK)
  })
}

test('process: exits while a worker is in a blocking wait', async (t) => {
  const outcome = await script(`${PRELUDE}
    const it = worker(${JSON.stringify(READS_IN_FLIGHT.replace('AFTER', 'ring.wait()'))})
    await message(it)
    console.log('ok')
    process.exit(0)
  `)
  t.deepEqual(outcome, OK)
})

for (const [name, source, code, stderr] of [
  ['process.exit()', 'process.exit(7)', 7, /^$/],
  ['an uncaught exception', 'throw new Error("mine")', 1, /Error: mine/],
  ['an unhandled rejection', 'await Promise.reject(new Error("mine"))', 1, /Error: mine/],
  ['the end of the program', '', 0, /^$/],
  [
    'closing in an exit handler',
    'process.on("exit", () => ring[Symbol.dispose]()); process.exit(7)',
    7,
    /^$/,
  ],
] as const) {
  test(`process: ends with reads in flight: ${name}`, async (t) => {
    const outcome = await script(`${PRELUDE}
      const ring = new Ring({ entries: 8 })
      for (let index = 0; index < 8; index += 1) ring.push(new Read(fd, Buffer.alloc(64)))
      ring.submit()
      console.log('ok')
      ${source}
    `)
    t.is(outcome.code, code)
    t.is(outcome.signal, null)
    t.is(outcome.stdout, 'ok\n')
    t.regex(outcome.stderr, stderr)
  })
}

test('submitAndWait: loses and duplicates nothing with a signal every millisecond', async (t) => {
  const outcome = await script(`${PRELUDE}
    import { spawn } from 'node:child_process'
    let signals = 0
    process.on('SIGUSR2', () => { signals += 1 })
    const killer = spawn('sh', ['-c', 'while kill -USR2 ' + process.pid + '; do sleep 0.001; done'], { stdio: 'ignore' })
    const ring = new Ring({ entries: 64 })
    const seen = new Set()
    let next = 0
    while (next < 4000) {
      for (let index = 0; index < 16; index += 1) ring.push(index % 8 === 0 ? new Timeout(1) : new Nop(), next++)
      ring.submitAndWait(16)
      ring.drain((id) => { if (seen.has(id)) throw new Error(id + ' came twice'); seen.add(id) })
      if (next % 256 === 0) await new Promise(setImmediate)
    }
    killer.kill()
    if (seen.size !== next) throw new Error(seen.size + ' of ' + next)
    if (signals < 10) throw new Error('only ' + signals + ' signals came')
    console.log('ok')
  `)
  t.deepEqual(outcome, OK)
})

test('waitMany: loses nothing when a profiler interrupts it', async (t) => {
  const outcome = await script(
    `${PRELUDE}
    const ring = new Ring({ entries: 64 })
    const seen = new Set()
    for (let next = 0; next < 4000; ) {
      for (let index = 0; index < 16; index += 1) ring.push(index % 8 === 0 ? new Timeout(1) : new Nop(), next++)
      for (const { userData } of ring.waitMany(16)) {
        if (seen.has(userData)) throw new Error(userData + ' came twice')
        seen.add(userData)
      }
    }
    console.log(seen.size === 4000 ? 'ok' : seen.size)
    `,
    ['--cpu-prof', '--cpu-prof-interval', '200', '--cpu-prof-dir', directory(t)],
  )
  t.deepEqual(outcome, OK)
})
