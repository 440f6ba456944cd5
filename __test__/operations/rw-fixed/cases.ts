// The cases of ReadFixed, WriteFixed, ReadvFixed and WritevFixed.

import * as fc from 'fast-check'
import { FixedBuffer, ReadFixed, ReadvFixed, WriteFixed, type WriteOptions, WritevFixed } from 'uring'
import { bytes, file, MAX_U16, u16 } from '../base/arbitraries.ts'
import type { Subject } from '../base/argument-subject.ts'
import { allBut, type Bad, KINDS, RANGE, these, TYPE, VALUE } from '../base/bad-values.ts'
import { type Case, define, fileFlags, indexOf } from '../base/conformance-case.ts'
import { addressOf, dataAt, vectorAt } from '../base/process-memory.ts'
import {
  integrityAt,
  RARE,
  TRANSFER_KINDS,
  transferFields,
  type TransferGiven,
  transferOptions,
  TRANSFERS,
  WRITE_KINDS,
  writeOptions,
  WRITES,
} from '../base/transfer-cases.ts'

const fixed = fc.tuple(u16, bytes).map(([index, view]) => new FixedBuffer(index, view))

const ONE: Record<string, (given: TransferGiven<FixedBuffer>) => boolean> = {
  'no bytes': ([, { view }]) => view.byteLength === 0,
  'the last buffer': ([, { index }]) => index === MAX_U16,
}

function one(
  make: (given: TransferGiven<FixedBuffer>) => ReadFixed | WriteFixed,
  options: fc.Arbitrary<WriteOptions | undefined>,
  variants: Record<string, (given: TransferGiven<FixedBuffer>) => boolean>,
): Case<unknown> {
  return define<TransferGiven<FixedBuffer>>({
    arguments: fc.tuple(file, fixed, options),
    facade: make,
    native: ([file, { index, view }, options], built) => ({
      fields: {
        file: indexOf(file),
        buffer: addressOf(view),
        length: view.byteLength,
        buffer_index: index,
        ...transferFields(options, built),
      },
      flags: fileFlags(file),
    }),
    memory: ([, { view }, options], built) => [dataAt(view), ...integrityAt(options, built)],
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

const SEVERAL: Record<string, (given: TransferGiven<FixedBuffer[]>) => boolean> = {
  'no buffers': ([, buffers]) => buffers.length === 0,
  'as many buffers as there can be': ([, buffers]) => buffers.length === 1024,
  'an empty buffer': ([, buffers]) => buffers.some(({ view }) => view.byteLength === 0),
}

function many(
  make: (given: TransferGiven<FixedBuffer[]>) => ReadvFixed | WritevFixed,
  options: fc.Arbitrary<WriteOptions | undefined>,
  variants: Record<string, (given: TransferGiven<FixedBuffer[]>) => boolean>,
): Case<unknown> {
  return define<TransferGiven<FixedBuffer[]>>({
    arguments: fc.tuple(file, parts, options),
    facade: make,
    native: ([file, buffers, options], built) => ({
      fields: {
        file: indexOf(file),
        iovecs: built.addr,
        count: buffers.length,
        buffer_index: buffers[0]?.index ?? 0,
        ...transferFields(options, built),
      },
      flags: fileFlags(file),
    }),
    memory: ([, buffers, options], built) => [
      ...vectorAt(
        built.addr,
        buffers.map(({ view }) => view),
      ),
      ...integrityAt(options, built),
    ],
    variants,
  })
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  ReadFixed: one(([file, buffer, options]) => new ReadFixed(file, buffer, options), transferOptions, {
    ...TRANSFERS,
    ...ONE,
  }),
  WriteFixed: one(([file, buffer, options]) => new WriteFixed(file, buffer, options), writeOptions, {
    ...WRITES,
    ...ONE,
  }),
  ReadvFixed: many(([file, buffers, options]) => new ReadvFixed(file, buffers, options), transferOptions, {
    ...TRANSFERS,
    ...SEVERAL,
  }),
  WritevFixed: many(([file, buffers, options]) => new WritevFixed(file, buffers, options), writeOptions, {
    ...WRITES,
    ...SEVERAL,
  }),
}

// ---- arguments

const badBuffer: Bad[] = [
  ...allBut([]),
  ...these([{ index: 0, view: Buffer.alloc(8) }, [new FixedBuffer(0, Buffer.alloc(8))]], TYPE),
]
function part(index: number): FixedBuffer {
  return new FixedBuffer(index, Buffer.alloc(8))
}
const badParts: Bad[] = [
  ...allBut(['array']),
  ...these([{ length: 1, 0: part(0) }, new Set([part(0)])], TYPE),
  ...these([[8], [null], Array.from({ length: 1 }), [Buffer.alloc(8)]], TYPE, '[0]'),
  ...these([[part(0), 'x'], Object.assign([part(0)], { length: 2 })], TYPE, '[1]'),
  ...these(
    [
      [part(0), part(1)],
      [part(9), part(8), part(9)],
    ],
    VALUE,
    '[1]',
  ),
  ...these([[part(3), part(3), part(0)]], VALUE, '[2]'),
  ...these([Array.from({ length: 1025 }, () => part(0))], RANGE, '.length'),
]
const aFile = [KINDS.file, () => 0] as const
const aBuffer = [badBuffer, () => part(2)] as const
const someParts = [badParts, () => [part(2), part(2)]] as const

export const ARGUMENTS: Record<string, Subject> = {
  ReadFixed: {
    Class: ReadFixed,
    positional: { file: aFile, buffer: aBuffer },
    options: TRANSFER_KINDS,
    rare: RARE,
  },
  WriteFixed: {
    Class: WriteFixed,
    positional: { file: aFile, buffer: aBuffer },
    options: WRITE_KINDS,
    rare: RARE,
  },
  ReadvFixed: {
    Class: ReadvFixed,
    positional: { file: aFile, buffers: someParts },
    options: TRANSFER_KINDS,
    rare: RARE,
  },
  WritevFixed: {
    Class: WritevFixed,
    positional: { file: aFile, buffers: someParts },
    options: WRITE_KINDS,
    rare: RARE,
  },
}
