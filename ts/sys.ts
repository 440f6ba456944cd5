/**
 * The raw interface of the kernel, for programs that build their own ring: `import … from 'uring/sys'`.
 *
 * **Unsafe.** The kernel reads and writes the memory that arguments and entries point at, during a call and until each
 * operation has completed. Nothing here keeps that memory alive.
 *
 * @module
 */

import { decodeAddress, type SocketAddress } from './structs/sockaddr.ts'
import { binding } from './binding.ts'
import { systemError } from './errors.ts'
import { SocketType } from './flags/index.ts'
import {
  addressOf as addressOfMemory,
  type Bytes,
  bytesLeft,
  checkBytes,
  viewOf,
} from './memory/address-of.ts'
import { type FileTarget, resolveDescriptor } from './arguments/file.ts'
import { flag, integer, mask, MAX_I32, MAX_U32, checkOptions, outOfRange } from './arguments/validate.ts'

export * from './sys/entries.ts'
export { type CompletionQueue, type Cqe, MappedRing, type SubmissionQueue } from './sys/mapped.ts'
export { mapRing } from './sys/mapping.ts'
export * from './flags/registrations.ts'
export * from './sys/rings.ts'
export { type StructField, structs, type Structs } from './sys/structs.ts'

const PARAMS_BYTES = 120
const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000
const EFD_SEMAPHORE = 1
const EPOLL_CLOEXEC = 0o2000000
/** The size of a `struct io_uring_reg_wait` in bytes. */
const WAIT_BYTES = 64

function view(bytes: Bytes, name: string): Uint8Array {
  return viewOf(checkBytes(bytes, name))
}

/**
 * Creates a ring, see io_uring_setup(2). The kernel fills in `params`, the 120 bytes of a `struct io_uring_params`.
 *
 * @returns the descriptor of the ring, or `-errno`
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: an argument has the wrong type
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: `entries` is no `u32`, or `params` has a size other than 120 bytes
 */
export function ioUringSetup(entries: number, params: Bytes): number {
  const bytes = view(params, 'params')
  if (bytes.byteLength !== PARAMS_BYTES)
    throw outOfRange('params.byteLength', `${PARAMS_BYTES}`, bytes.byteLength)
  return binding().rawSetup(integer(entries, 'entries', 0, MAX_U32), bytes)
}

/**
 * Submits entries and waits for completions, see io_uring_enter(2).
 *
 * @param argument with `EnterFlags.EXT_ARG`, a `struct io_uring_getevents_arg`; with `EnterFlags.EXT_ARG_REG` too, the
 * offset of a `struct io_uring_reg_wait` in the ring's region; otherwise a signal mask. Default: null
 * @returns the number of entries that the kernel consumed, or `-errno`
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: an argument has the wrong type
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: a number does not fit into 32 bits
 */
export function ioUringEnter(
  fd: number,
  toSubmit: number,
  minComplete: number,
  flags: number,
  argument: Bytes | number | null = null,
): number {
  if (typeof argument === 'number') {
    return binding().rawEnterRegistered(
      integer(fd, 'fd', -0x8000_0000, MAX_I32),
      integer(toSubmit, 'toSubmit', 0, MAX_U32),
      integer(minComplete, 'minComplete', 0, MAX_U32),
      mask(flags, 'flags'),
      integer(argument, 'argument', 0, MAX_U32),
      WAIT_BYTES,
    )
  }
  const bytes = argument === null ? null : view(argument, 'argument')
  return binding().rawEnter(
    integer(fd, 'fd', -0x8000_0000, MAX_I32),
    integer(toSubmit, 'toSubmit', 0, MAX_U32),
    integer(minComplete, 'minComplete', 0, MAX_U32),
    mask(flags, 'flags'),
    bytes,
    bytes?.byteLength ?? 0,
  )
}

/**
 * Registers resources, see io_uring_register(2). `count` is `nr_args`.
 *
 * @returns the result of the opcode, or `-errno`
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: an argument has the wrong type
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: a number does not fit into 32 bits
 */
export function ioUringRegister(fd: number, opcode: number, argument: Bytes | null, count: number): number {
  return binding().rawRegister(
    integer(fd, 'fd', -0x8000_0000, MAX_I32),
    mask(opcode, 'opcode'),
    argument === null ? null : view(argument, 'argument'),
    integer(count, 'count', 0, MAX_U32),
  )
}

/**
 * Returns the address of memory, for entries and structs. It is valid as long as the program refers to the memory, and
 * neither detaches nor resizes it.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: `bytes` is not memory
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: the memory is empty, and so has no address
 */
export function addressOf(bytes: Bytes): number {
  const length = bytesLeft(checkBytes(bytes, 'bytes'))
  if (length === 0) throw outOfRange('bytes.byteLength', '>= 1', length)
  return addressOfMemory(bytes)
}

/** Returns the result of a system call; throws the error for a negative one. */
function checked(result: number, syscall: string): number {
  if (result < 0) throw systemError(result, syscall)
  return result
}

/**
 * Creates an eventfd, see eventfd(2); close-on-exec and non-blocking. With `semaphore`, a read decrements the counter
 * by one, instead of resetting it to 0 (`EFD_SEMAPHORE`).
 *
 * @param count the initial value of the counter, 0 to 2^32 - 1
 * @throws {UringError} the errors of eventfd(2), such as `EMFILE`: too many open files
 */
export function eventfd(count = 0, options?: { semaphore?: boolean }): number {
  const { semaphore = false } = checkOptions(options)
  const flags = EFD_CLOEXEC | EFD_NONBLOCK | (flag(semaphore, 'options.semaphore') ? EFD_SEMAPHORE : 0)
  return checked(binding().rawEventfd(integer(count, 'count', 0, MAX_U32), flags), 'eventfd')
}

/**
 * Creates an epoll instance, see epoll_create1(2); close-on-exec.
 *
 * @throws {UringError} the errors of epoll_create1(2), such as `EMFILE`: too many open files
 */
export function epollCreate(): number {
  return checked(binding().rawEpollCreate(EPOLL_CLOEXEC), 'epoll_create1')
}

/**
 * Creates two sockets that are connected to each other, see socketpair(2); close-on-exec.
 *
 * @throws {UringError} the errors of socketpair(2), such as `EAFNOSUPPORT`: unknown domain, `ENOTSUP`: the domain has
 * no socket pairs
 */
export function socketpair(domain: number, type: number): [number, number] {
  const [left = -1, right] = binding().rawSocketpair(
    integer(domain, 'domain', 0, MAX_I32),
    integer(type, 'type', 0, MAX_I32) | SocketType.CLOEXEC,
    0,
  )
  if (right === undefined) throw systemError(left, 'socketpair')
  return [left, right]
}

function socketName(file: FileTarget, peer: boolean, syscall: string): SocketAddress | undefined {
  const name = binding().rawSocketName(resolveDescriptor(file, 'fd'), peer)
  if (typeof name === 'number') throw systemError(name, syscall)
  return decodeAddress(Buffer.from(name.buffer, name.byteOffset, name.byteLength))
}

/**
 * Returns the address of a socket, see getsockname(2).
 *
 * @throws {UringError} `EBADF`: not a descriptor, `ENOTSOCK`: not a socket
 */
export function getsockname(fd: number | { readonly fd: number }): SocketAddress | undefined {
  return socketName(fd, false, 'getsockname')
}

/**
 * Returns the address of a socket's peer, see getpeername(2).
 *
 * @throws {UringError} `EBADF`: not a descriptor, `ENOTSOCK`: not a socket, `ENOTCONN`: not connected
 */
export function getpeername(fd: number | { readonly fd: number }): SocketAddress | undefined {
  return socketName(fd, true, 'getpeername')
}
