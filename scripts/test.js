// npm test -- ARGUMENTS: every check, then the tests of both languages. The arguments go to ava.
//
// The last line on standard output is the sum: "N passed, N failed". A check or a build that fails counts as one failure,
// and the rest runs as far as it can.

import { spawnSync } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'
import { run, tool } from './child.js'
import { StepError, prepare } from './prepare.js'

let passed = 0
let failed = 0

/**
 * @param {string} title
 * @param {string} command
 * @param {readonly string[]} args
 */
async function check(title, command, args) {
  announce(title)
  if ((await run(command, args)) !== 0) failed++
}

/**
 * Runs a check of a Rust component that not every distribution installs with cargo.
 *
 * @param {string} component
 * @param {readonly string[]} args
 */
async function checkRust(component, args) {
  if (spawnSync('cargo', [component, '--version'], { stdio: 'ignore' }).status === 0) {
    await check(`cargo ${component}`, 'cargo', [component, ...args])
  } else {
    announce(`cargo ${component}: skipped, it is not installed`)
  }
}

/**
 * Runs tests and counts their results. A run that fails without reporting a failure counts as one.
 *
 * @param {string} title
 * @param {string} command
 * @param {readonly string[]} args
 * @param {(output: string) => { passed: number, failed: number }} count
 */
async function test(title, command, args, count) {
  announce(title)
  let output = ''
  const exitCode = await run(command, args, { output: (text) => void (output += text) })
  const result = count(output)
  passed += result.passed
  if (exitCode !== 0) failed += Math.max(result.failed, 1)
}

/** @param {string} title */
function announce(title) {
  process.stdout.write(`\n── ${title}\n`)
}

/**
 * Adds up "test result: ok. 3 passed; 0 failed; …", one line for each test program.
 *
 * @param {string} output
 */
function countCargo(output) {
  const sum = { passed: 0, failed: 0 }
  for (const match of output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed;/gm)) {
    sum.passed += Number(match[1])
    sum.failed += Number(match[2])
  }
  return sum
}

/**
 * Counts the lines of ava's default report that start with its symbols: a tick for each test that passed, a cross for each
 * that failed, for a file that crashed, exited or has no tests, and for a timeout. (Its TAP report would be easier to
 * parse, but ava 7 crashes there when a test times out.)
 *
 * @param {string} output
 */
function countAva(output) {
  const text = stripVTControlCharacters(output)
  return { passed: text.match(/^ {2}[✔√] /gm)?.length ?? 0, failed: text.match(/^ {2}[✘×] /gm)?.length ?? 0 }
}

async function main() {
  let built = true
  try {
    await prepare()
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    process.stderr.write(`uring: ${error.message}\n`)
    failed++
    built = false
    // Without dependencies nothing else can run.
    if (error.step === 'dependencies') return
  }

  await check('types', tool('tsc'), ['-p', 'tsconfig.test.json'])
  await check('lint', tool('oxlint'), ['--deny-warnings'])
  await check('format', tool('oxfmt'), ['--check'])
  await checkRust('fmt', ['--all', '--check'])
  await checkRust('clippy', ['--workspace', '--all-targets', '--', '-D', 'warnings'])
  // ava tests the binding, through the facade.
  await test(
    'cargo test',
    'cargo',
    ['test', '--workspace', '--exclude', 'uring-node', '--no-fail-fast'],
    countCargo,
  )
  if (built) await test('ava', tool('ava'), process.argv.slice(2), countAva)
  else announce('ava: skipped, the build failed')
}

try {
  await main()
} finally {
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
  process.exitCode = failed === 0 ? 0 : 1
}
