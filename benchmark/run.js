// npm run bench -- [--milliseconds N] [--rounds N]: the facade beside the native loop, in one run.
//
// Both sides alternate, each in a process of its own, and only their ratio says something: a machine that is slow for
// a while is slow for both. Shown is the median over the rounds.

import { execFile } from 'node:child_process'
import { cpus, release } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const native = `${root}target/release/uring-bench`
const loop = `${root}benchmark/loop.js`

/** What is measured, and at which batch a ratio is promised. */
const CASES = [
  { name: 'nop', reference: 'nop', title: 'no-op, typed', promised: new Map([[128, 0.65]]) },
  { name: 'entry', reference: 'nop', title: 'no-op, built entry', promised: new Map([[128, 0.75]]) },
  { name: 'read', reference: 'read', title: '4 KiB read, typed', promised: new Map([[32, 0.9]]) },
]
const BATCHES = [1, 8, 32, 128]

const { values } = parseArgs({
  options: { milliseconds: { type: 'string', default: '400' }, rounds: { type: 'string', default: '5' } },
})
const rounds = Number(values.rounds)
if (!(Number(values.milliseconds) > 0) || !(rounds > 0)) {
  process.stderr.write('usage: npm run bench -- [--milliseconds N] [--rounds N]\n')
  process.exit(2)
}

/**
 * Nanoseconds an operation.
 *
 * @param {string} command
 * @param {string[]} args
 */
async function measure(command, args) {
  const { stdout } = await promisify(execFile)(command, [...args, values.milliseconds], { cwd: root })
  const { operations, seconds } = JSON.parse(stdout)
  return (seconds * 1e9) / operations
}

/** @param {number[]} numbers */
function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

process.stdout.write(`Linux ${release()}, Node.js ${process.version}, ${cpus()[0]?.model}\n`)
process.stdout.write(
  `ns per operation, median of ${rounds} alternating rounds of ${values.milliseconds} ms\n\n`,
)
process.stdout.write('case                  batch   native    uring   ratio   promised\n')
for (const { name, reference, title, promised } of CASES) {
  for (const batch of BATCHES) {
    /** @type {number[]} */
    const theirs = []
    /** @type {number[]} */
    const ours = []
    for (let round = 0; round < rounds; round += 1) {
      theirs.push(await measure(native, [reference, String(batch)]))
      ours.push(await measure(process.execPath, [loop, name, String(batch)]))
    }
    const ratio = median(theirs) / median(ours)
    const promise = promised.get(batch)
    const verdict =
      promise === undefined ? '' : `${promise.toFixed(2)} ${ratio >= promise ? 'kept' : 'MISSED'}`
    process.stdout.write(
      `${title.padEnd(20)} ${String(batch).padStart(6)} ${median(theirs).toFixed(0).padStart(8)} ` +
        `${median(ours).toFixed(0).padStart(8)} ${ratio.toFixed(2).padStart(7)}   ${verdict}`.trimEnd() +
        '\n',
    )
  }
}
