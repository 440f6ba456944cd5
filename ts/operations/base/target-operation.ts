// Operations on another submission, which its token names.

import type { EntryWriter } from '../../entry/entry-writer.ts'
import { checkToken, generationOf, indexOf, type Token } from '../../entry/token.ts'
import { Operation } from './operation.ts'

/** Starts the entry of an operation on another submission. */
export function beginTarget(entry: EntryWriter, operation: Operation<unknown>, token: Token): void {
  entry.begin(operation.operationClass.opcode, operation)
  entry.fd(-1)
  entry.target(indexOf(token), generationOf(token))
}

/** Removes a poll or a timeout, which its token names. */
export abstract class RemoveOperation extends Operation<number> {
  /** The submission to remove. */
  token: Token

  constructor(token: Token) {
    super()
    this.token = checkToken(token)
  }

  /** @internal */
  override encode(entry: EntryWriter): unknown {
    beginTarget(entry, this, checkToken(this.token))
    return undefined
  }
}
