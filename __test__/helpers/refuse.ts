// Programs in which a seccomp filter answers io_uring_setup(2), as in containers.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Outcome, run } from './process.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

let built: string | undefined

/** The program that puts up the filter: its arguments are the error number, a program, and the program's arguments. */
export function launcher(): string {
  if (built === undefined) {
    execFileSync('cargo', ['build', '--quiet', '-p', 'typed-uring', '--example', 'refuse'], { cwd: root })
    built = `${root}/target/debug/examples/refuse`
  }
  return built
}

/** Runs Node.js where the filter answers `-errno`. */
export function refused(errno: number, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Outcome> {
  return run(launcher(), [String(errno), process.execPath, ...args], env)
}
