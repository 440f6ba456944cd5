// Socket options and commands.

import {
  addressIn,
  type AddressBuffer,
  addressBuffer,
  NO_ADDRESS,
  type SocketAddress,
} from '../structs/sockaddr.ts'
import type { EntryWriter } from '../entry/entry-writer.ts'
import { SocketCommands } from '../flags/index.ts'
import { allocateBlock, type Block, type Bytes } from '../memory/address-of.ts'
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
import { viewOf } from '../memory/address-of.ts'

const INT_BYTES = 4

/** Checks the value of an option: a number of 4 bytes, or any bytes. */
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

/** Copies the value to where the kernel reads it: when the operation starts, which may be later. */
function valueBlock(value: number | Bytes): Block {
  const checked = checkValue(value)
  const block = allocateBlock(typeof checked === 'number' ? INT_BYTES : checked.length)
  if (typeof checked === 'number') block.bytes.writeUInt32LE(checked)
  else block.bytes.set(checked)
  return block
}

interface OptionName {
  readonly level: number
  readonly name: number
}

function checkOption({ level, name }: OptionName): OptionName {
  return { level: integer(level, 'level', 0, MAX_I32), name: integer(name, 'name', 0, MAX_I32) }
}

/**
 * Sets an option of a socket: to a number of 4 bytes, as most options have, or to bytes, which are copied. Resolves
 * to 0.
 *
 * Fails with `ENOPROTOOPT` (no such option), `EINVAL` (a value of the wrong size, or out of range), `EDOM` (a time
 * out of range), `EPERM` (an option that needs privileges), `ENOTSUP` (a file that takes no commands), ... Since
 * Linux 6.7. See setsockopt(2).
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
  /** The new value: a number of 32 bits, or bytes. */
  value: number | Bytes

  constructor(file: FileTarget, level: number, name: number, value: number | Bytes) {
    super()
    this.file = checkFile(file)
    this.level = level
    this.name = name
    checkOption(this)
    checkValue(value)
    this.value = value
  }

  /** @internal */
  override encode(entry: EntryWriter): Block {
    const { level, name } = checkOption(this)
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
  /** Space for the value, in bytes; 4 by default. */
  size?: S
}

type OptionValue<S extends number> = S extends 4 ? number : Buffer | (4 extends S ? number : never)

/**
 * Reads an option of a socket. Resolves to a signed number if `size` is 4, else to a `Buffer` as long as the value.
 *
 * Fails with `ENOTSUP` (a level other than `SocketLevel.SOCKET`), `ENOPROTOOPT` (no such option), `EINVAL` (not
 * enough space), ... Since Linux 6.7. See getsockopt(2).
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
  /** Space for the value, in bytes. */
  size: number

  constructor(file: FileTarget, level: number, name: number, options?: GetSockOptOptions<S>) {
    super()
    const { size = INT_BYTES } = checkOptions(options)
    this.file = checkFile(file)
    this.level = level
    this.name = name
    this.size = size
    checkGetSockOpt(this)
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
    const { level, name, size } = checkGetSockOpt(this)
    const value = allocateBlock(size)
    entry.beginFile(GetSockOpt.opcode, this, this.file)
    entry.commandOp(SocketCommands.GETSOCKOPT)
    entry.option(level, name)
    entry.addr3(value.address)
    entry.word(value.bytes.length)
    return value
  }
}

interface CheckedGetSockOpt extends OptionName {
  readonly size: number
}

function checkGetSockOpt(option: CheckedGetSockOpt): CheckedGetSockOpt {
  return { ...checkOption(option), size: integer(option.size, 'options.size', 0, MAX_I32) }
}

/** Names of the commands of {@link SocketCommand}. */
export type SocketCommandName = Exclude<keyof typeof SocketCommands, 'GETSOCKOPT' | 'SETSOCKOPT'>

/** Options of {@link SocketCommand}. */
export interface SocketCommandOptions {
  /** If set, `GETSOCKNAME` resolves to the address of the peer. */
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

interface CheckedCommand {
  readonly number: number
  readonly peer: boolean
}

function checkCommand({ command, peer }: Pick<SocketCommand, 'command' | 'peer'>): CheckedCommand {
  const number = resolveCommand(command)
  if (flag(peer, 'options.peer') && number !== SocketCommands.GETSOCKNAME)
    throw invalidValue('options.peer', peer, 'is for the command GETSOCKNAME')
  return { number, peer }
}

/**
 * Sends a command to a socket. Resolves to the number of bytes that wait to be read (`SIOCINQ`), or to be sent or
 * acknowledged (`SIOCOUTQ`); or to the address of the socket or of its peer (`GETSOCKNAME`, 6.19; the path is `''`
 * for a Unix socket without a name). `TX_TIMESTAMP` (6.17) is multishot: each completion resolves to the number of
 * the packet that was sent, and the completion's `extra` has the seconds and nanoseconds.
 *
 * Fails with `ENOTSUP` (a command that the kernel, the file or this type of socket does not have), `EINVAL`
 * (`TX_TIMESTAMP` on a ring without 32-byte completions, `SIOCINQ` of a listening socket), `ENOTCONN` (the peer of a
 * socket that is not connected), ... Since Linux 6.6. See io_uring_prep_cmd_sock(3).
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
  /** The command: one of `SocketCommands`, or its name. */
  command: SocketCommandName | number
  /** If set, `GETSOCKNAME` resolves to the address of the peer. */
  peer: boolean

  constructor(file: FileTarget, command: C, options?: SocketCommandOptions) {
    super()
    const { peer = false } = checkOptions(options)
    this.file = checkFile(file)
    this.command = command
    this.peer = peer
    checkCommand(this)
  }

  /** @internal */
  static override decode(result: number, _flags: number, state: unknown): number | SocketAddress {
    return state === undefined ? result : (addressIn(state as AddressBuffer) ?? NO_ADDRESS)
  }

  /** @internal */
  override encode(entry: EntryWriter): AddressBuffer | undefined {
    const { number, peer } = checkCommand(this)
    const buffer = number === SocketCommands.GETSOCKNAME ? addressBuffer() : undefined
    entry.beginFile(SocketCommand.opcode, this, this.file)
    entry.commandOp(number)
    if (buffer !== undefined) {
      entry.addr(buffer.address)
      entry.addr3(buffer.lengthAddress)
      entry.word(peer ? 1 : 0)
    }
    entry.multishot = number === SocketCommands.TX_TIMESTAMP
    return buffer
  }
}
