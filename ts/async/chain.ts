// A chain: operations that run one after the other, and one promise for all of them.

import { constants } from 'node:os'
import { AbortError, ChainError, type Outcome, shortError, TimeoutError, type UringError } from '../errors.ts'
import { CqeFlags } from '../flags/index.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import { errorOf } from '../operations/base/error-of.ts'
import type { FileTarget } from '../arguments/file.ts'
import type { Abortable } from './abort.ts'
import type { Flow } from './flow.ts'
import type { Token } from '../entry/token.ts'
import { isCancelled, type Task } from './tasks.ts'

const { MORE } = CqeFlags
const { ECANCELED } = constants.errno
/** A link timeout watches the step before it. Its own completion never breaks a chain. */
const LINK_TIMEOUT = 'LinkTimeout'

class Step implements Task {
  readonly ref: boolean
  readonly multishot = false
  readonly chain: Chain
  readonly index: number
  /** The name of the operation's class. */
  operation = ''
  first: number | undefined = undefined
  token: Token = 0
  outcome: Outcome | undefined = undefined
  /** Bytes that the step was to move, if that is known. */
  requested: number | undefined = undefined
  /** Files that the step opened after the chain was cancelled. */
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
      this.requested = operationClass.requested(state)
      try {
        this.outcome = { result: final, value: operationClass.decode(final, flags, state) }
      } catch (error) {
        this.outcome = { result: final, error: error as UringError } // the memory of a buffer group is gone
      }
      if (this.chain.isCancelled) this.#leftover = operationClass.leftover(final, state)
    }
    this.chain.arrived()
  }

  /** Closes the files that the step opened after the chain was cancelled. Returns whether there were any. */
  discard(): boolean {
    for (const file of this.#leftover) this.chain.flow.close(file)
    return this.#leftover.length > 0
  }
}

export class Chain implements Abortable {
  readonly flow: Flow
  readonly steps: readonly Step[]
  readonly #hard: boolean
  readonly #signal: AbortSignal | undefined
  #timer: NodeJS.Timeout | undefined
  readonly #resolve: (values: unknown[]) => void
  readonly #reject: (error: unknown) => void
  #left: number
  #reason: { readonly value: unknown } | undefined
  #milliseconds: number | undefined

  constructor(
    flow: Flow,
    length: number,
    settings: { hard: boolean; ref: boolean; signal: AbortSignal | undefined },
    resolve: (values: unknown[]) => void,
    reject: (error: unknown) => void,
  ) {
    this.flow = flow
    this.steps = Array.from({ length }, (_, index) => new Step(this, index, settings.ref))
    this.#hard = settings.hard
    this.#signal = settings.signal
    this.#resolve = resolve
    this.#reject = reject
    this.#left = length
  }

  get isCancelled(): boolean {
    return this.#reason !== undefined || this.#milliseconds !== undefined
  }

  /** Cancels the chain for a signal. */
  abort(reason: unknown): void {
    if (this.#milliseconds === undefined) this.#reason ??= { value: reason }
    this.#cancelNext()
  }

  /** Cancels the chain after so many milliseconds. */
  expireAfter(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      if (this.#reason === undefined) this.#milliseconds ??= milliseconds
      this.#cancelNext()
    }, milliseconds)
    this.#timer.unref()
  }

  /** Counts a completed step, and settles the promise after the last one. */
  arrived(): void {
    this.#left -= 1
    if (this.#left > 0) {
      if (this.isCancelled) this.#cancelNext()
      return
    }
    clearTimeout(this.#timer)
    if (this.#signal !== undefined) this.flow.signals.unwatch(this.#signal, this)
    const outcomes = this.steps.flatMap(({ outcome }) => outcome ?? [])
    const broken = this.#broken(outcomes)
    if (broken === undefined) this.#resolve(outcomes.map(({ value }) => value))
    else this.#reject(this.#failure(broken.step, broken.error, outcomes))
  }

  /** Cancels the first step that has not completed: the kernel does not find steps that have not begun. */
  #cancelNext(): void {
    const next = this.steps.find(({ outcome }) => outcome === undefined)
    if (next !== undefined) this.flow.cancelToken(next.token)
  }

  /** Finds the step that broke the chain: one that failed, or one whose short transfer cancelled the next one. */
  #broken(outcomes: Outcome[]): { step: number; error: UringError } | undefined {
    const step = outcomes.findIndex(({ error }) => error !== undefined)
    const failed = outcomes[step]
    if (failed?.error === undefined) return undefined
    const found = { step, error: failed.error }
    if (this.isCancelled) return found
    const refused = refusedStep(outcomes)
    if (refused !== undefined && refused.step > step) return refused
    const at = this.steps.findLastIndex(({ operation }, index) => index < step && operation !== LINK_TIMEOUT)
    const requested = this.steps[at]?.requested
    const before = outcomes[at]
    if (requested === undefined || before === undefined || before.result >= requested) return found
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

/** Finds the step that the kernel refused: the only one that was not cancelled. None of the chain has run then. */
function refusedStep(outcomes: readonly Outcome[]): { step: number; error: UringError } | undefined {
  const left = outcomes.filter(({ result }) => result !== -ECANCELED)
  const error = left[0]?.error
  return left.length === 1 && left[0] !== undefined && error !== undefined
    ? { step: outcomes.indexOf(left[0]), error }
    : undefined
}
