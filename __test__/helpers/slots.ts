// What is in the slots of the registered files.

import type { ExecutionContext } from 'ava'
import { FixedFile, Read, type Ring } from 'uring'
import { done } from './completions.ts'
import { file } from './files.ts'

/** What can be read through a slot: the file's content, or the code of the error. */
export function contentOf(ring: Ring, slot: FixedFile | number): string {
  const bytes = Buffer.alloc(100)
  const fixed = typeof slot === 'number' ? new FixedFile(slot) : slot
  const { error, result } = done(ring, new Read(fixed, bytes, { offset: 0 }))
  return error === undefined ? bytes.toString('latin1', 0, result) : error.code
}

/** What can be read through the first slots; `-` stands for an empty one. */
export function contents(ring: Ring, count: number): string {
  const all = Array.from({ length: count }, (_, index) => contentOf(ring, index))
  return all.map((content) => (content === 'EBADF' ? '-' : content)).join(' ')
}

/** Descriptors of files that have these contents. */
export function files(t: ExecutionContext, ...texts: readonly string[]): number[] {
  return texts.map((text) => file(t, text).fd)
}

/** Returns the tags that have arrived, sorted. */
export function tags(ring: Ring): bigint[] {
  const found: bigint[] = []
  for (let tag = ring.tryWait(); tag !== undefined; tag = ring.tryWait()) {
    if (tag.source !== 'tag') throw new Error(`a ${tag.source} came`)
    found.push(tag.userData as bigint)
  }
  return found.toSorted((left, right) => Number(left - right))
}
