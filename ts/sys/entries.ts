// Constants of submission and completion queue entries, under the full names of <linux/io_uring.h>, Linux 7.1.

// Operations (`sqe.opcode`).
export const IORING_OP_NOP = 0
export const IORING_OP_READV = 1
export const IORING_OP_WRITEV = 2
export const IORING_OP_FSYNC = 3
export const IORING_OP_READ_FIXED = 4
export const IORING_OP_WRITE_FIXED = 5
export const IORING_OP_POLL_ADD = 6
export const IORING_OP_POLL_REMOVE = 7
export const IORING_OP_SYNC_FILE_RANGE = 8
export const IORING_OP_SENDMSG = 9
export const IORING_OP_RECVMSG = 10
export const IORING_OP_TIMEOUT = 11
export const IORING_OP_TIMEOUT_REMOVE = 12
export const IORING_OP_ACCEPT = 13
export const IORING_OP_ASYNC_CANCEL = 14
export const IORING_OP_LINK_TIMEOUT = 15
export const IORING_OP_CONNECT = 16
export const IORING_OP_FALLOCATE = 17
export const IORING_OP_OPENAT = 18
export const IORING_OP_CLOSE = 19
export const IORING_OP_FILES_UPDATE = 20
export const IORING_OP_STATX = 21
export const IORING_OP_READ = 22
export const IORING_OP_WRITE = 23
export const IORING_OP_FADVISE = 24
export const IORING_OP_MADVISE = 25
export const IORING_OP_SEND = 26
export const IORING_OP_RECV = 27
export const IORING_OP_OPENAT2 = 28
export const IORING_OP_EPOLL_CTL = 29
export const IORING_OP_SPLICE = 30
export const IORING_OP_PROVIDE_BUFFERS = 31
export const IORING_OP_REMOVE_BUFFERS = 32
export const IORING_OP_TEE = 33
export const IORING_OP_SHUTDOWN = 34
export const IORING_OP_RENAMEAT = 35
export const IORING_OP_UNLINKAT = 36
export const IORING_OP_MKDIRAT = 37
export const IORING_OP_SYMLINKAT = 38
export const IORING_OP_LINKAT = 39
export const IORING_OP_MSG_RING = 40
export const IORING_OP_FSETXATTR = 41
export const IORING_OP_SETXATTR = 42
export const IORING_OP_FGETXATTR = 43
export const IORING_OP_GETXATTR = 44
export const IORING_OP_SOCKET = 45
export const IORING_OP_URING_CMD = 46
export const IORING_OP_SEND_ZC = 47
export const IORING_OP_SENDMSG_ZC = 48
export const IORING_OP_READ_MULTISHOT = 49
export const IORING_OP_WAITID = 50
export const IORING_OP_FUTEX_WAIT = 51
export const IORING_OP_FUTEX_WAKE = 52
export const IORING_OP_FUTEX_WAITV = 53
export const IORING_OP_FIXED_FD_INSTALL = 54
export const IORING_OP_FTRUNCATE = 55
export const IORING_OP_BIND = 56
export const IORING_OP_LISTEN = 57
export const IORING_OP_RECV_ZC = 58
export const IORING_OP_EPOLL_WAIT = 59
export const IORING_OP_READV_FIXED = 60
export const IORING_OP_WRITEV_FIXED = 61
export const IORING_OP_PIPE = 62
export const IORING_OP_NOP128 = 63
export const IORING_OP_URING_CMD128 = 64
export const IORING_OP_LAST = 65

// Flags of a submission queue entry (`sqe.flags`), first as bit numbers.
export const IOSQE_FIXED_FILE_BIT = 0
export const IOSQE_IO_DRAIN_BIT = 1
export const IOSQE_IO_LINK_BIT = 2
export const IOSQE_IO_HARDLINK_BIT = 3
export const IOSQE_ASYNC_BIT = 4
export const IOSQE_BUFFER_SELECT_BIT = 5
export const IOSQE_CQE_SKIP_SUCCESS_BIT = 6
export const IOSQE_FIXED_FILE = 0x1
export const IOSQE_IO_DRAIN = 0x2
export const IOSQE_IO_LINK = 0x4
export const IOSQE_IO_HARDLINK = 0x8
export const IOSQE_ASYNC = 0x10
export const IOSQE_BUFFER_SELECT = 0x20
export const IOSQE_CQE_SKIP_SUCCESS = 0x40

// Value of `sqe.file_index`: the kernel chooses a free slot.
export const IORING_FILE_INDEX_ALLOC = 0xffff_ffff

// Attributes of a read or write (`sqe.attr_type_mask`).
export const IORING_RW_ATTR_FLAG_PI = 0x1

// Flags of `IORING_OP_URING_CMD` (`sqe.uring_cmd_flags`).
export const IORING_URING_CMD_FIXED = 0x1
export const IORING_URING_CMD_MULTISHOT = 0x2
export const IORING_URING_CMD_MASK = 0x3

// Flags of `IORING_OP_FSYNC` (`sqe.fsync_flags`).
export const IORING_FSYNC_DATASYNC = 0x1

// Flags of `IORING_OP_TIMEOUT`, `IORING_OP_TIMEOUT_REMOVE` and `IORING_OP_LINK_TIMEOUT` (`sqe.timeout_flags`).
export const IORING_TIMEOUT_ABS = 0x1
export const IORING_TIMEOUT_UPDATE = 0x2
export const IORING_TIMEOUT_BOOTTIME = 0x4
export const IORING_TIMEOUT_REALTIME = 0x8
export const IORING_LINK_TIMEOUT_UPDATE = 0x10
export const IORING_TIMEOUT_ETIME_SUCCESS = 0x20
export const IORING_TIMEOUT_MULTISHOT = 0x40
export const IORING_TIMEOUT_IMMEDIATE_ARG = 0x80
export const IORING_TIMEOUT_CLOCK_MASK = 0xc
export const IORING_TIMEOUT_UPDATE_MASK = 0x12

// Flag of `IORING_OP_SPLICE` and `IORING_OP_TEE` (`sqe.splice_flags`).
export const SPLICE_F_FD_IN_FIXED = 0x8000_0000

// Flags of `IORING_OP_POLL_ADD` and `IORING_OP_POLL_REMOVE` (`sqe.len`).
export const IORING_POLL_ADD_MULTI = 0x1
export const IORING_POLL_UPDATE_EVENTS = 0x2
export const IORING_POLL_UPDATE_USER_DATA = 0x4
export const IORING_POLL_ADD_LEVEL = 0x8

// Flags of `IORING_OP_ASYNC_CANCEL` (`sqe.cancel_flags`).
export const IORING_ASYNC_CANCEL_ALL = 0x1
export const IORING_ASYNC_CANCEL_FD = 0x2
export const IORING_ASYNC_CANCEL_ANY = 0x4
export const IORING_ASYNC_CANCEL_FD_FIXED = 0x8
export const IORING_ASYNC_CANCEL_USERDATA = 0x10
export const IORING_ASYNC_CANCEL_OP = 0x20

// Flags of sends and receives (`sqe.ioprio`).
export const IORING_RECVSEND_POLL_FIRST = 0x1
export const IORING_RECV_MULTISHOT = 0x2
export const IORING_RECVSEND_FIXED_BUF = 0x4
export const IORING_SEND_ZC_REPORT_USAGE = 0x8
export const IORING_RECVSEND_BUNDLE = 0x10
export const IORING_SEND_VECTORIZED = 0x20

// Flags of `IORING_OP_ACCEPT` (`sqe.ioprio`).
export const IORING_ACCEPT_MULTISHOT = 0x1
export const IORING_ACCEPT_DONTWAIT = 0x2
export const IORING_ACCEPT_POLL_FIRST = 0x4

// Commands of `IORING_OP_MSG_RING` (`sqe.addr`).
export const IORING_MSG_DATA = 0
export const IORING_MSG_SEND_FD = 1

// Flags of `IORING_OP_MSG_RING` (`sqe.msg_ring_flags`).
export const IORING_MSG_RING_CQE_SKIP = 0x1
export const IORING_MSG_RING_FLAGS_PASS = 0x2

// Flags of `IORING_OP_FIXED_FD_INSTALL` (`sqe.install_fd_flags`).
export const IORING_FIXED_FD_NO_CLOEXEC = 0x1

// Flags of `IORING_OP_NOP` (`sqe.nop_flags`).
export const IORING_NOP_INJECT_RESULT = 0x1
export const IORING_NOP_FILE = 0x2
export const IORING_NOP_FIXED_FILE = 0x4
export const IORING_NOP_FIXED_BUFFER = 0x8
export const IORING_NOP_TW = 0x10
export const IORING_NOP_CQE32 = 0x20

// Socket commands of `IORING_OP_URING_CMD` (`sqe.cmd_op`).
export const SOCKET_URING_OP_SIOCINQ = 0
export const SOCKET_URING_OP_SIOCOUTQ = 1
export const SOCKET_URING_OP_GETSOCKOPT = 2
export const SOCKET_URING_OP_SETSOCKOPT = 3
export const SOCKET_URING_OP_TX_TIMESTAMP = 4
export const SOCKET_URING_OP_GETSOCKNAME = 5

// Flags of a completion (`cqe.flags`). The bits above them hold the id of a buffer or the type of a timestamp.
export const IORING_CQE_F_BUFFER = 0x1
export const IORING_CQE_F_MORE = 0x2
export const IORING_CQE_F_SOCK_NONEMPTY = 0x4
export const IORING_CQE_F_NOTIF = 0x8
export const IORING_CQE_F_BUF_MORE = 0x10
export const IORING_CQE_F_SKIP = 0x20
export const IORING_CQE_F_32 = 0x8000
export const IORING_CQE_F_TSTAMP_HW = 0x1_0000
export const IORING_CQE_BUFFER_SHIFT = 16
export const IORING_TIMESTAMP_HW_SHIFT = 16
export const IORING_TIMESTAMP_TYPE_SHIFT = 17

// Result of the notification of a zero-copy send (`cqe.res`): the data was copied.
export const IORING_NOTIF_USAGE_ZC_COPIED = 0x8000_0000
