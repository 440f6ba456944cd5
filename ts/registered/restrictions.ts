// What a ring may be asked for, once and for all.

import type { Boundary, Restricted } from '../ring/boundary.ts'
import { unsupportedError, UringError } from '../errors.ts'
import { SetupFlags, SqeFlags } from '../flags/index.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import { AsyncCancel, CANCELLATION_FLAGS } from '../operations/cancel.ts'
import { kernelHas } from '../system/support.ts'
import { integer, invalidType, invalidValue, MAX_U8 } from '../arguments/validate.ts'
import type { Registration } from './context.ts'

/**
 * One thing that a restricted ring may do: an operation, by its class or its opcode; a registration, by its opcode;
 * entry flags (`SqeFlags`) that an entry may have, and such that every entry has to have.
 */
export type Restriction =
  | { readonly operation: Pick<OperationClass, 'opcode'> | number }
  | { readonly register: number }
  | { readonly flagsAllowed: number }
  | { readonly flagsRequired: number }

const KINDS = ['operation', 'register', 'flagsAllowed', 'flagsRequired'] as const
/** `IORING_RESTRICTION_*`, in the order of `KINDS`, but for the first two. */
const REGISTER_OP = 0
const SQE_OP = 1
const SQE_FLAGS_ALLOWED = 2
const SQE_FLAGS_REQUIRED = 3
const BYTES = 16 // struct io_uring_restriction

const REGISTER_RESTRICTIONS = 11
const ENABLE_RINGS = 12
const REGISTER_FILES = 2
const UNREGISTER_FILES = 3
const SYNC_CANCEL = 24

interface List {
  readonly operations: Set<number>
  readonly registers: Set<number>
  allowed: number
  required: number
}

/** Adds what `item` says. */
function add(list: List, item: unknown, name: string, { lacking }: Boundary): void {
  if (typeof item !== 'object' || item === null) throw invalidType(name, 'of type object', item)
  const values = KINDS.map((kind) => (item as Record<string, unknown>)[kind])
  const present = values.flatMap((value, index) => (value === undefined ? [] : [index]))
  const [index] = present
  if (index === undefined || present.length > 1)
    throw invalidValue(name, item, `must have exactly one of ${KINDS.join(', ')}`)
  const value = values[index]
  const path = `${name}.${KINDS[index]}`
  switch (KINDS[index]) {
    case 'operation':
      list.operations.add(operationOf(value, path, lacking))
      break
    case 'register':
      list.registers.add(integer(value, path, 0, MAX_U8))
      break
    case 'flagsAllowed':
      list.allowed |= integer(value, path, 0, MAX_U8)
      break
    default:
      list.required |= integer(value, path, 0, MAX_U8)
  }
}

function operationOf(value: unknown, name: string, lacking: Uint8Array): number {
  if (typeof value === 'number') return integer(value, name, 0, MAX_U8)
  const { opcode } = (value ?? {}) as Partial<OperationClass>
  if (typeof value !== 'function' || typeof opcode !== 'number')
    throw invalidType(name, 'a class of operations or of type number', value)
  if (lacking[opcode] !== 0) throw unsupportedError(value as unknown as OperationClass)
  return opcode
}

/** Restrictions for the kernel: their bytes, how many they are, and what they mean for the rest of the ring. */
function encodeRestrictions(
  restrictions: readonly Restriction[],
  boundary: Boundary,
): { bytes: Uint8Array; count: number; restricted: Restricted } {
  if (!Array.isArray(restrictions)) throw invalidType('restrictions', 'an instance of Array', restrictions)
  const list: List = { operations: new Set(), registers: new Set(), allowed: 0, required: 0 }
  for (const [index, item] of restrictions.entries()) add(list, item, `restrictions[${index}]`, boundary)

  const skips = ((list.allowed | list.required) & SqeFlags.CQE_SKIP_SUCCESS) !== 0
  if (skips && !(list.registers.has(REGISTER_FILES) && list.registers.has(UNREGISTER_FILES))) {
    throw invalidValue(
      'restrictions',
      restrictions,
      'let entries skip their completions, so the registrations 2 and 3 have to be allowed: by these close() learns that everything has ended',
    )
  }
  const polling = (boundary.native.setupFlags & SetupFlags.SQPOLL) !== 0
  if ((polling || !kernelHas('6.0')) && (list.required & ~CANCELLATION_FLAGS) !== 0) {
    throw invalidValue(
      'restrictions',
      restrictions,
      'require entry flags that a cancellation cannot have, and this ring can cancel by entries only: it could not be closed',
    )
  }
  // A ring that may not cancel cannot be closed safely.
  list.operations.add(AsyncCancel.opcode)
  if (kernelHas('6.0')) list.registers.add(SYNC_CANCEL)

  const rows: [type: number, value: number][] = [
    ...[...list.operations].map((opcode): [number, number] => [SQE_OP, opcode]),
    ...[...list.registers].map((opcode): [number, number] => [REGISTER_OP, opcode]),
    [SQE_FLAGS_ALLOWED, list.allowed],
    [SQE_FLAGS_REQUIRED, list.required],
  ]
  const bytes = Buffer.alloc(rows.length * BYTES)
  for (const [index, [type, value]] of rows.entries()) {
    bytes.writeUInt16LE(type, index * BYTES)
    bytes.writeUInt8(value, index * BYTES + 2)
  }
  return { bytes, count: rows.length, restricted: { required: list.required, skips } }
}

/** Restrictions are registered, and the rest of the ring knows of them. */
export function registerRestrictions(ring: () => Registration, restrictions: readonly Restriction[]): void {
  const { bytes, count, restricted } = encodeRestrictions(restrictions, ring().boundary)
  const registration = ring() // what was asked above may have closed it
  registration.register(REGISTER_RESTRICTIONS, bytes, count)
  const { boundary } = registration
  boundary.restricted = restricted
  boundary.native.requireFlags(restricted.required)
}

/** Starts a ring. What its asynchronous flow needs of the kernel, it can ask for only now. */
export function enableRing(registration: Registration): void {
  if (registration.boundary.restricted !== undefined) beginFlow(registration)
  registration.register(ENABLE_RINGS, null, 0)
  registration.scheduler()?.enabled()
}

function beginFlow(registration: Registration): void {
  try {
    registration.begin()
  } catch (error) {
    if (!(error instanceof UringError && error.code === 'ERR_URING_EVENTFD')) throw error
    // The program's eventfd has the place, and whoever uses the flow is told.
  }
}
