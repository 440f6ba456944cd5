// Memory that a ring shares with the kernel for the arguments of waits.

import { constants } from 'node:os'
import { addressOf, type Bytes } from '../memory/address-of.ts'
import { kernelHas } from '../system/support.ts'
import { type Time, timespec } from '../structs/timespec.ts'
import {
  flag,
  integer,
  invalidValue,
  MAX_U32,
  milliseconds,
  checkOptions,
  outOfRange,
} from '../arguments/validate.ts'
import { lastingMemoryOf } from '../arguments/fixed-buffer.ts'
import { keeping } from '../memory/keep-alive.ts'
import { allocatePages, isWholePages, pageSize } from '../memory/pages.ts'
import { accepted, explained } from './kernel-errors.ts'
import type { Registration } from './context.ts'

const REGISTER_MEM_REGION = 34
const WAITS = 1n
const TYPE_USER = 1
const REGION_BYTES = 64
const ARGUMENT_BYTES = 32
/** Bytes of a `struct io_uring_reg_wait`. */
const WAIT_BYTES = 64
const HAS_TIMEOUT = 1
const { EBUSY, EINVAL } = constants.errno
const MAX_SIZE = 2 ** 32 - 65_536

/** Options of `Ring.registerRegion`. */
export interface RegionOptions {
  /** Its memory holds waits; wants a ring that is disabled; false. */
  waits?: boolean
}

/** When a registered wait ends. */
export interface RegionWait {
  /** Milliseconds, or seconds and nanoseconds: from now on, or with `EnterFlags.ABS_TIMER` a moment of the clock. */
  timeout?: Time
  /** Milliseconds to wait for all that is wanted before one completion is enough. */
  minWait?: number
}

/** A region of memory that a ring shares with the kernel: `Ring.registerRegion` makes it. */
export class Region {
  /** The memory: whole pages. */
  readonly memory: Buffer
  /** How many waits it holds: one in 64 bytes, or none. */
  readonly waits: number

  /** @internal */
  constructor(memory: Buffer, waits: number) {
    this.memory = memory
    this.waits = waits
  }

  /**
   * Describes a wait, in place of what was there. The kernel reads it with each call that names it: it can be used any
   * number of times.
   *
   * @returns its offset, for `Ring.enter()` and for `ioUringEnter()` of `uring/sys`
   * @throws {RangeError|TypeError} for a wait that the region has no room for, or that cannot be
   */
  setWait(index: number, wait?: RegionWait): number {
    if (this.waits === 0) throw outOfRange('index', 'that of a region made with { waits: true }', index)
    const offset = integer(index, 'index', 0, this.waits - 1) * WAIT_BYTES
    const { timeout, minWait } = checkOptions(wait, 'wait')
    const time = timeout === undefined ? undefined : timespec(timeout, 'wait.timeout').bytes
    const least = Math.round((milliseconds(minWait, 'wait.minWait') ?? 0) * 1000)
    if (least > MAX_U32) throw outOfRange('wait.minWait', `<= ${MAX_U32 / 1000}`, minWait)
    const bytes = Buffer.alloc(WAIT_BYTES)
    if (time !== undefined) bytes.set(time)
    bytes.writeUInt32LE(least, 16)
    bytes.writeUInt32LE(time === undefined ? 0 : HAS_TIMEOUT, 20)
    this.memory.set(bytes, offset)
    return offset
  }
}

/** A `struct io_uring_region_desc` of memory that is ours. */
export function describeRegion(memory: Uint8Array): Buffer {
  const description = Buffer.from(new ArrayBuffer(REGION_BYTES))
  description.writeBigUInt64LE(BigInt(addressOf(memory)), 0)
  description.writeBigUInt64LE(BigInt(memory.byteLength), 8)
  description.writeUInt32LE(TYPE_USER, 16)
  return description
}

/** Memory of the caller's, in whole pages, or so many bytes of new memory. */
export function pagesOf(memoryOrSize: Bytes | number, name: string): Buffer {
  if (typeof memoryOrSize === 'number') return allocatePages(integer(memoryOrSize, name, 1, MAX_SIZE))
  const memory = lastingMemoryOf(memoryOrSize, name)
  if (memory.byteLength === 0 || !isWholePages(addressOf(memory), memory.byteLength)) {
    throw invalidValue(name, memoryOrSize, `must start and end with a page of ${pageSize()} bytes`)
  }
  return memory
}

export function registerRegion(
  registration: Registration,
  memoryOrSize: Bytes | number,
  options: RegionOptions | undefined,
): Region {
  const { waits = false } = checkOptions(options)
  const holdsWaits = flag(waits, 'options.waits')
  const memory = pagesOf(memoryOrSize, 'memory')
  const description = describeRegion(memory)
  const argument = Buffer.alloc(ARGUMENT_BYTES) // struct io_uring_mem_region_reg
  argument.writeBigUInt64LE(BigInt(addressOf(description)), 0)
  argument.writeBigUInt64LE(holdsWaits ? WAITS : 0n, 8)
  const region = new Region(memory, holdsWaits ? memory.byteLength / WAIT_BYTES : 0)
  const result = keeping([description, memory], () => registration.call(REGISTER_MEM_REGION, argument, 1))
  if (result === -EBUSY) throw explained(result, 'the ring has a region already')
  if (result === -EINVAL && holdsWaits && kernelHas('6.13')) {
    throw explained(
      result,
      'waits are registered while a ring that was made with { disabled: true } is disabled',
    )
  }
  accepted(result, 'Ring.registerRegion()', '6.13')
  registration.hold(region) // there is no way to unregister it
  return region
}
