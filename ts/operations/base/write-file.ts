// The file of an entry, resolved before the entry was begun.

import type { EntryWriter } from '../../entry/entry-writer.ts'
import { SqeFlags } from '../../flags/index.ts'

/** Writes the file of the entry that was begun: a descriptor, or -1 - index for a fixed file. */
export function writeFile(entry: EntryWriter, file: number): void {
  if (file < 0) {
    entry.flags(SqeFlags.FIXED_FILE)
    entry.fd(-1 - file)
  } else {
    entry.fd(file)
  }
}
