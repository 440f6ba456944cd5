// Paths in every form, and directories, for operations on file names.

import { closeSync, constants, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ExecutionContext } from 'ava'
import { OpenAt2, OpenFlags, type Operation, type Path, type Ring } from 'uring'
import { complete, errorCode } from './completions.ts'
import { directory } from './files.ts'

/** Pushes an operation and returns the code of its error, or `''` if it succeeds. */
export function codeOf<T>(ring: Ring, operation: Operation<T>): string {
  return errorCode(ring, operation) ?? ''
}

/** Opens a directory. It is closed after the test. */
export function openDirectory(t: ExecutionContext, path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  t.teardown(() => closeSync(fd))
  return fd
}

/** Sets the umask of the process until the end of the test. */
export function umask(t: ExecutionContext, mask: number): void {
  const before = process.umask(mask)
  t.teardown(() => process.umask(before))
}

/** Returns a path that is not valid UTF-8, so that only a buffer can hold it. */
export function nonUtf8Path(folder: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])])
}

/** Returns paths in `folder` in every form that operations accept. */
export function pathForms(folder: string): readonly Path[] {
  const path = join(folder, 'pläin name')
  return [path, Buffer.from(path), pathToFileURL(path), nonUtf8Path(folder), relative(process.cwd(), path)]
}

/** Opens a file with O_TMPFILE. Returns `undefined` and logs the reason if the file system does not support it. */
export function openTemporary(
  t: ExecutionContext,
  ring: Ring,
  folder: string,
  mode?: number,
): number | undefined {
  const flags = OpenFlags.TMPFILE | OpenFlags.RDWR
  const completion = complete(ring, new OpenAt2(folder, mode === undefined ? { flags } : { flags, mode }))
  if (completion.error?.code === 'ENOTSUP') {
    t.log(`the file system of ${folder} does not support O_TMPFILE`)
    t.pass()
    return undefined
  }
  const fd = completion.value
  t.teardown(() => closeSync(fd))
  return fd
}

/** Creates two directories that each have a file named `same`, and opens both directories. */
export function twoDirectories(t: ExecutionContext): {
  left: string
  right: string
  leftFd: number
  rightFd: number
} {
  const folder = directory(t)
  const [left, right] = [join(folder, 'left'), join(folder, 'right')]
  mkdirSync(left)
  mkdirSync(right)
  writeFileSync(join(left, 'same'), 'left')
  writeFileSync(join(right, 'same'), 'right')
  return { left, right, leftFd: openDirectory(t, left), rightFd: openDirectory(t, right) }
}
