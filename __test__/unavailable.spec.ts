// Where rings cannot be made: importing works, and the error says why and what to do.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { Support } from 'uring'
import { type Outcome, run } from './helpers/process.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

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

function refused(errno: number): Promise<Outcome> {
  execFileSync('cargo', ['build', '--quiet', '-p', 'typed-uring', '--example', 'refuse'], { cwd: root })
  const launcher = `${root}/target/debug/examples/refuse`
  return run(launcher, [String(errno), process.execPath, '--input-type=module', '--eval', SOURCE])
}

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

for (const [name, errno, answer, reason] of [
  ['a seccomp filter forbids it', 1, 'seccomp', /EPERM.*seccomp.*docker run --security-opt seccomp=/],
  ['the kernel has none', 38, 'kernel', /ENOSYS.*needs Linux 5\.1/],
] as const) {
  test.serial(`the error says that ${name}, every time`, async (t) => {
    for (const [isUringError, code, number, message, operation, said] of errors(await refused(errno))) {
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

test.serial('a limit of locked memory is named, with what to raise', async (t) => {
  for (const [, code, number, message, , said] of errors(await refused(12))) {
    t.is(code, 'ENOMEM')
    t.is(number, -12)
    t.regex(message, /limit of locked memory \((\d+|unlimited) bytes here\).*ulimit -l/)
    t.like(said, { available: false, reason: 'memlock', errno: -12 })
  }
})

test.serial("other refusals are the kernel's own", async (t) => {
  for (const [, code, number, message, , said] of errors(await refused(24))) {
    t.is(code, 'EMFILE')
    t.is(number, -24)
    t.is(message, 'EMFILE: too many open files, io_uring_setup')
    t.like(said, { available: false, reason: 'other', errno: -24 })
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
