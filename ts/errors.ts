// Error classes. The native half returns error numbers; error objects are created here, when they are needed.

import { constants, release } from 'node:os'
import { getSystemErrorMap } from 'node:util'

/** Properties of an error beside its code. */
export interface UringErrorDetails {
  readonly errno?: number | undefined
  readonly syscall?: string | undefined
  readonly operation?: string | undefined
  readonly path?: string | undefined
  readonly dest?: string | undefined
  /** Text that {@link systemError} appends to the message, after a colon. */
  readonly note?: string | undefined
  readonly cause?: unknown
}

/**
 * An error of the kernel or of this package.
 *
 * An error of the kernel has the kernel's `code` (`'ENOENT'`), and the `message` of `node:fs` for the same failure. For
 * the package's own codes, `message` says what to do:
 *
 * - `ERR_URING_UNAVAILABLE`: rings cannot be created here, see `support()`
 * - `ERR_URING_UNSUPPORTED`: the running kernel or runtime lacks a feature
 * - `ERR_URING_CLOSED`: the ring is closed
 * - `ERR_URING_RESOURCE_CLOSED`: a table or buffer ring is used after it was unregistered or closed
 * - `ERR_URING_SQ_FULL`: the submission queue has fewer free entries than the call needs
 * - `ERR_URING_SHORT`: a step of a chain transferred fewer bytes than requested
 * - `ERR_URING_EVENTFD`: the promise API cannot register its eventfd
 * - `ERR_URING_NOTHING_IN_FLIGHT`: a wait without a timeout would never return
 * - `ERR_URING_BUFFER_DETACHED`: a buffer is detached, or was detached or shrunk while an operation used it
 * - `ERR_URING_BUFFER_IN_USE`: operations in flight still use buffers of a closed buffer ring with the same group
 *   number
 * - `ERR_INVALID_STATE`: the call is not possible in the present state
 */
export class UringError extends Error {
  /** `'UringError'`. */
  override readonly name: string = 'UringError'
  /** The name of the kernel's error (`'ENOENT'`), or one of the package's own codes (`'ERR_URING_SQ_FULL'`). */
  readonly code: string
  /** The negative error number, if the error is the kernel's. */
  declare readonly errno?: number
  /** The system call that failed, or that the operation corresponds to. */
  declare readonly syscall?: string
  /** The name of the operation class. */
  declare readonly operation?: string
  /** The path of the operation. */
  declare readonly path?: string
  /** The second path of the operation, of a rename or link for example. */
  declare readonly dest?: string

  constructor(code: string, message: string, details: UringErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    for (const key of ['errno', 'syscall', 'operation', 'path', 'dest'] as const) {
      if (details[key] !== undefined) Object.assign(this, { [key]: details[key] })
    }
  }
}

/** Rejects an operation that its signal has cancelled. `cause` is the kernel's error, or the reason of the signal. */
export class AbortError extends Error {
  /** `'AbortError'`. */
  override readonly name: string = 'AbortError'
  /** `'ABORT_ERR'`, as in Node.js. */
  readonly code = 'ABORT_ERR'

  constructor(cause?: unknown) {
    super('The operation was aborted', { cause })
  }
}

/** Rejects an operation that its `timeout` option has cancelled. `cause` is the kernel's error. */
export class TimeoutError extends Error {
  /** `'TimeoutError'`. */
  override readonly name: string = 'TimeoutError'
  /** `'ETIMEDOUT'`. */
  readonly code = 'ETIMEDOUT'

  constructor(milliseconds: number, cause?: unknown) {
    super(`The operation took longer than ${milliseconds} ms`, { cause })
  }
}

/** The result of a step of a chain. */
export interface Outcome {
  /** The kernel's result: a negative error number if the step failed. */
  readonly result: number
  /** The value that the step would have resolved to. */
  readonly value?: unknown
  /** The error of a step that failed. */
  readonly error?: UringError
}

/** Rejects a chain. Has the error of the step that broke the chain, and the outcomes of all steps. */
export class ChainError extends UringError {
  /** `'ChainError'`. */
  override readonly name: string = 'ChainError'
  /** The index of the step that broke the chain, from 0. */
  readonly step: number
  /** The outcome of each step, in order. */
  readonly outcomes: readonly Outcome[]

  constructor(step: number, error: UringError, outcomes: readonly Outcome[]) {
    const { errno, syscall, operation, path, dest } = error
    super(error.code, `Step ${step} of the chain (${operation ?? 'Entry'}) failed: ${error.message}`, {
      errno,
      syscall,
      operation,
      path,
      dest,
      cause: error,
    })
    this.step = step
    this.outcomes = outcomes
  }
}

/** Errors that operations return and that Node.js has no message for. */
const OTHERS: readonly (readonly [number, string, string])[] = [
  [-10, 'ECHILD', 'no child processes'],
  [-62, 'ETIME', 'timer expired'],
  [-77, 'EBADFD', 'file descriptor in bad state'],
  [-130, 'EOWNERDEAD', 'owner died'],
  [-126, 'ENOKEY', 'required key not available'],
  [-127, 'EKEYEXPIRED', 'key has expired'],
  [-129, 'EKEYREJECTED', 'key was rejected by service'],
  [-53, 'EBADR', 'invalid request descriptor'],
  [-61, 'ENODATA', 'no data available'],
  [-123, 'ENOMEDIUM', 'no medium found'],
  [-37, 'ENOLCK', 'no locks available'],
  [-512, 'ERESTARTSYS', 'interrupted system call should be restarted'],
  [-133, 'EHWPOISON', 'memory page has hardware error'],
]

let names: Map<number, readonly [string, string]> | undefined

function nameOf(errno: number): readonly [string, string] {
  if (names === undefined) {
    names = new Map(getSystemErrorMap())
    for (const [number, code, text] of OTHERS) if (!names.has(number)) names.set(number, [code, text])
    for (const [code, number] of Object.entries(constants.errno)) {
      if (!names.has(-number)) names.set(-number, [code, `error ${number}`])
    }
  }
  return names.get(errno) ?? [`E${-errno}`, `unknown error ${-errno}`]
}

/** Returns the name of an error number: `'ENOENT'` for -2. */
export function errorCode(errno: number): string {
  return nameOf(errno)[0]
}

/** Returns the error for a negative result, with the message of `node:fs`. */
export function systemError(errno: number, syscall: string, details: UringErrorDetails = {}): UringError {
  const [code, text] = nameOf(errno)
  let message = `${code}: ${text}, ${syscall}`
  if (details.path !== undefined) message += ` '${details.path}'`
  if (details.dest !== undefined) message += ` -> '${details.dest}'`
  if (details.note !== undefined) message += `: ${details.note}`
  return new UringError(code, message, { ...details, errno, syscall })
}

/** Returns `ERR_URING_CLOSED`: the ring is closed. */
export function closedError(): UringError {
  return new UringError('ERR_URING_CLOSED', 'The ring is closed')
}

/** Returns `ERR_URING_SHORT`: a step moved fewer bytes than requested, which breaks a chain of soft links. */
export function shortError(operation: string, result: number): UringError {
  return new UringError(
    'ERR_URING_SHORT',
    `${operation} moved ${result} bytes, fewer than requested, which breaks the chain. Pass { hard: true } to continue a chain after short transfers`,
    { operation },
  )
}

/** Returns `ERR_URING_EVENTFD`: the program has registered an eventfd, and a ring can have only one. */
export function eventfdError(): UringError {
  return new UringError(
    'ERR_URING_EVENTFD',
    'This ring already has an eventfd registered, and run(), each(), chain() and start() need it. Call unregisterEventfd() first, or use another ring',
  )
}

/** Returns `ERR_URING_EVENTFD`: the promise API has no eventfd, and the ring's restrictions forbid registering one. */
export function restrictedEventfdError(): UringError {
  return new UringError(
    'ERR_URING_EVENTFD',
    "run(), each(), chain() and start() need an eventfd, and this ring's restrictions forbid registering one. Have no eventfd of your own registered when you call enable(), which then registers one for them, or allow the registrations 4 and 5 (IORING_REGISTER_EVENTFD, IORING_UNREGISTER_EVENTFD)",
  )
}

/** Returns `ERR_URING_SQ_FULL`: the submission queue has fewer free entries than the call needs. */
export function fullError(entries: number): UringError {
  return new UringError(
    'ERR_URING_SQ_FULL',
    `The submission queue has too little space left: it holds at most ${entries} entries. Call submit() first, or create the ring with more entries`,
  )
}

/** Returns `ERR_URING_UNSUPPORTED`: the running kernel does not support an operation or a registration. */
export function unsupportedError(
  { name, since }: { name: string; since: string },
  details: UringErrorDetails = { operation: name },
): UringError {
  return new UringError(
    'ERR_URING_UNSUPPORTED',
    `${name} needs Linux ${since} or later, built with support for it. This kernel is ${release()}`,
    details,
  )
}

/** Returns `ERR_URING_NOTHING_IN_FLIGHT`: fewer completions can arrive than a wait without a timeout waits for. */
export function nothingInFlightError(wanted: number, possible: number): UringError {
  return new UringError(
    'ERR_URING_NOTHING_IN_FLIGHT',
    `Waiting for ${wanted} completions would never return: only ${possible} can come from operations that are pushed, in flight or completed. Pass a timeout to wait anyway`,
  )
}

/** Returns `ERR_URING_RESOURCE_CLOSED`: a table or buffer ring is used after it was unregistered or closed. */
export function resourceClosedError(message: string): UringError {
  return new UringError('ERR_URING_RESOURCE_CLOSED', message)
}

/** Returns `ERR_INVALID_STATE`: the call is not possible in the present state. */
export function invalidStateError(message: string): UringError {
  return new UringError('ERR_INVALID_STATE', message)
}

/** Returns `ERR_URING_BUFFER_DETACHED`: a buffer was detached or shrunk while an operation used it. */
export function detachedError(operation: string): UringError {
  return new UringError(
    'ERR_URING_BUFFER_DETACHED',
    `The buffer of ${operation} was detached or resized (transferred, shrunk, or grown as a WebAssembly.Memory) while the operation was in flight, so its data is lost. Leave a buffer as it is until the operation has completed`,
    { operation },
  )
}

/** Returns `ERR_URING_BUFFER_DETACHED`: memory is detached before it is used. */
export function detachedArgumentError(name: string): UringError {
  return new UringError(
    'ERR_URING_BUFFER_DETACHED',
    `The memory of "${name}" is detached: it was transferred, or its WebAssembly.Memory has grown. Use memory from allocate(), which cannot be detached`,
  )
}

/** Returns `ERR_URING_RESOURCE_CLOSED`: the buffer ring of a group is closed. */
export function closedGroupError(group: number): UringError {
  return new UringError(
    'ERR_URING_RESOURCE_CLOSED',
    `The buffer ring of group ${group} is closed. Create a new one before you use this group again`,
  )
}
