// Child processes of the scripts: build steps, checks whose output is counted, and programs that use the terminal.

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's root directory. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Returns the path of a tool of a development dependency.
 *
 * @param {string} name
 */
export function tool(name) {
  return join(root, 'node_modules', '.bin', name)
}

/**
 * Runs a command in the package's root and returns its exit code: 127 if there is no such command, 128 + n if signal n
 * ended it.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {object} [options]
 * @param {'inherit' | 'stderr' | ((text: string) => void)} [options.output] where standard output goes: to that of this
 *   process, to its standard error, or to its standard output and to a function
 * @returns {Promise<number>}
 */
export function run(command, args, { output = 'inherit' } = {}) {
  const captured = typeof output === 'function'
  const stdout = captured ? 'pipe' : output === 'stderr' ? 2 : 'inherit'
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', stdout, 'inherit'] })
  if (captured) {
    child.stdout?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      process.stdout.write(text)
      output(text)
    })
  }
  return ended(child, command)
}

/**
 * Runs a JavaScript program in this terminal and returns its exit code. Signals for this process are passed on to the
 * program, which decides when to end.
 *
 * @param {string} file relative to the package's root
 * @param {readonly string[]} args
 * @param {string} [cwd]
 */
export async function runProgram(file, args, cwd = process.cwd()) {
  const child = spawn(process.execPath, [join(root, file), ...args], { cwd, stdio: 'inherit' })
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      // The terminal sends its interrupt to the program itself.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  return ended(child, process.execPath)
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} command
 * @returns {Promise<number>}
 */
function ended(child, command) {
  return new Promise((resolve) => {
    child.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      const missing = error.code === 'ENOENT'
      process.stderr.write(missing ? `${command}: command not found\n` : `${command}: ${error.message}\n`)
      resolve(missing ? 127 : 126)
    })
    child.on('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']))
  })
}
