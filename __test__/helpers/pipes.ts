// Pipes that are closed after the test, and properties of descriptors.

import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { directory } from './files.ts'
import { type Outcome, run } from './process.ts'
import { closing } from './sockets.ts'

/** Creates a pipe of two blocking ends; with `nonBlocking` the reading end does not block. */
export function pipe(t: ExecutionContext, nonBlocking = false): { read: number; write: number } {
  const path = join(directory(t), 'pipe')
  execFileSync('mkfifo', [path])
  const both = openSync(path, constants.O_RDWR) // opening one end alone would block
  const read = openSync(path, constants.O_RDONLY | (nonBlocking ? constants.O_NONBLOCK : 0))
  const write = openSync(path, constants.O_WRONLY)
  closeSync(both)
  return { read: closing(t, read), write: closing(t, write) }
}

/** Returns the writing end of a pipe without readers. */
export function brokenPipe(t: ExecutionContext): number {
  const path = join(directory(t), 'pipe')
  execFileSync('mkfifo', [path])
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const write = closing(t, openSync(path, constants.O_WRONLY))
  closeSync(read)
  return write
}

/** Reads at most `count` bytes as text. It blocks until bytes are available or the other end is closed. */
export function readText(fd: number, count = 1000): string {
  const bytes = Buffer.alloc(count)
  return bytes.toString('latin1', 0, readSync(fd, bytes))
}

/** Returns the status flags of a descriptor, as in open(2). */
export function flagsOf(fd: number): number {
  const octal = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
  if (octal === undefined) throw new Error(`descriptor ${fd} has no flags`)
  return Number.parseInt(octal, 8)
}

/** Runs a module, given as source text, with a limit of 256 descriptors. Its `exhaust()` opens all that are left. */
export function withFewDescriptors(source: string): Promise<Outcome> {
  const exhaust = `
    import { openSync } from 'node:fs'
    function exhaust() {
      const opened = []
      try {
        for (;;) opened.push(openSync('/dev/null'))
      } catch ({ code }) {
        console.log(code)
      }
      return opened
    }`
  // Enough for Node.js to open all modules of the package at once.
  const command = 'ulimit -n 256 && exec "$0" --input-type=module --eval "$1"'
  return run('sh', ['-c', command, process.execPath, exhaust + source])
}
