// Constants of file operations, under the kernel's names.

import { constants } from 'node:fs'

/** Flags of `Fsync` (`IORING_FSYNC_*`). */
export const FsyncFlags = {
  DATASYNC: 0x1,
} as const

/** Flags of reads and writes, see preadv2(2) (`RWF_*`). */
export const RwFlags = {
  HIPRI: 0x1,
  DSYNC: 0x2,
  SYNC: 0x4,
  NOWAIT: 0x8,
  APPEND: 0x10,
  NOAPPEND: 0x20,
  ATOMIC: 0x40,
  DONTCACHE: 0x80,
} as const

/** Flags of the operations with directories (`*At`) and of `Statx`, see openat(2) and statx(2) (`AT_*`). */
export const AtFlags = {
  /** A directory argument that stands for the working directory. */
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  EACCESS: 0x200,
  REMOVEDIR: 0x200,
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
  STATX_SYNC_TYPE: 0x6000,
  STATX_SYNC_AS_STAT: 0,
  STATX_FORCE_SYNC: 0x2000,
  STATX_DONT_SYNC: 0x4000,
} as const

/** Fields that `Statx` requests and returns, see statx(2) (`STATX_*`). */
export const StatxMask = {
  TYPE: 0x1,
  MODE: 0x2,
  NLINK: 0x4,
  UID: 0x8,
  GID: 0x10,
  ATIME: 0x20,
  MTIME: 0x40,
  CTIME: 0x80,
  INO: 0x100,
  SIZE: 0x200,
  BLOCKS: 0x400,
  BASIC_STATS: 0x7ff,
  BTIME: 0x800,
  MNT_ID: 0x1000,
  DIOALIGN: 0x2000,
  MNT_ID_UNIQUE: 0x4000,
  SUBVOL: 0x8000,
  WRITE_ATOMIC: 0x1_0000,
  DIO_READ_ALIGN: 0x2_0000,
} as const

/** File attributes in the result of `Statx`, see statx(2) (`STATX_ATTR_*`). */
export const StatxAttributes = {
  COMPRESSED: 0x4,
  IMMUTABLE: 0x10,
  APPEND: 0x20,
  NODUMP: 0x40,
  ENCRYPTED: 0x800,
  AUTOMOUNT: 0x1000,
  MOUNT_ROOT: 0x2000,
  VERITY: 0x10_0000,
  DAX: 0x20_0000,
  WRITE_ATOMIC: 0x40_0000,
} as const

/** Flags of `OpenAt` and `OpenAt2`, see openat(2) (`O_*`). */
export const OpenFlags: Readonly<
  Record<
    | 'RDONLY'
    | 'WRONLY'
    | 'RDWR'
    | 'CREAT'
    | 'EXCL'
    | 'NOCTTY'
    | 'TRUNC'
    | 'APPEND'
    | 'NONBLOCK'
    | 'DSYNC'
    | 'DIRECT'
    | 'DIRECTORY'
    | 'NOFOLLOW'
    | 'NOATIME'
    | 'SYNC'
    | 'CLOEXEC'
    | 'PATH'
    | 'TMPFILE',
    number
  >
> = {
  RDONLY: constants.O_RDONLY,
  WRONLY: constants.O_WRONLY,
  RDWR: constants.O_RDWR,
  CREAT: constants.O_CREAT,
  EXCL: constants.O_EXCL,
  NOCTTY: constants.O_NOCTTY,
  TRUNC: constants.O_TRUNC,
  APPEND: constants.O_APPEND,
  NONBLOCK: constants.O_NONBLOCK,
  DSYNC: constants.O_DSYNC,
  DIRECT: constants.O_DIRECT,
  DIRECTORY: constants.O_DIRECTORY,
  NOFOLLOW: constants.O_NOFOLLOW,
  NOATIME: constants.O_NOATIME,
  SYNC: constants.O_SYNC,
  // `node:fs` lacks these. They have these values on all platforms that Node.js is built for.
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
  TMPFILE: 0o20000000 | constants.O_DIRECTORY,
}

/** Flags of path resolution of `OpenAt2`, see openat2(2) (`RESOLVE_*`). */
export const ResolveFlags = {
  NO_XDEV: 0x1,
  NO_MAGICLINKS: 0x2,
  NO_SYMLINKS: 0x4,
  BENEATH: 0x8,
  IN_ROOT: 0x10,
  CACHED: 0x20,
} as const

/** Flags of `RenameAt`, see renameat2(2) (`RENAME_*`). */
export const RenameFlags = {
  NOREPLACE: 0x1,
  EXCHANGE: 0x2,
  WHITEOUT: 0x4,
} as const

/** Modes of `Fallocate`, see fallocate(2) (`FALLOC_FL_*`). */
export const FallocateMode = {
  ALLOCATE_RANGE: 0,
  KEEP_SIZE: 0x1,
  PUNCH_HOLE: 0x2,
  COLLAPSE_RANGE: 0x8,
  ZERO_RANGE: 0x10,
  INSERT_RANGE: 0x20,
  UNSHARE_RANGE: 0x40,
  WRITE_ZEROES: 0x80,
} as const

/** Flags of `SyncFileRange`, see sync_file_range(2) (`SYNC_FILE_RANGE_*`). */
export const SyncFileRangeFlags = {
  WAIT_BEFORE: 0x1,
  WRITE: 0x2,
  WAIT_AFTER: 0x4,
  WRITE_AND_WAIT: 0x7,
} as const

/** Advice of `Fadvise`, see posix_fadvise(2) (`POSIX_FADV_*`). */
export const FileAdvice = {
  NORMAL: 0,
  RANDOM: 1,
  SEQUENTIAL: 2,
  WILLNEED: 3,
  DONTNEED: 4,
  NOREUSE: 5,
} as const

/** Advice of `Madvise`, see madvise(2) (`MADV_*`). */
export const MemoryAdvice = {
  NORMAL: 0,
  RANDOM: 1,
  SEQUENTIAL: 2,
  WILLNEED: 3,
  DONTNEED: 4,
  FREE: 8,
  REMOVE: 9,
  DONTFORK: 10,
  DOFORK: 11,
  MERGEABLE: 12,
  UNMERGEABLE: 13,
  HUGEPAGE: 14,
  NOHUGEPAGE: 15,
  DONTDUMP: 16,
  DODUMP: 17,
  WIPEONFORK: 18,
  KEEPONFORK: 19,
  COLD: 20,
  PAGEOUT: 21,
  POPULATE_READ: 22,
  POPULATE_WRITE: 23,
  DONTNEED_LOCKED: 24,
  COLLAPSE: 25,
} as const

/** Flags of `Splice` and `Tee`, see splice(2) (`SPLICE_F_*`). */
export const SpliceFlags = {
  MOVE: 0x1,
  NONBLOCK: 0x2,
  MORE: 0x4,
  GIFT: 0x8,
  FD_IN_FIXED: 0x8000_0000,
} as const

/** Flags of `SetXattr` and `FSetXattr`, see setxattr(2) (`XATTR_*`). */
export const XattrFlags = {
  CREATE: 0x1,
  REPLACE: 0x2,
} as const

/** Checks of the protection information of a read or write (`IO_INTEGRITY_CHK_*`). */
export const IntegrityFlags = {
  CHK_GUARD: 0x1,
  CHK_REFTAG: 0x2,
  CHK_APPTAG: 0x4,
} as const
