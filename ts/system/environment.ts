// Where this process runs: for the order of advice and for reports, never for what is wrong.

import { existsSync } from 'node:fs'
import { readWord } from './proc.ts'
import type { Remedies } from './remedies.ts'

/** Where advice is to be looked for first. */
export type Place = keyof Remedies

/** Where this process seems to run. */
export function place(): Place {
  if (process.env.KUBERNETES_SERVICE_HOST !== undefined) return 'kubernetes'
  const groups = readWord('/proc/self/cgroup') ?? ''
  if (existsSync('/.dockerenv') || existsSync('/run/.containerenv')) return 'docker'
  if (/\/(?:docker|containerd|kubepods|libpod)\b/.test(groups)) return 'docker'
  return /\.service$/m.test(groups) && process.env.INVOCATION_ID !== undefined ? 'systemd' : 'shell'
}

/** The name and version of what runs JavaScript here. */
export function runtime(): string {
  const { bun, deno, node } = process.versions
  if (bun !== undefined) return `Bun ${bun}`
  return deno === undefined ? `Node.js ${node}` : `Deno ${deno}`
}

/** Bytes of memory that the cgroup of this process may have: infinite where it has no limit, or nobody says. */
export function memoryLimit(): number {
  const bytes = process.constrainedMemory?.() ?? 0
  return bytes === 0 || bytes >= Number.MAX_SAFE_INTEGER ? Infinity : bytes
}

/** Threads and processes that the cgroup of this process may have, the kernel's workers among them. */
export function taskLimit(): number {
  const groups = readWord('/proc/self/cgroup') ?? ''
  const unified = /^0::(\/.*)$/m.exec(groups)?.[1]
  const pids = /^\d+:(?:[^:\n]*,)?pids(?:,[^:\n]*)?:(\/.*)$/m.exec(groups)?.[1]
  const paths = [
    pids === undefined ? undefined : `/sys/fs/cgroup/pids${pids}/pids.max`,
    unified === undefined ? undefined : `/sys/fs/cgroup${unified}/pids.max`,
  ]
  for (const path of paths) {
    const word = path === undefined ? undefined : readWord(path)
    if (word !== undefined && /^\d+$/.test(word)) return Number(word)
  }
  return Infinity
}
