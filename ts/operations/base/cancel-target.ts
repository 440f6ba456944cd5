// Targets of cancellations: the keys that select the operations to cancel.

import { CancelFlags, SqeFlags } from '../../flags/index.ts'
import { type FileTarget, FixedFile, resolveFile } from '../../arguments/file.ts'
import { checkToken, type Token } from '../../entry/token.ts'
import { integer, invalidType, invalidValue } from '../../arguments/validate.ts'

/** The operations to cancel: one submission, all that match every key that is given, or `'any'` operation at all. */
export type CancelTarget = Token | { token?: Token; file?: FileTarget; opcode?: number } | 'any'

const MAX_OPCODE = 255
/** Entry flags that do not change the meaning of a cancellation, unless it is one by a descriptor. */
export const CANCELLATION_FLAGS: number = SqeFlags.FIXED_FILE | SqeFlags.ASYNC

/** A target in the form that the kernel takes. */
export interface TargetKeys {
  flags: number
  token: Token
  file: number
  opcode: number
}

/** Checks a target, and returns its keys. */
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
      // A token alone needs no flag; combined with other keys it does (6.6).
      if (keys.flags !== 0) keys.flags |= CancelFlags.USERDATA
      keys.token = checkToken(token, 'target.token')
    }
  } else {
    throw invalidType('target', "of type number or object, or 'any'", target)
  }
  return keys
}

/** Returns a copy of a target that has no getters, so that reading it later runs no code of the caller. */
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
