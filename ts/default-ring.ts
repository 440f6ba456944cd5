// The default ring of each thread, made at its first use.

import type { Entry } from './entry/entry.ts'
import type { ChainOptions, EachOptions, RunOptions, StartOptions } from './async/flow.ts'
import type { Operation } from './operations/base/operation.ts'
import { type Results, Ring } from './ring.ts'
import type { Token } from './entry/token.ts'

let own: Ring | undefined

function ring(): Ring {
  own ??= new Ring()
  return own
}

/**
 * Runs an operation on the default ring of this thread. It is submitted together with all that is started in the same
 * turn of the event loop. See {@link Ring.run}.
 *
 * @returns a promise of what the operation resolves to; its memory is free again when the promise settles
 * @throws {UringError} rejects with the kernel's error, `ERR_URING_UNSUPPORTED`, or `ERR_URING_UNAVAILABLE`: this system
 * cannot make rings
 * @throws {AbortError} rejects when `options.signal` cancelled the operation
 * @throws {TimeoutError} rejects when `options.timeout` milliseconds were over
 *
 * @example
 * ```ts
 * const buffer = Buffer.alloc(4096)
 * const bytes = await run(new Read(fd, buffer, { offset: 0 }), { timeout: 1000 })
 * ```
 */
export function run<T>(operation: Operation<T> | Entry<T>, options?: RunOptions): Promise<T> {
  // Not an async function, which would add a promise of its own.
  if (own !== undefined) return own.run(operation, options)
  try {
    return ring().run(operation, options)
  } catch (error) {
    return Promise.reject(error)
  }
}

/**
 * Runs a multishot operation on the default ring of this thread: an iterator over its results, which arms the operation
 * again until it ends. Leaving the loop cancels the operation. See {@link Ring.each}.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_VALUE`: the operation completes only once, so use `run()`
 * @throws {AbortError} the signal is aborted already
 * @throws {UringError} `ERR_URING_UNSUPPORTED`, `ERR_URING_UNAVAILABLE`
 *
 * @example
 * ```ts
 * for await (const connection of each(new AcceptMulti(listener), { signal })) serve(connection)
 * ```
 */
export function each<T>(
  operation: Operation<T>,
  options?: EachOptions,
): AsyncIterableIterator<T, undefined> & AsyncDisposable {
  return ring().each(operation, options)
}

/**
 * Runs operations one after the other on the default ring of this thread, as one submission. See {@link Ring.chain}.
 *
 * @returns a promise of what each of them resolves to, in order
 * @throws {ChainError} rejects when a step fails; it has the outcome of every step
 * @throws {AbortError|TimeoutError} rejects when the signal or the timeout cancelled the chain
 *
 * @example
 * ```ts
 * await chain([new Write(fd, record, { offset }), new Fsync(fd, { datasync: true })])
 * ```
 */
export async function chain<const O extends readonly (Operation<unknown> | Entry<unknown>)[]>(
  operations: O,
  options?: ChainOptions,
): Promise<Results<O>> {
  return ring().chain(operations, options)
}

/**
 * Submits an operation on the default ring of this thread, and calls back with each of its completions, which are not
 * decoded. An exception of the callback is an uncaught exception. See {@link Ring.start}.
 *
 * @returns a token that names the submission
 * @throws {UringError} `ERR_URING_UNSUPPORTED`, `ERR_URING_UNAVAILABLE`
 *
 * @example
 * ```ts
 * start(new Fsync(fd), (result) => {
 *   if (result < 0) console.error(`fsync failed: ${result}`)
 * })
 * ```
 */
export function start(
  operation: Operation<unknown> | Entry<unknown>,
  onCompletion: (result: number, flags: number) => void,
  options?: StartOptions,
): Token {
  return ring().start(operation, onCompletion, options)
}
