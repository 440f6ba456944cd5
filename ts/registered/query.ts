// What the kernel has, in its own words.

import { constants } from 'node:os'
import { binding } from '../binding.ts'
import { systemError } from '../errors.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import { addressOf } from '../memory/address-of.ts'
import { kernelHas } from '../system/support.ts'
import { invalidType } from '../arguments/validate.ts'
import { keeping } from '../memory/keep-alive.ts'
import { unsupported } from './kernel-errors.ts'
import type { Registration } from './context.ts'

const REGISTER_PROBE = 8
const REGISTER_QUERY = 35
const OPCODES = 256
const PROBE_BYTES = 16
const PROBED_BYTES = 8
const SUPPORTED = 1
const HEADER_BYTES = 40
const PARAMS_BYTES = 120
/** A question that the kernel asks of no ring. */
const NO_RING = -1
const ROOM = 256
const { EACCES, EBADF, EINVAL, EOPNOTSUPP } = constants.errno

/** What `Ring.probe` answers. */
export class Probe {
  /** The highest opcode that the kernel knows. */
  readonly lastOp: number
  readonly #known: Uint8Array

  /** @internal */
  constructor(lastOp: number, known: Uint8Array) {
    this.lastOp = lastOp
    this.#known = known
  }

  /** Whether the kernel has an operation. */
  supports(
    operation: Pick<OperationClass, 'opcode'> & Partial<Pick<OperationClass, 'variantSince'>>,
  ): boolean {
    if (typeof operation?.opcode !== 'number')
      throw invalidType('operation', 'a class of operations', operation)
    const { opcode, variantSince } = operation
    return this.#known[opcode] === 1 && (variantSince === undefined || kernelHas(variantSince))
  }
}

export function probe(registration: Registration): Probe {
  const argument = Buffer.alloc(PROBE_BYTES + OPCODES * PROBED_BYTES) // struct io_uring_probe
  let result = registration.call(REGISTER_PROBE, argument, OPCODES)
  // A ring that is restricted may not ask, and any other one gets the same answer.
  if (result === -EACCES) result = probeElsewhere(argument)
  if (result === -EINVAL && !kernelHas('5.6')) throw unsupported(result, 'Ring.probe()', '5.6')
  if (result < 0) throw systemError(result, 'io_uring_register')
  const known = new Uint8Array(OPCODES)
  for (let opcode = 0; opcode < argument.readUInt8(1); opcode += 1) {
    known[opcode] = argument.readUInt16LE(PROBE_BYTES + opcode * PROBED_BYTES + 2) & SUPPORTED
  }
  return new Probe(argument.readUInt8(0), known)
}

function probeElsewhere(argument: Buffer): number {
  const fd = binding().rawSetup(1, Buffer.alloc(PARAMS_BYTES))
  if (fd < 0) return fd
  try {
    return binding().rawRegister(fd, REGISTER_PROBE, argument, OPCODES)
  } finally {
    binding().rawClose(fd)
  }
}

/** What `Ring.query` answers. Masks are made of the constants of the groups that they name. */
export interface Query {
  /** How many opcodes of operations there are: 0 to one less. */
  readonly operations: number
  /** How many opcodes of registrations there are. */
  readonly registrations: number
  /** How many questions the kernel answers here; 0 where it does not say. */
  readonly queries: number
  /** `Features`. */
  readonly features: number
  /** `SetupFlags`. */
  readonly setupFlags: number
  /** `EnterFlags`. */
  readonly enterFlags: number
  /** `SqeFlags`. */
  readonly sqeFlags: number
  /** Receiving without copies; absent where the kernel does not say (6.18). */
  readonly zcrx?: ZcrxQuery
  /** The memory of a ring's queues; absent where the kernel does not say (6.18). */
  readonly rings?: RingsQuery
}

/** What {@link Query} says of receiving without copies. */
export interface ZcrxQuery {
  /** Flags of a registration: a mask. */
  readonly registerFlags: number
  /** Flags of its area: a mask. */
  readonly areaFlags: number
  /** How many control operations there are. */
  readonly controls: number
  /** A mask of features. */
  readonly features: number
  /** Bytes of the refill ring's header. */
  readonly headerSize: number
  /** What its address has to be a multiple of. */
  readonly headerAlignment: number
}

/** What {@link Query} says of the memory of a ring's queues. */
export interface RingsQuery {
  /** Bytes of the header of the queues. */
  readonly headerSize: number
  /** What its address has to be a multiple of. */
  readonly headerAlignment: number
}

/** Questions. */
const ASK = { OPCODES: 0, ZCRX: 1, RINGS: 2 } as const

/** What the kernel answers to one question, and zeros behind it; `undefined` to one that it does not know. */
function ask(question: number): Buffer | undefined {
  const answer = Buffer.from(new ArrayBuffer(ROOM))
  const header = Buffer.from(new ArrayBuffer(HEADER_BYTES)) // struct io_uring_query_hdr
  header.writeBigUInt64LE(BigInt(addressOf(answer)), 8)
  header.writeUInt32LE(question, 16)
  header.writeUInt32LE(ROOM, 20)
  const result = keeping([answer], () => binding().rawRegister(NO_RING, REGISTER_QUERY, header, 0))
  // Before 6.13 the kernel looks for a ring at the descriptor first.
  if (result === -EINVAL || result === -EBADF) throw unsupported(result, 'Ring.query()', '6.18')
  if (result < 0) throw systemError(result, 'io_uring_register')
  const refused = header.readInt32LE(24)
  if (refused === -EOPNOTSUPP || refused === -EINVAL) return undefined
  if (refused < 0) throw systemError(refused, 'io_uring_register')
  return answer
}

/** A 64-bit field: masks that the kernel takes in 32 bits, and sizes. */
function wide(answer: Buffer, at: number): number {
  return Number(answer.readBigUInt64LE(at))
}

export function query(): Query {
  return decodeQuery(ask(ASK.OPCODES) ?? Buffer.alloc(ROOM), ask(ASK.ZCRX), ask(ASK.RINGS))
}

/** The kernel's three structs, where it has filled them in. */
export function decodeQuery(opcodes: Buffer, zcrx: Buffer | undefined, rings: Buffer | undefined): Query {
  return {
    operations: opcodes.readUInt32LE(0),
    registrations: opcodes.readUInt32LE(4),
    features: wide(opcodes, 8),
    setupFlags: wide(opcodes, 16),
    enterFlags: wide(opcodes, 24),
    sqeFlags: wide(opcodes, 32),
    queries: opcodes.readUInt32LE(40),
    ...(zcrx === undefined ? undefined : { zcrx: decodeZcrx(zcrx) }),
    ...(rings === undefined
      ? undefined
      : { rings: { headerSize: wide(rings, 0), headerAlignment: wide(rings, 8) } }),
  }
}

function decodeZcrx(answer: Buffer): ZcrxQuery {
  return {
    registerFlags: wide(answer, 0),
    areaFlags: wide(answer, 8),
    controls: answer.readUInt32LE(16),
    features: answer.readUInt32LE(20),
    headerSize: answer.readUInt32LE(24),
    headerAlignment: answer.readUInt32LE(28),
  }
}
