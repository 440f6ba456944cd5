// The constant objects of the package, compared with `uring/sys` for io_uring's own constants, and with C headers for all
// others.

import test from 'ava'
import * as uring from 'uring'
import * as sys from 'uring/sys'
import { directory } from '../helpers/files.ts'
import { headersMissing, present, runProgram, unknownConstants } from '../helpers/headers.ts'

type Values = Readonly<Record<string, number>>

/** Objects of io_uring's own constants, with the prefixes that their keys omit, the most common first. */
const OWN: Record<string, readonly string[]> = {
  SqeFlags: ['IOSQE_'],
  CqeFlags: ['IORING_CQE_F_', 'IORING_CQE_'],
  SetupFlags: ['IORING_SETUP_'],
  Features: ['IORING_FEAT_'],
  EnterFlags: ['IORING_ENTER_'],
  NopFlags: ['IORING_NOP_'],
  TimeoutFlags: ['IORING_TIMEOUT_', 'IORING_'],
  CancelFlags: ['IORING_ASYNC_CANCEL_'],
  PollFlags: ['IORING_POLL_'],
  RecvSendFlags: ['IORING_RECVSEND_', 'IORING_RECV_', 'IORING_SEND_'],
  AcceptFlags: ['IORING_ACCEPT_'],
  MsgRingFlags: ['IORING_MSG_RING_'],
  FixedFdFlags: ['IORING_FIXED_FD_'],
  UringCmdFlags: ['IORING_URING_CMD_'],
  SocketCommands: ['SOCKET_URING_OP_'],
  FsyncFlags: ['IORING_FSYNC_'],
}

/** Objects of other constants, with the prefix that their keys omit, and the header that defines them. */
const OTHER: Record<string, readonly [prefix: string, header: string]> = {
  RwFlags: ['RWF_', 'linux/fs.h'],
  AtFlags: ['AT_', 'linux/fcntl.h'],
  StatxMask: ['STATX_', 'linux/stat.h'],
  StatxAttributes: ['STATX_ATTR_', 'linux/stat.h'],
  OpenFlags: ['O_', 'fcntl.h'],
  ResolveFlags: ['RESOLVE_', 'linux/openat2.h'],
  RenameFlags: ['RENAME_', 'linux/fs.h'],
  FallocateMode: ['FALLOC_FL_', 'linux/falloc.h'],
  SyncFileRangeFlags: ['SYNC_FILE_RANGE_', 'fcntl.h'],
  FileAdvice: ['POSIX_FADV_', 'fcntl.h'],
  MemoryAdvice: ['MADV_', 'linux/mman.h'],
  SpliceFlags: ['SPLICE_F_', 'fcntl.h'],
  XattrFlags: ['XATTR_', 'linux/xattr.h'],
  IntegrityFlags: ['IO_INTEGRITY_', 'linux/fs.h'],
  PollEvents: ['EPOLL', 'sys/epoll.h'],
  EpollOperation: ['EPOLL_CTL_', 'sys/epoll.h'],
  WaitType: ['P_', 'sys/wait.h'],
  WaitFlags: ['', 'linux/wait.h'],
  ChildCode: ['CLD_', 'signal.h'],
  FutexFlags: ['FUTEX2_', 'linux/futex.h'],
  SocketDomain: ['AF_', 'sys/socket.h'],
  SocketType: ['SOCK_', 'sys/socket.h'],
  SocketProtocol: ['IPPROTO_', 'netinet/in.h'],
  MessageFlags: ['MSG_', 'sys/socket.h'],
  SocketLevel: ['SOL_', 'sys/socket.h'],
  SocketOption: ['SO_', 'sys/socket.h'],
  TcpOption: ['TCP_', 'linux/tcp.h'],
  ControlType: ['SCM_', 'sys/socket.h'],
  ShutdownHow: ['SHUT_', 'sys/socket.h'],
  BlockCommands: ['BLOCK_URING_CMD_', 'linux/blkdev.h'],
}

/** Objects that the headers of many machines do not have yet. */
const YOUNG = new Set(['IntegrityFlags', 'FutexFlags', 'BlockCommands'])

const EXPORTS = Object.entries(uring) as readonly (readonly [string, unknown])[]

function valuesOf(name: string): Values {
  return (uring as unknown as Record<string, Values>)[name] ?? {}
}

/** Returns the full name of a key in `uring/sys`. */
function fullName(prefixes: readonly string[], key: string): string | undefined {
  return prefixes.map((prefix) => `${prefix}${key}`).find((name) => name in sys)
}

test('constants: every object is compared here', (t) => {
  const objects = EXPORTS.filter(
    ([, value]) =>
      typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype,
  ).map(([name]) => name)
  t.deepEqual(objects.toSorted(), [...Object.keys(OWN), ...Object.keys(OTHER)].toSorted())
})

test('constants: short and full names have the same values', (t) => {
  const constants = sys as unknown as Values
  for (const [name, prefixes] of Object.entries(OWN)) {
    const values = valuesOf(name)
    t.true(Object.keys(values).length > 0, name)
    for (const [key, value] of Object.entries(values)) {
      const full = fullName(prefixes, key)
      t.not(full, undefined, `${name}.${key} has no full name`)
      t.is(constants[full ?? ''], value, `${name}.${key}`)
    }
  }
})

test('constants: objects have all constants with their prefixes', (t) => {
  // Parts of other constants, and limits.
  const without = /_BIT$|_MASK$|_SHIFT$|_LAST$/
  for (const [name, prefixes] of Object.entries(OWN)) {
    const values = valuesOf(name)
    // 'IORING_' alone is the prefix of all groups.
    const own = prefixes.filter((prefix) => prefix !== 'IORING_')
    for (const full of Object.keys(sys).filter((text) => own.some((prefix) => text.startsWith(prefix)))) {
      const there = prefixes.some((prefix) => full.startsWith(prefix) && full.slice(prefix.length) in values)
      t.true(there || without.test(full), `${name}: ${full}`)
    }
  }
})

const missing = headersMissing(['linux/io_uring.h', 'sys/epoll.h'])
const withHeaders = missing === undefined ? test : test.skip

withHeaders('constants: have the values of the headers of this machine', (t) => {
  let compared = 0
  const at = directory(t)
  const files = [...new Set(Object.values(OTHER).map(([, header]) => header))]
  for (const header of present(files)) {
    const rows = Object.entries(OTHER).filter(([, [, file]]) => file === header)
    const values = new Map<string, number>()
    for (const [name, [prefix]] of rows)
      for (const [key, value] of Object.entries(valuesOf(name))) values.set(`${prefix}${key}`, value)
    // Older headers lack newer constants.
    const later = new Set(unknownConstants(header, [...values.keys()]))
    for (const [name, [prefix]] of rows) {
      const known = Object.keys(valuesOf(name)).some((key) => !later.has(`${prefix}${key}`))
      t.true(known || YOUNG.has(name), `${name}: the header has some of them`)
    }
    const statements = [...values.keys()].filter((full) => !later.has(full))
    const lines = runProgram(at, [header], statements.map((full) => `PRINT("${full}", ${full});`).join('\n'))
    for (const [full = '', number] of lines) {
      compared += 1
      // A mask with bit 31 is negative where C has an int.
      t.is((values.get(full) ?? Number.NaN) | 0, Number(number) | 0, full)
    }
  }
  t.true(compared > 200)
})
