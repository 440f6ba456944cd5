// Constants for creating, mapping and entering rings, under the full names of <linux/io_uring.h>, Linux 7.1.

// Flags of io_uring_setup(2) (`params.flags`).
export const IORING_SETUP_IOPOLL = 0x1
export const IORING_SETUP_SQPOLL = 0x2
export const IORING_SETUP_SQ_AFF = 0x4
export const IORING_SETUP_CQSIZE = 0x8
export const IORING_SETUP_CLAMP = 0x10
export const IORING_SETUP_ATTACH_WQ = 0x20
export const IORING_SETUP_R_DISABLED = 0x40
export const IORING_SETUP_SUBMIT_ALL = 0x80
export const IORING_SETUP_COOP_TASKRUN = 0x100
export const IORING_SETUP_TASKRUN_FLAG = 0x200
export const IORING_SETUP_SQE128 = 0x400
export const IORING_SETUP_CQE32 = 0x800
export const IORING_SETUP_SINGLE_ISSUER = 0x1000
export const IORING_SETUP_DEFER_TASKRUN = 0x2000
export const IORING_SETUP_NO_MMAP = 0x4000
export const IORING_SETUP_REGISTERED_FD_ONLY = 0x8000
export const IORING_SETUP_NO_SQARRAY = 0x1_0000
export const IORING_SETUP_HYBRID_IOPOLL = 0x2_0000
export const IORING_SETUP_CQE_MIXED = 0x4_0000
export const IORING_SETUP_SQE_MIXED = 0x8_0000
export const IORING_SETUP_SQ_REWIND = 0x10_0000

// Features of the kernel (`params.features`).
export const IORING_FEAT_SINGLE_MMAP = 0x1
export const IORING_FEAT_NODROP = 0x2
export const IORING_FEAT_SUBMIT_STABLE = 0x4
export const IORING_FEAT_RW_CUR_POS = 0x8
export const IORING_FEAT_CUR_PERSONALITY = 0x10
export const IORING_FEAT_FAST_POLL = 0x20
export const IORING_FEAT_POLL_32BITS = 0x40
export const IORING_FEAT_SQPOLL_NONFIXED = 0x80
export const IORING_FEAT_EXT_ARG = 0x100
export const IORING_FEAT_NATIVE_WORKERS = 0x200
export const IORING_FEAT_RSRC_TAGS = 0x400
export const IORING_FEAT_CQE_SKIP = 0x800
export const IORING_FEAT_LINKED_FILE = 0x1000
export const IORING_FEAT_REG_REG_RING = 0x2000
export const IORING_FEAT_RECVSEND_BUNDLE = 0x4000
export const IORING_FEAT_MIN_TIMEOUT = 0x8000
export const IORING_FEAT_RW_ATTR = 0x1_0000
export const IORING_FEAT_NO_IOWAIT = 0x2_0000

// Flags of io_uring_enter(2).
export const IORING_ENTER_GETEVENTS = 0x1
export const IORING_ENTER_SQ_WAKEUP = 0x2
export const IORING_ENTER_SQ_WAIT = 0x4
export const IORING_ENTER_EXT_ARG = 0x8
export const IORING_ENTER_REGISTERED_RING = 0x10
export const IORING_ENTER_ABS_TIMER = 0x20
export const IORING_ENTER_EXT_ARG_REG = 0x40
export const IORING_ENTER_NO_IOWAIT = 0x80

// Offsets of the ring's memory in its file, for mmap(2).
export const IORING_OFF_SQ_RING = 0x0
export const IORING_OFF_CQ_RING = 0x800_0000
export const IORING_OFF_SQES = 0x1000_0000
export const IORING_OFF_PBUF_RING = 0x8000_0000
export const IORING_OFF_MMAP_MASK = 0xf800_0000
export const IORING_OFF_PBUF_SHIFT = 16

// Flags of the submission queue, set by the kernel.
export const IORING_SQ_NEED_WAKEUP = 0x1
export const IORING_SQ_CQ_OVERFLOW = 0x2
export const IORING_SQ_TASKRUN = 0x4

// Flags of the completion queue, set by the program.
export const IORING_CQ_EVENTFD_DISABLED = 0x1

// Flags of `struct io_uring_reg_wait`.
export const IORING_REG_WAIT_TS = 0x1

// System call numbers, which are the same on all platforms.
export const SYS_io_uring_setup = 425
export const SYS_io_uring_enter = 426
export const SYS_io_uring_register = 427
