// The arguments of ts/operations/epoll.ts.

import { EpollCtl, EpollWait, FixedFile } from 'uring'
import { allBut, type Bad, KINDS, noInteger, RANGE, these, TYPE, VALUE } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** A descriptor: the kernel takes no registered file in its place. */
const descriptor: Bad[] = [...KINDS.file, [new FixedFile(3), TYPE]]
const action: Bad[] = [
  ...allBut([], VALUE),
  ...these(['ADD', 'add ', 'delete', 'toString', '__proto__', ['add'], Object('add'), 1], VALUE),
]
/** 64 bits. */
const data: Bad[] = [
  ...KINDS.offset.filter(([value]) => value !== 2n ** 63n),
  ...these([2n ** 64n, 2n ** 64n + 1n], RANGE),
]

export const ARGUMENTS: Record<string, Subject> = {
  EpollCtl: {
    Class: EpollCtl,
    positional: {
      epollFd: [descriptor, () => 3],
      action: [action, () => 'add'],
      file: [descriptor, () => ({ fd: 4 })],
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
