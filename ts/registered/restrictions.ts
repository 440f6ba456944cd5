// Restrictions: the operations, registrations and entry flags that a ring allows.

import { type Registering, REGISTRATION } from '../arguments/ring.ts'
import { integer, invalidType, invalidValue, MAX_U8 } from '../arguments/validate.ts'
import { unsupportedError, UringError } from '../errors.ts'
import { SetupFlags, SqeFlags } from '../flags/index.ts'
import {
  IORING_REGISTER_ENABLE_RINGS,
  IORING_REGISTER_FILES,
  IORING_REGISTER_RESTRICTIONS,
  IORING_REGISTER_SYNC_CANCEL,
  IORING_RESTRICTION_REGISTER_OP,
  IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
  IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
  IORING_RESTRICTION_SQE_OP,
  IORING_UNREGISTER_FILES,
} from '../flags/registrations.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import { CANCELLATION_FLAGS } from '../operations/base/cancel-target.ts'
import { AsyncCancel } from '../operations/cancel.ts'
import type { Boundary, Restricted } from '../ring/boundary.ts'
import { kernelHas } from '../system/support.ts'
import type { Registration } from './context.ts'

/**
 * Allows one thing on a restricted ring: an operation, by its class or its opcode; a registration, by its opcode; entry
 * flags (`SqeFlags`) that an entry may have; or entry flags that every entry must have.
 */
export type Restriction =
  | { readonly operation: Pick<OperationClass, 'opcode'> | number }
  | { readonly register: number }
  | { readonly flagsAllowed: number }
  | { readonly flagsRequired: number }

const KEYS = ['operation', 'register', 'flagsAllowed', 'flagsRequired'] as const
const BYTES = 16 // struct io_uring_restriction

interface List {
  readonly operations: Set<number>
  readonly registers: Set<number>
  allowed: number
  required: number
}

/** Adds the restriction `item` to `list`. */
function add(list: List, item: unknown, name: string, { lacking }: Boundary): void {
  if (typeof item !== 'object' || item === null) throw invalidType(name, 'of type object', item)
  const values = KEYS.map((key) => (item as Record<string, unknown>)[key])
  const present = values.flatMap((value, index) => (value === undefined ? [] : [index]))
  const [index] = present
  if (index === undefined || present.length > 1)
    throw invalidValue(name, item, `must have exactly one of ${KEYS.join(', ')}`)
  const value = values[index]
  const path = `${name}.${KEYS[index]}`
  switch (KEYS[index]) {
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
    throw invalidType(name, 'an operation class or of type number', value)
  if (lacking[opcode] !== 0) throw unsupportedError(value as unknown as OperationClass)
  return opcode
}

/** Encodes restrictions for the kernel: their bytes, their number, and their effect on the rest of the ring. */
function encodeRestrictions(
  restrictions: readonly Restriction[],
  boundary: Boundary,
): { bytes: Uint8Array; count: number; restricted: Restricted } {
  if (!Array.isArray(restrictions)) throw invalidType('restrictions', 'an instance of Array', restrictions)
  const list: List = { operations: new Set(), registers: new Set(), allowed: 0, required: 0 }
  for (const [index, item] of restrictions.entries()) add(list, item, `restrictions[${index}]`, boundary)

  const skips = ((list.allowed | list.required) & SqeFlags.CQE_SKIP_SUCCESS) !== 0
  if (skips && !(list.registers.has(IORING_REGISTER_FILES) && list.registers.has(IORING_UNREGISTER_FILES))) {
    throw invalidValue(
      'restrictions',
      restrictions,
      'allows CQE_SKIP_SUCCESS, so it must also allow the registrations 2 and 3: close() needs them to find out that all operations have ended',
    )
  }
  const polling = (boundary.native.setupFlags & SetupFlags.SQPOLL) !== 0
  if ((polling || !kernelHas('6.0')) && (list.required & ~CANCELLATION_FLAGS) !== 0) {
    throw invalidValue(
      'restrictions',
      restrictions,
      'requires entry flags that a cancellation cannot have, and this ring can only cancel by entries: it could not be closed',
    )
  }
  // close() cancels operations, so cancelling is always allowed.
  list.operations.add(AsyncCancel.opcode)
  if (kernelHas('6.0')) list.registers.add(IORING_REGISTER_SYNC_CANCEL)

  const rows: [type: number, value: number][] = [
    ...[...list.operations].map((opcode): [number, number] => [IORING_RESTRICTION_SQE_OP, opcode]),
    ...[...list.registers].map((opcode): [number, number] => [IORING_RESTRICTION_REGISTER_OP, opcode]),
    [IORING_RESTRICTION_SQE_FLAGS_ALLOWED, list.allowed],
    [IORING_RESTRICTION_SQE_FLAGS_REQUIRED, list.required],
  ]
  const bytes = Buffer.alloc(rows.length * BYTES)
  for (const [index, [type, value]] of rows.entries()) {
    bytes.writeUInt16LE(type, index * BYTES)
    bytes.writeUInt8(value, index * BYTES + 2)
  }
  return { bytes, count: rows.length, restricted: { required: list.required, skips } }
}

/** Registers restrictions, and applies them to the rest of the ring. */
export function registerRestrictions(ring: Registering, restrictions: readonly Restriction[]): void {
  const { bytes, count, restricted } = encodeRestrictions(restrictions, ring[REGISTRATION].boundary)
  const registration = ring[REGISTRATION] // a getter of the restrictions may have closed the ring
  registration.register(IORING_REGISTER_RESTRICTIONS, bytes, count)
  const { boundary } = registration
  boundary.restricted = restricted
  boundary.native.requireFlags(restricted.required)
}

/** Enables a ring. With restrictions, the promise API has to register its eventfd before they are in force. */
export function enableRing(registration: Registration): void {
  if (registration.boundary.restricted !== undefined) beginFlow(registration)
  registration.register(IORING_REGISTER_ENABLE_RINGS, null, 0)
  registration.scheduler()?.enabled()
}

/** Starts the promise API, unless the program uses the eventfd. */
function beginFlow(registration: Registration): void {
  try {
    registration.begin()
  } catch (error) {
    if (!(error instanceof UringError && error.code === 'ERR_URING_EVENTFD')) throw error
    // The program has registered an eventfd. run(), each(), chain() and start() throw this error when they are called.
  }
}
