// Programs that run with libuv or with the waiter thread, and what a process can count of its own resources.

import { type Outcome, run } from './process.ts'

/** The ways to wake the event loop, and the value of `URING_WAKER` for each. */
export const WAKERS = [
  ['libuv', ''],
  ['a thread', 'thread'],
] as const

/** Runs a module, given as source text, with a value of `URING_WAKER`. */
export function runWithWaker(waker: string, source: string, flags: readonly string[] = []): Promise<Outcome> {
  return run(process.execPath, [...flags, '--input-type=module', '--eval', source], { URING_WAKER: waker })
}

/** The outcome of a program that prints `ok` and exits. */
export const OK: Outcome = { code: 0, signal: null, stdout: 'ok\n', stderr: '' }

/**
 * Source text of helpers: FIFOs, and functions that count rings, descriptors, threads and mappings of the process.
 * `rings()` does not count rings that exist at the start.
 */
export const PRELUDE = `
  import assert from 'node:assert/strict'
  import { execFileSync } from 'node:child_process'
  import { constants, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, rmSync, writeSync } from 'node:fs'
  import { setImmediate as turn } from 'node:timers/promises'
  import { Worker } from 'node:worker_threads'
  import { Nop, Read, Ring, Timeout } from 'uring'

  // Opens both ends as one descriptor: a read waits until something is written to it.
  function fifos(count) {
    const folder = mkdtempSync('/tmp/uring-test-')
    const paths = Array.from({ length: count }, (_, index) => folder + '/' + index)
    execFileSync('mkfifo', paths)
    const opened = paths.map((path) => openSync(path, constants.O_RDWR | constants.O_NONBLOCK))
    rmSync(folder, { recursive: true })
    return opened
  }
  const targets = () => readdirSync('/proc/self/fd').map((name) => {
    try { return readlinkSync('/proc/self/fd/' + name) } catch { return 'gone' }
  }).filter((target) => target !== 'gone' && !target.startsWith('/proc/'))
  const count = () => targets().filter((target) => target === 'anon_inode:[io_uring]').length
  const own = count() // later versions of Node.js have rings of libuv
  const rings = () => count() - own
  const descriptors = () => targets().length
  const threads = (name) => readdirSync('/proc/self/task').filter((id) => {
    try { return name === undefined || readFileSync('/proc/self/task/' + id + '/comm', 'utf8') === name + '\\n' } catch { return false }
  }).length
  const mappings = () => readFileSync('/proc/self/maps', 'utf8').split('anon_inode:[io_uring]').length - 1
  // Asserts that no read is pending on a FIFO.
  function unread(fd) {
    writeSync(fd, 'unread')
    const bytes = Buffer.alloc(100)
    assert.equal(bytes.toString('utf8', 0, readSync(fd, bytes)), 'unread')
  }
  async function collected(done) {
    for (let round = 0; round < 200 && !done(); round += 1) {
      globalThis.gc()
      await turn()
    }
    assert.ok(done(), done.toString())
  }
`
