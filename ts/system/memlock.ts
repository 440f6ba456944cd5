// Locked memory: rings, registered buffers and zero-copy sends count against the user's RLIMIT_MEMLOCK.

import { MAX_CQ_ENTRIES, MAX_ENTRIES, roundUpToPowerOfTwo } from '../arguments/queue-sizes.ts'
import type { BindingSetup } from '../binding.ts'
import { SetupFlags } from '../flags/index.ts'
import { CAPABILITY, hasCapability, kernelHas, limit, pageSize } from './proc.ts'

const KIB = 1024

/** Returns the bytes that this user's processes may lock; `Infinity` if no limit applies, as with CAP_IPC_LOCK. */
export function memlockAllowed(): number {
  return hasCapability(CAPABILITY.IPC_LOCK) ? Infinity : limit('Max locked memory')
}

/** Settings that raise the limit of locked memory, for messages. */
export const RAISE_MEMLOCK = 'ulimit -l KIB, LimitMEMLOCK= in systemd, docker run --ulimit memlock=BYTES'

/**
 * Returns the explanation of an `ENOMEM` for locked memory: how much is needed, how much is allowed, and what to do.
 * The text starts with "needs", for a subject in front of it, and ends without a full stop.
 */
export function memlockText(needed: number): string {
  const needs = memlockNeeds(needed)
  return memlockAllowed() === Infinity ? needs : `${needs}. Raise it: ${RAISE_MEMLOCK}`
}

/** Returns the explanation of an `ENOMEM` like {@link memlockText}, without what to do. */
export function memlockNeeds(needed: number): string {
  const allowed = memlockAllowed()
  const needs = `needs ${needed} bytes of locked memory`
  if (allowed === Infinity) {
    return `${needs}. No limit of locked memory applies to this process: the machine or its cgroup is out of memory`
  }
  const all = `the limit for all processes of this user together is ${allowed} (ulimit -l ${allowed / KIB})`
  return needed > allowed ? `${needs}, but ${all}` : `${needs}, but too much is in use: ${all}`
}

/** Tells if this kernel counts rings as locked memory. Linux 5.12 to 6.13 does not, and charges only the cgroup. */
export function chargesRings(): boolean {
  return !kernelHas('5.12') || kernelHas('6.14')
}

/** Submission queue entries of `new Ring()` without options. */
export const DEFAULT_ENTRIES = 256

/** Bytes of the ring's shared state in front of the completions. */
const HEADER = 64

/** Returns the bytes of locked memory that a ring needs: its two mappings, in whole pages. */
export function ringBytes({ entries, cqEntries, flags, mode }: BindingSetup): number {
  const sq = roundUpToPowerOfTwo(Math.min(entries, MAX_ENTRIES))
  const cq = roundUpToPowerOfTwo(Math.min(cqEntries ?? sq * 4, MAX_CQ_ENTRIES))
  const setupFlags = flags | (mode ?? 0)
  const noArray = mode === undefined ? kernelHas('6.6') : (setupFlags & SetupFlags.NO_SQARRAY) !== 0
  const completions = cq * ((setupFlags & SetupFlags.CQE32) === 0 ? 16 : 32)
  const submissions = sq * ((setupFlags & SetupFlags.SQE128) === 0 ? 64 : 128)
  return inPages(HEADER + completions + (noArray ? 0 : sq * 4)) + inPages(submissions)
}

/**
 * Returns the bytes of locked memory that a zero-copy send needs while it is in flight: all pages that it may touch.
 */
export function zeroCopyBytes(size: number): number {
  const page = pageSize()
  return (Math.floor(size / page) + 2) * page
}

function inPages(bytes: number): number {
  const page = pageSize()
  return Math.ceil(bytes / page) * page
}
