// A tour: what the kernel supports, a chain of operations, a timeout, a file, and the ring beside node:fs.

import { randomUUID } from 'node:crypto'
import { readSync } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import * as uring from 'uring'
import { Close, Features, Fsync, OpenAt, Operation, Read, SetupFlags, Timeout, Write } from 'uring'
import { printText } from './print.js'

/** @import { FileHandle } from 'node:fs/promises' */
/** @import { Completion, OperationClass, Ring } from 'uring' */

/** @typedef {(text: string) => void} Say prints a line, or several */

const TIMEOUT_MS = 20
const README_LINES = 12

const BLOCK = 4096
const BLOCKS = 1024
const BATCH = 32
const ROUNDS = 5
const ROUND_MS = 60

/**
 * @param {Ring} ring
 * @throws {import('uring').UringError} if standard output cannot be written
 */
export async function tour(ring) {
  /** @type {Say} */
  const say = (text) => printText(ring, `${text}\n`)

  say('What this kernel supports\n')
  showKernel(ring, say)
  const file = await temporaryFile()
  try {
    say(
      '\nA linked chain on a temporary file: write → fsync → read, each after the one before has succeeded\n',
    )
    showChain(ring, file, say)
    say('\nA timeout\n')
    showTimeout(ring, say)
    say('\nREADME.md, through the ring\n')
    showReadme(ring, say)
    say('\nReads of 4 KiB from the page cache: the ring beside node:fs\n')
    await showRace(ring, file, say)
  } finally {
    await file.close()
  }
}

/**
 * Creates a file and unlinks it, so that it is removed with its descriptor, however this process ends.
 *
 * @returns {Promise<FileHandle>}
 */
async function temporaryFile() {
  const path = join(tmpdir(), `uring-tour-${randomUUID()}`)
  const file = await open(path, 'wx+', 0o600)
  await unlink(path)
  return file
}

/**
 * @param {Ring} ring
 * @param {Say} say
 */
function showKernel(ring, say) {
  /** @type {readonly unknown[]} */
  const exported = Object.values(uring)
  const operations = exported.filter(isOperation)
  /**
   * @param {string} title
   * @param {readonly string[]} words
   */
  const row = (title, words) => {
    const lines = words.join(' ').match(/\S.{0,90}(?= |$)/g) ?? ['none']
    say(`  ${title.padEnd(14)}${lines.join(`\n${' '.repeat(16)}`)}`)
  }
  row('kernel', [release()])
  row('setup flags', namesOf(SetupFlags, ring.setupFlags))
  row('features', namesOf(Features, ring.features))
  row(
    'operations',
    operations.filter((operation) => ring.supports(operation)).map(({ name }) => name),
  )
  row(
    'not supported',
    operations.filter((operation) => !ring.supports(operation)).map(({ name }) => name),
  )
}

/**
 * @param {unknown} value
 * @returns {value is OperationClass}
 */
function isOperation(value) {
  return typeof value === 'function' && value.prototype instanceof Operation
}

/**
 * @param {Readonly<Record<string, number>>} flags
 * @param {number} mask
 */
function namesOf(flags, mask) {
  return Object.keys(flags).filter((name) => (mask & (flags[name] ?? 0)) !== 0)
}

/**
 * @param {Ring} ring
 * @param {FileHandle} file
 * @param {Say} say
 */
function showChain(ring, file, say) {
  const text = Buffer.from('written, synced and read by one submission')
  const copy = Buffer.alloc(text.length)
  ring.push(new Write(file, text, { offset: 0 }).link(), 'write')
  ring.push(new Fsync(file).link(), 'fsync')
  ring.push(new Read(file, copy, { offset: 0 }), 'read')
  const submitted = ring.submit()
  const completions = ring.waitMany(3)
  say(`  submit() handed over ${submitted} entries`)
  for (const { userData, result, flags } of completions) {
    say(`  userData '${userData}', result ${result}, flags ${flags}`)
  }
  say(`  the buffer holds '${copy}'`)
}

/**
 * @param {Ring} ring
 * @param {Say} say
 */
function showTimeout(ring, say) {
  const start = performance.now()
  const { result, value } = complete(ring, new Timeout(TIMEOUT_MS))
  const elapsed = performance.now() - start
  say(
    `  '${value}' after ${elapsed.toFixed(1)} ms of ${TIMEOUT_MS}; result ${result} is -ETIME, and no error here`,
  )
}

/**
 * @param {Ring} ring
 * @param {Say} say
 */
function showReadme(ring, say) {
  const opened = complete(ring, new OpenAt(new URL('../README.md', import.meta.url)))
  if (opened.error !== undefined) {
    say(`  not printed (${opened.error.code})`)
    return
  }
  const bytes = Buffer.alloc(64 * 1024)
  const length = complete(ring, new Read(opened.value, bytes, { offset: 0 })).value
  complete(ring, new Close(opened.value))
  const lines = bytes.toString('utf8', 0, length).trimEnd().split('\n')
  say(lines.slice(0, README_LINES).join('\n'))
  if (lines.length > README_LINES)
    say(`\n  (its first ${README_LINES} lines; npm start --silent -- README.md prints it all)`)
}

/**
 * @param {Ring} ring
 * @param {FileHandle} file
 * @param {Say} say
 */
async function showRace(ring, file, say) {
  // Writing the file brings it into the page cache.
  const content = Buffer.alloc(BLOCKS * BLOCK, 'uring')
  for (let at = 0; at < content.length;) {
    at += complete(ring, new Write(file, content.subarray(at), { offset: at })).value
  }

  const contenders = contendersOn(ring, file)
  const best = contenders.map(() => Infinity)
  // In turns, so that other load on the machine affects all of them.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, { read }] of contenders.entries()) {
      best[index] = Math.min(best[index] ?? Infinity, await microseconds(read))
    }
  }
  const [reference = NaN] = best
  say(`  ${''.padEnd(32)}${'µs per read'.padStart(14)}${'reads per second, fs.readSync = 1'.padStart(36)}`)
  for (const [index, { name }] of contenders.entries()) {
    const time = best[index] ?? NaN
    say(`  ${name.padEnd(32)}${time.toFixed(2).padStart(14)}${(reference / time).toFixed(2).padStart(36)}`)
  }
}

/**
 * Returns the ways to read a batch of blocks from an offset on. Each returns the number of bytes.
 *
 * @param {Ring} ring
 * @param {FileHandle} file
 * @returns {readonly { name: string, read: (from: number) => number | Promise<number> }[]}
 */
function contendersOn(ring, file) {
  const { fd } = file
  const buffer = Buffer.alloc(BLOCK)
  const reads = Array.from({ length: BATCH }, () => new Read(fd, Buffer.alloc(BLOCK)))

  /**
   * @param {number} from
   * @param {number} each reads in one system call
   */
  const throughRing = (from, each) => {
    let bytes = 0
    for (let index = 0; index < BATCH;) {
      for (const read of reads.slice(0, each)) {
        read.offset = from + index * BLOCK
        ring.push(read)
        index += 1
      }
      ring.submitAndWait(each)
      ring.drain((_userData, result) => {
        bytes += result
      })
    }
    return bytes
  }

  return [
    {
      name: 'fs.readSync',
      read: (from) => {
        let bytes = 0
        for (let index = 0; index < BATCH; index += 1) {
          bytes += readSync(fd, buffer, 0, BLOCK, from + index * BLOCK)
        }
        return bytes
      },
    },
    {
      name: 'FileHandle.read, one in flight',
      read: async (from) => {
        let bytes = 0
        for (let index = 0; index < BATCH; index += 1) {
          bytes += (await file.read(buffer, 0, BLOCK, from + index * BLOCK)).bytesRead
        }
        return bytes
      },
    },
    { name: 'the ring, batches of 1', read: (from) => throughRing(from, 1) },
    { name: `the ring, batches of ${BATCH}`, read: (from) => throughRing(from, BATCH) },
    {
      name: `await ring.run, ${BATCH} in flight`,
      read: async (from) => {
        const counts = await Promise.all(
          reads.map((read, index) => {
            read.offset = from + index * BLOCK
            return ring.run(read)
          }),
        )
        return counts.reduce((sum, count) => sum + count, 0)
      },
    },
  ]
}

/**
 * Returns the microseconds that one read takes.
 *
 * @param {(from: number) => number | Promise<number>} read
 */
async function microseconds(read) {
  const start = performance.now()
  let batches = 0
  let elapsed = 0
  do {
    const bytes = await read(((batches * BATCH) % BLOCKS) * BLOCK)
    if (bytes !== BATCH * BLOCK) throw new Error(`read ${bytes} bytes instead of ${BATCH * BLOCK}`)
    batches += 1
    elapsed = performance.now() - start
  } while (elapsed < ROUND_MS)
  return (elapsed * 1000) / (batches * BATCH)
}

/**
 * Runs one operation and returns its completion.
 *
 * @template T
 * @param {Ring} ring
 * @param {Operation<T>} operation
 */
function complete(ring, operation) {
  ring.push(operation)
  return /** @type {Completion<T>} */ (ring.wait())
}
