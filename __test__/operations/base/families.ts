// The cases of all families of operations. Each folder beside this one is a family, and its cases.ts exports
// CONFORMANCE (how each operation is encoded), ARGUMENTS (which values each refuses) and, if some are always set, FIXED
// (bits of the entry).

import { readdirSync } from 'node:fs'
import type { Subject } from './argument-subject.ts'
import type { Case } from './conformance-case.ts'
import type { FixedBits } from './fixed-bits.ts'

interface Family {
  readonly CONFORMANCE?: Record<string, Case<unknown>>
  readonly ARGUMENTS?: Record<string, Subject>
  readonly FIXED?: Record<string, readonly FixedBits[]>
}

const FOLDER = new URL('../', import.meta.url)

const FAMILIES = (await Promise.all(
  readdirSync(FOLDER, { encoding: 'utf8', recursive: true })
    .filter((name) => /^[\w-]+\/cases\.ts$/.test(name))
    .map((name) => import(new URL(name, FOLDER).href)),
)) as readonly Family[]

/** How each operation is encoded, by its name. */
export const CONFORMANCE: Record<string, Case<unknown>> = Object.assign(
  {},
  ...FAMILIES.map((family) => family.CONFORMANCE),
)

/** The arguments of each operation, by its name. */
export const ARGUMENTS: Record<string, Subject> = Object.assign(
  {},
  ...FAMILIES.map((family) => family.ARGUMENTS),
)

/** The bits that are always set in the entry of an operation, by its name. */
export const FIXED: Record<string, readonly FixedBits[]> = Object.assign(
  {},
  ...FAMILIES.map((family) => family.FIXED),
)
