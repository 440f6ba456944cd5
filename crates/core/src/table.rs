//! The operation table: one row for each operation, from which everything else is generated.

/// Calls a macro with the operation table.
///
/// `operations!(callback)` expands to `callback! { rows }`. Such callbacks generate the builders of this crate, its
/// metadata and the classes of the Node.js binding. The format of a row:
///
/// ```text
/// Name {                                                       `Name: Entry128 {` for an entry of 128 bytes
///     opcode: number, since: "kernel version", man: "manual page", doc: "what it does",
///     fixed: { place = bits, … }                                   values that are always set
///     required: { field: Kind => place, "what it is"; … }          parameters of the constructor
///     optional: { field: Kind = default => place, "what it is"; … }
/// }
/// ```
///
/// `Kind` is an integer type or one of [`File`](crate::File), [`Address`](crate::Address), [`Group`](crate::Group),
/// [`Slot`](crate::Slot). Fields of the last two kinds are optional, and their default is `None`. A variant of an
/// operation is a row with the same opcode and other `fixed` bits.
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
                    nop_flags: u32 = 0 => op_flags, "`IORING_NOP_*`: code paths to exercise (6.10)";
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
                    count: u32 => len, "number of elements, at most 1024";
                }
                optional: {
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                    rw_flags: u32 = 0 => op_flags, "`RWF_*`";
                    ioprio: u16 = 0 => ioprio, "I/O priority, see ioprio_set(2)";
                    group: Group = None => buf_index, "takes one buffer from this buffer group";
                    attributes: Address = Address(0) => addr3, "a `struct io_uring_attr_pi`, when `attribute_mask` says so (6.14)";
                    attribute_mask: u64 = 0 => pad2, "`IORING_RW_ATTR_FLAG_*`: which attributes there are (6.14)";
                }
            }
            Writev {
                opcode: 2, since: "5.1", man: "pwritev2(2)",
                doc: "Writes several buffers to a file.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    iovecs: Address => addr, "an array of `struct iovec`";
                    count: u32 => len, "number of elements, at most 1024";
                }
                optional: {
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                    rw_flags: u32 = 0 => op_flags, "`RWF_*`";
                    ioprio: u16 = 0 => ioprio, "I/O priority, see ioprio_set(2)";
                    write_stream: u8 = 0 => write_stream, "write stream of the file, 0 is none (6.16)";
                    attributes: Address = Address(0) => addr3, "a `struct io_uring_attr_pi`, when `attribute_mask` says so (6.14)";
                    attribute_mask: u64 = 0 => pad2, "`IORING_RW_ATTR_FLAG_*`: which attributes there are (6.14)";
                }
            }
            Fsync {
                opcode: 3, since: "5.1", man: "fsync(2)",
                doc: "Writes a file's data and metadata to the storage device.",
                fixed: {}
                required: { file: File => fd, "the file"; }
                optional: {
                    fsync_flags: u32 = 0 => op_flags, "`IORING_FSYNC_DATASYNC`: only the metadata that reading the data needs";
                    offset: u64 = 0 => off, "first byte of the range";
                    length: u32 = 0 => len, "bytes of the range, 0 with offset 0 is the whole file";
                }
            }
            ReadFixed {
                opcode: 4, since: "5.1", man: "io_uring_prep_read_fixed(3)",
                doc: "Reads from a file into a registered buffer.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    buffer: Address => addr, "where to read to, inside the registered buffer";
                    length: u32 => len, "largest number of bytes";
                    buffer_index: u16 => buf_index, "the registered buffer";
                }
                optional: {
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                    rw_flags: u32 = 0 => op_flags, "`RWF_*`";
                    ioprio: u16 = 0 => ioprio, "I/O priority, see ioprio_set(2)";
                    attributes: Address = Address(0) => addr3, "a `struct io_uring_attr_pi`, when `attribute_mask` says so (6.14)";
                    attribute_mask: u64 = 0 => pad2, "`IORING_RW_ATTR_FLAG_*`: which attributes there are (6.14)";
                }
            }
            WriteFixed {
                opcode: 5, since: "5.1", man: "io_uring_prep_write_fixed(3)",
                doc: "Writes from a registered buffer to a file.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    buffer: Address => addr, "the bytes, inside the registered buffer";
                    length: u32 => len, "number of bytes";
                    buffer_index: u16 => buf_index, "the registered buffer";
                }
                optional: {
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                    rw_flags: u32 = 0 => op_flags, "`RWF_*`";
                    ioprio: u16 = 0 => ioprio, "I/O priority, see ioprio_set(2)";
                    write_stream: u8 = 0 => write_stream, "write stream of the file, 0 is none (6.16)";
                    attributes: Address = Address(0) => addr3, "a `struct io_uring_attr_pi`, when `attribute_mask` says so (6.14)";
                    attribute_mask: u64 = 0 => pad2, "`IORING_RW_ATTR_FLAG_*`: which attributes there are (6.14)";
                }
            }
            PollAdd {
                opcode: 6, since: "5.1", man: "io_uring_prep_poll_add(3)",
                doc: "Waits until a file is ready.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    events: u32 => op_flags, "`EPOLL*`: what to wait for";
                }
                optional: { poll_flags: u32 = 0 => len, "`IORING_POLL_ADD_MULTI`: multishot (5.13)"; }
            }
            PollRemove {
                opcode: 7, since: "5.1", man: "io_uring_prep_poll_remove(3)",
                doc: "Removes a poll.",
                fixed: { fd = 0xffff_ffff }
                required: { target: u64 => addr, "the user data that the poll was submitted with"; }
                optional: {}
            }
            PollUpdate {
                opcode: 7, since: "5.13", man: "io_uring_prep_poll_update(3)",
                doc: "Changes a poll.",
                fixed: { fd = 0xffff_ffff }
                required: { target: u64 => addr, "the user data that the poll was submitted with"; }
                optional: {
                    events: u32 = 0 => op_flags, "the new `EPOLL*`, with `UPDATE_EVENTS`";
                    new_user_data: u64 = 0 => off, "the new user data, with `UPDATE_USER_DATA`";
                    poll_flags: u32 = 0 => len, "`IORING_POLL_UPDATE_*`: what to change; `ADD_MULTI` for a multishot poll";
                }
            }
            SyncFileRange {
                opcode: 8, since: "5.2", man: "sync_file_range(2)",
                doc: "Writes a range of a file's data to the storage device.",
                fixed: {}
                required: { file: File => fd, "the file"; }
                optional: {
                    offset: u64 = 0 => off, "first byte of the range";
                    length: u32 = 0 => len, "bytes of the range, 0 is up to the end";
                    range_flags: u32 = 0 => op_flags, "`SYNC_FILE_RANGE_*`";
                }
            }
            SendMsg {
                opcode: 9, since: "5.3", man: "sendmsg(2)",
                doc: "Sends a message.",
                fixed: { len = 1 }
                required: {
                    file: File => fd, "the socket";
                    message: Address => addr, "a `struct msghdr`";
                }
                optional: {
                    msg_flags: u32 = 0 => op_flags, "`MSG_*`";
                    ioprio: u16 = 0 => ioprio, "`IORING_RECVSEND_POLL_FIRST`: polls before the first attempt (5.19)";
                }
            }
            RecvMsg {
                opcode: 10, since: "5.3", man: "recvmsg(2)",
                doc: "Receives a message.",
                fixed: { len = 1 }
                required: {
                    file: File => fd, "the socket";
                    message: Address => addr, "a `struct msghdr`";
                }
                optional: {
                    msg_flags: u32 = 0 => op_flags, "`MSG_*`";
                    ioprio: u16 = 0 => ioprio, "`IORING_RECVSEND_POLL_FIRST`: polls before the first attempt (5.19)";
                    group: Group = None => buf_index, "takes the buffer from this buffer group";
                }
            }
            RecvMsgMulti {
                opcode: 10, since: "6.0", man: "io_uring_prep_recvmsg_multishot(3)",
                doc: "Receives messages into provided buffers; multishot.",
                fixed: { flags = 0x20, ioprio = 1 << 1, len = 1 }
                required: {
                    file: File => fd, "the socket";
                    message: Address => addr, "a `struct msghdr` with the sizes of the address and the control data";
                    group: u16 => buf_index, "the buffer group";
                }
                optional: {
                    msg_flags: u32 = 0 => op_flags, "`MSG_*`";
                    ioprio: u16 = 0 => ioprio, "`IORING_RECVSEND_POLL_FIRST`: polls before the first attempt (5.19)";
                }
            }
            Timeout {
                opcode: 11, since: "5.4", man: "io_uring_prep_timeout(3)",
                doc: "Completes when time has passed, or when other operations have completed.",
                fixed: { fd = 0xffff_ffff, len = 1 }
                required: { timespec: Address => addr, "a `struct __kernel_timespec`"; }
                optional: {
                    count: u32 = 0 => off, "number of completions to wait for before the time is over; with `MULTISHOT`, of expirations";
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
            TimeoutUpdate {
                opcode: 12, since: "5.11", man: "io_uring_prep_timeout_update(3)",
                doc: "Changes the time of a timeout.",
                fixed: { fd = 0xffff_ffff, op_flags = 1 << 1 }
                required: {
                    target: u64 => addr, "the user data that the timeout was submitted with";
                    timespec: Address => off, "a `struct __kernel_timespec`";
                }
                optional: {
                    timeout_flags: u32 = 0 => op_flags, "`IORING_TIMEOUT_*`; `LINK_TIMEOUT_UPDATE` for a link timeout (5.15)";
                }
            }
            Accept {
                opcode: 13, since: "5.5", man: "accept4(2)",
                doc: "Accepts a connection.",
                fixed: {}
                required: { file: File => fd, "the socket"; }
                optional: {
                    address: Address = Address(0) => addr, "a `struct sockaddr` to fill with the peer's address";
                    address_length: Address = Address(0) => off, "a `socklen_t`: the size of the `sockaddr`, replaced with the size of the address";
                    accept_flags: u32 = 0 => op_flags, "`SOCK_CLOEXEC`, `SOCK_NONBLOCK`";
                    ioprio: u16 = 0 => ioprio, "`IORING_ACCEPT_DONTWAIT`, `IORING_ACCEPT_POLL_FIRST` (6.10)";
                    slot: Slot = None => file_index, "accepts into the registered files (5.15)";
                }
            }
            AcceptMulti {
                opcode: 13, since: "5.19", man: "io_uring_prep_multishot_accept(3)",
                doc: "Accepts connections; multishot.",
                fixed: { ioprio = 1 << 0 }
                required: { file: File => fd, "the socket"; }
                optional: {
                    address: Address = Address(0) => addr, "a `struct sockaddr` to fill with the peer's address";
                    address_length: Address = Address(0) => off, "a `socklen_t`: the size of the `sockaddr`, replaced with the size of the address";
                    accept_flags: u32 = 0 => op_flags, "`SOCK_CLOEXEC`, `SOCK_NONBLOCK`";
                    ioprio: u16 = 0 => ioprio, "`IORING_ACCEPT_DONTWAIT`, `IORING_ACCEPT_POLL_FIRST` (6.10)";
                    slot: Slot = None => file_index, "accepts into free slots of the registered files; the kernel refuses a given index";
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
            LinkTimeout {
                opcode: 15, since: "5.5", man: "io_uring_prep_link_timeout(3)",
                doc: "Cancels the operation that it is linked to when time has passed.",
                fixed: { fd = 0xffff_ffff, len = 1 }
                required: { timespec: Address => addr, "a `struct __kernel_timespec`"; }
                optional: { timeout_flags: u32 = 0 => op_flags, "`IORING_TIMEOUT_*`"; }
            }
            Connect {
                opcode: 16, since: "5.5", man: "connect(2)",
                doc: "Connects a socket.",
                fixed: {}
                required: {
                    file: File => fd, "the socket";
                    address: Address => addr, "a `struct sockaddr`";
                    address_length: u32 => off, "size of the address in bytes";
                }
                optional: {}
            }
            Fallocate {
                opcode: 17, since: "5.6", man: "fallocate(2)",
                doc: "Allocates or frees space of a file.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    length: u64 => addr, "bytes of the range";
                }
                optional: {
                    offset: u64 = 0 => off, "first byte of the range";
                    mode: u32 = 0 => len, "`FALLOC_FL_*`";
                }
            }
            OpenAt {
                opcode: 18, since: "5.6", man: "openat(2)",
                doc: "Opens a file, or creates it with `O_CREAT`.",
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
            FilesUpdate {
                opcode: 20, since: "5.6", man: "io_uring_prep_files_update(3)",
                doc: "Changes registered files.",
                fixed: { fd = 0xffff_ffff }
                required: {
                    fds: Address => addr, "an array of descriptors: -1 empties a slot, -2 leaves it";
                    count: u32 => len, "number of elements";
                }
                optional: {
                    offset: u64 = 0 => off, "the first slot; all ones, slots that the kernel chooses and writes into the array (6.0)";
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
                    buffer: Address => addr, "where to read to; ignored with a buffer group";
                    length: u32 => len, "largest number of bytes";
                }
                optional: {
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                    rw_flags: u32 = 0 => op_flags, "`RWF_*`";
                    ioprio: u16 = 0 => ioprio, "I/O priority, see ioprio_set(2)";
                    group: Group = None => buf_index, "takes the buffer from this buffer group (5.7)";
                    attributes: Address = Address(0) => addr3, "a `struct io_uring_attr_pi`, when `attribute_mask` says so (6.14)";
                    attribute_mask: u64 = 0 => pad2, "`IORING_RW_ATTR_FLAG_*`: which attributes there are (6.14)";
                }
            }
            Write {
                opcode: 23, since: "5.6", man: "pwrite(2)",
                doc: "Writes a buffer to a file.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    buffer: Address => addr, "the bytes";
                    length: u32 => len, "number of bytes";
                }
                optional: {
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                    rw_flags: u32 = 0 => op_flags, "`RWF_*`";
                    ioprio: u16 = 0 => ioprio, "I/O priority, see ioprio_set(2)";
                    write_stream: u8 = 0 => write_stream, "write stream of the file, 0 is none (6.16)";
                    attributes: Address = Address(0) => addr3, "a `struct io_uring_attr_pi`, when `attribute_mask` says so (6.14)";
                    attribute_mask: u64 = 0 => pad2, "`IORING_RW_ATTR_FLAG_*`: which attributes there are (6.14)";
                }
            }
            Fadvise {
                opcode: 24, since: "5.6", man: "posix_fadvise(2)",
                doc: "Advises the kernel how a range of a file will be used.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    advice: i32 => op_flags, "`POSIX_FADV_*`";
                }
                optional: {
                    offset: u64 = 0 => off, "first byte of the range";
                    length: u32 = 0 => len, "bytes of the range, 0 is up to the end";
                    long_length: u64 = 0 => addr, "the length, if it does not fit 32 bits (6.11)";
                }
            }
            Madvise {
                opcode: 25, since: "5.6", man: "madvise(2)",
                doc: "Advises the kernel how memory will be used.",
                fixed: { fd = 0xffff_ffff }
                required: {
                    address: Address => addr, "the memory, from the start of a page";
                    advice: i32 => op_flags, "`MADV_*`";
                }
                optional: {
                    length: u32 = 0 => len, "size of the memory in bytes";
                    long_length: u64 = 0 => off, "the length, if it does not fit 32 bits (6.11)";
                }
            }
            Send {
                opcode: 26, since: "5.6", man: "send(2)",
                doc: "Sends bytes.",
                fixed: {}
                required: {
                    file: File => fd, "the socket";
                    buffer: Address => addr, "the bytes, or with `IORING_SEND_VECTORIZED` an array of `struct iovec`; ignored with a buffer group";
                    length: u32 => len, "number of bytes, or of `struct iovec`";
                }
                optional: {
                    msg_flags: u32 = 0 => op_flags, "`MSG_*`";
                    ioprio: u16 = 0 => ioprio, "`IORING_RECVSEND_POLL_FIRST` (5.19), `IORING_SEND_VECTORIZED` (6.17)";
                    destination: Address = Address(0) => off, "a `struct sockaddr` to send to (6.0)";
                    destination_length: u16 = 0 => addr_len, "size of the address in bytes (6.0)";
                    group: Group = None => buf_index, "sends a buffer of this buffer group (6.10)";
                }
            }
            SendBundle {
                opcode: 26, since: "6.10", man: "io_uring_prep_send_bundle(3)",
                doc: "Sends as many buffers of a buffer group as there are.",
                fixed: { flags = 0x20, ioprio = 1 << 4 }
                required: {
                    file: File => fd, "the socket";
                    group: u16 => buf_index, "the buffer group";
                }
                optional: {
                    length: u32 = 0 => len, "largest number of bytes; 0 is all";
                    msg_flags: u32 = 0 => op_flags, "`MSG_*`";
                    ioprio: u16 = 0 => ioprio, "`IORING_RECVSEND_POLL_FIRST`: polls before the first attempt (5.19)";
                }
            }
            Recv {
                opcode: 27, since: "5.6", man: "recv(2)",
                doc: "Receives bytes.",
                fixed: {}
                required: {
                    file: File => fd, "the socket";
                    buffer: Address => addr, "where to; ignored with a buffer group";
                    length: u32 => len, "largest number of bytes";
                }
                optional: {
                    msg_flags: u32 = 0 => op_flags, "`MSG_*`";
                    ioprio: u16 = 0 => ioprio, "`IORING_RECVSEND_POLL_FIRST`: polls before the first attempt (5.19)";
                    group: Group = None => buf_index, "takes the buffer from this buffer group (5.7)";
                }
            }
            RecvMulti {
                opcode: 27, since: "6.0", man: "io_uring_prep_recv_multishot(3)",
                doc: "Receives bytes into provided buffers; multishot.",
                fixed: { flags = 0x20, ioprio = 1 << 1 }
                required: {
                    file: File => fd, "the socket";
                    group: u16 => buf_index, "the buffer group";
                }
                optional: {
                    length: u32 = 0 => len, "largest number of bytes of one completion; 0 is the size of the buffer (6.17)";
                    limit: u32 = 0 => file_index, "number of bytes after which it stops, approximately; 0 is no limit (6.17)";
                    msg_flags: u32 = 0 => op_flags, "`MSG_*`";
                    ioprio: u16 = 0 => ioprio, "`IORING_RECVSEND_POLL_FIRST`: polls before the first attempt (5.19)";
                }
            }
            RecvBundle {
                opcode: 27, since: "6.10", man: "io_uring_prep_recv(3)",
                doc: "Receives bytes into as many provided buffers as they need.",
                fixed: { flags = 0x20, ioprio = 1 << 4 }
                required: {
                    file: File => fd, "the socket";
                    group: u16 => buf_index, "the buffer group";
                }
                optional: {
                    length: u32 = 0 => len, "largest number of bytes; 0 is the size of the buffers";
                    msg_flags: u32 = 0 => op_flags, "`MSG_*`";
                    ioprio: u16 = 0 => ioprio, "`IORING_RECVSEND_POLL_FIRST`: polls before the first attempt (5.19)";
                }
            }
            RecvMultiBundle {
                opcode: 27, since: "6.10", man: "io_uring_prep_recv_multishot(3)",
                doc: "Receives bytes into as many provided buffers as they need; multishot.",
                fixed: { flags = 0x20, ioprio = 1 << 1 | 1 << 4 }
                required: {
                    file: File => fd, "the socket";
                    group: u16 => buf_index, "the buffer group";
                }
                optional: {
                    length: u32 = 0 => len, "largest number of bytes of one completion; 0 is the size of the buffer (6.17)";
                    limit: u32 = 0 => file_index, "number of bytes after which it stops, approximately; 0 is no limit (6.17)";
                    msg_flags: u32 = 0 => op_flags, "`MSG_*`";
                    ioprio: u16 = 0 => ioprio, "`IORING_RECVSEND_POLL_FIRST`: polls before the first attempt (5.19)";
                }
            }
            OpenAt2 {
                opcode: 28, since: "5.6", man: "openat2(2)",
                doc: "Opens a file, with control over how its path is resolved.",
                fixed: { len = 24 }
                required: {
                    dirfd: i32 => fd, "the directory that a relative path starts from, or `AT_FDCWD`";
                    path: Address => addr, "the path, with a NUL at the end";
                    how: Address => off, "a `struct open_how`";
                }
                optional: { slot: Slot = None => file_index, "opens into the registered files (5.15)"; }
            }
            EpollCtl {
                opcode: 29, since: "5.6", man: "epoll_ctl(2)",
                doc: "Changes the files that an epoll instance watches.",
                fixed: {}
                required: {
                    epfd: i32 => fd, "the epoll instance";
                    fd: i32 => off, "the file";
                    op: u32 => len, "`EPOLL_CTL_*`";
                    event: Address => addr, "a `struct epoll_event`; nothing, to remove";
                }
                optional: {}
            }
            Splice {
                opcode: 30, since: "5.7", man: "splice(2)",
                doc: "Moves bytes between a pipe and another file, without copying where it can.",
                fixed: {}
                required: {
                    source: i32 => file_index, "the descriptor to take from, or with `SPLICE_F_FD_IN_FIXED` a registered file";
                    file: File => fd, "the file to put into";
                    length: u32 => len, "largest number of bytes";
                }
                optional: {
                    offset_in: u64 = u64::MAX => addr, "byte to take from; absent, the file position";
                    offset_out: u64 = u64::MAX => off, "byte to put at; absent, the file position";
                    splice_flags: u32 = 0 => op_flags, "`SPLICE_F_*`";
                }
            }
            ProvideBuffers {
                opcode: 31, since: "5.7", man: "io_uring_prep_provide_buffers(3)",
                doc: "Adds buffers to a buffer group.",
                fixed: {}
                required: {
                    memory: Address => addr, "the buffers, one after the other";
                    size: u32 => len, "size of each buffer in bytes";
                    count: u32 => fd, "number of elements, at most 65536";
                    group: u16 => buf_index, "the buffer group";
                    first_id: u16 => off, "id of the first buffer";
                }
                optional: {}
            }
            RemoveBuffers {
                opcode: 32, since: "5.7", man: "io_uring_prep_remove_buffers(3)",
                doc: "Removes buffers from a buffer group.",
                fixed: {}
                required: {
                    count: u32 => fd, "number of buffers";
                    group: u16 => buf_index, "the buffer group";
                }
                optional: {}
            }
            Tee {
                opcode: 33, since: "5.8", man: "tee(2)",
                doc: "Copies bytes from a pipe to another pipe without consuming them.",
                fixed: {}
                required: {
                    source: i32 => file_index, "the descriptor to take from, or with `SPLICE_F_FD_IN_FIXED` a registered file";
                    file: File => fd, "the file to put into";
                    length: u32 => len, "largest number of bytes";
                }
                optional: { splice_flags: u32 = 0 => op_flags, "`SPLICE_F_*`"; }
            }
            Shutdown {
                opcode: 34, since: "5.11", man: "shutdown(2)",
                doc: "Shuts down one or both directions of a connection.",
                fixed: {}
                required: {
                    file: File => fd, "the socket";
                    how: i32 => len, "`SHUT_*`";
                }
                optional: {}
            }
            RenameAt {
                opcode: 35, since: "5.11", man: "renameat2(2)",
                doc: "Renames a file.",
                fixed: {}
                required: {
                    old_dirfd: i32 => fd, "the directory that a relative old path starts from, or `AT_FDCWD`";
                    old_path: Address => addr, "the path that there is, with a NUL at the end";
                    new_dirfd: i32 => len, "the directory that a relative new path starts from, or `AT_FDCWD`";
                    new_path: Address => off, "the new path, with a NUL at the end";
                }
                optional: { rename_flags: u32 = 0 => op_flags, "`RENAME_*`"; }
            }
            UnlinkAt {
                opcode: 36, since: "5.11", man: "unlinkat(2)",
                doc: "Removes a name of a file, or a directory.",
                fixed: {}
                required: {
                    dirfd: i32 => fd, "the directory that a relative path starts from, or `AT_FDCWD`";
                    path: Address => addr, "the path, with a NUL at the end";
                }
                optional: { unlink_flags: u32 = 0 => op_flags, "`AT_REMOVEDIR`: it is a directory"; }
            }
            MkDirAt {
                opcode: 37, since: "5.15", man: "mkdirat(2)",
                doc: "Makes a directory.",
                fixed: {}
                required: {
                    dirfd: i32 => fd, "the directory that a relative path starts from, or `AT_FDCWD`";
                    path: Address => addr, "the path, with a NUL at the end";
                }
                optional: { mode: u32 = 0 => len, "permissions of the directory, less the umask"; }
            }
            SymlinkAt {
                opcode: 38, since: "5.15", man: "symlinkat(2)",
                doc: "Makes a symbolic link.",
                fixed: {}
                required: {
                    dirfd: i32 => fd, "the directory that a relative path starts from, or `AT_FDCWD`";
                    target: Address => addr, "what the link says, with a NUL at the end";
                    path: Address => off, "the path of the link, with a NUL at the end";
                }
                optional: {}
            }
            LinkAt {
                opcode: 39, since: "5.15", man: "linkat(2)",
                doc: "Makes a hard link to a file.",
                fixed: {}
                required: {
                    old_dirfd: i32 => fd, "the directory that a relative old path starts from, or `AT_FDCWD`";
                    old_path: Address => addr, "the path that there is, with a NUL at the end";
                    new_dirfd: i32 => len, "the directory that a relative new path starts from, or `AT_FDCWD`";
                    new_path: Address => off, "the new path, with a NUL at the end";
                }
                optional: { link_flags: u32 = 0 => op_flags, "`AT_SYMLINK_FOLLOW`, `AT_EMPTY_PATH`"; }
            }
            MsgRingData {
                opcode: 40, since: "5.18", man: "io_uring_prep_msg_ring(3)",
                doc: "Posts a completion on another ring.",
                fixed: { addr = 0 }
                required: {
                    ring: i32 => fd, "the other ring";
                    result: i32 => len, "result of the completion";
                    data: u64 => off, "user data of the completion";
                }
                optional: {
                    user_flags: u32 = 0 => file_index, "flags of the completion, with `FLAGS_PASS` (6.3)";
                    msg_ring_flags: u32 = 0 => op_flags, "`IORING_MSG_RING_*`";
                }
            }
            MsgRingSendFd {
                opcode: 40, since: "6.0", man: "io_uring_prep_msg_ring_fd(3)",
                doc: "Copies a registered file into the registered files of another ring.",
                fixed: { addr = 1 }
                required: {
                    ring: i32 => fd, "the other ring";
                    source: u32 => addr3, "the registered file";
                    data: u64 => off, "the user data of the completion that the other ring gets";
                }
                optional: {
                    slot: Slot = None => file_index, "the slot of the other ring to put the file into; the kernel requires an index, or a free slot";
                    msg_ring_flags: u32 = 0 => op_flags, "`IORING_MSG_RING_*`";
                }
            }
            FSetXattr {
                opcode: 41, since: "5.19", man: "fsetxattr(2)",
                doc: "Sets an extended attribute of an open file.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    name: Address => addr, "the name of the attribute, with a NUL at the end";
                    value: Address => off, "its value";
                    length: u32 => len, "size of the value in bytes";
                }
                optional: { xattr_flags: u32 = 0 => op_flags, "`XATTR_CREATE`, `XATTR_REPLACE`"; }
            }
            SetXattr {
                opcode: 42, since: "5.19", man: "setxattr(2)",
                doc: "Sets an extended attribute of a file.",
                fixed: {}
                required: {
                    name: Address => addr, "the name of the attribute, with a NUL at the end";
                    value: Address => off, "its value";
                    path: Address => addr3, "the path, with a NUL at the end";
                    length: u32 => len, "bytes of the value";
                }
                optional: { xattr_flags: u32 = 0 => op_flags, "`XATTR_CREATE`, `XATTR_REPLACE`"; }
            }
            FGetXattr {
                opcode: 43, since: "5.19", man: "fgetxattr(2)",
                doc: "Reads an extended attribute of an open file.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    name: Address => addr, "the name of the attribute, with a NUL at the end";
                    value: Address => off, "where to put its value";
                    length: u32 => len, "size of the memory in bytes; 0 asks for the size of the value";
                }
                optional: {}
            }
            GetXattr {
                opcode: 44, since: "5.19", man: "getxattr(2)",
                doc: "Reads an extended attribute of a file.",
                fixed: {}
                required: {
                    name: Address => addr, "the name of the attribute, with a NUL at the end";
                    value: Address => off, "where to put its value";
                    path: Address => addr3, "the path, with a NUL at the end";
                    length: u32 => len, "size of the memory in bytes; 0 asks for the size of the value";
                }
                optional: {}
            }
            Socket {
                opcode: 45, since: "5.19", man: "socket(2)",
                doc: "Makes a socket.",
                fixed: {}
                required: {
                    domain: i32 => fd, "`AF_*`";
                    kind: u32 => off, "`SOCK_*`";
                    protocol: u32 => len, "`IPPROTO_*`, 0 is the default";
                }
                optional: { slot: Slot = None => file_index, "puts the new descriptor into the registered files"; }
            }
            UringCmd16 {
                opcode: 46, since: "5.19", man: "io_uring_prep_uring_cmd(3)",
                doc: "Runs a command of a driver, with 16 bytes of data.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    command: u32 => cmd_op, "opcode of the driver's command";
                }
                optional: {
                    address: Address = Address(0) => addr, "an address, if the command takes one";
                    length: u32 = 0 => len, "a length, if the command takes one";
                    option_length: u32 = 0 => file_index, "another word, if the command takes one";
                    cmd_flags: u32 = 0 => op_flags, "`IORING_URING_CMD_*`; `FIXED` with a registered buffer (6.1)";
                    buffer_index: u16 = 0 => buf_index, "the registered buffer, with `FIXED` (6.1)";
                    data0: u64 = 0 => addr3, "bytes 0 to 7 of the data of the command";
                    data1: u64 = 0 => pad2, "bytes 8 to 15 of the data of the command";
                }
            }
            UringCmd80: Entry128 {
                opcode: 46, since: "5.19", man: "io_uring_prep_uring_cmd(3)",
                doc: "Runs a command of a driver, with 80 bytes of data, on a ring with entries of 128 bytes.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    command: u32 => cmd_op, "opcode of the driver's command";
                }
                optional: {
                    address: Address = Address(0) => addr, "an address, if the command takes one";
                    length: u32 = 0 => len, "a length, if the command takes one";
                    option_length: u32 = 0 => file_index, "another word, if the command takes one";
                    cmd_flags: u32 = 0 => op_flags, "`IORING_URING_CMD_*`; `FIXED` with a registered buffer (6.1)";
                    buffer_index: u16 = 0 => buf_index, "the registered buffer, with `FIXED` (6.1)";
                    data0: u64 = 0 => addr3, "bytes 0 to 7 of the data of the command";
                    data1: u64 = 0 => pad2, "bytes 8 to 15 of the data of the command";
                    data2: u64 = 0 => data2, "bytes 16 to 23 of the data of the command";
                    data3: u64 = 0 => data3, "bytes 24 to 31 of the data of the command";
                    data4: u64 = 0 => data4, "bytes 32 to 39 of the data of the command";
                    data5: u64 = 0 => data5, "bytes 40 to 47 of the data of the command";
                    data6: u64 = 0 => data6, "bytes 48 to 55 of the data of the command";
                    data7: u64 = 0 => data7, "bytes 56 to 63 of the data of the command";
                    data8: u64 = 0 => data8, "bytes 64 to 71 of the data of the command";
                    data9: u64 = 0 => data9, "bytes 72 to 79 of the data of the command";
                }
            }
            SocketCommand {
                opcode: 46, since: "6.6", man: "io_uring_prep_cmd_sock(3)",
                doc: "Runs a command on a socket.",
                fixed: {}
                required: {
                    file: File => fd, "the socket";
                    command: u32 => cmd_op, "`SOCKET_URING_OP_*`";
                }
                optional: {
                    address: Address = Address(0) => addr, "a `struct sockaddr` to fill, for `GETSOCKNAME` (6.19)";
                    address_length: Address = Address(0) => addr3, "a `socklen_t`: the size of the `sockaddr`, replaced with the size of the address";
                    peer: u32 = 0 => file_index, "1 asks for the address of the peer";
                }
            }
            SetSockOpt {
                opcode: 46, since: "6.7", man: "io_uring_prep_cmd_sock(3)",
                doc: "Sets an option of a socket.",
                fixed: { cmd_op = 3 }
                required: {
                    file: File => fd, "the socket";
                    level: u32 => level, "`SOL_*`";
                    option: u32 => optname, "`SO_*`";
                    value: Address => addr3, "its value";
                    value_length: u32 => file_index, "size of the value in bytes";
                }
                optional: {}
            }
            GetSockOpt {
                opcode: 46, since: "6.7", man: "io_uring_prep_cmd_sock(3)",
                doc: "Reads an option of a socket.",
                fixed: { cmd_op = 2 }
                required: {
                    file: File => fd, "the socket";
                    level: u32 => level, "`SOL_*`";
                    option: u32 => optname, "`SO_*`";
                    value: Address => addr3, "where to put its value";
                    value_length: u32 => file_index, "size of the memory in bytes";
                }
                optional: {}
            }
            SendZc {
                opcode: 47, since: "6.0", man: "io_uring_prep_send_zc(3)",
                doc: "Sends bytes without copying them, and completes a second time when the memory is free.",
                fixed: {}
                required: {
                    file: File => fd, "the socket";
                    buffer: Address => addr, "the bytes, or with `IORING_SEND_VECTORIZED` an array of `struct iovec`";
                    length: u32 => len, "number of bytes, or of `struct iovec`";
                }
                optional: {
                    msg_flags: u32 = 0 => op_flags, "`MSG_*`";
                    ioprio: u16 = 0 => ioprio, "`IORING_RECVSEND_POLL_FIRST`, `FIXED_BUF`, `IORING_SEND_ZC_REPORT_USAGE` (6.2), `IORING_SEND_VECTORIZED` (6.17)";
                    destination: Address = Address(0) => off, "a `struct sockaddr` to send to";
                    destination_length: u16 = 0 => addr_len, "size of the address in bytes";
                    buffer_index: u16 = 0 => buf_index, "the registered buffer, with `FIXED_BUF`";
                }
            }
            SendMsgZc {
                opcode: 48, since: "6.1", man: "io_uring_prep_sendmsg_zc(3)",
                doc: "Sends a message without copying it, and completes a second time when the memory is free.",
                fixed: { len = 1 }
                required: {
                    file: File => fd, "the socket";
                    message: Address => addr, "a `struct msghdr`";
                }
                optional: {
                    msg_flags: u32 = 0 => op_flags, "`MSG_*`";
                    ioprio: u16 = 0 => ioprio, "`IORING_RECVSEND_POLL_FIRST`, `FIXED_BUF` (6.15), `IORING_SEND_ZC_REPORT_USAGE` (6.2)";
                    buffer_index: u16 = 0 => buf_index, "the registered buffer, with `FIXED_BUF` (6.15)";
                }
            }
            ReadMulti {
                opcode: 49, since: "6.7", man: "io_uring_prep_read_multishot(3)",
                doc: "Reads from a file into provided buffers; multishot.",
                fixed: { flags = 0x20 }
                required: {
                    file: File => fd, "the file";
                    group: u16 => buf_index, "the buffer group";
                }
                optional: {
                    length: u32 = 0 => len, "0: reads up to the size of a buffer at a time; kernels refuse other values";
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                }
            }
            WaitId {
                opcode: 50, since: "6.7", man: "waitid(2)",
                doc: "Waits for a child process to change.",
                fixed: {}
                required: {
                    id_type: u32 => len, "`P_*`: what the id is";
                    id: u32 => fd, "which processes";
                    options: u32 => file_index, "`WEXITED`, `WSTOPPED`, `WCONTINUED`, `WNOHANG`, `WNOWAIT`";
                }
                optional: {
                    info: Address = Address(0) => off, "a `siginfo_t` to fill";
                    waitid_flags: u32 = 0 => op_flags, "no flag is defined";
                }
            }
            FutexWait {
                opcode: 51, since: "6.7", man: "io_uring_prep_futex_wait(3)",
                doc: "Waits until a word in memory is woken, if it has the expected value.",
                fixed: {}
                required: {
                    futex: Address => addr, "the word";
                    value: u64 => off, "the expected value";
                    mask: u64 => addr3, "mask: wakes waiters whose mask shares a bit";
                    futex_flags: u32 => fd, "`FUTEX2_*`: its size, and whether other processes share it";
                }
                optional: { flags: u32 = 0 => op_flags, "no flag is defined"; }
            }
            FutexWake {
                opcode: 52, since: "6.7", man: "io_uring_prep_futex_wake(3)",
                doc: "Wakes waiters of a word in memory.",
                fixed: {}
                required: {
                    futex: Address => addr, "the word";
                    count: u64 => off, "largest number of buffers to remove";
                    mask: u64 => addr3, "mask: wakes waiters whose mask shares a bit";
                    futex_flags: u32 => fd, "`FUTEX2_*`: its size, and whether other processes share it";
                }
                optional: { flags: u32 = 0 => op_flags, "no flag is defined"; }
            }
            FutexWaitV {
                opcode: 53, since: "6.7", man: "io_uring_prep_futex_waitv(3)",
                doc: "Waits until one of several words in memory is woken.",
                fixed: {}
                required: {
                    waiters: Address => addr, "an array of `struct futex_waitv`";
                    count: u32 => len, "number of elements, at most 128";
                }
                optional: { flags: u32 = 0 => op_flags, "no flag is defined"; }
            }
            FixedFdInstall {
                opcode: 54, since: "6.8", man: "io_uring_prep_fixed_fd_install(3)",
                doc: "Opens a descriptor for a registered file.",
                fixed: { flags = 0x1 }
                required: { index: u32 => fd, "the registered file"; }
                optional: { install_flags: u32 = 0 => op_flags, "`IORING_FIXED_FD_NO_CLOEXEC`"; }
            }
            Ftruncate {
                opcode: 55, since: "6.9", man: "ftruncate(2)",
                doc: "Sets the length of a file.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    length: u64 => off, "number of bytes";
                }
                optional: {}
            }
            Bind {
                opcode: 56, since: "6.11", man: "bind(2)",
                doc: "Binds a socket to an address.",
                fixed: {}
                required: {
                    file: File => fd, "the socket";
                    address: Address => addr, "a `struct sockaddr`";
                    address_length: u32 => off, "size of the address in bytes";
                }
                optional: {}
            }
            Listen {
                opcode: 57, since: "6.11", man: "listen(2)",
                doc: "Lets a socket accept connections.",
                fixed: {}
                required: {
                    file: File => fd, "the socket";
                    backlog: i32 => len, "largest number of connections that wait to be accepted";
                }
                optional: {}
            }
            RecvZc {
                opcode: 58, since: "6.15", man: "io_uring_enter(2)",
                doc: "Receives into a queue of a network device without copying; multishot.",
                fixed: { ioprio = 1 << 1 }
                required: {
                    file: File => fd, "the socket";
                    length: u32 => len, "number of bytes to receive; 0 is no limit";
                }
                optional: {
                    ifq: u32 = 0 => file_index, "the receive queue that was registered";
                    ioprio: u16 = 0 => ioprio, "`IORING_RECVSEND_POLL_FIRST`: polls before the first attempt (5.19)";
                }
            }
            EpollWait {
                opcode: 59, since: "6.15", man: "io_uring_prep_epoll_wait(3)",
                doc: "Waits for events of an epoll instance.",
                fixed: {}
                required: {
                    file: File => fd, "the epoll instance";
                    events: Address => addr, "an array of `struct epoll_event` to fill";
                    count: u32 => len, "capacity of the array";
                }
                optional: { wait_flags: u32 = 0 => op_flags, "no flag is defined"; }
            }
            ReadvFixed {
                opcode: 60, since: "6.15", man: "io_uring_prep_readv_fixed(3)",
                doc: "Reads from a file into several parts of a registered buffer.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    iovecs: Address => addr, "an array of `struct iovec`";
                    count: u32 => len, "number of elements, at most 1024";
                    buffer_index: u16 => buf_index, "the registered buffer";
                }
                optional: {
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                    rw_flags: u32 = 0 => op_flags, "`RWF_*`";
                    ioprio: u16 = 0 => ioprio, "I/O priority, see ioprio_set(2)";
                    attributes: Address = Address(0) => addr3, "a `struct io_uring_attr_pi`, when `attribute_mask` says so (6.14)";
                    attribute_mask: u64 = 0 => pad2, "`IORING_RW_ATTR_FLAG_*`: which attributes there are (6.14)";
                }
            }
            WritevFixed {
                opcode: 61, since: "6.15", man: "io_uring_prep_writev_fixed(3)",
                doc: "Writes several parts of a registered buffer to a file.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    iovecs: Address => addr, "an array of `struct iovec`";
                    count: u32 => len, "number of elements, at most 1024";
                    buffer_index: u16 => buf_index, "the registered buffer";
                }
                optional: {
                    offset: u64 = u64::MAX => off, "byte in the file; absent, the file position";
                    rw_flags: u32 = 0 => op_flags, "`RWF_*`";
                    ioprio: u16 = 0 => ioprio, "I/O priority, see ioprio_set(2)";
                    write_stream: u8 = 0 => write_stream, "write stream of the file, 0 is none (6.16)";
                    attributes: Address = Address(0) => addr3, "a `struct io_uring_attr_pi`, when `attribute_mask` says so (6.14)";
                    attribute_mask: u64 = 0 => pad2, "`IORING_RW_ATTR_FLAG_*`: which attributes there are (6.14)";
                }
            }
            Pipe {
                opcode: 62, since: "6.16", man: "io_uring_prep_pipe(3)",
                doc: "Makes a pipe.",
                fixed: {}
                required: {
                    fds: Address => addr, "two descriptors to fill: the end to read from, and the end to write to";
                }
                optional: {
                    pipe_flags: u32 = 0 => op_flags, "`O_CLOEXEC`, `O_NONBLOCK`, `O_DIRECT`";
                    slot: Slot = None => file_index, "puts both ends into the registered files, the second into the slot after the first";
                }
            }
            Nop128: Entry128 {
                opcode: 63, since: "6.19", man: "io_uring_prep_nop(3)",
                doc: "Does nothing, and completes, in an entry of 128 bytes.",
                fixed: {}
                required: {}
                optional: {
                    nop_flags: u32 = 0 => op_flags, "`IORING_NOP_*`: code paths to exercise";
                    result: i32 = 0 => len, "the result to complete with, when `INJECT_RESULT` is set";
                    fd: i32 = -1 => fd, "the file to look up, when `FILE` is set";
                    buffer_index: u16 = 0 => buf_index, "the registered buffer to look up, when `FIXED_BUFFER` is set";
                    extra1: u64 = 0 => off, "first word of a 32-byte completion, when `CQE32` is set";
                    extra2: u64 = 0 => addr, "second word of a 32-byte completion, when `CQE32` is set";
                }
            }
            UringCmd128: Entry128 {
                opcode: 64, since: "6.19", man: "io_uring_prep_uring_cmd128(3)",
                doc: "Runs a command of a driver, with 80 bytes of data, in an entry of 128 bytes.",
                fixed: {}
                required: {
                    file: File => fd, "the file";
                    command: u32 => cmd_op, "opcode of the driver's command";
                }
                optional: {
                    address: Address = Address(0) => addr, "an address, if the command takes one";
                    length: u32 = 0 => len, "a length, if the command takes one";
                    option_length: u32 = 0 => file_index, "another word, if the command takes one";
                    cmd_flags: u32 = 0 => op_flags, "`IORING_URING_CMD_*`; `FIXED` with a registered buffer (6.1)";
                    buffer_index: u16 = 0 => buf_index, "the registered buffer, with `FIXED` (6.1)";
                    data0: u64 = 0 => addr3, "bytes 0 to 7 of the data of the command";
                    data1: u64 = 0 => pad2, "bytes 8 to 15 of the data of the command";
                    data2: u64 = 0 => data2, "bytes 16 to 23 of the data of the command";
                    data3: u64 = 0 => data3, "bytes 24 to 31 of the data of the command";
                    data4: u64 = 0 => data4, "bytes 32 to 39 of the data of the command";
                    data5: u64 = 0 => data5, "bytes 40 to 47 of the data of the command";
                    data6: u64 = 0 => data6, "bytes 48 to 55 of the data of the command";
                    data7: u64 = 0 => data7, "bytes 56 to 63 of the data of the command";
                    data8: u64 = 0 => data8, "bytes 64 to 71 of the data of the command";
                    data9: u64 = 0 => data9, "bytes 72 to 79 of the data of the command";
                }
            }
        }
    };
}
