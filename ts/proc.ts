// What /proc says of this process and its kernel. Where nobody says, nothing here throws.

import { readFileSync } from 'node:fs'

/** The text of a file, without the white space around it. */
export function readWord(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined // this kernel has no such file, or this sandbox hides it
  }
}

/** A line of `/proc/self/status`: `'2'` for `Seccomp`. */
export function statusField(name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readWord('/proc/self/status') ?? '')?.[1]
}

/** A limit of this process, the soft one: infinite where there is none, and where nobody says. */
export function limit(name: 'Max locked memory' | 'Max open files'): number {
  const found = new RegExp(`^${name}\\s+(\\d+)`, 'm').exec(readWord('/proc/self/limits') ?? '')
  return found === null ? Infinity : Number(found[1])
}

/** Whether this process has a capability that counts everywhere: in a user namespace of its own it would not. */
export function hasCapability(bit: number): boolean {
  const effective = statusField('CapEff')
  if (effective === undefined || !/^[\da-f]+$/.test(effective)) return false
  return ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n && isInitialNamespace()
}

/** The first user namespace maps all users to themselves. */
function isInitialNamespace(): boolean {
  return /^0\s+0\s+4294967295$/.test(readWord('/proc/self/uid_map') ?? '')
}
