// Cancelling.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { CancelFlags, SqeFlags } from '../flags/index.ts'
import { Operation } from './base/operation.ts'
import { type FileTarget, FixedFile, resolveFile } from '../arguments/file.ts'
import { checkToken, generationOf, indexOf, type Token } from '../entry/token.ts'
import { flag, integer, invalidType, invalidValue, checkOptions } from '../arguments/validate.ts'

/** What to cancel: a submission, everything that matches all the keys that are given, or `'any'`thing at all. */
export type CancelTarget = Token | { token?: Token; file?: FileTarget; opcode?: number } | 'any'

/** Options of {@link AsyncCancel}. */
export interface AsyncCancelOptions {
  /** Cancel every match, and not only the first (5.19). */
  all?: boolean
}

const MAX_OPCODE = 255
/** Entry flags that do not make another one of a cancellation, but for one by a descriptor. */
export const CANCELLATION_FLAGS: number = SqeFlags.FIXED_FILE | SqeFlags.ASYNC

/** What a target says, as the kernel wants it. */
export interface TargetKeys {
  flags: number
  token: Token
  file: number
  opcode: number
}

export function resolveTarget(target: unknown): TargetKeys {
  const keys: TargetKeys = { flags: 0, token: 0, file: 0, opcode: 0 }
  if (target === 'any') {
    keys.flags = CancelFlags.ANY
  } else if (typeof target === 'number') {
    keys.token = checkToken(target, 'target')
  } else if (typeof target === 'object' && target !== null) {
    const { token, file, opcode } = target as Exclude<CancelTarget, Token | 'any'>
    if (token === undefined && file === undefined && opcode === undefined) {
      throw invalidValue('target', target, "must have a token, a file or an opcode, or be 'any'")
    }
    if (file !== undefined) {
      const resolved = resolveFile(file, 'target.file')
      keys.flags |= resolved < 0 ? CancelFlags.FD | CancelFlags.FD_FIXED : CancelFlags.FD
      keys.file = resolved < 0 ? -1 - resolved : resolved
    }
    if (opcode !== undefined) {
      keys.flags |= CancelFlags.OP
      keys.opcode = integer(opcode, 'target.opcode', 0, MAX_OPCODE)
    }
    if (token !== undefined) {
      // Alone, the token needs no flag; beside other keys it has to be named (6.6).
      if (keys.flags !== 0) keys.flags |= CancelFlags.USERDATA
      keys.token = checkToken(token, 'target.token')
    }
  } else {
    throw invalidType('target', "of type number or object, or 'any'", target)
  }
  return keys
}

/** A target that stays what it is, whatever its getters say later. */
export function fixedTarget(target: CancelTarget): CancelTarget {
  const { flags, token, file, opcode } = resolveTarget(target)
  if (typeof target !== 'object') return target
  const fixed: Exclude<CancelTarget, number | string> = {}
  if (flags === 0 || (flags & CancelFlags.USERDATA) !== 0) fixed.token = token
  if ((flags & CancelFlags.OP) !== 0) fixed.opcode = opcode
  if ((flags & CancelFlags.FD) !== 0)
    fixed.file = (flags & CancelFlags.FD_FIXED) === 0 ? file : new FixedFile(file)
  return fixed
}

/**
 * Cancels operations that have not finished; each completes with `ECANCELED`, or as it would have. Resolves to how
 * many were found.
 *
 * Fails with `ENOENT` when nothing matches (not with `all`), `EALREADY` when it is too late. Since Linux 5.5; by file
 * and `all` since 5.19, by opcode since 6.6. See io_uring_prep_cancel(3).
 */
export class AsyncCancel extends Operation<number> {
  static override readonly opcode = 14
  static override readonly since = '5.5'
  static override readonly syscall = 'cancel'

  /** What is to be cancelled. */
  target: CancelTarget
  /** Whether every match is cancelled, and not only the first. */
  all: boolean

  constructor(target: CancelTarget, options?: AsyncCancelOptions) {
    super()
    const { all = false } = checkOptions(options)
    resolveTarget(target)
    this.target = target
    this.all = flag(all, 'options.all')
  }

  /** Whether it is the same cancellation with such entry flags. @internal */
  bears(flags: number): boolean {
    const { flags: keys } = resolveTarget(this.target)
    const plainFile = (keys & (CancelFlags.FD | CancelFlags.FD_FIXED)) === CancelFlags.FD
    return (flags & ~(plainFile ? SqeFlags.ASYNC : CANCELLATION_FLAGS)) === 0
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number {
    return state === true ? result : Math.max(result, 1) // the kernel says 0 for the one that it found
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { flags, token, file, opcode } = resolveTarget(this.target)
    const all = flag(this.all, 'options.all')
    const counts = all || (flags & CancelFlags.ANY) !== 0
    entry.begin(AsyncCancel.opcode, this)
    entry.fd((flags & CancelFlags.FD) === 0 ? -1 : file)
    entry.target(indexOf(token), generationOf(token))
    entry.len(opcode)
    entry.opFlags(all ? flags | CancelFlags.ALL : flags)
    return counts
  }
}
