// Messages to rings, sent without a ring.

import { constants } from 'node:os'
import { binding } from '../binding.ts'
import { systemError } from '../errors.ts'
import { IORING_REGISTER_SEND_MSG_RING } from '../flags/registrations.ts'
import { keeping } from '../memory/keep-alive.ts'
import { resolveRing } from '../operations/base/ring-target.ts'
import { MsgRingData, type MsgRingDataOptions, type RingTarget } from '../operations/msg-ring.ts'
import { kernelHas } from '../system/support.ts'
import { unsupported } from './kernel-errors.ts'

const NO_RING = -1
const SINCE = '6.13'
const { EINVAL } = constants.errno

/** Names a ring of this process, in any thread. */
export interface RingReference {
  /** The ring's descriptor. */
  readonly fd: number
}

/** Sends a message. */
export function sendMessage(
  target: RingTarget,
  result: number,
  data: number | bigint,
  options: MsgRingDataOptions | undefined,
): void {
  const fd = resolveRing(target, 'target')
  const { bytes } = new MsgRingData({ fd }, result, data, options).build()
  // The target must not be collected during the call: that would close it, and its descriptor could be reused.
  const sent = keeping([target], () =>
    binding().rawRegister(NO_RING, IORING_REGISTER_SEND_MSG_RING, bytes, 1),
  )
  if (sent === -EINVAL && !kernelHas(SINCE)) throw unsupported(sent, 'Ring.sendMessage()', SINCE)
  if (sent < 0) throw systemError(sent, 'io_uring_register')
}
