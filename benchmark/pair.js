// Measures two builds of the package in one process: node benchmark/pair.js <case> <count> <milliseconds> <here> <there>.
//
// The builds take turns in segments of 5 ms, and only their medians count: whatever slows this machine down for a while
// slows both down, and interrupts a few segments of each. Nothing else makes figures repeat on a shared machine.

import { closeSync } from 'node:fs'
import { cachedFile } from './cached.js'

const SEGMENT = 5

const [name = '', countText, millisecondsText, here = '', there = ''] = process.argv.slice(2)
const count = Number(countText)
const milliseconds = Number(millisecondsText)
const fd = cachedFile()

/**
 * Loads a build, and the case with it: by an address of its own, so that V8 compiles it for this build alone.
 *
 * @param {string} build
 * @param {string} side
 * @returns {Promise<import('./pair-cases.js').Case>}
 */
async function load(build, side) {
  /** @type {typeof import('./pair-cases.js')} */
  const cases = await import(`./pair-cases.js?${side}`)
  return cases.makeCase(await import(build), name, count, fd)
}

/**
 * Runs a case for a segment.
 *
 * @param {import('./pair-cases.js').Case} run
 * @returns {Promise<{ time: number, cpu: number }>} nanoseconds per operation
 */
async function segment(run) {
  const before = process.cpuUsage()
  const start = performance.now()
  const operations = await run(start + SEGMENT)
  const elapsed = performance.now() - start
  const { user, system } = process.cpuUsage(before)
  return { time: (elapsed * 1e6) / operations, cpu: ((user + system) * 1e3) / operations }
}

/** @param {readonly number[]} numbers */
function median(numbers) {
  const sorted = numbers.toSorted((left, right) => left - right)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const sides = [await load(here, 'here'), await load(there, 'there')]
/** @type {{ time: number, cpu: number }[][]} */
const figures = [[], []]

/** @param {number} duration @param {boolean} isKept */
async function alternate(duration, isKept) {
  const end = performance.now() + duration
  for (let round = 0; performance.now() < end; round += 1) {
    for (const side of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const figure = await segment(/** @type {import('./pair-cases.js').Case} */ (sides[side]))
      if (isKept) figures[side]?.push(figure)
    }
  }
}

await alternate(milliseconds / 2, false) // lets V8 compile both
await alternate(2 * milliseconds, true)
closeSync(fd)

/** @param {'time' | 'cpu'} measure */
function compared(measure) {
  const [ours = [], theirs = []] = figures.map((side) => side.map((figure) => figure[measure]))
  return { here: median(ours), there: median(theirs), ratio: median(ours) / median(theirs) }
}

process.stdout.write(
  `${JSON.stringify({ case: name, count, time: compared('time'), cpu: compared('cpu') })}\n`,
)
process.exit() // the rings go with the process
