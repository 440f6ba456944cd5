// Options of sockets, and commands to them.

import {
  addressIn,
  type AddressRoom,
  addressRoom,
  NO_ADDRESS,
  type SocketAddress,
} from '../structs/sockaddr.ts'
import type { EntryWriter } from '../entry/entry-writer.ts'
import { SocketCommands } from '../flags/index.ts'
import { allocateBlock, type Block, type Bytes, viewOf } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { checkFile, type FileTarget } from '../arguments/file.ts'
import {
  flag,
  integer,
  invalidType,
  invalidValue,
  mask,
  MAX_I32,
  MAX_U32,
  checkOptions,
  outOfRange,
} from '../arguments/validate.ts'

const INT_BYTES = 4

/** The value of an option: a number of 4 bytes, or any bytes. */
function checkValue(value: number | Bytes): number | Uint8Array {
  if (typeof value === 'number') return mask(value, 'value')
  if (
    !ArrayBuffer.isView(value) &&
    !(value instanceof ArrayBuffer) &&
    !(value instanceof SharedArrayBuffer)
  ) {
    throw invalidType(
      'value',
      'of type number, or an instance of Buffer, TypedArray, DataView, ArrayBuffer, or SharedArrayBuffer',
      value,
    )
  }
  if (value.byteLength > MAX_I32) throw outOfRange('value.byteLength', `<= ${MAX_I32}`, value.byteLength)
  return viewOf(value)
}

/** A copy of the value, where the kernel reads it: it does so when the operation starts, which may be later. */
function valueBlock(value: number | Bytes): Block {
  const checked = checkValue(value)
  const block = allocateBlock(typeof checked === 'number' ? INT_BYTES : checked.length)
  if (typeof checked === 'number') block.bytes.writeUInt32LE(checked)
  else block.bytes.set(checked)
  return block
}

/**
 * Sets an option of a socket: to a number of 4 bytes, as most options are, or to bytes, which are copied. Resolves to 0.
 *
 * Fails with `ENOPROTOOPT` (no such option), `EINVAL`, `EDOM`, `EPERM`, `ENOTSUP` (a file that takes no
 * commands), ... Since Linux 6.7. See setsockopt(2).
 */
export class SetSockOpt extends Operation<number> {
  static override readonly opcode = 46
  static override readonly since = '6.7'
  static override readonly syscall = 'setsockopt'
  /** @internal */
  static override readonly variantSince = '6.7'

  /** The socket. */
  file: FileTarget
  /** `SocketLevel`. */
  level: number
  /** `SocketOption`, `TcpOption`, ... */
  name: number
  /** Its new value: a number of 32 bits, or bytes. */
  value: number | Bytes

  constructor(file: FileTarget, level: number, name: number, value: number | Bytes) {
    super()
    checkValue(value)
    this.file = checkFile(file)
    this.level = integer(level, 'level', 0, MAX_I32)
    this.name = integer(name, 'name', 0, MAX_I32)
    this.value = value
  }

  /** @internal */
  override encode(entry: EntryWriter): Block {
    const level = integer(this.level, 'level', 0, MAX_I32)
    const name = integer(this.name, 'name', 0, MAX_I32)
    const value = valueBlock(this.value)
    entry.beginFile(SetSockOpt.opcode, this, this.file)
    entry.commandOp(SocketCommands.SETSOCKOPT)
    entry.option(level, name)
    entry.addr3(value.address)
    entry.word(value.bytes.length)
    return value
  }
}

/** Options of {@link GetSockOpt}. */
export interface GetSockOptOptions<S extends number = number> {
  /** Bytes of room for the value; 4. */
  size?: S
}

type OptionValue<S extends number> = S extends 4 ? number : Buffer | (4 extends S ? number : never)

/**
 * Reads an option of a socket. Resolves to a number, with its sign, where `size` is 4, else to a `Buffer` as long as the
 * value is.
 *
 * Fails with `ENOTSUP` (a level other than `SocketLevel.SOCKET`), `ENOPROTOOPT` (no such option), `EINVAL`,
 * ... Since Linux 6.7. See getsockopt(2).
 */
export class GetSockOpt<S extends number = 4> extends Operation<OptionValue<S>> {
  static override readonly opcode = 46
  static override readonly since = '6.7'
  static override readonly syscall = 'getsockopt'
  /** @internal */
  static override readonly variantSince = '6.7'

  /** The socket. */
  file: FileTarget
  /** `SocketLevel`. */
  level: number
  /** `SocketOption`. */
  name: number
  /** Bytes of room for its value. */
  size: number

  constructor(file: FileTarget, level: number, name: number, options?: GetSockOptOptions<S>) {
    super()
    const { size = INT_BYTES } = checkOptions(options)
    this.file = checkFile(file)
    this.level = integer(level, 'level', 0, MAX_I32)
    this.name = integer(name, 'name', 0, MAX_I32)
    this.size = integer(size, 'options.size', 0, MAX_I32)
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number | Buffer {
    const { bytes } = state as Block
    const value = bytes.subarray(0, result)
    if (bytes.length !== INT_BYTES) return Buffer.from(value)
    if (value.length === INT_BYTES) return value.readInt32LE()
    return value.reduceRight((sum, byte) => sum * 0x100 + byte, 0) // some options have fewer bytes
  }

  /** @internal */
  override encode(entry: EntryWriter): Block {
    const level = integer(this.level, 'level', 0, MAX_I32)
    const name = integer(this.name, 'name', 0, MAX_I32)
    const value = allocateBlock(integer(this.size, 'options.size', 0, MAX_I32))
    entry.beginFile(GetSockOpt.opcode, this, this.file)
    entry.commandOp(SocketCommands.GETSOCKOPT)
    entry.option(level, name)
    entry.addr3(value.address)
    entry.word(value.bytes.length)
    return value
  }
}

/** Commands of {@link SocketCommand} by name. */
export type SocketCommandName = Exclude<keyof typeof SocketCommands, 'GETSOCKOPT' | 'SETSOCKOPT'>

/** Options of {@link SocketCommand}. */
export interface SocketCommandOptions {
  /** For `GETSOCKNAME`: asks for the address of the peer. */
  peer?: boolean
}

type GetSockName = typeof SocketCommands.GETSOCKNAME
type CommandResult<C extends SocketCommandName | number> = C extends 'GETSOCKNAME' | GetSockName
  ? SocketAddress
  : number | (GetSockName extends C ? SocketAddress : never)

function resolveCommand(command: unknown): number {
  let number: number
  if (typeof command === 'number') {
    number = integer(command, 'command', 0, MAX_U32)
  } else if (typeof command === 'string' && Object.hasOwn(SocketCommands, command)) {
    number = SocketCommands[command as SocketCommandName]
  } else {
    throw invalidValue('command', command, 'must be the name of one of SocketCommands, or its number')
  }
  if (number === SocketCommands.GETSOCKOPT || number === SocketCommands.SETSOCKOPT)
    throw invalidValue('command', command, 'is an operation of its own: GetSockOpt, SetSockOpt')
  return number
}

function checkPeer(peer: unknown, command: number): boolean {
  const asked = flag(peer, 'options.peer')
  if (asked && command !== SocketCommands.GETSOCKNAME)
    throw invalidValue('options.peer', peer, 'is for the command GETSOCKNAME')
  return asked
}

/**
 * Gives a command to a socket. Resolves to the number of bytes that wait to be read (`SIOCINQ`), or to be sent or
 * acknowledged (`SIOCOUTQ`); to the address of the socket or of its peer (`GETSOCKNAME`, 6.19; the path is `''` for a
 * Unix socket without a name); and for `TX_TIMESTAMP` (6.17), again and again, to the number of what was sent, with the
 * seconds and nanoseconds in the completion's `extra`.
 *
 * Fails with `ENOTSUP` (a command that the kernel, the file or this kind of socket does not have), `EINVAL` (`TX_TIMESTAMP` on a ring
 * without 32-byte completions), `ENOTCONN`, ... Since Linux 6.6. See io_uring_prep_cmd_sock(3).
 */
export class SocketCommand<C extends SocketCommandName | number = number> extends Operation<
  CommandResult<C>
> {
  static override readonly opcode = 46
  static override readonly since = '6.6'
  static override readonly syscall = 'socket_command'
  /** @internal */
  static override readonly variantSince = '6.6'

  /** The socket. */
  file: FileTarget
  /** `SocketCommands`, or the name of one. */
  command: SocketCommandName | number
  /** Whether `GETSOCKNAME` asks for the address of the peer. */
  peer: boolean

  constructor(file: FileTarget, command: C, options?: SocketCommandOptions) {
    super()
    const { peer = false } = checkOptions(options)
    this.peer = checkPeer(peer, resolveCommand(command))
    this.file = checkFile(file)
    this.command = command
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number | SocketAddress {
    return state === undefined ? result : (addressIn(state as AddressRoom) ?? NO_ADDRESS)
  }

  /** @internal */
  override encode(entry: EntryWriter): AddressRoom | undefined {
    const command = resolveCommand(this.command)
    const peer = checkPeer(this.peer, command)
    const room = command === SocketCommands.GETSOCKNAME ? addressRoom() : undefined
    entry.beginFile(SocketCommand.opcode, this, this.file)
    entry.commandOp(command)
    if (room !== undefined) {
      entry.addr(room.address)
      entry.addr3(room.lengthAddress)
      entry.word(peer ? 1 : 0)
    }
    entry.multishot = command === SocketCommands.TX_TIMESTAMP
    return room
  }
}
