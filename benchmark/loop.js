// One loop of the queue API, in a process of its own: node benchmark/loop.js <nop|entry|read> <batch> <milliseconds>.
// The native loop in native/src/main.rs has the same queue, files, buffers and batches.

import { closeSync } from 'node:fs'
import { BLOCK, cachedFile, FILE } from './cached.js'
import { Nop, Read, Ring } from 'uring'

/** Batches between two readings of the clock. */
const STRIDE = 32

/**
 * Returns the function that pushes one batch.
 *
 * @param {Ring} ring
 * @param {string} name
 * @param {number} batch
 */
function pusher(ring, name, batch) {
  if (name === 'nop') {
    return () => {
      for (let index = 0; index < batch; index += 1) ring.push(new Nop(), index)
    }
  }
  if (name === 'entry') {
    const entry = new Nop().build()
    return () => {
      for (let index = 0; index < batch; index += 1) ring.push(entry, index)
    }
  }
  const fd = cachedFile()
  process.on('exit', () => closeSync(fd))
  const buffers = Array.from({ length: batch }, () => Buffer.alloc(BLOCK))
  let offset = 0
  return () => {
    for (let index = 0; index < batch; index += 1) {
      ring.push(new Read(fd, /** @type {Buffer} */ (buffers[index]), { offset }), index)
      offset = (offset + BLOCK) % FILE
    }
  }
}

const [name = 'nop', batchText, millisecondsText] = process.argv.slice(2)
const batch = Number(batchText)
const milliseconds = Number(millisecondsText)
const ring = new Ring({ entries: 256 })
const push = pusher(ring, name, batch)
let failed = 0
let bytes = 0

/** @param {number} duration */
function loop(duration) {
  const before = process.cpuUsage()
  const start = performance.now()
  let operations = 0
  let elapsed = 0
  do {
    for (let round = 0; round < STRIDE; round += 1) {
      push()
      ring.submitAndWait(batch)
      ring.drain((_, result) => {
        if (result < 0) failed += 1
        else bytes += result
      })
    }
    operations += batch * STRIDE
    elapsed = performance.now() - start
  } while (elapsed < duration)
  const { user, system } = process.cpuUsage(before)
  return { operations, seconds: elapsed / 1000, cpu: (user + system) / 1e6 }
}

loop(milliseconds / 4) // lets V8 compile it
const result = loop(milliseconds)
await ring.close()
if (failed > 0 || bytes < (name === 'read' ? BLOCK : 0)) throw new Error(`${failed} operations failed`)
process.stdout.write(`${JSON.stringify({ case: name, batch, ...result })}\n`)
