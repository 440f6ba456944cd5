// Processes in which rings cannot be created: importing works, and the error says why and what to do.

import { existsSync } from 'node:fs'
import test from 'ava'
import type { Support } from 'uring'
import { type Outcome, run } from '../helpers/process.ts'
import { runWithoutRings } from '../helpers/restricted.ts'

const SOURCE = `
  import { Ring, Read, support, UringError } from 'uring'
  const operation = new Read(0, Buffer.alloc(1))
  for (let round = 0; round < 2; round += 1) {
    try {
      new Ring()
      console.log('made')
    } catch (error) {
      console.log(JSON.stringify([error instanceof UringError, error.code, error.errno ?? null, error.message, operation.constructor.name, support()]))
    }
  }
`

const MODULE = ['--input-type=module', '--eval', SOURCE]

function errors({
  code,
  stdout,
  stderr,
}: Outcome): [boolean, string, number | null, string, string, Support][] {
  if (code !== 0 || stderr !== '') throw new Error(stderr)
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [boolean, string, number | null, string, string, Support])
}

// Kernels with io_uring have the sysctl since 6.6. If it exists, an ENOSYS comes from the filter.
const HIDDEN = existsSync('/proc/sys/kernel/io_uring_disabled')

for (const [name, errno, answer, reason] of [
  [
    'a seccomp filter',
    1,
    'seccomp',
    /EPERM.*a seccomp filter forbids io_uring.*docker run --security-opt seccomp=/,
  ],
  [
    'a kernel without io_uring',
    38,
    HIDDEN ? 'seccomp' : 'kernel',
    HIDDEN
      ? /ENOSYS.*a seccomp filter hides io_uring.*docker run --security-opt/
      : /ENOSYS.*needs Linux 5\.6/,
  ],
  ['a security module', 13, 'lsm', /EACCES.*a security module, such as SELinux, forbids io_uring/],
] as const) {
  test.serial(`Ring: throws an error that names ${name}, every time`, async (t) => {
    for (const [isUringError, code, number, message, operation, said] of errors(
      await runWithoutRings(errno, MODULE),
    )) {
      t.true(isUringError)
      t.is(code, 'ERR_URING_UNAVAILABLE')
      t.is(number, -errno)
      t.regex(message, reason)
      t.is(operation, 'Read', 'operations can be created')
      t.like(said, { available: false, reason: answer, errno: -errno, operations: [], features: 0 })
      t.true(message.endsWith(said.advice ?? '-'))
    }
  })
}

for (const [errno, code, answer, text] of [
  [
    24,
    'EMFILE',
    'files',
    /: too many open files, io_uring_setup: .* of this process is reached: \d+ \(ulimit -n\)\. Close files/,
  ],
  [
    23,
    'ENFILE',
    'files',
    /: file table overflow, io_uring_setup: the limit of open files of the machine is reached .*fs\.file-max/,
  ],
  [99, 'EADDRNOTAVAIL', 'other', /: address not available, io_uring_setup$/],
] as const) {
  test.serial(`Ring: throws the kernel's error, with advice if there is any: ${code}`, async (t) => {
    for (const [isUringError, given, number, message, , said] of errors(
      await runWithoutRings(errno, MODULE),
    )) {
      t.true(isUringError)
      t.is(given, code)
      t.is(number, -errno)
      t.true(message.startsWith(`${code}: `))
      t.regex(message, text)
      t.like(said, { available: false, reason: answer, errno: -errno })
    }
  })
}

test.serial('Ring: does not advise to raise a limit that does not apply', async (t) => {
  const memlock = process.getuid?.() === 0 ? 'memory' : 'memlock'
  for (const [, code, number, message, , said] of errors(await runWithoutRings(12, MODULE))) {
    t.is(code, 'ENOMEM')
    t.is(number, -12)
    t.regex(message, /^ENOMEM: not enough memory, io_uring_setup: .*Use fewer entries/)
    t.is(said.reason, memlock)
    t.is(/ulimit -l/.test(message), memlock === 'memlock')
  }
})

test('Ring: throws an error that names a platform other than Linux', async (t) => {
  const outcome = await run(process.execPath, [
    '--input-type=module',
    '--eval',
    `Object.defineProperty(process, 'platform', { value: 'sunos' }); ${SOURCE.replaceAll('import {', 'const {').replaceAll("} from 'uring'", "} = await import('uring')")}`,
  ])
  for (const [isUringError, code, , message, , said] of errors(outcome)) {
    t.true(isUringError)
    t.is(code, 'ERR_URING_UNAVAILABLE')
    t.regex(message, /io_uring is part of Linux, and this is sunos/)
    t.like(said, { available: false, reason: 'platform', errno: undefined, operations: [] })
  }
})

test('Ring: advises to enable native addons if Node.js loads none', async (t) => {
  const outcome = await run(process.execPath, ['--no-addons', '--input-type=module', '--eval', SOURCE])
  for (const [isUringError, code, , message, , said] of errors(outcome)) {
    t.true(isUringError)
    t.is(code, 'ERR_URING_UNAVAILABLE')
    t.regex(
      message,
      /Node\.js is started with native addons disabled\. Start it without --no-addons, and with --allow-addons/,
    )
    t.like(said, { available: false, reason: 'binary', errno: undefined, operations: [] })
  }
})
