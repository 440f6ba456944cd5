// The cases of ProvideBuffers, RemoveBuffers and ReadMulti.

import * as fc from 'fast-check'
import {
  type Bytes,
  type FileTarget,
  type GroupTarget,
  ProvideBuffers,
  ReadMulti,
  type ReadMultiOptions,
  RemoveBuffers,
} from 'uring'
import { file, MAX_U16, offset, u16, u32 } from '../base/arbitraries.ts'
import { type Case, define, fileFlags, FILES, given, indexOf, optional } from '../base/conformance-case.ts'
import { addressOf, contentOf } from '../base/process-memory.ts'
import {
  absent,
  type Bad,
  u16 as badU16,
  u32 as badU32,
  KINDS,
  noInteger,
  RANGE,
  these,
  within,
} from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

const group: fc.Arbitrary<GroupTarget> = fc.oneof(
  u16,
  u16.map((number) => ({ group: number })),
)

function numberOf(target: GroupTarget): number {
  return typeof target === 'number' ? target : target.group
}

/** Virtual memory, which is allocated only when it is used. */
const MEMORY = new ArrayBuffer(64 << 20)

type Provided = [memory: Bytes, size: number, count: number, group: GroupTarget, firstId: number]

const counts = fc.oneof(
  { arbitrary: fc.integer({ min: 1, max: 65_536 }), weight: 5 },
  fc.constantFrom(1, 65_536),
)

const provided: fc.Arbitrary<Provided> = fc
  .record({
    count: counts,
    size: fc.integer({ min: 1, max: 1000 }),
    from: fc.nat(2000),
    rest: fc.nat(7),
    place: fc.double({ min: 0, max: 1, noNaN: true }),
    last: fc.boolean(),
    whole: fc.boolean(),
    group,
  })
  .map(({ count, size, from, rest, place, last, whole, group }) => {
    const most = 65_536 - count
    const firstId = Math.min(last ? most : Math.floor(place * most), MAX_U16)
    if (whole)
      return [
        new ArrayBuffer(Math.min(count, 64) * 8),
        8,
        Math.min(count, 64),
        group,
        Math.min(firstId, 60_000),
      ]
    const length = Math.min(count * size + rest, MEMORY.byteLength - from)
    return [
      new Uint8Array(MEMORY, from, length),
      size,
      Math.min(count, Math.floor(length / size)),
      group,
      firstId,
    ]
  })

const GROUPS: Record<string, (target: GroupTarget) => boolean> = {
  'a group by number': (target) => typeof target === 'number',
  'a group by object': (target) => typeof target === 'object',
  'the first group': (target) => target === 0,
  'the last group': (target) => target === MAX_U16,
}

function groups<A>(of: (given: A) => GroupTarget): Record<string, (given: A) => boolean> {
  return Object.fromEntries(Object.entries(GROUPS).map(([name, is]) => [name, (given: A) => is(of(given))]))
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  ProvideBuffers: define<Provided>({
    arguments: provided,
    facade: ([memory, size, count, group, firstId]) =>
      firstId === 0
        ? new ProvideBuffers(memory, size, count, group)
        : new ProvideBuffers(memory, size, count, group, firstId),
    native: ([memory, size, count, group, firstId]) => ({
      fields: { memory: addressOf(memory), size, count, group: numberOf(group), first_id: firstId },
    }),
    memory: ([memory]) => [[addressOf(memory), contentOf(memory).subarray(0, 16)]],
    variants: {
      ...groups<Provided>(([, , , group]) => group),
      'one buffer': ([, , count]) => count === 1,
      'the maximum number of buffers': ([, , count]) => count === 65_536,
      'the last number': ([, , count, , firstId]) => count > 1 && firstId + count === 65_536 && firstId > 0,
      'all memory': ([memory, size, count]) => memory.byteLength === size * count,
      'a rest of the memory': ([memory, size, count]) => memory.byteLength > size * count,
      'a buffer without a view': ([memory]) => memory instanceof ArrayBuffer,
    },
  }),

  RemoveBuffers: define<[count: number, group: GroupTarget]>({
    arguments: fc.tuple(counts, group),
    facade: ([count, group]) => new RemoveBuffers(count, group),
    native: ([count, group]) => ({ fields: { count, group: numberOf(group) } }),
    variants: {
      ...groups<[number, GroupTarget]>(([, group]) => group),
      'one buffer': ([count]) => count === 1,
      'the maximum number of buffers': ([count]) => count === 65_536,
    },
  }),

  ReadMulti: define<[file: FileTarget, group: GroupTarget, options: ReadMultiOptions | undefined]>({
    arguments: fc.tuple(file, group, optional<ReadMultiOptions>({ length: u32, offset })),
    facade: ([file, group, options]) => new ReadMulti(file, group, options),
    native: ([file, group, options]) => ({
      fields: {
        file: indexOf(file),
        group: numberOf(group),
        ...given('length', options?.length),
        ...given('offset', options?.offset),
      },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      ...groups<[FileTarget, GroupTarget, unknown]>(([, group]) => group),
      'no options': ([, , options]) => options === undefined,
      'no offset': ([, , options]) => options !== undefined && options.offset === undefined,
      'an offset beyond 2^53': ([, , options]) => (options?.offset ?? 0) > 2n ** 53n,
      'a length beyond 31 bits': ([, , options]) => (options?.length ?? 0) > 0x7fff_ffff,
    },
  }),
}

const badGroup: Bad[] = [
  ...badU16.filter(([value]) => typeof value !== 'object'),
  ...within('group', badU16).map(([value, code]): Bad => [value, code]),
  ...these([{ group: undefined }, {}, [], null, new Uint8Array(8)], 'ERR_INVALID_ARG_TYPE'),
]
const count = noInteger(1, 65_536)
const aGroup = [badGroup, () => 1] as const

export const ARGUMENTS: Record<string, Subject> = {
  ProvideBuffers: {
    Class: ProvideBuffers,
    positional: {
      memory: [KINDS.bytes, () => Buffer.alloc(100)],
      size: [[...noInteger(1, 0xffff_ffff), ...these([101, 0xffff_ffff], RANGE)], () => 10],
      count: [[...count, ...these([11, 65_536], RANGE)], () => 2],
      group: aGroup,
      firstId: [[...absent(badU16), ...these([65_535], RANGE)], () => 65_534],
    },
    options: undefined,
  },
  RemoveBuffers: {
    Class: RemoveBuffers,
    positional: { count: [count, () => 1], group: aGroup },
    options: undefined,
  },
  ReadMulti: {
    Class: ReadMulti,
    positional: { file: [KINDS.file, () => 0], group: aGroup },
    options: { length: badU32, offset: KINDS.offset },
  },
}
