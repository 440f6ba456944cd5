// `struct epoll_event`: 12 bytes (packed) on x86_64, 16 bytes on all other platforms.

/** An event of an epoll instance, as `EpollWait` returns it. */
export interface EpollEvent {
  /** The events that occurred, `PollEvents`. */
  readonly events: number
  /** The `data` that was passed to `EpollCtl`; always a bigint. */
  readonly data: bigint
}

const PACKED = process.arch === 'x64'

/** Returns the size of an event in bytes. */
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

/** Decodes the first `count` events in `bytes`. */
export function decodeEvents(bytes: Buffer, count: number, packed: boolean = PACKED): EpollEvent[] {
  const size = eventBytes(packed)
  return Array.from({ length: count }, (_, index) => {
    const at = index * size
    return { events: bytes.readUInt32LE(at), data: bytes.readBigUInt64LE(at + (packed ? 4 : 8)) }
  })
}
