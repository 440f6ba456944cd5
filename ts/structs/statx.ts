// `struct statx`, and the status of a file that is decoded from it.

import { constants } from 'node:fs'

/** The size of a `struct statx` in bytes. */
export const STATX_BYTES = 256

const NANOSECONDS = 1_000_000_000n

/** The result of `Statx`: all fields of `fs.Stats`, and those that statx(2) adds. */
export interface StatsBase<N extends number | bigint> {
  readonly dev: N
  readonly ino: N
  readonly mode: N
  readonly nlink: N
  readonly uid: N
  readonly gid: N
  readonly rdev: N
  readonly size: N
  readonly blksize: N
  readonly blocks: N
  readonly atimeMs: N
  readonly mtimeMs: N
  readonly ctimeMs: N
  readonly birthtimeMs: N
  /** Nanoseconds since 1970-01-01 UTC, as are the three below. */
  readonly atimeNs: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly birthtimeNs: bigint
  readonly atime: Date
  readonly mtime: Date
  readonly ctime: Date
  readonly birthtime: Date
  /** The fields that the file system filled in, `StatxMask`. */
  readonly mask: number
  /** The attributes of the file, `StatxAttributes`. */
  readonly attributes: bigint
  /** The attributes that the file system supports. */
  readonly attributesMask: bigint
  /** The id of the mount that the file is on (5.8); never reused with `StatxMask.MNT_ID_UNIQUE` (6.8). */
  readonly mountId: bigint
  /** The alignment of memory for direct I/O in bytes; 0 if the file does not support direct I/O (6.1). */
  readonly dioMemAlign: number
  /** The alignment of offsets and lengths for direct I/O in bytes (6.1). */
  readonly dioOffsetAlign: number
  /** The alignment of offsets and lengths for reads with direct I/O, if it is smaller than that for writes (6.14). */
  readonly dioReadOffsetAlign: number
  /** The id of the subvolume, on file systems that have subvolumes (6.10). */
  readonly subvolume: bigint
  /** The smallest and largest untorn write in bytes, and its largest number of segments (6.11). */
  readonly atomicWriteUnitMin: number
  readonly atomicWriteUnitMax: number
  readonly atomicWriteSegmentsMax: number
  isFile(): boolean
  isDirectory(): boolean
  isSymbolicLink(): boolean
  isFIFO(): boolean
  isSocket(): boolean
  isBlockDevice(): boolean
  isCharacterDevice(): boolean
}

/** The status of a file, in numbers. */
export type Stats = StatsBase<number>
/** The status of a file, in bigints. Times in milliseconds are rounded towards zero. */
export type BigIntStats = StatsBase<bigint>

/** Packs a device number as glibc does. */
function device(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)]
  return (
    ((high & 0xffff_f000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffff_ff00n) << 12n) | (low & 0xffn)
  )
}

class StatxResult<N extends number | bigint> implements StatsBase<N> {
  readonly dev: N
  readonly ino: N
  readonly mode: N
  readonly nlink: N
  readonly uid: N
  readonly gid: N
  readonly rdev: N
  readonly size: N
  readonly blksize: N
  readonly blocks: N
  readonly atimeMs: N
  readonly mtimeMs: N
  readonly ctimeMs: N
  readonly birthtimeMs: N
  readonly atimeNs: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly birthtimeNs: bigint
  readonly mask: number
  readonly attributes: bigint
  readonly attributesMask: bigint
  readonly mountId: bigint
  readonly dioMemAlign: number
  readonly dioOffsetAlign: number
  readonly dioReadOffsetAlign: number
  readonly subvolume: bigint
  readonly atomicWriteUnitMin: number
  readonly atomicWriteUnitMax: number
  readonly atomicWriteSegmentsMax: number

  constructor(raw: Buffer, number: (value: bigint) => N, milliseconds: (nanoseconds: bigint) => N) {
    const u32 = (at: number): N => number(BigInt(raw.readUInt32LE(at)))
    const u64 = (at: number): N => number(raw.readBigUInt64LE(at))
    const time = (at: number): bigint =>
      raw.readBigInt64LE(at) * NANOSECONDS + BigInt(raw.readUInt32LE(at + 8))
    this.mask = raw.readUInt32LE(0)
    this.blksize = u32(4)
    this.attributes = raw.readBigUInt64LE(8)
    this.nlink = u32(16)
    this.uid = u32(20)
    this.gid = u32(24)
    this.mode = number(BigInt(raw.readUInt16LE(28)))
    this.ino = u64(32)
    this.size = u64(40)
    this.blocks = u64(48)
    this.attributesMask = raw.readBigUInt64LE(56)
    this.atimeNs = time(64)
    this.birthtimeNs = time(80)
    this.ctimeNs = time(96)
    this.mtimeNs = time(112)
    this.atimeMs = milliseconds(this.atimeNs)
    this.birthtimeMs = milliseconds(this.birthtimeNs)
    this.ctimeMs = milliseconds(this.ctimeNs)
    this.mtimeMs = milliseconds(this.mtimeNs)
    this.rdev = number(device(raw.readUInt32LE(128), raw.readUInt32LE(132)))
    this.dev = number(device(raw.readUInt32LE(136), raw.readUInt32LE(140)))
    this.mountId = raw.readBigUInt64LE(144)
    this.dioMemAlign = raw.readUInt32LE(152)
    this.dioOffsetAlign = raw.readUInt32LE(156)
    this.subvolume = raw.readBigUInt64LE(160)
    this.atomicWriteUnitMin = raw.readUInt32LE(168)
    this.atomicWriteUnitMax = raw.readUInt32LE(172)
    this.atomicWriteSegmentsMax = raw.readUInt32LE(176)
    this.dioReadOffsetAlign = raw.readUInt32LE(180)
  }

  get atime(): Date {
    return date(this.atimeNs)
  }

  get mtime(): Date {
    return date(this.mtimeNs)
  }

  get ctime(): Date {
    return date(this.ctimeNs)
  }

  get birthtime(): Date {
    return date(this.birthtimeNs)
  }

  #is(type: number): boolean {
    return (Number(this.mode) & constants.S_IFMT) === type
  }

  isFile(): boolean {
    return this.#is(constants.S_IFREG)
  }

  isDirectory(): boolean {
    return this.#is(constants.S_IFDIR)
  }

  isSymbolicLink(): boolean {
    return this.#is(constants.S_IFLNK)
  }

  isFIFO(): boolean {
    return this.#is(constants.S_IFIFO)
  }

  isSocket(): boolean {
    return this.#is(constants.S_IFSOCK)
  }

  isBlockDevice(): boolean {
    return this.#is(constants.S_IFBLK)
  }

  isCharacterDevice(): boolean {
    return this.#is(constants.S_IFCHR)
  }
}

function date(nanoseconds: bigint): Date {
  return new Date(Math.floor(Number(nanoseconds) / 1e6 + 0.5))
}

/** Decodes a `struct statx`. */
export function decodeStatx(raw: Buffer, bigint: boolean): Stats | BigIntStats {
  if (bigint)
    return new StatxResult(
      raw,
      (value) => value,
      (nanoseconds) => nanoseconds / 1_000_000n,
    )
  const milliseconds = (nanoseconds: bigint): number => {
    const seconds = nanoseconds / NANOSECONDS
    return Number(seconds) * 1000 + Number(nanoseconds - seconds * NANOSECONDS) / 1e6
  }
  return new StatxResult(raw, Number, milliseconds)
}
