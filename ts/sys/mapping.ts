// Maps the queues of a ring that the caller has created.

import { release } from 'node:os'
import { binding } from '../binding.ts'
import { systemError, UringError } from '../errors.ts'
import { type Bytes, checkBytes, viewOf } from '../memory/address-of.ts'
import { integer, invalidValue, MAX_I32, outOfRange } from '../arguments/validate.ts'
import { MappedRing, type Region, unmapRegion } from './mapped.ts'
import {
  IORING_FEAT_SINGLE_MMAP,
  IORING_OFF_CQ_RING,
  IORING_OFF_SQ_RING,
  IORING_OFF_SQES,
  IORING_SETUP_CQE32,
  IORING_SETUP_NO_MMAP,
  IORING_SETUP_NO_SQARRAY,
  IORING_SETUP_SQE128,
} from './rings.ts'
import { structs } from './structs.ts'

const EINVAL = -22
const EFAULT = -14
const EOPNOTSUPP = -95
const WORD = 4

const PARAMS = structs.io_uring_params
const SQ_OFFSETS = structs.io_sqring_offsets.fields
const CQ_OFFSETS = structs.io_cqring_offsets.fields

function mismatch(params: Bytes): TypeError {
  return invalidValue('params', params, 'must be the bytes that ioUringSetup filled in for this ring')
}

/** Maps `length` bytes of the ring. */
function mapRegion(fd: number, offset: number, length: number, params: Bytes): Region {
  const mapping = binding().Mapping.create(fd, offset, length)
  if (typeof mapping === 'number') {
    if (mapping === EOPNOTSUPP) throw invalidValue('fd', fd, 'must be the descriptor of a ring')
    if (mapping === EFAULT || mapping === EINVAL) throw mismatch(params)
    throw systemError(mapping, 'mmap')
  }
  const buffer = mapping.buffer()
  if (buffer === null) {
    mapping.unmap()
    throw new UringError(
      'ERR_URING_UNSUPPORTED',
      `This runtime (${process.release.name}, Linux ${release()}) does not support array buffers over memory that it has not allocated, so rings cannot be mapped. Use Ring instead`,
    )
  }
  return { mapping, buffer }
}

/** The offsets in `params`, checked as far as that is possible without the ring. */
class Offsets {
  private readonly words: DataView

  constructor(params: Uint8Array) {
    // Another thread may change the memory, so each word is read only once.
    this.words = new DataView(params.buffer, params.byteOffset, params.byteLength)
  }

  word(name: keyof typeof PARAMS.fields): number {
    return this.words.getUint32(PARAMS.fields[name].offset, true)
  }

  entries(name: 'sq_entries' | 'cq_entries'): number {
    const entries = this.word(name)
    if (entries === 0 || (entries & (entries - 1)) !== 0)
      throw outOfRange(`params.${name}`, 'the power of two that ioUringSetup filled in', entries)
    return entries
  }

  sq(name: keyof typeof SQ_OFFSETS): number {
    return this.offset('sq_off', SQ_OFFSETS[name].offset, name, WORD)
  }

  cq(name: keyof typeof CQ_OFFSETS): number {
    return this.offset('cq_off', CQ_OFFSETS[name].offset, name, name === 'cqes' ? 2 * WORD : WORD)
  }

  private offset(queue: 'sq_off' | 'cq_off', within: number, name: string, alignment: number): number {
    const offset = this.words.getUint32(PARAMS.fields[queue].offset + within, true)
    if (offset % alignment !== 0)
      throw outOfRange(`params.${queue}.${name}`, `a multiple of ${alignment}`, offset)
    return offset
  }
}

/**
 * Maps the queues of a ring. `fd` and `params` are the descriptor that `ioUringSetup` returned, and the bytes that it
 * filled in.
 *
 * The memory is unmapped when nothing refers to it, or by {@link MappedRing.unmap}. The caller closes the descriptor,
 * which does not unmap the memory.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_VALUE`: `fd` is not a ring, `params` is not of this ring, or the caller has
 * allocated the memory of the ring (`IORING_SETUP_NO_MMAP`); `ERR_INVALID_ARG_TYPE`
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: `fd` is out of range, or `params` has a wrong size or an impossible value
 * @throws {UringError} `ERR_URING_UNSUPPORTED`: the runtime does not support array buffers over memory that it has not
 * allocated; the errors of mmap(2)
 */
export function mapRing(fd: number, params: Bytes): MappedRing {
  integer(fd, 'fd', 0, MAX_I32)
  const bytes = viewOf(checkBytes(params, 'params'))
  if (bytes.byteLength !== PARAMS.size)
    throw outOfRange('params.byteLength', `${PARAMS.size}`, bytes.byteLength)
  const offsets = new Offsets(bytes)
  const flags = offsets.word('flags')
  if ((flags & IORING_SETUP_NO_MMAP) !== 0)
    throw invalidValue(
      'params.flags',
      flags,
      "must not have IORING_SETUP_NO_MMAP: the memory of such a ring is the caller's",
    )

  const entries = { sq: offsets.entries('sq_entries'), cq: offsets.entries('cq_entries') }
  const sq = {
    head: offsets.sq('head'),
    tail: offsets.sq('tail'),
    flags: offsets.sq('flags'),
    dropped: offsets.sq('dropped'),
    mask: offsets.sq('ring_mask'),
    entries: offsets.sq('ring_entries'),
  }
  const cq = {
    head: offsets.cq('head'),
    tail: offsets.cq('tail'),
    overflow: offsets.cq('overflow'),
    flags: offsets.cq('flags'),
    mask: offsets.cq('ring_mask'),
    entries: offsets.cq('ring_entries'),
  }
  const array = (flags & IORING_SETUP_NO_SQARRAY) === 0 ? offsets.sq('array') : undefined
  const cqes = offsets.cq('cqes')
  const cqesBytes = entries.cq * ((flags & IORING_SETUP_CQE32) === 0 ? 16 : 32)
  const sqesBytes = entries.sq * ((flags & IORING_SETUP_SQE128) === 0 ? 64 : 128)
  let sqBytes = Math.max(...Object.values(sq)) + WORD
  let cqBytes = Math.max(...Object.values(cq)) + WORD
  // The array must not overlap the words in front of it. The offsets of a resized ring may be 0.
  if (array !== undefined && array < sqBytes)
    throw outOfRange('params.sq_off.array', `>= ${sqBytes}, without IORING_SETUP_NO_SQARRAY`, array)
  if (array !== undefined) sqBytes = array + entries.sq * WORD
  cqBytes = Math.max(cqBytes, cqes + cqesBytes)

  const regions: Region[] = []
  const map = (offset: number, length: number): ArrayBuffer => {
    const region = mapRegion(fd, offset, length, params)
    regions.push(region)
    return region.buffer
  }
  try {
    const single = (offsets.word('features') & IORING_FEAT_SINGLE_MMAP) !== 0
    const sqMemory = map(IORING_OFF_SQ_RING, single ? Math.max(sqBytes, cqBytes) : sqBytes)
    const cqMemory = single ? sqMemory : map(IORING_OFF_CQ_RING, cqBytes)
    const word = (memory: ArrayBuffer, at: number): Uint32Array => new Uint32Array(memory, at, 1)
    // The kernel has written the sizes of the queues there: compare them, to find out if `params` is of this ring.
    for (const [memory, at, count] of [
      [sqMemory, sq, entries.sq],
      [cqMemory, cq, entries.cq],
    ] as const) {
      if (word(memory, at.entries)[0] !== count || word(memory, at.mask)[0] !== count - 1)
        throw mismatch(params)
    }
    return new MappedRing(
      {
        head: word(sqMemory, sq.head),
        tail: word(sqMemory, sq.tail),
        flags: word(sqMemory, sq.flags),
        dropped: word(sqMemory, sq.dropped),
        array: array === undefined ? undefined : new Uint32Array(sqMemory, array, entries.sq),
        ringMask: entries.sq - 1,
        ringEntries: entries.sq,
      },
      {
        head: word(cqMemory, cq.head),
        tail: word(cqMemory, cq.tail),
        overflow: word(cqMemory, cq.overflow),
        flags: cq.flags === 0 ? undefined : word(cqMemory, cq.flags),
        cqes: new Uint8Array(cqMemory, cqes, cqesBytes),
        ringMask: entries.cq - 1,
        ringEntries: entries.cq,
      },
      new Uint8Array(map(IORING_OFF_SQES, sqesBytes)),
      flags,
      regions,
    )
  } catch (error) {
    for (const region of regions) unmapRegion(region)
    throw error
  }
}
