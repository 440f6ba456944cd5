// Maps the queues of a ring that the caller made.

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
  return invalidValue('params', params, 'must be what ioUringSetup filled in for this ring')
}

/** A part of the ring in memory, of the size that `params` says. */
function mapRegion(fd: number, offset: number, length: number, params: Bytes): Region {
  const mapping = binding().Mapping.create(fd, offset, length)
  if (typeof mapping === 'number') {
    if (mapping === EOPNOTSUPP) throw invalidValue('fd', fd, 'must be a ring')
    if (mapping === EFAULT || mapping === EINVAL) throw mismatch(params)
    throw systemError(mapping, 'mmap')
  }
  const buffer = mapping.buffer()
  if (buffer === null) {
    mapping.unmap()
    throw new UringError(
      'ERR_URING_UNSUPPORTED',
      `This runtime has no array buffers over memory that is not its own, so a ring cannot be mapped (${process.release.name}, Linux ${release()}). Use Ring`,
    )
  }
  return { mapping, buffer }
}

/** What `params` says of where things are, checked as far as that goes without the ring. */
class Places {
  private readonly words: DataView

  constructor(params: Uint8Array) {
    // Other threads may change it: no word is read twice.
    this.words = new DataView(params.buffer, params.byteOffset, params.byteLength)
  }

  word(name: keyof typeof PARAMS.fields): number {
    return this.words.getUint32(PARAMS.fields[name].offset, true)
  }

  entries(name: 'sq_entries' | 'cq_entries'): number {
    const entries = this.word(name)
    if (entries === 0 || (entries & (entries - 1)) !== 0)
      throw outOfRange(`params.${name}`, 'what ioUringSetup filled in, a power of two', entries)
    return entries
  }

  sq(name: keyof typeof SQ_OFFSETS): number {
    return this.place('sq_off', SQ_OFFSETS[name].offset, name, WORD)
  }

  cq(name: keyof typeof CQ_OFFSETS): number {
    return this.place('cq_off', CQ_OFFSETS[name].offset, name, name === 'cqes' ? 2 * WORD : WORD)
  }

  private place(queue: 'sq_off' | 'cq_off', within: number, name: string, alignment: number): number {
    const place = this.words.getUint32(PARAMS.fields[queue].offset + within, true)
    if (place % alignment !== 0)
      throw outOfRange(`params.${queue}.${name}`, `a multiple of ${alignment}`, place)
    return place
  }
}

/**
 * Maps the queues of a ring that `ioUringSetup` made. `params` are the bytes that it filled in.
 *
 * The memory is unmapped when nothing refers to it any more, or by {@link MappedRing.unmap}. Closing the descriptor is
 * left to the caller, and does not unmap it.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_VALUE`: `fd` is no ring, `params` is not of this ring, or the ring has its memory
 * from the caller (`IORING_SETUP_NO_MMAP`)
 * @throws {UringError} `ERR_URING_UNSUPPORTED` where the runtime has no array buffers over foreign memory; what mmap(2)
 * says otherwise
 */
export function mapRing(fd: number, params: Bytes): MappedRing {
  integer(fd, 'fd', 0, MAX_I32)
  const bytes = viewOf(checkBytes(params, 'params'))
  if (bytes.byteLength !== PARAMS.size)
    throw outOfRange('params.byteLength', `${PARAMS.size}`, bytes.byteLength)
  const places = new Places(bytes)
  const flags = places.word('flags')
  if ((flags & IORING_SETUP_NO_MMAP) !== 0)
    throw invalidValue('params.flags', flags, 'must be without IORING_SETUP_NO_MMAP: there is nothing to map')

  const entries = { sq: places.entries('sq_entries'), cq: places.entries('cq_entries') }
  const sq = {
    head: places.sq('head'),
    tail: places.sq('tail'),
    flags: places.sq('flags'),
    dropped: places.sq('dropped'),
    mask: places.sq('ring_mask'),
    entries: places.sq('ring_entries'),
  }
  const cq = {
    head: places.cq('head'),
    tail: places.cq('tail'),
    overflow: places.cq('overflow'),
    flags: places.cq('flags'),
    mask: places.cq('ring_mask'),
    entries: places.cq('ring_entries'),
  }
  const array = (flags & IORING_SETUP_NO_SQARRAY) === 0 ? places.sq('array') : undefined
  const cqes = places.cq('cqes')
  const cqesBytes = entries.cq * ((flags & IORING_SETUP_CQE32) === 0 ? 16 : 32)
  const sqesBytes = entries.sq * ((flags & IORING_SETUP_SQE128) === 0 ? 64 : 128)
  let sqBytes = Math.max(...Object.values(sq)) + WORD
  let cqBytes = Math.max(...Object.values(cq)) + WORD
  // Writing to it must not change the words before it: those of a resized ring say 0.
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
    const single = (places.word('features') & IORING_FEAT_SINGLE_MMAP) !== 0
    const sqMemory = map(IORING_OFF_SQ_RING, single ? Math.max(sqBytes, cqBytes) : sqBytes)
    const cqMemory = single ? sqMemory : map(IORING_OFF_CQ_RING, cqBytes)
    const word = (memory: ArrayBuffer, at: number): Uint32Array => new Uint32Array(memory, at, 1)
    // What the kernel has written there says whether `params` is of this ring.
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
