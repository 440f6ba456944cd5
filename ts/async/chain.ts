// A chain: operations that run one after the other, and one promise for all of them.

import { constants } from 'node:os'
import { AbortError, ChainError, type Outcome, shortError, TimeoutError, type UringError } from '../errors.ts'
import { CqeFlags } from '../flags/index.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import { errorOf } from '../operations/base/error-of.ts'
import type { FileTarget } from '../arguments/file.ts'
import type { Task } from './scheduler.ts'
import type { Abortable } from './abort.ts'
import type { Token } from '../entry/token.ts'
import { isCancelled } from './tasks.ts'

const { MORE } = CqeFlags
const { ECANCELED } = constants.errno
/** Watches the step before it, and breaks nothing itself. */
const LINK_TIMEOUT = 'LinkTimeout'

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
  readonly multishot = false
  readonly chain: Chain
  readonly index: number
  /** The class of the operation. */
  operation = ''
  first: number | undefined = undefined
  token: Token = 0
  outcome: Outcome | undefined = undefined
  /** Bytes that it was asked to move, if that is known. */
  asked: number | undefined = undefined
  /** What it opened after the chain was cancelled. */
  #leftover: readonly FileTarget[] = []

  constructor(chain: Chain, index: number, ref: boolean) {
    this.chain = chain
    this.index = index
    this.ref = ref
  }

  complete(operationClass: OperationClass, result: number, flags: number, state: unknown): void {
    this.first ??= result
    if ((flags & MORE) !== 0) return
    const final = (flags & CqeFlags.NOTIF) === 0 ? result : this.first
    this.operation = operationClass.name
    if (operationClass.failed(final) || !operationClass.intact(final, state)) {
      this.outcome = { result: final, error: errorOf(operationClass, final, state) }
    } else {
      this.asked = operationClass.requested(state)
      try {
        this.outcome = { result: final, value: operationClass.decode(final, flags, state) }
      } catch (error) {
        this.outcome = { result: final, error: error as UringError } // the memory of a group is gone
      }
      if (this.chain.isCancelled) this.#leftover = operationClass.leftover(final, state)
    }
    this.chain.arrived()
  }

  /** Closes what came after the chain was cancelled, if anything did: nobody takes it. */
  discard(): boolean {
    for (const file of this.#leftover) this.chain.host.discard(file)
    return this.#leftover.length > 0
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
    if (this.#milliseconds === undefined) this.#reason ??= { value: reason }
    this.#cancelNext()
  }

  /** The timeout. */
  expire(milliseconds: number): void {
    if (this.#reason === undefined) this.#milliseconds ??= milliseconds
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
    const found = { step, error: failed.error }
    if (this.isCancelled) return found
    const refused = refusedStep(outcomes)
    if (refused !== undefined && refused.step > step) return refused
    const at = this.steps.findLastIndex(({ operation }, index) => index < step && operation !== LINK_TIMEOUT)
    const asked = this.steps[at]?.asked
    const before = outcomes[at]
    if (asked === undefined || before === undefined || before.result >= asked) return found
    if (this.#hard || !isCancelled(failed.result)) return found
    const error = shortError(this.steps[at]?.operation ?? '', before.result)
    outcomes[at] = { ...before, error }
    return { step: at, error }
  }

  #failure(step: number, error: UringError, outcomes: readonly Outcome[]): unknown {
    if (!this.isCancelled || !isCancelled(outcomes[step]?.result ?? 0))
      return new ChainError(step, error, outcomes)
    const left = outcomes.map((outcome, index) =>
      this.steps[index]?.discard() === true ? { result: outcome.result } : outcome,
    )
    const failure = new ChainError(step, error, left)
    if (this.#milliseconds !== undefined) return new TimeoutError(this.#milliseconds, failure)
    Object.defineProperty(failure, 'cause', {
      value: this.#reason?.value,
      configurable: true,
      writable: true,
    })
    return new AbortError(failure)
  }
}

/** The only step that was not cancelled: the kernel did not take it, and so none of the chain. */
function refusedStep(outcomes: readonly Outcome[]): { step: number; error: UringError } | undefined {
  const left = outcomes.filter(({ result }) => result !== -ECANCELED)
  const error = left[0]?.error
  return left.length === 1 && left[0] !== undefined && error !== undefined
    ? { step: outcomes.indexOf(left[0]), error }
    : undefined
}
