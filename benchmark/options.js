// The command line of `npm run bench`.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/** The root directory of this checkout. */
export const root = resolve(fileURLToPath(new URL('..', import.meta.url)))

const USAGE = `usage: npm run bench -- [--milliseconds N] [--rounds N] [--against DIR [--tolerance PERCENT]]
`

/**
 * @typedef {object} Options
 * @property {number} milliseconds how long each program measures
 * @property {number} rounds how often each program runs
 * @property {string | undefined} against the root directory of the checkout to compare with
 * @property {number} tolerance by how many percent a case may be slower than there
 */

/** A command line that cannot be run. */
class UsageError extends Error {}

/**
 * Reads the command line, or prints what is wrong with it and ends this process with exit code 2.
 *
 * @param {readonly string[]} args
 * @returns {Options}
 */
export function optionsOrExit(args) {
  try {
    const options = parse(args)
    if (options.against !== undefined) {
      requireBuilt(options.against)
      requireBuilt(root)
    }
    return options
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(2)
  }
}

/**
 * @param {readonly string[]} args
 * @returns {Options}
 */
function parse(args) {
  const values = parseStrings(args)
  if (values.tolerance !== undefined && values.against === undefined) {
    throw new UsageError(`--tolerance needs --against\n${USAGE}`.trimEnd())
  }
  const rounds = numberOf('rounds', values.rounds ?? '5', (number) => Number.isInteger(number) && number > 0)
  return {
    milliseconds: numberOf('milliseconds', values.milliseconds ?? '400', (number) => number > 0),
    rounds,
    tolerance: numberOf('tolerance', values.tolerance ?? '3', (number) => number >= 0),
    against: values.against === undefined ? undefined : resolve(values.against),
  }
}

/** @param {readonly string[]} args */
function parseStrings(args) {
  const type = /** @type {const} */ ('string')
  try {
    return parseArgs({
      args: [...args],
      options: {
        milliseconds: { type },
        rounds: { type },
        against: { type },
        tolerance: { type },
      },
    }).values
  } catch (error) {
    throw new UsageError(`${/** @type {Error} */ (error).message}\n${USAGE}`.trimEnd(), { cause: error })
  }
}

/**
 * @param {string} name
 * @param {string} text
 * @param {(number: number) => boolean} valid
 */
function numberOf(name, text, valid) {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isFinite(number) && valid(number)) return number
  throw new UsageError(`--${name} cannot be '${text}'\n${USAGE}`.trimEnd())
}

/**
 * Throws if a directory is not a checkout of this package with `dist` and the binding in it.
 *
 * @param {string} directory
 */
function requireBuilt(directory) {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`${directory}: no such directory`)
  }
  if (nameOf(directory) !== nameOf(root)) {
    throw new UsageError(
      `${directory} is not a checkout of ${nameOf(root)}: its package.json does not say so`,
    )
  }
  const missing = ['dist/index.js', 'binding/index.cjs'].find((file) => !existsSync(join(directory, file)))
  const built = missing ?? (hasAddon(join(directory, 'binding')) ? undefined : 'binding/*.node')
  if (built !== undefined) {
    throw new UsageError(
      `${directory} is not built: ${built} is missing. Run npm install and npm run build there`,
    )
  }
}

/** @param {string} directory */
function nameOf(directory) {
  try {
    return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')).name
  } catch {
    return undefined
  }
}

/** @param {string} directory */
function hasAddon(directory) {
  return readdirSync(directory).some((name) => name.endsWith('.node'))
}
