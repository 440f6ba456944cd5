// The operations that the running kernel supports, and errors for those that it does not.

import { release } from 'node:os'
import test from 'ava'
import * as uring from 'uring'
import { Entry, Nop, Nop128, Operation, type OperationClass, Ring, support, UringCmd128 } from 'uring'
import { operationTable } from 'uring/native'
import { ioUringRegister } from 'uring/sys'

const CLASSES = Object.values(uring as Record<string, unknown>).filter(
  (value): value is OperationClass & (new () => Operation) =>
    typeof value === 'function' && value.prototype instanceof Operation,
)

const REGISTER_PROBE = 8
const OPCODES = 256
const SUPPORTED = 1

/** Returns the opcodes that the running kernel supports, from a probe. */
function opcodes(ring: Ring): number[] {
  const probe = Buffer.alloc(16 + OPCODES * 8) // struct io_uring_probe, and a struct io_uring_probe_op for each
  const result = ioUringRegister(ring.fd, REGISTER_PROBE, probe, OPCODES)
  if (result < 0) throw new Error(`the probe failed: ${result}`)
  return Array.from({ length: probe.readUInt8(1) }, (_, index) => 16 + index * 8)
    .filter((at) => (probe.readUInt16LE(at + 2) & SUPPORTED) !== 0)
    .map((at) => probe.readUInt8(at))
}

function parts(version: string): [number, number] {
  const [major = 0, minor = 0] = version.split('.', 2).map(Number.parseFloat)
  return [major, minor]
}

function isLater(version: string, than: string): boolean {
  const [[major, minor], [otherMajor, otherMinor]] = [parts(version), parts(than)]
  return major > otherMajor || (major === otherMajor && minor > otherMinor)
}

test('operations: every opcode of the running kernel has a class', (t) => {
  using ring = new Ring({ entries: 1 })
  const known = opcodes(ring)
  t.true(known.length > 20)
  const classes = new Set(CLASSES.map(({ opcode }) => opcode))
  t.deepEqual(
    known.filter((opcode) => !classes.has(opcode)),
    [],
  )
})

test('supports: follows the probe, and the kernel version for classes that share an opcode', (t) => {
  using ring = new Ring({ entries: 1 })
  const known = new Set(opcodes(ring))
  const rows = operationTable()
  for (const Class of CLASSES) {
    const { name, opcode, since, variantSince } = Class as OperationClass & { variantSince?: string }
    const variant = rows.some((other) => other.opcode === opcode && isLater(since, other.since))
    t.is(variantSince, variant ? since : undefined, `${name}.variantSince`)
    t.is(ring.supports(Class), known.has(opcode) && (!variant || !isLater(since, release())), name)
  }
  t.false(ring.supports({ opcode: 22, variantSince: '999.0' }))
  t.true(ring.supports({ opcode: 22, variantSince: '2.6' }))
})

test('support: agrees with supports() of a ring', (t) => {
  using ring = new Ring({ entries: 1 })
  const answer = support()
  t.true(answer.available)
  t.is(answer.reason, undefined)
  t.is(answer.kernel, release())
  t.is(answer.features, ring.features)
  t.deepEqual(
    answer.operations.toSorted(),
    CLASSES.filter((Class) => ring.supports(Class))
      .map(({ name }) => name)
      .toSorted(),
  )
  t.true(answer.limits.files >= 64)
  t.true(answer.limits.memlock > 0)
})

for (const [Class, make] of [
  [Nop128, () => new Nop128()],
  [UringCmd128, () => new UringCmd128(0, 1)],
] as const) {
  test(`${Class.name}: push throws if the kernel does not support it`, (t) => {
    using ring = new Ring({ entries: 4, sqe128: true })
    if (ring.supports(Class)) {
      t.log('this kernel supports it')
      t.pass()
      return
    }
    const refusal = {
      instanceOf: uring.UringError,
      code: 'ERR_URING_UNSUPPORTED',
      message: `${Class.name} needs Linux ${Class.since} or later, built with support for it. This kernel is ${release()}`,
    }
    const entry = make().build()
    t.like(
      t.throws(() => ring.push(make()), refusal),
      { operation: Class.name },
    )
    t.throws(() => ring.push(entry), refusal)
    t.throws(() => ring.pushAll([new Nop().link(), make(), new Nop()]), refusal)
    t.is(ring.sqReady, 0)
    t.is(ring.inFlight, 0)

    // Entry.from() is not checked: the kernel refuses the entry.
    ring.push(Entry.from(entry.bytes))
    ring.push(new Nop(), 'next')
    t.deepEqual(
      ring.waitMany(2).map(({ error, userData }) => [error?.code, userData]),
      [
        ['EINVAL', undefined],
        [undefined, 'next'],
      ],
    )
  })
}
