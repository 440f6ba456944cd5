// Messages to other rings.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { MsgRingFlags } from '../flags/index.ts'
import { Operation } from './base/operation.ts'
import { type Direct, FixedFile, placed, resolveDirect } from '../arguments/file.ts'
import { flag, integer, invalidType, mask, MAX_I32, checkOptions, integer64 } from '../arguments/validate.ts'

/** Another ring, of this thread or any other: the ring itself, or an object with its descriptor. */
export type RingTarget = { readonly fd: number }

const MAX_DATA = (1n << 62n) - 1n
/** In the user data, what tells a message from a completion of the ring's own. */
const FOREIGN = 1n << 63n

/** The descriptor of a ring. */
export function resolveRing(ring: unknown, name = 'ring'): number {
  const fd: unknown = typeof ring === 'object' && ring !== null ? (ring as { fd?: unknown }).fd : undefined
  if (typeof fd !== 'number') {
    throw invalidType(name, 'an instance of Ring, or an object with a descriptor "fd"', ring)
  }
  return integer(fd, `${name}.fd`, 0, MAX_I32)
}

/** Options of {@link MsgRingData}. */
export interface MsgRingDataOptions {
  /** `MsgRingFlags`. */
  flags?: number
  /** The flags of the completion that the other ring gets, a `u32`; absent, it has none (6.3). */
  userFlags?: number
}

/**
 * Sends a message to another ring, which gets a completion with `source` `'message'`: its `result`, and `data` as its
 * `userData`, a bigint. Resolves to 0.
 *
 * Fails with `EBADFD` (not a ring, or one that is not enabled yet), `EBADF`, `EOVERFLOW` (no room there), ... Since
 * Linux 5.18. See io_uring_prep_msg_ring(3).
 */
export class MsgRingData extends Operation<number> {
  static override readonly opcode = 40
  static override readonly since = '5.18'
  static override readonly syscall = 'msg_ring'

  /** The other ring. */
  ring: RingTarget
  /** The result of the completion there. */
  result: number
  /** Its user data, 62 bits. */
  data: number | bigint
  /** `MsgRingFlags`. */
  flags: number
  /** Its flags. */
  userFlags: number | undefined

  constructor(ring: RingTarget, result: number, data: number | bigint, options?: MsgRingDataOptions) {
    super()
    const { flags = 0, userFlags } = checkOptions(options)
    resolveRing(ring)
    this.ring = ring
    this.result = integer(result, 'result', -0x8000_0000, MAX_I32)
    this.data = integer64(data, 'data', 0n, MAX_DATA)
    this.flags = mask(flags, 'options.flags')
    this.userFlags = userFlags === undefined ? undefined : mask(userFlags, 'options.userFlags')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const fd = resolveRing(this.ring)
    const result = integer(this.result, 'result', -0x8000_0000, MAX_I32)
    const data = integer64(this.data, 'data', 0n, MAX_DATA)
    const flags = mask(this.flags, 'options.flags')
    const { userFlags } = this
    const passed = userFlags === undefined ? undefined : mask(userFlags, 'options.userFlags')
    entry.begin(MsgRingData.opcode, this)
    entry.fd(fd)
    entry.len(result)
    entry.off(BigInt(data) | FOREIGN)
    entry.opFlags(flags)
    if (passed !== undefined) {
      entry.opFlags(MsgRingFlags.FLAGS_PASS)
      entry.word(passed)
    }
    return undefined
  }
}

/** Options of {@link MsgRingSendFd}. */
export interface MsgRingSendFdOptions {
  /** The slot of the other ring; `'auto'`, one that the kernel chooses. */
  direct?: Direct
  /** The `userData` of the message that the other ring gets, 62 bits; 0. */
  data?: number | bigint
  /** The other ring gets no message; false. */
  skipCompletion?: boolean
}

/** `MSG_RING` has two commands. */
const SEND_FD = 1

/**
 * Puts a registered file into the registered files of another ring, which gets a message about it. Resolves to the slot
 * there.
 *
 * Fails with `EBADFD` (not a ring, or one that is not enabled yet), `EBADF` (an empty slot), `ENFILE` (no free slot),
 * `ENXIO` (no table there), `EINVAL` (a slot that the table does not have, or the same ring), ... Since Linux 6.0. See
 * io_uring_prep_msg_ring_fd(3).
 */
export class MsgRingSendFd extends Operation<number> {
  static override readonly opcode = 40
  static override readonly since = '6.0'
  static override readonly syscall = 'msg_ring'
  /** @internal */
  static override readonly variantSince = '6.0'

  /** The other ring. */
  ring: RingTarget
  /** The registered file. */
  file: FixedFile
  /** The slot of the other ring. */
  direct: Direct
  /** The user data of the completion that the other ring gets. */
  data: number | bigint
  /** Whether the other ring gets no completion. */
  skipCompletion: boolean

  constructor(ring: RingTarget, file: FixedFile, options?: MsgRingSendFdOptions) {
    super()
    const { direct = 'auto', data = 0, skipCompletion = false } = checkOptions(options)
    resolveRing(ring)
    resolveDirect(direct, 'options.direct')
    this.ring = ring
    this.file = checkFixedFile(file)
    this.direct = direct
    this.data = integer64(data, 'options.data', 0n, MAX_DATA)
    this.skipCompletion = flag(skipCompletion, 'options.skipCompletion')
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number {
    return (placed(result, state as number) as FixedFile).index
  }

  /** @internal */
  override encode(entry: EntryWriter): number {
    const fd = resolveRing(this.ring)
    const { index } = checkFixedFile(this.file)
    const slot = resolveDirect(this.direct, 'options.direct')
    const data = integer64(this.data, 'options.data', 0n, MAX_DATA)
    const skip = flag(this.skipCompletion, 'options.skipCompletion')
    entry.begin(MsgRingSendFd.opcode, this)
    entry.fd(fd)
    entry.addr(SEND_FD)
    entry.addr3(index)
    entry.slot(slot)
    entry.off(BigInt(data) | FOREIGN)
    if (skip) entry.opFlags(MsgRingFlags.CQE_SKIP)
    return slot
  }
}

function checkFixedFile(file: unknown): FixedFile {
  if (file instanceof FixedFile) return file
  throw invalidType('file', 'an instance of FixedFile', file)
}
