// Locked memory: rings, registered buffers and zero-copy sends are charged to a limit of the user, RLIMIT_MEMLOCK.

import type { BindingSetup } from '../binding.ts'
import { SetupFlags } from '../flags/index.ts'
import { CAPABILITY, hasCapability, kernelHas, limit, pageSize } from './proc.ts'

const KIB = 1024

/** Bytes that the processes of this user may lock: infinite where no limit binds this one, as with CAP_IPC_LOCK. */
export function memlockAllowed(): number {
  return hasCapability(CAPABILITY.IPC_LOCK) ? Infinity : limit('Max locked memory')
}

/** How more may be locked. */
export const RAISE_MEMLOCK = 'ulimit -l KIB, LimitMEMLOCK= in systemd, docker run --ulimit memlock=BYTES'

/**
 * What to say where the kernel refused to lock memory (`ENOMEM`): how much is needed, how much is allowed, and what to
 * do. It goes on behind a colon or the name of what needs it, and ends without a full stop.
 */
export function memlockText(needed: number): string {
  const needs = memlockNeeds(needed)
  return memlockAllowed() === Infinity ? needs : `${needs}. Raise it: ${RAISE_MEMLOCK}`
}

/** The same, without what to do. */
export function memlockNeeds(needed: number): string {
  const allowed = memlockAllowed()
  const needs = `needs ${needed} bytes of locked memory`
  if (allowed === Infinity) {
    return `${needs}. No limit of locked memory binds this process: the machine, or its cgroup, has no more memory`
  }
  const all = `all processes of this user together may have ${allowed} (ulimit -l ${allowed / KIB})`
  return needed > allowed ? `${needs}, and ${all}` : `${needs}, and too much is in use: ${all}`
}

/** Whether this kernel charges rings themselves: not from 5.12 to 6.13, where only the cgroup pays for them. */
export function chargesRings(): boolean {
  return !kernelHas('5.12') || kernelHas('6.14')
}

/** Submission queue entries of `new Ring()` without options. */
export const DEFAULT_ENTRIES = 256

const MAX_ENTRIES = 32_768
const MAX_CQ_ENTRIES = 65_536
/** What stands before the completions. */
const HEADER = 64

/** Bytes of locked memory that a ring needs: its two mappings, in whole pages. */
export function ringBytes({ entries, cqEntries, flags, mode }: BindingSetup): number {
  const sq = roundUp(Math.min(entries, MAX_ENTRIES))
  const cq = roundUp(Math.min(cqEntries ?? sq * 4, MAX_CQ_ENTRIES))
  const wide = flags | (mode ?? 0)
  const plain = mode === undefined ? kernelHas('6.6') : (wide & SetupFlags.NO_SQARRAY) !== 0
  const completions = cq * ((wide & SetupFlags.CQE32) === 0 ? 16 : 32)
  const submissions = sq * ((wide & SetupFlags.SQE128) === 0 ? 64 : 128)
  return inPages(HEADER + completions + (plain ? 0 : sq * 4)) + inPages(submissions)
}

/** Bytes of locked memory that a zero-copy send needs while it is in flight: each page that it may touch. */
export function zeroCopyBytes(size: number): number {
  const page = pageSize()
  return (Math.floor(size / page) + 2) * page
}

function roundUp(count: number): number {
  return 2 ** Math.ceil(Math.log2(count))
}

function inPages(bytes: number): number {
  const page = pageSize()
  return Math.ceil(bytes / page) * page
}
