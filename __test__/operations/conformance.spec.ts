// The facade and the native class of each operation build the same bytes for the same random arguments. The cases are
// in the cases.ts of each family.

import test from 'ava'
import * as fc from 'fast-check'
import * as facade from 'uring'
import { Operation, type OperationClass, Write, Writev } from 'uring'
import { equal, hex, MAX_U32, RUNS, struct } from './base/arbitraries.ts'
import { builtOf, type Case, modifiers, modify, modifyNative } from './base/conformance-case.ts'
import { memoryAt } from './base/process-memory.ts'
import { CONFORMANCE } from './base/families.ts'
import { construct, nativeClass, type Row, ROWS } from './base/native-rows.ts'

const SAMPLES = 4000
const SEED = 20_251_121

/** Fields for which the facade has no option: native.spec.ts tests them. */
const NOT_IN_THE_FACADE: Record<string, readonly string[]> = {
  // Each client would overwrite the room for the address.
  AcceptMulti: ['address', 'address_length'],
  TimeoutRemove: ['timeout_flags'],
  // Kernels so far have no such flags.
  EpollWait: ['wait_flags'],
  FutexWait: ['flags'],
  FutexWaitV: ['flags'],
  FutexWake: ['flags'],
  WaitId: ['waitid_flags'],
}

function caseOf(row: Row): Case<unknown> {
  const found = CONFORMANCE[row.name]
  if (found === undefined) throw new Error(`the operation ${row.name} has no case here`)
  return found
}

/** The facade's classes of operations. */
const CLASSES: [string, OperationClass][] = Object.entries(facade)
  .filter(([, value]) => typeof value === 'function' && value.prototype instanceof Operation)
  .map(([name, value]) => [name, value as unknown as OperationClass])

/** Returns an entry without the words that may be the address of a struct, which each entry allocates. */
function withoutAddresses(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(24, 48), bytes.subarray(56)])
}

test('CONFORMANCE: has one case for every row of the table', (t) => {
  t.true(ROWS.length >= 12)
  t.deepEqual(Object.keys(CONFORMANCE).toSorted(), ROWS.map(({ name }) => name).toSorted())
})

test('Operation: has a facade class and a native class for every row of the table', (t) => {
  t.deepEqual(CLASSES.map(([name]) => name).toSorted(), ROWS.map(({ name }) => name).toSorted())
  for (const row of ROWS) {
    t.is(typeof nativeClass(row.name), 'function', `native ${row.name}`)
    const Class = CLASSES.find(([name]) => name === row.name)?.[1]
    t.is(Class?.name, row.name)
    t.is(Class?.opcode, row.opcode, row.name)
    t.is(Class?.since, row.since, row.name)
  }
})

for (const row of ROWS) {
  test(`${row.name}: builds the bytes of the native class`, (t) => {
    const { arguments: all, facade, native, memory } = caseOf(row)
    t.notThrows(() =>
      fc.assert(
        fc.property(all, modifiers, (given, modifiers) => {
          const operation = facade(given)
          modify(operation, modifiers)
          const entry = operation.build()
          const neighbour = operation.build() // so that bytes that are missing at the end of a struct are not zero by chance
          const bytes = entry.bytes
          const built = builtOf(bytes)
          const { fields, flags = 0 } = native(given, built)
          const counterpart = construct(row, fields)
          modifyNative(counterpart, modifiers, flags)
          equal('bytes', bytes, counterpart.build())
          for (const [address, content] of memory?.(given, built) ?? []) {
            if (content.length > 0) equal('memory', memoryAt(address, content.length), content)
          }
          // The entry holds the memory, and its bytes are copies.
          bytes.fill(0xff)
          equal('bytes again', entry.bytes, counterpart.build())
          equal(
            'bytes but for addresses',
            withoutAddresses(neighbour.bytes),
            withoutAddresses(counterpart.build()),
          )
          if (entry.operation !== row.name || entry.opcode !== row.opcode) throw new Error('it is another')
        }),
        { numRuns: RUNS, includeErrorInReport: true },
      ),
    )
  })

  test(`${row.name}: has a case with every variant and every field`, (t) => {
    const { arguments: all, facade, native, variants } = caseOf(row)
    const samples = fc.sample(all, { numRuns: SAMPLES, seed: SEED })
    for (const [name, is] of Object.entries(variants)) t.true(samples.some(is), name)

    // A field is covered if the entry differs there from one without the field.
    const missing = new Set(row.fields.map(({ name }) => name))
    const required = row.fields.filter((field) => field.required).map(({ name }) => [name, 0] as const)
    const untouched = construct(row, Object.fromEntries(required)).build()
    for (const given of samples) {
      const { fields } = native(given, builtOf(facade(given).build().bytes))
      const bytes = construct(row, fields).build()
      for (const { name, at, size } of row.fields) {
        const [before, after] = [untouched, bytes].map((entry) => hex(entry.subarray(at, at + size)))
        if (fields[name] !== undefined && before !== after) missing.delete(name)
      }
    }
    t.deepEqual([...missing].toSorted(), [...(NOT_IN_THE_FACADE[row.name] ?? [])].toSorted())
  })
}

test('Write, Writev: limit the length of a buffer of more than 2^32 bytes', (t) => {
  const size = 2 ** 32 + 4096
  let buffer: ArrayBuffer
  try {
    buffer = new ArrayBuffer(size) // untouched pages need no memory, but some kernels do not overcommit
  } catch {
    t.log('there is no room for such a buffer here')
    t.pass()
    return
  }
  const start = new Uint8Array(buffer, 0, 8).fill(0xa5)
  const end = new Uint8Array(buffer, size - 8, 8).fill(0x5a)
  for (const [bytes, expected, length] of [
    [buffer, start, 0x7fff_f000], // MAX_RW_COUNT: the most bytes of one transfer
    [new DataView(buffer), start, 0x7fff_f000],
    [new Float64Array(buffer), start, 0x7fff_f000],
    [new Uint8Array(buffer, 0, 2 ** 32 - 1), start, MAX_U32],
    [end, end, 8],
  ] as const) {
    const view = new DataView(new Write(0, bytes).build().bytes.buffer)
    t.is(view.getUint32(24, true), length)
    equal('memory', memoryAt(view.getBigUint64(16, true), 8), expected)
    const iovec = new Writev(0, [bytes]).build()
    equal(
      'iovec',
      memoryAt(builtOf(iovec.bytes).addr, 16),
      struct([view.getBigUint64(16, true), BigInt(bytes.byteLength)]),
    )
    t.is(iovec.opcode, 2)
  }
})
