// The arguments of Fsync and of the operations on ranges of files and memory.

import { Fadvise, Fallocate, Fsync, Ftruncate, Madvise, SyncFileRange } from 'uring'
import { KINDS, MAX_I32, noInteger } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

const aFile = [KINDS.file, () => 0] as const
const advice = [noInteger(0, MAX_I32), () => 0] as const
const aLength = [KINDS.offset, () => 8] as const

export const ARGUMENTS: Record<string, Subject> = {
  Fsync: {
    Class: Fsync,
    positional: { file: aFile },
    options: { datasync: KINDS.boolean, offset: KINDS.offset, length: KINDS.length },
  },
  SyncFileRange: {
    Class: SyncFileRange,
    positional: { file: aFile },
    options: { offset: KINDS.offset, length: KINDS.length, flags: KINDS.mask },
  },
  Fallocate: {
    Class: Fallocate,
    positional: { file: aFile, length: aLength },
    options: { offset: KINDS.offset, mode: KINDS.mask },
  },
  Ftruncate: { Class: Ftruncate, positional: { file: aFile, length: aLength }, options: undefined },
  Fadvise: {
    Class: Fadvise,
    positional: { file: aFile, advice },
    options: { offset: KINDS.offset, length: KINDS.offset },
  },
  Madvise: {
    Class: Madvise,
    positional: { bytes: [KINDS.bytes, () => Buffer.alloc(8)], advice },
    options: undefined,
  },
}
