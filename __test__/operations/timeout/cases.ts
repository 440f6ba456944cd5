// The cases of Timeout, TimeoutRemove, TimeoutUpdate and LinkTimeout.

import * as fc from 'fast-check'
import {
  type Clock,
  LinkTimeout,
  type LinkTimeoutOptions,
  type Time,
  Timeout,
  type TimeoutOptions,
  TimeoutRemove,
  TimeoutUpdate,
  type TimeoutUpdateOptions,
  type Token,
} from 'uring'
import { boolean, time, timespecBytes, token, u32, userDataOf } from '../base/arbitraries.ts'
import { type Case, define, given, optional } from '../base/conformance-case.ts'
import { KINDS } from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'
import { NO_FILE, ONE, type FixedBits } from '../base/fixed-bits.ts'

/** Flags that both classes set, from <linux/io_uring.h>: not the facade's own constants. */
const TIMEOUT = {
  ABS: 1,
  BOOTTIME: 4,
  REALTIME: 8,
  LINK_TIMEOUT_UPDATE: 16,
  ETIME_SUCCESS: 32,
  MULTISHOT: 64,
} as const

const clock = fc.constantFrom<Clock>('monotonic', 'boottime', 'realtime')

/** Returns the flags for an absolute time and for a clock. */
function momentFlags({ absolute = false, clock }: LinkTimeoutOptions = {}): number {
  return (
    (absolute ? TIMEOUT.ABS : 0) |
    (clock === 'boottime' ? TIMEOUT.BOOTTIME : 0) |
    (clock === 'realtime' ? TIMEOUT.REALTIME : 0)
  )
}

/** Variants of a time, and of the options that go with each. */
const MOMENTS: Record<string, (time: Time, options: LinkTimeoutOptions | undefined) => boolean> = {
  milliseconds: (time) => typeof time === 'number' && Number.isInteger(time),
  'fractions of milliseconds': (time) => typeof time === 'number' && !Number.isInteger(time),
  'seconds and nanoseconds': (time) => typeof time === 'object' && typeof time.seconds === 'number',
  'seconds beyond 2^53': (time) => typeof time === 'object' && time.seconds > 2n ** 53n,
  'no options': (_, options) => options === undefined,
  'only absolute': (_, options) => Object.keys(options ?? {}).join() === 'absolute' && !!options?.absolute,
  'clock monotonic': (_, options) => options?.clock === 'monotonic',
  'clock boottime': (_, options) => options?.clock === 'boottime',
  'clock realtime': (_, options) => options?.clock === 'realtime',
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  Timeout: define<[Time, TimeoutOptions | undefined]>({
    arguments: fc.tuple(
      time,
      optional<TimeoutOptions>({
        count: u32,
        absolute: boolean,
        clock: fc.constantFrom('monotonic', 'boottime', 'realtime'),
        multi: boolean,
        etimeSuccess: boolean,
      }),
    ),
    facade: ([time, options]) => new Timeout(time, options),
    native: ([, options = {}], { addr }) => {
      const { count, absolute = false, clock, multi = false, etimeSuccess = false } = options
      const timeout_flags =
        (absolute ? TIMEOUT.ABS : 0) |
        (clock === 'boottime' ? TIMEOUT.BOOTTIME : 0) |
        (clock === 'realtime' ? TIMEOUT.REALTIME : 0) |
        (multi ? TIMEOUT.MULTISHOT : 0) |
        (etimeSuccess ? TIMEOUT.ETIME_SUCCESS : 0)
      return { fields: { timespec: addr, timeout_flags, ...given('count', count) } }
    },
    memory: ([time], { addr }) => [[addr, timespecBytes(time)]],
    variants: {
      milliseconds: ([time]) => typeof time === 'number' && Number.isInteger(time),
      'fractions of milliseconds': ([time]) => typeof time === 'number' && !Number.isInteger(time),
      'seconds and nanoseconds': ([time]) => typeof time === 'object' && typeof time.seconds === 'number',
      'seconds beyond 2^53': ([time]) => typeof time === 'object' && time.seconds > 2n ** 53n,
      'no options': ([, options]) => options === undefined,
      'a count with bit 31': ([, options]) => (options?.count ?? 0) >= 2 ** 31,
      'only absolute': ([, options]) =>
        Object.keys(options ?? {}).join() === 'absolute' && !!options?.absolute,
      'only multi': ([, options]) => Object.keys(options ?? {}).join() === 'multi' && !!options?.multi,
      'only etimeSuccess': ([, options]) =>
        Object.keys(options ?? {}).join() === 'etimeSuccess' && !!options?.etimeSuccess,
      'only a count': ([, options]) => Object.keys(options ?? {}).join() === 'count',
      'clock monotonic': ([, options]) => options?.clock === 'monotonic',
      'clock boottime': ([, options]) => options?.clock === 'boottime',
      'clock realtime': ([, options]) => options?.clock === 'realtime',
    },
  }),

  TimeoutRemove: define<[Token]>({
    arguments: fc.tuple(token),
    facade: ([token]) => new TimeoutRemove(token),
    native: ([token]) => ({ fields: { target: userDataOf(token) } }),
    variants: {
      'a generation beyond 2^31 / 2': ([token]) => token > 2 ** 52,
      'no token': ([token]) => token === 0,
    },
  }),

  TimeoutUpdate: define<[Token, Time, TimeoutUpdateOptions | undefined]>({
    arguments: fc.tuple(
      token,
      time,
      optional<TimeoutUpdateOptions>({ absolute: boolean, clock, linked: boolean }),
    ),
    facade: ([token, time, options]) => new TimeoutUpdate(token, time, options),
    native: ([token, , options], { off }) => ({
      fields: {
        target: userDataOf(token),
        timespec: off,
        timeout_flags: momentFlags(options) | (options?.linked === true ? TIMEOUT.LINK_TIMEOUT_UPDATE : 0),
      },
    }),
    memory: ([, time], { off }) => [[off, timespecBytes(time)]],
    variants: {
      ...Object.fromEntries(
        Object.entries(MOMENTS).map(([name, is]) => [
          name,
          ([, time, options]: [Token, Time, TimeoutUpdateOptions | undefined]) => is(time, options),
        ]),
      ),
      'only linked': ([, , options]) => Object.keys(options ?? {}).join() === 'linked' && !!options?.linked,
      'linked: false': ([, , options]) => options?.linked === false,
      'a generation beyond 2^31 / 2': ([token]) => token > 2 ** 52,
    },
  }),

  LinkTimeout: define<[Time, LinkTimeoutOptions | undefined]>({
    arguments: fc.tuple(time, optional<LinkTimeoutOptions>({ absolute: boolean, clock })),
    facade: ([time, options]) => new LinkTimeout(time, options),
    native: ([, options], { addr }) => ({
      fields: { timespec: addr, timeout_flags: momentFlags(options) },
    }),
    memory: ([time], { addr }) => [[addr, timespecBytes(time)]],
    variants: Object.fromEntries(
      Object.entries(MOMENTS).map(([name, is]) => [
        name,
        ([time, options]: [Time, LinkTimeoutOptions | undefined]) => is(time, options),
      ]),
    ),
  }),
}

const aToken = [KINDS.token, () => 1] as const
const aTime = [KINDS.time, () => 1] as const

export const ARGUMENTS: Record<string, Subject> = {
  Timeout: {
    Class: Timeout,
    positional: { time: [KINDS.time, () => 1] },
    options: {
      count: KINDS.length,
      absolute: KINDS.boolean,
      clock: KINDS.clock,
      multi: KINDS.boolean,
      etimeSuccess: KINDS.boolean,
    },
  },
  TimeoutRemove: {
    Class: TimeoutRemove,
    positional: { token: [KINDS.token, () => 1] },
    options: undefined,
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

/** Bits that are always set. */
export const FIXED: Record<string, readonly FixedBits[]> = {
  Timeout: [NO_FILE, ONE],
  TimeoutRemove: [NO_FILE],
  TimeoutUpdate: [NO_FILE, [28, 4, 2n]],
  LinkTimeout: [NO_FILE, ONE],
}
