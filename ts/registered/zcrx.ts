// Receiving without copies: a queue of a network interface that delivers into memory of ours.

import { constants } from 'node:os'
import { addressOf, type Bytes } from '../memory/address-of.ts'
import { kernelHas } from '../system/support.ts'
import { integer, MAX_I32, MAX_U32, checkOptions } from '../arguments/validate.ts'
import { keeping } from '../memory/keep-alive.ts'
import { allocatePages, pageSize } from '../memory/pages.ts'
import { accepted, explained } from './kernel-errors.ts'
import { describeRegion, pagesOf } from './region.ts'
import type { Registration } from './context.ts'

const REGISTER_ZCRX_IFQ = 32
const SINCE = '6.15'
const QUEUE_BYTES = 96
const AREA_BYTES = 48
/** Bytes of a `struct io_uring_zcrx_rqe`. */
const REFILL_BYTES = 16
const MAX_ENTRIES = 32_768
const { EPERM, ENODEV, EINVAL, EOPNOTSUPP, EEXIST, EBUSY } = constants.errno

/** What `Ring.registerZcrx` needs to know. */
export interface ZcrxOptions {
  /** Index of the network interface. */
  ifIndex: number
  /** Receive queue of the interface. */
  queue: number
  /** Entries of the refill ring, rounded up to a power of two: 1 to 32768. */
  entries: number
  /** Memory that is received into, in whole pages, or how many bytes of it. */
  area: Bytes | number
}

/** A receive queue that delivers into memory: `Ring.registerZcrx` makes it. */
export class ZcrxQueue {
  /** Names it, for `RecvZc`. */
  readonly id: number
  /** Entries of the refill ring. */
  readonly entries: number
  /** What is received into: a completion's `extra` says where. */
  readonly area: Buffer
  /** In offsets of the refill ring, what names the area. */
  readonly areaToken: bigint
  /** The refill ring, by which memory goes back: two counters, and entries of an offset, a length and padding. */
  readonly refill: Buffer
  /** Where in `refill` the head, the tail and the entries are. */
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

function why(result: number, ifIndex: number, queue: number): string | undefined {
  switch (-result) {
    case EPERM:
      return 'it needs CAP_NET_ADMIN'
    case ENODEV:
      return `there is no network interface ${ifIndex}`
    case EOPNOTSUPP:
      return `queue ${queue} of network interface ${ifIndex} cannot deliver into memory of a program, or this kernel is built without that`
    case EEXIST:
    case EBUSY:
      return `queue ${queue} of network interface ${ifIndex} is in use`
    case EINVAL:
      return kernelHas(SINCE)
        ? 'it needs a ring with deferTaskrun, as the best mode has, and with cqe32 or cqeMixed'
        : undefined
    default:
      return undefined
  }
}

export function registerZcrx(registration: Registration, options: ZcrxOptions): ZcrxQueue {
  const { ifIndex, queue, entries, area } = checkOptions(options)
  const argument = Buffer.alloc(QUEUE_BYTES) // struct io_uring_zcrx_ifq_reg
  argument.writeUInt32LE(integer(ifIndex, 'options.ifIndex', 1, MAX_I32), 0)
  argument.writeUInt32LE(integer(queue, 'options.queue', 0, MAX_U32), 4)
  const count = 2 ** Math.ceil(Math.log2(integer(entries, 'options.entries', 1, MAX_ENTRIES)))
  argument.writeUInt32LE(count, 8)
  const memory = pagesOf(area as Bytes | number, 'options.area')
  const refill = allocatePages(pageSize() + count * REFILL_BYTES) // the counters come first
  const region = describeRegion(refill)
  const areaArgument = Buffer.from(new ArrayBuffer(AREA_BYTES)) // struct io_uring_zcrx_area_reg
  areaArgument.writeBigUInt64LE(BigInt(addressOf(memory)), 0)
  areaArgument.writeBigUInt64LE(BigInt(memory.byteLength), 8)
  argument.writeBigUInt64LE(BigInt(addressOf(areaArgument)), 16)
  argument.writeBigUInt64LE(BigInt(addressOf(region)), 24)
  const result = keeping([areaArgument, region, memory, refill], () =>
    registration.call(REGISTER_ZCRX_IFQ, argument, 1),
  )
  const reason = why(result, ifIndex as number, queue as number)
  if (reason !== undefined) throw explained(result, reason)
  accepted(result, 'Ring.registerZcrx()', SINCE)
  const registered = new ZcrxQueue(argument, memory, areaArgument.readBigUInt64LE(16), refill)
  registration.hold(registered) // the kernel writes to both until the ring is closed
  return registered
}
