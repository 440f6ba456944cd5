// Abort signals. Each signal has one listener for all of its operations: eleven listeners would print a warning, and a
// listener costs more than a no-op.

import { invalidType } from '../arguments/validate.ts'

/** An operation that a signal can cancel. */
export interface Abortable {
  abort(reason: unknown): void
}

interface Watch {
  readonly targets: Set<Abortable>
  readonly listener: () => void
}

/** Returns `signal`. @throws {TypeError} it is not an AbortSignal */
export function checkSignal(signal: AbortSignal | undefined, name: string): AbortSignal | undefined {
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalidType(name, 'an instance of AbortSignal', signal)
  return signal
}

export class Signals {
  readonly #watched = new Map<AbortSignal, Watch>()

  watch(signal: AbortSignal, target: Abortable): void {
    let watch = this.#watched.get(signal)
    if (watch === undefined) {
      const targets = new Set<Abortable>()
      const listener = (): void => {
        this.#watched.delete(signal)
        for (const each of targets) each.abort(signal.reason)
      }
      watch = { targets, listener }
      this.#watched.set(signal, watch)
      signal.addEventListener('abort', listener, { once: true })
    }
    watch.targets.add(target)
  }

  unwatch(signal: AbortSignal, target: Abortable): void {
    const watch = this.#watched.get(signal)
    if (watch === undefined || !watch.targets.delete(target) || watch.targets.size > 0) return
    this.#watched.delete(signal)
    signal.removeEventListener('abort', watch.listener)
  }
}
