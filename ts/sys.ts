/**
 * The kernel's interface as it is, for those who build their own: `import … from 'uring/sys'`.
 *
 * **Unsafe.** The system calls of io_uring read and write wherever their arguments point, now and until every
 * operation has completed. Nothing here is kept alive.
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
export * from './sys/registrations.ts'
export * from './sys/rings.ts'
export { type StructField, structs, type Structs } from './sys/structs.ts'

const PARAMS_BYTES = 120
const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000
const EFD_SEMAPHORE = 1
const EPOLL_CLOEXEC = 0o2000000
/** Bytes of a `struct io_uring_reg_wait`. */
const WAIT_BYTES = 64

function view(bytes: Bytes, name: string): Uint8Array {
  return viewOf(checkBytes(bytes, name))
}

/**
 * io_uring_setup(2). `params` are the 120 bytes of a `struct io_uring_params`, which the kernel fills in.
 *
 * @returns the descriptor, or `-errno`
 */
export function ioUringSetup(entries: number, params: Bytes): number {
  const bytes = view(params, 'params')
  if (bytes.byteLength !== PARAMS_BYTES)
    throw outOfRange('params.byteLength', `${PARAMS_BYTES}`, bytes.byteLength)
  return binding().rawSetup(integer(entries, 'entries', 0, MAX_U32), bytes)
}

/**
 * io_uring_enter(2).
 *
 * @param argument a `struct io_uring_getevents_arg` with `EnterFlags.EXT_ARG`, with `EnterFlags.EXT_ARG_REG` too the
 * offset of a wait in the ring's region, else a signal mask
 * @returns entries that the kernel took, or `-errno`
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
 * io_uring_register(2).
 *
 * @returns what the opcode gives, or `-errno`
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
 * Where bytes are, for entries and structs. It holds as long as somebody refers to the memory, and it is neither
 * detached nor resized.
 *
 * @throws {RangeError} `ERR_OUT_OF_RANGE` for no bytes, which are nowhere
 */
export function addressOf(bytes: Bytes): number {
  const length = bytesLeft(checkBytes(bytes, 'bytes'))
  if (length === 0) throw outOfRange('bytes.byteLength', '>= 1', length)
  return addressOfMemory(bytes)
}

/** What the kernel gave, or the error that it stands for. */
function checked(result: number, syscall: string): number {
  if (result < 0) throw systemError(result, syscall)
  return result
}

/**
 * A counter that can be polled, see eventfd(2); close-on-exec and non-blocking. With `semaphore` a read takes one of it,
 * and not all.
 *
 * @throws {UringError}
 */
export function eventfd(count = 0, options?: { semaphore?: boolean }): number {
  const { semaphore = false } = checkOptions(options)
  const flags = EFD_CLOEXEC | EFD_NONBLOCK | (flag(semaphore, 'options.semaphore') ? EFD_SEMAPHORE : 0)
  return checked(binding().rawEventfd(integer(count, 'count', 0, MAX_U32), flags), 'eventfd')
}

/** An epoll, see epoll_create(2); close-on-exec. @throws {UringError} */
export function epollCreate(): number {
  return checked(binding().rawEpollCreate(EPOLL_CLOEXEC), 'epoll_create1')
}

/** Two sockets that are connected to each other, see socketpair(2); close-on-exec. @throws {UringError} */
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

/** The address of a socket, see getsockname(2). @throws {UringError} */
export function getsockname(fd: number | { readonly fd: number }): SocketAddress | undefined {
  return socketName(fd, false, 'getsockname')
}

/** The address of a socket's peer, see getpeername(2). @throws {UringError} */
export function getpeername(fd: number | { readonly fd: number }): SocketAddress | undefined {
  return socketName(fd, true, 'getpeername')
}
