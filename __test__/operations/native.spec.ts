// The native classes alone: they write every field where the table says, and refuse values that do not fit.

import test from 'ava'
import * as fc from 'fast-check'
import { boolean, equal, hex, MAX_I32, MAX_U16, MAX_U32, MAX_U64, RUNS, u16 } from './base/arbitraries.ts'
import { FIXED } from './base/families.ts'
import { construct, IOSQE, ROWS, setter, type Value } from './base/native-rows.ts'

/** The least and the greatest value of each kind of field. */
const BOUNDS: Record<string, readonly [bigint, bigint]> = {
  u8: [0n, 0xffn],
  u16: [0n, BigInt(MAX_U16)],
  u32: [0n, BigInt(MAX_U32)],
  i32: [-(2n ** 31n), BigInt(MAX_I32)],
  u64: [0n, MAX_U64],
  File: [-(2n ** 31n), BigInt(MAX_I32)],
  Address: [0n, MAX_U64],
  Group: [0n, BigInt(MAX_U16)],
  Slot: [-1n, BigInt(MAX_U32)],
}

function boundsOf(kind: string): readonly [bigint, bigint] {
  const bounds = BOUNDS[kind]
  if (bounds === undefined) throw new Error(`the kind ${kind} is not known here`)
  return bounds
}

/** A value of a kind: a bigint, or a number if it is a safe integer. */
function valueOf(kind: string): fc.Arbitrary<Value> {
  const [least, most] = boundsOf(kind)
  return fc
    .tuple(
      fc.oneof({ arbitrary: fc.bigInt({ min: least, max: most }), weight: 5 }, fc.constantFrom(least, most)),
      boolean,
    )
    .map(([value, asNumber]) =>
      asNumber && value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
        ? Number(value)
        : value,
    )
}

/** Sets bits, and keeps those that are set. */
function put(entry: Uint8Array, at: number, size: number, value: bigint): void {
  const bits = BigInt.asUintN(size * 8, value)
  for (let index = 0; index < size; index += 1)
    entry[at + index] = (entry[at + index] ?? 0) | Number((bits >> BigInt(index * 8)) & 0xffn)
}

/** Returns the value of a field in the entry. */
function encoded(kind: string, value: bigint): bigint {
  if (kind === 'i32') return BigInt.asUintN(32, value) // in a wider place too
  if (kind !== 'Slot') return value
  // Slots are counted from one. The greatest value must not become the one that means any slot.
  if (value === -1n) return BigInt(MAX_U32)
  return value + 1n < MAX_U32 ? value + 1n : BigInt(MAX_U32 - 1)
}

for (const row of ROWS) {
  test(`${row.name}: writes every field where the table says (native class)`, (t) => {
    const fields = fc.record(Object.fromEntries(row.fields.map(({ name, kind }) => [name, valueOf(kind)])))
    const common = fc.record({ flags: fc.nat(255), personality: u16, userData: fc.bigInt(0n, MAX_U64) })
    t.notThrows(() =>
      fc.assert(
        fc.property(fields, common, (fields, { flags, personality, userData }) => {
          const operation = construct(row, fields)
          operation.sqeFlags(flags)
          operation.personality(personality)
          operation.userData(userData)
          const expected = new Uint8Array(row.size)
          const selects = row.fields.some(({ kind }) => kind === 'Group') ? IOSQE.BUFFER_SELECT : 0
          put(expected, 0, 1, BigInt(row.opcode))
          put(expected, 1, 1, BigInt(flags | selects))
          put(expected, 32, 8, userData)
          for (const [at, size, value] of FIXED[row.name] ?? []) put(expected, at, size, value)
          for (const { name, kind, at, size } of row.fields) {
            put(expected, at, size, encoded(kind, BigInt(fields[name] ?? 0)))
          }
          put(expected, 42, 2, BigInt(personality))
          equal('bytes', operation.build(), expected)
        }),
        { numRuns: RUNS, includeErrorInReport: true },
      ),
    )
  })

  test(`${row.name}: refuses values that do not fit instead of wrapping them (native class)`, (t) => {
    const good = Object.fromEntries(row.fields.map(({ name }) => [name, 1]))
    const setters = [
      ...row.fields,
      { name: 'flags', method: 'sqeFlags', kind: 'u8', required: false },
      { name: 'id', method: 'personality', kind: 'u16', required: false },
      { name: 'value', method: 'userData', kind: 'u64', required: false },
    ]
    for (const field of setters) {
      const { name, kind, required } = field
      for (const bad of misfits(kind)) {
        const message = new RegExp(`^"${name}" must be an integer that fits `)
        const label = `${name}: ${String(bad)}`
        if (required) {
          t.throws(() => construct(row, { ...good, [name]: bad }), { message }, label)
          continue
        }
        const operation = construct(row, good)
        const before = hex(operation.build())
        t.throws(() => setter(operation, 'method' in field ? field.method : name)(bad), { message }, label)
        t.is(hex(operation.build()), before, label)
      }
    }
  })
}

/** Numbers that do not fit into a kind of field. */
function misfits(kind: string): Value[] {
  const [least, most] = boundsOf(kind)
  const outside = [least - 1n, most + 1n, -(2n ** 31n) - 1n, 2n ** 64n]
  const far = [64n, 65n, 127n, 128n, 200n].flatMap((power) => [2n ** power, -(2n ** power), 2n ** power + 1n])
  const numbers = [...outside, 2n ** 32n, -1n, -2n, 2n ** 16n].filter(
    (value) => value < least || value > most,
  )
  return [
    ...outside,
    ...far,
    ...numbers.map(Number),
    1.5,
    -0.5,
    2 ** 53 + 2,
    -(2 ** 53) - 2,
    1e300,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]
}

test('native classes: take nothing but numbers', (t) => {
  for (const row of ROWS) {
    for (const { name, required } of row.fields) {
      for (const bad of ['1', null, undefined, true, {}, [1], Symbol('s')] as unknown as Value[]) {
        const good = Object.fromEntries(row.fields.map((field) => [field.name, 1]))
        const message = /none of these types|must be|expect/i
        const label = `${row.name}.${name}: ${String(bad)}`
        if (required && bad !== undefined) {
          t.throws(() => construct(row, { ...good, [name]: bad }), { message }, label)
        } else if (!required) {
          const operation = construct(row, good)
          t.throws(() => setter(operation, name)(bad), { message }, label)
        }
      }
    }
  }
})
