// Source text of programs that read endlessly, on the main thread and in workers.

/** Source text of `reading()`: an endless loop that reads a byte of a FIFO and writes it back. */
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

/** Returns the source text of a worker, as a string literal: it starts `pending` reads, then runs `after`. */
export function workerSource(pending: string, after: string): string {
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

/** Source text that starts such workers. Each \`busy\` FIFO has one byte, which is read and written again and again. */
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
  // Refills FIFOs whose byte was lost with a read of a terminated worker.
  function refill() {
    for (const fd of busy) {
      try { while (readSync(fd, Buffer.alloc(64)) > 0); } catch ({ code }) { assert.equal(code, 'EAGAIN') }
      writeSync(fd, 'x')
    }
  }
`
