// The length of files.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { Operation } from './base/operation.ts'
import { checkFile, type FileTarget } from '../arguments/file.ts'
import { length as checkLength } from '../arguments/validate.ts'

/**
 * Sets the length of a file: cuts off its end, or extends it with zeros. Resolves to 0.
 *
 * Fails with `EBADF` (not an open file), `EINVAL` (not open for writing, or not a regular file), `EFBIG` (beyond the
 * maximum file size), `EPERM` (a seal or an attribute of the file forbids it), ... Since Linux 6.9. See ftruncate(2).
 */
export class Ftruncate extends Operation<number> {
  static override readonly opcode = 55
  static override readonly since = '6.9'
  static override readonly syscall = 'ftruncate'

  /** The file. */
  file: FileTarget
  /** The new length in bytes; a bigint beyond 2^53. */
  length: number | bigint

  constructor(file: FileTarget, length: number | bigint) {
    super()
    this.file = file
    this.length = length
    checkFtruncate(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const bytes = checkFtruncate(this)
    entry.beginFile(Ftruncate.opcode, this, this.file)
    entry.off(bytes)
    return undefined
  }
}

/** Checks the arguments, and returns the new length. */
function checkFtruncate({ file, length }: Ftruncate): number | bigint {
  checkFile(file)
  return checkLength(length, 'length')
}
