// Waiting for child processes.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { WaitType } from '../flags/index.ts'
import { allocateBlock } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { type ChildState, decodeSiginfo, SIGINFO_BYTES } from '../structs/siginfo.ts'
import { integer, invalidType, invalidValue, mask, MAX_I32, MAX_U32 } from '../arguments/validate.ts'

export type { ChildState }

/** The meaning of the id of {@link WaitId}: a process, a process group, none (all children), or the kernel's number. */
export type WaitTarget = 'pid' | 'pgid' | 'all' | number

const TYPES: Readonly<Record<Exclude<WaitTarget, number>, number>> = {
  pid: WaitType.PID,
  pgid: WaitType.PGID,
  all: WaitType.ALL,
}

/**
 * Waits until a child process changes its state. Resolves to the {@link ChildState}; to `undefined` if none has changed
 * and `WaitFlags.WNOHANG` is set.
 *
 * `WaitFlags.WEXITED` reaps the child, so that Node.js never sees the exit of a child of `node:child_process`.
 * `WaitFlags.WNOWAIT` leaves the child to be reaped.
 *
 * Fails with `ECHILD` (no such child, or Node.js has reaped it), `EINVAL` (unknown options), `EBADF` (not a descriptor
 * of a process, with `WaitType.PIDFD`). Since Linux 6.7. See waitid(2).
 */
export class WaitId extends Operation<ChildState | undefined> {
  static override readonly opcode = 50
  static override readonly since = '6.7'
  static override readonly syscall = 'waitid'

  /** @internal */
  static override decode(_result: number, _flags: number, state: unknown): ChildState | undefined {
    return decodeSiginfo(state as Buffer)
  }

  /** The meaning of the id. */
  type: WaitTarget
  /** The processes to wait for: a process, a process group (0 for that of this process), a descriptor; ignored for `'all'`. */
  id: number
  /** The changes to wait for, `WaitFlags`. */
  options: number

  constructor(type: WaitTarget, id: number, options: number) {
    super()
    this.type = type
    this.id = id
    this.options = options
    checkWaitId(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { type, id, options } = checkWaitId(this)
    const { address, bytes } = allocateBlock(SIGINFO_BYTES)
    entry.begin(WaitId.opcode, this)
    entry.fd(id)
    entry.off(address)
    entry.len(type)
    entry.word(options)
    return bytes
  }
}

interface CheckedWait {
  readonly type: number
  readonly id: number
  readonly options: number
}

function checkWaitId({ type, id, options }: WaitId): CheckedWait {
  return {
    type: resolveType(type),
    id: integer(id, 'id', 0, MAX_I32),
    options: mask(options, 'options'),
  }
}

function resolveType(type: unknown): number {
  if (typeof type === 'number') return integer(type, 'type', 0, MAX_U32)
  if (typeof type !== 'string') throw invalidType('type', 'of type number or string', type)
  if (Object.hasOwn(TYPES, type)) return TYPES[type as keyof typeof TYPES]
  throw invalidValue('type', type, "must be a number, or one of: 'pid', 'pgid', 'all'")
}
