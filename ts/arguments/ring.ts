// Rings as arguments.

import type { Registration } from '../registered/context.ts'
import { invalidType } from './validate.ts'

/** The key of a ring's access for registrations. Only rings have it, so it also tells a ring from other objects. */
export const REGISTRATION: unique symbol = Symbol('registration')

/** A ring, for code that only registers something with it. */
export interface Registering {
  /** @throws {UringError} `ERR_URING_CLOSED`: the ring is closed */
  readonly [REGISTRATION]: Registration
}

/** Returns `ring` unchanged if it is a ring. */
export function checkRing<R extends object>(ring: R, name = 'ring'): R {
  if (typeof ring === 'object' && ring !== null && REGISTRATION in ring) return ring
  throw invalidType(name, 'an instance of Ring', ring)
}
