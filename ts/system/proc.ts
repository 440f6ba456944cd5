// What /proc says of this process and its kernel. Where nobody says, nothing here throws.

import { readFileSync } from 'node:fs'
import { endianness, release } from 'node:os'

/** The text of a file, without the white space around it. */
export function readWord(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined // this kernel has no such file, or this sandbox hides it
  }
}

/** A line of this thread's status: `'2'` for `Seccomp`, whose filters a thread can have for itself. */
export function statusField(name: string): string | undefined {
  const status = readWord('/proc/thread-self/status') ?? ''
  return new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]
}

/** Whether a seccomp filter is at work on this thread. */
export function isFiltered(): boolean {
  return statusField('Seccomp') === '2'
}

/** A limit of this process, the soft one: infinite where there is none, and where nobody says. */
export function limit(name: 'Max locked memory' | 'Max open files'): number {
  const found = new RegExp(`^${name}\\s+(\\d+)`, 'm').exec(readWord('/proc/self/limits') ?? '')
  return found === null ? Infinity : Number(found[1])
}

/** The numbers of the capabilities that are asked for here. */
export const CAPABILITY = { IPC_LOCK: 14, SYS_ADMIN: 21 } as const

/** Whether this thread has a capability that counts everywhere: in a user namespace of its own it would not. */
export function hasCapability(bit: number): boolean {
  const effective = statusField('CapEff') ?? ''
  if (!/^[\da-f]+$/.test(effective)) return false
  return ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n && isInitialNamespace()
}

/** The first user namespace maps all users to themselves. */
function isInitialNamespace(): boolean {
  return /^0\s+0\s+4294967295$/.test(readWord('/proc/self/uid_map') ?? '')
}

const AT_PAGESZ = 6n
const USUAL_PAGE = 4096

/** Bytes of a page. */
export function pageSize(): number {
  try {
    const pairs = readFileSync('/proc/self/auxv')
    const word = (at: number): bigint =>
      endianness() === 'LE' ? pairs.readBigUInt64LE(at) : pairs.readBigUInt64BE(at)
    for (let at = 0; at + 16 <= pairs.length; at += 16) {
      if (word(at) === AT_PAGESZ) return Number(word(at + 8))
    }
  } catch {
    // as above
  }
  return USUAL_PAGE
}

/** Whether the running kernel is of this version or a later one. */
export function kernelHas(since: string): boolean {
  return compareVersions(release(), since) >= 0
}

/** Less than, equal to or more than 0, as `left` is before, the same as, or after `right`. */
export function compareVersions(left: string, right: string): number {
  const [[major, minor], [otherMajor, otherMinor]] = [parts(left), parts(right)]
  return major - otherMajor || minor - otherMinor
}

function parts(version: string): [number, number] {
  const [major = 0, minor = 0] = version.split('.', 2).map(Number.parseFloat)
  return [major, minor]
}
