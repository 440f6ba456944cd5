// Busy polling of network devices while a ring waits.

import { flag, integer, invalidValue, MAX_U32, checkOptions } from '../arguments/validate.ts'
import { accepted } from './kernel-errors.ts'
import type { Registration } from './context.ts'

const REGISTER_NAPI = 27
const UNREGISTER_NAPI = 28
const NAPI_BYTES = 16

/** What is done with the settings. */
const SET = 0
const ADD_ID = 1
const DELETE_ID = 2

const TRACKING = { dynamic: 0, static: 1 } as const
/** What the kernel says where nothing is registered. */
const INACTIVE = 255

/** How a ring polls network devices while it waits. */
export interface NapiOptions {
  /** Microseconds to poll before the wait sleeps, which the kernel cuts to 10,000; 0. */
  busyPollTimeout?: number
  /** Defers the devices' interrupts while there is polling; false. */
  preferBusyPoll?: boolean
  /** The kernel follows the sockets in use, or the ids of `registerNapiId` are polled (6.13); `'dynamic'`. */
  tracking?: 'dynamic' | 'static'
}

/** How a ring polled network devices. */
export interface NapiSettings {
  /** Microseconds that a wait polled before it slept. */
  readonly busyPollTimeout: number
  /** Whether the devices' interrupts were deferred while there was polling. */
  readonly preferBusyPoll: boolean
  /** `'inactive'` where nothing was registered; before 6.13 always `'dynamic'`. */
  readonly tracking: 'dynamic' | 'static' | 'inactive'
}

/** A `struct io_uring_napi`. */
function encode(opcode: number, busyPollTimeout: number, preferBusyPoll: boolean, parameter: number): Buffer {
  const argument = Buffer.alloc(NAPI_BYTES)
  argument.writeUInt32LE(busyPollTimeout, 0)
  argument.writeUInt8(Number(preferBusyPoll), 4)
  argument.writeUInt8(opcode, 5)
  argument.writeUInt32LE(parameter, 8)
  return argument
}

function trackingOf(parameter: number): NapiSettings['tracking'] {
  if (parameter === INACTIVE) return 'inactive'
  return parameter === TRACKING.static ? 'static' : 'dynamic'
}

export function registerNapi(registration: Registration, options: NapiOptions | undefined): NapiSettings {
  const { busyPollTimeout = 0, preferBusyPoll = false, tracking = 'dynamic' } = checkOptions(options)
  const microseconds = integer(busyPollTimeout, 'options.busyPollTimeout', 0, MAX_U32)
  const prefer = flag(preferBusyPoll, 'options.preferBusyPoll')
  if (typeof tracking !== 'string' || !Object.hasOwn(TRACKING, tracking)) {
    const reason = "must be one of: 'dynamic', 'static'; unregisterNapi() makes it inactive"
    throw invalidValue('options.tracking', tracking, reason)
  }
  const argument = encode(SET, microseconds, prefer, TRACKING[tracking])
  const since = tracking === 'static' ? '6.13' : '6.9'
  accepted(registration.call(REGISTER_NAPI, argument, 1), 'Ring.registerNapi()', since)
  return {
    busyPollTimeout: argument.readUInt32LE(0),
    preferBusyPoll: argument.readUInt8(4) !== 0,
    tracking: trackingOf(argument.readUInt32LE(8)),
  }
}

export function unregisterNapi(registration: Registration): void {
  const argument = Buffer.alloc(NAPI_BYTES)
  accepted(registration.call(UNREGISTER_NAPI, argument, 1), 'Ring.unregisterNapi()', '6.9')
}

export function registerNapiId(registration: Registration, id: number): void {
  const argument = encode(ADD_ID, 0, false, integer(id, 'id', 0, MAX_U32))
  accepted(registration.call(REGISTER_NAPI, argument, 1), 'Ring.registerNapiId()', '6.13')
}

export function unregisterNapiId(registration: Registration, id: number): void {
  const argument = encode(DELETE_ID, 0, false, integer(id, 'id', 0, MAX_U32))
  accepted(registration.call(REGISTER_NAPI, argument, 1), 'Ring.unregisterNapiId()', '6.13')
}
