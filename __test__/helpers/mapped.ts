// Rings that are set up with the raw system calls.

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

/** Returns the index of a member among the 32-bit words of `struct io_uring_params`. */
export function paramIndex(name: Param): number {
  return PARAMS[name].offset / 4
}

/** Returns the index of an offset of a queue among the 32-bit words of `struct io_uring_params`. */
export function offsetIndex(
  queue: 'sq_off' | 'cq_off',
  name: keyof typeof structs.io_sqring_offsets.fields | keyof typeof structs.io_cqring_offsets.fields,
): number {
  const { fields } = queue === 'sq_off' ? structs.io_sqring_offsets : structs.io_cqring_offsets
  return paramIndex(queue) + ((fields as Record<string, { offset: number }>)[name]?.offset ?? Number.NaN) / 4
}

export interface RingSetup {
  readonly fd: number
  readonly params: Uint32Array
}

/** Sets up a ring with the given members of `struct io_uring_params`. It is closed after the test. */
export function setupRing(
  t: ExecutionContext,
  entries: number,
  values: Partial<Record<Param, number>> = {},
): RingSetup {
  const params = new Uint32Array(structs.io_uring_params.size / 4)
  for (const [name, value] of Object.entries(values)) params[paramIndex(name as Param)] = value
  const fd = ioUringSetup(entries, params)
  if (fd < 0) throw new Error(`io_uring_setup: ${fd}`)
  t.teardown(() => closeSync(fd))
  return { fd, params }
}

/** Sets up a ring and maps its queues. They are unmapped after the test. */
export function setupMappedRing(
  t: ExecutionContext,
  entries: number,
  values: Partial<Record<Param, number>> = {},
): RingSetup & { ring: MappedRing } {
  const setup = setupRing(t, entries, values)
  const ring = mapRing(setup.fd, setup.params)
  t.teardown(() => ring.unmap())
  return { ...setup, ring }
}

/** Submits published entries and waits for `count` completions. */
export function enter(fd: number, toSubmit: number, count: number): number {
  return ioUringEnter(fd, toSubmit, count, IORING_ENTER_GETEVENTS)
}

/** Returns the number of mappings of rings in this process. */
export function mappings(): number {
  return readFileSync('/proc/self/maps', 'utf8').split('anon_inode:[io_uring]').length - 1
}
