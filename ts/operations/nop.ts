// Nop: does nothing.

import type { EntryWriter } from '../entry/entry-writer.ts'
import { NopFlags } from '../flags/index.ts'
import { resolveFixedIndex } from './base/fixed-index.ts'
import { Operation } from './base/operation.ts'
import { type FileTarget, resolveFile } from '../arguments/file.ts'
import { flag, integer, invalidType, MAX_I32, checkOptions, integer64 } from '../arguments/validate.ts'

/** Options of {@link Nop} and {@link Nop128}. */
export interface NopOptions {
  /** Result to complete with; negative, an error number. 0 by default (6.10). */
  result?: number
  /** File that the kernel looks up (6.13). */
  file?: FileTarget
  /** Registered buffer that the kernel looks up, or its index (6.13). */
  fixedBuffer?: number | { readonly index: number }
  /** If set, completes through task work (6.16). */
  taskWork?: boolean
  /** The second half of a 32-byte completion, on a ring with `CQE32` (6.18). */
  extra?: readonly [number | bigint, number | bigint]
}

const MIN_I32 = -0x8000_0000
const MAX_U64 = (1n << 64n) - 1n

/**
 * Does nothing. Resolves to 0, or to the option `result`.
 *
 * Fails with the error number in `result`, `EBADF` (no such `file`), `EFAULT` (no such `fixedBuffer`). Since Linux
 * 5.1, its options later. See io_uring_prep_nop(3).
 */
export class Nop extends Operation<number> {
  static override readonly opcode = 0
  static override readonly since = '5.1'
  static override readonly syscall = 'nop'

  /** Result to complete with; absent, 0. */
  declare result: number | undefined
  /** File that the kernel looks up. */
  declare file: FileTarget | undefined
  /** Registered buffer that the kernel looks up, or its index. */
  declare fixedBuffer: number | { readonly index: number } | undefined
  /** If set, completes through task work. */
  declare taskWork: boolean
  /** The second half of a 32-byte completion. */
  declare extra: readonly [number | bigint, number | bigint] | undefined

  constructor(options?: NopOptions) {
    super()
    if (options !== undefined) setNop(this, options)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    const { result, file, fixedBuffer, taskWork, extra } = this
    if (
      result === undefined &&
      file === undefined &&
      fixedBuffer === undefined &&
      extra === undefined &&
      taskWork === false
    ) {
      entry.begin(Nop.opcode, this)
      entry.fd(-1)
    } else {
      encodeNop(this, entry)
    }
    return undefined
  }
}

// Defaults are in the prototype: few operations have any option, and without the fields one takes half the memory.
Object.assign(Nop.prototype, {
  result: undefined,
  file: undefined,
  fixedBuffer: undefined,
  taskWork: false,
  extra: undefined,
} satisfies Record<keyof NopOptions, unknown>)

/** Not in the constructor, which V8 inlines together with the loop around it as long as it is short. */
function setNop(nop: Nop, options: NopOptions): void {
  const { result, file, fixedBuffer, taskWork = false, extra } = checkOptions(options)
  nop.result = result
  nop.file = file
  nop.fixedBuffer = fixedBuffer
  nop.taskWork = taskWork
  nop.extra = extra
  checkNop(nop)
}

function encodeNop(nop: Nop, entry: EntryWriter): void {
  const { result, file, buffer, extra } = checkNop(nop)
  entry.begin(Nop.opcode, nop)
  entry.fd(file === undefined ? -1 : file < 0 ? -1 - file : file)
  let flags = 0
  if (result !== undefined) flags |= NopFlags.INJECT_RESULT
  if (file !== undefined) flags |= file < 0 ? NopFlags.FILE | NopFlags.FIXED_FILE : NopFlags.FILE
  if (buffer !== undefined) flags |= NopFlags.FIXED_BUFFER
  if (nop.taskWork) flags |= NopFlags.TW
  if (extra !== undefined) flags |= NopFlags.CQE32
  entry.opFlags(flags)
  entry.len(result ?? 0)
  entry.bufferIndex(buffer ?? 0)
  if (extra !== undefined) {
    entry.off(extra[0])
    entry.addr(extra[1])
  }
}

interface CheckedNop {
  readonly result: number | undefined
  readonly file: number | undefined
  readonly buffer: number | undefined
  readonly extra: readonly [number | bigint, number | bigint] | undefined
}

function checkNop({ result, file, fixedBuffer, taskWork, extra }: Nop): CheckedNop {
  flag(taskWork, 'options.taskWork')
  if (result !== undefined) integer(result, 'options.result', MIN_I32, MAX_I32)
  if (extra !== undefined) {
    if (!Array.isArray(extra) || extra.length !== 2)
      throw invalidType('options.extra', 'an array of two integers', extra)
    integer64(extra[0], 'options.extra[0]', 0n, MAX_U64)
    integer64(extra[1], 'options.extra[1]', 0n, MAX_U64)
  }
  return {
    result,
    file: file === undefined ? undefined : resolveFile(file, 'options.file'),
    buffer: fixedBuffer === undefined ? undefined : resolveFixedIndex(fixedBuffer),
    extra,
  }
}
