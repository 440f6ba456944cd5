// Checks of what the promise API can take.

import { invalidType, invalidValue } from '../arguments/validate.ts'
import { type Entry, SUBMITTABLE } from '../entry/entry.ts'
import { MULTISHOT, SINGLE_RESULT } from '../entry/traits.ts'
import { SqeFlags } from '../flags/index.ts'
import type { Operation } from '../operations/base/operation.ts'
import type { Task } from './tasks.ts'

/** An operation or a built entry. */
export type Submittable = Operation<unknown> | Entry<unknown>

/** Entry flags that a single operation, or the last of a chain, cannot have. */
export const ALONE: number = SqeFlags.IO_LINK | SqeFlags.IO_HARDLINK | SqeFlags.CQE_SKIP_SUCCESS

/** Throws for what is no operation, and for entry flags that cannot be run. */
export function checkSubmittable(item: Submittable, name: string, flags: number): void {
  if (item?.[SUBMITTABLE] !== true) throw invalidType(name, 'an instance of Operation or Entry', item)
  const found = item.sqeFlags & flags
  if ((found & SqeFlags.CQE_SKIP_SUCCESS) !== 0)
    throw invalidValue(
      name,
      item,
      'uses skipSuccess(), so there is no completion to await: use push() instead',
    )
  if (found !== 0)
    throw invalidValue(
      name,
      item,
      'is linked, and there is no operation after it: use chain() to run several',
    )
}

/** Refuses a multishot operation for a task with one result, and any other for a task with many. */
export function checkMultishot({ multishot }: Task, traits: number, item: Submittable, name: string): void {
  const isMultishot = (traits & (MULTISHOT | SINGLE_RESULT)) === MULTISHOT
  if (multishot === undefined || multishot === isMultishot) return
  const reason = multishot ? 'completes only once: use run()' : 'completes any number of times: use each()'
  throw invalidValue(name, item, reason)
}
