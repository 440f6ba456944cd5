// Where rings cannot be made: importing works, and the error says why and what to do.

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

// Kernels that have io_uring have the setting since 6.6: what answers that there is none is the filter then.
const HIDDEN = existsSync('/proc/sys/kernel/io_uring_disabled')

for (const [name, errno, answer, reason] of [
  [
    'a seccomp filter forbids it',
    1,
    'seccomp',
    /EPERM.*a seccomp filter forbids it.*docker run --security-opt seccomp=/,
  ],
  [
    'there is none',
    38,
    HIDDEN ? 'seccomp' : 'kernel',
    HIDDEN ? /ENOSYS.*a seccomp filter hides it.*docker run --security-opt/ : /ENOSYS.*needs Linux 5\.6/,
  ],
  ['a security module forbids it', 13, 'lsm', /EACCES.*a security module forbids it/],
] as const) {
  test.serial(`the error says that ${name}, every time`, async (t) => {
    for (const [isUringError, code, number, message, operation, said] of errors(
      await runWithoutRings(errno, MODULE),
    )) {
      t.true(isUringError)
      t.is(code, 'ERR_URING_UNAVAILABLE')
      t.is(number, -errno)
      t.regex(message, reason)
      t.is(operation, 'Read', 'operations can be made all the same')
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
    /: too many open files, io_uring_setup: .* as it may, \d+ \(ulimit -n\)\. Close some/,
  ],
  [23, 'ENFILE', 'files', /: file table overflow, io_uring_setup: the machine has as many .*fs\.file-max/],
  [99, 'EADDRNOTAVAIL', 'other', /: address not available, io_uring_setup$/],
] as const) {
  test.serial(
    `other refusals are the kernel's own, with what to do where that is known: ${code}`,
    async (t) => {
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
    },
  )
}

test.serial('what no limit binds is not told to raise one', async (t) => {
  const memlock = process.getuid?.() === 0 ? 'memory' : 'memlock'
  for (const [, code, number, message, , said] of errors(await runWithoutRings(12, MODULE))) {
    t.is(code, 'ENOMEM')
    t.is(number, -12)
    t.regex(message, /^ENOMEM: not enough memory, io_uring_setup: .*Ask for fewer entries/)
    t.is(said.reason, memlock)
    t.is(/ulimit -l/.test(message), memlock === 'memlock')
  }
})

test('on a platform without a binary the error says so', async (t) => {
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

test('where Node.js loads no addons nobody is told to install again', async (t) => {
  const outcome = await run(process.execPath, ['--no-addons', '--input-type=module', '--eval', SOURCE])
  for (const [isUringError, code, , message, , said] of errors(outcome)) {
    t.true(isUringError)
    t.is(code, 'ERR_URING_UNAVAILABLE')
    t.regex(
      message,
      /Node\.js was told to load no native addons\. Start it with --allow-addons beside --permission/,
    )
    t.like(said, { available: false, reason: 'binary', errno: undefined, operations: [] })
  }
})
