// The cases of AsyncCancel.

import * as fc from 'fast-check'
import {
  AsyncCancel,
  type AsyncCancelOptions,
  type CancelTarget,
  type FileTarget,
  FixedFile,
  type Token,
} from 'uring'
import { boolean, file, token, userDataOf } from '../base/arbitraries.ts'
import { type Case, define, given, indexOf, optional } from '../base/conformance-case.ts'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** Flags that both classes set, from <linux/io_uring.h>: not the facade's own constants. */
const CANCEL = { ALL: 1, FD: 2, ANY: 4, FD_FIXED: 8, USERDATA: 16, OP: 32 } as const

const cancelKeys = optional<{ token?: Token; file?: FileTarget; opcode?: number }>({
  token,
  file,
  opcode: fc.nat(255),
})
  .filter((keys) => keys !== undefined && Object.keys(keys).length > 0)
  .map((keys) => keys as Exclude<CancelTarget, Token | 'any'>)

/** Names the keys of a cancellation, and `all` if it is set. */
function cancelVariant([target, options]: [CancelTarget, AsyncCancelOptions | undefined]): string {
  const keys = typeof target === 'object' ? Object.keys(target).toSorted().join('+') : typeof target
  return options?.all === true ? `${keys}, all` : keys
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  AsyncCancel: define<[CancelTarget, AsyncCancelOptions | undefined]>({
    arguments: fc.tuple(
      fc.oneof(
        { arbitrary: cancelKeys, weight: 8 },
        { arbitrary: token, weight: 1 },
        { arbitrary: fc.constant('any' as const), weight: 1 },
      ),
      optional<AsyncCancelOptions>({ all: boolean }),
    ),
    facade: ([target, options]) => new AsyncCancel(target, options),
    native: ([target, options]) => {
      const keys = typeof target === 'object' ? target : typeof target === 'number' ? { token: target } : {}
      const { token, file, opcode } = keys
      const others = file !== undefined || opcode !== undefined
      const cancel_flags =
        (target === 'any' ? CANCEL.ANY : 0) |
        (file === undefined ? 0 : CANCEL.FD) |
        (file instanceof FixedFile ? CANCEL.FD_FIXED : 0) |
        (opcode === undefined ? 0 : CANCEL.OP) |
        // A token alone needs no flag.
        (token !== undefined && others ? CANCEL.USERDATA : 0) |
        (options?.all === true ? CANCEL.ALL : 0)
      return {
        fields: {
          cancel_flags,
          ...given('target', token === undefined ? undefined : userDataOf(token)),
          ...given('fd', file === undefined ? undefined : indexOf(file)),
          ...given('opcode', opcode),
        },
      }
    },
    variants: {
      ...Object.fromEntries(
        [
          'number',
          'string',
          'token',
          'file',
          'opcode',
          'file+token',
          'opcode+token',
          'file+opcode',
          'file+opcode+token',
        ].flatMap((keys) =>
          [keys, `${keys}, all`].map((variant) => [
            variant,
            (given: [CancelTarget, AsyncCancelOptions | undefined]) => cancelVariant(given) === variant,
          ]),
        ),
      ),
      'a registered file': ([target]) => typeof target === 'object' && target.file instanceof FixedFile,
      'an object with a descriptor': ([target]) =>
        typeof target === 'object' && typeof target.file === 'object' && 'fd' in target.file,
      'all: false': ([, options]) => options?.all === false,
    },
  }),
}

export const ARGUMENTS: Record<string, Subject> = {
  AsyncCancel: {
    Class: AsyncCancel,
    positional: { target: [KINDS.target, () => 1] },
    options: { all: KINDS.boolean },
  },
}
