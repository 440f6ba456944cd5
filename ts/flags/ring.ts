// Constants of rings and their operations from <linux/io_uring.h>, under the kernel's names.

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
  TSTAMP_HW: 0x1_0000,
} as const

/** Setup flags of a ring, see io_uring_setup(2) (`IORING_SETUP_*`). */
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

/** Features of the kernel, see io_uring_setup(2) (`IORING_FEAT_*`). */
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

/** Flags of io_uring_enter(2) (`IORING_ENTER_*`). */
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

/** Flags of `Nop` and `Nop128`, for tests of the kernel (`IORING_NOP_*`). */
export const NopFlags = {
  INJECT_RESULT: 0x1,
  FILE: 0x2,
  FIXED_FILE: 0x4,
  FIXED_BUFFER: 0x8,
  TW: 0x10,
  CQE32: 0x20,
} as const

/** Flags of `Timeout`, `TimeoutUpdate` and `LinkTimeout` (`IORING_TIMEOUT_*`). */
export const TimeoutFlags = {
  ABS: 0x1,
  UPDATE: 0x2,
  BOOTTIME: 0x4,
  REALTIME: 0x8,
  LINK_TIMEOUT_UPDATE: 0x10,
  ETIME_SUCCESS: 0x20,
  MULTISHOT: 0x40,
  IMMEDIATE_ARG: 0x80,
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

/** Flags of `PollAdd` and `PollUpdate` (`IORING_POLL_*`). */
export const PollFlags = {
  ADD_MULTI: 0x1,
  UPDATE_EVENTS: 0x2,
  UPDATE_USER_DATA: 0x4,
  ADD_LEVEL: 0x8,
} as const

/** Flags of sends and receives (`IORING_RECVSEND_*`, `IORING_RECV_*`, `IORING_SEND_*`). */
export const RecvSendFlags = {
  POLL_FIRST: 0x1,
  MULTISHOT: 0x2,
  FIXED_BUF: 0x4,
  ZC_REPORT_USAGE: 0x8,
  BUNDLE: 0x10,
  VECTORIZED: 0x20,
} as const

/** Flags of `Accept` and `AcceptMulti` (`IORING_ACCEPT_*`). */
export const AcceptFlags = {
  MULTISHOT: 0x1,
  DONTWAIT: 0x2,
  POLL_FIRST: 0x4,
} as const

/** Flags of `MsgRingData` and `MsgRingSendFd` (`IORING_MSG_RING_*`). */
export const MsgRingFlags = {
  CQE_SKIP: 0x1,
  FLAGS_PASS: 0x2,
} as const

/** Flags of `FixedFdInstall` (`IORING_FIXED_FD_*`). */
export const FixedFdFlags = {
  NO_CLOEXEC: 0x1,
} as const

/** Flags of `UringCmd16`, `UringCmd80` and `UringCmd128` (`IORING_URING_CMD_*`). */
export const UringCmdFlags = {
  FIXED: 0x1,
  MULTISHOT: 0x2,
} as const

/** Commands of `SocketCommand` (`SOCKET_URING_OP_*`). */
export const SocketCommands = {
  SIOCINQ: 0,
  SIOCOUTQ: 1,
  GETSOCKOPT: 2,
  SETSOCKOPT: 3,
  TX_TIMESTAMP: 4,
  GETSOCKNAME: 5,
} as const

/** Commands of block devices for `UringCmd16` (`BLOCK_URING_CMD_*`). */
export const BlockCommands = {
  DISCARD: 0x1200,
} as const
