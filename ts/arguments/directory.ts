// Directory arguments: the `dirfd` of openat(2) and similar calls.

import { AtFlags } from '../flags/index.ts'
import { resolveDescriptor } from './file.ts'

/**
 * The directory that a relative path starts from: a descriptor, an object with one (a `FileHandle`), or `AtFlags.FDCWD`
 * for the working directory.
 */
export type Directory = number | { readonly fd: number }

/**
 * Returns the descriptor of a directory; `AtFlags.FDCWD` if there is none.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: not a descriptor, or a registered file, which the kernel does not accept
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: the descriptor is negative or above 2^31 - 1
 */
export function resolveDirectory(dirfd: unknown, name: string): number {
  return dirfd === undefined || dirfd === AtFlags.FDCWD ? AtFlags.FDCWD : resolveDescriptor(dirfd, name)
}
