// Loops that await each operation before the next, in a process of their own:
// node benchmark/await.js <run-nop|run-read|file-handle|fs-read> <in flight> <milliseconds>.

import { closeSync, promises, read as fsRead } from 'node:fs'
import { BLOCK, cachedFile, FILE } from './cached.js'
import { Nop, Read, Ring } from 'uring'

const [name = 'run-nop', inFlightText, millisecondsText] = process.argv.slice(2)
const inFlight = Number(inFlightText)
const milliseconds = Number(millisecondsText)
const fd = cachedFile()
const buffers = Array.from({ length: inFlight }, () => Buffer.alloc(BLOCK))
const ring = new Ring()
let offset = 0

function nextOffset() {
  offset = (offset + BLOCK) % FILE
  return offset
}

/** @param {promises.FileHandle | undefined} handle @returns {(loop: number) => Promise<unknown>} */
function operation(handle) {
  const buffer = (/** @type {number} */ loop) => /** @type {Buffer} */ (buffers[loop])
  if (name === 'run-nop') return () => ring.run(new Nop())
  if (name === 'run-read') return (loop) => ring.run(new Read(fd, buffer(loop), { offset: nextOffset() }))
  if (name === 'file-handle' && handle !== undefined)
    return (loop) => handle.read(buffer(loop), 0, BLOCK, nextOffset())
  return (loop) =>
    new Promise((resolve, reject) => {
      fsRead(fd, buffer(loop), 0, BLOCK, nextOffset(), (error, bytes) =>
        error ? reject(error) : resolve(bytes),
      )
    })
}

/** @param {(loop: number) => Promise<unknown>} one @param {number} duration */
async function measure(one, duration) {
  let operations = 0
  const before = process.cpuUsage()
  const start = performance.now()
  const end = start + duration
  const loop = async (/** @type {number} */ index) => {
    do {
      for (let round = 0; round < 32; round += 1) await one(index)
      operations += 32
    } while (performance.now() < end)
  }
  await Promise.all(Array.from({ length: inFlight }, (_, index) => loop(index)))
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  return { operations, seconds, cpu: (user + system) / 1e6 }
}

const handle = name === 'file-handle' ? await promises.open(`/proc/self/fd/${fd}`) : undefined
const one = operation(handle)
await measure(one, milliseconds / 4)
const result = await measure(one, milliseconds)
await handle?.close()
await ring.close()
closeSync(fd)
process.stdout.write(`${JSON.stringify({ case: name, inFlight, ...result })}\n`)
