// Directories that relative paths start from.

import { AtFlags } from '../flags/index.ts'
import { resolveDescriptor } from './file.ts'

/** A directory that a relative path starts from: a descriptor, or `AtFlags.FDCWD`, the working directory. */
export type Directory = number | { readonly fd: number }

/** The descriptor of a directory, or the working directory. */
export function resolveDirectory(dirfd: unknown, name: string): number {
  return dirfd === undefined || dirfd === AtFlags.FDCWD ? AtFlags.FDCWD : resolveDescriptor(dirfd, name)
}
