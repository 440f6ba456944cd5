// The cases of Ftruncate.

import * as fc from 'fast-check'
import { type FileTarget, Ftruncate } from 'uring'
import { file } from '../base/arbitraries.ts'
import { type Case, define, fileFlags, FILES, indexOf } from '../base/conformance-case.ts'
import type { Value } from '../base/native-rows.ts'
import { size } from '../base/ranges.ts'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

export const CONFORMANCE: Record<string, Case<unknown>> = {
  Ftruncate: define<[FileTarget, Value]>({
    arguments: fc.tuple(file, size),
    facade: ([file, length]) => new Ftruncate(file, length),
    native: ([file, length]) => ({ fields: { file: indexOf(file), length }, flags: fileFlags(file) }),
    variants: {
      ...FILES,
      'no length': ([, length]) => length === 0,
      'a length beyond 2^32': ([, length]) => typeof length === 'number' && length >= 2 ** 32,
      'a length beyond 2^53': ([, length]) => length > 2n ** 53n,
    },
  }),
}

const aFile = [KINDS.file, () => 0] as const
const aLength = [KINDS.offset, () => 8] as const

export const ARGUMENTS: Record<string, Subject> = {
  Ftruncate: { Class: Ftruncate, positional: { file: aFile, length: aLength }, options: undefined },
}
