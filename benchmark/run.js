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
const awaiting = `${root}benchmark/await.js`
const fair = `${root}benchmark/fair.js`

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
 * What a program prints about itself.
 *
 * @param {string} command
 * @param {string[]} args
 */
async function output(command, args) {
  const { stdout } = await promisify(execFile)(command, [...args, values.milliseconds], { cwd: root })
  return JSON.parse(stdout)
}

/**
 * Nanoseconds an operation.
 *
 * @param {string} command
 * @param {string[]} args
 */
async function measure(command, args) {
  const { operations, seconds } = await output(command, args)
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

/** Loops that wait for each operation before the next: how many at once, and what they are compared with. */
const AWAITED = {
  'native no-op': [native, 'nop', '64'],
  'native read': [native, 'read', '64'],
  'await run(Nop), 64': [process.execPath, awaiting, 'run-nop', '64'],
  'await run(Read), 64': [process.execPath, awaiting, 'run-read', '64'],
  'FileHandle.read, 64': [process.execPath, awaiting, 'file-handle', '64'],
  'fs.read, 64': [process.execPath, awaiting, 'fs-read', '64'],
  'await run(Read), 1': [process.execPath, awaiting, 'run-read', '1'],
  'FileHandle.read, 1': [process.execPath, awaiting, 'file-handle', '1'],
}
/** @typedef {keyof typeof AWAITED} Awaited */

/** @type {Map<string, { time: number[], cpu: number[] }>} */
const measured = new Map(Object.keys(AWAITED).map((title) => [title, { time: [], cpu: [] }]))
for (let round = 0; round < rounds; round += 1) {
  for (const [title, [command = '', ...args]] of Object.entries(AWAITED)) {
    const { operations, seconds, cpu = Number.NaN } = await output(command, args)
    measured.get(title)?.time.push((seconds * 1e9) / operations)
    measured.get(title)?.cpu.push((cpu * 1e9) / operations)
  }
}

process.stdout.write('\neach awaited, so many at once       ns     CPU ns\n')
for (const [title, { time, cpu }] of measured) {
  const shown = Number.isNaN(median(cpu)) ? '' : median(cpu).toFixed(0)
  process.stdout.write(
    `${title.padEnd(28)} ${median(time).toFixed(0).padStart(9)} ${shown.padStart(10)}`.trimEnd() + '\n',
  )
}

/** @param {Awaited} title @param {'time' | 'cpu'} what */
function of(title, what) {
  return median(measured.get(title)?.[what] ?? [])
}

/** @type {readonly [string, number, number, 'least' | 'most'][]} */
const PROMISED = [
  [
    'no-op, 64 at once, of the native loop',
    of('native no-op', 'time') / of('await run(Nop), 64', 'time'),
    0.38,
    'least',
  ],
  [
    'read, 64 at once, of the native loop',
    of('native read', 'time') / of('await run(Read), 64', 'time'),
    0.8,
    'least',
  ],
  [
    'read, 64 at once, times FileHandle.read',
    of('FileHandle.read, 64', 'time') / of('await run(Read), 64', 'time'),
    4,
    'least',
  ],
  [
    'read, 1 at once, times FileHandle.read',
    of('FileHandle.read, 1', 'time') / of('await run(Read), 1', 'time'),
    8,
    'least',
  ],
  [
    'CPU of a read, of FileHandle.read',
    of('await run(Read), 64', 'cpu') / of('FileHandle.read, 64', 'cpu'),
    0.25,
    'most',
  ],
  ['CPU of a read, of fs.read', of('await run(Read), 64', 'cpu') / of('fs.read, 64', 'cpu'), 0.5, 'most'],
]
process.stdout.write('\nratio                                             promised\n')
for (const [title, ratio, promise, bound] of PROMISED) {
  const kept = bound === 'least' ? ratio >= promise : ratio <= promise
  process.stdout.write(
    `${title.padEnd(42)} ${ratio.toFixed(2).padStart(6)}   ${bound === 'least' ? '≥' : '≤'} ${promise} ${kept ? 'kept' : 'MISSED'}\n`,
  )
}

/** @type {{ timerP99: number, echoP99: number, reads: number, immediates: number }[]} */
const late = []
for (let round = 0; round < rounds; round += 1) late.push(await output(process.execPath, [fair]))
const worst = median(late.map(({ timerP99 }) => timerP99))
process.stdout.write(
  `\nbeside 256 loops of reads that are always ready: setInterval(1) is ${worst.toFixed(1)} ms late (99 %; ≤ 5 ` +
    `${worst <= 5 ? 'kept' : 'MISSED'}), a net echo takes ${median(late.map(({ echoP99 }) => echoP99)).toFixed(1)} ms (99 %)\n`,
)
