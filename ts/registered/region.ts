// Regions: memory that a ring shares with the kernel, for the arguments of waits.

import { constants } from 'node:os'
import { lastingMemoryOf } from '../arguments/fixed-buffer.ts'
import {
  flag,
  integer,
  invalidValue,
  MAX_U32,
  milliseconds,
  checkOptions,
  outOfRange,
} from '../arguments/validate.ts'
import {
  IORING_MEM_REGION_REG_WAIT_ARG,
  IORING_MEM_REGION_TYPE_USER,
  IORING_REGISTER_MEM_REGION,
} from '../flags/registrations.ts'
import { addressOf, type Bytes } from '../memory/address-of.ts'
import { keeping } from '../memory/keep-alive.ts'
import { allocatePages, isWholePages } from '../memory/pages.ts'
import { type Time, timespec } from '../structs/timespec.ts'
import { pageSize } from '../system/proc.ts'
import { kernelHas } from '../system/support.ts'
import type { Registration } from './context.ts'
import { accepted, explained } from './kernel-errors.ts'

const REGION_BYTES = 64 // struct io_uring_region_desc
const ARGUMENT_BYTES = 32 // struct io_uring_mem_region_reg
const WAIT_BYTES = 64 // struct io_uring_reg_wait
/** `IORING_REG_WAIT_TS`. */
const HAS_TIMEOUT = 1
const { EBUSY, EINVAL } = constants.errno
const MAX_SIZE = 2 ** 32 - 65_536

/** Options of {@link Ring.registerRegion}. */
export interface RegionOptions {
  /** The region holds the arguments of waits. Needs a ring that is disabled; false. */
  waits?: boolean
}

/** The arguments of a wait. */
export interface RegionWait {
  /**
   * Milliseconds, or seconds and nanoseconds, from the start of the wait; with `EnterFlags.ABS_TIMER`, a time of the ring's
   * clock. Absent, the wait has no timeout.
   */
  timeout?: Time
  /** Milliseconds to wait for all completions; after that, one completion ends the wait. */
  minWait?: number
}

/** Memory that a ring shares with the kernel: {@link Ring.registerRegion} returns it. */
export class Region {
  /** The memory: whole pages. */
  readonly memory: Buffer
  /** The number of waits that it can hold, 64 bytes each; 0 for a region without `waits`. */
  readonly waits: number

  /** @internal */
  constructor(memory: Buffer, waits: number) {
    this.memory = memory
    this.waits = waits
  }

  /**
   * Writes the arguments of a wait at an index, and replaces those that were there. The kernel reads them in each call
   * that names them, so they can be used any number of times.
   *
   * @returns the offset of the wait, for `Ring.enter()` and for `ioUringEnter()` of `uring/sys`
   * @throws {RangeError} `ERR_OUT_OF_RANGE`: `index` is not below `waits`, or a time is out of range
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE`
   */
  setWait(index: number, wait?: RegionWait): number {
    if (this.waits === 0) throw outOfRange('index', 'an index of a region made with { waits: true }', index)
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

/** Encodes a `struct io_uring_region_desc` for memory of the program. */
export function describeRegion(memory: Uint8Array): Buffer {
  const description = Buffer.from(new ArrayBuffer(REGION_BYTES))
  description.writeBigUInt64LE(BigInt(addressOf(memory)), 0)
  description.writeBigUInt64LE(BigInt(memory.byteLength), 8)
  description.writeUInt32LE(IORING_MEM_REGION_TYPE_USER, 16)
  return description
}

/** Returns memory in whole pages: the caller's, or new memory of at least this many bytes. */
export function pagesOf(memoryOrSize: Bytes | number, name: string): Buffer {
  if (typeof memoryOrSize === 'number') return allocatePages(integer(memoryOrSize, name, 1, MAX_SIZE))
  const memory = lastingMemoryOf(memoryOrSize, name)
  if (memory.byteLength === 0 || !isWholePages(addressOf(memory), memory.byteLength)) {
    throw invalidValue(name, memoryOrSize, `must start and end with a page of ${pageSize()} bytes`)
  }
  return memory
}

/** Registers a region. */
export function registerRegion(
  registration: Registration,
  memoryOrSize: Bytes | number,
  options: RegionOptions | undefined,
): Region {
  const { waits = false } = checkOptions(options)
  const holdsWaits = flag(waits, 'options.waits')
  const memory = pagesOf(memoryOrSize, 'memory')
  const description = describeRegion(memory)
  const argument = Buffer.alloc(ARGUMENT_BYTES)
  argument.writeBigUInt64LE(BigInt(addressOf(description)), 0)
  argument.writeBigUInt64LE(BigInt(holdsWaits ? IORING_MEM_REGION_REG_WAIT_ARG : 0), 8)
  const region = new Region(memory, holdsWaits ? memory.byteLength / WAIT_BYTES : 0)
  const result = keeping([description, memory], () =>
    registration.call(IORING_REGISTER_MEM_REGION, argument, 1),
  )
  if (result === -EBUSY) throw explained(result, 'the ring has a region already')
  if (result === -EINVAL && holdsWaits && kernelHas('6.13')) {
    throw explained(
      result,
      'a region with waits needs a ring that was made with { disabled: true } and is not enabled yet',
    )
  }
  accepted(result, 'Ring.registerRegion()', '6.13')
  registration.hold(region) // until the ring is closed: it cannot be unregistered
  return region
}
