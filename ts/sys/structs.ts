// Layouts of the kernel's structs.

import { eventBytes } from '../structs/epoll-event.ts'

type Layout = readonly [
  size: number,
  fields: Readonly<Record<string, readonly [offset: number, size: number]>>,
]

/** A member of a struct. A flexible array at the end of a struct has the size 0. */
export interface StructField<Offset extends number = number, Size extends number = number> {
  /** The offset from the start of the struct in bytes. */
  readonly offset: Offset
  /** The size in bytes. */
  readonly size: Size
}

const LAYOUTS = {
  // <linux/io_uring.h> and the headers that it includes, Linux 7.1. Members of an unnamed nested struct are called
  // `struct.member`.
  io_uring_sqe: [
    64,
    {
      opcode: [0, 1],
      flags: [1, 1],
      ioprio: [2, 2],
      fd: [4, 4],
      off: [8, 8],
      addr2: [8, 8],
      cmd_op: [8, 4],
      __pad1: [12, 4],
      addr: [16, 8],
      splice_off_in: [16, 8],
      level: [16, 4],
      optname: [20, 4],
      len: [24, 4],
      rw_flags: [28, 4],
      fsync_flags: [28, 4],
      poll_events: [28, 2],
      poll32_events: [28, 4],
      sync_range_flags: [28, 4],
      msg_flags: [28, 4],
      timeout_flags: [28, 4],
      accept_flags: [28, 4],
      cancel_flags: [28, 4],
      open_flags: [28, 4],
      statx_flags: [28, 4],
      fadvise_advice: [28, 4],
      splice_flags: [28, 4],
      rename_flags: [28, 4],
      unlink_flags: [28, 4],
      hardlink_flags: [28, 4],
      xattr_flags: [28, 4],
      msg_ring_flags: [28, 4],
      uring_cmd_flags: [28, 4],
      waitid_flags: [28, 4],
      futex_flags: [28, 4],
      install_fd_flags: [28, 4],
      nop_flags: [28, 4],
      pipe_flags: [28, 4],
      user_data: [32, 8],
      buf_index: [40, 2],
      buf_group: [40, 2],
      personality: [42, 2],
      splice_fd_in: [44, 4],
      file_index: [44, 4],
      zcrx_ifq_idx: [44, 4],
      optlen: [44, 4],
      addr_len: [44, 2],
      __pad3: [46, 2],
      write_stream: [44, 1],
      __pad4: [45, 3],
      addr3: [48, 8],
      __pad2: [56, 8],
      attr_ptr: [48, 8],
      attr_type_mask: [56, 8],
      optval: [48, 8],
      cmd: [48, 0],
    },
  ],
  io_uring_attr_pi: [
    32,
    { flags: [0, 2], app_tag: [2, 2], len: [4, 4], addr: [8, 8], seed: [16, 8], rsvd: [24, 8] },
  ],
  io_uring_cqe: [16, { user_data: [0, 8], res: [8, 4], flags: [12, 4], big_cqe: [16, 0] }],
  io_sqring_offsets: [
    40,
    {
      head: [0, 4],
      tail: [4, 4],
      ring_mask: [8, 4],
      ring_entries: [12, 4],
      flags: [16, 4],
      dropped: [20, 4],
      array: [24, 4],
      resv1: [28, 4],
      user_addr: [32, 8],
    },
  ],
  io_cqring_offsets: [
    40,
    {
      head: [0, 4],
      tail: [4, 4],
      ring_mask: [8, 4],
      ring_entries: [12, 4],
      overflow: [16, 4],
      cqes: [20, 4],
      flags: [24, 4],
      resv1: [28, 4],
      user_addr: [32, 8],
    },
  ],
  io_uring_params: [
    120,
    {
      sq_entries: [0, 4],
      cq_entries: [4, 4],
      flags: [8, 4],
      sq_thread_cpu: [12, 4],
      sq_thread_idle: [16, 4],
      features: [20, 4],
      wq_fd: [24, 4],
      resv: [28, 12],
      sq_off: [40, 40],
      cq_off: [80, 40],
    },
  ],
  io_uring_files_update: [16, { offset: [0, 4], resv: [4, 4], fds: [8, 8] }],
  io_uring_region_desc: [
    64,
    { user_addr: [0, 8], size: [8, 8], flags: [16, 4], id: [20, 4], mmap_offset: [24, 8], __resv: [32, 32] },
  ],
  io_uring_mem_region_reg: [32, { region_uptr: [0, 8], flags: [8, 8], __resv: [16, 16] }],
  io_uring_rsrc_register: [32, { nr: [0, 4], flags: [4, 4], resv2: [8, 8], data: [16, 8], tags: [24, 8] }],
  io_uring_rsrc_update: [16, { offset: [0, 4], resv: [4, 4], data: [8, 8] }],
  io_uring_rsrc_update2: [
    32,
    { offset: [0, 4], resv: [4, 4], data: [8, 8], tags: [16, 8], nr: [24, 4], resv2: [28, 4] },
  ],
  io_uring_probe_op: [8, { op: [0, 1], resv: [1, 1], flags: [2, 2], resv2: [4, 4] }],
  io_uring_probe: [16, { last_op: [0, 1], ops_len: [1, 1], resv: [2, 2], resv2: [4, 12], ops: [16, 0] }],
  io_uring_restriction: [
    16,
    { opcode: [0, 2], register_op: [2, 1], sqe_op: [2, 1], sqe_flags: [2, 1], resv: [3, 1], resv2: [4, 12] },
  ],
  io_uring_task_restriction: [16, { flags: [0, 2], nr_res: [2, 2], resv: [4, 12], restrictions: [16, 0] }],
  io_uring_clock_register: [16, { clockid: [0, 4], __resv: [4, 12] }],
  io_uring_clone_buffers: [
    32,
    { src_fd: [0, 4], flags: [4, 4], src_off: [8, 4], dst_off: [12, 4], nr: [16, 4], pad: [20, 12] },
  ],
  io_uring_buf: [16, { addr: [0, 8], len: [8, 4], bid: [12, 2], resv: [14, 2] }],
  io_uring_buf_ring: [16, { resv1: [0, 8], resv2: [8, 4], resv3: [12, 2], tail: [14, 2], bufs: [0, 0] }],
  io_uring_buf_reg: [
    40,
    {
      ring_addr: [0, 8],
      ring_entries: [8, 4],
      bgid: [12, 2],
      flags: [14, 2],
      min_left: [16, 4],
      resv: [20, 20],
    },
  ],
  io_uring_buf_status: [40, { buf_group: [0, 4], head: [4, 4], resv: [8, 32] }],
  io_uring_napi: [
    16,
    {
      busy_poll_to: [0, 4],
      prefer_busy_poll: [4, 1],
      opcode: [5, 1],
      pad: [6, 2],
      op_param: [8, 4],
      resv: [12, 4],
    },
  ],
  io_uring_reg_wait: [
    64,
    {
      ts: [0, 16],
      min_wait_usec: [16, 4],
      flags: [20, 4],
      sigmask: [24, 8],
      sigmask_sz: [32, 4],
      pad: [36, 12],
      pad2: [48, 16],
    },
  ],
  io_uring_getevents_arg: [24, { sigmask: [0, 8], sigmask_sz: [8, 4], min_wait_usec: [12, 4], ts: [16, 8] }],
  io_uring_sync_cancel_reg: [
    64,
    {
      addr: [0, 8],
      fd: [8, 4],
      flags: [12, 4],
      timeout: [16, 16],
      opcode: [32, 1],
      pad: [33, 7],
      pad2: [40, 24],
    },
  ],
  io_uring_file_index_range: [16, { off: [0, 4], len: [4, 4], resv: [8, 8] }],
  io_uring_recvmsg_out: [16, { namelen: [0, 4], controllen: [4, 4], payloadlen: [8, 4], flags: [12, 4] }],
  io_timespec: [16, { tv_sec: [0, 8], tv_nsec: [8, 8] }],
  io_uring_zcrx_rqe: [16, { off: [0, 8], len: [8, 4], __pad: [12, 4] }],
  io_uring_zcrx_cqe: [16, { off: [0, 8], __pad: [8, 8] }],
  io_uring_zcrx_offsets: [
    32,
    { head: [0, 4], tail: [4, 4], rqes: [8, 4], __resv2: [12, 4], __resv: [16, 16] },
  ],
  io_uring_zcrx_area_reg: [
    48,
    {
      addr: [0, 8],
      len: [8, 8],
      rq_area_token: [16, 8],
      flags: [24, 4],
      dmabuf_fd: [28, 4],
      __resv2: [32, 16],
    },
  ],
  io_uring_zcrx_ifq_reg: [
    96,
    {
      if_idx: [0, 4],
      if_rxq: [4, 4],
      rq_entries: [8, 4],
      flags: [12, 4],
      area_ptr: [16, 8],
      region_ptr: [24, 8],
      offsets: [32, 32],
      zcrx_id: [64, 4],
      rx_buf_len: [68, 4],
      __resv: [72, 24],
    },
  ],
  zcrx_ctrl_flush_rq: [48, { __resv: [0, 48] }],
  zcrx_ctrl_export: [48, { zcrx_fd: [0, 4], __resv1: [4, 44] }],
  zcrx_ctrl: [72, { zcrx_id: [0, 4], op: [4, 4], __resv: [8, 16], zc_export: [24, 48], zc_flush: [24, 48] }],
  io_uring_query_hdr: [
    40,
    {
      next_entry: [0, 8],
      query_data: [8, 8],
      query_op: [16, 4],
      size: [20, 4],
      result: [24, 4],
      __resv: [28, 12],
    },
  ],
  io_uring_query_opcode: [
    48,
    {
      nr_request_opcodes: [0, 4],
      nr_register_opcodes: [4, 4],
      feature_flags: [8, 8],
      ring_setup_flags: [16, 8],
      enter_flags: [24, 8],
      sqe_flags: [32, 8],
      nr_query_opcodes: [40, 4],
      __pad: [44, 4],
    },
  ],
  io_uring_query_zcrx: [
    40,
    {
      register_flags: [0, 8],
      area_flags: [8, 8],
      nr_ctrl_opcodes: [16, 4],
      features: [20, 4],
      rq_hdr_size: [24, 4],
      rq_hdr_alignment: [28, 4],
      __resv2: [32, 8],
    },
  ],
  io_uring_query_scq: [16, { hdr_size: [0, 8], hdr_alignment: [8, 8] }],
  io_uring_bpf_ctx: [
    40,
    {
      user_data: [0, 8],
      opcode: [8, 1],
      sqe_flags: [9, 1],
      pdu_size: [10, 1],
      pad: [11, 5],
      socket: [16, 12],
      'socket.family': [16, 4],
      'socket.type': [20, 4],
      'socket.protocol': [24, 4],
      open: [16, 24],
      'open.flags': [16, 8],
      'open.mode': [24, 8],
      'open.resolve': [32, 8],
    },
  ],
  io_uring_bpf_filter: [
    64,
    {
      opcode: [0, 4],
      flags: [4, 4],
      filter_len: [8, 4],
      pdu_size: [12, 1],
      resv: [13, 3],
      filter_ptr: [16, 8],
      resv2: [24, 40],
    },
  ],
  io_uring_bpf: [72, { cmd_type: [0, 2], cmd_flags: [2, 2], resv: [4, 4], filter: [8, 64] }],

  // Structs that entries point at.
  __kernel_timespec: [16, { tv_sec: [0, 8], tv_nsec: [8, 8] }],
  iovec: [16, { iov_base: [0, 8], iov_len: [8, 8] }],
  msghdr: [
    56,
    {
      msg_name: [0, 8],
      msg_namelen: [8, 4],
      msg_iov: [16, 8],
      msg_iovlen: [24, 8],
      msg_control: [32, 8],
      msg_controllen: [40, 8],
      msg_flags: [48, 4],
    },
  ],
  cmsghdr: [16, { cmsg_len: [0, 8], cmsg_level: [8, 4], cmsg_type: [12, 4] }],
  open_how: [24, { flags: [0, 8], mode: [8, 8], resolve: [16, 8] }],
  futex_waitv: [24, { val: [0, 8], uaddr: [8, 8], flags: [16, 4], __reserved: [20, 4] }],
  siginfo_t: [
    128,
    {
      si_signo: [0, 4],
      si_errno: [4, 4],
      si_code: [8, 4],
      si_pid: [16, 4],
      si_uid: [20, 4],
      si_status: [24, 4],
    },
  ],
  statx_timestamp: [16, { tv_sec: [0, 8], tv_nsec: [8, 4] }],
  statx: [
    256,
    {
      stx_mask: [0, 4],
      stx_blksize: [4, 4],
      stx_attributes: [8, 8],
      stx_nlink: [16, 4],
      stx_uid: [20, 4],
      stx_gid: [24, 4],
      stx_mode: [28, 2],
      stx_ino: [32, 8],
      stx_size: [40, 8],
      stx_blocks: [48, 8],
      stx_attributes_mask: [56, 8],
      stx_atime: [64, 16],
      stx_btime: [80, 16],
      stx_ctime: [96, 16],
      stx_mtime: [112, 16],
      stx_rdev_major: [128, 4],
      stx_rdev_minor: [132, 4],
      stx_dev_major: [136, 4],
      stx_dev_minor: [140, 4],
      stx_mnt_id: [144, 8],
      stx_dio_mem_align: [152, 4],
      stx_dio_offset_align: [156, 4],
      stx_subvol: [160, 8],
      stx_atomic_write_unit_min: [168, 4],
      stx_atomic_write_unit_max: [172, 4],
      stx_atomic_write_segments_max: [176, 4],
      stx_dio_read_offset_align: [180, 4],
      stx_atomic_write_unit_max_opt: [184, 4],
    },
  ],
} as const

/** A struct: its size in bytes, and its members by name. */
type StructOf<L extends Layout> = {
  readonly size: L[0]
  readonly fields: { readonly [Name in keyof L[1]]: StructField<L[1][Name][0], L[1][Name][1]> }
}

/** Structs by their names in C. */
export type Structs = {
  readonly [Name in keyof typeof LAYOUTS]: StructOf<(typeof LAYOUTS)[Name]>
} & {
  /** Packed (12 bytes) on x86_64; 16 bytes on all other platforms. */
  readonly epoll_event: {
    readonly size: number
    readonly fields: { readonly events: StructField; readonly data: StructField }
  }
}

function described(layouts: Readonly<Record<string, Layout>>): Structs {
  const structs = Object.entries(layouts).map(([name, [size, fields]]) => {
    const members = Object.entries(fields).map(([member, [offset, length]]) => [
      member,
      { offset, size: length },
    ])
    return [name, { size, fields: Object.fromEntries(members) }]
  })
  return Object.fromEntries(structs) as Structs
}

/**
 * Layouts of structs: `structs.io_uring_sqe.fields.user_data.offset` is 32. Members of a union overlap. A struct that
 * is a member of another struct has its own layout, under its own name.
 */
export const structs: Structs = /* @__PURE__ */ described({
  ...LAYOUTS,
  epoll_event: [eventBytes(), { events: [0, 4], data: [eventBytes() - 8, 8] }],
})
