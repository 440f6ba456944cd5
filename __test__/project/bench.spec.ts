// The command line of the benchmarks: what is wrong with it is said before anything is measured.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { directory } from '../helpers/files.ts'
import { type Outcome, run } from '../helpers/process.ts'

const USAGE =
  'usage: npm run bench -- [--milliseconds N] [--rounds N] [--against DIR [--tolerance PERCENT]]\n'

function bench(...args: readonly string[]): Promise<Outcome> {
  return run(process.execPath, ['benchmark/run.js', ...args])
}

/** Expects a run that measures nothing, with exit code 2 and this on standard error. */
async function refused(t: ExecutionContext, args: readonly string[], stderr: string): Promise<void> {
  t.deepEqual(await bench(...args), { code: 2, signal: null, stdout: '', stderr }, args.join(' '))
}

/** A directory with the files of a checkout, by their paths. */
function checkout(t: ExecutionContext, files: Readonly<Record<string, string>>): string {
  const root = directory(t)
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return root
}

const PACKAGE = { 'package.json': '{ "name": "uring" }' }

test('bench: refuses numbers that are out of range', async (t) => {
  for (const [name, value] of [
    ['rounds', '0'],
    ['rounds', '1.5'],
    ['rounds', 'x'],
    ['milliseconds', '0'],
    ['milliseconds', ''],
    ['milliseconds', 'Infinity'],
  ] as const) {
    await refused(t, [`--${name}`, value], `--${name} cannot be '${value}'\n${USAGE}`)
  }
  await refused(t, ['--against', '.', '--tolerance=-1'], `--tolerance cannot be '-1'\n${USAGE}`)
})

test('bench: refuses options that it does not have, and --tolerance alone', async (t) => {
  await refused(t, ['--round', '5'], `Unknown option '--round'\n${USAGE}`)
  await refused(t, ['--against'], `Option '--against <value>' argument missing\n${USAGE}`)
  await refused(t, ['--tolerance', '5'], `--tolerance needs --against\n${USAGE}`)
})

test('bench: --against needs a checkout of this package', async (t) => {
  const missing = join(directory(t), 'missing')
  await refused(t, ['--against', missing], `${missing}: no such directory\n`)
  for (const files of [{}, { 'package.json': '{' }, { 'package.json': '{ "name": "other" }' }] as const) {
    const root = checkout(t, files as Record<string, string>)
    const message = `${root} is not a checkout of uring: its package.json does not say so\n`
    await refused(t, ['--against', root], message)
  }
})

test('bench: --against needs a checkout that is built', async (t) => {
  const dist = { 'dist/index.js': '' }
  const loader = { 'binding/index.cjs': '' }
  for (const [files, missing] of [
    [PACKAGE, 'dist/index.js'],
    [{ ...PACKAGE, ...dist }, 'binding/index.cjs'],
    [{ ...PACKAGE, ...dist, ...loader }, 'binding/*.node'],
  ] as const) {
    const root = checkout(t, files)
    const message = `${root} is not built: ${missing} is missing. Run npm install and npm run build there\n`
    await refused(t, ['--against', root], message)
  }
})
