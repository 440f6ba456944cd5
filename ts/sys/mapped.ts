// A ring in memory: its queues as typed arrays, and what can be done with nothing else.

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

/** The submission queue in the kernel's memory. Each array but the last has one element. */
export interface SubmissionQueue {
  /** The kernel's: up to where it has taken entries. */
  readonly head: Uint32Array
  /** Ours: up to where there are entries. */
  readonly tail: Uint32Array
  /** `IORING_SQ_NEED_WAKEUP` and its kin. */
  readonly flags: Uint32Array
  /** Entries that the kernel refused, because the array named none. */
  readonly dropped: Uint32Array
  /** Which entry each place of the queue is; `undefined` with `IORING_SETUP_NO_SQARRAY`. */
  readonly array: Uint32Array | undefined
  /** A position in the queue is a head or tail and this. */
  readonly ringMask: number
  /** Places of the queue. */
  readonly ringEntries: number
}

/** The completion queue in the kernel's memory. */
export interface CompletionQueue {
  /** Ours: up to where completions were taken. */
  readonly head: Uint32Array
  /** The kernel's: up to where there are completions. */
  readonly tail: Uint32Array
  /** Completions that were lost, on kernels without `IORING_FEAT_NODROP`. */
  readonly overflow: Uint32Array
  /** `IORING_CQ_EVENTFD_DISABLED`; `undefined` before Linux 5.8. */
  readonly flags: Uint32Array | undefined
  /** All completions, `cqeSize` bytes each. */
  readonly cqes: Uint8Array
  /** A position in the queue is a head or tail and this. */
  readonly ringMask: number
  /** Places of the queue. */
  readonly ringEntries: number
}

/** A completion, copied out of the queue. */
export interface Cqe {
  /** What its entry had as `user_data`. */
  readonly userData: bigint
  /** The kernel's result, or `-errno`. */
  readonly res: number
  /** `IORING_CQE_F_*`. */
  readonly flags: number
  /** The other half of a 32-byte completion. */
  readonly extra: readonly [bigint, bigint] | undefined
}

/** A part of a ring in memory. @internal */
export interface Region {
  readonly mapping: { detach(buffer: ArrayBuffer): boolean; unmap(): void }
  readonly buffer: ArrayBuffer
}

// Node.js 20 has none. Where it is, native code does not detach: what is locked would end the process.
const transfer: ((this: ArrayBuffer, length: number) => ArrayBuffer) | undefined =
  ArrayBuffer.prototype.transfer

/** Whether it is unmapped now. @internal */
export function unmapRegion({ mapping, buffer }: Region): boolean {
  // What was moved to another array buffer is not detached again: that one holds the memory.
  if (transfer === undefined) {
    if (!mapping.detach(buffer)) return false
  } else {
    try {
      transfer.call(buffer, 0)
    } catch {
      return false // or it is locked
    }
  }
  mapping.unmap()
  return true
}

/**
 * A ring in memory, from `mapRing`, and the steps that need nothing but that memory.
 *
 * **Unsafe.** What stands in an entry when the kernel takes it is done, whatever it points at.
 */
export class MappedRing {
  /** The submission queue. */
  readonly sq: SubmissionQueue
  /** The completion queue. */
  readonly cq: CompletionQueue
  /** All entries, `sqeSize` bytes each. */
  readonly sqes: Uint8Array
  /** 64, or 128 with `IORING_SETUP_SQE128`. */
  readonly sqeSize: number
  /** 16, or 32 with `IORING_SETUP_CQE32`. */
  readonly cqeSize: number
  private readonly setupFlags: number
  private readonly regions: readonly Region[]
  private readonly completions: DataView
  /** Up to where entries were handed out, and of those published. */
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
   * The next free entry, all zeros, or `undefined` if the queue is full. It goes in with {@link flush}: do not move the
   * tail by hand as well.
   */
  getSqe(): DataView | undefined {
    this.checkTail()
    if (this.sqSpaceLeft === 0) return undefined
    const at = (this.handedOut & this.sq.ringMask) * this.sqeSize
    this.handedOut = (this.handedOut + 1) >>> 0
    this.sqes.fill(0, at, at + this.sqeSize)
    return new DataView(this.sqes.buffer, this.sqes.byteOffset + at, this.sqeSize)
  }

  /** Publishes the entries that were handed out, without a system call, and gives {@link sqReady}. */
  flush(): number {
    this.checkTail()
    const { array, ringMask, tail } = this.sq
    for (; this.published !== this.handedOut; this.published = (this.published + 1) >>> 0) {
      if (array !== undefined) array[this.published & ringMask] = this.published & ringMask
    }
    Atomics.store(tail, 0, this.published) // after the entries, for the kernel too
    return this.sqReady
  }

  private checkTail(): void {
    this.check()
    if ((this.setupFlags & IORING_SETUP_SQ_REWIND) !== 0)
      throw new UringError(
        'ERR_URING_UNSUPPORTED',
        'A ring with IORING_SETUP_SQ_REWIND has no tail: write entries to sqes from its start, and enter the ring with their number',
      )
  }

  /** Entries that were handed out and that the kernel has not taken. */
  get sqReady(): number {
    this.check()
    return (this.handedOut - Atomics.load(this.sq.head, 0)) >>> 0
  }

  /** Entries that can be handed out. */
  get sqSpaceLeft(): number {
    return Math.max(this.sq.ringEntries - this.sqReady, 0)
  }

  /**
   * Whether published entries wait for `ioUringEnter`: always, but for a polling thread that is awake. One that sleeps
   * wakes with `IORING_ENTER_SQ_WAKEUP`.
   */
  get sqNeedsEnter(): boolean {
    this.check()
    // Sequentially consistent, as is the store of the tail: the thread looks at the tail after it has set the flag.
    const flags = Atomics.load(this.sq.flags, 0)
    return (this.setupFlags & IORING_SETUP_SQPOLL) === 0 || (flags & IORING_SQ_NEED_WAKEUP) !== 0
  }

  /** Places of the completion queue that are taken. */
  get cqReady(): number {
    this.check()
    return (Atomics.load(this.cq.tail, 0) - Atomics.load(this.cq.head, 0)) >>> 0
  }

  /** Whether completions wait in the kernel for room: they come with `IORING_ENTER_GETEVENTS`. */
  get cqNeedsFlush(): boolean {
    this.check()
    return (Atomics.load(this.sq.flags, 0) & IORING_SQ_CQ_OVERFLOW) !== 0
  }

  /** The oldest completion, which stays where it is until {@link cqeSeen}; `undefined` if there is none. */
  peekCqe(): Cqe | undefined {
    this.skipFiller()
    return this.cqReady === 0 ? undefined : this.read(Atomics.load(this.cq.head, 0))
  }

  /** Takes the oldest completion out of the queue. @throws {RangeError} if there is none */
  cqeSeen(): void {
    this.skipFiller()
    this.cqAdvance(this.cqReady === 0 ? 1 : this.places(Atomics.load(this.cq.head, 0)))
  }

  /** Gives the kernel `count` places back, from the oldest on. @throws {RangeError} if fewer are taken */
  cqAdvance(count: number): void {
    this.check()
    integer(count, 'count', 0, this.cqReady)
    const { head } = this.cq
    Atomics.store(head, 0, (Atomics.load(head, 0) + count) >>> 0) // after the completions were read
  }

  /** Takes up to `most` completions out of the queue, the oldest first. It never waits, and never enters the kernel. */
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

  /** Where the kernel has filled up the end of the queue, because a wide completion must not be cut in two. */
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

  /** How many places a completion takes. */
  private places(position: number): number {
    const mixed = (this.setupFlags & IORING_SETUP_CQE_MIXED) !== 0
    return mixed && (this.flagsAt(position) & IORING_CQE_F_32) !== 0 ? 2 : 1
  }

  private read(position: number): Cqe {
    const { completions } = this
    const at = this.at(position)
    const wide = (this.setupFlags & IORING_SETUP_CQE32) !== 0 || this.places(position) === 2
    const extra = at + CQE.big_cqe.offset
    return {
      userData: completions.getBigUint64(at + CQE.user_data.offset, true),
      res: completions.getInt32(at + CQE.res.offset, true),
      flags: completions.getUint32(at + CQE.flags.offset, true),
      extra: wide
        ? [completions.getBigUint64(extra, true), completions.getBigUint64(extra + 8, true)]
        : undefined,
    }
  }

  /**
   * Unmaps the memory now; the typed arrays are empty from then on. Without this it goes when nothing refers to any of
   * them. Until it has gone, the ring lives, even if its descriptor was closed. Calling it again does nothing.
   *
   * @returns whether all of it has gone: not what was moved with `ArrayBuffer.prototype.transfer`
   */
  unmap(): boolean {
    if (this.unmapped) return true
    this.unmapped = true
    return this.regions.filter((region) => !unmapRegion(region)).length === 0
  }

  /** The same as `unmap()`. */
  [Symbol.dispose](): void {
    this.unmap()
  }
}
