// Options of operations that create a descriptor: where it goes, and whether it survives an exec.

import { OpenFlags } from '../../flags/index.ts'
import { type Direct, type FixedFile, resolveDirect } from '../../arguments/file.ts'
import { flag } from '../../arguments/validate.ts'

/** The result of an operation that creates a descriptor, by the type of its option `direct`. */
export type NewFile<D extends Direct | undefined> = D extends undefined ? number : FixedFile

/** Returns the fixed-file slot that `options.direct` names: -1 for any slot, `undefined` for a descriptor. */
export function checkDirect(direct: Direct | undefined): number | undefined {
  return direct === undefined ? undefined : resolveDirect(direct, 'options.direct')
}

/** Returns the open flags with `O_CLOEXEC` where `options.cloexec` asks for it. */
export function withCloexec(flags: number, cloexec: boolean, slot: number | undefined): number {
  // A fixed file is not inherited, and the kernel refuses the flag for one.
  return flag(cloexec, 'options.cloexec') && slot === undefined ? flags | OpenFlags.CLOEXEC : flags
}
