// Operations whose results tell the queue API and the promise API apart.

import { Nop } from 'uring'

/** An operation for push(); its result is 1000 + `index`. */
export const pushed = (index: number): Nop => new Nop({ result: 1000 + index })

/** An operation for run() and start(); its result is 2000 + `index`. */
export const run = (index: number): Nop => new Nop({ result: 2000 + index })

/** Returns the integers from 0 to `count` - 1. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
