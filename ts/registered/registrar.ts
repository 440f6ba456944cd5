// What a ring can be told once, and keeps: its registrations. One section for each kind; what there is to know about a
// kind is in its own file.

import type { FileTarget } from './files.ts'
import { type FileTable, type FileTableOptions, registerFiles } from './filetable.ts'
import type { Bytes } from '../memory.ts'
import {
  type BufferTable,
  cloneBuffers,
  type CloneBuffersOptions,
  registerBuffers,
  type RegisterBuffersOptions,
} from './buffertable.ts'
import { type CancelTarget } from '../operations/cancel.ts'
import { integer, invalidType, MAX_U16 } from '../validate.ts'
import { cancelSync, type CancelSyncOptions } from './cancelling.ts'
import {
  enableEventfd,
  isEventfdEnabled,
  registerEventfd,
  type RegisterEventfdOptions,
  unregisterEventfd,
} from './eventfd.ts'
import { type Registration, REGISTRATION } from './registration.ts'
import { enableRing, registerRestrictions, type Restriction } from './restrictions.ts'

const REGISTER_PERSONALITY = 9
const UNREGISTER_PERSONALITY = 10

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

  /**
   * Registers the credentials that this thread has now: operations with `personality(id)` run with them, whatever the
   * thread has then.
   *
   * Since Linux 5.6. See io_uring_register_personality(3).
   *
   * @returns their number, from 1 on
   * @throws {UringError} what the kernel answers
   */
  registerPersonality(): number {
    return this[REGISTRATION].register(REGISTER_PERSONALITY, null, 0)
  }

  /**
   * Gives credentials back; operations in flight keep them. Since Linux 5.6. See io_uring_unregister_personality(3).
   *
   * @throws {UringError} `EINVAL` for a number that names none
   */
  unregisterPersonality(id: number): void {
    const registration = this[REGISTRATION]
    registration.register(UNREGISTER_PERSONALITY, null, integer(id, 'id', 1, MAX_U16))
  }

  /**
   * Says what a ring made with `disabled: true` may do from `enable()` on: nothing but this, and cancelling. What is not
   * in the list fails with `EACCES`, operations as registrations.
   *
   * Since Linux 5.10. See io_uring_register_restrictions(3).
   *
   * @throws {UringError} `EBADFD` for a ring that is running, `EBUSY` for one that has restrictions,
   * `ERR_URING_UNSUPPORTED` for an operation that this kernel does not have
   * @throws {TypeError|RangeError} for restrictions that cannot be, or with which the ring could not be closed
   */
  registerRestrictions(restrictions: readonly Restriction[]): void {
    registerRestrictions(() => this[REGISTRATION], restrictions)
  }

  /**
   * Starts a ring that was made with `disabled: true`, for good. What was run before is submitted.
   *
   * With restrictions, the asynchronous flow takes the ring's eventfd before they are in force, if it is free.
   *
   * Since Linux 5.10. See io_uring_enable_rings(3).
   *
   * @throws {UringError} `EBADFD` for a ring that is running, `EACCES` for one that has restrictions too
   */
  enable(): void {
    enableRing(this[REGISTRATION])
  }

  // ---- eventfd

  /**
   * Lets the kernel write to an eventfd when completions arrive: to all of them one signal or more. A ring has one, which
   * the asynchronous flow takes at its first use; and that cannot be used while there is another.
   *
   * Since Linux 5.2, `async` since 5.6. See io_uring_register_eventfd(3).
   *
   * @throws {UringError} `EBUSY` when the ring has one, `EINVAL` for what is no eventfd, `EBADF`
   */
  registerEventfd(fd: number | { readonly fd: number }, options?: RegisterEventfdOptions): void {
    registerEventfd(() => this[REGISTRATION], fd, options)
  }

  /**
   * Takes the eventfd away: the asynchronous flow can be used then. Since Linux 5.2. See io_uring_unregister_eventfd(3).
   *
   * @throws {UringError} `ENXIO` where none was registered
   */
  unregisterEventfd(): void {
    unregisterEventfd(this[REGISTRATION])
  }

  /** Whether completions are announced, if there is an eventfd: the kernel's own switch, which costs no system call. */
  get eventfdEnabled(): boolean {
    return isEventfdEnabled(this[REGISTRATION])
  }

  /** @throws {UringError} `ERR_URING_EVENTFD` when the asynchronous flow would not be woken any more */
  set eventfdEnabled(enabled: boolean) {
    enableEventfd(() => this[REGISTRATION], enabled)
  }

  // ---- workers and descriptors

  // ---- cancelling

  /**
   * Cancels what has not finished, at once and without an entry. What was pushed and not submitted is not found.
   *
   * A single one that a kernel worker is busy with is waited for: this blocks the thread until it has ended, or the
   * timeout. Its completion comes as any other. With `all` or `'any'` such a one is told, and neither waited for nor
   * counted. With `sqPoll`, workers of the polling thread are out of reach.
   *
   * Since Linux 6.0. See io_uring_register_sync_cancel(3).
   *
   * @returns how many were found, 0 rather than an error
   * @throws {UringError} `ETIME` at the timeout: it was found and told, and has not ended. `EBADF` for a file that is
   * not open
   */
  cancelSync(target: CancelTarget, options?: CancelSyncOptions): number {
    return cancelSync(() => this[REGISTRATION], target, options)
  }

  // ---- time and network

  // ---- memory

  // ---- what the kernel has

  // ---- messages
}
