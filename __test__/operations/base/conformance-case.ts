// The cases of operations, and what they share: options, fields that several operations have, and fields of every
// entry.

import * as fc from 'fast-check'
import { type FileTarget, FixedFile, type Operation } from 'uring'
import { boolean, u16 } from './arbitraries.ts'
import type { Expected } from './process-memory.ts'
import { type Fields, IOSQE, type NativeOperation, type Value } from './native-rows.ts'

/** The words of the facade's entry that hold the addresses of its structs. */
export interface Built {
  readonly off: bigint
  readonly addr: bigint
  readonly addr3: bigint
}

/**
 * Each operation has one case: random arguments for the facade, and the same in the kernel's fields. If an operation
 * puts structs into memory, only the facade knows the address: it is read from the facade's entry, and the bytes
 * there are read through /proc/self/mem.
 */
export interface Case<A> {
  /** Arguments of the facade's class. */
  readonly arguments: fc.Arbitrary<A>
  facade(given: A): Operation<unknown>
  /** The kernel's fields for these arguments. */
  native(given: A, built: Built): { readonly fields: Fields; readonly flags?: number }
  /** Bytes that must be in memory. */
  memory?(given: A, built: Built): Expected[]
  /** Properties that some of the random arguments must have. */
  readonly variants: Record<string, (given: A) => boolean>
}

/** Erases the type of the arguments, which only the case itself needs. */
export function define<A>(of: Case<A>): Case<unknown> {
  return of as unknown as Case<unknown>
}

export function builtOf(bytes: Uint8Array): Built {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    off: view.getBigUint64(8, true),
    addr: view.getBigUint64(16, true),
    addr3: view.getBigUint64(48, true),
  }
}

/** Options with some of these keys, each choice of keys equally likely; or no options. */
export function optional<T extends object>(model: {
  [K in keyof T]-?: fc.Arbitrary<Exclude<T[K], undefined>>
}): fc.Arbitrary<T | undefined> {
  const keys = Object.keys(model) as (keyof T)[]
  const all = fc.record(model as { [K in keyof T]-?: fc.Arbitrary<T[K]> })
  const chosen = fc.tuple(all, fc.tuple(...keys.map(() => fc.boolean())))
  const some = chosen.map(([values, choice]) =>
    Object.fromEntries(Object.entries(values).filter((_, index) => choice[index])),
  )
  return fc.oneof({ arbitrary: some as fc.Arbitrary<T>, weight: 9 }, fc.constant(undefined))
}

// ---- fields that several operations have

export function descriptorOf(given: Exclude<FileTarget, FixedFile>): number {
  return typeof given === 'number' ? given : given.fd
}

export function indexOf(given: FileTarget): number {
  return given instanceof FixedFile ? given.index : descriptorOf(given)
}

export function fileFlags(given: FileTarget): number {
  return given instanceof FixedFile ? IOSQE.FIXED_FILE : 0
}

/** A field, if it was given. */
export function given<K extends string>(name: K, value: Value | undefined): Fields {
  return value === undefined ? {} : { [name]: value }
}

/** Variants that every operation on a file has. */
export const FILES: Record<string, (given: readonly [FileTarget, ...unknown[]]) => boolean> = {
  'a descriptor': ([file]) => typeof file === 'number',
  'an object with a descriptor': ([file]) => typeof file === 'object' && 'fd' in file,
  'a registered file': ([file]) => file instanceof FixedFile,
}

// ---- fields of every entry

export interface Modifiers {
  link: boolean
  hardLink: boolean
  drain: boolean
  async: boolean
  skipSuccess: boolean
  personality?: number
}

export const modifiers: fc.Arbitrary<Modifiers> = fc.record(
  {
    link: boolean,
    hardLink: boolean,
    drain: boolean,
    async: boolean,
    skipSuccess: boolean,
    personality: u16,
  },
  { requiredKeys: ['link', 'hardLink', 'drain', 'async', 'skipSuccess'] },
)

export function modify(operation: Operation<unknown>, given: Modifiers): void {
  if (given.link) operation.link()
  if (given.hardLink) operation.hardLink()
  if (given.drain) operation.drain()
  if (given.async) operation.async()
  if (given.skipSuccess) operation.skipSuccess()
  if (given.personality !== undefined) operation.personality(given.personality)
}

export function modifyNative(operation: NativeOperation, given: Modifiers, more: number): void {
  const flags =
    (given.link ? IOSQE.IO_LINK : 0) |
    (given.hardLink ? IOSQE.IO_HARDLINK : 0) |
    (given.drain ? IOSQE.IO_DRAIN : 0) |
    (given.async ? IOSQE.ASYNC : 0) |
    (given.skipSuccess ? IOSQE.CQE_SKIP_SUCCESS : 0)
  operation.sqeFlags(flags)
  operation.sqeFlags(more) // they add up
  if (given.personality !== undefined) operation.personality(given.personality)
}
