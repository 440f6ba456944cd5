// Memory that only an address names while the kernel uses it.

const kept = new Set<readonly object[]>()

/** Does something, and keeps `what` from being collected meanwhile: a variable that is not read again does not. */
export function keeping<T>(what: readonly object[], call: () => T): T {
  kept.add(what)
  try {
    return call()
  } finally {
    kept.delete(what)
  }
}
