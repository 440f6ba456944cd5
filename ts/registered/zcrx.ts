// Zero-copy receive: a receive queue of a network interface delivers into memory of the program.

import { constants } from 'node:os'
import { MAX_ENTRIES, roundUpToPowerOfTwo } from '../arguments/queue-sizes.ts'
import { integer, MAX_I32, MAX_U32, checkOptions } from '../arguments/validate.ts'
import { IORING_REGISTER_ZCRX_IFQ } from '../flags/registrations.ts'
import { addressOf, type Bytes } from '../memory/address-of.ts'
import { keeping } from '../memory/keep-alive.ts'
import { allocatePages } from '../memory/pages.ts'
import { pageSize } from '../system/proc.ts'
import { kernelHas } from '../system/support.ts'
import type { Registration } from './context.ts'
import { accepted, explained } from './kernel-errors.ts'
import { describeRegion, pagesOf } from './region.ts'

const SINCE = '6.15'
const QUEUE_BYTES = 96 // struct io_uring_zcrx_ifq_reg
const AREA_BYTES = 48 // struct io_uring_zcrx_area_reg
const REFILL_BYTES = 16 // struct io_uring_zcrx_rqe
const { EPERM, ENODEV, EINVAL, EOPNOTSUPP, EEXIST, EBUSY } = constants.errno

/** Options of {@link Ring.registerZcrx}. */
export interface ZcrxOptions {
  /** The index of the network interface. */
  ifIndex: number
  /** The receive queue of the interface. */
  queue: number
  /** Entries of the refill ring, 1 to 32768, rounded up to a power of two. */
  entries: number
  /** The memory that the queue delivers into, in whole pages, or a number of bytes to allocate. */
  area: Bytes | number
}

/** A receive queue that delivers into memory: {@link Ring.registerZcrx} returns it. */
export class ZcrxQueue {
  /** The number of the queue, for `RecvZc`. */
  readonly id: number
  /** Entries of the refill ring. */
  readonly entries: number
  /** The memory that the queue delivers into. The `extra` of a completion has the offset. */
  readonly area: Buffer
  /** Names the area: add it to the offsets that go into the refill ring. */
  readonly areaToken: bigint
  /** The refill ring, which returns memory to the kernel: two counters, and entries of an offset, a length and padding. */
  readonly refill: Buffer
  /** The offsets of the head, the tail and the entries in `refill`, in bytes. */
  readonly offsets: { readonly head: number; readonly tail: number; readonly entries: number }

  /** @internal */
  constructor(queue: Buffer, area: Buffer, areaToken: bigint, refill: Buffer) {
    this.id = queue.readUInt32LE(64)
    this.entries = queue.readUInt32LE(8)
    this.area = area
    this.areaToken = areaToken
    this.refill = refill
    this.offsets = {
      head: queue.readUInt32LE(32),
      tail: queue.readUInt32LE(36),
      entries: queue.readUInt32LE(40),
    }
  }
}

/** Returns the cause of a refusal, if it is known. */
function causeOf(result: number, ifIndex: number, queue: number): string | undefined {
  switch (-result) {
    case EPERM:
      return 'it needs CAP_NET_ADMIN'
    case ENODEV:
      return `there is no network interface ${ifIndex}`
    case EOPNOTSUPP:
      return `queue ${queue} of network interface ${ifIndex} does not support zero-copy receive, or this kernel is built without it`
    case EEXIST:
    case EBUSY:
      return `queue ${queue} of network interface ${ifIndex} is in use`
    case EINVAL:
      return kernelHas(SINCE)
        ? 'it needs a ring with deferTaskrun (as in the default mode) and with cqe32 or cqeMixed'
        : undefined
    default:
      return undefined
  }
}

/** Registers a receive queue. */
export function registerZcrx(registration: Registration, options: ZcrxOptions): ZcrxQueue {
  const { ifIndex, queue, entries, area } = checkOptions(options)
  const argument = Buffer.alloc(QUEUE_BYTES)
  argument.writeUInt32LE(integer(ifIndex, 'options.ifIndex', 1, MAX_I32), 0)
  argument.writeUInt32LE(integer(queue, 'options.queue', 0, MAX_U32), 4)
  const count = roundUpToPowerOfTwo(integer(entries, 'options.entries', 1, MAX_ENTRIES))
  argument.writeUInt32LE(count, 8)
  const memory = pagesOf(area as Bytes | number, 'options.area')
  const refill = allocatePages(pageSize() + count * REFILL_BYTES) // the counters are in the first page
  const region = describeRegion(refill)
  const areaArgument = Buffer.from(new ArrayBuffer(AREA_BYTES))
  areaArgument.writeBigUInt64LE(BigInt(addressOf(memory)), 0)
  areaArgument.writeBigUInt64LE(BigInt(memory.byteLength), 8)
  argument.writeBigUInt64LE(BigInt(addressOf(areaArgument)), 16)
  argument.writeBigUInt64LE(BigInt(addressOf(region)), 24)
  const result = keeping([areaArgument, region, memory, refill], () =>
    registration.call(IORING_REGISTER_ZCRX_IFQ, argument, 1),
  )
  const cause = causeOf(result, ifIndex as number, queue as number)
  if (cause !== undefined) throw explained(result, cause)
  accepted(result, 'Ring.registerZcrx()', SINCE)
  const registered = new ZcrxQueue(argument, memory, areaArgument.readBigUInt64LE(16), refill)
  registration.hold(registered) // the kernel writes to area and refill until the ring is closed
  return registered
}
