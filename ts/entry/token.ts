// Tokens: numbers that name one submission, generation * 2^22 + index.

import { integer } from '../arguments/validate.ts'

/** The name of one submission, as `push()` and `start()` return it; 0 names none. */
export type Token = number

const INDEX_BITS = 22
/** Submissions that a ring can tell apart. */
export const MAX_SUBMISSIONS: number = 2 ** INDEX_BITS

/** Returns the token of a submission. */
export function tokenOf(submission: { readonly index: number; readonly generation: number }): Token {
  return submission.generation * MAX_SUBMISSIONS + submission.index
}

/** Returns the index of a token's submission: the low word of the user data. */
export function indexOf(token: Token): number {
  return token % MAX_SUBMISSIONS
}

/** Returns the generation of a token: the high word of the user data. */
export function generationOf(token: Token): number {
  return Math.floor(token / MAX_SUBMISSIONS)
}

/** Returns `token`. @throws {RangeError|TypeError} it is not a token */
export function checkToken(token: Token, name = 'token'): Token {
  return integer(token, name, 0, Number.MAX_SAFE_INTEGER)
}
