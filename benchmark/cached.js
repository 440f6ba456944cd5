// The file that the loops read: in the page cache, and unlinked, so that nothing is left behind.

import { mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const BLOCK = 4096
export const FILE = 4 * 1024 * 1024

export function cachedFile() {
  const directory = mkdtempSync(join(tmpdir(), 'uring-bench-'))
  const fd = openSync(join(directory, 'file'), 'w+')
  rmSync(directory, { recursive: true })
  writeSync(fd, Buffer.alloc(FILE, 'x'))
  return fd
}
