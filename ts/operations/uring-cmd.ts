// Commands to drivers, and the other operations with entries of 128 bytes.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { NopFlags, UringCmdFlags } from '../flags/index.ts'
import { addressOf, type Bytes, bytesLeft, checkBytes } from '../memory/address-of.ts'
import { Operation } from './base/operation.ts'
import { writeFile } from './base/write-file.ts'
import { checkFixed, fixedAddress, FixedBuffer } from '../arguments/fixed-buffer.ts'
import { type FileTarget, resolveFile } from '../arguments/file.ts'
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
import { Nop, type NopOptions } from './nop.ts'

const MAX_U64 = (1n << 64n) - 1n
/** Bytes of data in an ordinary entry, and in one of 128 bytes. */
const DATA_BYTES = 16
const SQE128_DATA_BYTES = 80

/** Options of {@link UringCmd16}, {@link UringCmd80} and {@link UringCmd128}. The driver defines what they mean. */
export interface UringCmdOptions {
  /** The data of the command: 16 bytes at most for `UringCmd16`, or else 80. Shorter data is padded with zeros. */
  data?: Bytes
  /** The address field: memory, which is kept alive until the command has completed, or any number. */
  address?: number | bigint | Bytes
  /** The length field, a `u32`; absent, the bytes of `fixedBuffer`, or 0. */
  length?: number
  /** The field `optlen`, a `u32`; 0 by default. */
  optionLength?: number
  /** A registered buffer, or its slot; a buffer is also the default of `address` and `length` (6.1). */
  fixedBuffer?: FixedBuffer | number
  /** `UringCmdFlags`; 0 by default. */
  flags?: number
}

/** The memory that a command uses, and its size at the submission. */
interface CommandState {
  readonly memory: readonly Bytes[]
  readonly size: number
}

/** A command to the driver of a file. */
abstract class Command extends Operation<number> {
  /** @internal */
  static override intact(result: number, state: unknown): boolean {
    const { memory, size } = state as CommandState
    return result < 0 || bytesOf(memory) >= size
  }

  /** The file. */
  file: FileTarget
  /** The driver's number for the command, a `u32`. */
  command: number
  /** The data of the command. */
  data: Bytes | undefined
  /** The address field: memory, or any number. */
  address: number | bigint | Bytes | undefined
  /** The length field, a `u32`. */
  length: number | undefined
  /** The field `optlen`, a `u32`. */
  optionLength: number
  /** A registered buffer, or its slot. */
  fixedBuffer: FixedBuffer | number | undefined
  /** `UringCmdFlags`. */
  flags: number

  constructor(file: FileTarget, command: number, options?: UringCmdOptions) {
    super()
    const { data, address, length, optionLength = 0, fixedBuffer, flags = 0 } = checkOptions(options)
    this.file = file
    this.command = command
    this.data = data
    this.address = address
    this.length = length
    this.optionLength = optionLength
    this.fixedBuffer = fixedBuffer
    this.flags = flags
    checkCommand(this)
  }

  /** @internal */
  override encode(entry: EntryWriter): CommandState {
    const checked = checkCommand(this)
    const { memory, buffer, data } = checked
    beginSized(entry, this)
    writeFile(entry, checked.file)
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

/** Starts an entry of the size that the operation class needs. */
function beginSized(entry: EntryWriter, operation: Operation<unknown>): void {
  const { operationClass } = operation
  const { opcode } = operationClass
  if (operationClass.sqe128) {
    // Before the size of the entry, because a kernel without the operation is the more useful of the two errors.
    entry.require(opcode, operationClass)
    entry.beginSqe128(opcode, operation)
  } else {
    entry.begin(opcode, operation)
  }
}

function bytesOf(memory: readonly Bytes[]): number {
  return memory.reduce((sum, bytes) => sum + bytesLeft(bytes), 0)
}

interface CheckedCommand {
  readonly file: number
  readonly command: number
  readonly data: Uint8Array | undefined
  readonly address: number | bigint
  readonly length: number
  readonly optionLength: number
  readonly buffer: number | undefined
  readonly flags: number
  readonly memory: readonly Bytes[]
}

function checkCommand(operation: Command): CheckedCommand {
  const { data, address, length, fixedBuffer } = operation
  const file = resolveFile(operation.file, 'file')
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
  const capacity = operation.operationClass.sqe128 ? SQE128_DATA_BYTES : DATA_BYTES
  return {
    file,
    command: mask(operation.command, 'command'),
    data: data === undefined ? undefined : checkData(data, capacity),
    address: place,
    length: integer(length === undefined ? (view?.byteLength ?? 0) : length, 'options.length', 0, MAX_U32),
    optionLength: integer(operation.optionLength, 'options.optionLength', 0, MAX_U32),
    buffer: fixedBuffer === undefined ? undefined : indexOf(fixedBuffer),
    flags: mask(operation.flags, 'options.flags'),
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

function checkData(data: Bytes, capacity: number): Uint8Array {
  const byteLength = bytesLeft(checkBytes(data, 'options.data'))
  if (byteLength === 0) return new Uint8Array(0)
  if (byteLength > capacity) throw outOfRange('options.data.byteLength', `<= ${capacity}`, byteLength)
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
 * Sends a command to the driver of a file, with up to 16 bytes of data. Resolves to the result of the driver.
 *
 * **Unsafe** where the driver reads or writes at addresses: memory that is given as `address` is kept alive, but a
 * number is passed on unchecked.
 *
 * Fails with `ENOTSUP` (a file without commands, or an unknown command), and with the errors of the driver. Since Linux
 * 5.19. See io_uring_prep_uring_cmd(3).
 */
export class UringCmd16 extends Command {
  static override readonly opcode = 46
  static override readonly since = '5.19'
  static override readonly syscall = 'uring_cmd'
}

/**
 * Sends a command to the driver of a file, with up to 80 bytes of data, on a ring made with `sqe128`. Resolves to the
 * result of the driver.
 *
 * **Unsafe**, and fails, as {@link UringCmd16}. Since Linux 5.19. See io_uring_prep_uring_cmd(3).
 */
export class UringCmd80 extends Command {
  static override readonly opcode = 46
  static override readonly since = '5.19'
  static override readonly syscall = 'uring_cmd'
  /** @internal */
  static override readonly sqe128 = true
}

/**
 * Sends a command to the driver of a file, with up to 80 bytes of data, in an entry that its opcode marks as one of 128
 * bytes. Resolves to the result of the driver.
 *
 * **Unsafe**, and fails, as {@link UringCmd16}. Since Linux 6.19. See io_uring_prep_uring_cmd128(3).
 */
export class UringCmd128 extends Command {
  static override readonly opcode = 64
  static override readonly since = '6.19'
  static override readonly syscall = 'uring_cmd'
  /** @internal */
  static override readonly sqe128 = true
}

/**
 * Does nothing, and completes, in an entry of 128 bytes. Resolves to 0, or to the `result` that it was given.
 *
 * Since Linux 6.19. See io_uring_prep_nop(3).
 */
export class Nop128 extends Operation<number> {
  static override readonly opcode = 63
  static override readonly since = '6.19'
  static override readonly syscall = 'nop'
  /** @internal */
  static override readonly sqe128 = true

  /** The result; absent, 0. */
  result: number | undefined
  /** A file that the kernel looks up. */
  file: FileTarget | undefined
  /** A registered buffer that the kernel looks up. */
  fixedBuffer: number | { readonly index: number } | undefined
  /** If set, it completes through task work. */
  taskWork: boolean
  /** The second half of a 32-byte completion (CQE32). */
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
    const { result, file, buffer, taskWork, extra } = checkNop128(this)
    beginSized(entry, this)
    entry.fd(file === undefined ? -1 : file < 0 ? -1 - file : file)
    if (file !== undefined) entry.opFlags(file < 0 ? NopFlags.FILE | NopFlags.FIXED_FILE : NopFlags.FILE)
    if (taskWork) entry.opFlags(NopFlags.TW)
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

interface CheckedNop128 {
  readonly result: number | undefined
  readonly file: number | undefined
  readonly buffer: number | undefined
  readonly taskWork: boolean
  readonly extra: Nop128['extra']
}

function checkNop128({ result, file, fixedBuffer, taskWork, extra }: Nop128): CheckedNop128 {
  flag(taskWork, 'options.taskWork')
  // A Nop has the same arguments, and checks them.
  void new Nop({ result, file, fixedBuffer, taskWork, extra } as NopOptions)
  return {
    result,
    file: file === undefined ? undefined : resolveFile(file, 'options.file'),
    buffer: typeof fixedBuffer === 'object' ? fixedBuffer.index : fixedBuffer,
    taskWork,
    extra,
  }
}
