// The cases of ts/operations/fixed.ts: ReadFixed, WriteFixed, ReadvFixed, WritevFixed.

import * as fc from 'fast-check'
import {
  type FileTarget,
  FixedBuffer,
  type Integrity,
  ReadFixed,
  ReadvFixed,
  type TransferOptions,
  WriteFixed,
  type WriteOptions,
  WritevFixed,
} from 'uring'
import { bytes, file, mask, MAX_U16, MAX_U64, offset, struct, u16, wide } from '../base/arbitraries.ts'
import {
  type Built,
  type Case,
  define,
  fileFlags,
  FILES,
  given,
  indexOf,
  optional,
} from '../base/conformance-case.ts'
import { addressOf, contentOf, type Expected } from '../base/process-memory.ts'
import type { Fields } from '../base/native-rows.ts'

const fixed = fc.tuple(u16, bytes).map(([index, view]) => new FixedBuffer(index, view))

const integrity: fc.Arbitrary<Integrity> = fc.record(
  { bytes, flags: u16, appTag: u16, seed: wide(MAX_U64) },
  { requiredKeys: ['bytes'] },
)
const model = { offset, flags: mask, ioprio: u16, integrity }
const transferOptions = optional<TransferOptions>(model)
const writeOptions = optional<WriteOptions>({ ...model, writeStream: fc.integer({ min: 0, max: 255 }) })

type Given<B> = [file: FileTarget, buffer: B, options: WriteOptions | undefined]

function optionFields(options: WriteOptions | undefined, { addr3 }: Built): Fields {
  return {
    ...given('offset', options?.offset),
    ...given('rw_flags', options?.flags === undefined ? undefined : options.flags >>> 0),
    ...given('ioprio', options?.ioprio),
    ...given('write_stream', options?.writeStream),
    ...(options?.integrity === undefined ? {} : { attributes: addr3, attribute_mask: 1 }),
  }
}

/** `struct io_uring_attr_pi` at the address of the entry, and what it points at. */
function integrityAt(options: WriteOptions | undefined, { addr3 }: Built): Expected[] {
  if (options?.integrity === undefined) return []
  const { bytes, flags = 0, appTag = 0, seed = 0 } = options.integrity
  const first = BigInt(flags) | (BigInt(appTag) << 16n) | (BigInt(bytes.byteLength) << 32n)
  return [
    [addr3, struct([first, addressOf(bytes), BigInt(seed), 0n])],
    [addressOf(bytes), contentOf(bytes)],
  ]
}

const OPTIONS: Record<string, (given: Given<unknown>) => boolean> = {
  ...FILES,
  'no options': ([, , options]) => options === undefined,
  'no offset': ([, , options]) => options !== undefined && options.offset === undefined,
  'an offset that is a number': ([, , options]) => typeof options?.offset === 'number',
  'an offset beyond 2^53': ([, , options]) => (options?.offset ?? 0) > 2n ** 53n,
  'flags with bit 31': ([, , options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
  'a priority': ([, , options]) => (options?.ioprio ?? 0) > 0,
  integrity: ([, , options]) => options?.integrity !== undefined,
}

const ONE: Record<string, (given: Given<FixedBuffer>) => boolean> = {
  ...OPTIONS,
  'no bytes': ([, { view }]) => view.byteLength === 0,
  'the last buffer': ([, { index }]) => index === MAX_U16,
}

const WRITES: Record<string, (given: Given<unknown>) => boolean> = {
  'the last write stream': ([, , options]) => options?.writeStream === 255,
}

function one(
  make: (given: Given<FixedBuffer>) => ReadFixed | WriteFixed,
  options: fc.Arbitrary<WriteOptions | undefined>,
  variants: Record<string, (given: Given<FixedBuffer>) => boolean>,
): Case<unknown> {
  return define<Given<FixedBuffer>>({
    arguments: fc.tuple(file, fixed, options),
    facade: make,
    native: ([file, { index, view }, options], built) => ({
      fields: {
        file: indexOf(file),
        buffer: addressOf(view),
        length: view.byteLength,
        buffer_index: index,
        ...optionFields(options, built),
      },
      flags: fileFlags(file),
    }),
    memory: ([, { view }, options], built) => [
      [addressOf(view), contentOf(view)],
      ...integrityAt(options, built),
    ],
    variants,
  })
}

const parts: fc.Arbitrary<FixedBuffer[]> = fc
  .oneof(
    { arbitrary: fc.tuple(u16, fc.array(bytes, { maxLength: 6 })), weight: 60 },
    fc.tuple(
      u16,
      bytes.map((buffer) => Array.from({ length: 1024 }, () => buffer)),
    ),
  )
  .map(([index, views]) => views.map((view) => new FixedBuffer(index, view)))

const MULTISHOT: Record<string, (given: Given<FixedBuffer[]>) => boolean> = {
  ...OPTIONS,
  'no buffers': ([, buffers]) => buffers.length === 0,
  'as many buffers as there can be': ([, buffers]) => buffers.length === 1024,
  'an empty buffer': ([, buffers]) => buffers.some(({ view }) => view.byteLength === 0),
}

function many(
  make: (given: Given<FixedBuffer[]>) => ReadvFixed | WritevFixed,
  options: fc.Arbitrary<WriteOptions | undefined>,
  variants: Record<string, (given: Given<FixedBuffer[]>) => boolean>,
): Case<unknown> {
  return define<Given<FixedBuffer[]>>({
    arguments: fc.tuple(file, parts, options),
    facade: make,
    native: ([file, buffers, options], built) => ({
      fields: {
        file: indexOf(file),
        iovecs: built.addr,
        count: buffers.length,
        buffer_index: buffers[0]?.index ?? 0,
        ...optionFields(options, built),
      },
      flags: fileFlags(file),
    }),
    memory: ([, buffers, options], built) => [
      [built.addr, struct(buffers.flatMap(({ view }) => [addressOf(view), BigInt(view.byteLength)]))],
      ...buffers.slice(0, 6).map(({ view }): Expected => [addressOf(view), contentOf(view)]),
      ...integrityAt(options, built),
    ],
    variants,
  })
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  ReadFixed: one(([file, buffer, options]) => new ReadFixed(file, buffer, options), transferOptions, ONE),
  WriteFixed: one(([file, buffer, options]) => new WriteFixed(file, buffer, options), writeOptions, {
    ...ONE,
    ...WRITES,
  }),
  ReadvFixed: many(
    ([file, buffers, options]) => new ReadvFixed(file, buffers, options),
    transferOptions,
    MULTISHOT,
  ),
  WritevFixed: many(([file, buffers, options]) => new WritevFixed(file, buffers, options), writeOptions, {
    ...MULTISHOT,
    ...WRITES,
  }),
}
