// Resizing the queues of a ring while it runs.

import { constants } from 'node:os'
import { MAX_CQ_ENTRIES, MAX_ENTRIES, roundUpToPowerOfTwo } from '../arguments/queue-sizes.ts'
import { type Registering, REGISTRATION } from '../arguments/ring.ts'
import { checkOptions, integer } from '../arguments/validate.ts'
import { systemError, unsupportedError, UringError } from '../errors.ts'
import { SetupFlags } from '../flags/index.ts'
import { kernelHas } from '../system/support.ts'

/** Options of {@link Ring.resize}. */
export interface ResizeOptions {
  /** Entries of the submission queue, 1 to 32768; absent, the number stays. */
  entries?: number
  /** Entries of the completion queue, 1 to 65536, at least `entries`; absent, the number stays, or grows to `entries`. */
  cqEntries?: number
}

const { EINVAL, EOVERFLOW } = constants.errno

/** Setup flags that a ring needs for resizing. */
const REQUIRED = SetupFlags.DEFER_TASKRUN | SetupFlags.NO_SQARRAY
/** Setup flags that exclude resizing. */
const EXCLUDED = SetupFlags.SQE128 | SetupFlags.CQE32
const SINCE = '6.13'

/** Resizes the queues. */
export function resize(ring: Registering, options: ResizeOptions): void {
  const { entries: oldEntries, cqEntries: oldCqEntries } = ring[REGISTRATION].boundary
  const checked = checkOptions(options)
  const { entries = oldEntries } = checked
  integer(entries, 'options.entries', 1, MAX_ENTRIES)
  const { cqEntries = Math.max(oldCqEntries, entries) } = checked
  integer(cqEntries, 'options.cqEntries', 1, MAX_CQ_ENTRIES)
  // A getter of the options may have closed the ring.
  const { boundary, scheduler: schedulerOf } = ring[REGISTRATION]
  const { setupFlags } = boundary.native
  if ((setupFlags & REQUIRED) !== REQUIRED || (setupFlags & EXCLUDED) !== 0) throw notResizable()
  if (!kernelHas(SINCE)) throw unsupportedError({ name: 'resize()', since: SINCE })
  const { pushed, run, left } = boundary
  const scheduler = schedulerOf()
  const needed = Math.max(pushed.count + left, run.count + left, scheduler?.longest ?? 0)
  const fits = needed <= roundUpToPowerOfTwo(entries)
  const error = fits ? boundary.resize(entries, cqEntries) : -EOVERFLOW
  if (error !== 0) throw systemError(error, 'io_uring_register')
  scheduler?.resized()
}

function notResizable(): UringError {
  const message =
    'EINVAL: only a ring with singleIssuer, deferTaskrun and noSqArray (the default mode), and without sqe128 and cqe32, can be resized'
  return new UringError('EINVAL', message, { errno: -EINVAL, syscall: 'io_uring_register' })
}
