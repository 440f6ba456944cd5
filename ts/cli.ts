#!/usr/bin/env node
// The command line interface: `uring doctor`.

import { examine, packageVersion } from './doctor/doctor.ts'
import { rendered, toJson } from './doctor/report.ts'

const USAGE = `usage: uring doctor [--json]
       uring --help | --version
`

const HELP = `${USAGE}
  doctor         tests io_uring on this machine, and prints what to do if it does not work

  --json         prints the report as JSON
  -h, --help     prints this help
  -v, --version  prints the version of the package

exit status: 0 io_uring works, 1 it does not work, 2 wrong usage
`

const DOCTOR_OPTIONS: ReadonlySet<string> = new Set(['--json'])
const WRONG_USAGE = 2

/** Parses a command line; returns what is wrong with it if it is not valid. */
function parse(words: readonly string[]): 'help' | 'version' | { json: boolean } | { wrong: string } {
  const options = words.filter((word) => word.startsWith('-'))
  const names = words.filter((word) => !word.startsWith('-'))
  if (options.some((option) => option === '--help' || option === '-h')) return 'help'
  if (options.some((option) => option === '--version' || option === '-v')) return 'version'
  const [command, more] = names
  const option = options.find((word) => !DOCTOR_OPTIONS.has(word))
  if (command === undefined)
    return { wrong: option === undefined ? 'missing command' : `unknown option '${option}'` }
  if (command !== 'doctor') return { wrong: `unknown command '${command}'` }
  if (option !== undefined) return { wrong: `unknown option '${option}'` }
  if (more !== undefined) return { wrong: `unexpected argument '${more}'` }
  return { json: options.includes('--json') }
}

/** Tells if the output may be coloured: on a terminal, unless `NO_COLOR` is set. */
function colours(): boolean {
  const { NO_COLOR, TERM } = process.env
  return process.stdout.isTTY === true && (NO_COLOR ?? '') === '' && TERM !== 'dumb'
}

/** Ignores a reader that closes the pipe early, as `head` does. */
function ignoreBrokenPipe(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

async function main(words: readonly string[]): Promise<number> {
  ignoreBrokenPipe(process.stdout)
  ignoreBrokenPipe(process.stderr)
  const command = parse(words)
  if (command === 'help') process.stdout.write(HELP)
  else if (command === 'version') process.stdout.write(`${packageVersion()}\n`)
  else if ('wrong' in command) {
    process.stderr.write(`uring: ${command.wrong}\n${USAGE}`)
    return WRONG_USAGE
  } else {
    const report = await examine()
    process.stdout.write(command.json ? toJson(report) : rendered(report, colours()))
    return report.works ? 0 : 1
  }
  return 0
}

process.exitCode = await main(process.argv.slice(2))
