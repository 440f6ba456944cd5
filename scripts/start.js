// npm start -- ARGUMENTS: the example program on an up-to-date build, in this terminal.

import { runProgram } from './child.js'
import { prepareOrExit } from './prepare.js'

await prepareOrExit()

// npm runs scripts in the package's root; file arguments are relative to the directory that npm was called in.
const cwd = process.env.npm_lifecycle_event === 'start' ? process.env.INIT_CWD : undefined
process.exitCode = await runProgram('examples/main.js', process.argv.slice(2), cwd)
