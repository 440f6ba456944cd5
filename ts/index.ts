/**
 * io_uring for Node.js.
 *
 * @example
 * ```ts
 * import { Ring, Write, Fsync } from 'uring'
 *
 * using ring = new Ring({ entries: 32 })
 * ring.push(new Write(fd, data, { offset: 0 }).link(), 'write')
 * ring.push(new Fsync(fd), 'sync')
 * ring.submit()
 * const done = ring.wait()
 * ```
 *
 * @module
 */

export { Completion, type CompletionSource } from './completion.ts'
export { Entry } from './entry.ts'
export { UringError } from './errors.ts'
export * from './flags.ts'
export type { OperationClass } from './kind.ts'
export type { Bytes } from './memory.ts'
export { Operation } from './operation.ts'
export { AsyncCancel, type AsyncCancelOptions, type CancelTarget } from './operations/cancel.ts'
export {
  type GroupBuffer,
  Nop,
  type NopOptions,
  Read,
  Readv,
  type TransferOptions,
  Write,
  Writev,
} from './operations/data.ts'
export { Close, Fsync, type FsyncOptions } from './operations/files.ts'
export { OpenAt, type OpenAtOptions, Statx, type StatxOptions } from './operations/paths.ts'
export { type Clock, Timeout, type TimeoutOptions, TimeoutRemove } from './operations/timeouts.ts'
export type { ModeOptions } from './options.ts'
export type { Path } from './path.ts'
export { type Direct, type FileTarget, FixedFile } from './registered/files.ts'
export { Ring, type RingOptions, type WaitOptions } from './ring.ts'
export type { Token } from './slots.ts'
export type { BigIntStats, Stats, StatsBase } from './stats.ts'
export type { Time } from './time.ts'
