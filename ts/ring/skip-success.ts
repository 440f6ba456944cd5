// Chains with members whose success is not reported (CQE_SKIP_SUCCESS), and when the memory of those is free.
//
// The members of a chain run one after the other. So a completion says that every member before its own is done; and
// a member that was to be silent answers only when it failed, which, unless the link is hard, ends the chain: the
// kernel drops the rest, without a word about them.

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
  /** Whether there is anything to track: nearly always there is not. */
  active = false
  /** Silent members that are staged or in flight. */
  silent = 0
  /** The chain that the last staged entry is tied to. */
  #open: Member[] = []
  readonly #chains = new Map<Submission, Member[]>()

  /** An entry was staged. */
  staged(submission: Submission, flags: number): void {
    if ((flags & SKIP) !== 0) this.silent += 1
    this.#open.push({ submission, flags })
    this.active = true
    if ((flags & LINKS) === 0) this.cut()
  }

  /** A submission ends the chain that is open, as it does in the kernel. */
  cut(): void {
    const chain = this.#open
    if (chain.length === 0) return
    this.#open = []
    if (chain.some(({ flags }) => (flags & SKIP) !== 0)) {
      for (const { submission } of chain) this.#chains.set(submission, chain)
    }
    this.active = this.#chains.size > 0
  }

  /** A submission has completed for the last time. Gives the submissions that are free with it, its own left out. */
  completed(submission: Submission, result: number): readonly Submission[] {
    const chain = this.#chains.get(submission)
    if (chain === undefined) return NONE
    const at = chain.findIndex((member) => member.submission === submission)
    const own = chain[at]!
    // A silent member that reports a cancellation behind one that reported too may only pass on that one's failure,
    // and then the rest reports as well. It cannot be told apart from a cancellation of its own: the rest is kept.
    const mayPassOn = result === -ECANCELED && at > 0 && !this.#isSilent(chain[at - 1]!)
    const dropsTheRest = (own.flags & SKIP) !== 0 && (own.flags & SqeFlags.IO_HARDLINK) === 0 && !mayPassOn
    const freed = chain.filter((member, index) =>
      index < at ? this.#isSilent(member) : index > at && dropsTheRest,
    )
    for (const member of freed) this.#forget(member)
    this.#forget(own)
    this.active = this.#open.length > 0 || this.#chains.size > 0
    return freed.map((member) => member.submission)
  }

  /** Whether a member has not reported, and did not have to. */
  #isSilent({ submission, flags }: Member): boolean {
    return (flags & SKIP) !== 0 && this.#chains.has(submission)
  }

  #forget({ submission, flags }: Member): void {
    if ((flags & SKIP) !== 0) this.silent -= 1
    this.#chains.delete(submission)
  }
}

const NONE: readonly Submission[] = []
