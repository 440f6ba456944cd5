// Files on a file system that keeps them on a disk: some calls have nothing to do anywhere else.

import { closeSync, mkdtempSync, openSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

/** The numbers of statfs(2). */
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

/** A new file on a disk, open for reading and writing; `undefined`, and a word in the log, where there is no disk. */
export function diskFile(t: ExecutionContext): { fd: number; path: string; type: string } | undefined {
  for (const candidate of candidates) {
    const type = typeOf(candidate)
    if (type === undefined) continue
    const folder = mkdtempSync(join(candidate, 'uring-test-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'file')
    const fd = openSync(path, 'w+')
    t.teardown(() => closeSync(fd))
    return { fd, path, type }
  }
  t.log(`none of ${candidates.join(', ')} is on ${Object.values(DISKS).join(', ')}`)
  return undefined
}
