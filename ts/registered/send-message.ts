// Messages to rings, from where there is none.

import { constants } from 'node:os'
import { binding } from '../binding.ts'
import { systemError } from '../errors.ts'
import { MsgRingData, type MsgRingDataOptions, resolveRing, type RingTarget } from '../operations/msg-ring.ts'
import { kernelHas } from '../system/support.ts'
import { keeping } from '../memory/keep-alive.ts'
import { unsupported } from './kernel-errors.ts'

const REGISTER_SEND_MSG_RING = 31
const NO_RING = -1
const SINCE = '6.13'
const { EINVAL } = constants.errno

/** Names a ring of this process in any of its threads. */
export interface RingReference {
  /** The ring's descriptor. */
  readonly fd: number
}

export function sendMessage(
  target: RingTarget,
  result: number,
  data: number | bigint,
  options: MsgRingDataOptions | undefined,
): void {
  const fd = resolveRing(target, 'target')
  const { bytes } = new MsgRingData({ fd }, result, data, options).build()
  // A ring that is collected is closed, and its number may name something else.
  const answer = keeping([target], () => binding().rawRegister(NO_RING, REGISTER_SEND_MSG_RING, bytes, 1))
  if (answer === -EINVAL && !kernelHas(SINCE)) throw unsupported(answer, 'Ring.sendMessage()', SINCE)
  if (answer < 0) throw systemError(answer, 'io_uring_register')
}
