// Tests that the promise API keeps the event loop alive and does not starve it.

import { connect, createServer, type AddressInfo } from 'node:net'
import test from 'ava'
import { Nop, Ring } from 'uring'
import { type Outcome, script } from '../helpers/process.ts'
import { nextTurn } from '../helpers/promises.ts'

const OK: Outcome = { code: 0, signal: null, stdout: 'ok\n', stderr: '' }

test('run, start, chain: keep the event loop alive unless ref is false or the ring is unref()ed', async (t) => {
  const prelude = `
    import { execFileSync } from 'node:child_process'
    import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
    import { Nop, Read, Ring, Timeout } from 'uring'
    const directory = mkdtempSync('/tmp/uring-test-')
    execFileSync('mkfifo', [directory + '/fifo'])
    const fd = openSync(directory + '/fifo', constants.O_RDWR | constants.O_NONBLOCK)
    rmSync(directory, { recursive: true })
    const read = () => new Read(fd, Buffer.alloc(1))
    const ring = new Ring({ entries: 4, cqEntries: 8 })
    const never = () => console.log('never')
  `
  const all = await Promise.all(
    [
      "ring.run(new Timeout(20)).then(() => console.log('ok'))",
      "ring.run(new Timeout(20), { timeout: 60_000 }).then(() => console.log('ok'))",
      "ring.start(new Timeout(20), () => console.log('ok'))",
      "ring.chain([new Nop(), new Timeout(20)]).then(() => console.log('ok'))",
      `ring.unref()
       ring.run(new Timeout(20)).then(() => console.log('ok'))
       ring.ref()`,
      // None of these keeps the process alive.
      `for (let count = 0; count < 20; count += 1) ring.run(read(), { ref: false }).then(never, never)
       ring.start(read(), never, { ref: false })
       ring.run(read(), { ref: false, timeout: 60_000 }).then(never, never)
       ring.chain([read(), new Nop()], { ref: false, timeout: 60_000 }).then(never, never)
       setTimeout(() => console.log('ok'), 20)`,
      `const other = new Ring({ entries: 4 })
       other.each(new Timeout(60_000, { multi: true }), { ref: false }).next().then(never, never)
       other.chain([read(), new Nop()], { ref: false }).then(never, never)
       other.run(read(), { ref: false, timeout: 60_000, signal: new AbortController().signal }).then(never, never)
       setTimeout(() => console.log('ok'), 20)`,
      `ring.run(read()).then(never, never)
       ring.start(read(), never)
       await new Promise(setImmediate)
       ring.unref()
       console.log('ok')`,
      // A pending operation keeps the process alive; a cancelled one does not.
      `for (let count = 0; count < 8; count += 1) ring.run(read(), { ref: false }).then(never, never)
       ring.run(new Nop()).then(() => console.log('ok'))
       setTimeout(() => ring.cancel(ring.start(read(), () => {}, { ref: false })).then(() => ring.cancel({ file: fd })), 20).unref()
       process.on('exit', (code) => { if (code !== 0) console.log(code) })`.replaceAll(
        'never, never',
        '() => {}, () => {}',
      ),
    ].map((source) => script(prelude + source)),
  )
  for (const outcome of all) t.deepEqual(outcome, OK)
})

test('run: 64 awaiting loops do not starve immediates, timers or sockets', async (t) => {
  using ring = new Ring({ entries: 64 })
  const seen = { immediates: 0, timers: 0, echoes: 0 }
  let total = 0
  let sinceLast = 0
  let most = 0
  const isEnough = (): boolean => seen.immediates >= 100 && seen.timers >= 5 && seen.echoes >= 20
  const server = createServer((socket) => void socket.pipe(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.on('data', () => {
    seen.echoes += 1
    client.write('x')
  })
  await new Promise((resolve) => client.once('connect', resolve))
  client.write('x')
  const timer = setInterval(() => (seen.timers += 1), 1)
  let immediate = setImmediate(function again() {
    seen.immediates += 1
    most = Math.max(most, sinceLast)
    sinceLast = 0
    immediate = setImmediate(again)
  })
  const loop = async (): Promise<void> => {
    while (total < 1_000_000 && !isEnough()) {
      await ring.run(new Nop())
      total += 1
      sinceLast += 1
    }
  }
  await Promise.all(Array.from({ length: 64 }, loop))
  clearInterval(timer)
  clearImmediate(immediate)
  client.removeAllListeners('data').resume().end()
  await new Promise((resolve) => server.close(resolve))
  t.true(isEnough(), `${JSON.stringify(seen)} in ${total} operations`)
  t.true(most <= 512, `${most} completions in one turn`)
})

test('start: delivers a large batch of completions over several turns', async (t) => {
  using ring = new Ring({ entries: 4096, cqEntries: 8192 })
  const delivered: number[] = []
  for (let index = 0; index < 4096; index += 1) {
    ring.start(new Nop({ result: index }), (result) => delivered.push(result))
  }
  const counts: number[] = []
  while (delivered.length < 4096) {
    await nextTurn()
    counts.push(delivered.length)
  }
  t.true(counts.length >= 4096 / 256 / 2, `${counts}`)
  t.true(counts.every((count, index) => count - (counts[index - 1] ?? 0) <= 512))
  t.true(delivered.every((result, index) => result === index))
})
