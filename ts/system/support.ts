// Whether rings can be made here, and if not, why and what to do.

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

/** Why rings cannot be made. */
export type UnavailableReason =
  /** This is not Linux. */
  | 'platform'
  /** The package has no binary for this platform, or it does not load. */
  | 'binary'
  /** The kernel has no io_uring. */
  | 'kernel'
  /** It is switched off by `kernel.io_uring_disabled`. */
  | 'sysctl'
  /** A seccomp filter forbids it, as containers' do. */
  | 'seccomp'
  /** A security module forbids it, SELinux say. */
  | 'lsm'
  /** The rings of this user are above the limit of locked memory. */
  | 'memlock'
  /** The machine, or its cgroup, has no more memory. */
  | 'memory'
  /** Too many files are open. */
  | 'files'
  /** Something else: see `errno`. */
  | 'other'

/** What {@link support} answers. */
export interface Support {
  /** Whether rings can be made. */
  readonly available: boolean
  /** Why not. */
  readonly reason?: UnavailableReason
  /** The same in words, as the end of a sentence: `'it is switched off for everybody'`. */
  readonly explanation?: string
  /** The negative error number of the kernel, if it is the kernel that refused. */
  readonly errno?: number
  /** What to do about it. */
  readonly advice?: string
  /** Commands and settings that do it; for what is in `limitations` too. */
  readonly remedies?: Remedies
  /** What is tight although rings can be made, and what works nevertheless: sentences. */
  readonly limitations: readonly string[]
  /** The version of the kernel. */
  readonly kernel: string
  /** The classes of operations that the kernel has. */
  readonly operations: readonly string[]
  /** What the kernel can do, `Features`. */
  readonly features: number
  /** What this process may have. */
  readonly limits: {
    /** Bytes of memory that the rings and registered buffers of this user may have; infinite where there is no limit. */
    readonly memlock: number
    /** Whether that limit binds this process: it does not bind who has CAP_IPC_LOCK. */
    readonly memlockBinds: boolean
    /** File descriptors that this process may have open. */
    readonly files: number
  }
}

/** Says whether rings can be made here, with which operations, and if not, why and what to do. Never throws. */
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

/** What kernels since 5.16 give every user, if nobody says otherwise. */
const USUAL_MEMLOCK = 8 * 1024 * 1024

/** What a low limit of locked memory leaves. */
function memlockLimitations(): string[] {
  const allowed = memlockAllowed()
  if (allowed >= USUAL_MEMLOCK) return []
  const all = `The processes of this user together may lock ${allowed} bytes of memory (ulimit -l).`
  const needed = ringBytes({ entries: DEFAULT_ENTRIES, flags: 0 })
  if (!chargesRings()) {
    return [
      `${all} Rings work, as this kernel does not charge them; registered buffers and zero-copy sends in flight can have that much`,
    ]
  }
  const rings = Math.floor(allowed / needed)
  if (rings === 0) {
    return [`${all} A default ring needs ${needed} and cannot be made; rings with fewer entries can`]
  }
  return [
    `${all} A default ring needs ${needed}: there is room for ${rings}, and beside one of them for ${allowed - needed} bytes of registered buffers and zero-copy sends in flight`,
  ]
}

/** The rows of the operation table that a kernel has. Its opcodes are known, but not which variants of them. */
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
      text: 'Node.js was told to load no native addons',
      advice: 'Start it with --allow-addons beside --permission, and without --no-addons',
      remedies: {},
    }
  }
  return {
    reason: 'binary',
    text:
      why === undefined
        ? `There is no binary of it for linux-${process.arch} (or its platform package was left out of the installation)`
        : `Its binary for linux-${process.arch} does not load: ${why}`,
    advice: 'Install again without --omit=optional, or build from source with cargo',
    remedies: BINARY,
  }
}

/** What is wrong with a binary that is there. The loader chains what it tried; most of that is merely missing. */
function loaderSays(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (!cause.message.startsWith('Cannot find ')) return cause.message.split('\n', 1)[0]
  }
  return undefined
}

/** What the kernel's refusal to make a ring means. */
function diagnose(errno: number, setup: BindingSetup): Diagnosis {
  if (errno === -ENOSYS) return missing()
  if (errno === -EPERM) return forbidden()
  if (errno === -ENOMEM) return outOfMemory(setup)
  if (errno === -EACCES) {
    return {
      reason: 'lsm',
      text: 'a security module forbids it, as SELinux can',
      advice: 'Allow io_uring in its policy',
      remedies: LSM,
    }
  }
  if (errno === -EMFILE || errno === -ENFILE) {
    return {
      reason: 'files',
      text:
        errno === -EMFILE ? ownFiles() : 'the machine has as many files open as it may (sysctl fs.file-max)',
      advice: 'Close some, or raise it: ulimit -n, LimitNOFILE= in systemd',
      remedies: FILES,
    }
  }
  const { message } = systemError(errno, 'io_uring_setup')
  return { reason: 'other', text: message, advice: 'See io_uring_setup(2)', remedies: {} }
}

/** The limit can be read only where a file is left to read it with. */
function ownFiles(): string {
  const files = limit('Max open files')
  return `this process has as many files open as it may${files === Infinity ? '' : `, ${files}`} (ulimit -n)`
}

/** The sysctl is there since 6.6, in kernels that have io_uring: then somebody hides it. */
function missing(): Diagnosis {
  const disabled = readWord('/proc/sys/kernel/io_uring_disabled')
  if (disabled !== undefined && isFiltered()) {
    return filtered(
      'a seccomp filter hides it: this kernel has io_uring, and the filter answers as if it had none',
    )
  }
  return {
    reason: 'kernel',
    text: `the kernel ${release()} has no io_uring, or a sandbox hides it`,
    advice: 'It needs Linux 5.6 or later, built with CONFIG_IO_URING',
    // Before 6.6 nobody can tell.
    remedies: isFiltered() && !kernelHas('6.6') ? { ...SECCOMP, ...KERNEL } : KERNEL,
  }
}

function outOfMemory(setup: BindingSetup): Diagnosis {
  if (!chargesRings() || memlockAllowed() === Infinity) {
    return {
      reason: 'memory',
      text: 'the machine, or its cgroup, has no more memory for a ring',
      advice: 'Ask for fewer entries, or raise the limit of memory of the cgroup',
      remedies: MEMORY,
    }
  }
  return {
    reason: 'memlock',
    text: `a ring of ${setup.entries} ${setup.entries === 1 ? 'entry' : 'entries'} ${memlockNeeds(ringBytes(setup))}`,
    advice: `Ask for fewer entries, close other rings, or raise it: ${RAISE_MEMLOCK}`,
    remedies: MEMLOCK,
  }
}

function forbidden(): Diagnosis {
  const disabled = readWord('/proc/sys/kernel/io_uring_disabled')
  const advice = 'Run: sysctl -w kernel.io_uring_disabled=0'
  if (disabled === '2') {
    return { reason: 'sysctl', text: 'it is switched off for everybody', advice, remedies: SYSCTL }
  }
  const group = readWord('/proc/sys/kernel/io_uring_group') ?? '-1'
  if (disabled === '1' && !hasCapability(CAPABILITY.SYS_ADMIN) && !isMember(group)) {
    const text = `it is switched off for processes that neither have CAP_SYS_ADMIN nor are in the group of kernel.io_uring_group (${group})`
    return { reason: 'sysctl', text, advice, remedies: SYSCTL_GROUP }
  }
  // Without /proc nobody knows, and a filter is by far the likeliest.
  if (isFiltered() || statusField('Seccomp') === undefined) {
    return filtered(
      'a seccomp filter forbids it, as the default profiles of Docker, containerd and Kubernetes do',
    )
  }
  return {
    reason: 'lsm',
    text: 'it is neither switched off (kernel.io_uring_disabled) nor forbidden by a seccomp filter: a security module or a sandbox forbids it',
    advice: 'Allow io_uring in its policy',
    remedies: LSM,
  }
}

function filtered(text: string): Diagnosis {
  return { reason: 'seccomp', text, advice: SECCOMP_ADVICE, remedies: SECCOMP }
}

/** Node.js counts the effective group among the groups. */
function isMember(group: string): boolean {
  return process.getgroups?.().includes(Number(group)) === true
}

/** Why the binding did not load. */
export function loadError(cause: unknown): UringError {
  const { text, advice } = notLoaded(cause)
  return new UringError('ERR_URING_UNAVAILABLE', `io_uring is not available: ${text}. ${advice}`, { cause })
}

/** The error that the kernel's refusal to make a ring stands for. */
export function setupError(errno: number, setup: BindingSetup): UringError {
  const details = { errno, syscall: 'io_uring_setup' }
  if (errno === -EINVAL) {
    const message = 'EINVAL: this kernel does not take these options together, io_uring_setup'
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
