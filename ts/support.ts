// Whether rings can be made here, and if not, why and what to do.

import { readFileSync } from 'node:fs'
import { constants, release } from 'node:os'
import { errorCode, systemError, UringError } from './errors.ts'

const { EPERM, ENOSYS, ENOMEM, EINVAL } = constants.errno

function readWord(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined // this kernel has no such file
  }
}

/** Why the binding did not load. */
export function loadError(cause: unknown): UringError {
  const reason =
    process.platform === 'linux'
      ? `There is no binary of it for linux-${process.arch} (or its platform package was left out of the installation). Install again without --omit=optional, or build from source with cargo`
      : `io_uring is part of Linux, and this is ${process.platform}. Run on Linux, or use node:fs here`
  return new UringError('ERR_URING_UNAVAILABLE', `io_uring is not available: ${reason}`, { cause })
}

/** What the kernel's refusal to make a ring means. */
export function setupError(errno: number): UringError {
  const details = { errno, syscall: 'io_uring_setup' }
  const refused = (reason: string): UringError =>
    new UringError(
      'ERR_URING_UNAVAILABLE',
      `io_uring is not available (${errorCode(errno)}): ${reason}`,
      details,
    )
  if (errno === -ENOSYS) {
    return refused(
      `the kernel ${release()} has no io_uring, or a sandbox hides it. It needs Linux 5.1 or later, built with CONFIG_IO_URING`,
    )
  }
  if (errno === -EPERM) {
    const disabled = readWord('/proc/sys/kernel/io_uring_disabled')
    if (disabled === '2')
      return refused('it is switched off for everybody. Run: sysctl -w kernel.io_uring_disabled=0')
    if (disabled === '1') {
      const group = readWord('/proc/sys/kernel/io_uring_group')
      return refused(
        `it is switched off for processes that neither have CAP_SYS_ADMIN nor are in the group of kernel.io_uring_group (${group}). Run: sysctl -w kernel.io_uring_disabled=0`,
      )
    }
    return refused(
      'a seccomp filter forbids it, as the default profiles of Docker, containerd and Kubernetes do. Run the container with a profile that allows io_uring_setup, io_uring_enter and io_uring_register (docker run --security-opt seccomp=PROFILE.json)',
    )
  }
  if (errno === -ENOMEM) {
    const limit = /^Max locked memory\s+(\S+)/m.exec(readWord('/proc/self/limits') ?? '')?.[1] ?? 'unknown'
    return new UringError(
      'ENOMEM',
      `ENOMEM: not enough memory, io_uring_setup: the rings of this user are above the limit of locked memory (${limit} bytes here). Ask for fewer entries, or raise it: ulimit -l, LimitMEMLOCK= in systemd`,
      details,
    )
  }
  if (errno === -EINVAL) {
    const message = 'EINVAL: this kernel does not take these options together, io_uring_setup'
    return new UringError('EINVAL', message, details)
  }
  return systemError(errno, 'io_uring_setup')
}
