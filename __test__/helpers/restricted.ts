// Programs that run with restrictions: a limit of locked memory, or a seccomp filter as in containers.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { type Outcome, run } from './process.ts'

// ---- other users, with a limit of locked memory

let users = 0

/** Returns a user id without processes, because the kernel counts locked memory by user. */
function nextUser(): number {
  users += 1
  return 100_000 + process.pid * 100 + users
}

/** Runs Node.js as an unprivileged user with at most `kib` KiB of locked memory. */
export function unprivileged(kib: number, args: readonly string[]): Promise<Outcome> {
  const user = nextUser()
  const become = `process.setgroups([]); process.setgid(${user}); process.setuid(${user})`
  const node = [process.execPath, '--import', `data:text/javascript,${become}`, ...args]
  return run('/bin/sh', ['-c', 'ulimit -l "$0" && exec "$@"', String(kib), ...node])
}

/** Runs a module, given as source text, like `unprivileged`. */
export function unprivilegedScript(kib: number, source: string): Promise<Outcome> {
  return unprivileged(kib, ['--input-type=module', '--eval', source])
}

let probed: Promise<string | undefined> | undefined

/** Returns the reason why programs cannot run as another user here, or `undefined` if they can. */
async function probe(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'only root can run programs as another user'
  const { code, stderr } = await unprivilegedScript(64, "import 'uring'; import 'uring/native'")
  return code === 0 ? undefined : `other users cannot run this package where it is: ${stderr}`
}

/** Returns true if programs can run as another user here; otherwise logs the reason. */
export async function canBeUnprivileged(t: ExecutionContext): Promise<boolean> {
  probed ??= probe()
  const reason = await probed
  if (reason !== undefined) t.log(reason)
  return reason === undefined
}

// ---- seccomp

const root = fileURLToPath(new URL('../..', import.meta.url))

let built: string | undefined

/**
 * Builds the program that installs a seccomp filter for io_uring_setup(2), and returns its path. Its arguments are the
 * error number, a program, and the arguments of that program.
 */
export function seccompLauncher(): string {
  if (built === undefined) {
    execFileSync('cargo', ['build', '--quiet', '-p', 'typed-uring', '--example', 'refuse'], { cwd: root })
    built = `${root}/target/debug/examples/refuse`
  }
  return built
}

/** Runs Node.js where io_uring_setup(2) fails with `errno`. */
export function runWithoutRings(
  errno: number,
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<Outcome> {
  return run(seccompLauncher(), [String(errno), process.execPath, ...args], env)
}
