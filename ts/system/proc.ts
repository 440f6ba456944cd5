// Facts about this process and its kernel, from /proc. Nothing here throws if /proc is missing or incomplete.

import { readFileSync } from 'node:fs'
import { endianness, release } from 'node:os'
import { binding } from '../binding.ts'

/** Returns the trimmed text of a file; `undefined` if it cannot be read. */
export function readWord(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined // this kernel has no such file, or this sandbox hides it
  }
}

/** Returns a field of this thread's status, not the process's: seccomp filters and capabilities are per thread. */
export function statusField(name: string): string | undefined {
  const status = readWord('/proc/thread-self/status') ?? ''
  return new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]
}

/** Tells if this thread has a seccomp filter. */
export function isFiltered(): boolean {
  return statusField('Seccomp') === '2'
}

/** Returns a soft limit of this process; `Infinity` if there is none, or if it is unknown. */
export function limit(name: 'Max locked memory' | 'Max open files'): number {
  const found = new RegExp(`^${name}\\s+(\\d+)`, 'm').exec(readWord('/proc/self/limits') ?? '')
  return found === null ? Infinity : Number(found[1])
}

/** The bit numbers of capabilities, see capabilities(7). */
export const CAPABILITY = { IPC_LOCK: 14, SYS_ADMIN: 21 } as const

/** Tells if this thread has a capability in the initial user namespace; io_uring ignores those of other namespaces. */
export function hasCapability(bit: number): boolean {
  const effective = statusField('CapEff') ?? ''
  if (!/^[\da-f]+$/.test(effective)) return false
  return ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n && isInitialNamespace()
}

/** Tells if this is the initial user namespace, which maps all users to themselves. */
function isInitialNamespace(): boolean {
  return /^0\s+0\s+4294967295$/.test(readWord('/proc/self/uid_map') ?? '')
}

const AT_PAGESZ = 6n
const USUAL_PAGE = 4096

let pageBytes: number | undefined

/** Returns the size of a page in bytes; without the binary, as the auxiliary vector says, and else 4096. */
export function pageSize(): number {
  pageBytes ??= findPageSize()
  return pageBytes
}

function findPageSize(): number {
  try {
    return binding().rawPageSize()
  } catch {
    // the binary cannot be loaded: support() says why
  }
  try {
    const pairs = readFileSync('/proc/self/auxv')
    const word = (at: number): bigint =>
      endianness() === 'LE' ? pairs.readBigUInt64LE(at) : pairs.readBigUInt64BE(at)
    for (let at = 0; at + 16 <= pairs.length; at += 16) {
      if (word(at) === AT_PAGESZ) return Number(word(at + 8))
    }
  } catch {
    // /proc is missing, or a sandbox hides the file
  }
  return USUAL_PAGE
}

/** Tells if the running kernel is this version or later. */
export function kernelHas(since: string): boolean {
  return compareVersions(release(), since) >= 0
}

/** Compares major and minor versions: negative if `left` is older than `right`, 0 if equal, positive if newer. */
export function compareVersions(left: string, right: string): number {
  const [[major, minor], [otherMajor, otherMinor]] = [parts(left), parts(right)]
  return major - otherMajor || minor - otherMinor
}

function parts(version: string): [number, number] {
  const [major = 0, minor = 0] = version.split('.', 2).map(Number.parseFloat)
  return [major, minor]
}
