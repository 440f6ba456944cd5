// The cases of PollAdd, PollRemove and PollUpdate.

import * as fc from 'fast-check'
import {
  type FileTarget,
  PollAdd,
  type PollAddOptions,
  PollRemove,
  PollUpdate,
  type PollUpdateOptions,
  type Token,
} from 'uring'
import { boolean, file, mask, token, userDataOf } from '../base/arbitraries.ts'
import { type Case, define, fileFlags, FILES, given, indexOf, optional } from '../base/conformance-case.ts'
import { KINDS, VALUE } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'
import { NO_FILE, type FixedBits } from '../base/fixed-bits.ts'

/** Flags that both classes set, from <linux/io_uring.h>: not the facade's own constants. */
const POLL = { ADD_MULTI: 1, UPDATE_EVENTS: 2, UPDATE_USER_DATA: 4 } as const

/** Any value: it is not passed to the kernel. */
const userData = fc.constantFrom<unknown>(0, 1, '', 'name', null, false, 2n ** 70n, { events: 1 })

export const CONFORMANCE: Record<string, Case<unknown>> = {
  PollAdd: define<[FileTarget, number, PollAddOptions | undefined]>({
    arguments: fc.tuple(file, mask, optional<PollAddOptions>({ multi: boolean })),
    facade: ([file, events, options]) => new PollAdd(file, events, options),
    native: ([file, events, options]) => ({
      fields: {
        file: indexOf(file),
        events: events >>> 0,
        ...given('poll_flags', options?.multi === true ? POLL.ADD_MULTI : undefined),
      },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      'no options': ([, , options]) => options === undefined,
      multi: ([, , options]) => options?.multi === true,
      'multi: false': ([, , options]) => options?.multi === false,
      'bit 31': ([, events]) => events >>> 31 === 1,
      'a negative mask': ([, events]) => events < 0,
    },
  }),

  PollRemove: define<[Token]>({
    arguments: fc.tuple(token),
    facade: ([token]) => new PollRemove(token),
    native: ([token]) => ({ fields: { target: userDataOf(token) } }),
    variants: {
      'a generation beyond 2^31 / 2': ([token]) => token > 2 ** 52,
      'no token': ([token]) => token === 0,
    },
  }),

  PollUpdate: define<[Token, PollUpdateOptions]>({
    arguments: fc.tuple(
      token,
      optional<{ events: number; userData: unknown; multi: boolean }>({
        events: mask,
        userData,
        multi: boolean,
      })
        .map((options): PollUpdateOptions => options ?? {})
        .filter((options) => 'events' in options || 'userData' in options),
    ),
    facade: ([token, options]) => new PollUpdate(token, options),
    native: ([token, { events, userData, multi = false }]) => ({
      fields: {
        target: userDataOf(token),
        ...given('events', events === undefined ? undefined : events >>> 0),
        ...given('new_user_data', userData === undefined ? undefined : userDataOf(token)),
        poll_flags:
          (events === undefined ? 0 : POLL.UPDATE_EVENTS) |
          (userData === undefined ? 0 : POLL.UPDATE_USER_DATA) |
          (multi ? POLL.ADD_MULTI : 0),
      },
    }),
    variants: {
      'only events': ([, options]) => Object.keys(options).join() === 'events',
      'only user data': ([, options]) => Object.keys(options).join() === 'userData',
      'events and user data': ([, options]) => Object.keys(options).join() === 'events,userData',
      'all options': ([, options]) => Object.keys(options).length === 3 && options.multi === true,
      'multi: false': ([, options]) => options.multi === false,
      'no events at all': ([, options]) => options.events === 0,
      'user data that is null': ([, options]) => options.userData === null,
      'a generation beyond 2^31 / 2': ([token, options]) => token > 2 ** 52 && 'userData' in options,
    },
  }),
}

const aToken = [KINDS.token, () => 1] as const
const aFile = [KINDS.file, () => 0] as const

/** Always changes the user data, so that the other options can be left out: an update without either is refused. */
class Update extends PollUpdate {
  constructor(token: Token, given: PollUpdateOptions = {}) {
    const plain = typeof given === 'object' && given !== null && !Array.isArray(given)
    super(token, plain ? { ...given, userData: given.userData ?? 'new' } : given)
  }
}

export const ARGUMENTS: Record<string, Subject> = {
  PollAdd: {
    Class: PollAdd,
    positional: { file: aFile, events: [KINDS.mask, () => 1] },
    options: { multi: KINDS.boolean },
  },
  PollRemove: { Class: PollRemove, positional: { token: aToken }, options: undefined },
  PollUpdate: {
    Class: Update,
    positional: { token: aToken },
    options: {
      events: KINDS.mask,
      userData: [[undefined, VALUE]], // refused without events; any other value is good
      multi: KINDS.boolean,
    },
  },
}

/** Bits that are always set. */
export const FIXED: Record<string, readonly FixedBits[]> = {
  PollRemove: [NO_FILE],
  PollUpdate: [NO_FILE],
}
