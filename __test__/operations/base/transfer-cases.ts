// The options of all reads and writes: how they are encoded, and which values they refuse.

import * as fc from 'fast-check'
import type { FileTarget, Integrity, TransferOptions, WriteOptions } from 'uring'
import { bytes, mask, MAX_U64, offset, struct, u16, wide } from './arbitraries.ts'
import { KINDS } from './bad-values.ts'
import { type Built, FILES, given, optional } from './conformance-case.ts'
import type { Fields } from './native-rows.ts'
import { addressOf, dataAt, type Expected } from './process-memory.ts'

const integrity: fc.Arbitrary<Integrity> = fc.record(
  { bytes, flags: u16, appTag: u16, seed: wide(MAX_U64) },
  { requiredKeys: ['bytes'] },
)
const options = { offset, flags: mask, ioprio: u16, integrity }
export const transferOptions = optional<TransferOptions>(options)
export const writeOptions = optional<WriteOptions>({
  ...options,
  writeStream: fc.oneof({ arbitrary: fc.nat(255), weight: 5 }, fc.constant(255)),
})

/** The arguments of a transfer. */
export type TransferGiven<B> = [file: FileTarget, bytes: B, options: WriteOptions | undefined]

export function transferFields(options: WriteOptions | undefined, { addr3 }: Built): Fields {
  return {
    ...given('offset', options?.offset),
    ...given('rw_flags', options?.flags === undefined ? undefined : options.flags >>> 0),
    ...given('ioprio', options?.ioprio),
    ...given('write_stream', options?.writeStream),
    ...(options?.integrity === undefined ? {} : { attributes: addr3, attribute_mask: 1 }),
  }
}

/** `struct io_uring_attr_pi` at the address of the entry, if there is any, and the bytes that it points at. */
export function integrityAt(options: TransferOptions | undefined, { addr3 }: Built): Expected[] {
  if (options?.integrity === undefined) return []
  const { bytes, flags = 0, appTag = 0, seed = 0 } = options.integrity
  const first = BigInt(flags) | (BigInt(appTag) << 16n) | (BigInt(bytes.byteLength) << 32n)
  return [[addr3, struct([first, addressOf(bytes), BigInt(seed), 0n])], dataAt(bytes)]
}

/** Variants that every transfer has. */
export const TRANSFERS: Record<string, (given: TransferGiven<unknown>) => boolean> = {
  ...FILES,
  'no options': ([, , options]) => options === undefined,
  'no offset': ([, , options]) => options !== undefined && options.offset === undefined,
  'an offset that is a number': ([, , options]) => typeof options?.offset === 'number',
  'an offset beyond 2^53': ([, , options]) => (options?.offset ?? 0) > 2n ** 53n,
  'flags with bit 31': ([, , options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
  'flags below zero': ([, , options]) => (options?.flags ?? 0) < 0,
  'a priority': ([, , options]) => (options?.ioprio ?? 0) > 0,
  'only a priority': ([, , options]) => Object.keys(options ?? {}).join() === 'ioprio',
  'only integrity': ([, , options]) => Object.keys(options ?? {}).join() === 'integrity',
  'integrity of nothing': ([, , options]) => options?.integrity?.bytes.byteLength === 0,
}

/** Variants that every write has. */
export const WRITES: Record<string, (given: TransferGiven<unknown>) => boolean> = {
  ...TRANSFERS,
  'only a write stream': ([, , options]) => Object.keys(options ?? {}).join() === 'writeStream',
  'the last write stream': ([, , options]) => options?.writeStream === 255,
}

/** Bad values of the options. */
export const TRANSFER_KINDS = {
  offset: KINDS.offset,
  flags: KINDS.mask,
  ioprio: KINDS.u16,
  integrity: KINDS.integrity,
}
export const WRITE_KINDS = { ...TRANSFER_KINDS, writeStream: KINDS.byte }
/** Options that become fields only if they are given. */
export const RARE = ['ioprio', 'integrity']
