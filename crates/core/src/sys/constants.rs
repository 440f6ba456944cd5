//! Every constant of `linux/io_uring.h` and its subfolder, as of Linux 6.18, and later ones that are settled. The
//! counts at the end of each list (`IORING_OP_LAST`) are left out because they change with every kernel.

macro_rules! constants {
    ($($(#[$comment:meta])* $type:ty { $($name:ident = $value:expr;)* })*) => {
        $(constants!(@group [$(#[$comment])*] $type { $($name = $value;)* });)*

        /// All of these constants by their names.
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, i128)] = &[$($((stringify!($name), $name as i128),)*)*];
    };
    (@group $comment:tt $type:ty { $($name:ident = $value:expr;)* }) => {
        $(constants!(@one $comment $type, $name, $value);)*
    };
    (@one [$(#[$comment:meta])*] $type:ty, $name:ident, $value:expr) => {
        $(#[$comment])*
        pub const $name: $type = $value;
    };
}

constants! {
    /// Operation, in `io_uring_sqe::opcode`.
    u8 {
        IORING_OP_NOP = 0;
        IORING_OP_READV = 1;
        IORING_OP_WRITEV = 2;
        IORING_OP_FSYNC = 3;
        IORING_OP_READ_FIXED = 4;
        IORING_OP_WRITE_FIXED = 5;
        IORING_OP_POLL_ADD = 6;
        IORING_OP_POLL_REMOVE = 7;
        IORING_OP_SYNC_FILE_RANGE = 8;
        IORING_OP_SENDMSG = 9;
        IORING_OP_RECVMSG = 10;
        IORING_OP_TIMEOUT = 11;
        IORING_OP_TIMEOUT_REMOVE = 12;
        IORING_OP_ACCEPT = 13;
        IORING_OP_ASYNC_CANCEL = 14;
        IORING_OP_LINK_TIMEOUT = 15;
        IORING_OP_CONNECT = 16;
        IORING_OP_FALLOCATE = 17;
        IORING_OP_OPENAT = 18;
        IORING_OP_CLOSE = 19;
        IORING_OP_FILES_UPDATE = 20;
        IORING_OP_STATX = 21;
        IORING_OP_READ = 22;
        IORING_OP_WRITE = 23;
        IORING_OP_FADVISE = 24;
        IORING_OP_MADVISE = 25;
        IORING_OP_SEND = 26;
        IORING_OP_RECV = 27;
        IORING_OP_OPENAT2 = 28;
        IORING_OP_EPOLL_CTL = 29;
        IORING_OP_SPLICE = 30;
        IORING_OP_PROVIDE_BUFFERS = 31;
        IORING_OP_REMOVE_BUFFERS = 32;
        IORING_OP_TEE = 33;
        IORING_OP_SHUTDOWN = 34;
        IORING_OP_RENAMEAT = 35;
        IORING_OP_UNLINKAT = 36;
        IORING_OP_MKDIRAT = 37;
        IORING_OP_SYMLINKAT = 38;
        IORING_OP_LINKAT = 39;
        IORING_OP_MSG_RING = 40;
        IORING_OP_FSETXATTR = 41;
        IORING_OP_SETXATTR = 42;
        IORING_OP_FGETXATTR = 43;
        IORING_OP_GETXATTR = 44;
        IORING_OP_SOCKET = 45;
        IORING_OP_URING_CMD = 46;
        IORING_OP_SEND_ZC = 47;
        IORING_OP_SENDMSG_ZC = 48;
        IORING_OP_READ_MULTISHOT = 49;
        IORING_OP_WAITID = 50;
        IORING_OP_FUTEX_WAIT = 51;
        IORING_OP_FUTEX_WAKE = 52;
        IORING_OP_FUTEX_WAITV = 53;
        IORING_OP_FIXED_FD_INSTALL = 54;
        IORING_OP_FTRUNCATE = 55;
        IORING_OP_BIND = 56;
        IORING_OP_LISTEN = 57;
        IORING_OP_RECV_ZC = 58;
        IORING_OP_EPOLL_WAIT = 59;
        IORING_OP_READV_FIXED = 60;
        IORING_OP_WRITEV_FIXED = 61;
        IORING_OP_PIPE = 62;
        IORING_OP_NOP128 = 63;
        IORING_OP_URING_CMD128 = 64;
    }
    /// Number of a bit in `io_uring_sqe::flags`.
    u8 {
        IOSQE_FIXED_FILE_BIT = 0;
        IOSQE_IO_DRAIN_BIT = 1;
        IOSQE_IO_LINK_BIT = 2;
        IOSQE_IO_HARDLINK_BIT = 3;
        IOSQE_ASYNC_BIT = 4;
        IOSQE_BUFFER_SELECT_BIT = 5;
        IOSQE_CQE_SKIP_SUCCESS_BIT = 6;
    }
    /// Flag of an entry, in `io_uring_sqe::flags`.
    u8 {
        IOSQE_FIXED_FILE = 1 << IOSQE_FIXED_FILE_BIT;
        IOSQE_IO_DRAIN = 1 << IOSQE_IO_DRAIN_BIT;
        IOSQE_IO_LINK = 1 << IOSQE_IO_LINK_BIT;
        IOSQE_IO_HARDLINK = 1 << IOSQE_IO_HARDLINK_BIT;
        IOSQE_ASYNC = 1 << IOSQE_ASYNC_BIT;
        IOSQE_BUFFER_SELECT = 1 << IOSQE_BUFFER_SELECT_BIT;
        IOSQE_CQE_SKIP_SUCCESS = 1 << IOSQE_CQE_SKIP_SUCCESS_BIT;
    }
    /// Flag of a ring, in `io_uring_params::flags`.
    u32 {
        IORING_SETUP_IOPOLL = 1 << 0;
        IORING_SETUP_SQPOLL = 1 << 1;
        IORING_SETUP_SQ_AFF = 1 << 2;
        IORING_SETUP_CQSIZE = 1 << 3;
        IORING_SETUP_CLAMP = 1 << 4;
        IORING_SETUP_ATTACH_WQ = 1 << 5;
        IORING_SETUP_R_DISABLED = 1 << 6;
        IORING_SETUP_SUBMIT_ALL = 1 << 7;
        IORING_SETUP_COOP_TASKRUN = 1 << 8;
        IORING_SETUP_TASKRUN_FLAG = 1 << 9;
        IORING_SETUP_SQE128 = 1 << 10;
        IORING_SETUP_CQE32 = 1 << 11;
        IORING_SETUP_SINGLE_ISSUER = 1 << 12;
        IORING_SETUP_DEFER_TASKRUN = 1 << 13;
        IORING_SETUP_NO_MMAP = 1 << 14;
        IORING_SETUP_REGISTERED_FD_ONLY = 1 << 15;
        IORING_SETUP_NO_SQARRAY = 1 << 16;
        IORING_SETUP_HYBRID_IOPOLL = 1 << 17;
        IORING_SETUP_CQE_MIXED = 1 << 18;
        IORING_SETUP_SQE_MIXED = 1 << 19;
        IORING_SETUP_SQ_REWIND = 1 << 20;
    }
    /// Feature of the kernel, in `io_uring_params::features`.
    u32 {
        IORING_FEAT_SINGLE_MMAP = 1 << 0;
        IORING_FEAT_NODROP = 1 << 1;
        IORING_FEAT_SUBMIT_STABLE = 1 << 2;
        IORING_FEAT_RW_CUR_POS = 1 << 3;
        IORING_FEAT_CUR_PERSONALITY = 1 << 4;
        IORING_FEAT_FAST_POLL = 1 << 5;
        IORING_FEAT_POLL_32BITS = 1 << 6;
        IORING_FEAT_SQPOLL_NONFIXED = 1 << 7;
        IORING_FEAT_EXT_ARG = 1 << 8;
        IORING_FEAT_NATIVE_WORKERS = 1 << 9;
        IORING_FEAT_RSRC_TAGS = 1 << 10;
        IORING_FEAT_CQE_SKIP = 1 << 11;
        IORING_FEAT_LINKED_FILE = 1 << 12;
        IORING_FEAT_REG_REG_RING = 1 << 13;
        IORING_FEAT_RECVSEND_BUNDLE = 1 << 14;
        IORING_FEAT_MIN_TIMEOUT = 1 << 15;
        IORING_FEAT_RW_ATTR = 1 << 16;
        IORING_FEAT_NO_IOWAIT = 1 << 17;
    }
    /// Flag of `io_uring_enter(2)`.
    u32 {
        IORING_ENTER_GETEVENTS = 1 << 0;
        IORING_ENTER_SQ_WAKEUP = 1 << 1;
        IORING_ENTER_SQ_WAIT = 1 << 2;
        IORING_ENTER_EXT_ARG = 1 << 3;
        IORING_ENTER_REGISTERED_RING = 1 << 4;
        IORING_ENTER_ABS_TIMER = 1 << 5;
        IORING_ENTER_EXT_ARG_REG = 1 << 6;
        IORING_ENTER_NO_IOWAIT = 1 << 7;
    }
    /// Opcode of `io_uring_register(2)`.
    u32 {
        IORING_REGISTER_BUFFERS = 0;
        IORING_UNREGISTER_BUFFERS = 1;
        IORING_REGISTER_FILES = 2;
        IORING_UNREGISTER_FILES = 3;
        IORING_REGISTER_EVENTFD = 4;
        IORING_UNREGISTER_EVENTFD = 5;
        IORING_REGISTER_FILES_UPDATE = 6;
        IORING_REGISTER_EVENTFD_ASYNC = 7;
        IORING_REGISTER_PROBE = 8;
        IORING_REGISTER_PERSONALITY = 9;
        IORING_UNREGISTER_PERSONALITY = 10;
        IORING_REGISTER_RESTRICTIONS = 11;
        IORING_REGISTER_ENABLE_RINGS = 12;
        IORING_REGISTER_FILES2 = 13;
        IORING_REGISTER_FILES_UPDATE2 = 14;
        IORING_REGISTER_BUFFERS2 = 15;
        IORING_REGISTER_BUFFERS_UPDATE = 16;
        IORING_REGISTER_IOWQ_AFF = 17;
        IORING_UNREGISTER_IOWQ_AFF = 18;
        IORING_REGISTER_IOWQ_MAX_WORKERS = 19;
        IORING_REGISTER_RING_FDS = 20;
        IORING_UNREGISTER_RING_FDS = 21;
        IORING_REGISTER_PBUF_RING = 22;
        IORING_UNREGISTER_PBUF_RING = 23;
        IORING_REGISTER_SYNC_CANCEL = 24;
        IORING_REGISTER_FILE_ALLOC_RANGE = 25;
        IORING_REGISTER_PBUF_STATUS = 26;
        IORING_REGISTER_NAPI = 27;
        IORING_UNREGISTER_NAPI = 28;
        IORING_REGISTER_CLOCK = 29;
        IORING_REGISTER_CLONE_BUFFERS = 30;
        IORING_REGISTER_SEND_MSG_RING = 31;
        IORING_REGISTER_ZCRX_IFQ = 32;
        IORING_REGISTER_RESIZE_RINGS = 33;
        IORING_REGISTER_MEM_REGION = 34;
        IORING_REGISTER_QUERY = 35;
        IORING_REGISTER_ZCRX_CTRL = 36;
        IORING_REGISTER_BPF_FILTER = 37;
    }
    /// Flag of an opcode of `io_uring_register(2)`: the descriptor is the index of a registered ring.
    u32 {
        IORING_REGISTER_USE_REGISTERED_RING = 1 << 31;
    }
    /// Lets the kernel choose the slot, in `io_uring_sqe::file_index`.
    u32 {
        IORING_FILE_INDEX_ALLOC = u32::MAX;
    }
    /// Leaves a slot unchanged in an update of the registered files.
    i32 {
        IORING_REGISTER_FILES_SKIP = -2;
    }
    /// Flag of a completion, in `io_uring_cqe::flags`.
    u32 {
        IORING_CQE_F_BUFFER = 1 << 0;
        IORING_CQE_F_MORE = 1 << 1;
        IORING_CQE_F_SOCK_NONEMPTY = 1 << 2;
        IORING_CQE_F_NOTIF = 1 << 3;
        IORING_CQE_F_BUF_MORE = 1 << 4;
        IORING_CQE_F_SKIP = 1 << 5;
        IORING_CQE_F_32 = 1 << 15;
        IORING_CQE_F_TSTAMP_HW = 1 << IORING_TIMESTAMP_HW_SHIFT;
    }
    /// First bit of a number in `io_uring_cqe::flags`.
    u32 {
        IORING_CQE_BUFFER_SHIFT = 16;
        IORING_TIMESTAMP_HW_SHIFT = 16;
        IORING_TIMESTAMP_TYPE_SHIFT = IORING_TIMESTAMP_HW_SHIFT + 1;
    }
    /// Flag in the submission queue.
    u32 {
        IORING_SQ_NEED_WAKEUP = 1 << 0;
        IORING_SQ_CQ_OVERFLOW = 1 << 1;
        IORING_SQ_TASKRUN = 1 << 2;
    }
    /// Flag in the completion queue.
    u32 {
        IORING_CQ_EVENTFD_DISABLED = 1 << 0;
    }
    /// Offset for `mmap(2)` of a ring.
    u64 {
        IORING_OFF_SQ_RING = 0;
        IORING_OFF_CQ_RING = 0x0800_0000;
        IORING_OFF_SQES = 0x1000_0000;
        IORING_OFF_PBUF_RING = 0x8000_0000;
        IORING_OFF_MMAP_MASK = 0xf800_0000;
    }
    /// First bit of the id of a buffer group in the `mmap(2)` offset of its ring.
    u32 {
        IORING_OFF_PBUF_SHIFT = 16;
    }
    /// Flag of an fsync.
    u32 {
        IORING_FSYNC_DATASYNC = 1 << 0;
    }
    /// Flag of a timeout.
    u32 {
        IORING_TIMEOUT_ABS = 1 << 0;
        IORING_TIMEOUT_UPDATE = 1 << 1;
        IORING_TIMEOUT_BOOTTIME = 1 << 2;
        IORING_TIMEOUT_REALTIME = 1 << 3;
        IORING_LINK_TIMEOUT_UPDATE = 1 << 4;
        IORING_TIMEOUT_ETIME_SUCCESS = 1 << 5;
        IORING_TIMEOUT_MULTISHOT = 1 << 6;
        IORING_TIMEOUT_IMMEDIATE_ARG = 1 << 7;
        IORING_TIMEOUT_CLOCK_MASK = IORING_TIMEOUT_BOOTTIME | IORING_TIMEOUT_REALTIME;
        IORING_TIMEOUT_UPDATE_MASK = IORING_TIMEOUT_UPDATE | IORING_LINK_TIMEOUT_UPDATE;
    }
    /// Flag of a splice, in addition to those of `splice(2)`.
    u32 {
        SPLICE_F_FD_IN_FIXED = 1 << 31;
    }
    /// Flag of a poll, in `io_uring_sqe::len`.
    u32 {
        IORING_POLL_ADD_MULTI = 1 << 0;
        IORING_POLL_UPDATE_EVENTS = 1 << 1;
        IORING_POLL_UPDATE_USER_DATA = 1 << 2;
        IORING_POLL_ADD_LEVEL = 1 << 3;
    }
    /// Flag of a cancellation.
    u32 {
        IORING_ASYNC_CANCEL_ALL = 1 << 0;
        IORING_ASYNC_CANCEL_FD = 1 << 1;
        IORING_ASYNC_CANCEL_ANY = 1 << 2;
        IORING_ASYNC_CANCEL_FD_FIXED = 1 << 3;
        IORING_ASYNC_CANCEL_USERDATA = 1 << 4;
        IORING_ASYNC_CANCEL_OP = 1 << 5;
    }
    /// Flag of a send or receive, in `io_uring_sqe::ioprio`.
    u16 {
        IORING_RECVSEND_POLL_FIRST = 1 << 0;
        IORING_RECV_MULTISHOT = 1 << 1;
        IORING_RECVSEND_FIXED_BUF = 1 << 2;
        IORING_SEND_ZC_REPORT_USAGE = 1 << 3;
        IORING_RECVSEND_BUNDLE = 1 << 4;
        IORING_SEND_VECTORIZED = 1 << 5;
    }
    /// Result of a notification if the data was copied.
    u32 {
        IORING_NOTIF_USAGE_ZC_COPIED = 1 << 31;
    }
    /// Flag of an accept, in `io_uring_sqe::ioprio`.
    u16 {
        IORING_ACCEPT_MULTISHOT = 1 << 0;
        IORING_ACCEPT_DONTWAIT = 1 << 1;
        IORING_ACCEPT_POLL_FIRST = 1 << 2;
    }
    /// Kind of a message to a ring, in `io_uring_sqe::addr`.
    u64 {
        IORING_MSG_DATA = 0;
        IORING_MSG_SEND_FD = 1;
    }
    /// Flag of a message to a ring.
    u32 {
        IORING_MSG_RING_CQE_SKIP = 1 << 0;
        IORING_MSG_RING_FLAGS_PASS = 1 << 1;
    }
    /// Flag of installing a registered file.
    u32 {
        IORING_FIXED_FD_NO_CLOEXEC = 1 << 0;
    }
    /// Flag of a no-op.
    u32 {
        IORING_NOP_INJECT_RESULT = 1 << 0;
        IORING_NOP_FILE = 1 << 1;
        IORING_NOP_FIXED_FILE = 1 << 2;
        IORING_NOP_FIXED_BUFFER = 1 << 3;
        IORING_NOP_TW = 1 << 4;
        IORING_NOP_CQE32 = 1 << 5;
    }
    /// Flag of a command.
    u32 {
        IORING_URING_CMD_FIXED = 1 << 0;
        IORING_URING_CMD_MULTISHOT = 1 << 1;
        IORING_URING_CMD_MASK = IORING_URING_CMD_FIXED | IORING_URING_CMD_MULTISHOT;
    }
    /// Attribute of a read or write, in `io_uring_sqe::attr_type_mask`.
    u64 {
        IORING_RW_ATTR_FLAG_PI = 1 << 0;
    }
    /// Command to a socket, in `io_uring_sqe::cmd_op`.
    u32 {
        SOCKET_URING_OP_SIOCINQ = 0;
        SOCKET_URING_OP_SIOCOUTQ = 1;
        SOCKET_URING_OP_GETSOCKOPT = 2;
        SOCKET_URING_OP_SETSOCKOPT = 3;
        SOCKET_URING_OP_TX_TIMESTAMP = 4;
        SOCKET_URING_OP_GETSOCKNAME = 5;
    }
    /// Flag of registered resources.
    u32 {
        IORING_RSRC_REGISTER_SPARSE = 1 << 0;
    }
    /// Flag of an operation in a probe.
    u16 {
        IO_URING_OP_SUPPORTED = 1 << 0;
    }
    /// Kind of a restriction.
    u16 {
        IORING_RESTRICTION_REGISTER_OP = 0;
        IORING_RESTRICTION_SQE_OP = 1;
        IORING_RESTRICTION_SQE_FLAGS_ALLOWED = 2;
        IORING_RESTRICTION_SQE_FLAGS_REQUIRED = 3;
    }
    /// Kind of kernel worker.
    u32 {
        IO_WQ_BOUND = 0;
        IO_WQ_UNBOUND = 1;
    }
    /// Flag of cloned buffers.
    u32 {
        IORING_REGISTER_SRC_REGISTERED = 1 << 0;
        IORING_REGISTER_DST_REPLACE = 1 << 1;
    }
    /// Flag of a ring of provided buffers.
    u16 {
        IOU_PBUF_RING_MMAP = 1 << 0;
        IOU_PBUF_RING_INC = 1 << 1;
    }
    /// Command of a busy-polling registration.
    u8 {
        IO_URING_NAPI_REGISTER_OP = 0;
        IO_URING_NAPI_STATIC_ADD_ID = 1;
        IO_URING_NAPI_STATIC_DEL_ID = 2;
    }
    /// Tracking of the queues for busy polling.
    u32 {
        IO_URING_NAPI_TRACKING_DYNAMIC = 0;
        IO_URING_NAPI_TRACKING_STATIC = 1;
        IO_URING_NAPI_TRACKING_INACTIVE = 255;
    }
    /// Kind of a memory region, in `io_uring_region_desc::flags`.
    u32 {
        IORING_MEM_REGION_TYPE_USER = 1;
    }
    /// Purpose of a memory region, in `io_uring_mem_region_reg::flags`.
    u64 {
        IORING_MEM_REGION_REG_WAIT_ARG = 1;
    }
    /// Flag of a registered wait.
    u32 {
        IORING_REG_WAIT_TS = 1 << 0;
    }
    /// First bit of the area's id in an offset of zero-copy receive.
    u32 {
        IORING_ZCRX_AREA_SHIFT = 48;
    }
    /// Mask of the area's id in an offset of zero-copy receive.
    u64 {
        IORING_ZCRX_AREA_MASK = !((1 << IORING_ZCRX_AREA_SHIFT) - 1);
    }
    /// Flag of an area for zero-copy receive.
    u32 {
        IORING_ZCRX_AREA_DMABUF = 1;
    }
    /// Flag of a queue for zero-copy receive (since 6.19).
    u32 {
        ZCRX_REG_IMPORT = 1;
        ZCRX_REG_NODEV = 2;
    }
    /// Feature of zero-copy receive (since 7.0).
    u32 {
        ZCRX_FEATURE_RX_PAGE_SIZE = 1;
    }
    /// Command to zero-copy receive (since 6.19).
    u32 {
        ZCRX_CTRL_FLUSH_RQ = 0;
        ZCRX_CTRL_EXPORT = 1;
    }
    /// Kind of a query.
    u32 {
        IO_URING_QUERY_OPCODES = 0;
        IO_URING_QUERY_ZCRX = 1;
        IO_URING_QUERY_SCQ = 2;
    }
    /// Command about BPF filters (since 7.0).
    u16 {
        IO_URING_BPF_CMD_FILTER = 1;
    }
    /// Flag of a BPF filter (since 7.0).
    u32 {
        IO_URING_BPF_FILTER_DENY_REST = 1;
        IO_URING_BPF_FILTER_SZ_STRICT = 2;
    }
}
