//! Every structure of `linux/io_uring.h` and its subfolder. Members that share their bytes with others have the name of
//! one of them; arrays that follow a structure are left out.
#![expect(
    missing_docs,
    clippy::pub_underscore_fields,
    reason = "the names are the kernel's own, and its man pages describe the members"
)]

macro_rules! structs {
    ($($(#[$comment:meta])* $name:ident: $size:literal { $($field:ident: $type:ty,)* })*) => {
        $(
            $(#[$comment])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            #[repr(C)]
            pub struct $name {
                $(pub $field: $type,)*
            }

            // The size in the kernel; a hole between members would make the sum smaller.
            const _: () = assert!(size_of::<$name>() == $size && 0 $(+ size_of::<$type>())* == $size);
        )*

        /// Name, size and offsets of the members of each structure, for tests.
        #[cfg(test)]
        #[allow(clippy::type_complexity)] // a table that is used in one place
        pub(crate) const ALL: &[(&str, usize, &[(&str, usize)])] = &[$((
            stringify!($name),
            size_of::<$name>(),
            &[$((stringify!($field), std::mem::offset_of!($name, $field)),)*],
        ),)*];
    };
}

structs! {
    /// A submission queue entry with the members that most operations use. [`EntryBytes`](crate::EntryBytes) has all.
    io_uring_sqe: 64 {
        opcode: u8,
        flags: u8,
        ioprio: u16,
        fd: i32,
        off: u64,
        addr: u64,
        len: u32,
        rw_flags: u32,
        user_data: u64,
        buf_index: u16,
        personality: u16,
        file_index: u32,
        addr3: u64,
        __pad2: [u64; 1],
    }
    /// Protection information of a read or write.
    io_uring_attr_pi: 32 {
        flags: u16,
        app_tag: u16,
        len: u32,
        addr: u64,
        seed: u64,
        rsvd: u64,
    }
    /// A completion queue entry of 16 bytes, or the first half of one of 32.
    io_uring_cqe: 16 {
        user_data: u64,
        res: i32,
        flags: u32,
    }
    /// Offsets of the parts of a submission queue in its mapping.
    io_sqring_offsets: 40 {
        head: u32,
        tail: u32,
        ring_mask: u32,
        ring_entries: u32,
        flags: u32,
        dropped: u32,
        array: u32,
        resv1: u32,
        user_addr: u64,
    }
    /// Offsets of the parts of a completion queue in its mapping.
    io_cqring_offsets: 40 {
        head: u32,
        tail: u32,
        ring_mask: u32,
        ring_entries: u32,
        overflow: u32,
        cqes: u32,
        flags: u32,
        resv1: u32,
        user_addr: u64,
    }
    /// Argument of io_uring_setup(2): options of a ring, and its properties as the kernel fills them in.
    io_uring_params: 120 {
        sq_entries: u32,
        cq_entries: u32,
        flags: u32,
        sq_thread_cpu: u32,
        sq_thread_idle: u32,
        features: u32,
        wq_fd: u32,
        resv: [u32; 3],
        sq_off: io_sqring_offsets,
        cq_off: io_cqring_offsets,
    }
    /// Argument of `IORING_REGISTER_FILES_UPDATE`, older than `io_uring_rsrc_update`.
    io_uring_files_update: 16 {
        offset: u32,
        resv: u32,
        fds: u64,
    }
    /// A region of memory that the kernel and the program share.
    io_uring_region_desc: 64 {
        user_addr: u64,
        size: u64,
        flags: u32,
        id: u32,
        mmap_offset: u64,
        __resv: [u64; 4],
    }
    /// Argument of `IORING_REGISTER_MEM_REGION`.
    io_uring_mem_region_reg: 32 {
        region_uptr: u64,
        flags: u64,
        __resv: [u64; 2],
    }
    /// Argument of `IORING_REGISTER_FILES2` and `IORING_REGISTER_BUFFERS2`.
    io_uring_rsrc_register: 32 {
        nr: u32,
        flags: u32,
        resv2: u64,
        data: u64,
        tags: u64,
    }
    /// Argument of `IORING_REGISTER_FILES_UPDATE`, and of registered ring descriptors.
    io_uring_rsrc_update: 16 {
        offset: u32,
        resv: u32,
        data: u64,
    }
    /// Argument of `IORING_REGISTER_FILES_UPDATE2` and `IORING_REGISTER_BUFFERS_UPDATE`.
    io_uring_rsrc_update2: 32 {
        offset: u32,
        resv: u32,
        data: u64,
        tags: u64,
        nr: u32,
        resv2: u32,
    }
    /// Support of one operation, in a probe.
    io_uring_probe_op: 8 {
        op: u8,
        resv: u8,
        flags: u16,
        resv2: u32,
    }
    /// Head of a probe; the operations follow it.
    io_uring_probe: 16 {
        last_op: u8,
        ops_len: u8,
        resv: u16,
        resv2: [u32; 3],
    }
    /// Permission or requirement of a restricted ring.
    io_uring_restriction: 16 {
        opcode: u16,
        register_op: u8,
        resv: u8,
        resv2: [u32; 3],
    }
    /// Head of the restrictions of a task (since 7.0); they follow it.
    io_uring_task_restriction: 16 {
        flags: u16,
        nr_res: u16,
        resv: [u32; 3],
    }
    /// Argument of `IORING_REGISTER_CLOCK`.
    io_uring_clock_register: 16 {
        clockid: u32,
        __resv: [u32; 3],
    }
    /// Argument of `IORING_REGISTER_CLONE_BUFFERS`.
    io_uring_clone_buffers: 32 {
        src_fd: u32,
        flags: u32,
        src_off: u32,
        dst_off: u32,
        nr: u32,
        pad: [u32; 3],
    }
    /// A provided buffer.
    io_uring_buf: 16 {
        addr: u64,
        len: u32,
        bid: u16,
        resv: u16,
    }
    /// Head of a ring of provided buffers. It shares its bytes with the first buffer, which has no use for the last
    /// two.
    io_uring_buf_ring: 16 {
        resv1: u64,
        resv2: u32,
        resv3: u16,
        tail: u16,
    }
    /// Argument of `IORING_REGISTER_PBUF_RING` and `IORING_UNREGISTER_PBUF_RING`.
    io_uring_buf_reg: 40 {
        ring_addr: u64,
        ring_entries: u32,
        bgid: u16,
        flags: u16,
        min_left: u32,
        resv: [u32; 5],
    }
    /// Argument of `IORING_REGISTER_PBUF_STATUS`.
    io_uring_buf_status: 40 {
        buf_group: u32,
        head: u32,
        resv: [u32; 8],
    }
    /// Argument of `IORING_REGISTER_NAPI` and `IORING_UNREGISTER_NAPI`.
    io_uring_napi: 16 {
        busy_poll_to: u32,
        prefer_busy_poll: u8,
        opcode: u8,
        pad: [u8; 2],
        op_param: u32,
        resv: u32,
    }
    /// A duration or a time.
    __kernel_timespec: 16 {
        tv_sec: i64,
        tv_nsec: i64,
    }
    /// A wait in a registered region.
    io_uring_reg_wait: 64 {
        ts: __kernel_timespec,
        min_wait_usec: u32,
        flags: u32,
        sigmask: u64,
        sigmask_sz: u32,
        pad: [u32; 3],
        pad2: [u64; 2],
    }
    /// Argument of `io_uring_enter(2)` with `IORING_ENTER_EXT_ARG`.
    io_uring_getevents_arg: 24 {
        sigmask: u64,
        sigmask_sz: u32,
        min_wait_usec: u32,
        ts: u64,
    }
    /// Argument of `IORING_REGISTER_SYNC_CANCEL`.
    io_uring_sync_cancel_reg: 64 {
        addr: u64,
        fd: i32,
        flags: u32,
        timeout: __kernel_timespec,
        opcode: u8,
        pad: [u8; 7],
        pad2: [u64; 3],
    }
    /// Argument of `IORING_REGISTER_FILE_ALLOC_RANGE`.
    io_uring_file_index_range: 16 {
        off: u32,
        len: u32,
        resv: u64,
    }
    /// Head of a message that a multishot recvmsg writes to a provided buffer.
    io_uring_recvmsg_out: 16 {
        namelen: u32,
        controllen: u32,
        payloadlen: u32,
        flags: u32,
    }
    /// The second half of a completion of `SOCKET_URING_OP_TX_TIMESTAMP`.
    io_timespec: 16 {
        tv_sec: u64,
        tv_nsec: u64,
    }
    /// Entry of a refill queue, by which received memory returns to the device.
    io_uring_zcrx_rqe: 16 {
        off: u64,
        len: u32,
        __pad: u32,
    }
    /// The second half of a completion of zero-copy receive.
    io_uring_zcrx_cqe: 16 {
        off: u64,
        __pad: u64,
    }
    /// Offsets of the parts of a refill queue in its region.
    io_uring_zcrx_offsets: 32 {
        head: u32,
        tail: u32,
        rqes: u32,
        __resv2: u32,
        __resv: [u64; 2],
    }
    /// An area that zero-copy receive writes to.
    io_uring_zcrx_area_reg: 48 {
        addr: u64,
        len: u64,
        rq_area_token: u64,
        flags: u32,
        dmabuf_fd: u32,
        __resv2: [u64; 2],
    }
    /// Argument of `IORING_REGISTER_ZCRX_IFQ`.
    io_uring_zcrx_ifq_reg: 96 {
        if_idx: u32,
        if_rxq: u32,
        rq_entries: u32,
        flags: u32,
        area_ptr: u64,
        region_ptr: u64,
        offsets: io_uring_zcrx_offsets,
        zcrx_id: u32,
        rx_buf_len: u32,
        __resv: [u64; 3],
    }
    /// Argument for flushing a refill queue (since 6.19).
    zcrx_ctrl_flush_rq: 48 {
        __resv: [u64; 6],
    }
    /// Argument for exporting a queue (since 6.19).
    zcrx_ctrl_export: 48 {
        zcrx_fd: u32,
        __resv1: [u32; 11],
    }
    /// Argument of `IORING_REGISTER_ZCRX_CTRL` (since 6.19); `zc_flush` shares its bytes with a `zcrx_ctrl_export`.
    zcrx_ctrl: 72 {
        zcrx_id: u32,
        op: u32,
        __resv: [u64; 2],
        zc_flush: zcrx_ctrl_flush_rq,
    }
    /// One query of `IORING_REGISTER_QUERY`.
    io_uring_query_hdr: 40 {
        next_entry: u64,
        query_data: u64,
        query_op: u32,
        size: u32,
        result: i32,
        __resv: [u32; 3],
    }
    /// Result of `IO_URING_QUERY_OPCODES`.
    io_uring_query_opcode: 48 {
        nr_request_opcodes: u32,
        nr_register_opcodes: u32,
        feature_flags: u64,
        ring_setup_flags: u64,
        enter_flags: u64,
        sqe_flags: u64,
        nr_query_opcodes: u32,
        __pad: u32,
    }
    /// Result of `IO_URING_QUERY_ZCRX` (since 6.19).
    io_uring_query_zcrx: 40 {
        register_flags: u64,
        area_flags: u64,
        nr_ctrl_opcodes: u32,
        features: u32,
        rq_hdr_size: u32,
        rq_hdr_alignment: u32,
        __resv2: u64,
    }
    /// Result of `IO_URING_QUERY_SCQ` (since 6.19).
    io_uring_query_scq: 16 {
        hdr_size: u64,
        hdr_alignment: u64,
    }
    /// Input of a BPF filter (since 7.0). Data of other operations shares the bytes of `open`.
    io_uring_bpf_ctx: 40 {
        user_data: u64,
        opcode: u8,
        sqe_flags: u8,
        pdu_size: u8,
        pad: [u8; 5],
        open: io_uring_bpf_open,
    }
    /// Data of an openat2 for a BPF filter (since 7.0).
    io_uring_bpf_open: 24 {
        flags: u64,
        mode: u64,
        resolve: u64,
    }
    /// A BPF filter (since 7.0).
    io_uring_bpf_filter: 64 {
        opcode: u32,
        flags: u32,
        filter_len: u32,
        pdu_size: u8,
        resv: [u8; 3],
        filter_ptr: u64,
        resv2: [u64; 5],
    }
    /// Argument of `IORING_REGISTER_BPF_FILTER` (since 7.0).
    io_uring_bpf: 72 {
        cmd_type: u16,
        cmd_flags: u16,
        resv: u32,
        filter: io_uring_bpf_filter,
    }
}
