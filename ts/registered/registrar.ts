// What a ring can be told once, and keeps: its registrations. One section for each kind; what there is to know about a
// kind is in its own file.

import type { FileTarget } from './files.ts'
import { type FileTable, type FileTableOptions, registerFiles } from './filetable.ts'
import { type Registration, REGISTRATION } from './registration.ts'

/** The registrations of a ring. */
export abstract class Registrar {
  /** What registrations need of the ring. @throws {UringError} `ERR_URING_CLOSED` @internal */
  abstract get [REGISTRATION](): Registration

  // ---- files

  /**
   * Registers files, -1 for an empty slot, or a table of so many empty slots. A ring has one table at a time.
   *
   * @throws {UringError} `EBUSY` where there is a table, `EBADF` for what is no descriptor, or a ring's, `EMFILE` for more
   * slots than the process may have descriptors, `ERR_URING_CLOSED`; nothing is registered then
   * @throws {TypeError|RangeError} for arguments that cannot be. Since Linux 5.13, empty tables by number since 5.19. See
   * io_uring_register_files_tags(3), io_uring_register_files_sparse(3)
   */
  registerFiles(files: readonly (FileTarget | -1)[] | number, options?: FileTableOptions): FileTable {
    return registerFiles(this, files, options)
  }

  // ---- buffers

  // ---- credentials and restrictions

  // ---- eventfd

  // ---- workers and descriptors

  // ---- cancelling

  // ---- time and network

  // ---- memory

  // ---- what the kernel has

  // ---- messages
}
