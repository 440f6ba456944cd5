// How late timers and sockets are beside operations that are always ready.

import { FAIR, median, output } from '../measure.js'

/** The most milliseconds by which 99 % of the expirations of `setInterval(1)` may be late. */
const TIMER_BOUND = 5

/** @param {import('../options.js').Options} options */
export async function reportFairness({ milliseconds, rounds }) {
  /** @type {{ timerP99: number, echoP99: number }[]} */
  const late = []
  for (let round = 0; round < rounds; round += 1) {
    late.push(await output([process.execPath, FAIR], [String(milliseconds)]))
  }
  const timer = median(late.map(({ timerP99 }) => timerP99))
  const echo = median(late.map(({ echoP99 }) => echoP99))
  process.stdout.write(
    `\nbeside 256 loops of reads that are always ready: setInterval(1) is ${timer.toFixed(1)} ms late ` +
      `(99 %; ≤ ${TIMER_BOUND} ${timer <= TIMER_BOUND ? 'kept' : 'MISSED'}), ` +
      `a net echo takes ${echo.toFixed(1)} ms (99 %)\n`,
  )
}
