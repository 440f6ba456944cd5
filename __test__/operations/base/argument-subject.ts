// An operation as the tests of arguments see it.

import type { Operation } from 'uring'
import type { Bad } from './bad-values.ts'

export type AnyOperation = Operation<unknown>
export type Constructor = new (...args: never[]) => AnyOperation

export interface Subject {
  readonly Class: Constructor
  /** Arguments by position: what is bad for them, and a good one. */
  readonly positional: Record<string, readonly [bad: readonly Bad[], good: () => unknown]>
  /** Options, or `undefined` where there are none. */
  readonly options: Record<string, readonly Bad[]> | undefined
}
