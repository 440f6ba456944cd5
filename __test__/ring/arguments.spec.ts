// Tests that rings, entries, registered files and personalities reject every bad value. RING lists the bad values of the
// options of a ring; METHODS and ASYNCHRONOUS list those of the arguments of its methods.

import test from 'ava'
import { Entry, FixedFile, Nop, Operation, Ring, type RingOptions, Timeout, type WaitOptions } from 'uring'
import {
  absent,
  allBut,
  type Bad,
  KINDS,
  MAX_I32,
  milliseconds,
  noInteger,
  RANGE,
  refuses,
  refusesLater,
  shown,
  these,
  TYPE,
  u16,
  u32,
  VALUE,
  Watched,
  within,
} from '../operations/base/bad-values.ts'
import { good } from '../operations/base/argument-subject.ts'
import { ARGUMENTS as OPERATIONS } from '../operations/base/families.ts'

// ---- bad values

/** Bad values of each option of a ring. */
const RING: Record<keyof RingOptions, readonly Bad[]> = {
  entries: [...noInteger(1, 32_768), ...these([0, -1, 3.5, 2 ** 20], RANGE)],
  cqEntries: noInteger(256, 65_536),
  sqPoll: [
    ...allBut(['boolean', 'object', 'bytes']),
    ...within('idle', u32),
    ...within('cpu', u32),
    ...within('cpu', u32, { idle: 1 }),
  ],
  ioPoll: [...allBut(['boolean'], VALUE), ...these(['Hybrid', 'true', ['hybrid']], VALUE)],
  attach: [...allBut([]), ...these([{ fd: 3 }, Ring], TYPE)],
  clamp: KINDS.boolean,
  disabled: KINDS.boolean,
  sqe128: KINDS.boolean,
  cqe32: KINDS.boolean,
  cqeMixed: KINDS.boolean,
  noSqArray: KINDS.boolean,
  singleIssuer: KINDS.boolean,
  deferTaskrun: KINDS.boolean,
  coopTaskrun: KINDS.boolean,
  taskrunFlag: KINDS.boolean,
  submitAll: KINDS.boolean,
}

const notOperations: Bad[] = [
  ...allBut([]),
  ...these([new TextEncoder(), Nop, Operation, [new Nop()], { opcode: 0 }, { encode: () => {} }], TYPE),
]

/** Bad values of each argument of the queue API. */
const METHODS: Record<
  string,
  readonly [(ring: Ring, value: never) => unknown, Record<string, readonly Bad[]>]
> = {
  'push(operation)': [(ring, value) => ring.push(value), { operation: notOperations }],
  'pushAll(items)': [
    (ring, value) => ring.pushAll(value),
    {
      items: [
        ...allBut(['array']),
        ...these([new Set([new Nop()]), { length: 1, 0: new Nop() }, new Nop()], TYPE),
        ...notOperations.map(([value, code]): Bad => [[value], code, '[0]']),
        ...notOperations.map(([value, code]): Bad => [[new Nop(), value, new Nop()], code, '[1]']),
        ...these([Array.from({ length: 1 })], TYPE, '[0]'),
      ],
    },
  ],
  'pushAll(…, userData)': [
    (ring, value) => ring.pushAll([new Nop()], value),
    { userData: [...absent(allBut(['array'])), ...these([new Set([1]), { length: 1, 0: 1 }], TYPE)] },
  ],
  'submitAndWait(count)': [(ring, value) => ring.submitAndWait(value), { count: absent(u32) }],
  'submitAndWait(…, options)': [(ring, value) => ring.submitAndWait(1, value), waiting({})],
  'wait(options)': [(ring, value) => ring.wait(value), waiting({})],
  'waitMany(count)': [(ring, value) => ring.waitMany(value), { count: u32 }],
  'waitMany(…, options)': [(ring, value) => ring.waitMany(1, value), waiting({ max: absent(u32) })],
  'drain(onCompletion)': [(ring, value) => ring.drain(value), { onCompletion: allBut(['function']) }],
  'enter(toSubmit)': [(ring, value) => ring.enter(value, 0, 0), { toSubmit: u32 }],
  'enter(…, minComplete)': [(ring, value) => ring.enter(0, value, 0), { minComplete: u32 }],
  'enter(…, flags)': [(ring, value) => ring.enter(0, 0, value), { flags: KINDS.mask }],
  'enter(…, wait)': [(ring, value) => ring.enter(0, 0, 0, value), { wait: absent(u32) }],
  'supports(operation)': [
    (ring, value) => ring.supports(value),
    { operation: [...allBut([]), ...these([{ opcode: '0' }, { opcode: undefined }, Ring], TYPE)] },
  ],
}

const signals = allBut(['undefined'])
const linked: Bad[] = [
  [new Nop().link(), VALUE],
  [new Nop().hardLink(), VALUE],
]
const skipping: Bad[] = [[new Nop().skipSuccess(), VALUE]]
const multishot: Bad[] = [[new Timeout(1, { multi: true }), VALUE]]

/** Returns bad values of the options object of an asynchronous method, and of each option in it. */
function options(more: Record<string, readonly Bad[]>): Record<string, readonly Bad[]> {
  const each = Object.entries({ ref: KINDS.boolean, ...more })
  return { options: [...KINDS.options, ...each.flatMap(([key, kind]) => within(key, kind))] }
}

/** Bad values of each argument of the promise API. Methods that return a promise reject; the others throw. */
const ASYNCHRONOUS: Record<
  string,
  readonly [(ring: Ring, value: never) => unknown, Record<string, readonly Bad[]>]
> = {
  'run(operation)': [
    (ring, value) => ring.run(value),
    { operation: [...notOperations, ...linked, ...skipping, ...multishot] },
  ],
  'run(…, options)': [
    (ring, value) => ring.run(new Nop(), value),
    options({ signal: signals, timeout: milliseconds }),
  ],
  'start(operation)': [
    (ring, value) => ring.start(value, () => {}),
    { operation: [...notOperations, ...linked, ...skipping] },
  ],
  'start(…, onCompletion)': [
    (ring, value) => ring.start(new Nop(), value),
    { onCompletion: allBut(['function']) },
  ],
  'start(…, options)': [(ring, value) => ring.start(new Nop(), () => {}, value), options({})],
  'each(operation)': [
    (ring, value) => ring.each(value),
    { operation: [...notOperations, [new Nop(), VALUE], ...these([new Nop().build()], TYPE)] },
  ],
  'each(…, options)': [
    (ring, value) => ring.each(new Timeout(1, { multi: true }), value),
    options({
      signal: signals,
      highWaterMark: noInteger(1, Number.MAX_SAFE_INTEGER),
      buffers: [...allBut([], VALUE), ...these(['Copy', 'borrow '], VALUE)],
    }),
  ],
  'chain(operations)': [
    (ring, value) => ring.chain(value),
    {
      operations: [
        ...allBut(['array']),
        ...notOperations.map(([value, code]): Bad => [[new Nop(), value], code, '[1]']),
        ...[...skipping, ...multishot].map(([value, code]): Bad => [[new Nop(), value], code, '[1]']),
      ],
    },
  ],
  'chain(…, options)': [
    (ring, value) => ring.chain([new Nop()], value),
    options({ hard: KINDS.boolean, signal: signals, timeout: milliseconds }),
  ],
  'messages(options)': [(ring, value) => ring.messages(value), options({ signal: signals })],
  'cancel(target)': [
    (ring, value) => ring.cancel(value),
    {
      target: KINDS.target.filter(
        ([value]) => typeof value !== 'object' || value === null || !('userData' in value),
      ),
    },
  ],
  'cancel(…, options)': [
    (ring, value) => ring.cancel(1, value),
    { options: [...KINDS.options, ...within('all', KINDS.boolean)] },
  ],
}

/** Methods without arguments. */
const WITHOUT_ARGUMENTS = ['submit', 'tryWait', 'peek', 'flush', 'close', 'ref', 'unref', 'stats']

/** Returns bad values of the options object of a waiting method, and of each option in it. */
function waiting(more: Record<string, readonly Bad[]>): Record<string, readonly Bad[]> {
  const options: Record<keyof WaitOptions, readonly Bad[]> = { timeout: milliseconds, minWait: milliseconds }
  const each = Object.entries({ ...options, ...more })
  return { options: [...KINDS.options, ...each.flatMap(([key, kind]) => within(key, kind))] }
}

// ---- tests

test('operations: reject bad personalities', (t) => {
  for (const [name, subject] of Object.entries(OPERATIONS)) {
    const operation = good(subject).personality(7)
    for (const bad of u16) {
      refuses(t, `${name}.personality`, () => operation.personality(bad[0] as number), bad, 'id')
      t.is(Buffer.from(operation.build().bytes).readUInt16LE(42), 7)
    }
  }
})

test('FixedFile: rejects bad indexes', (t) => {
  for (const bad of noInteger(0, MAX_I32 - 1)) {
    refuses(t, 'new FixedFile', () => new FixedFile(bad[0] as number), bad, 'index')
  }
})

test('Entry.from: rejects bad bytes and options', (t) => {
  const from = (bytes: unknown, options?: unknown): Entry =>
    Entry.from(bytes as Uint8Array, options as { keep: [] })
  const bad: Bad[] = [
    ...allBut(['bytes']),
    ...these([new ArrayBuffer(64), new DataView(new ArrayBuffer(64)), new Uint32Array(16)], TYPE),
    ...these(
      [0, 1, 63, 65, 127, 129, 256].map((length) => new Uint8Array(length)),
      VALUE,
    ),
  ]
  for (const row of bad) refuses(t, 'Entry.from, bytes', () => from(row[0]), row, 'bytes')
  for (const row of [...KINDS.options, ...within('keep', allBut(['undefined', 'array']))]) {
    refuses(t, 'Entry.from, options', () => from(new Uint8Array(64), row[0]), row, 'options')
  }
})

test('Ring: rejects a 128-byte entry if its entries have 64 bytes', (t) => {
  using watched = new Watched()
  const entry = Entry.from(new Uint8Array(128))
  refuses(t, 'push', () => watched.ring.push(entry), [entry, VALUE], 'entry')
  watched.intact(t, 'push')
  refuses(t, 'pushAll', () => watched.ring.pushAll([new Nop(), entry]), [entry, VALUE], 'entry')
  watched.intact(t, 'pushAll')
  watched.whole(t, 'submissions')
})

test('Ring: rejects bad options', (t) => {
  const ring = (options: unknown): Ring => new Ring(options as RingOptions)
  for (const bad of KINDS.options) refuses(t, 'new Ring', () => ring(bad[0]), bad, 'options')
  for (const [option, kind] of Object.entries(RING)) {
    for (const bad of absent(kind)) {
      refuses(t, `new Ring, ${option}`, () => ring({ [option]: bad[0] }), bad, `options.${option}`)
    }
    t.notThrows(() => ring({ entries: 4, [option]: undefined })[Symbol.dispose](), option)
  }
  // Ranges that depend on another option.
  const some: [RingOptions, string][] = [
    [{ entries: 300, cqEntries: 511 }, 'cqEntries'],
    [{ entries: 4, cqEntries: 3 }, 'cqEntries'],
    [{ entries: 0, clamp: true }, 'entries'],
    [{ entries: 2 ** 32, clamp: true }, 'entries'],
    [{ cqEntries: 2 ** 32, clamp: true }, 'cqEntries'],
  ]
  for (const [options, option] of some) {
    refuses(t, 'new Ring', () => ring(options), [options, RANGE], `options.${option}`)
  }
})

test('Ring: every method with arguments has bad values in this file', (t) => {
  // The methods of registrations have bad values of their own.
  const queueApi: object = Object.getPrototypeOf(Ring.prototype)
  const methods = [Ring.prototype, queueApi]
    .flatMap((prototype) => Object.entries(Object.getOwnPropertyDescriptors(prototype)))
    .filter(([name, { value }]) => typeof value === 'function' && name !== 'constructor')
    .map(([name]) => name)
  const here = Object.keys({ ...METHODS, ...ASYNCHRONOUS }).map((method) => method.replace(/\(.*/, ''))
  t.deepEqual([...new Set([...here, ...WITHOUT_ARGUMENTS])].toSorted(), methods.toSorted())
})

for (const [method, [call, rows]] of Object.entries(METHODS)) {
  test(`Ring: ${method} rejects bad arguments`, (t) => {
    using watched = new Watched()
    const { ring } = watched
    for (const [argument, kind] of Object.entries(rows)) {
      for (const bad of kind) {
        const label = `${method}: ${shown(bad[0])}`
        refuses(t, method, () => call(ring, bad[0] as never), bad, argument)
        watched.intact(t, label)
        // A rejected call does not submit entries that were pushed before.
        ring.push(new Nop(), 'before')
        refuses(t, method, () => call(ring, bad[0] as never), bad, argument)
        t.is(ring.sqReady, 1, label)
        t.is(ring.inFlight, 0, label)
        t.is(ring.wait()?.userData, 'before', label)
        watched.intact(t, label)
      }
    }
    watched.whole(t, method)
  })
}

for (const [method, [call, rows]] of Object.entries(ASYNCHRONOUS)) {
  test(`Ring: asynchronous ${method} rejects bad arguments`, async (t) => {
    await using ring = new Ring({ entries: 8 })
    for (const [argument, kind] of Object.entries(rows)) {
      for (const bad of absent(kind)) {
        const attempt = (): unknown => call(ring, bad[0] as never)
        if (/^(run|chain|cancel)/.test(method))
          await refusesLater(t, method, attempt as () => Promise<unknown>, bad, argument)
        else refuses(t, method, attempt, bad, argument)
        t.deepEqual([ring.inFlight, ring.pending, ring.sqReady], [0, 0, 0], `${method}: ${shown(bad[0])}`)
      }
    }
    t.is(await ring.run(new Nop({ result: 7 })), 7)
  })
}
