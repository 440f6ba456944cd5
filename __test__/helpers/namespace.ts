// Names of files in every form, directories to put them into, and what comes of an operation.

import { closeSync, constants, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ExecutionContext } from 'ava'
import { type Completion, OpenAt2, OpenFlags, type Operation, type Path, Ring } from 'uring'
import { directory } from './files.ts'

/** What an operation completes with. */
export function run<T>(ring: Ring, operation: Operation<T>): Completion<T> {
  ring.push(operation)
  const completion = ring.wait()
  if (completion === undefined) throw new Error('nothing completed')
  return completion as Completion<T>
}

/** The code of a failure, or `''`. */
export function codeOf<T>(ring: Ring, operation: Operation<T>): string {
  return run(ring, operation).error?.code ?? ''
}

/** A descriptor of a directory. */
export function opened(t: ExecutionContext, path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  t.teardown(() => closeSync(fd))
  return fd
}

/** The permissions that new files do not get, until the end of the test. */
export function umask(t: ExecutionContext, mask: number): void {
  const before = process.umask(mask)
  t.teardown(() => process.umask(before))
}

/** A path that is no UTF-8: only a buffer can name it. */
export function odd(folder: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])])
}

/** The same path in every form. */
export function forms(folder: string): readonly Path[] {
  const path = join(folder, 'pläin name')
  return [path, Buffer.from(path), pathToFileURL(path), odd(folder), relative(process.cwd(), path)]
}

/** A file without a name, or nothing, and said why, where the file system has no such files. */
export function nameless(t: ExecutionContext, ring: Ring, folder: string, mode?: number): number | undefined {
  const flags = OpenFlags.TMPFILE | OpenFlags.RDWR
  const completion = run(ring, new OpenAt2(folder, mode === undefined ? { flags } : { flags, mode }))
  if (completion.error?.code === 'ENOTSUP') {
    t.log(`the file system of ${folder} has no files without a name`)
    t.pass()
    return undefined
  }
  const fd = completion.value
  t.teardown(() => closeSync(fd))
  return fd
}

/** Two directories with the same names in them, and descriptors of both. */
export function twins(t: ExecutionContext): { left: string; right: string; leftFd: number; rightFd: number } {
  const folder = directory(t)
  const [left, right] = [join(folder, 'left'), join(folder, 'right')]
  mkdirSync(left)
  mkdirSync(right)
  writeFileSync(join(left, 'same'), 'left')
  writeFileSync(join(right, 'same'), 'right')
  return { left, right, leftFd: opened(t, left), rightFd: opened(t, right) }
}
