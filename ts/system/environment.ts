// The environment of this process. It decides the order of advice and appears in reports; diagnoses do not depend on
// it.

import { existsSync } from 'node:fs'
import { readWord } from './proc.ts'
import type { Remedies } from './remedies.ts'

/** An environment that there is advice for. */
export type Place = keyof Remedies

/** Returns the environment that this process seems to run in. */
export function place(): Place {
  if (process.env.KUBERNETES_SERVICE_HOST !== undefined) return 'kubernetes'
  const groups = readWord('/proc/self/cgroup') ?? ''
  if (existsSync('/.dockerenv') || existsSync('/run/.containerenv')) return 'docker'
  if (/\/(?:docker|containerd|kubepods|libpod)\b/.test(groups)) return 'docker'
  return /\.service$/m.test(groups) && process.env.INVOCATION_ID !== undefined ? 'systemd' : 'shell'
}

/** Returns the name and version of the JavaScript runtime. */
export function runtime(): string {
  const { bun, deno, node } = process.versions
  if (bun !== undefined) return `Bun ${bun}`
  return deno === undefined ? `Node.js ${node}` : `Deno ${deno}`
}

/** Returns the memory limit of this process's cgroup in bytes; `Infinity` if there is none, or if it is unknown. */
export function memoryLimit(): number {
  const bytes = process.constrainedMemory?.() ?? 0
  return bytes === 0 || bytes >= Number.MAX_SAFE_INTEGER ? Infinity : bytes
}

/**
 * Returns the limit of threads and processes of this process's cgroup, which counts the kernel's workers too;
 * `Infinity` if there is none, or if it is unknown.
 */
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
