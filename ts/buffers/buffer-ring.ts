// Buffer rings: buffer groups in memory that the program shares with the kernel.

import { constants as limits } from 'node:buffer'
import { constants } from 'node:os'
import { MAX_ENTRIES, roundUpToPowerOfTwo } from '../arguments/queue-sizes.ts'
import { checkRing, REGISTRATION } from '../arguments/ring.ts'
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
import {
  closedError,
  closedGroupError,
  detachedError,
  invalidStateError,
  systemError,
  UringError,
} from '../errors.ts'
import {
  IORING_REGISTER_PBUF_RING,
  IORING_REGISTER_PBUF_STATUS,
  IORING_UNREGISTER_PBUF_RING,
  IOU_PBUF_RING_INC,
} from '../flags/registrations.ts'
import { bytesLeft, checkBytes } from '../memory/address-of.ts'
import type { Registration } from '../registered/context.ts'
import type { Ring } from '../ring.ts'
import type { Completion } from '../ring/completion.ts'
import { type AskHead, Borrowed, BufferPool, type PoolSettings } from './buffer-pool.ts'
import { DETACHED, NOTHING, RECEIVED } from './received.ts'

const { EEXIST, ENOENT } = constants.errno

const STRUCT_BYTES = 40 // struct io_uring_buf_reg, struct io_uring_buf_status

/** Options of a {@link BufferRing}. */
export interface BufferRingOptions {
  /** The number of buffers, 1 to 32768. */
  count: number
  /** The bytes of each buffer. */
  size: number
  /** The number of the buffer group, 0 to 65535; absent, the first free one. */
  group?: number
  /** Lets the kernel continue in the unused rest of a buffer, instead of the next buffer (6.12); false. */
  incremental?: boolean
  /** The memory of the buffers, one after the other: at least `count * size` bytes. Absent, it is allocated. */
  memory?: Buffer
}

/** Encodes a `struct io_uring_buf_reg`: the number of the group, and the address of its ring. */
function registrationOf(group: number, pool?: BufferPool): Uint8Array {
  const bytes = Buffer.alloc(STRUCT_BYTES)
  bytes.writeUInt16LE(group, 12)
  if (pool !== undefined) {
    bytes.writeBigUInt64LE(BigInt(pool.address), 0)
    bytes.writeUInt32LE(pool.entries, 8)
    bytes.writeUInt16LE(pool.incremental ? IOU_PBUF_RING_INC : 0, 14)
  }
  return bytes
}

/** Asks the kernel how many buffers it has consumed. Returns a number of 16 bits, or a negative `errno`. */
function askHead(registration: Registration, group: number): number {
  const status = Buffer.alloc(STRUCT_BYTES)
  status.writeUInt32LE(group, 0)
  const result = registration.call(IORING_REGISTER_PBUF_STATUS, status, 1)
  return result < 0 ? result : status.readUInt32LE(4)
}

interface Checked extends PoolSettings {
  readonly group: number | undefined
}

/** Checks the options, and allocates memory if there is none. */
function check(options: BufferRingOptions): Checked {
  if (options === undefined) throw invalidType('options', 'of type object', options)
  const { count, size, group, incremental = false, memory } = checkOptions<BufferRingOptions>(options)
  const checked = {
    count: integer(count, 'options.count', 1, MAX_ENTRIES),
    size: integer(size, 'options.size', 1, MAX_U32),
    group: group === undefined ? undefined : integer(group, 'options.group', 0, MAX_U16),
    incremental: flag(incremental, 'options.incremental'),
  }
  const bytes = checked.count * checked.size
  if (bytes > limits.MAX_LENGTH) {
    const most = Math.floor(limits.MAX_LENGTH / checked.count)
    throw outOfRange(
      'options.size',
      `<= ${most}, because one Buffer holds all ${checked.count} buffers`,
      size,
    )
  }
  const entries = roundUpToPowerOfTwo(checked.count)
  return {
    ...checked,
    entries,
    memory: memory === undefined ? allocateBuffers(checked) : memoryOf(memory, bytes),
  }
}

function allocateBuffers({ count, size }: { readonly count: number; readonly size: number }): Buffer {
  let memory: SharedArrayBuffer
  try {
    memory = new SharedArrayBuffer(count * size)
  } catch {
    throw outOfRange('options.size', `less: ${count} buffers of this size cannot be allocated`, size)
  }
  return Buffer.from(memory)
}

function memoryOf(value: unknown, bytes: number): Buffer {
  const memory = checkBytes(value, 'options.memory')
  const length = bytesLeft(memory)
  if (length < bytes) {
    throw outOfRange('options.memory.byteLength', `>= ${bytes}, which is "count" times "size"`, length)
  }
  return ArrayBuffer.isView(memory)
    ? Buffer.from(memory.buffer, memory.byteOffset, bytes)
    : Buffer.from(memory, 0, bytes)
}

/**
 * A buffer ring: a buffer group in memory that is shared with the kernel. Operations consume its buffers in the order in
 * which they were returned, and returning a buffer needs no system call.
 *
 * At first the kernel has all buffers. A buffer that an operation has consumed is borrowed by the program until it is
 * returned, by `put()`, `copy()`, or `release()` of the {@link Received} data. The group exists, and its memory is held,
 * until `close()` or until the ring is closed, even if this object is collected.
 *
 * Since Linux 5.19. See io_uring_register_buf_ring(3).
 */
export class BufferRing {
  /** The number of the buffer group. */
  readonly group: number
  /** The number of buffers. */
  readonly count: number
  /** The bytes of each buffer. */
  readonly size: number
  /** The memory of all buffers, one after the other. */
  readonly memory: Buffer
  readonly #ring: Ring
  readonly #registration: Registration
  readonly #pool: BufferPool

  /**
   * Registers a buffer ring.
   *
   * @throws {UringError} `EEXIST`: the ring has a buffer group of this number; `EINVAL`: the kernel does not support buffer
   * rings, or `incremental`; `ENOMEM`: there is not enough memory; `ERR_URING_BUFFER_IN_USE`: operations in flight may have
   * buffers of a closed buffer ring of this number; `ERR_URING_CLOSED`: the ring is closed
   * @throws {RangeError|TypeError} an option is invalid
   */
  constructor(ring: Ring, options: BufferRingOptions) {
    checkRing(ring)
    const settings = check(options)
    const registration = ring[REGISTRATION]
    const { groups } = registration.submissions
    // The native part of the ring holds the pool, so the pool must not hold the ring.
    const weak = new WeakRef(registration)
    const head: AskHead = (group) => {
      const open = weak.deref()
      const position = open === undefined || open.boundary.closed ? -1 : askHead(open, group)
      return position < 0 ? undefined : position
    }
    const pool = new BufferPool(groups, head, settings)
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
   * The number of buffers that the kernel has consumed so far, modulo 2^16.
   *
   * Since Linux 6.8. See io_uring_buf_ring_head(3).
   *
   * @throws {UringError} `EINVAL`: the kernel is older; `ERR_URING_RESOURCE_CLOSED`: the buffer ring is closed;
   * `ERR_URING_CLOSED`: the ring is closed
   */
  get head(): number {
    this.#checkOpen()
    const head = askHead(this.#registration, this.group)
    if (head < 0) throw systemError(head, 'io_uring_register')
    return head
  }

  /** The number of buffers that the kernel can still consume. Since Linux 6.8. @throws {UringError} as `head` */
  get available(): number {
    return this.#pool.availableAt(this.head)
  }

  /**
   * Returns a view of a buffer, or of its first `length` bytes.
   *
   * @throws {RangeError} `ERR_OUT_OF_RANGE`
   * @throws {UringError} `ERR_URING_BUFFER_DETACHED`: the memory was transferred
   */
  get(id: number, length: number = this.size): Buffer {
    const start = this.#checkId(id) * this.size
    integer(length, 'length', 0, this.size)
    this.#checkAttached()
    return this.memory.subarray(start, start + length)
  }

  /**
   * Returns views of the bytes that a completion received, or sent, in order: for a bundle, the parts of several buffers;
   * for an incremental buffer, the part of this completion. The buffers stay borrowed. The list is empty if the completion
   * consumed no buffer.
   *
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE`: the completion belongs to another buffer group
   */
  views(completion: Completion): Buffer[] {
    return [...(this.#borrowedBy(completion, 'completion')?.views ?? [])]
  }

  /** Copies the bytes of a completion into a new Buffer, and returns its buffers to the kernel. @throws as `put()` */
  copy(completion: Completion): Buffer {
    const borrowed = this.#borrowedBy(completion, 'completion')
    if (borrowed === undefined) return Buffer.alloc(0)
    const ids = this.#returnable(borrowed)
    const bytes = Buffer.concat(borrowed.views)
    this.#pool.put(ids)
    borrowed.release()
    return bytes
  }

  /**
   * Returns borrowed buffers to the kernel: all buffers of a completion, or one buffer by its number. If the completion has
   * `bufferMore`, its last buffer is left out, because the kernel still has it.
   *
   * @throws {UringError} `ERR_INVALID_STATE`: a buffer is not borrowed; `ERR_URING_BUFFER_DETACHED`: the memory was
   * transferred; `ERR_URING_RESOURCE_CLOSED`: the buffer ring is closed; `ERR_URING_CLOSED`: the ring is closed
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE`: the completion belongs to another buffer group
   */
  put(completionOrId: Completion | number): void {
    if (typeof completionOrId !== 'number') {
      const borrowed = this.#borrowedBy(completionOrId, 'completionOrId')
      if (borrowed === undefined) return
      this.#pool.put(this.#returnable(borrowed))
      borrowed.release()
      return
    }
    const id = this.#checkId(completionOrId, 'completionOrId')
    this.#checkOpen()
    this.#checkAttached()
    if (!this.#pool.isBorrowed(id)) throw notBorrowed(id)
    this.#pool.put([id])
  }

  /**
   * Unregisters the buffer ring. Data in buffers that operations in flight have already consumed still arrives. Does nothing
   * if the buffer ring is closed.
   *
   * Since Linux 5.19. See io_uring_unregister_buf_ring(3).
   *
   * @throws {UringError} `EACCES`: the restrictions of the ring do not allow it
   */
  close(): void {
    if (this.#pool.closed) return
    if (!this.#ring.closed) {
      const result = this.#registration.call(IORING_UNREGISTER_PBUF_RING, registrationOf(this.group), 1)
      if (result < 0 && result !== -ENOENT) throw systemError(result, 'io_uring_register')
    }
    this.#pool.closed = true
    this.#registration.submissions.groups.closed(this.group)
  }

  /** Calls `close()`. */
  [Symbol.dispose](): void {
    this.close()
  }

  #checkId(id: number, name = 'id'): number {
    return integer(id, name, 0, this.count - 1)
  }

  #checkOpen(): void {
    if (this.#pool.closed) throw closedGroupError(this.group)
    if (this.#ring.closed) throw closedError()
  }

  /** @throws {UringError} if the memory is detached */
  #checkAttached(): void {
    if (this.#pool.isDetached) throw detachedError('BufferRing')
  }

  /** Returns the buffers that a completion has borrowed from this group, if any. */
  #borrowedBy(completion: Completion, name: string): Borrowed | undefined {
    if (!isCompletion(completion))
      throw invalidType(
        name,
        name === 'completion' ? COMPLETION : `${COMPLETION} or of type number`,
        completion,
      )
    if (completion.bufferId === undefined) return undefined
    const received = completion[RECEIVED]
    if (received === NOTHING) return undefined
    if (received === DETACHED) throw detachedError('BufferRing')
    if (received instanceof Borrowed && received.isOf(this.#pool)) return received
    throw invalidValue(name, completion, `has no buffer of group ${this.group}`)
  }

  /** Returns the buffers of a completion that can be returned. Throws if one of them cannot. */
  #returnable(borrowed: Borrowed): readonly number[] {
    this.#checkOpen()
    this.#checkAttached()
    const ids = borrowed.ids.slice(0, borrowed.returnable)
    for (const [index, id] of ids.entries()) if (!this.#pool.isHeld(borrowed, index)) throw notBorrowed(id)
    return ids
  }
}

const COMPLETION = 'an instance of Completion'

function isCompletion(value: unknown): boolean {
  return typeof value === 'object' && value !== null && RECEIVED in value
}

function notBorrowed(id: number): UringError {
  return invalidStateError(
    `Buffer ${id} is not borrowed: no operation has consumed it, or it was returned already`,
  )
}

/** Registers a buffer ring with this group number. */
function register(registration: Registration, pool: BufferPool, group: number): void {
  const used = registration.submissions.groups.usedOf(group)
  if (used?.closed === true) {
    throw new UringError(
      'ERR_URING_BUFFER_IN_USE',
      `Operations in flight may have buffers of the closed buffer ring of group ${group}. Let them complete first, or use another group`,
    )
  }
  // If operations have all buffers of ProvideBuffers, the kernel has no such group any more, and would not refuse.
  if (used !== undefined) throw systemError(-EEXIST, 'io_uring_register')
  registration.register(IORING_REGISTER_PBUF_RING, registrationOf(group, pool), 1)
}

/** Registers the first free group. The program may have registered others with raw system calls: skip those. */
function registerFree(registration: Registration, pool: BufferPool): number {
  const { groups } = registration.submissions
  for (let group = groups.free(0); group !== undefined; group = groups.free(group + 1)) {
    const result = registration.call(IORING_REGISTER_PBUF_RING, registrationOf(group, pool), 1)
    if (result >= 0) return group
    if (result !== -EEXIST) throw systemError(result, 'io_uring_register')
  }
  throw systemError(-EEXIST, 'io_uring_register')
}
