// The arguments of ts/operations/polls.ts, and of TimeoutUpdate and LinkTimeout.

import {
  LinkTimeout,
  PollAdd,
  PollRemove,
  PollUpdate,
  type PollUpdateOptions,
  TimeoutUpdate,
  type Token,
} from 'uring'
import { KINDS, VALUE } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

const aToken = [KINDS.token, () => 1] as const
const aTime = [KINDS.time, () => 1] as const
const aFile = [KINDS.file, () => 0] as const

/** An update of nothing is refused: this one always changes the user data, so that the other options can be left out. */
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
      userData: [[undefined, VALUE]], // where there are no events either; everything else is good
      multi: KINDS.boolean,
    },
  },
  TimeoutUpdate: {
    Class: TimeoutUpdate,
    positional: { token: aToken, time: aTime },
    options: { absolute: KINDS.boolean, clock: KINDS.clock, linked: KINDS.boolean },
  },
  LinkTimeout: {
    Class: LinkTimeout,
    positional: { time: aTime },
    options: { absolute: KINDS.boolean, clock: KINDS.clock },
  },
}
