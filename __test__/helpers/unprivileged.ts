// Programs of a user whom limits bind.

import type { ExecutionContext } from 'ava'
import { type Outcome, run } from './process.ts'

let users = 0

/** A user of whom nobody else has processes: locked memory is counted by user. */
function nextUser(): number {
  users += 1
  return 100_000 + process.pid * 100 + users
}

/** Runs Node.js with at most `kib` KiB of locked memory, as a user who is nobody. */
export function unprivileged(kib: number, args: readonly string[]): Promise<Outcome> {
  const user = nextUser()
  const become = `process.setgroups([]); process.setgid(${user}); process.setuid(${user})`
  const node = [process.execPath, '--import', `data:text/javascript,${become}`, ...args]
  return run('/bin/sh', ['-c', 'ulimit -l "$0" && exec "$@"', String(kib), ...node])
}

/** The same for a module, given as source text. */
export function unprivilegedScript(kib: number, source: string): Promise<Outcome> {
  return unprivileged(kib, ['--input-type=module', '--eval', source])
}

let probed: Promise<string | undefined> | undefined

/** Why it cannot be done here. */
async function probe(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'only the superuser can start programs as somebody else'
  const { code, stderr } = await unprivilegedScript(64, "import 'uring'; import 'uring/native'")
  return code === 0 ? undefined : `other users cannot run this package where it is: ${stderr}`
}

/** Whether that can be done here; if not, the log says why. */
export async function canBeUnprivileged(t: ExecutionContext): Promise<boolean> {
  probed ??= probe()
  const reason = await probed
  if (reason !== undefined) t.log(reason)
  return reason === undefined
}
