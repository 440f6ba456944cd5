// The structs of socket messages: encoding, and decoding of any bytes without an error.

import test from 'ava'
import * as fc from 'fast-check'
import { type ControlMessage, type Received, type ReceivedMessage, RecvMsgMulti } from 'uring'
import { checkControl, controlBlock, decodeControl } from '../../ts/structs/cmsghdr.ts'
import { detailsOf, type InBlock, type InMessage, parseMessage } from '../../ts/structs/msghdr.ts'
import { RecvMsg, RecvMsgMulti as Multi, RecvZc, SendMsg, SendMsgZc } from '../../ts/operations/sendmsg.ts'
import type { Groups } from '../../ts/buffers/groups.ts'
import { BUILT, MULTISHOT, SINGLE_RESULT, OBSERVED } from '../../ts/entry/traits.ts'
import type { Entry } from '../../ts/entry/entry.ts'

const HEADER = 16
const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const messages = fc.array(fc.record({ level: i32, type: i32, data: fc.uint8Array({ maxLength: 50 }) }), {
  maxLength: 6,
})

function encoded(control: readonly ControlMessage[]): Buffer {
  return controlBlock(control, 'control')?.bytes ?? Buffer.alloc(0)
}

function plain(control: readonly ControlMessage[]): unknown[] {
  return control.map(({ level, type, data }) => [level, type, [...data]])
}

test('cmsghdr: decoding returns the control messages that were encoded', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(messages, (control) => {
        t.deepEqual(plain(decodeControl(encoded(control))), plain(control))
      }),
    ),
  )
})

test('cmsghdr: has the layout of cmsg(3)', (t) => {
  const data = Buffer.from('12345')
  const bytes = encoded([
    { level: 1, type: -2, data },
    { level: -3, type: 4, data: Buffer.alloc(0) },
    { level: 5, type: 6, data: Buffer.from('12345678') },
  ])
  t.is(
    bytes.toString('hex'),
    '1500000000000000' +
      '01000000feffffff' +
      '3132333435000000' + // length, level and type, data padded to eight bytes
      '1000000000000000' +
      'fdffffff04000000' +
      '1800000000000000' +
      '0500000006000000' +
      '3132333435363738',
  )
})

test('cmsghdr: allocates no memory for no control messages', (t) => {
  t.is(controlBlock([], 'control'), undefined)
  t.is(controlBlock(Buffer.alloc(0), 'control'), undefined)
  t.is(controlBlock(new ArrayBuffer(0), 'control'), undefined)
  t.deepEqual(decodeControl(Buffer.alloc(0)), [])
})

test('cmsghdr: copies control messages in any kind of memory', (t) => {
  const content = Buffer.from('some bytes of any length')
  const shared = new SharedArrayBuffer(content.length)
  new Uint8Array(shared).set(content)
  const around = Buffer.concat([Buffer.from('..'), content, Buffer.from('..')])
  for (const given of [
    Buffer.from(content),
    new Uint8Array(content).buffer,
    shared,
    around.subarray(2, -2),
    new DataView(new Uint8Array(content).buffer),
  ]) {
    t.is(checkControl(given, 'control'), given)
    const block = controlBlock(given, 'control')
    t.deepEqual(block?.bytes, content)
  }
  const before = Buffer.from(content)
  const block = controlBlock(before, 'control')
  before.fill(0)
  t.deepEqual(block?.bytes, content)
})

test('cmsghdr: reads a getter once', (t) => {
  let reads = 0
  const message = {
    level: 1,
    type: 2,
    get data(): Uint8Array {
      reads += 1
      return reads === 1 ? Buffer.from('first') : Buffer.from('a longer second')
    },
  }
  t.deepEqual(plain(decodeControl(encoded([message]))), [[1, 2, [...Buffer.from('first')]]])
  t.is(reads, 1)
})

test('cmsghdr: decoding returns a copy', (t) => {
  const bytes = encoded([{ level: 1, type: 2, data: Buffer.from('data') }])
  const [message] = decodeControl(bytes)
  bytes.fill(0xff)
  t.is(Buffer.from(message?.data ?? []).toString(), 'data')
})

test('cmsghdr: a truncated control message has the data that is there', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(messages, fc.nat(400), (control, cut) => {
        const bytes = encoded(control)
        const found = decodeControl(bytes.subarray(0, cut))
        let at = 0
        const expected = []
        for (const { level, type, data } of control) {
          if (at + HEADER > Math.min(cut, bytes.length)) break
          expected.push([level, type, [...data].slice(0, Math.max(cut - at - HEADER, 0))])
          at += HEADER + Math.ceil(data.length / 8) * 8
        }
        t.deepEqual(plain(found), expected)
      }),
    ),
  )
})

test('cmsghdr: decoding any bytes ends', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (content) => {
        const bytes = Buffer.from(content)
        const total = decodeControl(bytes).reduce((sum, { data }) => sum + HEADER + data.length, 0)
        t.true(total <= bytes.length)
      }),
    ),
  )
  for (const length of [0n, 1n, 15n, -1n, -16n]) {
    const bytes = encoded([
      { level: 1, type: 2, data: Buffer.from('data') },
      { level: 1, type: 2, data: Buffer.from('data') },
    ])
    bytes.writeBigInt64LE(length)
    // A length below that of the header ends the list; with one that is too long, the data that is there is returned.
    const [first, ...more] = decodeControl(bytes)
    t.is(first?.data.length, length < 0 ? bytes.length - HEADER : undefined, String(length))
    t.is(more.length, 0)
  }
})

test('msghdr: lengths beyond the memory are clamped', (t) => {
  const header = Buffer.alloc(56)
  header.writeUInt32LE(0xffff_ffff, 8)
  header.writeBigUInt64LE(2n ** 64n - 1n, 40)
  header.writeUInt32LE(0x8000_0028, 48)
  const name = Buffer.alloc(128)
  name.set([2, 0, 1, 2, 10, 20, 30, 40])
  const control = encoded([{ level: 1, type: 2, data: Buffer.from('four') }])
  const block: InBlock = {
    address: 0,
    header,
    name,
    control,
    buffers: [],
    size: 0,
    iovecs: undefined,
    group: undefined,
  }
  const details = detailsOf(block)
  t.deepEqual(details.address, { family: 'IPv4', address: '10.20.30.40', port: 258 })
  t.deepEqual(plain(details.control), [[1, 2, [...Buffer.from('four')]]])
  t.is(details.flags, 0x8000_0028)
  t.deepEqual(detailsOf({ ...block, name: undefined, control: undefined }), {
    address: undefined,
    control: [],
    flags: 0x8000_0028,
  })
})

/** Returns a message as the kernel writes it into a provided buffer. */
function out(
  name: Uint8Array,
  nameRoom: number,
  control: Uint8Array,
  controlRoom: number,
  payload: Uint8Array,
  flags: number,
): Buffer {
  const header = Buffer.alloc(16)
  header.writeUInt32LE(name.length, 0)
  header.writeUInt32LE(control.length, 4)
  header.writeUInt32LE(payload.length, 8)
  header.writeUInt32LE(flags, 12)
  const padded = (bytes: Uint8Array, room: number): Buffer =>
    Buffer.concat([bytes.subarray(0, room), Buffer.alloc(Math.max(room - bytes.length, 0), '?')])
  return Buffer.concat([header, padded(name, nameRoom), padded(control, controlRoom), payload])
}

test('RecvMsgMulti: parse decodes messages within its capacities', (t) => {
  const bytes = (most: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: most })
  const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
  t.notThrows(() =>
    fc.assert(
      fc.property(
        bytes(60),
        fc.nat(70),
        messages,
        fc.nat(400),
        bytes(60),
        u32,
        fc.nat(30),
        (name, nameRoom, control, controlRoom, payload, flags, before) => {
          const operation = new RecvMsgMulti(0, 1, { address: nameRoom, control: controlRoom })
          const content = out(name, nameRoom, encoded(control), controlRoom, payload, flags)
          const around = Buffer.concat([Buffer.alloc(before), content])
          const parsed = operation.parse(around.subarray(before))
          t.deepEqual(parsed.bytes, Buffer.from(payload))
          t.deepEqual(parsed.name, Buffer.from(name.subarray(0, nameRoom)))
          t.is(parsed.nameLength, name.length)
          t.is(parsed.payloadLength, payload.length)
          t.is(parsed.flags, flags)
          t.deepEqual(plain(parsed.control), plain(decodeControl(encoded(control).subarray(0, controlRoom))))
          // A truncated message has the bytes that are there, or parse throws that it is too short.
          const cut = content.subarray(0, content.length - Math.min(before, content.length))
          if (cut.length < 16 + nameRoom + controlRoom) {
            t.throws(() => operation.parse(cut), { code: 'ERR_OUT_OF_RANGE' })
          } else {
            t.is(operation.parse(cut).payloadLength, payload.length)
            t.deepEqual(
              operation.parse(cut).bytes,
              Buffer.from(payload.subarray(0, cut.length - 16 - nameRoom - controlRoom)),
            )
          }
        },
      ),
    ),
  )
})

test('RecvMsgMulti: parse decodes any bytes, or throws ERR_OUT_OF_RANGE', (t) => {
  const extreme = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(200).fill(0xff)))
  t.notThrows(() =>
    fc.assert(
      fc.property(extreme, fc.boolean(), fc.nat(100), (content, address, control) => {
        const operation = new RecvMsgMulti(0, 1, { address, control })
        const nameRoom = address ? 128 : 0
        if (content.length < 16 + nameRoom + control) {
          t.throws(() => operation.parse(content), {
            instanceOf: RangeError,
            code: 'ERR_OUT_OF_RANGE',
            message: /^The value of "view\.byteLength" is out of range\. It must be >= \d+\. Received \d+$/,
          })
          return
        }
        const parsed = operation.parse(content)
        t.true(parsed.name.length <= nameRoom)
        t.true(parsed.bytes.length <= content.length - 16 - nameRoom - control)
      }),
    ),
  )
  const operation = new RecvMsgMulti(0, 1)
  for (const view of [undefined, null, 'text', 16, [], {}]) {
    t.throws(() => operation.parse(view as never), { code: 'ERR_INVALID_ARG_TYPE', message: /"view"/ })
  }
})

test('RecvMsgMulti: parse accepts any kind of memory, and returns views of it', (t) => {
  const operation = new RecvMsgMulti(0, 1, { address: 4 })
  const content = out(Buffer.from('name'), 4, Buffer.alloc(0), 0, Buffer.from('payload'), 0)
  const shared = new SharedArrayBuffer(content.length)
  new Uint8Array(shared).set(content)
  for (const view of [
    content,
    new Uint8Array(content),
    new Uint8Array(content).buffer,
    shared,
    new DataView(new Uint8Array(content).buffer),
  ]) {
    t.is(operation.parse(view).bytes.toString(), 'payload')
  }
  const { bytes, name } = operation.parse(content)
  content.fill('x')
  t.is(bytes.toString(), 'xxxxxxx')
  t.is(name.toString(), 'xxxx')
  // parse uses the present values of the options.
  operation.address = 3
  t.is(operation.parse(content.fill(0)).bytes.length, 0)
  operation.address = -1
  t.throws(() => operation.parse(content), { code: 'ERR_OUT_OF_RANGE', message: /"options\.address"/ })
})

test('parseMessage: decodes the layout of io_uring_recvmsg_out', (t) => {
  const bytes = Buffer.from(
    '10000000' +
      '14000000' +
      '05000000' +
      '20000000' + // lengths of name, control and payload, flags
      '02000035' +
      '7f000001' +
      '0000000000000000' +
      '1400000000000000' +
      '0100000001000000' +
      '07000000' +
      'eeeeeeee' +
      '68656c6c6f',
    'hex',
  )
  t.like(parseMessage(bytes, { name: 16, control: 24 }, 'view'), {
    bytes: Buffer.from('hello'),
    address: { family: 'IPv4', address: '127.0.0.1', port: 53 },
    flags: 0x20,
    nameLength: 16,
    payloadLength: 5,
  })
  t.deepEqual(plain(parseMessage(bytes, { name: 16, control: 24 }, 'view').control), [[1, 1, [7, 0, 0, 0]]])
  t.is(parseMessage(Buffer.alloc(16), { name: 0, control: 0 }, 'view').address, undefined)
})

test('RecvMsg, RecvMsgMulti: release() and Symbol.dispose of a message return its buffer', (t) => {
  let released = 0
  const received = (...views: Buffer[]): Received => ({
    views,
    bytes: Buffer.concat(views),
    release: () => void (released += 1),
    [Symbol.dispose]: () => t.fail(),
  })
  const header = Buffer.alloc(56)
  const block: InBlock = {
    address: 0,
    header,
    name: undefined,
    control: undefined,
    buffers: [],
    size: 0,
    iovecs: undefined,
    group: 1,
  }
  const space = { name: 0, control: 0 }
  const content = out(Buffer.alloc(0), 0, Buffer.alloc(0), 0, Buffer.from('text'), 0)
  const texts = [
    RecvMsg.decode(4, 0, { ...block, received: received(Buffer.from('text')) }),
    RecvMsg.decode(4, 0, { ...block, received: received(Buffer.from('te'), Buffer.from('xt')) }),
    Multi.decode(20, 0, { group: 1, space, received: received(content) }),
    RecvMsg.decode(0, 0, { ...block, received: received() }),
    Multi.decode(0, 0, { group: 1, space, received: received() }),
  ].map((value) => {
    const message = value as ReceivedMessage
    message.release()
    message[Symbol.dispose]()
    return message.bytes.toString()
  })
  t.deepEqual(texts, ['text', 'text', 'text', '', ''])
  t.is(released, 10)
})

test('SendMsg, SendMsgZc, RecvMsg, RecvMsgMulti, RecvZc: entries have the traits of their class', (t) => {
  const message = { buffers: [Buffer.alloc(1)] }
  for (const [operation, traits] of [
    [new SendMsg(0, message), 0],
    [new SendMsgZc(0, message), MULTISHOT | SINGLE_RESULT | OBSERVED],
    [new RecvMsg(0, message), 0],
    [new RecvMsg(0, { buffers: { group: 1 } }), OBSERVED],
    [new Multi(0, 1), MULTISHOT | OBSERVED],
    [new RecvZc(0), MULTISHOT],
  ] as const) {
    t.is(operation.build().traits, traits | BUILT, operation.constructor.name)
  }
})

test('SendMsg, SendMsgZc, RecvMsg: requested() returns the number of bytes', (t) => {
  const message = { buffers: [Buffer.alloc(3), new Uint16Array(2)] }
  const requested = (operation: SendMsg | SendMsgZc | RecvMsg<InMessage>): number | undefined => {
    const { operationClass, state } = operation.build() as Entry<unknown>
    return operationClass.requested(state)
  }
  t.is(requested(new SendMsg(0, message)), 7)
  t.is(requested(new SendMsgZc(0, message)), 7)
  t.is(requested(new RecvMsg(0, message)), 7)
  t.is(requested(new RecvMsg<InMessage>(0, { buffers: { group: 1, length: 5 } })), undefined)
})

test('RecvMsgMulti: the end of a stream returns its buffer, and is not re-armed', (t) => {
  const name = Buffer.from('name')
  for (const [sender, payload, ends] of [
    ['', '', true],
    ['name', '', false],
    ['', 'payload', false],
    ['name', 'payload', false],
  ] as const) {
    const entry = new Multi(0, 1, { address: 4, control: 8 }).build()
    const content = out(name.subarray(0, sender.length), 4, Buffer.alloc(0), 8, Buffer.from(payload), 0)
    let released = 0
    const received = { views: [content], bytes: content, release: () => void (released += 1) }
    const groups = { received: () => received } as unknown as Groups
    Multi.observe(groups, content.length, 1, entry.state)
    t.is(Multi.rearm(entry), !ends)
    t.is(released, ends ? 1 : 0)
    t.true(Multi.isEnd())
  }
  // An unknown or detached buffer is an error, not the end of the stream.
  for (const received of [undefined, { views: [], bytes: Buffer.alloc(0) }]) {
    const entry = new Multi(0, 1).build()
    Multi.observe({ received: () => received } as unknown as Groups, 16, 1, entry.state)
    t.true(Multi.rearm(entry))
  }
})
