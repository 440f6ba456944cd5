// The registrations of a ring, as methods of `Ring`. Each section documents one subject; its own file implements it.

import type { FileTarget, FixedFile } from '../arguments/file.ts'
import { checkRing, REGISTRATION } from '../arguments/ring.ts'
import { integer, MAX_U16 } from '../arguments/validate.ts'
import { IORING_REGISTER_PERSONALITY, IORING_UNREGISTER_PERSONALITY } from '../flags/registrations.ts'
import type { Bytes } from '../memory/address-of.ts'
import type { CancelTarget } from '../operations/cancel.ts'
import type { MsgRingDataOptions, RingTarget } from '../operations/msg-ring.ts'
import {
  type BufferTable,
  cloneBuffers,
  type CloneBuffersOptions,
  registerBuffers,
  type RegisterBuffersOptions,
} from './buffer-table.ts'
import { cancelSync, type CancelSyncOptions } from './cancel-sync.ts'
import { registerClock, type WaitClock } from './clock.ts'
import type { Registration } from './context.ts'
import {
  enableEventfd,
  isEventfdEnabled,
  registerEventfd,
  type RegisterEventfdOptions,
  unregisterEventfd,
} from './eventfd.ts'
import { type FileTable, type FileTableOptions, registerFiles } from './file-table.ts'
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
import { resize, type ResizeOptions } from './resize.ts'
import { enableRing, registerRestrictions, type Restriction } from './restrictions.ts'
import { registerRingFd, unregisterRingFd } from './ring-fd.ts'
import { type RingReference, sendMessage } from './send-message.ts'
import { type MaxWorkers, registerAffinity, registerMaxWorkers, unregisterAffinity } from './workers.ts'
import { registerZcrx, type ZcrxOptions, type ZcrxQueue } from './zcrx.ts'

/** The registration methods of a ring. */
export abstract class Registrar {
  /** Gives registrations access to the ring. @throws {UringError} `ERR_URING_CLOSED` @internal */
  abstract get [REGISTRATION](): Registration

  // ---- queues

  /**
   * Resizes the queues while the ring runs. Sizes are rounded up to powers of two. Pushed entries, operations in flight and
   * completions stay. A size that is absent does not change.
   *
   * Since Linux 6.13. See io_uring_resize_rings(3).
   *
   * @throws {UringError} `EOVERFLOW`: the entries or completions in a queue exceed its new capacity; `EINVAL`: the
   * completion queue would be smaller than the submission queue, or the ring cannot be resized, because that needs
   * `DEFER_TASKRUN` and `NO_SQARRAY`, as in the default mode, without SQE128 and CQE32; `ERR_URING_UNSUPPORTED`: the kernel
   * is older; `ENOMEM`; `ERR_URING_CLOSED`: the ring is closed. The queues have not changed
   */
  resize(options: ResizeOptions): void {
    resize(this, options)
  }

  // ---- files

  /**
   * Registers files, or a table with a number of empty slots. In a list, -1 is an empty slot. A ring has one table at a
   * time.
   *
   * Since Linux 5.13; a number of empty slots since 5.19. See io_uring_register_files_tags(3) and
   * io_uring_register_files_sparse(3).
   *
   * @throws {UringError} `EBUSY`: a table is registered already; `EBADF`: a file is not open, or is a ring; `EMFILE`: more
   * slots than the process may have descriptors; `ERR_URING_CLOSED`: the ring is closed. Nothing is registered
   * @throws {TypeError|RangeError} an argument is invalid; nothing is registered
   */
  registerFiles(
    files: readonly (Exclude<FileTarget, FixedFile> | -1)[] | number,
    options?: FileTableOptions,
  ): FileTable {
    return registerFiles(this, files, options)
  }

  // ---- buffers

  /**
   * Registers buffers: the kernel pins their memory, so that {@link ReadFixed} and other operations on it cost less. Takes a
   * list of 1 to 16384 buffers of 1 byte to 1 GiB, with `null` for an empty slot, or a number of empty slots (5.19). The
   * memory is held until it is unregistered or replaced, or the ring is closed, and until the operations that use it have
   * completed. A ring has one table at a time.
   *
   * Since Linux 5.1. See io_uring_register_buffers(3).
   *
   * @throws {UringError} `EBUSY`: a table is registered already; `ENOMEM`: the memory exceeds the limit of locked memory;
   * `ERR_URING_BUFFER_DETACHED`: memory was transferred; `ERR_URING_CLOSED`: the ring is closed. Nothing is registered
   * @throws {TypeError|RangeError} an argument is invalid, for example a resizable `ArrayBuffer`; nothing is registered
   */
  registerBuffers(views: readonly (Bytes | null)[] | number, options?: RegisterBuffersOptions): BufferTable {
    return registerBuffers(this, views, options)
  }

  /**
   * Clones registered buffers of another ring of this thread into slots of this ring, without pinning their memory again.
   * They stay registered here if the source unregisters them. With `replace` they replace slots of this ring, and slots are
   * added if there are too few: every `BufferTable` of a ring refers to the same slots.
   *
   * Since Linux 6.12; `sourceOffset`, `count`, `offset` and `replace` since 6.13. See io_uring_clone_buffers(3).
   *
   * @throws {UringError} `ENXIO`: the source has no registered buffers; `EBUSY`: this ring has registered buffers, and
   * `replace` is not set; `ERR_URING_UNSUPPORTED`: the kernel is older; `ERR_URING_CLOSED`: a ring is closed
   * @throws {TypeError|RangeError} an argument is invalid; no slot has changed
   */
  cloneBuffers(source: Registrar, options?: CloneBuffersOptions): BufferTable {
    return cloneBuffers(this, checkRing(source, 'source'), options)
  }

  // ---- credentials and restrictions

  /**
   * Registers the current credentials of this thread. Operations with `personality(id)` run with them, even if the thread
   * has other credentials by then.
   *
   * Since Linux 5.6. See io_uring_register_personality(3).
   *
   * @returns the number of the personality, from 1 on
   * @throws {UringError} the kernel refuses
   */
  registerPersonality(): number {
    return this[REGISTRATION].register(IORING_REGISTER_PERSONALITY, null, 0)
  }

  /**
   * Unregisters credentials. Operations in flight keep them.
   *
   * Since Linux 5.6. See io_uring_unregister_personality(3).
   *
   * @throws {UringError} `EINVAL`: there is no personality of this number
   */
  unregisterPersonality(id: number): void {
    const registration = this[REGISTRATION]
    registration.register(IORING_UNREGISTER_PERSONALITY, null, integer(id, 'id', 1, MAX_U16))
  }

  /**
   * Restricts a ring that was made with `disabled: true`. From `enable()` on, it allows cancellation and everything in the
   * list; other operations and registrations fail with `EACCES`.
   *
   * Since Linux 5.10. See io_uring_register_restrictions(3).
   *
   * @throws {UringError} `EBADFD`: the ring is enabled; `EBUSY`: restrictions are registered already;
   * `ERR_URING_UNSUPPORTED`: this kernel does not have an operation in the list
   * @throws {TypeError|RangeError} a restriction is invalid, or the ring could not be closed with these restrictions
   */
  registerRestrictions(restrictions: readonly Restriction[]): void {
    registerRestrictions(this, restrictions)
  }

  /**
   * Enables a ring that was made with `disabled: true`. Operations of the promise API that were started before are submitted
   * now. A ring cannot be disabled again.
   *
   * If the ring has restrictions and no eventfd, the promise API registers its own before the restrictions are in force.
   *
   * Since Linux 5.10. See io_uring_enable_rings(3).
   *
   * @throws {UringError} `EBADFD`: the ring is enabled; `EACCES`: the ring is enabled, and has restrictions
   */
  enable(): void {
    enableRing(this[REGISTRATION])
  }

  // ---- eventfd

  /**
   * Registers an eventfd, which the kernel signals when completions arrive; one signal may stand for several completions.
   * A ring has at most one eventfd: the promise API registers its own at its first use, and cannot be used while the
   * program's is registered.
   *
   * Since Linux 5.2; `async` since 5.6. See io_uring_register_eventfd(3).
   *
   * @throws {UringError} `EBUSY`: the ring has an eventfd; `EINVAL`: the descriptor is not an eventfd; `EBADF`: it is not
   * open
   */
  registerEventfd(fd: number | { readonly fd: number }, options?: RegisterEventfdOptions): void {
    registerEventfd(this, fd, options)
  }

  /**
   * Unregisters the eventfd. After that the promise API can be used.
   *
   * Since Linux 5.2. See io_uring_unregister_eventfd(3).
   *
   * @throws {UringError} `ENXIO`: no eventfd is registered
   */
  unregisterEventfd(): void {
    unregisterEventfd(this[REGISTRATION])
  }

  /**
   * If set, completions signal the registered eventfd. Reading and setting it costs no system call.
   *
   * Since Linux 5.8. See io_uring_cq_eventfd_toggle(3).
   *
   * @throws {UringError} when set to false: `ERR_URING_EVENTFD`: the eventfd belongs to the promise API, which needs it
   */
  get eventfdEnabled(): boolean {
    return isEventfdEnabled(this[REGISTRATION])
  }

  set eventfdEnabled(enabled: boolean) {
    enableEventfd(this[REGISTRATION], enabled)
  }

  // ---- workers and descriptors

  /**
   * Binds the kernel's workers to processors. Workers belong to the thread: this applies to all of its rings without
   * `sqPoll`.
   *
   * Since Linux 5.14. See io_uring_register_iowq_aff(3).
   *
   * @param cpus numbers of processors of this machine
   * @throws {RangeError|TypeError} a processor does not exist, or the list is empty
   */
  registerIowqAffinity(cpus: readonly number[]): void {
    registerAffinity(this[REGISTRATION], cpus)
  }

  /**
   * Lets the kernel's workers run on every processor that the thread may use.
   *
   * Since Linux 5.14. See io_uring_unregister_iowq_aff(3).
   */
  unregisterIowqAffinity(): void {
    unregisterAffinity(this[REGISTRATION])
  }

  /**
   * Limits the number of kernel workers: for bounded work (files), and for unbounded work (sockets, pipes). 0 leaves a limit
   * unchanged. Workers belong to the thread: this applies to all of its rings without `sqPoll`.
   *
   * Since Linux 5.15. See io_uring_register_iowq_max_workers(3).
   *
   * @returns the limits before this call
   */
  registerIowqMaxWorkers(bounded: number, unbounded: number): MaxWorkers {
    return registerMaxWorkers(this[REGISTRATION], bounded, unbounded)
  }

  /**
   * Registers the ring's descriptor with its thread. Calls that submit or wait then name the ring by an index, and the
   * kernel need not look up the descriptor. A thread can register 16 rings. Closing the ring unregisters its descriptor.
   *
   * Since Linux 5.18. See io_uring_register_ring_fd(3).
   *
   * @returns the index, for `ioUringEnter()` of `uring/sys` with `EnterFlags.REGISTERED_RING`, on this thread
   * @throws {UringError} `EEXIST`: the descriptor is registered already; `EBUSY`: the thread has registered 16 rings
   */
  registerRingFd(): number {
    return registerRingFd(this[REGISTRATION])
  }

  /**
   * Unregisters the ring's descriptor: calls name the ring by its descriptor again.
   *
   * Since Linux 5.18. See io_uring_unregister_ring_fd(3).
   *
   * @throws {UringError} `ENXIO`: the descriptor is not registered
   */
  unregisterRingFd(): void {
    unregisterRingFd(this[REGISTRATION])
  }

  // ---- cancelling

  /**
   * Cancels operations in flight, synchronously and without an entry. It does not find entries that are pushed and not
   * submitted.
   *
   * If a kernel worker runs the operation, the call blocks the thread until the operation has ended, or until the timeout.
   * Its completion arrives as usual. With `all` or `'any'` the kernel notifies such operations, but neither waits for them
   * nor counts them. With `sqPoll`, operations in workers of the polling thread are not found.
   *
   * Since Linux 6.0. See io_uring_register_sync_cancel(3).
   *
   * @returns the number of operations found; 0, and no error, if there are none
   * @throws {UringError} `ETIME`: the operation was found and notified, but has not ended within the timeout; `EBADF`: the
   * file is not open
   */
  cancelSync(target: CancelTarget, options?: CancelSyncOptions): number {
    return cancelSync(this, target, options)
  }

  // ---- time and network

  /**
   * Sets the clock for the timeouts of waits: `'monotonic'`, the default, or `'boottime'`, which also counts the time that
   * the machine sleeps.
   *
   * Since Linux 6.12. See io_uring_register_clock(3).
   *
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE`: waits do not support this clock
   */
  registerClock(name: WaitClock): void {
    registerClock(this[REGISTRATION], name)
  }

  /**
   * Lets waits of this ring poll network devices before they sleep, which lowers latency and uses processor time.
   *
   * Since Linux 6.9. See io_uring_register_napi(3).
   *
   * @returns the settings before this call
   * @throws {UringError} `EINVAL`: the ring has `ioPoll`; `ENOTSUP`: the kernel is built without busy polling
   */
  registerNapi(options?: NapiOptions): NapiSettings {
    return registerNapi(this[REGISTRATION], options)
  }

  /** Ends the polling of network devices. Since Linux 6.9. See io_uring_unregister_napi(3). */
  unregisterNapi(): void {
    unregisterNapi(this[REGISTRATION])
  }

  /**
   * Adds a device queue to those that waits poll, by its NAPI id (`SO_INCOMING_NAPI_ID`). For `tracking: 'static'`.
   *
   * Since Linux 6.13.
   *
   * @throws {UringError} `EEXIST`: the id is registered already; `EINVAL`: the id is invalid, or tracking is not static
   */
  registerNapiId(id: number): void {
    registerNapiId(this[REGISTRATION], id)
  }

  /** Removes a device queue, by its NAPI id. Since Linux 6.13. @throws {UringError} `ENOENT`: the id is not registered */
  unregisterNapiId(id: number): void {
    unregisterNapiId(this[REGISTRATION], id)
  }

  /**
   * Registers a receive queue of a network interface for zero-copy receive: until the ring is closed, the queue delivers
   * into memory of the program. See `RecvZc`.
   *
   * Needs a ring with deferred task work and 32-byte completions, `CAP_NET_ADMIN`, and an interface that supports it.
   *
   * Since Linux 6.15. See io_uring_register_ifq(3).
   *
   * @throws {UringError} `EPERM`: without `CAP_NET_ADMIN`; `ENODEV`: there is no such interface; `ENOTSUP`: the interface
   * or the kernel does not support it; `EEXIST`, `EBUSY`: the queue is in use; `EINVAL`: the ring lacks deferred task work
   * or 32-byte completions
   */
  registerZcrx(options: ZcrxOptions): ZcrxQueue {
    return registerZcrx(this[REGISTRATION], options)
  }

  // ---- memory

  /**
   * Registers a region: memory that the ring shares with the kernel until it is closed. A ring has at most one. With
   * `waits` the region holds the arguments of waits, which the kernel then need not copy in each call.
   *
   * Since Linux 6.13. See io_uring_register_region(3).
   *
   * @param memory whole pages, or a number of bytes to allocate
   * @throws {UringError} `EBUSY`: the ring has a region already; `EINVAL`: `waits` is set, and the ring is not disabled
   */
  registerRegion(memory: Bytes | number, options?: RegionOptions): Region {
    return registerRegion(this[REGISTRATION], memory, options)
  }

  // ---- probes and queries

  /**
   * Asks the kernel which operations it has. The answer does not depend on restrictions of the ring.
   *
   * Since Linux 5.6. See io_uring_register_probe(3).
   */
  probe(): Probe {
    return probe(this[REGISTRATION])
  }

  /**
   * Asks the kernel for its numbers of operations and registrations, and its flags. The answer does not depend on
   * restrictions of the ring.
   *
   * Since Linux 6.18. See io_uring_register_query(3).
   *
   * @throws {UringError} `ERR_URING_UNSUPPORTED`: the kernel is older
   */
  query(): Query {
    void this[REGISTRATION] // throws if the ring is closed
    return query()
  }

  // ---- messages

  /**
   * Returns a plain object that names this ring in other threads of the process. Send it with `postMessage()`, and pass it
   * to `MsgRingData`, `MsgRingSendFd` or `Ring.sendMessage()`. It does not keep the ring open: after the ring is closed, its
   * descriptor may name another file.
   */
  reference(): RingReference {
    return { fd: this[REGISTRATION].boundary.native.fd }
  }

  /**
   * Sends a message to a ring without a ring of one's own. The target gets a completion with `source` `'message'`, this
   * `result`, and `data`, 62 bits, as its `userData`.
   *
   * Since Linux 6.13. See io_uring_prep_msg_ring(3).
   *
   * @throws {UringError} `EBADFD`: the target is not a ring, or not enabled; `EBADF`: its descriptor is not open;
   * `ERR_URING_UNSUPPORTED`: the kernel is older
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
