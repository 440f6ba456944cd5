// Messages to other rings.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { MsgRingFlags } from '../flags/index.ts'
import { checkFixedFile } from './base/fixed-file.ts'
import { Operation } from './base/operation.ts'
import { resolveRing, type RingTarget } from './base/ring-target.ts'
import { type Direct, type FixedFile, placed, resolveDirect } from '../arguments/file.ts'
import { flag, integer, mask, MAX_I32, checkOptions, integer64 } from '../arguments/validate.ts'

export type { RingTarget } from './base/ring-target.ts'

const MIN_I32 = -0x8000_0000
const MAX_DATA = (1n << 62n) - 1n
/** A bit of the user data that distinguishes messages from the completions of the ring's own submissions. */
const MESSAGE = 1n << 63n

/** Returns the user data of a message. */
function checkData(data: unknown, name: string): bigint {
  return BigInt(integer64(data, name, 0n, MAX_DATA)) | MESSAGE
}

/** Options of {@link MsgRingData}. */
export interface MsgRingDataOptions {
  /** `MsgRingFlags`; 0 by default. */
  flags?: number
  /** The flags of the completion that the other ring gets, a `u32`; absent, none (6.3). */
  userFlags?: number
}

/**
 * Sends a message to another ring. That ring gets a completion whose `source` is `'message'`, with `result`, and with
 * `data` as its `userData`, always a bigint. Resolves to 0.
 *
 * Fails with `EBADFD` (not a ring, or a ring that is not enabled yet), `EBADF` (not an open descriptor), `EOVERFLOW`
 * (the completion queue of the other ring is full), ... Since Linux 5.18. See io_uring_prep_msg_ring(3).
 */
export class MsgRingData extends Operation<number> {
  static override readonly opcode = 40
  static override readonly since = '5.18'
  static override readonly syscall = 'msg_ring'

  /** The other ring. */
  ring: RingTarget
  /** The result of the completion that the other ring gets, an `i32`. */
  result: number
  /** The user data of that completion, 62 bits. */
  data: number | bigint
  /** `MsgRingFlags`. */
  flags: number
  /** The flags of that completion, a `u32`; absent, none. */
  userFlags: number | undefined

  constructor(ring: RingTarget, result: number, data: number | bigint, options?: MsgRingDataOptions) {
    super()
    const { flags = 0, userFlags } = checkOptions(options)
    this.ring = ring
    this.result = result
    this.data = data
    this.flags = flags
    this.userFlags = userFlags
    const checked = checkMsgRingData(this)
    this.flags = checked.flags
    this.userFlags = checked.userFlags
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { fd, result, data, flags, userFlags } = checkMsgRingData(this)
    entry.begin(MsgRingData.opcode, this)
    entry.fd(fd)
    entry.len(result)
    entry.off(data)
    entry.opFlags(flags)
    if (userFlags !== undefined) {
      entry.opFlags(MsgRingFlags.FLAGS_PASS)
      entry.word(userFlags)
    }
    return undefined
  }
}

interface CheckedMessage {
  readonly fd: number
  readonly result: number
  readonly data: bigint
  readonly flags: number
  readonly userFlags: number | undefined
}

function checkMsgRingData({ ring, result, data, flags, userFlags }: MsgRingData): CheckedMessage {
  return {
    fd: resolveRing(ring),
    result: integer(result, 'result', MIN_I32, MAX_I32),
    data: checkData(data, 'data'),
    flags: mask(flags, 'options.flags'),
    userFlags: userFlags === undefined ? undefined : mask(userFlags, 'options.userFlags'),
  }
}

/** Options of {@link MsgRingSendFd}. */
export interface MsgRingSendFdOptions {
  /** The fixed-file slot of the other ring; `'auto'`, the default, for one that the kernel chooses. */
  direct?: Direct
  /** The `userData` of the message that the other ring gets, 62 bits; 0 by default. */
  data?: number | bigint
  /** Sends no message to the other ring; false by default. */
  skipCompletion?: boolean
}

/** The command of `MSG_RING` that sends a file. */
const SEND_FD = 1

/**
 * Puts a fixed file into a fixed-file slot of another ring, which gets a message about it. Resolves to the slot in the
 * other ring.
 *
 * Fails with `EBADFD` (not a ring, or a ring that is not enabled yet), `EBADF` (an empty slot), `ENFILE` (no free slot
 * in the other ring), `ENXIO` (the other ring has no file table), `EINVAL` (a slot outside that table, or the same
 * ring), ... Since Linux 6.0. See io_uring_prep_msg_ring_fd(3).
 */
export class MsgRingSendFd extends Operation<number> {
  static override readonly opcode = 40
  static override readonly since = '6.0'
  static override readonly syscall = 'msg_ring'
  /** @internal */
  static override readonly variantSince = '6.0'

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number {
    return (placed(result, state as number) as FixedFile).index
  }

  /** The other ring. */
  ring: RingTarget
  /** The fixed file. */
  file: FixedFile
  /** The fixed-file slot of the other ring, or `'auto'`. */
  direct: Direct
  /** The user data of the completion that the other ring gets, 62 bits. */
  data: number | bigint
  /** If set, the other ring gets no completion. */
  skipCompletion: boolean

  constructor(ring: RingTarget, file: FixedFile, options?: MsgRingSendFdOptions) {
    super()
    const { direct = 'auto', data = 0, skipCompletion = false } = checkOptions(options)
    this.ring = ring
    this.file = file
    this.direct = direct
    this.data = data
    this.skipCompletion = skipCompletion
    checkMsgRingSendFd(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): number {
    const { fd, index, slot, data, flags } = checkMsgRingSendFd(this)
    entry.begin(MsgRingSendFd.opcode, this)
    entry.fd(fd)
    entry.addr(SEND_FD)
    entry.addr3(index)
    entry.slot(slot)
    entry.off(data)
    entry.opFlags(flags)
    return slot
  }
}

interface CheckedSendFd {
  readonly fd: number
  readonly index: number
  readonly slot: number
  readonly data: bigint
  readonly flags: number
}

function checkMsgRingSendFd({ ring, file, direct, data, skipCompletion }: MsgRingSendFd): CheckedSendFd {
  return {
    fd: resolveRing(ring),
    index: checkFixedFile(file).index,
    slot: resolveDirect(direct, 'options.direct'),
    data: checkData(data, 'options.data'),
    flags: flag(skipCompletion, 'options.skipCompletion') ? MsgRingFlags.CQE_SKIP : 0,
  }
}
