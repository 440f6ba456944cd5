// This checkout beside another one: the same programs, over the package as it is built here and there.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { AWAIT, LOOP, median, perOperation, realTimePrefix } from '../measure.js'
import { root } from '../options.js'

/** @typedef {'here' | 'there'} Side */

/** @type {readonly { title: string, args: readonly string[] }[]} */
const CASES = [
  { title: 'no-op, batches of 1', args: [LOOP, 'nop', '1'] },
  { title: 'no-op, batches of 128', args: [LOOP, 'nop', '128'] },
  { title: 'built entry, batches of 128', args: [LOOP, 'entry', '128'] },
  { title: '4 KiB read, batches of 32', args: [LOOP, 'read', '32'] },
  { title: 'await run(Nop), 64 in flight', args: [AWAIT, 'run-nop', '64'] },
  { title: 'await run(Read), 64 in flight', args: [AWAIT, 'run-read', '64'] },
  { title: 'await run(Read), 1 in flight', args: [AWAIT, 'run-read', '1'] },
]

/**
 * Measures both checkouts and prints each case. The sides take turns in going first, so that a machine that is slow for
 * a while is slow for both.
 *
 * @param {import('../options.js').Options & { against: string }} options
 * @returns {Promise<boolean>} true if no case is slower here than the tolerance allows
 */
export async function reportAgainst({ milliseconds, rounds, against, tolerance }) {
  const prefix = realTimePrefix()
  /** @type {Record<Side, string>} */
  const packages = { here: packageOf(root), there: packageOf(against) }
  process.stdout.write(
    `here  ${root}\nthere ${against}\n` +
      (prefix.length > 0
        ? `with real-time priority (${prefix.join(' ')})\n`
        : 'without real-time priority (chrt -f 10 is not allowed here), so small differences are noise\n') +
      `ns per operation, median of ${rounds} alternating rounds of ${milliseconds} ms\n\n` +
      `${''.padEnd(30)}${'time'.padStart(17)}${'process time'.padStart(34)}\n` +
      `${'case'.padEnd(30)}${'there      here   ratio'.padStart(24)}${'there      here   ratio'.padStart(27)}\n`,
  )

  let slower = 0
  for (const { title, args } of CASES) {
    /** @type {Record<Side, { time: number, cpu: number }[]>} */
    const measured = { here: [], there: [] }
    for (let round = 0; round < rounds; round += 1) {
      for (const side of round % 2 === 0 ? SIDES : SIDES.toReversed()) {
        const [command, ...rest] = /** @type {[string, ...string[]]} */ ([
          ...prefix,
          process.execPath,
          ...args,
        ])
        const env = { URING_BENCH_PACKAGE: packages[side] }
        measured[side].push(await perOperation([command, ...rest], milliseconds, env))
      }
    }
    const time = compare(measured, 'time')
    const cpu = compare(measured, 'cpu')
    const isSlower = time.ratio > 1 + tolerance / 100
    if (isSlower) slower += 1
    process.stdout.write(`${title.padEnd(30)}${time.text}   ${cpu.text}${isSlower ? '   SLOWER' : ''}\n`)
  }

  process.stdout.write(
    slower === 0
      ? `\nno case is more than ${tolerance} % slower here\n`
      : `\nmore than ${tolerance} % slower here: ${slower} of ${CASES.length} cases\n`,
  )
  return slower === 0
}

/** @type {readonly Side[]} */
const SIDES = ['there', 'here']

/** The address of a checkout's compiled package. @param {string} directory */
function packageOf(directory) {
  return pathToFileURL(join(directory, 'dist', 'index.js')).href
}

/**
 * @param {Record<Side, { time: number, cpu: number }[]>} measured
 * @param {'time' | 'cpu'} measure
 */
function compare(measured, measure) {
  const there = median(measured.there.map((one) => one[measure]))
  const here = median(measured.here.map((one) => one[measure]))
  const ratio = here / there
  return {
    ratio,
    text: `${there.toFixed(1).padStart(8)}${here.toFixed(1).padStart(10)}${ratio.toFixed(3).padStart(8)}`,
  }
}
