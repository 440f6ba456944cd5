// The constants of polls, epolls, processes and futexes, under the kernel's own names. Each group is an object.

/** What a poll waits for, and what it answers, see epoll_ctl(2) (`EPOLL*`, which are `POLL*`). */
export const PollEvents = {
  IN: 0x1,
  PRI: 0x2,
  OUT: 0x4,
  ERR: 0x8,
  HUP: 0x10,
  NVAL: 0x20,
  RDNORM: 0x40,
  RDBAND: 0x80,
  WRNORM: 0x100,
  WRBAND: 0x200,
  MSG: 0x400,
  RDHUP: 0x2000,
  EXCLUSIVE: 0x1000_0000,
  WAKEUP: 0x2000_0000,
  ONESHOT: 0x4000_0000,
  ET: 0x8000_0000,
} as const

/** What `EpollCtl` does, see epoll_ctl(2) (`EPOLL_CTL_*`). */
export const EpollOperation = {
  ADD: 1,
  DEL: 2,
  MOD: 3,
} as const

/** What the id of `WaitId` is, see waitid(2) (`P_*`). */
export const WaitType = {
  ALL: 0,
  PID: 1,
  PGID: 2,
  PIDFD: 3,
} as const

/** What `WaitId` waits for, see waitid(2) (`W*`). */
export const WaitFlags = {
  WNOHANG: 0x1,
  WSTOPPED: 0x2,
  WEXITED: 0x4,
  WCONTINUED: 0x8,
  WNOWAIT: 0x100_0000,
} as const

/** How a child changed, in the result of `WaitId` (`CLD_*`). */
export const ChildCode = {
  EXITED: 1,
  KILLED: 2,
  DUMPED: 3,
  TRAPPED: 4,
  STOPPED: 5,
  CONTINUED: 6,
} as const

/** Flags of a futex (`FUTEX2_*`). */
export const FutexFlags = {
  SIZE_U8: 0x0,
  SIZE_U16: 0x1,
  SIZE_U32: 0x2,
  SIZE_U64: 0x3,
  NUMA: 0x4,
  MPOL: 0x8,
  PRIVATE: 0x80,
} as const
