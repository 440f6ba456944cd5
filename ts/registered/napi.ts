// Busy polling of network devices while a ring waits.

import { checkOptions, flag, integer, invalidValue, MAX_U32 } from '../arguments/validate.ts'
import {
  IORING_REGISTER_NAPI,
  IORING_UNREGISTER_NAPI,
  IO_URING_NAPI_REGISTER_OP,
  IO_URING_NAPI_STATIC_ADD_ID,
  IO_URING_NAPI_STATIC_DEL_ID,
  IO_URING_NAPI_TRACKING_DYNAMIC,
  IO_URING_NAPI_TRACKING_INACTIVE,
  IO_URING_NAPI_TRACKING_STATIC,
} from '../flags/registrations.ts'
import type { Registration } from './context.ts'
import { accepted } from './kernel-errors.ts'

const NAPI_BYTES = 16 // struct io_uring_napi

const TRACKING = {
  dynamic: IO_URING_NAPI_TRACKING_DYNAMIC,
  static: IO_URING_NAPI_TRACKING_STATIC,
} as const

/** Options of {@link Ring.registerNapi}. */
export interface NapiOptions {
  /** Microseconds to poll before a wait sleeps, at most 10,000: the kernel lowers larger numbers; 0. */
  busyPollTimeout?: number
  /** Defers the interrupts of the devices while a wait polls; false. */
  preferBusyPoll?: boolean
  /** `'dynamic'` polls the devices of the sockets in use, `'static'` (6.13) the ids of `registerNapiId()`; `'dynamic'`. */
  tracking?: 'dynamic' | 'static'
}

/** The busy polling settings of a ring before they were replaced. */
export interface NapiSettings {
  /** Microseconds that a wait polls before it sleeps. */
  readonly busyPollTimeout: number
  /** True if the interrupts of the devices are deferred while a wait polls. */
  readonly preferBusyPoll: boolean
  /** `'inactive'` if no settings were registered; before Linux 6.13 always `'dynamic'`. */
  readonly tracking: 'dynamic' | 'static' | 'inactive'
}

/** Encodes a `struct io_uring_napi`. */
function encode(opcode: number, busyPollTimeout: number, preferBusyPoll: boolean, parameter: number): Buffer {
  const argument = Buffer.alloc(NAPI_BYTES)
  argument.writeUInt32LE(busyPollTimeout, 0)
  argument.writeUInt8(Number(preferBusyPoll), 4)
  argument.writeUInt8(opcode, 5)
  argument.writeUInt32LE(parameter, 8)
  return argument
}

function trackingOf(parameter: number): NapiSettings['tracking'] {
  if (parameter === IO_URING_NAPI_TRACKING_INACTIVE) return 'inactive'
  return parameter === TRACKING.static ? 'static' : 'dynamic'
}

/** Registers settings, and returns those before. */
export function registerNapi(registration: Registration, options: NapiOptions | undefined): NapiSettings {
  const { busyPollTimeout = 0, preferBusyPoll = false, tracking = 'dynamic' } = checkOptions(options)
  const microseconds = integer(busyPollTimeout, 'options.busyPollTimeout', 0, MAX_U32)
  const prefer = flag(preferBusyPoll, 'options.preferBusyPoll')
  if (typeof tracking !== 'string' || !Object.hasOwn(TRACKING, tracking)) {
    const reason = "must be one of: 'dynamic', 'static'; unregisterNapi() makes it inactive"
    throw invalidValue('options.tracking', tracking, reason)
  }
  const argument = encode(IO_URING_NAPI_REGISTER_OP, microseconds, prefer, TRACKING[tracking])
  const since = tracking === 'static' ? '6.13' : '6.9'
  accepted(registration.call(IORING_REGISTER_NAPI, argument, 1), 'Ring.registerNapi()', since)
  return {
    busyPollTimeout: argument.readUInt32LE(0),
    preferBusyPoll: argument.readUInt8(4) !== 0,
    tracking: trackingOf(argument.readUInt32LE(8)),
  }
}

/** Ends busy polling. */
export function unregisterNapi(registration: Registration): void {
  const argument = Buffer.alloc(NAPI_BYTES)
  accepted(registration.call(IORING_UNREGISTER_NAPI, argument, 1), 'Ring.unregisterNapi()', '6.9')
}

/** Adds a device queue. */
export function registerNapiId(registration: Registration, id: number): void {
  const argument = encode(IO_URING_NAPI_STATIC_ADD_ID, 0, false, integer(id, 'id', 0, MAX_U32))
  accepted(registration.call(IORING_REGISTER_NAPI, argument, 1), 'Ring.registerNapiId()', '6.13')
}

/** Removes a device queue. */
export function unregisterNapiId(registration: Registration, id: number): void {
  const argument = encode(IO_URING_NAPI_STATIC_DEL_ID, 0, false, integer(id, 'id', 0, MAX_U32))
  accepted(registration.call(IORING_REGISTER_NAPI, argument, 1), 'Ring.unregisterNapiId()', '6.13')
}
