// Extended attributes, set and read with the native classes and not with the classes under test.

import type { ExecutionContext } from 'ava'
import { Entry, Ring } from 'uring'
import { createAddressOf, FGetXattr, FSetXattr } from 'uring/native'
import { directory, file } from './files.ts'

const addressOf = createAddressOf()

function submit(native: { build(): Uint8Array }, keep: readonly unknown[]): number {
  using ring = new Ring({ entries: 2 })
  ring.push(Entry.from(native.build(), { keep }))
  const result = ring.wait()?.result
  if (result === undefined) throw new Error('no operation completed')
  return result
}

/** Sets an attribute of an open file; returns the result of the kernel. */
function set(fd: number, name: string, value: Uint8Array): number {
  const text = Buffer.from(`${name}\0`)
  const address = value.length === 0 ? 0 : addressOf(value)
  return submit(new FSetXattr(fd, addressOf(text), address, value.length), [text, value])
}

/** Sets an attribute of an open file. */
export function setAttribute(fd: number, name: string, value: Uint8Array | string): void {
  const result = set(fd, name, Buffer.from(value))
  if (result < 0) throw new Error(`setting ${name} failed: ${result}`)
}

/** Returns the value of an attribute of an open file, or the negative error number. */
export function attributeOf(fd: number, name: string): Buffer | number {
  const text = Buffer.from(`${name}\0`)
  const value = Buffer.alloc(65_536)
  const result = submit(new FGetXattr(fd, addressOf(text), addressOf(value), value.length), [text, value])
  return result < 0 ? result : value.subarray(0, result)
}

const ENOTSUP = -95
const NAME = 'user.uring-test'

/** Creates a file that supports extended attributes. Returns `undefined` and logs the reason if none is supported. */
export function fileWithXattrs(
  t: ExecutionContext,
): { readonly path: string; readonly fd: number; readonly folder: string } | undefined {
  const made = file(t)
  const result = set(made.fd, NAME, Buffer.from('1'))
  if (result === ENOTSUP) {
    t.log(`the file system of ${directory(t)} does not support user attributes`)
    t.pass()
    return undefined
  }
  if (result !== 0) throw new Error(`setting an attribute failed: ${result}`)
  return { ...made, folder: made.path.slice(0, made.path.lastIndexOf('/')) }
}
