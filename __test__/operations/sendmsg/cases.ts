// The cases of SendMsg, SendMsgZc, RecvMsg, RecvMsgMulti and RecvZc.

import * as fc from 'fast-check'
import {
  type ControlMessage,
  type FileTarget,
  FixedBuffer,
  type GroupTarget,
  type InMessage,
  type OutMessage,
  RecvMsg,
  RecvMsgMulti,
  type RecvMsgMultiOptions,
  type RecvMsgOptions,
  RecvZc,
  type RecvZcOptions,
  SendMsg,
  type SendMsgOptions,
  SendMsgZc,
  type SendMsgZcOptions,
} from 'uring'
import { address, addressBytes } from '../../helpers/addresses.ts'
import {
  boolean,
  bytes,
  file,
  group,
  groupNumber,
  groupTarget,
  i32,
  isGroup,
  mask,
  MAX_I32,
  MAX_U32,
  struct,
  u16,
  u32,
  vector,
} from '../base/arbitraries.ts'
import type { Subject } from '../base/argument-subject.ts'
import { allBut, type Bad, KINDS, noInteger, these, TYPE, within } from '../base/bad-values.ts'
import { type Case, define, fileFlags, FILES, given, indexOf, optional } from '../base/conformance-case.ts'
import type { Fields } from '../base/native-rows.ts'
import { contentOf, dataAt, type Expected, iovecsOf, memoryAt } from '../base/process-memory.ts'
import { MULTISHOT, ONE, SELECT, type FixedBits } from '../base/fixed-bits.ts'

/** Flags from <linux/io_uring.h>: not the facade's own constants. */
const RECVSEND = { POLL_FIRST: 1, FIXED_BUF: 4, ZC_REPORT_USAGE: 8 } as const

const MSGHDR_BYTES = 56
const SOCKADDR_STORAGE_BYTES = 128

// ---- control messages and their bytes

const controlMessage: fc.Arbitrary<ControlMessage> = fc.record({
  level: i32,
  type: i32,
  data: fc.uint8Array({ maxLength: 40 }),
})

function cmsg({ level, type, data }: ControlMessage): Uint8Array {
  const header = Buffer.alloc(16)
  header.writeBigUInt64LE(BigInt(16 + data.length))
  header.writeInt32LE(level, 8)
  header.writeInt32LE(type, 12)
  return Buffer.concat([header, data, Buffer.alloc((8 - (data.length % 8)) % 8)])
}

interface Out {
  readonly message: OutMessage
  readonly name: Uint8Array
  readonly control: Uint8Array
}

const out: fc.Arbitrary<Out> = fc
  .tuple(
    vector,
    fc.option(address),
    fc.oneof(fc.constant(undefined), fc.array(controlMessage, { maxLength: 4 }), bytes),
  )
  .map(([buffers, to, control]) => ({
    message: {
      buffers,
      ...(to === null ? {} : { address: to }),
      ...(control === undefined ? {} : { control }),
    },
    name: to === null ? new Uint8Array() : addressBytes(to),
    control:
      control === undefined
        ? new Uint8Array()
        : Array.isArray(control)
          ? Buffer.concat(control.map(cmsg))
          : contentOf(control),
  }))

// ---- bytes that must be in memory

/** The pointers in a `struct msghdr` that only the facade knows. */
function pointers(addr: bigint): { name: bigint; iovecs: bigint; control: bigint } {
  const header = memoryAt(addr, MSGHDR_BYTES)
  return {
    name: header.readBigUInt64LE(0),
    iovecs: header.readBigUInt64LE(16),
    control: header.readBigUInt64LE(32),
  }
}

/** Returns the address of so many bytes: 0 if there are none, and else one that must not be 0. */
function pointer(address: bigint, length: number): bigint {
  if (length > 0 && address === 0n) throw new Error('there is no pointer')
  return length === 0 ? 0n : address
}

function outAt(addr: bigint, { message: { buffers }, name, control }: Out): Expected[] {
  const found = pointers(addr)
  const header = struct([
    pointer(found.name, name.length),
    BigInt(name.length),
    pointer(found.iovecs, buffers.length),
    BigInt(buffers.length),
    pointer(found.control, control.length),
    BigInt(control.length),
    0n,
  ])
  return [
    [addr, header],
    [found.name, name],
    [found.iovecs, iovecsOf(buffers)],
    [found.control, control],
    ...[...new Set(buffers)].map(dataAt),
  ]
}

function inAt(addr: bigint, { buffers, address = false, control = 0 }: InMessage): Expected[] {
  const found = pointers(addr)
  const name = address ? SOCKADDR_STORAGE_BYTES : 0
  const iovecs = isGroup(buffers)
    ? (buffers.length ?? 0) === 0
      ? new Uint8Array()
      : struct([0n, BigInt(buffers.length ?? 0)])
    : iovecsOf(buffers)
  const header = struct([
    pointer(found.name, name),
    BigInt(name),
    pointer(found.iovecs, iovecs.length),
    BigInt(iovecs.length / 16),
    pointer(found.control, control),
    BigInt(control),
    0n,
  ])
  return [
    [addr, header],
    [found.name, new Uint8Array(name)],
    [found.iovecs, iovecs],
    [found.control, new Uint8Array(control)],
  ]
}

// ---- common fields

function optionFields(options: SendMsgOptions | undefined, ioprio = 0): Fields {
  return {
    ...given('msg_flags', options?.flags === undefined ? undefined : options.flags >>> 0),
    ioprio: ioprio | (options?.pollFirst === true ? RECVSEND.POLL_FIRST : 0),
  }
}

const messageOptions = optional<SendMsgOptions>({ flags: mask, pollFirst: boolean })

type Given<M, O> = [file: FileTarget, message: M, options: O | undefined]

const SENDS: Record<string, (given: Given<Out, SendMsgOptions>) => boolean> = {
  ...FILES,
  'no options': ([, , options]) => options === undefined,
  'only flags': ([, , options]) => Object.keys(options ?? {}).join() === 'flags',
  'only pollFirst': ([, , options]) =>
    Object.keys(options ?? {}).join() === 'pollFirst' && !!options?.pollFirst,
  'flags with bit 31': ([, , options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
  'flags below zero': ([, , options]) => (options?.flags ?? 0) < 0,
  'only buffers': ([, { message }]) => Object.keys(message).join() === 'buffers',
  'no buffers': ([, { message }]) => message.buffers.length === 0,
  'as many buffers as there can be': ([, { message }]) => message.buffers.length === 1024,
  'an empty buffer': ([, { message }]) => message.buffers.some(({ byteLength }) => byteLength === 0),
  'an address': ([, { message }]) => message.address !== undefined && message.control === undefined,
  'control messages': ([, { message }]) =>
    Array.isArray(message.control) && message.control.length > 1 && message.address === undefined,
  'control messages whose data has no whole words': ([, { message }]) =>
    Array.isArray(message.control) && message.control.some(({ data }) => data.length % 8 !== 0),
  'control messages without data': ([, { message }]) =>
    Array.isArray(message.control) && message.control.some(({ data }) => data.length === 0),
  'no control messages': ([, { message }]) => Array.isArray(message.control) && message.control.length === 0,
  'the bytes of control messages': ([, { message }]) =>
    ArrayBuffer.isView(message.control) && message.control.byteLength > 0,
  'the bytes of control messages in a buffer': ([, { message }]) =>
    message.control instanceof ArrayBuffer && message.control.byteLength > 0,
  'an address and control messages': ([, { message }]) =>
    message.address !== undefined && Array.isArray(message.control) && message.control.length > 0,
}

type ZcGiven = Given<Out, SendMsgZcOptions>

export const CONFORMANCE: Record<string, Case<unknown>> = {
  SendMsg: define<Given<Out, SendMsgOptions>>({
    arguments: fc.tuple(file, out, messageOptions),
    facade: ([file, { message }, options]) => new SendMsg(file, message, options),
    native: ([file, , options], { addr }) => ({
      fields: { file: indexOf(file), message: addr, ...optionFields(options) },
      flags: fileFlags(file),
    }),
    memory: ([, out], { addr }) => outAt(addr, out),
    variants: SENDS,
  }),

  SendMsgZc: define<ZcGiven>({
    arguments: fc.tuple(
      file,
      out,
      optional<SendMsgZcOptions>({
        flags: mask,
        pollFirst: boolean,
        fixedBuffer: fc.oneof(
          u16,
          u16.map((index) => ({ index })),
          u16.map((index) => new FixedBuffer(index, Buffer.alloc(1))),
        ),
        reportUsage: boolean,
      }),
    ),
    facade: ([file, { message }, options]) => new SendMsgZc(file, message, options),
    native: ([file, , options], { addr }) => {
      const { fixedBuffer, reportUsage = false } = options ?? {}
      const ioprio =
        (fixedBuffer === undefined ? 0 : RECVSEND.FIXED_BUF) | (reportUsage ? RECVSEND.ZC_REPORT_USAGE : 0)
      return {
        fields: {
          file: indexOf(file),
          message: addr,
          ...optionFields(options, ioprio),
          ...given('buffer_index', typeof fixedBuffer === 'object' ? fixedBuffer.index : fixedBuffer),
        },
        flags: fileFlags(file),
      }
    },
    memory: ([, out], { addr }) => outAt(addr, out),
    variants: {
      ...(SENDS as Record<string, (given: ZcGiven) => boolean>),
      'only a registered buffer, by number': ([, , options]) =>
        Object.keys(options ?? {}).join() === 'fixedBuffer' && typeof options?.fixedBuffer === 'number',
      'only a registered buffer': ([, , options]) =>
        Object.keys(options ?? {}).join() === 'fixedBuffer' && options?.fixedBuffer instanceof FixedBuffer,
      'registered buffer 0': ([, , options]) => options?.fixedBuffer === 0,
      'only reportUsage': ([, , options]) =>
        Object.keys(options ?? {}).join() === 'reportUsage' && !!options?.reportUsage,
      'all options': ([, , options]) =>
        Object.keys(options ?? {}).length === 4 && !!options?.reportUsage && !!options.pollFirst,
    },
  }),

  RecvMsg: define<Given<InMessage, RecvMsgOptions>>({
    arguments: fc.tuple(
      file,
      fc.record(
        {
          buffers: fc.oneof({ arbitrary: vector, weight: 2 }, group),
          address: boolean,
          control: fc.oneof(fc.nat(300), fc.constantFrom(0, 1, 20_000)),
        },
        { requiredKeys: ['buffers'] },
      ),
      messageOptions,
    ),
    facade: ([file, message, options]) => new RecvMsg(file, message, options),
    native: ([file, { buffers }, options], { addr }) => ({
      fields: {
        file: indexOf(file),
        message: addr,
        ...optionFields(options),
        ...given('group', isGroup(buffers) ? groupNumber(buffers.group) : undefined),
      },
      flags: fileFlags(file),
    }),
    memory: ([, message], { addr }) => inAt(addr, message),
    variants: {
      ...FILES,
      'no options': ([, , options]) => options === undefined,
      'flags with bit 31': ([, , options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
      'only pollFirst': ([, , options]) =>
        Object.keys(options ?? {}).join() === 'pollFirst' && !!options?.pollFirst,
      'only buffers': ([, message]) => Object.keys(message).join() === 'buffers' && !isGroup(message.buffers),
      'no buffers': ([, { buffers }]) => !isGroup(buffers) && buffers.length === 0,
      'as many buffers as there can be': ([, { buffers }]) => !isGroup(buffers) && buffers.length === 1024,
      'an address': ([, { address, control }]) => address === true && control === undefined,
      'no address': ([, { address }]) => address === false,
      'room for control messages': ([, { address, control = 0 }]) => address === undefined && control > 0,
      'much room for control messages': ([, { control = 0 }]) => control > 16 * 1024,
      'address and control messages': ([, { address, control = 0 }]) => address === true && control > 0,
      'a group by number': ([, { buffers }]) => isGroup(buffers) && typeof buffers.group === 'number',
      'a group by object': ([, { buffers }]) => isGroup(buffers) && typeof buffers.group === 'object',
      'a group, with a length': ([, { buffers }]) => isGroup(buffers) && (buffers.length ?? 0) > 0,
      'a group, without a length': ([, { buffers }]) => isGroup(buffers) && buffers.length === undefined,
      'a group of a registered file': ([file, { buffers }]) => isGroup(buffers) && 'index' in Object(file),
      'a group, address and control messages': ([, { buffers, address, control = 0 }]) =>
        isGroup(buffers) && address === true && control > 0,
    },
  }),

  RecvMsgMulti: define<Given<GroupTarget, RecvMsgMultiOptions>>({
    arguments: fc.tuple(
      file,
      groupTarget,
      optional<RecvMsgMultiOptions>({
        flags: mask,
        pollFirst: boolean,
        address: fc.oneof(boolean, fc.nat(MAX_I32), fc.constantFrom(0, 16, MAX_I32)),
        control: fc.oneof(fc.nat(MAX_I32), fc.constantFrom(0, 24, MAX_I32)),
      }),
    ),
    facade: ([file, group, options]) => new RecvMsgMulti(file, group, options),
    native: ([file, group, options], { addr }) => ({
      fields: { file: indexOf(file), message: addr, group: groupNumber(group), ...optionFields(options) },
      flags: fileFlags(file),
    }),
    memory: ([, , options], { addr }) => {
      const { address = false, control = 0 } = options ?? {}
      const name = typeof address === 'number' ? address : address ? SOCKADDR_STORAGE_BYTES : 0
      return [[addr, struct([0n, BigInt(name), 0n, 0n, 0n, BigInt(control), 0n])]]
    },
    variants: {
      ...FILES,
      'no options': ([, , options]) => options === undefined,
      'a group by number': ([, group]) => typeof group === 'number',
      'a group by object': ([, group]) => typeof group === 'object',
      'room for any address': ([, , options]) => options?.address === true,
      'no room for an address': ([, , options]) => options?.address === false,
      'so much room for an address': ([, , options]) =>
        typeof options?.address === 'number' && options.address > 0,
      'only room for control messages': ([, , options]) =>
        Object.keys(options ?? {}).join() === 'control' && (options?.control ?? 0) > 0,
      'only flags': ([, , options]) => Object.keys(options ?? {}).join() === 'flags',
      'only pollFirst': ([, , options]) =>
        Object.keys(options ?? {}).join() === 'pollFirst' && !!options?.pollFirst,
    },
  }),

  RecvZc: define<[FileTarget, RecvZcOptions | undefined]>({
    arguments: fc.tuple(file, optional<RecvZcOptions>({ ifq: u32, length: u32, pollFirst: boolean })),
    facade: ([file, options]) => new RecvZc(file, options),
    native: ([file, options]) => ({
      fields: {
        file: indexOf(file),
        length: options?.length ?? 0,
        ...given('ifq', options?.ifq),
        ioprio: options?.pollFirst === true ? RECVSEND.POLL_FIRST : 0,
      },
      flags: fileFlags(file),
    }),
    variants: {
      ...FILES,
      'no options': ([, options]) => options === undefined,
      'only a queue': ([, options]) => Object.keys(options ?? {}).join() === 'ifq',
      'only a length': ([, options]) => Object.keys(options ?? {}).join() === 'length',
      'as much as there can be': ([, options]) => options?.length === MAX_U32,
      'only pollFirst': ([, options]) =>
        Object.keys(options ?? {}).join() === 'pollFirst' && !!options?.pollFirst,
    },
  }),
}

// ---- arguments

const MIN_I32 = -0x8000_0000

const aFile = [KINDS.file, () => 0] as const
const aBuffer = { buffers: [Buffer.alloc(8)] }

/** Arrays with one of these bad values as an element. */
function inside(index: number, before: readonly unknown[], kind: readonly Bad[]): Bad[] {
  return kind.map(([value, code, inside = '']) => [[...before, value], code, `[${index}]${inside}`])
}

const noMessage: Bad[] = allBut(['object', 'bytes'])
/** Objects without buffers. */
const noBuffers: Bad[] = these(
  [{}, { buffers: undefined }, { address: { path: '' } }, new Uint8Array(8), new ArrayBuffer(8)],
  TYPE,
  '.buffers',
)

const aControlMessage = { level: 1, type: 1, data: Buffer.alloc(4) }
const badControlMessage: Bad[] = [
  ...allBut(['object', 'array', 'bytes']),
  ...these([{}, [], new Uint8Array(8)], TYPE, '.level'),
  ...within('level', noInteger(MIN_I32, MAX_I32), { type: 1, data: Buffer.alloc(4) }),
  ...within('type', noInteger(MIN_I32, MAX_I32), { level: 1, data: Buffer.alloc(4) }),
  ...within('data', allBut(['bytes']), { level: 1, type: 1 }),
  ...these([{ level: 1, type: 1 }], TYPE, '.data'),
  ...within('data', these([new ArrayBuffer(8), new DataView(new ArrayBuffer(8)), 'text'], TYPE), {
    level: 1,
    type: 1,
  }),
]
const controlMessages: Bad[] = [
  ...allBut(['undefined', 'array', 'bytes']),
  ...these([{ length: 1, 0: aControlMessage }, new Set([aControlMessage])], TYPE),
  ...inside(0, [], badControlMessage),
  ...inside(1, [aControlMessage], badControlMessage),
  ...these([Object.assign([aControlMessage], { length: 3 })], TYPE, '[1]'),
]

const outMessage: Bad[] = [
  ...noMessage,
  ...noBuffers,
  ...within('buffers', KINDS.vector),
  ...within('address', KINDS.address, aBuffer),
  ...within('control', controlMessages, aBuffer),
]

const inMessage: Bad[] = [
  ...noMessage,
  ...noBuffers,
  ...within('buffers', KINDS.vector).filter(([value]) => !('group' in Object(Object(value).buffers))),
  ...within('buffers', KINDS.groupBuffer),
  ...within('address', KINDS.boolean, aBuffer),
  ...within('control', KINDS.i31, aBuffer),
]

const common = { flags: KINDS.mask, pollFirst: KINDS.boolean }

export const ARGUMENTS: Record<string, Subject> = {
  SendMsg: {
    Class: SendMsg,
    positional: { file: aFile, message: [outMessage, () => aBuffer] },
    options: common,
  },
  SendMsgZc: {
    Class: SendMsgZc,
    positional: { file: aFile, message: [outMessage, () => aBuffer] },
    options: { ...common, fixedBuffer: KINDS.fixedBuffer, reportUsage: KINDS.boolean },
  },
  RecvMsg: {
    Class: RecvMsg,
    positional: { file: aFile, message: [inMessage, () => aBuffer] },
    options: common,
  },
  RecvMsgMulti: {
    Class: RecvMsgMulti,
    positional: { file: aFile, group: [KINDS.group, () => 1] },
    options: {
      ...common,
      address: KINDS.i31.filter(([value]) => typeof value !== 'boolean'),
      control: KINDS.i31,
    },
  },
  RecvZc: {
    Class: RecvZc,
    positional: { file: aFile },
    options: { ifq: KINDS.u32, length: KINDS.u32, pollFirst: KINDS.boolean },
  },
}

/** Bits that are always set. */
export const FIXED: Record<string, readonly FixedBits[]> = {
  SendMsg: [ONE],
  RecvMsg: [ONE],
  RecvMsgMulti: [ONE, SELECT, MULTISHOT],
  SendMsgZc: [ONE],
  RecvZc: [MULTISHOT],
}
