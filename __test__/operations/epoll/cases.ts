// The cases of EpollCtl and EpollWait.

import * as fc from 'fast-check'
import {
  type EpollAction,
  EpollCtl,
  type EpollCtlOptions,
  EpollWait,
  type FileTarget,
  FixedFile,
} from 'uring'
import { file, mask, MAX_I32, MAX_U64, wide } from '../base/arbitraries.ts'
import {
  type Case,
  define,
  descriptorOf,
  fileFlags,
  FILES,
  indexOf,
  optional,
} from '../base/conformance-case.ts'
import { allBut, type Bad, KINDS, noInteger, RANGE, these, TYPE, VALUE } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** From <sys/epoll.h>: not the facade's own constants. */
const EPOLL_CTL = { add: 1, del: 2, mod: 3 } as const

type Descriptor = ConstructorParameters<typeof EpollCtl>[0]

const fd = fc.oneof({ arbitrary: fc.nat(MAX_I32), weight: 5 }, fc.constantFrom(0, 1, 2, MAX_I32))
const descriptor: fc.Arbitrary<Descriptor> = fc.oneof(
  fd,
  fd.map((number) => ({ fd: number })),
)

/** `struct epoll_event`: the kernel's own headers pack it on x86_64, and only there. */
function eventOf(events: number, data: number | bigint): Uint8Array {
  const packed = process.arch === 'x64'
  const view = new DataView(new ArrayBuffer(packed ? 12 : 16))
  view.setUint32(0, events, true)
  view.setBigUint64(packed ? 4 : 8, BigInt(data), true)
  return new Uint8Array(view.buffer)
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  EpollCtl: define<[Descriptor, EpollAction, Descriptor, EpollCtlOptions | undefined]>({
    arguments: fc.tuple(
      descriptor,
      fc.constantFrom<EpollAction>('add', 'mod', 'del'),
      descriptor,
      optional<EpollCtlOptions>({ events: mask, data: wide(MAX_U64) }),
    ),
    facade: ([epollFd, action, file, options]) => new EpollCtl(epollFd, action, file, options),
    native: ([epollFd, action, file], { addr }) => ({
      fields: {
        epfd: descriptorOf(epollFd),
        fd: descriptorOf(file),
        op: EPOLL_CTL[action],
        event: action === 'del' ? 0 : addr,
      },
    }),
    memory: ([, action, , options], { addr }) =>
      action === 'del' ? [] : [[addr, eventOf(options?.events ?? 0, options?.data ?? 0)]],
    variants: {
      add: ([, action]) => action === 'add',
      mod: ([, action]) => action === 'mod',
      del: ([, action, , options]) => action === 'del' && options !== undefined,
      'an epoll by its number': ([epollFd]) => typeof epollFd === 'number',
      'an epoll by an object': ([epollFd]) => typeof epollFd === 'object',
      'a file by its number': ([, , file]) => typeof file === 'number',
      'a file by an object': ([, , file]) => typeof file === 'object',
      'no options': ([, , , options]) => options === undefined,
      'data beyond 2^63': ([, , , options]) => (options?.data ?? 0) >= 2n ** 63n,
      'data as a number beyond 2^32': ([, , , options]) =>
        typeof options?.data === 'number' && options.data > 2 ** 32,
      'a negative mask': ([, , , options]) => (options?.events ?? 0) < 0,
    },
  }),

  EpollWait: define<[FileTarget, number]>({
    arguments: fc.tuple(file, fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.constantFrom(1, 2))),
    facade: ([file, maxEvents]) => new EpollWait(file, maxEvents),
    native: ([file, maxEvents], { addr }) => ({
      fields: { file: indexOf(file), events: addr, count: maxEvents },
      flags: fileFlags(file),
    }),
    memory: ([, maxEvents], { addr }) => [
      [addr, new Uint8Array(maxEvents * (process.arch === 'x64' ? 12 : 16))],
    ],
    variants: {
      ...FILES,
      'one event': ([, maxEvents]) => maxEvents === 1,
      'more than a chunk of memory': ([, maxEvents]) => maxEvents > 2000,
    },
  }),
}

/** Values that are no descriptor: a fixed file is refused too. */
const badDescriptor: Bad[] = [...KINDS.file, [new FixedFile(3), TYPE]]
const action: Bad[] = [
  ...allBut([], VALUE),
  ...these(['ADD', 'add ', 'delete', 'toString', '__proto__', ['add'], Object('add'), 1], VALUE),
]
/** Values that do not fit 64 bits. */
const data: Bad[] = [
  ...KINDS.offset.filter(([value]) => value !== 2n ** 63n),
  ...these([2n ** 64n, 2n ** 64n + 1n], RANGE),
]

export const ARGUMENTS: Record<string, Subject> = {
  EpollCtl: {
    Class: EpollCtl,
    positional: {
      epollFd: [badDescriptor, () => 3],
      action: [action, () => 'add'],
      file: [badDescriptor, () => ({ fd: 4 })],
    },
    options: { events: KINDS.mask, data },
  },
  EpollWait: {
    Class: EpollWait,
    positional: {
      epollFd: [KINDS.file, () => 3],
      maxEvents: [[...noInteger(1, 2 ** 27 - 1), ...these([0, 2 ** 31], RANGE)], () => 1],
    },
    options: undefined,
  },
}
