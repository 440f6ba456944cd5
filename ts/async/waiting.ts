// Submissions of the promise API that wait for capacity, in order.

import { resolveFile } from '../arguments/file.ts'
import type { Entry } from '../entry/entry.ts'
import { type Token, tokenOf } from '../entry/token.ts'
import { RUN } from '../entry/traits.ts'
import type { CancelTarget } from '../operations/cancel.ts'
import { Queue } from '../ring/fifo.ts'
import type { Submission, SubmissionTable } from '../ring/submissions.ts'
import type { Task } from './tasks.ts'

/** A submission, or a chain of them that has to be submitted together. */
export interface Waiting {
  readonly entries: readonly Entry<unknown>[]
  readonly submissions: readonly Submission[]
}

export class WaitingList {
  private readonly items = new Queue<Waiting>()
  private readonly table: SubmissionTable

  constructor(table: SubmissionTable) {
    this.table = table
  }

  get length(): number {
    return this.items.length
  }

  /** Entries of the oldest; 0 if nothing waits. */
  get needed(): number {
    return this.items.first()?.entries.length ?? 0
  }

  /** Entries of the longest chain. */
  get longest(): number {
    let longest = 0
    for (const { entries } of this.items) longest = Math.max(longest, entries.length)
    return longest
  }

  add(entries: readonly Entry<unknown>[], tasks: readonly Task[]): readonly Submission[] {
    const submissions = entries.map((entry, index) =>
      this.table.acquire(entry.operationClass, entry.state, tasks[index], entry.traits | RUN),
    )
    this.items.push({ entries, submissions })
    return submissions
  }

  shift(): Waiting | undefined {
    return this.items.shift()
  }

  /** Removes the one that a token names. */
  remove(token: Token): Waiting | undefined {
    const [found] = this.items.remove(({ submissions }) =>
      submissions.some((submission) => tokenOf(submission) === token),
    )
    return found
  }

  /** Removes what matches the target of a cancellation: the oldest, or all. */
  removeMatching(target: CancelTarget, all: boolean): readonly Waiting[] {
    let left = all || target === 'any' ? Infinity : 1
    return this.items.remove(({ submissions, entries }) => {
      if (left === 0) return false
      const isFound = entries.some((entry, index) => {
        const submission = submissions[index]
        return submission !== undefined && matches(target, tokenOf(submission), entry)
      })
      if (isFound) left -= 1
      return isFound
    })
  }

  removeAll(): readonly Waiting[] {
    return this.items.remove(() => true)
  }
}

/** True if an entry matches the target of a cancellation. */
function matches(target: CancelTarget, token: Token, entry: Entry<unknown>): boolean {
  if (target === 'any') return true
  const keys = typeof target === 'number' ? { token: target } : target
  return (
    (keys.token === undefined || keys.token === token) &&
    (keys.opcode === undefined || keys.opcode === entry.opcode) &&
    (keys.file === undefined || entry.isOn(resolveFile(keys.file, 'target.file')))
  )
}
