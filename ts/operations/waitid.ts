// Child processes.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { WaitType } from '../flags/index.ts'
import { allocateBlock } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { type ChildState, decodeSiginfo, SIGINFO_BYTES } from '../structs/siginfo.ts'
import { integer, invalidType, invalidValue, mask, MAX_I32, MAX_U32 } from '../arguments/validate.ts'

export type { ChildState }

/** What the id of {@link WaitId} is: a process, a process group, nothing (all children), or the kernel's number. */
export type WaitTarget = 'pid' | 'pgid' | 'all' | number

const TYPES: Readonly<Record<Exclude<WaitTarget, number>, number>> = {
  pid: WaitType.PID,
  pgid: WaitType.PGID,
  all: WaitType.ALL,
}

function resolveType(type: unknown): number {
  if (typeof type === 'number') return integer(type, 'type', 0, MAX_U32)
  if (typeof type !== 'string') throw invalidType('type', 'of type number or string', type)
  if (Object.hasOwn(TYPES, type)) return TYPES[type as keyof typeof TYPES]
  throw invalidValue('type', type, "must be a number, or one of: 'pid', 'pgid', 'all'")
}

/**
 * Waits until a child process changes. Resolves to the {@link ChildState}; to `undefined` where none has changed and
 * `WaitFlags.WNOHANG` says not to wait.
 *
 * `WaitFlags.WEXITED` takes a child's end away from everybody else: of a child of `node:child_process`, Node.js then
 * never hears of it. `WaitFlags.WNOWAIT` leaves it.
 *
 * Fails with `ECHILD` (there is no such child, or Node.js was faster), `EINVAL`, `EBADF` (no process behind
 * `WaitType.PIDFD`). Since Linux 6.7. See waitid(2).
 */
export class WaitId extends Operation<ChildState | undefined> {
  static override readonly opcode = 50
  static override readonly since = '6.7'
  static override readonly syscall = 'waitid'

  /** @internal */
  static override decode(_result: number, _flags: number, state: unknown): ChildState | undefined {
    return decodeSiginfo(state as Buffer)
  }

  /** What the id is. */
  type: WaitTarget
  /** Which processes: a process, a process group (0 is our own), a descriptor; nothing for `'all'`. */
  id: number
  /** What to wait for, `WaitFlags`. */
  options: number

  constructor(type: WaitTarget, id: number, options: number) {
    super()
    resolveType(type)
    this.type = type
    this.id = integer(id, 'id', 0, MAX_I32)
    this.options = mask(options, 'options')
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const type = resolveType(this.type)
    const id = integer(this.id, 'id', 0, MAX_I32)
    const options = mask(this.options, 'options')
    const { address, bytes } = allocateBlock(SIGINFO_BYTES)
    entry.begin(WaitId.opcode, this)
    entry.fd(id)
    entry.off(address)
    entry.len(type)
    entry.word(options)
    return bytes
  }
}
