// Epolls.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { decodeEvents, encodeEvent, eventBytes, type EpollEvent } from '../structs/epoll-event.ts'
import { EpollOperation } from '../flags/index.ts'
import { allocateBlock } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { checkFile, type FileTarget, resolveDescriptor } from '../arguments/file.ts'
import { integer, invalidValue, mask, MAX_I32, checkOptions, integer64 } from '../arguments/validate.ts'

export type { EpollEvent }

/** A descriptor, or what has one: the kernel takes no registered file here. */
type Descriptor = number | { readonly fd: number }

/** What {@link EpollCtl} does with a file. */
export type EpollAction = 'add' | 'mod' | 'del'

/** Options of {@link EpollCtl}. */
export interface EpollCtlOptions {
  /** What to wait for, `PollEvents`; 0, only `ERR` and `HUP`. */
  events?: number
  /** A number of 64 bits that comes back with the events; 0. */
  data?: number | bigint
}

const ACTIONS: Readonly<Record<EpollAction, number>> = {
  add: EpollOperation.ADD,
  mod: EpollOperation.MOD,
  del: EpollOperation.DEL,
}
const MAX_U64 = (1n << 64n) - 1n

function resolveAction(action: unknown): number {
  if (typeof action === 'string' && Object.hasOwn(ACTIONS, action)) return ACTIONS[action as EpollAction]
  throw invalidValue('action', action, "must be one of: 'add', 'mod', 'del'")
}

function checkDescriptor(file: Descriptor, name: string): Descriptor {
  resolveDescriptor(file, name)
  return file
}

/**
 * Adds a file to an epoll, changes what the epoll waits for there, or removes it. Resolves to 0.
 *
 * Fails with `EEXIST` (it is there already), `ENOENT` (it is not there), `EPERM` (a file that is always ready), `EBADF`,
 * `EINVAL` (no epoll, or itself), `ELOOP` (epolls in a circle), `ENOSPC`. Since Linux 5.6. See epoll_ctl(2).
 */
export class EpollCtl extends Operation<number> {
  static override readonly opcode = 29
  static override readonly since = '5.6'
  static override readonly syscall = 'epoll_ctl'

  /** The epoll. */
  epollFd: Descriptor
  /** What is done with the file. */
  action: EpollAction
  /** The file. */
  file: Descriptor
  /** What to wait for, `PollEvents`. */
  events: number
  /** What comes back with the events. */
  data: number | bigint

  constructor(epollFd: Descriptor, action: EpollAction, file: Descriptor, options?: EpollCtlOptions) {
    super()
    this.epollFd = checkDescriptor(epollFd, 'epollFd')
    resolveAction(action)
    this.action = action
    this.file = checkDescriptor(file, 'file')
    const { events = 0, data = 0 } = checkOptions(options)
    this.events = mask(events, 'options.events')
    this.data = integer64(data, 'options.data', 0n, MAX_U64)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const epollFd = resolveDescriptor(this.epollFd, 'epollFd')
    const action = resolveAction(this.action)
    const file = resolveDescriptor(this.file, 'file')
    const events = mask(this.events, 'options.events')
    const data = integer64(this.data, 'options.data', 0n, MAX_U64)
    const block = action === EpollOperation.DEL ? undefined : allocateBlock(eventBytes())
    if (block !== undefined) encodeEvent(block.bytes, events, data)
    entry.begin(EpollCtl.opcode, this)
    entry.fd(epollFd)
    entry.off(file)
    entry.len(action)
    if (block !== undefined) entry.addr(block.address)
    return block
  }
}

/** What an epoll gives at most in one go, whatever the size of an event: `INT_MAX` bytes. */
const MAX_EVENTS = Math.floor(MAX_I32 / 16)

/**
 * Waits until an epoll has events. Resolves to the events, each with the `data` that `EpollCtl` gave along, as a bigint
 * always: it may have 64 bits.
 *
 * Fails with `EBADF`, `EINVAL` (no epoll). Since Linux 6.15. See epoll_wait(2).
 */
export class EpollWait extends Operation<EpollEvent[]> {
  static override readonly opcode = 59
  static override readonly since = '6.15'
  static override readonly syscall = 'epoll_wait'

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): EpollEvent[] {
    return decodeEvents(state as Buffer, result)
  }

  /** The epoll. */
  epollFd: FileTarget
  /** How many events at most. */
  maxEvents: number

  constructor(epollFd: FileTarget, maxEvents: number) {
    super()
    this.epollFd = checkFile(epollFd, 'epollFd')
    this.maxEvents = integer(maxEvents, 'maxEvents', 1, MAX_EVENTS)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { epollFd } = this
    const maxEvents = integer(this.maxEvents, 'maxEvents', 1, MAX_EVENTS)
    const { address, bytes } = allocateBlock(maxEvents * eventBytes())
    entry.beginFile(EpollWait.opcode, this, epollFd, 'epollFd')
    entry.addr(address)
    entry.len(maxEvents)
    return bytes
  }
}
