// npm run bench -- [--milliseconds N] [--rounds N]: the facade beside the native loop and node:fs.
// npm run bench -- --against DIR [--tolerance PERCENT]: this checkout beside another one; exit code 1 if it is slower.
//
// The sides alternate, each in a process of its own, and only their ratio says something: a machine that is slow for a
// while is slow for both. Each figure is the median over the rounds.

import { cpus, release } from 'node:os'
import { optionsOrExit } from './options.js'
import { reportAgainst } from './report/against.js'
import { reportAwaited } from './report/awaited.js'
import { reportBatches } from './report/batches.js'
import { reportFairness } from './report/fairness.js'

const options = optionsOrExit(process.argv.slice(2))
const { against, milliseconds, rounds } = options
process.stdout.write(`Linux ${release()}, Node.js ${process.version}, ${cpus()[0]?.model}\n`)
if (against === undefined) {
  process.stdout.write(`ns per operation, median of ${rounds} alternating rounds of ${milliseconds} ms\n\n`)
  await reportBatches(options)
  await reportAwaited(options)
  await reportFairness(options)
} else if (!(await reportAgainst({ ...options, against }))) {
  process.exitCode = 1
}
