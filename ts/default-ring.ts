// A ring of this thread's own, made at the first use.

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

/** {@link Ring.run} on this thread's default ring. */
export function run<T>(operation: Operation<T> | Entry<T>, options?: RunOptions): Promise<T> {
  // An async function would add a promise of its own.
  if (own !== undefined) return own.run(operation, options)
  try {
    return ring().run(operation, options)
  } catch (error) {
    return Promise.reject(error)
  }
}

/** {@link Ring.each} on this thread's default ring. */
export function each<T>(
  operation: Operation<T>,
  options?: EachOptions,
): AsyncIterableIterator<T, undefined> & AsyncDisposable {
  return ring().each(operation, options)
}

/** {@link Ring.chain} on this thread's default ring. */
export async function chain<const O extends readonly (Operation<unknown> | Entry<unknown>)[]>(
  operations: O,
  options?: ChainOptions,
): Promise<Results<O>> {
  return ring().chain(operations, options)
}

/** {@link Ring.start} on this thread's default ring. */
export function start(
  operation: Operation<unknown> | Entry<unknown>,
  onCompletion: (result: number, flags: number) => void,
  options?: StartOptions,
): Token {
  return ring().start(operation, onCompletion, options)
}
