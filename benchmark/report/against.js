// This checkout beside another one: the same loops, over the package as it is built here and there.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { median, output, PAIR, realTimePrefix } from '../measure.js'
import { root } from '../options.js'

/** @typedef {{ here: number, there: number, ratio: number }} Compared nanoseconds per operation */

/** @type {readonly { title: string, args: readonly string[] }[]} */
const CASES = [
  { title: 'no-op, batches of 1', args: ['nop', '1'] },
  { title: 'no-op, batches of 128', args: ['nop', '128'] },
  { title: 'built entry, batches of 128', args: ['entry', '128'] },
  { title: '4 KiB read, batches of 32', args: ['read', '32'] },
  { title: 'await run(Nop), 64 in flight', args: ['run-nop', '64'] },
  { title: 'await run(Read), 64 in flight', args: ['run-read', '64'] },
  { title: 'await run(Read), 1 in flight', args: ['run-read', '1'] },
]

/**
 * Measures both checkouts and prints each case. A round is two processes in which both builds alternate: the build that
 * is loaded first has an advantage of some percent, so each is first once.
 *
 * @param {import('../options.js').Options & { against: string }} options
 * @returns {Promise<boolean>} true if no case is slower here than the tolerance allows
 */
export async function reportAgainst({ milliseconds, rounds, against, tolerance }) {
  const prefix = realTimePrefix()
  process.stdout.write(
    `here  ${root}\nthere ${against}\n` +
      (prefix.length > 0
        ? `with real-time priority (${prefix.join(' ')})\n`
        : 'without real-time priority (chrt -f 10 is not allowed here), so small differences are noise\n') +
      `ns per operation, median of ${rounds} rounds in which both alternate for ${milliseconds} ms each\n\n` +
      `${''.padEnd(30)}${'time'.padStart(17)}${'process time'.padStart(34)}\n` +
      `${'case'.padEnd(30)}${'there      here   ratio'.padStart(24)}${'there      here   ratio'.padStart(27)}\n`,
  )

  let slower = 0
  for (const { title, args } of CASES) {
    /** @type {{ time: Compared, cpu: Compared }[]} */
    const measured = []
    for (let round = 0; round < rounds; round += 1) {
      const program = [...prefix, process.execPath, PAIR, ...args]
      const first = await pair(program, milliseconds / 2, against, false)
      const second = await pair(program, milliseconds / 2, against, true)
      measured.push({ time: meanOf(first.time, second.time), cpu: meanOf(first.cpu, second.cpu) })
    }
    const time = medianOf(measured.map((figures) => figures.time))
    const cpu = medianOf(measured.map((figures) => figures.cpu))
    const isSlower = time.ratio > 1 + tolerance / 100
    if (isSlower) slower += 1
    process.stdout.write(`${title.padEnd(30)}${shown(time)}   ${shown(cpu)}${isSlower ? '   SLOWER' : ''}\n`)
  }

  process.stdout.write(
    slower === 0
      ? `\nno case is more than ${tolerance} % slower here\n`
      : `\nmore than ${tolerance} % slower here: ${slower} of ${CASES.length} cases\n`,
  )
  return slower === 0
}

/**
 * Runs one process.
 *
 * @param {readonly string[]} program
 * @param {number} milliseconds
 * @param {string} against
 * @param {boolean} isSwapped if set, the other build is loaded first
 * @returns {Promise<{ time: Compared, cpu: Compared }>}
 */
async function pair(program, milliseconds, against, isSwapped) {
  const builds = [packageOf(root), packageOf(against)]
  if (isSwapped) builds.reverse()
  const [command = '', ...args] = program
  const { time, cpu } = await output([command, ...args], [String(milliseconds), ...builds])
  return isSwapped ? { time: swapped(time), cpu: swapped(cpu) } : { time, cpu }
}

/** @param {Compared} compared @returns {Compared} */
function swapped({ here, there }) {
  return { here: there, there: here, ratio: there / here }
}

/** The geometric mean of two figures. @param {Compared} first @param {Compared} second @returns {Compared} */
function meanOf(first, second) {
  const of = (/** @type {keyof Compared} */ key) => Math.sqrt(first[key] * second[key])
  return { here: of('here'), there: of('there'), ratio: of('ratio') }
}

/** The address of a checkout's compiled package. @param {string} directory */
function packageOf(directory) {
  return pathToFileURL(join(directory, 'dist', 'index.js')).href
}

/** @param {readonly Compared[]} figures @returns {Compared} */
function medianOf(figures) {
  const of = (/** @type {keyof Compared} */ key) => median(figures.map((figure) => figure[key]))
  return { here: of('here'), there: of('there'), ratio: of('ratio') }
}

/** @param {Compared} compared */
function shown({ here, there, ratio }) {
  return `${there.toFixed(1).padStart(8)}${here.toFixed(1).padStart(10)}${ratio.toFixed(3).padStart(8)}`
}
