// Brings everything that is built up to date: dependencies, the native binding, the compiled facade.
//
// A step is skipped if the files that it reads and writes are unchanged since its last successful run, as recorded in a
// stamp under node_modules/.cache/uring. Progress goes to standard error; a run that has nothing to do is silent.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, tool } from './child.js'

/**
 * @typedef {object} Step
 * @property {string} name of the stamp file
 * @property {string} title what it does, as it is printed
 * @property {readonly string[]} reads files and directories, relative to the root
 * @property {readonly string[]} writes files and directories, relative to the root
 * @property {() => Promise<number>} run returns an exit code
 */

/** The error of a step that failed. The step has printed why. */
export class StepError extends Error {
  /**
   * @param {Step} step
   * @param {number} exitCode
   */
  constructor(step, exitCode) {
    super(`${step.title} failed`)
    this.step = step.name
    this.exitCode = exitCode
  }
}

/** @type {readonly Step[]} */
const steps = [
  {
    name: 'dependencies',
    title: 'installing dependencies',
    reads: ['package.json', '.npmrc'],
    writes: ['package-lock.json', 'node_modules/.package-lock.json'],
    // --no-save: the lock file changes only on purpose.
    run: () =>
      run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--include=dev', '--loglevel=error'], {
        output: 'stderr',
      }),
  },
  {
    name: 'native',
    title: 'building the native binding',
    reads: ['package.json', 'Cargo.toml', '.cargo', 'crates'],
    writes: ['Cargo.lock', 'binding'],
    run: async () => {
      if (!hasCargo()) {
        process.stderr.write(
          'cargo was not found. Install Rust 1.88 or newer (https://rustup.rs, or the packages "cargo" and\n' +
            '"rustc" of the distribution) and a C linker (package "gcc"), then run this again.\n',
        )
        return 127
      }
      return run(tool('napi'), nativeBuildArguments(), { output: 'stderr' })
    },
  },
  {
    name: 'facade',
    title: 'compiling TypeScript',
    reads: ['package.json', 'tsconfig.json', 'ts', 'binding/index.d.cts'],
    writes: ['dist'],
    run: () => {
      // Modules that were removed from ts must not stay in dist.
      rmSync(join(root, 'dist'), { recursive: true, force: true })
      return run(tool('tsc'), ['-p', 'tsconfig.json'], { output: 'stderr' })
    },
  },
]

/**
 * Runs the steps that are out of date. Throws a {@link StepError} at the first that fails.
 *
 * @returns {Promise<void>}
 */
export async function prepare() {
  const stamps = join(root, 'node_modules', '.cache', 'uring')
  for (const step of steps) {
    const stamp = join(stamps, step.name)
    const before = digest(step.reads)
    if (readStamp(stamp) === `${before} ${digest(step.writes)}\n`) continue

    rmSync(stamp, { force: true })
    process.stderr.write(`uring: ${step.title}\n`)
    const exitCode = await step.run()
    if (exitCode !== 0) throw new StepError(step, exitCode)
    mkdirSync(stamps, { recursive: true })
    // The digest of what was read is from before the run: a file that was edited meanwhile is built next time.
    writeFileSync(stamp, `${before} ${digest(step.writes)}\n`)
  }
}

/**
 * Runs {@link prepare}. If a step fails, ends this process with the step's exit code.
 *
 * @returns {Promise<void>}
 */
export async function prepareOrExit() {
  try {
    await prepare()
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    process.stderr.write(`uring: ${error.message}\n`)
    process.exit(error.exitCode)
  }
}

function hasCargo() {
  return spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status === 0
}

/** Returns the arguments of the script "build:native" in package.json, where they are defined. */
function nativeBuildArguments() {
  /** @type {{ scripts: { 'build:native': string } }} */
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return manifest.scripts['build:native'].split(' ').slice(1)
}

/** @param {string} file */
function readStamp(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/**
 * Returns a hash over the paths and contents of files and of everything in directories. That a path is missing is part
 * of the hash.
 *
 * @param {readonly string[]} paths
 */
function digest(paths) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\0`)
  for (const path of paths) add(hash, path)
  return hash.digest('hex')
}

/**
 * @param {import('node:crypto').Hash} hash
 * @param {string} path
 */
function add(hash, path) {
  const absolute = join(root, path)
  try {
    const content = readFileSync(absolute)
    hash.update(`file ${path} ${content.length}\0`).update(content)
  } catch (error) {
    const code = /** @type {NodeJS.ErrnoException} */ (error).code
    if (code === 'EISDIR') {
      for (const name of readdirSync(absolute).sort()) add(hash, `${path}/${name}`)
    } else if (code === 'ENOENT') {
      hash.update(`none ${path}\0`)
    } else {
      throw error
    }
  }
}
