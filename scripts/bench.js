// npm run bench -- ARGUMENTS: the benchmarks on an up-to-date build.

import { optionsOrExit } from '../benchmark/options.js'
import { run, runProgram } from './child.js'
import { prepareOrExit } from './prepare.js'

const args = process.argv.slice(2)
// npm runs scripts in the package's root; --against is relative to the directory that npm was called in.
const cwd = (process.env.npm_lifecycle_event === 'bench' && process.env.INIT_CWD) || process.cwd()

await prepareOrExit()
process.chdir(cwd)
const { against } = optionsOrExit(args)

// Another checkout is compared with this one; everything else needs the native reference program.
const exitCode =
  against === undefined
    ? await run('cargo', ['build', '--release', '-p', 'uring-bench'], { output: 'stderr' })
    : 0
process.exitCode = exitCode === 0 ? await runProgram('benchmark/run.js', args, cwd) : exitCode
