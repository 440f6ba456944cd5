// Failures of the kernel and of a ring. Numbers cross the boundary; the error objects are made here, when asked for.

import { constants, release } from 'node:os'
import { getSystemErrorMap } from 'node:util'

/** What an error can carry beside its code. */
export interface UringErrorDetails {
  readonly errno?: number | undefined
  readonly syscall?: string | undefined
  readonly operation?: string | undefined
  readonly path?: string | undefined
  readonly dest?: string | undefined
  /** What the message ends with. */
  readonly note?: string | undefined
  readonly cause?: unknown
}

/**
 * What the kernel or a ring refused.
 *
 * For a failed operation `message` is what `node:fs` says of the same failure; for the ring's own codes
 * (`ERR_URING_*`) it says what to do.
 */
export class UringError extends Error {
  /** `'UringError'`. */
  override readonly name: string = 'UringError'
  /** `'ENOENT'`, or one of the ring's own: `'ERR_URING_SQ_FULL'`. */
  readonly code: string
  /** The negative error number of the kernel, if it is the kernel that refused. */
  declare readonly errno?: number
  /** The system call that the operation stands for. */
  declare readonly syscall?: string
  /** The class of the operation. */
  declare readonly operation?: string
  /** The path that it was given. */
  declare readonly path?: string
  /** The second path that it was given. */
  declare readonly dest?: string

  constructor(code: string, message: string, details: UringErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    for (const key of ['errno', 'syscall', 'operation', 'path', 'dest'] as const) {
      if (details[key] !== undefined) Object.assign(this, { [key]: details[key] })
    }
  }
}

/** What an operation rejects with that was cancelled by its signal; `cause` is what the kernel said, or the reason. */
export class AbortError extends Error {
  /** `'AbortError'`. */
  override readonly name: string = 'AbortError'
  /** `'ABORT_ERR'`, as that of Node's own. */
  readonly code = 'ABORT_ERR'

  constructor(cause?: unknown) {
    super('The operation was aborted', { cause })
  }
}

/** What an operation rejects with that was cancelled by its timeout; `cause` is what the kernel said. */
export class TimeoutError extends Error {
  /** `'TimeoutError'`. */
  override readonly name: string = 'TimeoutError'
  /** `'ETIMEDOUT'`. */
  readonly code = 'ETIMEDOUT'

  constructor(milliseconds: number, cause?: unknown) {
    super(`The operation took longer than ${milliseconds} ms`, { cause })
  }
}

/** What became of a step of a chain. */
export interface Outcome {
  /** The kernel's result. */
  readonly result: number
  /** What the step would have resolved to. */
  readonly value?: unknown
  /** What it failed with, if it failed. */
  readonly error?: UringError
}

/** What a chain rejects with: the step that broke it, and what became of all of them. */
export class ChainError extends UringError {
  /** `'ChainError'`. */
  override readonly name: string = 'ChainError'
  /** The step, counted from 0. */
  readonly step: number
  /** What became of each step, in order. */
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

/** Codes that rings return and Node.js has no words for. */
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

/** `'ENOENT'` for -2. */
export function errorCode(errno: number): string {
  return nameOf(errno)[0]
}

/** The error that a negative result stands for, in the words of `node:fs`. */
export function systemError(errno: number, syscall: string, details: UringErrorDetails = {}): UringError {
  const [code, text] = nameOf(errno)
  let message = `${code}: ${text}, ${syscall}`
  if (details.path !== undefined) message += ` '${details.path}'`
  if (details.dest !== undefined) message += ` -> '${details.dest}'`
  if (details.note !== undefined) message += `: ${details.note}`
  return new UringError(code, message, { ...details, errno, syscall })
}

export function closedError(): UringError {
  return new UringError('ERR_URING_CLOSED', 'The ring is closed')
}

export function shortError(operation: string, result: number): UringError {
  return new UringError(
    'ERR_URING_SHORT',
    `${operation} moved ${result} bytes, fewer than it was asked to, which breaks a chain that is not hard`,
    { operation },
  )
}

export function eventfdError(): UringError {
  return new UringError(
    'ERR_URING_EVENTFD',
    'The ring has an eventfd already, and the asynchronous flow needs its only one. Call unregisterEventfd() first, or use another ring',
  )
}

/** The same on a ring that may not register one any more. */
export function restrictedEventfdError(): UringError {
  return new UringError(
    'ERR_URING_EVENTFD',
    "The asynchronous flow has no eventfd, and the ring's restrictions let it register none. enable() does that before they are in force: leave the place free, or allow the registrations 4 and 5",
  )
}

export function fullError(entries: number): UringError {
  return new UringError(
    'ERR_URING_SQ_FULL',
    `The submission queue is full: ${entries} entries are pushed and not submitted. Call submit() first, or make the ring with more entries`,
  )
}

export function unsupportedError({ name, since }: { name: string; since: string }): UringError {
  return new UringError(
    'ERR_URING_UNSUPPORTED',
    `${name} needs Linux ${since} or later, built with support for it, and this is ${release()}`,
    { operation: name },
  )
}

export function nothingInFlightError(wanted: number, possible: number): UringError {
  return new UringError(
    'ERR_URING_NOTHING_IN_FLIGHT',
    `Waiting for ${wanted} completions would never end: ${possible} can come from what is pushed, in flight and ready. Give a timeout to wait all the same`,
  )
}

/** For what was used after it was given back. */
export function resourceClosedError(message: string): UringError {
  return new UringError('ERR_URING_RESOURCE_CLOSED', message)
}

/** For what cannot be done the way things are. */
export function invalidStateError(message: string): UringError {
  return new UringError('ERR_INVALID_STATE', message)
}

export function detachedError(operation: string): UringError {
  return new UringError(
    'ERR_URING_BUFFER_DETACHED',
    `The buffer of ${operation} was detached or grown while the operation was in flight, so what it moved is lost. Do not transfer a buffer before the operation has completed`,
    { operation },
  )
}

export function detachedArgumentError(name: string): UringError {
  return new UringError(
    'ERR_URING_BUFFER_DETACHED',
    `The memory of "${name}" was detached: it was transferred to somebody else, who may have freed it, or grown. Memory from allocate() cannot be`,
  )
}

export function closedGroupError(group: number): UringError {
  return new UringError(
    'ERR_URING_RESOURCE_CLOSED',
    `The buffer ring of group ${group} is closed. Make a new one before more is asked of it`,
  )
}
