// Registered buffers: memory that the kernel has pinned, so that operations need not look it up and lock it each time.

import { constants } from 'node:os'
import { checkAttached, FixedBuffer, lastingMemoryOf } from '../arguments/fixed-buffer.ts'
import { type Registering, REGISTRATION } from '../arguments/ring.ts'
import { flag, integer, invalidType, invalidValue, checkOptions, outOfRange } from '../arguments/validate.ts'
import { resourceClosedError, systemError, UringError } from '../errors.ts'
import {
  IORING_REGISTER_BUFFERS,
  IORING_REGISTER_BUFFERS2,
  IORING_REGISTER_BUFFERS_UPDATE,
  IORING_REGISTER_CLONE_BUFFERS,
  IORING_REGISTER_DST_REPLACE,
  IORING_RSRC_REGISTER_SPARSE,
  IORING_UNREGISTER_BUFFERS,
} from '../flags/registrations.ts'
import { addressOf, allocateBlock, type Block, type Bytes } from '../memory/address-of.ts'
import { memlockAllowed, memlockText } from '../system/memlock.ts'
import { pause } from '../system/pause.ts'
import { pageSize } from '../system/proc.ts'
import type { Registration } from './context.ts'
import { accepted, explained } from './kernel-errors.ts'
import { tagWords } from './tags.ts'

/** Options of {@link Ring.registerBuffers} and {@link BufferTable.update}. */
export interface RegisterBuffersOptions {
  /**
   * A tag for each slot, a number of 62 bits, or `0n` for none (5.13). When the memory has left the slot and the last
   * operation on it has ended, a completion with `source` `'tag'` has the tag as its `userData`.
   */
  tags?: readonly bigint[]
}

/** Options of {@link Ring.cloneBuffers}. */
export interface CloneBuffersOptions {
  /** The first slot of the source to clone; 0. */
  sourceOffset?: number
  /** The first slot of this ring to fill; 0. */
  offset?: number
  /** The number of slots to clone; absent, all from `sourceOffset` on. */
  count?: number
  /** Replaces slots of this ring. Without it, this ring must have no registered buffers; false. */
  replace?: boolean
}

/** The size of `struct io_uring_rsrc_register`, `io_uring_rsrc_update2` and `io_uring_clone_buffers`. */
const STRUCT_BYTES = 32
const IOVEC_BYTES = 16
const TAG_BYTES = 8

/** The kernel's limits: slots (`IORING_MAX_REG_BUFFERS`), and bytes of a slot. */
const MAX_SLOTS = 2 ** 14
const MAX_BYTES = 2 ** 30

const { ENOMEM, ENXIO } = constants.errno

/**
 * The memory that is held for the kernel. It has no reference to the ring: operations in flight keep this object alive,
 * and with it the ring could never be collected.
 */
class Pinned {
  readonly views: (Buffer | null)[] = []
  /** Created at the first use of their slot. */
  readonly buffers: (FixedBuffer | undefined)[] = []
  registered = true
}

/** Returns the memory that a ring has registered. */
function pinnedBy({ submissions }: Registration): Pinned | undefined {
  for (const resource of submissions.registered) if (resource instanceof Pinned) return resource
  return undefined
}

/** Notes that a ring has registered this memory. */
function pin(registration: Registration, pinned: Pinned): void {
  unpin(registration, pinnedBy(registration)) // the program may have unregistered it through `uring/sys`
  registration.hold(pinned)
}

/** Notes that a ring has unregistered its memory. */
function unpin(registration: Registration, pinned: Pinned | undefined): void {
  if (pinned === undefined) return
  pinned.registered = false
  pinned.views.length = 0
  pinned.buffers.length = 0
  registration.release(pinned)
}

/** The registered buffers of a ring, by slot: {@link Ring.registerBuffers} returns it. */
export class BufferTable {
  readonly #ring: Registering
  readonly #pinned: Pinned
  #size: number

  /** @internal */
  constructor(ring: Registering, pinned: object) {
    if (!(pinned instanceof Pinned)) throw invalidType('pinned', 'the registered memory of a ring', pinned)
    this.#ring = ring
    this.#pinned = pinned
    this.#size = pinned.views.length
  }

  /** The number of slots. */
  get size(): number {
    if (this.#pinned.registered) this.#size = this.#pinned.views.length
    return this.#size
  }

  /**
   * Returns the buffer in a slot.
   *
   * @throws {RangeError} `ERR_OUT_OF_RANGE`: the table has no such slot
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE`: the slot is empty
   * @throws {UringError} `ERR_URING_BUFFER_DETACHED`: its memory was transferred; `ERR_URING_RESOURCE_CLOSED`: the table is
   * unregistered; `ERR_URING_CLOSED`: the ring is closed
   */
  at(index: number): FixedBuffer {
    void this.#open()
    const { views, buffers } = this.#pinned
    const view = views[integer(index, 'index', 0, views.length - 1)]
    if (!view) throw invalidValue('index', index, 'must name a slot that is not empty')
    checkAttached(view, `slot ${index}`)
    buffers[index] ??= new FixedBuffer(index, view)
    return buffers[index]
  }

  /**
   * Replaces the memory in slots from `offset` on; `null` empties a slot. Operations in flight continue with the memory
   * that they started with.
   *
   * Since Linux 5.13. See io_uring_register_buffers(3).
   *
   * @returns the number of updated slots: fewer than `views.length` if the kernel refused a later one
   * @throws {UringError} `ENOMEM`: the first slot exceeds the limit of locked memory; `ERR_URING_BUFFER_DETACHED`: memory
   * was transferred; `ERR_URING_RESOURCE_CLOSED`: the table is unregistered; `ERR_URING_CLOSED`: the ring is closed
   * @throws {TypeError|RangeError} an argument is invalid; no slot has changed
   */
  update(offset: number, views: readonly (Bytes | null)[], options?: RegisterBuffersOptions): number {
    const memory = checkViews(views)
    const tags = tagsOf(memory, options)
    const registration = this.#open()
    const { length } = this.#pinned.views
    if (memory.length > length) throw outOfRange('views.length', `>= 1 && <= ${length}`, memory.length)
    integer(offset, 'offset', 0, length - memory.length)

    const { address, bytes } = argument(memory, tags)
    bytes.writeUInt32LE(offset, 0)
    bytes.writeBigUInt64LE(BigInt(address + STRUCT_BYTES), 8)
    if (tags.length > 0) bytes.writeBigUInt64LE(BigInt(tagsAddress(address, memory)), 16)
    bytes.writeUInt32LE(memory.length, 24)
    const count = lock(registration, memory, IORING_REGISTER_BUFFERS_UPDATE, bytes, STRUCT_BYTES)
    fill(this.#pinned, offset, memory.slice(0, count))
    return count
  }

  /**
   * Unregisters all slots. Operations in flight continue, and hold their memory; before Linux 6.13 the kernel waits for
   * them during this call.
   *
   * Since Linux 5.1. See io_uring_unregister_buffers(3).
   *
   * @throws {UringError} `ERR_URING_RESOURCE_CLOSED`: the table is unregistered already; `ERR_URING_CLOSED`: the ring is
   * closed
   */
  unregister(): void {
    const registration = this.#open()
    registration.register(IORING_UNREGISTER_BUFFERS, null, 0)
    unpin(registration, this.#pinned)
  }

  /** Calls `unregister()`, unless the table is unregistered or the ring is closed. */
  [Symbol.dispose](): void {
    if (!this.#pinned.registered) return
    try {
      this.unregister()
    } catch (error) {
      if (!(error instanceof UringError) || error.code !== 'ERR_URING_CLOSED') throw error
    }
  }

  #open(): Registration {
    if (!this.#pinned.registered) throw resourceClosedError('The table of registered buffers is unregistered')
    return this.#ring[REGISTRATION]
  }
}

/** Registers memory, or empty slots. @internal */
export function registerBuffers(
  ring: Registering,
  views: readonly (Bytes | null)[] | number,
  options: RegisterBuffersOptions | undefined,
): BufferTable {
  if (typeof views === 'number') return registerSparse(ring, views, options)
  const memory = checkViews(views)
  const tags = tagsOf(memory, options)
  const registration = ring[REGISTRATION]

  const { address, bytes } = argument(memory, tags)
  if (tags.length === 0) {
    lock(registration, memory, IORING_REGISTER_BUFFERS, bytes.subarray(STRUCT_BYTES), memory.length)
  } else {
    bytes.writeUInt32LE(memory.length, 0)
    bytes.writeBigUInt64LE(BigInt(address + STRUCT_BYTES), 16)
    bytes.writeBigUInt64LE(BigInt(tagsAddress(address, memory)), 24)
    lock(registration, memory, IORING_REGISTER_BUFFERS2, bytes, STRUCT_BYTES)
  }
  const pinned = new Pinned()
  fill(pinned, 0, memory)
  pin(registration, pinned)
  return new BufferTable(ring, pinned)
}

function registerSparse(
  ring: Registering,
  size: number,
  options: RegisterBuffersOptions | undefined,
): BufferTable {
  integer(size, 'views', 1, MAX_SLOTS)
  tagWords(checkOptions(options).tags, size, () => false)
  const registration = ring[REGISTRATION]
  const { bytes } = allocateBlock(STRUCT_BYTES)
  bytes.writeUInt32LE(size, 0)
  bytes.writeUInt32LE(IORING_RSRC_REGISTER_SPARSE, 4)
  registration.register(IORING_REGISTER_BUFFERS2, bytes, STRUCT_BYTES)
  const pinned = new Pinned()
  const empty = Array.from({ length: size }, () => null)
  fill(pinned, 0, empty)
  pin(registration, pinned)
  return new BufferTable(ring, pinned)
}

/** Clones registered buffers of another ring. @internal */
export function cloneBuffers(
  ring: Registering,
  source: Registering,
  options: CloneBuffersOptions | undefined,
): BufferTable {
  const { sourceOffset = 0, offset = 0, count, replace = false } = checkOptions(options)
  flag(replace, 'options.replace')
  integer(sourceOffset, 'options.sourceOffset', 0, MAX_SLOTS - 1)
  integer(offset, 'options.offset', 0, MAX_SLOTS - 1)
  if (count !== undefined) integer(count, 'options.count', 1, MAX_SLOTS)

  const from = source[REGISTRATION]
  const to = ring[REGISTRATION]
  const views = pinnedBy(from)?.views
  if (views === undefined) throw systemError(-ENXIO, 'io_uring_register')
  integer(sourceOffset, 'options.sourceOffset', 0, views.length - 1)
  const rest = views.length - sourceOffset
  const wanted = integer(count ?? rest, 'options.count', 1, Math.min(rest, MAX_SLOTS - offset))

  const { bytes } = allocateBlock(STRUCT_BYTES)
  bytes.writeInt32LE(from.boundary.native.fd, 0)
  bytes.writeUInt32LE(replace ? IORING_REGISTER_DST_REPLACE : 0, 4)
  const isWhole = wanted === views.length && offset === 0
  if (!isWhole) {
    bytes.writeUInt32LE(sourceOffset, 8)
    bytes.writeUInt32LE(offset, 12)
    bytes.writeUInt32LE(wanted, 16)
  }
  const result = to.call(IORING_REGISTER_CLONE_BUFFERS, bytes, 1)
  const since = isWhole && !replace ? '6.12' : '6.13'
  accepted(result, 'Ring.cloneBuffers()', since)

  const cloned = views.slice(sourceOffset, sourceOffset + wanted)
  const pinned = (replace ? pinnedBy(to) : undefined) ?? new Pinned()
  while (pinned.views.length < offset) pinned.views.push(null)
  fill(pinned, offset, cloned)
  if (pinnedBy(to) !== pinned) pin(to, pinned)
  return new BufferTable(ring, pinned)
}

/** Reads each view once: its getters may run code of the program. */
function checkViews(views: unknown): (Buffer | null)[] {
  if (!Array.isArray(views)) throw invalidType('views', 'an instance of Array', views)
  const { length } = views
  if (length < 1 || length > MAX_SLOTS) throw outOfRange('views.length', `>= 1 && <= ${MAX_SLOTS}`, length)
  return Array.from({ length }, (_, index) => checkView(views[index], `views[${index}]`))
}

function checkView(view: unknown, name: string): Buffer | null {
  if (view === null) return null
  const memory = lastingMemoryOf(view, name)
  if (memory.byteLength < 1 || memory.byteLength > MAX_BYTES) {
    const range = `>= 1 && <= ${MAX_BYTES}; null is an empty slot`
    throw outOfRange(`${name}.byteLength`, range, memory.byteLength)
  }
  return memory
}

function tagsOf(memory: readonly (Buffer | null)[], options: RegisterBuffersOptions | undefined): bigint[] {
  return tagWords(checkOptions(options).tags, memory.length, (index) => memory[index] !== null)
}

/** Allocates a struct, an array of `struct iovec` and the tags in one block, so that one reference keeps all of them. */
function argument(memory: readonly (Buffer | null)[], tags: readonly bigint[]): Block {
  const block = allocateBlock(STRUCT_BYTES + memory.length * (IOVEC_BYTES + TAG_BYTES))
  for (const [index, view] of memory.entries()) {
    if (view === null) continue
    const at = STRUCT_BYTES + index * IOVEC_BYTES
    checkAttached(view, `views[${index}]`) // a getter of a later view may have detached it
    block.bytes.writeBigUInt64LE(BigInt(addressOf(view)), at)
    block.bytes.writeBigUInt64LE(BigInt(view.length), at + 8)
  }
  const end = STRUCT_BYTES + memory.length * IOVEC_BYTES
  for (const [index, tag] of tags.entries()) block.bytes.writeBigUInt64LE(tag, end + index * TAG_BYTES)
  return block
}

function tagsAddress(address: number, memory: readonly unknown[]): number {
  return address + STRUCT_BYTES + memory.length * IOVEC_BYTES
}

function fill(pinned: Pinned, offset: number, views: readonly (Buffer | null)[]): void {
  for (const [index, view] of views.entries()) {
    pinned.views[offset + index] = view
    pinned.buffers[offset + index] = undefined
  }
}

/** The longest pause between two tries, in milliseconds. */
const MAX_PAUSE = 128

/**
 * Registers memory. The kernel unlocks the memory of a closed ring a moment later, so a program near its limit is refused
 * until then: retry for a quarter of a second.
 */
function lock(
  registration: Registration,
  memory: readonly (Buffer | null)[],
  opcode: number,
  bytes: Uint8Array,
  count: number,
): number {
  for (let delay = 1; ; delay *= 2) {
    const result = registration.call(opcode, bytes, count)
    if (result >= 0) return result
    if (result !== -ENOMEM) throw systemError(result, 'io_uring_register')
    const needed = lockedBy(memory)
    if (delay > MAX_PAUSE || needed > memlockAllowed()) {
      throw explained(-ENOMEM, `registering these buffers ${memlockText(needed)}`)
    }
    pause(delay)
  }
}

/** Returns the bytes that the kernel locks: whole pages. */
function lockedBy(memory: readonly (Buffer | null)[]): number {
  const page = pageSize()
  let pages = 0
  for (const view of memory) {
    if (view === null) continue
    const start = addressOf(view)
    pages += Math.ceil((start + view.length) / page) - Math.floor(start / page)
  }
  return pages * page
}
