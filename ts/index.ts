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

export type { Address, InternetAddress, SocketAddress, UnixAddress } from './structs/sockaddr.ts'
export { Completion, type CompletionSource } from './ring/completion.ts'
export type { Directory } from './arguments/directory.ts'
export { Entry } from './entry/entry.ts'
export { chain, each, run, start } from './default-ring.ts'
export type { OperationMessage } from './async/diagnostics.ts'
export { AbortError, ChainError, type Outcome, TimeoutError, UringError } from './errors.ts'
export * from './flags/index.ts'
export type { ChainOptions, EachOptions, RunOptions, StartOptions } from './async/flow.ts'
export type { GroupBuffer, GroupTarget } from './arguments/buffer-group.ts'
export type { Received } from './buffers/received.ts'
export type { Integrity } from './structs/attr-pi.ts'
export type { OperationClass } from './operations/base/operation-class.ts'
export type { Bytes } from './memory/address-of.ts'
export { Message, type MessagesOptions } from './async/messages.ts'
export { Operation } from './operations/base/operation.ts'
export * from './operations/provide-buffers.ts'
export * from './operations/cancel.ts'
export * from './operations/uring-cmd.ts'
export * from './operations/nop.ts'
export * from './operations/rw.ts'
export * from './operations/epoll.ts'
export * from './operations/rw-fixed.ts'
export * from './operations/futex.ts'
export * from './operations/sendmsg.ts'
export * from './operations/fs.ts'
export * from './operations/openclose.ts'
export * from './operations/statx.ts'
export * from './operations/splice.ts'
export * from './operations/poll.ts'
export * from './operations/waitid.ts'
export * from './operations/sync.ts'
export * from './operations/advise.ts'
export * from './operations/truncate.ts'
export * from './operations/msg-ring.ts'
export * from './operations/files-update.ts'
export * from './operations/socket.ts'
export * from './operations/sockopt.ts'
export * from './operations/send-recv.ts'
export * from './operations/timeout.ts'
export * from './operations/xattr.ts'
export type { ModeOptions } from './ring/setup.ts'
export type { Path } from './arguments/path.ts'
export type { Remedies } from './system/remedies.ts'
export { allocate, type AllocateOptions } from './memory/allocate.ts'
export { BufferRing, type BufferRingOptions } from './buffers/buffer-ring.ts'
export { FixedBuffer } from './arguments/fixed-buffer.ts'
export {
  BufferTable,
  type CloneBuffersOptions,
  type RegisterBuffersOptions,
} from './registered/buffer-table.ts'
export type { CancelSyncOptions } from './registered/cancel-sync.ts'
export type { WaitClock } from './registered/clock.ts'
export type { RegisterEventfdOptions } from './registered/eventfd.ts'
export { type Direct, type FileTarget, FixedFile, SKIP_FILE } from './arguments/file.ts'
export { FileTable, type FileTableOptions } from './registered/file-table.ts'
export type { RingReference } from './registered/send-message.ts'
export type { NapiOptions, NapiSettings } from './registered/napi.ts'
export { Probe, type Query, type RingsQuery, type ZcrxQuery } from './registered/query.ts'
export { Region, type RegionOptions, type RegionWait } from './registered/region.ts'
export type { ResizeOptions } from './registered/resize.ts'
export type { Restriction } from './registered/restrictions.ts'
export type { MaxWorkers } from './registered/workers.ts'
export { type ZcrxOptions, ZcrxQueue } from './registered/zcrx.ts'
export { type Results, Ring, type RingOptions, type RingStats, type WaitOptions } from './ring.ts'
export type { Token } from './entry/token.ts'
export type { BigIntStats, Stats, StatsBase } from './structs/statx.ts'
export { type Support, support, type UnavailableReason } from './system/support.ts'
export type { Time } from './structs/timespec.ts'
