// npm start -- FILE...: prints files to standard output, through one ring. Without arguments: a short tour.

import { Ring, UringError } from 'uring'
import { printFiles } from './print.js'
import { tour } from './tour.js'

const paths = process.argv.slice(2)

/** @type {Ring | undefined} */
let ring
try {
  ring = new Ring({ entries: 64 })
  if (paths.length === 0) await tour(ring)
  else if (!printFiles(ring, paths)) process.exitCode = 1
} catch (error) {
  // What is no failure of the kernel's is a bug here, and wants its stack.
  if (!(error instanceof UringError)) throw error
  // Where nobody reads on, other programs end by SIGPIPE, without a word; Node.js ignores that signal.
  if (!['EPIPE', 'ECONNRESET'].includes(error.code)) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  }
} finally {
  await ring?.close()
}
