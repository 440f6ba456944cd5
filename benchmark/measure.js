// Runs the programs of the benchmarks, one process at a time.

import { execFile, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './options.js'

/**
 * A program and its arguments, without the time to measure, which comes last.
 *
 * @typedef {readonly [command: string, ...args: string[]]} Program
 */

/** The reference program: the same loops in Rust. */
export const NATIVE = join(root, 'target', 'release', 'uring-bench')

/** Batches: `nop`, `entry` or `read`, and the size of a batch. */
export const LOOP = join(root, 'benchmark', 'loop.js')

/** Awaited operations: the loop's name, and how many are in flight. */
export const AWAIT = join(root, 'benchmark', 'await.js')

/** Two builds of the package in one process: the case, and its count. */
export const PAIR = join(root, 'benchmark', 'pair.js')

/** How late timers and sockets are beside many operations that are always ready. */
export const FAIR = join(root, 'benchmark', 'fair.js')

/**
 * Runs a program and returns the JSON that it prints.
 *
 * @param {Program} program
 * @param {readonly string[]} last arguments behind those of the program
 */
export async function output([command, ...args], last) {
  const { stdout } = await promisify(execFile)(command, [...args, ...last], { cwd: root })
  return JSON.parse(stdout)
}

/**
 * Runs a loop and returns the nanoseconds and the process time, in nanoseconds too, that an operation took.
 *
 * @param {Program} program
 * @param {number} milliseconds
 * @returns {Promise<{ time: number, cpu: number }>} `cpu` is NaN if the program does not measure it
 */
export async function perOperation(program, milliseconds) {
  const { operations, seconds, cpu = Number.NaN } = await output(program, [String(milliseconds)])
  return { time: (seconds * 1e9) / operations, cpu: (cpu * 1e9) / operations }
}

/** @param {readonly number[]} numbers */
export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The command that runs another one at real-time priority. */
const REAL_TIME = /** @type {const} */ (['chrt', '-f', '10'])

/**
 * Returns the command that gives a program real-time priority, or nothing where that is not allowed. No other process
 * interrupts such a program, so its repetitions agree.
 *
 * @returns {readonly string[]}
 */
export function realTimePrefix() {
  const [command, ...args] = REAL_TIME
  const { status } = spawnSync(command, [...args, process.execPath, '--eval', '0'], { stdio: 'ignore' })
  return status === 0 ? REAL_TIME : []
}
