// node scripts/soak.js [SECONDS]: looks for lost wake-ups, for 60 seconds by default.
//
// A thread writes to many pipes at random moments, rings of every mode read them, and every message has to arrive, once
// and in order. URING_WAKER=thread tests the waker thread instead of uv_poll_t.

import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Read, Ring } from 'uring'

const PIPES = 200
const MESSAGE_BYTES = 4
/** Milliseconds without a message, after all were written, that mean that one is lost. */
const PATIENCE = 20_000
/** Milliseconds of each traffic pattern in turn. */
const ROUND = 200

/** @type {import('uring').RingOptions[]} */
const MODES = [
  {},
  { entries: 16, cqEntries: 16 },
  { submitAll: false },
  { coopTaskrun: true, taskrunFlag: true },
]

if (isMainThread) await read()
else write(workerData)

/** @returns {{ read: number, write: number }[]} */
function pipes() {
  const folder = mkdtempSync(join(tmpdir(), 'uring-soak-'))
  const paths = Array.from({ length: PIPES }, (_, index) => join(folder, String(index)))
  execFileSync('mkfifo', paths)
  const opened = paths.map((path) => {
    const end = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    return { read: end, write: openSync(path, constants.O_WRONLY) }
  })
  rmSync(folder, { recursive: true })
  return opened
}

async function read() {
  const seconds = Number(process.argv[2] ?? 60)
  const opened = pipes()
  const counted = new Uint32Array(PIPES)
  const heard = new Int32Array(new SharedArrayBuffer(4))
  const rings = MODES.map((mode) => new Ring({ entries: 64, ...mode }))
  let last = performance.now()

  /** @param {Ring} ring @param {number} index */
  async function count(ring, index) {
    const fd = opened[index]?.read ?? -1
    // Small for some pipes, so that several reads have to follow each other.
    const bytes = Buffer.alloc(MESSAGE_BYTES * (1 + (index % 7)))
    for (;;) {
      const length = await ring.run(new Read(fd, bytes))
      if (length === 0) break
      last = performance.now()
      if (index === 0) Atomics.add(heard, 0, 1)
      for (let at = 0; at < length; at += MESSAGE_BYTES) {
        const expected = counted[index] ?? 0
        const number = bytes.readUInt32LE(at)
        if (number !== expected)
          throw new Error(`pipe ${index}: message ${number} arrived instead of ${expected}`)
        counted[index] = expected + 1
      }
    }
    closeSync(fd)
  }

  const counting = opened.map((_, index) => count(/** @type {Ring} */ (rings[index % rings.length]), index))
  const writer = new Worker(fileURLToPath(import.meta.url), {
    workerData: { seconds, ends: opened.map((pipe) => pipe.write), heard: heard.buffer },
  })
  /** @type {Promise<Uint32Array>} */
  const written = new Promise((resolve, reject) => {
    writer.once('message', resolve)
    writer.once('error', reject)
  })
  let ended = false
  const watch = setInterval(() => {
    if (!ended || performance.now() - last < PATIENCE) return
    console.error(`no message for ${PATIENCE} ms, and not all of ${counting.length} pipes have ended`)
    process.exit(1)
  }, 1000)
  const wanted = await written
  for (const pipe of opened) closeSync(pipe.write) // the reads end
  ended = true
  last = performance.now()
  await Promise.all(counting)
  clearInterval(watch)
  await Promise.all(rings.map((ring) => ring.close()))

  const lost = opened.findIndex((_, index) => counted[index] !== wanted[index])
  if (lost >= 0) throw new Error(`pipe ${lost}: ${counted[lost]} of ${wanted[lost]} messages arrived`)
  console.log(`${wanted.reduce((sum, one) => sum + one, 0)} messages, each read once`)
}

/** @param {{ seconds: number, ends: number[], heard: SharedArrayBuffer }} data */
function write({ seconds, ends, heard }) {
  const sent = new Uint32Array(ends.length)
  const message = Buffer.alloc(MESSAGE_BYTES)
  const count = new Int32Array(heard)
  /** @param {number} index */
  const send = (index) => {
    message.writeUInt32LE(sent[index] ?? 0)
    writeSync(ends[index] ?? -1, message)
    sent[index] = (sent[index] ?? 0) + 1
  }
  const end = performance.now() + seconds * 1000
  while (performance.now() < end) {
    burst(send, ends.length)
    pingPong(send, count, Math.min(end, performance.now() + ROUND))
  }
  parentPort?.postMessage(sent)
}

/** Sends to some pipes, or to all at once, at random distances: while the reader works, soon after, and while it sleeps.
 * @param {(index: number) => void} send @param {number} count */
function burst(send, count) {
  const clock = new Int32Array(new SharedArrayBuffer(4))
  const end = performance.now() + ROUND
  while (performance.now() < end) {
    if (Math.random() < 0.1) {
      for (let index = 0; index < count; index += 1) send(index)
    } else {
      for (let left = Math.random() * 20; left > 0; left -= 1) send(Math.floor(Math.random() * count))
    }
    const pause = Math.random()
    if (pause < 0.5) spin(pause * 20_000)
    else Atomics.wait(clock, 0, 0, pause)
  }
}

/** Sends one message after the other, each while the reader is about to sleep after the one before.
 * @param {(index: number) => void} send @param {Int32Array} heard @param {number} end */
function pingPong(send, heard, end) {
  while (performance.now() < end) {
    const before = Atomics.load(heard, 0)
    send(0)
    while (Atomics.load(heard, 0) === before) if (performance.now() > end) return
    spin(Math.random() * 20_000)
  }
}

/** @param {number} times */
function spin(times) {
  for (let left = times; left > 0; left -= 1);
}
