// Polls: waiting until a file is ready.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { PollFlags } from '../flags/index.ts'
import type { Groups } from '../buffers/groups.ts'
import type { SubmissionNames } from './base/operation-class.ts'
import { Operation } from './base/operation.ts'
import { checkFile, type FileTarget } from '../arguments/file.ts'
import { checkToken, generationOf, indexOf, type Token } from '../entry/token.ts'
import { flag, invalidValue, mask, checkOptions } from '../arguments/validate.ts'

/** Options of {@link PollAdd}. */
export interface PollAddOptions {
  /** Completes again and again, each time that something new happens (5.13). */
  multi?: boolean
}

/**
 * Waits until a file is ready. Resolves to the mask of what happened, `PollEvents`; `ERR`, `HUP` and `RDHUP` are always
 * waited for.
 *
 * With `multi`, the first completion says what is so, and the others what has become so since; it goes on after `HUP`.
 *
 * Fails with `EBADF`, `ECANCELED` (it was removed). Since Linux 5.1. See io_uring_prep_poll_add(3).
 */
export class PollAdd extends Operation<number> {
  static override readonly opcode = 6
  static override readonly since = '5.1'
  static override readonly syscall = 'poll_add'

  /** The file. */
  file: FileTarget
  /** What to wait for, `PollEvents`. */
  events: number
  /** Whether it completes again and again. */
  multi: boolean

  constructor(file: FileTarget, events: number, options?: PollAddOptions) {
    super()
    this.file = checkFile(file)
    this.events = mask(events, 'events')
    const { multi = false } = checkOptions(options)
    this.multi = flag(multi, 'options.multi')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const events = mask(this.events, 'events')
    const multi = flag(this.multi, 'options.multi')
    entry.beginFile(PollAdd.opcode, this, this.file)
    entry.opFlags(events)
    if (multi) {
      entry.len(PollFlags.ADD_MULTI)
      entry.multishot = true
    }
    return undefined
  }
}

/**
 * Removes a poll, which then completes with `ECANCELED`. Resolves to 0.
 *
 * Fails with `ENOENT` when there is none (it has completed, say), `EALREADY` when it is just completing. Since Linux
 * 5.1. See io_uring_prep_poll_remove(3).
 */
export class PollRemove extends Operation<number> {
  static override readonly opcode = 7
  static override readonly since = '5.1'
  static override readonly syscall = 'poll_remove'

  /** The submission to remove. */
  token: Token

  constructor(token: Token) {
    super()
    this.token = checkToken(token)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const token = checkToken(this.token)
    entry.begin(PollRemove.opcode, this)
    entry.fd(-1)
    entry.target(indexOf(token), generationOf(token))
    return undefined
  }
}

/** Options of {@link PollUpdate}: at least one of `events` and `userData`. */
export interface PollUpdateOptions {
  /** What the poll waits for from now on, `PollEvents`. */
  events?: number
  /** What the poll's completions carry from now on: anything but `undefined`. */
  userData?: unknown
  /** The flag of {@link PollAdd}, sent along. Kernels so far leave a poll as it was added in this. */
  multi?: boolean
}

/** A new value for the user data of a submission. */
interface Renaming {
  readonly token: Token
  readonly userData: unknown
}

/**
 * Changes what a poll waits for, or the user data that it was pushed with. The poll keeps its token. Resolves to 0.
 *
 * The user data changes when this completion is taken: completions of the poll that come after it carry the new value.
 * With `skipSuccess()` it changes when a later step of the chain completes, whatever became of the update.
 *
 * Fails with `ENOENT` when there is no such poll (it has completed, say), `EALREADY` when it is just completing: try
 * again when its completions have been taken. Since Linux 5.13. See io_uring_prep_poll_update(3).
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
  /** What it waits for from now on, `PollEvents`. */
  events: number | undefined
  /** What its completions carry from now on. */
  userData: unknown
  /** The flag of {@link PollAdd}, sent along. */
  multi: boolean

  constructor(token: Token, options: PollUpdateOptions) {
    super()
    const { events, userData, multi = false } = checkOptions(options)
    this.token = checkToken(token)
    this.events = checkUpdate(events, userData)
    this.userData = userData
    this.multi = flag(multi, 'options.multi')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { userData } = this
    const token = checkToken(this.token)
    const events = checkUpdate(this.events, userData)
    let flags = flag(this.multi, 'options.multi') ? PollFlags.ADD_MULTI : 0
    entry.begin(PollUpdate.opcode, this)
    entry.fd(-1)
    entry.target(indexOf(token), generationOf(token))
    if (events !== undefined) {
      flags |= PollFlags.UPDATE_EVENTS
      entry.opFlags(events)
    }
    let state: Renaming | undefined
    if (userData !== undefined) {
      // The kernel's user data is the token, and stays: what changes is the value in our own table.
      flags |= PollFlags.UPDATE_USER_DATA
      entry.off((BigInt(generationOf(token)) << 32n) | BigInt(indexOf(token)))
      entry.observed = true
      state = { token, userData }
    }
    entry.len(flags)
    return state
  }
}

/** The new events. An update of nothing would be a removal. */
function checkUpdate(events: unknown, userData: unknown): number | undefined {
  if (events !== undefined) return mask(events, 'options.events')
  if (userData === undefined) {
    throw invalidValue('options.userData', userData, "must be given where 'options.events' is not")
  }
  return undefined
}
