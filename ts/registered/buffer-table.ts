// The registered buffers of a ring: memory that the kernel has pinned, so that operations on it need not look it up.

import { constants } from 'node:os'
import { resourceClosedError, systemError, UringError } from '../errors.ts'
import { memlockAllowed, memlockText } from '../system/memlock.ts'
import { addressOf, allocateBlock, type Block, type Bytes } from '../memory/address-of.ts'
import { flag, integer, invalidType, invalidValue, checkOptions, outOfRange } from '../arguments/validate.ts'
import { checkAttached, FixedBuffer, lastingMemoryOf } from '../arguments/fixed-buffer.ts'
import { pageSize } from '../memory/pages.ts'
import { accepted, explained } from './kernel-errors.ts'
import { REGISTRATION, type Registration } from './context.ts'
import { tagWords } from './tags.ts'

/** Options of {@link Ring.registerBuffers} and {@link BufferTable.update}. */
export interface RegisterBuffersOptions {
  /**
   * For each slot a number of 62 bits, or 0n for none: it comes as a completion with `source: 'tag'` once the memory is
   * registered no more and its last user has finished (5.13).
   */
  tags?: readonly bigint[]
}

/** Options of {@link Ring.cloneBuffers}. */
export interface CloneBuffersOptions {
  /** The first slot of the source; 0. */
  sourceOffset?: number
  /** The first slot here; 0. */
  offset?: number
  /** How many slots; all from `sourceOffset` on. */
  count?: number
  /** Whether slots that this ring has already make room; else it may not have any. */
  replace?: boolean
}

const REGISTER_BUFFERS = 0
const UNREGISTER_BUFFERS = 1
const REGISTER_BUFFERS2 = 15
const REGISTER_BUFFERS_UPDATE = 16
const REGISTER_CLONE_BUFFERS = 30
const RSRC_REGISTER_SPARSE = 1
const REGISTER_DST_REPLACE = 2

/** `struct io_uring_rsrc_register`, `struct io_uring_rsrc_update2` and `struct io_uring_clone_buffers`. */
const STRUCT_BYTES = 32
const IOVEC_BYTES = 16
const TAG_BYTES = 8

/** What the kernel takes (`IORING_MAX_REG_BUFFERS`, and 1 GiB in each). */
const MAX_SLOTS = 2 ** 14
const MAX_BYTES = 2 ** 30

const { ENOMEM, ENXIO } = constants.errno

/** Who has registrations: a ring. */
interface Owner {
  readonly [REGISTRATION]: Registration
}

/**
 * What is held for the kernel. It knows nothing of the ring, which would else never be collected while operations keep
 * what is held for it alive.
 */
class Pinned {
  readonly views: (Buffer | null)[] = []
  /** Made when first asked for. */
  readonly buffers: (FixedBuffer | undefined)[] = []
  registered = true
}

function pinnedBy({ slots }: Registration): Pinned | undefined {
  for (const what of slots.registered) if (what instanceof Pinned) return what
  return undefined
}

/** From now on a ring has these slots. */
function pin(registration: Registration, pinned: Pinned): void {
  unpin(registration, pinnedBy(registration)) // somebody else has unregistered it
  registration.hold(pinned)
}

function unpin(registration: Registration, pinned: Pinned | undefined): void {
  if (pinned === undefined) return
  pinned.registered = false
  pinned.views.length = 0
  pinned.buffers.length = 0
  registration.letGo(pinned)
}

/** The slots of a ring's registered buffers. */
export class BufferTable {
  readonly #owner: Owner
  readonly #pinned: Pinned
  #size: number

  /** @internal */
  constructor(owner: Owner, pinned: object) {
    if (!(pinned instanceof Pinned)) throw invalidType('pinned', 'what a ring holds', pinned)
    this.#owner = owner
    this.#pinned = pinned
    this.#size = pinned.views.length
  }

  /** How many slots there are. */
  get size(): number {
    if (this.#pinned.registered) this.#size = this.#pinned.views.length
    return this.#size
  }

  /**
   * The buffer in a slot.
   *
   * @throws {RangeError} for a slot that there is not
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for an empty one
   * @throws {UringError} `ERR_URING_BUFFER_DETACHED` if its memory was transferred; `ERR_URING_RESOURCE_CLOSED` once the
   * table is unregistered, `ERR_URING_CLOSED` once the ring is closed
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
   * Puts memory into slots from `offset` on; `null` empties one. Operations that are in flight go on with what they
   * began with.
   *
   * Since Linux 5.13. See io_uring_register_buffers(3).
   *
   * @returns how many slots: fewer than asked for, if the kernel could not take a later one
   * @throws {UringError} `ENOMEM` above the limit of locked memory, `ERR_URING_RESOURCE_CLOSED`, `ERR_URING_CLOSED`
   * @throws {TypeError|RangeError} for arguments that cannot be; nothing has changed then
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
    const count = lock(registration, memory, REGISTER_BUFFERS_UPDATE, bytes, STRUCT_BYTES)
    fill(this.#pinned, offset, memory.slice(0, count))
    return count
  }

  /**
   * Gives all slots back. Operations that are in flight go on, and hold their memory; before Linux 6.13 the kernel waits
   * for them here.
   *
   * Since Linux 5.1. See io_uring_unregister_buffers(3).
   *
   * @throws {UringError} `ERR_URING_RESOURCE_CLOSED` the second time, `ERR_URING_CLOSED`
   */
  unregister(): void {
    const registration = this.#open()
    registration.register(UNREGISTER_BUFFERS, null, 0)
    unpin(registration, this.#pinned)
  }

  /** The same; nothing, where the table is unregistered or the ring is closed. */
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
    return this.#owner[REGISTRATION]
  }
}

/** @internal */
export function registerBuffers(
  owner: Owner,
  views: readonly (Bytes | null)[] | number,
  options: RegisterBuffersOptions | undefined,
): BufferTable {
  if (typeof views === 'number') return registerSparse(owner, views, options)
  const memory = checkViews(views)
  const tags = tagsOf(memory, options)
  const registration = owner[REGISTRATION]

  const { address, bytes } = argument(memory, tags)
  if (tags.length === 0) {
    lock(registration, memory, REGISTER_BUFFERS, bytes.subarray(STRUCT_BYTES), memory.length)
  } else {
    bytes.writeUInt32LE(memory.length, 0)
    bytes.writeBigUInt64LE(BigInt(address + STRUCT_BYTES), 16)
    bytes.writeBigUInt64LE(BigInt(tagsAddress(address, memory)), 24)
    lock(registration, memory, REGISTER_BUFFERS2, bytes, STRUCT_BYTES)
  }
  const pinned = new Pinned()
  fill(pinned, 0, memory)
  pin(registration, pinned)
  return new BufferTable(owner, pinned)
}

function registerSparse(
  owner: Owner,
  size: number,
  options: RegisterBuffersOptions | undefined,
): BufferTable {
  integer(size, 'views', 1, MAX_SLOTS)
  tagWords(checkOptions(options).tags, size, () => false)
  const registration = owner[REGISTRATION]
  const { bytes } = allocateBlock(STRUCT_BYTES)
  bytes.writeUInt32LE(size, 0)
  bytes.writeUInt32LE(RSRC_REGISTER_SPARSE, 4)
  registration.register(REGISTER_BUFFERS2, bytes, STRUCT_BYTES)
  const pinned = new Pinned()
  const empty = Array.from({ length: size }, () => null)
  fill(pinned, 0, empty)
  pin(registration, pinned)
  return new BufferTable(owner, pinned)
}

/** @internal */
export function cloneBuffers(
  owner: Owner,
  source: Owner,
  options: CloneBuffersOptions | undefined,
): BufferTable {
  const { sourceOffset = 0, offset = 0, count, replace = false } = checkOptions(options)
  flag(replace, 'options.replace')
  integer(sourceOffset, 'options.sourceOffset', 0, MAX_SLOTS - 1)
  integer(offset, 'options.offset', 0, MAX_SLOTS - 1)
  if (count !== undefined) integer(count, 'options.count', 1, MAX_SLOTS)

  const from = source[REGISTRATION]
  const to = owner[REGISTRATION]
  const views = pinnedBy(from)?.views
  if (views === undefined) throw systemError(-ENXIO, 'io_uring_register')
  integer(sourceOffset, 'options.sourceOffset', 0, views.length - 1)
  const rest = views.length - sourceOffset
  const wanted = integer(count ?? rest, 'options.count', 1, Math.min(rest, MAX_SLOTS - offset))

  const { bytes } = allocateBlock(STRUCT_BYTES)
  bytes.writeInt32LE(from.boundary.native.fd, 0)
  bytes.writeUInt32LE(replace ? REGISTER_DST_REPLACE : 0, 4)
  const whole = wanted === views.length && offset === 0
  if (!whole) {
    bytes.writeUInt32LE(sourceOffset, 8)
    bytes.writeUInt32LE(offset, 12)
    bytes.writeUInt32LE(wanted, 16)
  }
  const result = to.call(REGISTER_CLONE_BUFFERS, bytes, 1)
  const since = whole && !replace ? '6.12' : '6.13'
  accepted(result, 'Ring.cloneBuffers()', since)

  const cloned = views.slice(sourceOffset, sourceOffset + wanted)
  const pinned = (replace ? pinnedBy(to) : undefined) ?? new Pinned()
  while (pinned.views.length < offset) pinned.views.push(null)
  fill(pinned, offset, cloned)
  if (pinnedBy(to) !== pinned) pin(to, pinned)
  return new BufferTable(owner, pinned)
}

/** Memory, as it is now: reading it may run the program's code. */
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

/** Room for a struct, then an array of `struct iovec`, then tags: one piece, which lives through the call. */
function argument(memory: readonly (Buffer | null)[], tags: readonly bigint[]): Block {
  const block = allocateBlock(STRUCT_BYTES + memory.length * (IOVEC_BYTES + TAG_BYTES))
  for (const [index, view] of memory.entries()) {
    if (view === null) continue
    const at = STRUCT_BYTES + index * IOVEC_BYTES
    checkAttached(view, `views[${index}]`) // by a getter of a later one
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

const MAX_PAUSE = 128
const clock = new Int32Array(new SharedArrayBuffer(4))

/**
 * A registration that locks memory. What a closed ring had locked is given back a moment later, so a program near its
 * limit is refused for a moment too.
 */
function lock(
  registration: Registration,
  memory: readonly (Buffer | null)[],
  opcode: number,
  bytes: Uint8Array,
  count: number,
): number {
  for (let pause = 1; ; pause *= 2) {
    const result = registration.call(opcode, bytes, count)
    if (result >= 0) return result
    if (result !== -ENOMEM) throw systemError(result, 'io_uring_register')
    const needed = lockedBy(memory)
    if (pause > MAX_PAUSE || needed > memlockAllowed()) {
      throw explained(-ENOMEM, `registering these buffers ${memlockText(needed)}`)
    }
    Atomics.wait(clock, 0, 0, pause)
  }
}

/** Bytes of the pages that memory lies in. */
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
