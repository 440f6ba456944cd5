// A completion, as the program sees it.

import type { UringError } from '../errors.ts'
import { CqeFlags } from '../flags/index.ts'
import type { Received } from '../buffers/groups.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import { errorOf } from '../operations/base/error-of.ts'
import type { Token } from '../entry/token.ts'

/** Where a completion came from: an operation of this ring, a message from another ring, a resource that was let go. */
export type CompletionSource = 'operation' | 'message' | 'tag'

const BUFFER_SHIFT = 16
const { BUFFER } = CqeFlags
/** Under this symbol a completion gives what it took from a group of buffers. */
export const RECEIVED: unique symbol = Symbol('received')
const UNDECODED = Symbol('undecoded')

/** What completed: a snapshot, which does not change. */
export class Completion<T = unknown> {
  /** The value that was pushed along; a bigint where the completion came from elsewhere. */
  readonly userData: unknown
  /** The submission that completed; 0 for a message or a tag. */
  readonly token: Token
  /** Where it came from. */
  readonly source: CompletionSource
  /** The kernel's result: a number that the operation gives its meaning, or a negative error number. */
  readonly result: number
  /** The kernel's flags, `CqeFlags`. */
  readonly flags: number
  /** The other half of a 32-byte completion. */
  readonly extra: readonly [bigint, bigint] | undefined
  readonly #operationClass: OperationClass
  readonly #intact: boolean
  #state: unknown
  #value: T | typeof UNDECODED = UNDECODED

  /** @internal */
  constructor(
    source: CompletionSource,
    token: Token,
    userData: unknown,
    result: number,
    flags: number,
    extra: readonly [bigint, bigint] | undefined,
    operationClass: OperationClass,
    state: unknown,
  ) {
    this.userData = userData
    this.token = token
    this.source = source
    this.result = result
    this.flags = flags
    this.extra = extra
    this.#operationClass = operationClass
    this.#state = state
    // Asked now: what the owner does with a buffer from here on is no fault.
    this.#intact = operationClass.intact(result, state)
  }

  /** Whether there is no error: a notification, an expired timeout and a link timeout that was not needed are ok. */
  get ok(): boolean {
    return this.#intact && (this.notification || !this.#operationClass.failed(this.result))
  }

  /** The error that the result stands for. */
  get error(): UringError | undefined {
    return this.ok ? undefined : errorOf(this.#operationClass, this.result, this.#state)
  }

  /** What `run()` resolves to. @throws {UringError} `error`, where there is one */
  get value(): T {
    if (this.#value === UNDECODED) {
      const { error } = this
      if (error !== undefined) throw error
      this.#value = this.#operationClass.decode(this.result, this.flags, this.#state) as T
      if ((this.flags & BUFFER) === 0) this.#state = undefined
    }
    return this.#value
  }

  /** @internal */
  get [RECEIVED](): Received | undefined {
    if ((this.flags & BUFFER) === 0) return undefined
    return (this.#state as { readonly received?: Received } | undefined)?.received
  }

  /** Decodes now, because the memory of an entry may be written again. @internal */
  settle(): this {
    if (this.ok) void this.value
    return this
  }

  /** Whether the same submission will complete again. */
  get more(): boolean {
    return (this.flags & CqeFlags.MORE) !== 0
  }

  /** Whether this says that the memory of a zero-copy send is free again. */
  get notification(): boolean {
    return (this.flags & CqeFlags.NOTIF) !== 0
  }

  /** The provided buffer that the kernel took. */
  get bufferId(): number | undefined {
    return (this.flags & BUFFER) === 0 ? undefined : this.flags >>> BUFFER_SHIFT
  }

  /** Whether the kernel keeps the buffer and will put more into it. */
  get bufferMore(): boolean {
    return (this.flags & CqeFlags.BUF_MORE) !== 0
  }

  /** Whether the socket has more to read. */
  get socketNonEmpty(): boolean {
    return (this.flags & CqeFlags.SOCK_NONEMPTY) !== 0
  }
}
