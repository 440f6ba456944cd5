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

export type { Address, InternetAddress, SocketAddress, UnixAddress } from './address.ts'
export { Completion, type CompletionSource } from './completion.ts'
export type { Directory } from './directory.ts'
export { Entry } from './entry.ts'
export { chain, each, run, start } from './default.ts'
export type { OperationMessage } from './diagnostics.ts'
export { AbortError, ChainError, type Outcome, TimeoutError, UringError } from './errors.ts'
export * from './flags.ts'
export type { ChainOptions, EachOptions, RunOptions, StartOptions } from './flow.ts'
export type { GroupBuffer, GroupTarget, Received } from './group.ts'
export type { Integrity } from './integrity.ts'
export type { OperationClass } from './kind.ts'
export type { Bytes } from './memory.ts'
export { Message, type MessagesOptions } from './messages.ts'
export { Operation } from './operation.ts'
export * from './operations/buffers.ts'
export { AsyncCancel, type AsyncCancelOptions, type CancelTarget } from './operations/cancel.ts'
export * from './operations/commands.ts'
export {
  Nop,
  type NopOptions,
  Read,
  Readv,
  type TransferOptions,
  Write,
  type WriteOptions,
  Writev,
} from './operations/data.ts'
export * from './operations/epoll.ts'
export { Close, Fsync, type FsyncOptions } from './operations/files.ts'
export * from './operations/fixed.ts'
export * from './operations/futex.ts'
export * from './operations/messages.ts'
export * from './operations/namespace.ts'
export { OpenAt, type OpenAtOptions, Statx, type StatxOptions } from './operations/paths.ts'
export * from './operations/pipes.ts'
export * from './operations/polls.ts'
export * from './operations/process.ts'
export * from './operations/ranges.ts'
export {
  MsgRingData,
  type MsgRingDataOptions,
  MsgRingSendFd,
  type MsgRingSendFdOptions,
  type RingTarget,
} from './operations/rings.ts'
export * from './operations/slots.ts'
export * from './operations/sockets.ts'
export * from './operations/sockopts.ts'
export * from './operations/streams.ts'
export {
  type Clock,
  LinkTimeout,
  type LinkTimeoutOptions,
  Timeout,
  type TimeoutOptions,
  TimeoutRemove,
  TimeoutUpdate,
  type TimeoutUpdateOptions,
} from './operations/timeouts.ts'
export * from './operations/xattr.ts'
export type { ModeOptions } from './options.ts'
export type { Path } from './path.ts'
export type { Remedies } from './remedies.ts'
export { allocate, type AllocateOptions } from './registered/allocate.ts'
export { BufferRing, type BufferRingOptions } from './registered/bufferring.ts'
export { FixedBuffer } from './registered/buffers.ts'
export {
  BufferTable,
  type CloneBuffersOptions,
  type RegisterBuffersOptions,
} from './registered/buffertable.ts'
export type { CancelSyncOptions } from './registered/cancelling.ts'
export type { WaitClock } from './registered/clock.ts'
export type { RegisterEventfdOptions } from './registered/eventfd.ts'
export { type Direct, type FileTarget, FixedFile, SKIP_FILE } from './registered/files.ts'
export { FileTable, type FileTableOptions } from './registered/filetable.ts'
export type { RingReference } from './registered/messages.ts'
export type { NapiOptions, NapiSettings } from './registered/napi.ts'
export { Probe, type Query, type RingsQuery, type ZcrxQuery } from './registered/query.ts'
export { Region, type RegionOptions, type RegionWait } from './registered/region.ts'
export type { ResizeOptions } from './registered/resizing.ts'
export type { Restriction } from './registered/restrictions.ts'
export type { MaxWorkers } from './registered/workers.ts'
export { type ZcrxOptions, ZcrxQueue } from './registered/zcrx.ts'
export { type Results, Ring, type RingOptions, type RingStats, type WaitOptions } from './ring.ts'
export type { Token } from './slots.ts'
export type { BigIntStats, Stats, StatsBase } from './stats.ts'
export { type Support, support, type UnavailableReason } from './support.ts'
export type { Time } from './time.ts'
