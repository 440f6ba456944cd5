// The constants of registrations, under the full names of <linux/io_uring.h> and the headers that it includes, Linux 7.1.

// Opcodes of io_uring_register(2). The last constant is a flag to add to an opcode.
export const IORING_REGISTER_BUFFERS = 0
export const IORING_UNREGISTER_BUFFERS = 1
export const IORING_REGISTER_FILES = 2
export const IORING_UNREGISTER_FILES = 3
export const IORING_REGISTER_EVENTFD = 4
export const IORING_UNREGISTER_EVENTFD = 5
export const IORING_REGISTER_FILES_UPDATE = 6
export const IORING_REGISTER_EVENTFD_ASYNC = 7
export const IORING_REGISTER_PROBE = 8
export const IORING_REGISTER_PERSONALITY = 9
export const IORING_UNREGISTER_PERSONALITY = 10
export const IORING_REGISTER_RESTRICTIONS = 11
export const IORING_REGISTER_ENABLE_RINGS = 12
export const IORING_REGISTER_FILES2 = 13
export const IORING_REGISTER_FILES_UPDATE2 = 14
export const IORING_REGISTER_BUFFERS2 = 15
export const IORING_REGISTER_BUFFERS_UPDATE = 16
export const IORING_REGISTER_IOWQ_AFF = 17
export const IORING_UNREGISTER_IOWQ_AFF = 18
export const IORING_REGISTER_IOWQ_MAX_WORKERS = 19
export const IORING_REGISTER_RING_FDS = 20
export const IORING_UNREGISTER_RING_FDS = 21
export const IORING_REGISTER_PBUF_RING = 22
export const IORING_UNREGISTER_PBUF_RING = 23
export const IORING_REGISTER_SYNC_CANCEL = 24
export const IORING_REGISTER_FILE_ALLOC_RANGE = 25
export const IORING_REGISTER_PBUF_STATUS = 26
export const IORING_REGISTER_NAPI = 27
export const IORING_UNREGISTER_NAPI = 28
export const IORING_REGISTER_CLOCK = 29
export const IORING_REGISTER_CLONE_BUFFERS = 30
export const IORING_REGISTER_SEND_MSG_RING = 31
export const IORING_REGISTER_ZCRX_IFQ = 32
export const IORING_REGISTER_RESIZE_RINGS = 33
export const IORING_REGISTER_MEM_REGION = 34
export const IORING_REGISTER_QUERY = 35
export const IORING_REGISTER_ZCRX_CTRL = 36
export const IORING_REGISTER_BPF_FILTER = 37
export const IORING_REGISTER_LAST = 38
export const IORING_REGISTER_USE_REGISTERED_RING = 0x8000_0000

// Used instead of a descriptor in an update: leaves the slot unchanged.
export const IORING_REGISTER_FILES_SKIP = -2

// Flags of `struct io_uring_rsrc_register`.
export const IORING_RSRC_REGISTER_SPARSE = 0x1

// Flags of `struct io_uring_probe_op`.
export const IO_URING_OP_SUPPORTED = 0x1

// Indexes of `IORING_REGISTER_IOWQ_MAX_WORKERS`: bounded and unbounded workers.
export const IO_WQ_BOUND = 0
export const IO_WQ_UNBOUND = 1

// Types of `struct io_uring_restriction`.
export const IORING_RESTRICTION_REGISTER_OP = 0
export const IORING_RESTRICTION_SQE_OP = 1
export const IORING_RESTRICTION_SQE_FLAGS_ALLOWED = 2
export const IORING_RESTRICTION_SQE_FLAGS_REQUIRED = 3
export const IORING_RESTRICTION_LAST = 4

// Flags of `struct io_uring_clone_buffers`.
export const IORING_REGISTER_SRC_REGISTERED = 0x1
export const IORING_REGISTER_DST_REPLACE = 0x2

// Flags of `struct io_uring_buf_reg`.
export const IOU_PBUF_RING_MMAP = 0x1
export const IOU_PBUF_RING_INC = 0x2

// Operations and tracking modes of `struct io_uring_napi`.
export const IO_URING_NAPI_REGISTER_OP = 0
export const IO_URING_NAPI_STATIC_ADD_ID = 1
export const IO_URING_NAPI_STATIC_DEL_ID = 2
export const IO_URING_NAPI_TRACKING_DYNAMIC = 0
export const IO_URING_NAPI_TRACKING_STATIC = 1
export const IO_URING_NAPI_TRACKING_INACTIVE = 255

// Flags of `struct io_uring_region_desc` and `struct io_uring_mem_region_reg`.
export const IORING_MEM_REGION_TYPE_USER = 0x1
export const IORING_MEM_REGION_REG_WAIT_ARG = 0x1

// Queries of `IORING_REGISTER_QUERY`.
export const IO_URING_QUERY_OPCODES = 0
export const IO_URING_QUERY_ZCRX = 1
export const IO_URING_QUERY_SCQ = 2
export const __IO_URING_QUERY_MAX = 3

// Zero-copy receive: the upper bits of an offset hold the number of the area.
export const IORING_ZCRX_AREA_SHIFT = 48
export const IORING_ZCRX_AREA_MASK = 0xffff_0000_0000_0000n

// Flags of areas and registrations, and features.
export const IORING_ZCRX_AREA_DMABUF = 0x1
export const ZCRX_REG_IMPORT = 0x1
export const ZCRX_REG_NODEV = 0x2
export const ZCRX_FEATURE_RX_PAGE_SIZE = 0x1

// Operations of `IORING_REGISTER_ZCRX_CTRL`.
export const ZCRX_CTRL_FLUSH_RQ = 0
export const ZCRX_CTRL_EXPORT = 1
export const __ZCRX_CTRL_LAST = 2

// Flags and commands of `IORING_REGISTER_BPF_FILTER`.
export const IO_URING_BPF_FILTER_DENY_REST = 0x1
export const IO_URING_BPF_FILTER_SZ_STRICT = 0x2
export const IO_URING_BPF_CMD_FILTER = 1
