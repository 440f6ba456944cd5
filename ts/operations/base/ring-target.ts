// Other rings, as the target of messages.

import { integer, invalidType, MAX_I32 } from '../../arguments/validate.ts'

/** Another ring, of this thread or of another: the ring itself, or an object with its descriptor. */
export type RingTarget = { readonly fd: number }

/** Returns the descriptor of a ring. */
export function resolveRing(ring: unknown, name = 'ring'): number {
  const fd: unknown = typeof ring === 'object' && ring !== null ? (ring as { fd?: unknown }).fd : undefined
  if (typeof fd !== 'number') {
    throw invalidType(name, 'an instance of Ring, or an object with a descriptor "fd"', ring)
  }
  return integer(fd, `${name}.fd`, 0, MAX_I32)
}
