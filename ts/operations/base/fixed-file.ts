// Fixed files, where the kernel takes no descriptor.

import { FixedFile } from '../../arguments/file.ts'
import { invalidType } from '../../arguments/validate.ts'

/** Returns the argument `file` if it is a fixed file. */
export function checkFixedFile(file: unknown): FixedFile {
  if (file instanceof FixedFile) return file
  throw invalidType('file', 'an instance of FixedFile', file)
}
