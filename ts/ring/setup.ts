// What a ring is made with, checked and turned into the kernel's flags.

import type { BindingSetup } from '../binding.ts'
import { SetupFlags } from '../flags/index.ts'
import { flag, integer, invalidType, invalidValue, MAX_U32 } from '../arguments/validate.ts'

/** What a ring can be made with by itself. */
export interface ModeOptions {
  /** Entries of the submission queue: 1 to 32768, rounded up to a power of two; 256. */
  entries?: number
  /** Entries of the completion queue, not fewer than `entries`; four times as many. */
  cqEntries?: number
  /** Takes the kernel's limits for sizes that are beyond them. */
  clamp?: boolean
  /** A kernel thread picks up what is published, and sleeps after `idle` milliseconds (1000). It uses a processor. */
  sqPoll?: boolean | { idle?: number; cpu?: number }
  /** Polls devices for completions; for O_DIRECT on devices that can be polled. `'hybrid'` sleeps first (6.13). */
  ioPoll?: boolean | 'hybrid'
  /** Starts disabled, so that restrictions can be registered. */
  disabled?: boolean
  /** Entries of 128 bytes. */
  sqe128?: boolean
  /** Completions of 32 bytes. */
  cqe32?: boolean
  /** Completions of 16 and 32 bytes (6.18). */
  cqeMixed?: boolean
  /** Without the array between queue and entries (6.6); part of the best mode. */
  noSqArray?: boolean
  /** One thread submits (6.0). With one of these five given, the mode is exactly what is given. */
  singleIssuer?: boolean
  /** Completions wait for this thread to come for them (6.1). */
  deferTaskrun?: boolean
  /** Completions do not interrupt this thread (5.19). */
  coopTaskrun?: boolean
  /** The kernel says when completions wait (5.19). */
  taskrunFlag?: boolean
  /** A bad entry does not hold up those behind it (5.18). */
  submitAll?: boolean
}

const MAX_ENTRIES = 32_768
const MAX_CQ_ENTRIES = 65_536

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

/** The kernel's view of the options. */
export function ringSetup(options: ModeOptions): BindingSetup {
  const { entries = 256, cqEntries, clamp = false, sqPoll = false, ioPoll = false } = options
  const most = flag(clamp, 'options.clamp') ? MAX_U32 : undefined
  const setup: BindingSetup = {
    entries: integer(entries, 'options.entries', 1, most ?? MAX_ENTRIES),
    flags: 0,
  }
  if (cqEntries !== undefined) {
    const rounded = 2 ** Math.ceil(Math.log2(Math.min(setup.entries, MAX_ENTRIES)))
    setup.cqEntries = integer(cqEntries, 'options.cqEntries', rounded, most ?? MAX_CQ_ENTRIES)
  }
  for (const [name, bit] of Object.entries(SWITCHES)) {
    const given = options[name as keyof typeof SWITCHES]
    if (given !== undefined && flag(given, `options.${name}`)) setup.flags |= bit
  }
  for (const [name, bit] of Object.entries(MODE)) {
    const given = options[name as keyof typeof MODE]
    if (given === undefined) continue
    setup.mode = (setup.mode ?? 0) | (flag(given, `options.${name}`) ? bit : 0)
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
