// Probes and queries: which operations, registrations and flags the kernel has.

import { constants } from 'node:os'
import { invalidType } from '../arguments/validate.ts'
import { binding } from '../binding.ts'
import { systemError } from '../errors.ts'
import {
  IORING_REGISTER_PROBE,
  IORING_REGISTER_QUERY,
  IO_URING_OP_SUPPORTED,
  IO_URING_QUERY_OPCODES,
  IO_URING_QUERY_SCQ,
  IO_URING_QUERY_ZCRX,
} from '../flags/registrations.ts'
import { addressOf } from '../memory/address-of.ts'
import { keeping } from '../memory/keep-alive.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import { kernelHas } from '../system/support.ts'
import type { Registration } from './context.ts'
import { unsupported } from './kernel-errors.ts'

const OPCODES = 256
const PROBE_BYTES = 16 // struct io_uring_probe
const PROBE_OP_BYTES = 8 // struct io_uring_probe_op
const HEADER_BYTES = 40 // struct io_uring_query_hdr
const PARAMS_BYTES = 120 // struct io_uring_params
/** In place of a descriptor: a query needs no ring. */
const NO_RING = -1
const ANSWER_BYTES = 256
const { EACCES, EBADF, EINVAL, EOPNOTSUPP } = constants.errno

/** The operations that the kernel has: {@link Ring.probe} returns it. */
export class Probe {
  /** The highest opcode that the kernel knows. */
  readonly lastOp: number
  readonly #known: Uint8Array

  /** @internal */
  constructor(lastOp: number, known: Uint8Array) {
    this.lastOp = lastOp
    this.#known = known
  }

  /** Tells if the kernel has an operation. @throws {TypeError} `operation` is not an operation class */
  supports(
    operation: Pick<OperationClass, 'opcode'> & Partial<Pick<OperationClass, 'variantSince'>>,
  ): boolean {
    if (typeof operation?.opcode !== 'number') throw invalidType('operation', 'an operation class', operation)
    const { opcode, variantSince } = operation
    return this.#known[opcode] === 1 && (variantSince === undefined || kernelHas(variantSince))
  }
}

/** Probes the operations of the kernel. */
export function probe(registration: Registration): Probe {
  const argument = Buffer.alloc(PROBE_BYTES + OPCODES * PROBE_OP_BYTES)
  let result = registration.call(IORING_REGISTER_PROBE, argument, OPCODES)
  // Restrictions refuse the probe. The answer does not depend on the ring, so probe with another one.
  if (result === -EACCES) result = probeElsewhere(argument)
  if (result === -EINVAL && !kernelHas('5.6')) throw unsupported(result, 'Ring.probe()', '5.6')
  if (result < 0) throw systemError(result, 'io_uring_register')
  const known = new Uint8Array(OPCODES)
  for (let opcode = 0; opcode < argument.readUInt8(1); opcode += 1) {
    known[opcode] = argument.readUInt16LE(PROBE_BYTES + opcode * PROBE_OP_BYTES + 2) & IO_URING_OP_SUPPORTED
  }
  return new Probe(argument.readUInt8(0), known)
}

/** Probes with a ring that has no restrictions. */
function probeElsewhere(argument: Buffer): number {
  const fd = binding().rawSetup(1, Buffer.alloc(PARAMS_BYTES))
  if (fd < 0) return fd
  try {
    return binding().rawRegister(fd, IORING_REGISTER_PROBE, argument, OPCODES)
  } finally {
    binding().rawClose(fd)
  }
}

/** The limits and flags of the kernel: {@link Ring.query} returns it. */
export interface Query {
  /** The number of operations: their opcodes are 0 to one less. */
  readonly operations: number
  /** The number of registrations: their opcodes are 0 to one less. */
  readonly registrations: number
  /** The number of queries; 0 if the kernel does not report it. */
  readonly queries: number
  /** The kernel's features: a mask of `Features`. */
  readonly features: number
  /** The flags of io_uring_setup(2): a mask of `SetupFlags`. */
  readonly setupFlags: number
  /** The flags of io_uring_enter(2): a mask of `EnterFlags`. */
  readonly enterFlags: number
  /** The flags of entries: a mask of `SqeFlags`. */
  readonly sqeFlags: number
  /** Zero-copy receive; absent if the kernel does not report it. */
  readonly zcrx?: ZcrxQuery
  /** The memory of a ring's queues; absent if the kernel does not report it. */
  readonly rings?: RingsQuery
}

/** The part of {@link Query} for zero-copy receive. */
export interface ZcrxQuery {
  /** The flags of a registration: a mask. */
  readonly registerFlags: number
  /** The flags of an area: a mask. */
  readonly areaFlags: number
  /** The number of control operations. */
  readonly controls: number
  /** The features: a mask. */
  readonly features: number
  /** Bytes of the refill ring's header. */
  readonly headerSize: number
  /** The alignment of this header, in bytes. */
  readonly headerAlignment: number
}

/** The part of {@link Query} for the memory of a ring's queues. */
export interface RingsQuery {
  /** Bytes of the header of the queues. */
  readonly headerSize: number
  /** The alignment of this header, in bytes. */
  readonly headerAlignment: number
}

/** Returns the answer to a query, padded with zeros; nothing if the kernel does not know the query. */
function ask(operation: number): Buffer | undefined {
  const answer = Buffer.from(new ArrayBuffer(ANSWER_BYTES))
  const header = Buffer.from(new ArrayBuffer(HEADER_BYTES))
  header.writeBigUInt64LE(BigInt(addressOf(answer)), 8)
  header.writeUInt32LE(operation, 16)
  header.writeUInt32LE(ANSWER_BYTES, 20)
  const result = keeping([answer], () => binding().rawRegister(NO_RING, IORING_REGISTER_QUERY, header, 0))
  // EBADF: before 6.13 the kernel looks up the descriptor first.
  if (result === -EINVAL || result === -EBADF) throw unsupported(result, 'Ring.query()', '6.18')
  if (result < 0) throw systemError(result, 'io_uring_register')
  const refused = header.readInt32LE(24)
  if (refused === -EOPNOTSUPP || refused === -EINVAL) return undefined
  if (refused < 0) throw systemError(refused, 'io_uring_register')
  return answer
}

/** Reads a 64-bit field. All masks and sizes fit in a number. */
function read64(answer: Buffer, at: number): number {
  return Number(answer.readBigUInt64LE(at))
}

/** Queries the kernel. */
export function query(): Query {
  return decodeQuery(
    ask(IO_URING_QUERY_OPCODES) ?? Buffer.alloc(ANSWER_BYTES),
    ask(IO_URING_QUERY_ZCRX),
    ask(IO_URING_QUERY_SCQ),
  )
}

/** Decodes the answers: the structs `io_uring_query_opcode`, `io_uring_query_zcrx` and `io_uring_query_scq`. */
export function decodeQuery(opcodes: Buffer, zcrx: Buffer | undefined, rings: Buffer | undefined): Query {
  return {
    operations: opcodes.readUInt32LE(0),
    registrations: opcodes.readUInt32LE(4),
    features: read64(opcodes, 8),
    setupFlags: read64(opcodes, 16),
    enterFlags: read64(opcodes, 24),
    sqeFlags: read64(opcodes, 32),
    queries: opcodes.readUInt32LE(40),
    ...(zcrx === undefined ? undefined : { zcrx: decodeZcrx(zcrx) }),
    ...(rings === undefined
      ? undefined
      : { rings: { headerSize: read64(rings, 0), headerAlignment: read64(rings, 8) } }),
  }
}

function decodeZcrx(answer: Buffer): ZcrxQuery {
  return {
    registerFlags: read64(answer, 0),
    areaFlags: read64(answer, 8),
    controls: answer.readUInt32LE(16),
    features: answer.readUInt32LE(20),
    headerSize: answer.readUInt32LE(24),
    headerAlignment: answer.readUInt32LE(28),
  }
}
