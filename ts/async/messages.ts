// An asynchronous iterator over what arrives at a ring without having been asked for.

import type { Completion } from '../ring/completion.ts'
import { AbortError } from '../errors.ts'
import { Queue } from '../ring/fifo.ts'
import { FixedFile } from '../arguments/file.ts'
import type { Abortable } from './abort.ts'
import type { Flow } from './flow.ts'

/** What came from another ring, or a resource of this one that was let go. */
export class Message {
  /** Where it comes from. */
  readonly source: 'message' | 'tag'
  /** The number that was sent, or the submission of a file that was; 0 of a tag. */
  readonly result: number
  /** What was sent with it, or the tag: 62 bits. */
  readonly data: bigint
  /** The flags that were sent, 0 unless somebody did. */
  readonly flags: number

  /** @internal */
  constructor({ source, result, userData, flags }: Completion) {
    this.source = source === 'tag' ? 'tag' : 'message'
    this.result = result
    this.data = userData as bigint
    this.flags = flags
  }

  /**
   * Where the kernel chose the submission of a file that was sent, that file. A message does not say that it is about a file:
   * sender and receiver agree on it, by `data` for example.
   */
  get file(): FixedFile | undefined {
    return this.source === 'message' && this.result >= 0 ? new FixedFile(this.result) : undefined
  }
}

/** Options of {@link Ring.messages}. */
export interface MessagesOptions {
  /** Ends the iteration; the step after what came before then rejects with an `AbortError`. */
  signal?: AbortSignal
  /** Whether waiting for messages keeps the event loop open; true. */
  ref?: boolean
}

interface Consumer {
  readonly resolve: (result: IteratorResult<Message, undefined>) => void
  readonly reject: (error: unknown) => void
}

const DONE = { done: true, value: undefined } as const

export class Messages implements AsyncIterableIterator<Message, undefined>, AsyncDisposable, Abortable {
  readonly #flow: Flow
  readonly #ref: boolean
  readonly #signal: AbortSignal | undefined
  readonly #arrived = new Queue<Completion>()
  readonly #consumers = new Queue<Consumer>()
  #ended = false
  /** Ends the waiting of a consumer, during which the ring is not collected. */
  #unlisten: (() => void) | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(flow: Flow, settings: { signal: AbortSignal | undefined; ref: boolean }) {
    this.#flow = flow
    this.#ref = settings.ref
    this.#signal = settings.signal
  }

  /** A message, in the order of their coming. */
  setAside(completion: Completion): void {
    const consumer = this.#consumers.shift()
    if (consumer === undefined) this.#arrived.push(completion)
    else consumer.resolve({ done: false, value: new Message(completion) })
    this.#tell()
  }

  /** The signal: what came before is delivered first. */
  abort(reason: unknown): void {
    this.fail(new AbortError(reason))
  }

  /** Ends with `error`, after what came before. */
  fail(error: unknown): void {
    if (this.#ended) return
    this.#failure = { error }
    this.#end()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    const completion = this.#arrived.shift()
    if (completion !== undefined) return Promise.resolve({ done: false, value: new Message(completion) })
    if (this.#failure !== undefined) {
      const { error } = this.#failure
      this.#failure = undefined
      return Promise.reject(error)
    }
    if (this.#ended) return Promise.resolve(DONE)
    return new Promise((resolve, reject) => {
      this.#consumers.push({ resolve, reject })
      this.#tell()
    })
  }

  /** Leaves: what nobody took, and what comes from now on, is for the waiting calls. */
  return(): Promise<IteratorResult<Message, undefined>> {
    this.#failure = undefined
    if (!this.#ended) this.#end()
    for (const completion of this.#arrived.remove(() => true)) this.#flow.keep(completion)
    return Promise.resolve(DONE)
  }

  async throw(error?: unknown): Promise<IteratorResult<Message, undefined>> {
    await this.return()
    throw error
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #stopListening(): void {
    this.#unlisten?.()
    this.#unlisten = undefined
  }

  #tell(): void {
    if (this.#consumers.length > 0) this.#unlisten ??= this.#flow.scheduler.listen(this.#ref)
    else this.#stopListening()
  }

  #end(): void {
    this.#ended = true
    this.#flow.endMessages()
    this.#stopListening()
    if (this.#signal !== undefined) this.#flow.signals.unwatch(this.#signal, this)
    for (let consumer = this.#consumers.shift(); consumer !== undefined; consumer = this.#consumers.shift()) {
      if (this.#failure === undefined) {
        consumer.resolve(DONE)
      } else {
        consumer.reject(this.#failure.error)
        this.#failure = undefined
      }
    }
  }
}
