// Programs that are woken in either way, and what can be seen of a process from inside it.

import { type Outcome, run } from './process.ts'

/** What wakes the event loop, and the value of `URING_WAKER` for it. */
export const WAKERS = [
  ['libuv', ''],
  ['a thread', 'thread'],
] as const

/** Runs a module, given as source text, with a waker. */
export function woken(waker: string, source: string, flags: readonly string[] = []): Promise<Outcome> {
  return run(process.execPath, [...flags, '--input-type=module', '--eval', source], { URING_WAKER: waker })
}

/** What a program prints that proved what it was to prove, and nothing else. */
export const OK: Outcome = { code: 0, signal: null, stdout: 'ok\n', stderr: '' }

/** Source text: FIFOs, and what the process has. `rings()` counts above what was there at the start. */
export const PRELUDE = `
  import assert from 'node:assert/strict'
  import { execFileSync } from 'node:child_process'
  import { constants, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, rmSync, writeSync } from 'node:fs'
  import { setImmediate as turn } from 'node:timers/promises'
  import { Worker } from 'node:worker_threads'
  import { Nop, Read, Ring, Timeout } from 'uring'

  // Both ends in one descriptor: a read waits until something is written to it.
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
  const own = count() // libuv has some on later versions of Node.js
  const rings = () => count() - own
  const descriptors = () => targets().length
  const threads = (name) => readdirSync('/proc/self/task').filter((id) => {
    try { return name === undefined || readFileSync('/proc/self/task/' + id + '/comm', 'utf8') === name + '\\n' } catch { return false }
  }).length
  const mappings = () => readFileSync('/proc/self/maps', 'utf8').split('anon_inode:[io_uring]').length - 1
  // Nobody is there to read what is written.
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
