// Making sockets, and connecting them.

import {
  type Address,
  addressBlock,
  type AddressBlock,
  addressIn,
  type AddressRoom,
  addressRoom,
  checkAddress,
  NO_ADDRESS,
  type SocketAddress,
} from '../structs/sockaddr.ts'
import type { EntryWriter } from '../entry/entry-writer.ts'
import type { UringErrorDetails } from '../errors.ts'
import { AcceptFlags, ShutdownHow, SocketType } from '../flags/index.ts'
import { Operation } from './base/operation.ts'
import {
  checkFile,
  type Direct,
  type FileTarget,
  type FixedFile,
  placed,
  resolveDirect,
} from '../arguments/file.ts'
import { flag, integer, invalidValue, mask, MAX_I32, checkOptions } from '../arguments/validate.ts'

type Placed<D extends Direct | undefined> = D extends undefined ? number : FixedFile

/** Options of {@link Socket}. */
export interface SocketOptions<D extends Direct | undefined = Direct | undefined> {
  /** `SocketProtocol`; 0, the usual one of domain and type. */
  protocol?: number
  /** Puts the socket into the registered files: a slot, or `'auto'`. */
  direct?: D
  /** Closes the descriptor in programs that are started; true. Registered files have no such flag. */
  cloexec?: boolean
}

/** Where a new descriptor goes. */
interface PlaceState {
  /** The slot that was named, -1 for any; absent for a descriptor. */
  readonly slot: number | undefined
}

/**
 * Makes a socket. Resolves to the descriptor, or to a {@link FixedFile}.
 *
 * Fails with `EAFNOSUPPORT` (an unknown domain), `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`, `EPERM`, `EMFILE`, `ENFILE` (no
 * free slot, or no table to choose one from), `ENXIO` (no table for the slot), ... Since Linux 5.19. See socket(2).
 */
export class Socket<D extends Direct | undefined = undefined> extends Operation<Placed<D>> {
  static override readonly opcode = 45
  static override readonly since = '5.19'
  static override readonly syscall = 'socket'

  /** `SocketDomain`. */
  domain: number
  /** `SocketType`, with its flags. */
  type: number
  /** `SocketProtocol`; 0, the usual one of the type. */
  protocol: number
  /** Where it goes among the registered files; absent, it becomes a descriptor. */
  direct: Direct | undefined
  /** Closes the descriptor in programs that are started. */
  cloexec: boolean

  constructor(domain: number, type: number, options?: SocketOptions<D>) {
    super()
    const { protocol = 0, direct, cloexec = true } = checkOptions(options)
    if (direct !== undefined) resolveDirect(direct, 'options.direct')
    this.domain = integer(domain, 'domain', 0, MAX_I32)
    this.type = integer(type, 'type', 0, MAX_I32)
    this.protocol = integer(protocol, 'options.protocol', 0, MAX_I32)
    this.direct = direct
    this.cloexec = flag(cloexec, 'options.cloexec')
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number | FixedFile {
    return placed(result, (state as PlaceState).slot)
  }

  /** @internal */
  static override leftover(result: number, state: unknown): readonly (number | FixedFile)[] {
    return [placed(result, (state as PlaceState).slot)]
  }

  /** @internal */
  override encode(entry: EntryWriter): PlaceState {
    const domain = integer(this.domain, 'domain', 0, MAX_I32)
    const protocol = integer(this.protocol, 'options.protocol', 0, MAX_I32)
    const slot = this.direct === undefined ? undefined : resolveDirect(this.direct, 'options.direct')
    let type = integer(this.type, 'type', 0, MAX_I32)
    // Registered files have no such flag, and the kernel refuses it.
    if (flag(this.cloexec, 'options.cloexec') && slot === undefined) type |= SocketType.CLOEXEC
    entry.begin(Socket.opcode, this)
    entry.fd(domain)
    entry.off(type)
    entry.len(protocol)
    if (slot !== undefined) entry.slot(slot)
    return { slot }
  }
}

/** What operations share that give the kernel an address. */
abstract class Addressed extends Operation<number> {
  /** The socket. */
  file: FileTarget
  /** The address: of the Internet, of the machine, or the bytes of a `struct sockaddr`. */
  address: Address

  constructor(file: FileTarget, address: Address) {
    super()
    this.file = checkFile(file)
    this.address = checkAddress(address)
  }

  /** Names the file of a socket, as it is one in the file system. @internal */
  static override describe(state: unknown): UringErrorDetails {
    return { path: (state as AddressBlock).path }
  }

  protected write(entry: EntryWriter, opcode: number): AddressBlock {
    const address = addressBlock(this.address, 'address')
    entry.beginFile(opcode, this, this.file)
    entry.addr(address.address)
    entry.off(address.length)
    return address
  }
}

/**
 * Gives a socket an address; a Unix socket bound to `{ path: '' }` gets an abstract name that the kernel chooses.
 * Resolves to 0.
 *
 * Fails with `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, `EINVAL` (it has one, or the address is of another family), ...
 * Since Linux 6.11. See bind(2).
 */
export class Bind extends Addressed {
  static override readonly opcode = 56
  static override readonly since = '6.11'
  static override readonly syscall = 'bind'

  /** @internal */
  override encode(entry: EntryWriter): AddressBlock {
    return this.write(entry, Bind.opcode)
  }
}

/**
 * Connects a socket. Resolves to 0, when it is connected.
 *
 * Fails with `ECONNREFUSED`, `ENOENT` (no such Unix socket), `EISCONN`, `ENETUNREACH`, `ETIMEDOUT`, `EAFNOSUPPORT`, ...
 * Since Linux 5.5. See connect(2).
 */
export class Connect extends Addressed {
  static override readonly opcode = 16
  static override readonly since = '5.5'
  static override readonly syscall = 'connect'

  /** @internal */
  override encode(entry: EntryWriter): AddressBlock {
    return this.write(entry, Connect.opcode)
  }
}

/**
 * Lets a socket accept connections, `backlog` of which may wait for it: 511, as in Node.js, and no more than
 * net.core.somaxconn. Resolves to 0.
 *
 * Fails with `ENOTSUP` (no kind of socket that listens), `EINVAL` (a Unix socket without an address, a socket that is
 * connected), ... Since Linux 6.11. See listen(2).
 */
export class Listen extends Operation<number> {
  static override readonly opcode = 57
  static override readonly since = '6.11'
  static override readonly syscall = 'listen'

  /** The socket. */
  file: FileTarget
  /** How many connections may wait to be accepted. */
  backlog: number

  constructor(file: FileTarget, backlog = 511) {
    super()
    this.file = checkFile(file)
    this.backlog = integer(backlog, 'backlog', 0, MAX_I32)
  }

  /** @internal */
  override encode(entry: EntryWriter): undefined {
    const backlog = integer(this.backlog, 'backlog', 0, MAX_I32)
    entry.beginFile(Listen.opcode, this, this.file)
    entry.len(backlog)
  }
}

/** Options of {@link AcceptMulti}. */
export interface AcceptMultiOptions<D extends Direct | undefined = 'auto' | undefined> {
  /** Flags of accept4(2): `SocketType.NONBLOCK`. */
  flags?: number
  /** Accepts into the registered files, where the kernel chooses the slots: `'auto'`. */
  direct?: D
  /** Closes the descriptor in programs that are started; true. Registered files have no such flag. */
  cloexec?: boolean
  /** Fails with `EAGAIN` instead of waiting (6.10); together with `pollFirst` always. */
  dontWait?: boolean
  /** Waits for a connection before the first try: saves that try where none is expected yet (6.10). */
  pollFirst?: boolean
}

/** Options of {@link Accept}. */
export interface AcceptOptions<
  D extends Direct | undefined = Direct | undefined,
  A extends boolean = boolean,
> extends AcceptMultiOptions<Direct | undefined> {
  /** Accepts into the registered files: a slot, or `'auto'` (5.15, 5.19). */
  direct?: D
  /** Asks for the address of the peer too. */
  address?: A
}

/** A connection, and who is at its other end. */
export interface Accepted<F extends number | FixedFile = number | FixedFile> {
  /** The descriptor, or the registered file. */
  readonly file: F
  /** The peer's address: the path is `''` for a Unix socket without a name. */
  readonly address: SocketAddress
}

/** What options of accepting come to, but for the slot. */
interface Accepting {
  readonly flags: number
  readonly ioprio: number
}

/** Checks the options that both kinds of accepting have. */
function accepting(
  { flags, cloexec, dontWait, pollFirst }: Required<Omit<AcceptMultiOptions, 'direct'>>,
  direct: boolean,
): Accepting {
  const options = mask(flags, 'options.flags')
  const closed = flag(cloexec, 'options.cloexec') && !direct // as for Socket
  return {
    flags: closed ? options | SocketType.CLOEXEC : options,
    ioprio:
      (flag(dontWait, 'options.dontWait') ? AcceptFlags.DONTWAIT : 0) |
      (flag(pollFirst, 'options.pollFirst') ? AcceptFlags.POLL_FIRST : 0),
  }
}

interface AcceptState extends PlaceState {
  /** Where the kernel puts the peer's address; absent if nobody asked. */
  readonly room: AddressRoom | undefined
}

/**
 * Accepts a connection. Resolves to the descriptor, or to a {@link FixedFile}; with `address`, to what was
 * {@link Accepted}.
 *
 * Fails with `EAGAIN` (with `dontWait`), `EINVAL` (it does not listen), `EMFILE`, `ENFILE` (no free slot, or no table to
 * choose one from), `ENXIO` (no table for the slot: the connection is lost), ... Since Linux 5.5. See accept4(2).
 */
export class Accept<D extends Direct | undefined = undefined, A extends boolean = false> extends Operation<
  A extends true ? Accepted<Placed<D>> : Placed<D>
> {
  static override readonly opcode = 13
  static override readonly since = '5.5'
  static override readonly syscall = 'accept'

  /** The socket that listens. */
  file: FileTarget
  /** Whether the address of the peer is wanted. */
  address: boolean
  /** Flags of accept4(2): `SocketType.NONBLOCK`. */
  flags: number
  /** Where it goes among the registered files; absent, it becomes a descriptor. */
  direct: Direct | undefined
  /** Closes the descriptor in programs that are started. */
  cloexec: boolean
  /** Fails with `EAGAIN` instead of waiting. */
  dontWait: boolean
  /** Waits for a connection before the first try. */
  pollFirst: boolean

  constructor(file: FileTarget, options?: AcceptOptions<D, A>) {
    super()
    const {
      address = false,
      flags = 0,
      direct,
      cloexec = true,
      dontWait = false,
      pollFirst = false,
    } = checkOptions(options)
    if (direct !== undefined) resolveDirect(direct, 'options.direct')
    accepting({ flags, cloexec, dontWait, pollFirst }, false)
    this.file = checkFile(file)
    this.address = flag(address, 'options.address')
    this.flags = flags
    this.direct = direct
    this.cloexec = cloexec
    this.dontWait = dontWait
    this.pollFirst = pollFirst
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number | FixedFile | Accepted {
    const { slot, room } = state as AcceptState
    const file = placed(result, slot)
    return room === undefined ? file : { file, address: addressIn(room) ?? NO_ADDRESS }
  }

  /** @internal */
  static override leftover(result: number, state: unknown): readonly (number | FixedFile)[] {
    return [placed(result, (state as PlaceState).slot)]
  }

  /** @internal */
  override encode(entry: EntryWriter): AcceptState {
    const slot = this.direct === undefined ? undefined : resolveDirect(this.direct, 'options.direct')
    const { flags, ioprio } = accepting(this, slot !== undefined)
    const room = flag(this.address, 'options.address') ? addressRoom() : undefined
    entry.beginFile(Accept.opcode, this, this.file)
    entry.ioprio(ioprio)
    entry.opFlags(flags)
    if (slot !== undefined) entry.slot(slot)
    if (room !== undefined) {
      entry.addr(room.address)
      entry.off(room.lengthAddress)
    }
    return { slot, room }
  }
}

function checkAuto(direct: unknown): void {
  if (direct !== undefined && direct !== 'auto')
    throw invalidValue(
      'options.direct',
      direct,
      "must be 'auto': there is a slot to choose for each connection",
    )
}

/**
 * Accepts connections, again and again. Resolves to the descriptor of each, or to a {@link FixedFile}. Who is at the
 * other end, getpeername() of `uring/sys` can tell of a descriptor.
 *
 * Fails with what {@link Accept} fails with, `ENFILE` when the registered files are full; after an error it accepts no
 * more. Since Linux 5.19. See io_uring_prep_multishot_accept(3).
 */
export class AcceptMulti<D extends 'auto' | undefined = undefined> extends Operation<Placed<D>> {
  static override readonly opcode = 13
  static override readonly since = '5.19'
  static override readonly syscall = 'accept'
  /** @internal */
  static override readonly variantSince = '5.19'

  /** The socket that listens. */
  file: FileTarget
  /** Flags of accept4(2): `SocketType.NONBLOCK`. */
  flags: number
  /** Where it goes among the registered files; absent, it becomes a descriptor. */
  direct: 'auto' | undefined
  /** Closes the descriptor in programs that are started. */
  cloexec: boolean
  /** Fails with `EAGAIN` instead of waiting. */
  dontWait: boolean
  /** Waits for a connection before the first try. */
  pollFirst: boolean

  constructor(file: FileTarget, options?: AcceptMultiOptions<D>) {
    super()
    const { flags = 0, direct, cloexec = true, dontWait = false, pollFirst = false } = checkOptions(options)
    checkAuto(direct)
    accepting({ flags, cloexec, dontWait, pollFirst }, false)
    this.file = checkFile(file)
    this.flags = flags
    this.direct = direct
    this.cloexec = cloexec
    this.dontWait = dontWait
    this.pollFirst = pollFirst
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number | FixedFile {
    return placed(result, (state as PlaceState).slot)
  }

  /** @internal */
  static override leftover(result: number, state: unknown): readonly (number | FixedFile)[] {
    return [placed(result, (state as PlaceState).slot)]
  }

  /** @internal */
  override encode(entry: EntryWriter): PlaceState {
    const { direct } = this
    checkAuto(direct)
    const slot = direct === undefined ? undefined : -1
    const { flags, ioprio } = accepting(this, slot !== undefined)
    entry.beginFile(AcceptMulti.opcode, this, this.file)
    entry.ioprio(AcceptFlags.MULTISHOT | ioprio)
    entry.opFlags(flags)
    if (slot !== undefined) entry.slot(slot)
    entry.multishot = true
    return { slot }
  }
}

const DIRECTIONS = {
  read: ShutdownHow.RD,
  write: ShutdownHow.WR,
  both: ShutdownHow.RDWR,
} as const

function resolveHow(how: unknown): number {
  if (typeof how === 'number') return integer(how, 'how', 0, MAX_I32)
  if (typeof how === 'string' && Object.hasOwn(DIRECTIONS, how))
    return DIRECTIONS[how as keyof typeof DIRECTIONS]
  throw invalidValue('how', how, "must be one of: 'read', 'write', 'both', or a number of ShutdownHow")
}

/**
 * Shuts down one direction of a connection, or both. Resolves to 0.
 *
 * Fails with `ENOTCONN`, `ENOTSOCK`, `EINVAL` (an unknown direction), ... Since Linux 5.11. See shutdown(2).
 */
export class Shutdown extends Operation<number> {
  static override readonly opcode = 34
  static override readonly since = '5.11'
  static override readonly syscall = 'shutdown'

  /** The socket. */
  file: FileTarget
  /** No more reads, no more writes, or neither; or `ShutdownHow`. */
  how: 'read' | 'write' | 'both' | number

  constructor(file: FileTarget, how: 'read' | 'write' | 'both' | number = 'both') {
    super()
    resolveHow(how)
    this.file = checkFile(file)
    this.how = how
  }

  /** @internal */
  override encode(entry: EntryWriter): undefined {
    const how = resolveHow(this.how)
    entry.beginFile(Shutdown.opcode, this, this.file)
    entry.len(how)
  }
}
