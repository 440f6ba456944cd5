// A mapped ring: its queues as typed arrays, and the operations that need only its memory.

import { closedError, UringError } from '../errors.ts'
import { integer } from '../arguments/validate.ts'
import { IORING_CQE_F_32, IORING_CQE_F_SKIP } from './entries.ts'
import {
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_SQ_REWIND,
  IORING_SETUP_SQPOLL,
  IORING_SQ_CQ_OVERFLOW,
  IORING_SQ_NEED_WAKEUP,
} from './rings.ts'
import { structs } from './structs.ts'

const CQE = structs.io_uring_cqe.fields

/** The submission queue in memory shared with the kernel. Each array other than `array` has one element. */
export interface SubmissionQueue {
  /** The head, written by the kernel: the position after the last entry that it has consumed. */
  readonly head: Uint32Array
  /** The tail, written by the program: the position after the last published entry. */
  readonly tail: Uint32Array
  /** Flags, written by the kernel: `IORING_SQ_NEED_WAKEUP`, `IORING_SQ_CQ_OVERFLOW`, `IORING_SQ_TASKRUN`. */
  readonly flags: Uint32Array
  /** The number of entries that the kernel dropped because of an invalid index in `array`. */
  readonly dropped: Uint32Array
  /** The index of the entry at each position; `undefined` with `IORING_SETUP_NO_SQARRAY`. */
  readonly array: Uint32Array | undefined
  /** The mask of positions: the bitwise AND of a head or tail with it is an index into the queue. */
  readonly ringMask: number
  /** The number of entries of the queue. */
  readonly ringEntries: number
}

/** The completion queue in memory shared with the kernel. */
export interface CompletionQueue {
  /** The head, written by the program: the position after the last completion that it has consumed. */
  readonly head: Uint32Array
  /** The tail, written by the kernel: the position after the last completion. */
  readonly tail: Uint32Array
  /** The number of completions that were lost, on kernels without `IORING_FEAT_NODROP`. */
  readonly overflow: Uint32Array
  /** Flags, written by the program: `IORING_CQ_EVENTFD_DISABLED`; `undefined` before Linux 5.8. */
  readonly flags: Uint32Array | undefined
  /** All completions, `cqeSize` bytes each. */
  readonly cqes: Uint8Array
  /** The mask of positions: the bitwise AND of a head or tail with it is an index into the queue. */
  readonly ringMask: number
  /** The number of entries of the queue. */
  readonly ringEntries: number
}

/** A completion, copied from the queue. */
export interface Cqe {
  /** The `user_data` of its entry. */
  readonly userData: bigint
  /** The kernel's result, or `-errno`. */
  readonly res: number
  /** `IORING_CQE_F_*`. */
  readonly flags: number
  /** The second half of a 32-byte completion; `undefined` for one of 16 bytes. */
  readonly extra: readonly [bigint, bigint] | undefined
}

/** A mapping of a part of a ring. @internal */
export interface Region {
  readonly mapping: { detach(buffer: ArrayBuffer): boolean; unmap(): void }
  readonly buffer: ArrayBuffer
}

// Node.js 20 has no `transfer`, so native code detaches there. Where it exists, it is used instead: native code that
// detaches a locked buffer ends the process.
const transfer: ((this: ArrayBuffer, length: number) => ArrayBuffer) | undefined =
  ArrayBuffer.prototype.transfer

/** Unmaps a region; returns false if it stays mapped until it is collected. @internal */
export function unmapRegion({ mapping, buffer }: Region): boolean {
  // A buffer that was transferred cannot be detached again; the buffer that it was transferred to keeps the memory.
  if (transfer === undefined) {
    if (!mapping.detach(buffer)) return false
  } else {
    try {
      transfer.call(buffer, 0)
    } catch {
      return false // transferred or locked
    }
  }
  mapping.unmap()
  return true
}

/**
 * A mapped ring, created by `mapRing`, with the operations that need only its memory. Methods and getters throw
 * `ERR_URING_CLOSED` after {@link unmap}.
 *
 * **Unsafe.** The kernel executes each entry that it consumes, whatever memory the entry points at.
 */
export class MappedRing {
  /** The submission queue. */
  readonly sq: SubmissionQueue
  /** The completion queue. */
  readonly cq: CompletionQueue
  /** All submission queue entries, `sqeSize` bytes each. */
  readonly sqes: Uint8Array
  /** The size of an entry in bytes: 64, or 128 with `IORING_SETUP_SQE128`. */
  readonly sqeSize: number
  /** The size of a completion in bytes: 16, or 32 with `IORING_SETUP_CQE32`. */
  readonly cqeSize: number
  private readonly setupFlags: number
  private readonly regions: readonly Region[]
  private readonly completions: DataView
  /** Positions after the last entry that getSqe() returned, and after the last one that flush() published. */
  private handedOut: number
  private published: number
  private unmapped = false

  /** @internal */
  constructor(
    sq: SubmissionQueue,
    cq: CompletionQueue,
    sqes: Uint8Array,
    setupFlags: number,
    regions: readonly Region[],
  ) {
    this.sq = sq
    this.cq = cq
    this.sqes = sqes
    this.sqeSize = sqes.byteLength / sq.ringEntries
    this.cqeSize = cq.cqes.byteLength / cq.ringEntries
    this.setupFlags = setupFlags
    this.regions = regions
    this.completions = new DataView(cq.cqes.buffer, cq.cqes.byteOffset, cq.cqes.byteLength)
    this.handedOut = Atomics.load(sq.tail, 0)
    this.published = this.handedOut
  }

  private check(): void {
    if (this.unmapped) throw closedError()
  }

  /**
   * Returns the next free entry, zeroed, or `undefined` if the queue is full. {@link flush} publishes it: do not change
   * the tail by hand as well.
   *
   * @throws {UringError} `ERR_URING_UNSUPPORTED`: the ring has `IORING_SETUP_SQ_REWIND`, and so no tail
   */
  getSqe(): DataView | undefined {
    this.checkTail()
    if (this.sqSpaceLeft === 0) return undefined
    const at = (this.handedOut & this.sq.ringMask) * this.sqeSize
    this.handedOut = (this.handedOut + 1) >>> 0
    this.sqes.fill(0, at, at + this.sqeSize)
    return new DataView(this.sqes.buffer, this.sqes.byteOffset + at, this.sqeSize)
  }

  /**
   * Publishes the entries that {@link getSqe} returned, without a system call; returns {@link sqReady}.
   *
   * @throws {UringError} `ERR_URING_UNSUPPORTED`: the ring has `IORING_SETUP_SQ_REWIND`, and so no tail
   */
  flush(): number {
    this.checkTail()
    const { array, ringMask, tail } = this.sq
    for (; this.published !== this.handedOut; this.published = (this.published + 1) >>> 0) {
      if (array !== undefined) array[this.published & ringMask] = this.published & ringMask
    }
    Atomics.store(tail, 0, this.published) // the entries are visible to the kernel before the tail
    return this.sqReady
  }

  private checkTail(): void {
    this.check()
    if ((this.setupFlags & IORING_SETUP_SQ_REWIND) !== 0)
      throw new UringError(
        'ERR_URING_UNSUPPORTED',
        'A ring with IORING_SETUP_SQ_REWIND has no tail. Write entries to the start of sqes, and pass their number to ioUringEnter()',
      )
  }

  /** The number of entries that {@link getSqe} returned and that the kernel has not consumed. */
  get sqReady(): number {
    this.check()
    return (this.handedOut - Atomics.load(this.sq.head, 0)) >>> 0
  }

  /** The number of entries that {@link getSqe} can still return. */
  get sqSpaceLeft(): number {
    return Math.max(this.sq.ringEntries - this.sqReady, 0)
  }

  /**
   * True if published entries need a call of `ioUringEnter`: always, except with `IORING_SETUP_SQPOLL` while the
   * polling thread is awake. `IORING_ENTER_SQ_WAKEUP` wakes a sleeping thread.
   */
  get sqNeedsEnter(): boolean {
    this.check()
    // Sequentially consistent, as is the store of the tail: the thread reads the tail again after it has set the flag.
    const flags = Atomics.load(this.sq.flags, 0)
    return (this.setupFlags & IORING_SETUP_SQPOLL) === 0 || (flags & IORING_SQ_NEED_WAKEUP) !== 0
  }

  /** The number of positions of the completion queue that hold completions. */
  get cqReady(): number {
    this.check()
    return (Atomics.load(this.cq.tail, 0) - Atomics.load(this.cq.head, 0)) >>> 0
  }

  /** True if completions have overflowed into the kernel: `IORING_ENTER_GETEVENTS` moves them to the queue. */
  get cqNeedsFlush(): boolean {
    this.check()
    return (Atomics.load(this.sq.flags, 0) & IORING_SQ_CQ_OVERFLOW) !== 0
  }

  /** Returns the oldest completion, or `undefined` if there is none. It stays in the queue until {@link cqeSeen}. */
  peekCqe(): Cqe | undefined {
    this.skipFiller()
    return this.cqReady === 0 ? undefined : this.read(Atomics.load(this.cq.head, 0))
  }

  /** Removes the oldest completion from the queue. @throws {RangeError} `ERR_OUT_OF_RANGE`: there is none */
  cqeSeen(): void {
    this.skipFiller()
    this.cqAdvance(this.cqReady === 0 ? 1 : this.places(Atomics.load(this.cq.head, 0)))
  }

  /**
   * Returns the `count` oldest positions of the completion queue to the kernel.
   *
   * @throws {RangeError} `ERR_OUT_OF_RANGE`: fewer positions hold completions
   */
  cqAdvance(count: number): void {
    this.check()
    integer(count, 'count', 0, this.cqReady)
    const { head } = this.cq
    Atomics.store(head, 0, (Atomics.load(head, 0) + count) >>> 0) // the completions are read before the head is stored
  }

  /**
   * Removes up to `most` completions from the queue, and returns them, the oldest first. Neither waits nor makes a
   * system call. Default: all.
   */
  copyCqes(most: number = this.cq.ringEntries): Cqe[] {
    integer(most, 'most', 0, Number.MAX_SAFE_INTEGER)
    const copied: Cqe[] = []
    let cqe: Cqe | undefined
    while (copied.length < most && (cqe = this.peekCqe()) !== undefined) {
      copied.push(cqe)
      this.cqeSeen()
    }
    return copied
  }

  /**
   * Removes filler, which the kernel puts at the end of the queue where a 32-byte completion would not be contiguous.
   */
  private skipFiller(): void {
    while (this.cqReady > 0 && (this.flagsAt(Atomics.load(this.cq.head, 0)) & IORING_CQE_F_SKIP) !== 0)
      this.cqAdvance(1)
  }

  private at(position: number): number {
    return (position & this.cq.ringMask) * this.cqeSize
  }

  private flagsAt(position: number): number {
    return this.completions.getUint32(this.at(position) + CQE.flags.offset, true)
  }

  /** Returns the number of positions that a completion takes. */
  private places(position: number): number {
    const mixed = (this.setupFlags & IORING_SETUP_CQE_MIXED) !== 0
    return mixed && (this.flagsAt(position) & IORING_CQE_F_32) !== 0 ? 2 : 1
  }

  private read(position: number): Cqe {
    const { completions } = this
    const at = this.at(position)
    const isCqe32 = (this.setupFlags & IORING_SETUP_CQE32) !== 0 || this.places(position) === 2
    const extra = at + CQE.big_cqe.offset
    return {
      userData: completions.getBigUint64(at + CQE.user_data.offset, true),
      res: completions.getInt32(at + CQE.res.offset, true),
      flags: completions.getUint32(at + CQE.flags.offset, true),
      extra: isCqe32
        ? [completions.getBigUint64(extra, true), completions.getBigUint64(extra + 8, true)]
        : undefined,
    }
  }

  /**
   * Unmaps the memory now, after which the typed arrays are empty. Without this call the memory is unmapped when
   * nothing refers to any of the arrays. Mapped memory keeps the ring alive, even if its descriptor is closed. Calling
   * it again does nothing.
   *
   * @returns false if a part stays mapped, because it was moved with `ArrayBuffer.prototype.transfer`
   */
  unmap(): boolean {
    if (this.unmapped) return true
    this.unmapped = true
    return this.regions.filter((region) => !unmapRegion(region)).length === 0
  }

  /** Calls {@link unmap}. */
  [Symbol.dispose](): void {
    this.unmap()
  }
}
