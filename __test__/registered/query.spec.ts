// probe() and query(), and that uring has a name for everything that the kernel reports.

import test from 'ava'
import * as uring from 'uring'
import { EnterFlags, Features, Operation, Ring, SetupFlags, SqeFlags } from 'uring'
import {
  IORING_REGISTER_ENABLE_RINGS,
  IORING_REGISTER_RESTRICTIONS,
  ioUringRegister,
  ioUringSetup,
} from 'uring/sys'
import { decodeQuery } from '../../ts/registered/query.ts'
import { ZcrxQueue } from '../../ts/registered/zcrx.ts'
import { TIMEOUT } from '../helpers/completions.ts'
import { script } from '../helpers/process.ts'

const EINVAL = -22
const OPCODES = 256

/** The counterpart of each registration: methods, static methods, and classes whose constructors register. */
const REGISTRATIONS: readonly (readonly string[])[] = [
  /* BUFFERS */ ['Ring.registerBuffers'],
  /* UNREGISTER_BUFFERS */ ['BufferTable.unregister'],
  /* FILES */ ['Ring.registerFiles'],
  /* UNREGISTER_FILES */ ['FileTable.unregister'],
  /* EVENTFD */ ['Ring.registerEventfd'],
  /* UNREGISTER_EVENTFD */ ['Ring.unregisterEventfd'],
  /* FILES_UPDATE */ ['FileTable.update'],
  /* EVENTFD_ASYNC */ ['Ring.registerEventfd'],
  /* PROBE */ ['Ring.probe', 'Ring.supports'],
  /* PERSONALITY */ ['Ring.registerPersonality'],
  /* UNREGISTER_PERSONALITY */ ['Ring.unregisterPersonality'],
  /* RESTRICTIONS */ ['Ring.registerRestrictions'],
  /* ENABLE_RINGS */ ['Ring.enable'],
  /* FILES2 */ ['Ring.registerFiles'],
  /* FILES_UPDATE2 */ ['FileTable.update'],
  /* BUFFERS2 */ ['Ring.registerBuffers'],
  /* BUFFERS_UPDATE */ ['BufferTable.update'],
  /* IOWQ_AFF */ ['Ring.registerIowqAffinity'],
  /* UNREGISTER_IOWQ_AFF */ ['Ring.unregisterIowqAffinity'],
  /* IOWQ_MAX_WORKERS */ ['Ring.registerIowqMaxWorkers'],
  /* RING_FDS */ ['Ring.registerRingFd'],
  /* UNREGISTER_RING_FDS */ ['Ring.unregisterRingFd'],
  /* PBUF_RING */ ['BufferRing'],
  /* UNREGISTER_PBUF_RING */ ['BufferRing.close'],
  /* SYNC_CANCEL */ ['Ring.cancelSync'],
  /* FILE_ALLOC_RANGE */ ['FileTable.allocRange'],
  /* PBUF_STATUS */ ['BufferRing.head'],
  /* NAPI */ ['Ring.registerNapi', 'Ring.registerNapiId', 'Ring.unregisterNapiId'],
  /* UNREGISTER_NAPI */ ['Ring.unregisterNapi'],
  /* CLOCK */ ['Ring.registerClock'],
  /* CLONE_BUFFERS */ ['Ring.cloneBuffers'],
  /* SEND_MSG_RING */ ['Ring.sendMessage'],
  /* ZCRX_IFQ */ ['Ring.registerZcrx'],
  /* RESIZE_RINGS */ ['Ring.resize'],
  /* MEM_REGION */ ['Ring.registerRegion', 'Region.setWait'],
  /* QUERY */ ['Ring.query'],
]

/** Tells if there is a class of this name with this member. */
function exists(name: string): boolean {
  const [head = '', member] = name.split('.')
  const exported = (uring as Record<string, unknown>)[head]
  if (typeof exported !== 'function') return false
  return member === undefined || member in exported || member in (exported.prototype as object)
}

function constants(group: object): Set<unknown> {
  return new Set(Object.values(group))
}

/** Returns the bits of a mask that have no constant. */
function nameless(mask: number, group: object): number[] {
  const named = constants(group)
  return Array.from({ length: 53 }, (_, bit) => 2 ** bit).filter(
    (bit) => Math.floor(mask / bit) % 2 === 1 && !named.has(bit),
  )
}

function ask(): uring.Query {
  using ring = new Ring({ entries: 1 })
  return ring.query()
}

const masks = ask()
const { operations, registrations } = masks

test('query: every registration of the kernel has a counterpart', (t) => {
  t.true(registrations >= 36)
  const opcodes = Array.from({ length: registrations }, (_, opcode) => opcode)
  t.deepEqual(
    opcodes.filter((opcode) => REGISTRATIONS[opcode] === undefined),
    [],
  )
  t.deepEqual(
    opcodes.flatMap((opcode) => REGISTRATIONS[opcode] ?? []).filter((name) => !exists(name)),
    [],
  )
})

test('query: an unknown name has no counterpart', (t) => {
  for (const name of ['Rings', 'Ring.registerNothing', 'Nothing.update', 'SetupFlags.IOPOLL', 'SetupFlags'])
    t.false(exists(name), name)
  for (const name of ['Ring', 'Ring.push', 'Ring.fd', 'Ring.sendMessage']) t.true(exists(name), name)
  t.deepEqual(nameless(2 ** 31 + 2 ** 40 + 5, { A: 1, B: 4, C: 2 ** 31 }), [2 ** 40])
})

test('query: every operation of the kernel has a class', (t) => {
  t.true(operations >= 63)
  const classes = Object.values(uring).filter(
    (value): value is uring.OperationClass & typeof Operation =>
      typeof value === 'function' && value.prototype instanceof Operation,
  )
  const opcodes = new Set(classes.map(({ opcode }) => opcode))
  const lacking = Array.from({ length: operations }, (_, opcode) => opcode).filter(
    (opcode) => !opcodes.has(opcode),
  )
  t.deepEqual(lacking, [])
})

for (const [name, group, least] of [
  ['setupFlags', SetupFlags, SetupFlags.CQE_MIXED],
  ['enterFlags', EnterFlags, EnterFlags.NO_IOWAIT],
  ['sqeFlags', SqeFlags, SqeFlags.CQE_SKIP_SUCCESS],
  ['features', Features, Features.NO_IOWAIT],
] as const) {
  test(`query: every bit of ${name} has a name`, (t) => {
    const mask = masks[name]
    t.is(mask & least, least, 'all that 6.18 has')
    t.deepEqual(nameless(mask, group), [])
  })
}

test('query: the answers match the behaviour of the kernel', (t) => {
  using ring = new Ring({ entries: 1 })
  t.is(masks.features, ring.features)
  t.is(ring.setupFlags & ~masks.setupFlags, 0)
  // The first flag and the first registration that the kernel does not have.
  const params = new Uint32Array(30)
  params[2] = masks.setupFlags + 1
  t.is(ioUringSetup(1, params), EINVAL)
  t.throws(() => ring.enter(0, 0, masks.enterFlags + 1), { code: 'EINVAL' })
  t.is(ioUringRegister(ring.fd, registrations, null, 0), EINVAL)
  t.is(ring.probe().lastOp, operations - 1)
  // The kernel answers this number of queries, in order.
  const { queries, zcrx, rings } = masks
  t.deepEqual([true, zcrx !== undefined, rings !== undefined], [queries > 0, queries > 1, queries > 2])
})

test('query: decodes the structs of the kernel', (t) => {
  const buffer = (...fields: (number | bigint)[]): Buffer => {
    const bytes = Buffer.alloc(256)
    let at = 0
    for (const field of fields) {
      at = typeof field === 'bigint' ? bytes.writeBigUInt64LE(field, at) : bytes.writeUInt32LE(field, at)
    }
    return bytes
  }
  const opcodes = buffer(70, 40, 0x1_0000_0001n, 2n, 3n, 4n, 5)
  const plain = {
    operations: 70,
    registrations: 40,
    features: 0x1_0000_0001,
    setupFlags: 2,
    enterFlags: 3,
    sqeFlags: 4,
    queries: 5,
  }
  t.deepEqual(decodeQuery(opcodes, undefined, undefined), plain)
  t.deepEqual(decodeQuery(opcodes, buffer(6n, 7n, 8, 9, 10, 11), buffer(12n, 13n)), {
    ...plain,
    zcrx: { registerFlags: 6, areaFlags: 7, controls: 8, features: 9, headerSize: 10, headerAlignment: 11 },
    rings: { headerSize: 12, headerAlignment: 13 },
  })
  const queue = buffer(1, 2, 128, 0, 0n, 0n, 64, 68, 4096, 0, 0n, 0n, 17)
  const [area, refill] = [Buffer.alloc(1), Buffer.alloc(2)]
  const { id, entries, areaToken, offsets, ...memory } = new ZcrxQueue(queue, area, 9n, refill)
  t.deepEqual([id, entries, areaToken], [17, 128, 9n])
  t.deepEqual(offsets, { head: 64, tail: 68, entries: 4096 })
  t.true(memory.area === area && memory.refill === refill)
})

test('probe: agrees with Ring.supports() for every opcode', (t) => {
  using ring = new Ring({ entries: 1 })
  const probe = ring.probe()
  t.true(Number.isInteger(probe.lastOp) && probe.supports({ opcode: probe.lastOp }))
  for (let opcode = 0; opcode < OPCODES; opcode += 1) {
    t.is(probe.supports({ opcode }), ring.supports({ opcode }), `opcode ${opcode}`)
  }
  t.false(probe.supports({ opcode: probe.lastOp + 1 }))
  for (const opcode of [-1, 256, 0.5, Number.NaN]) t.false(probe.supports({ opcode }))
  t.true(probe.supports(uring.Read))
  t.true(probe.supports({ opcode: 22, variantSince: '2.6' }))
  t.false(probe.supports({ opcode: 22, variantSince: '999.0' }), 'a newer variant')
  for (const wrong of [undefined, null, 'Read', {}, { opcode: '22' }]) {
    t.throws(() => probe.supports(wrong as unknown as typeof uring.Read), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /"operation"/,
    })
  }
})

test('probe, query: work on a ring that allows nothing else', (t) => {
  using ring = new Ring({ entries: 1, disabled: true })
  using free = new Ring({ entries: 1 })
  const restrictions = Buffer.alloc(16) // struct io_uring_restriction: allows the operation 0
  restrictions.writeUInt16LE(1, 0)
  t.is(ioUringRegister(ring.fd, IORING_REGISTER_RESTRICTIONS, restrictions, 1), 0)
  t.is(ioUringRegister(ring.fd, IORING_REGISTER_ENABLE_RINGS, null, 0), 0)
  t.throws(() => ring.registerIowqMaxWorkers(0, 0), { code: 'EACCES' })
  t.is(ring.probe().lastOp, free.probe().lastOp)
  t.true(ring.probe().supports(uring.Read))
  t.deepEqual(ring.query(), masks)
  ring.push(new uring.Nop())
  t.true(ring.wait(TIMEOUT)?.ok)
})

for (const worker of [false, true]) {
  test(`probe, query: leave no descriptor and no warning: ${worker ? 'a worker' : 'the main thread'}`, async (t) => {
    const source = `
      import { readdirSync } from 'node:fs'
      import { Ring } from 'uring'
      import { ioUringRegister } from 'uring/sys'
      const ring = new Ring({ entries: 1, disabled: true })
      ioUringRegister(ring.fd, ${IORING_REGISTER_RESTRICTIONS}, Buffer.from([1, 0, 0, ...Buffer.alloc(13)]), 1)
      ioUringRegister(ring.fd, ${IORING_REGISTER_ENABLE_RINGS}, null, 0)
      ring.probe()
      const before = readdirSync('/proc/self/fd').length
      for (let round = 0; round < 50; round += 1) {
        ring.probe()
        ring.query()
      }
      console.log(readdirSync('/proc/self/fd').length - before)
    `
    const outcome = await script(
      worker
        ? `import { Worker } from 'node:worker_threads'; new Worker(${JSON.stringify(source)}, { eval: true })`
        : source,
    )
    t.deepEqual(outcome, { code: 0, signal: null, stdout: '0\n', stderr: '' })
  })
}

test('query: throws other errors than a missing registration unchanged', async (t) => {
  const outcome = await script(`
    import { createRequire } from 'node:module'
    import { Ring } from 'uring'
    const native = createRequire(import.meta.url)('uring/native')
    const ring = new Ring({ entries: 1 })
    for (const errno of [-4, -14, -22, -9]) {
      native.rawRegister = () => errno
      try { ring.query() } catch ({ code, syscall }) { console.log(code, syscall) }
    }
  `)
  const lines = ['EINTR', 'EFAULT', 'ERR_URING_UNSUPPORTED', 'ERR_URING_UNSUPPORTED']
  t.deepEqual(outcome, {
    code: 0,
    signal: null,
    stdout: lines.map((code) => `${code} io_uring_register\n`).join(''),
    stderr: '',
  })
})
