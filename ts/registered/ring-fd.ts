// Registered ring descriptors: a ring's descriptor in the table of its thread.

import { constants } from 'node:os'
import type { Registration } from './context.ts'
import { accepted, explained } from './kernel-errors.ts'

const { EBUSY, EEXIST, ENXIO } = constants.errno

/** Registers the ring's descriptor, and returns its index. */
export function registerRingFd({ boundary }: Registration): number {
  const result = boundary.native.registerRingFd()
  if (result === -EEXIST) throw explained(result, 'the descriptor of this ring is registered already')
  if (result === -EBUSY) throw explained(result, 'the 16 registered rings of this thread are used up')
  return accepted(result, 'Ring.registerRingFd()', '5.18')
}

/** Unregisters the ring's descriptor. */
export function unregisterRingFd({ boundary }: Registration): void {
  const result = boundary.native.unregisterRingFd()
  if (result === -ENXIO) throw explained(result, 'the descriptor of this ring is not registered')
  accepted(result, 'Ring.unregisterRingFd()', '5.18')
}
