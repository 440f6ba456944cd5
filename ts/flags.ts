// The kernel's constants, under its own names. Each group is an object, and a type of its values.

import { constants } from 'node:fs'

/** Flags of a submission queue entry (`IOSQE_*`). */
export const SqeFlags = {
  FIXED_FILE: 0x1,
  IO_DRAIN: 0x2,
  IO_LINK: 0x4,
  IO_HARDLINK: 0x8,
  ASYNC: 0x10,
  BUFFER_SELECT: 0x20,
  CQE_SKIP_SUCCESS: 0x40,
} as const

/** Flags of a completion (`IORING_CQE_F_*`). */
export const CqeFlags = {
  BUFFER: 0x1,
  MORE: 0x2,
  SOCK_NONEMPTY: 0x4,
  NOTIF: 0x8,
  BUF_MORE: 0x10,
  SKIP: 0x20,
  F_32: 0x8000,
} as const

/** Flags of a ring (`IORING_SETUP_*`). */
export const SetupFlags = {
  IOPOLL: 0x1,
  SQPOLL: 0x2,
  SQ_AFF: 0x4,
  CQSIZE: 0x8,
  CLAMP: 0x10,
  ATTACH_WQ: 0x20,
  R_DISABLED: 0x40,
  SUBMIT_ALL: 0x80,
  COOP_TASKRUN: 0x100,
  TASKRUN_FLAG: 0x200,
  SQE128: 0x400,
  CQE32: 0x800,
  SINGLE_ISSUER: 0x1000,
  DEFER_TASKRUN: 0x2000,
  NO_MMAP: 0x4000,
  REGISTERED_FD_ONLY: 0x8000,
  NO_SQARRAY: 0x10000,
  HYBRID_IOPOLL: 0x20000,
  CQE_MIXED: 0x40000,
  SQE_MIXED: 0x80000,
  SQ_REWIND: 0x100000,
} as const

/** What the kernel can do (`IORING_FEAT_*`). */
export const Features = {
  SINGLE_MMAP: 0x1,
  NODROP: 0x2,
  SUBMIT_STABLE: 0x4,
  RW_CUR_POS: 0x8,
  CUR_PERSONALITY: 0x10,
  FAST_POLL: 0x20,
  POLL_32BITS: 0x40,
  SQPOLL_NONFIXED: 0x80,
  EXT_ARG: 0x100,
  NATIVE_WORKERS: 0x200,
  RSRC_TAGS: 0x400,
  CQE_SKIP: 0x800,
  LINKED_FILE: 0x1000,
  REG_REG_RING: 0x2000,
  RECVSEND_BUNDLE: 0x4000,
  MIN_TIMEOUT: 0x8000,
  RW_ATTR: 0x10000,
  NO_IOWAIT: 0x20000,
} as const

/** Flags of `io_uring_enter(2)` (`IORING_ENTER_*`). */
export const EnterFlags = {
  GETEVENTS: 0x1,
  SQ_WAKEUP: 0x2,
  SQ_WAIT: 0x4,
  EXT_ARG: 0x8,
  REGISTERED_RING: 0x10,
  ABS_TIMER: 0x20,
  EXT_ARG_REG: 0x40,
  NO_IOWAIT: 0x80,
} as const

/** What `Nop` exercises (`IORING_NOP_*`). */
export const NopFlags = {
  INJECT_RESULT: 0x1,
  FILE: 0x2,
  FIXED_FILE: 0x4,
  FIXED_BUFFER: 0x8,
  TW: 0x10,
  CQE32: 0x20,
} as const

/** Flags of `Fsync` (`IORING_FSYNC_*`). */
export const FsyncFlags = {
  DATASYNC: 0x1,
} as const

/** Flags of `Timeout` and its kin (`IORING_TIMEOUT_*`). */
export const TimeoutFlags = {
  ABS: 0x1,
  UPDATE: 0x2,
  BOOTTIME: 0x4,
  REALTIME: 0x8,
  LINK_TIMEOUT_UPDATE: 0x10,
  ETIME_SUCCESS: 0x20,
  MULTISHOT: 0x40,
} as const

/** Flags of `AsyncCancel` (`IORING_ASYNC_CANCEL_*`). */
export const CancelFlags = {
  ALL: 0x1,
  FD: 0x2,
  ANY: 0x4,
  FD_FIXED: 0x8,
  USERDATA: 0x10,
  OP: 0x20,
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

/** Flags of `*At` operations, see openat(2) and statx(2) (`AT_*`). */
export const AtFlags = {
  /** In place of a directory: the working directory. */
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

/** What `Statx` asks for (`STATX_*`). */
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

/** What `Statx` says of a file (`STATX_ATTR_*`). */
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

/** How `OpenAt` opens, see openat(2) (`O_*`). */
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
  // Node.js has no name for these; they are the same on every platform that it has binaries for.
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
  TMPFILE: 0o20000000 | constants.O_DIRECTORY,
}
