// Queues of other sizes, while the ring runs.

import { constants } from 'node:os'
import { systemError, unsupportedError, UringError } from '../errors.ts'
import { SetupFlags } from '../flags/index.ts'
import { kernelHas } from '../system/support.ts'
import { integer, checkOptions } from '../arguments/validate.ts'
import { type Registering, REGISTRATION } from './context.ts'

/** Options of {@link Ring.resize}. */
export interface ResizeOptions {
  /** Entries of the submission queue, 1 to 32768. */
  entries?: number
  /** Entries of the completion queue, 1 to 65536, and no fewer. */
  cqEntries?: number
}

const { EINVAL, EOVERFLOW } = constants.errno

const MAX_ENTRIES = 32768
const MAX_CQ_ENTRIES = 65536
/** What a ring has to have for its queues to get other sizes, and may not have. */
const RESIZABLE = SetupFlags.DEFER_TASKRUN | SetupFlags.NO_SQARRAY
const WIDE = SetupFlags.SQE128 | SetupFlags.CQE32
const SINCE = '6.13'

/** What `Ring.resize` does. */
export function resize(ring: Registering, options: ResizeOptions): void {
  const { entries: before, cqEntries: cqBefore } = ring[REGISTRATION].boundary
  const checked = checkOptions(options)
  const { entries = before } = checked
  integer(entries, 'options.entries', 1, MAX_ENTRIES)
  const { cqEntries = Math.max(cqBefore, entries) } = checked
  integer(cqEntries, 'options.cqEntries', 1, MAX_CQ_ENTRIES)
  const { boundary, scheduler: find } = ring[REGISTRATION] // whatever ran above may have closed it
  const { setupFlags } = boundary.native
  if ((setupFlags & RESIZABLE) !== RESIZABLE || (setupFlags & WIDE) !== 0) throw notResizable()
  if (!kernelHas(SINCE)) throw unsupportedError({ name: 'resize()', since: SINCE })
  const { pushed, run, left } = boundary
  const scheduler = find()
  const needed = Math.max(pushed.count + left, run.count + left, scheduler?.longest ?? 0)
  const fits = needed <= 2 ** Math.ceil(Math.log2(entries))
  const error = fits ? boundary.resize(entries, cqEntries) : -EOVERFLOW
  if (error !== 0) throw systemError(error, 'io_uring_register')
  scheduler?.resized()
}

function notResizable(): UringError {
  const message =
    'EINVAL: only a ring with singleIssuer, deferTaskrun and noSqArray (the default mode), and without sqe128 and cqe32, can be resized'
  return new UringError('EINVAL', message, { errno: -EINVAL, syscall: 'io_uring_register' })
}
