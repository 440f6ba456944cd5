// Programs that read for ever, on their own thread and in workers.

/** Source text: reads that go on for ever, and that are busy: what one brings the next one takes away. */
export const READING = `
  let reads = 0
  async function reading(ring, fd) {
    for (;;) {
      await ring.run(new Read(fd, Buffer.alloc(16)))
      reads += 1
      writeSync(fd, 'x')
    }
  }
`

/** Source text of a worker, to be put into a program: pending reads, busy ones, or both. */
export function worker(pending: string, after: string): string {
  return JSON.stringify(`
    import { writeSync } from 'node:fs'
    import { parentPort, workerData } from 'node:worker_threads'
    import { Read, Ring, Timeout } from 'uring'
    const { idle, busy } = workerData
    ${READING}
    const ring = new Ring({ entries: 16 })
    ${pending}
    await ring.run(new Timeout(1))
    parentPort.postMessage('reading')
    ${after}
  `)
}

export const IDLE = `for (let index = 0; index < 32; index += 1) ring.run(new Read(idle, Buffer.alloc(64)))`
export const BUSY = `for (const fd of busy) reading(ring, fd)`
export const UNREFERENCED = `
  for (let index = 0; index < 32; index += 1) ring.run(new Read(idle, Buffer.alloc(64)), { ref: false }).catch(() => {})
`

/** Source text: starts such workers. \`busy\` FIFOs have a byte each, which goes round. */
export const WORKERS = `
  const [idle, ...busy] = fifos(9)
  for (const fd of busy) writeSync(fd, 'x')
  function start(source) {
    const worker = new Worker(source, { eval: true, workerData: { idle, busy } })
    const errors = []
    worker.on('error', (error) => errors.push(error.message))
    const exit = new Promise((resolve) => worker.once('exit', (code) => resolve({ code, errors })))
    const reading = new Promise((resolve) => worker.once('message', resolve))
    return { worker, exit, reading }
  }
  // What a read has taken in its last moment is gone with the worker.
  function refill() {
    for (const fd of busy) {
      try { while (readSync(fd, Buffer.alloc(64)) > 0); } catch ({ code }) { assert.equal(code, 'EAGAIN') }
      writeSync(fd, 'x')
    }
  }
`
