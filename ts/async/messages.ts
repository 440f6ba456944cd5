// The iterator over unsolicited completions: messages of other rings and tags of released resources.

import type { Completion } from '../ring/completion.ts'
import { AbortError } from '../errors.ts'
import { Queue } from '../ring/fifo.ts'
import { FixedFile } from '../arguments/file.ts'
import type { Abortable } from './abort.ts'
import type { Flow } from './flow.ts'

/** A message of another ring, or the tag of a registered resource that the kernel has released. */
export class Message {
  /** `'message'` from a ring, or `'tag'` of a resource of this ring. */
  readonly source: 'message' | 'tag'
  /** The number that was sent, or the fixed-file slot of a file that was sent; 0 for a tag. */
  readonly result: number
  /** The data that was sent along, or the tag: 62 bits. */
  readonly data: bigint
  /** The flags that were sent along; default 0. */
  readonly flags: number

  /** @internal */
  constructor({ source, result, userData, flags }: Completion) {
    this.source = source === 'tag' ? 'tag' : 'message'
    this.result = result
    this.data = userData as bigint
    this.flags = flags
  }

  /**
   * The file that was sent, if the kernel chose its fixed-file slot. A message does not tell a file from a number, so
   * sender and receiver have to agree on it, by `data` for example.
   */
  get file(): FixedFile | undefined {
    return this.source === 'message' && this.result >= 0 ? new FixedFile(this.result) : undefined
  }
}

/** Options of {@link Ring.messages}. */
export interface MessagesOptions {
  /** Ends the iteration. The step after the messages that came before rejects with an `AbortError`. */
  signal?: AbortSignal
  /** If set, waiting for messages keeps the event loop open; default true. */
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
  /** Stops waiting. While a consumer waits, the ring is not collected. */
  #unlisten: (() => void) | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(flow: Flow, settings: { signal: AbortSignal | undefined; ref: boolean }) {
    this.#flow = flow
    this.#ref = settings.ref
    this.#signal = settings.signal
  }

  /** Delivers a message, or keeps it for the next step. */
  setAside(completion: Completion): void {
    const consumer = this.#consumers.shift()
    if (consumer === undefined) this.#arrived.push(completion)
    else consumer.resolve({ done: false, value: new Message(completion) })
    this.#tell()
  }

  /** Ends the iteration for a signal. */
  abort(reason: unknown): void {
    this.fail(new AbortError(reason))
  }

  /** Ends the iteration with `error`, after the messages that came before. */
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

  /** Leaves the loop: messages that were not consumed, and later ones, go to the queue API. */
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
