// Commands to drivers, and what else has entries of 128 bytes.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { NopFlags, SqeFlags, UringCmdFlags } from '../flags/index.ts'
import { addressOf, type Bytes, bytesLeft, checkBytes } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { checkFixed, fixedAddress, FixedBuffer } from '../arguments/fixed-buffer.ts'
import { checkFile, type FileTarget, resolveFile } from '../arguments/file.ts'
import {
  flag,
  integer,
  invalidType,
  mask,
  MAX_U16,
  MAX_U32,
  checkOptions,
  outOfRange,
  integer64,
} from '../arguments/validate.ts'
import { Nop, type NopOptions } from './rw.ts'

const MAX_U64 = (1n << 64n) - 1n
const NARROW_DATA = 16
const WIDE_DATA = 80

/** Options of {@link UringCmd16} and its kin. What they mean is the driver's affair. */
export interface UringCmdOptions {
  /** The data of the command: 16 bytes at most, or 80. Zeros follow where there are fewer. */
  data?: Bytes
  /** An address: memory, which is held until the command has completed, or any number. */
  address?: number | bigint | Bytes
  /** A length, a `u32`. */
  length?: number
  /** Another word, `optlen`, a `u32`. */
  optionLength?: number
  /** A registered buffer, or its slot; its memory stands for `address` and `length` where they are absent (6.1). */
  fixedBuffer?: FixedBuffer | number
  /** `UringCmdFlags`. */
  flags?: number
}

/** What a command points at: to be held, and looked at again in the end. */
interface CommandState {
  readonly memory: readonly Bytes[]
  readonly size: number
}

interface CheckedCommand {
  readonly command: number
  readonly data: Uint8Array | undefined
  readonly address: number | bigint
  readonly length: number
  readonly optionLength: number
  readonly buffer: number | undefined
  readonly flags: number
  readonly memory: readonly Bytes[]
}

/** What all commands share. */
abstract class Command extends Operation<number> {
  /** @internal */
  static override intact(result: number, state: unknown): boolean {
    const { memory, size } = state as CommandState
    return result < 0 || bytesOf(memory) >= size
  }

  /** The file. */
  file: FileTarget
  /** The number that the driver gave the command. */
  command: number
  /** The data of the command. */
  data: Bytes | undefined
  /** An address that the command takes. */
  address: number | bigint | Bytes | undefined
  /** A length that the command takes. */
  length: number | undefined
  /** Another word that the command takes. */
  optionLength: number
  /** A registered buffer, or its slot. */
  fixedBuffer: FixedBuffer | number | undefined
  /** `UringCmdFlags`. */
  flags: number

  constructor(file: FileTarget, command: number, options: UringCmdOptions | undefined, most: number) {
    super()
    const { data, address, length, optionLength = 0, fixedBuffer, flags = 0 } = checkOptions(options)
    this.file = checkFile(file)
    this.command = command
    this.data = data
    this.address = address
    this.length = length
    this.optionLength = optionLength
    this.fixedBuffer = fixedBuffer
    this.flags = flags
    checkCommand(this, most)
  }

  protected encodeCommand(entry: EntryWriter, opcode: number, most: number): CommandState {
    const checked = checkCommand(this, most)
    const { memory, buffer, data } = checked
    if (most === NARROW_DATA) {
      entry.beginFile(opcode, this, this.file)
    } else {
      const file = resolveFile(this.file, 'file')
      entry.require(opcode, this.operationClass)
      entry.beginSqe128(opcode, this)
      if (file < 0) entry.flags(SqeFlags.FIXED_FILE)
      entry.fd(file < 0 ? -1 - file : file)
    }
    entry.commandOp(checked.command)
    entry.addr(checked.address)
    entry.len(checked.length)
    entry.word(checked.optionLength)
    entry.opFlags(checked.flags)
    if (buffer !== undefined) {
      entry.opFlags(UringCmdFlags.FIXED)
      entry.bufferIndex(buffer)
    }
    if (data !== undefined) entry.command(data)
    return { memory, size: bytesOf(memory) }
  }
}

function bytesOf(memory: readonly Bytes[]): number {
  return memory.reduce((sum, bytes) => sum + bytesLeft(bytes), 0)
}

function checkCommand(options: Command, most: number): CheckedCommand {
  const { data, address, length, fixedBuffer } = options
  const view =
    fixedBuffer instanceof FixedBuffer ? checkFixed(fixedBuffer, 'options.fixedBuffer').view : undefined
  const memory: Bytes[] = []
  let place: number | bigint = 0
  if (typeof address === 'number' || typeof address === 'bigint') {
    place = integer64(address, 'options.address', 0n, MAX_U64)
  } else if (address !== undefined) {
    memory.push(checkMemory(address))
    place = bytesLeft(address) === 0 ? 0 : addressOf(address)
  } else if (fixedBuffer instanceof FixedBuffer) {
    place = fixedAddress(fixedBuffer)
  }
  if (view !== undefined) memory.push(view)
  return {
    command: mask(options.command, 'command'),
    data: data === undefined ? undefined : checkData(data, most),
    address: place,
    length: integer(length === undefined ? (view?.byteLength ?? 0) : length, 'options.length', 0, MAX_U32),
    optionLength: integer(options.optionLength, 'options.optionLength', 0, MAX_U32),
    buffer: fixedBuffer === undefined ? undefined : indexOf(fixedBuffer),
    flags: mask(options.flags, 'options.flags'),
    memory,
  }
}

function checkMemory(address: unknown): Bytes {
  if (typeof address === 'object' && address !== null) return checkBytes(address, 'options.address')
  throw invalidType(
    'options.address',
    'of type number or bigint, or an instance of Buffer, TypedArray, DataView, ArrayBuffer, or SharedArrayBuffer',
    address,
  )
}

function checkData(data: Bytes, most: number): Uint8Array {
  const byteLength = bytesLeft(checkBytes(data, 'options.data'))
  if (byteLength === 0) return new Uint8Array(0)
  if (byteLength > most) throw outOfRange('options.data.byteLength', `<= ${most}`, byteLength)
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, byteLength)
    : new Uint8Array(data)
}

function indexOf(buffer: FixedBuffer | number): number {
  if (buffer instanceof FixedBuffer) return buffer.index
  if (typeof buffer === 'number') return integer(buffer, 'options.fixedBuffer', 0, MAX_U16)
  throw invalidType('options.fixedBuffer', 'of type number, or an instance of FixedBuffer', buffer)
}

/**
 * Gives a command to a driver, with 16 bytes of data. Resolves to what the driver answers.
 *
 * **Unsafe** where the driver reads or writes at addresses: memory given as `address` is held, numbers are taken as they
 * are.
 *
 * Fails with `ENOTSUP` (a file without commands, or an unknown one), and as the driver says. Since Linux 5.19. See
 * io_uring_prep_uring_cmd(3).
 */
export class UringCmd16 extends Command {
  static override readonly opcode = 46
  static override readonly since = '5.19'
  static override readonly syscall = 'uring_cmd'

  constructor(file: FileTarget, command: number, options?: UringCmdOptions) {
    super(file, command, options, NARROW_DATA)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodeCommand(entry, UringCmd16.opcode, NARROW_DATA)
  }
}

/**
 * Gives a command to a driver, with 80 bytes of data, on a ring made with `sqe128`. Resolves to what the driver answers.
 *
 * **Unsafe**, and fails, as {@link UringCmd16}. Since Linux 5.19. See io_uring_prep_uring_cmd(3).
 */
export class UringCmd80 extends Command {
  static override readonly opcode = 46
  static override readonly since = '5.19'
  static override readonly syscall = 'uring_cmd'
  /** @internal */
  static override readonly sqe128 = true

  constructor(file: FileTarget, command: number, options?: UringCmdOptions) {
    super(file, command, options, WIDE_DATA)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodeCommand(entry, UringCmd80.opcode, WIDE_DATA)
  }
}

/**
 * Gives a command to a driver, with 80 bytes of data, in an entry that says by itself that it has 128 bytes. Resolves to
 * what the driver answers.
 *
 * **Unsafe**, and fails, as {@link UringCmd16}. Since Linux 6.19. See io_uring_prep_uring_cmd128(3).
 */
export class UringCmd128 extends Command {
  static override readonly opcode = 64
  static override readonly since = '6.19'
  static override readonly syscall = 'uring_cmd'
  /** @internal */
  static override readonly sqe128 = true

  constructor(file: FileTarget, command: number, options?: UringCmdOptions) {
    super(file, command, options, WIDE_DATA)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    return this.encodeCommand(entry, UringCmd128.opcode, WIDE_DATA)
  }
}

/**
 * Does nothing, and completes, in an entry of 128 bytes: with 0, or with the result that it was given. Resolves to that
 * result.
 *
 * Since Linux 6.19. See io_uring_prep_nop(3).
 */
export class Nop128 extends Operation<number> {
  static override readonly opcode = 63
  static override readonly since = '6.19'
  static override readonly syscall = 'nop'
  /** @internal */
  static override readonly sqe128 = true

  /** What it resolves to. */
  result: number | undefined
  /** A file that is looked up. */
  file: FileTarget | undefined
  /** A registered buffer that is looked up. */
  fixedBuffer: number | { readonly index: number } | undefined
  /** Whether it completes through task work. */
  taskWork: boolean
  /** The other half of a 32-byte completion. */
  extra: readonly [number | bigint, number | bigint] | undefined

  constructor(options?: NopOptions) {
    super()
    const { result, file, fixedBuffer, taskWork = false, extra } = checkOptions(options)
    this.result = result
    this.file = file
    this.fixedBuffer = fixedBuffer
    this.taskWork = taskWork
    this.extra = extra
    checkNop128(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { result, file, extra } = this
    const buffer = checkNop128(this)
    const resolved = file === undefined ? undefined : resolveFile(file, 'options.file')
    entry.require(Nop128.opcode, this.operationClass)
    entry.beginSqe128(Nop128.opcode, this)
    entry.fd(resolved === undefined ? -1 : resolved < 0 ? -1 - resolved : resolved)
    if (resolved !== undefined)
      entry.opFlags(resolved < 0 ? NopFlags.FILE | NopFlags.FIXED_FILE : NopFlags.FILE)
    if (this.taskWork) entry.opFlags(NopFlags.TW)
    if (result !== undefined) {
      entry.opFlags(NopFlags.INJECT_RESULT)
      entry.len(result)
    }
    if (buffer !== undefined) {
      entry.opFlags(NopFlags.FIXED_BUFFER)
      entry.bufferIndex(buffer)
    }
    if (extra !== undefined) {
      entry.opFlags(NopFlags.CQE32)
      entry.off(extra[0])
      entry.addr(extra[1])
    }
    return undefined
  }
}

/** Checks what a `Nop` checks, and gives the registered buffer. */
function checkNop128({ result, file, fixedBuffer, taskWork, extra }: Nop128): number | undefined {
  void new Nop({
    result,
    file,
    fixedBuffer,
    taskWork: flag(taskWork, 'options.taskWork'),
    extra,
  } as NopOptions)
  return typeof fixedBuffer === 'object' ? fixedBuffer.index : fixedBuffer
}
