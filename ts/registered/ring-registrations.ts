// What a ring can be told once, and keeps: its registrations. One section for each kind; what there is to know about a
// kind is in its own file.

import type { Bytes } from '../memory/address-of.ts'
import type { CancelTarget } from '../operations/cancel.ts'
import type { MsgRingDataOptions, RingTarget } from '../operations/msg-ring.ts'
import { integer, invalidType, MAX_U16 } from '../arguments/validate.ts'
import {
  type BufferTable,
  cloneBuffers,
  type CloneBuffersOptions,
  registerBuffers,
  type RegisterBuffersOptions,
} from './buffer-table.ts'
import { cancelSync, type CancelSyncOptions } from './cancel-sync.ts'
import { registerClock, type WaitClock } from './clock.ts'
import {
  enableEventfd,
  isEventfdEnabled,
  registerEventfd,
  type RegisterEventfdOptions,
  unregisterEventfd,
} from './eventfd.ts'
import type { FileTarget, FixedFile } from '../arguments/file.ts'
import { type FileTable, type FileTableOptions, registerFiles } from './file-table.ts'
import { type RingReference, sendMessage } from './send-message.ts'
import {
  type NapiOptions,
  type NapiSettings,
  registerNapi,
  registerNapiId,
  unregisterNapi,
  unregisterNapiId,
} from './napi.ts'
import { type Probe, probe, type Query, query } from './query.ts'
import { type Region, type RegionOptions, registerRegion } from './region.ts'
import { type Registration, REGISTRATION } from './context.ts'
import { resize, type ResizeOptions } from './resize.ts'
import { enableRing, registerRestrictions, type Restriction } from './restrictions.ts'
import { registerRingFd, unregisterRingFd } from './ring-fd.ts'
import { type MaxWorkers, registerAffinity, registerMaxWorkers, unregisterAffinity } from './workers.ts'
import { registerZcrx, type ZcrxOptions, type ZcrxQueue } from './zcrx.ts'

const REGISTER_PERSONALITY = 9
const UNREGISTER_PERSONALITY = 10

/** The registrations of a ring. */
export abstract class Registrar {
  /** What registrations need of the ring. @throws {UringError} `ERR_URING_CLOSED` @internal */
  abstract get [REGISTRATION](): Registration

  // ---- queues

  /**
   * Gives the queues other sizes, rounded up to powers of two. What was pushed, what is in flight and what has completed
   * stays. Of the two sizes, the one that is not given stays as it is.
   *
   * @throws {UringError} `EOVERFLOW` if what waits in a queue has no room in the new one, `EINVAL` for a completion queue
   * smaller than the submission queue and for a ring that the kernel cannot resize: it has to have `DEFER_TASKRUN` and
   * `NO_SQARRAY`, as in the default mode, and plain widths; `ERR_URING_UNSUPPORTED`, `ENOMEM`, `ERR_URING_CLOSED`. Nothing
   * has changed then
   *
   * Since Linux 6.13. See io_uring_resize_rings(3).
   */
  resize(options: ResizeOptions): void {
    resize(this, options)
  }

  // ---- files

  /**
   * Registers files, -1 for an empty slot, or a table of so many empty slots. A ring has one table at a time.
   *
   * @throws {UringError} `EBUSY` where there is a table, `EBADF` for what is no descriptor, or a ring's, `EMFILE` for more
   * slots than the process may have descriptors, `ERR_URING_CLOSED`; nothing is registered then
   * @throws {TypeError|RangeError} for arguments that cannot be. Since Linux 5.13, empty tables by number since 5.19. See
   * io_uring_register_files_tags(3), io_uring_register_files_sparse(3)
   */
  registerFiles(
    files: readonly (Exclude<FileTarget, FixedFile> | -1)[] | number,
    options?: FileTableOptions,
  ): FileTable {
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

  /**
   * Whether completions are announced, if there is an eventfd: the kernel's own switch, which costs no system call.
   *
   * Since Linux 5.8. See io_uring_cq_eventfd_toggle(3).
   *
   * @throws {UringError} setting it: `ERR_URING_EVENTFD` when the asynchronous flow would not be woken any more
   */
  get eventfdEnabled(): boolean {
    return isEventfdEnabled(this[REGISTRATION])
  }

  set eventfdEnabled(enabled: boolean) {
    enableEventfd(() => this[REGISTRATION], enabled)
  }

  // ---- workers and descriptors

  /**
   * Lets the kernel's workers run on these processors only. Workers are the thread's: this is so for all its rings
   * without `sqPoll`.
   *
   * Since Linux 5.14. See io_uring_register_iowq_aff(3).
   *
   * @param cpus numbers of processors, which the machine has to have
   * @throws {RangeError|TypeError} for a processor that there is not, and for none at all
   */
  registerIowqAffinity(cpus: readonly number[]): void {
    registerAffinity(this[REGISTRATION], cpus)
  }

  /** Lets the kernel's workers run where the thread may. Since Linux 5.14. See io_uring_unregister_iowq_aff(3). */
  unregisterIowqAffinity(): void {
    unregisterAffinity(this[REGISTRATION])
  }

  /**
   * Says how many workers the kernel may have for what ends by itself (files), and for what may take any time (sockets,
   * pipes). 0 leaves a number as it is. Workers are the thread's: this is so for all its rings without `sqPoll`.
   *
   * Since Linux 5.15. See io_uring_register_iowq_max_workers(3).
   *
   * @returns the numbers as they were
   */
  registerIowqMaxWorkers(bounded: number, unbounded: number): MaxWorkers {
    return registerMaxWorkers(this[REGISTRATION], bounded, unbounded)
  }

  /**
   * Registers the ring's descriptor with its thread: every call that submits or waits then names it by an index, and
   * the kernel has no descriptor to look up. A thread has 16 of these; closing the ring gives its one back.
   *
   * Since Linux 5.18. See io_uring_register_ring_fd(3).
   *
   * @returns the index, for `ioUringEnter()` of `uring/sys` with `EnterFlags.REGISTERED_RING`, on this thread
   * @throws {UringError} `EEXIST` when it is registered already, `EBUSY` when all 16 are used up
   */
  registerRingFd(): number {
    return registerRingFd(this[REGISTRATION])
  }

  /**
   * Lets calls name the ring by its descriptor again. Since Linux 5.18. See io_uring_unregister_ring_fd(3).
   *
   * @throws {UringError} `ENXIO` when it is not registered
   */
  unregisterRingFd(): void {
    unregisterRingFd(this[REGISTRATION])
  }

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

  /**
   * Says which clock the timeouts of waits follow: `'monotonic'`, as at first, or `'boottime'`, which goes on while the
   * machine sleeps.
   *
   * Since Linux 6.12. See io_uring_register_clock(3).
   *
   * @throws {TypeError} for another clock: no wait follows it
   */
  registerClock(name: WaitClock): void {
    registerClock(this[REGISTRATION], name)
  }

  /**
   * Polls network devices while the ring waits: shorter ways, and a busy processor.
   *
   * Since Linux 6.9. See io_uring_register_napi(3).
   *
   * @returns the settings as they were
   * @throws {UringError} `EINVAL` with `ioPoll`, `ENOTSUP` for a kernel without busy polling
   */
  registerNapi(options?: NapiOptions): NapiSettings {
    return registerNapi(this[REGISTRATION], options)
  }

  /** Leaves network devices to their interrupts again. Since Linux 6.9. See io_uring_unregister_napi(3). */
  unregisterNapi(): void {
    unregisterNapi(this[REGISTRATION])
  }

  /**
   * Adds a device queue, by its NAPI id (`SO_INCOMING_NAPI_ID`), to those that are polled. For `tracking: 'static'`.
   *
   * Since Linux 6.13.
   *
   * @throws {UringError} `EEXIST` for an id that is there, `EINVAL` for one that cannot be, or without static tracking
   */
  registerNapiId(id: number): void {
    registerNapiId(this[REGISTRATION], id)
  }

  /** Takes it away again. Since Linux 6.13. @throws {UringError} `ENOENT` for an id that is not there */
  unregisterNapiId(id: number): void {
    unregisterNapiId(this[REGISTRATION], id)
  }

  /**
   * Lets a receive queue of a network interface deliver into memory, for `RecvZc`: until the ring is closed.
   *
   * Wants a ring with deferred task work and 32-byte completions, `CAP_NET_ADMIN`, and an interface that can. Since
   * Linux 6.15. See io_uring_register_ifq(3).
   *
   * @throws {UringError} `EPERM`, `ENODEV`, `ENOTSUP` (the interface cannot), `EEXIST` (in use), `EINVAL`
   */
  registerZcrx(options: ZcrxOptions): ZcrxQueue {
    return registerZcrx(this[REGISTRATION], options)
  }

  // ---- memory

  /**
   * Shares memory with the kernel until the ring is closed: once a ring. With `waits` it holds the arguments of waits,
   * which the kernel then need not copy with each call.
   *
   * Since Linux 6.13. See io_uring_register_region(3).
   *
   * @param memory whole pages, or how many bytes to allocate
   * @throws {UringError} `EBUSY` for a second one, `EINVAL` for waits when the ring is not disabled
   */
  registerRegion(memory: Bytes | number, options?: RegionOptions): Region {
    return registerRegion(this[REGISTRATION], memory, options)
  }

  // ---- what the kernel has

  /**
   * Asks which operations the kernel has. Restrictions of the ring do not matter. Since Linux 5.6. See
   * io_uring_register_probe(3).
   */
  probe(): Probe {
    return probe(this[REGISTRATION])
  }

  /**
   * Asks how many operations and registrations the kernel has, and which flags. Restrictions of the ring do not matter.
   * Since Linux 6.18. See io_uring_register_query(3).
   *
   * @throws {UringError} `ERR_URING_UNSUPPORTED` on kernels that cannot be asked
   */
  query(): Query {
    void this[REGISTRATION] // an open one
    return query()
  }

  // ---- messages

  /**
   * What names this ring in other threads of the process: a plain object for `postMessage`, taken by `MsgRingData`,
   * `MsgRingSendFd` and `Ring.sendMessage`. It does not keep the ring open: once that is closed its number may come to
   * name something else.
   */
  reference(): RingReference {
    return { fd: this[REGISTRATION].boundary.native.fd }
  }

  /**
   * Sends a message to a ring from where there is none: the other one gets a completion with `source` `'message'`, the
   * `result`, and `data` (62 bits) as its `userData`.
   *
   * Since Linux 6.13. See io_uring_prep_msg_ring(3).
   *
   * @throws {UringError} `EBADFD` (not a ring, or one that is not enabled), `EBADF`, `ERR_URING_UNSUPPORTED`
   */
  static sendMessage(
    target: RingTarget,
    result: number,
    data: number | bigint,
    options?: MsgRingDataOptions,
  ): void {
    sendMessage(target, result, data, options)
  }
}
