// Chains with members that skip their success (CQE_SKIP_SUCCESS), and when the memory of those members is free.
//
// The members of a chain run one after the other. So a completion proves that every member before its own is done. A
// skip-success member completes only when it failed. Unless its link is hard, its failure ends the chain, and the kernel
// drops the rest without a completion.

import { constants } from 'node:os'
import { SqeFlags } from '../flags/index.ts'
import type { Submission } from './submissions.ts'

const { ECANCELED } = constants.errno

const LINKS = SqeFlags.IO_LINK | SqeFlags.IO_HARDLINK
const SKIP = SqeFlags.CQE_SKIP_SUCCESS

interface Member {
  readonly submission: Submission
  readonly flags: number
}

export class SkippedChains {
  /** True if there is a chain to track, which is rare. */
  active = false
  /** Skip-success members that are enqueued or in flight. */
  skipping = 0
  /** The chain that the last enqueued entry belongs to. */
  #open: Member[] = []
  readonly #chains = new Map<Submission, Member[]>()

  /** Adds an enqueued entry to the open chain. */
  enqueued(submission: Submission, flags: number): void {
    if ((flags & SKIP) !== 0) this.skipping += 1
    this.#open.push({ submission, flags })
    this.active = true
    if ((flags & LINKS) === 0) this.cut()
  }

  /** Ends the open chain, as a submit does in the kernel. */
  cut(): void {
    const chain = this.#open
    if (chain.length === 0) return
    this.#open = []
    if (chain.some(({ flags }) => (flags & SKIP) !== 0)) {
      for (const { submission } of chain) this.#chains.set(submission, chain)
    }
    this.active = this.#chains.size > 0
  }

  /** Handles the last completion of a submission. Returns the other submissions that are done with it. */
  completed(submission: Submission, result: number): readonly Submission[] {
    const chain = this.#chains.get(submission)
    if (chain === undefined) return NONE
    const at = chain.findIndex((member) => member.submission === submission)
    const own = chain[at]!
    // A skip-success member that completes as cancelled behind a member that completed too may only pass on that one's
    // failure, and then the rest completes as well. A cancellation of its own looks the same, so the rest is kept.
    const mayPassOn = result === -ECANCELED && at > 0 && !this.#isSkipping(chain[at - 1]!)
    const dropsTheRest = (own.flags & SKIP) !== 0 && (own.flags & SqeFlags.IO_HARDLINK) === 0 && !mayPassOn
    const freed = chain.filter((member, index) =>
      index < at ? this.#isSkipping(member) : index > at && dropsTheRest,
    )
    for (const member of freed) this.#forget(member)
    this.#forget(own)
    this.active = this.#open.length > 0 || this.#chains.size > 0
    return freed.map((member) => member.submission)
  }

  /** True for a skip-success member that has not completed. */
  #isSkipping({ submission, flags }: Member): boolean {
    return (flags & SKIP) !== 0 && this.#chains.has(submission)
  }

  #forget({ submission, flags }: Member): void {
    if ((flags & SKIP) !== 0) this.skipping -= 1
    this.#chains.delete(submission)
  }
}

const NONE: readonly Submission[] = []
