// Tells if rings can be created here, and if not, why, and what to do.

import { constants, release } from 'node:os'
import { binding, type BindingSetup } from '../binding.ts'
import { errorCode, systemError, UringError } from '../errors.ts'
import {
  chargesRings,
  DEFAULT_ENTRIES,
  memlockAllowed,
  memlockNeeds,
  RAISE_MEMLOCK,
  ringBytes,
} from './memlock.ts'
import {
  CAPABILITY,
  compareVersions,
  hasCapability,
  isFiltered,
  kernelHas,
  limit,
  readWord,
  statusField,
} from './proc.ts'
import {
  BINARY,
  FILES,
  KERNEL,
  LSM,
  MEMLOCK,
  MEMORY,
  type Remedies,
  SECCOMP,
  SECCOMP_ADVICE,
  SYSCTL,
  SYSCTL_GROUP,
} from './remedies.ts'

export { kernelHas } from './proc.ts'

const { EACCES, EINVAL, EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM } = constants.errno

/** The reason why rings cannot be created. */
export type UnavailableReason =
  /** This is not Linux. */
  | 'platform'
  /** The package has no binary for this platform, or the binary does not load. */
  | 'binary'
  /** The kernel has no io_uring, or a sandbox hides it. */
  | 'kernel'
  /** The sysctl `kernel.io_uring_disabled` disables io_uring. */
  | 'sysctl'
  /** A seccomp filter forbids io_uring, as those of containers do. */
  | 'seccomp'
  /** A security module, such as SELinux, forbids io_uring. */
  | 'lsm'
  /** The limit of locked memory of this user is too low for another ring. */
  | 'memlock'
  /** The machine or the cgroup is out of memory. */
  | 'memory'
  /** Too many files are open. */
  | 'files'
  /** Another error: see `errno`. */
  | 'other'

/** The result of {@link support}. */
export interface Support {
  /** True if rings can be created. */
  readonly available: boolean
  /** The reason why rings cannot be created. */
  readonly reason?: UnavailableReason
  /** The reason in words, as a sentence without capital and full stop: `'io_uring is disabled for all processes'`. */
  readonly explanation?: string
  /** The negative error number of io_uring_setup(2), if the kernel has returned one. */
  readonly errno?: number
  /** Advice: what to do to make rings available. */
  readonly advice?: string
  /** Commands and settings that make rings available, or lift the `limitations`. */
  readonly remedies?: Remedies
  /** Sentences about limits that are low although rings can be created, and what works in spite of them. */
  readonly limitations: readonly string[]
  /** The release of the running kernel, as in `uname -r`. */
  readonly kernel: string
  /** The names of the operation classes that the kernel supports. */
  readonly operations: readonly string[]
  /** The features of the kernel, `Features`. */
  readonly features: number
  /** Limits of this process. */
  readonly limits: {
    /** Bytes of memory that all processes of this user together may lock; `Infinity` if there is no limit. */
    readonly memlock: number
    /** True if `memlock` applies to this process: not with CAP_IPC_LOCK, and not if there is no limit. */
    readonly memlockBinds: boolean
    /** The number of file descriptors that this process may have open; `Infinity` if there is no limit. */
    readonly files: number
  }
}

/**
 * Tells if rings can be created here and which operations the kernel supports; if rings cannot be created, why, and
 * what to do. Creates a ring of one entry to find out, and closes it. Never throws.
 */
export function support(): Support {
  const memlock = limit('Max locked memory')
  const limits = { memlock, memlockBinds: memlockAllowed() !== Infinity, files: limit('Max open files') }
  const none = { available: false, kernel: release(), operations: [], features: 0, limits, limitations: [] }
  try {
    const setup: BindingSetup = { entries: 1, flags: 0 }
    const ring = binding().Ring.create(setup)
    if (typeof ring === 'number') {
      const { reason, text, advice, remedies } = diagnose(ring, setup)
      return { ...none, reason, explanation: text, errno: ring, advice, remedies }
    }
    const opcodes = ring.probe()
    const { features } = ring
    ring.close()
    const limitations = memlockLimitations()
    return {
      ...none,
      available: true,
      operations: operationsOf(opcodes),
      features,
      limitations,
      ...(limitations.length > 0 && { remedies: MEMLOCK }),
    }
  } catch (error) {
    const { reason, text, advice, remedies } = notLoaded(error)
    return { ...none, reason, explanation: text, advice, remedies }
  }
}

/** The default limit of locked memory since Linux 5.16. */
const USUAL_MEMLOCK = 8 * 1024 * 1024

/** Describes what is possible with a low limit of locked memory. */
function memlockLimitations(): string[] {
  const allowed = memlockAllowed()
  if (allowed >= USUAL_MEMLOCK) return []
  const all = `The processes of this user together may lock ${allowed} bytes of memory (ulimit -l).`
  const needed = ringBytes({ entries: DEFAULT_ENTRIES, flags: 0 })
  if (!chargesRings()) {
    return [
      `${all} This kernel does not count rings; registered buffers and zero-copy sends in flight share the limit`,
    ]
  }
  const rings = Math.floor(allowed / needed)
  if (rings === 0) {
    return [`${all} A default ring needs ${needed} and cannot be created; rings with fewer entries can`]
  }
  return [
    `${all} A default ring needs ${needed}, so ${rings} can be open at a time; one ring leaves ${allowed - needed} bytes for registered buffers and zero-copy sends in flight`,
  ]
}

/**
 * Returns the operations that the kernel supports. The probe reports opcodes only; of operations that share one, the
 * later ones are supported from their own kernel version on.
 */
function operationsOf(opcodes: readonly number[] | null): string[] {
  const known = new Set<string>()
  const seen = new Set<number>()
  const rows = binding().operationTable()
  for (const { name, opcode, since } of rows.toSorted((a, b) => compareVersions(a.since, b.since))) {
    const variant = seen.has(opcode)
    seen.add(opcode)
    if (opcodes?.includes(opcode) !== false && (!variant || kernelHas(since))) known.add(name)
  }
  return rows.map(({ name }) => name).filter((name) => known.has(name))
}

interface Diagnosis {
  readonly reason: UnavailableReason
  readonly text: string
  readonly advice: string
  readonly remedies: Remedies
}

function notLoaded(error: unknown): Diagnosis {
  if (process.platform !== 'linux') {
    return {
      reason: 'platform',
      text: `io_uring is part of Linux, and this is ${process.platform}`,
      advice: 'Run on Linux, or use node:fs here',
      remedies: {},
    }
  }
  const why = loaderSays(error)
  if (why?.endsWith('loading addons is disabled.')) {
    return {
      reason: 'binary',
      text: 'Node.js is started with native addons disabled',
      advice: 'Start it without --no-addons, and with --allow-addons if it has --permission',
      remedies: {},
    }
  }
  return {
    reason: 'binary',
    text:
      why === undefined
        ? `the package has no binary for linux-${process.arch}, or its platform package was not installed`
        : `the binary for linux-${process.arch} does not load: ${why}`,
    advice: 'Install the package again without --omit=optional, or build it from source with cargo',
    remedies: BINARY,
  }
}

/**
 * Returns why a binary that exists does not load. The loader's error has one cause per file that it tried; most are
 * missing.
 */
function loaderSays(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (!cause.message.startsWith('Cannot find ')) return cause.message.split('\n', 1)[0]
  }
  return undefined
}

/** Explains an error of io_uring_setup(2). */
function diagnose(errno: number, setup: BindingSetup): Diagnosis {
  if (errno === -ENOSYS) return missing()
  if (errno === -EPERM) return forbidden()
  if (errno === -ENOMEM) return outOfMemory(setup)
  if (errno === -EACCES) {
    return {
      reason: 'lsm',
      text: 'a security module, such as SELinux, forbids io_uring',
      advice: 'Allow io_uring in its policy',
      remedies: LSM,
    }
  }
  if (errno === -EMFILE || errno === -ENFILE) {
    return {
      reason: 'files',
      text:
        errno === -EMFILE
          ? ownFiles()
          : 'the limit of open files of the machine is reached (sysctl fs.file-max)',
      advice: 'Close files, or raise the limit: ulimit -n, LimitNOFILE= in systemd',
      remedies: FILES,
    }
  }
  const { message } = systemError(errno, 'io_uring_setup')
  return { reason: 'other', text: message, advice: 'See io_uring_setup(2)', remedies: {} }
}

/** Names the limit of open files if it is known: reading it needs a file descriptor, which may not be available. */
function ownFiles(): string {
  const files = limit('Max open files')
  return `the limit of open files of this process is reached${files === Infinity ? '' : `: ${files}`} (ulimit -n)`
}

/**
 * Explains `ENOSYS`. Kernels with io_uring have the sysctl since 6.6; if it exists, a filter or sandbox hides io_uring.
 */
function missing(): Diagnosis {
  const disabled = readWord('/proc/sys/kernel/io_uring_disabled')
  if (disabled !== undefined && isFiltered()) {
    return filtered('a seccomp filter hides io_uring: the kernel has it, but the filter returns ENOSYS')
  }
  return {
    reason: 'kernel',
    text: `the kernel ${release()} has no io_uring, or a sandbox hides it`,
    advice: 'It needs Linux 5.6 or later, built with CONFIG_IO_URING',
    // Before 6.6, a filter and a kernel without io_uring look alike.
    remedies: isFiltered() && !kernelHas('6.6') ? { ...SECCOMP, ...KERNEL } : KERNEL,
  }
}

function outOfMemory(setup: BindingSetup): Diagnosis {
  if (!chargesRings() || memlockAllowed() === Infinity) {
    return {
      reason: 'memory',
      text: 'the machine or its cgroup is out of memory for a ring',
      advice: 'Use fewer entries, or raise the memory limit of the cgroup',
      remedies: MEMORY,
    }
  }
  return {
    reason: 'memlock',
    text: `a ring of ${setup.entries} ${setup.entries === 1 ? 'entry' : 'entries'} ${memlockNeeds(ringBytes(setup))}`,
    advice: `Use fewer entries, close other rings, or raise the limit: ${RAISE_MEMLOCK}`,
    remedies: MEMLOCK,
  }
}

function forbidden(): Diagnosis {
  const disabled = readWord('/proc/sys/kernel/io_uring_disabled')
  const advice = 'Run: sysctl -w kernel.io_uring_disabled=0'
  if (disabled === '2') {
    return {
      reason: 'sysctl',
      text: 'io_uring is disabled for all processes (kernel.io_uring_disabled = 2)',
      advice,
      remedies: SYSCTL,
    }
  }
  const group = readWord('/proc/sys/kernel/io_uring_group') ?? '-1'
  if (disabled === '1' && !hasCapability(CAPABILITY.SYS_ADMIN) && !isMember(group)) {
    const text = `io_uring is disabled for processes that neither have CAP_SYS_ADMIN nor are in the group of kernel.io_uring_group (${group})`
    return { reason: 'sysctl', text, advice, remedies: SYSCTL_GROUP }
  }
  // If /proc is not available, a filter is the most likely reason.
  if (isFiltered() || statusField('Seccomp') === undefined) {
    return filtered(
      'a seccomp filter forbids io_uring, as the default profiles of Docker, containerd and Kubernetes do',
    )
  }
  return {
    reason: 'lsm',
    text: 'a security module or a sandbox forbids io_uring: neither kernel.io_uring_disabled nor a seccomp filter does',
    advice: 'Allow io_uring in its policy',
    remedies: LSM,
  }
}

function filtered(text: string): Diagnosis {
  return { reason: 'seccomp', text, advice: SECCOMP_ADVICE, remedies: SECCOMP }
}

/** Tells if this process is in a group. `process.getgroups()` includes the effective group. */
function isMember(group: string): boolean {
  return process.getgroups?.().includes(Number(group)) === true
}

/** Returns the error for a binding that does not load. */
export function loadError(cause: unknown): UringError {
  const { text, advice } = notLoaded(cause)
  return new UringError('ERR_URING_UNAVAILABLE', `io_uring is not available: ${text}. ${advice}`, { cause })
}

/** Returns the error for a failed io_uring_setup(2). */
export function setupError(errno: number, setup: BindingSetup): UringError {
  const details = { errno, syscall: 'io_uring_setup' }
  if (errno === -EINVAL) {
    const message =
      'EINVAL: this kernel does not support these options, or not in combination, io_uring_setup'
    return new UringError('EINVAL', message, details)
  }
  const { reason, text, advice } = diagnose(errno, setup)
  if (reason === 'other') return systemError(errno, 'io_uring_setup')
  if (reason === 'memlock' || reason === 'memory' || reason === 'files') {
    return systemError(errno, 'io_uring_setup', { note: `${text}. ${advice}` })
  }
  return new UringError(
    'ERR_URING_UNAVAILABLE',
    `io_uring is not available (${errorCode(errno)}): ${text}. ${advice}`,
    details,
  )
}
