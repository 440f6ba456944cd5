// Pipes that are gone after the test, and what can be seen of descriptors.

import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { directory } from './files.ts'
import { type Outcome, run } from './process.ts'
import { closing } from './sockets.ts'

/** The two ends of a new pipe: they wait for each other, unless the reading end is told not to. */
export function pipe(t: ExecutionContext, nonBlocking = false): { read: number; write: number } {
  const path = join(directory(t), 'pipe')
  execFileSync('mkfifo', [path])
  const both = openSync(path, constants.O_RDWR) // or each end would wait for the other one to be opened
  const read = openSync(path, constants.O_RDONLY | (nonBlocking ? constants.O_NONBLOCK : 0))
  const write = openSync(path, constants.O_WRONLY)
  closeSync(both)
  return { read: closing(t, read), write: closing(t, write) }
}

/** The end of a pipe to write to, which nobody reads. */
export function brokenPipe(t: ExecutionContext): number {
  const path = join(directory(t), 'pipe')
  execFileSync('mkfifo', [path])
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const write = closing(t, openSync(path, constants.O_WRONLY))
  closeSync(read)
  return write
}

/** So many bytes at most, as text: they have to be there, or the other end has to be closed. */
export function textOf(fd: number, count = 1000): string {
  const bytes = Buffer.alloc(count)
  return bytes.toString('latin1', 0, readSync(fd, bytes))
}

/** The flags of a descriptor, as open(2) knows them. */
export function flagsOf(fd: number): number {
  const octal = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
  if (octal === undefined) throw new Error(`nothing is known of ${fd}`)
  return Number.parseInt(octal, 8)
}

/** Runs a module, given as source text, with few descriptors to have: `exhaust()` takes all that are left. */
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
  const command = 'ulimit -n 60 && exec "$0" --input-type=module --eval "$1"'
  return run('sh', ['-c', command, process.execPath, exhaust + source])
}
