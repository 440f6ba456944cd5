// The constants and struct layouts of uring/sys, compared with the kernel's headers.

import { readFileSync } from 'node:fs'
import test from 'ava'
import * as sys from 'uring/sys'
import { directory } from '../helpers/files.ts'
import {
  type Header,
  headersMissing,
  present,
  readHeaders,
  runProgram,
  unknownMembers,
} from '../helpers/headers.ts'

/** The result of `readHeaders` for the headers of Linux 7.1; large integers are strings with an n. */
const LINUX = JSON.parse(readFileSync(new URL('./linux-7.1.json', import.meta.url), 'utf8')) as {
  constants: Record<string, number | string>
  structs: Record<string, { size: number; fields: Record<string, [offset: number, size: number]> }>
}

const HEADERS = [
  'linux/io_uring.h',
  'linux/io_uring/query.h',
  'linux/io_uring/bpf_filter.h',
  'linux/io_uring/zcrx.h',
]

const UPPER = /^(_|[A-Z])[A-Z0-9_]+(_BIT)?$/

/** The constants of uring/sys, without the system call numbers, which are in another header. */
const CONSTANTS = Object.fromEntries(Object.entries(sys).filter(([name]) => UPPER.test(name)))

/** Limits, which differ between versions of a header. */
const LIMIT = /_LAST$|_MAX$|^IORING_URING_CMD_MASK$/
/** Structs of an interface that was never released; only the headers of Linux 6.0 and 6.1 have them. */
const GONE = new Set(['io_uring_notification_slot', 'io_uring_notification_register'])
const RESERVED = /^_*(pad|resv|rsvd|reserved|empty_\w+)\d*$/

function shown(value: unknown): number | string | undefined {
  return typeof value === 'bigint' ? `0x${value.toString(16)}n` : (value as number | undefined)
}

test('uring/sys: has all constants of Linux 7.1, and no others', (t) => {
  const expected = Object.entries(LINUX.constants).map(([name, value]) => [
    name,
    typeof value === 'number' ? value : BigInt(value.slice(0, -1)),
  ])
  t.true(expected.length > 250)
  t.deepEqual(CONSTANTS, Object.fromEntries(expected))
})

/** Structs that other headers than those of io_uring define. */
const OTHERS: Record<string, readonly [type: string, header: string]> = {
  __kernel_timespec: ['struct __kernel_timespec', 'linux/time_types.h'],
  iovec: ['struct iovec', 'sys/uio.h'],
  msghdr: ['struct msghdr', 'sys/socket.h'],
  cmsghdr: ['struct cmsghdr', 'sys/socket.h'],
  open_how: ['struct open_how', 'linux/openat2.h'],
  futex_waitv: ['struct futex_waitv', 'linux/futex.h'],
  siginfo_t: ['siginfo_t', 'signal.h'],
  statx_timestamp: ['struct statx_timestamp', 'linux/stat.h'],
  statx: ['struct statx', 'linux/stat.h'],
  epoll_event: ['struct epoll_event', 'sys/epoll.h'],
}

function layouts(): Record<
  string,
  { size: number; fields: Record<string, { offset: number; size: number }> }
> {
  return sys.structs
}

test('structs: has all structs of Linux 7.1, and no others', (t) => {
  const expected = Object.entries(LINUX.structs).map(([name, { size, fields }]) => [
    name,
    {
      size,
      fields: Object.fromEntries(
        Object.entries(fields).map(([field, [offset, bytes]]) => [field, { offset, size: bytes }]),
      ),
    },
  ])
  const own = Object.entries(layouts()).filter(([name]) => OTHERS[name] === undefined)
  t.true(expected.length > 40)
  t.deepEqual(Object.fromEntries(own), Object.fromEntries(expected))
})

test('structs: all members lie inside their structs', (t) => {
  for (const [name, { size, fields }] of Object.entries(layouts())) {
    for (const [field, place] of Object.entries(fields)) {
      t.true(Number.isInteger(place.offset) && place.offset >= 0, `${name}.${field}`)
      t.true(place.offset + place.size <= size, `${name}.${field}`)
    }
  }
})

const missing = headersMissing(HEADERS.slice(0, 1))
const withHeaders = missing === undefined ? test : test.skip

/** The headers of this machine, of whatever version. */
let header: Header | undefined

withHeaders('uring/sys: has the constants of the headers of this machine', (t) => {
  header ??= readHeaders(directory(t), present(HEADERS))
  const { constants } = header
  const names = Object.keys(constants)
  t.true(names.includes('IORING_OP_READ') && names.includes('IORING_SETUP_SQPOLL'), 'the headers were read')
  for (const name of names.filter((text) => !LIMIT.test(text)))
    t.is(shown(CONSTANTS[name]), shown(constants[name]), name)
})

withHeaders('structs: has the structs of the headers of this machine', (t) => {
  header ??= readHeaders(directory(t), present(HEADERS))
  const { structs } = header
  t.true(Object.keys(structs).includes('io_uring_sqe'), 'the headers were read')
  for (const [name, { size, fields }] of Object.entries(structs).filter(([key]) => !GONE.has(key))) {
    const ours = layouts()[name]
    t.is(ours?.size, size, name)
    for (const [field, place] of Object.entries(fields)) {
      if (!RESERVED.test(field)) t.deepEqual(ours?.fields[field], place, `${name}.${field}`)
    }
  }
})

withHeaders('structs: has the layouts of the C compiler for structs that entries point at', (t) => {
  const at = directory(t)
  for (const [name, [type, file]] of Object.entries(OTHERS)) {
    const fields = layouts()[name]?.fields ?? {}
    // Members that later kernels have put in the place of reserved ones.
    const later = unknownMembers(file, type, Object.keys(fields))
    const known = Object.keys(fields).filter((field) => !later.includes(field))
    t.true(
      known.length > 0 && later.every((field) => /^stx_(subvol|dio|atomic)/.test(field)),
      `${name}: ${later}`,
    )
    const statements = [`PRINT("size", sizeof(${type}));`]
    for (const field of known)
      statements.push(
        `PRINT("${field} offset", offsetof(${type}, ${field}));`,
        `PRINT("${field} size", sizeof(((${type} *)0)->${field}));`,
      )
    const [[, size] = [], ...places] = runProgram(at, [file], statements.join('\n'))
    t.is(layouts()[name]?.size, Number(size), name)
    for (const [field = '', which, number] of places)
      t.is(fields[field]?.[which as 'offset' | 'size'], Number(number), `${name}.${field}.${which}`)
  }
})

test('structs: epoll_event has the layout of this platform', async (t) => {
  const { eventBytes } = await import('../../ts/structs/epoll-event.ts')
  const { size, fields } = sys.structs.epoll_event
  t.is(size, eventBytes())
  t.is(fields.data.offset + fields.data.size, size)
})

withHeaders('uring/sys: has the system call numbers of the headers of this machine', (t) => {
  const numbers = ['SYS_io_uring_setup', 'SYS_io_uring_enter', 'SYS_io_uring_register'] as const
  const statements = numbers.map((name) => `PRINT("${name}", ${name});`).join('\n')
  for (const [name, number] of runProgram(directory(t), ['sys/syscall.h'], statements))
    t.is(sys[name as (typeof numbers)[number]], Number(number), name)
})
