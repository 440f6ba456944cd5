// Options of a ring, validated and translated to setup flags.

import type { BindingSetup } from '../binding.ts'
import { SetupFlags } from '../flags/index.ts'
import { DEFAULT_ENTRIES } from '../system/memlock.ts'
import { MAX_CQ_ENTRIES, MAX_ENTRIES, roundUpToPowerOfTwo } from '../arguments/queue-sizes.ts'
import { flag, integer, invalidType, invalidValue, MAX_U32 } from '../arguments/validate.ts'

/** Options of a ring that do not involve another ring. */
export interface ModeOptions {
  /** Entries of the submission queue: 1 to 32768, rounded up to a power of two; default 256. */
  entries?: number
  /** Entries of the completion queue: from `entries` to 65536; default four times `entries`. */
  cqEntries?: number
  /** Reduces sizes above the kernel's limits to those limits, instead of refusing them. */
  clamp?: boolean
  /** A kernel thread consumes published entries. It takes a processor, and sleeps after `idle` milliseconds (1000). */
  sqPoll?: boolean | { idle?: number; cpu?: number }
  /** Polls the device for completions: O_DIRECT files on devices that can be polled. `'hybrid'` sleeps first (6.13). */
  ioPoll?: boolean | 'hybrid'
  /** Starts the ring disabled, so that restrictions can be registered before `enable()` (5.10). */
  disabled?: boolean
  /** Uses entries of 128 bytes, for commands to drivers (5.19). */
  sqe128?: boolean
  /** Uses completions of 32 bytes (5.19). */
  cqe32?: boolean
  /** Allows completions of 16 and 32 bytes in one queue (6.18). */
  cqeMixed?: boolean
  /** Omits the array that maps the queue to entries (6.6); part of the default mode. */
  noSqArray?: boolean
  /** One thread submits (6.0). If one of these five options is present, the mode is exactly what they say. */
  singleIssuer?: boolean
  /** Completions are posted only when this thread enters the kernel for them (6.1). */
  deferTaskrun?: boolean
  /** Completions do not interrupt this thread with a signal to itself (5.19). */
  coopTaskrun?: boolean
  /** The kernel flags completions that wait for this thread (5.19). */
  taskrunFlag?: boolean
  /** A bad entry does not stop the submission of the entries behind it (5.18). */
  submitAll?: boolean
}

const MODE = {
  singleIssuer: SetupFlags.SINGLE_ISSUER,
  deferTaskrun: SetupFlags.DEFER_TASKRUN,
  coopTaskrun: SetupFlags.COOP_TASKRUN,
  taskrunFlag: SetupFlags.TASKRUN_FLAG,
  submitAll: SetupFlags.SUBMIT_ALL,
} as const

const SWITCHES = {
  clamp: SetupFlags.CLAMP,
  disabled: SetupFlags.R_DISABLED,
  sqe128: SetupFlags.SQE128,
  cqe32: SetupFlags.CQE32,
  cqeMixed: SetupFlags.CQE_MIXED,
  noSqArray: SetupFlags.NO_SQARRAY,
} as const

/** Translates options to the arguments of io_uring_setup(2). @throws {RangeError|TypeError} */
export function ringSetup(options: ModeOptions): BindingSetup {
  const { entries = DEFAULT_ENTRIES, cqEntries, clamp = false, sqPoll = false, ioPoll = false } = options
  const most = flag(clamp, 'options.clamp') ? MAX_U32 : undefined
  const setup: BindingSetup = {
    entries: integer(entries, 'options.entries', 1, most ?? MAX_ENTRIES),
    flags: 0,
  }
  if (cqEntries !== undefined) {
    const rounded = roundUpToPowerOfTwo(Math.min(setup.entries, MAX_ENTRIES))
    setup.cqEntries = integer(cqEntries, 'options.cqEntries', rounded, most ?? MAX_CQ_ENTRIES)
  }
  for (const [name, bit] of Object.entries(SWITCHES)) {
    const value = options[name as keyof typeof SWITCHES]
    if (value !== undefined && flag(value, `options.${name}`)) setup.flags |= bit
  }
  for (const [name, bit] of Object.entries(MODE)) {
    const value = options[name as keyof typeof MODE]
    if (value === undefined) continue
    setup.mode = (setup.mode ?? 0) | (flag(value, `options.${name}`) ? bit : 0)
  }
  polling(setup, sqPoll)
  if (ioPoll === 'hybrid') setup.flags |= SetupFlags.IOPOLL | SetupFlags.HYBRID_IOPOLL
  else if (typeof ioPoll !== 'boolean')
    throw invalidValue('options.ioPoll', ioPoll, "must be true, false or 'hybrid'")
  else if (ioPoll) setup.flags |= SetupFlags.IOPOLL
  return setup
}

function polling(setup: BindingSetup, sqPoll: unknown): void {
  if (typeof sqPoll === 'object' && sqPoll !== null && !Array.isArray(sqPoll)) {
    const { idle, cpu } = sqPoll as { idle?: unknown; cpu?: unknown }
    setup.flags |= SetupFlags.SQPOLL
    if (idle !== undefined) setup.sqThreadIdle = integer(idle, 'options.sqPoll.idle', 0, MAX_U32)
    if (cpu !== undefined) {
      setup.sqThreadCpu = integer(cpu, 'options.sqPoll.cpu', 0, MAX_U32)
      setup.flags |= SetupFlags.SQ_AFF
    }
  } else if (typeof sqPoll !== 'boolean') {
    throw invalidType('options.sqPoll', 'of type boolean or object', sqPoll)
  } else if (sqPoll) {
    setup.flags |= SetupFlags.SQPOLL
  }
}
