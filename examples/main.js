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
  // Anything but an error of the kernel is a bug here: its stack is needed.
  if (!(error instanceof UringError)) throw error
  // When the reader is gone, other programs die silently of SIGPIPE, which Node.js ignores.
  if (!['EPIPE', 'ECONNRESET'].includes(error.code)) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  }
} finally {
  await ring?.close()
}
