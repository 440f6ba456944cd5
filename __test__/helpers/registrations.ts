// Expectations of specs for registrations, and memory in whole pages.

import type { ExecutionContext } from 'ava'
import { type Ring, UringError } from 'uring'
import { createAddressOf } from 'uring/native'
import { IORING_REGISTER_ENABLE_RINGS, ioUringRegister } from 'uring/sys'

const addressOf = createAddressOf()

/** A call that is refused: the name in the message, and the code. */
export type Refusal = readonly [name: string, code: string, call: () => unknown]

/** Expects that each call throws, with the name in its message. */
export function refusals(t: ExecutionContext, cases: readonly Refusal[]): void {
  for (const [name, code, call] of cases) t.true(t.throws(call, { code }, name).message.includes(name), name)
}

/** Expects an error of the kernel, with its cause in the message. */
export function refused(t: ExecutionContext, call: () => unknown, code: string, reason: RegExp): void {
  const error = t.throws(call, { instanceOf: UringError, code })
  t.is(error.syscall, 'io_uring_register')
  t.true(Number(error.errno) < 0)
  t.regex(error.message, new RegExp(`^${code}: .*, io_uring_register: ${reason.source}`))
}

/** Enables a ring with a raw system call. */
export function enable(ring: Ring): void {
  if (ioUringRegister(ring.fd, IORING_REGISTER_ENABLE_RINGS, null, 0) !== 0)
    throw new Error('the ring is not disabled')
}

/** Returns memory in whole pages. */
export function pages(count: number, page = 65_536): Buffer {
  const memory = new SharedArrayBuffer((count + 1) * page)
  const past = addressOf(new Uint8Array(memory)) % page
  return Buffer.from(memory, page - past, count * page)
}
