// Files, directories and FIFOs that are removed after the test.

import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

/** Creates a directory. */
export function directory(t: ExecutionContext, parent: string = tmpdir()): string {
  const path = mkdtempSync(join(parent, 'uring-test-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Creates a file with this content and opens it for reading and writing. */
export function file(t: ExecutionContext, content: string | Uint8Array = ''): { path: string; fd: number } {
  const path = join(directory(t), 'file')
  writeFileSync(path, content)
  const fd = openSync(path, 'r+')
  t.teardown(() => closeSync(fd))
  return { path, fd }
}

/** Creates a FIFO and opens both ends as one descriptor: a read waits until something is written to it. */
export function fifo(t: ExecutionContext): number {
  const path = join(directory(t), 'fifo')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  t.teardown(() => closeSync(fd))
  return fd
}

/** File systems on disks, by their numbers in statfs(2). */
const DISKS: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
}

const candidates = [tmpdir(), '/var/tmp', fileURLToPath(new URL('../..', import.meta.url))]

function typeOf(path: string): string | undefined {
  try {
    return DISKS[statfsSync(path).type >>> 0]
  } catch {
    return undefined
  }
}

/**
 * Creates a file on a disk and opens it for reading and writing; some operations have no effect on other file systems.
 * Returns `undefined` and logs the reason if no directory of the test is on a disk.
 */
export function diskFile(t: ExecutionContext): { fd: number; path: string; type: string } | undefined {
  for (const candidate of candidates) {
    const type = typeOf(candidate)
    if (type === undefined) continue
    const path = join(directory(t, candidate), 'file')
    const fd = openSync(path, 'w+')
    t.teardown(() => closeSync(fd))
    return { fd, path, type }
  }
  t.log(`none of ${candidates.join(', ')} is on ${Object.values(DISKS).join(', ')}`)
  return undefined
}

/** A number that is no descriptor: beyond any limit of open files. */
export const UNUSED_FD = 987_654
