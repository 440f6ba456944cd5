// Cancelling operations in flight.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { CancelFlags, SqeFlags } from '../flags/index.ts'
import {
  CANCELLATION_FLAGS,
  type CancelTarget,
  resolveTarget,
  type TargetKeys,
} from './base/cancel-target.ts'
import { Operation } from './base/operation.ts'
import { beginTarget } from './base/target-operation.ts'
import { flag, checkOptions } from '../arguments/validate.ts'

export type { CancelTarget } from './base/cancel-target.ts'

/** Options of {@link AsyncCancel}. */
export interface AsyncCancelOptions {
  /** Cancels every match instead of the first (5.19); false by default. */
  all?: boolean
}

/**
 * Cancels operations in flight. Each of them completes with `ECANCELED`, or with its own result if it finished first.
 * Resolves to the number of operations that were found.
 *
 * Fails with `ENOENT` when nothing matches (not with `all`), `EALREADY` when the operation has progressed too far to be
 * cancelled. Since Linux 5.5; by file and `all` since 5.19, by opcode since 6.6. See io_uring_prep_cancel(3).
 */
export class AsyncCancel extends Operation<number> {
  static override readonly opcode = 14
  static override readonly since = '5.5'
  static override readonly syscall = 'cancel'

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number {
    return state === true ? result : Math.max(result, 1) // without a count the kernel returns 0 for the one that it found
  }

  /** The operations to cancel. */
  target: CancelTarget
  /** If set, it cancels every match instead of the first. */
  all: boolean

  constructor(target: CancelTarget, options?: AsyncCancelOptions) {
    super()
    const { all = false } = checkOptions(options)
    this.target = target
    this.all = all
    checkCancel(this)
  }

  /** Tells if the entry flags leave the meaning of the cancellation as it is. @internal */
  bears(flags: number): boolean {
    const { flags: keys } = resolveTarget(this.target)
    const plainFile = (keys & (CancelFlags.FD | CancelFlags.FD_FIXED)) === CancelFlags.FD
    return (flags & ~(plainFile ? SqeFlags.ASYNC : CANCELLATION_FLAGS)) === 0
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { flags, token, file, opcode } = checkCancel(this)
    const counts = (flags & (CancelFlags.ALL | CancelFlags.ANY)) !== 0
    beginTarget(entry, this, token)
    if ((flags & CancelFlags.FD) !== 0) entry.fd(file)
    entry.len(opcode)
    entry.opFlags(flags)
    return counts
  }
}

function checkCancel({ target, all }: AsyncCancel): TargetKeys {
  const keys = resolveTarget(target)
  if (flag(all, 'options.all')) keys.flags |= CancelFlags.ALL
  return keys
}
