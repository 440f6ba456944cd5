// Keeps memory alive during a system call that gets only its address.

const kept = new Set<readonly object[]>()

/**
 * Returns the result of `call`, and keeps `objects` alive until it returns. A local variable is not enough: the garbage
 * collector may free what it refers to as soon as it is not read again.
 */
export function keeping<T>(objects: readonly object[], call: () => T): T {
  kept.add(objects)
  try {
    return call()
  } finally {
    kept.delete(objects)
  }
}
