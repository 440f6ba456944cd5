// The cases of UringCmd16, UringCmd80, UringCmd128 and Nop128.

import * as fc from 'fast-check'
import {
  type Bytes,
  type FileTarget,
  FixedBuffer,
  FixedFile,
  Nop128,
  type NopOptions,
  type Operation,
  UringCmd128,
  UringCmd16,
  UringCmd80,
  type UringCmdOptions,
} from 'uring'
import { boolean, bytes, file, i32, mask, MAX_U64, u16, u32, wide } from '../base/arbitraries.ts'
import { type Case, define, fileFlags, FILES, given, indexOf, optional } from '../base/conformance-case.ts'
import { addressOf, contentOf, type Expected } from '../base/process-memory.ts'
import type { Fields, Value } from '../base/native-rows.ts'
import {
  allBut,
  type Bad,
  u16 as badU16,
  u32 as badU32,
  KINDS,
  RANGE,
  these,
  TYPE,
} from '../base/bad-values.ts'
import type { Subject } from '../base/argument-subject.ts'

/** Flags that both classes set, from <linux/io_uring.h>: not the facade's own constants. */
const CMD_FIXED = 1
const NOP = { INJECT_RESULT: 1, FILE: 2, FIXED_FILE: 4, FIXED_BUFFER: 8, TW: 16, CQE32: 32 } as const

type Given = [file: FileTarget, command: number, options: UringCmdOptions | undefined]

const fixed = fc.tuple(u16, bytes).map(([index, view]) => new FixedBuffer(index, view))
const address: fc.Arbitrary<Value | Bytes> = fc.oneof(wide(MAX_U64), bytes)

function optionsUpTo(most: number): fc.Arbitrary<UringCmdOptions | undefined> {
  const content = fc.oneof(
    fc.uint8Array({ maxLength: most }),
    fc.uint8Array({ minLength: most, maxLength: most }),
    fc.uint8Array({ maxLength: most }).map((data) => new DataView(data.slice().buffer)),
    fc.uint8Array({ maxLength: most }).map((data) => data.slice().buffer),
  )
  return optional<UringCmdOptions>({
    data: content as fc.Arbitrary<Bytes>,
    address,
    length: u32,
    optionLength: u32,
    fixedBuffer: fc.oneof(u16, fixed),
    flags: mask,
  })
}

function viewOf(options: UringCmdOptions | undefined): Buffer | undefined {
  return options?.fixedBuffer instanceof FixedBuffer ? options.fixedBuffer.view : undefined
}

function isMemory(address: UringCmdOptions['address']): address is Bytes {
  return typeof address === 'object'
}

/** Returns the words of the data, padded with zeros. */
function dataFields(data: Bytes | undefined, most: number): Fields {
  if (data === undefined) return {}
  const all = new Uint8Array(most)
  all.set(contentOf(data))
  const words = new BigUint64Array(all.buffer)
  return Object.fromEntries([...words].map((word, index) => [`data${index}`, word]))
}

function command(make: (given: Given) => Operation<unknown>, most: number): Case<unknown> {
  return define<Given>({
    arguments: fc.tuple(file, mask, optionsUpTo(most)),
    facade: make,
    native: ([file, command, options]) => {
      const { data, address, length, optionLength, fixedBuffer, flags = 0 } = options ?? {}
      const view = viewOf(options)
      const place = address ?? view
      const index = fixedBuffer instanceof FixedBuffer ? fixedBuffer.index : fixedBuffer
      return {
        fields: {
          file: indexOf(file),
          command: command >>> 0,
          ...given('address', isMemory(place) ? addressOf(place) : place),
          ...given('length', length ?? view?.byteLength),
          ...given('option_length', optionLength),
          ...given('buffer_index', index),
          cmd_flags: (fixedBuffer === undefined ? flags : flags | CMD_FIXED) >>> 0,
          ...dataFields(data, most),
        },
        flags: fileFlags(file),
      }
    },
    memory: ([, , options]) =>
      [options?.address, viewOf(options)]
        .filter((memory) => isMemory(memory))
        .map((memory): Expected => [addressOf(memory), contentOf(memory)]),
    variants: {
      ...FILES,
      'no options': ([, , options]) => options === undefined,
      'a command below zero': ([, command]) => command < 0,
      'the maximum of data': ([, , options]) => options?.data?.byteLength === most,
      'a byte of data': ([, , options]) => options?.data?.byteLength === 1,
      'no data': ([, , options]) => options?.data?.byteLength === 0,
      'an address that is a number': ([, , options]) => typeof options?.address === 'number',
      'an address beyond 2^53': ([, , options]) =>
        typeof options?.address === 'bigint' && options.address > 2n ** 53n,
      'an address of memory': ([, , options]) => isMemory(options?.address),
      'an address of no memory': ([, , options]) =>
        isMemory(options?.address) && options.address.byteLength === 0,
      'a registered buffer': ([, , options]) => viewOf(options) !== undefined,
      'a registered buffer alone': ([, , options]) =>
        viewOf(options) !== undefined && options?.address === undefined && options?.length === undefined,
      'a registered buffer, and an address': ([, , options]) =>
        viewOf(options) !== undefined && options?.address !== undefined,
      'a registered buffer, and no length': ([, , options]) =>
        viewOf(options) !== undefined && options?.length === 0,
      'a registered buffer by its slot': ([, , options]) => typeof options?.fixedBuffer === 'number',
      'flags with bit 31': ([, , options]) => ((options?.flags ?? 0) & (2 ** 31)) !== 0,
      'all options': ([, , options]) => Object.keys(options ?? {}).length === 6,
    },
  })
}

export const CONFORMANCE: Record<string, Case<unknown>> = {
  UringCmd16: command(([file, command, options]) => new UringCmd16(file, command, options), 16),

  UringCmd80: command(([file, command, options]) => new UringCmd80(file, command, options), 80),

  UringCmd128: command(([file, command, options]) => new UringCmd128(file, command, options), 80),

  Nop128: define<[NopOptions | undefined]>({
    arguments: fc.tuple(
      optional<NopOptions>({
        result: i32,
        file,
        fixedBuffer: fc.oneof(
          u16,
          u16.map((index) => ({ index })),
        ),
        taskWork: boolean,
        extra: fc.tuple(wide(MAX_U64), wide(MAX_U64)),
      }),
    ),
    facade: ([options]) => new Nop128(options),
    native: ([options = {}]) => {
      const { result, file, fixedBuffer, taskWork = false, extra } = options
      return {
        fields: {
          nop_flags:
            (result === undefined ? 0 : NOP.INJECT_RESULT) |
            (file === undefined ? 0 : NOP.FILE) |
            (file instanceof FixedFile ? NOP.FIXED_FILE : 0) |
            (fixedBuffer === undefined ? 0 : NOP.FIXED_BUFFER) |
            (taskWork ? NOP.TW : 0) |
            (extra === undefined ? 0 : NOP.CQE32),
          ...given('result', result),
          ...given('fd', file === undefined ? undefined : indexOf(file)),
          ...given('buffer_index', typeof fixedBuffer === 'object' ? fixedBuffer.index : fixedBuffer),
          ...given('extra1', extra?.[0]),
          ...given('extra2', extra?.[1]),
        },
      }
    },
    variants: {
      'no options': ([options]) => options === undefined,
      'only a file': ([options]) => Object.keys(options ?? {}).join() === 'file',
      'only a buffer': ([options]) => Object.keys(options ?? {}).join() === 'fixedBuffer',
      'only task work': ([options]) =>
        Object.keys(options ?? {}).join() === 'taskWork' && !!options?.taskWork,
      'only extra words': ([options]) => Object.keys(options ?? {}).join() === 'extra',
      'a registered file': ([options]) => options?.file instanceof FixedFile,
      'a result below zero': ([options]) => (options?.result ?? 0) < 0,
      'all options': ([options]) => Object.keys(options ?? {}).length === 5,
    },
  }),
}

function data(most: number): Bad[] {
  return [
    ...KINDS.bytes,
    ...these(
      [new Uint8Array(most + 1), new ArrayBuffer(1000), new BigUint64Array(most / 8 + 1)],
      RANGE,
      '.byteLength',
    ),
  ]
}

const badAddress: Bad[] = [
  ...allBut(['number', 'bigint', 'bytes']),
  ...these([-1, 1.5, Number.NaN, 2 ** 53, -1n, 2n ** 64n], RANGE),
  ...these([{ byteLength: 8 }], TYPE),
]
const fixedBuffer: Bad[] = [...badU16, ...these([{ index: 1 }, { index: 1, view: Buffer.alloc(8) }], TYPE)]

function commandArguments(Class: Subject['Class'], most: number): Subject {
  return {
    Class,
    positional: { file: [KINDS.file, () => 0], command: [KINDS.mask, () => 1] },
    options: {
      data: data(most),
      address: badAddress,
      length: badU32,
      optionLength: badU32,
      fixedBuffer,
      flags: KINDS.mask,
    },
  }
}

export const ARGUMENTS: Record<string, Subject> = {
  UringCmd16: commandArguments(UringCmd16, 16),
  UringCmd80: commandArguments(UringCmd80, 80),
  UringCmd128: commandArguments(UringCmd128, 80),
  Nop128: {
    Class: Nop128,
    positional: {},
    options: {
      result: KINDS.result,
      file: KINDS.file,
      fixedBuffer: KINDS.fixedBuffer,
      taskWork: KINDS.boolean,
      extra: KINDS.extra,
    },
  },
}
