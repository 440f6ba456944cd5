// The types of the public interface. The type checker is the test: a wrong type does not compile.

import test from 'ava'
import {
  Accept,
  type Accepted,
  type Address,
  AsyncCancel,
  type BigIntStats,
  BufferRing,
  type BufferTable,
  type Bytes,
  type CancelTarget,
  type ChainError,
  type Completion,
  type CompletionSource,
  type ControlMessage,
  Entry,
  type FileTable,
  type FileTarget,
  type FixedBuffer,
  FixedFile,
  type GroupBuffer,
  Message,
  MsgRingData,
  MsgRingSendFd,
  Nop,
  OpenAt,
  Operation,
  type Outcome,
  type Path,
  Pipe,
  Read,
  ReadFixed,
  ReadMulti,
  type Received,
  type ReceivedMessage,
  RecvMsgMulti,
  RecvMulti,
  RecvMultiBundle,
  type ResizeOptions,
  type Results,
  Ring,
  type RingReference,
  SendZc,
  SetupFlags,
  SKIP_FILE,
  Socket,
  type SocketAddress,
  type Stats,
  Statx,
  type Time,
  Timeout,
  type Token,
  UringError,
  WriteFixed,
  type ZeroCopyUsage,
} from 'uring'
import * as sys from 'uring/sys'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only if both are the same type. */
function same<A, B>(equal: Equal<A, B>): boolean {
  return equal
}

/** Is compiled and never run. */
function compiled(use: (ring: Ring, group: BufferRing, table: FileTable) => unknown): boolean {
  return typeof use === 'function'
}

test('types: operations and entries carry the type of their result', (t) => {
  using ring = new Ring({ entries: 8 })
  const read: Entry<number> = new Read(0, new Uint8Array(1)).link().drain().build()
  const open: Entry<number> = new OpenAt('x', { flags: 'r' }).build()
  const direct: Entry<FixedFile> = new OpenAt('x', { direct: 'auto' }).build()
  const stats: Operation<Stats> = new Statx('x')
  const big: Operation<BigIntStats> = new Statx('x', { bigint: true })
  const timeout: Entry<'expired' | 'count'> = new Timeout(1).build()
  // @ts-expect-error a read resolves to a number
  const wrong: Entry<string> = new Read(0, new Uint8Array(1)).build()
  // @ts-expect-error the status is not in bigints
  const notBig: Operation<BigIntStats> = new Statx('x')
  const tokens: Token[] = ring.pushAll([read, open, direct, stats, big, timeout, wrong, notBig])
  t.is(tokens.length, 8)
  t.true(stats instanceof Operation)
  t.true(read instanceof Entry)
})

test('types: operations accept registered resources', (t) => {
  t.true(same<ReturnType<Ring['registerFiles']>, FileTable>(true))
  t.true(same<ReturnType<FileTable['acquire']>, FixedFile>(true))
  t.true(same<ReturnType<FileTable['update']>, number>(true))
  t.true(same<ReturnType<Ring['registerBuffers']>, BufferTable>(true))
  t.true(same<ReturnType<Ring['cloneBuffers']>, BufferTable>(true))
  t.true(same<ReturnType<BufferTable['at']>, FixedBuffer>(true))
  t.true(same<FixedBuffer['view'], Buffer>(true))
  t.true(same<typeof SKIP_FILE, -2>(true))
  t.true(
    compiled((ring, _group, table) => {
      ring.registerFiles([0, -1, { fd: 1 }] as const, { tags: [1n, 0n, 2n] })
      ring.registerFiles(64)
      table.update(0, [SKIP_FILE, -1, 0])
      // @ts-expect-error the kernel accepts no fixed file here
      ring.registerFiles([new FixedFile(0)])
      // @ts-expect-error nor here
      table.update(0, [table.at(0)])
      // @ts-expect-error tags are bigints
      ring.registerFiles([0], { tags: [1] })
      const buffers = ring.registerBuffers([new Uint8Array(1), null, new SharedArrayBuffer(1)] as const)
      buffers.update(1, [null], { tags: [0n] })
      ring.cloneBuffers(ring, { sourceOffset: 0, offset: 1, count: 1, replace: true })
      // @ts-expect-error a fixed buffer is not a file, although it has an index
      ring.push(new Read(buffers.at(0), new Uint8Array(1)))
      const from: Operation<number> = new ReadFixed(table.at(0), buffers.at(0).subarray(1, 2))
      // @ts-expect-error the memory has to be registered
      const to = new WriteFixed(0, new Uint8Array(1))
      return [from, to]
    }),
  )
})

test('types: a chain resolves to the results of its steps', (t) => {
  const open = new OpenAt('x', { direct: 'auto' })
  const zero = new SendZc(0, new Uint8Array(1), { reportUsage: true })
  const steps = [open, new Read(new FixedFile(0), new Uint8Array(1)), new Timeout(1), zero] as const
  t.true(same<Results<typeof steps>, [FixedFile, number, 'expired' | 'count', ZeroCopyUsage]>(true))
  t.true(
    compiled(async (ring, group) => {
      const [file, into, bytes] = await ring.chain([
        new Socket(1, 1, { direct: 3 }),
        new Read(0, { group }),
        new Nop().build(),
      ])
      const ends = await ring.run(new Pipe({ direct: 'auto' }))
      const accepted = await ring.run(new Accept(0, { address: true, direct: 'auto' }))
      return [
        same<typeof file, FixedFile>(true),
        same<typeof into, Received>(true),
        same<typeof bytes, number>(true),
        same<typeof ends, [read: FixedFile, write: FixedFile]>(true),
        same<typeof accepted, Accepted<FixedFile>>(true),
        same<typeof accepted.address, SocketAddress>(true),
      ]
    }),
  )
  t.true(same<ChainError['outcomes'], readonly Outcome[]>(true))
  t.true(same<Outcome['error'], UringError | undefined>(true))
})

test('types: an iteration yields the type of a single result', (t) => {
  t.true(
    compiled(async (ring, group) => {
      for (const operation of [
        new RecvMulti(0, group),
        new RecvMultiBundle(0, group.group),
        new ReadMulti(0, group, { length: 1 }),
      ]) {
        for await (const received of ring.each(operation, { buffers: 'borrow', highWaterMark: 1 })) {
          const same1 = same<typeof received, Received>(true)
          using held = received
          return [same1, same<typeof held.bytes, Buffer>(true), held.views[0]?.length]
        }
      }
      for await (const message of ring.each(new RecvMsgMulti(0, group, { address: true }))) {
        const received: Received = message
        return [
          same<typeof message, ReceivedMessage>(true),
          same<typeof message.address, SocketAddress | undefined>(true),
          same<typeof message.control, readonly ControlMessage[]>(true),
          same<typeof received.flags, number | undefined>(true),
          same<typeof received.address, SocketAddress | undefined>(true),
        ]
      }
      for await (const message of ring.messages({ ref: false })) {
        return [
          same<typeof message, Message>(true),
          same<typeof message.data, bigint>(true),
          same<typeof message.file, FixedFile | undefined>(true),
          same<typeof message.source, 'message' | 'tag'>(true),
        ]
      }
      await using messages = ring.messages()
      return messages
    }),
  )
  t.true(same<ReturnType<Ring['each']>, AsyncIterableIterator<unknown, undefined> & AsyncDisposable>(true))
})

test('types: a BufferRing takes completions and returns buffers', (t) => {
  t.true(same<Parameters<BufferRing['put']>, [completionOrId: Completion | number]>(true))
  t.true(same<ReturnType<BufferRing['views']>, Buffer[]>(true))
  t.true(same<ReturnType<BufferRing['copy']>, Buffer>(true))
  t.true(same<CompletionSource, 'operation' | 'message' | 'tag'>(true))
  t.true(same<Completion['extra'], readonly [bigint, bigint] | undefined>(true))
  t.true(
    compiled((ring, group) => {
      const target: GroupBuffer = { group, length: 1 }
      // @ts-expect-error buffers have a size
      const made = new BufferRing(ring, { count: 1 })
      return [target, made]
    }),
  )
})

test('types: registrations and queries of a ring', (t) => {
  t.true(same<ResizeOptions, { entries?: number; cqEntries?: number }>(true))
  t.true(same<ReturnType<Ring['reference']>, RingReference>(true))
  t.true(same<ReturnType<Ring['cancelSync']>, number>(true))
  t.true(same<ReturnType<Ring['cancel']>, Promise<number>>(true))
  t.true(same<ReturnType<Ring['probe']>['lastOp'], number>(true))
  t.true(same<ReturnType<Ring['query']>['operations'], number>(true))
  t.true(same<ReturnType<Ring['registerRegion']>['memory'], Buffer>(true))
  t.true(same<ReturnType<Ring['registerIowqMaxWorkers']>['unbounded'], number>(true))
  t.true(
    compiled((ring, group, table) => {
      ring.resize({ entries: 8 })
      // @ts-expect-error sizes are numbers
      ring.resize({ entries: '8' })
      for (const target of [ring, ring.reference(), { fd: 3 }]) {
        Ring.sendMessage(target, 1, 2n)
        Ring.sendMessage(target, 1, 2)
        ring.push(new MsgRingData(target, 1, 2n))
        ring.push(new MsgRingSendFd(target, table.at(0), { direct: 'auto', data: 1 }))
      }
      // @ts-expect-error a number is not a ring
      Ring.sendMessage(3, 1, 2)
      ring.registerRestrictions([
        { operation: Read },
        { operation: 22 },
        { register: sys.IORING_REGISTER_BUFFERS },
        { flagsAllowed: 1 },
        { flagsRequired: 1 },
      ])
      // @ts-expect-error one at a time
      ring.registerRestrictions([{ operation: 'Read' }])
      ring.registerClock('boottime')
      // @ts-expect-error waits cannot follow the time of day
      ring.registerClock('realtime')
      ring.registerNapi({ tracking: 'static' })
      // @ts-expect-error 'inactive' is reported and cannot be set
      ring.registerNapi({ tracking: 'inactive' })
      ring.registerEventfd({ fd: 3 }, { async: true })
      const targets: CancelTarget[] = [1, 'any', { token: 1, file: table.at(0), opcode: 22 }]
      void ring.cancel({ userData: group })
      // @ts-expect-error the kernel knows only tokens
      ring.cancelSync({ userData: group })
      return targets.map((target) => [new AsyncCancel(target, { all: true }), ring.cancelSync(target)])
    }),
  )
})

test('types: arguments have named types', (t) => {
  t.true(same<Extract<FileTarget, number>, number>(true))
  t.true(same<Path, string | Buffer | URL>(true))
  t.true(same<Bytes, ArrayBuffer | SharedArrayBuffer | ArrayBufferView>(true))
  const times: Time[] = [1, { seconds: 1n, nanoseconds: 0 }]
  const addresses: Address[] = [{ address: '::1', port: 1, scopeId: 2 }, { path: '\0x' }, new Uint8Array(2)]
  t.is(times.length + addresses.length, 5)
})

test('types: constants are literals', (t) => {
  t.true(same<typeof SetupFlags.SQPOLL, 2>(true))
  t.true(same<typeof sys.IORING_OP_READ, 22>(true))
  t.true(same<typeof sys.IORING_SETUP_SQPOLL, 2>(true))
  t.true(same<typeof sys.IORING_ENTER_GETEVENTS, 1>(true))
  t.true(same<typeof sys.IORING_REGISTER_BUFFERS, 0>(true))
  t.true(same<typeof Read.opcode, 22>(true))
  t.is(sys.IORING_OP_READ, Read.opcode)
  const { size, fields } = sys.structs.io_uring_sqe
  const offset: number = fields.user_data.offset
  // @ts-expect-error no member has this name
  t.is(fields.user_date, undefined)
  t.deepEqual([size, offset], [64, 32])
})
