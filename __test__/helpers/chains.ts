// Outcomes of chains, and the descriptors that they open.

import { readdirSync, readlinkSync } from 'node:fs'
import type { ChainError } from 'uring'

/** Returns the result of each step of a chain that failed, or the code of its error. */
export function outcomesOf(error: unknown): unknown[] {
  return (error as ChainError).outcomes.map(({ result, error }) => error?.code ?? result)
}

/** Returns true if a descriptor of this process refers to `path`. */
export function isOpen(path: string): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false // the descriptor that read the directory
    }
  })
}
