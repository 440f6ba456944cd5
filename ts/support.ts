// Whether rings can be made here, and if not, why and what to do.

import { constants, release } from 'node:os'
import { binding } from './binding.ts'
import { errorCode, systemError, UringError } from './errors.ts'
import { ringSetup } from './options.ts'
import { limit, readWord } from './proc.ts'

const { EPERM, ENOSYS, ENOMEM, EINVAL } = constants.errno

/** Why rings cannot be made. */
export type UnavailableReason =
  /** This is not Linux. */
  | 'platform'
  /** The package has no binary for this platform. */
  | 'binary'
  /** The kernel has no io_uring. */
  | 'kernel'
  /** It is switched off by `kernel.io_uring_disabled`. */
  | 'sysctl'
  /** A seccomp filter forbids it, as containers' do. */
  | 'seccomp'
  /** The rings of this user are above the limit of locked memory. */
  | 'memlock'
  /** Something else: see `code`. */
  | 'other'

/** What {@link support} answers. */
export interface Support {
  /** Whether rings can be made. */
  readonly available: boolean
  /** Why not. */
  readonly reason?: UnavailableReason
  /** The negative error number of the kernel, if it is the kernel that refused. */
  readonly errno?: number
  /** What to do about it. */
  readonly advice?: string
  /** The version of the kernel. */
  readonly kernel: string
  /** The classes of operations that the kernel has. */
  readonly operations: readonly string[]
  /** What the kernel can do, `Features`. */
  readonly features: number
  readonly limits: {
    /** Bytes of memory that the rings and registered buffers of this user may have; the superuser may have more. */
    readonly memlock: number
    /** File descriptors that this process may have open. */
    readonly files: number
  }
}

/** Says whether rings can be made here, with which operations, and if not, why and what to do. Never throws. */
export function support(): Support {
  const limits = { memlock: limit('Max locked memory'), files: limit('Max open files') }
  const none = { available: false, kernel: release(), operations: [], features: 0, limits }
  try {
    const ring = binding().Ring.create(ringSetup({ entries: 1 }))
    if (typeof ring === 'number') {
      const { reason, advice } = diagnose(ring)
      return { ...none, reason, errno: ring, advice }
    }
    const opcodes = ring.probe()
    const { features } = ring
    ring.close()
    return { available: true, kernel: release(), operations: operationsOf(opcodes), features, limits }
  } catch {
    const { reason, advice } = notLoaded()
    return { ...none, reason, advice }
  }
}

/** The rows of the operation table that a kernel has. Its opcodes are known, but not which variants of them. */
function operationsOf(opcodes: readonly number[] | null): string[] {
  const known = new Set<string>()
  const seen = new Set<number>()
  const rows = binding().operationTable()
  for (const { name, opcode, since } of rows.toSorted((a, b) => compare(a.since, b.since))) {
    const variant = seen.has(opcode)
    seen.add(opcode)
    if (opcodes?.includes(opcode) !== false && (!variant || kernelHas(since))) known.add(name)
  }
  return rows.map(({ name }) => name).filter((name) => known.has(name))
}

function compare(left: string, right: string): number {
  const [[major, minor], [otherMajor, otherMinor]] = [parts(left), parts(right)]
  return major - otherMajor || minor - otherMinor
}

function parts(version: string): [number, number] {
  const [major = 0, minor = 0] = version.split('.', 2).map(Number.parseFloat)
  return [major, minor]
}

/** Whether the running kernel is of this version or a later one. */
export function kernelHas(since: string): boolean {
  return compare(release(), since) >= 0
}

interface Diagnosis {
  readonly reason: UnavailableReason
  readonly text: string
  readonly advice: string
}

function notLoaded(): Diagnosis {
  return process.platform === 'linux'
    ? {
        reason: 'binary',
        text: `There is no binary of it for linux-${process.arch} (or its platform package was left out of the installation)`,
        advice: 'Install again without --omit=optional, or build from source with cargo',
      }
    : {
        reason: 'platform',
        text: `io_uring is part of Linux, and this is ${process.platform}`,
        advice: 'Run on Linux, or use node:fs here',
      }
}

/** What the kernel's refusal to make a ring means. */
function diagnose(errno: number): Diagnosis {
  if (errno === -ENOSYS) {
    return {
      reason: 'kernel',
      text: `the kernel ${release()} has no io_uring, or a sandbox hides it`,
      advice: 'It needs Linux 5.1 or later, built with CONFIG_IO_URING',
    }
  }
  if (errno === -EPERM) return forbidden()
  if (errno === -ENOMEM) {
    return {
      reason: 'memlock',
      text: `the rings of this user are above the limit of locked memory (${shownLimit()} bytes here)`,
      advice: 'Ask for fewer entries, or raise it: ulimit -l, LimitMEMLOCK= in systemd',
    }
  }
  const { message } = systemError(errno, 'io_uring_setup')
  return { reason: 'other', text: message, advice: 'See io_uring_setup(2)' }
}

function shownLimit(): string {
  const memlock = limit('Max locked memory')
  return memlock === Infinity ? 'unlimited' : `${memlock}`
}

function forbidden(): Diagnosis {
  const disabled = readWord('/proc/sys/kernel/io_uring_disabled')
  const advice = 'Run: sysctl -w kernel.io_uring_disabled=0'
  if (disabled === '2') return { reason: 'sysctl', text: 'it is switched off for everybody', advice }
  if (disabled === '1') {
    const group = readWord('/proc/sys/kernel/io_uring_group')
    const text = `it is switched off for processes that neither have CAP_SYS_ADMIN nor are in the group of kernel.io_uring_group (${group})`
    return { reason: 'sysctl', text, advice }
  }
  return {
    reason: 'seccomp',
    text: 'a seccomp filter forbids it, as the default profiles of Docker, containerd and Kubernetes do',
    advice:
      'Run the container with a profile that allows io_uring_setup, io_uring_enter and io_uring_register (docker run --security-opt seccomp=PROFILE.json)',
  }
}

/** Why the binding did not load. */
export function loadError(cause: unknown): UringError {
  const { text, advice } = notLoaded()
  return new UringError('ERR_URING_UNAVAILABLE', `io_uring is not available: ${text}. ${advice}`, { cause })
}

/** The error that the kernel's refusal to make a ring stands for. */
export function setupError(errno: number): UringError {
  const details = { errno, syscall: 'io_uring_setup' }
  if (errno === -EINVAL) {
    const message = 'EINVAL: this kernel does not take these options together, io_uring_setup'
    return new UringError('EINVAL', message, details)
  }
  const { reason, text, advice } = diagnose(errno)
  if (reason === 'other') return systemError(errno, 'io_uring_setup')
  if (reason === 'memlock')
    return new UringError('ENOMEM', `ENOMEM: not enough memory, io_uring_setup: ${text}. ${advice}`, details)
  return new UringError(
    'ERR_URING_UNAVAILABLE',
    `io_uring is not available (${errorCode(errno)}): ${text}. ${advice}`,
    details,
  )
}
