// The cases of Nop.

import * as fc from 'fast-check'
import { FixedFile, Nop, type NopOptions } from 'uring'
import { boolean, file, i32, MAX_U64, u16, wide } from '../base/arbitraries.ts'
import type { Subject } from '../base/argument-subject.ts'
import { KINDS } from '../base/bad-values.ts'
import { type Case, define, given, indexOf, optional } from '../base/conformance-case.ts'

/** Flags from <linux/io_uring.h>: not the facade's own constants. */
const NOP = { INJECT_RESULT: 1, FILE: 2, FIXED_FILE: 4, FIXED_BUFFER: 8, TW: 16, CQE32: 32 } as const

export const CONFORMANCE: Record<string, Case<unknown>> = {
  Nop: define<[NopOptions | undefined]>({
    arguments: fc.tuple(
      optional<NopOptions>({
        result: i32,
        file,
        fixedBuffer: fc.oneof(
          u16,
          u16.map((index) => ({ index })),
        ),
        taskWork: boolean,
        extra: fc.tuple(wide(MAX_U64), wide(MAX_U64)),
      }),
    ),
    facade: ([options]) => new Nop(options),
    native: ([options = {}]) => {
      const { result, file, fixedBuffer, taskWork = false, extra } = options
      const nop_flags =
        (result === undefined ? 0 : NOP.INJECT_RESULT) |
        (file === undefined ? 0 : NOP.FILE) |
        (file instanceof FixedFile ? NOP.FIXED_FILE : 0) |
        (fixedBuffer === undefined ? 0 : NOP.FIXED_BUFFER) |
        (taskWork ? NOP.TW : 0) |
        (extra === undefined ? 0 : NOP.CQE32)
      return {
        fields: {
          nop_flags,
          ...given('result', result),
          ...given('fd', file === undefined ? undefined : indexOf(file)),
          ...given('buffer_index', typeof fixedBuffer === 'object' ? fixedBuffer.index : fixedBuffer),
          ...given('extra1', extra?.[0]),
          ...given('extra2', extra?.[1]),
        },
      }
    },
    variants: {
      'no options': ([options]) => options === undefined,
      'an empty object': ([options]) => options !== undefined && Object.keys(options).length === 0,
      'only a result': ([options]) => Object.keys(options ?? {}).join() === 'result',
      'only a file': ([options]) => Object.keys(options ?? {}).join() === 'file',
      'only a buffer': ([options]) => Object.keys(options ?? {}).join() === 'fixedBuffer',
      'only task work': ([options]) =>
        Object.keys(options ?? {}).join() === 'taskWork' && !!options?.taskWork,
      'only extra words': ([options]) => Object.keys(options ?? {}).join() === 'extra',
      'a registered file': ([options]) => options?.file instanceof FixedFile,
      'a result below zero': ([options]) => (options?.result ?? 0) < 0,
      'all options': ([options]) => Object.keys(options ?? {}).length === 5,
    },
  }),
}

export const ARGUMENTS: Record<string, Subject> = {
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
}
