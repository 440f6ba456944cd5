// Loops that await each operation before the next, beside the same loops over node:fs and in Rust.

import { AWAIT, median, NATIVE, perOperation } from '../measure.js'

/** The loops: the number in a title is how many operations are in flight. */
const LOOPS = {
  'native no-op': [NATIVE, 'nop', '64'],
  'native read': [NATIVE, 'read', '64'],
  'await run(Nop), 64': [process.execPath, AWAIT, 'run-nop', '64'],
  'await run(Read), 64': [process.execPath, AWAIT, 'run-read', '64'],
  'FileHandle.read, 64': [process.execPath, AWAIT, 'file-handle', '64'],
  'fs.read, 64': [process.execPath, AWAIT, 'fs-read', '64'],
  'await run(Read), 1': [process.execPath, AWAIT, 'run-read', '1'],
  'FileHandle.read, 1': [process.execPath, AWAIT, 'file-handle', '1'],
}

/** @typedef {keyof typeof LOOPS} Loop */

/**
 * A promised ratio of two loops: at least or at most the bound.
 *
 * @typedef {object} Promised
 * @property {string} title
 * @property {readonly [numerator: Loop, denominator: Loop]} of
 * @property {'time' | 'cpu'} measure
 * @property {'least' | 'most'} at
 * @property {number} bound
 */

/** @type {readonly Promised[]} */
const PROMISED = [
  {
    title: 'no-op, 64 at once, of the native loop',
    of: ['native no-op', 'await run(Nop), 64'],
    measure: 'time',
    at: 'least',
    bound: 0.38,
  },
  {
    title: 'read, 64 at once, of the native loop',
    of: ['native read', 'await run(Read), 64'],
    measure: 'time',
    at: 'least',
    bound: 0.8,
  },
  {
    title: 'read, 64 at once, times FileHandle.read',
    of: ['FileHandle.read, 64', 'await run(Read), 64'],
    measure: 'time',
    at: 'least',
    bound: 4,
  },
  {
    title: 'read, 1 at once, times FileHandle.read',
    of: ['FileHandle.read, 1', 'await run(Read), 1'],
    measure: 'time',
    at: 'least',
    bound: 8,
  },
  {
    title: 'CPU of a read, of FileHandle.read',
    of: ['await run(Read), 64', 'FileHandle.read, 64'],
    measure: 'cpu',
    at: 'most',
    bound: 0.25,
  },
  {
    title: 'CPU of a read, of fs.read',
    of: ['await run(Read), 64', 'fs.read, 64'],
    measure: 'cpu',
    at: 'most',
    bound: 0.5,
  },
]

/** @param {import('../options.js').Options} options */
export async function reportAwaited({ milliseconds, rounds }) {
  /** @type {Map<string, { time: number[], cpu: number[] }>} */
  const measured = new Map(Object.keys(LOOPS).map((title) => [title, { time: [], cpu: [] }]))
  for (let round = 0; round < rounds; round += 1) {
    for (const [title, [command = '', ...args]] of Object.entries(LOOPS)) {
      const { time, cpu } = await perOperation([command, ...args], milliseconds)
      measured.get(title)?.time.push(time)
      measured.get(title)?.cpu.push(cpu)
    }
  }

  process.stdout.write('\nawaited, number in flight           ns     CPU ns\n')
  for (const [title, { time, cpu }] of measured) {
    const shown = Number.isNaN(median(cpu)) ? '' : median(cpu).toFixed(0)
    process.stdout.write(
      `${title.padEnd(28)} ${median(time).toFixed(0).padStart(9)} ${shown.padStart(10)}`.trimEnd() + '\n',
    )
  }

  /** @param {Loop} loop @param {'time' | 'cpu'} measure */
  const medianOf = (loop, measure) => median(measured.get(loop)?.[measure] ?? [])
  process.stdout.write('\nratio                                             promised\n')
  for (const { title, of, measure, at, bound } of PROMISED) {
    const ratio = medianOf(of[0], measure) / medianOf(of[1], measure)
    const kept = at === 'least' ? ratio >= bound : ratio <= bound
    process.stdout.write(
      `${title.padEnd(42)} ${ratio.toFixed(2).padStart(6)}   ${at === 'least' ? '≥' : '≤'} ${bound} ${kept ? 'kept' : 'MISSED'}\n`,
    )
  }
}
