// Constants of socket operations, under the kernel's names.

/** Address families, see socket(2) (`AF_*`). */
export const SocketDomain = {
  UNSPEC: 0,
  UNIX: 1,
  INET: 2,
  INET6: 10,
  NETLINK: 16,
  PACKET: 17,
  VSOCK: 40,
  XDP: 44,
} as const

/** Socket types, see socket(2) (`SOCK_*`). The last two are flags, to be combined with a type. */
export const SocketType = {
  STREAM: 1,
  DGRAM: 2,
  RAW: 3,
  RDM: 4,
  SEQPACKET: 5,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
} as const

/** Protocols, see socket(2) (`IPPROTO_*`). */
export const SocketProtocol = {
  IP: 0,
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  IPV6: 41,
  ICMPV6: 58,
  SCTP: 132,
  UDPLITE: 136,
  RAW: 255,
  MPTCP: 262,
} as const

/** Flags of sends and receives, see send(2) and recv(2) (`MSG_*`). */
export const MessageFlags = {
  OOB: 0x1,
  PEEK: 0x2,
  DONTROUTE: 0x4,
  CTRUNC: 0x8,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  EOR: 0x80,
  WAITALL: 0x100,
  CONFIRM: 0x800,
  ERRQUEUE: 0x2000,
  NOSIGNAL: 0x4000,
  MORE: 0x8000,
  ZEROCOPY: 0x400_0000,
  FASTOPEN: 0x2000_0000,
  CMSG_CLOEXEC: 0x4000_0000,
} as const

/** Levels of socket options and control messages, see setsockopt(2) (`SOL_*`). */
export const SocketLevel = {
  IP: 0,
  SOCKET: 1,
  TCP: 6,
  UDP: 17,
  IPV6: 41,
} as const

/** Socket options of the level `SocketLevel.SOCKET`, see socket(7) (`SO_*`). */
export const SocketOption = {
  DEBUG: 1,
  REUSEADDR: 2,
  TYPE: 3,
  ERROR: 4,
  DONTROUTE: 5,
  BROADCAST: 6,
  SNDBUF: 7,
  RCVBUF: 8,
  KEEPALIVE: 9,
  OOBINLINE: 10,
  PRIORITY: 12,
  LINGER: 13,
  REUSEPORT: 15,
  PASSCRED: 16,
  PEERCRED: 17,
  RCVLOWAT: 18,
  SNDLOWAT: 19,
  BINDTODEVICE: 25,
  TIMESTAMP: 29,
  ACCEPTCONN: 30,
  SNDBUFFORCE: 32,
  RCVBUFFORCE: 33,
  MARK: 36,
  TIMESTAMPING: 37,
  PROTOCOL: 38,
  DOMAIN: 39,
  BUSY_POLL: 46,
  INCOMING_CPU: 49,
  COOKIE: 57,
  ZEROCOPY: 60,
} as const

/** Socket options of the level `SocketLevel.TCP`, see tcp(7) (`TCP_*`). */
export const TcpOption = {
  NODELAY: 1,
  MAXSEG: 2,
  CORK: 3,
  KEEPIDLE: 4,
  KEEPINTVL: 5,
  KEEPCNT: 6,
  SYNCNT: 7,
  LINGER2: 8,
  DEFER_ACCEPT: 9,
  WINDOW_CLAMP: 10,
  INFO: 11,
  QUICKACK: 12,
  CONGESTION: 13,
  USER_TIMEOUT: 18,
  FASTOPEN: 23,
  NOTSENT_LOWAT: 25,
} as const

/** Types of control messages of the level `SocketLevel.SOCKET`, see unix(7) and socket(7) (`SCM_*`). */
export const ControlType = {
  RIGHTS: 1,
  CREDENTIALS: 2,
  TIMESTAMP: 29,
  TIMESTAMPNS: 35,
  TIMESTAMPING: 37,
} as const

/** Directions of `Shutdown`, see shutdown(2) (`SHUT_*`). */
export const ShutdownHow = {
  RD: 0,
  WR: 1,
  RDWR: 2,
} as const
