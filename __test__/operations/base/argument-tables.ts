// Which argument and which option of every operation is of which kind, and how to make the operation.

import { Nop, Read, Readv, Write, Writev } from 'uring'
import { ARGUMENTS } from './families.ts'
import { KINDS, TYPE } from './bad-values.ts'
import type { AnyOperation, Subject } from './argument-subject.ts'

const transfer = { offset: KINDS.offset, flags: KINDS.mask, ioprio: KINDS.mode, integrity: KINDS.integrity }
const write = { ...transfer, writeStream: KINDS.byte }
const aFile = [KINDS.file, () => 0] as const
const aVector = [KINDS.vector, () => [Buffer.alloc(8)]] as const

/** Every argument of every operation. */
export const OPERATIONS: Record<string, Subject> = {
  ...ARGUMENTS,
  Nop: {
    Class: Nop,
    positional: {},
    options: {
      result: KINDS.result,
      file: KINDS.file,
      fixedBuffer: KINDS.fixedBuffer,
      taskWork: KINDS.boolean,
      extra: KINDS.extra,
    },
  },
  Read: {
    Class: Read,
    positional: { file: aFile, bytes: [KINDS.bytesOrGroup, () => Buffer.alloc(8)] },
    options: transfer,
  },
  Write: {
    Class: Write,
    positional: { file: aFile, bytes: [[...KINDS.bytes, [{ group: 1 }, TYPE]], () => Buffer.alloc(8)] },
    options: write,
  },
  Readv: {
    Class: Readv,
    positional: { file: aFile, buffers: [KINDS.vectorOrGroup, () => [Buffer.alloc(8)]] },
    options: transfer,
  },
  Writev: { Class: Writev, positional: { file: aFile, buffers: aVector }, options: write },
}

export function make({ Class }: Subject, args: readonly unknown[]): AnyOperation {
  return new (Class as unknown as new (...args: readonly unknown[]) => AnyOperation)(...args)
}

/** Good arguments for every position. */
export function goodArguments({ positional }: Subject): unknown[] {
  return Object.values(positional).map(([, good]) => good())
}

export function good(subject: Subject): AnyOperation {
  return make(subject, goodArguments(subject))
}
