// npm run bench -- ARGUMENTS: the benchmarks on an up-to-date build, beside the native reference program.

import { run, runProgram } from './child.js'
import { prepareOrExit } from './prepare.js'

await prepareOrExit()

const exitCode = await run('cargo', ['build', '--release', '-p', 'uring-bench'], { output: 'stderr' })
process.exitCode = exitCode === 0 ? await runProgram('benchmark/run.js', process.argv.slice(2)) : exitCode
