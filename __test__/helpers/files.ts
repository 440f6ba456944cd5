// Files and FIFOs that are gone after the test.

import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

/** A new directory. */
export function directory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'uring-test-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A new file with this content, open for reading and writing. */
export function file(t: ExecutionContext, content: string | Uint8Array = ''): { path: string; fd: number } {
  const path = join(directory(t), 'file')
  writeFileSync(path, content)
  const fd = openSync(path, 'r+')
  t.teardown(() => closeSync(fd))
  return { path, fd }
}

/** A FIFO with both ends in one descriptor: a read waits until something is written to it. */
export function fifo(t: ExecutionContext): number {
  const path = join(directory(t), 'fifo')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  t.teardown(() => closeSync(fd))
  return fd
}
