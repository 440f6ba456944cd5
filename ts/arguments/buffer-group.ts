// Buffer groups as arguments: an operation names a group instead of memory.

import { integer, MAX_U16, MAX_U32 } from './validate.ts'

/** A buffer group: its number, or an object that has one as `group`, such as a `BufferRing`. */
export type GroupTarget = number | { readonly group: number }

/** Lets the kernel pick a buffer from a buffer group. */
export interface GroupBuffer {
  /** The buffer group. */
  readonly group: GroupTarget
  /** The most bytes to transfer; 0, the default, means as many as the buffer holds. */
  readonly length?: number
}

/** Returns the number of a buffer group. */
export function resolveGroup(group: unknown, name: string): number {
  const id = typeof group === 'object' && group !== null ? (group as { group?: unknown }).group : group
  return integer(id, name, 0, MAX_U16)
}

/** Returns `group` unchanged if it names a buffer group. */
export function checkGroup(group: GroupTarget, name = 'group'): GroupTarget {
  resolveGroup(group, name)
  return group
}

/** Tells a buffer group from memory. */
export function isGroup(target: unknown): target is GroupBuffer {
  return typeof target === 'object' && target !== null && !ArrayBuffer.isView(target) && 'group' in target
}

/** Returns the number of a buffer group and the most bytes to transfer. */
export function resolveGroupBuffer(target: GroupBuffer, name: string): { id: number; length: number } {
  const { group, length = 0 } = target
  return {
    id: resolveGroup(group, `${name}.group`),
    length: integer(length, `${name}.length`, 0, MAX_U32),
  }
}
