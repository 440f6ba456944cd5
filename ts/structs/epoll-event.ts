// `struct epoll_event`: 12 bytes without a gap on x86_64, 16 bytes everywhere else.

/** What an epoll waits for, or what happened. */
export interface EpollEvent {
  /** `PollEvents`. */
  readonly events: number
  /** The number that `EpollCtl` gave along, whether it was a number or a bigint there. */
  readonly data: bigint
}

const PACKED = process.arch === 'x64'

/** Bytes of an event. */
export function eventBytes(packed: boolean = PACKED): number {
  return packed ? 12 : 16
}

/** Writes an event at the start of `bytes`. */
export function encodeEvent(
  bytes: Buffer,
  events: number,
  data: number | bigint,
  packed: boolean = PACKED,
): void {
  bytes.writeUInt32LE(events, 0)
  bytes.writeBigUInt64LE(BigInt(data), packed ? 4 : 8)
}

/** The first `count` events in `bytes`. */
export function decodeEvents(bytes: Buffer, count: number, packed: boolean = PACKED): EpollEvent[] {
  const size = eventBytes(packed)
  return Array.from({ length: count }, (_, index) => {
    const at = index * size
    return { events: bytes.readUInt32LE(at), data: bytes.readBigUInt64LE(at + (packed ? 4 : 8)) }
  })
}
