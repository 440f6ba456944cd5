// A chain: operations that run one after the other, and one promise for all of them.

import { AbortError, ChainError, type Outcome, shortError, TimeoutError, type UringError } from './errors.ts'
import { CqeFlags } from './flags.ts'
import type { OperationClass } from './kind.ts'
import { errorOf } from './outcome.ts'
import type { FileTarget } from './registered/files.ts'
import type { Task } from './scheduler.ts'
import type { Abortable } from './signals.ts'
import type { Token } from './slots.ts'
import { isCancelled } from './tasks.ts'

const { MORE } = CqeFlags

/** What a chain needs of its ring. */
export interface ChainHost {
  cancel(token: Token): void
  /** Closes what came after the chain was cancelled. */
  discard(file: FileTarget): void
  /** Takes listeners and timers away. */
  done(): void
}

class Step implements Task {
  readonly ref: boolean
  readonly many = false
  readonly chain: Chain
  readonly index: number
  /** The class of the operation. */
  operation = ''
  first: number | undefined = undefined
  token: Token = 0
  outcome: Outcome | undefined = undefined
  /** Bytes that it was asked to move, if that is known. */
  asked: number | undefined = undefined

  constructor(chain: Chain, index: number, ref: boolean) {
    this.chain = chain
    this.index = index
    this.ref = ref
  }

  complete(kind: OperationClass, result: number, flags: number, state: unknown): void {
    this.first ??= result
    if ((flags & MORE) !== 0) return
    const final = (flags & CqeFlags.NOTIF) === 0 ? result : this.first
    this.operation = kind.name
    this.asked = kind.asked(state)
    if (kind.failed(final) || !kind.intact(final, state)) {
      this.outcome = { result: final, error: errorOf(kind, final, state) }
    } else {
      this.outcome = { result: final, value: kind.decode(final, flags, state) }
      if (this.chain.isCancelled) this.discard(kind.leftover(final, state))
    }
    this.chain.arrived()
  }

  discard(file: FileTarget | undefined): void {
    if (file !== undefined) this.chain.host.discard(file)
  }
}

export class Chain implements Abortable {
  readonly host: ChainHost
  readonly steps: readonly Step[]
  readonly #hard: boolean
  readonly #resolve: (values: unknown[]) => void
  readonly #reject: (error: unknown) => void
  #left: number
  #reason: { readonly value: unknown } | undefined
  #milliseconds: number | undefined

  constructor(
    host: ChainHost,
    length: number,
    settings: { hard: boolean; ref: boolean },
    resolve: (values: unknown[]) => void,
    reject: (error: unknown) => void,
  ) {
    this.host = host
    this.steps = Array.from({ length }, (_, index) => new Step(this, index, settings.ref))
    this.#hard = settings.hard
    this.#resolve = resolve
    this.#reject = reject
    this.#left = length
  }

  get isCancelled(): boolean {
    return this.#reason !== undefined || this.#milliseconds !== undefined
  }

  /** The signal. */
  abort(reason: unknown): void {
    this.#reason ??= { value: reason }
    this.#cancelNext()
  }

  /** The timeout. */
  expire(milliseconds: number): void {
    this.#milliseconds ??= milliseconds
    this.#cancelNext()
  }

  /** A step is done. */
  arrived(): void {
    this.#left -= 1
    if (this.#left > 0) {
      if (this.isCancelled) this.#cancelNext()
      return
    }
    this.host.done()
    const outcomes = this.steps.flatMap(({ outcome }) => outcome ?? [])
    const broken = this.#broken(outcomes)
    if (broken === undefined) this.#resolve(outcomes.map(({ value }) => value))
    else this.#reject(this.#failure(broken.step, broken.error, outcomes))
  }

  /** A step that has not begun cannot be found: the first that is not done, then the next. */
  #cancelNext(): void {
    const next = this.steps.find(({ outcome }) => outcome === undefined)
    if (next !== undefined) this.host.cancel(next.token)
  }

  /** The step that broke the chain: one that failed, or one whose short transfer let the next one be cancelled. */
  #broken(outcomes: Outcome[]): { step: number; error: UringError } | undefined {
    const step = outcomes.findIndex(({ error }) => error !== undefined)
    const failed = outcomes[step]
    if (failed?.error === undefined) return undefined
    const before = this.steps[step - 1]
    const outcome = outcomes[step - 1]
    if (before?.asked === undefined || outcome === undefined || outcome.result >= before.asked)
      return { step, error: failed.error }
    if (this.#hard || this.isCancelled || !isCancelled(failed.result)) return { step, error: failed.error }
    const error = shortError(before.operation, outcome.result)
    outcomes[step - 1] = { ...outcome, error }
    return { step: step - 1, error }
  }

  #failure(step: number, error: UringError, outcomes: readonly Outcome[]): unknown {
    const failure = new ChainError(step, error, outcomes)
    if (!isCancelled(outcomes[step]?.result ?? 0)) return failure
    if (this.#reason !== undefined) {
      Object.defineProperty(failure, 'cause', {
        value: this.#reason.value,
        configurable: true,
        writable: true,
      })
      return new AbortError(failure)
    }
    if (this.#milliseconds !== undefined) return new TimeoutError(this.#milliseconds, failure)
    return failure
  }
}
