// Protection information of a read or write: `struct io_uring_attr_pi`.

import { addressOf, allocateBlock, type Bytes, checkBytes } from '../memory/address-of.ts'
import { integer, invalidType, MAX_U16, MAX_U32, outOfRange, integer64 } from '../arguments/validate.ts'

/** Protection information of a read or write with direct I/O, which a device stores beside each block. */
export interface Integrity {
  /** The protection information: filled in by a read, and stored by a write. At most 2^32 - 1 bytes. */
  readonly bytes: Bytes
  /** The checks of the device, `IntegrityFlags`. Default: 0. */
  readonly flags?: number
  /** The application tag, 0 to 65535. Default: 0. */
  readonly appTag?: number
  /** The initial reference tag, 0 to 2^64 - 1. Default: 0. */
  readonly seed?: number | bigint
}

/** A `struct io_uring_attr_pi` in memory, and the memory that it points at. */
export interface IntegrityBlock {
  readonly address: number
  /** `IORING_RW_ATTR_FLAG_PI`. */
  readonly kind: 1
  readonly memory: Buffer
  readonly bytes: Bytes
}

const STRUCT_BYTES = 32
const MAX_U64 = (1n << 64n) - 1n

function parts(integrity: Integrity, name: string): Required<Integrity> {
  if (typeof integrity !== 'object' || integrity === null)
    throw invalidType(name, 'of type object', integrity)
  const { bytes, flags = 0, appTag = 0, seed = 0 } = integrity
  checkBytes(bytes, `${name}.bytes`)
  if (bytes.byteLength > MAX_U32)
    throw outOfRange(`${name}.bytes.byteLength`, `<= ${MAX_U32}`, bytes.byteLength)
  return {
    bytes,
    flags: integer(flags, `${name}.flags`, 0, MAX_U16),
    appTag: integer(appTag, `${name}.appTag`, 0, MAX_U16),
    seed: integer64(seed, `${name}.seed`, 0n, MAX_U64),
  }
}

/**
 * Returns `integrity`.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: it, or a property, has the wrong type
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: a property is out of range
 */
export function checkIntegrity(integrity: Integrity, name: string): Integrity {
  parts(integrity, name)
  return integrity
}

/** Writes protection information to memory that the kernel can read. Throws like {@link checkIntegrity}. */
export function integrityBlock(integrity: Integrity, name: string): IntegrityBlock {
  const { bytes, flags, appTag, seed } = parts(integrity, name)
  const { address, bytes: memory } = allocateBlock(STRUCT_BYTES)
  memory.writeUInt16LE(flags, 0)
  memory.writeUInt16LE(appTag, 2)
  memory.writeUInt32LE(bytes.byteLength, 4)
  memory.writeBigUInt64LE(BigInt(bytes.byteLength === 0 ? 0 : addressOf(bytes)), 8)
  memory.writeBigUInt64LE(BigInt(seed), 16)
  return { address, kind: 1, memory, bytes }
}
