// Rings that are made by hand.

import { closeSync, readFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import {
  IORING_ENTER_GETEVENTS,
  ioUringEnter,
  ioUringSetup,
  type MappedRing,
  mapRing,
  structs,
} from 'uring/sys'

const PARAMS = structs.io_uring_params.fields

export type Param = keyof typeof PARAMS

/** The word of `params` that a member is. */
export function word(name: Param): number {
  return PARAMS[name].offset / 4
}

/** The word of `params` that a queue's offset is. */
export function offsetWord(
  queue: 'sq_off' | 'cq_off',
  name: keyof typeof structs.io_sqring_offsets.fields | keyof typeof structs.io_cqring_offsets.fields,
): number {
  const { fields } = queue === 'sq_off' ? structs.io_sqring_offsets : structs.io_cqring_offsets
  return word(queue) + ((fields as Record<string, { offset: number }>)[name]?.offset ?? Number.NaN) / 4
}

export interface Made {
  readonly fd: number
  readonly params: Uint32Array
}

/** A ring, closed after the test. */
export function make(t: ExecutionContext, entries: number, given: Partial<Record<Param, number>> = {}): Made {
  const params = new Uint32Array(structs.io_uring_params.size / 4)
  for (const [name, value] of Object.entries(given)) params[word(name as Param)] = value
  const fd = ioUringSetup(entries, params)
  if (fd < 0) throw new Error(`io_uring_setup: ${fd}`)
  t.teardown(() => closeSync(fd))
  return { fd, params }
}

/** A ring and its queues, gone after the test. */
export function mapped(
  t: ExecutionContext,
  entries: number,
  given: Partial<Record<Param, number>> = {},
): Made & { ring: MappedRing } {
  const made = make(t, entries, given)
  const ring = mapRing(made.fd, made.params)
  t.teardown(() => ring.unmap())
  return { ...made, ring }
}

/** Submits what is published, and waits for `count` completions. */
export function enter(fd: number, toSubmit: number, count: number): number {
  return ioUringEnter(fd, toSubmit, count, IORING_ENTER_GETEVENTS)
}

/** How often rings are mapped in this process. */
export function mappings(): number {
  return readFileSync('/proc/self/maps', 'utf8').split('anon_inode:[io_uring]').length - 1
}
