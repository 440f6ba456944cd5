// Groups of provided buffers in a ring that is shared with the kernel.

import { constants as limits } from 'node:buffer'
import { constants } from 'node:os'
import { Completion, RECEIVED } from '../ring/completion.ts'
import {
  closedError,
  closedGroupError,
  detachedError,
  invalidStateError,
  systemError,
  UringError,
} from '../errors.ts'
import { DETACHED, NOTHING } from './received.ts'
import { bytesLeft, checkBytes } from '../memory/address-of.ts'
import type { Ring } from '../ring.ts'
import {
  flag,
  integer,
  invalidType,
  invalidValue,
  MAX_U16,
  MAX_U32,
  checkOptions,
  outOfRange,
} from '../arguments/validate.ts'
import { BufferPool, type PoolSettings, Taken } from './buffer-pool.ts'
import { Registrar } from '../registered/ring-registrations.ts'
import { type Registration, REGISTRATION } from '../registered/context.ts'

const { EEXIST, ENOENT } = constants.errno

const REGISTER_PBUF_RING = 22
const UNREGISTER_PBUF_RING = 23
const REGISTER_PBUF_STATUS = 26
/** The flag of incremental buffers. */
const INCREMENTAL = 2
const MAX_COUNT = 32_768

/** Options of a {@link BufferRing}. */
export interface BufferRingOptions {
  /** Buffers, 1 to 32768. */
  count: number
  /** Bytes of each. */
  size: number
  /** The number of the group, 0 to 65535; absent, the next one that is free. */
  group?: number
  /** Whether the kernel goes on with what is left of a buffer, instead of taking the next one (6.12). */
  incremental?: boolean
  /** Where the buffers lie, one after the other; absent, in memory of their own. */
  memory?: Buffer
}

/** `struct io_uring_buf_reg`: what the group is called, and where its ring lies. */
function registrationOf(group: number, pool?: BufferPool): Uint8Array {
  const bytes = Buffer.alloc(40)
  bytes.writeUInt16LE(group, 12)
  if (pool !== undefined) {
    bytes.writeBigUInt64LE(BigInt(pool.address), 0)
    bytes.writeUInt32LE(pool.entries, 8)
    bytes.writeUInt16LE(pool.incremental ? INCREMENTAL : 0, 14)
  }
  return bytes
}

/** Asks the kernel how many buffers it has taken: a number of 16 bits, or a negative `errno`. */
function askHead(registration: Registration, group: number): number {
  const status = Buffer.alloc(40) // struct io_uring_buf_status
  status.writeUInt32LE(group, 0)
  const result = registration.call(REGISTER_PBUF_STATUS, status, 1)
  return result < 0 ? result : status.readUInt32LE(4)
}

interface Checked extends PoolSettings {
  readonly group: number | undefined
}

function check(given: BufferRingOptions): Checked {
  if (given === undefined) throw invalidType('options', 'of type object', given)
  const { count, size, group, incremental = false, memory } = checkOptions<BufferRingOptions>(given)
  const checked = {
    count: integer(count, 'options.count', 1, MAX_COUNT),
    size: integer(size, 'options.size', 1, MAX_U32),
    group: group === undefined ? undefined : integer(group, 'options.group', 0, MAX_U16),
    incremental: flag(incremental, 'options.incremental'),
  }
  const bytes = checked.count * checked.size
  if (bytes > limits.MAX_LENGTH) {
    const most = Math.floor(limits.MAX_LENGTH / checked.count)
    throw outOfRange(
      'options.size',
      `<= ${most}, as a Buffer of all ${checked.count} has no more bytes`,
      size,
    )
  }
  const entries = 2 ** Math.ceil(Math.log2(checked.count))
  return { ...checked, entries, memory: memory === undefined ? share(checked) : memoryOf(memory, bytes) }
}

function share({ count, size }: { readonly count: number; readonly size: number }): Buffer {
  let memory: SharedArrayBuffer
  try {
    memory = new SharedArrayBuffer(count * size)
  } catch {
    throw outOfRange('options.size', `less, as all ${count} together cannot be allocated`, size)
  }
  return Buffer.from(memory)
}

function memoryOf(given: unknown, bytes: number): Buffer {
  const memory = checkBytes(given, 'options.memory')
  const length = bytesLeft(memory)
  if (length < bytes) {
    throw outOfRange('options.memory.byteLength', `>= ${bytes}, which is "count" times "size"`, length)
  }
  return ArrayBuffer.isView(memory)
    ? Buffer.from(memory.buffer, memory.byteOffset, bytes)
    : Buffer.from(memory, 0, bytes)
}

/**
 * A group of provided buffers, mapped: operations on the group take them in the order in which they were given back, and
 * giving one back is no system call.
 *
 * All buffers are the kernel's at first. One that an operation has taken is the program's until it is given back, by
 * `put`, `copy`, or `release()` of what was {@link Received}. The group exists, and its memory is held, until `close()` or
 * the end of the ring: what becomes of this object does not matter.
 *
 * Since Linux 5.19. See io_uring_register_buf_ring(3).
 */
export class BufferRing {
  /** The number of the group. */
  readonly group: number
  /** Buffers. */
  readonly count: number
  /** Bytes of each. */
  readonly size: number
  /** All buffers, one after the other. */
  readonly memory: Buffer
  readonly #ring: Ring
  readonly #registration: Registration
  readonly #pool: BufferPool

  /**
   * @throws {UringError} `EEXIST` (there is such a group), `EINVAL` (this kernel cannot), `ENOMEM`,
   * `ERR_URING_BUFFER_IN_USE` (operations in flight may have buffers of a ring of this group that was closed),
   * `ERR_URING_CLOSED`
   * @throws {RangeError|TypeError} for options that cannot be
   */
  constructor(ring: Ring, options: BufferRingOptions) {
    if (!(ring instanceof Registrar)) throw invalidType('ring', 'an instance of Ring', ring)
    const settings = check(options)
    const registration = ring[REGISTRATION]
    const { groups } = registration.slots
    // The group is held by what the ring's native half holds, which must not hold the ring in turn.
    const weak = new WeakRef(registration)
    const head = (group: number): number | undefined => {
      const open = weak.deref()
      const position = open === undefined || open.boundary.closed ? -1 : askHead(open, group)
      return position < 0 ? undefined : position
    }
    const pool = new BufferPool({ groups, head }, settings)
    this.group = settings.group === undefined ? registerFree(registration, pool) : settings.group
    if (settings.group !== undefined) register(registration, pool, settings.group)
    pool.group = this.group
    groups.open(this.group, pool)
    this.count = pool.count
    this.size = pool.size
    this.memory = pool.memory
    this.#ring = ring
    this.#registration = registration
    this.#pool = pool
  }

  /**
   * How many buffers the kernel has taken so far, modulo 2^16. Since Linux 6.8. See io_uring_buf_ring_head(3).
   *
   * @throws {UringError} `EINVAL` (this kernel does not say), `ERR_URING_RESOURCE_CLOSED`, `ERR_URING_CLOSED`
   */
  get head(): number {
    this.#open()
    const head = askHead(this.#registration, this.group)
    if (head < 0) throw systemError(head, 'io_uring_register')
    return head
  }

  /** How many buffers the kernel can take. Since Linux 6.8. @throws {UringError} as `head` */
  get available(): number {
    return this.#pool.leftAt(this.head)
  }

  /** A buffer, or its first `length` bytes: a view. @throws {RangeError} `ERR_OUT_OF_RANGE` */
  get(id: number, length: number = this.size): Buffer {
    const start = this.#check(id) * this.size
    integer(length, 'length', 0, this.size)
    this.#present()
    return this.memory.subarray(start, start + length)
  }

  /**
   * What a completion filled, in order: of a bundle the parts of several buffers, of an incremental buffer the part that
   * came with this completion. Views, which are still borrowed; none where it took no buffer. What was sent from the
   * group is given too.
   *
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for a completion of another group
   */
  views(completion: Completion): Buffer[] {
    return [...(this.#takenBy(completion, 'completion')?.views ?? [])]
  }

  /** The bytes that a completion brought, as a Buffer of their own. The buffers go back. @throws as `put` */
  copy(completion: Completion): Buffer {
    const taken = this.#takenBy(completion, 'completion')
    if (taken === undefined) return Buffer.alloc(0)
    const ids = this.#returnable(taken)
    const bytes = Buffer.concat(taken.views)
    this.#pool.put(ids)
    taken.release()
    return bytes
  }

  /**
   * Gives buffers back: those that a completion took, or one by its number. A completion with `bufferMore` gives its last
   * one not back, because the kernel has it still.
   *
   * @throws {UringError} `ERR_INVALID_STATE` for a buffer that is not out, `ERR_URING_RESOURCE_CLOSED`, `ERR_URING_CLOSED`
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for a completion of another group
   */
  put(completionOrId: Completion | number): void {
    if (typeof completionOrId !== 'number') {
      const taken = this.#takenBy(completionOrId, 'completionOrId')
      if (taken === undefined) return
      this.#pool.put(this.#returnable(taken))
      taken.release()
      return
    }
    const id = this.#check(completionOrId, 'completionOrId')
    this.#open()
    this.#present()
    if (!this.#pool.isOut(id)) throw notOut(id)
    this.#pool.put([id])
  }

  /**
   * Takes the group from the kernel. What operations in flight have taken of it comes all the same. Closing twice is fine.
   *
   * Since Linux 5.19. See io_uring_unregister_buf_ring(3).
   *
   * @throws {UringError} `EACCES` on a ring whose restrictions do not allow it
   */
  close(): void {
    if (this.#pool.closed) return
    if (!this.#ring.closed) {
      const result = this.#registration.call(UNREGISTER_PBUF_RING, registrationOf(this.group), 1)
      if (result < 0 && result !== -ENOENT) throw systemError(result, 'io_uring_register')
    }
    this.#pool.closed = true
    this.#registration.slots.groups.closed(this.group)
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close()
  }

  #check(id: number, name = 'id'): number {
    return integer(id, name, 0, this.count - 1)
  }

  #open(): void {
    if (this.#pool.closed) throw closedGroupError(this.group)
    if (this.#ring.closed) throw closedError()
  }

  #present(): void {
    if (this.#pool.isGone) throw detachedError('BufferRing')
  }

  /** What a completion took of this group, if it took anything. */
  #takenBy(completion: Completion, name: string): Taken | undefined {
    if (!(completion instanceof Completion))
      throw invalidType(
        name,
        name === 'completion' ? COMPLETION : `${COMPLETION} or of type number`,
        completion,
      )
    if (completion.bufferId === undefined) return undefined
    const received = completion[RECEIVED]
    if (received === NOTHING) return undefined
    if (received === DETACHED) throw detachedError('BufferRing')
    if (received instanceof Taken && received.isOf(this.#pool)) return received
    throw invalidValue(name, completion, `has no buffer of group ${this.group}`)
  }

  /** The buffers of a completion that go back: all or none. */
  #returnable(taken: Taken): readonly number[] {
    this.#open()
    this.#present()
    const ids = taken.ids.slice(0, taken.whole)
    for (const [index, id] of ids.entries()) if (!this.#pool.isHeld(taken, index)) throw notOut(id)
    return ids
  }
}

const COMPLETION = 'an instance of Completion'

function notOut(id: number): UringError {
  return invalidStateError(`Buffer ${id} is the kernel's: it was given back before, or nothing has taken it`)
}

/** Registers a group of this number. */
function register(registration: Registration, pool: BufferPool, group: number): void {
  const used = registration.slots.groups.usedOf(group)
  if (used?.closed === true) {
    throw new UringError(
      'ERR_URING_BUFFER_IN_USE',
      `Operations in flight may have buffers of the closed buffer ring of group ${group}. Let them complete first, or take another group`,
    )
  }
  // Buffers that were provided one by one may all be with operations: then the kernel has forgotten the group.
  if (used !== undefined) throw systemError(-EEXIST, 'io_uring_register')
  registration.register(REGISTER_PBUF_RING, registrationOf(group, pool), 1)
}

/** Registers the first group that is free: others may have registered some behind the ring's back. */
function registerFree(registration: Registration, pool: BufferPool): number {
  const { groups } = registration.slots
  for (let group = groups.free(0); group !== undefined; group = groups.free(group + 1)) {
    const result = registration.call(REGISTER_PBUF_RING, registrationOf(group, pool), 1)
    if (result >= 0) return group
    if (result !== -EEXIST) throw systemError(result, 'io_uring_register')
  }
  throw systemError(-EEXIST, 'io_uring_register')
}
