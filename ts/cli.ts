#!/usr/bin/env node
// The command line: uring doctor.

import { examine, packageVersion } from './doctor/doctor.ts'
import { rendered, toJson } from './doctor/report.ts'

const USAGE = `usage: uring doctor [--json]
       uring --help | --version
`

const HELP = `${USAGE}
  doctor         says whether io_uring works here, how well, and what to do if not

  --json         prints what there is to know as JSON
  -h, --help     prints this
  -v, --version  prints the version of the package

exit status: 0 io_uring works here, 1 it does not, 2 wrong usage
`

const DOCTOR_OPTIONS: ReadonlySet<string> = new Set(['--json'])
const WRONG_USAGE = 2

/** What a command line asks for, or what is wrong with it. */
function parse(words: readonly string[]): 'help' | 'version' | { json: boolean } | { wrong: string } {
  const options = words.filter((word) => word.startsWith('-'))
  const names = words.filter((word) => !word.startsWith('-'))
  if (options.some((option) => option === '--help' || option === '-h')) return 'help'
  if (options.some((option) => option === '--version' || option === '-v')) return 'version'
  const [command, more] = names
  const option = options.find((word) => !DOCTOR_OPTIONS.has(word))
  if (command === undefined)
    return { wrong: option === undefined ? 'no command' : `unknown option '${option}'` }
  if (command !== 'doctor') return { wrong: `unknown command '${command}'` }
  if (option !== undefined) return { wrong: `unknown option '${option}'` }
  if (more !== undefined) return { wrong: `unexpected argument '${more}'` }
  return { json: options.includes('--json') }
}

/** Colours only where somebody looks, and has not said otherwise. */
function colours(): boolean {
  const { NO_COLOR, TERM } = process.env
  return process.stdout.isTTY === true && (NO_COLOR ?? '') === '' && TERM !== 'dumb'
}

/** Who reads may stop early, as head does: that is no failure. */
function forgive(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

async function main(words: readonly string[]): Promise<number> {
  forgive(process.stdout)
  forgive(process.stderr)
  const asked = parse(words)
  if (asked === 'help') process.stdout.write(HELP)
  else if (asked === 'version') process.stdout.write(`${packageVersion()}\n`)
  else if ('wrong' in asked) {
    process.stderr.write(`uring: ${asked.wrong}\n${USAGE}`)
    return WRONG_USAGE
  } else {
    const report = await examine()
    process.stdout.write(asked.json ? toJson(report) : rendered(report, colours()))
    return report.works ? 0 : 1
  }
  return 0
}

process.exitCode = await main(process.argv.slice(2))
