// Epoll instances: changing the files that they watch, and waiting for their events.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { decodeEvents, encodeEvent, eventBytes, type EpollEvent } from '../structs/epoll-event.ts'
import { EpollOperation } from '../flags/index.ts'
import { allocateBlock } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { checkFile, type FileTarget, resolveDescriptor } from '../arguments/file.ts'
import { integer, invalidValue, mask, MAX_I32, checkOptions, integer64 } from '../arguments/validate.ts'

export type { EpollEvent }

/** A descriptor, or an object with one: the kernel takes no fixed file here. */
type Descriptor = number | { readonly fd: number }

/** The change that {@link EpollCtl} makes: adds a file, modifies its events, or deletes it. */
export type EpollAction = 'add' | 'mod' | 'del'

/** Options of {@link EpollCtl}. */
export interface EpollCtlOptions {
  /** The events to watch, `PollEvents`; 0, the default, for `ERR` and `HUP` only. */
  events?: number
  /** A number of 64 bits that is returned with each event of the file; 0 by default. */
  data?: number | bigint
}

const ACTIONS: Readonly<Record<EpollAction, number>> = {
  add: EpollOperation.ADD,
  mod: EpollOperation.MOD,
  del: EpollOperation.DEL,
}
const MAX_U64 = (1n << 64n) - 1n

/**
 * Adds a file to an epoll instance, changes the events that are watched, or removes the file. Resolves to 0.
 *
 * Fails with `EEXIST` (the file was added before), `ENOENT` (it was not added), `EPERM` (a file that is always ready,
 * such as a regular one), `EBADF` (not an open descriptor), `EINVAL` (not an epoll instance, or adding it to itself),
 * `ELOOP` (epoll instances in a circle), `ENOSPC` (the user watches too many files). Since Linux 5.6. See epoll_ctl(2).
 */
export class EpollCtl extends Operation<number> {
  static override readonly opcode = 29
  static override readonly since = '5.6'
  static override readonly syscall = 'epoll_ctl'

  /** The epoll instance. */
  epollFd: Descriptor
  /** The change to make. */
  action: EpollAction
  /** The file. */
  file: Descriptor
  /** The events to watch, `PollEvents`. */
  events: number
  /** A number of 64 bits that is returned with each event of the file. */
  data: number | bigint

  constructor(epollFd: Descriptor, action: EpollAction, file: Descriptor, options?: EpollCtlOptions) {
    super()
    const { events = 0, data = 0 } = checkOptions(options)
    this.epollFd = epollFd
    this.action = action
    this.file = file
    this.events = events
    this.data = data
    this.events = checkEpollCtl(this).events
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { epollFd, action, file, events, data } = checkEpollCtl(this)
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

interface CheckedControl {
  readonly epollFd: number
  readonly action: number
  readonly file: number
  readonly events: number
  readonly data: number | bigint
}

function checkEpollCtl({ epollFd, action, file, events, data }: EpollCtl): CheckedControl {
  return {
    epollFd: resolveDescriptor(epollFd, 'epollFd'),
    action: resolveAction(action),
    file: resolveDescriptor(file, 'file'),
    events: mask(events, 'options.events'),
    data: integer64(data, 'options.data', 0n, MAX_U64),
  }
}

function resolveAction(action: unknown): number {
  if (typeof action === 'string' && Object.hasOwn(ACTIONS, action)) return ACTIONS[action as EpollAction]
  throw invalidValue('action', action, "must be one of: 'add', 'mod', 'del'")
}

/** The maximum of events that fit into `INT_MAX` bytes, whatever the size of an event on the platform. */
const MAX_EVENTS = Math.floor(MAX_I32 / 16)

/**
 * Waits until an epoll instance has events. Resolves to the events, each with the `data` that was given to `EpollCtl`,
 * always as a bigint because it may have 64 bits.
 *
 * Fails with `EBADF` (not an open file), `EINVAL` (not an epoll instance). Since Linux 6.15. See epoll_wait(2).
 */
export class EpollWait extends Operation<EpollEvent[]> {
  static override readonly opcode = 59
  static override readonly since = '6.15'
  static override readonly syscall = 'epoll_wait'

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): EpollEvent[] {
    return decodeEvents(state as Buffer, result)
  }

  /** The epoll instance. */
  epollFd: FileTarget
  /** The maximum number of events to return. */
  maxEvents: number

  constructor(epollFd: FileTarget, maxEvents: number) {
    super()
    this.epollFd = epollFd
    this.maxEvents = maxEvents
    checkEpollWait(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const maxEvents = checkEpollWait(this)
    const { address, bytes } = allocateBlock(maxEvents * eventBytes())
    entry.beginFile(EpollWait.opcode, this, this.epollFd, 'epollFd')
    entry.addr(address)
    entry.len(maxEvents)
    return bytes
  }
}

/** Checks the arguments, and returns the number of events. */
function checkEpollWait({ epollFd, maxEvents }: EpollWait): number {
  checkFile(epollFd, 'epollFd')
  return integer(maxEvents, 'maxEvents', 1, MAX_EVENTS)
}
