// The submission queue entry (struct io_uring_sqe): 64 or 128 bytes, as 32-bit words.

export const SQE_BYTES = 64
export const SQE128_BYTES = 128

export const HEADER = 0 // opcode, flags << 8, ioprio << 16
export const FD = 1
export const OFF = 2
export const ADDR = 4
export const OPTION = 5
export const LEN = 6
export const OP_FLAGS = 7
export const USER_DATA = 8
export const BUFFER = 10 // buf_index or buf_group, personality << 16
export const FILE_INDEX = 11
export const ADDR3 = 12
export const PAD2 = 14
