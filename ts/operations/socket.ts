// Creating sockets, binding, connecting, accepting and shutting them down.

import {
  type Address,
  addressBlock,
  type AddressBlock,
  addressIn,
  type AddressBuffer,
  addressBuffer,
  checkAddress,
  NO_ADDRESS,
  type SocketAddress,
} from '../structs/sockaddr.ts'
import type { EntryWriter } from '../entry/entry-writer.ts'
import type { UringErrorDetails } from '../errors.ts'
import { AcceptFlags, ShutdownHow } from '../flags/index.ts'
import { checkDirect, type NewFile, withCloexec } from './base/new-descriptor.ts'
import { Operation } from './base/operation.ts'
import { checkFile, type Direct, type FileTarget, type FixedFile, placed } from '../arguments/file.ts'
import { flag, integer, invalidValue, mask, MAX_I32, checkOptions } from '../arguments/validate.ts'

/** The state of an operation that creates a descriptor. */
interface PlaceState {
  /** The fixed-file slot that was named, -1 for any; absent for a descriptor. */
  readonly slot: number | undefined
}

/** `decode` of an operation that creates a descriptor. */
function decodePlaced(result: number, _flags: number, state: unknown): number | FixedFile {
  return placed(result, (state as PlaceState).slot)
}

/** `leftover` of an operation that creates a descriptor. */
function leftoverPlaced(result: number, state: unknown): readonly (number | FixedFile)[] {
  return [placed(result, (state as PlaceState).slot)]
}

/** Options of {@link Socket}. */
export interface SocketOptions<D extends Direct | undefined = Direct | undefined> {
  /** `SocketProtocol`; 0, the default, is the usual protocol of the domain and type. */
  protocol?: number
  /** Puts the socket into a fixed-file slot instead of a descriptor: this slot, or any with `'auto'`. */
  direct?: D
  /**
   * Sets `SOCK_CLOEXEC`, so that programs which this process executes do not inherit the descriptor; true by default.
   */
  cloexec?: boolean
}

/**
 * Creates a socket. Resolves to the descriptor, or to a {@link FixedFile}.
 *
 * Fails with `EAFNOSUPPORT` (an unknown domain), `EPROTONOSUPPORT` (a protocol that the domain does not have),
 * `ESOCKTNOSUPPORT` (a type that the domain does not have), `EPERM` (not permitted, such as a raw socket), `EMFILE`
 * (no free descriptor), `ENFILE` (no free slot, or no file table to choose one from), `ENXIO` (no file table for the
 * slot), ... Since Linux 5.19. See socket(2).
 */
export class Socket<D extends Direct | undefined = undefined> extends Operation<NewFile<D>> {
  static override readonly opcode = 45
  static override readonly since = '5.19'
  static override readonly syscall = 'socket'
  /** @internal */
  static override decode = decodePlaced
  /** @internal */
  static override leftover = leftoverPlaced

  /** `SocketDomain`. */
  domain: number
  /** `SocketType`, with its flags. */
  type: number
  /** `SocketProtocol`; 0, the usual protocol of the type. */
  protocol: number
  /** Fixed-file slot for the socket, or `'auto'` for any; absent, the socket becomes a descriptor. */
  direct: Direct | undefined
  /** If set, programs which this process executes do not inherit the descriptor. */
  cloexec: boolean

  constructor(domain: number, type: number, options?: SocketOptions<D>) {
    super()
    const { protocol = 0, direct, cloexec = true } = checkOptions(options)
    this.domain = domain
    this.type = type
    this.protocol = protocol
    this.direct = direct
    this.cloexec = cloexec
    checkSocket(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): PlaceState {
    const { domain, type, protocol, slot } = checkSocket(this)
    entry.begin(Socket.opcode, this)
    entry.fd(domain)
    entry.off(type)
    entry.len(protocol)
    if (slot !== undefined) entry.slot(slot)
    return { slot }
  }
}

interface CheckedSocket extends PlaceState {
  readonly domain: number
  readonly type: number
  readonly protocol: number
}

function checkSocket({ domain, type, protocol, direct, cloexec }: Socket<Direct | undefined>): CheckedSocket {
  const slot = checkDirect(direct)
  return {
    domain: integer(domain, 'domain', 0, MAX_I32),
    type: withCloexec(integer(type, 'type', 0, MAX_I32), cloexec, slot),
    protocol: integer(protocol, 'options.protocol', 0, MAX_I32),
    slot,
  }
}

/** An operation that gives the kernel an address. */
abstract class Addressed extends Operation<number> {
  /** The socket. */
  file: FileTarget
  /** An Internet address, a Unix address, or the bytes of a `struct sockaddr`. */
  address: Address

  constructor(file: FileTarget, address: Address) {
    super()
    this.file = checkFile(file)
    this.address = checkAddress(address)
  }

  /** Names the path of a Unix socket in errors. @internal */
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
 * Binds a socket to an address; with `{ path: '' }`, a Unix socket to an abstract name that the kernel chooses.
 * Resolves to 0.
 *
 * Fails with `EADDRINUSE` (the address is in use), `EADDRNOTAVAIL` (no interface has the address), `EACCES` (a port
 * or a directory that needs privileges), `EINVAL` (the socket is bound already, or the address is of another family),
 * ... Since Linux 6.11. See bind(2).
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
 * Connects a socket. Resolves to 0 once it is connected.
 *
 * Fails with `ECONNREFUSED` (no socket listens at the address), `ENOENT` (no such Unix socket), `EISCONN` (the socket
 * is connected already), `ENETUNREACH` (no route to the network), `ETIMEDOUT` (the peer does not answer),
 * `EAFNOSUPPORT` (the address is of another family), ... Since Linux 5.5. See connect(2).
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
 * Makes a socket listen for connections. `backlog` of them may wait to be accepted: 511 by default, as in Node.js,
 * and no more than net.core.somaxconn. Resolves to 0.
 *
 * Fails with `ENOTSUP` (a type of socket that cannot listen), `EINVAL` (a Unix socket without an address, or a socket
 * that is connected), ... Since Linux 6.11. See listen(2).
 */
export class Listen extends Operation<number> {
  static override readonly opcode = 57
  static override readonly since = '6.11'
  static override readonly syscall = 'listen'

  /** The socket. */
  file: FileTarget
  /** The number of connections that may wait to be accepted. */
  backlog: number

  constructor(file: FileTarget, backlog = 511) {
    super()
    this.file = checkFile(file)
    this.backlog = checkBacklog(backlog)
  }

  /** @internal */
  override encode(entry: EntryWriter): undefined {
    const backlog = checkBacklog(this.backlog)
    entry.beginFile(Listen.opcode, this, this.file)
    entry.len(backlog)
  }
}

function checkBacklog(backlog: number): number {
  return integer(backlog, 'backlog', 0, MAX_I32)
}

/** Options of {@link AcceptMulti}. */
export interface AcceptMultiOptions<D extends Direct | undefined = 'auto' | undefined> {
  /** Flags of accept4(2): `SocketType.NONBLOCK`. */
  flags?: number
  /** Puts connections into fixed-file slots that the kernel chooses: `'auto'`. */
  direct?: D
  /**
   * Sets `SOCK_CLOEXEC`, so that programs which this process executes do not inherit the descriptor; true by default.
   */
  cloexec?: boolean
  /** If set, fails with `EAGAIN` instead of waiting (6.10); together with `pollFirst`, always. */
  dontWait?: boolean
  /** If set, waits for a connection before the first attempt: saves that attempt if none is expected yet (6.10). */
  pollFirst?: boolean
}

/** Options of {@link Accept}. */
export interface AcceptOptions<
  D extends Direct | undefined = Direct | undefined,
  A extends boolean = boolean,
> extends AcceptMultiOptions<Direct | undefined> {
  /** Puts the connection into a fixed-file slot: this slot (5.15), or any with `'auto'` (5.19). */
  direct?: D
  /** If set, resolves to {@link Accepted}, which has the address of the peer. */
  address?: A
}

/** A connection, and the address of its peer. */
export interface Accepted<F extends number | FixedFile = number | FixedFile> {
  /** The descriptor, or the fixed file. */
  readonly file: F
  /** The address of the peer: the path is `''` for a Unix socket without a name. */
  readonly address: SocketAddress
}

/** An operation that accepts connections. */
abstract class Accepting<T> extends Operation<T> {
  /** @internal */
  static override leftover = leftoverPlaced

  /** The listening socket. */
  file: FileTarget
  /** Flags of accept4(2): `SocketType.NONBLOCK`. */
  flags: number
  /** If set, programs which this process executes do not inherit the descriptor. */
  cloexec: boolean
  /** If set, fails with `EAGAIN` instead of waiting. */
  dontWait: boolean
  /** If set, waits for a connection before the first attempt. */
  pollFirst: boolean

  constructor(file: FileTarget, options: AcceptMultiOptions<Direct | undefined> | undefined) {
    super()
    const { flags = 0, cloexec = true, dontWait = false, pollFirst = false } = checkOptions(options)
    this.file = checkFile(file)
    this.flags = flags
    this.cloexec = cloexec
    this.dontWait = dontWait
    this.pollFirst = pollFirst
    checkAccepting(this, undefined)
  }
}

interface CheckedAccepting {
  readonly flags: number
  /** `AcceptFlags`. */
  readonly ioprio: number
}

function checkAccepting(
  { flags, cloexec, dontWait, pollFirst }: Accepting<unknown>,
  slot: number | undefined,
): CheckedAccepting {
  return {
    flags: withCloexec(mask(flags, 'options.flags'), cloexec, slot),
    ioprio:
      (flag(dontWait, 'options.dontWait') ? AcceptFlags.DONTWAIT : 0) |
      (flag(pollFirst, 'options.pollFirst') ? AcceptFlags.POLL_FIRST : 0),
  }
}

interface AcceptState extends PlaceState {
  /** Space for the address of the peer; absent if it was not asked for. */
  readonly buffer: AddressBuffer | undefined
}

/**
 * Accepts a connection. Resolves to the descriptor, or to a {@link FixedFile}; with `address`, to {@link Accepted}.
 *
 * Fails with `EAGAIN` (with `dontWait`: no connection waits), `EINVAL` (the socket does not listen), `EMFILE` (no
 * free descriptor), `ENFILE` (no free slot, or no file table to choose one from), `ENXIO` (no file table for the
 * slot: the connection is lost), ... Since Linux 5.5. See accept4(2).
 */
export class Accept<D extends Direct | undefined = undefined, A extends boolean = false> extends Accepting<
  A extends true ? Accepted<NewFile<D>> : NewFile<D>
> {
  static override readonly opcode = 13
  static override readonly since = '5.5'
  static override readonly syscall = 'accept'

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number | FixedFile | Accepted {
    const { slot, buffer } = state as AcceptState
    const file = placed(result, slot)
    return buffer === undefined ? file : { file, address: addressIn(buffer) ?? NO_ADDRESS }
  }

  /** If set, resolves to {@link Accepted}. */
  address: boolean
  /** Fixed-file slot for the connection, or `'auto'` for any; absent, the connection becomes a descriptor. */
  direct: Direct | undefined

  constructor(file: FileTarget, options?: AcceptOptions<D, A>) {
    super(file, options)
    const { address = false, direct } = checkOptions(options)
    this.address = address
    this.direct = direct
    checkAccept(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): AcceptState {
    const { slot, address, flags, ioprio } = checkAccept(this)
    const buffer = address ? addressBuffer() : undefined
    entry.beginFile(Accept.opcode, this, this.file)
    entry.ioprio(ioprio)
    entry.opFlags(flags)
    if (slot !== undefined) entry.slot(slot)
    if (buffer !== undefined) {
      entry.addr(buffer.address)
      entry.off(buffer.lengthAddress)
    }
    return { slot, buffer }
  }
}

interface CheckedAccept extends CheckedAccepting, PlaceState {
  readonly address: boolean
}

function checkAccept(accept: Accept<Direct | undefined, boolean>): CheckedAccept {
  const slot = checkDirect(accept.direct)
  return { ...checkAccepting(accept, slot), slot, address: flag(accept.address, 'options.address') }
}

/**
 * Accepts connections again and again. Multishot: each completion resolves to a descriptor, or to a {@link
 * FixedFile}. getpeername() of `uring/sys` returns the address of a descriptor's peer.
 *
 * Ends with the errors of {@link Accept}, and with `ENFILE` once the file table is full. Since Linux 5.19. See
 * io_uring_prep_multishot_accept(3).
 */
export class AcceptMulti<D extends 'auto' | undefined = undefined> extends Accepting<NewFile<D>> {
  static override readonly opcode = 13
  static override readonly since = '5.19'
  static override readonly syscall = 'accept'
  /** @internal */
  static override readonly variantSince = '5.19'
  /** @internal */
  static override decode = decodePlaced

  /** `'auto'` for fixed-file slots that the kernel chooses; absent, connections become descriptors. */
  direct: 'auto' | undefined

  constructor(file: FileTarget, options?: AcceptMultiOptions<D>) {
    super(file, options)
    const { direct } = checkOptions(options)
    this.direct = direct
    checkAcceptMulti(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): PlaceState {
    const { slot, flags, ioprio } = checkAcceptMulti(this)
    entry.beginFile(AcceptMulti.opcode, this, this.file)
    entry.ioprio(AcceptFlags.MULTISHOT | ioprio)
    entry.opFlags(flags)
    if (slot !== undefined) entry.slot(slot)
    entry.multishot = true
    return { slot }
  }
}

function checkAcceptMulti(accept: AcceptMulti<'auto' | undefined>): CheckedAccepting & PlaceState {
  const { direct } = accept
  if (direct !== undefined && direct !== 'auto')
    throw invalidValue('options.direct', direct, "must be 'auto', as each connection needs a slot of its own")
  const slot = checkDirect(direct)
  return { ...checkAccepting(accept, slot), slot }
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
 * Fails with `ENOTCONN` (the socket is not connected), `ENOTSOCK` (the file is not a socket), `EINVAL` (an unknown
 * direction), ... Since Linux 5.11. See shutdown(2).
 */
export class Shutdown extends Operation<number> {
  static override readonly opcode = 34
  static override readonly since = '5.11'
  static override readonly syscall = 'shutdown'

  /** The socket. */
  file: FileTarget
  /** The direction that is shut down: reads, writes or both; or `ShutdownHow`. */
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
