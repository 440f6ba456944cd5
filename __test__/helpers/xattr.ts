// Extended attributes, by the native classes: another way than the one that is tested.

import type { ExecutionContext } from 'ava'
import { Entry, Ring } from 'uring'
import { createAddressOf, FGetXattr, FSetXattr } from 'uring/native'
import { directory, file } from './files.ts'

const addressOf = createAddressOf()

function submit(native: { build(): Uint8Array }, keep: readonly unknown[]): number {
  using ring = new Ring({ entries: 2 })
  ring.push(Entry.from(native.build(), { keep }))
  const result = ring.wait()?.result
  if (result === undefined) throw new Error('nothing completed')
  return result
}

/** Sets an attribute of an open file; the kernel's result. */
function set(fd: number, name: string, value: Uint8Array): number {
  const text = Buffer.from(`${name}\0`)
  const address = value.length === 0 ? 0 : addressOf(value)
  return submit(new FSetXattr(fd, addressOf(text), address, value.length), [text, value])
}

export function setAttribute(fd: number, name: string, value: Uint8Array | string): void {
  const result = set(fd, name, Buffer.from(value))
  if (result < 0) throw new Error(`the attribute was not set: ${result}`)
}

/** The value of an attribute of an open file, or the kernel's error number. */
export function attributeOf(fd: number, name: string): Buffer | number {
  const text = Buffer.from(`${name}\0`)
  const room = Buffer.alloc(65_536)
  const result = submit(new FGetXattr(fd, addressOf(text), addressOf(room), room.length), [text, room])
  return result < 0 ? result : room.subarray(0, result)
}

const ENOTSUP = -95
const NAME = 'user.uring-test'

/** A new file that can have attributes; absent, and said why, where the file system has none. */
export function attributed(
  t: ExecutionContext,
): { readonly path: string; readonly fd: number; readonly folder: string } | undefined {
  const made = file(t)
  const result = set(made.fd, NAME, Buffer.from('1'))
  if (result === ENOTSUP) {
    t.log(`the file system of ${directory(t)} has no attributes of users`)
    t.pass()
    return undefined
  }
  if (result !== 0) throw new Error(`the file system refuses an attribute: ${result}`)
  return { ...made, folder: made.path.slice(0, made.path.lastIndexOf('/')) }
}
