// Locked memory: rings, registered buffers and zero-copy sends are charged to a limit of the user, RLIMIT_MEMLOCK.

import { hasCapability, limit } from './proc.ts'

const CAP_IPC_LOCK = 14

/** Bytes that this process may lock, by itself: infinite for the superuser, whom the limit does not bind. */
export function memlockAllowed(): number {
  return hasCapability(CAP_IPC_LOCK) ? Infinity : limit('Max locked memory')
}

/**
 * What to say where the kernel refused to lock memory (`ENOMEM`): how much is needed, how much is allowed, and what to
 * do. A clause without a capital and without a full stop at its end, as behind a colon.
 */
export function memlockText(needed: number): string {
  const allowed = memlockAllowed()
  const needs = `needs ${needed} bytes of locked memory`
  if (allowed === Infinity)
    return `${needs}. No limit of locked memory binds this process: the machine, or its cgroup, has no more memory`
  return `${needs}, and all processes of this user together may have ${allowed} (ulimit -l ${allowed / 1024}). Raise it: ulimit -l KIB, LimitMEMLOCK= in systemd, docker run --ulimit memlock=BYTES`
}
