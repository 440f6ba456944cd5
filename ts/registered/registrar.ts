// What a ring can be told once, and keeps: its registrations. One section for each kind; what there is to know about a
// kind is in its own file.

import type { FileTarget } from './files.ts'
import { type FileTable, type FileTableOptions, registerFiles } from './filetable.ts'
import type { Bytes } from '../memory.ts'
import { invalidType } from '../validate.ts'
import {
  type BufferTable,
  cloneBuffers,
  type CloneBuffersOptions,
  registerBuffers,
  type RegisterBuffersOptions,
} from './buffertable.ts'
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

  /**
   * Pins memory, so that operations on it cost less ({@link ReadFixed} and its kin): 1 to 16384 buffers of 1 byte to 1 GiB,
   * `null` for an empty slot, or a number for so many empty ones (5.19). The memory is held until it is unregistered or
   * replaced or the ring is closed, and operations that use it have completed. A resizable `ArrayBuffer` is refused.
   *
   * Since Linux 5.1. See io_uring_register_buffers(3).
   *
   * @throws {UringError} `EBUSY` where the ring has registered buffers, `ENOMEM` above the limit of locked memory,
   * `ERR_URING_BUFFER_DETACHED`, `ERR_URING_CLOSED`
   * @throws {TypeError|RangeError} for arguments that cannot be; nothing is registered then
   */
  registerBuffers(views: readonly (Bytes | null)[] | number, options?: RegisterBuffersOptions): BufferTable {
    return registerBuffers(this, views, options)
  }

  /**
   * Takes over registered buffers of another ring of this thread, without pinning them once more. They stay here whatever
   * becomes of them there. With `replace` slots that this ring has make room, and there may be more of them afterwards:
   * all tables of a ring are the same slots.
   *
   * Since Linux 6.12; a part of them, `offset` and `replace` since 6.13. See io_uring_clone_buffers(3).
   *
   * @throws {UringError} `ENXIO` where the source has no registered buffers, `EBUSY` where this ring has some and `replace`
   * is not set, `ERR_URING_CLOSED`, `ERR_URING_UNSUPPORTED`
   * @throws {TypeError|RangeError} for arguments that cannot be; nothing has changed then
   */
  cloneBuffers(source: Registrar, options?: CloneBuffersOptions): BufferTable {
    if (!(source instanceof Registrar)) throw invalidType('source', 'an instance of Ring', source)
    return cloneBuffers(this, source, options)
  }

  // ---- credentials and restrictions

  // ---- eventfd

  // ---- workers and descriptors

  // ---- cancelling

  // ---- time and network

  // ---- memory

  // ---- what the kernel has

  // ---- messages
}
