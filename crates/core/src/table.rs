//! The operation table: one row an operation, and everything else is made from the row.

/// Hands the operation table to a macro.
///
/// `operations!(callback)` expands to `callback! { rows }`. The builders of this crate, its metadata and the classes
/// of the Node.js binding are callbacks. A row reads
///
/// ```text
/// Name {
///     opcode: number, since: "kernel version", man: "manual page", doc: "what it does",
///     fixed: { place = bits, … }                                   set always
///     required: { field: Kind => place, "what it is"; … }          in the order of the constructor
///     optional: { field: Kind = default => place, "what it is"; … }
/// }
/// ```
///
/// `Kind` is an integer type or one of [`File`](crate::File), [`Address`](crate::Address), [`Group`](crate::Group),
/// [`Slot`](crate::Slot); the last two are optional and always absent (`None`) unless given. A variant of an operation
/// is a row with the same opcode and other `fixed` bits.
#[macro_export]
macro_rules! operations {
    ($callback:path) => {
        $callback! {
            Nop {
                opcode: 0, since: "5.1", man: "io_uring_prep_nop(3)",
                doc: "Does nothing, and completes.",
                fixed: {}
                required: {}
                optional: {
                    nop_flags: u32 = 0 => op_flags, "`IORING_NOP_*`: what to exercise on the way (6.10)";
                    result: i32 = 0 => len, "the result to complete with, when `INJECT_RESULT` is set (6.10)";
                    fd: i32 = -1 => fd, "the file to look up, when `FILE` is set (6.13)";
                    buffer_index: u16 = 0 => buf_index, "the registered buffer to look up, when `FIXED_BUFFER` is set (6.13)";
                    extra1: u64 = 0 => off, "first word of a 32-byte completion, when `CQE32` is set (6.18)";
                    extra2: u64 = 0 => addr, "second word of a 32-byte completion, when `CQE32` is set (6.18)";
                }
            }
            Readv {
                opcode: 1, since: "5.1", man: "preadv2(2)",
                doc: "Reads from a file into several buffers.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    iovecs: Address => addr, "an array of `struct iovec`";
                    count: u32 => len, "how many there are, 1024 at most";
                }
                optional: {
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                    rw_flags: u32 = 0 => op_flags, "`RWF_*`";
                    ioprio: u16 = 0 => ioprio, "I/O priority, see ioprio_set(2)";
                    group: Group = None => buf_index, "takes one buffer from this group";
                }
            }
            Writev {
                opcode: 2, since: "5.1", man: "pwritev2(2)",
                doc: "Writes several buffers to a file.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    iovecs: Address => addr, "an array of `struct iovec`";
                    count: u32 => len, "how many there are, 1024 at most";
                }
                optional: {
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                    rw_flags: u32 = 0 => op_flags, "`RWF_*`";
                    ioprio: u16 = 0 => ioprio, "I/O priority, see ioprio_set(2)";
                    write_stream: u8 = 0 => write_stream, "write stream of the file, 0 is none (6.16)";
                }
            }
            Fsync {
                opcode: 3, since: "5.1", man: "fsync(2)",
                doc: "Brings a file's data and metadata to the storage device.",
                fixed: {}
                required: { file: File => fd, "the file"; }
                optional: {
                    fsync_flags: u32 = 0 => op_flags, "`IORING_FSYNC_DATASYNC`: only the metadata that reading the data needs";
                    offset: u64 = 0 => off, "first byte of the range";
                    length: u32 = 0 => len, "bytes of the range, 0 with offset 0 is the whole file";
                }
            }
            Timeout {
                opcode: 11, since: "5.4", man: "io_uring_prep_timeout(3)",
                doc: "Completes when time has passed, or when other operations have completed.",
                fixed: { fd = 0xffff_ffff, len = 1 }
                required: { timespec: Address => addr, "a `struct __kernel_timespec`"; }
                optional: {
                    count: u32 = 0 => off, "completions to wait for instead; with `MULTISHOT`, expiries";
                    timeout_flags: u32 = 0 => op_flags, "`IORING_TIMEOUT_*`";
                }
            }
            TimeoutRemove {
                opcode: 12, since: "5.5", man: "io_uring_prep_timeout_remove(3)",
                doc: "Removes a timeout.",
                fixed: { fd = 0xffff_ffff }
                required: { target: u64 => addr, "the user data that the timeout was submitted with"; }
                optional: {
                    timeout_flags: u32 = 0 => op_flags, "`IORING_TIMEOUT_*`";
                }
            }
            AsyncCancel {
                opcode: 14, since: "5.5", man: "io_uring_prep_cancel(3)",
                doc: "Cancels operations that have not finished.",
                fixed: {}
                required: {}
                optional: {
                    target: u64 = 0 => addr, "the user data to match";
                    fd: i32 = -1 => fd, "the file to match, a registered file's index with `FD_FIXED`";
                    opcode: u32 = 0 => len, "the opcode to match, with `OP` (6.6)";
                    cancel_flags: u32 = 0 => op_flags, "`IORING_ASYNC_CANCEL_*`: which keys to match, and whether to cancel every match";
                }
            }
            OpenAt {
                opcode: 18, since: "5.6", man: "openat(2)",
                doc: "Opens a file, and creates it if asked to.",
                fixed: {}
                required: {
                    dirfd: i32 => fd, "the directory that a relative path starts from, or `AT_FDCWD`";
                    path: Address => addr, "the path, with a NUL at the end";
                }
                optional: {
                    open_flags: u32 = 0 => op_flags, "`O_*`";
                    mode: u32 = 0 => len, "permissions of a new file, less the umask";
                    slot: Slot = None => file_index, "opens into the registered files (5.15)";
                }
            }
            Close {
                opcode: 19, since: "5.6", man: "close(2)",
                doc: "Closes a file descriptor, or empties a slot of the registered files.",
                fixed: {}
                required: {}
                optional: {
                    fd: i32 = 0 => fd, "the descriptor; leave it out to empty a slot";
                    slot: Slot = None => file_index, "the slot to empty (5.15)";
                }
            }
            Statx {
                opcode: 21, since: "5.6", man: "statx(2)",
                doc: "Reads the status of a file.",
                fixed: {}
                required: {
                    dirfd: i32 => fd, "the directory that a relative path starts from, `AT_FDCWD`, or with `AT_EMPTY_PATH` the file itself";
                    path: Address => addr, "the path, with a NUL at the end";
                    statx: Address => off, "a `struct statx` to fill";
                }
                optional: {
                    statx_flags: u32 = 0 => op_flags, "`AT_*`";
                    mask: u32 = 0 => len, "`STATX_*`: what is wanted";
                }
            }
            Read {
                opcode: 22, since: "5.6", man: "pread(2)",
                doc: "Reads from a file into a buffer.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    buffer: Address => addr, "where to read to; with a group it is not looked at";
                    length: u32 => len, "how many bytes at most";
                }
                optional: {
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                    rw_flags: u32 = 0 => op_flags, "`RWF_*`";
                    ioprio: u16 = 0 => ioprio, "I/O priority, see ioprio_set(2)";
                    group: Group = None => buf_index, "takes the buffer from this group (5.7)";
                }
            }
            Write {
                opcode: 23, since: "5.6", man: "pwrite(2)",
                doc: "Writes a buffer to a file.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    buffer: Address => addr, "the bytes";
                    length: u32 => len, "how many bytes";
                }
                optional: {
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                    rw_flags: u32 = 0 => op_flags, "`RWF_*`";
                    ioprio: u16 = 0 => ioprio, "I/O priority, see ioprio_set(2)";
                    write_stream: u8 = 0 => write_stream, "write stream of the file, 0 is none (6.16)";
                }
            }
        }
    };
}
