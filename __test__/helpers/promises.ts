// What became of a promise, and who listens to the signal that ends it.

import { getEventListeners } from 'node:events'

/** Lets the event loop turn once. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Waits until the operations started in this turn are submitted; the event loop does not turn. */
export const endOfTurn = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve))

/** What a promise rejects with; an error that says so if it resolves. */
export const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => new Error('it resolved'),
    (error: unknown) => error,
  )

/** An error's code. */
export const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code

/** How many listen for a signal's abort. */
export const listenersOf = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length
