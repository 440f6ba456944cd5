// The cases of ProvideBuffers and RemoveBuffers.

import * as fc from 'fast-check'
import { type Bytes, type GroupTarget, ProvideBuffers, RemoveBuffers } from 'uring'
import { groupNumber, groupTarget, MAX_U16 } from '../base/arbitraries.ts'
import { type Case, define } from '../base/conformance-case.ts'
import { addressOf, contentOf } from '../base/process-memory.ts'
import { absent, KINDS, noInteger, RANGE, these } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

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
    group: groupTarget,
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
      fields: { memory: addressOf(memory), size, count, group: groupNumber(group), first_id: firstId },
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
    arguments: fc.tuple(counts, groupTarget),
    facade: ([count, group]) => new RemoveBuffers(count, group),
    native: ([count, group]) => ({ fields: { count, group: groupNumber(group) } }),
    variants: {
      ...groups<[number, GroupTarget]>(([, group]) => group),
      'one buffer': ([count]) => count === 1,
      'the maximum number of buffers': ([count]) => count === 65_536,
    },
  }),
}

const count = noInteger(1, 65_536)
const aGroup = [KINDS.group, () => 1] as const

export const ARGUMENTS: Record<string, Subject> = {
  ProvideBuffers: {
    Class: ProvideBuffers,
    positional: {
      memory: [KINDS.bytes, () => Buffer.alloc(100)],
      size: [[...noInteger(1, 0xffff_ffff), ...these([101, 0xffff_ffff], RANGE)], () => 10],
      count: [[...count, ...these([11, 65_536], RANGE)], () => 2],
      group: aGroup,
      firstId: [[...absent(KINDS.u16), ...these([65_535], RANGE)], () => 65_534],
    },
    options: undefined,
  },
  RemoveBuffers: {
    Class: RemoveBuffers,
    positional: { count: [count, () => 1], group: aGroup },
    options: undefined,
  },
}
