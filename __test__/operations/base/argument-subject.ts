// An operation as the tests of its arguments see it, and how they make one.

import type { Operation } from 'uring'
import type { Bad } from './bad-values.ts'

export type AnyOperation = Operation<unknown>
export type Constructor = new (...args: never[]) => AnyOperation

export interface Subject {
  readonly Class: Constructor
  /** Arguments by position: bad values, and a function that returns a good one. */
  readonly positional: Record<string, readonly [bad: readonly Bad[], good: () => unknown]>
  /** Bad values of options, or `undefined` if there are no options. */
  readonly options: Record<string, readonly Bad[]> | undefined
  /** Options that become fields only if they are given. */
  readonly rare?: readonly string[]
}

export function make({ Class }: Subject, args: readonly unknown[]): AnyOperation {
  return new (Class as unknown as new (...args: readonly unknown[]) => AnyOperation)(...args)
}

/** Good arguments for every position. */
export function goodArguments({ positional }: Subject): unknown[] {
  return Object.values(positional).map(([, good]) => good())
}

export function good(subject: Subject): AnyOperation {
  return make(subject, goodArguments(subject))
}
