// Waiting until files are ready.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { PollFlags } from '../flags/index.ts'
import type { Groups } from '../buffers/groups.ts'
import type { SubmissionNames } from './base/operation-class.ts'
import { Operation } from './base/operation.ts'
import { beginTarget, RemoveOperation } from './base/target-operation.ts'
import { checkFile, type FileTarget } from '../arguments/file.ts'
import { checkToken, generationOf, indexOf, type Token } from '../entry/token.ts'
import { flag, invalidValue, mask, checkOptions } from '../arguments/validate.ts'

/** Options of {@link PollAdd}. */
export interface PollAddOptions {
  /** Multishot: completes each time that a new event occurs (5.13); false by default. */
  multi?: boolean
}

/**
 * Waits until a file is ready. Resolves to the mask of the events that occurred, `PollEvents`; `ERR`, `HUP` and `RDHUP`
 * are always waited for.
 *
 * With `multi`, the first completion has the events that are set at the time, and each further one the events that
 * occurred since; the poll continues after `HUP`.
 *
 * Fails with `EBADF` (not an open file), `ECANCELED` (the poll was removed). Since Linux 5.1. See
 * io_uring_prep_poll_add(3).
 */
export class PollAdd extends Operation<number> {
  static override readonly opcode = 6
  static override readonly since = '5.1'
  static override readonly syscall = 'poll_add'

  /** The file. */
  file: FileTarget
  /** The events to wait for, `PollEvents`. */
  events: number
  /** If set, it is multishot. */
  multi: boolean

  constructor(file: FileTarget, events: number, options?: PollAddOptions) {
    super()
    const { multi = false } = checkOptions(options)
    this.file = file
    this.events = events
    this.multi = multi
    this.events = checkPollAdd(this).events
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { events, multi } = checkPollAdd(this)
    entry.beginFile(PollAdd.opcode, this, this.file)
    entry.opFlags(events)
    if (multi) {
      entry.len(PollFlags.ADD_MULTI)
      entry.multishot = true
    }
    return undefined
  }
}

function checkPollAdd({ file, events, multi }: PollAdd): {
  readonly events: number
  readonly multi: boolean
} {
  checkFile(file)
  return { events: mask(events, 'events'), multi: flag(multi, 'options.multi') }
}

/**
 * Removes a poll, which then completes with `ECANCELED`. Resolves to 0.
 *
 * Fails with `ENOENT` (no such poll, for instance because it has completed), `EALREADY` (it is just completing). Since
 * Linux 5.1. See io_uring_prep_poll_remove(3).
 */
export class PollRemove extends RemoveOperation {
  static override readonly opcode = 7
  static override readonly since = '5.1'
  static override readonly syscall = 'poll_remove'
}

/** Options of {@link PollUpdate}: at least one of `events` and `userData`. */
export interface PollUpdateOptions {
  /** The events to wait for from now on, `PollEvents`. */
  events?: number
  /** The user data of the poll's completions from now on: any value but `undefined`. */
  userData?: unknown
  /** Sets the multishot flag in the request. Kernels up to now ignore it: a poll stays as it was added. */
  multi?: boolean
}

/** A new value for the user data of a submission. */
interface Renaming {
  readonly token: Token
  readonly userData: unknown
}

/**
 * Changes the events that a poll waits for, or the user data that it was pushed with. The poll keeps its token. Resolves
 * to 0.
 *
 * The user data changes when the completion of the update is consumed: completions of the poll that come after it have
 * the new value. With `skipSuccess()` it changes when a later step of the chain completes, whether or not the update
 * succeeded.
 *
 * Fails with `ENOENT` (no such poll, for instance because it has completed), `EALREADY` (it is just completing: retry
 * when its completions have been consumed). Since Linux 5.13. See io_uring_prep_poll_update(3).
 */
export class PollUpdate extends Operation<number> {
  static override readonly opcode = 7
  static override readonly since = '5.13'
  /** @internal */
  static override readonly variantSince = '5.13'
  static override readonly syscall = 'poll_update'

  /** @internal */
  static override observe(
    _groups: Groups,
    result: number,
    _flags: number,
    state: unknown,
    _last: unknown,
    submissions: SubmissionNames,
  ): unknown {
    const { token, userData } = state as Renaming
    if (result >= 0) submissions.rename(token, userData)
    return state
  }

  /** The submission to change. */
  token: Token
  /** The events to wait for from now on, `PollEvents`; absent, they stay the same. */
  events: number | undefined
  /** The user data of the poll's completions from now on; absent, it stays the same. */
  userData: unknown
  /** The multishot flag in the request, which kernels up to now ignore. */
  multi: boolean

  constructor(token: Token, options: PollUpdateOptions) {
    super()
    const { events, userData, multi = false } = checkOptions(options)
    this.token = token
    this.events = events
    this.userData = userData
    this.multi = multi
    this.events = checkPollUpdate(this).events
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { token, events, userData, multi } = checkPollUpdate(this)
    let flags = multi ? PollFlags.ADD_MULTI : 0
    beginTarget(entry, this, token)
    if (events !== undefined) {
      flags |= PollFlags.UPDATE_EVENTS
      entry.opFlags(events)
    }
    let state: Renaming | undefined
    if (userData !== undefined) {
      // The kernel's user data is the token and stays the same; the user's value is in the submission table.
      flags |= PollFlags.UPDATE_USER_DATA
      entry.off((BigInt(generationOf(token)) << 32n) | BigInt(indexOf(token)))
      entry.observed = true
      state = { token, userData }
    }
    entry.len(flags)
    return state
  }
}

interface CheckedUpdate extends Renaming {
  readonly events: number | undefined
  readonly multi: boolean
}

function checkPollUpdate({ token, events, userData, multi }: PollUpdate): CheckedUpdate {
  checkToken(token)
  // The kernel takes an update without either for a removal.
  if (events === undefined && userData === undefined) {
    throw invalidValue('options.userData', userData, "is required if 'options.events' is absent")
  }
  return {
    token,
    events: events === undefined ? undefined : mask(events, 'options.events'),
    userData,
    multi: flag(multi, 'options.multi'),
  }
}
