// Constants of poll, epoll, processes and futexes, under the kernel's names.

/** Events of polls and of `EpollCtl`, see epoll_ctl(2) and poll(2) (`EPOLL*`, with the values of `POLL*`). */
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

/** Operations of `EpollCtl`, see epoll_ctl(2) (`EPOLL_CTL_*`). */
export const EpollOperation = {
  ADD: 1,
  DEL: 2,
  MOD: 3,
} as const

/** Types of the id of `WaitId`, see waitid(2) (`P_*`). */
export const WaitType = {
  ALL: 0,
  PID: 1,
  PGID: 2,
  PIDFD: 3,
} as const

/** Flags of `WaitId`: the changes that it waits for, see waitid(2) (`W*`). */
export const WaitFlags = {
  WNOHANG: 0x1,
  WSTOPPED: 0x2,
  WEXITED: 0x4,
  WCONTINUED: 0x8,
  WNOWAIT: 0x100_0000,
} as const

/** Changes of a child in the result of `WaitId`, see waitid(2) (`CLD_*`). */
export const ChildCode = {
  EXITED: 1,
  KILLED: 2,
  DUMPED: 3,
  TRAPPED: 4,
  STOPPED: 5,
  CONTINUED: 6,
} as const

/** Flags of `FutexWait`, `FutexWake` and `FutexWaitV` (`FUTEX2_*`). */
export const FutexFlags = {
  SIZE_U8: 0x0,
  SIZE_U16: 0x1,
  SIZE_U32: 0x2,
  SIZE_U64: 0x3,
  NUMA: 0x4,
  MPOL: 0x8,
  PRIVATE: 0x80,
} as const
