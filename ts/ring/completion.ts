// A completion of the queue API.

import type { UringError } from '../errors.ts'
import { CqeFlags } from '../flags/index.ts'
import { RECEIVED, type Received } from '../buffers/received.ts'
import type { OperationClass } from '../operations/base/operation-class.ts'
import { errorOf } from '../operations/base/error-of.ts'
import type { Token } from '../entry/token.ts'

/** The source of a completion: an operation, a message of another ring, or the tag of a released resource. */
export type CompletionSource = 'operation' | 'message' | 'tag'

const BUFFER_SHIFT = 16
const { BUFFER } = CqeFlags
const UNDECODED = Symbol('undecoded')

/** A completion: a snapshot that does not change. */
export class Completion<T = unknown> {
  /** The value that was pushed with the operation; a bigint for a message or a tag. */
  readonly userData: unknown
  /** The token of the submission; 0 for a message or a tag. */
  readonly token: Token
  /** The source: `'operation'`, `'message'` or `'tag'`. */
  readonly source: CompletionSource
  /** The kernel's result: its meaning depends on the operation; a negative number is an `errno`. */
  readonly result: number
  /** The kernel's flags, `CqeFlags`. */
  readonly flags: number
  /** The second half of a 32-byte completion, as two 64-bit numbers. */
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
    // Checked now: detaching a buffer after the completion is not an error.
    this.#intact = operationClass.intact(result, state)
  }

  /** True if there is no error. Notifications, expired timeouts and link timeouts that were not needed are ok. */
  get ok(): boolean {
    return this.#intact && (this.notification || !this.#operationClass.failed(this.result))
  }

  /** The error of the operation; `undefined` if it succeeded. */
  get error(): UringError | undefined {
    return this.ok ? undefined : errorOf(this.#operationClass, this.result, this.#state)
  }

  /** The decoded result: the value that `run()` resolves to. @throws {UringError} `error`, if there is one */
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

  /** Decodes at once, because another submission may write to the memory of a built entry. @internal */
  settle(): this {
    if (this.ok) void this.value
    return this
  }

  /** True if the same submission will complete again (`IORING_CQE_F_MORE`). */
  get more(): boolean {
    return (this.flags & CqeFlags.MORE) !== 0
  }

  /** True for the notification that the memory of a zero-copy send is free again (`IORING_CQE_F_NOTIF`). */
  get notification(): boolean {
    return (this.flags & CqeFlags.NOTIF) !== 0
  }

  /** The id of the provided buffer that the kernel consumed. */
  get bufferId(): number | undefined {
    return (this.flags & BUFFER) === 0 ? undefined : this.flags >>> BUFFER_SHIFT
  }

  /** True if the kernel keeps the buffer and will put more data into it (`IORING_CQE_F_BUF_MORE`). */
  get bufferMore(): boolean {
    return (this.flags & CqeFlags.BUF_MORE) !== 0
  }

  /** True if the socket had more data to read (`IORING_CQE_F_SOCK_NONEMPTY`). */
  get socketNonEmpty(): boolean {
    return (this.flags & CqeFlags.SOCK_NONEMPTY) !== 0
  }
}
